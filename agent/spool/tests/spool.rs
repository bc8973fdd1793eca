//! What each call promises.

mod common;

use common::{event, incident, label, screen, session, with_seq};
use snag_spool::{NewRecord, Refusal, Spool, SpoolError, SpoolOptions};
use snag_wire::LabelHash;

fn open(dir: &std::path::Path) -> Spool {
    let (spool, report) = Spool::open(dir, SpoolOptions::default()).unwrap();
    assert!(report.is_clean(), "{report:?}");
    spool
}

fn mixed(count: i64) -> Vec<NewRecord> {
    (0..count)
        .map(|at| match at % 10 {
            3 => incident(at * 100),
            5 => screen(at * 100),
            7 => session(at * 100),
            9 => label(at * 100, at as u8),
            _ => event(at * 100),
        })
        .collect()
}

#[test]
fn records_come_back_in_order_and_whole_after_a_reopen() {
    let dir = tempfile::tempdir().unwrap();
    let records = mixed(1_000);
    let spool = open(dir.path());
    let mut next = 1;
    for part in records.chunks(37) {
        let range = spool.append(part, Some(b"state")).unwrap();
        assert_eq!(range, next..next + part.len() as u64);
        next = range.end;
    }
    drop(spool);
    let spool = open(dir.path());
    assert_eq!(spool.load_state().unwrap().as_deref(), Some(&b"state"[..]));
    let stored = spool.peek(usize::MAX).unwrap();
    assert_eq!(stored.len(), records.len());
    for (seq, (stored, new)) in (1..).zip(stored.iter().zip(&records)) {
        assert_eq!(stored.seq, seq);
        assert_eq!(stored.at_ms, new.at_ms);
        assert_eq!(stored.place, new.place);
        assert_eq!(stored.path, new.path);
        assert_eq!(stored.record, with_seq(&new.record, seq));
    }
    let waiting = spool.waiting();
    assert_eq!((waiting.events, waiting.kept), (600, 400));
    assert_eq!(waiting.next_seq, 1_001);
    assert_eq!(spool.oldest().unwrap(), Some((1, 0)));
}

#[test]
fn peek_gives_the_first_of_both_classes() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    for part in mixed(700).chunks(300) {
        spool.append(part, None).unwrap();
    }
    for max in [1, 2, 9, 130, 301, 699, 700, 5_000] {
        let seqs: Vec<u64> = spool.peek(max).unwrap().iter().map(|r| r.seq).collect();
        assert_eq!(seqs, (1..=max.min(700) as u64).collect::<Vec<_>>());
    }
}

#[test]
fn settled_records_leave_and_refused_ones_become_dead_letters() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    spool.append(&mixed(300), None).unwrap();
    let refused = Refusal {
        seq: 4,
        code: "out_of_range".into(),
        message: "count is too high".into(),
    };
    for _ in 0..2 {
        spool.settle(150, std::slice::from_ref(&refused)).unwrap();
        assert_eq!(spool.waiting().records(), 150);
        assert_eq!(spool.peek(1).unwrap()[0].seq, 151);
        let letters = spool.dead_letters(0, 10).unwrap();
        assert_eq!(letters.len(), 1);
        assert_eq!(letters[0].record.seq, 4);
        assert_eq!(letters[0].record.record, with_seq(&incident(300).record, 4));
        assert_eq!(letters[0].code, "out_of_range");
        assert_eq!(spool.drops().len(), 1);
        assert_eq!(
            (spool.drops()[0].reason.as_str(), spool.drops()[0].count),
            ("rejected", 1)
        );
    }
    assert!(spool.dead_letters(4, 10).unwrap().is_empty());
    drop(spool);
    let spool = open(dir.path());
    assert_eq!(spool.waiting().records(), 150);
    assert_eq!(spool.waiting().dead_letters, 1);
    assert_eq!(spool.append(&[event(0)], None).unwrap(), 301..302);

    assert_eq!(spool.forget_dead_letters().unwrap(), 1);
    assert_eq!(spool.forget_dead_letters().unwrap(), 0);
    drop(spool);
    let spool = open(dir.path());
    assert!(spool.dead_letters(0, 10).unwrap().is_empty());
    assert_eq!(spool.waiting().dead_letters, 0);
    assert_eq!(spool.drops()[0].count, 1, "it stays counted");
}

