//! The calls to the server, and what each answer means.
//!
//! TLS is rustls with ring. Certificates are verified against the system's roots or,
//! with a CA of one's own, against that one **instead**: who names the CA of its
//! server gains nothing from trusting a hundred others for it. The system's proxy
//! settings hold (`HTTPS_PROXY`, `NO_PROXY`, those of Windows and macOS). HTTP/2 is
//! used where the server offers it. Redirects are not followed: no answer may send
//! a device's token elsewhere.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{
    CONTENT_ENCODING, CONTENT_TYPE, DATE, ETAG, HeaderMap, IF_NONE_MATCH, RETRY_AFTER,
};
use reqwest::{Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use snag_wire::{
    BatchAnswer, EnrollAnswer, EnrollRequest, FeedbackAnswer, PolicyAnswer, Problem, Replies,
    ScreenshotAnswer,
};
use uuid::Uuid;

use super::backoff::{parse_http_date, parse_retry_after};
use super::trouble::Trouble;
use crate::desktop::view::LookView;

/// Longest time for a connection: a satellite link takes two seconds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest time for the policy, which records may be waiting behind.
const POLICY_TIMEOUT: Duration = Duration::from_secs(15);

/// Largest answer that is read. A batch's answer can list 10,000 refused records.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// How to reach the server.
#[derive(Clone)]
pub struct ClientOptions {
    /// Its address, `https://snag.example.com` or with a path below.
    pub server: String,
    /// PEM of the certificate authorities that vouch for it, instead of the system's.
    pub ca_pem: Option<Vec<u8>>,
    /// Whether the system's proxy settings hold.
    pub system_proxy: bool,
    /// Longest time for a whole request.
    pub timeout: Duration,
}

impl ClientOptions {
    /// A server, with the system's roots and proxy and a minute for each request.
    #[must_use]
    pub fn new(server: impl Into<String>) -> Self {
        Self {
            server: server.into(),
            ca_pem: None,
            system_proxy: true,
            timeout: Duration::from_secs(60),
        }
    }
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server's address is not one.
    #[error("the server's address must begin with https:// or http://: {0}")]
    Address(String),
    /// The CA file holds no certificate.
    #[error("the CA file holds no usable PEM certificate")]
    Ca,
    /// The device's token has characters that a header can't carry.
    #[error("the device's token is malformed")]
    Token,
    /// The TLS library could not be set up.
    #[error("TLS could not be set up: {0}")]
    Tls(String),
}

/// Why a call brought nothing. Never contains the token or a payload.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Later it may work.
    #[error("{why}")]
    Retry {
        /// What the server asked for, in milliseconds.
        after_ms: Option<u64>,
        /// What kind of thing it is.
        trouble: Trouble,
        /// In plain words.
        why: String,
    },
    /// It will not work like that.
    #[error("the server refused ({status} {code}): {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The problem's code, or `http_<status>`.
        code: String,
        /// The problem's sentence.
        message: String,
    },
    /// The body is too large for the server.
    #[error("the server found the request too large")]
    TooLarge,
}

impl CallError {
    /// How long the server asked to be left alone, in milliseconds, where it did.
    #[must_use]
    pub fn after_ms(&self) -> Option<u64> {
        match self {
            Self::Retry { after_ms, .. } => *after_ms,
            Self::Refused { .. } | Self::TooLarge => None,
        }
    }

    /// What kind of thing it is.
    #[must_use]
    pub fn trouble(&self) -> Trouble {
        match self {
            Self::Retry { trouble, .. } => *trouble,
            Self::Refused { .. } | Self::TooLarge => Trouble::Refused,
        }
    }
}

/// The policy, or that it is still the same.
#[derive(Clone, PartialEq)]
pub enum PolicyReply {
    /// Not changed since the ETag that was sent.
    Same,
    /// This one.
    New {
        /// To be sent with the next request.
        etag: Option<String>,
        /// The policy.
        policy: Box<PolicyAnswer>,
    },
}

