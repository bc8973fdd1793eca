//! Inputs in, stored records out: the engine, what its effects mean, and the spool.
//!
//! **Invariant:** records and the state of the engine that made them are stored
//! together, so that a process that is killed goes on where its records end.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use snag_core::{DropReason, Effect, Engine, EngineState, IncidentKind, Input, Policy, ScreenRef};
use snag_spool::{NewRecord, Spool, SpoolError};

use crate::convert;
use crate::sync::LabelStore;

/// Records that may wait for the spool while it can't store (a full disk, say): some
/// hours of one person, a few megabytes.
const PENDING_MAX: usize = 20_000;

/// What is kept of an engine between two starts.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// Sessions of this engine are numbered from here.
    first_session: u32,
    engine: EngineState,
}

/// What an observer is told beside what is stored.
pub enum Noticed<'a> {
    /// A record that will be stored; its session is the device's number.
    Record(&'a snag_core::Record),
    /// A run crossed its threshold.
    Ask {
        /// Which detector.
        kind: IncidentKind,
        /// When, in milliseconds of the input's time.
        t_ms: u64,
        /// Where.
        screen: &'a ScreenRef,
    },
}

/// Is told of what the engine says, on the thread that steps it: it must not wait.
pub type Observer = Box<dyn FnMut(Noticed<'_>) + Send>;

/// An engine and where its records go.
pub struct Pipeline {
    engine: Engine,
    spool: Arc<Spool>,
    labels: Arc<LabelStore>,
    /// What the inputs' time counts from, in milliseconds since 1970.
    base_ms: i64,
    first_session: u32,
    keeps_state: bool,
    pending: Vec<NewRecord>,
    left_out: BTreeMap<DropReason, u64>,
    given_up: u64,
    observer: Option<Observer>,
}

impl Pipeline {
    /// A pipeline for a recording, whose time counts from `base_ms`. Its engine is its
    /// own: a live one that shares the spool is not touched.
    #[must_use]
    pub fn for_recording(
        policy: Policy,
        spool: Arc<Spool>,
        labels: Arc<LabelStore>,
        base_ms: i64,
    ) -> Self {
        let first_session = unused_session(&spool);
        Self {
            engine: Engine::new(policy),
            spool,
            labels,
            base_ms,
            first_session,
            keeps_state: false,
            pending: Vec::new(),
            left_out: BTreeMap::new(),
            given_up: 0,
            observer: None,
        }
    }

    /// The pipeline of a live desktop, whose inputs carry milliseconds since 1970. Goes on
    /// with the session that was open when the agent ended without closing it.
    ///
    /// # Errors
    /// When the spool can't be read.
    pub fn live(
        policy: Policy,
        spool: Arc<Spool>,
        labels: Arc<LabelStore>,
    ) -> Result<Self, SpoolError> {
        let kept =
            spool
                .load_state()?
                .and_then(|bytes| match serde_json::from_slice::<Kept>(&bytes) {
                    Ok(kept) => Some(kept),
                    Err(_) => {
                        tracing::warn!(
                            "the open session was kept by another version, and is begun anew"
                        );
                        None
                    }
                });
        let mut pipeline = Self::for_recording(policy.clone(), spool, labels, 0);
        pipeline.keeps_state = true;
        if let Some(kept) = kept {
            pipeline.first_session = kept.first_session;
            pipeline.engine = Engine::restore(policy, kept.engine);
        }
        Ok(pipeline)
    }

    /// Tells `observer` of all that is said from now on.
    pub fn observe(&mut self, observer: Observer) {
        self.observer = Some(observer);
    }

    /// The screen that has the focus, where one is known and looked at.
    #[must_use]
    pub fn screen(&self) -> Option<&ScreenRef> {
        self.engine.screen()
    }

    /// One input.
    pub fn input(&mut self, input: &Input) {
        let (engine, mut sink) = self.parts();
        engine.step(input, &mut sink);
    }

    /// Time passed without an input: what was waiting for it is decided.
    pub fn advance(&mut self, t_ms: u64) {
        let (engine, mut sink) = self.parts();
        engine.advance(t_ms, &mut sink);
    }

    /// The recording or the capture ends, and with it the session.
    pub fn finish(&mut self) {
        let (engine, mut sink) = self.parts();
        engine.finish(&mut sink);
    }

    /// Another policy is in force from now on.
    pub fn set_policy(&mut self, policy: Policy) {
        let state = self.engine.save();
        self.engine = Engine::restore(policy, state);
    }

    /// When [`Pipeline::advance`] has something to settle next, if nothing comes until then.
    #[must_use]
    pub fn due(&self) -> Option<u64> {
        self.engine.due()
    }

    /// Whether [`Pipeline::flush`] has anything to store.
    #[must_use]
    pub fn is_unstored(&self) -> bool {
        !self.pending.is_empty() || self.given_up > 0
    }

    /// Records that aren't stored yet.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Inputs that were not looked at, by reason, since the start.
    #[must_use]
    pub fn left_out(&self) -> &BTreeMap<DropReason, u64> {
        &self.left_out
    }

    /// Stores what is pending, and the engine's state with it.
    ///
    /// # Errors
    /// Nothing was stored. The records stay pending, up to a bound; over it the oldest
    /// raw events go and are counted as `not_stored` once the spool can count again.
    pub fn flush(&mut self) -> Result<(), SpoolError> {
        if !self.is_unstored() {
            return Ok(());
        }
        let state = if self.keeps_state {
            let kept = Kept {
                first_session: self.first_session,
                engine: self.engine.save(),
            };
            Some(serde_json::to_vec(&kept).map_err(|e| SpoolError::Corrupt(e.to_string()))?)
        } else {
            None
        };
        match self.spool.append(&self.pending, state.as_deref()) {
            Ok(_) => {
                self.pending.clear();
                if self.given_up > 0 {
                    self.spool.count_drops("not_stored", self.given_up)?;
                    self.given_up = 0;
                }
                Ok(())
            }
            Err(error) => {
                self.shed();
                Err(error)
            }
        }
    }

    /// Keeps what is pending below its bound: raw events go first, the oldest first.
    fn shed(&mut self) {
        let mut excess = self.pending.len().saturating_sub(PENDING_MAX);
        self.given_up += excess as u64;
        self.pending.retain(|record| {
            let goes = excess > 0 && matches!(record.record, snag_wire::Record::Event(_));
            excess -= usize::from(goes);
            !goes
        });
        self.pending.drain(..excess);
    }

    /// The engine, and what is done with its effects.
    fn parts(&mut self) -> (&mut Engine, impl FnMut(Effect) + '_) {
        let Self {
            engine,
            labels,
            base_ms,
            first_session,
            pending,
            left_out,
            observer,
            ..
        } = self;
        let sink = |effect| match effect {
            Effect::Record(mut record) => {
                record.session = record.session.wrapping_add(*first_session);
                if let Some(observer) = observer.as_mut() {
                    observer(Noticed::Record(&record));
                }
                pending.push(convert::record(record, *base_ms));
            }
            Effect::Label(label) => labels.note(convert::label(label)),
            Effect::Dropped { reason } => *left_out.entry(reason).or_default() += 1,
            Effect::AskForFeedback { kind, t, screen } => {
                tracing::debug!(kind = kind.as_str(), "a moment to ask for feedback");
                if let Some(observer) = observer.as_mut() {
                    observer(Noticed::Ask {
                        kind,
                        t_ms: t,
                        screen: &screen,
                    });
                }
            }
        };
        (engine, sink)
    }
}

/// Sessions of a device have numbers of their own, whatever engine made them. There are
/// never more sessions than records, so that the next sequence number is unused.
fn unused_session(spool: &Spool) -> u32 {
    u32::try_from(spool.waiting().next_seq & u64::from(u32::MAX)).unwrap_or_default()
}
