//! Forgetting: an item of feedback, or everything of a person.
//!
//! ```text
//! audit → forgotten: begun → (a person: tokens revoked) → nothing more is let in, and what was is stored
//!   → planned (what there is) → rows, objects, rollups, caches → deleted, with a receipt
//!   → some minutes later: swept (what other servers had on its way)
//! ```
//!
//! **Invariants:**
//! - After the answer no query finds what was deleted, and every rollup is what a recount
//!   of the remaining rows gives.
//! - Each step can be repeated. A deletion that was cut off is finished by [`resume`],
//!   which runs at every start and every minute.
//! - One deletion at a time in a process. It doesn't end because whoever asked has gone.

mod gone;
pub mod log;
pub(crate) mod pictures;
mod plan;
mod routes;
pub mod rows;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use snag_warehouse::WarehouseError;
use uuid::Uuid;

pub use gone::{Expiring, Gone, Storing};
use log::{Entry, Stage};
pub use log::{Kind, REMEMBERED, Receipt};
pub use routes::{Routes, router};

use crate::live::{self, Event};
use crate::verify::{self, Window};
use crate::{ApiError, AppState};

/// ClickHouse keeps the files that a mutation replaced for 8 minutes
/// (`old_parts_lifetime`), and looks for old ones every minute or so.
const OLD_PARTS: SignedDuration = SignedDuration::from_mins(10);

/// When what other servers had on its way is in: they hear of a revoked token within
/// seconds, and no request takes longer than a minute.
const SWEEP_AFTER: SignedDuration = SignedDuration::from_mins(2);

/// What is asked to be forgotten.
#[derive(Debug, Clone)]
pub struct Target {
    /// Whose, as the record tables have it.
    pub org: String,
    /// What `id` names.
    pub kind: Kind,
    /// The item or the device.
    pub id: Uuid,
}

/// Whether there is anything of a target, or was: its receipt where it is deleted already.
pub(crate) enum Known {
    /// Never heard of.
    Nothing,
    /// There is something to delete.
    Something,
    /// Deleted before.
    Deleted(Receipt),
}

/// What is known of a target.
pub(crate) async fn known(state: &AppState, target: &Target) -> Result<Known, WarehouseError> {
    let entry = log::find(&state.warehouse, &target.org, target.kind, target.id).await?;
    if let Some(entry) = &entry
        && entry.stage < Stage::Deleted
    {
        return Ok(Known::Something);
    }
    if !look(state, target).await?.is_empty() {
        return Ok(Known::Something);
    }
    Ok(match entry.and_then(|entry| entry.receipt) {
        Some(receipt) => Known::Deleted(receipt),
        None => Known::Nothing,
    })
}

async fn look(state: &AppState, target: &Target) -> Result<log::Plan, WarehouseError> {
    match target.kind {
        Kind::Feedback => {
            plan::of_feedback(&state.warehouse, &target.org, &[target.id].into()).await
        }
        Kind::Device => plan::of_device(&state.warehouse, &target.org, target.id).await,
    }
}

/// Deletes a target; `receipt` is what the audit log names. Repeating it gives the first receipt again; what came back in
/// between is deleted, too.
///
/// # Errors
/// The warehouse's and the object store's; it is then finished later, by [`resume`] or by asking again.
pub async fn forget(
    state: &Arc<AppState>,
    target: Target,
    receipt: Uuid,
) -> Result<Receipt, ApiError> {
    let _alone = state.forgetting.lock().await;
    let before = log::find(&state.warehouse, &target.org, target.kind, target.id).await?;
    let entry = match before {
        Some(entry) if entry.stage < Stage::Deleted => entry,
        Some(Entry {
            receipt: Some(receipt),
            ..
        }) if look(state, &target).await?.is_empty() => return Ok(receipt),
        _ => {
            let entry = Entry {
                org: target.org,
                kind: target.kind,
                id: target.id,
                at: state.now(),
                stage: Stage::Begun,
                plan: log::Plan {
                    receipt: Some(receipt),
                    ..log::Plan::default()
                },
                receipt: None,
            };
            log::write(&state.warehouse, &entry).await?;
            entry
        }
    };
    Ok(carry_out(state, entry).await?)
}

/// Takes up what is begun, and sweeps after what is deleted.
///
/// # Errors
/// The warehouse's and the object store's.
pub async fn resume(state: &Arc<AppState>) -> Result<(), WarehouseError> {
    for entry in log::unfinished(&state.warehouse).await? {
        let _alone = state.forgetting.lock().await;
        // Another may have finished it while this waited.
        let now = log::find(&state.warehouse, &entry.org, entry.kind, entry.id).await?;
        let Some(mut entry) = now else { continue };
        match entry.stage {
            Stage::Begun | Stage::Planned => {
                tracing::info!(at = %entry.at, "taking up a deletion that was cut off");
                carry_out(state, entry).await?;
            }
            Stage::Deleted if entry.at + SWEEP_AFTER <= state.now() => {
                let target = Target {
                    org: entry.org.clone(),
                    kind: entry.kind,
                    id: entry.id,
                };
                let mut late = look(state, &target).await?;
                // A picture of an item that is gone leads to nobody by itself.
                let items = &entry.plan.feedback;
                late.join(plan::of_feedback(&state.warehouse, &entry.org, items).await?);
                if !late.is_empty() {
                    tracing::warn!("deleting what came while it was being deleted");
                    delete(state, &entry, &mut late).await?;
                }
                entry.stage = Stage::Swept;
                log::write(&state.warehouse, &entry).await?;
                log::drop_plan(&state.warehouse, &entry).await?;
                if let Ok(org) = entry.org.parse() {
                    state.gone.remove(org, entry.id);
                }
            }
            Stage::Deleted | Stage::Swept => {}
        }
    }
    Ok(())
}

