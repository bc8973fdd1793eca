//! `backtrack/1`: visits A, B, A in a row, all of one app, back on A at most 20,000 ms
//! after leaving it, and B got at most one click, no `char` and no `paste`.
//!
//! The incident is the visit of B, the wrong place: from leaving A to being back on it.
//! Each A, B, A counts, so that A, B, A, B, A holds three (the middle one is B, A, B).

use serde::{Deserialize, Serialize};

use super::{Incident, Signals};
use crate::redact::Place;
use crate::{IncidentKind, Thresholds};

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Backtrack {
    /// The visit before the current one.
    before: Option<Place>,
    current: Option<Visit>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Visit {
    place: Place,
    since: u64,
    clicks: u64,
    /// Whether a `char` or a `paste` went into it.
    written: bool,
}

impl Backtrack {
    /// A visit begins.
    pub(crate) fn visit(
        &mut self,
        t: u64,
        place: &Place,
        thresholds: &Thresholds,
        signals: &mut Signals,
    ) {
        if let (Some(before), Some(current)) = (&self.before, &self.current)
            && before.screen.identity == place.screen.identity
            && before.app_identity == current.place.app_identity
            && t.saturating_sub(current.since) <= thresholds.backtrack_ms
            && current.clicks <= thresholds.backtrack_clicks
            && !current.written
        {
            signals.at_once(
                t,
                Incident {
                    kind: IncidentKind::Backtrack,
                    start: current.since,
                    end: t,
                    count: 1,
                    screen: current.place.screen.clone(),
                    role: None,
                    label: None,
                },
            );
        }
        self.before = self.current.take().map(|visit| visit.place);
        self.current = Some(Visit {
            place: place.clone(),
            since: t,
            clicks: 0,
            written: false,
        });
    }

    /// A click of any button.
    pub(crate) fn click(&mut self) {
        if let Some(visit) = &mut self.current {
            visit.clicks = visit.clicks.saturating_add(1);
        }
    }

    /// A `char` or a `paste`.
    pub(crate) fn write(&mut self) {
        if let Some(visit) = &mut self.current {
            visit.written = true;
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}
