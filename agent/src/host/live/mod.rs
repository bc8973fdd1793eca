//! The thread that reads capture and feeds the pipeline.
//!
//! **Invariant:** nothing is handed to the pipeline while the gate is not open, and capture does not even run while
//! it is closed.

mod follow;
mod report;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use jiff::{Timestamp, Zoned};
use parking_lot::Mutex;
use snag_capture::{Capture, CaptureError, CaptureItem, CaptureOptions};
use snag_core::{Input, InputKind, KeyClass, Redactor};
use tokio::sync::oneshot;

use super::ask::Crossed;
use super::error::HostError;
use super::shared::{Gate, Shared};
use crate::commands::warn_of;
use crate::convert;
use crate::desktop::view::Sentence;
use crate::pipeline::{Noticed, Pipeline};

/// A record waits this long for others before it is stored: one flush of the disk a
/// second at most, and a power cut costs a second at most.
const STORE_EVERY: Duration = Duration::from_secs(1);

/// Records that are stored without waiting.
const STORE_RECORDS: usize = 512;

/// How often the status file is written while something happens; in quiet times it
/// is a third of what counts as fresh.
const STATUS_EVERY: Duration = Duration::from_secs(2);
const STATUS_QUIET: Duration = Duration::from_secs(10);

/// How often the windows and the tray are told what changed.
const SHOW_EVERY: Duration = Duration::from_millis(400);

/// How long the thread sleeps where nothing comes.
const LOOK: Duration = Duration::from_millis(500);

/// How long a display or an identity that wasn't there is left alone.
const TRY_AGAIN: Duration = Duration::from_secs(3);

/// What the thread is told.
pub(super) enum Told {
    /// Something changed: look again.
    Wake,
    /// A program said something through the SDK.
    Input(Input),
}

/// The thread's state.
pub(super) struct Live {
    shared: Arc<Shared>,
    told: Receiver<Told>,
    capture: Option<Capture>,
    paused: bool,
    pipeline: Option<Pipeline>,
    crossed: Arc<Mutex<Crossed>>,
    /// The policy and the settings that the pipeline follows.
    following: Option<(u64, u64)>,
    /// Inputs of the SDK that wait for what happened before them.
    said: VecDeque<Input>,
    /// When the spool was tried last; the first time was before this thread.
    try_spool: Instant,
    try_identity: Option<Instant>,
    try_capture: Option<Instant>,
    widening_told: Option<u64>,
    /// Told once how the first start of capture went; where somebody is asked, that it is known whose device this is.
    first: Option<oneshot::Sender<Result<(), HostError>>>,
}

impl Live {
    pub(super) fn new(
        shared: Arc<Shared>,
        told: Receiver<Told>,
        first: oneshot::Sender<Result<(), HostError>>,
    ) -> Self {
        Self {
            shared,
            told,
            capture: None,
            paused: false,
            pipeline: None,
            crossed: Arc::default(),
            following: None,
            said: VecDeque::new(),
            try_spool: Instant::now(),
            try_identity: None,
            try_capture: None,
            widening_told: None,
            first: Some(first),
        }
    }

