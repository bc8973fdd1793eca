//! What Snag knows of a day, what waits, what was sent and who looked.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use snag_wire::IncidentKind;

use super::Sentence;

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
    /// Waiting records that can't be stored now: they wait in memory, and aren't listed. 0 elsewhere.
    pub unstored: u64,
    /// Waiting records: the exact body of the next request, before it is compressed. Empty elsewhere.
    pub body: String,
}

/// What became of records that were to be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Deleted {
    /// Deleted.
    pub deleted: u64,
    /// On their way to the server at that moment: deleted here as soon as it is known that they didn't arrive.
    pub leaving: u64,
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

/// Somebody looked at this person's picture, or changed, answered or deleted what they said.
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
    /// The submission that it was done with.
    pub feedback: String,
}