#[test]
fn dead_letters_are_bounded_and_the_oldest_go() {
    let dir = tempfile::tempdir().unwrap();
    let options = SpoolOptions {
        dead_letters_max: 5,
        ..SpoolOptions::default()
    };
    let (spool, _) = Spool::open(dir.path(), options).unwrap();
    spool.append(&mixed(40), None).unwrap();
    let refuse = |seqs: std::ops::Range<u64>| -> Vec<Refusal> {
        seqs.map(|seq| Refusal {
            seq,
            code: "no".into(),
            message: "x".repeat(10_000),
        })
        .collect()
    };
    let kept = |spool: &Spool| -> Vec<u64> {
        let letters = spool.dead_letters(0, 100).unwrap();
        assert!(letters.iter().all(|letter| letter.message.len() == 300));
        letters.iter().map(|letter| letter.record.seq).collect()
    };
    spool.settle(3, &refuse(1..4)).unwrap();
    assert_eq!(kept(&spool), [1, 2, 3]);
    spool.settle(7, &refuse(4..8)).unwrap();
    assert_eq!(kept(&spool), [3, 4, 5, 6, 7]);
    spool.settle(30, &refuse(8..31)).unwrap();
    assert_eq!(kept(&spool), [26, 27, 28, 29, 30]);
    assert_eq!(spool.waiting().dead_letters, 5);
    assert_eq!(spool.drops()[0].count, 30);
}

#[test]
fn over_the_quota_the_oldest_events_go_first_and_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let options = SpoolOptions {
        quota_bytes: 20_000,
        ..SpoolOptions::default()
    };
    let (spool, _) = Spool::open(dir.path(), options.clone()).unwrap();
    let mut appended = 0;
    let mut kept = 0;
    for round in 0..200 {
        let mut records: Vec<_> = (0..50).map(|i| event(round * 1_000 + i)).collect();
        records.push(session(round * 1_000));
        appended += 51;
        kept += 1;
        spool.append(&records, None).unwrap();
        let waiting = spool.waiting();
        assert!(waiting.size_bytes <= 20_000, "{waiting:?}");
        let dropped = |reason: &str| {
            spool
                .drops()
                .iter()
                .find(|drop| drop.reason == reason)
                .map_or(0, |drop| drop.count)
        };
        assert_eq!(
            waiting.records() + dropped("quota") + dropped("quota_kept"),
            appended
        );
        if waiting.events > 0 {
            assert_eq!(dropped("quota_kept"), 0, "events go before anything else");
            assert_eq!(waiting.kept, kept);
        }
        let stored = spool.peek(usize::MAX).unwrap();
        spool.release().unwrap();
        assert!(stored.windows(2).all(|pair| pair[0].seq < pair[1].seq));
        assert_eq!(stored.last().unwrap().at_ms / 1_000, round);
    }
    let drops = spool.drops();
    assert_eq!(
        drops.len(),
        2,
        "sessions alone exceeded it in the end: {drops:?}"
    );
    drop(spool);
    let (spool, report) = Spool::open(dir.path(), options).unwrap();
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(spool.drops(), drops);
}

#[test]
fn the_quota_leaves_what_is_on_its_way_to_the_server() {
    let dir = tempfile::tempdir().unwrap();
    let options = SpoolOptions {
        quota_bytes: 4_000,
        ..SpoolOptions::default()
    };
    let (spool, _) = Spool::open(dir.path(), options).unwrap();
    for at in 0..20 {
        spool
            .append(
                &(0..10).map(|i| event(at * 100 + i)).collect::<Vec<_>>(),
                None,
            )
            .unwrap();
    }
    let batch = spool.peek(15).unwrap();
    for at in 20..60 {
        spool
            .append(
                &(0..10).map(|i| event(at * 100 + i)).collect::<Vec<_>>(),
                None,
            )
            .unwrap();
    }
    let again = spool.peek(15).unwrap();
    assert_eq!(batch, again);
    spool.settle(batch.last().unwrap().seq, &[]).unwrap();
    let left = spool.waiting().records() + spool.drops()[0].count;
    assert_eq!(left, 600 - 15, "nothing delivered counts as dropped");
}

