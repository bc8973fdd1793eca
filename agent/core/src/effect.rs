//! What the engine wants done: effects as data, for the shell to carry out.
//!
//! **Invariant:** no type here holds a coordinate, a key or raw text, with one
//! exception: [`LabelText::text`], a normalised label, whose `Debug` hides it.

use std::fmt;
use std::sync::Arc;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::input::words;

/// Something to do, in this order.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Keep this record and send it.
    Record(Record),
    /// A run crossed its threshold: this is the moment to ask the person.
    AskForFeedback {
        /// Which detector.
        kind: IncidentKind,
        /// When, in milliseconds of the input's time.
        t: u64,
        /// Where.
        screen: ScreenRef,
    },
    /// A label's text, to keep on the device until someone may read it.
    Label(LabelText),
    /// An input was not looked at.
    Dropped {
        /// Why.
        reason: DropReason,
    },
}

/// Why an input was not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DropReason {
    /// The program with the focus is not to be looked at.
    AppExcluded,
    /// A private (incognito) window has the focus.
    PrivateWindow,
}

impl DropReason {
    /// A stable word for counters.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AppExcluded => "app_excluded",
            Self::PrivateWindow => "private_window",
        }
    }
}

/// The keyed hash that stands for a label: the first 8 bytes of HMAC-SHA-256 over the
/// normalised text, under the organisation's key. Written as 16 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct LabelHash(pub [u8; 8]);

impl fmt::Display for LabelHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl fmt::Debug for LabelHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl LabelHash {
    /// Reads 16 lower-case hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let lower = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != 16 || !text.bytes().all(lower) {
            return None;
        }
        u64::from_str_radix(text, 16)
            .ok()
            .map(|value| Self(value.to_be_bytes()))
    }
}

impl Serialize for LabelHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LabelHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = LabelHash;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("16 lower-case hexadecimal digits")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<LabelHash, E> {
                LabelHash::parse(text)
                    .ok_or_else(|| E::invalid_value(de::Unexpected::Other("other text"), &self))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// A screen, without its title.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ScreenRef {
    /// The program: lower case, at most 64 characters; empty where nothing had the focus.
    pub app: Arc<str>,
    /// Tells screens apart for the detectors: a keyed hash of the exact app and screen.
    /// It stays on the device.
    pub identity: u64,
    /// What leaves: the keyed hash of the normalised title.
    pub label: LabelHash,
}

impl ScreenRef {
    /// The place of inputs before any focus is known.
    #[must_use]
    pub fn nowhere() -> Self {
        Self {
            app: Arc::from(""),
            identity: 0,
            label: LabelHash::default(),
        }
    }
}

/// A record to keep and send.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// When it began, in milliseconds of the input's time.
    pub t: u64,
    /// The session, rising by one.
    pub session: u32,
    /// Where it happened; of a session, where it ended.
    pub screen: ScreenRef,
    /// What it says.
    pub body: Body,
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Body {
    /// Something the person or a program did.
    Event(EventRecord),
    /// A session that ended.
    Session(Box<SessionRecord>),
    /// A screen in a session that ended.
    Screen(ScreenRecord),
    /// A run of friction that ended.
    Incident(IncidentRecord),
}

words! {
    /// What an event was.
    pub EventKind {
        /// Press and release of a button in one place.
        Click = "click",
        /// Press and release of a button in two places.
        Drag = "drag",
        /// A run of wheel steps.
        Scroll = "scroll",
        /// A run of pointer moves.
        Move = "move",
        /// A run of keys of one class.
        Key = "key",
        /// Another app or screen has the focus.
        Focus = "focus",
        /// A program said that a task began or ended.
        Task = "task",
        /// A program said that an error occurred.
        Error = "error",
    }
}

words! {
    /// The kinds of friction, in the order in which simultaneous ones are reported.
    pub IncidentKind {
        /// Fast clicks on one target.
        RageClick = "rage_click",
        /// A click that nothing answered.
        DeadClick = "dead_click",
        /// A look into the wrong place.
        Backtrack = "backtrack",
        /// A task that was not finished.
        AbandonedTask = "abandoned_task",
        /// The same error again and again.
        ErrorLoop = "error_loop",
        /// One undo after the other.
        UndoStorm = "undo_storm",
    }
}

words! {
    /// What a label names.
    pub LabelKind {
        /// A screen's title.
        Screen = "screen",
        /// An element's name.
        Element = "element",
        /// A task's name, said by a program.
        Task = "task",
        /// An error's code, said by a program.
        Error = "error",
    }
}

/// What an event was more closely.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Detail {
    /// The button of a click or drag.
    Button(crate::Button),
    /// The class of keys.
    Key(crate::KeyClass),
    /// What became of a task.
    Task(crate::TaskEvent),
}

