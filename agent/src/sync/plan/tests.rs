//! What is done next, over hours and failures.

use super::*;

fn started(seed: u64, rules: SyncRules) -> (Plan, u64) {
    let mut plan = Plan::new(seed, 0, rules, PACE_MS);
    let Task::Wait { until_ms } = plan.next(0, of(0)) else {
        assert_eq!(plan.next(0, of(0)), Task::FetchPolicy);
        plan.fetched(0, Fetched::Policy { version: 1 });
        return (plan, START_SPREAD_MS);
    };
    assert!(until_ms <= START_SPREAD_MS);
    assert_eq!(plan.next(until_ms, of(0)), Task::FetchPolicy);
    plan.fetched(until_ms, Fetched::Policy { version: 1 });
    (plan, START_SPREAD_MS)
}

fn of(records: u64) -> Backlog {
    Backlog {
        records,
        size_bytes: records * 10,
    }
}

const STORED: Sent = Sent::Stored { policy_version: 1 };

#[test]
fn a_batch_goes_by_count_or_by_age() {
    let (mut plan, now) = started(1, SyncRules::default());
    assert_eq!(plan.next(now, of(500)), Task::Send { max_records: 500 });
    plan.sent(now, STORED);
    let now = now + 10_000;
    assert_eq!(
        plan.next(now, of(3)),
        Task::Wait {
            until_ms: now + 60_000
        }
    );
    assert_eq!(
        plan.next(now + 59_999, of(499)),
        Task::Wait {
            until_ms: now + 60_000
        }
    );
    assert_eq!(
        plan.next(now + 60_000, of(499)),
        Task::Send { max_records: 500 }
    );
}

#[test]
fn a_week_offline_is_caught_up_without_a_burst() {
    let (mut plan, mut now) = started(2, SyncRules::default());
    let (mut waiting, mut sends) = (420_000_u64, Vec::new());
    while waiting >= 4_000 {
        match plan.next(now, of(waiting)) {
            Task::Send { max_records } => {
                sends.push(now);
                waiting -= max_records as u64;
                plan.sent(now, STORED);
            }
            Task::Wait { until_ms } => {
                assert!(until_ms > now);
                now = until_ms;
            }
            Task::FetchPolicy => plan.fetched(now, Fetched::Policy { version: 1 }),
        }
    }
    assert_eq!(sends.len(), 105);
    let gaps: Vec<u64> = sends.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.iter().all(|gap| (4_000..=12_000).contains(gap)));
    let spread = gaps.iter().max().unwrap() - gaps.iter().min().unwrap();
    assert!(spread > 4_000, "jittered");
}

#[test]
fn failures_back_off_and_do_not_hold_up_each_other() {
    let (mut plan, mut now) = started(3, SyncRules::default());
    let mut total = 0;
    for _ in 0..12 {
        assert_eq!(plan.next(now, of(500)), Task::Send { max_records: 500 });
        plan.sent(now, Sent::Retry { after_ms: None });
        loop {
            match plan.next(now, of(500)) {
                Task::Wait { until_ms } => {
                    assert!(until_ms > now);
                    total += until_ms - now;
                    now = until_ms;
                }
                Task::FetchPolicy => plan.fetched(now, Fetched::Retry { after_ms: None }),
                Task::Send { .. } => break,
            }
        }
    }
    assert!(total > 60_000, "{total}");
    plan.sent(
        now,
        Sent::Retry {
            after_ms: Some(7_000),
        },
    );
    let mut at = now;
    while !matches!(plan.next(at, of(500)), Task::Send { .. }) {
        if plan.next(at, of(500)) == Task::FetchPolicy {
            plan.fetched(at, Fetched::Retry { after_ms: None });
        }
        at += 1;
    }
    assert!((7_000..=7_702).contains(&(at - now)), "{}", at - now);
}

#[test]
fn too_large_is_split_down_to_one_record_and_recovers() {
    let (mut plan, mut now) = started(4, SyncRules::default());
    let mut tried = Vec::new();
    loop {
        match plan.next(now, of(10_000)) {
            Task::Send { max_records } => {
                tried.push(max_records);
                let records = max_records;
                if plan.sent(now, Sent::TooLarge { records }) == Split::GiveUp {
                    break;
                }
            }
            Task::Wait { until_ms } => now = until_ms,
            Task::FetchPolicy => plan.fetched(now, Fetched::Policy { version: 1 }),
        }
    }
    assert_eq!(
        tried,
        [4_000, 2_000, 1_000, 500, 250, 125, 62, 31, 15, 7, 3, 1]
    );
    for expected in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 2_048, 4_000] {
        now += 15_000;
        assert_eq!(
            plan.next(now, of(10_000)),
            Task::Send {
                max_records: expected
            }
        );
        plan.sent(now, STORED);
    }
}

