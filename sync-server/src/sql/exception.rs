//! Errors as ClickHouse gives them over HTTP: a number, a name, a status, a text.

use axum::body::Body;
use http::{HeaderValue, Response, StatusCode, header};
use snag_warehouse::{ErrorKind, WarehouseError};

/// ClickHouse's exception codes that this front gives itself.
pub(super) mod code {
    /// An argument that is not allowed.
    pub(crate) const BAD_ARGUMENTS: u32 = 36;
    /// A compressed block whose checksum is not its own.
    pub(crate) const CHECKSUM_DOESNT_MATCH: u32 = 40;
    /// Something that ClickHouse has and this front has not.
    pub(crate) const NOT_IMPLEMENTED: u32 = 48;
    /// Text that is no SQL, too long included.
    pub(crate) const SYNTAX_ERROR: u32 = 62;
    /// A statement that can't be sent this way.
    pub(crate) const UNKNOWN_TYPE_OF_QUERY: u32 = 78;
    /// A format without a meaning.
    pub(crate) const UNKNOWN_FORMAT: u32 = 73;
    /// A block in a compression that is not known.
    pub(crate) const UNKNOWN_COMPRESSION_METHOD: u32 = 89;
    /// The request's body broke off.
    pub(crate) const UNEXPECTED_END_OF_FILE: u32 = 3;
    /// A compressed block that says it is larger than any may be.
    pub(crate) const TOO_LARGE_SIZE_COMPRESSED: u32 = 39;
    /// A write where only reads are allowed.
    pub(crate) const READONLY: u32 = 164;
    /// The network broke.
    pub(crate) const NETWORK_ERROR: u32 = 210;
    /// Data that can't be decompressed.
    pub(crate) const CANNOT_DECOMPRESS: u32 = 271;
    /// `INTO OUTFILE`.
    pub(crate) const INTO_OUTFILE_NOT_ALLOWED: u32 = 358;
    /// A session that does not exist, though it should.
    pub(crate) const SESSION_NOT_FOUND: u32 = 372;
    /// Too many sessions, or their state is too large.
    pub(crate) const LIMIT_EXCEEDED: u32 = 290;
    /// A session's timeout that is no number or too large.
    pub(crate) const INVALID_SESSION_TIMEOUT: u32 = 374;
    /// No file can be made.
    pub(crate) const CANNOT_OPEN_FILE: u32 = 76;
    /// Body parts that can't be parsed.
    pub(crate) const CANNOT_PARSE_TEXT: u32 = 6;
    /// Something may not be done by this user.
    pub(crate) const ACCESS_DENIED: u32 = 497;
    /// Wrong user or password.
    pub(crate) const AUTHENTICATION_FAILED: u32 = 516;
    /// What ClickHouse's HTTP library refuses, such as a field of a form that is too long.
    pub(crate) const POCO_EXCEPTION: u32 = 1000;
    /// The engine is not there.
    pub(crate) const SERVER_OVERLOADED: u32 = 745;
}

/// The name that ClickHouse has for the codes of [`code`].
fn name(code: u32) -> &'static str {
    match code {
        code::BAD_ARGUMENTS => "BAD_ARGUMENTS",
        code::CHECKSUM_DOESNT_MATCH => "CHECKSUM_DOESNT_MATCH",
        code::NOT_IMPLEMENTED => "NOT_IMPLEMENTED",
        code::SYNTAX_ERROR => "SYNTAX_ERROR",
        code::UNKNOWN_TYPE_OF_QUERY => "UNKNOWN_TYPE_OF_QUERY",
        code::UNKNOWN_FORMAT => "UNKNOWN_FORMAT",
        code::UNKNOWN_COMPRESSION_METHOD => "UNKNOWN_COMPRESSION_METHOD",
        code::UNEXPECTED_END_OF_FILE => "UNEXPECTED_END_OF_FILE",
        code::TOO_LARGE_SIZE_COMPRESSED => "TOO_LARGE_SIZE_COMPRESSED",
        code::READONLY => "READONLY",
        code::NETWORK_ERROR => "NETWORK_ERROR",
        code::CANNOT_DECOMPRESS => "CANNOT_DECOMPRESS",
        code::INTO_OUTFILE_NOT_ALLOWED => "INTO_OUTFILE_NOT_ALLOWED",
        code::SESSION_NOT_FOUND => "SESSION_NOT_FOUND",
        code::LIMIT_EXCEEDED => "LIMIT_EXCEEDED",
        code::INVALID_SESSION_TIMEOUT => "INVALID_SESSION_TIMEOUT",
        code::CANNOT_OPEN_FILE => "CANNOT_OPEN_FILE",
        code::CANNOT_PARSE_TEXT => "CANNOT_PARSE_TEXT",
        code::ACCESS_DENIED => "ACCESS_DENIED",
        code::AUTHENTICATION_FAILED => "AUTHENTICATION_FAILED",
        code::POCO_EXCEPTION => "POCO_EXCEPTION",
        code::SERVER_OVERLOADED => "SERVER_OVERLOADED",
        _ => "UNKNOWN_EXCEPTION",
    }
}

