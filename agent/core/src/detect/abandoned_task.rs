//! `abandoned_task/1`: a task neither completed nor cancelled 15 min after its start,
//! while its session goes on (it has an input at or after that moment); or started again
//! under its name while open.
//!
//! One incident a task at most. An abandoned task stays open, so that a later completion
//! still counts. A completion at the very moment of the 15 minutes is in time, so that
//! the verdict falls with the first input after it or with the session's end.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Incident, Signals};
use crate::redact::Named;
use crate::{IncidentKind, LabelHash, ScreenRef, Thresholds};

/// Tasks open at once in a session. Programs that report tasks have a few; beyond this the
/// oldest is forgotten without a verdict.
const OPEN_MAX: usize = 4_096;

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct AbandonedTask {
    /// Open tasks by a number that rises with their start.
    open: BTreeMap<u64, Task>,
    /// The number by the name's identity.
    by_name: BTreeMap<u64, u64>,
    next: u64,
    /// Tasks below this number have been judged.
    judged: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Task {
    name: u64,
    start: u64,
    label: LabelHash,
    /// Where it was started.
    screen: ScreenRef,
}

impl AbandonedTask {
    pub(crate) fn start(
        &mut self,
        t: u64,
        name: &Named,
        screen: &ScreenRef,
        signals: &mut Signals,
    ) {
        if let Some(number) = self.by_name.remove(&name.identity)
            && let Some(task) = self.open.remove(&number)
            && number >= self.judged
        {
            abandon(&task, t, t, signals);
        }
        self.open.insert(
            self.next,
            Task {
                name: name.identity,
                start: t,
                label: name.label,
                screen: screen.clone(),
            },
        );
        self.by_name.insert(name.identity, self.next);
        self.next += 1;
        if self.open.len() > OPEN_MAX
            && let Some((_, task)) = self.open.pop_first()
        {
            self.by_name.remove(&task.name);
        }
    }

    /// Completed or cancelled: whether it was open.
    pub(crate) fn close(&mut self, name: &Named) -> bool {
        self.by_name
            .remove(&name.identity)
            .and_then(|number| self.open.remove(&number))
            .is_some()
    }

    /// The session has an input at `t`: tasks that were open for longer are abandoned.
    pub(crate) fn expire(&mut self, t: u64, thresholds: &Thresholds, signals: &mut Signals) {
        while let Some((number, task)) = self.open.range(self.judged..).next() {
            let moment = task.start.saturating_add(thresholds.abandoned_task_ms);
            if t <= moment {
                break;
            }
            abandon(task, moment, t, signals);
            self.judged = number + 1;
        }
    }

    /// The session had its last input at `last`, and no further one can have that time.
    pub(crate) fn last(&mut self, last: u64, thresholds: &Thresholds, signals: &mut Signals) {
        self.expire(last.saturating_add(1), thresholds, signals);
    }

    /// The session ended: what became of tasks still open will not be known.
    pub(crate) fn clear(&mut self) {
        self.open.clear();
        self.by_name.clear();
        self.judged = self.next;
    }

    pub(crate) fn wake(&self, thresholds: &Thresholds) -> u64 {
        self.open
            .range(self.judged..)
            .next()
            .map_or(u64::MAX, |(_, task)| {
                task.start.saturating_add(thresholds.abandoned_task_ms)
            })
    }
}

fn abandon(task: &Task, end: u64, now: u64, signals: &mut Signals) {
    signals.at_once(
        now,
        Incident {
            kind: IncidentKind::AbandonedTask,
            start: task.start,
            end,
            count: 1,
            screen: task.screen.clone(),
            role: None,
            label: Some(task.label),
        },
    );
}
