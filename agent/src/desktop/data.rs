//! `data.yaml`: every datum that can leave this computer, as the first-run page shows it.
//!
//! **Invariant:** the page shows what the tests hold the wire against, because both read the same file.

use std::collections::BTreeMap;

use serde::Deserialize;
use snag_wire::Retention;

use super::view::{Datum, Sensitivity};

const ENGLISH: &str = include_str!("../../data.yaml");
const GERMAN: &str = include_str!("../../data.de.yaml");

/// Facts by the name of their field.
pub type Facts = BTreeMap<String, Fact>;

/// The file as it is, part by part. PRIVACY.md and the tests of the wire read it by this, too.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Declared {
    /// What never leaves.
    pub never: Vec<String>,
    /// What is sent as a computer is enrolled.
    pub enrolment: Facts,
    /// What every batch says.
    pub batch: Facts,
    /// Where something happened.
    pub context: Facts,
    /// Records by their type.
    pub records: BTreeMap<String, Facts>,
    /// What a person says.
    pub feedback: Facts,
}

impl Declared {
    /// Reads the file.
    ///
    /// # Errors
    /// When it doesn't parse, which the tests rule out.
    pub fn read() -> Result<Self, yaml_serde::Error> {
        yaml_serde::from_str(ENGLISH)
    }
}

/// What is declared of a field.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fact {
    /// What it is.
    pub what: String,
    /// What for.
    pub purpose: String,
    /// What it tells.
    pub sensitivity: Sensitivity,
    /// Days until the server deletes it; 0 for not before its deletion is asked for.
    pub expires_days: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Translated {
    never: Vec<String>,
    words: BTreeMap<String, String>,
}

/// What can leave and what never does.
pub struct Data {
    /// Every datum, in the order of the file's parts.
    pub data: Vec<Datum>,
    /// What never leaves.
    pub never: Vec<String>,
}

impl Data {
    /// The organisation keeps things for another time than the file says. What stays until somebody asks for its
    /// deletion does so whatever the organisation set.
    pub fn keep(&mut self, kept: Retention) {
        for datum in &mut self.data {
            if datum.expires_days == 0 {
                continue;
            }
            datum.expires_days = match datum.name.as_str() {
                "feedback.picture" => kept.screenshots_days,
                name if name.starts_with("feedback.") => kept.feedback_days,
                _ => kept.events_days,
            };
        }
    }
}

/// What is declared, in a language: `de`, or English for any other.
///
/// # Errors
/// When a file that this program was built with doesn't parse, which the tests rule out.
pub fn declared(language: &str) -> Result<Data, yaml_serde::Error> {
    let declared = Declared::read()?;
    let parts = [
        ("enrolment", declared.enrolment),
        ("batch", declared.batch),
        ("context", declared.context),
    ];
    let mut data = Vec::new();
    let mut add = |part: &str, facts: Facts| {
        data.extend(facts.into_iter().map(|(name, fact)| Datum {
            name: format!("{part}.{name}"),
            what: fact.what,
            purpose: fact.purpose,
            sensitivity: fact.sensitivity,
            expires_days: fact.expires_days,
        }));
    };
    for (part, facts) in parts {
        add(part, facts);
    }
    for (kind, facts) in declared.records {
        add(&kind, facts);
    }
    add("feedback", declared.feedback);
    let mut never = declared.never;
    if language == "de" {
        let german: Translated = yaml_serde::from_str(GERMAN)?;
        never = german.never;
        for datum in &mut data {
            for text in [&mut datum.what, &mut datum.purpose] {
                if let Some(translated) = german.words.get(text.as_str()) {
                    text.clone_from(translated);
                }
            }
        }
    }
    Ok(Data { data, never })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_sentence_is_said_in_german_and_none_is_left_over() {
        let english = declared("en").unwrap();
        let german: Translated = yaml_serde::from_str(GERMAN).unwrap();
        assert_eq!(german.never.len(), english.never.len());
        let said: BTreeSet<&str> = english
            .data
            .iter()
            .flat_map(|datum| [datum.what.as_str(), datum.purpose.as_str()])
            .collect();
        let translated: BTreeSet<&str> = german.words.keys().map(String::as_str).collect();
        let missing: Vec<_> = said.difference(&translated).collect();
        assert!(missing.is_empty(), "not in German: {missing:#?}");
        let unused: Vec<_> = translated.difference(&said).collect();
        assert!(unused.is_empty(), "nowhere in English: {unused:#?}");
        let shown = declared("de").unwrap();
        assert!(
            shown
                .data
                .iter()
                .zip(&english.data)
                .all(|(de, en)| de.name == en.name && de.what != en.what)
        );
    }

    #[test]
    fn what_the_organisation_keeps_is_shown() {
        let mut shown = declared("en").unwrap();
        shown.keep(Retention {
            events_days: 30,
            feedback_days: 60,
            screenshots_days: 7,
        });
        let days = |name: &str| {
            let datum = shown.data.iter().find(|datum| datum.name == name);
            datum.unwrap().expires_days
        };
        assert_eq!(days("event.kind"), 30);
        assert_eq!(days("feedback.description"), 60);
        assert_eq!(days("feedback.picture"), 7);
        assert_eq!(days("label.text"), 0, "until its deletion is asked for");
    }

    #[test]
    fn only_feedback_is_said_by_the_person() {
        for datum in declared("en").unwrap().data {
            if datum.sensitivity == Sensitivity::Said {
                assert!(datum.name.starts_with("feedback."), "{}", datum.name);
            }
        }
    }
}
