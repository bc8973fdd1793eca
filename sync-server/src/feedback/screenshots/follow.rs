//! What follows an answer: the thumbnail, and the item's own column.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use serde::Deserialize;
use snag_warehouse::Query;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::After;
use crate::feedback::{image, store};
use crate::{ApiError, AppState, db};

/// How far back a start looks for what a crash left undone, in days.
const CATCH_UP_DAYS: u32 = 7;
/// Time between two looks for what failed or found no room in the queue.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// Makes and stores the thumbnail of a picture; `None` where the picture is gone.
pub(super) async fn make_thumbnail(
    state: &AppState,
    org: Uuid,
    hash: &str,
) -> Result<Option<Bytes>, ApiError> {
    let _object = state.objects.gate.read().await;
    let Some(bytes) = state.objects.get(org, hash).await? else {
        return Ok(None);
    };
    let look = image::look(&bytes)?;
    let small = state
        .screenshots
        .on_pixels(&look, move || image::thumbnail(&bytes))
        .await??;
    let small = Bytes::from(small);
    state
        .objects
        .put_thumbnail(org, hash, small.clone())
        .await?;
    Ok(Some(small))
}

/// Does what follows the answers, until the server ends: thumbnails, and the items' own
/// column. What a crash left undone is done beside, so that nobody waits for it.
pub async fn follow(state: Arc<AppState>) {
    let waiting = state.screenshots.waiting.lock().take();
    if let Some(waiting) = waiting {
        tokio::join!(in_turn(&state, waiting), look_again(&state));
    }
}

async fn in_turn(state: &Arc<AppState>, mut waiting: mpsc::Receiver<After>) {
    while let Some(after) = waiting.recv().await {
        finish(state, &after).await;
    }
}

/// Looks once for all that a crash left undone; then, whenever something failed or the queue
/// was full, for items that don't show their screenshot. Missing thumbnails are made when they
/// are asked for, so that the store needn't be asked about every picture again.
async fn look_again(state: &Arc<AppState>) {
    let mut from_a_crash = true;
    loop {
        let looked = if from_a_crash {
            catch_up(state).await
        } else {
            show_what_is_left(state).await
        };
        match looked {
            Ok(()) => from_a_crash = false,
            Err(error) => {
                tracing::warn!(%error, "can't look for screenshots that aren't shown");
                state.screenshots.left.notify_one();
            }
        }
        tokio::time::sleep(LOOK_AGAIN).await;
        state.screenshots.left.notified().await;
    }
}

async fn finish(state: &Arc<AppState>, after: &After) {
    if let Err(error) = show(state, after).await {
        tracing::warn!(feedback = %after.feedback, %error, "an item doesn't show its screenshot yet");
        state.screenshots.left.notify_one();
    }
    match state.objects.has_thumbnail(after.org.id, &after.hash).await {
        Ok(true) => {}
        Ok(false) => {
            if let Err(error) = make_thumbnail(state, after.org.id, &after.hash).await {
                tracing::warn!(feedback = %after.feedback, %error, "no thumbnail was made");
            }
        }
        Err(error) => {
            tracing::warn!(feedback = %after.feedback, %error, "no thumbnail was made");
        }
    }
}

/// Tells an item that it has a screenshot.
async fn show(state: &Arc<AppState>, after: &After) -> Result<(), ApiError> {
    let change = store::Change {
        screenshot: Some(after.hash.clone()),
        ..store::Change::default()
    };
    store::update(state, &after.org, vec![after.feedback], change)
        .await
        .map(drop)
}

/// Finishes what was stored in the last days and lacks its thumbnail or doesn't show in its
/// item.
///
/// # Errors
/// The warehouse's and the object store's.
pub async fn catch_up(state: &Arc<AppState>) -> Result<(), ApiError> {
    finish_all(state, true).await
}

/// The same for items alone that don't show their screenshot.
async fn show_what_is_left(state: &Arc<AppState>) -> Result<(), ApiError> {
    finish_all(state, false).await
}

/// Finishes what doesn't show in its item, and `shown` ones, too, where they lack a thumbnail.
async fn finish_all(state: &Arc<AppState>, shown: bool) -> Result<(), ApiError> {
    #[derive(Deserialize)]
    struct Row {
        org: Uuid,
        feedback: Uuid,
        hash: String,
        shown: u8,
    }
    let since = state.now().as_millisecond() - i64::from(CATCH_UP_DAYS) * 86_400_000;
    let sql = "SELECT org, feedback, hash, \
               (org, feedback) IN (SELECT org, id FROM feedback FINAL WHERE notEmpty(screenshot)) AS shown \
               FROM screenshots FINAL \
               WHERE notEmpty(hash) AND received_at >= fromUnixTimestamp64Milli({since:Int64}, 'UTC') \
               AND shown <= {most:UInt8} ORDER BY received_at DESC LIMIT 100000";
    let query = Query::read(sql)
        .param("since", since)
        .param("most", u8::from(shown));
    let rows: Vec<Row> = db::rows(&state.warehouse, query).await?;
    for row in rows {
        if row.shown == 1 && state.objects.has_thumbnail(row.org, &row.hash).await? {
            continue;
        }
        let Some(org) = state.orgs.get(&state.warehouse, row.org).await? else {
            continue;
        };
        let after = After {
            org,
            feedback: row.feedback,
            hash: row.hash,
        };
        finish(state, &after).await;
    }
    Ok(())
}
