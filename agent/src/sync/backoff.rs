//! How long to wait after a failure.

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use rand::Rng;
use rand::rngs::StdRng;

/// The first ceiling. A server that restarts is back in about that time.
pub const BASE_MS: u64 = 1_000;

/// The last ceiling: a device is heard from at most five minutes after its server
/// is back, and 5,000 devices come back at 33 a second on average.
pub const CEILING_MS: u64 = 300_000;

/// The longest `Retry-After` that is believed. A server that says more has made a
/// mistake, and devices that believe it could not be told.
pub const RETRY_AFTER_MAX_MS: u64 = 3_600_000;

/// Full jitter: anything from nothing to a ceiling that doubles with each failure
/// in a row. It spreads devices that failed together best, and the ceiling bounds it.
#[derive(Debug, Clone, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// How long to wait after one more failure. What the server asked for is the
    /// least, with up to a tenth on top, so that those who were told the same
    /// don't come back together.
    pub fn failed(&mut self, retry_after_ms: Option<u64>, rng: &mut StdRng) -> u64 {
        let ceiling = CEILING_MS.min(BASE_MS.saturating_mul(1 << self.failures.min(20)));
        self.failures = self.failures.saturating_add(1);
        match retry_after_ms {
            Some(asked) => {
                let asked = asked.min(RETRY_AFTER_MAX_MS);
                asked + rng.random_range(0..=(asked / 10).max(BASE_MS / 4))
            }
            None => rng.random_range(0..=ceiling),
        }
    }

    /// Failures in a row.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// It worked.
    pub fn succeeded(&mut self) {
        self.failures = 0;
    }
}

/// What a `Retry-After` header asks for, in milliseconds: seconds, or a date that
/// counts from `now` (the answer's own `Date` where it has one, since the device's
/// clock may be wrong). `None` where it is neither.
#[must_use]
pub fn parse_retry_after(value: &str, now: Timestamp) -> Option<u64> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(seconds.saturating_mul(1_000));
    }
    let at = parse_http_date(value)?;
    Some(u64::try_from(at.as_millisecond() - now.as_millisecond()).unwrap_or(0))
}

/// A date as HTTP writes it.
#[must_use]
pub fn parse_http_date(value: &str) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new().parse_timestamp(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn waits_are_spread_over_a_ceiling_that_doubles() {
        let mut rng = StdRng::seed_from_u64(1);
        for failures in 0..40_u32 {
            let ceiling = CEILING_MS.min(BASE_MS << failures.min(20));
            let mut waits: Vec<u64> = (0..400)
                .map(|_| Backoff { failures }.failed(None, &mut rng))
                .collect();
            waits.sort_unstable();
            assert!(waits[399] <= ceiling);
            assert!(waits[399] > ceiling * 9 / 10, "reaches its ceiling");
            assert!(waits[0] < ceiling / 10, "reaches down to nothing");
            let median = waits[200];
            assert!(median > ceiling * 2 / 5 && median < ceiling * 3 / 5);
        }
    }

    #[test]
    fn what_the_server_asks_for_is_the_least_and_capped() {
        let mut rng = StdRng::seed_from_u64(2);
        let mut backoff = Backoff::default();
        for _ in 0..100 {
            let wait = backoff.failed(Some(30_000), &mut rng);
            assert!((30_000..=33_000).contains(&wait), "{wait}");
        }
        let wait = backoff.failed(Some(u64::MAX), &mut rng);
        assert!(wait <= RETRY_AFTER_MAX_MS * 11 / 10);
        assert!(backoff.failed(Some(0), &mut rng) <= BASE_MS);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now: Timestamp = "1994-11-06T08:49:07Z".parse().unwrap();
        assert_eq!(parse_retry_after("120", now), Some(120_000));
        assert_eq!(parse_retry_after(" 0 ", now), Some(0));
        assert_eq!(
            parse_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", now),
            Some(30_000)
        );
        assert_eq!(
            parse_retry_after("Sun, 06 Nov 1994 08:00:00 GMT", now),
            Some(0)
        );
        for wrong in ["", "-1", "soon", "1.5", "Sun, 06 Nov"] {
            assert_eq!(parse_retry_after(wrong, now), None, "{wrong}");
        }
    }
}
