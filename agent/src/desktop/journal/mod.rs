//! What Snag knows of a day, from the copies that the spool keeps. Pure: records in, a [`Day`] out.
//!
//! **Invariants:** the terms of a score add up to the score to the last digit that is shown; a text is said only
//! while this computer still knows it from this run, since the journal holds hashes alone.

mod incidents;
mod places;
mod scores;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use snag_spool::StoredRecord;
use snag_wire::{LabelHash, Record};

use super::view::Day;
pub use incidents::incident_sentence;
use incidents::incident_view;
use places::{screens, spans};
use scores::session_view;

/// How long the journal is kept.
pub const KEPT_MS: u64 = 7 * 86_400_000;

/// What a day is told with.
pub struct Teller<'a> {
    /// The computer's time zone.
    pub zone: TimeZone,
    /// A label's text, where it is known.
    pub text: &'a dyn Fn(LabelHash) -> Option<String>,
    /// Until when something is known: now, or when capture ended.
    pub until_ms: i64,
}

/// The first moment of a day and of the next, in milliseconds since 1970.
#[must_use]
pub fn bounds(date: Date, zone: &TimeZone) -> Option<(i64, i64)> {
    let begins = date.to_zoned(zone.clone()).ok()?;
    let ends = date.tomorrow().ok()?.to_zoned(zone.clone()).ok()?;
    Some((
        begins.timestamp().as_millisecond(),
        ends.timestamp().as_millisecond(),
    ))
}

/// The days of some moments, newest first.
#[must_use]
pub fn days(times_ms: &[i64], zone: &TimeZone) -> Vec<Date> {
    let mut days: Vec<Date> = times_ms
        .iter()
        .filter_map(|at_ms| Timestamp::from_millisecond(*at_ms).ok())
        .map(|at| at.to_zoned(zone.clone()).date())
        .collect();
    days.sort_unstable();
    days.dedup();
    days.reverse();
    days
}

/// A day of records, which are those of the day by time.
#[must_use]
pub fn day(
    date: Date,
    days: &[Date],
    records: &[StoredRecord],
    teller: &Teller<'_>,
) -> Option<Day> {
    let (begins_ms, ends_ms) = bounds(date, &teller.zone)?;
    let mut incidents = Vec::new();
    let mut sessions = Vec::new();
    for record in records {
        match &record.record {
            Record::Incident(incident) => incidents.push(incident_view(record, incident, teller)),
            Record::Session(session) => sessions.push(session_view(record, session)),
            _ => {}
        }
    }
    Some(Day {
        date: date.to_string(),
        days: days.iter().map(Date::to_string).collect(),
        begins: at(begins_ms),
        spans: spans(records, teller.until_ms.min(ends_ms)),
        incidents,
        sessions,
        screens: screens(records, teller),
    })
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or_default()
}

fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}
