//! Redaction: the first thing that happens to an input, and it fails closed.
//!
//! **Invariant:** what this module hands on holds no raw text: only keyed hashes,
//! a program's name (lower case, at most 64 characters) and an accessibility role
//! (`[a-z_]{1,32}`, anything else is `unknown`). The one way for a text to go on is
//! a [`LabelText`], which is normalised and which no rule said `never` to.

mod glob;
mod hash;
mod normalise;
mod private;
mod words;

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use glob::Glob;
pub use normalise::{LABEL_CHARS_MAX, PLACEHOLDERS, normalise};
pub use private::is_private;

use crate::policy::{CompiledApps, CompiledRule, LabelAction};
use crate::{Element, LabelHash, LabelKind, LabelText, Policy, Readable, ScreenRef};
use hash::Keyed;

/// Characters of a program's name that records carry.
pub const APP_CHARS_MAX: usize = 64;

/// What a role that is no accessibility role becomes.
pub const UNKNOWN_ROLE: &str = "unknown";

/// Turns texts into what may be kept: hashes, cleaned names, and labels under the
/// organisation's rules. Pure; its results depend on the policy and the text alone.
#[derive(Clone)]
pub struct Redactor {
    keyed: Keyed,
    apps: CompiledApps,
    rules: Vec<CompiledRule>,
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redactor").finish_non_exhaustive()
    }
}

/// A screen as the detectors compare it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Tells programs apart: a keyed hash of the exact name.
    pub app_identity: u64,
    /// The screen.
    pub screen: ScreenRef,
}

impl Place {
    /// The place of inputs before any focus is known.
    #[must_use]
    pub fn nowhere() -> Self {
        Self {
            app_identity: 0,
            screen: ScreenRef::nowhere(),
        }
    }
}

/// What a focus tells, redacted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Screen {
    /// The screen as the detectors compare it.
    pub place: Place,
    /// Its title, where no rule says `never` to it.
    pub label: Option<LabelText>,
}

/// An element, redacted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Target {
    /// Tells elements apart: a keyed hash of the exact role and id.
    pub(crate) identity: u64,
    pub(crate) role: Arc<str>,
    pub(crate) label: LabelHash,
    pub(crate) manner: Manner,
}

/// What the detectors expect of an element of this role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Manner {
    /// Nothing special.
    Ordinary,
    /// Fast clicks are ordinary on it.
    FastClicks,
    /// It is made to answer a click.
    Answers,
}

impl Manner {
    fn of(role: &str) -> Self {
        match role {
            "text" | "entry" | "password_text" | "document" | "terminal" | "paragraph"
            | "spin_button" | "scroll_bar" | "slider" | "canvas" | "drawing_area" => {
                Self::FastClicks
            }
            "push_button" | "link" | "check_box" | "radio_button" | "menu_item" | "tab"
            | "toggle_button" | "combo_box" => Self::Answers,
            _ => Self::Ordinary,
        }
    }
}

/// A task's name or an error's code, redacted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    /// Tells names apart: a keyed hash of the exact text.
    pub(crate) identity: u64,
    pub(crate) label: LabelHash,
    pub(crate) text: Option<LabelText>,
}

impl Redactor {
    /// A redactor for a policy.
    #[must_use]
    pub fn new(policy: &Policy) -> Self {
        Self {
            keyed: Keyed::new(&policy.label_key),
            apps: policy.apps.clone(),
            rules: policy.label_rules.clone(),
        }
    }

    /// Whether a program is looked at.
    #[must_use]
    pub fn allows(&self, app: &str) -> bool {
        self.apps.allows(&app_name(app))
    }

    /// Whether a program is looked at, by its name as records carry it.
    pub(crate) fn allows_name(&self, name: &str) -> bool {
        self.apps.allows(name)
    }

    /// The hash of a label: of the normalised text alone, so that the server can check
    /// that a text gives its hash.
    #[must_use]
    pub fn label_hash(&self, normalised: &str) -> LabelHash {
        self.keyed.label(normalised)
    }