impl Detail {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Button(button) => button.as_str(),
            Self::Key(class) => class.as_str(),
            Self::Task(event) => event.as_str(),
        }
    }
}

/// Something the person or a program did, or a run of the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRecord {
    /// What it was.
    pub kind: EventKind,
    /// What it was more closely.
    pub detail: Option<Detail>,
    /// The element's role, where accessibility told.
    pub role: Option<Arc<str>>,
    /// The hash of the element's name, of the task's name or of the error's code.
    pub label: Option<LabelHash>,
    /// How many of the same in a row.
    pub count: u32,
    /// From the first to the last of them, in milliseconds.
    pub duration_ms: u64,
}

/// A session that ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionRecord {
    /// Its first input, in milliseconds of the input's time.
    pub start: u64,
    /// Its last input.
    pub end: u64,
    /// From its first to its last input.
    pub duration_ms: u64,
    /// The sum of gaps of at most 60 s.
    pub active_ms: u64,
    /// Clicks of all buttons.
    pub clicks: u64,
    /// Keys.
    pub keys: u64,
    /// Wheel steps.
    pub scrolls: u64,
    /// Distinct screens.
    pub screens: u64,
    /// Visits of screens.
    pub visits: u64,
    /// Changes of app.
    pub context_switches: u64,
    /// Tasks that began.
    pub tasks_started: u64,
    /// Tasks that were completed.
    pub tasks_completed: u64,
    /// Incidents by kind.
    pub rage_clicks: u64,
    /// See `rage_clicks`.
    pub dead_clicks: u64,
    /// See `rage_clicks`.
    pub backtracks: u64,
    /// See `rage_clicks`.
    pub abandoned_tasks: u64,
    /// See `rage_clicks`.
    pub error_loops: u64,
    /// See `rage_clicks`.
    pub undo_storms: u64,
    /// Errors that programs reported.
    pub errors: u64,
    /// 0 = none, towards 1.
    pub frustration: f64,
    /// What the exponent of frustration is made of: rage clicks, dead clicks, backtracks,
    /// errors, abandoned tasks, undo storms, each already divided by the active time.
    pub frustration_terms: [f64; 6],
    /// 1 = at or under the baselines, towards 0; none where no task was completed.
    pub efficiency: Option<f64>,
    /// What the exponent of efficiency is made of: time, clicks, revisits.
    pub efficiency_terms: Option<[f64; 3]>,
    /// The version of the formula.
    pub score_version: u32,
    /// The first screens visited, at most 8.
    pub path: Vec<ScreenRef>,
}

/// One screen in one session: all visits of one app and label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScreenRecord {
    /// Visits.
    pub visits: u64,
    /// Time on it, in milliseconds.
    pub dwell_ms: u64,
    /// Clicks on it.
    pub clicks: u64,
    /// Keys on it.
    pub keys: u64,
    /// Incidents on it.
    pub rage_clicks: u64,
    /// See `rage_clicks`.
    pub dead_clicks: u64,
    /// See `rage_clicks`.
    pub backtracks: u64,
    /// Errors on it.
    pub errors: u64,
    /// Whether the session ended there.
    pub exited: bool,
    /// The sum of its incidents' durations, at most its dwell time.
    pub time_lost_ms: u64,
    /// The session's frustration.
    pub session_frustration: f64,
    /// The session's efficiency, where it has one.
    pub session_efficiency: Option<f64>,
}

/// A run of friction that ended. It began at the record's `t`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentRecord {
    /// Which detector.
    pub kind: IncidentKind,
    /// The detector's version.
    pub version: u32,
    /// From its first to its last moment, in milliseconds.
    pub duration_ms: u64,
    /// How many clicks, errors, undos; 1 where nothing repeats.
    pub count: u64,
    /// The element's role, where known.
    pub role: Option<Arc<str>>,
    /// The hash of the element's name, the task's name or the error's code.
    pub label: Option<LabelHash>,
}

/// When a label's text may leave the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Readable {
    /// Now: a rule of the organisation says so.
    AtOnce,
    /// When the server wants it because enough people share its hash.
    WhenShared,
}

/// A label's text, normalised. Not made for labels that a rule says `never` to.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelText {
    /// Its hash.
    pub hash: LabelHash,
    /// What it names.
    pub kind: LabelKind,
    /// The program it was seen in.
    pub app: Arc<str>,
    /// The normalised text.
    pub text: String,
    /// When it may leave.
    pub readable: Readable,
}

impl fmt::Debug for LabelText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LabelText")
            .field("hash", &self.hash)
            .field("kind", &self.kind)
            .field("app", &self.app)
            .field("readable", &self.readable)
            .finish_non_exhaustive()
    }
}
