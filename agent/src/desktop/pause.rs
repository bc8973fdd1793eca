//! Until when nothing is captured: what the person said, and the daily times of the settings.
//!
//! **Invariant:** what can't be read counts as paused. A pause that a damaged file or a full disk turned into
//! capture would be the one thing that a pause must not be.

use std::io;
use std::path::Path;

use jiff::civil::Time;
use jiff::{SignedDuration, Timestamp, Zoned};
use serde::{Deserialize, Serialize};

use super::view::{PauseFor, PauseRule};
use crate::config::write_private;

/// What the person said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Pause {
    /// Not paused.
    #[default]
    Off,
    /// Until then.
    Until {
        /// When it goes on by itself.
        at: Timestamp,
    },
    /// Until the person resumes.
    UntilResumed,
}

impl Pause {
    /// What a choice of the menu means at `now`.
    #[must_use]
    pub fn begin(choice: PauseFor, now: &Zoned) -> Self {
        let after = |hours_quarters: i64| Self::Until {
            at: now.timestamp() + SignedDuration::from_mins(hours_quarters * 15),
        };
        match choice {
            PauseFor::QuarterHour => after(1),
            PauseFor::Hour => after(4),
            PauseFor::UntilTomorrow => {
                let morning = now
                    .date()
                    .tomorrow()
                    .and_then(|day| day.at(6, 0, 0, 0).to_zoned(now.time_zone().clone()));
                match morning {
                    Ok(at) => Self::Until { at: at.timestamp() },
                    // The calendar ends; so does the question.
                    Err(_) => Self::UntilResumed,
                }
            }
            PauseFor::UntilResumed => Self::UntilResumed,
        }
    }

    /// Whether it holds at `now`.
    #[must_use]
    pub fn holds(self, now: Timestamp) -> bool {
        match self {
            Self::Off => false,
            Self::Until { at } => now < at,
            Self::UntilResumed => true,
        }
    }

    /// What was kept; a file that can't be read counts as a pause without an end.
    #[must_use]
    pub fn load(path: &Path) -> Self {
        match std::fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or(Self::UntilResumed),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::Off,
            Err(_) => Self::UntilResumed,
        }
    }

    /// Keeps it for the next start.
    ///
    /// # Errors
    /// When the folder can't be written to.
    pub fn save(self, path: &Path) -> io::Result<()> {
        if self == Self::Off {
            return match std::fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            };
        }
        write_private(path, &serde_json::to_vec(&self).map_err(io::Error::other)?)
    }
}

/// Reads `HH:MM`.
#[must_use]
pub fn time_of_day(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let digits = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(hour) || !digits(minute) {
        return None;
    }
    Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
}

/// Until when a rule of the settings holds at `now`; none where none does. The latest end of those that hold.
#[must_use]
pub fn rule_end(rules: &[PauseRule], now: &Zoned) -> Option<Timestamp> {
    let moment = now.timestamp();
    let spans = rules.iter().flat_map(|rule| spans(rule, now));
    spans
        .filter(|(begins, ends)| *begins <= moment && moment < *ends)
        .map(|(_, ends)| ends)
        .max()
}

/// When a rule begins or ends next after `now`, as far as that is before the end of tomorrow.
#[must_use]
pub fn rule_change(rules: &[PauseRule], now: &Zoned) -> Option<Timestamp> {
    let spans = rules.iter().flat_map(|rule| spans(rule, now));
    spans
        .flat_map(|(begins, ends)| [begins, ends])
        .filter(|change| *change > now.timestamp())
        .min()
}

