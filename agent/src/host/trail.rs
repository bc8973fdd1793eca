//! The last minute's steps, for a person to attach to feedback. In memory only.
//!
//! **Invariant:** a step holds what a record holds: hashes, no titles. Texts are looked up as the form opens, and
//! are sent only as words that the person saw and left in.

use std::collections::VecDeque;
use std::sync::Arc;

use snag_core as core;
use snag_wire::{LabelHash, TrailStep};

use crate::convert;
use crate::desktop::words::Words;
use crate::sync::LabelStore;

mod words;

use words::Said;
pub(super) use words::unnamed;

/// How far back steps are offered.
const WINDOW_MS: i64 = 60_000;

/// Steps kept: more than a hand does in a minute, and equal ones become one line.
const STEPS_MAX: usize = 1_000;

/// Lines offered: the contract's bound.
const LINES_MAX: usize = snag_wire::limits::TRAIL_STEPS_MAX;

/// What a step was.
enum What {
    Event(core::EventRecord),
    Incident(core::IncidentRecord),
    /// What a program said through the SDK.
    Said(String),
}

struct Step {
    at_ms: i64,
    app: Arc<str>,
    screen: LabelHash,
    what: What,
}

/// The steps, oldest first.
#[derive(Default)]
pub(super) struct Trail {
    steps: VecDeque<Step>,
    session: Option<u32>,
    /// The program and the screen that had the focus last.
    place: Option<(Arc<str>, LabelHash)>,
}

impl Trail {
    /// A record was made; its time is milliseconds since 1970.
    pub(super) fn record(&mut self, record: &core::Record) {
        self.session = Some(record.session);
        if matches!(record.body, core::Body::Event(_)) {
            let hash = convert::hash(record.screen.label);
            self.place = Some((Arc::clone(&record.screen.app), hash));
        }
        let what = match &record.body {
            core::Body::Event(event) if is_step(event) => What::Event(event.clone()),
            core::Body::Incident(incident) => What::Incident(incident.clone()),
            _ => return,
        };
        self.push(Step {
            at_ms: i64::try_from(record.t).unwrap_or(i64::MAX),
            app: Arc::clone(&record.screen.app),
            screen: convert::hash(record.screen.label),
            what,
        });
    }

    /// A program said something.
    pub(super) fn said(&mut self, at_ms: i64, app: Arc<str>, text: String) {
        self.push(Step {
            at_ms,
            app,
            screen: LabelHash([0; 8]),
            what: What::Said(text),
        });
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The device's session.
    pub(super) fn session(&self) -> Option<u32> {
        self.session
    }

    /// The program and the screen that had the focus last.
    pub(super) fn place(&self) -> Option<(String, LabelHash)> {
        self.place
            .as_ref()
            .map(|(app, screen)| (app.to_string(), *screen))
    }

    fn push(&mut self, step: Step) {
        let before = step.at_ms - 2 * WINDOW_MS;
        self.steps.push_back(step);
        while self.steps.len() > STEPS_MAX
            || self.steps.front().is_some_and(|step| step.at_ms < before)
        {
            self.steps.pop_front();
        }
    }

    /// The last minute before `now_ms` in words, oldest first. Equal steps that follow each other are one, with a count
    /// and the time of the first.
    pub(super) fn steps(&self, now_ms: i64, labels: &LabelStore, words: &Words) -> Vec<TrailStep> {
        let mut steps: Vec<&Step> = self
            .steps
            .iter()
            .filter(|step| step.at_ms <= now_ms && step.at_ms >= now_ms - WINDOW_MS)
            .collect();
        // A run is told as it ends, with the time at which it began.
        steps.sort_by_key(|step| step.at_ms);
        let mut lines: Vec<Line<'_>> = Vec::new();
        for step in steps {
            let (said, count) = words::of(step, labels, words);
            match lines.last_mut() {
                Some(line) if line.takes(step, &said) => line.count += count,
                _ => lines.push(Line { step, said, count }),
            }
        }
        let first = lines.len().saturating_sub(LINES_MAX);
        lines
            .drain(first..)
            .map(|line| line.told(now_ms, words))
            .collect()
    }
}

/// Whether an event is one that a person would tell of: the pointer's way isn't, nor are the modifiers of a shortcut,
/// which is one itself.
fn is_step(event: &core::EventRecord) -> bool {
    event.kind != core::EventKind::Move
        && event.detail != Some(core::Detail::Key(core::KeyClass::Modifier))
}

/// Equal steps in a row.
struct Line<'a> {
    /// The first of them.
    step: &'a Step,
    said: Said,
    count: u64,
}

