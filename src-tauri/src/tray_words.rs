//! What the tray says, as data: the menu is built from it, and tests read it without a display.

use jiff::{Timestamp, tz::TimeZone};
use snag_agent::desktop::view::{CaptureState, Icon, Overview, Sentence};

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
    /// Both in one, for whoever can't see the icon or doesn't open its menu.
    pub summary: String,
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
        let state = state(words, overview, now, zone);
        let sync = sync(words, overview, now);
        let summary = match overview.capture {
            // Both lines say the same.
            CaptureState::NotEnrolled => state.clone(),
            _ => format!("{state}. {sync}"),
        };
        Self {
            icon: overview.icon,
            state,
            sync,
            summary,
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

fn state(words: &Words, overview: &Overview, now: Timestamp, zone: &TimeZone) -> String {
    let said = match &overview.capture {
        CaptureState::NotEnrolled => words.say("tray.state.not_enrolled", &[]),
        CaptureState::NotAcknowledged => words.say("tray.state.not_acknowledged", &[]),
        CaptureState::Unavailable { .. } => words.say("tray.state.unavailable", &[]),
        CaptureState::Paused { until: None } => words.say("tray.state.paused", &[]),
        CaptureState::Paused { until: Some(until) } => {
            let time = until_when(words, *until, now, zone);
            words.say("tray.state.paused_until", &[("time", &time)])
        }
        CaptureState::Capturing => match (&overview.concern, overview.unread_replies) {
            (Some(problem), _) => short(words, "state", problem)
                .unwrap_or_else(|| words.say("tray.state.attention", &[])),
            (None, 0) => words.say("tray.state.capturing", &[]),
            (None, unread) => words.say("tray.state.unread", &[("count", &unread.to_string())]),
        },
    };
    words.say("tray.tooltip", &[("state", &said)])
}

/// A problem in the few words that a line of the menu has room for.
fn short(words: &Words, line: &str, problem: &Sentence) -> Option<String> {
    let kind = problem.key.strip_prefix("problem.")?;
    let key = format!("tray.{line}.{kind}");
    words.has(&key).then(|| words.say(&key, &[]))
}

/// A time by the computer's clock, with its day where that isn't today.
fn until_when(words: &Words, until: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let (until, now) = (until.to_zoned(zone.clone()), now.to_zoned(zone.clone()));
    let time = until.strftime("%H:%M").to_string();
    if until.date() == now.date() {
        time
    } else if now.date().tomorrow().is_ok_and(|day| day == until.date()) {
        words.say("time.tomorrow", &[("time", &time)])
    } else {
        format!("{}, {time}", until.date())
    }
}

fn sync(words: &Words, overview: &Overview, now: Timestamp) -> String {
    let waiting = overview.waiting();
    let count = waiting.to_string();
    let count = [("count", count.as_str())];
    if overview.capture == CaptureState::NotEnrolled {
        return words.say("tray.sync.not_enrolled", &[]);
    }
    if let Some(problem) = &overview.server_problem {
        let why = short(words, "why", problem);
        let why = why.unwrap_or_else(|| words.say("tray.why.offline", &[]));
        return words.say("tray.sync.kept", &[("why", &why), count[0]]);
    }
    // Somebody who wrote before reading the first page may want to know that it arrived.
    if overview.capture == CaptureState::NotAcknowledged
        && waiting == 0
        && overview.last_sent_at.is_none()
    {
        return words.say("tray.sync.not_acknowledged", &[]);
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
            server_problem: None,
            concern: None,
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
        overview.server_problem = Some(problem("offline"));
        assert_eq!(said(&overview, 5).sync, "Offline, nothing to send");
        overview.waiting_records = 3;
        assert_eq!(said(&overview, 5).sync, "Offline, 3 kept here");
        overview.server_problem = None;
        overview.last_sent_at = None;
        assert_eq!(said(&overview, 5).sync, "Nothing sent yet, 3 waiting");
    }

    #[test]
    fn what_keeps_the_server_from_taking_anything_is_said_as_it_is() {
        for (kind, state, sync) in [
            (
                "unauthorized",
                "Snag: the server refused this computer's token: ask IT",
                "Token refused, 37 kept here",
            ),
            (
                "certificate",
                "Snag: the server's certificate isn't the right one: tell IT",
                "Certificate not trusted, 37 kept here",
            ),
            (
                "server_internal",
                "Snag: the server has a fault; everything is kept here",
                "Server at fault, 37 kept here",
            ),
            (
                "offline",
                "Snag: the server can't be reached; everything is kept here",
                "Offline, 37 kept here",
            ),
        ] {
            let mut overview = overview();
            overview.server_problem = Some(problem(kind));
            overview.concern = Some(problem(kind));
            let now = said(&overview, 0);
            assert_eq!((now.state.as_str(), now.sync.as_str()), (state, sync));
            assert_eq!(now.summary, format!("{state}. {sync}"));
        }
        // In both languages, whatever the server does.
        for language in [Language::English, Language::German] {
            let words = Words::of(language);
            for kind in [
                "offline",
                "strange",
                "server_down",
                "too_many",
                "server_full",
                "server_internal",
                "unauthorized",
                "certificate",
                "server_refused",
            ] {
                for line in ["state", "why"] {
                    assert!(
                        short(&words, line, &problem(kind)).is_some(),
                        "{line} {kind}"
                    );
                }
            }
        }
    }

    #[test]
    fn what_needs_the_person_is_named() {
        let mut overview = overview();
        overview.unread_replies = 2;
        assert_eq!(said(&overview, 0).state, "Snag: 2 new answers for you");
        overview.concern = Some(problem("disk_full"));
        assert_eq!(
            said(&overview, 0).state,
            "Snag: this computer's disk is full"
        );
        overview.concern = Some(problem("something_new"));
        assert_eq!(said(&overview, 0).state, "Snag: something needs you");
    }

    fn problem(kind: &str) -> Sentence {
        Sentence {
            key: format!("problem.{kind}"),
            values: Default::default(),
        }
    }

    #[test]
    fn a_pause_until_tomorrow_says_so_as_long_as_that_is_true() {
        let zone = TimeZone::get("Europe/Berlin").expect("a zone");
        let paused = |until: &str, now: &str, language| {
            let mut overview = overview();
            let until = until.parse().expect("a time");
            overview.capture = CaptureState::Paused { until: Some(until) };
            let now = now.parse().expect("a time");
            TrayWords::of(&Words::of(language), &overview, now, &zone).state
        };
        let six = "2026-11-21T06:00:00+01:00";
        for (now, english, german) in [
            (
                "2026-11-20T22:00:00+01:00",
                "tomorrow, 06:00",
                "morgen, 06:00",
            ),
            (
                "2026-11-20T00:30:00+01:00",
                "tomorrow, 06:00",
                "morgen, 06:00",
            ),
            ("2026-11-21T00:00:00+01:00", "06:00", "06:00"),
            (
                "2026-11-19T23:59:59+01:00",
                "2026-11-21, 06:00",
                "2026-11-21, 06:00",
            ),
        ] {
            let said = paused(six, now, Language::English);
            assert_eq!(said, format!("Snag: paused until {english}"));
            let said = paused(six, now, Language::German);
            assert_eq!(said, format!("Snag: pausiert bis {german}"));
        }
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
