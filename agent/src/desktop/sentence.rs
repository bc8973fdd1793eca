//! The sentences that Rust says: keys of the catalogues and the names of their values.
//!
//! **Invariant:** every key that Rust uses is in [`SENTENCES`], so that a test can hold the catalogues of each
//! language against it. A value is a number, a program's name or an address of the organisation; a person's own
//! words are never one.

use std::collections::BTreeMap;
use std::io;

use snag_spool::SpoolError;

use super::view::Sentence;

/// Every key, with the names of its values.
pub const SENTENCES: &[(&str, &[&str])] = &[
    // Why capture is not possible, and what is wrong otherwise.
    ("problem.no_display", &[]),
    ("problem.wayland", &[]),
    ("problem.capture_failed", &["reason"]),
    ("problem.capture_lost", &["reason"]),
    ("problem.policy_unusable", &["reason", "contact"]),
    ("problem.settings_damaged", &[]),
    ("problem.storage_unusable", &["reason"]),
    ("problem.disk_full", &[]),
    ("problem.read_only", &[]),
    ("problem.storage", &["reason"]),
    ("problem.server_unreachable", &["reason"]),
    ("problem.device_unknown", &["contact"]),
    ("problem.certificate", &["reason"]),
    ("problem.server_refused", &["reason"]),
    ("problem.records_refused", &["count"]),
    ("problem.feedback_refused", &["count"]),
    ("problem.records_lost", &["count"]),
    ("problem.identity_unusable", &["reason"]),
    ("problem.not_enrolled", &[]),
    // Why a command was refused.
    ("refused.version_changed", &[]),
    ("refused.no_form", &[]),
    ("refused.other_draft", &[]),
    ("refused.no_words", &[]),
    ("refused.words_too_long", &["max"]),
    ("refused.too_many", &["what", "max"]),
    ("refused.value", &["field"]),
    ("refused.locked", &["field", "by"]),
    ("refused.no_picture", &[]),
    ("refused.picture_failed", &["reason"]),
    ("refused.picture_not_allowed", &["organisation"]),
    ("refused.picture_too_large", &[]),
    ("refused.source_gone", &[]),
    ("refused.date", &[]),
    ("refused.unknown_conversation", &[]),
    ("refused.too_large", &["max_bytes"]),
    // What happened.
    (
        "incident.rage_click",
        &["app", "count", "seconds", "role", "label"],
    ),
    (
        "incident.dead_click",
        &["app", "count", "seconds", "role", "label"],
    ),
    (
        "incident.backtrack",
        &["app", "count", "seconds", "role", "label"],
    ),
    (
        "incident.abandoned_task",
        &["app", "count", "seconds", "role", "label"],
    ),
    (
        "incident.error_loop",
        &["app", "count", "seconds", "role", "label"],
    ),
    (
        "incident.undo_storm",
        &["app", "count", "seconds", "role", "label"],
    ),
    // What opened the form, and what a question says.
    ("occasion.rage_click", &["app", "time", "count", "label"]),
    ("occasion.error_loop", &["app", "time", "count", "label"]),
    (
        "occasion.abandoned_task",
        &["app", "time", "count", "label"],
    ),
    ("occasion.program", &["app", "time"]),
    // What a policy widened.
    ("widened.data", &["name"]),
    ("widened.app_allowed", &["app"]),
    ("widened.app_no_longer_excluded", &["app"]),
    ("widened.all_apps", &[]),
    ("widened.k", &["from", "to"]),
    ("widened.readable", &["app", "label"]),
    ("widened.no_longer_never", &["app", "label"]),
    ("widened.kept_days", &["from", "to"]),
    // Health, a line for each source.
    ("health.input.ok", &[]),
    ("health.input.limited", &["reason"]),
    ("health.input.off", &["reason"]),
    ("health.windows.ok", &[]),
    ("health.windows.limited", &["reason"]),
    ("health.windows.off", &["reason"]),
    ("health.elements.ok", &[]),
    ("health.elements.limited", &["reason"]),
    ("health.elements.off", &["reason"]),
    ("health.answers.ok", &[]),
    ("health.answers.limited", &["reason"]),
    ("health.answers.off", &["reason"]),
    ("health.capture.off", &[]),
    ("health.server.ok", &["server"]),
    ("health.server.off", &["reason"]),
    ("health.server.none", &[]),
    ("health.storage.ok", &["size_kb"]),
    ("health.storage.off", &["reason"]),
];

impl Sentence {
    /// A sentence of [`SENTENCES`] and its values.
    #[must_use]
    pub fn new<const N: usize>(key: &str, values: [(&str, String); N]) -> Self {
        debug_assert!(
            SENTENCES.iter().any(|(known, names)| *known == key
                && values.iter().all(|(name, _)| names.contains(name))),
            "the sentence {key} isn't listed"
        );
        Self {
            key: key.to_owned(),
            values: values
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect::<BTreeMap<_, _>>(),
        }
    }

    /// A sentence without values.
    #[must_use]
    pub fn plain(key: &str) -> Self {
        Self::new(key, [])
    }
}

impl From<&io::Error> for Sentence {
    fn from(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => Self::plain("problem.disk_full"),
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                Self::plain("problem.read_only")
            }
            _ => Self::new("problem.storage", [("reason", error.to_string())]),
        }
    }
}

impl From<&SpoolError> for Sentence {
    fn from(error: &SpoolError) -> Self {
        match error {
            _ if error.is_full() => Self::plain("problem.disk_full"),
            SpoolError::Io { source, .. } => Self::from(source),
            other => Self::new("problem.storage", [("reason", other.to_string())]),
        }
    }
}

impl From<io::Error> for Sentence {
    fn from(error: io::Error) -> Self {
        Self::from(&error)
    }
}

impl From<SpoolError> for Sentence {
    fn from(error: SpoolError) -> Self {
        Self::from(&error)
    }
}
