//! The sentences of the tray and of notifications, from the catalogues of the windows.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;
use snag_agent::desktop::language;
use snag_agent::desktop::left_out::readable;
use snag_agent::desktop::view::Sentence;

const ENGLISH: &str = include_str!("../../ui/src/locales/en.json");
const GERMAN: &str = include_str!("../../ui/src/locales/de.json");

/// A language that both catalogues are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// English.
    English,
    /// German.
    German,
}

impl Language {
    /// What the setting says: `en`, `de`, or else the system's.
    #[must_use]
    pub fn of_setting(setting: &str) -> Self {
        match language::of_setting(setting) {
            "de" => Self::German,
            _ => Self::English,
        }
    }
}

/// What a failure of the system is called in a window.
#[must_use]
pub fn unknown(reason: impl std::fmt::Display) -> Sentence {
    sentence("problem.unknown", [("reason", reason.to_string())])
}

/// A sentence that the shell says; the test below holds its key against the catalogue.
#[must_use]
pub fn sentence<const N: usize>(key: &str, values: [(&str, String); N]) -> Sentence {
    Sentence {
        key: key.to_owned(),
        values: values
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    }
}

/// A catalogue.
pub struct Words {
    texts: BTreeMap<String, String>,
}

impl Words {
    /// The catalogue of a language.
    #[must_use]
    pub fn of(language: Language) -> Self {
        let json = match language {
            Language::English => ENGLISH,
            Language::German => GERMAN,
        };
        let mut texts = BTreeMap::new();
        // A test reads both, so that a catalogue that doesn't parse is never shipped.
        if let Ok(value) = serde_json::from_str(json) {
            flatten("", &value, &mut texts);
        }
        Self { texts }
    }

    /// Whether there is such a sentence.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.texts.contains_key(key)
    }

    /// A sentence with its values. A key that isn't in the catalogue is said as it is: worse than a sentence,
    /// better than silence.
    #[must_use]
    pub fn say(&self, key: &str, values: &[(&str, &str)]) -> String {
        let count = values.iter().find(|(name, _)| *name == "count");
        let plural = count.map(|(_, count)| {
            let form = if *count == "1" { "one" } else { "other" };
            format!("{key}_{form}")
        });
        let text = plural
            .and_then(|key| self.texts.get(&key))
            .or_else(|| self.texts.get(key));
        let Some(text) = text else {
            return key.to_owned();
        };
        // One pass: a value that looks like a placeholder stays what it is.
        let mut said = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once("{{") {
            said.push_str(before);
            let Some((name, after)) = after.split_once("}}") else {
                said.push_str("{{");
                rest = after;
                continue;
            };
            if let Some((_, value)) = values.iter().find(|(given, _)| *given == name.trim()) {
                said.push_str(value);
            }
            rest = after;
        }
        said.push_str(rest);
        said
    }

    /// A sentence that Rust made. What redaction took out of a name in it is a gap.
    #[must_use]
    pub fn sentence(&self, sentence: &Sentence) -> String {
        let values: Vec<(&str, Cow<'_, str>)> = sentence
            .values
            .iter()
            .map(|(name, value)| (name.as_str(), readable(value)))
            .collect();
        let values: Vec<(&str, &str)> = values
            .iter()
            .map(|(name, value)| (*name, value.as_ref()))
            .collect();
        self.say(&sentence.key, &values)
    }
}

fn flatten(prefix: &str, value: &Value, texts: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let key = if prefix.is_empty() {
                    name.clone()
                } else {
                    format!("{prefix}.{name}")
                };
                flatten(&key, value, texts);
            }
        }
        Value::String(text) => {
            texts.insert(prefix.to_owned(), text.clone());
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_catalogues_say_the_same_keys() {
        let english = Words::of(Language::English);
        let german = Words::of(Language::German);
        assert!(english.texts.len() > 50);
        assert_eq!(
            english.texts.keys().collect::<Vec<_>>(),
            german.texts.keys().collect::<Vec<_>>()
        );
    }

    /// Every key that the source of this crate names is in the catalogue.
    #[test]
    fn every_key_is_in_the_catalogue() {
        let words = Words::of(Language::English);
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut keys = 0;
        let mut files = Vec::new();
        let mut folders = vec![folder];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("the source") {
                let path = entry.expect("an entry").path();
                let into = if path.is_dir() {
                    &mut folders
                } else {
                    &mut files
                };
                into.push(path);
            }
        }
        for path in files {
            let text = std::fs::read_to_string(&path).expect("text");
            for literal in text.split('"').skip(1).step_by(2) {
                let known = ["tray.", "notify.", "prompt.", "problem."];
                let is_key = known.iter().any(|start| literal.starts_with(start))
                    && !literal.ends_with('.')
                    && literal
                        .bytes()
                        .all(|b| b.is_ascii_lowercase() || b"._".contains(&b));
                if is_key {
                    keys += 1;
                    let found = [literal.to_owned(), format!("{literal}_other")]
                        .iter()
                        .any(|key| words.texts.contains_key(key));
                    assert!(found, "{literal} of {}", path.display());
                }
            }
        }
        assert!(keys > 20, "{keys} keys");
    }

    /// A question says a button's name as the person knows it.
    #[test]
    fn a_name_in_a_sentence_is_quoted_and_has_gaps() {
        let values = [
            ("element", "Open invoice {number}".to_owned()),
            ("count", "4".to_owned()),
        ];
        let asked = sentence("prompt.rage_click", values);
        let said = |language| Words::of(language).sentence(&asked);
        let english = said(Language::English);
        assert!(english.starts_with("“Open invoice …” "), "{english}");
        let german = said(Language::German);
        assert!(german.starts_with("„Open invoice …“ "), "{german}");
    }

    #[test]
    fn plurals_and_values() {
        let words = Words::of(Language::English);
        let say = |count: &str| words.say("tray.sync.minutes", &[("count", count)]);
        assert_eq!(say("1"), "Sent 1 minute ago");
        assert_eq!(say("2"), "Sent 2 minutes ago");
        let german = Words::of(Language::German);
        assert_ne!(german.say("tray.quit", &[]), words.say("tray.quit", &[]));
        assert_eq!(
            words.say("prompt.title", &[("app", "{{app}}")]),
            "Stuck in {{app}}?"
        );
        assert_eq!(words.say("no.such.key", &[]), "no.such.key");
    }
}
