//! `dead_click/1`: a left click on a role made to answer, and within 2,500 ms of it no
//! `reaction`, no `focus`, no `key`; at most one for a rage run.
//!
//! Whether a run of clicks is a rage run may be known only after several of its clicks
//! turned out dead. So the first dead click of a run counts at once, and further ones are
//! held until the run has ended: they count where it was no rage run.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Incident, Signals};
use crate::clicks::Click;
use crate::redact::Manner;
use crate::{IncidentKind, LabelHash, ScreenRef, Thresholds};

/// Clicks that wait for an answer. A hand makes some ten in 2,500 ms; what is beyond this
/// is no hand, and its oldest clicks are taken for answered.
const PENDING_MAX: usize = 1_024;

/// Dead clicks that wait for their run's end. A run this long is no rage run any more.
const HELD_MAX: usize = 1_024;

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct DeadClick {
    /// Runs of clicks with something to wait for, oldest first. Only the last can be open.
    runs: VecDeque<Run>,
    /// Clicks of all runs that may still be answered.
    pending: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Run {
    id: u64,
    open: bool,
    rage: bool,
    /// Whether a dead click of this run was counted.
    counted: bool,
    /// Clicks that may still be answered, oldest first.
    pending: VecDeque<Pending>,
    /// Dead clicks that count unless the run becomes a rage run.
    held: VecDeque<Pending>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Pending {
    t: u64,
    screen: ScreenRef,
    role: Arc<str>,
    label: LabelHash,
}

impl DeadClick {
    /// A left click of the run `run`. `rage`: that run is a rage run already or now.
    pub(crate) fn click(&mut self, click: &Click, run: u64, rage: bool, reactions: bool) {
        if self.runs.back().is_none_or(|last| last.id != run) {
            self.runs.push_back(Run {
                id: run,
                open: true,
                rage: false,
                counted: false,
                pending: VecDeque::new(),
                held: VecDeque::new(),
            });
        }
        let Some(run) = self.runs.back_mut() else {
            return;
        };
        if rage {
            run.rage = true;
            run.held.clear();
        }
        if let Some(target) = &click.press.target
            && target.manner == Manner::Answers
            && reactions
            && !click.press.answered
        {
            run.pending.push_back(Pending {
                t: click.press.t,
                screen: click.place.screen.clone(),
                role: Arc::clone(&target.role),
                label: target.label,
            });
            self.pending += 1;
            self.shed();
        }
    }

    /// The run ended, so that it is known what it was.
    pub(crate) fn run_ended(&mut self, id: u64, thresholds: &Thresholds, signals: &mut Signals) {
        if let Some(run) = self.runs.iter_mut().find(|run| run.id == id) {
            run.open = false;
            for dead in std::mem::take(&mut run.held) {
                if !run.rage {
                    report(dead, thresholds, signals);
                }
            }
        }
        self.tidy();
    }

    /// The interface answered.
    pub(crate) fn answer(&mut self) {
        for run in &mut self.runs {
            run.pending.clear();
        }
        self.pending = 0;
        self.tidy();
    }

    /// Time passed: clicks whose time for an answer is over are dead.
    pub(crate) fn expire(&mut self, t: u64, thresholds: &Thresholds, signals: &mut Signals) {
        let over = |dead: &Pending| t > dead.t.saturating_add(thresholds.dead_click_ms);
        for run in &mut self.runs {
            while run.pending.front().is_some_and(over) {
                let Some(dead) = run.pending.pop_front() else {
                    break;
                };
                self.pending = self.pending.saturating_sub(1);
                if !run.counted {
                    run.counted = true;
                    report(dead, thresholds, signals);
                } else if !run.rage && run.open {
                    run.held.push_back(dead);
                    if run.held.len() > HELD_MAX
                        && let Some(dead) = run.held.pop_front()
                    {
                        report(dead, thresholds, signals);
                    }
                } else if !run.rage {
                    report(dead, thresholds, signals);
                }
            }
        }
        self.tidy();
    }

    pub(crate) fn wake(&self, thresholds: &Thresholds) -> u64 {
        self.runs
            .iter()
            .filter_map(|run| run.pending.front())
            .map(|pending| pending.t.saturating_add(thresholds.dead_click_ms))
            .min()
            .unwrap_or(u64::MAX)
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Forgets runs that wait for nothing.
    fn tidy(&mut self) {
        self.runs.retain(|run| run.open || !run.pending.is_empty());
    }

    fn shed(&mut self) {
        if self.pending <= PENDING_MAX {
            return;
        }
        if let Some(run) = self.runs.iter_mut().find(|run| !run.pending.is_empty()) {
            run.pending.pop_front();
            self.pending -= 1;
        }
        self.tidy();
    }
}

fn report(dead: Pending, thresholds: &Thresholds, signals: &mut Signals) {
    let end = dead.t.saturating_add(thresholds.dead_click_ms);
    signals.at_once(
        end,
        Incident {
            kind: IncidentKind::DeadClick,
            start: dead.t,
            end,
            count: 1,
            screen: dead.screen,
            role: Some(dead.role),
            label: Some(dead.label),
        },
    );
}
