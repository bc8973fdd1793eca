//! The contract between agents and the server: types and limits, nothing else.
//!
//! The crate lives with the server because the server has to serve old agents.
//! It knows no transport, no database and no clock. Everything is JSON in
//! `snake_case`; times are RFC 3339 in UTC, or `*_ms` offsets from one.
//!
//! **Invariant:** no field of this crate carries a coordinate, a key, a typed
//! character, a window title or an element's name, with one exception:
//! [`LabelRecord::text`], which is sent only for a hash that the server's policy
//! has named (see `ARCHITECTURE.md`, "Labels").

mod batch;
mod enroll;
mod hash;
pub mod limits;
mod policy;
mod problem;
mod record;

pub use batch::{BatchAnswer, Context, DropCount, EventBatch, RecordError};
pub use enroll::{DeviceFacts, EnrollAnswer, EnrollRequest};
pub use hash::{LabelHash, ParseHashError};
pub use policy::{
    AppRules, LabelAction, LabelKind, LabelRule, Organisation, PolicyAnswer, SyncRules,
};
pub use problem::{Code, Problem};
pub use record::{
    Detail, EventKind, EventRecord, IncidentKind, IncidentRecord, LabelRecord, Record,
    ScreenRecord, SessionRecord,
};
