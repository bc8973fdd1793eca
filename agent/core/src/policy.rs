//! Every threshold, with its reason, and the organisation's rules about programs and
//! labels. What does not parse is an error that stops the start, never a rule skipped.

use std::collections::BTreeMap;
use std::fmt;

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use crate::redact::Glob;

macro_rules! thresholds {
    ($($(#[$doc:meta])* $name:ident: $default:literal in $least:literal ..= $most:literal,)*) => {
        /// The detectors' thresholds. The defaults are those of DETECTORS.md.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        pub struct Thresholds { $($(#[$doc])* pub $name: u64,)* }

        impl Default for Thresholds {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }

        impl Thresholds {
            /// The names that settings may use, with the least and the greatest value that make sense.
            pub const NAMES: &'static [(&'static str, u64, u64)] = &[$((stringify!($name), $least, $most),)*];

            fn set(&mut self, name: &str, value: u64) -> Result<(), PolicyError> {
                match name {
                    $(stringify!($name) => {
                        if !($least..=$most).contains(&value) {
                            return Err(PolicyError::Threshold { name: name.to_owned(), value, least: $least, most: $most });
                        }
                        self.$name = value;
                    })*
                    _ => return Err(PolicyError::UnknownThreshold { name: shown(name) }),
                }
                Ok(())
            }
        }
    };
}

thresholds! {
    /// A longer gap ends a session. Half an hour is the convention of web and product
    /// analytics, long enough for a call and too short for lunch.
    session_gap_ms: 1_800_000 in 60_000..=86_400_000,
    /// A longer gap is not active time. A minute covers reading a screen; after it the
    /// person has most likely turned away.
    active_gap_ms: 60_000 in 1_000..=1_800_000,
    /// Press and release farther apart are a drag. A hand moves a mouse a few pixels while
    /// clicking; tool kits start dragging at 3 to 8 px, high-density screens double that.
    click_radius_px: 10 in 0..=200,
    /// Clicks farther apart than this are on two targets where the element is unknown:
    /// about the size of a button or a list row.
    target_radius_px: 30 in 0..=500,
    /// A slower click does not belong to a rage run. People wait about a second before
    /// they conclude that nothing will happen.
    rage_click_gap_ms: 1_000 in 50..=10_000,
    /// The clicks that make a run a rage run lie within this time. Ordinary double clicks
    /// take up to half a second, deliberate repetition is slower than a second.
    rage_click_window_ms: 1_000 in 50..=10_000,
    /// Clicks on a known element: a double click is ordinary on many, a third is not.
    rage_click_known: 3 in 2..=20,
    /// Clicks where the element is not known: people triple-click to select a paragraph.
    rage_click_unknown: 4 in 2..=20,
    /// A click without an answer for this long is dead. Slow programs answer within two
    /// seconds at least with a changed pointer or title; half a second covers capture.
    dead_click_ms: 2_500 in 250..=30_000,
    /// Coming back later than this is a visit of its own, not a look in the wrong place.
    backtrack_ms: 20_000 in 1_000..=600_000,
    /// More clicks than this on the screen between mean that something was done there; one
    /// may be the click on the way back.
    backtrack_clicks: 1 in 0..=100,
    /// A task that takes longer is taken for abandoned. Tasks that programs report are
    /// forms and dialogs of minutes; a quarter of an hour leaves room for a call.
    abandoned_task_ms: 900_000 in 60_000..=43_200_000,
    /// The same error after a longer time is a new attempt, not a loop.
    error_loop_gap_ms: 60_000 in 1_000..=3_600_000,
    /// Seeing the same error again is already a loop: the first message did not help.
    error_loop_count: 2 in 2..=100,
    /// A slower undo is a new decision, not part of the storm.
    undo_storm_gap_ms: 1_500 in 100..=60_000,
    /// Two or three undos are ordinary editing.
    undo_storm_count: 4 in 2..=100,
}

/// Which programs are looked at. Patterns match the whole name, lower case; `*` stands
/// for any number of any characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mode", content = "apps", rename_all = "snake_case")]
pub enum AppRules {
    /// Only these.
    Allow(Vec<String>),
    /// All but these.
    Deny(Vec<String>),
}

