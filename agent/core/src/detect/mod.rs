//! The six detectors of DETECTORS.md, one file each.
//!
//! A detector sees what the engine hands it, keeps what it needs to go on after a restart
//! (no raw text, bounded), and puts what it found into [`Signals`]. Each says with `wake`
//! up to which time nothing can change for it but by an input, so that most inputs cost
//! no look at it: `expire(t)` has work to do only once `t` is above `wake()`.

pub(crate) mod abandoned_task;
pub(crate) mod backtrack;
pub(crate) mod dead_click;
pub(crate) mod error_loop;
pub(crate) mod rage_click;
pub(crate) mod undo_storm;

use std::sync::Arc;

use crate::{IncidentKind, LabelHash, ScreenRef};

/// The version of each detector's meaning.
#[must_use]
pub fn version(kind: IncidentKind) -> u32 {
    match kind {
        IncidentKind::RageClick
        | IncidentKind::DeadClick
        | IncidentKind::Backtrack
        | IncidentKind::AbandonedTask
        | IncidentKind::ErrorLoop
        | IncidentKind::UndoStorm => 1,
    }
}

/// A run of friction, over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Incident {
    pub(crate) kind: IncidentKind,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) count: u64,
    pub(crate) screen: ScreenRef,
    pub(crate) role: Option<Arc<str>>,
    pub(crate) label: Option<LabelHash>,
}

/// What detectors found, in the order in which they found it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Signals {
    pub(crate) found: Vec<Signal>,
}

/// One finding.
#[derive(Debug, Clone)]
pub(crate) enum Signal {
    /// A run crossed its threshold.
    Crossed {
        kind: IncidentKind,
        t: u64,
        screen: ScreenRef,
    },
    /// A run that had crossed its threshold ended.
    Ended(Incident),
}

impl Signals {
    pub(crate) fn crossed(&mut self, kind: IncidentKind, t: u64, screen: &ScreenRef) {
        self.found.push(Signal::Crossed {
            kind,
            t,
            screen: screen.clone(),
        });
    }

    pub(crate) fn ended(&mut self, incident: Incident) {
        self.found.push(Signal::Ended(incident));
    }

    /// A run that is over as it crosses its threshold.
    pub(crate) fn at_once(&mut self, t: u64, incident: Incident) {
        self.crossed(incident.kind, t, &incident.screen);
        self.ended(incident);
    }
}
