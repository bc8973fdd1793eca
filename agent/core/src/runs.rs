//! Runs of events: moves and wheel steps become one record each, and all keys between two pauses one for each class.
//!
//! **Invariant:** what leaves tells neither the path of the pointer nor, of keys, their order, their rhythm or when one of
//! them was hit: from these, the words and capitals of a text and then the text could be guessed. So nothing that comes
//! with typing by itself, a modifier, a space, a correction, a nudge of the mouse, cuts a run of keys.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Detail, EventKind, EventRecord, KeyClass, ScreenRef};

/// A longer gap ends a movement.
const MOVE_GAP_MS: u64 = 1_000;

/// A longer gap ends a run of keys: longer than the pauses inside a sentence.
const KEYS_GAP_MS: u64 = 2_000;

/// A longer run is cut, so that a record never waits for a hand that does not rest.
const DURATION_MS_MAX: u64 = 60_000;

/// From when to when a run is, so far.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Span {
    first: u64,
    last: u64,
}

impl Span {
    fn at(t: u64) -> Self {
        Self { first: t, last: t }
    }

    /// Up to when an event is in time.
    fn until(self, gap_ms: u64) -> u64 {
        let cut = self.first.saturating_add(DURATION_MS_MAX);
        self.last.saturating_add(gap_ms).min(cut)
    }

    fn duration_ms(self) -> u64 {
        self.last.saturating_sub(self.first)
    }
}

/// The movement that is open: of the pointer or of the wheel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Movement {
    kind: EventKind,
    screen: ScreenRef,
    #[serde(flatten)]
    span: Span,
    count: u32,
}

impl Movement {
    pub(crate) fn new(kind: EventKind, t: u64, screen: ScreenRef) -> Self {
        Self {
            kind,
            screen,
            span: Span::at(t),
            count: 1,
        }
    }

    /// Whether it took the event in.
    pub(crate) fn extend(&mut self, kind: EventKind, t: u64) -> bool {
        if self.kind != kind || t > self.until() {
            return false;
        }
        self.span.last = t;
        self.count = self.count.saturating_add(1);
        true
    }

    /// Up to when an event is in time.
    pub(crate) fn until(&self) -> u64 {
        self.span.until(MOVE_GAP_MS)
    }

    pub(crate) fn ended(self) -> Ended {
        Ended {
            first: self.span.first,
            screen: self.screen,
            records: vec![record(self.kind, None, self.count, self.span)],
        }
    }
}

/// The run of keys that is open: how many of each class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Keys {
    screen: ScreenRef,
    #[serde(flatten)]
    span: Span,
    counts: BTreeMap<KeyClass, u32>,
}

impl Keys {
    pub(crate) fn new(class: KeyClass, t: u64, screen: ScreenRef) -> Self {
        Self {
            screen,
            span: Span::at(t),
            counts: BTreeMap::from([(class, 1)]),
        }
    }

    /// Whether it took the key in.
    pub(crate) fn extend(&mut self, class: KeyClass, t: u64) -> bool {
        if t > self.until() {
            return false;
        }
        self.span.last = t;
        let count = self.counts.entry(class).or_default();
        *count = count.saturating_add(1);
        true
    }

    /// Up to when a key is in time.
    pub(crate) fn until(&self) -> u64 {
        self.span.until(KEYS_GAP_MS)
    }

    /// A record for each class, all as long as the run. Spaces and modifiers are characters among characters: their
    /// numbers would tell of words and capitals.
    pub(crate) fn ended(mut self) -> Ended {
        if self.counts.contains_key(&KeyClass::Char) {
            for class in [KeyClass::Space, KeyClass::Modifier] {
                let more = self.counts.remove(&class).unwrap_or_default();
                let count = self.counts.entry(KeyClass::Char).or_default();
                *count = count.saturating_add(more);
            }
        }
        let of = |(class, count)| {
            let detail = Some(Detail::Key(class));
            record(EventKind::Key, detail, count, self.span)
        };
        Ended {
            first: self.span.first,
            screen: self.screen,
            records: self.counts.into_iter().map(of).collect(),
        }
    }
}

/// What is to be told of a run that is over.
pub(crate) struct Ended {
    pub(crate) first: u64,
    pub(crate) screen: ScreenRef,
    pub(crate) records: Vec<EventRecord>,
}

fn record(kind: EventKind, detail: Option<Detail>, count: u32, span: Span) -> EventRecord {
    EventRecord {
        kind,
        detail,
        role: None,
        label: None,
        count,
        duration_ms: span.duration_ms(),
    }
}
