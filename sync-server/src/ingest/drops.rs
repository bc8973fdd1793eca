//! What devices say they dropped: totals, kept by device and reason.

use snag_warehouse::{Query, WarehouseError};
use snag_wire::DropCount;

use crate::auth::DeviceAuth;
use crate::metrics::DropLabels;
use crate::{AppState, db};

/// Reasons that are counted under their own name; foreign ones are `other`.
const KNOWN: &[&str] = &[
    "quota",
    "spool_lost",
    "spool_full",
    "rejected",
    "queue_full",
    "dead_letter",
    "policy",
    "too_old",
    "capture_overflow",
];

/// Writes down totals that rose. They are totals, so that a batch sent twice, or
/// stored after its drops were, says the same again.
///
/// # Errors
/// The warehouse's.
pub async fn note(
    state: &AppState,
    auth: &DeviceAuth,
    drops: &[DropCount],
) -> Result<(), WarehouseError> {
    #[derive(serde::Deserialize)]
    struct Row {
        reason: String,
        count: u64,
    }
    if drops.is_empty() {
        return Ok(());
    }
    let known = state.drops.lock().get(&auth.device).cloned();
    let mut known = match known {
        Some(known) => known,
        None => {
            let sql = "SELECT reason, max(count) AS count FROM device_drops \
                       WHERE org = {org:UUID} AND device = {device:UUID} GROUP BY reason";
            let query = Query::read(sql)
                .param("org", auth.org.id)
                .param("device", auth.device);
            db::rows::<Row>(&state.warehouse, query)
                .await?
                .into_iter()
                .map(|row| (row.reason, row.count))
                .collect()
        }
    };
    let mut risen = Vec::new();
    for drop in drops {
        let before = known.get(&drop.reason).copied().unwrap_or(0);
        if drop.count > before {
            risen.push((drop, drop.count - before));
            known.insert(drop.reason.clone(), drop.count);
        }
    }
    if !risen.is_empty() {
        let sql = "INSERT INTO device_drops (org, device, reason, count, received_at) \
                   SELECT {org:UUID}, {device:UUID}, pair.1, toUInt64(pair.2), \
                   toDateTime({now:Int64}, 'UTC') FROM (SELECT arrayJoin(arrayZip(\
                   {reasons:Array(String)}, {counts:Array(String)})) AS pair)";
        let insert = Query::new(sql)
            .param("org", auth.org.id)
            .param("device", auth.device)
            .param("now", state.now().as_second())
            .param_strings("reasons", risen.iter().map(|(drop, _)| &drop.reason))
            .param_strings(
                "counts",
                risen.iter().map(|(drop, _)| drop.count.to_string()),
            );
        state.warehouse.execute(insert).await?;
    }
    for (drop, more) in risen {
        let reason = if KNOWN.contains(&drop.reason.as_str()) {
            drop.reason.clone()
        } else {
            "other".to_owned()
        };
        state
            .metrics
            .device_drops
            .get_or_create(&DropLabels { reason })
            .inc_by(more);
    }
    state.drops.lock().insert(auth.device, known);
    Ok(())
}
