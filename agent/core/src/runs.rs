//! Runs of events: moves, wheel steps and keys of one class become one record each, so
//! that neither the pace of single keys nor the path of the pointer leaves the device.

use serde::{Deserialize, Serialize};

use crate::{Detail, EventKind, EventRecord, ScreenRef};

/// A longer gap ends a run: it is another movement, another word.
const GAP_MS: u64 = 1_000;

/// A longer run is cut, so that a record never waits for a hand that does not rest.
const DURATION_MS_MAX: u64 = 60_000;

/// The run that is open. At most one is, whatever its kind: any other event ends it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Run {
    kind: EventKind,
    detail: Option<Detail>,
    pub(crate) screen: ScreenRef,
    pub(crate) first: u64,
    last: u64,
    count: u32,
}

impl Run {
    pub(crate) fn new(kind: EventKind, detail: Option<Detail>, t: u64, screen: ScreenRef) -> Self {
        Self {
            kind,
            detail,
            screen,
            first: t,
            last: t,
            count: 1,
        }
    }

    /// Whether it took the event in.
    pub(crate) fn extend(&mut self, kind: EventKind, detail: Option<Detail>, t: u64) -> bool {
        if self.kind != kind || self.detail != detail || self.is_over(t) {
            return false;
        }
        self.last = t;
        self.count = self.count.saturating_add(1);
        true
    }

    /// Whether an event at this time would be too late for it.
    pub(crate) fn is_over(&self, t: u64) -> bool {
        t > self.until()
    }

    /// Up to when an event is in time.
    pub(crate) fn until(&self) -> u64 {
        let cut = self.first.saturating_add(DURATION_MS_MAX);
        self.last.saturating_add(GAP_MS).min(cut)
    }

    pub(crate) fn record(&self) -> EventRecord {
        EventRecord {
            kind: self.kind,
            detail: self.detail,
            role: None,
            label: None,
            count: self.count,
            duration_ms: self.last.saturating_sub(self.first),
        }
    }
}
