//! Stores what the pipeline made, soon and not too often.

use std::time::{Duration, Instant};

use super::Live;
use crate::desktop::view::Sentence;
use crate::pipeline::Pipeline;

/// A record waits this long for others before it is stored: one flush of the disk a
/// second at most, and a power cut costs a second at most.
const STORE_EVERY: Duration = Duration::from_secs(1);

/// Records that are stored without waiting.
const STORE_RECORDS: usize = 512;

impl Live {
    /// Whether so much is pending that it is stored before anything else is read. Where nothing can be stored, it
    /// waits for the next try instead.
    pub(super) fn is_stored_at_once(&self) -> bool {
        let pending = self.pipeline.as_ref().map_or(0, Pipeline::pending);
        pending >= STORE_RECORDS && self.shared.capture.lock().store_problem.is_none()
    }

    /// Stores what is pending, once it waited for long enough.
    pub(super) fn store_in_time(&mut self, now: Instant) {
        let Some(pipeline) = &self.pipeline else {
            self.times.store_at = None;
            return;
        };
        let failing = {
            let mut facts = self.shared.capture.lock();
            facts.pending = pipeline.pending() as u64;
            facts.store_problem.is_some()
        };
        // That storing works again is found out by storing.
        if !pipeline.is_unstored() && !failing {
            self.times.store_at = None;
            return;
        }
        let at = *self.times.store_at.get_or_insert(now + STORE_EVERY);
        if now >= at || self.is_stored_at_once() {
            self.store();
            self.times.store_at = None;
            if self.pipeline.as_ref().is_some_and(Pipeline::is_unstored) {
                self.times.store_at = Some(now + STORE_EVERY);
            }
        }
    }

    pub(super) fn store(&mut self) {
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
    }
}
