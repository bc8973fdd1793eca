//! How often something may happen: a bucket that refills. Pure but for the clock that it is given.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// A bucket of so many, one more each `refill`.
pub(super) struct Rate {
    most: u32,
    refill: Duration,
    state: Mutex<(u32, Instant)>,
}

impl Rate {
    pub(super) fn new(most: u32, refill: Duration) -> Self {
        Self {
            most,
            refill,
            state: Mutex::new((most, Instant::now())),
        }
    }

    /// Takes one, where there is one at `now`.
    pub(super) fn take(&self, now: Instant) -> bool {
        let (left, since) = &mut *self.state.lock();
        let passed =
            now.saturating_duration_since(*since).as_nanos() / self.refill.as_nanos().max(1);
        if passed > 0 {
            *left = left
                .saturating_add(u32::try_from(passed).unwrap_or(u32::MAX))
                .min(self.most);
            *since = now;
        }
        if *left == 0 {
            return false;
        }
        *left -= 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_and_then_the_refill() {
        let rate = Rate::new(5, Duration::from_secs(1));
        let start = Instant::now();
        let taken = |from: Instant| (0..20).filter(|_| rate.take(from)).count();
        assert_eq!(taken(start), 5);
        assert_eq!(taken(start + Duration::from_secs(3)), 3);
        assert_eq!(taken(start + Duration::from_secs(60)), 5);
    }
}
