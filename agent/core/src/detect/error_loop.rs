//! `error_loop/1`: the same code at least twice, each at most 60 s after the one before.
//! Other codes between them do not matter: each code has its own run.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Incident, Signals};
use crate::redact::Named;
use crate::{IncidentKind, LabelHash, ScreenRef, Thresholds};

/// Codes at once. More than a thousand different errors within a minute are no loop of one;
/// beyond this the run that was quiet longest ends early.
const CODES_MAX: usize = 1_024;

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct ErrorLoop {
    /// By the code's identity.
    runs: BTreeMap<u64, Run>,
    /// When each run had its latest error, and its code: what ends next comes first.
    by_last: BTreeSet<(u64, u64)>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Run {
    first: u64,
    last: u64,
    count: u64,
    label: LabelHash,
    /// Where it began.
    screen: ScreenRef,
}

impl ErrorLoop {
    pub(crate) fn error(
        &mut self,
        t: u64,
        code: &Named,
        screen: &ScreenRef,
        thresholds: &Thresholds,
        signals: &mut Signals,
    ) {
        self.expire(t, thresholds, signals);
        let run = self.runs.entry(code.identity).or_insert_with(|| Run {
            first: t,
            last: t,
            count: 0,
            label: code.label,
            screen: screen.clone(),
        });
        self.by_last.remove(&(run.last, code.identity));
        self.by_last.insert((t, code.identity));
        run.last = t;
        run.count = run.count.saturating_add(1);
        if run.count == thresholds.error_loop_count {
            signals.crossed(IncidentKind::ErrorLoop, t, &run.screen);
        }
        if self.runs.len() > CODES_MAX {
            self.end_first(thresholds, signals);
        }
    }

    pub(crate) fn expire(&mut self, t: u64, thresholds: &Thresholds, signals: &mut Signals) {
        while t > self.wake(thresholds) {
            self.end_first(thresholds, signals);
        }
    }

    /// Ends all runs.
    pub(crate) fn end(&mut self, thresholds: &Thresholds, signals: &mut Signals) {
        while !self.by_last.is_empty() {
            self.end_first(thresholds, signals);
        }
    }

    fn end_first(&mut self, thresholds: &Thresholds, signals: &mut Signals) {
        if let Some((_, code)) = self.by_last.pop_first()
            && let Some(run) = self.runs.remove(&code)
            && run.count >= thresholds.error_loop_count
        {
            signals.ended(Incident {
                kind: IncidentKind::ErrorLoop,
                start: run.first,
                end: run.last,
                count: run.count,
                screen: run.screen,
                role: None,
                label: Some(run.label),
            });
        }
    }

    pub(crate) fn wake(&self, thresholds: &Thresholds) -> u64 {
        self.by_last.first().map_or(u64::MAX, |(last, _)| {
            last.saturating_add(thresholds.error_loop_gap_ms)
        })
    }
}
