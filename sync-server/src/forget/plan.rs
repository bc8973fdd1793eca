//! What there is of an item or of a person: counted before it is deleted.

use std::collections::BTreeSet;

use jiff::civil::Date;
use serde::Deserialize;
use snag_warehouse::{ErrorKind, Query, Warehouse, WarehouseError};
use uuid::Uuid;

use super::log::Plan;
use crate::db;

/// Tables of records and the moment that their rollups go by.
pub(super) const RECORDS: [(&str, &str); 5] = [
    ("events", "at"),
    ("sessions", "started_at"),
    ("screens", "at"),
    ("incidents", "at"),
    ("labels", "at"),
];

/// Tables of feedback and the column that names the item.
pub(super) const FEEDBACK: [(&str, &str); 5] = [
    ("screenshots", "feedback"),
    ("feedback_thread", "feedback"),
    ("feedback_details", "id"),
    ("feedback", "id"),
    ("submissions", "id"),
];

#[derive(Deserialize)]
struct Count {
    kind: String,
    n: u64,
}

#[derive(Deserialize)]
struct Day {
    day: String,
}

#[derive(Deserialize)]
struct Id {
    id: Uuid,
}

#[derive(Deserialize)]
struct Hash {
    hash: String,
}

fn days(rows: Vec<Day>) -> Result<BTreeSet<Date>, WarehouseError> {
    let parse = |row: Day| {
        row.day.parse().map_err(|_| {
            WarehouseError::new(ErrorKind::Schema, format!("{:?} is not a day", row.day))
        })
    };
    rows.into_iter().map(parse).collect()
}

/// What there is of some items of feedback.
pub(super) async fn of_feedback(
    warehouse: &Warehouse,
    org: &str,
    ids: &BTreeSet<Uuid>,
) -> Result<Plan, WarehouseError> {
    let mut plan = Plan::default();
    if ids.is_empty() {
        return Ok(plan);
    }
    let asked = |sql: String| {
        Query::read(sql)
            .param("org", org)
            .param_strings("ids", ids.iter().map(Uuid::to_string))
    };
    let counts = FEEDBACK.map(|(table, id)| {
        // An entry of a thread is one, an item with five versions is one, too.
        let what = if table == "feedback_thread" { "id" } else { id };
        let shown = if table == "screenshots" {
            " AND hash != ''"
        } else {
            ""
        };
        format!(
            "SELECT '{table}' AS kind, uniqExact({what}) AS n FROM {table} \
             WHERE org = {{org:String}} AND {id} IN {{ids:Array(UUID)}}{shown}"
        )
    });
    let counts: Vec<Count> = db::rows(warehouse, asked(counts.join(" UNION ALL "))).await?;
    let known = counts.iter().filter(|count| count.n > 0);
    plan.counts = known.map(|count| (count.kind.clone(), count.n)).collect();
    if plan.counts.is_empty() {
        return Ok(plan);
    }
    plan.feedback.clone_from(ids);
    let sql = "SELECT DISTINCT toString(toDate(at, 'UTC')) AS day FROM submissions \
               WHERE org = {org:String} AND id IN {ids:Array(UUID)}";
    plan.days = days(db::rows(warehouse, asked(sql.to_owned())).await?)?;
    let sql = "SELECT DISTINCT hash FROM (\
                 SELECT hash FROM screenshots WHERE org = {org:String} AND feedback IN {ids:Array(UUID)} \
                 UNION ALL \
                 SELECT screenshot AS hash FROM feedback WHERE org = {org:String} AND id IN {ids:Array(UUID)}\
               ) WHERE hash != ''";
    let hashes: Vec<Hash> = db::rows(warehouse, asked(sql.to_owned())).await?;
    plan.hashes = hashes.into_iter().map(|row| row.hash).collect();
    Ok(plan)
}

/// What there is of a device and so of the person at it.
pub(super) async fn of_device(
    warehouse: &Warehouse,
    org: &str,
    device: Uuid,
) -> Result<Plan, WarehouseError> {
    let asked = |sql: String| Query::read(sql).param("org", org).param("device", device);
    let sql = "SELECT DISTINCT id FROM (\
                 SELECT id FROM feedback WHERE org = {org:String} AND device = {device:UUID} \
                 UNION ALL \
                 SELECT id FROM submissions WHERE org = {org:String} AND device = {device:UUID})";
    let ids: Vec<Id> = db::rows(warehouse, asked(sql.to_owned())).await?;
    let ids: BTreeSet<Uuid> = ids.into_iter().map(|row| row.id).collect();
    let mut plan = of_feedback(warehouse, org, &ids).await?;

    let mut counts = RECORDS.map(|(table, _)| {
        format!(
            "SELECT '{table}' AS kind, uniqExact(product, seq) AS n FROM {table} \
             WHERE org = {{org:String}} AND device = {{device:UUID}}"
        )
    });
    let controls = "SELECT 'devices' AS kind, uniqExact(device) AS n FROM devices \
                    WHERE org = toUUID({org:String}) AND device = {device:UUID} \
                    UNION ALL SELECT 'device_drops' AS kind, uniqExact(reason) AS n FROM device_drops \
                    WHERE org = toUUID({org:String}) AND device = {device:UUID} \
                    UNION ALL SELECT 'tokens' AS kind, uniqExact(token_hash) AS n FROM tokens \
                    WHERE org = toUUID({org:String}) AND device = {device:UUID}";
    let sql = format!("{} UNION ALL {controls}", counts.join(" UNION ALL "));
    let found: Vec<Count> = db::rows(warehouse, asked(sql)).await?;
    for count in found.into_iter().filter(|count| count.n > 0) {
        plan.counts.insert(count.kind, count.n);
    }
    counts = RECORDS.map(|(table, moment)| {
        format!(
            "SELECT DISTINCT toString(toDate({moment}, 'UTC')) AS day FROM {table} \
             WHERE org = {{org:String}} AND device = {{device:UUID}}"
        )
    });
    let more = days(db::rows(warehouse, asked(counts.join(" UNION DISTINCT "))).await?)?;
    plan.days.extend(more);
    Ok(plan)
}
