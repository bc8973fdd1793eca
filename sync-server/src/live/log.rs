//! The log of what was told, and reading what a listener missed.
//!
//! Events are logged behind their telling, a batch each [`EVERY`]. What a crash takes of it
//! is told again where it can be: a submission is in `feedback`, whether it was logged or not.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use snag_warehouse::{Query, Warehouse, WarehouseError};
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use super::seen::Seen;
use super::{Kind, Told};
use crate::{AppState, db};

/// How often what gathered is written.
const EVERY: Duration = Duration::from_millis(100);
/// Events of one insert.
const BATCH_MAX: usize = 5_000;
/// Events that a listener who comes back is told; one that missed more is told to load anew.
pub(super) const MISSED_MAX: usize = 5_000;
/// How far back a listener can go on.
pub(super) const KEPT_US: u64 = 24 * 3_600 * 1_000_000;
/// Longest from a submission's arrival to its being told, for submissions that a crash kept
/// from being logged.
const COMMIT_MAX_US: u64 = 60_000_000;

pub(super) async fn run(
    warehouse: Warehouse,
    mut queue: mpsc::Receiver<Arc<Told>>,
    written: watch::Sender<u64>,
) {
    let mut batch = Vec::new();
    while queue.recv_many(&mut batch, BATCH_MAX).await > 0 {
        if let Err(error) = write(&warehouse, &batch).await {
            tracing::warn!(%error, events = batch.len(), "live events were not logged");
        }
        // What could not be written is not on its way any more, either.
        if let Some(last) = batch.iter().map(|told| told.stamp).max() {
            written.send_replace(last);
        }
        batch.clear();
        tokio::time::sleep(EVERY).await;
    }
}

async fn write(warehouse: &Warehouse, batch: &[Arc<Told>]) -> Result<(), WarehouseError> {
    let texts = |of: fn(&Told) -> String| batch.iter().map(|told| of(told)).collect::<Vec<_>>();
    let sql = "INSERT INTO live_events (org, stamp, key, kind, data) \
               SELECT toUUID(row.1), toUInt64(row.2), toUUID(row.3), row.4, row.5 FROM \
               (SELECT arrayJoin(arrayZip({orgs:Array(String)}, {stamps:Array(String)}, \
               {keys:Array(String)}, {kinds:Array(String)}, {data:Array(String)})) AS row)";
    let insert = Query::new(sql)
        .param_strings("orgs", texts(|told| told.org.to_string()))
        .param_strings("stamps", texts(|told| told.stamp.to_string()))
        .param_strings("keys", texts(|told| told.key.to_string()))
        .param_strings("kinds", texts(|told| told.kind.as_str().to_owned()))
        .param_strings("data", texts(|told| told.data.to_string()));
    warehouse.execute(insert).await
}

#[derive(Deserialize)]
struct Logged {
    stamp: u64,
    key: Uuid,
    kind: String,
    data: String,
}

/// What an organisation's listener missed, oldest first; `None` where it is too much.
pub(super) async fn missed(
    state: &AppState,
    org: Uuid,
    seen: &Seen,
) -> Result<Option<Vec<Arc<Told>>>, WarehouseError> {
    let sql = "SELECT stamp, key, kind, data FROM live_events \
               WHERE org = {org:UUID} AND stamp > {after:UInt64} ORDER BY stamp, key LIMIT {limit:UInt32}";
    // As much as was seen after the watermark comes, too.
    let limit = MISSED_MAX + super::seen::LISTED_MAX + 1;
    let query = Query::read(sql)
        .param("org", org)
        .param("after", seen.watermark())
        .param("limit", limit);
    // In this order, or an event that is logged in between would be in neither answer.
    let unlogged = unlogged(state, org, seen).await?;
    let rows: Vec<Logged> = db::rows(&state.warehouse, query).await?;
    if rows.len() >= limit {
        return Ok(None);
    }
    let logged = rows.into_iter().filter_map(|row| {
        Some(Arc::new(Told {
            org,
            stamp: row.stamp,
            key: row.key,
            kind: Kind::of(&row.kind)?,
            data: serde_json::from_str(&row.data).ok()?,
        }))
    });
    let remembered = state.live.remembered(org);
    // Those that know when it was told go before the one that only knows when it came.
    let mut all: Vec<Arc<Told>> = logged.chain(remembered).collect();
    let known: HashSet<Uuid> = all.iter().map(|told| told.key).collect();
    all.retain(|told| told.stamp > seen.watermark());
    all.extend(
        unlogged
            .into_iter()
            .filter(|told| !known.contains(&told.key)),
    );
    all.sort_by_key(|told| (told.stamp, told.key));
    let mut keys = HashSet::new();
    all.retain(|told| keys.insert(told.key) && !seen.contains(told.key));
    Ok((all.len() <= MISSED_MAX).then_some(all))
}

/// Submissions that are stored and that no log and no memory knows.
async fn unlogged(
    state: &AppState,
    org: Uuid,
    seen: &Seen,
) -> Result<Vec<Arc<Told>>, WarehouseError> {
    #[derive(Deserialize)]
    struct Row {
        id: Uuid,
        received_ms: u64,
        at_ms: i64,
        product: String,
        category: String,
        rating: u8,
        sentiment: String,
        app: String,
        screen: String,
    }
    let sql = "SELECT id, toUInt64(toUnixTimestamp64Milli(received_at)) AS received_ms, \
               toUnixTimestamp64Milli(at) AS at_ms, product, category, rating, sentiment, app, screen \
               FROM feedback WHERE org = {org:String} \
               AND received_at > fromUnixTimestamp64Milli({after:Int64}, 'UTC') \
               AND id NOT IN (SELECT key FROM live_events WHERE org = {org_id:UUID} \
               AND stamp > {since:UInt64} AND kind = 'feedback:submitted') \
               ORDER BY received_at, id, version LIMIT 1 BY id LIMIT {limit:UInt32}";
    let after_us = seen.watermark().saturating_sub(COMMIT_MAX_US);
    let query = Query::read(sql)
        .param("org", org)
        .param("org_id", org)
        .param("after", after_us / 1_000)
        .param("since", after_us.saturating_sub(COMMIT_MAX_US))
        .param("limit", MISSED_MAX + 1);
    let rows: Vec<Row> = db::rows(&state.warehouse, query).await?;
    let told = rows.into_iter().map(|row| {
        let at = jiff::Timestamp::from_millisecond(row.at_ms).unwrap_or_default();
        Arc::new(Told {
            org,
            stamp: row.received_ms * 1_000,
            key: row.id,
            kind: Kind::FeedbackSubmitted,
            data: json!({
                "id": row.id,
                "at": at.to_string(),
                "product": row.product,
                "category": row.category,
                "rating": (row.rating > 0).then_some(row.rating),
                "sentiment": Some(row.sentiment).filter(|word| !word.is_empty()).map_or(Value::Null, Value::from),
                "app": row.app,
                "screen": row.screen,
            }),
        })
    });
    Ok(told.collect())
}
