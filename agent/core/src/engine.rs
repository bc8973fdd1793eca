//! The engine: inputs in, effects out.
//!
//! **Invariants:** the same inputs give the same effects, wherever the state was saved and
//! restored between them; nothing here reads a clock; redaction comes first, so that no
//! raw text gets beyond [`Engine::step`]; whatever is kept has a bound.

mod look;
mod time;

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
use crate::runs::{Ended, Keys, Movement};
use crate::session::Session;
use crate::{
    Body, DropReason, Effect, EventKind, IncidentRecord, Input, KeyClass, LabelHash, LabelKind,
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
    movement: Option<Movement>,
    keys: Option<Keys>,
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
            movement: None,
            keys: None,
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

    /// The end of a recording, or of capture: closes the open session and forgets what has
    /// the focus, which nobody knows any more.
    pub fn finish(&mut self, sink: &mut impl FnMut(Effect)) {
        self.end_session(sink);
        self.state.place = None;
        self.state.app = None;
        self.state.away = (!self.redactor.allows("")).then_some(DropReason::AppExcluded);
    }

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

    /// One more event of a movement, or the first of the next one. It cuts no run of keys.
    fn movement(&mut self, kind: EventKind, t: u64, sink: &mut impl FnMut(Effect)) {
        if let Some(open) = &mut self.state.movement
            && open.extend(kind, t)
        {
            return;
        }
        let over = self.state.movement.take();
        self.tell_run(over.map(Movement::ended), sink);
        self.state.movement = Some(Movement::new(kind, t, self.here()));
    }

    /// One more key of a run, or the first of the next one. It cuts no movement.
    fn keys(&mut self, class: KeyClass, t: u64, sink: &mut impl FnMut(Effect)) {
        if let Some(open) = &mut self.state.keys
            && open.extend(class, t)
        {
            return;
        }
        let over = self.state.keys.take();
        self.tell_run(over.map(Keys::ended), sink);
        self.state.keys = Some(Keys::new(class, t, self.here()));
    }

    /// Ends what is open, the one that began first before the other.
    fn flush_runs(&mut self, sink: &mut impl FnMut(Effect)) {
        let movement = self.state.movement.take().map(Movement::ended);
        let keys = self.state.keys.take().map(Keys::ended);
        let mut over = [movement, keys];
        over.sort_by_key(|ended| ended.as_ref().map(|ended| ended.first));
        for ended in over {
            self.tell_run(ended, sink);
        }
    }

    fn tell_run(&self, ended: Option<Ended>, sink: &mut impl FnMut(Effect)) {
        let Some(ended) = ended else {
            return;
        };
        for record in ended.records {
            let screen = ended.screen.clone();
            self.record(ended.first, screen, Body::Event(record), sink);
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