    /// Runs until the host stops, or, where nobody is asked, until capture ends.
    pub(super) fn run(mut self) -> Result<(), HostError> {
        let mut stored = Instant::now();
        let (mut told, mut shown) = (None::<Instant>, None::<Instant>);
        let mut active = true;
        let mut result = Ok(());
        while !self.shared.is_stopping() {
            self.follow_spool();
            self.follow_device();
            self.follow_policy();
            let gate = self.shared.gate(&Zoned::now());
            if let Err(error) = self.follow_gate(&gate) {
                result = Err(error);
                break;
            }
            if shown.is_none_or(|at| at.elapsed() >= SHOW_EVERY) {
                self.shared.publish();
                shown = Some(Instant::now());
            }
            match self.read(gate == Gate::Open) {
                Ok(any) => active |= any,
                Err(error) if self.shared.options.asks => self.lost(&error),
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
            for found in self.crossed.lock().due(now_ms()) {
                let _ = self.shared.found.send(found);
            }
            let pending = self.pipeline.as_ref().map_or(0, Pipeline::pending);
            self.shared.capture.lock().pending = pending as u64;
            if pending >= STORE_RECORDS || stored.elapsed() >= STORE_EVERY {
                self.store();
                stored = Instant::now();
            }
            let due = if active { STATUS_EVERY } else { STATUS_QUIET };
            if told.is_none_or(|at| at.elapsed() >= due) {
                self.tell();
                told = Some(Instant::now());
                active = false;
            }
        }
        self.close();
        result
    }

    /// What came within half a second at most; whether anything did.
    fn read(&mut self, open: bool) -> Result<bool, HostError> {
        let mut wait = LOOK;
        let mut any = false;
        loop {
            let item = match &mut self.capture {
                Some(capture) => {
                    // The SDK is looked at between any two batches of inputs.
                    while let Ok(told) = self.told.try_recv() {
                        if let (Told::Input(input), true) = (told, open) {
                            self.said.push_back(input);
                        }
                    }
                    capture.next(wait)
                }
                None => {
                    match self.told.recv_timeout(wait) {
                        Ok(Told::Input(input)) if open => self.said.push_back(input),
                        Ok(_) | Err(RecvTimeoutError::Timeout) => {}
                        Err(RecvTimeoutError::Disconnected) => std::thread::sleep(wait),
                    }
                    None
                }
            };
            match item {
                Some(CaptureItem::Input(input)) => {
                    any = true;
                    self.feed_said(input.t);
                    self.note_key(&input);
                    if let (Some(pipeline), true) = (&mut self.pipeline, open) {
                        pipeline.input(&input);
                    }
                }
                Some(CaptureItem::Label(label)) => self.shared.labels.note(convert::label(label)),
                Some(CaptureItem::Lost { reason }) => return Err(HostError::CaptureLost(reason)),
                None => {
                    let horizon = match &self.capture {
                        Some(capture) => capture.horizon(),
                        None => now_ms(),
                    };
                    self.feed_said(horizon);
                    if let (Some(pipeline), true) = (&mut self.pipeline, open) {
                        pipeline.advance(horizon);
                    }
                    return Ok(any);
                }
            }
            // What is there already is read without waiting, up to what is stored at once.
            wait = Duration::ZERO;
            if self
                .pipeline
                .as_ref()
                .is_some_and(|p| p.pending() >= STORE_RECORDS)
            {
                return Ok(any);
            }
        }
    }

    /// Feeds what programs said up to a moment, so that times don't go back.
    fn feed_said(&mut self, until_ms: u64) {
        while self.said.front().is_some_and(|input| input.t <= until_ms) {
            if let (Some(input), Some(pipeline)) = (self.said.pop_front(), &mut self.pipeline)
                && let Some(input) = placed(input, pipeline)
            {
                pipeline.input(&input);
            }
        }
    }

    fn note_key(&self, input: &Input) {
        if let InputKind::Key { class } = input.kind
            && class != KeyClass::Modifier
        {
            self.shared.last_key_ms.store(input.t, Ordering::Relaxed);
        }
    }

    /// Starts, pauses or ends capture as the gate has it.
    ///
    /// # Errors
    /// Where nobody is asked and capture can't start: the process has nothing to do then.
    fn follow_gate(&mut self, gate: &Gate) -> Result<(), HostError> {
        if self.shared.options.asks {
            // Whether it captures is said as it comes; what is known from here on is whose device this is.
            self.first_is(Ok(()));
        }
        match gate {
            Gate::Open => {
                self.open()?;
                self.set_paused(false);
            }
            Gate::Paused { .. } => {
                self.set_paused(true);
                self.first_is(Ok(()));
            }
            Gate::Closed(_) => {
                self.set_paused(true);
                if self.capture.is_some() || self.pipeline.is_some() {
                    self.close();
                }
                self.first_is(Ok(()));
            }
        }
        Ok(())
    }

    fn set_paused(&mut self, paused: bool) {
        if self.paused == paused {
            return;
        }
        self.paused = paused;
        if let Some(capture) = &self.capture {
            capture.pause(paused);
        }
        if paused {
            // The steps before a pause are not offered after it.
            self.shared.trail.lock().clear();
            self.said.clear();
        }
    }

    fn open(&mut self) -> Result<(), HostError> {
        if self.pipeline.is_none()
            && let Some(Ok(policy)) = self.policy()
            && let Ok(spool) = self.shared.spool()
        {
            let thresholds = policy.thresholds;
            match Pipeline::live(policy, spool, Arc::clone(&self.shared.labels)) {
                Ok(mut pipeline) => {
                    let shared = Arc::clone(&self.shared);
                    let crossed = Arc::clone(&self.crossed);
                    let asks = shared.options.asks;
                    pipeline.observe(Box::new(move |noticed| match noticed {
                        Noticed::Record(record) => {
                            shared.trail.lock().record(record);
                            crossed.lock().record(record);
                        }
                        Noticed::Ask { kind, t_ms, screen } if asks => {
                            crossed.lock().crossed(kind, &screen.app, t_ms, &thresholds);
                        }
                        Noticed::Ask { .. } => {}
                    }));
                    self.pipeline = Some(pipeline);
                }
                Err(error) if self.shared.options.asks => {
                    self.shared.capture.lock().store_problem = Some(Sentence::from(&error));
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            }
        }
        if self.capture.is_some() || self.try_capture.is_some_and(|at| at.elapsed() < TRY_AGAIN) {
            return Ok(());
        }
        let Some(Ok(policy)) = self.policy() else {
            return Ok(());
        };
        self.try_capture = Some(Instant::now());
        let mut options = CaptureOptions::new(Arc::new(Redactor::new(&policy)));
        options.own_processes = self.shared.options.own_processes.clone();
        match snag_capture::start(options) {
            Ok(capture) => {
                let mut facts = self.shared.capture.lock();
                facts.handle = Some(capture.handle());
                facts.problem = None;
                drop(facts);
                // A pause that was asked for while capture started holds from its first moment.
                if self.shared.gate(&Zoned::now()) != Gate::Open {
                    capture.pause(true);
                    self.paused = true;
                }
                self.capture = Some(capture);
                tracing::info!("capturing");
                self.first_is(Ok(()));
                Ok(())
            }
            Err(error) if self.shared.options.asks => {
                let problem = capture_problem(&error);
                if self.shared.capture.lock().problem.as_ref() != Some(&problem) {
                    tracing::warn!(%error, "capture can't start");
                }
                self.shared.capture.lock().problem = Some(problem);
                Ok(())
            }
            Err(error) => {
                // Told by whoever waits for the start; the thread has nothing to do.
                self.first_is(Err(error.into()));
                self.shared.stopping.store(true, Ordering::Relaxed);
                Ok(())
            }
        }
    }

    fn first_is(&mut self, how: Result<(), HostError>) {
        if let Some(first) = self.first.take() {
            let _ = first.send(how);
        }
    }

    /// Capture ended by itself: the app lives on and tries again.
    fn lost(&mut self, error: &HostError) {
        tracing::error!(%error, "capture was lost");
        self.close();
        self.try_capture = Some(Instant::now());
        let mut facts = self.shared.capture.lock();
        facts.problem = Some(Sentence::new(
            "problem.input",
            [("reason", error.to_string())],
        ));
    }

    /// Ends capture and the open session, and stores what is left.
    fn close(&mut self) {
        if let Some(mut capture) = self.capture.take() {
            while let Some(item) = capture.try_next() {
                if let (CaptureItem::Input(input), Some(pipeline)) = (item, &mut self.pipeline) {
                    pipeline.input(&input);
                }
            }
            capture.stop();
        }
        self.shared.capture.lock().handle = None;
        if let Some(pipeline) = &mut self.pipeline {
            pipeline.finish();
        }
        self.store();
        let stored = self.pipeline.as_ref().is_none_or(|p| p.pending() == 0);
        if stored {
            self.pipeline = None;
        }
        self.shared.trail.lock().clear();
    }

    fn store(&mut self) {
        let Some(pipeline) = &mut self.pipeline else {
            return;
        };
        let problem = match pipeline.flush() {
            Ok(()) => None,
            Err(error) => {
                let problem = Sentence::from(&error);
                if self.shared.capture.lock().store_problem.as_ref() != Some(&problem) {
                    tracing::error!(%error, "records can't be stored, and wait in memory");
                }
                Some(problem)
            }
        };
        self.shared.capture.lock().pending = pipeline.pending() as u64;
        let before = std::mem::replace(&mut self.shared.capture.lock().store_problem, problem);
        if before.is_some() && self.shared.capture.lock().store_problem.is_none() {
            tracing::info!("records are stored again");
        }
        if let Ok(spool) = self.shared.spool() {
            for report in spool.take_reports() {
                warn_of(&report);
            }
        }
    }
}

/// What a program said about the place that has the focus: a screen of it, say.
/// None where no program is known that it could be a screen of: nothing is made up.
fn placed(mut input: Input, pipeline: &Pipeline) -> Option<Input> {
    if let InputKind::Focus { app, .. } = &mut input.kind
        && app.is_empty()
    {
        *app = pipeline.screen()?.app.to_string();
    }
    Some(input)
}

fn now_ms() -> u64 {
    u64::try_from(Timestamp::now().as_millisecond()).unwrap_or_default()
}

fn capture_problem(error: &CaptureError) -> Sentence {
    match error {
        CaptureError::NoDisplay { wayland: false } => Sentence::plain("problem.no_display"),
        CaptureError::NoDisplay { wayland: true } => Sentence::plain("problem.wayland"),
        other => Sentence::new("problem.input", [("reason", other.to_string())]),
    }
}
