//! The feedback form, and what became of what was said.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use snag_wire::{Category, IncidentKind, Shape, Size, TrailStep};
use uuid::Uuid;

use super::Sentence;

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

impl Occasion {
    /// The same without the name of what it happened on.
    #[must_use]
    pub fn without_name(mut self) -> Self {
        self.sentence.values.remove("element");
        if self.sentence.key == "occasion.rage_click" {
            self.sentence.key.push_str("_unnamed");
        }
        self
    }
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
    /// The last minute, oldest first. None is attached before the person says so, but for what was found, where the
    /// person was asked about it and said yes.
    pub steps: Vec<TrailStep>,
    /// Why there may be no picture, or none any more; none where pictures are allowed.
    pub picture_refused: Option<Sentence>,
    /// When it was begun, where it is a draft that was left.
    pub left_at: Option<Timestamp>,
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
    /// Whether a picture that waited was deleted, because the organisation takes none any more.
    pub picture_removed: bool,
    /// Why the server didn't take its picture, in its words; the text is there.
    pub picture_problem: Option<String>,
}