/// Talks to one server. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
    policy_timeout: Duration,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("base", &self.base)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Sets a client up; connects to nothing yet.
    ///
    /// # Errors
    /// When the address, the CA file or the system's TLS set-up is unusable.
    pub fn new(options: &ClientOptions) -> Result<Self, ClientError> {
        // Another part of the process may have installed it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let base = options.server.trim_end_matches('/').to_owned();
        let address = || ClientError::Address(options.server.clone());
        let url = reqwest::Url::parse(&base).map_err(|_| address())?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(address());
        }
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("snag-agent/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT.min(options.timeout))
            .timeout(options.timeout)
            .redirect(reqwest::redirect::Policy::none())
            .pool_max_idle_per_host(1);
        if !options.system_proxy {
            builder = builder.no_proxy();
        }
        if let Some(pem) = &options.ca_pem {
            let certificates = reqwest::Certificate::from_pem_bundle(pem)
                .ok()
                .filter(|certificates| !certificates.is_empty())
                .ok_or(ClientError::Ca)?;
            builder = builder.tls_certs_only(certificates);
        } else if url.scheme() == "http" && rustls_roots_missing() {
            // A machine without any root certificate can still speak plain HTTP.
            builder = builder.tls_certs_only([]);
        }
        Ok(Self {
            http: builder.build().map_err(|error| {
                if options.ca_pem.is_some() {
                    ClientError::Ca
                } else {
                    ClientError::Tls(root_cause(&error))
                }
            })?,
            base,
            token: None,
            policy_timeout: POLICY_TIMEOUT.min(options.timeout),
        })
    }

    /// The same client as this device.
    ///
    /// # Errors
    /// When the token can't be a header.
    pub fn with_token(mut self, token: &str) -> Result<Self, ClientError> {
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ClientError::Token);
        }
        self.token = Some(token.to_owned());
        Ok(self)
    }

    fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// `POST /v1/enroll`.
    ///
    /// # Errors
    /// As the server or the network says.
    pub async fn enroll(&self, request: &EnrollRequest) -> Result<EnrollAnswer, CallError> {
        let request = self
            .request(reqwest::Method::POST, "/v1/enroll")
            .json(request);
        let response = send(request).await?;
        match response.status() {
            StatusCode::OK | StatusCode::CREATED => read_json(response).await,
            // For a device that isn't one yet, 401 is not a matter of time.
            StatusCode::UNAUTHORIZED => Err(refused(response).await),
            _ => Err(failure(response).await),
        }
    }

    /// `GET /v1/policy`.
    ///
    /// # Errors
    /// As the server or the network says.
    pub async fn policy(&self, etag: Option<&str>) -> Result<PolicyReply, CallError> {
        let mut request = self
            .request(reqwest::Method::GET, "/v1/policy")
            .timeout(self.policy_timeout);
        if let Some(etag) = etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        let response = send(request).await?;
        match response.status() {
            StatusCode::NOT_MODIFIED if etag.is_some() => Ok(PolicyReply::Same),
            StatusCode::OK => {
                let etag = response
                    .headers()
                    .get(ETAG)
                    .and_then(|value| value.to_str().ok())
                    .map(str::to_owned);
                let policy = Box::new(read_json(response).await?);
                Ok(PolicyReply::New { etag, policy })
            }
            _ => Err(failure(response).await),
        }
    }

    /// `POST /v1/events/batch`. Only status 200 with an answer that can be read is
    /// a success; whether its counts add up is for the caller to see.
    ///
    /// # Errors
    /// As the server or the network says.
    pub async fn batch(&self, gzip: Vec<u8>) -> Result<BatchAnswer, CallError> {
        let request = self
            .request(reqwest::Method::POST, "/v1/events/batch")
            .header(CONTENT_TYPE, "application/json")
            .header(CONTENT_ENCODING, "gzip")
            .body(gzip);
        let response = send(request).await?;
        match response.status() {
            StatusCode::OK => read_json(response).await,
            _ => Err(failure(response).await),
        }
    }
}

/// What a person says, and what others did with it.
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

/// Who looked at what this device's person said, the newest first.
#[derive(Debug, Clone, Deserialize)]
pub struct Looks {
    /// The acts.
    pub items: Vec<LookView>,
}

/// Whether this system has no root certificates that TLS could use.
fn rustls_roots_missing() -> bool {
    reqwest::Client::builder().no_proxy().build().is_err()
}

async fn send(request: reqwest::RequestBuilder) -> Result<Response, CallError> {
    request.send().await.map_err(|error| unreachable(&error))
}

fn retry(trouble: Trouble, why: impl Into<String>) -> CallError {
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
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

async fn failure(response: Response) -> CallError {
    let status = response.status();
    let after_ms = retry_after(response.headers());
    let later = |why: String| CallError::Retry {
        after_ms,
        trouble: Trouble::of_status(status),
        why,
    };
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => CallError::TooLarge,
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

async fn refused(response: Response) -> CallError {
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

async fn read_json<T: DeserializeOwned>(response: Response) -> Result<T, CallError> {
    let body = read_body(response).await?;
    serde_json::from_slice(&body).map_err(|_| {
        retry(
            Trouble::Strange,
            "the server's answer can't be read; a proxy may have replaced it",
        )
    })
}

async fn read_body(mut response: Response) -> Result<Vec<u8>, CallError> {
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
