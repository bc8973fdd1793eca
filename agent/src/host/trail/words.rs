//! A step as the person reads it, by the catalogues.

use snag_core as core;

use super::{Step, What};
use crate::convert;
use crate::desktop::view::Sentence;
use crate::desktop::words::Words;
use crate::sync::LabelStore;

/// What was done, and how often.
#[derive(PartialEq, Eq)]
pub(super) struct Said {
    what: Sentence,
    number: Number,
}

/// Where a number of the same is said.
#[derive(PartialEq, Eq)]
enum Number {
    /// Nowhere: the person came there, however often that was told.
    Nowhere,
    /// "…, 4 times".
    Behind,
    /// The sentence counts itself: characters, steps of the wheel.
    Within,
}

impl Said {
    /// With the number of them.
    pub(super) fn text(&self, count: u64, words: &Words) -> String {
        let counted = |sentence: &Sentence| {
            let mut sentence = sentence.clone();
            let count = count.to_string();
            sentence.values.insert("count".to_owned(), count);
            words.sentence(&sentence)
        };
        match self.number {
            Number::Within => counted(&self.what),
            Number::Behind if count > 1 => counted(&Sentence::new(
                "step.times",
                [("step", words.sentence(&self.what))],
            )),
            Number::Behind | Number::Nowhere => words.sentence(&self.what),
        }
    }
}

/// What a step was, and how many of it.
pub(super) fn of(step: &Step, labels: &LabelStore, words: &Words) -> (Said, u64) {
    let name =
        |hash: Option<core::LabelHash>| hash.and_then(|hash| labels.text(convert::hash(hash)));
    let (what, number, count) = match &step.what {
        What::Said(text) => (
            // A program's own words, which no catalogue has.
            Sentence::new("step.program", [("text", text.clone())]),
            Number::Behind,
            1,
        ),
        What::Event(event) => {
            use core::EventKind as Kind;
            let (what, number) = match event.kind {
                Kind::Click => (
                    click(name(event.label), event.role.as_deref(), words),
                    Number::Behind,
                ),
                Kind::Drag => (named("step.drag", name(event.label)), Number::Behind),
                // A trail has no moves.
                Kind::Scroll | Kind::Move => (Sentence::plain("step.scroll"), Number::Within),
                Kind::Key => key(event.detail),
                Kind::Focus => (screen(step, labels.text(step.screen)), Number::Nowhere),
                Kind::Task => (named(task(event.detail), name(event.label)), Number::Behind),
                Kind::Error => (named("step.error", name(event.label)), Number::Behind),
            };
            (what, number, u64::from(event.count))
        }
        What::Incident(incident) => {
            let what = incident_words(incident.kind, name(incident.label));
            (what, Number::Behind, incident.count)
        }
    };
    (Said { what, number }, count)
}

fn incident_words(kind: core::IncidentKind, name: Option<String>) -> Sentence {
    use core::IncidentKind as Kind;
    match kind {
        Kind::RageClick => named("step.rage_click", name),
        Kind::DeadClick => named("step.dead_click", name),
        Kind::Backtrack => Sentence::plain("step.backtrack"),
        Kind::AbandonedTask => named("step.abandoned_task", name),
        Kind::ErrorLoop => named("step.error_loop", name),
        Kind::UndoStorm => Sentence::plain("step.undo_storm"),
    }
}

/// What was found, and how often, without the name of what it happened on.
pub(in crate::host) fn unnamed(kind: core::IncidentKind, count: u64, words: &Words) -> String {
    let said = Said {
        what: incident_words(kind, None),
        number: Number::Behind,
    };
    said.text(count, words)
}

/// With a name where one is known: the key's sentence with `_named`.
fn named(key: &str, name: Option<String>) -> Sentence {
    match name {
        Some(name) => Sentence::new(&format!("{key}_named"), [("element", name)]),
        None => Sentence::plain(key),
    }
}

fn click(name: Option<String>, role: Option<&str>, words: &Words) -> Sentence {
    match role.map(|role| format!("role.{role}")) {
        Some(role) if name.is_none() && words.has(&role) => {
            Sentence::new("step.click_role", [("role", words.say(&role, &[]))])
        }
        _ => named("step.click", name),
    }
}

fn screen(step: &Step, name: Option<String>) -> Sentence {
    match name {
        Some(name) => Sentence::new("step.screen_named", [("screen", name)]),
        None => Sentence::new("step.screen", [("app", step.app.to_string())]),
    }
}

fn key(detail: Option<core::Detail>) -> (Sentence, Number) {
    use core::KeyClass as Class;
    let Some(core::Detail::Key(class)) = detail else {
        return (Sentence::plain("step.keys"), Number::Behind);
    };
    let key = match class {
        Class::Char | Class::Space => return (Sentence::plain("step.typing"), Number::Within),
        Class::Enter => "step.enter",
        Class::Tab => "step.tab",
        Class::Escape => "step.escape",
        Class::Backspace | Class::Delete => "step.delete",
        Class::Undo => "step.undo",
        Class::Redo => "step.redo",
        Class::Copy => "step.copy",
        Class::Cut => "step.cut",
        Class::Paste => "step.paste",
        Class::Save => "step.save",
        Class::Find => "step.find",
        Class::Navigation => "step.arrows",
        Class::Modifier | Class::Function | Class::Other => "step.keys",
    };
    (Sentence::plain(key), Number::Behind)
}

fn task(detail: Option<core::Detail>) -> &'static str {
    use core::TaskEvent as Event;
    match detail {
        Some(core::Detail::Task(Event::Complete)) => "step.task_complete",
        Some(core::Detail::Task(Event::Cancel)) => "step.task_cancel",
        _ => "step.task_start",
    }
}
