//! Decides what to do next. Neither clock nor socket nor spool is in here: the
//! caller says what time it is (in milliseconds of a clock that never goes back)
//! and how much waits, does the task it is given, and reports how that went.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use snag_wire::SyncRules;
use snag_wire::limits::RECORDS_MAX;

use super::backoff::Backoff;

/// The least time between two batches, on average, for as many records as an ordinary
/// batch holds; a larger one is followed by a longer rest. A device that comes back after
/// a week offline with 400,000 records takes a quarter of an hour, instead of all at once.
pub const PACE_MS: u64 = 1_000;

/// Ordinary batches in one of a device that has at least so many waiting. A large request
/// costs the server a fraction of many small ones, and is sent as much more rarely.
pub const CATCH_UP_BATCHES: usize = 8;

/// How long the first request may wait after a start, so that a company that
/// switches its machines on at nine doesn't arrive in one second.
pub const START_SPREAD_MS: u64 = 3_000;

/// A batch goes as soon as this much waits, however few records that is: about what
/// is sent in one piece over a slow link in a second. Records take about as much in
/// the spool as compressed on the wire.
pub const BATCH_BYTES: u64 = 64 << 10;

/// What waits to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backlog {
    /// How many records.
    pub records: u64,
    /// What they take in the spool.
    pub size_bytes: u64,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Send the oldest records, at most so many.
    Send {
        /// At least one.
        max_records: usize,
    },
    /// Ask for the policy.
    FetchPolicy,
    /// Nothing until then (on the caller's clock), unless more records come.
    Wait {
        /// Always in the future.
        until_ms: u64,
    },
}

/// How a batch went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// The server has it, and its policy is of this version.
    Stored {
        /// From the answer.
        policy_version: u64,
    },
    /// It may work later.
    Retry {
        /// What the server asked for.
        after_ms: Option<u64>,
    },
    /// It was too large, with so many records.
    TooLarge {
        /// How many there were.
        records: usize,
    },
    /// The server will never take it; its records are dead letters now.
    Refused,
    /// There was nothing to send after all.
    Nothing,
}

/// What to do about a batch that was too large.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split {
    /// It is sent again in parts.
    Smaller,
    /// It was a single record, which can't be made smaller: a dead letter.
    GiveUp,
}

/// How the policy's request went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fetched {
    /// The policy of this version is in force.
    Policy {
        /// Its version.
        version: u64,
    },
    /// It may work later.
    Retry {
        /// What the server asked for.
        after_ms: Option<u64>,
    },
}

/// The state of sending. See the module.
#[derive(Debug)]
pub struct Plan {
    rng: StdRng,
    rules: SyncRules,
    pace_ms: u64,
    /// Since when records wait for others to fill a batch.
    gathering_since_ms: Option<u64>,
    /// No batch before this.
    batch_gate_ms: u64,
    batch_backoff: Backoff,
    /// Whether the server gave the reason for `batch_gate_ms`, which then holds for a flush, too.
    batch_gate_holds: bool,
    /// Most records in the next batch: below [`Plan::limit_max`] after a split.
    batch_limit: usize,
    /// Records in the batch that was sent last.
    sending: usize,
    policy_due_ms: u64,
    policy_backoff: Backoff,
    /// The same of `policy_due_ms`.
    policy_due_holds: bool,
    policy_version: u64,
    flushing: bool,
}

impl Plan {
    /// Begins at `now_ms`. `seed` makes the jitter; `pace_ms` is [`PACE_MS`] but in tests.
    #[must_use]
    pub fn new(seed: u64, now_ms: u64, rules: SyncRules, pace_ms: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let start = now_ms + rng.random_range(0..=START_SPREAD_MS.min(pace_ms * 3));
        let mut plan = Self {
            rng,
            rules: SyncRules::default(),
            pace_ms,
            gathering_since_ms: None,
            batch_gate_ms: start,
            batch_backoff: Backoff::default(),
            batch_gate_holds: false,
            batch_limit: RECORDS_MAX,
            sending: 0,
            policy_due_ms: start,
            policy_backoff: Backoff::default(),
            policy_due_holds: false,
            policy_version: 0,
            flushing: false,
        };
        plan.set_rules(rules);
        plan
    }

    /// The policy's rules hold from now on.
    pub fn set_rules(&mut self, rules: SyncRules) {
        self.rules = rules;
        self.batch_limit = self.limit_max();
    }

    /// The version of the policy in force, if it was kept from the last run.
    pub fn set_policy_version(&mut self, version: u64) {
        self.policy_version = version;
    }

    /// While flushing, records don't wait for others and batches aren't paced. Somebody
    /// asked for it, so that a first try is made at once, whatever failed before; what
    /// fails from then on waits as ever. A wait that the server asked for is kept to.
    pub fn set_flushing(&mut self, flushing: bool, now_ms: u64) {
        self.flushing = flushing;
        if flushing {
            if !self.batch_gate_holds {
                self.batch_gate_ms = now_ms;
            }
            if !self.policy_due_holds {
                self.policy_due_ms = now_ms;
            }
        }
    }

