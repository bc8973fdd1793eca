//! The id of an item, as addresses have it.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Path};
use http::request::Parts;
use uuid::Uuid;

use super::acts::no_such_item;
use crate::{ApiError, AppState};

/// The id of an address. What is none can't exist: 404.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ItemId(pub(crate) Uuid);

impl FromRequestParts<Arc<AppState>> for ItemId {
    type Rejection = ApiError;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &Arc<AppState>,
    ) -> Result<Self, ApiError> {
        let text = Path::<String>::from_request_parts(parts, state).await;
        let id = text.ok().and_then(|Path(text)| text.parse().ok());
        id.map(Self).ok_or_else(no_such_item)
    }
}