#[test]
fn a_label_is_stored_for_sending_once() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    assert_eq!(
        spool
            .append_labels(&[label(0, 1), label(0, 2), label(5, 1)])
            .unwrap(),
        2
    );
    assert_eq!(
        spool
            .append_labels(&[label(9, 2), label(9, 3), event(3)])
            .unwrap(),
        1
    );
    spool.settle(3, &[]).unwrap();
    drop(spool);
    let spool = open(dir.path());
    assert_eq!(spool.append_labels(&[label(9, 2), label(9, 3)]).unwrap(), 0);
    assert!(spool.label_sent(LabelHash([3; 8])).unwrap());
    assert!(!spool.label_sent(LabelHash([4; 8])).unwrap());
    assert_eq!(spool.waiting().records(), 0);
}

#[test]
fn values_and_floor_last() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    spool.set_value("policy", Some(b"one")).unwrap();
    spool.set_value("gone", Some(b"x")).unwrap();
    spool.set_value("gone", None).unwrap();
    spool.raise_floor(5_000_000).unwrap();
    spool.raise_floor(7).unwrap();
    spool.count_drops("queue_full", 3).unwrap();
    drop(spool);
    let spool = open(dir.path());
    assert_eq!(spool.value("policy").unwrap().as_deref(), Some(&b"one"[..]));
    assert_eq!(spool.value("gone").unwrap(), None);
    assert_eq!(
        spool.append(&[event(1)], None).unwrap(),
        5_000_000..5_000_001
    );
    assert_eq!(spool.drops()[0].count, 3);
    assert!(matches!(
        spool.raise_floor(1 << 53),
        Err(SpoolError::SeqExhausted)
    ));
}

#[test]
fn two_processes_cannot_share_a_spool() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    spool.append(&[event(1)], None).unwrap();
    let second = Spool::open(dir.path(), SpoolOptions::default());
    assert!(matches!(second, Err(SpoolError::InUse(_))));
    assert_eq!(spool.append(&[event(1)], None).unwrap(), 2..3);
    drop(spool);
    assert_eq!(open(dir.path()).waiting().records(), 2);
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("data");
    let spool = open(&dir);
    spool.append(&mixed(100), None).unwrap();
    drop(spool);
    let mut folders = vec![dir];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        assert_eq!(
            folder.metadata().unwrap().permissions().mode() & 0o777,
            0o700
        );
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files += 1;
                let mode = path.metadata().unwrap().permissions().mode() & 0o777;
                assert_eq!(mode, 0o600, "{}", path.display());
            }
        }
    }
    assert!(files >= 3);
}

fn journaled(dir: &std::path::Path, journal_ms: u64) -> Spool {
    let options = SpoolOptions {
        journal_ms,
        ..SpoolOptions::default()
    };
    Spool::open(dir, options).unwrap().0
}

