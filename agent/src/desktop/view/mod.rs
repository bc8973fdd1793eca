//! What the windows show and send: the types that cross between the web views and Rust.
//!
//! The TypeScript in `ui/src/ipc/bindings` is generated from these (feature `ts`), and a test of the desktop
//! app fails when the two drift apart. Words for people are not here: a sentence is a code and its values, and
//! the catalogues of `ui/src/locales` say it in the person's language.

mod feedback;
mod first_run;
mod glance;
mod knows;
mod settings;

pub use feedback::{
    Area, Conversation, Draft, FeedbackForm, FeedbackPreview, Message, Occasion, PictureSource,
    PictureView, SubmissionState,
};
pub use first_run::{Datum, FirstRun, PolicyView, Sensitivity};
pub use glance::{CaptureState, HealthLine, Icon, Overview, PauseFor, Sentence};
pub use knows::{
    AppSpan, Day, Deleted, IncidentView, LookView, RecordPage, RecordView, ScoreView, ScreenView,
    SentBatch, SessionView, Term,
};
pub use settings::{FormReady, PauseRule, PolicyApps, Setting, Settings, SettingsChange, Theme};
