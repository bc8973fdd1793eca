//! Errors as `application/problem+json` (RFC 9457) with a stable code.

use serde::{Deserialize, Serialize};

/// The body of every answer with a status from 400 up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// Always `about:blank`: the code says more than an address would.
    pub r#type: String,
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// A stable code a program can switch on.
    pub code: Code,
    /// What happened and what to do, without internals.
    pub detail: String,
    /// The parameter or field at fault, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

/// Stable error codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Code {
    /// The body isn't what the route takes.
    InvalidBody,
    /// A query parameter isn't what the route takes; `field` names it.
    InvalidParameter,
    /// No token, or none that is known.
    Unauthorized,
    /// The token is known and may not do this.
    Forbidden,
    /// Nothing is at this address.
    NotFound,
    /// The address takes other methods.
    MethodNotAllowed,
    /// The body is larger than the limit; send less at once.
    TooLarge,
    /// The body isn't in the type or encoding the route takes.
    UnsupportedMediaType,
    /// Asked too often; wait as long as `Retry-After` says.
    TooManyRequests,
    /// The server can't take it now; wait as long as `Retry-After` says.
    Unavailable,
    /// The request took too long to arrive.
    Timeout,
    /// The same id was sent before with another content.
    Conflict,
    /// The server's disk is nearly full; it takes this again when there is room.
    InsufficientStorage,
    /// The server is at fault.
    Internal,
}
