//! When the thread has something to do next, if nothing happens.

use std::time::{Duration, Instant};

use jiff::Zoned;

use super::{Live, TRY_AGAIN, now_ms};
use crate::pipeline::Pipeline;
use crate::status::FRESH_MS;

/// How often the windows and the tray are told what changed.
const SHOW_EVERY: Duration = Duration::from_millis(400);

/// How often the status file is written while something happens; in quiet times it
/// is a third of what counts as fresh.
const STATUS_EVERY: Duration = Duration::from_secs(2);
const STATUS_QUIET: Duration = Duration::from_millis(FRESH_MS as u64 / 3);

/// What was done last of what is done now and then, and what waits for its time.
#[derive(Default)]
pub(super) struct Times {
    /// When the windows were told.
    shown: Option<Instant>,
    /// Whether something may have changed since then.
    to_show: bool,
    /// When the status was written.
    told: Option<Instant>,
    /// Whether something happened since then.
    active: bool,
    /// When what is pending is stored.
    pub(super) store_at: Option<Instant>,
}

impl Times {
    /// The status is to say so soon.
    pub(super) fn something_happened(&mut self) {
        self.active = true;
    }

    /// Whether the windows are told now that something may have changed; if not, they are a little later.
    pub(super) fn is_due_to_show(&mut self, now: Instant) -> bool {
        let due = self.shown.is_none_or(|at| now >= at + SHOW_EVERY);
        self.to_show = !due;
        if due {
            self.shown = Some(now);
        }
        due
    }

    /// Whether the status is written now.
    pub(super) fn is_due_to_tell(&mut self, now: Instant) -> bool {
        let due = self.tell_at().is_none_or(|at| now >= at);
        if due {
            self.told = Some(now);
            self.active = false;
        }
        due
    }

    fn tell_at(&self) -> Option<Instant> {
        let every = if self.active {
            STATUS_EVERY
        } else {
            STATUS_QUIET
        };
        self.told.map(|at| at + every)
    }

    fn show_at(&self) -> Option<Instant> {
        self.shown
            .filter(|_| self.to_show)
            .map(|at| at + SHOW_EVERY)
    }
}

impl Live {
    /// When there is something to do next. Where the computer sleeps or its clock is set meanwhile, that is noticed
    /// with the next status at the latest.
    pub(super) fn due(&self, open: bool) -> Instant {
        let now = Instant::now();
        // A millisecond later rather than never: what is due up to a moment is over after it.
        let after_ms = |ms: u64| now + Duration::from_millis(ms.max(1)).min(STATUS_QUIET);
        let zoned = Zoned::now();
        let gate = self.shared.gate_changes_at(&zoned).map(|at| {
            let ms = at.as_millisecond() - zoned.timestamp().as_millisecond();
            after_ms(u64::try_from(ms).unwrap_or_default() + 1)
        });
        let question = self.crossed.lock().due_at();
        let question = question.map(|at_ms| after_ms(at_ms.saturating_sub(now_ms())));
        let detectors = self
            .pipeline
            .as_ref()
            .filter(|_| open)
            .and_then(Pipeline::due);
        let said = self.said.front().map(|input| input.t);
        let in_order = detectors.into_iter().chain(said).min().map(|at_ms| {
            // Measured by the time of the inputs, which may wait for one that is looked up.
            after_ms(at_ms.saturating_sub(self.horizon_ms()))
        });
        [
            self.times.tell_at(),
            self.times.show_at(),
            self.times.store_at,
            gate,
            question,
            in_order,
            self.try_again_at(now, open),
        ]
        .into_iter()
        .flatten()
        .min()
        .unwrap_or(now)
    }

    /// When what is missing is looked for again: nobody tells of a display, a file or room on the disk.
    fn try_again_at(&self, now: Instant, open: bool) -> Option<Instant> {
        let spool = self.shared.spool().is_err().then_some(self.try_spool);
        let is_enrolled = self.shared.device.lock().is_some();
        let identity = self.try_identity.filter(|_| !is_enrolled);
        let capture = (open && self.capture.is_none()).then(|| self.try_capture.unwrap_or(now));
        let pipeline = (open && self.pipeline.is_none()).then_some(now);
        let tries = [spool, identity, capture, pipeline];
        let again = tries.into_iter().flatten().map(|at| at + TRY_AGAIN);
        // What couldn't even be tried now is left alone for as long.
        again
            .map(|at| if at > now { at } else { now + TRY_AGAIN })
            .min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_is_shown_soon_and_once() {
        let mut times = Times::default();
        let begin = Instant::now();
        assert!(times.is_due_to_show(begin));
        assert_eq!(times.show_at(), None, "nothing is looked for");
        let soon = begin + Duration::from_millis(30);
        assert!(!times.is_due_to_show(soon));
        let at = times.show_at().expect("it is shown later");
        assert!(times.is_due_to_show(at));
        assert_eq!(times.show_at(), None);
    }

    #[test]
    fn the_status_is_written_soon_after_something_happened_and_seldom_else() {
        let mut times = Times::default();
        let begin = Instant::now();
        assert!(times.is_due_to_tell(begin));
        assert_eq!(times.tell_at(), Some(begin + STATUS_QUIET));
        assert!(!times.is_due_to_tell(begin + STATUS_EVERY));
        times.something_happened();
        assert!(times.is_due_to_tell(begin + STATUS_EVERY));
        assert!(!times.is_due_to_tell(begin + STATUS_EVERY * 3));
    }
}
