//! Feedback: what people say, and what the desk does about it.
//!
//! ```text
//! POST /v1/feedback → auth (device) → limit → validate → understand (language, sentiment)
//!   → commit (once, by id) → ClickHouse → live → answer
//! GET /v1/feedback … → auth (role) → list, acts, thread, merge, export, analytics
//! ```
//!
//! **Invariant:** no answer to the desk names a device or a person.

mod acts;
pub(crate) mod analytics;
pub mod commit;
mod export;
mod filter;
pub(crate) mod groups;
pub mod image;
mod item;
mod item_id;
pub mod limits;
mod list;
mod merge;
pub mod rows;
pub mod screenshots;
pub mod search;
pub mod store;
pub mod submit;
pub mod thread;
pub mod understand;
pub mod validate;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use utoipa::OpenApi;

use crate::{ApiError, AppState};

/// Feedback's part of the OpenAPI document.
#[derive(OpenApi)]
#[openapi(paths(
    submit::post,
    screenshots::put,
    screenshots::get,
    screenshots::get_thumbnail
))]
pub struct Routes;

/// The routes of feedback.
pub fn router() -> Router<Arc<AppState>> {
    Router::new()
        .route("/v1/feedback", post(submit::post))
        .merge(desk())
        .merge(analytics::router())
        .route(
            "/v1/feedback/{id}/screenshot",
            get(screenshots::get).put(screenshots::put),
        )
        .route(
            "/v1/feedback/{id}/thumbnail",
            get(screenshots::get_thumbnail),
        )
        .merge(groups::router())
}

/// The desk's routes.
fn desk() -> Router<Arc<AppState>> {
    Router::new()
        .route("/v1/feedback", get(list::get))
        .route("/v1/feedback/bulk", post(acts::bulk))
        .route("/v1/feedback/export", get(export::get))
        .route("/v1/feedback/replies", get(thread::replies))
        .route("/v1/feedback/{id}", get(item::get).patch(acts::patch))
        .route("/v1/feedback/{id}/thread", get(thread::get))
        .route("/v1/feedback/{id}/notes", post(thread::note))
        .route("/v1/feedback/{id}/replies", post(thread::reply))
        .route(
            "/v1/feedback/{id}/merge",
            post(merge::post).delete(merge::delete),
        )
}

/// The plan of a list's query, for whoever measures; `question` is the query part of the
/// address.
///
/// # Errors
/// 400 as the list's; the warehouse's.
pub async fn explain(state: &AppState, org: &str, question: &str) -> Result<String, ApiError> {
    list::explain(state, org, question).await
}

/// The desk's part of the OpenAPI document.
#[derive(OpenApi)]
#[openapi(paths(
    list::get,
    export::get,
    item::get,
    acts::patch,
    acts::bulk,
    thread::get,
    thread::note,
    thread::reply,
    thread::replies,
    merge::post,
    merge::delete,
))]
pub(crate) struct DeskRoutes;
