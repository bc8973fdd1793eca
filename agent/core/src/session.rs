//! The session that is open, and the records it leaves when it ends.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::detect::Incident;
use crate::score::{self, Counts, SCORE_VERSION};
use crate::{Body, IncidentKind, LabelHash, Record, ScreenRecord, ScreenRef, SessionRecord};

/// Screens of a session that are told apart. A person sees some hundred; what is beyond
/// this goes into one record without app and label, and `screens` stays at this number.
pub(crate) const SCREENS_MAX: usize = 10_000;

/// Screens in a session's path: enough to tell flows apart, too few to retrace a day.
pub(crate) const PATH_SCREENS_MAX: usize = 8;

/// Counters of the open session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Session {
    pub(crate) number: u32,
    pub(crate) start: u64,
    pub(crate) last: u64,
    pub(crate) active_ms: u64,
    pub(crate) clicks: u64,
    pub(crate) keys: u64,
    pub(crate) scrolls: u64,
    pub(crate) context_switches: u64,
    pub(crate) tasks_started: u64,
    pub(crate) tasks_completed: u64,
    pub(crate) errors: u64,
    visits: u64,
    /// By [`IncidentKind`].
    incidents: [u64; IncidentKind::ALL.len()],
    /// The exact screens visited.
    identities: BTreeSet<u64>,
    screens: Vec<Stats>,
    /// Where each app and label stands in `screens`; made anew after a restart.
    #[serde(skip)]
    index: BTreeMap<(Arc<str>, LabelHash), usize>,
    path: Vec<ScreenRef>,
    /// The latest visit's screen, in `screens`.
    current: Option<usize>,
    /// When the latest visit began, while it goes on.
    since: Option<u64>,
}

/// One screen of the open session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Stats {
    screen: ScreenRef,
    first: u64,
    visits: u64,
    dwell_ms: u64,
    clicks: u64,
    keys: u64,
    errors: u64,
    rage_clicks: u64,
    dead_clicks: u64,
    backtracks: u64,
    lost_ms: u64,
}

impl Session {
    pub(crate) fn new(number: u32, t: u64) -> Self {
        Self {
            number,
            start: t,
            last: t,
            active_ms: 0,
            clicks: 0,
            keys: 0,
            scrolls: 0,
            context_switches: 0,
            tasks_started: 0,
            tasks_completed: 0,
            errors: 0,
            visits: 0,
            incidents: [0; IncidentKind::ALL.len()],
            identities: BTreeSet::new(),
            screens: Vec::new(),
            index: BTreeMap::new(),
            path: Vec::new(),
            current: None,
            since: None,
        }
    }

    /// Another input of the session.
    pub(crate) fn input(&mut self, t: u64, active_gap_ms: u64) {
        let gap = t.saturating_sub(self.last);
        if gap <= active_gap_ms {
            self.active_ms = self.active_ms.saturating_add(gap);
        }
        self.last = t;
    }

    /// A visit begins, and with it the one before ends.
    pub(crate) fn visit(&mut self, t: u64, screen: &ScreenRef) {
        self.leave(t);
        self.visits = self.visits.saturating_add(1);
        if self.identities.len() < SCREENS_MAX {
            self.identities.insert(screen.identity);
        }
        if self.path.len() < PATH_SCREENS_MAX
            && self.path.last().is_none_or(|last| !same(last, screen))
        {
            self.path.push(screen.clone());
        }
        let place = self.place(t, screen);
        if let Some(stats) = self.screens.get_mut(place) {
            stats.visits = stats.visits.saturating_add(1);
        }
        self.current = Some(place);
        self.since = Some(t);
    }

    /// The visit ends at `t` and no other begins.
    pub(crate) fn leave(&mut self, t: u64) {
        if let Some(since) = self.since.take()
            && let Some(stats) = self.current.and_then(|at| self.screens.get_mut(at))
        {
            stats.dwell_ms = stats.dwell_ms.saturating_add(t.saturating_sub(since));
        }
    }

    pub(crate) fn click(&mut self) {
        self.clicks = self.clicks.saturating_add(1);
        self.here(|stats| &mut stats.clicks);
    }

    pub(crate) fn key(&mut self) {
        self.keys = self.keys.saturating_add(1);
        self.here(|stats| &mut stats.keys);
    }

    pub(crate) fn error(&mut self) {
        self.errors = self.errors.saturating_add(1);
        self.here(|stats| &mut stats.errors);
    }

    pub(crate) fn incident(&mut self, incident: &Incident) {
        let count = &mut self.incidents[incident.kind as usize];
        *count = count.saturating_add(1);
        let Some(at) = self.find(&incident.screen) else {
            return;
        };
        let Some(stats) = self.screens.get_mut(at) else {
            return;
        };
        stats.lost_ms = stats
            .lost_ms
            .saturating_add(incident.end.saturating_sub(incident.start));
        let count = match incident.kind {
            IncidentKind::RageClick => &mut stats.rage_clicks,
            IncidentKind::DeadClick => &mut stats.dead_clicks,
            IncidentKind::Backtrack => &mut stats.backtracks,
            IncidentKind::AbandonedTask | IncidentKind::ErrorLoop | IncidentKind::UndoStorm => {
                return;
            }
        };
        *count = count.saturating_add(1);
    }

