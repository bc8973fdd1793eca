//! What the windows show and send: the types that cross between the web views and Rust.
//!
//! The TypeScript in `ui/src/ipc/bindings` is generated from these (feature `ts`), and a test of the desktop
//! app fails when the two drift apart. Words for people are not here: a sentence is a code and its values, and
//! the catalogues of `ui/src/locales` say it in the person's language.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use snag_wire::{Category, IncidentKind, Shape, Size, TrailStep};
use uuid::Uuid;

/// What the tray icon says by its shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum Icon {
    /// A knot.
    Capturing,
    /// A straight thread with two bars.
    Paused,
    /// A broken thread: capturing, but the server can't be reached.
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
    /// When the server last took something.
    pub last_sent_at: Option<Timestamp>,
    /// Whether the last try failed.
    pub offline: bool,
    /// Replies that weren't read.
    pub unread_replies: u64,
    /// What needs the person, most urgent first.
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
            last_sent_at: None,
            offline: false,
            unread_replies: 0,
            problems: Vec::new(),
            version: version.to_owned(),
        }
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

/// How sensitive a datum is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum Sensitivity {
    /// Says nothing about what a person did.
    Technical,
    /// Says what was done, not what it was about.
    Behaviour,
    /// Words that at least k people share, or that the organisation made readable.
    Text,
    /// The person's own words and pictures, sent by the person alone.
    Said,
}

/// A datum of `data.yaml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Datum {
    /// The record that it is part of, then its field: `session.clicks`.
    pub name: String,
    /// What it is, in the person's language.
    pub what: String,
    /// Why it is needed.
    pub purpose: String,
    /// How sensitive it is.
    pub sensitivity: Sensitivity,
    /// Days until the server deletes it.
    pub expires_days: u32,
}

/// The organisation's policy as it applies here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct PolicyView {
    /// Whether only the named programs are looked at (`true`), or all but them.
    pub only_named_apps: bool,
    /// Their names; patterns with `*`.
    pub apps: Vec<String>,
    /// How many people must share a name before it is readable.
    pub k: u32,
    /// Screens whose names are readable at once: program and pattern.
    pub readable: Vec<(String, String)>,
    /// Days that what is sent is kept.
    pub kept_days: u32,
}

/// The page that is read before anything is captured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct FirstRun {
    /// What an acknowledgement is of: it changes when more would be collected.
    pub version: String,
    /// The organisation's name.
    pub organisation: String,
    /// Whom a person can ask.
    pub contact: String,
    /// Where what is sent goes.
    pub server: String,
    /// All that can leave this computer.
    pub data: Vec<Datum>,
    /// What never does, in the person's language.
    pub never: Vec<String>,
    /// The policy as it applies here.
    pub policy: PolicyView,
    /// What is more than was acknowledged before; empty the first time.
    pub widened: Vec<Sentence>,
    /// Whether this was acknowledged.
    pub acknowledged_at: Option<Timestamp>,
    /// A record as it would leave: JSON, for the example on the page.
    pub example: String,
}

/// Something that can be pictured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct PictureSource {
    /// `screen:0:DP-1`, `window:0x1e00007`.
    pub id: String,
    /// The monitor's name or the program's.
    pub name: String,
    /// A screen (`true`) or a window.
    pub is_screen: bool,
    /// Its size in pixels.
    pub size: Size,
}

/// An area of the picture that is cut to, or hidden, in the picture's pixels.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Area {
    /// From the left.
    pub x: f64,
    /// From the top.
    pub y: f64,
    /// To the right.
    pub width: f64,
    /// Downwards.
    pub height: f64,
}

/// A picture in the form: its pixels stay in Rust until it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct PictureView {
    /// Names the picture for `feedback_picture`.
    pub id: String,
    /// Its size in pixels.
    pub size: Size,
    /// What it shows.
    pub source: PictureSource,
}

