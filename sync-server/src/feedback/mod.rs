//! Feedback: what people say, and what the desk does about it.
//!
//! ```text
//! POST /v1/feedback → auth (device) → limit → validate → understand (language, sentiment)
//!   → commit (once, by id) → ClickHouse → live → answer
//! GET /v1/feedback … → auth (role) → list, acts, thread, merge, export, analytics
//! ```
//!
//! **Invariant:** no answer to the desk names a device or a person.

pub mod commit;
pub mod limits;
pub mod rows;
pub mod submit;
pub mod understand;
pub mod validate;

use std::sync::Arc;

use axum::Router;
use axum::routing::post;
use utoipa::OpenApi;

use crate::AppState;

/// Feedback's part of the OpenAPI document.
#[derive(OpenApi)]
#[openapi(paths(submit::post))]
pub struct Routes;

/// The routes of feedback.
pub fn router() -> Router<Arc<AppState>> {
    Router::new().route("/v1/feedback", post(submit::post))
}
