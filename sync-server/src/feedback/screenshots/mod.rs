//! `PUT` and `GET /v1/feedback/{id}/screenshot`: a picture, stored once beside its item.
//!
//! ```text
//! PUT → auth (the submitting device) → body (capped) → image::look
//!   → image::decode, and beside it the bytes to the disk (staged, no object yet)
//!   → object (durable) → row of `screenshots` → answer → thumbnail, `feedback.screenshot`
//! ```
//!
//! The row of `screenshots` is what counts. The thumbnail and the item's own column follow
//! after the answer; what a crash left undone is found at the next start ([`catch_up`]), and
//! a thumbnail that is asked for before is made then.
//!
//! **Invariants:**
//! - A picture is written once: the same bytes again change nothing, others are a conflict.
//!   What the person saw and sent is what the desk sees.
//! - Nothing is stored of what isn't wholly a picture.
//! - Decoding holds at most [`DECODE_BYTES`] at once over all requests.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use snag_warehouse::{Query, WarehouseError};
use snag_wire::{Code, ScreenshotAnswer, limits};
use tokio::sync::{Semaphore, mpsc};
use uuid::Uuid;

use super::image::{self, Kind, Picture};
use super::rows;
use crate::auth::{DeviceAuth, Viewer};
use crate::metrics::StatusLabels;
use crate::objects::Staged;
use crate::orgs::Org;
use crate::{ApiError, AppState, audit, db};

/// Memory that decoding may hold at once: the largest progressive JPEG, or many honest
/// pictures.
const DECODE_BYTES: u64 = 768 << 20;
/// What one permit of that memory stands for.
const PERMIT_BYTES: u64 = 1 << 20;
/// Bodies that may be on their way at once.
const UPLOADS_MAX: usize = 64;
/// How much longer than a batch a picture may take to arrive.
const PATIENCE: u32 = 2;
/// Pictures whose thumbnails may wait; more are made when they are asked for.
const AFTER_MAX: usize = 1_024;
/// Locks that requests for the same item share.
const LOCKS: usize = 64;
/// How far back a start looks for what a crash left undone, in days.
const CATCH_UP_DAYS: u32 = 7;

/// A picture that is stored, whose thumbnail and item are to follow.
#[derive(Debug, Clone)]
struct After {
    org: Arc<Org>,
    feedback: Uuid,
    hash: String,
}

/// What requests for screenshots share.
pub struct Screenshots {
    uploads: Semaphore,
    memory: Arc<Semaphore>,
    cores: Arc<Semaphore>,
    locks: Vec<tokio::sync::Mutex<()>>,
    after: mpsc::Sender<After>,
    /// Taken by whoever starts the work that follows answers.
    waiting: parking_lot::Mutex<Option<mpsc::Receiver<After>>>,
}

impl Default for Screenshots {
    fn default() -> Self {
        let (after, waiting) = mpsc::channel(AFTER_MAX);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            uploads: Semaphore::new(UPLOADS_MAX),
            memory: Arc::new(Semaphore::new((DECODE_BYTES / PERMIT_BYTES) as usize)),
            cores: Arc::new(Semaphore::new(cores)),
            locks: (0..LOCKS).map(|_| tokio::sync::Mutex::default()).collect(),
            after,
            waiting: parking_lot::Mutex::new(Some(waiting)),
        }
    }
}

