//! Query parameters, strictly: what isn't known or can't be read is a 400 that names
//! the parameter and says what it takes. Nothing is guessed and nothing is ignored,
//! because an analyst who mistypes a filter must not read the unfiltered figures as
//! the filtered ones.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Uri;
use jiff::Timestamp;
use snag_wire::limits::{LABEL_CHARS_MAX, NAME_CHARS_MAX};
use snag_wire::{IncidentKind, LabelHash};

use super::period::{DAY_MS, HOUR_MS, Period};
use crate::labels::Texts;
use crate::{ApiError, params};

/// Longest period: as far back as devices may send (`AGE_MS_MAX`).
pub(super) const SPAN_DAYS_MAX: i64 = 400;
/// The period where none is given.
const DEFAULT_DAYS: i64 = 7;
/// Rows of a list where `limit` isn't given.
const DEFAULT_LIMIT: usize = 50;
/// Most rows of a list.
const LIMIT_MAX: usize = 500;

/// Parameters that every route takes.
pub(super) const COMMON: &[&str] = &[
    "product", "from", "to", "app", "screen", "version", "segment",
];

/// What is asked, checked.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) product: String,
    pub(super) period: Period,
    pub(super) app: Option<String>,
    pub(super) screen: Option<String>,
    pub(super) version: Option<String>,
    pub(super) segment: Option<String>,
    rest: BTreeMap<String, String>,
}

impl Asked {
    /// Reads the parameters of `uri`, of which the common ones and `more` are allowed.
    pub(super) fn read(uri: &Uri, more: &[&str], now: Timestamp) -> Result<Self, ApiError> {
        let allowed: Vec<&str> = COMMON.iter().chain(more).copied().collect();
        let given = params::read(uri, &allowed)?;
        let product = params::text(&given, "product", NAME_CHARS_MAX)?;
        let product = product.unwrap_or_else(|| "default".to_owned());
        let app = params::text(&given, "app", NAME_CHARS_MAX)?;
        let screen = params::text(&given, "screen", LABEL_CHARS_MAX)?;
        let version = params::text(&given, "version", NAME_CHARS_MAX)?;
        let segment = params::text(&given, "segment", NAME_CHARS_MAX)?;
        let from = params::moment_ms(&given, "from")?;
        let to = params::moment_ms(&given, "to")?;
        let period = period(from, to, now)?;
        Ok(Self {
            product,
            period,
            app,
            screen,
            version,
            segment,
            rest: given,
        })
    }

    /// How many rows are wanted at most.
    pub(super) fn limit(&self) -> Result<usize, ApiError> {
        let limit = params::count(&self.rest, "limit", LIMIT_MAX)?;
        Ok(limit.unwrap_or(DEFAULT_LIMIT))
    }

    /// One word of a list; the first is the default.
    pub(super) fn word<T: Copy>(
        &self,
        parameter: &str,
        words: &[(&str, T)],
    ) -> Result<Option<T>, ApiError> {
        params::word(&self.rest, parameter, words)
    }

    /// The kind of incident asked for.
    pub(super) fn kind(&self) -> Result<Option<IncidentKind>, ApiError> {
        let words: Vec<(&str, IncidentKind)> = IncidentKind::ALL
            .iter()
            .map(|kind| (kind.as_str(), *kind))
            .collect();
        self.word("kind", &words)
    }

    /// Where the page before ended: what [`cursor`] wrote.
    pub(super) fn cursor<const N: usize>(&self) -> Result<Option<[i64; N]>, ApiError> {
        let Some(value) = self.rest.get("cursor") else {
            return Ok(None);
        };
        let numbers = URL_SAFE_NO_PAD
            .decode(value)
            .ok()
            .filter(|bytes| bytes.len() == N * 8)
            .map(|bytes| {
                let mut numbers = [0; N];
                for (number, bytes) in numbers.iter_mut().zip(bytes.chunks_exact(8)) {
                    *number = bytes.iter().fold(0, |n, byte| n << 8 | i64::from(*byte));
                }
                numbers
            });
        numbers.map(Some).ok_or_else(|| {
            let detail = "It takes the next_cursor of the page before, with all other \
                          parameters as they were.";
            ApiError::invalid_parameter("cursor", detail)
        })
    }

    /// Which label hashes the `screen` filter means: the hash itself, or every hash
    /// whose readable text it is.
    pub(super) fn screen_hashes(&self, texts: &Texts) -> Option<Vec<String>> {
        let screen = self.screen.as_deref()?;
        if screen.parse::<LabelHash>().is_ok() {
            return Some(vec![screen.to_owned()]);
        }
        let same = texts.iter().filter(|(_, text)| *text == screen);
        Some(same.map(|(hash, _)| hash.to_string()).collect())
    }
}

/// Numbers as an opaque text.
pub(super) fn cursor(numbers: &[i64]) -> String {
    let bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_be_bytes()).collect();
    URL_SAFE_NO_PAD.encode(bytes)
}

