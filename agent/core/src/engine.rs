//! The engine: inputs in, effects out.
//!
//! **Invariants:** the same inputs give the same effects, wherever the state was saved and
//! restored between them; nothing here reads a clock; redaction comes first, so that no
//! raw text gets beyond [`Engine::step`]; whatever is kept has a bound.

mod look;

use std::collections::{BTreeSet, VecDeque};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::cache::Cache;
use crate::clicks::Presses;
use crate::detect::abandoned_task::AbandonedTask;
use crate::detect::backtrack::Backtrack;
use crate::detect::dead_click::DeadClick;
use crate::detect::error_loop::ErrorLoop;
use crate::detect::rage_click::RageClick;
use crate::detect::undo_storm::UndoStorm;
use crate::detect::{self, Signal, Signals};
use crate::redact::{Named, Place, Redactor, Screen, Target};
use crate::runs::Run;
use crate::session::Session;
use crate::{
    Body, Detail, DropReason, Effect, EventKind, IncidentRecord, Input, LabelHash, LabelKind,
    LabelText, Policy, Readable, Record, ScreenRef, Thresholds,
};
use look::Clean;

/// Labels remembered as told. A label told again is told twice, which the shell sees.
const LABELS_TOLD_MAX: usize = 1_024;

/// Turns inputs into effects. See the module's invariants.
#[derive(Clone)]
pub struct Engine {
    thresholds: Thresholds,
    redactor: Redactor,
    screens: Cache<Result<Screen, DropReason>>,
    targets: Cache<Target>,
    tasks: Cache<Named>,
    errors: Cache<Named>,
    state: State,
    labels_told: BTreeSet<Told>,
    signals: Signals,
    /// Up to this time no detector changes but by an input.
    wake: u64,
}

/// What an [`Engine`] has to know to go on after a restart. It holds no raw text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EngineState(State);

/// The form of a saved state. Another form is an error, so that none is misread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Format {
    #[serde(rename = "snag-core/1")]
    V1,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct State {
    format: Format,
    latest: u64,
    reactions: bool,
    /// The screen that has the focus.
    place: Option<Place>,
    /// The app that had the focus last, as far as it is looked at.
    app: Option<u64>,
    /// Why nothing is looked at now.
    away: Option<DropReason>,
    /// The latest session's number.
    sessions: u32,
    session: Option<Session>,
    presses: Presses,
    run: Option<Run>,
    rage_click: RageClick,
    dead_click: DeadClick,
    backtrack: Backtrack,
    abandoned_task: AbandonedTask,
    error_loop: ErrorLoop,
    undo_storm: UndoStorm,
    /// Labels told, oldest first.
    labels_told: VecDeque<Told>,
}

type Told = (LabelHash, LabelKind, Readable);

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}

impl State {
    /// Nothing is looked at any more: forgets what only goes on while it is.
    fn look_away(&mut self, reason: DropReason) {
        self.away = Some(reason);
        self.presses.clear();
        self.dead_click.answer();
        self.backtrack.clear();
        self.place = None;
        if let Some(session) = &mut self.session {
            session.leave(session.last);
        }
    }
}