impl Screenshots {
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

/// Takes the screenshot of a submission of the same device: PNG, WebP or JPEG, at most
/// 10 MiB and 50 megapixels, one still picture and nothing behind it. May be sent again at
/// any time: the same bytes change nothing, others are a conflict.
///
/// # Errors
/// 400, 401, 403, 404, 408, 409, 413, 415, 503, 507.
#[utoipa::path(
    put,
    path = "/v1/feedback/{id}/screenshot",
    tag = "devices",
    params(("id" = Uuid, Path, description = "The submission")),
    request_body(
        content(
            (Vec<u8> = "image/png"),
            (Vec<u8> = "image/jpeg"),
            (Vec<u8> = "image/webp"),
            (Vec<u8> = "application/octet-stream"),
        ),
        description = "The picture's bytes; what they are is told by them alone",
    ),
    responses(
        (status = 201, description = "Stored", body = ScreenshotAnswer),
        (status = 200, description = "Stored before", body = ScreenshotAnswer),
        (status = 400),
        (status = 401),
        (status = 403),
        (status = 404),
        (status = 408),
        (status = 409),
        (status = 413),
        (status = 415),
        (status = 507),
    ),
    security(("device" = []))
)]
pub async fn put(
    State(state): State<Arc<AppState>>,
    auth: Result<DeviceAuth, ApiError>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let response = match auth {
        Ok(auth) => match take(&state, &auth, &id, request).await {
            Ok((status, answer)) => (status, Json(answer)).into_response(),
            Err(error) => error.into_response(),
        },
        Err(error) => error.into_response(),
    };
    let status = response.status().as_u16();
    state
        .metrics
        .screenshots
        .get_or_create(&StatusLabels { status })
        .inc();
    response
}

fn not_found() -> ApiError {
    ApiError::new(
        Code::NotFound,
        "This device has no submission of this id. Send the submission first.",
    )
}

async fn take(
    state: &Arc<AppState>,
    auth: &DeviceAuth,
    id: &str,
    request: Request,
) -> Result<(StatusCode, ScreenshotAnswer), ApiError> {
    let id = id.parse().map_err(|_| not_found())?;
    let claimed = claimed_kind(request.headers())?;
    refuse_large(request.headers())?;
    let recent = state.submissions.recent(auth.org.id, id);
    let device = match recent {
        Some(known) => Some(known.device),
        None => submitter(state, &auth.org, id).await?,
    };
    if device != Some(auth.device) {
        return Err(not_found());
    }
    let shared = &state.screenshots;
    let _upload = shared.uploads.try_acquire().map_err(|_| {
        ApiError::unavailable(
            "Too many screenshots arrive at once. Send it again later.",
            2,
        )
    })?;
    let bytes = read_body(request, state.settings.body_timeout * PATIENCE).await?;
    let picture = image::look(&bytes)?;
    if claimed.is_some_and(|claimed| claimed != picture.kind) {
        return Err(ApiError::new(
            Code::UnsupportedMediaType,
            format!(
                "The picture is {}, but `Content-Type` says something else.",
                picture.kind.media_type()
            ),
        ));
    }
    let judge = {
        let bytes = bytes.clone();
        shared.on_pixels(&picture, move || {
            image::decode(&bytes, &picture)?;
            Ok::<_, image::Fault>(hex::encode(Sha256::digest(&bytes)))
        })
    };
    // What is most likely the item's first picture waits for the disk while it is judged.
    let first = recent.is_some_and(|known| !known.has_screenshot);
    let stage = async {
        match first {
            true => Some(state.objects.stage(bytes.clone()).await),
            false => None,
        }
    };
    let (hash, staged) = tokio::join!(judge, stage);
    let (hash, staged) = (hash??, staged.transpose()?);
    let answer = ScreenshotAnswer {
        sha256: hash,
        size_bytes: bytes.len() as u64,
        width: picture.width,
        height: picture.height,
    };
    let new = store(state, auth, id, &picture, (staged, bytes), &answer).await?;
    let status = if new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, answer))
}