/// What is left to do of a deletion.
async fn carry_out(state: &Arc<AppState>, mut entry: Entry) -> Result<Receipt, WarehouseError> {
    let warehouse = &state.warehouse;
    let target = Target {
        org: entry.org.clone(),
        kind: entry.kind,
        id: entry.id,
    };
    if entry.stage < Stage::Planned {
        // Counted before the token goes, and again once nothing can come any more.
        entry.plan.join(look(state, &target).await?);
        log::write(warehouse, &entry).await?;
    }
    if entry.kind == Kind::Device {
        let now_ms = state.now().as_millisecond();
        rows::revoke(warehouse, &entry.org, entry.id, now_ms).await?;
        state.tokens.forget_all();
        state.commits.forget(entry.id).await;
    }
    if let Ok(org) = entry.org.parse() {
        state.gone.add(org, entry.id).await;
    }
    entry.plan.join(look(state, &target).await?);
    let bytes = pictures::freed_bytes(state, &entry.org, &entry.plan.hashes, &entry.plan.feedback);
    entry.plan.bytes_freed = entry.plan.bytes_freed.max(bytes.await?);
    entry.stage = Stage::Planned;
    let uncount = !std::mem::replace(&mut entry.plan.uncounted, true);
    log::write(warehouse, &entry).await?;
    if uncount && !entry.plan.feedback.is_empty() {
        verify::uncount(warehouse, &entry.org, &entry.plan.feedback).await?;
    }

    let mut plan = std::mem::take(&mut entry.plan);
    delete(state, &entry, &mut plan).await?;

    let at = state.now();
    let receipt = Receipt {
        // One that an older version began has none.
        receipt: plan.receipt.unwrap_or_else(Uuid::now_v7),
        at,
        what: plan.counts,
        bytes_freed: plan.bytes_freed,
        gone_from_disk_by: at + OLD_PARTS,
        id_remembered_until: entry.at + REMEMBERED,
    };
    entry.stage = Stage::Deleted;
    entry.plan.feedback = plan.feedback;
    entry.receipt = Some(receipt.clone());
    log::write(warehouse, &entry).await?;
    log::drop_plan(warehouse, &entry).await?;
    tracing::info!(receipt = %receipt.receipt, kind = ?entry.kind, what = ?receipt.what, "deleted");
    Ok(receipt)
}

/// Deletes what a plan has. Nothing of it is an error if it is gone already.
async fn delete(
    state: &Arc<AppState>,
    entry: &Entry,
    plan: &mut log::Plan,
) -> Result<(), WarehouseError> {
    let warehouse = &state.warehouse;
    let now_ms = state.now().as_millisecond();
    let mut unmerged = Vec::new();
    if !plan.feedback.is_empty() {
        state.live.forget(&plan.feedback).await;
        // A change by the desk that has been read and not yet written would bring its
        // item back.
        let _desk = state.desk.exclusive().await;
        unmerged = rows::unmerge(warehouse, &entry.org, &plan.feedback, now_ms).await?;
        rows::delete_feedback(warehouse, &entry.org, &plan.feedback).await?;
    }
    if let Ok(org) = entry.org.parse() {
        for id in &plan.feedback {
            state.submissions.forget(org, *id);
        }
        if entry.kind == Kind::Device {
            state.submissions.forget_device(org, entry.id);
        }
    }
    pictures::delete_unnamed(state, &entry.org, &plan.hashes).await?;
    if entry.kind == Kind::Device {
        rows::delete_device(warehouse, &entry.org, entry.id).await?;
        rows::leave_audit(warehouse, &entry.org, entry.id).await?;
        state.drops.lock().remove(&entry.id);
    }
    if !plan.days.is_empty() {
        let window = Window::Days(plan.days.clone());
        verify::verify(warehouse, &window, Some(&state.write_gate)).await?;
    }
    if entry.kind == Kind::Device {
        rows::leave_sets(warehouse, &entry.org, entry.id).await?;
        if let Ok(org) = entry.org.parse() {
            state.labels.forget(org);
        }
    }
    tell(state, entry, plan, unmerged);
    Ok(())
}

/// Tells listeners what is gone. Which items were a person's isn't told.
fn tell(state: &AppState, entry: &Entry, plan: &log::Plan, unmerged: Vec<Uuid>) {
    let Ok(org) = entry.org.parse() else { return };
    match entry.kind {
        Kind::Feedback => {
            state.live.publish(Event {
                org,
                kind: live::Kind::FeedbackChanged,
                data: json!({ "id": entry.id, "deleted": true }),
            });
            state.live.unmerged(org, unmerged);
        }
        Kind::Device if !plan.feedback.is_empty() => state.live.reload(org),
        Kind::Device => {}
    }
}

/// When something that is deleted at a moment is gone from ClickHouse's files, too.
#[must_use]
pub fn gone_from_disk_by(at: Timestamp) -> Timestamp {
    at + OLD_PARTS
}