/// What the person is writing. Kept on disk with each change, so that a crash loses nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Draft {
    /// The submission's id, minted as the form opens.
    pub id: Uuid,
    /// What kind of thing is said.
    pub category: Option<Category>,
    /// The person's words.
    pub description: String,
    /// 1 (bad) to 5 (good).
    pub rating: Option<u8>,
    /// Tags.
    pub tags: Vec<String>,
    /// The steps that are attached; those that the person took out are not among them.
    pub steps: Vec<TrailStep>,
    /// Whether the picture goes along.
    pub with_picture: bool,
    /// What the picture is cut to; all of it where not given.
    pub crop: Option<Area>,
    /// What is made black before the picture leaves, and before it is stored.
    pub hidden: Vec<Area>,
    /// Marks: drawn over the picture by whoever reads it.
    pub marks: Vec<Shape>,
}

/// What opened the form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Occasion {
    /// What was found; none where a program opened the form.
    pub incident: Option<IncidentKind>,
    /// The first line of the form.
    pub sentence: Sentence,
}

/// The form as it opens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct FeedbackForm {
    /// What is filled in already.
    pub draft: Draft,
    /// The picture that was taken before the window showed; none where none could be.
    pub picture: Option<PictureView>,
    /// What it is about.
    pub app: String,
    /// What opened the form, where it wasn't the person.
    pub occasion: Option<Occasion>,
    /// The last minute, oldest first; none is attached before the person says so.
    pub steps: Vec<TrailStep>,
    /// Whether the organisation lets pictures be sent.
    pub pictures_allowed: bool,
}

/// Exactly what will be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct FeedbackPreview {
    /// The body of the request, indented; the bytes that leave are this without the blanks.
    pub json: String,
    /// Bytes of the picture as it leaves; 0 where none does. `feedback_preview_picture` shows it.
    pub picture_bytes: u64,
    /// Where it goes.
    pub server: String,
}

/// How far a submission is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum SubmissionState {
    /// It waits to be sent.
    Waiting,
    /// The server has it.
    Sent {
        /// Since when.
        at: Timestamp,
    },
    /// The server refused it; it is kept here.
    Refused {
        /// Why, in the server's words.
        reason: String,
    },
}

/// A message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Message {
    /// Its id.
    pub id: Uuid,
    /// When it was written.
    pub at: Timestamp,
    /// Who wrote it; empty for the person.
    pub author: String,
    /// What it says.
    pub text: String,
}

/// What a person said and what was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Conversation {
    /// The submission.
    pub id: Uuid,
    /// When it was written.
    pub at: Timestamp,
    /// What kind of thing was said.
    pub category: Category,
    /// The person's words.
    pub description: String,
    /// The program it is about.
    pub app: String,
    /// How far it is.
    pub state: SubmissionState,
    /// The replies, oldest first.
    pub messages: Vec<Message>,
    /// Replies that weren't seen.
    pub unread: u64,
}

/// An incident of a day, explained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct IncidentView {
    /// The record's number.
    pub seq: u64,
    /// What was found.
    pub kind: IncidentKind,
    /// When it began.
    pub at: Timestamp,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// The program.
    pub app: String,
    /// The screen's name where this computer still knows it, else empty.
    pub screen: String,
    /// What happened.
    pub sentence: Sentence,
}

/// A stretch of time in one program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct AppSpan {
    /// The program.
    pub app: String,
    /// From when.
    pub from: Timestamp,
    /// Until when.
    pub to: Timestamp,
}

/// A term of a score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Term {
    /// A key of the catalogues: `term.rage_clicks`.
    pub key: String,
    /// How many there were.
    pub count: f64,
    /// What it adds to the score. The terms add up to the score as it is shown.
    pub adds: f64,
}

/// A score and what it is made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct ScoreView {
    /// 0 to 1.
    pub value: f64,
    /// Its terms.
    pub terms: Vec<Term>,
}

/// A session of a day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct SessionView {
    /// Its number.
    pub session: u32,
    /// When it began.
    pub from: Timestamp,
    /// When it ended.
    pub to: Timestamp,
    /// How long something was being done, in milliseconds.
    pub active_ms: u64,
    /// How much the programs were in the way.
    pub frustration: ScoreView,
    /// How directly tasks could be done; none where there was too little to tell.
    pub efficiency: Option<ScoreView>,
}

/// A screen of a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct ScreenView {
    /// The program.
    pub app: String,
    /// The screen's name where this computer still knows it, else empty.
    pub screen: String,
    /// How many visits.
    pub visits: u64,
    /// How long it was open, in milliseconds.
    pub dwell_ms: u64,
    /// Snags on it.
    pub incidents: u64,
}

