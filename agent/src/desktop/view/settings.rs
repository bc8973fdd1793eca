//! The settings, as they hold and as they are changed.

use serde::{Deserialize, Serialize};

/// A setting and who set it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Setting<T> {
    /// What holds.
    pub value: T,
    /// Whom it is locked by, and so shown as; none where the person may change it.
    pub locked_by: Option<String>,
}

/// Light or dark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum Theme {
    /// As the system.
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

/// When a page of the form is kept ready, so that the form opens at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum FormReady {
    /// While the computer has memory to spare.
    Automatic,
    /// Whatever that costs.
    Always,
    /// The form then takes a moment to open.
    Never,
}

/// A daily time in which nothing is captured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct PauseRule {
    /// Days of the week, 1 (Monday) to 7.
    pub days: Vec<u8>,
    /// `HH:MM` by the computer's clock.
    pub from: String,
    /// `HH:MM`; before `from` it means the next day.
    pub to: String,
}

/// The settings as they hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Settings {
    /// Programs that are never looked at, beside those of the policy.
    pub never_apps: Setting<Vec<String>>,
    /// Which programs the policy has looked at; none where there is no policy yet.
    pub policy_apps: Option<PolicyApps>,
    /// Times in which nothing is captured.
    pub pause_rules: Setting<Vec<PauseRule>>,
    /// Whether Snag may ask for feedback.
    pub prompts: Setting<bool>,
    /// At most so many questions a day, 1 to 3.
    pub prompts_per_day: Setting<u8>,
    /// Programs about which Snag never asks.
    pub never_ask_apps: Setting<Vec<String>>,
    /// `en`, `de`, or `system`.
    pub language: Setting<String>,
    /// Light or dark.
    pub theme: Setting<Theme>,
    /// The shortcut for feedback, as `Ctrl+Alt+F`; empty for none.
    pub shortcut: Setting<String>,
    /// When the form is kept ready.
    pub form_ready: Setting<FormReady>,
    /// Whether Snag starts with the computer.
    pub autostart: Setting<bool>,
}

/// Which programs the organisation's policy has looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct PolicyApps {
    /// Whose policy it is.
    pub organisation: String,
    /// Whether only the named programs are looked at (`true`), or all but them.
    pub only_named_apps: bool,
    /// Their names; patterns with `*`.
    pub apps: Vec<String>,
}

/// What the person changes: what is given is set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(optional_fields))]
pub struct SettingsChange {
    /// See [`Settings`].
    pub never_apps: Option<Vec<String>>,
    /// See [`Settings`].
    pub pause_rules: Option<Vec<PauseRule>>,
    /// See [`Settings`].
    pub prompts: Option<bool>,
    /// See [`Settings`].
    pub prompts_per_day: Option<u8>,
    /// See [`Settings`].
    pub never_ask_apps: Option<Vec<String>>,
    /// See [`Settings`].
    pub language: Option<String>,
    /// See [`Settings`].
    pub theme: Option<Theme>,
    /// See [`Settings`].
    pub shortcut: Option<String>,
    /// See [`Settings`].
    pub form_ready: Option<FormReady>,
    /// See [`Settings`].
    pub autostart: Option<bool>,
}
