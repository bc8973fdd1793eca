//! What the thread that looks at the desktop is given, on every platform.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, RwLock};
use std::time::Duration;

use snag_core::redact::Redactor;

use crate::health::Board;
use crate::queue::{Queue, Reply, Under};

/// What the desktop thread is told.
pub(crate) enum Command {
    /// A button went down: what is there?
    Press { x: f64, y: f64, reply: Reply<Under> },
    /// It went up.
    Release,
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
    pub(crate) own: HashSet<u32>,
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

/// Where the pointer went since the last press. It stays in memory, for hovers to be told from answers.
#[derive(Default)]
pub(crate) struct Trail {
    on: AtomicBool,
    points: Mutex<Vec<(i32, i32)>>,
}

impl Trail {
    pub(crate) fn start(&self, point: (i32, i32)) {
        let mut points = self.lock();
        points.clear();
        points.push(point);
        self.on.store(true, Relaxed);
    }

    pub(crate) fn moved(&self, x: f64, y: f64) {
        if !self.on.load(Relaxed) {
            return;
        }
        #[expect(clippy::cast_possible_truncation, reason = "pixels of a screen")]
        let (x, y) = (x as i32, y as i32);
        let mut points = self.lock();
        if points
            .last()
            .is_some_and(|(a, b)| (x - a).abs() < TRAIL_STEP && (y - b).abs() < TRAIL_STEP)
        {
            return;
        }
        if points.len() < TRAIL_MAX {
            points.push((x, y));
        } else {
            self.on.store(false, Relaxed);
        }
    }

    pub(crate) fn points(&self) -> Vec<(i32, i32)> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(i32, i32)>> {
        self.points
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