fn now_ms() -> i64 {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

#[test]
fn the_journal_keeps_copies_when_records_leave() {
    let dir = tempfile::tempdir().unwrap();
    let (now, day) = (now_ms(), 86_400_000);
    let spool = journaled(dir.path(), 7 * 86_400_000);
    let records: Vec<NewRecord> = [
        event(now),
        incident(now - day),
        screen(now),
        session(now),
        label(now, 1),
    ]
    .into();
    spool.append(&records, None).unwrap();
    spool.settle(u64::MAX, &[]).unwrap();
    drop(spool);
    let spool = journaled(dir.path(), 7 * 86_400_000);
    let all = spool.journal(0, i64::MAX).unwrap();
    let seqs: Vec<u64> = all.iter().map(|record| record.seq).collect();
    assert_eq!(seqs, [2, 3, 4], "by time; no click, no label");
    assert_eq!(spool.journal_times().unwrap(), [now - day, now, now]);
    assert_eq!(spool.journal(now, now + 1).unwrap().len(), 2);
    assert_eq!(spool.forget_journal(now, now + 1).unwrap(), 2);
    assert_eq!(spool.journal(0, i64::MAX).unwrap().len(), 1);
    // What is older than a week goes with the first append of the next start.
    spool.append(&[incident(now - 8 * day)], None).unwrap();
    drop(spool);
    let spool = journaled(dir.path(), 7 * 86_400_000);
    assert_eq!(spool.journal(0, i64::MAX).unwrap().len(), 2);
    spool.append(&[screen(now)], None).unwrap();
    let times = spool.journal_times().unwrap();
    assert_eq!(times, [now - day, now]);
    drop(spool);
    let plain = open(dir.path());
    plain.append(&[screen(now + 1)], None).unwrap();
    assert_eq!(
        plain.journal_times().unwrap().len(),
        2,
        "none without the option"
    );
}

#[test]
fn a_person_deletes_what_waits() {
    let dir = tempfile::tempdir().unwrap();
    let spool = journaled(dir.path(), u64::from(u32::MAX));
    let now = now_ms();
    let records: Vec<NewRecord> = mixed(300)
        .into_iter()
        .map(|record| NewRecord {
            at_ms: now + record.at_ms,
            ..record
        })
        .collect();
    spool.append(&records, None).unwrap();
    let copies = spool.journal_times().unwrap().len();
    let some = [1, 4, 128, 129, 300, 999].into();
    let gone = spool.remove(Some(&some), "deleted_by_person").unwrap();
    assert_eq!((gone.removed, gone.leaving), (5, 0));
    assert_eq!(spool.waiting().records(), 295);
    assert_eq!(
        spool.journal_times().unwrap().len(),
        copies - 2,
        "4 was an incident, 128 a session"
    );
    let left: Vec<u64> = spool
        .list(0, usize::MAX)
        .unwrap()
        .iter()
        .map(|r| r.seq)
        .collect();
    assert!(left.windows(2).all(|pair| pair[0] < pair[1]));
    assert!(some.iter().all(|seq| !left.contains(seq)));
    assert_eq!(
        spool
            .list(2, 3)
            .unwrap()
            .iter()
            .map(|r| r.seq)
            .collect::<Vec<_>>(),
        [3, 5, 6]
    );
    // What is on its way stays.
    let leased = spool.peek(10).unwrap();
    let through = leased.last().unwrap().seq;
    let gone = spool.remove(None, "deleted_by_person").unwrap();
    assert_eq!((gone.removed, gone.leaving), (285, 10));
    assert_eq!(spool.list(0, usize::MAX).unwrap().len(), 10);
    spool.settle(through, &[]).unwrap();
    assert_eq!(spool.waiting().records(), 0);
    let drops = spool.drops();
    assert_eq!(drops.len(), 1);
    assert_eq!(
        (drops[0].reason.as_str(), drops[0].count),
        ("deleted_by_person", 290)
    );
    drop(spool);
    let spool = open(dir.path());
    assert_eq!(
        spool.append(&[event(now)], None).unwrap(),
        301..302,
        "no number twice"
    );
    assert_eq!(spool.drops()[0].count, 290);
}

#[test]
fn what_was_on_its_way_and_did_not_arrive_is_removed_then() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    spool.append(&mixed(10), None).unwrap();
    spool.peek(6).unwrap();
    let gone = spool.remove(None, "deleted_by_person").unwrap();
    assert_eq!((gone.removed, gone.leaving), (4, 6));
    assert_eq!(spool.waiting().records(), 6);
    // No answer came.
    spool.release().unwrap();
    assert_eq!(spool.waiting().records(), 0);
    assert_eq!(spool.drops()[0].count, 10);

    // A part arrived, and one of it was refused: nobody keeps that one, either.
    spool.append(&mixed(10), None).unwrap();
    let on_its_way = spool.peek(6).unwrap();
    let first = on_its_way[0].seq;
    let named = [first, first + 5, first + 9].into();
    let gone = spool.remove(Some(&named), "deleted_by_person").unwrap();
    assert_eq!((gone.removed, gone.leaving), (1, 2));
    let refused = [Refusal {
        seq: first,
        code: "invalid".into(),
        message: "no".into(),
    }];
    spool.settle(first + 2, &refused).unwrap();
    let left: Vec<u64> = spool.list(0, 99).unwrap().iter().map(|r| r.seq).collect();
    assert_eq!(
        left,
        [first + 3, first + 4, first + 6, first + 7, first + 8]
    );
    assert!(spool.dead_letters(0, 9).unwrap().is_empty());
    let drops = spool.drops();
    let count = |reason: &str| {
        drops
            .iter()
            .find(|drop| drop.reason == reason)
            .unwrap()
            .count
    };
    assert_eq!((count("deleted_by_person"), count("rejected")), (12, 1));

    // Nor does it leave with the next start.
    spool.peek(9).unwrap();
    let gone = spool.remove(None, "deleted_by_person").unwrap();
    assert_eq!((gone.removed, gone.leaving), (0, 5));
    drop(spool);
    assert_eq!(open(dir.path()).waiting().records(), 0);
}

