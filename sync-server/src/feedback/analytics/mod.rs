//! What feedback adds up to, by period, in the caller's time zone.
//!
//! ```text
//! GET /v1/feedback/analytics/… → params (strict) → calendar (where periods begin)
//!   → load (rollups; raw rows where a period begins inside a quarter of an hour) → JSON
//! ```
//!
//! **Invariants:** each submission of the period counts once, to the millisecond; every
//! period is there, with zeroes where nothing was said; `items` are flat objects, which a
//! chart takes as they are. No figure names a device.

mod answer;
mod calendar;
mod load;
mod params;
mod series;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use utoipa::OpenApi;

use crate::AppState;

/// The routes of analytics.
pub(super) fn router() -> Router<Arc<AppState>> {
    Router::new()
        .route("/v1/feedback/analytics/ratings", get(answer::ratings))
        .route("/v1/feedback/analytics/sentiment", get(answer::sentiment))
        .route("/v1/feedback/analytics/usage", get(answer::usage))
        .route("/v1/feedback/analytics/tags", get(series::tags))
        .route("/v1/feedback/analytics/targets", get(series::targets))
}

/// The routes' part of the OpenAPI document.
#[derive(OpenApi)]
#[openapi(paths(
    answer::ratings,
    answer::sentiment,
    answer::usage,
    series::tags,
    series::targets
))]
pub(crate) struct Routes;
