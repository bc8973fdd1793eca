//! A body of JSON, read so that every refusal is a problem that says what to do.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use http::StatusCode;
use serde::de::DeserializeOwned;
use snag_wire::Code;

use crate::{ApiError, AppState};

/// A body as JSON; unknown fields are refused by its type.
#[derive(Debug)]
pub(crate) struct Asked<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Arc<AppState>> for Asked<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &Arc<AppState>) -> Result<Self, ApiError> {
        let body = Bytes::from_request(request, state).await;
        let body = body.map_err(|rejection| {
            if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                ApiError::new(
                    Code::TooLarge,
                    "The body is too large. Send fewer items at once.",
                )
            } else {
                ApiError::invalid_body("The body could not be read to its end.")
            }
        })?;
        // A list would be read as the fields of a type in their order.
        if body.trim_ascii_start().first() != Some(&b'{') {
            return Err(ApiError::invalid_body("The body has to be a JSON object."));
        }
        serde_json::from_slice(&body).map(Self).map_err(|error| {
            let detail = format!("The body isn't what this address takes: {error}.");
            ApiError::invalid_body(detail)
        })
    }
}
