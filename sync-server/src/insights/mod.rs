//! What analysts ask.

use std::sync::Arc;

use axum::Router;

use crate::AppState;

/// The routes of insights.
pub fn router() -> Router<Arc<AppState>> {
    Router::new()
}
