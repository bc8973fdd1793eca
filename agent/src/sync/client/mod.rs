//! The calls to the server, and what each answer means.
//!
//! TLS is rustls with ring. Certificates are verified against the system's roots or,
//! with a CA of one's own, against that one **instead**: who names the CA of its
//! server gains nothing from trusting a hundred others for it. The system's proxy
//! settings hold (`HTTPS_PROXY`, `NO_PROXY`, those of Windows and macOS). HTTP/2 is
//! used where the server offers it. Redirects are not followed: no answer may send
//! a device's token elsewhere.

mod answer;
mod person;

use std::fmt;
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use snag_wire::{BatchAnswer, EnrollAnswer, EnrollRequest, PolicyAnswer};

use super::trouble::Trouble;
use answer::{failure, read_json, refused, root_cause, send};
pub use person::Looks;

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
    TooLarge {
        /// Whether the server itself says so, and not something on the way.
        by_server: bool,
    },
}

impl CallError {
    /// How long the server asked to be left alone, in milliseconds, where it did.
    #[must_use]
    pub fn after_ms(&self) -> Option<u64> {
        match self {
            Self::Retry { after_ms, .. } => *after_ms,
            Self::Refused { .. } | Self::TooLarge { .. } => None,
        }
    }

    /// What kind of thing it is.
    #[must_use]
    pub fn trouble(&self) -> Trouble {
        match self {
            Self::Retry { trouble, .. } => *trouble,
            Self::Refused { .. } | Self::TooLarge { .. } => Trouble::Refused,
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

/// Whether this system has no root certificates that TLS could use.
fn rustls_roots_missing() -> bool {
    reqwest::Client::builder().no_proxy().build().is_err()
}
