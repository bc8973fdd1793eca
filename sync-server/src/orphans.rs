//! The object store compared with the rows that name its objects.
//!
//! An object that no row names was left by an upload that was cut off; it is deleted an
//! hour later, when no upload can be on its way any more. A row whose object is missing is
//! marked and reported, never deleted: the object may come back with a restored folder.
//!
//! A row whose item is gone was written by a server that hadn't heard yet that another
//! deleted the item. Whoever deletes finds pictures by their items, so that it would stay for
//! ever: it goes here once it is an hour old, and its picture with it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use futures_util::StreamExt as _;
use jiff::SignedDuration;
use serde::Deserialize;
use snag_warehouse::{Query, WarehouseError};
use uuid::Uuid;

use crate::forget::pictures::{away, delete_unnamed};
use crate::forget::rows;
use crate::{AppState, db};

/// An object younger than this may belong to an upload whose row is yet to come.
const AGE_MIN: SignedDuration = SignedDuration::from_hours(1);

/// Rows that one statement deletes.
const CHUNK: usize = 2_000;

/// What a comparison found.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// Objects without a row that were deleted.
    pub objects_deleted: u64,
    /// Their bytes.
    pub bytes_freed: u64,
    /// Rows whose object is missing.
    pub rows_missing: u64,
}

#[derive(Deserialize)]
struct Row {
    org: Uuid,
    feedback: Uuid,
    hash: String,
    missing: u8,
}

/// Compares both ways, deletes objects without rows and marks rows without objects.
///
/// # Errors
/// The warehouse's and the object store's.
pub async fn look(state: &AppState) -> Result<Report, WarehouseError> {
    let before_ms = (state.now() - AGE_MIN).as_millisecond();
    delete_itemless(state, before_ms).await?;
    let mut objects: HashMap<(Uuid, String), (bool, i64)> = HashMap::new();
    let mut listed = state.objects.list();
    while let Some(object) = listed.next().await {
        let object = object.map_err(|error| away(&error))?;
        let known = objects
            .entry((object.org, object.hash))
            .or_insert((false, object.modified_ms));
        known.0 |= !object.thumbnail;
        known.1 = known.1.max(object.modified_ms);
    }
    // Read after the list: an object in it whose row isn't here has none.
    let sql = "SELECT org, feedback, hash, missing FROM screenshots FINAL WHERE hash != ''";
    let rows: Vec<Row> = db::rows(&state.warehouse, Query::read(sql)).await?;

    let mut report = Report::default();
    let (mut lost, mut found) = (Vec::new(), Vec::new());
    for row in rows {
        let key = (row.org, row.hash);
        let mut is_there = objects.get(&key).is_some_and(|(picture, _)| *picture);
        if !is_there {
            // It may have come since the list was made.
            let size = state.objects.size(key.0, &key.1).await;
            is_there = size.map_err(|error| away(&error))?.is_some();
        }
        report.rows_missing += u64::from(!is_there);
        match (is_there, row.missing != 0) {
            (false, false) => lost.push((key.0, row.feedback)),
            (true, true) => found.push((key.0, row.feedback)),
            _ => {}
        }
        objects.remove(&key);
    }
    mark(state, &lost, true).await?;
    mark(state, &found, false).await?;

    let mut orphans: BTreeMap<Uuid, BTreeSet<String>> = BTreeMap::new();
    for ((org, hash), (_, modified_ms)) in objects {
        if modified_ms < before_ms {
            orphans.entry(org).or_default().insert(hash);
        }
    }
    for (org, hashes) in orphans {
        let (number, bytes) = delete_unnamed(state, &org.to_string(), &hashes).await?;
        report.objects_deleted += number;
        report.bytes_freed += bytes;
    }
    state.metrics.orphans_deleted.inc_by(report.objects_deleted);
    state
        .metrics
        .screenshots_missing
        .set(i64::try_from(report.rows_missing).unwrap_or(i64::MAX));
    if report.rows_missing > 0 {
        tracing::error!(
            rows = report.rows_missing,
            "screenshots are missing from the object store"
        );
    }
    if report.objects_deleted > 0 {
        tracing::warn!(
            objects = report.objects_deleted,
            bytes = report.bytes_freed,
            "deleted objects that no row names"
        );
    }
    Ok(report)
}

/// Deletes rows without an item that were written before a moment.
async fn delete_itemless(state: &AppState, before_ms: i64) -> Result<(), WarehouseError> {
    #[derive(Deserialize)]
    struct Left {
        org: Uuid,
        feedback: Uuid,
    }
    #[derive(Deserialize)]
    struct Shown {
        id: Uuid,
    }
    let sql = "SELECT org, feedback FROM screenshots FINAL \
               WHERE received_at < fromUnixTimestamp64Milli({before:Int64}, 'UTC') \
               AND (org, feedback) NOT IN (SELECT org, id FROM submissions \
                 WHERE (org, id) IN (SELECT org, feedback FROM screenshots)) ORDER BY org";
    let query = Query::read(sql).param("before", before_ms);
    let left: Vec<Left> = db::rows(&state.warehouse, query).await?;
    for of_org in left.chunk_by(|one, next| one.org == next.org) {
        for chunk in of_org.chunks(CHUNK) {
            let Some(org) = chunk.first().map(|row| row.org.to_string()) else {
                continue;
            };
            let ids = |rows: &[&Left]| -> String {
                let ids: Vec<String> = rows
                    .iter()
                    .map(|row| format!("'{}'", row.feedback))
                    .collect();
                format!("[{}]", ids.join(","))
            };
            // What the desk still has goes with its item.
            let sql = "SELECT DISTINCT id FROM feedback \
                       WHERE org = {org:String} AND id IN {ids:Array(UUID)}";
            let all: Vec<&Left> = chunk.iter().collect();
            let query = Query::read(sql).param("org", &org).param("ids", ids(&all));
            let shown: Vec<Shown> = db::rows(&state.warehouse, query).await?;
            let shown: HashSet<Uuid> = shown.into_iter().map(|row| row.id).collect();
            let gone: Vec<&Left> = chunk
                .iter()
                .filter(|row| !shown.contains(&row.feedback))
                .collect();
            if gone.is_empty() {
                continue;
            }
            let listed = ids(&gone);
            let condition = "org = {org:String} AND feedback IN {ids:Array(UUID)}";
            let params = [("org", org.as_str()), ("ids", listed.as_str())];
            rows::delete(&state.warehouse, "screenshots", condition, &params).await?;
            tracing::warn!(
                rows = gone.len(),
                "deleted screenshots whose items are gone"
            );
        }
    }
    Ok(())
}

async fn mark(
    state: &AppState,
    rows: &[(Uuid, Uuid)],
    missing: bool,
) -> Result<(), WarehouseError> {
    for chunk in rows.chunks(1_000) {
        let sql = "INSERT INTO screenshots SELECT * REPLACE ({missing:UInt8} AS missing, version + 1 AS version) \
                   FROM screenshots FINAL WHERE org IN {orgs:Array(String)} \
                   AND feedback IN {ids:Array(UUID)} AND hash != ''";
        let insert = Query::new(sql)
            .param("missing", u8::from(missing))
            .param_strings("orgs", chunk.iter().map(|(org, _)| org.to_string()))
            .param_strings("ids", chunk.iter().map(|(_, id)| id.to_string()));
        state.warehouse.execute(insert).await?;
    }
    Ok(())
}
