//! The bounded queue between those who see (input thread, desktop thread) and the one who reads (`Capture::next`).
//!
//! Invariants: order is the order of arrival; times never fall; a click, key or wheel step is given up only when
//! `HARD_LIMIT` of them wait unread, moves go first, and whatever is given up is counted.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use snag_core::{Button, Element, KeyClass};

use crate::answer::Answer;
use crate::clock::Clock;

/// Waiting inputs above which runs of moves are thinned to their last.
const SOFT_LIMIT: usize = 8_192;
/// Waiting inputs above which even clicks are given up: half a minute of the fastest typing and clicking together with
/// a reader that is stuck. About 4 MB.
const HARD_LIMIT: usize = 65_536;
/// How long the reader lets inputs gather before it takes them. One wake-up then serves many moves.
const GATHER: Duration = Duration::from_millis(20);

/// Something seen, with its time.
pub(crate) struct Seen {
    /// Unix ms.
    pub(crate) t: u64,
    pub(crate) what: What,
}

pub(crate) enum What {
    Move {
        x: f64,
        y: f64,
    },
    Press {
        button: Button,
        x: f64,
        y: f64,
        under: Answer<Under>,
    },
    Release {
        button: Button,
        x: f64,
        y: f64,
    },
    Wheel {
        dx: f64,
        dy: f64,
        x: f64,
        y: f64,
    },
    Key(KeyClass),
    Focus(Answer<Option<Focused>>),
    Reaction,
    Reactions(bool),
    Lost(&'static str),
}

/// What lay under the pointer at a press.
#[derive(Default)]
pub(crate) struct Under {
    /// Whether the window there is one of ours; none where there is none, or it isn't known whose it is.
    pub(crate) own: Option<bool>,
    pub(crate) element: Option<Element>,
    pub(crate) label: Option<snag_core::LabelText>,
}

/// The window that has the focus now.
pub(crate) struct Focused {
    pub(crate) own: bool,
    pub(crate) app: String,
    pub(crate) window: String,
    /// The title, normalised.
    pub(crate) screen: String,
}

pub(crate) struct Queue {
    clock: Clock,
    state: Mutex<State>,
    arrived: Condvar,
    pub(crate) moves_dropped: AtomicU64,
    pub(crate) inputs_dropped: AtomicU64,
}

struct State {
    waiting: VecDeque<Seen>,
    /// Where the thinning of moves goes on: everything before is thinned already.
    thinned: usize,
    notified: u64,
    /// The reader is to see to something else.
    woken: bool,
}

impl Queue {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            clock: Clock::new(),
            state: Mutex::new(State {
                waiting: VecDeque::new(),
                thinned: 0,
                notified: 0,
                woken: false,
            }),
            arrived: Condvar::new(),
            moves_dropped: AtomicU64::new(0),
            inputs_dropped: AtomicU64::new(0),
        })
    }

    pub(crate) fn now(&self) -> u64 {
        self.clock.now()
    }

    /// Puts something seen now at the end; returns its time. Never blocks for longer than the reader's swap.
    pub(crate) fn push(&self, what: What) -> u64 {
        let mut state = lock(&self.state);
        let t = self.clock.now();
        if state.waiting.len() >= SOFT_LIMIT {
            if let (
                What::Move { .. },
                Some(Seen {
                    what: What::Move { .. },
                    ..
                }),
            ) = (&what, state.waiting.back())
            {
                state.waiting.pop_back();
                self.moves_dropped.fetch_add(1, Relaxed);
            } else if state.waiting.len() >= HARD_LIMIT {
                // Only what came since the last time is worth a look: a full queue must not make each push slow.
                if state.thinned < state.waiting.len() {
                    self.moves_dropped.fetch_add(state.thin_moves(), Relaxed);
                }
                if state.waiting.len() >= HARD_LIMIT {
                    let counter = if matches!(what, What::Move { .. }) {
                        &self.moves_dropped
                    } else {
                        &self.inputs_dropped
                    };
                    counter.fetch_add(1, Relaxed);
                    return t;
                }
            }
        }
        state.waiting.push_back(Seen { t, what });
        if state.waiting.len() == 1 {
            self.arrived.notify_one();
        }
        t
    }

    /// The time of the first that waits, or now if none does.
    pub(crate) fn oldest(&self) -> u64 {
        let state = lock(&self.state);
        state
            .waiting
            .front()
            .map_or_else(|| self.clock.now(), |seen| seen.t)
    }

    /// Moves everything that waits to `into`. Waits for the first until `until`, or until the reader is woken, then lets
    /// more gather.
    pub(crate) fn take(&self, into: &mut VecDeque<Seen>, until: Instant) {
        let state = self.wait_while(until, |state| state.waiting.is_empty() && !state.woken);
        let empty = state.waiting.is_empty();
        drop(state);
        if empty {
            return;
        }
        std::thread::sleep(GATHER);
        self.take_now(into);
    }

    /// Moves everything that waits to `into`, at once.
    pub(crate) fn take_now(&self, into: &mut VecDeque<Seen>) {
        let mut state = lock(&self.state);
        state.thinned = 0;
        if into.is_empty() {
            std::mem::swap(into, &mut state.waiting);
        } else {
            into.append(&mut state.waiting);
        }
    }

    #[cfg(test)]
    fn waiting(&self) -> usize {
        lock(&self.state).waiting.len()
    }

    /// Waits until an answer came (or something else happened), at most until `until`. `seen` is the count of the last
    /// call, so that an answer between two calls is not missed.
    pub(crate) fn wait_answer(&self, seen: u64, until: Instant) -> u64 {
        self.wait_while(until, |state| state.notified == seen)
            .notified
    }

    fn wait_while(&self, until: Instant, waits: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        let left = until.saturating_duration_since(Instant::now());
        let waited = self
            .arrived
            .wait_timeout_while(lock(&self.state), left, |state| waits(state));
        waited.unwrap_or_else(|poisoned| poisoned.into_inner()).0
    }

    /// The number of answers given so far.
    pub(crate) fn notified(&self) -> u64 {
        lock(&self.state).notified
    }

    pub(crate) fn notify(&self) {
        lock(&self.state).notified += 1;
        self.arrived.notify_one();
    }

    /// Ends the reader's wait, the one that it is in or its next.
    pub(crate) fn wake(&self) {
        let mut state = lock(&self.state);
        state.woken = true;
        state.notified += 1;
        drop(state);
        self.arrived.notify_one();
    }

    /// Whether the reader was woken and hasn't seen to it.
    pub(crate) fn is_woken(&self) -> bool {
        lock(&self.state).woken
    }

    /// The same, and it sees to it now.
    pub(crate) fn take_woken(&self) -> bool {
        std::mem::take(&mut lock(&self.state).woken)
    }
}

