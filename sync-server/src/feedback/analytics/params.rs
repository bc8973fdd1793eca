//! The parameters of analytics, strictly: what isn't known or can't be read is refused by
//! its name.

use http::Uri;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};
use serde::Deserialize;
use snag_wire::Category;
use snag_wire::limits::{LABEL_CHARS_MAX, NAME_CHARS_MAX};
use utoipa::{IntoParams, ToSchema};

use super::calendar::{self, Interval};
use crate::{ApiError, params};

/// The period where none is given.
const DEFAULT_DAYS: i64 = 30;
/// Longest period: 400 days of hours are what a chart and an answer can hold.
const SPAN_DAYS_MAX: i64 = 400;
/// Series where `limit` isn't given, and most of them.
const DEFAULT_LIMIT: usize = 10;
const LIMIT_MAX: usize = 100;

/// Parameters that every route takes.
const COMMON: &[&str] = &[
    "from", "to", "interval", "tz", "product", "app", "screen", "version", "segment", "category",
];

/// What every route takes.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read by the document alone")]
pub(crate) struct Common {
    /// The first moment that counts: RFC 3339, or a date, which begins at midnight in
    /// `tz`. 30 days before `to` unless given.
    from: Option<String>,
    /// The first moment that doesn't count any more: RFC 3339, or a date, which begins at
    /// midnight in `tz`. The end of this hour unless given.
    to: Option<String>,
    /// How long a period is; `day` unless given. Weeks begin on Monday.
    #[param(inline)]
    interval: Option<Length>,
    /// The time zone that periods begin in, by its IANA name (`Europe/Berlin`); `UTC`
    /// unless given.
    tz: Option<String>,
    /// Only this product.
    #[param(min_length = 1, max_length = 64)]
    product: Option<String>,
    /// Only this program.
    #[param(min_length = 1, max_length = 64)]
    app: Option<String>,
    /// Only this screen: as it was submitted.
    #[param(min_length = 1, max_length = 200)]
    screen: Option<String>,
    /// Only this version of the agent.
    #[param(min_length = 1, max_length = 64)]
    version: Option<String>,
    /// Only this part of the organisation.
    #[param(min_length = 1, max_length = 64)]
    segment: Option<String>,
    /// Only this category.
    #[param(inline)]
    category: Option<Category>,
}

/// What routes with series take beside.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read by the document alone")]
pub(crate) struct Limit {
    /// Series of their own, the most frequent first; 10 unless given. The rest is summed
    /// as `other`.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
}

/// How long a period is.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Length {
    /// An hour.
    Hour,
    /// From midnight to midnight.
    Day,
    /// From Monday to Sunday.
    Week,
    /// A month of the calendar.
    Month,
}

/// What is asked, checked.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) from_ms: i64,
    pub(super) to_ms: i64,
    pub(super) interval: Interval,
    /// The zone's name as it was asked for.
    pub(super) tz: String,
    /// Where the periods begin, in order; the first may lie before `from_ms`.
    pub(super) beginnings: Vec<Zoned>,
    /// Columns that have to have these values.
    pub(super) filters: Vec<(&'static str, String)>,
    pub(super) limit: usize,
}

impl Asked {
    pub(super) fn read(uri: &Uri, with_limit: bool, now: Timestamp) -> Result<Self, ApiError> {
        let mut allowed = COMMON.to_vec();
        if with_limit {
            allowed.push("limit");
        }
        let mut given = params::read(uri, &allowed)?;
        let tz_name = given.remove("tz").unwrap_or_else(|| "UTC".to_owned());
        let tz = zone(&tz_name)?;
        let interval = params::word(&given, "interval", &Interval::WORDS)?;
        let interval = interval.unwrap_or(Interval::Day);
        let (from_ms, to_ms) = span(given.remove("from"), given.remove("to"), &tz, now)?;
        let beginnings = calendar::beginnings(interval, &tz, stamp(from_ms), stamp(to_ms))?;
        let mut filters = Vec::new();
        for (name, chars_max) in [
            ("product", NAME_CHARS_MAX),
            ("app", NAME_CHARS_MAX),
            ("screen", LABEL_CHARS_MAX),
            ("version", NAME_CHARS_MAX),
            ("segment", NAME_CHARS_MAX),
        ] {
            if let Some(value) = params::text(&given, name, chars_max)? {
                filters.push((name, value));
            }
        }
        let words = Category::ALL.map(|category| (category.as_str(), category.as_str()));
        if let Some(value) = params::word(&given, "category", &words)? {
            filters.push(("category", value.to_owned()));
        }
        let limit = params::count(&given, "limit", LIMIT_MAX)?.unwrap_or(DEFAULT_LIMIT);
        Ok(Self {
            from_ms,
            to_ms,
            interval,
            tz: tz_name,
            beginnings,
            filters,
            limit,
        })
    }

    pub(super) fn has_filter(&self, column: &str) -> bool {
        self.filters.iter().any(|(name, _)| *name == column)
    }
}

