//! The clock of the inputs: unix milliseconds that never fall.
//!
//! Invariant: `now` never returns less than it returned before, whatever happens to the wall clock. Time passes by the
//! monotonic clock; only a wall clock that is well ahead of it (the computer slept, which the monotonic clock of Linux
//! does not count) moves it forward, so that a night asleep still ends a session.

use std::sync::Mutex;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// How far the wall clock has to be ahead before it is believed (ms): more than any slewing by NTP, less than any nap.
const RESYNC_MS: u64 = 2_000;

pub(crate) struct Clock {
    state: Mutex<State>,
}

struct State {
    origin: Instant,
    origin_unix_ms: u64,
    last: u64,
}

impl Clock {
    pub(crate) fn new() -> Self {
        let unix_ms = wall_ms();
        Self {
            state: Mutex::new(State {
                origin: Instant::now(),
                origin_unix_ms: unix_ms,
                last: unix_ms,
            }),
        }
    }

    /// Unix time in milliseconds, never falling.
    pub(crate) fn now(&self) -> u64 {
        let mut state = self
            .state
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let elapsed_ms = u64::try_from(state.origin.elapsed().as_millis()).unwrap_or(u64::MAX);
        state.advance(elapsed_ms, wall_ms())
    }
}

impl State {
    fn advance(&mut self, elapsed_ms: u64, wall_ms: u64) -> u64 {
        let mut now = self.origin_unix_ms.saturating_add(elapsed_ms);
        if wall_ms > now.saturating_add(RESYNC_MS) {
            self.origin_unix_ms = self.origin_unix_ms.saturating_add(wall_ms - now);
            now = wall_ms;
        }
        self.last = self.last.max(now);
        self.last
    }
}

fn wall_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| {
            u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> State {
        State {
            origin: Instant::now(),
            origin_unix_ms: 1_000_000,
            last: 1_000_000,
        }
    }

    #[test]
    fn passes_with_the_monotonic_clock_and_ignores_small_steps_of_the_wall_clock() {
        let mut state = state();
        assert_eq!(state.advance(10, 1_000_010), 1_000_010);
        assert_eq!(state.advance(20, 1_001_500), 1_000_020);
        assert_eq!(state.advance(30, 900_000), 1_000_030);
    }

    #[test]
    fn a_night_asleep_moves_it_forward_once() {
        let mut state = state();
        assert_eq!(state.advance(10, 9_000_000), 9_000_000);
        assert_eq!(state.advance(25, 9_000_015), 9_000_015);
    }

    #[test]
    fn never_falls() {
        let mut state = state();
        let mut last = 0;
        for (elapsed, wall) in [
            (5, 5_000_000),
            (6, 10),
            (7, 5_000_100),
            (2, 0),
            (9, 8_000_000),
            (10, 1),
        ] {
            let now = state.advance(elapsed, wall);
            assert!(now >= last);
            last = now;
        }
    }
}
