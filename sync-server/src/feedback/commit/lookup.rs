//! What the tables know of a group: its ids, and what its devices sent lately.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;
use snag_warehouse::{ErrorKind, Query, Warehouse, WarehouseError};
use uuid::Uuid;

use super::Job;
use crate::db;
use crate::feedback::limits::{Limits, WINDOW_S};

/// What the tables know of the ids of a group.
#[derive(Default)]
pub(super) struct Found {
    /// The first of what was submitted under each id.
    pub(super) submissions: HashMap<(Uuid, Uuid), (Uuid, [u8; 32])>,
    /// Those that the desk has.
    pub(super) feedback: HashSet<(Uuid, Uuid)>,
    /// Those whose details are there.
    pub(super) details: HashSet<(Uuid, Uuid)>,
    /// Those that were deleted: a late retry doesn't bring them back.
    pub(super) forgotten: HashSet<(Uuid, Uuid)>,
}

/// Which ids of a group the tables know.
pub(super) async fn find(warehouse: &Warehouse, jobs: &[Job]) -> Result<Found, WarehouseError> {
    #[derive(Deserialize)]
    struct Row {
        place: u8,
        org: Uuid,
        id: Uuid,
        device: Uuid,
        digest: String,
    }
    let orgs: HashSet<&str> = jobs.iter().map(|job| job.item.org.key.as_str()).collect();
    let ids: Vec<String> = jobs
        .iter()
        .map(|job| job.item.submission().id.to_string())
        .collect();
    let newest: Vec<String> = jobs
        .iter()
        .map(|job| job.item.newest().to_string())
        .collect();
    let sql = "SELECT 0 AS place, org, id, device, lower(hex(digest)) AS digest FROM submissions \
               WHERE org IN {orgs:Array(String)} AND id IN {ids:Array(UUID)} \
               UNION ALL \
               SELECT 1 AS place, org, id, device, '' AS digest FROM feedback \
               WHERE org IN {orgs:Array(String)} AND newest IN {newest:Array(UInt64)} \
               AND id IN {ids:Array(UUID)} \
               UNION ALL \
               SELECT 2 AS place, org, id, id AS device, '' AS digest FROM forgotten \
               WHERE org IN {orgs:Array(String)} AND kind = 'feedback' AND id IN {ids:Array(UUID)}";
    let query = Query::read(sql)
        .param_strings("orgs", &orgs)
        .param_strings("ids", &ids)
        .param("newest", format!("[{}]", newest.join(",")));
    let rows: Vec<Row> = db::rows(warehouse, query).await?;
    let mut found = Found::default();
    for row in rows {
        let key = (row.org, row.id);
        match row.place {
            1 => drop(found.feedback.insert(key)),
            2 => drop(found.forgotten.insert(key)),
            _ => {}
        }
        if row.place > 0 {
            continue;
        }
        let mut digest = [0; 32];
        hex::decode_to_slice(&row.digest, &mut digest).map_err(|error| {
            WarehouseError::new(ErrorKind::Schema, format!("a digest is none: {error}"))
        })?;
        found.submissions.insert(key, (row.device, digest));
    }
    find_details(warehouse, jobs, &mut found).await?;
    Ok(found)
}

/// Which of those that are in one table already have their details. What is new, and so is
/// nearly everything, isn't asked for.
async fn find_details(
    warehouse: &Warehouse,
    jobs: &[Job],
    found: &mut Found,
) -> Result<(), WarehouseError> {
    #[derive(Deserialize)]
    struct Row {
        org: Uuid,
        id: Uuid,
    }
    let known: Vec<&Job> = jobs
        .iter()
        .filter(|job| {
            let key = (job.item.org.id, job.item.submission().id);
            let stored = found.submissions.contains_key(&key) || found.feedback.contains(&key);
            stored && job.item.has_details() && !found.forgotten.contains(&key)
        })
        .collect();
    if known.is_empty() {
        return Ok(());
    }
    let orgs: HashSet<&str> = known.iter().map(|job| job.item.org.key.as_str()).collect();
    let ids = known.iter().map(|job| job.item.submission().id.to_string());
    let sql = "SELECT DISTINCT org, id FROM feedback_details \
               WHERE org IN {orgs:Array(String)} AND id IN {ids:Array(UUID)}";
    let query = Query::read(sql)
        .param_strings("orgs", &orgs)
        .param_strings("ids", ids);
    let rows: Vec<Row> = db::rows(warehouse, query).await?;
    found
        .details
        .extend(rows.into_iter().map(|row| (row.org, row.id)));
    Ok(())
}

/// What devices that weren't seen yet sent in the last hour.
pub(super) async fn read_taken(
    warehouse: &Warehouse,
    limits: &Limits,
    jobs: &[Job],
) -> Result<HashMap<(Uuid, Uuid), Vec<(i64, u32)>>, WarehouseError> {
    #[derive(Deserialize)]
    struct Row {
        org: Uuid,
        device: Uuid,
        second: i64,
        number: u32,
    }
    let mut taken: HashMap<(Uuid, Uuid), Vec<(i64, u32)>> = jobs
        .iter()
        .filter(|job| !limits.knows(job.who.org, job.who.device))
        .map(|job| ((job.who.org, job.who.device), Vec::new()))
        .collect();
    let Some(now_s) = jobs.first().map(|job| job.item.received_ms / 1_000) else {
        return Ok(taken);
    };
    if taken.is_empty() {
        return Ok(taken);
    }
    let orgs: HashSet<String> = taken.keys().map(|(org, _)| org.to_string()).collect();
    let devices: Vec<String> = taken.keys().map(|(_, device)| device.to_string()).collect();
    let sql = "SELECT org, device, toInt64(toUnixTimestamp(received_at)) AS second, \
               toUInt32(uniqExact(id)) AS number FROM submissions \
               WHERE org IN {orgs:Array(String)} AND device IN {devices:Array(UUID)} \
               AND received_at > toDateTime({since:Int64}, 'UTC') \
               GROUP BY org, device, second";
    let query = Query::read(sql)
        .param_strings("orgs", &orgs)
        .param_strings("devices", &devices)
        .param("since", now_s - WINDOW_S);
    let rows: Vec<Row> = db::rows(warehouse, query).await?;
    for row in rows {
        if let Some(taken) = taken.get_mut(&(row.org, row.device)) {
            taken.push((row.second, row.number));
        }
    }
    Ok(taken)
}