impl Line<'_> {
    fn takes(&self, step: &Step, said: &Said) -> bool {
        self.said == *said && self.step.app == step.app && self.step.screen == step.screen
    }

    fn told(self, now_ms: i64, words: &Words) -> TrailStep {
        let step = self.step;
        TrailStep {
            before_ms: u64::try_from(now_ms - step.at_ms).unwrap_or_default(),
            text: self
                .said
                .text(self.count, words)
                .chars()
                .take(snag_wire::limits::STEP_CHARS_MAX)
                .collect(),
            incident: match &step.what {
                What::Incident(incident) => Some(convert::incident_kind(incident.kind)),
                _ => None,
            },
            app: step.app.to_string(),
            screen: if step.screen == LabelHash([0; 8]) {
                String::new()
            } else {
                step.screen.to_string()
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desktop::words::Language;

    fn click(t: u64, count: u32) -> core::Record {
        core::Record {
            t,
            session: 1,
            screen: core::ScreenRef {
                app: "excel".into(),
                identity: 1,
                label: core::LabelHash([7; 8]),
            },
            body: core::Body::Event(core::EventRecord {
                kind: core::EventKind::Click,
                detail: None,
                role: None,
                label: Some(core::LabelHash([9; 8])),
                count,
                duration_ms: 0,
            }),
        }
    }

    fn event(t: u64, kind: core::EventKind, detail: Option<core::Detail>) -> core::Record {
        core::Record {
            body: core::Body::Event(core::EventRecord {
                kind,
                detail,
                role: None,
                label: None,
                count: 1,
                duration_ms: 0,
            }),
            ..click(t, 1)
        }
    }

    fn key(t: u64, class: core::KeyClass) -> core::Record {
        event(t, core::EventKind::Key, Some(core::Detail::Key(class)))
    }

    fn incident(t: u64, kind: core::IncidentKind) -> core::Record {
        core::Record {
            body: core::Body::Incident(core::IncidentRecord {
                kind,
                version: 1,
                duration_ms: 0,
                count: 1,
                role: None,
                label: None,
            }),
            ..click(t, 1)
        }
    }

    fn labels() -> LabelStore {
        let labels = LabelStore::new();
        labels.note(crate::sync::KnownLabel {
            hash: LabelHash([9; 8]),
            kind: snag_wire::LabelKind::Element,
            app: "excel".into(),
            text: "Save {number}".into(),
            at_once: false,
        });
        labels
    }

    fn texts(trail: &Trail, language: Language) -> Vec<String> {
        trail
            .steps(60_000, &labels(), &Words::of(language))
            .into_iter()
            .map(|step| step.text)
            .collect()
    }

    #[test]
    fn the_last_minute_and_no_more() {
        let mut trail = Trail::default();
        for t in 0..400 {
            // Every other one is another, so that each is a line.
            let class = [core::KeyClass::Tab, core::KeyClass::Enter][usize::from(t % 2 == 0)];
            trail.record(&key(t * 1_000, class));
        }
        trail.record(&click(399_500, 4));
        let steps = trail.steps(400_000, &labels(), &Words::of(Language::English));
        assert_eq!(steps.len(), 61);
        assert_eq!(steps[60].text, "Click on “Save …”, 4 times");
        assert_eq!(steps[60].before_ms, 500);
        assert_eq!(steps[60].screen, "0707070707070707");
        assert!(
            steps
                .windows(2)
                .all(|pair| pair[0].before_ms >= pair[1].before_ms)
        );
        trail.clear();
        let words = Words::of(Language::English);
        assert!(trail.steps(400_000, &labels(), &words).is_empty());
    }

    #[test]
    fn equal_steps_that_follow_each_other_are_one_line_with_a_count() {
        let mut trail = Trail::default();
        for t in 0..32 {
            trail.record(&key(10_000 + t * 1_200, core::KeyClass::Tab));
        }
        trail.record(&key(49_000, core::KeyClass::Char));
        trail.record(&key(50_500, core::KeyClass::Space));
        // What is held for a shortcut is no step.
        trail.record(&key(51_000, core::KeyClass::Modifier));
        trail.record(&click(52_000, 1));
        trail.record(&key(53_000, core::KeyClass::Tab));
        trail.record(&event(54_000, core::EventKind::Focus, None));
        trail.record(&event(55_000, core::EventKind::Focus, None));
        trail.said(56_000, "excel".into(), "import started".into());
        trail.said(57_000, "excel".into(), "import started".into());
        assert_eq!(
            texts(&trail, Language::English),
            [
                "Tab, 32 times",
                "Typing, 2 keys",
                "Click on “Save …”",
                "Tab",
                "Another screen of excel",
                "import started, 2 times",
            ]
        );
        assert_eq!(
            texts(&trail, Language::German)[..3],
            [
                "Tabulator, 32-mal",
                "Tippen, 2 Tasten",
                "Klick auf „Save …“"
            ]
        );
        let steps = trail.steps(60_000, &labels(), &Words::of(Language::English));
        assert_eq!(steps[0].before_ms, 50_000, "when it began");
    }

    #[test]
    fn the_same_in_another_program_is_another_line() {
        let mut trail = Trail::default();
        trail.record(&click(1_000, 1));
        let mut other = click(2_000, 1);
        other.screen.app = "word".into();
        trail.record(&other);
        assert_eq!(texts(&trail, Language::English).len(), 2);
    }

    #[test]
    fn every_step_is_said_in_both_languages_and_begins_alike() {
        let mut all = Vec::new();
        for kind in core::EventKind::ALL {
            all.push(event(1, *kind, None));
        }
        for class in core::KeyClass::ALL {
            all.push(key(1, *class));
        }
        for kind in core::IncidentKind::ALL {
            all.push(incident(1, *kind));
        }
        for task in core::TaskEvent::ALL {
            let detail = Some(core::Detail::Task(*task));
            all.push(event(1, core::EventKind::Task, detail));
        }
        for record in all {
            let mut trail = Trail::default();
            trail.record(&record);
            let english = texts(&trail, Language::English);
            let german = texts(&trail, Language::German);
            for text in english.iter().chain(&german) {
                let first = text.chars().next();
                assert!(first.is_some_and(char::is_uppercase), "{text}");
                assert!(!text.starts_with("step."), "{text}");
            }
            assert_eq!(english.len(), german.len());
        }
    }
}
