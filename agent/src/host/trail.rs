//! The last minute's steps, for a person to attach to feedback. In memory only.
//!
//! **Invariant:** a step holds what a record holds: hashes, no titles. Texts are looked up as the form opens, and
//! are sent only as words that the person saw and left in.

use std::collections::VecDeque;
use std::sync::Arc;

use snag_core as core;
use snag_wire::{LabelHash, TrailStep};

use crate::convert;
use crate::desktop::left_out::readable;
use crate::sync::LabelStore;

/// How far back steps are offered.
const WINDOW_MS: i64 = 60_000;

/// Steps kept: the contract's bound.
const STEPS_MAX: usize = snag_wire::limits::TRAIL_STEPS_MAX;

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
            core::Body::Event(event) if event.kind != core::EventKind::Move => {
                What::Event(event.clone())
            }
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

    /// The last minute before `now_ms` in words, oldest first.
    pub(super) fn steps(&self, now_ms: i64, labels: &LabelStore, german: bool) -> Vec<TrailStep> {
        let mut steps: Vec<&Step> = self
            .steps
            .iter()
            .filter(|step| step.at_ms <= now_ms && step.at_ms >= now_ms - WINDOW_MS)
            .collect();
        // A run is told as it ends, with the time at which it began.
        steps.sort_by_key(|step| step.at_ms);
        steps
            .into_iter()
            .map(|step| TrailStep {
                before_ms: u64::try_from(now_ms - step.at_ms).unwrap_or_default(),
                text: words(step, labels, german)
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
            })
            .collect()
    }
}

fn words(step: &Step, labels: &LabelStore, german: bool) -> String {
    let name = |hash: Option<core::LabelHash>| {
        hash.and_then(|hash| labels.text(convert::hash(hash)))
            .map(|text| {
                let text = readable(&text);
                if german {
                    format!(" „{text}“")
                } else {
                    format!(" “{text}”")
                }
            })
            .unwrap_or_default()
    };
    let times = |count: u64| {
        if count > 1 {
            format!("{count} × ")
        } else {
            String::new()
        }
    };
    let say = |english: &str, deutsch: &str| if german { deutsch } else { english }.to_owned();
    match &step.what {
        What::Said(text) => text.clone(),
        What::Event(event) => {
            use core::EventKind as Kind;
            let what = match event.kind {
                Kind::Click => say("Click", "Klick"),
                Kind::Drag => say("Drag", "Ziehen"),
                Kind::Scroll => say("Scrolling", "Blättern"),
                Kind::Move => say("Pointer moved", "Zeiger bewegt"),
                Kind::Key => key_words(event.detail, german),
                Kind::Focus => {
                    let screen = labels
                        .text(step.screen)
                        .map(|text| format!(": {}", readable(&text)))
                        .unwrap_or_default();
                    return say("Screen", "Maske") + &screen;
                }
                Kind::Task => task_words(event.detail, german),
                Kind::Error => say("Error", "Fehler"),
            };
            times(u64::from(event.count)) + &what + &name(event.label)
        }
        What::Incident(incident) => {
            use core::IncidentKind as Kind;
            let (english, deutsch) = match incident.kind {
                Kind::RageClick => (
                    "fast clicks without an answer",
                    "schnelle Klicks ohne Antwort",
                ),
                Kind::DeadClick => ("click that nothing answered", "Klick ohne Antwort"),
                Kind::Backtrack => ("wrong turn", "Irrweg"),
                Kind::AbandonedTask => ("task that was not finished", "nicht beendete Aufgabe"),
                Kind::ErrorLoop => ("the same error", "derselbe Fehler"),
                Kind::UndoStorm => ("undo in a row", "Rückgängig in Folge"),
            };
            times(incident.count) + &say(english, deutsch) + &name(incident.label)
        }
    }
}

fn key_words(detail: Option<core::Detail>, german: bool) -> String {
    use core::KeyClass as Class;
    let Some(core::Detail::Key(class)) = detail else {
        return if german { "Tasten" } else { "Keys" }.to_owned();
    };
    let (english, deutsch) = match class {
        Class::Char | Class::Space => ("Characters typed", "Zeichen getippt"),
        Class::Enter => ("Enter", "Eingabetaste"),
        Class::Tab => ("Tab", "Tabulator"),
        Class::Escape => ("Escape", "Escape"),
        Class::Backspace | Class::Delete => ("Deleted", "Gelöscht"),
        Class::Undo => ("Undo", "Rückgängig"),
        Class::Redo => ("Redo", "Wiederholen"),
        Class::Copy => ("Copy", "Kopieren"),
        Class::Cut => ("Cut", "Ausschneiden"),
        Class::Paste => ("Paste", "Einfügen"),
        Class::Save => ("Save", "Speichern"),
        Class::Find => ("Find", "Suchen"),
        Class::Navigation => ("Arrow keys", "Pfeiltasten"),
        Class::Modifier | Class::Function | Class::Other => ("Keys", "Tasten"),
    };
    if german { deutsch } else { english }.to_owned()
}

fn task_words(detail: Option<core::Detail>, german: bool) -> String {
    use core::TaskEvent as Event;
    let (english, deutsch) = match detail {
        Some(core::Detail::Task(Event::Complete)) => ("Task completed", "Aufgabe beendet"),
        Some(core::Detail::Task(Event::Cancel)) => ("Task cancelled", "Aufgabe abgebrochen"),
        _ => ("Task begun", "Aufgabe begonnen"),
    };
    if german { deutsch } else { english }.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn the_last_minute_in_words_and_no_more() {
        let labels = LabelStore::new();
        labels.note(crate::sync::KnownLabel {
            hash: LabelHash([9; 8]),
            kind: snag_wire::LabelKind::Element,
            app: "excel".into(),
            text: "Save".into(),
            at_once: false,
        });
        let mut trail = Trail::default();
        for t in 0..400 {
            trail.record(&click(t * 1_000, 1));
        }
        trail.record(&click(399_500, 4));
        let steps = trail.steps(400_000, &labels, false);
        assert_eq!(steps.len(), 61);
        assert_eq!(steps[60].text, "4 × Click “Save”");
        assert_eq!(steps[60].before_ms, 500);
        assert_eq!(steps[60].screen, "0707070707070707");
        assert!(
            steps
                .windows(2)
                .all(|pair| pair[0].before_ms >= pair[1].before_ms)
        );
        assert_eq!(
            trail.steps(400_000, &labels, true)[60].text,
            "4 × Klick „Save“"
        );
        trail.clear();
        assert!(trail.steps(400_000, &labels, false).is_empty());
    }
}
