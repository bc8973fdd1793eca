//! Feedback: what people say, and what the desk does about it.
//!
//! ```text
//! POST /v1/feedback → auth (device) → limit → validate → understand (language, sentiment)
//!   → commit (once, by id) → ClickHouse → live → answer
//! GET /v1/feedback … → auth (role) → list, acts, thread, merge, export, analytics
//! ```
//!
//! **Invariant:** no answer to the desk names a device or a person.

pub mod understand;

use std::sync::Arc;

use axum::Router;

use crate::AppState;

/// The routes of feedback.
pub fn router() -> Router<Arc<AppState>> {
    Router::new()
}
