//! `PUT /v1/feedback/{id}/screenshot`: taking a picture.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use sha2::{Digest as _, Sha256};
use snag_wire::{Code, ScreenshotAnswer, limits};
use uuid::Uuid;

use super::places::Full;
use super::{After, LOCKS, stored, submitter};
use crate::auth::DeviceAuth;
use crate::body::header_text;
use crate::feedback::image::{self, Kind};
use crate::feedback::{rows, store as desk};
use crate::metrics::StatusLabels;
use crate::objects::Staged;
use crate::openapi::Binary;
use crate::{ApiError, AppState};

/// How much longer than a batch a picture may take to arrive.
const PATIENCE: u32 = 2;

/// Takes the screenshot of a submission of the same device: PNG, WebP or JPEG, at most
/// 10 MiB and 50 megapixels, one still picture and nothing behind it. May be sent again at
/// any time: the same bytes change nothing, others are a conflict. A device sends at most
/// four at once; more are answered with 429.
///
/// # Errors
/// 400, 401, 403, 404, 408, 409, 413, 415, 429, 503, 507.
#[utoipa::path(
    put,
    path = "/v1/feedback/{id}/screenshot",
    tag = "devices",
    params(("id" = Uuid, Path, description = "The submission")),
    request_body(
        content(
            (inline(Binary) = "image/png"),
            (inline(Binary) = "image/jpeg"),
            (inline(Binary) = "image/webp"),
            (inline(Binary) = "application/octet-stream"),
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
        (status = 429),
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
    let place = shared.places.take(auth.org.id, auth.device);
    let _place = place.map_err(|full| match full {
        Full::Device => ApiError::new(
            Code::TooManyRequests,
            "Four screenshots of this device arrive already. Send it again when one of them is in.",
        )
        .with_retry_after(2),
        Full::Everybody => ApiError::unavailable(
            "Too many screenshots arrive at once. Send it again later.",
            2,
        ),
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
    // A client that hangs up doesn't end what has begun.
    let picture = Judged {
        kind: picture.kind,
        staged,
        bytes,
        answer: answer.clone(),
    };
    let storing = tokio::spawn(store(Arc::clone(state), auth.clone(), id, picture));
    let new = storing
        .await
        .map_err(|error| ApiError::internal(&error))??;
    let status = if new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, answer))
}

/// A picture that was judged.
struct Judged {
    kind: Kind,
    /// Where it waits already.
    staged: Option<Staged>,
    bytes: Bytes,
    answer: ScreenshotAnswer,
}

/// Stores a picture and its row; tells whether it is new.
async fn store(
    state: Arc<AppState>,
    auth: DeviceAuth,
    id: Uuid,
    picture: Judged,
) -> Result<bool, ApiError> {
    let Judged {
        kind,
        staged,
        bytes,
        answer,
    } = picture;
    let shared = &state.screenshots;
    let hash = answer.sha256.as_str();
    let _alone = shared.locks[id.as_u128() as usize % LOCKS].lock().await;
    // Either may have been deleted while the picture arrived.
    let storing = state.gone.store(auth.org.id, &[auth.device, id]);
    let _storing = storing.ok_or_else(not_found)?;
    let before = match state.submissions.recent(auth.org.id, id) {
        // This process stored the submission and no screenshot since.
        Some(known) if !known.has_screenshot => None,
        Some(_) => stored(&state, &auth.org, id).await?,
        // Not known here, or not any more: retention may have ended it while the picture came.
        None => {
            let (device, before) = tokio::try_join!(
                submitter(&state, &auth.org, id),
                stored(&state, &auth.org, id)
            )?;
            if device != Some(auth.device) {
                return Err(not_found());
            }
            before
        }
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
    let after = After {
        org: Arc::clone(&auth.org),
        feedback: id,
        hash: hash.to_owned(),
    };
    if before.is_some() && state.objects.size(auth.org.id, hash).await?.is_some() {
        // What should have followed the first answer may have been lost with its server.
        let items = desk::current(&state, &auth.org.key, &[id]).await?;
        if items.get(&id).is_some_and(|item| item.screenshot != hash) {
            shared.follow(after);
        }
        return Ok(false);
    }
    let staged = match staged {
        Some(staged) => staged,
        None => state.objects.stage(bytes).await?,
    };
    staged.publish(auth.org.id, hash).await?;
    state.submissions.note_screenshot(auth.org.id, id);
    let now_ms = state.now().as_millisecond();
    let row = rows::screenshot(&auth.org, id, &answer, kind.media_type(), now_ms);
    state.warehouse.insert("screenshots", row).await?;
    state.metrics.screenshot_bytes.inc_by(answer.size_bytes);
    shared.follow(after);
    Ok(before.is_none())
}

/// The kind that the request claims; `None` where it leaves that to the bytes.
fn claimed_kind(headers: &HeaderMap) -> Result<Option<Kind>, ApiError> {
    let unsupported = |detail| Err(ApiError::new(Code::UnsupportedMediaType, detail));
    if header_text(headers, header::CONTENT_ENCODING)
        .is_some_and(|encoding| !encoding.eq_ignore_ascii_case("identity"))
    {
        return unsupported("Send the picture's bytes without `Content-Encoding`.");
    }
    let media_type = header_text(headers, header::CONTENT_TYPE)
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
