//! `POST /v1/feedback`: from a person's words to rows that ClickHouse has.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use jiff::Timestamp;
use serde_json::json;
use snag_wire::{Code, FeedbackAnswer, FeedbackSubmission};

use super::commit::{Outcome, Verdict};
use super::limits::{Quota, Rate, WINDOW_S, Who};
use super::rows::Item;
use super::understand::{self, Judged};
use super::validate::{self, Checked};
use crate::auth::DeviceAuth;
use crate::live::{Event, Kind};
use crate::metrics::StatusLabels;
use crate::{ApiError, AppState, address, body};

/// Takes what a person says, once: the same submission again changes nothing and is
/// answered with 200. Answered once it is stored. What is left of the limits by device and
/// by address is in the `RateLimit` headers; only what is new counts.
///
/// # Errors
/// 400, 401, 403, 408, 409, 413, 415, 429, 503, 507.
#[utoipa::path(
    post,
    path = "/v1/feedback",
    tag = "devices",
    request_body(content = FeedbackSubmission, description = "gzip or identity"),
    responses(
        (status = 201, description = "Stored", body = FeedbackAnswer, headers(
            ("RateLimit-Policy", description = "The limits: `\"device\";q=5;w=3600, \"address\";q=500;w=3600`"),
            ("RateLimit", description = "What is left of each: `\"device\";r=4;t=3600, \"address\";r=499;t=3600`"),
            ("RateLimit-Limit", description = "The limit that is nearer to its end"),
            ("RateLimit-Remaining", description = "What is left of it"),
            ("RateLimit-Reset", description = "Seconds until there is room for more"),
        )),
        (status = 200, description = "Stored before", body = FeedbackAnswer),
        (status = 400),
        (status = 401),
        (status = 403),
        (status = 408),
        (status = 409),
        (status = 413),
        (status = 415),
        (status = 429),
    ),
    security(("device" = []))
)]
pub async fn post(
    State(state): State<Arc<AppState>>,
    auth: Result<DeviceAuth, ApiError>,
    request: Request,
) -> Response {
    let started = Instant::now();
    let response = match auth {
        Ok(auth) => match store(&state, &auth, request).await {
            Ok(response) => response,
            Err(error) => error.into_response(),
        },
        Err(error) => error.into_response(),
    };
    let status = response.status().as_u16();
    let metrics = &state.metrics;
    metrics
        .submissions
        .get_or_create(&StatusLabels { status })
        .inc();
    metrics
        .submission_seconds
        .observe(started.elapsed().as_secs_f64());
    response
}

async fn store(
    state: &Arc<AppState>,
    auth: &DeviceAuth,
    request: Request,
) -> Result<Response, ApiError> {
    let address = address::of(
        request.headers(),
        request.extensions(),
        state.settings.trust_proxy,
    );
    let packed = body::read(request, state.settings.body_timeout, body::Takes::GZIP).await?;
    let now = state.now();
    let (checked, judged) = if packed.bytes.len() > body::LARGE_BYTES {
        // Long enough to hold up others on this thread.
        tokio::task::spawn_blocking(move || read(&packed, now))
            .await
            .map_err(|error| ApiError::internal(&error))??
    } else {
        read(&packed, now)?
    };
    let id = checked.submission.id;
    let item = Item {
        org: Arc::clone(&auth.org),
        device: auth.device,
        segment: auth.segment.clone(),
        received_ms: now.as_millisecond(),
        checked,
        language: judged.language,
        sentiment: judged.sentiment,
    };
    let who = Who {
        org: auth.org.id,
        device: auth.device,
        address,
    };
    let event = submitted(&item);
    // The token may have been revoked since it was looked at.
    let storing = state.gone.store(auth.org.id, &[auth.device]);
    let storing = storing.ok_or_else(ApiError::unauthorized)?;
    // What is stored is told, also where the client has hung up meanwhile: when it sends it again, it is nothing new.
    let telling = tokio::spawn({
        let state = Arc::clone(state);
        async move {
            let outcome = state.submissions.submit(item, who, storing).await?;
            if outcome.news {
                state.live.publish(event);
            }
            Ok::<_, ApiError>(outcome)
        }
    });
    let told = telling.await.map_err(|error| ApiError::internal(&error))?;
    let Outcome { verdict, rate, .. } = told?;
    let answer =
        |status, duplicate| (status, Json(FeedbackAnswer { id, duplicate })).into_response();
    let mut response = match verdict {
        Verdict::Stored => answer(StatusCode::CREATED, false),
        Verdict::Duplicate => answer(StatusCode::OK, true),
        Verdict::Conflict => ApiError::new(
            Code::Conflict,
            "Another submission has this id. Mint a new id for what is new.",
        )
        .with_field("id")
        .into_response(),
        Verdict::Limited => ApiError::new(
            Code::TooManyRequests,
            "So much feedback has come from here in the last hour that more isn't taken now. Send it again after the time in Retry-After.",
        )
        .with_retry_after(rate.retry_after_s().unwrap_or(1))
        .into_response(),
    };
    rate_headers(response.headers_mut(), &rate);
    Ok(response)
}

fn read(packed: &body::Packed, now: Timestamp) -> Result<(Checked, Judged), ApiError> {
    let checked = body::with_unpacked(packed, |json| validate::read(json, now))?;
    let judged = understand::judge(&checked.submission.description);
    Ok((checked, judged))
}

/// What listeners are told: no device and no word of the person's.
fn submitted(item: &Item) -> Event {
    let said = item.submission();
    Event {
        org: item.org.id,
        kind: Kind::FeedbackSubmitted,
        data: json!({
            "id": said.id,
            "at": said.created_at.to_string(),
            "product": said.product,
            "category": said.category,
            "rating": said.rating,
            "sentiment": item.sentiment.map(|(_, word)| word),
            "app": said.target.app,
            "screen": said.target.screen,
        }),
    }
}

/// Says what is left, as the current draft of the `RateLimit` fields has it, and as the
/// drafts before, which most clients know.
fn rate_headers(headers: &mut HeaderMap, rate: &Rate) {
    let Rate { device, address } = rate;
    let nearer = if address.remaining < device.remaining {
        address
    } else {
        device
    };
    let Quota {
        limit,
        remaining,
        reset_s,
    } = *nearer;
    let mut set = |name: &'static str, value: HeaderValue| {
        headers.insert(HeaderName::from_static(name), value);
    };
    set("ratelimit-limit", limit.into());
    set("ratelimit-remaining", remaining.into());
    set("ratelimit-reset", reset_s.into());
    let policy = format!(
        "\"device\";q={};w={WINDOW_S}, \"address\";q={};w={WINDOW_S}",
        device.limit, address.limit
    );
    let left = format!(
        "\"device\";r={};t={}, \"address\";r={};t={}",
        device.remaining, device.reset_s, address.remaining, address.reset_s
    );
    for (name, value) in [("ratelimit-policy", policy), ("ratelimit", left)] {
        if let Ok(value) = HeaderValue::try_from(value) {
            set(name, value);
        }
    }
}