/// When a rule begins and ends around `now`. A time that began yesterday may still go on.
fn spans(rule: &PauseRule, now: &Zoned) -> impl Iterator<Item = (Timestamp, Timestamp)> {
    let times = time_of_day(&rule.from).zip(time_of_day(&rule.to));
    let today = now.date();
    let days = [today.yesterday().ok(), Some(today), today.tomorrow().ok()];
    days.into_iter().flatten().filter_map(move |day| {
        let (from, to) = times?;
        let weekday = day.weekday().to_monday_one_offset();
        if !rule
            .days
            .iter()
            .any(|named| i8::try_from(*named) == Ok(weekday))
        {
            return None;
        }
        let last = if to <= from {
            day.tomorrow().ok()?
        } else {
            day
        };
        let zone = now.time_zone();
        let begins = day.to_datetime(from).to_zoned(zone.clone()).ok()?;
        let ends = last.to_datetime(to).to_zoned(zone.clone()).ok()?;
        Some((begins.timestamp(), ends.timestamp()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Zoned {
        text.parse().unwrap()
    }

    #[test]
    fn choices_of_the_menu() {
        let now = at("2026-11-20T23:50:00+01:00[Europe/Berlin]");
        let until = |choice| match Pause::begin(choice, &now) {
            Pause::Until { at } => at.to_string(),
            other => format!("{other:?}"),
        };
        assert_eq!(until(PauseFor::QuarterHour), "2026-11-20T23:05:00Z");
        assert_eq!(until(PauseFor::Hour), "2026-11-20T23:50:00Z");
        assert_eq!(until(PauseFor::UntilTomorrow), "2026-11-21T05:00:00Z");
        assert_eq!(until(PauseFor::UntilResumed), "UntilResumed");
        let pause = Pause::begin(PauseFor::QuarterHour, &now);
        assert!(pause.holds(now.timestamp()));
        assert!(!pause.holds(now.timestamp() + SignedDuration::from_mins(15)));
    }

    #[test]
    fn a_pause_survives_a_restart_and_a_damaged_file_is_a_pause() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pause.json");
        assert_eq!(Pause::load(&path), Pause::Off);
        let pause = Pause::begin(PauseFor::Hour, &Zoned::now());
        pause.save(&path).unwrap();
        assert_eq!(Pause::load(&path), pause);
        std::fs::write(&path, b"{\"state\":\"un").unwrap();
        assert_eq!(Pause::load(&path), Pause::UntilResumed);
        Pause::Off.save(&path).unwrap();
        assert!(!path.exists());
        Pause::Off.save(&path).unwrap();
    }

    #[test]
    fn rules_of_the_day_and_over_midnight() {
        let rule = |days: &[u8], from: &str, to: &str| PauseRule {
            days: days.to_vec(),
            from: from.into(),
            to: to.into(),
        };
        // A Friday.
        let now = at("2026-11-20T12:30:00+01:00[Europe/Berlin]");
        let lunch = rule(&[1, 2, 3, 4, 5], "12:00", "13:00");
        assert_eq!(
            rule_end(std::slice::from_ref(&lunch), &now)
                .unwrap()
                .to_string(),
            "2026-11-20T12:00:00Z"
        );
        assert_eq!(rule_end(&[rule(&[6], "12:00", "13:00")], &now), None);
        assert_eq!(rule_end(&[rule(&[5], "12:00", "12:30")], &now), None);
        let night = rule(&[4], "22:00", "13:30");
        let evening = rule(&[6], "00:30", "01:00");
        for (rules, change) in [
            (&[lunch.clone()][..], Some("2026-11-20T12:00:00Z")),
            (
                &[night.clone(), lunch.clone()],
                Some("2026-11-20T12:00:00Z"),
            ),
            (std::slice::from_ref(&evening), Some("2026-11-20T23:30:00Z")),
            (&[rule(&[1], "08:00", "09:00")], None),
            (&[], None),
        ] {
            let found = rule_change(rules, &now).map(|at| at.to_string());
            assert_eq!(found.as_deref(), change);
        }
        assert_eq!(
            rule_end(&[lunch, night], &now).unwrap().to_string(),
            "2026-11-20T12:30:00Z"
        );
        for wrong in ["", "1:00", "24:00", "12:60", "ab:cd", "12:00:00", "+1:00"] {
            assert_eq!(time_of_day(wrong), None, "{wrong}");
        }
    }
}