/// Stores a picture and its row; tells whether it is new.
async fn store(
    state: &Arc<AppState>,
    auth: &DeviceAuth,
    id: Uuid,
    picture: &Picture,
    (staged, bytes): (Option<Staged>, Bytes),
    answer: &ScreenshotAnswer,
) -> Result<bool, ApiError> {
    let shared = &state.screenshots;
    let hash = answer.sha256.as_str();
    let _alone = shared.locks[id.as_u128() as usize % LOCKS].lock().await;
    let before = match state.submissions.recent(auth.org.id, id) {
        // This process stored the submission and no screenshot since.
        Some(known) if !known.has_screenshot => None,
        _ => stored(state, &auth.org, id).await?,
    };
    if let Some(before) = &before
        && before.hash != hash
    {
        return Err(ApiError::new(
            Code::Conflict,
            "This submission has another screenshot already. Submit again under a new id.",
        ));
    }
    // Until the row is in, nobody may take the object for an orphan.
    let _object = state.objects.gate.read().await;
    if before.is_some() && state.objects.size(auth.org.id, hash).await?.is_some() {
        return Ok(false);
    }
    let staged = match staged {
        Some(staged) => staged,
        None => state.objects.stage(bytes).await?,
    };
    staged.publish(auth.org.id, hash).await?;
    state.submissions.note_screenshot(auth.org.id, id);
    let now_ms = state.now().as_millisecond();
    let row = rows::screenshot(&auth.org, id, answer, picture.kind.media_type(), now_ms);
    state.warehouse.insert("screenshots", row).await?;
    state.metrics.screenshot_bytes.inc_by(answer.size_bytes);
    let after = After {
        org: Arc::clone(&auth.org),
        feedback: id,
        hash: hash.to_owned(),
    };
    if shared.after.try_send(after).is_err() {
        tracing::warn!("too many thumbnails wait; this one is made when it is asked for");
    }
    Ok(before.is_none())
}

/// The kind that the request claims; `None` where it leaves that to the bytes.
fn claimed_kind(headers: &HeaderMap) -> Result<Option<Kind>, ApiError> {
    let unsupported = |detail| Err(ApiError::new(Code::UnsupportedMediaType, detail));
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if text(header::CONTENT_ENCODING)
        .is_some_and(|encoding| !encoding.trim().eq_ignore_ascii_case("identity"))
    {
        return unsupported("Send the picture's bytes without `Content-Encoding`.");
    }
    let media_type = text(header::CONTENT_TYPE)
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    match media_type.as_str() {
        "" | "application/octet-stream" => Ok(None),
        "image/png" => Ok(Some(Kind::Png)),
        "image/jpeg" => Ok(Some(Kind::Jpeg)),
        "image/webp" => Ok(Some(Kind::Webp)),
        _ => unsupported("Send `Content-Type: image/png`, `image/jpeg` or `image/webp`."),
    }
}

fn too_large() -> ApiError {
    ApiError::new(
        Code::TooLarge,
        format!(
            "A screenshot has at most {} bytes. Send it smaller.",
            limits::SCREENSHOT_BYTES_MAX
        ),
    )
}

fn refuse_large(headers: &HeaderMap) -> Result<(), ApiError> {
    let declared = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|bytes| bytes > limits::SCREENSHOT_BYTES_MAX as u64) {
        return Err(too_large());
    }
    Ok(())
}

async fn read_body(request: Request, patience: Duration) -> Result<Bytes, ApiError> {
    let body = Limited::new(request.into_body(), limits::SCREENSHOT_BYTES_MAX);
    let collected = tokio::time::timeout(patience, body.collect())
        .await
        .map_err(|_| {
            ApiError::new(
                Code::Timeout,
                "The picture took too long to arrive. Send it again.",
            )
        })?;
    match collected {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(_) => Err(ApiError::invalid_body(
            "The picture broke off. Send it again.",
        )),
    }
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
            (Vec<u8> = "image/png"), (Vec<u8> = "image/jpeg"), (Vec<u8> = "image/webp"),
        )),
        (status = 304, description = "As `If-None-Match` has it"),
        (status = 401),
        (status = 403),
        (status = 404),
    ),
    security(("analyst" = []))
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
        (status = 200, description = "The picture", content_type = "image/webp", body = Vec<u8>),
        (status = 304, description = "As `If-None-Match` has it"),
        (status = 401),
        (status = 403),
        (status = 404),
    ),
    security(("analyst" = []))
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
    let id = super::acts::item_id(id)?;
    let stored = stored(state, &actor.org, id)
        .await?
        .ok_or_else(|| ApiError::new(Code::NotFound, "There is no screenshot of this item."))?;
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

/// Makes and stores the thumbnail of a picture; `None` where the picture is gone.
async fn make_thumbnail(
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
    let change = super::store::Change {
        screenshot: Some(after.hash.clone()),
        ..super::store::Change::default()
    };
    super::store::update(state, &after.org, vec![after.feedback], change)
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
