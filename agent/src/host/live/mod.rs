//! The thread that reads capture and feeds the pipeline.
//!
//! **Invariants:** nothing that happened while the gate was not open is handed to the pipeline, and what happened while
//! it was is, whenever it is read ([`window`]); capture does not even run while the gate is closed. The thread sleeps until an input comes, somebody tells it something ([`Shared::tell_live`]) or
//! something is due ([`due`]): it looks for nothing. The gate is asked after each sleep, before anything is read.

mod due;
mod follow;
mod gate;
mod read;
mod report;
mod store;
mod window;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use jiff::{Timestamp, Zoned};
use parking_lot::Mutex;
use snag_capture::Capture;
use snag_core::Input;
use tokio::sync::oneshot;

use super::ask::Crossed;
use super::error::HostError;
use super::shared::{Gate, Shared};
use crate::pipeline::Pipeline;
use due::Times;
use window::Window;

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
    /// Which inputs happened while the gate was open.
    window: Window,
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
    times: Times,
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
            window: Window::default(),
            pipeline: None,
            crossed: Arc::default(),
            following: None,
            said: VecDeque::new(),
            try_spool: Instant::now(),
            try_identity: None,
            try_capture: None,
            widening_told: None,
            times: Times::default(),
            first: Some(first),
        }
    }

    /// Runs until the host stops, or, where nobody is asked, until capture ends.
    pub(super) fn run(mut self) -> Result<(), HostError> {
        let mut result = Ok(());
        while !self.shared.is_stopping() {
            match self.turn() {
                Ok(due) => self.wait(due),
                Err(error) if self.shared.options.asks => self.lost(&error),
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
        }
        self.close();
        result
    }

    /// Does all that is to be done now; returns when there is more, if nothing happens until then.
    ///
    /// # Errors
    /// Capture ended or can't start.
    fn turn(&mut self) -> Result<Instant, HostError> {
        while let Ok(told) = self.told.try_recv() {
            self.heard(told);
        }
        self.follow_spool();
        self.follow_device();
        self.follow_policy();
        let now = Zoned::now();
        let gate = self.shared.gate(&now);
        let open = gate == Gate::Open;
        self.follow_window(open, &now);
        self.follow_gate(&gate)?;
        self.read(open)?;
        for found in self.crossed.lock().due(now_ms()) {
            let _ = self.shared.found.send(found);
        }
        let now = Instant::now();
        self.store_in_time(now);
        if self.times.is_due_to_show(now) {
            self.shared.publish();
        }
        if self.times.is_due_to_tell(now) {
            self.tell();
        }
        Ok(self.due(open))
    }

    /// Waits until something comes from capture or is told, at most until then.
    fn wait(&mut self, until: Instant) {
        let timeout = until.saturating_duration_since(Instant::now());
        match &mut self.capture {
            // Whoever tells something wakes capture's reader.
            Some(capture) => capture.wait(timeout),
            None => {
                if let Ok(told) = self.told.recv_timeout(timeout) {
                    self.heard(told);
                }
            }
        }
    }

    fn heard(&mut self, told: Told) {
        self.times.something_happened();
        if let Told::Input(input) = told {
            self.said.push_back(input);
        }
    }
}

pub(super) fn now_ms() -> u64 {
    u64::try_from(Timestamp::now().as_millisecond()).unwrap_or_default()
}
