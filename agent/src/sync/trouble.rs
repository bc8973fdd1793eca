//! What keeps records from leaving, told apart by type: what the person reads must not hang on the words of a library.

use std::error::Error;
use std::io;

use reqwest::StatusCode;
use serde::{Deserialize, Serialize};
use snag_spool::SpoolError;

/// What keeps records from leaving.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// Nothing answers: no network, no such name, nobody listens, or too late.
    Unreachable,
    /// Whoever answers has a certificate that this computer doesn't trust. Nothing was sent.
    Certificate,
    /// The server doesn't take this device's token.
    Unauthorized,
    /// The server is there and has no time.
    Busy,
    /// The server asks this device to wait.
    TooMany,
    /// The server has no room.
    ServerFull,
    /// The server has a fault of its own.
    Fault,
    /// Something else on the way answered, or the answer makes no sense.
    Strange,
    /// The server will never take what was sent like that.
    Refused,
    /// This computer's disk is full.
    DiskFull,
    /// This computer's folder can't be written to.
    ReadOnly,
    /// What is stored on this computer can't be used.
    Storage,
    /// What another version of the agent wrote, and this one doesn't know.
    #[serde(other)]
    Unknown,
}

impl Trouble {
    /// What an answer's status says, where it isn't one of those that refuse for good.
    pub(super) fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::UNAUTHORIZED => Self::Unauthorized,
            StatusCode::TOO_MANY_REQUESTS => Self::TooMany,
            StatusCode::INSUFFICIENT_STORAGE => Self::ServerFull,
            StatusCode::REQUEST_TIMEOUT
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => Self::Busy,
            _ if status.is_server_error() => Self::Fault,
            _ => Self::Strange,
        }
    }

    /// What stopped a request on its way.
    pub(super) fn of_request(error: &reqwest::Error) -> Self {
        if is_certificate(error) {
            Self::Certificate
        } else {
            Self::Unreachable
        }
    }

    /// What is wrong with the spool.
    pub(super) fn of_spool(error: &SpoolError) -> Self {
        match error {
            _ if error.is_full() => Self::DiskFull,
            SpoolError::Io { source, .. }
                if matches!(
                    source.kind(),
                    io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied
                ) =>
            {
                Self::ReadOnly
            }
            _ => Self::Storage,
        }
    }

    /// Whether nothing at all can leave because of it.
    #[must_use]
    pub fn is_of_the_way(self) -> bool {
        matches!(
            self,
            Self::Unreachable | Self::Certificate | Self::Unauthorized | Self::Unknown
        )
    }

    /// Whether it lies on this computer, and not between it and the server.
    #[must_use]
    pub fn is_here(self) -> bool {
        matches!(self, Self::DiskFull | Self::ReadOnly | Self::Storage)
    }
}

/// Whether an error came of a certificate. An `io::Error` doesn't give what it holds as its source, so that it is
/// opened as such.
fn is_certificate(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(tls) = error.downcast_ref::<rustls::Error>() {
            return matches!(
                tls,
                rustls::Error::InvalidCertificate(_)
                    | rustls::Error::InvalidCertRevocationList(_)
                    | rustls::Error::NoCertificatesPresented
            );
        }
        let inner = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_found_however_deep_it_lies() {
        let bad = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let wrapped = io::Error::other(io::Error::other(bad));
        assert!(is_certificate(&wrapped));
        assert!(!is_certificate(&io::Error::other(
            rustls::Error::HandshakeNotComplete
        )));
        assert!(
            !is_certificate(&io::Error::other("a certificate, in words")),
            "words don't count"
        );
    }

    #[test]
    fn a_trouble_of_a_later_version_is_read() {
        let read = |text: &str| serde_json::from_str::<Trouble>(text).unwrap();
        assert_eq!(read("\"certificate\""), Trouble::Certificate);
        assert_eq!(read("\"of_next_year\""), Trouble::Unknown);
    }
}