/// A day as Snag knows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Day {
    /// `2026-11-20`, by the computer's clock.
    pub date: String,
    /// Days that something is known of, newest first.
    pub days: Vec<String>,
    /// When midnight was.
    pub begins: Timestamp,
    /// The programs, in order of time.
    pub spans: Vec<AppSpan>,
    /// The snags, in order of time.
    pub incidents: Vec<IncidentView>,
    /// The sessions that ended.
    pub sessions: Vec<SessionView>,
    /// The screens, the longest first.
    pub screens: Vec<ScreenView>,
}

/// A record that waits, was sent or was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct RecordView {
    /// Its number.
    pub seq: u64,
    /// When it happened.
    pub at: Timestamp,
    /// `event`, `session`, `screen`, `incident`, `label`.
    pub kind: String,
    /// The program.
    pub app: String,
    /// The record as it is on the wire.
    pub json: String,
    /// Why the server refused it; empty where it didn't.
    pub reason: String,
}

/// A page of records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct RecordPage {
    /// The records.
    pub items: Vec<RecordView>,
    /// Where the next page begins.
    pub next: Option<u64>,
    /// How many there are in all.
    pub total: u64,
    /// Waiting records: the exact body of the next request, before it is compressed. Empty elsewhere.
    pub body: String,
}

/// What was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct SentBatch {
    /// When the server took it.
    pub at: Timestamp,
    /// Records in it.
    pub records: u64,
    /// Bytes as they went over the wire.
    pub bytes: u64,
    /// Records that were refused.
    pub refused: u64,
}

/// Somebody looked at what this computer sent about its person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct LookView {
    /// When.
    pub at: Timestamp,
    /// Who: an account or a program.
    pub actor: String,
    /// In which role.
    pub role: String,
    /// What was done, as the server's audit names it.
    pub action: String,
    /// The submission that was looked at.
    pub feedback: String,
}

/// A setting and who set it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Setting<T> {
    /// What holds.
    pub value: T,
    /// Whom it is locked by, and so shown as; none where the person may change it.
    pub locked_by: Option<String>,
}

/// Light or dark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum Theme {
    /// As the system.
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

/// A daily time in which nothing is captured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct PauseRule {
    /// Days of the week, 1 (Monday) to 7.
    pub days: Vec<u8>,
    /// `HH:MM` by the computer's clock.
    pub from: String,
    /// `HH:MM`; before `from` it means the next day.
    pub to: String,
}

/// The settings as they hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Settings {
    /// Programs that are never looked at, beside those of the policy.
    pub never_apps: Setting<Vec<String>>,
    /// Times in which nothing is captured.
    pub pause_rules: Setting<Vec<PauseRule>>,
    /// Whether Snag may ask for feedback.
    pub prompts: Setting<bool>,
    /// At most so many questions a day, 1 to 3.
    pub prompts_per_day: Setting<u8>,
    /// Programs about which Snag never asks.
    pub never_ask_apps: Setting<Vec<String>>,
    /// `en`, `de`, or `system`.
    pub language: Setting<String>,
    /// Light or dark.
    pub theme: Setting<Theme>,
    /// The shortcut for feedback, as `Ctrl+Alt+F`; empty for none.
    pub shortcut: Setting<String>,
    /// Whether Snag starts with the computer.
    pub autostart: Setting<bool>,
}

/// What the person changes: what is given is set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(optional_fields))]
pub struct SettingsChange {
    /// See [`Settings`].
    pub never_apps: Option<Vec<String>>,
    /// See [`Settings`].
    pub pause_rules: Option<Vec<PauseRule>>,
    /// See [`Settings`].
    pub prompts: Option<bool>,
    /// See [`Settings`].
    pub prompts_per_day: Option<u8>,
    /// See [`Settings`].
    pub never_ask_apps: Option<Vec<String>>,
    /// See [`Settings`].
    pub language: Option<String>,
    /// See [`Settings`].
    pub theme: Option<Theme>,
    /// See [`Settings`].
    pub shortcut: Option<String>,
    /// See [`Settings`].
    pub autostart: Option<bool>,
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
