//! What the thread that looks at the desktop is given, on every platform.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, RwLock};
use std::time::{Duration, Instant};

use snag_core::redact::Redactor;

use crate::answer::Reply;
use crate::health::Board;
use crate::own::OwnProcesses;
use crate::queue::{Queue, Under};

/// What the desktop thread is told.
pub(crate) enum Command {
    /// A button went down: what is there?
    Press { x: f64, y: f64, reply: Reply<Under> },
    /// It went up.
    Release,
    /// The pointer moved there, or the wheel was turned there: is the window there ours?
    Pointer {
        x: f64,
        y: f64,
        reply: Reply<Option<bool>>,
    },
    /// Capture goes on after a pause: tell the focus anew.
    Resume,
    /// End.
    Stop,
}

/// What the desktop thread works with.
pub(crate) struct Context {
    pub(crate) queue: Arc<Queue>,
    pub(crate) board: Arc<Board>,
    pub(crate) redactor: Arc<RwLock<Arc<Redactor>>>,
    /// Processes whose windows are ours.
    pub(crate) own: OwnProcesses,
    pub(crate) element_deadline: Duration,
    pub(crate) window_deadline: Duration,
    pub(crate) trail: Arc<Trail>,
    /// When somebody last pressed, typed or turned the wheel (unix ms).
    pub(crate) acted: Arc<AtomicU64>,
    /// The start is over.
    pub(crate) started: Arc<AtomicBool>,
}

impl Context {
    pub(crate) fn redactor(&self) -> Arc<Redactor> {
        self.redactor
            .read()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .clone()
    }

    /// For how long nobody pressed, typed or turned the wheel (ms).
    pub(crate) fn quiet_ms(&self) -> u64 {
        self.queue.now().saturating_sub(self.acted.load(Relaxed))
    }
}

/// Points nearer than this to the last one are the same (px).
const TRAIL_STEP: i32 = 12;
/// Points kept.
const TRAIL_MAX: usize = 256;

/// Where the pointer went lately. It stays in memory, for hovers to be told from answers.
#[derive(Default)]
pub(crate) struct Trail(Mutex<VecDeque<(Instant, i32, i32)>>);

impl Trail {
    /// The pointer is here now.
    pub(crate) fn moved(&self, x: f64, y: f64) {
        #[expect(clippy::cast_possible_truncation, reason = "pixels of a screen")]
        let (x, y) = (x as i32, y as i32);
        let mut points = self.lock();
        let near = |a: i32, b: i32| (x - a).abs() < TRAIL_STEP && (y - b).abs() < TRAIL_STEP;
        if points.back().is_some_and(|(_, a, b)| near(*a, *b)) {
            return;
        }
        if points.len() >= TRAIL_MAX {
            points.pop_front();
        }
        points.push_back((Instant::now(), x, y));
    }

    /// Where it went since then, and where it was at that time.
    pub(crate) fn points(&self, since: Instant) -> Vec<(i32, i32)> {
        let points = self.lock();
        let first = points
            .iter()
            .rposition(|(at, _, _)| *at < since)
            .unwrap_or(0);
        points
            .iter()
            .skip(first)
            .map(|(_, x, y)| (*x, *y))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(Instant, i32, i32)>> {
        self.0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trail_is_short_and_knows_where_it_began() {
        let trail = Trail::default();
        trail.moved(5.0, 5.0);
        trail.moved(6.0, 6.0);
        let since = Instant::now();
        trail.moved(100.0, 100.0);
        assert_eq!(trail.points(since), [(5, 5), (100, 100)]);
        for step in 0..10_000 {
            trail.moved(f64::from(step * 20), 0.0);
        }
        assert_eq!(trail.points(since).len(), TRAIL_MAX);
    }
}
