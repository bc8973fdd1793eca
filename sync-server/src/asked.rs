//! A body of JSON as an argument of a route, read so that every refusal is a problem that
//! says what to do.

use std::sync::Arc;

use axum::extract::{FromRequest, Request};
use serde::de::DeserializeOwned;
use snag_wire::limits;

use crate::body::{self, Takes};
use crate::{ApiError, AppState, json};

/// Longest body that is confided.
const CONFIDED_BYTES_MAX: usize = 16 << 10;

/// A body as JSON; unknown fields are refused by its type.
#[derive(Debug)]
pub(crate) struct Asked<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Arc<AppState>> for Asked<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &Arc<AppState>) -> Result<Self, ApiError> {
        read(request, state, limits::BODY_BYTES_MAX, |error| {
            format!("The body isn't what this address takes: {error}.")
        })
        .await
        .map(Self)
    }
}

/// A body as JSON that holds a password or a token. What is wrong is answered by its place
/// alone, because what stands there must not come back in an answer.
pub(crate) struct Confided<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Arc<AppState>> for Confided<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &Arc<AppState>) -> Result<Self, ApiError> {
        read(request, state, CONFIDED_BYTES_MAX, |error| {
            format!(
                "The body isn't what this address takes: see line {}, column {}, and /v1/openapi.json.",
                error.line(),
                error.column()
            )
        })
        .await
        .map(Self)
    }
}

async fn read<T: DeserializeOwned>(
    request: Request,
    state: &AppState,
    bytes_max: usize,
    say: impl FnOnce(&serde_json::Error) -> String,
) -> Result<T, ApiError> {
    let takes = Takes::plain(bytes_max);
    let packed = body::read(request, state.settings.body_timeout, takes).await?;
    json::from_slice(&packed.bytes).map_err(|error| ApiError::invalid_body(say(&error)))
}
