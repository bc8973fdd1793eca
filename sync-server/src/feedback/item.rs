//! `GET /v1/feedback/{id}`: everything about one item that the desk may know.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::{HeaderMap, HeaderValue, header};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use snag_warehouse::{Query, WarehouseError};
use snag_wire::{Shape, TrailStep};
use utoipa::ToSchema;
use uuid::Uuid;

use super::acts::no_such_item;
use super::item_id::ItemId;
use super::list::{self, Item};
use super::{merge, thread};
use crate::auth::Viewer;
use crate::{ApiError, AppState, db};

/// An item with all that belongs to it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Whole {
    /// What the list says of it.
    #[serde(flatten)]
    item: Item,
    /// Width and height of the screen, as the device said.
    screen_resolution: Option<String>,
    /// Width and height of the program's window.
    viewport_size: Option<String>,
    /// The steps before, as far as the person approved them: oldest first.
    friction_trail: Vec<TrailStep>,
    /// What the program itself added; null where it added nothing.
    #[schema(value_type = Option<Object>)]
    app_state: Option<Map<String, Value>>,
    /// Marks that the person drew on the screenshot.
    annotation: Vec<Shape>,
    /// The screenshot; null where there is none.
    screenshot: Option<Screenshot>,
    /// Notes and replies, oldest first.
    thread: Vec<thread::Entry>,
    /// The items that say the same, as far as they were merged.
    group: merge::Group,
}

/// What is known of a screenshot.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Screenshot {
    /// SHA-256 of its bytes, in hexadecimal.
    sha256: String,
    /// How many they are.
    size_bytes: u64,
    /// What they are.
    media_type: String,
    /// Pixels from left to right.
    width: u32,
    /// Pixels from top to bottom.
    height: u32,
}

#[derive(Debug, Deserialize)]
struct Details {
    trail: String,
    app_state: String,
    annotation: String,
}

#[derive(Debug, Deserialize)]
struct Picture {
    hash: String,
    size_bytes: u64,
    media_type: String,
    width: u32,
    height: u32,
}

#[derive(Debug, Deserialize)]
struct Sizes {
    screen_resolution: String,
    viewport_size: String,
}

/// One item with its details, thread, group and the facts of its screenshot.
#[utoipa::path(get, path = "/v1/feedback/{id}", tag = "feedback",
    params(("id" = Uuid, Path, description = "The item")),
    responses((status = 200, body = Whole), (status = 401), (status = 403), (status = 404)),
    security(("viewer" = [])))]
pub(crate) async fn get(
    State(state): State<Arc<AppState>>,
    Viewer(actor): Viewer,
    ItemId(id): ItemId,
) -> Result<(HeaderMap, Json<Whole>), ApiError> {
    whole(&state, &actor.org.key, id).await
}

async fn read<T: serde::de::DeserializeOwned>(
    state: &AppState,
    org: &str,
    id: Uuid,
    sql: &str,
) -> Result<Option<T>, WarehouseError> {
    let query = Query::read(sql).param("org", org).param("id", id);
    Ok(db::rows(&state.warehouse, query).await?.into_iter().next())
}

/// JSON as it was validated before it was stored; empty text where there was none.
fn stored<T: serde::de::DeserializeOwned + Default>(text: &str) -> Result<T, ApiError> {
    if text.is_empty() {
        return Ok(T::default());
    }
    serde_json::from_str(text).map_err(|error| ApiError::internal(&error))
}

/// The item as it is now, with its version as ETag.
///
/// # Errors
/// 404 where the organisation has none; the warehouse's.
pub(super) async fn whole(
    state: &AppState,
    org: &str,
    id: Uuid,
) -> Result<(HeaderMap, Json<Whole>), ApiError> {
    let details = "SELECT trail, app_state, annotation FROM feedback_details FINAL \
                   WHERE org = {org:String} AND id = {id:UUID}";
    let picture = "SELECT hash, size_bytes, media_type, width, height FROM screenshots FINAL \
                   WHERE org = {org:String} AND feedback = {id:UUID} AND notEmpty(hash)";
    let sizes = "SELECT screen_resolution, viewport_size FROM feedback \
                 WHERE org = {org:String} AND id = {id:UUID} LIMIT 1";
    let (row, details, picture, sizes, thread) = tokio::try_join!(
        list::one(state, org, id),
        read::<Details>(state, org, id, details),
        read::<Picture>(state, org, id, picture),
        read::<Sizes>(state, org, id, sizes),
        thread::of(state, org, id),
    )?;
    let Some(row) = row else {
        return Err(no_such_item());
    };
    let item = row.item();
    let group = merge::group(state, org, id, item.merged_into).await?;
    let mut headers = HeaderMap::new();
    if let Ok(tag) = HeaderValue::try_from(format!("\"{}\"", item.version)) {
        headers.insert(header::ETAG, tag);
    }
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let app_state = details.as_ref().map_or("", |details| &details.app_state);
    let whole = Whole {
        screen_resolution: sizes.as_ref().and_then(|s| given(&s.screen_resolution)),
        viewport_size: sizes.as_ref().and_then(|s| given(&s.viewport_size)),
        friction_trail: stored(details.as_ref().map_or("", |details| &details.trail))?,
        app_state: stored(app_state)?,
        annotation: stored(details.as_ref().map_or("", |details| &details.annotation))?,
        screenshot: picture.map(|picture| Screenshot {
            sha256: picture.hash,
            size_bytes: picture.size_bytes,
            media_type: picture.media_type,
            width: picture.width,
            height: picture.height,
        }),
        thread,
        group,
        item,
    };
    Ok((headers, Json(whole)))
}
