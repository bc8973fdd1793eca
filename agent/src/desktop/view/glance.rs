//! Everything at a glance, and how capture is.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What the tray icon says by its shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum Icon {
    /// A knot.
    Capturing,
    /// A straight thread with two bars.
    Paused,
    /// A broken thread: capturing, but the server takes nothing just now.
    Offline,
    /// A knot with a dot: something needs the person.
    Attention,
}

/// Whether this desktop is captured, and if not, why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum CaptureState {
    /// This computer belongs to no organisation yet.
    NotEnrolled,
    /// The person hasn't read the first-run page, or a policy that widened.
    NotAcknowledged,
    /// It is captured.
    Capturing,
    /// The person paused it.
    Paused {
        /// When it goes on by itself; none for "until I resume".
        until: Option<Timestamp>,
    },
    /// It can't be captured.
    Unavailable {
        /// What stands in the way.
        reason: Sentence,
    },
}

/// A sentence of the catalogues: its key and the values in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Sentence {
    /// A key of the catalogues, `problem.disk_full` for instance.
    pub key: String,
    /// The values, by name.
    pub values: BTreeMap<String, String>,
}

/// Everything at a glance: the tray, and the head of each window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Overview {
    /// What the tray shows.
    pub icon: Icon,
    /// Whether this desktop is captured.
    pub capture: CaptureState,
    /// The organisation's name; empty where there is none.
    pub organisation: String,
    /// Whom a person can ask.
    pub contact: String,
    /// Records that wait to be sent.
    pub waiting_records: u64,
    /// Feedback that waits to be sent.
    pub waiting_feedback: u64,
    /// Feedback that was sent, as far as it is kept here.
    pub sent_feedback: u64,
    /// Feedback that the server refused.
    pub refused_feedback: u64,
    /// When the server last took something: records or feedback.
    pub last_sent_at: Option<Timestamp>,
    /// What keeps the server from taking anything; none while it takes what is sent.
    pub server_problem: Option<Sentence>,
    /// What is said of the state besides whether this desktop is captured: the first problem that needs somebody; else,
    /// where no reply waits to be read, what keeps the server from taking anything.
    pub concern: Option<Sentence>,
    /// Replies that weren't read.
    pub unread_replies: u64,
    /// What is wrong, most urgent first: what needs somebody comes before what mends itself.
    pub problems: Vec<Sentence>,
    /// The program's version.
    pub version: String,
}

impl Overview {
    /// What is shown before the first look: nothing is known, and nothing captured.
    #[must_use]
    pub fn blank(version: &str) -> Self {
        Self {
            icon: Icon::Attention,
            capture: CaptureState::NotEnrolled,
            organisation: String::new(),
            contact: String::new(),
            waiting_records: 0,
            waiting_feedback: 0,
            sent_feedback: 0,
            refused_feedback: 0,
            last_sent_at: None,
            server_problem: None,
            concern: None,
            unread_replies: 0,
            problems: Vec::new(),
            version: version.to_owned(),
        }
    }

    /// All that waits to be sent: the one number that every place shows.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.waiting_records + self.waiting_feedback
    }
}

impl Sentence {
    /// Whether a problem stays until the person or IT does something about it. A server that can't be reached, is busy,
    /// full or at fault comes back without either, and what it refused is for whoever wants to look.
    #[must_use]
    pub fn needs_somebody(&self) -> bool {
        !matches!(
            self.key.as_str(),
            "problem.offline"
                | "problem.server_down"
                | "problem.too_many"
                | "problem.server_full"
                | "problem.server_internal"
                | "problem.records_refused"
                | "problem.feedback_refused"
        )
    }
}

/// For how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum PauseFor {
    /// Fifteen minutes.
    QuarterHour,
    /// An hour.
    Hour,
    /// Until six in the morning of the next day, by the computer's clock.
    UntilTomorrow,
    /// Until the person resumes.
    UntilResumed,
}

/// One source of capture, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct HealthLine {
    /// `input`, `windows`, `elements`, `answers`, `notifications`, `tray`, `server`, `storage`.
    pub source: String,
    /// Whether it works.
    pub ok: bool,
    /// What is the matter and what to do; a praise in few words where nothing is.
    pub sentence: Sentence,
}
