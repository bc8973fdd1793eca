//! The records of a batch.

use std::borrow::Cow;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess};
use serde::{Deserialize, Deserializer, Serialize};

use crate::{LabelHash, LabelKind};

/// One record. `type` comes first in what the agent writes; anywhere is accepted.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Record {
    /// Something the person or a program did.
    Event(EventRecord),
    /// A session that ended.
    Session(Box<SessionRecord>),
    /// A screen in a session that ended.
    Screen(ScreenRecord),
    /// A run of friction that ended.
    Incident(IncidentRecord),
    /// The text of a wanted label.
    Label(LabelRecord),
}

/// Something the person or a program did, or a run of the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EventRecord {
    /// The device's sequence number.
    pub seq: u64,
    /// What it was.
    pub kind: EventKind,
    /// What it was more closely: a button, a key class, a task's event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Detail>,
    /// The element's role (`push_button`), where accessibility told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The hash of the element's name, of the task's name or of the error's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<LabelHash>,
    /// Where: an index into the batch's contexts.
    pub context: u32,
    /// When it began, in milliseconds from the batch's `base_at`.
    pub t_ms: i64,
    /// How many of the same in a row (keys of a class, wheel steps, moves).
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub count: u32,
    /// From the first to the last of them, in milliseconds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub duration_ms: u64,
}

/// What an event was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum EventKind {
    /// Press and release of a button in one place.
    Click,
    /// Press and release of a button in two places.
    Drag,
    /// A run of wheel steps.
    Scroll,
    /// A run of pointer moves.
    Move,
    /// A run of keys of one class.
    Key,
    /// Another app or screen has the focus.
    Focus,
    /// A program said that a task began or ended.
    Task,
    /// A program said that an error occurred.
    Error,
}

impl EventKind {
    /// The word on the wire and in ClickHouse.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Click => "click",
            Self::Drag => "drag",
            Self::Scroll => "scroll",
            Self::Move => "move",
            Self::Key => "key",
            Self::Focus => "focus",
            Self::Task => "task",
            Self::Error => "error",
        }
    }
}

macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[cfg_attr(feature = "ts", derive(ts_rs::TS))]
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word on the wire and in ClickHouse.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }
    };
}

words! {
    /// A button, a key class or a task's event. A closed list: nothing else can be said.
    Detail {
        /// Left button.
        Left = "left",
        /// Right button.
        Right = "right",
        /// Middle button.
        Middle = "middle",
        /// Any other button or key.
        Other = "other",
        /// A character key.
        Char = "char",
        /// The space bar.
        Space = "space",
        /// Enter.
        Enter = "enter",
        /// Tab.
        Tab = "tab",
        /// Escape.
        Escape = "escape",
        /// Backspace.
        Backspace = "backspace",
        /// Delete.
        Delete = "delete",
        /// Undo.
        Undo = "undo",
        /// Redo.
        Redo = "redo",
        /// Copy.
        Copy = "copy",
        /// Cut.
        Cut = "cut",
        /// Paste.
        Paste = "paste",
        /// Save.
        Save = "save",
        /// Find.
        Find = "find",
        /// Arrows, Home, End, Page Up, Page Down.
        Navigation = "navigation",
        /// Shift, Control, Alt, Meta.
        Modifier = "modifier",
        /// A function key.
        Function = "function",
        /// A task began.
        Start = "start",
        /// A task was completed.
        Complete = "complete",
        /// A task was cancelled.
        Cancel = "cancel",
    }
}

words! {
    /// The kinds of friction, as DETECTORS.md defines them.
    IncidentKind {
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

/// A session: inputs without a gap over 30 minutes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionRecord {
    /// The device's sequence number.
    pub seq: u64,
    /// The session's number and the screen it ended on.
    pub context: u32,
    /// When it began, in milliseconds from `base_at`.
    pub t_ms: i64,
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
    /// What the exponent of frustration is made of, in the order rage clicks, dead
    /// clicks, backtracks, errors, abandoned tasks, undo storms; already divided by
    /// the active time, so that they add up to it.
    pub frustration_terms: [f64; 6],
    /// 1 = at or under the baselines, towards 0; absent where no task was completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub efficiency: Option<f64>,
    /// What the exponent of efficiency is made of: time, clicks, revisits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub efficiency_terms: Option<[f64; 3]>,
    /// The version of the formula.
    pub score_version: u32,
    /// The first screens visited, as indices into the batch's contexts.
    pub path: Vec<u32>,
}

/// One screen in one session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ScreenRecord {
    /// The device's sequence number.
    pub seq: u64,
    /// The session, app and screen.
    pub context: u32,
    /// When the screen was first visited, in milliseconds from `base_at`.
    pub t_ms: i64,
    /// Visits.
    pub visits: u64,
    /// Time on it.
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_efficiency: Option<f64>,
}

