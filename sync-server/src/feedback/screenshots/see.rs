//! `GET` of a screenshot and its thumbnail, by those who may.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::json;
use snag_wire::Code;
use uuid::Uuid;

use super::follow::make_thumbnail;
use super::{Stored, stored, submitter};
use crate::auth::Viewer;
use crate::openapi::Binary;
use crate::{ApiError, AppState, audit};

/// An item's screenshot, as it was sent. Who looked is in the audit log.
///
/// # Errors
/// 401, 403, 404, 503.
#[utoipa::path(
    get,
    path = "/v1/feedback/{id}/screenshot",
    tag = "feedback",
    params(("id" = Uuid, Path, description = "The item")),
    responses(
        (status = 200, description = "The picture", content(
            (inline(Binary) = "image/png"), (inline(Binary) = "image/jpeg"), (inline(Binary) = "image/webp"),
        )),
        (status = 304, description = "As `If-None-Match` has it"),
        (status = 401),
        (status = 403),
        (status = 404),
    ),
    security(("viewer" = []))
)]
pub async fn get(
    State(state): State<Arc<AppState>>,
    Viewer(actor): Viewer,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (id, stored) = seen(&state, &actor, &id, false).await?;
    let tag = format!("\"{}\"", stored.hash);
    if unchanged(&headers, &tag) {
        return Ok(picture(StatusCode::NOT_MODIFIED, "", &tag, Bytes::new()));
    }
    let found = state.objects.get(actor.org.id, &stored.hash).await?;
    let bytes = found.ok_or_else(|| lost(id))?;
    Ok(picture(StatusCode::OK, &stored.media_type, &tag, bytes))
}

/// A small copy of an item's screenshot: WebP, at most 480 pixels a side. Who looked is in
/// the audit log.
///
/// # Errors
/// 401, 403, 404, 503.
#[utoipa::path(
    get,
    path = "/v1/feedback/{id}/thumbnail",
    tag = "feedback",
    params(("id" = Uuid, Path, description = "The item")),
    responses(
        (status = 200, description = "The picture", content_type = "image/webp", body = inline(Binary)),
        (status = 304, description = "As `If-None-Match` has it"),
        (status = 401),
        (status = 403),
        (status = 404),
    ),
    security(("viewer" = []))
)]
pub async fn get_thumbnail(
    State(state): State<Arc<AppState>>,
    Viewer(actor): Viewer,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (id, stored) = seen(&state, &actor, &id, true).await?;
    let tag = format!("\"{}-thumbnail\"", stored.hash);
    if unchanged(&headers, &tag) {
        return Ok(picture(StatusCode::NOT_MODIFIED, "", &tag, Bytes::new()));
    }
    let found = state
        .objects
        .get_thumbnail(actor.org.id, &stored.hash)
        .await?;
    let bytes = match found {
        Some(bytes) => bytes,
        None => make_thumbnail(&state, actor.org.id, &stored.hash)
            .await?
            .ok_or_else(|| lost(id))?,
    };
    Ok(picture(StatusCode::OK, "image/webp", &tag, bytes))
}

/// The screenshot that somebody is about to see, once the audit log has it.
async fn seen(
    state: &AppState,
    actor: &crate::auth::Actor,
    id: &str,
    thumbnail: bool,
) -> Result<(Uuid, Stored), ApiError> {
    let id = crate::feedback::acts::item_id(id)?;
    let none = || ApiError::new(Code::NotFound, "There is no screenshot of this item.");
    let (stored, submitter) = tokio::try_join!(
        stored(state, &actor.org, id),
        submitter(state, &actor.org, id)
    )?;
    // A picture may outlast its item by minutes, where another server took it while the item was deleted.
    submitter.ok_or_else(none)?;
    let stored = stored.ok_or_else(none)?;
    let act = audit::Act {
        action: "screenshot.read",
        target: &id.to_string(),
        detail: json!({"thumbnail": thumbnail}),
    };
    audit::log(&state.warehouse, actor, &[act], state.now()).await?;
    Ok((id, stored))
}

fn lost(id: Uuid) -> ApiError {
    tracing::error!(feedback = %id, "the object store lacks a screenshot that a row names");
    ApiError::new(
        Code::NotFound,
        "The screenshot is missing in the object store. The operator's log says more.",
    )
}

fn unchanged(headers: &HeaderMap, tag: &str) -> bool {
    headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|known| known.trim().trim_start_matches("W/") == tag)
}

/// A picture from a stranger, as a browser may have it: shown, never run, kept by nobody
/// between, and asked for again each time so that a deleted one is gone.
fn picture(status: StatusCode, media_type: &str, tag: &str, bytes: Bytes) -> Response {
    let mut response = (status, bytes).into_response();
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_TYPE);
    for (name, value) in [
        (header::CONTENT_TYPE, media_type),
        (header::ETAG, tag),
        (header::CACHE_CONTROL, "private, no-cache"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; sandbox",
        ),
        (header::CONTENT_DISPOSITION, "inline"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ] {
        if !value.is_empty()
            && let Ok(value) = HeaderValue::from_str(value)
        {
            headers.insert(name, value);
        }
    }
    response
}
