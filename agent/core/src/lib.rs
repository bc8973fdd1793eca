//! The pure detection core of Snag: inputs in, effects out, exactly as DETECTORS.md says.
//!
//! **Invariants:** no clock, file, thread or randomness; the same inputs give the same
//! effects; saving and restoring between any two inputs changes nothing; memory is
//! bounded however long the stream; no raw text leaves the first stage of
//! [`Engine::step`]. The crate's README lists how it reads the page where that leaves room.

mod cache;
mod clicks;
mod detect;
mod effect;
mod engine;
mod input;
pub mod policy;
pub mod prompt;
pub mod redact;
mod runs;
pub mod score;
mod session;

pub use detect::version as detector_version;
pub use effect::{
    Body, Detail, DropReason, Effect, EventKind, EventRecord, IncidentKind, IncidentRecord,
    LabelHash, LabelKind, LabelText, Readable, Record, ScreenRecord, ScreenRef, SessionRecord,
};
pub use engine::{Engine, EngineState};
pub use input::{Button, Element, Input, InputKind, KeyClass, TaskEvent};
pub use policy::{
    AppRules, LabelAction, LabelRule, Policy, PolicyError, PolicySettings, Thresholds,
};
pub use redact::Redactor;
