//! Who may speak to the endpoint, and how an error is said.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use snag_wire::{Code, Problem};
use subtle::ConstantTimeEq;

use super::rate::Rate;

/// Requests of a program at work: fifty a second, two hundred at once.
const REQUESTS: (u32, Duration) = (200, Duration::from_millis(20));

/// Requests without the token: enough to find out what is wrong, too few to try tokens.
const STRANGERS: (u32, Duration) = (20, Duration::from_millis(500));

/// Longest time that a request may take to arrive and be answered.
const DEADLINE: Duration = Duration::from_secs(10);

pub(super) struct Guard {
    port: u16,
    token: String,
    requests: Rate,
    strangers: Rate,
}

impl Guard {
    pub(super) fn new(port: u16, token: String) -> Self {
        Self {
            port,
            token,
            requests: Rate::new(REQUESTS.0, REQUESTS.1),
            strangers: Rate::new(STRANGERS.0, STRANGERS.1),
        }
    }

    /// Whether a request may be looked at.
    fn check(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let verdict = self.check_headers(headers);
        let rate = if verdict.is_ok() {
            &self.requests
        } else {
            &self.strangers
        };
        rate.take(Instant::now()).map_err(Refusal::too_often)?;
        verdict
    }

    fn check_headers(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        // A page on the web can reach loopback by a name of its own; only these names are ours.
        let named = one(headers, header::HOST);
        let ours = ["127.0.0.1", "localhost", "[::1]"]
            .iter()
            .any(|name| named == Some(format!("{name}:{}", self.port).as_str()));
        if !ours {
            return Err(Refusal::new(
                Code::Forbidden,
                "The request has to name this endpoint in its Host header: 127.0.0.1 and the port of sdk.json.",
            ));
        }
        let browser = headers
            .keys()
            .any(|name| *name == header::ORIGIN || name.as_str().starts_with("sec-fetch-"));
        if browser {
            return Err(Refusal::new(
                Code::Forbidden,
                "Browsers may not use this endpoint; it is for programs on this computer.",
            ));
        }
        let token = one(headers, header::AUTHORIZATION)
            .and_then(bearer)
            .unwrap_or("");
        if !bool::from(token.as_bytes().ct_eq(self.token.as_bytes())) {
            return Err(Refusal::new(
                Code::Unauthorized,
                "Send the token of sdk.json as `Authorization: Bearer …`. It is new with each start of Snag.",
            ));
        }
        Ok(())
    }
}

/// The value of a header that is there once.
fn one(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

/// The token of an `Authorization` header. The scheme's name may be written in any case (RFC 9110, 11.1).
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("Bearer")
        .then(|| token.trim_start_matches(' '))
}

/// The middleware before every route.
pub(super) async fn guard(
    State(guard): State<Arc<Guard>>,
    request: Request,
    next: Next,
) -> Response {
    if let Err(refusal) = guard.check(request.headers()) {
        return refusal.into_response();
    }
    match tokio::time::timeout(DEADLINE, next.run(request)).await {
        Ok(response) => response,
        Err(_elapsed) => {
            Refusal::new(Code::Timeout, "The request took too long to arrive.").into_response()
        }
    }
}

/// An error as `application/problem+json`.
#[derive(Debug)]
pub(super) struct Refusal {
    code: Code,
    detail: String,
    /// Seconds after which it is no more refused, where that is known.
    again_after_s: Option<u64>,
}

impl Refusal {
    pub(super) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            again_after_s: None,
        }
    }

    /// There may be another one after this wait.
    pub(super) fn too_often(wait: Duration) -> Self {
        // Whole seconds, and rather one too many: who comes too early is refused again.
        let seconds = wait.as_millis().div_ceil(1_000).max(1);
        let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
        let unit = if seconds == 1 { "second" } else { "seconds" };
        Self {
            again_after_s: Some(seconds),
            ..Self::new(
                Code::TooManyRequests,
                format!("Too many requests: wait {seconds} {unit}."),
            )
        }
    }

    fn status(&self) -> StatusCode {
        match self.code {
            Code::InvalidBody | Code::InvalidParameter => StatusCode::BAD_REQUEST,
            Code::Unauthorized => StatusCode::UNAUTHORIZED,
            Code::Forbidden => StatusCode::FORBIDDEN,
            Code::NotFound => StatusCode::NOT_FOUND,
            Code::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Code::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Code::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Code::Timeout => StatusCode::REQUEST_TIMEOUT,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = self.status();
        let problem = Problem {
            r#type: "about:blank".to_owned(),
            title: status.canonical_reason().unwrap_or_default().to_owned(),
            status: status.as_u16(),
            code: self.code,
            detail: self.detail,
            field: None,
        };
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.again_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