    /// The records of the session, which ends with its last input: itself, then its
    /// screens in the order of their first visits.
    pub(crate) fn end(mut self, mut emit: impl FnMut(Record)) {
        self.leave(self.last);
        let counts = Counts {
            active_ms: self.active_ms,
            rage_clicks: self.count(IncidentKind::RageClick),
            dead_clicks: self.count(IncidentKind::DeadClick),
            backtracks: self.count(IncidentKind::Backtrack),
            errors: self.errors,
            abandoned_tasks: self.count(IncidentKind::AbandonedTask),
            undo_storms: self.count(IncidentKind::UndoStorm),
            tasks_completed: self.tasks_completed,
            clicks: self.clicks,
            visits: self.visits,
            screens: self.identities.len() as u64,
        };
        let frustration = score::frustration(&counts);
        let efficiency = score::efficiency(&counts);
        emit(Record {
            t: self.start,
            session: self.number,
            screen: self
                .current
                .and_then(|at| self.screens.get(at))
                .map_or_else(ScreenRef::nowhere, |stats| stats.screen.clone()),
            body: Body::Session(Box::new(SessionRecord {
                start: self.start,
                end: self.last,
                duration_ms: self.last.saturating_sub(self.start),
                active_ms: self.active_ms,
                clicks: self.clicks,
                keys: self.keys,
                scrolls: self.scrolls,
                screens: counts.screens,
                visits: self.visits,
                context_switches: self.context_switches,
                tasks_started: self.tasks_started,
                tasks_completed: self.tasks_completed,
                rage_clicks: counts.rage_clicks,
                dead_clicks: counts.dead_clicks,
                backtracks: counts.backtracks,
                abandoned_tasks: counts.abandoned_tasks,
                error_loops: self.count(IncidentKind::ErrorLoop),
                undo_storms: counts.undo_storms,
                errors: self.errors,
                frustration: frustration.value,
                frustration_terms: frustration.terms,
                efficiency: efficiency.map(|score| score.value),
                efficiency_terms: efficiency.map(|score| score.terms),
                score_version: SCORE_VERSION,
                path: std::mem::take(&mut self.path),
            })),
        });
        for (at, stats) in self.screens.into_iter().enumerate() {
            emit(Record {
                t: stats.first,
                session: self.number,
                screen: stats.screen,
                body: Body::Screen(ScreenRecord {
                    visits: stats.visits,
                    dwell_ms: stats.dwell_ms,
                    clicks: stats.clicks,
                    keys: stats.keys,
                    rage_clicks: stats.rage_clicks,
                    dead_clicks: stats.dead_clicks,
                    backtracks: stats.backtracks,
                    errors: stats.errors,
                    exited: self.current == Some(at),
                    time_lost_ms: stats.lost_ms.min(stats.dwell_ms),
                    session_frustration: frustration.value,
                    session_efficiency: efficiency.map(|score| score.value),
                }),
            });
        }
    }

    /// Makes the index again, which is not part of a saved state.
    pub(crate) fn reindex(&mut self) {
        self.index = self
            .screens
            .iter()
            .enumerate()
            .map(|(at, stats)| (key(&stats.screen), at))
            .collect();
    }

    /// What a saved state does not hold.
    pub(crate) fn forget_index(&mut self) {
        self.index.clear();
    }

    fn count(&self, kind: IncidentKind) -> u64 {
        self.incidents[kind as usize]
    }

    /// Counts on the screen that has the focus.
    fn here(&mut self, counter: impl FnOnce(&mut Stats) -> &mut u64) {
        if let Some(stats) = self.current.and_then(|at| self.screens.get_mut(at)) {
            let count = counter(stats);
            *count = count.saturating_add(1);
        }
    }

    fn find(&self, screen: &ScreenRef) -> Option<usize> {
        if screen.identity == 0 {
            return None;
        }
        self.index
            .get(&key(screen))
            .or_else(|| self.index.get(&key(&ScreenRef::nowhere())))
            .copied()
    }

    /// Where the screen stands in `screens`, or what stands for those beyond the limit.
    fn place(&mut self, t: u64, screen: &ScreenRef) -> usize {
        if let Some(at) = self.index.get(&key(screen)) {
            return *at;
        }
        let screen = if self.screens.len() < SCREENS_MAX {
            screen.clone()
        } else {
            ScreenRef::nowhere()
        };
        if let Some(at) = self.index.get(&key(&screen)) {
            return *at;
        }
        let at = self.screens.len();
        self.index.insert(key(&screen), at);
        self.screens.push(Stats {
            screen,
            first: t,
            visits: 0,
            dwell_ms: 0,
            clicks: 0,
            keys: 0,
            errors: 0,
            rage_clicks: 0,
            dead_clicks: 0,
            backtracks: 0,
            lost_ms: 0,
        });
        at
    }
}

fn key(screen: &ScreenRef) -> (Arc<str>, LabelHash) {
    (Arc::clone(&screen.app), screen.label)
}

fn same(a: &ScreenRef, b: &ScreenRef) -> bool {
    a.app == b.app && a.label == b.label
}