/// The HTTP status that ClickHouse gives a code.
pub(super) fn status(code: u32) -> StatusCode {
    match code {
        // REQUIRED_PASSWORD.
        194 => StatusCode::UNAUTHORIZED,
        // UNKNOWN_USER, WRONG_PASSWORD, ACCESS_DENIED, SET_NON_GRANTED_ROLE, AUTHENTICATION_FAILED.
        192 | 193 | 497 | 512 | 516 => StatusCode::FORBIDDEN,
        // CANNOT_PARSE_*, columns that are not there, twice or of the wrong kind, BAD_ARGUMENTS,
        // trees of syntax that are odd or too large, types, values out of range, regular expressions.
        6 | 8 | 15 | 25 | 26 | 27 | 36 | 37 | 38 | 41 | 44 | 53 | 62 | 72 | 117 | 123 | 167
        | 168 | 223 | 321 | 376 | 427 | 441 | 675 | 676 => StatusCode::BAD_REQUEST,
        // UNKNOWN_FUNCTION, _IDENTIFIER, _TYPE, _STORAGE, _TABLE, _AGGREGATE_FUNCTION, _FORMAT,
        // _TYPE_OF_QUERY, _DATABASE, _SETTING, _DIRECTION_OF_SORTING, _DATABASE_ENGINE, _ROLE.
        46 | 47 | 50 | 56 | 60 | 63 | 73 | 78 | 81 | 115 | 152 | 336 | 511 => StatusCode::NOT_FOUND,
        // QUERY_IS_TOO_LARGE.
        229 => StatusCode::PAYLOAD_TOO_LARGE,
        // NOT_IMPLEMENTED.
        48 => StatusCode::NOT_IMPLEMENTED,
        // CANNOT_OPEN_FILE, SOCKET_TIMEOUT, CANNOT_SCHEDULE_TASK; SERVER_OVERLOADED is our own choice.
        76 | 209 | 439 | 745 => StatusCode::SERVICE_UNAVAILABLE,
        // HTTP_LENGTH_REQUIRED.
        381 => StatusCode::LENGTH_REQUIRED,
        // TIMEOUT_EXCEEDED.
        159 => StatusCode::REQUEST_TIMEOUT,
        // UNSUPPORTED_MEDIA_TYPE.
        779 => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// An exception on its way to a client.
#[derive(Debug, Clone)]
pub struct Exception {
    /// ClickHouse's number for it.
    pub code: u32,
    /// The text behind `DB::Exception: `, or the whole text where the engine gave it.
    message: String,
    whole: bool,
}

impl Exception {
    /// An exception of the front's own.
    pub fn new(code: u32, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            whole: false,
        }
    }

    /// The text that clients get, without a line break at its end.
    pub fn text(&self, version: &str) -> String {
        let (code, message) = (self.code, &self.message);
        if self.whole {
            // The engine leaves its version out.
            return if message.contains("(version ") {
                message.clone()
            } else {
                format!("{message} (version {version})")
            };
        }
        let dot = if message.ends_with(['.', '!', '?']) {
            ""
        } else {
            "."
        };
        format!(
            "Code: {code}. DB::Exception: {message}{dot} ({}) (version {version})",
            name(code)
        )
    }

    /// The whole answer of a request that ends with this exception before any
    /// of its result was sent.
    pub fn response(&self, version: &str) -> Response<Body> {
        let mut response = Response::new(Body::from(self.text(version) + "\n"));
        *response.status_mut() = status(self.code);
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=UTF-8"),
        );
        headers.insert("x-clickhouse-exception-code", HeaderValue::from(self.code));
        response
    }
}

impl From<WarehouseError> for Exception {
    fn from(error: WarehouseError) -> Self {
        let Some(code) = error.code else {
            return match error.kind {
                ErrorKind::Rejected | ErrorKind::Schema => {
                    Self::new(code::BAD_ARGUMENTS, error.message)
                }
                // What is missing, and where, is for the operator, not for clients.
                ErrorKind::Retry | ErrorKind::Unavailable => Self::new(
                    code::SERVER_OVERLOADED,
                    "The warehouse does not answer, try again later",
                ),
            };
        };
        // The engine's text may have something before the code.
        match error.message.find("Code: ") {
            Some(at) => Self {
                code,
                message: error.message[at..].trim_end().to_owned(),
                whole: true,
            },
            None => Self::new(code, error.message),
        }
    }
}

impl From<Exception> for WarehouseError {
    fn from(exception: Exception) -> Self {
        Self {
            kind: ErrorKind::Rejected,
            code: Some(exception.code),
            message: exception.message,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_clickhouses() {
        for (code, expected) in [
            (62, 400),
            (6, 400),
            (27, 400),
            (117, 400),
            (53, 400),
            (60, 404),
            (47, 404),
            (115, 404),
            (73, 404),
            (516, 403),
            (497, 403),
            (194, 401),
            (48, 501),
            (159, 408),
            (164, 500),
            (241, 500),
            (395, 500),
            (43, 500),
            (36, 400),
            (381, 411),
        ] {
            assert_eq!(status(code).as_u16(), expected, "{code}");
        }
    }

    #[test]
    fn texts_are_clickhouses() {
        let own = Exception::new(code::READONLY, "Cannot execute query in readonly mode");
        assert_eq!(
            own.text("26.7.3.1"),
            "Code: 164. DB::Exception: Cannot execute query in readonly mode. (READONLY) (version 26.7.3.1)"
        );
        let engines = WarehouseError::from_clickhouse(
            "Error: Code: 60. DB::Exception: Unknown table. (UNKNOWN_TABLE)\n",
        );
        let exception = Exception::from(engines);
        assert_eq!(exception.code, 60);
        assert_eq!(
            exception.text("1"),
            "Code: 60. DB::Exception: Unknown table. (UNKNOWN_TABLE) (version 1)"
        );
        let missing = WarehouseError::new(ErrorKind::Unavailable, "no library in /somewhere");
        assert!(!Exception::from(missing).text("1").contains("somewhere"));
    }
}
