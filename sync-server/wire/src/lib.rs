//! The contract between agents and the server: types and limits, nothing else.
//!
//! The crate lives with the server because the server has to serve old agents.
//! It knows no transport, no database and no clock. Everything is JSON in
//! `snake_case`; times are RFC 3339 in UTC, or `*_ms` offsets from one.
//!
//! **Invariant:** no field of a batch carries a coordinate, a key, a typed
//! character, a window title or an element's name, with one exception:
//! [`LabelRecord::text`], which is sent only for a hash that the server's policy
//! has named (see `ARCHITECTURE.md`, "Labels"). What a person says of their own accord
//! is a [`FeedbackSubmission`].

mod batch;
mod enroll;
mod feedback;
mod hash;
pub mod limits;
mod numbers;
mod policy;
mod problem;
mod record;

pub use batch::{BatchAnswer, Context, DropCount, EventBatch, RecordError};
pub use enroll::{DeviceFacts, EnrollAnswer, EnrollRequest};
pub use feedback::{
    Category, FeedbackAnswer, FeedbackSubmission, Point, Replies, Reply, ScreenshotAnswer, Shape,
    Size, Target, TrailStep,
};
pub use hash::{LabelHash, ParseHashError};
pub use numbers::whole_numbers_fit;
pub use policy::{
    AppRules, LabelAction, LabelKind, LabelRule, Organisation, PolicyAnswer, Retention, SyncRules,
};
pub use problem::{Code, Problem};
pub use record::{
    Detail, EventKind, EventRecord, IncidentKind, IncidentRecord, LabelRecord, Record,
    ScreenRecord, SessionRecord,
};