impl Engine {
    /// An engine that has seen nothing.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        let redactor = Redactor::new(&policy);
        // Before any focus is known there is no program that a list could allow.
        let away = (!redactor.allows("")).then_some(DropReason::AppExcluded);
        let state = State {
            format: Format::V1,
            latest: 0,
            reactions: false,
            place: None,
            app: None,
            away,
            sessions: 0,
            session: None,
            presses: Presses::default(),
            run: None,
            rage_click: RageClick::default(),
            dead_click: DeadClick::default(),
            backtrack: Backtrack::default(),
            abandoned_task: AbandonedTask::default(),
            error_loop: ErrorLoop::default(),
            undo_storm: UndoStorm::default(),
            labels_told: VecDeque::new(),
        };
        Self::with(&policy, redactor, state)
    }

    /// An engine that goes on where another one was saved. Where the policy changed and
    /// leaves out the app that has the focus, it looks away until the next focus.
    #[must_use]
    pub fn restore(policy: Policy, state: EngineState) -> Self {
        let redactor = Redactor::new(&policy);
        let mut state = state.0;
        if let Some(session) = &mut state.session {
            session.reindex();
        }
        let app = state.place.as_ref().map_or("", |place| &place.screen.app);
        if state.away.is_none() && !redactor.allows_name(app) {
            state.look_away(DropReason::AppExcluded);
        }
        Self::with(&policy, redactor, state)
    }

    fn with(policy: &Policy, redactor: Redactor, state: State) -> Self {
        let mut engine = Self {
            thresholds: policy.thresholds,
            redactor,
            screens: Cache::default(),
            targets: Cache::default(),
            tasks: Cache::default(),
            errors: Cache::default(),
            labels_told: state.labels_told.iter().copied().collect(),
            state,
            signals: Signals::default(),
            wake: 0,
        };
        engine.set_wake();
        engine
    }

    /// What [`Engine::restore`] needs to go on from here.
    #[must_use]
    pub fn save(&self) -> EngineState {
        let mut state = self.state.clone();
        if let Some(session) = &mut state.session {
            session.forget_index();
        }
        EngineState(state)
    }

    /// The redactor in force.
    #[must_use]
    pub fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    /// The screen that has the focus, where one is known and looked at.
    #[must_use]
    pub fn screen(&self) -> Option<&ScreenRef> {
        self.state.place.as_ref().map(|place| &place.screen)
    }

    /// The next input; its effects in order.
    pub fn step(&mut self, input: &Input, sink: &mut impl FnMut(Effect)) {
        let t = input.t.max(self.state.latest);
        self.state.latest = t;
        match self.redact(&input.kind) {
            // What the capture can see is no input of a person: it begins and prolongs no session.
            Ok(Clean::Capture(reactions)) => {
                self.advance(t, sink);
                self.state.reactions = reactions;
                if !reactions {
                    self.state.dead_click.answer();
                }
            }
            Ok(clean) => self.look(t, clean, sink),
            Err(reason) => self.look_away(t, reason, sink),
        }
    }

    /// Time passed without an input: settles what waits for time alone (dead clicks,
    /// ended runs, a session whose gap is over). Figures don't depend on it.
    pub fn advance(&mut self, t: u64, sink: &mut impl FnMut(Effect)) {
        let t = t.max(self.state.latest);
        self.state.latest = t;
        if self.session_is_over(t) {
            self.end_session(sink);
            return;
        }
        if self.state.run.as_ref().is_some_and(|run| run.is_over(t)) {
            self.flush_run(sink);
        }
        if t > self.wake {
            let last = self
                .state
                .session
                .as_ref()
                .map_or(0, |session| session.last);
            self.expire(t, sink, |tasks, thresholds, signals| {
                if t > last {
                    tasks.last(last, thresholds, signals);
                }
            });
        }
    }

    /// The end of a recording, or of capture: closes the open session and forgets what has
    /// the focus, which nobody knows any more.
    pub fn finish(&mut self, sink: &mut impl FnMut(Effect)) {
        self.end_session(sink);
        self.state.place = None;
        self.state.app = None;
        self.state.away = (!self.redactor.allows("")).then_some(DropReason::AppExcluded);
    }

    // Time.

    fn session_is_over(&self, t: u64) -> bool {
        self.state
            .session
            .as_ref()
            .is_some_and(|session| t.saturating_sub(session.last) > self.thresholds.session_gap_ms)
    }

    /// Settles what is over at `t`. `tasks` settles tasks, which depends on whether there
    /// is an input at `t`.
    fn expire(
        &mut self,
        t: u64,
        sink: &mut impl FnMut(Effect),
        tasks: impl FnOnce(&mut AbandonedTask, &Thresholds, &mut Signals),
    ) {
        let (state, thresholds, signals) = (&mut self.state, &self.thresholds, &mut self.signals);
        let left_since = state.presses.left_since();
        if let Some(run) = state.rage_click.expire(t, left_since, thresholds, signals) {
            state.dead_click.run_ended(run, thresholds, signals);
        }
        state.dead_click.expire(t, thresholds, signals);
        tasks(&mut state.abandoned_task, thresholds, signals);
        state.error_loop.expire(t, thresholds, signals);
        state.undo_storm.expire(t, thresholds, signals);
        self.drain(sink);
        self.set_wake();
    }

    fn set_wake(&mut self) {
        let (state, thresholds) = (&self.state, &self.thresholds);
        self.wake = state
            .rage_click
            .wake(state.presses.left_since(), thresholds)
            .min(state.dead_click.wake(thresholds))
            .min(state.abandoned_task.wake(thresholds))
            .min(state.error_loop.wake(thresholds))
            .min(state.undo_storm.wake(thresholds));
    }

    /// Ends the open session: every run ends with it.
    fn end_session(&mut self, sink: &mut impl FnMut(Effect)) {
        self.flush_run(sink);
        let (state, thresholds, signals) = (&mut self.state, &self.thresholds, &mut self.signals);
        let Some(last) = state.session.as_ref().map(|session| session.last) else {
            return;
        };
        if let Some(run) = state.rage_click.end(signals) {
            state.dead_click.run_ended(run, thresholds, signals);
        }
        state.dead_click.expire(u64::MAX, thresholds, signals);
        state.abandoned_task.last(last, thresholds, signals);
        state.error_loop.end(thresholds, signals);
        state.undo_storm.end(thresholds, signals);
        self.drain(sink);
        let state = &mut self.state;
        state.presses.clear();
        state.dead_click.clear();
        state.abandoned_task.clear();
        state.backtrack.clear();
        if let Some(session) = state.session.take() {
            session.end(|record| sink(Effect::Record(record)));
        }
        self.set_wake();
    }

    // Effects.

    /// Hands on what detectors found: first whom to ask, then what ended, by its end.
    fn drain(&mut self, sink: &mut impl FnMut(Effect)) {
        if self.signals.found.is_empty() {
            return;
        }
        let mut ended = Vec::new();
        for signal in self.signals.found.drain(..) {
            match signal {
                Signal::Crossed { kind, t, screen } => {
                    sink(Effect::AskForFeedback { kind, t, screen });
                }
                Signal::Ended(incident) => ended.push(incident),
            }
        }
        ended.sort_by_key(|incident| (incident.end, incident.start, incident.kind));
        for incident in ended {
            if let Some(session) = &mut self.state.session {
                session.incident(&incident);
            }
            let body = Body::Incident(IncidentRecord {
                kind: incident.kind,
                version: detect::version(incident.kind),
                duration_ms: incident.end.saturating_sub(incident.start),
                count: incident.count,
                role: incident.role,
                label: incident.label,
            });
            self.record(incident.start, incident.screen, body, sink);
        }
    }

    /// One more event of a run, or the first of the next run.
    fn run(
        &mut self,
        kind: EventKind,
        detail: Option<Detail>,
        t: u64,
        sink: &mut impl FnMut(Effect),
    ) {
        if let Some(run) = &mut self.state.run
            && run.extend(kind, detail, t)
        {
            return;
        }
        self.flush_run(sink);
        self.state.run = Some(Run::new(kind, detail, t, self.here()));
    }

    fn flush_run(&mut self, sink: &mut impl FnMut(Effect)) {
        if let Some(run) = self.state.run.take() {
            let record = run.record();
            self.record(run.first, run.screen, Body::Event(record), sink);
        }
    }

    fn record(&self, t: u64, screen: ScreenRef, body: Body, sink: &mut impl FnMut(Effect)) {
        sink(Effect::Record(Record {
            t,
            session: self.state.sessions,
            screen,
            body,
        }));
    }

    fn tell(&mut self, label: Option<LabelText>, sink: &mut impl FnMut(Effect)) {
        let Some(label) = label else {
            return;
        };
        let told = (label.hash, label.kind, label.readable);
        if !self.labels_told.insert(told) {
            return;
        }
        self.state.labels_told.push_back(told);
        if self.state.labels_told.len() > LABELS_TOLD_MAX
            && let Some(oldest) = self.state.labels_told.pop_front()
        {
            self.labels_told.remove(&oldest);
        }
        sink(Effect::Label(label));
    }
}
