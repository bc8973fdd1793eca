//! What an acknowledgement is of: the data that can leave and the policy's reach. Pure.
//!
//! **Invariant:** capture goes on only while nothing is in the scope that wasn't in the acknowledged one. What
//! can't be compared (a list of programs turned into the other kind) counts as wider.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use snag_wire::{AppRules, LabelAction, PolicyAnswer};

use super::view::{PolicyView, Sentence};
use crate::config::write_private;

/// What could be collected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// Names of the data, as in `data.yaml`.
    pub data: BTreeSet<String>,
    /// Whether only the named programs are looked at.
    pub only_named_apps: bool,
    /// The programs named.
    pub apps: BTreeSet<String>,
    /// How many people must share a name.
    pub k: u32,
    /// Labels readable at once: program and pattern.
    pub readable: BTreeSet<(String, String)>,
    /// Labels never readable, in the order of the rules.
    pub never_readable: BTreeSet<(String, String)>,
    /// Days that what is sent is kept.
    pub kept_days: u32,
}

/// What the person read, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledged {
    /// When.
    pub at: Timestamp,
    /// The version that the page showed.
    pub version: String,
    /// What it said.
    pub scope: Scope,
}

impl Acknowledged {
    /// What was acknowledged, if anything. What can't be read wasn't.
    #[must_use]
    pub fn load(path: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(path).ok()?).ok()
    }

    /// Keeps it.
    ///
    /// # Errors
    /// When the folder can't be written to.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        write_private(path, &serde_json::to_vec(self).map_err(io::Error::other)?)
    }
}

impl Scope {
    /// The scope of a policy and of the data that this program can send.
    #[must_use]
    pub fn of(
        policy: &PolicyAnswer,
        data: impl IntoIterator<Item = String>,
        kept_days: u32,
    ) -> Self {
        let (only_named_apps, apps) = match &policy.apps {
            AppRules::Allow(apps) => (true, apps),
            AppRules::Deny(apps) => (false, apps),
        };
        let rules = |action| {
            policy
                .label_rules
                .iter()
                .filter(|rule| rule.action == action)
                .map(|rule| (rule.app.clone(), rule.label.clone()))
                .collect()
        };
        Self {
            data: data.into_iter().collect(),
            only_named_apps,
            apps: apps.iter().cloned().collect(),
            k: policy.k,
            readable: rules(LabelAction::Readable),
            never_readable: rules(LabelAction::Never),
            kept_days,
        }
    }

    /// Names this scope: another scope has another version.
    #[must_use]
    pub fn version(&self) -> String {
        // The JSON of names, numbers and lists of text, which can't fail. If it ever did, a version that is new each
        // time would keep the page from being acknowledged, where an empty text would name any scope.
        let bytes =
            serde_json::to_vec(self).unwrap_or_else(|_| uuid::Uuid::new_v4().as_bytes().to_vec());
        let digest = Sha256::digest(&bytes);
        digest[..8]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// The policy for the page.
    #[must_use]
    pub fn view(&self) -> PolicyView {
        PolicyView {
            only_named_apps: self.only_named_apps,
            apps: self.apps.iter().cloned().collect(),
            k: self.k,
            readable: self.readable.iter().cloned().collect(),
            kept_days: self.kept_days,
        }
    }

    /// What this scope has that `old` had not; empty where it is no wider.
    #[must_use]
    pub fn wider_than(&self, old: &Self) -> Vec<Sentence> {
        let mut wider = Vec::new();
        for name in self.data.difference(&old.data) {
            wider.push(Sentence::new("widened.data", [("what", name.clone())]));
        }
        let joined = |apps: Vec<&String>| apps.into_iter().cloned().collect::<Vec<_>>().join(", ");
        let mut named = |key: &str, apps: Vec<&String>| {
            if !apps.is_empty() {
                wider.push(Sentence::new(key, [("apps", joined(apps))]));
            }
        };
        match (old.only_named_apps, self.only_named_apps) {
            (true, true) => named("widened.apps", self.apps.difference(&old.apps).collect()),
            (false, false) => {
                named(
                    "widened.fewer_excluded",
                    old.apps.difference(&self.apps).collect(),
                );
            }
            (true, false) => wider.push(Sentence::plain("widened.all_apps")),
            // Everything but some became some. Whether one of these was left out before
            // can't be told from patterns, unless none was.
            (false, true) if !old.apps.is_empty() => {
                named("widened.apps", self.apps.iter().collect());
            }
            (false, true) => {}
        }
        if self.k < old.k {
            wider.push(Sentence::new(
                "widened.k",
                [("before", old.k.to_string()), ("after", self.k.to_string())],
            ));
        }
        let rule = |(app, label): &(String, String)| {
            Sentence::new(
                "widened.readable",
                [("app", app.clone()), ("pattern", label.clone())],
            )
        };
        for readable in self.readable.difference(&old.readable) {
            wider.push(rule(readable));
        }
        for never in old.never_readable.difference(&self.never_readable) {
            wider.push(rule(never));
        }
        if self.kept_days > old.kept_days {
            wider.push(Sentence::new(
                "widened.kept_days",
                [
                    ("before", old.kept_days.to_string()),
                    ("after", self.kept_days.to_string()),
                ],
            ));
        }
        wider
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(only_named: bool, apps: &[&str]) -> Scope {
        let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect();
        Scope {
            data: words(&["event.kind"]),
            only_named_apps: only_named,
            apps: words(apps),
            k: 5,
            readable: BTreeSet::new(),
            never_readable: BTreeSet::new(),
            kept_days: 90,
        }
    }

    fn keys(new: &Scope, old: &Scope) -> Vec<String> {
        new.wider_than(old)
            .into_iter()
            .map(|sentence| sentence.key)
            .collect()
    }

    #[test]
    fn only_what_is_wider_is_asked_again() {
        let all = scope(false, &["bank"]);
        assert!(keys(&all, &all).is_empty());
        let fewer = scope(false, &["bank", "mail"]);
        assert!(keys(&fewer, &all).is_empty());
        assert_ne!(fewer.version(), all.version());
        assert_eq!(keys(&all, &fewer), ["widened.fewer_excluded"]);
        let named = scope(true, &["excel"]);
        assert_eq!(keys(&all, &named), ["widened.all_apps"]);
        assert_eq!(
            keys(&named, &all),
            ["widened.apps"],
            "excel may have been left out"
        );
        assert!(keys(&named, &scope(false, &[])).is_empty());
        assert_eq!(
            keys(&scope(true, &["excel", "word"]), &named),
            ["widened.apps"]
        );
        let mut more = all.clone();
        more.k = 4;
        more.kept_days = 180;
        more.data.insert("event.more".into());
        more.readable.insert(("erp".into(), ".*".into()));
        assert_eq!(
            keys(&more, &all),
            [
                "widened.data",
                "widened.k",
                "widened.readable",
                "widened.kept_days"
            ]
        );
        let mut guarded = all.clone();
        guarded.never_readable.insert(("hr".into(), ".*".into()));
        assert_eq!(keys(&all, &guarded), ["widened.readable"]);
        assert!(keys(&guarded, &all).is_empty());
    }
}
