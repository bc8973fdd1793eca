//! A request's body, read and unpacked within limits.
//!
//! **Invariant:** nothing is read or unpacked beyond [`limits`], whatever the headers say.

use std::cell::RefCell;
use std::io::Read;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::Request;
use flate2::bufread::MultiGzDecoder;
use http::{HeaderMap, HeaderName, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use snag_wire::{Code, limits};

use crate::ApiError;

/// Bodies above this are unpacked and read on a thread of their own: an honest one
/// of this size is a millisecond or two of work.
pub const LARGE_BYTES: usize = 64 << 10;

/// A buffer larger than this isn't kept for the next body.
const KEPT_BYTES: usize = 4 << 20;

/// How much is unpacked between two looks at the limits.
const STEP_BYTES: usize = 64 << 10;

/// What a route takes as a body of JSON.
#[derive(Debug, Clone, Copy)]
pub struct Takes {
    /// Longest body, as it is sent.
    bytes_max: usize,
    /// Whether it may be packed.
    gzip: bool,
}

impl Takes {
    /// What programs send, packed or not.
    pub const GZIP: Self = Self {
        bytes_max: limits::BODY_BYTES_MAX,
        gzip: true,
    };

    /// What people say through a program: not packed, at most `bytes_max`.
    #[must_use]
    pub const fn plain(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            gzip: false,
        }
    }
}

/// A body as it was sent.
#[derive(Debug)]
pub struct Packed {
    /// As it was sent.
    pub bytes: Bytes,
    gzip: bool,
}

/// Reads a request's body.
///
/// # Errors
/// 408 where it doesn't arrive in time, 413 where it is too large, 415 where it is in
/// a type or encoding that isn't taken, 400 where the connection broke.
pub async fn read(request: Request, patience: Duration, takes: Takes) -> Result<Packed, ApiError> {
    let gzip = is_gzip(request.headers(), takes)?;
    let declared = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|bytes| bytes > takes.bytes_max as u64) {
        return Err(too_large());
    }
    let body = Limited::new(request.into_body(), takes.bytes_max);
    let bytes = tokio::time::timeout(patience, body.collect())
        .await
        .map_err(|_| {
            ApiError::new(
                Code::Timeout,
                "The body took too long to arrive. Send it again.",
            )
        })?
        .map_err(|error| {
            if error.is::<LengthLimitError>() {
                too_large()
            } else {
                ApiError::invalid_body("The body broke off. Send it again.")
            }
        })?
        .to_bytes();
    Ok(Packed { bytes, gzip })
}

/// A header that is given once; what can't be read or is given twice is nothing that
/// anybody takes.
pub(crate) fn header_text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    Some(match values.next() {
        None => first.to_str().unwrap_or("?").trim(),
        Some(_) => "?",
    })
}

fn is_gzip(headers: &HeaderMap, takes: Takes) -> Result<bool, ApiError> {
    // A form of another site can't send this type without asking first.
    let media_type = header_text(headers, header::CONTENT_TYPE)
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim();
    if !media_type.eq_ignore_ascii_case("application/json") {
        return Err(ApiError::new(
            Code::UnsupportedMediaType,
            "Send the body as `Content-Type: application/json`.",
        ));
    }
    match header_text(headers, header::CONTENT_ENCODING) {
        None => Ok(false),
        Some(encoding) if encoding.eq_ignore_ascii_case("identity") => Ok(false),
        Some(encoding) if takes.gzip && encoding.eq_ignore_ascii_case("gzip") => Ok(true),
        Some(_) => Err(ApiError::new(
            Code::UnsupportedMediaType,
            if takes.gzip {
                "Send `Content-Encoding: gzip` or none."
            } else {
                "Send the body without `Content-Encoding`."
            },
        )),
    }
}

