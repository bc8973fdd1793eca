//! Lock-out: who guesses passwords has to wait ever longer.
//!
//! Failures are counted by account (whether it exists or not), where they follow each other,
//! and by address, where one is forgotten each minute: an office shares an address, and its
//! typing errors of a day are no attack. Past a few, each further failure locks the account or address for twice as long as the one
//! before, and while failures are above that number only one attempt runs at a time, so that
//! a hundred sent at once are not a hundred guesses. While it is locked nothing is checked:
//! the right password is refused, too, and looks the same.
//!
//! Counts are in memory and, at each failure, in ClickHouse, so that neither a restart nor
//! another server forgets them.

use std::collections::HashMap;
use std::net::IpAddr;

use parking_lot::Mutex;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use snag_warehouse::{Query, Warehouse, WarehouseError};

use crate::db;

/// Failures of an account before it is locked: as often as one mistypes a password.
const ACCOUNT: Rule = Rule {
    free: 5,
    one_forgotten_each_ms: None,
};
/// Failures of an address before it is locked: a whole office may sit behind it.
const ADDRESS: Rule = Rule {
    free: 50,
    one_forgotten_each_ms: Some(60_000),
};
/// The first lock, and the longest, in milliseconds. The longest is short enough that
/// somebody who locks others out on purpose can't keep them out for a day.
const FIRST_LOCK_MS: i64 = 5_000;
const LONGEST_LOCK_MS: i64 = 15 * 60_000;
/// After a day without a failure, what was before is forgotten.
const FORGET_MS: i64 = 86_400_000;
/// Subjects in memory; beyond, those that have nothing to say are dropped.
const SUBJECTS_MAX: usize = 50_000;

/// What is counted.
#[derive(Debug)]
struct Rule {
    /// Failures before the first lock.
    free: u32,
    one_forgotten_each_ms: Option<i64>,
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    failures: u32,
    locked_until_ms: i64,
    /// From when on failures are forgotten: the last one, or the last that was forgotten.
    failed_at_ms: i64,
    version: u64,
    /// Attempts that are being checked.
    running: u32,
}

/// Counts of failures.
#[derive(Default)]
pub struct Lockout {
    known: Mutex<HashMap<String, State>>,
}

/// An attempt that may be checked. Dropped without a word, it counts as none.
pub struct Attempt<'a> {
    lockout: &'a Lockout,
    subjects: [(String, &'static Rule); 2],
}

impl State {
    /// Forgets what lies back long enough.
    fn forget(&mut self, rule: &Rule, now_ms: i64) {
        let since_ms = now_ms - self.failed_at_ms;
        if since_ms > FORGET_MS {
            self.failures = 0;
        }
        if let Some(each_ms) = rule.one_forgotten_each_ms {
            let forgotten = since_ms.max(0) / each_ms;
            let count = u32::try_from(forgotten).unwrap_or(u32::MAX);
            self.failures = self.failures.saturating_sub(count);
            self.failed_at_ms += forgotten * each_ms;
        }
    }

    fn count(&mut self, rule: &Rule, now_ms: i64) {
        self.forget(rule, now_ms);
        if self.failures == 0 || rule.one_forgotten_each_ms.is_none() {
            self.failed_at_ms = now_ms;
        }
        self.failures = self.failures.saturating_add(1);
        self.locked_until_ms = self
            .locked_until_ms
            .max(now_ms + lock_ms(self.failures, rule.free));
        self.version = (self.version + 1).max(u64::try_from(now_ms).unwrap_or(0));
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        let mut known = self.lockout.known.lock();
        for (subject, _) in &self.subjects {
            if let Some(state) = known.get_mut(subject) {
                state.running = state.running.saturating_sub(1);
            }
        }
    }
}

fn subject(kind: &str, name: &str) -> String {
    hex::encode(Sha256::digest(format!("{kind}:{name}").as_bytes()))
}

/// What of an address is one place: all of IPv4, the network of IPv6 that one customer has.
fn place(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

/// How long the `failures`-th failure locks.
fn lock_ms(failures: u32, free: u32) -> i64 {
    match failures.checked_sub(free) {
        None => 0,
        Some(over) => (FIRST_LOCK_MS << over.min(20)).min(LONGEST_LOCK_MS),
    }
}

impl Lockout {
    /// Begins an attempt, or says for how many seconds there must be none.
    ///
    /// # Errors
    /// The warehouse's.
    pub async fn begin(
        &self,
        warehouse: &Warehouse,
        login: &str,
        address: IpAddr,
        now_ms: i64,
    ) -> Result<Result<Attempt<'_>, u32>, WarehouseError> {
        #[derive(Deserialize)]
        struct Row {
            subject: String,
            failures: u32,
            locked_until_ms: i64,
            failed_at_ms: i64,
            version: u64,
        }
        let subjects = [
            (subject("account", login), &ACCOUNT),
            (subject("address", &place(address)), &ADDRESS),
        ];
        let sql = "SELECT subject, failures, toUnixTimestamp64Milli(locked_until) AS locked_until_ms, \
                   toUnixTimestamp64Milli(failed_at) AS failed_at_ms, version \
                   FROM login_failures FINAL WHERE subject IN {subjects:Array(String)}";
        let query = Query::read(sql).param_strings("subjects", subjects.iter().map(|s| &s.0));
        let rows: Vec<Row> = db::rows(warehouse, query).await?;
        let mut known = self.known.lock();
        if known.len() >= SUBJECTS_MAX {
            // What was a failure is in the table and comes back when it is asked for.
            known.retain(|_, state| state.running > 0);
        }
        for row in rows {
            let state = known.entry(row.subject).or_default();
            if row.version > state.version {
                *state = State {
                    failures: row.failures,
                    locked_until_ms: row.locked_until_ms,
                    failed_at_ms: row.failed_at_ms,
                    version: row.version,
                    running: state.running,
                };
            }
        }
        let mut wait_ms = 0;
        for (subject, rule) in &subjects {
            let state = known.entry(subject.clone()).or_default();
            state.forget(rule, now_ms);
            if state.locked_until_ms > now_ms {
                wait_ms = wait_ms.max(state.locked_until_ms - now_ms);
            } else if state.running > 0 && state.failures + state.running >= rule.free {
                wait_ms = wait_ms.max(1_000);
            }
        }
        if wait_ms > 0 {
            return Ok(Err(
                u32::try_from((wait_ms + 999) / 1_000).unwrap_or(u32::MAX)
            ));
        }
        for (subject, _) in &subjects {
            known.entry(subject.clone()).or_default().running += 1;
        }
        drop(known);
        Ok(Ok(Attempt {
            lockout: self,
            subjects,
        }))
    }
}

impl Attempt<'_> {
    /// It failed.
    ///
    /// # Errors
    /// The warehouse's; this process has counted it all the same.
    pub async fn failed(self, warehouse: &Warehouse, now_ms: i64) -> Result<(), WarehouseError> {
        let written: Vec<(String, State)> = {
            let mut known = self.lockout.known.lock();
            let counted = self.subjects.iter().map(|(subject, rule)| {
                let state = known.entry(subject.clone()).or_default();
                state.count(rule, now_ms);
                (subject.clone(), *state)
            });
            counted.collect()
        };
        write(warehouse, &written).await
    }

    /// It was right: the account's failures are forgotten. The address's are not, so that
    /// nobody wipes them with an account of their own.
    ///
    /// # Errors
    /// The warehouse's.
    pub async fn succeeded(self, warehouse: &Warehouse, now_ms: i64) -> Result<(), WarehouseError> {
        let account = self.subjects[0].0.clone();
        let state = {
            let mut known = self.lockout.known.lock();
            let state = known.entry(account.clone()).or_default();
            if state.failures == 0 {
                return Ok(());
            }
            state.failures = 0;
            state.version = (state.version + 1).max(u64::try_from(now_ms).unwrap_or(0));
            *state
        };
        write(warehouse, &[(account, state)]).await
    }
}