    /// Whether the policy should be asked for before a flush is complete.
    #[must_use]
    pub fn policy_is_due(&self, now_ms: u64) -> bool {
        self.policy_due_ms <= now_ms
    }

    fn records_max(&self) -> usize {
        (self.rules.batch_records as usize).clamp(1, RECORDS_MAX)
    }

    fn limit_max(&self) -> usize {
        (self.records_max() * CATCH_UP_BATCHES).min(RECORDS_MAX)
    }

    /// What to do now, with so much waiting.
    pub fn next(&mut self, now_ms: u64, waiting: Backlog) -> Task {
        // The policy goes first: who was away for days sends by today's rules. In a
        // flush, which has a deadline, a newer one comes last, with the labels it wants.
        let sends_now = waiting.records > 0 && self.batch_gate_ms <= now_ms;
        let comes_last = self.flushing && sends_now && self.policy_version > 0;
        if self.policy_due_ms <= now_ms && !comes_last {
            return Task::FetchPolicy;
        }
        if waiting.records == 0 {
            self.gathering_since_ms = None;
            return Task::Wait {
                until_ms: self.policy_due_ms,
            };
        }
        let since = *self.gathering_since_ms.get_or_insert(now_ms);
        let ordinary = self.batch_limit.min(self.records_max());
        let full = waiting.records >= ordinary as u64 || waiting.size_bytes >= BATCH_BYTES;
        let ready = if self.flushing || full {
            now_ms
        } else {
            since.saturating_add(self.rules.batch_age_ms)
        };
        let at = ready.max(self.batch_gate_ms);
        if at <= now_ms {
            let max_records = if waiting.records >= self.limit_max() as u64 {
                self.batch_limit
            } else {
                ordinary
            };
            self.sending = max_records;
            Task::Send { max_records }
        } else {
            Task::Wait {
                until_ms: at.min(self.policy_due_ms),
            }
        }
    }

    /// How a [`Task::Send`] went. Tells what to do with a batch that was too large.
    pub fn sent(&mut self, now_ms: u64, sent: Sent) -> Split {
        match sent {
            Sent::Stored { policy_version } => {
                self.batch_backoff.succeeded();
                self.batch_gate_holds = false;
                self.gathering_since_ms = None;
                self.batch_limit = self.batch_limit.saturating_mul(2).min(self.limit_max());
                self.pace(now_ms);
                if policy_version > self.policy_version && self.policy_backoff.failures() == 0 {
                    self.policy_due_ms = now_ms;
                }
            }
            Sent::Retry { after_ms } => {
                self.batch_gate_holds = after_ms.is_some();
                let wait = self.batch_backoff.failed(after_ms, &mut self.rng);
                self.batch_gate_ms = now_ms.saturating_add(wait).saturating_add(1);
            }
            Sent::TooLarge { records } => {
                if records <= 1 {
                    self.pace(now_ms);
                    return Split::GiveUp;
                }
                self.batch_limit = records / 2;
                self.pace(now_ms);
            }
            Sent::Refused => {
                // As slow as a failure: a server that is set up wrong would else
                // empty the spool into the dead letters in minutes.
                self.batch_gate_holds = true;
                self.gathering_since_ms = None;
                let wait = self.batch_backoff.failed(None, &mut self.rng);
                self.batch_gate_ms = now_ms.saturating_add(wait).saturating_add(1);
            }
            Sent::Nothing => {
                // Counted and not there: a moment later it is either.
                self.gathering_since_ms = None;
                self.batch_gate_ms = now_ms + 100;
            }
        }
        Split::Smaller
    }

    fn pace(&mut self, now_ms: u64) {
        if self.flushing {
            self.batch_gate_ms = now_ms;
            return;
        }
        let pace_ms = self.pace_ms * (self.sending / self.records_max()).max(1) as u64;
        let jitter = self.rng.random_range(0..=pace_ms);
        self.batch_gate_ms = now_ms + pace_ms / 2 + jitter;
    }

    /// How a [`Task::FetchPolicy`] went.
    pub fn fetched(&mut self, now_ms: u64, fetched: Fetched) {
        match fetched {
            Fetched::Policy { version } => {
                self.policy_backoff.succeeded();
                self.policy_due_holds = false;
                self.policy_version = version;
                // A tenth either way keeps devices apart that started together.
                let interval = self.rules.policy_interval_ms.max(1_000);
                let spread = self.rng.random_range(0..=interval / 5);
                self.policy_due_ms = now_ms
                    .saturating_add(interval - interval / 10)
                    .saturating_add(spread);
            }
            Fetched::Retry { after_ms } => {
                self.policy_due_holds = after_ms.is_some();
                let wait = self.policy_backoff.failed(after_ms, &mut self.rng);
                self.policy_due_ms = now_ms.saturating_add(wait).saturating_add(1);
            }
        }
    }

    /// The version of the policy in force.
    #[must_use]
    pub fn policy_version(&self) -> u64 {
        self.policy_version
    }
}

#[cfg(test)]
mod tests;