    /// A screen by its program and title.
    #[must_use]
    pub fn screen(&self, app: &str, title: &str) -> Screen {
        let name: Arc<str> = app_name(app).into();
        let text = normalise(title);
        let label = self.keyed.label(&text);
        Screen {
            place: Place {
                app_identity: self.keyed.identity(hash::APP, &[app]),
                screen: ScreenRef {
                    app: Arc::clone(&name),
                    identity: self.keyed.identity(hash::SCREEN, &[app, title]),
                    label,
                },
            },
            label: self.text(LabelKind::Screen, name, label, text),
        }
    }

    /// An element by the program it is in, its role and its name, as inputs carry it:
    /// the id is the hash of the normalised name.
    #[must_use]
    pub fn element(&self, app: &str, role: &str, name: &str) -> (Element, Option<LabelText>) {
        let text = normalise(name);
        let hash = self.keyed.label(&text);
        let element = Element {
            role: role_name(role).to_owned(),
            id: hash.to_string(),
        };
        let label = self.text(LabelKind::Element, app_name(app).into(), hash, text);
        (element, label)
    }

    /// An element as the detectors compare it. An id that is no label hash already is
    /// hashed: it may be anything.
    pub(crate) fn target(&self, element: &Element) -> Target {
        Target {
            identity: self
                .keyed
                .identity(hash::ELEMENT, &[&element.role, &element.id]),
            role: role_name(&element.role).into(),
            label: LabelHash::parse(&element.id).unwrap_or_else(|| self.keyed.label(&element.id)),
            manner: Manner::of(&element.role),
        }
    }

    /// A task's name or an error's code, said in a program.
    pub(crate) fn named(&self, kind: LabelKind, app: &Arc<str>, raw: &str) -> Named {
        let text = if is_code(kind, raw) {
            raw.to_owned()
        } else {
            normalise(raw)
        };
        let label = self.keyed.label(&text);
        Named {
            identity: self.keyed.identity(hash::NAME, &[raw]),
            label,
            text: self.text(kind, Arc::clone(app), label, text),
        }
    }

    fn text(
        &self,
        kind: LabelKind,
        app: Arc<str>,
        hash: LabelHash,
        text: String,
    ) -> Option<LabelText> {
        if text.is_empty() {
            return None;
        }
        let action = self
            .rules
            .iter()
            .find(|rule| rule.app.matches(&app) && rule.label.is_match(&text))
            .map(|rule| rule.action);
        let readable = match action {
            Some(LabelAction::Never) => return None,
            Some(LabelAction::Readable) => Readable::AtOnce,
            None => Readable::WhenShared,
        };
        Some(LabelText {
            hash,
            kind,
            app,
            text,
            readable,
        })
    }
}

/// A program's name as records carry it: lower case, without folders and without an
/// executable's extension, at most 64 characters.
#[must_use]
pub fn app_name(raw: &str) -> String {
    let name = raw.trim();
    let name = name
        .rsplit(['/', '\\'])
        .find(|part| !part.trim().is_empty())
        .unwrap_or("");
    let lower: String = name
        .chars()
        .filter(|c| !c.is_control())
        .take(APP_CHARS_MAX * 2)
        .flat_map(char::to_lowercase)
        .collect();
    let mut name = lower.trim();
    for extension in [".exe", ".app", ".bin", ".com", ".appimage"] {
        if let Some(stem) = name.strip_suffix(extension)
            && !stem.is_empty()
        {
            name = stem;
            break;
        }
    }
    let name: String = name.chars().take(APP_CHARS_MAX).collect();
    name.trim_end().to_owned()
}

/// Whether a name is a program's own word (`ERR_TIMEOUT`, `ORA-00942`, `invoice.create`),
/// which says the more the less is taken out of it. An error's code may hold up to five
/// digits; more are an identifier of something.
fn is_code(kind: LabelKind, raw: &str) -> bool {
    let digits_max = match kind {
        LabelKind::Error => 5,
        LabelKind::Task => 0,
        LabelKind::Screen | LabelKind::Element => return false,
    };
    raw.len() <= APP_CHARS_MAX
        && raw.starts_with(|c: char| c.is_ascii_alphanumeric())
        && raw
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b':'))
        && raw.bytes().filter(u8::is_ascii_digit).count() <= digits_max
}

/// A role as records carry it.
fn role_name(raw: &str) -> &str {
    let fits =
        (1..=32).contains(&raw.len()) && raw.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    if fits { raw } else { UNKNOWN_ROLE }
}
