//! What the tray says, as data: the menu is built from it, and tests read it without a display.

use jiff::{Timestamp, tz::TimeZone};
use snag_agent::desktop::view::{CaptureState, Icon, Overview};

use crate::words::Words;

/// The lines of the menu that change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrayWords {
    /// What the icon shows.
    pub icon: Icon,
    /// What Snag does just now.
    pub state: String,
    /// How sending is going.
    pub sync: String,
    /// The conversations, with the number of new replies.
    pub conversations: String,
    /// Whether the person can resume; else whether they can pause.
    pub paused: bool,
    /// Whether there is anything to pause or resume.
    pub can_pause: bool,
    /// Whether the first page has to be read before anything is captured.
    pub reads_first: bool,
}

impl TrayWords {
    /// What is said of `overview` at `now`.
    #[must_use]
    pub fn of(words: &Words, overview: &Overview, now: Timestamp, zone: &TimeZone) -> Self {
        let unread = overview.unread_replies;
        Self {
            icon: overview.icon,
            state: state(words, overview, zone),
            sync: sync(words, overview, now),
            conversations: if unread == 0 {
                words.say("tray.conversations", &[])
            } else {
                words.say(
                    "tray.conversations_unread",
                    &[("count", &unread.to_string())],
                )
            },
            paused: matches!(overview.capture, CaptureState::Paused { .. }),
            can_pause: matches!(
                overview.capture,
                CaptureState::Paused { .. } | CaptureState::Capturing
            ),
            reads_first: matches!(overview.capture, CaptureState::NotAcknowledged),
        }
    }
}

fn state(words: &Words, overview: &Overview, zone: &TimeZone) -> String {
    let said = match &overview.capture {
        CaptureState::NotEnrolled => words.say("tray.state.not_enrolled", &[]),
        CaptureState::NotAcknowledged => words.say("tray.state.not_acknowledged", &[]),
        CaptureState::Unavailable { .. } => words.say("tray.state.unavailable", &[]),
        CaptureState::Paused { until: None } => words.say("tray.state.paused", &[]),
        CaptureState::Paused { until: Some(until) } => {
            let time = until.to_zoned(zone.clone()).strftime("%H:%M").to_string();
            words.say("tray.state.paused_until", &[("time", &time)])
        }
        CaptureState::Capturing => match overview.icon {
            Icon::Offline => words.say("tray.state.offline", &[]),
            Icon::Attention => words.say("tray.state.attention", &[]),
            Icon::Capturing | Icon::Paused => words.say("tray.state.capturing", &[]),
        },
    };
    words.say("tray.tooltip", &[("state", &said)])
}

fn sync(words: &Words, overview: &Overview, now: Timestamp) -> String {
    let waiting = overview.waiting_records + overview.waiting_feedback;
    let count = waiting.to_string();
    let count = [("count", count.as_str())];
    match overview.capture {
        CaptureState::NotEnrolled => return words.say("tray.sync.not_enrolled", &[]),
        // Somebody who wrote before reading the first page may want to know that it arrived.
        CaptureState::NotAcknowledged if waiting == 0 && overview.last_sent_at.is_none() => {
            return words.say("tray.sync.not_acknowledged", &[]);
        }
        _ => {}
    }
    if overview.offline {
        return match waiting {
            0 => words.say("tray.sync.offline_none", &[]),
            _ => words.say("tray.sync.offline", &count),
        };
    }
    let sent = match overview.last_sent_at {
        None => words.say("tray.sync.never", &[]),
        Some(at) => {
            let minutes = now.as_second().saturating_sub(at.as_second()) / 60;
            let (key, number) = match minutes {
                ..1 => ("tray.sync.just_now", 0),
                1..60 => ("tray.sync.minutes", minutes),
                60..1_440 => ("tray.sync.hours", minutes / 60),
                _ => ("tray.sync.days", minutes / 1_440),
            };
            words.say(key, &[("count", &number.to_string())])
        }
    };
    match waiting {
        0 => words.say("tray.sync.waiting_none", &[("sent", &sent)]),
        _ => words.say("tray.sync.waiting", &[("sent", &sent), count[0]]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Language;

    fn overview() -> Overview {
        Overview {
            icon: Icon::Capturing,
            capture: CaptureState::Capturing,
            organisation: "Desk Ltd".into(),
            contact: "it@example.org".into(),
            waiting_records: 36,
            waiting_feedback: 1,
            sent_feedback: 0,
            refused_feedback: 0,
            last_sent_at: Some(at(0)),
            offline: false,
            unread_replies: 0,
            problems: Vec::new(),
            version: "0.1.0".into(),
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + seconds).expect("in range")
    }

    fn said(overview: &Overview, seconds: i64) -> TrayWords {
        let words = Words::of(Language::English);
        TrayWords::of(&words, overview, at(seconds), &TimeZone::UTC)
    }

    #[test]
    fn the_sync_state_in_words() {
        let mut overview = overview();
        assert_eq!(said(&overview, 125).sync, "Sent 2 minutes ago, 37 waiting");
        assert_eq!(said(&overview, 60).sync, "Sent 1 minute ago, 37 waiting");
        assert_eq!(said(&overview, 7_300).sync, "Sent 2 hours ago, 37 waiting");
        overview.waiting_records = 0;
        assert_eq!(said(&overview, 5).sync, "Sent just now, 1 waiting");
        overview.waiting_feedback = 0;
        assert_eq!(said(&overview, -5).sync, "Sent just now, nothing waiting");
        overview.offline = true;
        assert_eq!(said(&overview, 5).sync, "Offline, nothing to send");
        overview.waiting_records = 3;
        assert_eq!(said(&overview, 5).sync, "Offline, 3 kept here");
        overview.offline = false;
        overview.last_sent_at = None;
        assert_eq!(said(&overview, 5).sync, "Nothing sent yet, 3 waiting");
    }

    #[test]
    fn a_pause_says_until_when() {
        let mut overview = overview();
        assert!(!said(&overview, 0).paused);
        overview.capture = CaptureState::Paused { until: Some(at(0)) };
        overview.icon = Icon::Paused;
        let paused = said(&overview, 0);
        assert!(paused.paused && paused.can_pause);
        let time = at(0).to_zoned(TimeZone::UTC).strftime("%H:%M").to_string();
        assert_eq!(paused.state, format!("Snag: paused until {time}"));
        overview.capture = CaptureState::Paused { until: None };
        assert_eq!(said(&overview, 0).state, "Snag: paused until you resume");
    }

    #[test]
    fn what_cannot_be_paused_offers_no_pause() {
        let mut overview = overview();
        overview.capture = CaptureState::NotAcknowledged;
        let before = said(&overview, 0);
        assert!(!before.can_pause && before.reads_first);
        overview.last_sent_at = None;
        overview.waiting_records = 0;
        overview.waiting_feedback = 0;
        assert_eq!(said(&overview, 0).sync, "Nothing is noticed yet");
        overview.unread_replies = 2;
        assert_eq!(
            said(&overview, 0).conversations,
            "Conversations (2 new replies)…"
        );
    }
}