impl Default for AppRules {
    /// All programs: an organisation that has not chosen has enrolled every program.
    fn default() -> Self {
        Self::Deny(Vec::new())
    }
}

/// Makes labels of matching places readable at once, or never.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelRule {
    /// The program: a pattern with `*`.
    pub app: String,
    /// The normalised label: a regular expression that has to match all of it.
    pub label: String,
    /// What to do.
    pub action: LabelAction,
}

/// What a [`LabelRule`] does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LabelAction {
    /// The text may be sent whoever shares it.
    Readable,
    /// The text is never sent.
    Never,
}

/// What an organisation sets, before it is checked.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PolicySettings {
    /// Which programs are looked at.
    pub apps: AppRules,
    /// Programs that the person left out: never looked at, whatever `apps` says.
    pub never_apps: Vec<String>,
    /// Which labels are readable at once, or never; the first match decides.
    pub label_rules: Vec<LabelRule>,
    /// The key of label hashes: 64 hexadecimal digits; empty for the key of zeros, which
    /// is for replays on one's own machine only.
    pub label_key: String,
    /// Thresholds that differ from the defaults, by name.
    pub thresholds: BTreeMap<String, u64>,
}

impl fmt::Debug for PolicySettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PolicySettings")
            .field("apps", &self.apps)
            .field("never_apps", &self.never_apps)
            .field("label_rules", &self.label_rules)
            .field("thresholds", &self.thresholds)
            .finish_non_exhaustive()
    }
}

/// A setting that can't be followed. Nothing is captured until it is corrected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// No threshold has this name.
    #[error("no threshold is called `{name}`")]
    UnknownThreshold {
        /// The name, cut to 64 characters.
        name: String,
    },
    /// The value makes no sense.
    #[error("threshold `{name}` is {value}, but has to lie between {least} and {most}")]
    Threshold {
        /// The threshold.
        name: String,
        /// The value set.
        value: u64,
        /// The least that makes sense.
        least: u64,
        /// The most that makes sense.
        most: u64,
    },
    /// A threshold contradicts another.
    #[error("threshold `{name}` has to be below `session_gap_ms`, or its runs could never end")]
    AboveSessionGap {
        /// The threshold.
        name: &'static str,
    },
    /// A pattern for programs is empty or too long.
    #[error("app pattern {position} (counted from 1) is empty or longer than 256 characters")]
    AppPattern {
        /// Counted from 1.
        position: usize,
    },
    /// A label rule's pattern for programs is empty or too long.
    #[error(
        "label rule {position} (counted from 1): its app pattern is empty or longer than 256 characters"
    )]
    LabelRuleApp {
        /// Counted from 1.
        position: usize,
    },
    /// A label rule's expression does not parse.
    #[error("label rule {position} (counted from 1): its label is no regular expression: {reason}")]
    LabelRule {
        /// Counted from 1.
        position: usize,
        /// What the parser says.
        reason: String,
    },
    /// Too many rules.
    #[error("{count} {what}, but at most {most} are allowed")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many there may be.
        most: usize,
    },
    /// The key of label hashes does not parse.
    #[error("the label key has to be 64 hexadecimal digits")]
    LabelKey,
}

/// Rules of one kind: more than any organisation writes, few enough to check on each new screen.
const RULES_MAX: usize = 1_000;

/// Compiled size of one label rule: enough for any title, too little for a bomb.
const REGEX_SIZE_BYTES_MAX: usize = 1 << 18;

/// The policy in force: checked, compiled, ready for an [`Engine`](crate::Engine).
#[derive(Clone)]
pub struct Policy {
    /// The detectors' thresholds.
    pub thresholds: Thresholds,
    pub(crate) apps: CompiledApps,
    pub(crate) label_rules: Vec<CompiledRule>,
    pub(crate) label_key: [u8; 32],
}

#[derive(Clone)]
pub(crate) struct CompiledApps {
    rules: CompiledRules,
    never: Vec<Glob>,
}

#[derive(Clone)]
enum CompiledRules {
    Allow(Vec<Glob>),
    Deny(Vec<Glob>),
}

#[derive(Clone)]
pub(crate) struct CompiledRule {
    pub(crate) app: Glob,
    pub(crate) label: Regex,
    pub(crate) action: LabelAction,
}