fn zone(name: &str) -> Result<TimeZone, ApiError> {
    let wrong = || {
        let detail = "It takes the IANA name of a time zone, such as Europe/Berlin or UTC.";
        ApiError::invalid_parameter("tz", detail)
    };
    let plain = !name.is_empty()
        && name.len() <= 64
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'_' | b'-' | b'+'));
    if !plain {
        return Err(wrong());
    }
    let zone = TimeZone::get(name).map_err(|_| wrong())?;
    // What "here" is depends on the server; no caller means that.
    if zone.iana_name().is_none() && !name.eq_ignore_ascii_case("utc") {
        return Err(wrong());
    }
    Ok(zone)
}

fn span(
    from: Option<String>,
    to: Option<String>,
    tz: &TimeZone,
    now: Timestamp,
) -> Result<(i64, i64), ApiError> {
    const HOUR_MS: i64 = 3_600_000;
    let to_ms = match to {
        Some(text) => moment("to", &text, tz)?,
        None => (now.as_millisecond() / HOUR_MS + 1) * HOUR_MS,
    };
    let from_ms = match from {
        Some(text) => moment("from", &text, tz)?,
        None => {
            let day = stamp(to_ms).to_zoned(tz.clone()).date();
            let first = day
                .checked_sub(DEFAULT_DAYS.days())
                .and_then(|day| day.to_zoned(tz.clone()))
                .map_err(|error| ApiError::internal(&error))?;
            first.timestamp().as_millisecond().max(0)
        }
    };
    if from_ms >= to_ms {
        let detail = "It has to lie before `to` (which is the end of this hour where not given). \
                      The period runs from `from` until before `to`.";
        return Err(ApiError::invalid_parameter("from", detail));
    }
    // A zone's clocks may have gone back in between.
    if to_ms - from_ms > SPAN_DAYS_MAX * 24 * HOUR_MS + 2 * HOUR_MS {
        let detail = format!("A period is at most {SPAN_DAYS_MAX} days long. Move `from` closer.");
        return Err(ApiError::invalid_parameter("from", detail));
    }
    Ok((from_ms, to_ms))
}

/// A moment, or a date, which begins where the caller lives.
fn moment(parameter: &str, text: &str, tz: &TimeZone) -> Result<i64, ApiError> {
    let ms = params::as_moment_ms(parameter, text)?;
    if text.len() != 10 {
        return Ok(ms);
    }
    let date: Date = text.parse().map_err(|e| ApiError::internal(&e))?;
    let begins = date
        .to_zoned(tz.clone())
        .map_err(|e| ApiError::internal(&e))?;
    Ok(begins.timestamp().as_millisecond().max(0))
}

pub(super) fn stamp(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<Asked, ApiError> {
        let uri: Uri = format!("/v1/x?{query}").parse().unwrap();
        Asked::read(&uri, true, "2026-11-20T09:41:07.5Z".parse().unwrap())
    }

    #[test]
    fn a_date_begins_where_the_caller_lives() {
        let asked = read("tz=Asia/Kolkata&from=2026-11-01&to=2026-11-03").unwrap();
        assert_eq!(stamp(asked.from_ms).to_string(), "2026-10-31T18:30:00Z");
        assert_eq!(stamp(asked.to_ms).to_string(), "2026-11-02T18:30:00Z");
        assert_eq!(asked.beginnings.len(), 2);
        let asked = read("").unwrap();
        assert_eq!(stamp(asked.from_ms).to_string(), "2026-10-21T00:00:00Z");
        assert_eq!(stamp(asked.to_ms).to_string(), "2026-11-20T10:00:00Z");
        assert_eq!((asked.tz.as_str(), asked.interval), ("UTC", Interval::Day));
        assert_eq!(asked.beginnings.len(), 31);
    }

    #[test]
    fn bad_parameters_name_themselves() {
        for (query, field) in [
            ("tz=Europe/Nowhere", "tz"),
            ("tz=", "tz"),
            ("tz=local", "tz"),
            ("tz=../../etc/passwd", "tz"),
            ("tz=Etc/Unknown", "tz"),
            ("tz=%2B02:00", "tz"),
            ("interval=minute", "interval"),
            ("interval=", "interval"),
            ("interval=Day", "interval"),
            ("from=yesterday", "from"),
            ("from=2026-11-20&to=2026-11-20", "from"),
            ("from=2025-01-01&to=2026-11-20", "from"),
            ("to=2026-13-01", "to"),
            ("app=", "app"),
            ("app=a&app=b", "app"),
            ("category=rant", "category"),
            ("limit=0", "limit"),
            ("limit=101", "limit"),
            ("limit=+5", "limit"),
            ("limit=", "limit"),
            ("granularity=day", "granularity"),
            ("screen=%FF", "screen"),
        ] {
            let error = read(query).unwrap_err();
            assert_eq!(error.status(), http::StatusCode::BAD_REQUEST, "{query}");
            assert_eq!(error.field(), Some(field), "{query}");
        }
    }
}
