//! The catalogues of the windows, for what Rust says itself: the tray, notifications, a person's steps.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::language;
use super::left_out::readable;
use super::view::Sentence;
use serde_json::Value;

const ENGLISH: &str = include_str!("../../../ui/src/locales/en.json");
const GERMAN: &str = include_str!("../../../ui/src/locales/de.json");

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
        let forms: &[&str] = match count {
            None => &[],
            Some((_, "0")) => &["_zero", "_other"],
            Some((_, "1")) => &["_one"],
            Some(_) => &["_other"],
        };
        let text = forms
            .iter()
            .chain(&[""])
            .find_map(|form| self.texts.get(&format!("{key}{form}")));
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

    /// A question says a button's name as the person knows it.
    #[test]
    fn a_name_in_a_sentence_is_quoted_and_has_gaps() {
        let asked = Sentence {
            key: "prompt.rage_click".to_owned(),
            values: BTreeMap::from([
                ("element".to_owned(), "Open invoice {number}".to_owned()),
                ("count".to_owned(), "4".to_owned()),
            ]),
        };
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