impl Default for Policy {
    /// The values of DETECTORS.md, every program, no label rule, and a key of zeros: fit
    /// for replaying a recording, not for a device, whose key comes from its organisation.
    fn default() -> Self {
        Self {
            thresholds: Thresholds::default(),
            apps: CompiledApps {
                rules: CompiledRules::Deny(Vec::new()),
                never: Vec::new(),
            },
            label_rules: Vec::new(),
            label_key: [0; 32],
        }
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("thresholds", &self.thresholds)
            .finish_non_exhaustive()
    }
}

impl CompiledApps {
    /// Whether a program, named as records name it, is looked at.
    pub(crate) fn allows(&self, app: &str) -> bool {
        let named = |globs: &[Glob]| globs.iter().any(|glob| glob.matches(app));
        let allowed = match &self.rules {
            CompiledRules::Allow(globs) => named(globs),
            CompiledRules::Deny(globs) => !named(globs),
        };
        allowed && !named(&self.never)
    }
}

impl Policy {
    /// Checks and compiles what an organisation set.
    ///
    /// # Errors
    /// The first setting that can't be followed: an unknown threshold, a value that makes
    /// no sense, a rule that does not parse, a malformed key.
    pub fn from_settings(settings: &PolicySettings) -> Result<Self, PolicyError> {
        let mut thresholds = Thresholds::default();
        for (name, value) in &settings.thresholds {
            thresholds.set(name, *value)?;
        }
        for (name, value) in [
            ("active_gap_ms", thresholds.active_gap_ms),
            ("backtrack_ms", thresholds.backtrack_ms),
            ("dead_click_ms", thresholds.dead_click_ms),
            ("error_loop_gap_ms", thresholds.error_loop_gap_ms),
        ] {
            if value > thresholds.session_gap_ms {
                return Err(PolicyError::AboveSessionGap { name });
            }
        }
        let rules = match &settings.apps {
            AppRules::Allow(patterns) => CompiledRules::Allow(globs(patterns)?),
            AppRules::Deny(patterns) => CompiledRules::Deny(globs(patterns)?),
        };
        let apps = CompiledApps {
            rules,
            never: globs(&settings.never_apps)?,
        };
        at_most("label rules", settings.label_rules.len())?;
        let label_rules = settings
            .label_rules
            .iter()
            .enumerate()
            .map(|(index, rule)| compile(index + 1, rule))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            thresholds,
            apps,
            label_rules,
            label_key: key(&settings.label_key)?,
        })
    }
}

fn compile(position: usize, rule: &LabelRule) -> Result<CompiledRule, PolicyError> {
    let wrong = |error: regex::Error| PolicyError::LabelRule {
        position,
        reason: error.to_string(),
    };
    // The expression has to parse alone, so that `a)|(b` can't escape the anchors.
    Regex::new(&rule.label).map_err(wrong)?;
    Ok(CompiledRule {
        app: Glob::new(&rule.app).ok_or(PolicyError::LabelRuleApp { position })?,
        label: RegexBuilder::new(&format!("^(?:{})$", rule.label))
            .size_limit(REGEX_SIZE_BYTES_MAX)
            .build()
            .map_err(wrong)?,
        action: rule.action,
    })
}

fn globs(patterns: &[String]) -> Result<Vec<Glob>, PolicyError> {
    at_most("app patterns", patterns.len())?;
    patterns
        .iter()
        .enumerate()
        .map(|(index, pattern)| {
            Glob::new(pattern).ok_or(PolicyError::AppPattern {
                position: index + 1,
            })
        })
        .collect()
}

fn at_most(what: &'static str, count: usize) -> Result<(), PolicyError> {
    if count > RULES_MAX {
        return Err(PolicyError::TooMany {
            what,
            count,
            most: RULES_MAX,
        });
    }
    Ok(())
}

fn key(text: &str) -> Result<[u8; 32], PolicyError> {
    let mut key = [0; 32];
    if !text.is_empty() {
        hex::decode_to_slice(text, &mut key).map_err(|_| PolicyError::LabelKey)?;
    }
    Ok(key)
}

fn shown(name: &str) -> String {
    name.chars().take(64).collect()
}
