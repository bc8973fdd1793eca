//! What a person says: one submission, its screenshot's marks, and the replies.
//!
//! **Invariant:** this is the one place where a person's own words and what they chose
//! to show travel. Nothing in it is filled in without the person having seen it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::IncidentKind;

mod shape;

/// What kind of thing is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Category {
    /// Something is broken.
    Bug,
    /// Something could be better.
    Idea,
    /// Something is unclear.
    Question,
    /// Something is good.
    Praise,
    /// None of these.
    Other,
}

impl Category {
    /// All of them, in the order of this list.
    pub const ALL: [Self; 5] = [
        Self::Bug,
        Self::Idea,
        Self::Question,
        Self::Praise,
        Self::Other,
    ];

    /// The word on the wire and in the tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bug => "bug",
            Self::Idea => "idea",
            Self::Question => "question",
            Self::Praise => "praise",
            Self::Other => "other",
        }
    }
}

/// What a person submits: the body of `POST /v1/feedback`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FeedbackSubmission {
    /// Minted by the client; sending the same again changes nothing.
    pub id: Uuid,
    /// When the person wrote it, by the device's clock.
    pub created_at: Timestamp,
    /// What kind of thing is said.
    pub category: Category,
    /// The person's words: 1 to 10,000 characters.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 10_000))]
    pub description: String,
    /// 1 (bad) to 5 (good).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 5))]
    pub rating: Option<u8>,
    /// At most 20, each of 1 to 40 characters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(
        feature = "openapi",
        schema(max_items = 20, min_length = 1, max_length = 40)
    )]
    pub tags: Vec<String>,
    /// The product that the device reports; as in batches.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[cfg_attr(feature = "openapi", schema(max_length = 64))]
    pub product: String,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Target::is_empty")]
    pub target: Target,
    /// The device's session that it was written in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<u32>,
    /// The steps before, as far as the person approved them: oldest first, at most 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schema(max_items = 100))]
    pub friction_trail: Vec<TrailStep>,
    /// What the program itself added through the local SDK: JSON of at most 64 KiB, its whole
    /// numbers of 64 bits at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_state: Option<serde_json::Map<String, serde_json::Value>>,
    /// The operating system and its version.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[cfg_attr(feature = "openapi", schema(max_length = 64))]
    pub os: String,
    /// Width and height of the screen in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub screen_resolution: Option<Size>,
    /// Width and height of the program's window in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub viewport_size: Option<Size>,
    /// The agent's version.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[cfg_attr(feature = "openapi", schema(max_length = 64))]
    pub agent_version: String,
    /// Marks that the person drew on the screenshot: at most 200.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schema(max_items = 200))]
    pub annotation: Vec<Shape>,
}

/// What feedback is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Target {
    /// The program, as in records.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[cfg_attr(feature = "openapi", schema(max_length = 64))]
    pub app: String,
    /// The screen: a label's hash, or a name that the program gave.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[cfg_attr(feature = "openapi", schema(max_length = 200))]
    pub screen: String,
    /// An address, where the program shows one: at most 2,000 characters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[cfg_attr(feature = "openapi", schema(max_length = 2_000))]
    pub url: String,
}

impl Target {
    /// Whether nothing is said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.app.is_empty() && self.screen.is_empty() && self.url.is_empty()
    }
}

/// A width and a height in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Size {
    /// Pixels from left to right.
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 100_000))]
    pub width: u32,
    /// Pixels from top to bottom.
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 100_000))]
    pub height: u32,
}

/// A step before the feedback.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TrailStep {
    /// Milliseconds before `created_at`.
    #[cfg_attr(feature = "openapi", schema(maximum = 2_678_400_000_u64))]
    pub before_ms: u64,
    /// What happened, in words that the person saw: at most 200 characters.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 200))]
    pub text: String,
    /// The incident, where the step is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<IncidentKind>,
    /// The program.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[cfg_attr(feature = "openapi", schema(max_length = 64))]
    pub app: String,
    /// The screen.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[cfg_attr(feature = "openapi", schema(max_length = 200))]
    pub screen: String,
}

/// A mark on the screenshot, in the picture's own pixels. What was hidden is not among
/// them: it is burnt into the pixels before they leave the device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    tag = "shape",
    rename_all = "snake_case",
    deny_unknown_fields,
    try_from = "shape::Read"
)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Shape {
    /// From a point to another.
    Arrow {
        /// Where it starts.
        from: Point,
        /// Where it points.
        to: Point,
    },
    /// A frame.
    Box {
        /// Upper left.
        from: Point,
        /// Lower right.
        to: Point,
    },
    /// A marked area.
    Highlight {
        /// Upper left.
        from: Point,
        /// Lower right.
        to: Point,
    },
    /// Words at a point.
    Text {
        /// Where they begin.
        at: Point,
        /// At most 200 characters.
        #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 200))]
        text: String,
    },
}

/// A point of the screenshot.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Point {
    /// Pixels from the left.
    #[cfg_attr(feature = "openapi", schema(minimum = -10_000.0, maximum = 100_000.0))]
    pub x: f64,
    /// Pixels from the top.
    #[cfg_attr(feature = "openapi", schema(minimum = -10_000.0, maximum = 100_000.0))]
    pub y: f64,
}

/// What is answered to a submission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FeedbackAnswer {
    /// The submission's id.
    pub id: Uuid,
    /// Whether it was stored before.
    pub duplicate: bool,
}

/// What is answered to a screenshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ScreenshotAnswer {
    /// SHA-256 of the bytes that are stored, in hexadecimal.
    pub sha256: String,
    /// How many they are.
    pub size_bytes: u64,
    /// Pixels from left to right.
    pub width: u32,
    /// Pixels from top to bottom.
    pub height: u32,
}

/// A reply of the desk, as the device reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Reply {
    /// The reply.
    pub id: Uuid,
    /// The submission that it answers.
    pub feedback: Uuid,
    /// When it was written.
    pub at: Timestamp,
    /// Who wrote it.
    pub author: String,
    /// What it says.
    pub text: String,
}

/// The replies to a device's submissions, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Replies {
    /// At most 100.
    pub items: Vec<Reply>,
    /// Ask with this next; what it gave stays given.
    pub next_after: String,
}
