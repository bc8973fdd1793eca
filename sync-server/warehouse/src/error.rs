//! The one error of the seam, classified by ClickHouse's exception code.
//!
//! ClickHouse answers HTTP 500 for bad data as well as for its own trouble, so that
//! the status says nothing: only the code does, and both transports carry it.

use std::fmt;

/// What a caller can do about a [`WarehouseError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The same request can succeed later: too many parts, no memory, a timeout.
    Retry,
    /// The request is wrong and will be refused again.
    Rejected,
    /// There is no warehouse to talk to: no library, no connection, no access.
    Unavailable,
    /// The request and the tables disagree: a table or column is missing or of another type.
    Schema,
}

impl ErrorKind {
    /// The word for logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Rejected => "rejected",
            Self::Unavailable => "unavailable",
            Self::Schema => "schema",
        }
    }

    /// The kind that a ClickHouse exception code stands for.
    #[must_use]
    pub fn of_code(code: u32) -> Self {
        match code {
            // Columns, tables and types that are not as the request has them.
            8 | 9 | 10 | 15 | 16 | 20 | 44 | 46 | 47 | 53 | 57 | 60 | 81 | 82 | 122 | 218 | 352 => {
                Self::Schema
            }
            // The network, the login, and a server that is not up.
            192 | 193 | 194 | 198 | 210 | 279 | 516 | 745 => Self::Unavailable,
            // Files and sockets, timeouts, memory and space, limits of load, merges that
            // lag, replicas and Keeper, and what ClickHouse could not name (1000 to 1002).
            74
            | 75
            | 76
            | 95
            | 96
            | 159
            | 160
            | 173
            | 201..=204
            | 209
            | 225
            | 236
            | 241
            | 242
            | 243
            | 252
            | 285
            | 286
            | 289
            | 319
            | 364
            | 373
            | 394
            | 425
            | 439
            | 473
            | 499
            | 517
            | 573
            | 667
            | 692
            | 700
            | 722
            | 735
            | 999..=1002 => Self::Retry,
            _ => Self::Rejected,
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why the warehouse did not do what it was asked.
///
/// `message` is ClickHouse's own and may quote the statement: it is for the
/// operator's log, never for a client of the API.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct WarehouseError {
    /// What a caller can do.
    pub kind: ErrorKind,
    /// ClickHouse's exception code, where ClickHouse said it.
    pub code: Option<u32>,
    /// What happened.
    pub message: String,
}

impl WarehouseError {
    /// An error of ours, without a code of ClickHouse's.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            code: None,
            message: message.into(),
        }
    }

    /// An error as ClickHouse words it: `Code: 60. DB::Exception: …`.
    ///
    /// A message without a code is an engine or server that does not work.
    #[must_use]
    pub fn from_clickhouse(message: impl Into<String>) -> Self {
        let message = message.into();
        let code = parse_code(&message);
        Self {
            kind: code.map_or(ErrorKind::Unavailable, ErrorKind::of_code),
            code,
            message,
        }
    }

    pub(crate) fn closed() -> Self {
        Self::new(ErrorKind::Unavailable, "the warehouse is closed")
    }
}

/// The number after the first `Code: ` of a message.
fn parse_code(message: &str) -> Option<u32> {
    let rest = &message[message.find("Code: ")? + "Code: ".len()..];
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    rest[..digits].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{ErrorKind, WarehouseError};

    #[test]
    fn the_code_decides_the_kind() {
        for (message, code, kind) in [
            (
                "Code: 60. DB::Exception: Unknown table (UNKNOWN_TABLE)",
                Some(60),
                ErrorKind::Schema,
            ),
            (
                "Error: Code: 252. DB::Exception: Too many parts",
                Some(252),
                ErrorKind::Retry,
            ),
            (
                "Code: 62. DB::Exception: Syntax error",
                Some(62),
                ErrorKind::Rejected,
            ),
            (
                "Code: 516. DB::Exception: default: Authentication failed",
                Some(516),
                ErrorKind::Unavailable,
            ),
            ("Invalid or closed connection", None, ErrorKind::Unavailable),
            ("Code: . odd", None, ErrorKind::Unavailable),
        ] {
            let error = WarehouseError::from_clickhouse(message);
            assert_eq!((error.code, error.kind), (code, kind), "{message}");
        }
    }
}