#[test]
fn a_newer_policy_is_fetched_at_once_and_else_by_the_interval() {
    let (mut plan, now) = started(5, SyncRules::default());
    plan.next(now, of(500));
    plan.sent(now, Sent::Stored { policy_version: 2 });
    assert_eq!(plan.next(now, of(0)), Task::FetchPolicy);
    plan.fetched(now, Fetched::Policy { version: 2 });
    let Task::Wait { until_ms } = plan.next(now, of(0)) else {
        unreachable!("it was just fetched")
    };
    assert!((810_000..=990_000).contains(&(until_ms - now)));
}

#[test]
fn a_flush_waits_for_nobody_but_the_server() {
    let (mut plan, now) = started(6, SyncRules::default());
    plan.set_flushing(true, now);
    for _ in 0..50 {
        assert_eq!(plan.next(now, of(3)), Task::Send { max_records: 500 });
        plan.sent(now, STORED);
    }
    assert_eq!(
        plan.next(now, of(0)),
        Task::FetchPolicy,
        "and then the policy"
    );
    plan.fetched(now, Fetched::Policy { version: 1 });
    plan.sent(
        now,
        Sent::Retry {
            after_ms: Some(5_000),
        },
    );
    plan.set_flushing(true, now);
    assert_eq!(plan.next(now, of(3)), Task::FetchPolicy);
    plan.fetched(now, Fetched::Policy { version: 1 });
    assert!(matches!(plan.next(now, of(3)), Task::Wait { until_ms } if until_ms > now + 5_000));
}

#[test]
fn a_flush_tries_at_once_after_hours_of_failures_and_then_waits_as_ever() {
    let (mut plan, now) = started(6, SyncRules::default());
    for _ in 0..30 {
        plan.sent(now, Sent::Retry { after_ms: None });
        plan.fetched(now, Fetched::Retry { after_ms: None });
    }
    assert!(matches!(plan.next(now, of(3)), Task::Wait { .. }));
    plan.set_flushing(true, now);
    assert_eq!(plan.next(now, of(3)), Task::Send { max_records: 500 });
    plan.sent(now, Sent::Retry { after_ms: None });
    assert_eq!(plan.next(now, of(3)), Task::FetchPolicy);
    plan.fetched(now, Fetched::Retry { after_ms: None });
    assert!(matches!(plan.next(now, of(3)), Task::Wait { .. }));
    // Refused once, nothing is hurried into the dead letters.
    plan.sent(now, Sent::Refused);
    plan.set_flushing(true, now);
    plan.fetched(now, Fetched::Policy { version: 1 });
    assert!(matches!(plan.next(now, of(3)), Task::Wait { .. }));
}

#[test]
fn a_batch_goes_by_bytes_too() {
    let (mut plan, now) = started(7, SyncRules::default());
    let mut waiting = Backlog {
        records: 20,
        size_bytes: BATCH_BYTES - 1,
    };
    assert!(matches!(plan.next(now, waiting), Task::Wait { .. }));
    waiting.size_bytes += 1;
    assert!(matches!(plan.next(now, waiting), Task::Send { .. }));
}

/// Whatever comes back, there is always something to do or a moment to wait for,
/// requests keep their distance, and in the end all is sent.
#[test]
fn no_series_of_outcomes_gets_it_stuck() {
    for seed in 0..200 {
        let mut dice = StdRng::seed_from_u64(seed);
        let (mut plan, mut now) = started(seed, SyncRules::default());
        let (mut waiting, mut tasks, mut last_send) = (3_000_u64, 0, None);
        while waiting > 0 {
            tasks += 1;
            assert!(tasks < 20_000, "seed {seed}: {waiting} are never sent");
            let broken = tasks < 300;
            let after_ms = (dice.random_range(0..4) == 0).then(|| dice.random());
            match plan.next(now, of(waiting)) {
                Task::Wait { until_ms } => {
                    assert!(until_ms > now);
                    now = until_ms;
                }
                Task::FetchPolicy if broken && dice.random() => {
                    plan.fetched(now, Fetched::Retry { after_ms });
                }
                Task::FetchPolicy => {
                    let version = dice.random_range(0..4);
                    plan.fetched(now, Fetched::Policy { version });
                }
                Task::Send { max_records } => {
                    assert!((1..=500).contains(&max_records));
                    assert!(last_send.is_none_or(|last| last < now));
                    last_send = Some(now);
                    let records = max_records.min(waiting as usize);
                    let sent = match dice.random_range(0..if broken { 6 } else { 1 }) {
                        0 => Sent::Stored {
                            policy_version: dice.random_range(0..4),
                        },
                        1 => Sent::TooLarge { records },
                        2 => Sent::Refused,
                        3 => Sent::Nothing,
                        _ => Sent::Retry { after_ms },
                    };
                    let split = plan.sent(now, sent);
                    match sent {
                        Sent::Stored { .. } | Sent::Refused => waiting -= records as u64,
                        _ if split == Split::GiveUp => waiting -= 1,
                        _ => {}
                    }
                }
            }
        }
    }
}
