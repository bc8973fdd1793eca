//! `PUT` and `GET /v1/feedback/{id}/screenshot`: a picture, stored once beside its item.
//!
//! ```text
//! PUT → auth (the submitting device) → body (capped) → image::look
//!   → image::decode, and beside it the bytes to the disk (staged, no object yet)
//!   → object (durable) → row of `screenshots` → answer → thumbnail, `feedback.screenshot`
//! ```
//!
//! The row of `screenshots` is what counts. The thumbnail and the item's own column follow
//! after the answer. What a crash left undone is found at the next start ([`catch_up`]), what
//! the queue had no room for and what failed within seconds, and a thumbnail that is asked for
//! before is made then.
//!
//! **Invariants:**
//! - A picture is written once: the same bytes again change nothing, others are a conflict.
//!   What the person saw and sent is what the desk sees.
//! - Nothing is stored of what isn't wholly a picture.
//! - Decoding holds at most [`DECODE_BYTES`] at once over all requests.

mod follow;
mod places;
mod put;
mod see;

use std::sync::Arc;

use serde::Deserialize;
use snag_warehouse::{Query, WarehouseError};
use tokio::sync::{Notify, Semaphore, mpsc};
use uuid::Uuid;

pub use self::follow::{catch_up, follow};
pub use self::put::*;
pub use self::see::*;
use super::image::Picture;
use crate::orgs::Org;
use crate::{ApiError, AppState, db};

/// Memory that decoding may hold at once: the largest progressive JPEG, or many honest
/// pictures.
const DECODE_BYTES: u64 = 768 << 20;
/// What one permit of that memory stands for.
const PERMIT_BYTES: u64 = 1 << 20;
/// Pictures that may wait for their thumbnails and items; more are looked for in the tables.
const AFTER_MAX: usize = 1_024;
/// Locks that requests for the same item share.
const LOCKS: usize = 64;

/// A picture that is stored, whose thumbnail and item are to follow.
#[derive(Debug, Clone)]
struct After {
    org: Arc<Org>,
    feedback: Uuid,
    hash: String,
}

/// What requests for screenshots share.
pub struct Screenshots {
    places: places::Places,
    memory: Arc<Semaphore>,
    cores: Arc<Semaphore>,
    locks: Vec<tokio::sync::Mutex<()>>,
    after: mpsc::Sender<After>,
    /// Taken by whoever starts the work that follows answers.
    waiting: parking_lot::Mutex<Option<mpsc::Receiver<After>>>,
    /// Something is left to do that isn't in the queue.
    left: Notify,
}

impl Default for Screenshots {
    fn default() -> Self {
        let (after, waiting) = mpsc::channel(AFTER_MAX);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            places: places::Places::default(),
            memory: Arc::new(Semaphore::new((DECODE_BYTES / PERMIT_BYTES) as usize)),
            cores: Arc::new(Semaphore::new(cores)),
            locks: (0..LOCKS).map(|_| tokio::sync::Mutex::default()).collect(),
            after,
            waiting: parking_lot::Mutex::new(Some(waiting)),
            left: Notify::new(),
        }
    }
}

impl Screenshots {
    /// Lets the thumbnail and the item's column follow. An answer waits for neither.
    fn follow(&self, after: After) {
        if self.after.try_send(after).is_err() {
            tracing::warn!("too many screenshots wait for their items; they are looked for later");
            self.left.notify_one();
        }
    }

    /// Runs work on pixels away from the threads that answer: as many at once as there
    /// are cores and as much memory as is allowed.
    async fn on_pixels<T: Send + 'static>(
        &self,
        picture: &Picture,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let permits = u32::try_from(picture.decode_bytes / PERMIT_BYTES + 1).unwrap_or(u32::MAX);
        let permits = permits.min((DECODE_BYTES / PERMIT_BYTES) as u32);
        let memory = Arc::clone(&self.memory).acquire_many_owned(permits).await;
        let core = Arc::clone(&self.cores).acquire_owned().await;
        tokio::task::spawn_blocking(move || {
            let _held = (memory, core);
            work()
        })
        .await
        .map_err(|error| ApiError::internal(&error))
    }
}

/// A screenshot as its row has it.
#[derive(Debug, Deserialize)]
struct Stored {
    hash: String,
    media_type: String,
}

async fn stored(state: &AppState, org: &Org, id: Uuid) -> Result<Option<Stored>, WarehouseError> {
    let sql = "SELECT hash, media_type FROM screenshots FINAL \
               WHERE org = {org:String} AND feedback = {id:UUID} AND notEmpty(hash)";
    let query = Query::read(sql).param("org", &org.key).param("id", id);
    let rows: Vec<Stored> = db::rows(&state.warehouse, query).await?;
    Ok(rows.into_iter().next())
}

/// The device that submitted an item.
async fn submitter(state: &AppState, org: &Org, id: Uuid) -> Result<Option<Uuid>, WarehouseError> {
    #[derive(Deserialize)]
    struct Row {
        device: Uuid,
    }
    let sql = "SELECT device FROM submissions WHERE org = {org:String} AND id = {id:UUID} LIMIT 1";
    let query = Query::read(sql).param("org", &org.key).param("id", id);
    let rows: Vec<Row> = db::rows(&state.warehouse, query).await?;
    Ok(rows.first().map(|row| row.device))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::orgs::OrgPolicy;

    #[tokio::test]
    async fn what_finds_no_room_in_the_queue_is_looked_for() {
        let shared = Screenshots::default();
        let org = Arc::new(Org {
            id: Uuid::nil(),
            key: Uuid::nil().to_string(),
            name: String::new(),
            contact: String::new(),
            k: 5,
            label_key: [0; 32],
            policy: OrgPolicy::default(),
            policy_version: 1,
            rules: Vec::new(),
        });
        let looked_for = async || {
            tokio::select! {
                biased;
                () = shared.left.notified() => true,
                () = std::future::ready(()) => false,
            }
        };
        for number in 0..=AFTER_MAX {
            assert!(!looked_for().await, "{number} have room");
            shared.follow(After {
                org: Arc::clone(&org),
                feedback: Uuid::from_u128(number as u128),
                hash: String::new(),
            });
        }
        assert!(looked_for().await);
    }
}