async fn write(warehouse: &Warehouse, rows: &[(String, State)]) -> Result<(), WarehouseError> {
    for (subject, state) in rows {
        let sql = "INSERT INTO login_failures (subject, failures, locked_until, failed_at, version) \
                   SELECT {subject:String}, {failures:UInt32}, \
                   fromUnixTimestamp64Milli({locked_until:Int64}, 'UTC'), \
                   fromUnixTimestamp64Milli({failed_at:Int64}, 'UTC'), {version:UInt64}";
        let insert = Query::new(sql)
            .param("subject", subject)
            .param("failures", state.failures)
            .param("locked_until", state.locked_until_ms)
            .param("failed_at", state.failed_at_ms)
            .param("version", state.version);
        warehouse.execute(insert).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{ACCOUNT, ADDRESS, FORGET_MS, LONGEST_LOCK_MS, State, lock_ms, place};

    #[test]
    fn locks_grow_and_end() {
        let locks: Vec<i64> = (1..=9).map(|n| lock_ms(n, ACCOUNT.free)).collect();
        assert_eq!(locks, [0, 0, 0, 0, 5_000, 10_000, 20_000, 40_000, 80_000]);
        assert_eq!(lock_ms(u32::MAX, ACCOUNT.free), LONGEST_LOCK_MS);
    }

    #[test]
    fn an_office_that_mistypes_now_and_then_is_not_locked() {
        // A day of one typing error each 61 s.
        let mut office = State::default();
        let mut now_ms = 1_800_000_000_000;
        for _ in 0..1_400 {
            office.count(&ADDRESS, now_ms);
            assert_eq!(office.locked_until_ms.max(now_ms), now_ms);
            now_ms += 61_000;
        }
        // Whoever guesses faster than is forgotten is.
        let mut guesses = 0;
        while office.locked_until_ms <= now_ms {
            office.count(&ADDRESS, now_ms);
            guesses += 1;
            now_ms += 30_000;
        }
        assert!((90..110).contains(&guesses), "{guesses}");

        let mut account = State::default();
        for _ in 0..ACCOUNT.free {
            account.count(&ACCOUNT, now_ms);
            now_ms += FORGET_MS / 2;
        }
        assert!(account.locked_until_ms > now_ms - FORGET_MS / 2);
        account.forget(&ACCOUNT, now_ms + FORGET_MS);
        assert_eq!(account.failures, 0);
    }

    #[test]
    fn a_customer_of_ipv6_is_one_place() {
        let of = |text: &str| place(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.2"), of("192.0.2.1"));
    }
}
