//! `undo_storm/1`: at least 4 `undo`, each at most 1,500 ms after the one before. What
//! comes between them does not matter.

use serde::{Deserialize, Serialize};

use super::{Incident, Signals};
use crate::{IncidentKind, ScreenRef, Thresholds};

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct UndoStorm {
    run: Option<Run>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Run {
    first: u64,
    last: u64,
    count: u64,
    /// Where it began.
    screen: ScreenRef,
}

impl UndoStorm {
    pub(crate) fn undo(
        &mut self,
        t: u64,
        screen: &ScreenRef,
        thresholds: &Thresholds,
        signals: &mut Signals,
    ) {
        self.expire(t, thresholds, signals);
        let run = self.run.get_or_insert_with(|| Run {
            first: t,
            last: t,
            count: 0,
            screen: screen.clone(),
        });
        run.last = t;
        run.count = run.count.saturating_add(1);
        if run.count == thresholds.undo_storm_count {
            signals.crossed(IncidentKind::UndoStorm, t, &run.screen);
        }
    }

    pub(crate) fn expire(&mut self, t: u64, thresholds: &Thresholds, signals: &mut Signals) {
        if t > self.wake(thresholds) {
            self.end(thresholds, signals);
        }
    }

    pub(crate) fn end(&mut self, thresholds: &Thresholds, signals: &mut Signals) {
        if let Some(run) = self.run.take()
            && run.count >= thresholds.undo_storm_count
        {
            signals.ended(Incident {
                kind: IncidentKind::UndoStorm,
                start: run.first,
                end: run.last,
                count: run.count,
                screen: run.screen,
                role: None,
                label: None,
            });
        }
    }

    pub(crate) fn wake(&self, thresholds: &Thresholds) -> u64 {
        self.run.as_ref().map_or(u64::MAX, |run| {
            run.last.saturating_add(thresholds.undo_storm_gap_ms)
        })
    }
}
