//! What the status file says, in English: it is read by IT on a command line.

use crate::desktop::view::{CaptureState, Overview, Sentence};

/// What keeps the agent from doing its work.
pub(super) fn problems(overview: &Overview) -> Vec<String> {
    let mut words: Vec<String> = overview.problems.iter().map(sentence).collect();
    if let CaptureState::Unavailable { reason } = &overview.capture {
        let reason = sentence(reason);
        if !words.contains(&reason) {
            words.push(reason);
        }
    }
    words
}

/// Why nothing is captured, where capture doesn't run.
pub(super) fn silent(overview: &Overview) -> Vec<String> {
    let words = match &overview.capture {
        CaptureState::Capturing => return Vec::new(),
        CaptureState::NotEnrolled => {
            "Nothing is captured: this computer isn't enrolled.".to_owned()
        }
        CaptureState::NotAcknowledged => {
            "Nothing is captured: the person hasn't read the first page yet.".to_owned()
        }
        CaptureState::Paused { until: Some(at) } => {
            format!("Nothing is captured: it is paused until {at}.")
        }
        CaptureState::Paused { until: None } => {
            "Nothing is captured: it is paused until the person resumes.".to_owned()
        }
        CaptureState::Unavailable { reason } => {
            format!("Nothing is captured: {}", sentence(reason))
        }
    };
    vec![words]
}

/// A sentence of the catalogues in a few English words.
fn sentence(sentence: &Sentence) -> String {
    let value = |name: &str| sentence.values.get(name).cloned().unwrap_or_default();
    match sentence.key.as_str() {
        "problem.policy_unusable" => format!(
            "Capture is paused: the organisation's policy can't be followed ({}).",
            value("reason")
        ),
        "problem.disk_full" => {
            "Records can't be stored, and wait in memory: the disk is full.".to_owned()
        }
        "problem.read_only" => {
            "Records can't be stored, and wait in memory: the folder can't be written to."
                .to_owned()
        }
        "problem.storage" => format!(
            "Records can't be stored, and wait in memory: {}.",
            value("reason")
        ),
        "problem.settings_damaged" => {
            "The settings can't be read: set them anew in the app.".to_owned()
        }
        "problem.unauthorized" => {
            "The server refuses this computer's token: enrol it again.".to_owned()
        }
        "problem.offline" => "The server can't be reached.".to_owned(),
        "problem.strange" => {
            "Something other than the server answers, a sign-in page for one.".to_owned()
        }
        "problem.certificate" => format!(
            "The server's certificate isn't trusted, so nothing was sent ({}).",
            value("reason")
        ),
        "problem.server_down" => "The server is busy or not ready.".to_owned(),
        "problem.too_many" => "The server asks to wait.".to_owned(),
        "problem.server_full" => "The server has no room.".to_owned(),
        "problem.server_internal" => "The server has a fault.".to_owned(),
        "problem.pictures_wait" => "A picture of what was said can't be sent yet.".to_owned(),
        "problem.no_display" => "There is no display.".to_owned(),
        "problem.feedback_refused" => {
            format!("The server refused {} of what was said.", value("count"))
        }
        "problem.records_refused" => format!("The server refused {} records.", value("count")),
        other => {
            let reason = value("reason");
            if reason.is_empty() {
                format!(
                    "{}.",
                    other.trim_start_matches("problem.").replace('_', " ")
                )
            } else {
                format!("{reason}.")
            }
        }
    }
}
