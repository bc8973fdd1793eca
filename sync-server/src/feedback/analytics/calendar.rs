//! Where periods begin: hours, days, weeks and months as they are where the caller lives.
//!
//! **Invariant:** the periods of a span follow one another without gap or overlap. A day
//! on which clocks change has 23 or 25 hours; an hour that comes twice is two periods.

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan, Zoned};

use crate::ApiError;

/// How long a period is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interval {
    Hour,
    Day,
    Week,
    Month,
}

impl Interval {
    pub(super) const WORDS: [(&'static str, Self); 4] = [
        ("hour", Self::Hour),
        ("day", Self::Day),
        ("week", Self::Week),
        ("month", Self::Month),
    ];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }
}

/// The beginnings of the periods that [`from`, `to`) touches, in order. The first may lie
/// before `from`.
pub(super) fn beginnings(
    interval: Interval,
    tz: &TimeZone,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<Zoned>, ApiError> {
    let mut at = first(interval, &from.to_zoned(tz.clone())).map_err(|e| ApiError::internal(&e))?;
    let mut beginnings = Vec::new();
    while at.timestamp() < to {
        let next = after(interval, &at).map_err(|error| ApiError::internal(&error))?;
        // A day that a zone left out begins with the next.
        if next.timestamp() > from && next > at {
            beginnings.push(at);
        }
        at = next;
    }
    Ok(beginnings)
}

fn first(interval: Interval, at: &Zoned) -> Result<Zoned, jiff::Error> {
    let date = at.date();
    let date = match interval {
        Interval::Hour => {
            let past_s = i64::from(at.minute()) * 60 + i64::from(at.second());
            let past = SignedDuration::new(past_s, at.subsec_nanosecond());
            let began = at.checked_sub(past)?;
            if began.offset() == at.offset() {
                return Ok(began);
            }
            // Where clocks were put forward or back by half an hour, the hour began there.
            let here = at.timestamp().checked_add(1.nanosecond())?;
            let change = at.time_zone().preceding(here).next();
            return Ok(change.map_or(began, |change| {
                change.timestamp().to_zoned(at.time_zone().clone())
            }));
        }
        Interval::Day => date,
        Interval::Week => monday(date)?,
        Interval::Month => date.first_of_month(),
    };
    date.to_zoned(at.time_zone().clone())
}

fn monday(date: Date) -> Result<Date, jiff::Error> {
    if date.weekday() == Weekday::Monday {
        Ok(date)
    } else {
        date.nth_weekday(-1, Weekday::Monday)
    }
}

fn after(interval: Interval, at: &Zoned) -> Result<Zoned, jiff::Error> {
    let date = at.date();
    let date = match interval {
        Interval::Hour => {
            let left = 3_600 - i64::from(at.minute()) * 60 - i64::from(at.second());
            let next = at.checked_add(SignedDuration::from_secs(left))?;
            // Where clocks change in the middle, the hour ends there.
            let changed = at
                .time_zone()
                .following(at.timestamp())
                .find(|change| change.offset() != at.offset())
                .filter(|change| change.timestamp() < next.timestamp());
            return Ok(match changed {
                Some(change) => change.timestamp().to_zoned(at.time_zone().clone()),
                None => next,
            });
        }
        Interval::Day => date.checked_add(1.day())?,
        Interval::Week => monday(date)?.checked_add(1.week())?,
        Interval::Month => date.first_of_month().checked_add(1.month())?,
    };
    date.to_zoned(at.time_zone().clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(interval: Interval, tz: &str, from: &str, to: &str) -> Vec<String> {
        let tz = TimeZone::get(tz).unwrap();
        beginnings(interval, &tz, from.parse().unwrap(), to.parse().unwrap())
            .unwrap()
            .iter()
            .map(|at| at.strftime("%Y-%m-%dT%H:%M%:z").to_string())
            .collect()
    }

    #[test]
    fn days_have_as_many_hours_as_they_have() {
        let berlin = "Europe/Berlin";
        assert_eq!(
            shown(
                Interval::Day,
                berlin,
                "2026-10-24T22:00:00Z",
                "2026-10-26T23:00:00Z"
            ),
            ["2026-10-25T00:00+02:00", "2026-10-26T00:00+01:00"]
        );
        let hours = |from, to| shown(Interval::Hour, berlin, from, to);
        assert_eq!(
            hours("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z").len(),
            25
        );
        assert_eq!(
            hours("2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z").len(),
            23
        );
        assert_eq!(
            hours("2026-10-25T00:30:00Z", "2026-10-25T02:00:00Z"),
            ["2026-10-25T02:00+02:00", "2026-10-25T02:00+01:00"]
        );
    }

    #[test]
    fn weeks_begin_on_monday_and_months_on_the_first() {
        assert_eq!(
            shown(
                Interval::Week,
                "America/New_York",
                "2026-11-01T12:00:00Z",
                "2026-11-10T00:00:00Z"
            ),
            [
                "2026-10-26T00:00-04:00",
                "2026-11-02T00:00-05:00",
                "2026-11-09T00:00-05:00"
            ]
        );
        assert_eq!(
            shown(
                Interval::Month,
                "Asia/Kathmandu",
                "2026-01-31T18:15:00Z",
                "2026-03-31T18:15:00Z"
            ),
            ["2026-02-01T00:00+05:45", "2026-03-01T00:00+05:45"]
        );
    }

    #[test]
    fn zones_with_odd_changes_have_no_gap() {
        // Midnight that doesn't exist, a day left out, a change of half an hour, a change
        // at a quarter to the hour.
        for (tz, from, to) in [
            (
                "America/Sao_Paulo",
                "2018-11-01T00:00:00Z",
                "2018-11-08T00:00:00Z",
            ),
            (
                "Pacific/Apia",
                "2011-12-27T00:00:00Z",
                "2012-01-03T00:00:00Z",
            ),
            (
                "Australia/Lord_Howe",
                "2026-04-03T00:00:00Z",
                "2026-04-07T00:00:00Z",
            ),
            (
                "Australia/Lord_Howe",
                "2026-10-02T00:00:00Z",
                "2026-10-06T00:00:00Z",
            ),
            (
                "Pacific/Chatham",
                "2026-04-03T00:00:00Z",
                "2026-04-07T00:00:00Z",
            ),
            (
                "America/St_Johns",
                "2026-10-30T00:00:00Z",
                "2026-11-03T00:00:00Z",
            ),
            (
                "Asia/Kolkata",
                "2026-10-30T00:00:00Z",
                "2026-11-03T00:00:00Z",
            ),
        ] {
            let tz = TimeZone::get(tz).unwrap();
            let (from, to): (Timestamp, Timestamp) = (from.parse().unwrap(), to.parse().unwrap());
            for (_, interval) in Interval::WORDS {
                let found = beginnings(interval, &tz, from, to).unwrap();
                assert!(found[0].timestamp() <= from, "{tz:?} {interval:?}");
                assert!(
                    found.is_sorted_by(|a, b| a < b),
                    "{tz:?} {interval:?} {found:?}"
                );
                for pair in found.windows(2) {
                    let hours = (pair[1].timestamp() - pair[0].timestamp()).get_seconds();
                    let bound = match interval {
                        Interval::Hour => 1..=3_600,
                        Interval::Day => 23 * 3_600..=25 * 3_600,
                        Interval::Week => 5 * 86_400..=8 * 86_400,
                        Interval::Month => 27 * 86_400..=32 * 86_400,
                    };
                    assert!(bound.contains(&hours), "{tz:?} {interval:?} {pair:?}");
                }
                // A period touched late begins where it began when touched early.
                for at in &found[1..] {
                    for later in [0, 1, 1_799, 1_800, 3_599] {
                        let inside = at.timestamp() + SignedDuration::from_secs(later);
                        let last = found.iter().rfind(|b| b.timestamp() <= inside).unwrap();
                        if interval == Interval::Hour && inside < to {
                            let again = first(interval, &inside.to_zoned(tz.clone())).unwrap();
                            assert_eq!(&again, last, "{inside}");
                        }
                    }
                }
            }
        }
    }
}