fn too_large() -> ApiError {
    ApiError::new(
        Code::TooLarge,
        "The body is too large. Send less at once, records in several batches.",
    )
}

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Unpacks a body and hands it to `read`. The buffer is the thread's own and used
/// again, so that its pages are touched once and not per request.
///
/// # Errors
/// 413 where it unpacks to too much, 400 where it isn't gzip; what `read` returns.
pub fn with_unpacked<T>(
    packed: &Packed,
    read: impl FnOnce(&[u8]) -> Result<T, ApiError>,
) -> Result<T, ApiError> {
    if !packed.gzip {
        return read(&packed.bytes);
    }
    BUFFER.with_borrow_mut(|buffer| {
        buffer.clear();
        unpack(&packed.bytes, buffer)?;
        let result = read(buffer);
        if buffer.capacity() > KEPT_BYTES {
            *buffer = Vec::new();
        }
        result
    })
}

fn unpack(packed: &[u8], out: &mut Vec<u8>) -> Result<(), ApiError> {
    let by_ratio = packed
        .len()
        .saturating_mul(limits::DECOMPRESSION_RATIO_MAX)
        .max(limits::RATIO_FREE_BYTES);
    let most = by_ratio.min(limits::DECOMPRESSED_BYTES_MAX);
    let mut decoder = MultiGzDecoder::new(packed);
    loop {
        // One byte more than is allowed, to tell full from too much.
        let step = STEP_BYTES.min(most + 1 - out.len());
        let before = out.len();
        out.resize(before + step, 0);
        let mut filled = 0;
        while filled < step {
            match decoder.read(&mut out[before + filled..]) {
                Ok(0) => {
                    out.truncate(before + filled);
                    return Ok(());
                }
                Ok(n) => filled += n,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => return Err(ApiError::invalid_body("The body isn't valid gzip.")),
            }
        }
        if out.len() > most {
            return Err(too_large());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(bytes: &[u8]) -> Packed {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::new(9));
        encoder.write_all(bytes).unwrap();
        Packed {
            bytes: encoder.finish().unwrap().into(),
            gzip: true,
        }
    }

    fn unpacked(packed: &Packed) -> Result<Vec<u8>, ApiError> {
        with_unpacked(packed, |bytes| Ok(bytes.to_vec()))
    }

    #[test]
    fn honest_bodies_come_out_as_they_went_in() {
        for length in [0, 1, STEP_BYTES - 1, STEP_BYTES, STEP_BYTES + 1, 300_000] {
            let bytes: Vec<u8> = (0..length)
                .map(|i: usize| (i.wrapping_mul(2_654_435_761) >> 7) as u8)
                .collect();
            assert!(unpacked(&gzip(&bytes)).unwrap() == bytes, "{length}");
        }
    }

    #[test]
    fn small_repetitive_bodies_are_exempt_from_the_ratio() {
        let bytes = vec![b'a'; limits::RATIO_FREE_BYTES];
        assert!(unpacked(&gzip(&bytes)).unwrap() == bytes);
        let bytes = vec![b'a'; limits::RATIO_FREE_BYTES + 1];
        assert_eq!(unpacked(&gzip(&bytes)).unwrap_err().code(), Code::TooLarge);
    }

    #[test]
    fn a_bomb_is_refused_without_being_unpacked() {
        let bomb = gzip(&vec![0; 20 << 20]);
        assert_eq!(unpacked(&bomb).unwrap_err().code(), Code::TooLarge);
    }

    #[test]
    fn many_members_share_one_limit() {
        let member = gzip(&vec![0; 200 << 10]).bytes;
        let packed = Packed {
            bytes: member.repeat(200).into(),
            gzip: true,
        };
        assert_eq!(unpacked(&packed).unwrap_err().code(), Code::TooLarge);
    }

    #[test]
    fn truncated_and_foreign_bytes_are_refused() {
        let whole = gzip(b"{\"a\":1}").bytes;
        for broken in [&whole[..whole.len() - 1], &whole[..5], b"{}", b""] {
            let packed = Packed {
                bytes: broken.to_vec().into(),
                gzip: true,
            };
            assert_eq!(unpacked(&packed).unwrap_err().code(), Code::InvalidBody);
        }
    }
}