/// A run of friction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct IncidentRecord {
    /// The device's sequence number.
    pub seq: u64,
    /// Which detector.
    pub kind: IncidentKind,
    /// The detector's version.
    pub version: u32,
    /// Where it happened.
    pub context: u32,
    /// Its first moment, in milliseconds from `base_at`.
    pub t_ms: i64,
    /// To its last moment.
    pub duration_ms: u64,
    /// How many clicks, errors, undos.
    pub count: u64,
    /// The element's role, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The hash of the element's name, the task's name or the error's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<LabelHash>,
}

/// The text of a label that the policy wanted, or that a rule makes readable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LabelRecord {
    /// The device's sequence number.
    pub seq: u64,
    /// Its hash; the server checks that the text gives it.
    pub hash: LabelHash,
    /// What it names.
    pub kind: LabelKind,
    /// The program it was seen in.
    pub app: String,
    /// The normalised text.
    pub text: String,
    /// When it is said, in milliseconds from `base_at`.
    pub t_ms: i64,
}

impl Record {
    /// The device's sequence number.
    #[must_use]
    pub fn seq(&self) -> u64 {
        match self {
            Self::Event(r) => r.seq,
            Self::Session(r) => r.seq,
            Self::Screen(r) => r.seq,
            Self::Incident(r) => r.seq,
            Self::Label(r) => r.seq,
        }
    }
}

fn one() -> u32 {
    1
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_one(count: &u32) -> bool {
    *count == 1
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero(duration_ms: &u64) -> bool {
    *duration_ms == 0
}

/// serde's own internally tagged enums buffer each record before reading it, which
/// costs more than everything else on the server. With `type` first, as the agent
/// writes it, the rest of the map is read straight into its type.
impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Record;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a record with a type")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Record, A::Error> {
                let mut buffered = serde_json::Map::new();
                while let Some(key) = map.next_key::<Cow<'de, str>>()? {
                    if key != "type" {
                        buffered.insert(key.into_owned(), map.next_value()?);
                        continue;
                    }
                    let r#type = map.next_value::<Type>()?;
                    if buffered.is_empty() {
                        return r#type.read(MapAccessDeserializer::new(map));
                    }
                    while let Some((key, value)) = map.next_entry::<String, serde_json::Value>()? {
                        buffered.insert(key, value);
                    }
                    return r#type
                        .read(serde_json::Value::Object(buffered))
                        .map_err(de::Error::custom);
                }
                Err(de::Error::missing_field("type"))
            }
        }

        deserializer.deserialize_map(Visitor)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Type {
    Event,
    Session,
    Screen,
    Incident,
    Label,
}

impl Type {
    fn read<'de, D: Deserializer<'de>>(self, deserializer: D) -> Result<Record, D::Error> {
        Ok(match self {
            Self::Event => Record::Event(EventRecord::deserialize(deserializer)?),
            Self::Session => Record::Session(Box::new(SessionRecord::deserialize(deserializer)?)),
            Self::Screen => Record::Screen(ScreenRecord::deserialize(deserializer)?),
            Self::Incident => Record::Incident(IncidentRecord::deserialize(deserializer)?),
            Self::Label => Record::Label(LabelRecord::deserialize(deserializer)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_may_stand_anywhere() {
        let first =
            r#"{"type":"event","seq":7,"kind":"click","detail":"left","context":0,"t_ms":12}"#;
        let last =
            r#"{"seq":7,"kind":"click","detail":"left","context":0,"t_ms":12,"type":"event"}"#;
        let record: Record = serde_json::from_str(first).unwrap();
        assert_eq!(record, serde_json::from_str(last).unwrap());
        assert_eq!(serde_json::to_string(&record).unwrap(), first);
    }

    #[test]
    fn unknown_fields_are_refused_wherever_type_stands() {
        for wrong in [
            r#"{"type":"event","seq":7,"kind":"key","context":0,"t_ms":12,"key":"a"}"#,
            r#"{"key":"a","seq":7,"kind":"key","context":0,"t_ms":12,"type":"event"}"#,
            r#"{"seq":7,"kind":"key","context":0,"t_ms":12}"#,
            r#"{"type":"keystroke","seq":7}"#,
            r#"{"type":"event","seq":7,"kind":"key","context":0,"t_ms":12,"detail":"q"}"#,
        ] {
            assert!(serde_json::from_str::<Record>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn words_are_what_serde_writes() {
        for detail in Detail::ALL {
            assert_eq!(serde_json::to_value(detail).unwrap(), detail.as_str());
        }
        for kind in IncidentKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }
}
