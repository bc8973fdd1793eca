//! What an answer means, and what it means that there is none.

use jiff::Timestamp;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use serde::de::DeserializeOwned;
use snag_wire::Problem;

use super::{ANSWER_BYTES_MAX, CallError};
use crate::sync::backoff::{parse_http_date, parse_retry_after};
use crate::sync::trouble::Trouble;

pub(super) async fn send(request: reqwest::RequestBuilder) -> Result<Response, CallError> {
    request.send().await.map_err(|error| unreachable(&error))
}

pub(super) fn retry(trouble: Trouble, why: impl Into<String>) -> CallError {
    CallError::Retry {
        after_ms: None,
        trouble,
        why: why.into(),
    }
}

/// What went wrong on the way, in words that help.
fn unreachable(error: &reqwest::Error) -> CallError {
    let cause = root_cause(error);
    let trouble = Trouble::of_request(error);
    let why = if trouble == Trouble::Certificate {
        format!("the server's certificate is not accepted: {cause}")
    } else if error.is_timeout() {
        "the server did not answer in time".to_owned()
    } else if error.is_connect() {
        format!("the server can't be reached: {cause}")
    } else {
        format!("the connection failed: {cause}")
    };
    retry(trouble, why)
}

/// The innermost error, which says more than "error sending request".
pub(super) fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

pub(super) async fn failure(response: Response) -> CallError {
    let status = response.status();
    let after_ms = retry_after(response.headers());
    let later = |why: String| CallError::Retry {
        after_ms,
        trouble: Trouble::of_status(status),
        why,
    };
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => {
            let by_server = matches!(refused(response).await, CallError::Refused { .. });
            CallError::TooLarge { by_server }
        }
        StatusCode::UNAUTHORIZED => later(
            "the server does not accept this device's token (401); it may have to be enrolled again"
                .into(),
        ),
        StatusCode::REQUEST_TIMEOUT => later("the request took too long to arrive (408)".into()),
        StatusCode::TOO_MANY_REQUESTS => later("the server asks to wait (429)".into()),
        _ if status.is_client_error() => refused(response).await,
        _ if status.is_server_error() => later(format!(
            "the server can't take records now ({})",
            status.as_u16()
        )),
        // A redirect or an answer of something else on the way, a login page for one.
        _ => retry(Trouble::Strange, strange(status)),
    }
}

fn strange(status: StatusCode) -> String {
    let status = status.as_u16();
    format!("something other than the server answered (status {status})")
}

pub(super) async fn refused(response: Response) -> CallError {
    let status = response.status();
    let problem = read_body(response)
        .await
        .ok()
        .and_then(|body| serde_json::from_slice::<Problem>(&body).ok());
    let Some(problem) = problem else {
        // A proxy on the way, a login page: nothing that the server ever said.
        return retry(Trouble::Strange, strange(status));
    };
    let code = serde_json::to_value(problem.code).ok();
    let code = code.and_then(|code| code.as_str().map(str::to_owned));
    CallError::Refused {
        status: status.as_u16(),
        code: code.unwrap_or_else(|| format!("http_{}", status.as_u16())),
        message: problem.detail.chars().take(300).collect(),
    }
}

fn retry_after(headers: &HeaderMap) -> Option<u64> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let now = text(DATE)
        .and_then(parse_http_date)
        .unwrap_or_else(Timestamp::now);
    parse_retry_after(text(RETRY_AFTER)?, now)
}

pub(super) async fn read_json<T: DeserializeOwned>(response: Response) -> Result<T, CallError> {
    let body = read_body(response).await?;
    serde_json::from_slice(&body).map_err(|_| {
        retry(
            Trouble::Strange,
            "the server's answer can't be read; a proxy may have replaced it",
        )
    })
}

pub(super) async fn read_body(mut response: Response) -> Result<Vec<u8>, CallError> {
    let mut body = Vec::new();
    while let Some(part) = response
        .chunk()
        .await
        .map_err(|error| unreachable(&error))?
    {
        if body.len() + part.len() > ANSWER_BYTES_MAX {
            return Err(retry(
                Trouble::Strange,
                "the server's answer is too large to be one",
            ));
        }
        body.extend_from_slice(&part);
    }
    Ok(body)
}
