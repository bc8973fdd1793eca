//! What follows an answer: the thumbnail, and the item's own column.

use std::sync::Arc;

use axum::body::Bytes;
use serde::Deserialize;
use snag_warehouse::Query;
use uuid::Uuid;

use super::After;
use crate::feedback::{image, store};
use crate::{ApiError, AppState, db};

/// How far back a start looks for what a crash left undone, in days.
const CATCH_UP_DAYS: u32 = 7;

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
/// column. Begins with what a crash left undone.
pub async fn follow(state: Arc<AppState>) {
    let Some(mut waiting) = state.screenshots.waiting.lock().take() else {
        return;
    };
    if let Err(error) = catch_up(&state).await {
        tracing::warn!(%error, "can't look for thumbnails that are missing");
    }
    while let Some(after) = waiting.recv().await {
        finish(&state, &after).await;
    }
}

async fn finish(state: &Arc<AppState>, after: &After) {
    if let Err(error) = show(state, after).await {
        tracing::warn!(feedback = %after.feedback, %error, "an item doesn't show its screenshot yet");
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
               ORDER BY received_at DESC LIMIT 100000";
    let rows: Vec<Row> = db::rows(&state.warehouse, Query::read(sql).param("since", since)).await?;
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
