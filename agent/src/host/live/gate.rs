//! Starts and ends capture as the gate has it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use jiff::Zoned;
use snag_capture::{Capture, CaptureError, CaptureItem, CaptureOptions};
use snag_core::Redactor;

use super::{Live, TRY_AGAIN};
use crate::convert;
use crate::desktop::view::Sentence;
use crate::host::error::HostError;
use crate::host::shared::Gate;
use crate::pipeline::{Noticed, Pipeline};

/// Longest time that the end of capture waits for what happened before: somewhat more than a press waits for what was
/// pressed.
const ON_ITS_WAY: Duration = Duration::from_millis(250);

impl Live {
    /// Starts, pauses or ends capture as the gate has it.
    ///
    /// # Errors
    /// Where nobody is asked and capture can't start: the process has nothing to do then.
    pub(super) fn follow_gate(&mut self, gate: &Gate) -> Result<(), HostError> {
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
    pub(super) fn lost(&mut self, error: &HostError) {
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
    pub(super) fn close(&mut self) {
        if let Some(mut capture) = self.capture.take() {
            self.read_rest(&mut capture);
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
}

impl Live {
    /// Reads what happened until now and is on its way: a press waits for what was pressed.
    fn read_rest(&mut self, capture: &mut Capture) {
        capture.pause(true);
        let until_ms = self.window.until_ms().min(capture.handle().now());
        let deadline = Instant::now() + ON_ITS_WAY;
        while capture.horizon() < until_ms {
            match capture.next(deadline.saturating_duration_since(Instant::now())) {
                Some(CaptureItem::Input(input)) => self.happened(&input),
                Some(CaptureItem::Label(label)) => self.shared.labels.note(convert::label(label)),
                // The display is gone, or doesn't answer.
                Some(CaptureItem::Lost { .. }) | None => break,
            }
        }
        self.feed_said(u64::MAX);
    }
}

fn capture_problem(error: &CaptureError) -> Sentence {
    match error {
        CaptureError::NoDisplay { wayland: false } => Sentence::plain("problem.no_display"),
        CaptureError::NoDisplay { wayland: true } => Sentence::plain("problem.wayland"),
        other => Sentence::new("problem.input", [("reason", other.to_string())]),
    }
}
