//! One error type for every route, written as `application/problem+json`.
//!
//! What a client reads is a stable code and a sentence that says what to do; what
//! went wrong inside is logged here, once, and never sent.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use snag_warehouse::{ErrorKind, WarehouseError};
use snag_wire::{Code, Problem};

/// A request that can't be answered as asked.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{status}: {detail}")]
pub struct ApiError {
    status: StatusCode,
    code: Code,
    detail: String,
    field: Option<String>,
    retry_after_s: Option<u32>,
}

impl ApiError {
    /// An error with the status that belongs to `code`.
    #[must_use]
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        let status = match code {
            Code::InvalidBody | Code::InvalidParameter => StatusCode::BAD_REQUEST,
            Code::Unauthorized => StatusCode::UNAUTHORIZED,
            Code::Forbidden => StatusCode::FORBIDDEN,
            Code::NotFound => StatusCode::NOT_FOUND,
            Code::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Code::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Code::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Code::Timeout => StatusCode::REQUEST_TIMEOUT,
            Code::Conflict => StatusCode::CONFLICT,
            Code::InsufficientStorage => StatusCode::INSUFFICIENT_STORAGE,
            Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self {
            status,
            code,
            detail: detail.into(),
            field: None,
            retry_after_s: None,
        }
    }

    /// The body isn't what the route takes.
    #[must_use]
    pub fn invalid_body(detail: impl Into<String>) -> Self {
        Self::new(Code::InvalidBody, detail)
    }

    /// A query parameter isn't what the route takes.
    #[must_use]
    pub fn invalid_parameter(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(Code::InvalidParameter, detail).with_field(field)
    }

    /// No token, or none that is known.
    #[must_use]
    pub fn unauthorized() -> Self {
        Self::new(
            Code::Unauthorized,
            "Log in, or send a valid token as `Authorization: Bearer …`.",
        )
    }

    /// The token is known and may not do this.
    #[must_use]
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(Code::Forbidden, detail)
    }

    /// The server can't take it now.
    #[must_use]
    pub fn unavailable(detail: impl Into<String>, retry_after_s: u32) -> Self {
        let mut error = Self::new(Code::Unavailable, detail);
        error.retry_after_s = Some(retry_after_s);
        error
    }

    /// The disk is nearly full. Whoever sent something keeps it and tries again.
    #[must_use]
    pub fn insufficient_storage() -> Self {
        let mut error = Self::new(
            Code::InsufficientStorage,
            "The server's disk is nearly full. Send it again later; it will be taken as soon as there is room.",
        );
        error.retry_after_s = Some(60);
        error
    }

    /// The server is at fault. `cause` is logged, not sent.
    #[must_use]
    pub fn internal(cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(%cause, "request failed inside");
        Self::new(
            Code::Internal,
            "The server failed to answer. The operator's log says why.",
        )
    }

    /// Says when to try again.
    #[must_use]
    pub fn with_retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// Names the parameter or field at fault.
    #[must_use]
    pub fn with_field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// The parameter or field at fault, where there is one.
    #[must_use]
    pub fn field(&self) -> Option<&str> {
        self.field.as_deref()
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }
}

/// ClickHouse's code for a disk without room.
const NOT_ENOUGH_SPACE: u32 = 243;

impl From<WarehouseError> for ApiError {
    fn from(error: WarehouseError) -> Self {
        if error.code == Some(NOT_ENOUGH_SPACE) || error.message.contains("No space left") {
            tracing::error!(code = ?error.code, cause = %error, "the disk is full");
            return Self::insufficient_storage();
        }
        match error.kind {
            ErrorKind::Retry | ErrorKind::Unavailable => {
                tracing::warn!(code = ?error.code, cause = %error, "the warehouse did not answer");
                Self::unavailable("The warehouse does not answer now. Try again later.", 2)
            }
            ErrorKind::Rejected | ErrorKind::Schema => Self::internal(&error),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let problem = Problem {
            r#type: "about:blank".to_owned(),
            title: self.status.canonical_reason().unwrap_or("Error").to_owned(),
            status: self.status.as_u16(),
            code: self.code,
            detail: self.detail,
            field: self.field,
        };
        let mut response = (self.status, axum::Json(problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
