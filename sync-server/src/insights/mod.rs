//! What analysts ask: friction by product, screen, incident and path.
//!
//! ```text
//! GET /v1/insights/… → params (strict) → store (slices of time, in memory; read from
//!   rollups by the hour when they are new) → fold (sums, people, k-anonymity) → JSON
//! ```
//!
//! **Invariants:** an answer counts records of the token's organisation only; each
//! record of the period once, to the millisecond; everything that was acknowledged
//! before the request came; and no figure behind which fewer than k people stand.

mod answer;
mod count;
mod flows;
mod fold;
mod hotspots;
mod incidents;
mod load;
mod overview;
pub(crate) mod params;
mod params_doc;
mod period;
mod ready;
mod rowbinary;
mod slice;
mod store;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use utoipa::OpenApi;

pub use store::Store;

use crate::AppState;

/// The routes of insights.
pub fn router() -> Router<Arc<AppState>> {
    Router::new()
        .route("/v1/insights/overview", get(overview::get))
        .route("/v1/insights/hotspots", get(hotspots::get))
        .route("/v1/insights/incidents", get(incidents::get))
        .route("/v1/flows/top", get(flows::get))
}

/// The routes' part of the OpenAPI document.
#[derive(OpenApi)]
#[openapi(paths(overview::get, hotspots::get, incidents::get, flows::get))]
pub(crate) struct Routes;