/// The files of a spool that hold these bytes.
fn files_with(dir: &std::path::Path, bytes: &[u8]) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with(&path, bytes));
        } else if std::fs::read(&path)
            .unwrap()
            .windows(bytes.len())
            .any(|part| part == bytes)
        {
            found.push(path);
        }
    }
    found
}

#[test]
fn what_is_removed_is_in_no_file_and_all_else_stays() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    let state = vec![7; 300_000];
    spool.append(&mixed(1_000), Some(&state)).unwrap();
    let secret = LabelHash(*b"\xa5SECRET\x5a");
    let mut click = event(200_000);
    if let snag_wire::Record::Event(event) = &mut click.record {
        event.label = Some(secret);
    }
    let seq = spool.append(&[click], None).unwrap().start;
    spool.append(&mixed(20), None).unwrap();
    let on_its_way = spool.peek(10).unwrap();
    assert!(!files_with(dir.path(), &secret.0).is_empty());
    let before = spool.list(0, usize::MAX).unwrap();

    assert_eq!(
        spool
            .remove(Some(&[seq].into()), "deleted_by_person")
            .unwrap()
            .removed,
        1
    );
    assert_eq!(
        files_with(dir.path(), &secret.0),
        Vec::<std::path::PathBuf>::new()
    );
    let mut expected = before;
    expected.retain(|record| record.seq != seq);
    assert_eq!(spool.list(0, usize::MAX).unwrap(), expected);
    assert_eq!(spool.load_state().unwrap(), Some(state));
    // What was on its way still is.
    let first = on_its_way[0].seq;
    assert_eq!(
        spool
            .remove(Some(&[first].into()), "deleted_by_person")
            .unwrap()
            .removed,
        0
    );
    assert_eq!(spool.list(0, usize::MAX).unwrap(), expected);
    let end = spool.waiting().next_seq;
    // Whether it arrived isn't known any more: it was deleted.
    drop(spool);
    expected.retain(|record| record.seq != first);
    let spool = open(dir.path());
    assert_eq!(spool.list(0, usize::MAX).unwrap(), expected);
    assert_eq!(spool.append(&[event(1)], None).unwrap().start, end);
}

#[test]
fn a_crash_while_it_is_written_anew_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let place = |name: &str| dir.path().join(name);
    let spool = open(dir.path());
    spool.append(&mixed(50), None).unwrap();
    let kept = spool.list(0, usize::MAX).unwrap();
    drop(spool);
    // Half a copy; then the moment between the two renames; then the moment before the old one is removed.
    for (from, half) in [
        (None, "spool.new"),
        (Some("spool"), "spool.new"),
        (None, "spool.old"),
    ] {
        if let Some(from) = from {
            std::fs::rename(place(from), place("spool.old")).unwrap();
        }
        std::fs::create_dir(place(half)).unwrap();
        std::fs::write(place(half).join("db"), b"half").unwrap();
        let spool = open(dir.path());
        assert_eq!(spool.list(0, usize::MAX).unwrap(), kept);
        assert!(!place("spool.new").exists() && !place("spool.old").exists());
        drop(spool);
    }
}
