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
    ///
    /// # Errors
    /// How long it takes until there is one.
    pub(super) fn take(&self, now: Instant) -> Result<(), Duration> {
        let (left, since) = &mut *self.state.lock();
        let passed =
            now.saturating_duration_since(*since).as_nanos() / self.refill.as_nanos().max(1);
        let passed = u32::try_from(passed).unwrap_or(u32::MAX);
        *left = left.saturating_add(passed).min(self.most);
        // What is left of a refill counts for the next one; a full bucket gathers nothing.
        *since = if *left == self.most {
            now
        } else {
            *since + self.refill.saturating_mul(passed)
        };
        if *left == 0 {
            return Err((*since + self.refill).saturating_duration_since(now));
        }
        *left -= 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_and_then_the_refill() {
        let rate = Rate::new(5, Duration::from_secs(1));
        let start = Instant::now();
        let taken = |from: Instant| (0..20).filter(|_| rate.take(from).is_ok()).count();
        assert_eq!(taken(start), 5);
        assert_eq!(taken(start + Duration::from_secs(3)), 3);
        assert_eq!(taken(start + Duration::from_secs(60)), 5);
    }

    #[test]
    fn it_says_how_long_until_the_next() {
        let rate = Rate::new(1, Duration::from_secs(20));
        let start = Instant::now();
        let after = |seconds: f64| rate.take(start + Duration::from_secs_f64(seconds));
        assert_eq!(after(0.0), Ok(()));
        assert_eq!(after(0.0), Err(Duration::from_secs(20)));
        assert_eq!(
            after(19.0),
            Err(Duration::from_secs(1)),
            "asking costs nothing"
        );
        assert_eq!(after(20.0), Ok(()), "whoever waits as long gets one");
        assert_eq!(after(29.5), Err(Duration::from_millis(10_500)));
    }
}
