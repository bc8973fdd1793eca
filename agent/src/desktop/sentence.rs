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
    // Why nothing is captured, and what is wrong otherwise.
    ("problem.no_display", &[]),
    ("problem.wayland", &[]),
    ("problem.input", &["reason"]),
    ("problem.policy_unusable", &["reason", "contact"]),
    ("problem.settings_damaged", &[]),
    ("problem.identity_unusable", &["reason"]),
    ("problem.disk_full", &[]),
    ("problem.read_only", &[]),
    ("problem.storage", &["reason"]),
    ("problem.offline", &[]),
    ("problem.strange", &[]),
    ("problem.server_down", &[]),
    ("problem.too_many", &[]),
    ("problem.server_full", &[]),
    ("problem.server_internal", &[]),
    ("problem.unauthorized", &["count"]),
    ("problem.certificate", &["reason"]),
    ("problem.server_refused", &["reason"]),
    ("problem.records_refused", &["count"]),
    ("problem.pictures_wait", &[]),
    ("problem.feedback_refused", &["count"]),
    ("problem.not_enrolled", &[]),
    // Why a command was refused.
    ("problem.policy_widened", &["organisation"]),
    ("problem.no_draft", &[]),
    ("problem.description_empty", &[]),
    ("problem.description_too_long", &["limit"]),
    ("problem.too_many_tags", &["limit"]),
    ("problem.too_many_marks", &["limit"]),
    ("problem.too_many_waiting", &["limit"]),
    ("problem.setting_invalid", &["field"]),
    ("problem.setting_locked", &["field", "organisation"]),
    ("problem.picture_failed", &["reason"]),
    ("problem.pictures_not_allowed", &["organisation"]),
    ("problem.picture_removed", &["organisation"]),
    ("problem.picture_too_large", &[]),
    ("problem.picture_gone", &[]),
    ("problem.leaving_now", &[]),
    ("problem.feedback_gone", &[]),
    ("problem.day_unknown", &[]),
    ("problem.export_failed", &["reason"]),
    ("problem.unknown", &["reason"]),
    // What happened.
    ("incident.rage_click", INCIDENT),
    ("incident.rage_click_named", INCIDENT),
    ("incident.dead_click", INCIDENT),
    ("incident.dead_click_named", INCIDENT),
    ("incident.backtrack", INCIDENT),
    ("incident.abandoned_task", INCIDENT),
    ("incident.error_loop", INCIDENT),
    ("incident.undo_storm", INCIDENT),
    // What opened the form, and what a question says.
    ("occasion.rage_click", OCCASION),
    ("occasion.rage_click_unnamed", OCCASION),
    ("occasion.error_loop", OCCASION),
    ("occasion.abandoned_task", OCCASION),
    ("occasion.program", OCCASION),
    // A step that may be attached to feedback.
    ("step.click", &[]),
    ("step.click_role", &["role"]),
    ("step.click_named", &["element"]),
    ("step.drag", &[]),
    ("step.drag_named", &["element"]),
    ("step.scroll", &["count"]),
    ("step.typing", &["count"]),
    ("step.enter", &[]),
    ("step.tab", &[]),
    ("step.escape", &[]),
    ("step.delete", &[]),
    ("step.undo", &[]),
    ("step.redo", &[]),
    ("step.copy", &[]),
    ("step.cut", &[]),
    ("step.paste", &[]),
    ("step.save", &[]),
    ("step.find", &[]),
    ("step.arrows", &[]),
    ("step.keys", &[]),
    ("step.screen", &["app"]),
    ("step.screen_named", &["screen"]),
    ("step.task_start", &[]),
    ("step.task_start_named", &["element"]),
    ("step.task_complete", &[]),
    ("step.task_complete_named", &["element"]),
    ("step.task_cancel", &[]),
    ("step.task_cancel_named", &["element"]),
    ("step.error", &[]),
    ("step.error_named", &["element"]),
    ("step.rage_click", &[]),
    ("step.rage_click_named", &["element"]),
    ("step.dead_click", &[]),
    ("step.dead_click_named", &["element"]),
    ("step.backtrack", &[]),
    ("step.abandoned_task", &[]),
    ("step.abandoned_task_named", &["element"]),
    ("step.error_loop", &[]),
    ("step.error_loop_named", &["element"]),
    ("step.undo_storm", &[]),
    ("step.program", &["text"]),
    ("step.times", &["step", "count"]),
    // What a policy widened.
    ("widened.data", &["what"]),
    ("widened.apps", &["apps"]),
    ("widened.fewer_excluded", &["apps"]),
    ("widened.all_apps", &[]),
    ("widened.k", &["before", "after"]),
    ("widened.readable", &["app", "pattern"]),
    ("widened.kept_days", &["before", "after"]),
    // Health, a line for each source.
    ("health.ok.input", &[]),
    ("health.ok.windows", &[]),
    ("health.ok.elements", &[]),
    ("health.ok.answers", &[]),
    ("health.ok.server", &[]),
    ("health.ok.storage", &[]),
    ("health.input_paused", &[]),
    ("health.input_waiting", &[]),
    ("health.input_unavailable", &["reason"]),
    ("health.windows_unavailable", &["reason"]),
    ("health.elements_unavailable", &["reason"]),
    ("health.answers_unavailable", &["reason"]),
    ("health.server_offline", &[]),
    ("health.server_unauthorized", &[]),
    ("health.server_certificate", &["reason"]),
    ("health.server_strange", &[]),
    ("health.server_busy", &[]),
    ("health.server_too_many", &[]),
    ("health.server_full", &[]),
    ("health.server_fault", &[]),
    ("health.server_refused", &["reason"]),
    ("health.server_not_enrolled", &[]),
    ("health.storage_full", &[]),
    ("health.storage_read_only", &[]),
    ("health.storage_failed", &["reason"]),
    // Terms of a score.
    ("term.rage_clicks", &[]),
    ("term.dead_clicks", &[]),
    ("term.backtracks", &[]),
    ("term.errors", &[]),
    ("term.abandoned_tasks", &[]),
    ("term.undo_storms", &[]),
    ("term.time", &[]),
    ("term.clicks", &[]),
    ("term.revisits", &[]),
    ("term.base", &[]),
    ("term.rounding", &[]),
];

/// What a sentence about an incident may say.
const INCIDENT: &[&str] = &["app", "count", "seconds", "minutes", "role", "element"];

/// What the first line of the form may say. `time` is RFC 3339.
const OCCASION: &[&str] = &["app", "count", "time", "element"];

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sentence_is_in_every_catalogue() {
        for language in ["en", "de"] {
            let path = format!(
                "{}/../ui/src/locales/{language}.json",
                env!("CARGO_MANIFEST_DIR")
            );
            let catalogue: serde_json::Value =
                serde_json::from_slice(&std::fs::read(&path).expect("the catalogue")).unwrap();
            for (key, _) in SENTENCES {
                let pointer = format!("/{}", key.replace('.', "/"));
                let plural = format!("{pointer}_other");
                assert!(
                    catalogue
                        .pointer(&pointer)
                        .or(catalogue.pointer(&plural))
                        .is_some(),
                    "{language} has no {key}"
                );
            }
        }
    }
}