impl State {
    /// Keeps the last of each run of moves; returns how many were given up.
    fn thin_moves(&mut self) -> u64 {
        let before = self.waiting.len();
        let mut kept: VecDeque<Seen> = VecDeque::with_capacity(before);
        let done = self.thinned.min(before);
        for (index, seen) in std::mem::take(&mut self.waiting).into_iter().enumerate() {
            let run = index >= done
                && matches!(seen.what, What::Move { .. })
                && matches!(
                    kept.back(),
                    Some(Seen {
                        what: What::Move { .. },
                        ..
                    })
                );
            if run {
                kept.pop_back();
            }
            kept.push_back(seen);
        }
        self.waiting = kept;
        self.thinned = self.waiting.len();
        u64::try_from(before - self.waiting.len()).unwrap_or(u64::MAX)
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(queue: &Queue) -> Vec<Seen> {
        let mut into = VecDeque::new();
        queue.take_now(&mut into);
        into.into_iter().collect()
    }

    #[test]
    fn order_is_kept_and_times_never_fall() {
        let queue = Queue::new();
        for index in 0..1_000 {
            queue.push(What::Move {
                x: f64::from(index),
                y: 0.0,
            });
            queue.push(What::Key(KeyClass::Char));
        }
        let seen = drain(&queue);
        assert_eq!(seen.len(), 2_000);
        assert!(seen.windows(2).all(|pair| pair[0].t <= pair[1].t));
        assert!(matches!(seen[0].what, What::Move { x, .. } if x == 0.0));
        assert!(matches!(seen[1_998].what, What::Move { x, .. } if x == 999.0));
    }

    #[test]
    fn overload_gives_up_moves_first_and_counts_them() {
        let queue = Queue::new();
        for index in 0..HARD_LIMIT * 2 {
            queue.push(What::Move {
                x: index as f64,
                y: 0.0,
            });
        }
        assert!(queue.waiting() <= SOFT_LIMIT + 1);
        let kept = queue.waiting() as u64;
        assert_eq!(
            queue.moves_dropped.load(Relaxed) + kept,
            HARD_LIMIT as u64 * 2
        );
        for _ in 0..HARD_LIMIT - SOFT_LIMIT {
            queue.push(What::Key(KeyClass::Char));
        }
        for _ in 0..100 {
            queue.push(What::Key(KeyClass::Enter));
        }
        assert_eq!(
            queue.inputs_dropped.load(Relaxed),
            0,
            "keys are kept while a move can go"
        );
        let keys = drain(&queue)
            .iter()
            .filter(|seen| matches!(seen.what, What::Key(_)))
            .count();
        assert_eq!(keys, HARD_LIMIT - SOFT_LIMIT + 100);
    }

    #[test]
    fn nothing_grows_without_a_bound() {
        let queue = Queue::new();
        for _ in 0..HARD_LIMIT + 10 {
            queue.push(What::Key(KeyClass::Char));
        }
        assert_eq!(queue.waiting(), HARD_LIMIT);
        assert_eq!(queue.inputs_dropped.load(Relaxed), 10);
    }

    #[test]
    fn waking_the_reader_ends_a_wait_without_an_end() {
        let queue = Queue::new();
        let forever = Instant::now() + Duration::from_secs(3_600);
        let other = queue.clone();
        let waker = std::thread::spawn(move || other.wake());
        queue.take(&mut VecDeque::new(), forever);
        waker.join().expect("the waker ends");
        assert!(queue.take_woken() && !queue.take_woken());
        let seen = queue.notified();
        queue.wake();
        assert!(queue.wait_answer(seen, forever) > seen);
    }
}
