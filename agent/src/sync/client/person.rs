//! What a person says, and what others did with it.

use reqwest::StatusCode;
use reqwest::header::CONTENT_TYPE;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use snag_wire::{FeedbackAnswer, Replies, ScreenshotAnswer};
use uuid::Uuid;

use super::answer::{failure, read_json, send};
use super::{CallError, Client};
use crate::desktop::view::LookView;

impl Client {
    /// `POST /v1/feedback`, with exactly these bytes.
    ///
    /// # Errors
    /// As the server or the network says.
    pub async fn feedback(&self, body: Vec<u8>) -> Result<FeedbackAnswer, CallError> {
        let request = self
            .request(reqwest::Method::POST, "/v1/feedback")
            .header(CONTENT_TYPE, "application/json")
            .body(body);
        let response = send(request).await?;
        match response.status() {
            StatusCode::OK | StatusCode::CREATED => read_json(response).await,
            _ => Err(failure(response).await),
        }
    }

    /// `PUT /v1/feedback/{id}/screenshot`.
    ///
    /// # Errors
    /// As the server or the network says.
    pub async fn screenshot(
        &self,
        id: Uuid,
        mime: &str,
        bytes: Vec<u8>,
    ) -> Result<ScreenshotAnswer, CallError> {
        let request = self
            .request(
                reqwest::Method::PUT,
                &format!("/v1/feedback/{id}/screenshot"),
            )
            .header(CONTENT_TYPE, mime)
            .body(bytes);
        let response = send(request).await?;
        match response.status() {
            StatusCode::OK | StatusCode::CREATED => read_json(response).await,
            _ => Err(failure(response).await),
        }
    }

    /// `GET /v1/feedback/replies`.
    ///
    /// # Errors
    /// As the server or the network says.
    pub async fn replies(&self, after: &str) -> Result<Replies, CallError> {
        let mut path = "/v1/feedback/replies".to_owned();
        // What the server gave is safe in an address; anything else isn't from it.
        let safe = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if !after.is_empty() && after.bytes().all(safe) {
            path = format!("{path}?after={after}");
        }
        self.get(&path).await
    }

    /// `GET /v1/audit/mine`: the newest hundred.
    ///
    /// # Errors
    /// As the server or the network says.
    pub async fn looks(&self) -> Result<Looks, CallError> {
        self.get("/v1/audit/mine?limit=100").await
    }

    /// `DELETE /v1/device/data`: the server forgets this device, and its token with it.
    ///
    /// # Errors
    /// As the server or the network says.
    pub async fn forget(&self) -> Result<(), CallError> {
        let response = send(self.request(reqwest::Method::DELETE, "/v1/device/data")).await?;
        match response.status() {
            StatusCode::OK | StatusCode::ACCEPTED | StatusCode::NO_CONTENT => Ok(()),
            _ => Err(failure(response).await),
        }
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, CallError> {
        let response = send(self.request(reqwest::Method::GET, path)).await?;
        match response.status() {
            StatusCode::OK => read_json(response).await,
            _ => Err(failure(response).await),
        }
    }
}

/// Who looked at the pictures of this device's person or changed, answered or deleted what
/// they said, the newest first.
#[derive(Debug, Clone, Deserialize)]
pub struct Looks {
    /// The acts.
    pub items: Vec<LookView>,
}
