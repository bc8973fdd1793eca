//! The right moment to ask for feedback: a pure decision over plain data.
//!
//! **Invariants:** at most one question an hour and three in 24 hours, whatever the settings say; none while somebody
//! types, presents or doesn't want to be disturbed; none twice for one incident, and none for a program that the
//! person said no to. What isn't known counts against asking.

use serde::{Deserialize, Serialize};

use crate::redact::Glob;
use crate::{IncidentKind, redact};

/// Most questions in 24 hours, whatever the settings say.
pub const PER_DAY_MAX: u8 = 3;

/// Least time between two questions: an hour. A second thing within the hour is most likely the same trouble.
pub const BETWEEN_MS: u64 = 3_600_000;

/// Nobody types any more after so long without a key: two seconds, longer than the pauses inside a sentence.
pub const TYPING_MS: u64 = 2_000;

/// What counts as a day: the last 24 hours, so that midnight brings no second ration.
pub const DAY_MS: u64 = 86_400_000;

/// An incident that could be asked about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// What was found.
    pub kind: IncidentKind,
    /// The program, as records name it.
    pub app: String,
    /// When it was found, in milliseconds since 1970. With the kind and the program it names the incident.
    pub found_ms: u64,
}

/// What the person and the organisation allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Whether Snag may ask at all.
    pub enabled: bool,
    /// Most questions in 24 hours; over [`PER_DAY_MAX`] it counts as that.
    pub per_day: u8,
    /// Programs about which Snag never asks; patterns with `*`.
    pub never_apps: Vec<String>,
}

/// What goes on around the person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Surroundings {
    /// When a key was hit last, in milliseconds since 1970.
    pub last_key_ms: Option<u64>,
    /// Whether a window fills the screen; none where that can't be told.
    pub full_screen: Option<bool>,
    /// Whether notifications are held back.
    pub do_not_disturb: bool,
    /// Whether capture is paused, or the form is open already.
    pub busy: bool,
}

/// A question that was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// About what.
    pub about: Candidate,
}

/// Why it isn't asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WhyNot {
    /// This kind is too small a thing to ask about.
    Kind,
    /// Asking is switched off.
    Off,
    /// The person said no to this program.
    App,
    /// It was asked about this incident already.
    SameIncident,
    /// The last question is less than an hour ago.
    Lately,
    /// There were enough in the last 24 hours.
    EnoughToday,
    /// Capture is paused or the form is open.
    Busy,
    /// Notifications are held back.
    DoNotDisturb,
    /// A window fills the screen, or it can't be told whether one does.
    FullScreen,
    /// Somebody types. The one reason that passes by itself in a moment.
    Typing,
}

impl WhyNot {
    /// A stable word for logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kind => "kind",
            Self::Off => "off",
            Self::App => "app",
            Self::SameIncident => "same_incident",
            Self::Lately => "lately",
            Self::EnoughToday => "enough_today",
            Self::Busy => "busy",
            Self::DoNotDisturb => "do_not_disturb",
            Self::FullScreen => "full_screen",
            Self::Typing => "typing",
        }
    }
}

/// Whether to ask at `now_ms` (milliseconds since 1970).
///
/// # Errors
/// Why not; the first reason in the order of [`WhyNot`].
pub fn decide(
    candidate: &Candidate,
    rules: &Rules,
    around: &Surroundings,
    history: &[Asked],
    now_ms: u64,
) -> Result<(), WhyNot> {
    let asks = matches!(
        candidate.kind,
        IncidentKind::RageClick | IncidentKind::ErrorLoop | IncidentKind::AbandonedTask
    );
    if !asks {
        return Err(WhyNot::Kind);
    }
    if !rules.enabled || rules.per_day == 0 {
        return Err(WhyNot::Off);
    }
    let app = redact::app_name(&candidate.app);
    // A pattern that makes no sense says no to everything rather than to nothing.
    let said_no = |pattern: &String| Glob::new(pattern).is_none_or(|glob| glob.matches(&app));
    if app.is_empty() || rules.never_apps.iter().any(said_no) {
        return Err(WhyNot::App);
    }
    if history.iter().any(|asked| asked.about == *candidate) {
        return Err(WhyNot::SameIncident);
    }
    // A clock that was set back leaves questions in the future: they count, too.
    let within = |span_ms: u64| {
        history
            .iter()
            .filter(|asked| now_ms < asked.at_ms.saturating_add(span_ms))
            .count()
    };
    if within(BETWEEN_MS) > 0 {
        return Err(WhyNot::Lately);
    }
    if within(DAY_MS) >= usize::from(rules.per_day.min(PER_DAY_MAX)) {
        return Err(WhyNot::EnoughToday);
    }
    if around.busy {
        return Err(WhyNot::Busy);
    }
    if around.do_not_disturb {
        return Err(WhyNot::DoNotDisturb);
    }
    if around.full_screen != Some(false) {
        return Err(WhyNot::FullScreen);
    }
    if around
        .last_key_ms
        .is_some_and(|key| now_ms < key.saturating_add(TYPING_MS))
    {
        return Err(WhyNot::Typing);
    }
    Ok(())
}

/// What of a history still matters at `now_ms`.
pub fn forget(history: &mut Vec<Asked>, now_ms: u64) {
    history.retain(|asked| now_ms < asked.at_ms.saturating_add(DAY_MS));
}
