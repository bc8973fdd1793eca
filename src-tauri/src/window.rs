//! The windows that there are.

use serde::{Deserialize, Serialize};

/// A window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Window {
    /// The feedback form.
    Feedback,
    /// What is read before anything is captured.
    FirstRun,
    /// What Snag knows.
    Knows,
    /// Settings.
    Settings,
    /// What was said and answered.
    Conversations,
    /// The version.
    About,
}

impl Window {
    /// Its label, as in `capabilities/` and in its address.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Feedback => "feedback",
            Self::FirstRun => "first-run",
            Self::Knows => "knows",
            Self::Settings => "settings",
            Self::Conversations => "conversations",
            Self::About => "about",
        }
    }
}