fn period(from_ms: Option<i64>, to_ms: Option<i64>, now: Timestamp) -> Result<Period, ApiError> {
    // The end of this hour where nothing is said: so that all that is known counts, and
    // whole hours can be answered from rollups.
    let to_ms = to_ms.unwrap_or((now.as_millisecond() / HOUR_MS + 1) * HOUR_MS);
    let from_ms = from_ms.unwrap_or((to_ms - DEFAULT_DAYS * DAY_MS).max(0));
    if from_ms >= to_ms {
        let detail = "It has to lie before `to` (which is the end of this hour where not given). \
                      The period runs from `from` until before `to`.";
        return Err(ApiError::invalid_parameter("from", detail));
    }
    if to_ms - from_ms > SPAN_DAYS_MAX * DAY_MS {
        let detail = format!("A period is at most {SPAN_DAYS_MAX} days long. Move `from` closer.");
        return Err(ApiError::invalid_parameter("from", detail));
    }
    Ok(Period { from_ms, to_ms })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-20T09:41:07.5Z";

    fn read(query: &str) -> Result<Asked, ApiError> {
        let uri: Uri = format!("/v1/x?{query}").parse().unwrap();
        Asked::read(
            &uri,
            &["limit", "sort", "cursor", "kind"],
            NOW.parse().unwrap(),
        )
    }

    #[test]
    fn a_period_is_read_to_the_millisecond() {
        for (query, from, to) in [
            ("", "2026-11-13T10:00:00Z", "2026-11-20T10:00:00Z"),
            (
                "from=2026-11-20T10:00Z&to=2026-11-20T12:00Z",
                "2026-11-20T10:00:00Z",
                "2026-11-20T12:00:00Z",
            ),
            (
                "from=2026-11-19&to=2026-11-20",
                "2026-11-19T00:00:00Z",
                "2026-11-20T00:00:00Z",
            ),
            (
                "from=2026-11-20T10:00:00.0017+01:00&to=2026-11-20T10:00:00%2B00:30",
                "2026-11-20T09:00:00.001Z",
                "2026-11-20T09:30:00Z",
            ),
            (
                "to=2026-11-20",
                "2026-11-13T00:00:00Z",
                "2026-11-20T00:00:00Z",
            ),
        ] {
            let period = read(query).unwrap().period;
            assert_eq!(period.from().to_string(), from, "{query}");
            assert_eq!(period.to().to_string(), to, "{query}");
        }
        let period = read("from=2026-11-19&to=2026-11-20").unwrap().period;
        assert_eq!(period.previous().from().to_string(), "2026-11-18T00:00:00Z");
        assert_eq!(period.previous().to_ms, period.from_ms);
    }

    #[test]
    fn bad_parameters_name_themselves() {
        let long = "x".repeat(65);
        for (query, field) in [
            ("prodct=x", "prodct"),
            ("product=", "product"),
            (&format!("product={long}"), "product"),
            (&format!("version={long}"), "version"),
            ("app=a&app=a", "app"),
            ("kind=%C3%28", "kind"),
            ("%61pp=x&app=y", "app"),
            ("from", "from"),
            ("segment=%FF", "segment"),
            ("version=1%zz", "version"),
            ("screen=", "screen"),
            ("=x", "(empty)"),
            ("from=yesterday", "from"),
            ("from=2026-13-01", "from"),
            ("from=2026-11-20T10:00:00", "from"),
            ("from=2026-11-20T10:00:00Z[UTC]", "from"),
            ("from=1763632800", "from"),
            ("from=-000001-01-01", "from"),
            ("to=9999-12-31", "to"),
            ("to=1969-12-31", "to"),
            ("from=2026-11-20&to=2026-11-20", "from"),
            ("from=2026-11-21", "from"),
            ("from=2025-01-01&to=2026-11-20", "from"),
        ] {
            let error = read(query).unwrap_err();
            assert_eq!(error.status(), http::StatusCode::BAD_REQUEST, "{query}");
            assert_eq!(error.field(), Some(field), "{query}");
        }
        for query in [
            "limit=0",
            "limit=501",
            "limit=-1",
            "limit=+5",
            "limit=x",
            "limit=",
        ] {
            let error = read(query).unwrap().limit().unwrap_err();
            assert_eq!(error.field(), Some("limit"), "{query}");
        }
        let error = read("kind=rage").unwrap().kind().unwrap_err();
        assert_eq!(error.field(), Some("kind"));
        for query in ["cursor=", "cursor=x", "cursor=%2F%2F", "cursor=AAAA"] {
            let error = read(query).unwrap().cursor::<2>().unwrap_err();
            assert_eq!(error.field(), Some("cursor"), "{query}");
        }
    }

    #[test]
    fn values_are_decoded() {
        let asked = read("app=a%2Bb+c%20d%25&screen=%C3%A4&version=1%25zz&segment=%00").unwrap();
        assert_eq!(asked.app.as_deref(), Some("a+b c d%"));
        assert_eq!(asked.screen.as_deref(), Some("\u{e4}"));
        assert_eq!(asked.version.as_deref(), Some("1%zz"));
        assert_eq!(asked.segment.as_deref(), Some("\0"));
    }

    #[test]
    fn cursors_come_back_as_they_went() {
        for numbers in [[0, 0], [1_763_632_800_123, -1], [i64::MAX, i64::MIN]] {
            let asked = read(&format!("cursor={}", cursor(&numbers))).unwrap();
            assert_eq!(asked.cursor::<2>().unwrap(), Some(numbers));
        }
        assert_eq!(read("limit=500").unwrap().limit().unwrap(), 500);
        assert_eq!(
            read("kind=undo_storm").unwrap().kind().unwrap(),
            Some(IncidentKind::UndoStorm)
        );
    }
}
