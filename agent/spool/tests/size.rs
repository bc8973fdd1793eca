//! What the spool takes on disk, and that it stays so.

mod common;

use std::path::Path;

use common::{event, session};
use snag_spool::{Spool, SpoolOptions};

fn size_bytes(dir: &Path) -> u64 {
    std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let metadata = entry.metadata().unwrap();
            if metadata.is_dir() {
                size_bytes(&entry.path())
            } else {
                metadata.len()
            }
        })
        .sum()
}

/// A year of a device that is online, in short: what comes goes.
#[test]
fn disk_use_is_bounded_however_much_passes_through() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = Spool::open(dir.path(), SpoolOptions::default()).unwrap();
    let mut sizes = Vec::new();
    for round in 0..4_000_i64 {
        let mut records: Vec<_> = (0..49).map(|i| event(round * 60_000 + i * 900)).collect();
        records.push(session(round * 60_000));
        spool.append(&records, Some(&[round as u8; 6_000])).unwrap();
        if round % 10 == 9 {
            let batch = spool.peek(500).unwrap();
            assert_eq!(batch.len(), 500);
            spool.settle(batch[499].seq, &[]).unwrap();
        }
        if round % 400 == 399 {
            sizes.push(size_bytes(dir.path()));
        }
    }
    assert_eq!(spool.waiting().records(), 0);
    assert_eq!(spool.waiting().next_seq, 200_001);
    let highest = *sizes.iter().max().unwrap();
    println!("{sizes:?}");
    assert!(highest < 8 << 20, "{sizes:?}");
    let (early, late) = (sizes[..5].iter().max(), sizes[5..].iter().max());
    assert!(
        late.unwrap() <= &(early.unwrap() + (1 << 20)),
        "it grows: {sizes:?}"
    );
}

/// A device that is offline: its records and their share of the files.
#[test]
fn a_waiting_event_takes_little_and_the_quota_holds_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let options = SpoolOptions {
        quota_bytes: 2 << 20,
        ..SpoolOptions::default()
    };
    let (spool, _) = Spool::open(dir.path(), options.clone()).unwrap();
    let mut highest = 0;
    for round in 0..3_000_i64 {
        let records: Vec<_> = (0..100).map(|i| event((round * 100 + i) * 700)).collect();
        spool.append(&records, Some(&[7; 6_000])).unwrap();
        if round == 1_000 {
            let waiting = spool.waiting();
            assert_eq!(waiting.events, 100_100);
            let each = waiting.size_bytes as f64 / waiting.events as f64;
            assert!(each < 16.0, "{each} bytes an event");
        }
        if round % 100 == 0 {
            highest = highest.max(size_bytes(dir.path()));
        }
    }
    assert!(spool.waiting().size_bytes <= 2 << 20);
    assert!(spool.drops()[0].count > 100_000, "{:?}", spool.drops());
    assert!(
        highest < 4 * (2 << 20) + (4 << 20),
        "{highest} bytes on disk"
    );
    drop(spool);
    let (spool, report) = Spool::open(dir.path(), options).unwrap();
    assert!(report.is_clean(), "{report:?}");
    assert!(spool.waiting().events > 100_000);
}

/// Values that sled puts into files of their own.
#[test]
fn a_large_state_is_kept_and_its_old_versions_go() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = Spool::open(dir.path(), SpoolOptions::default()).unwrap();
    for round in 0..400_i64 {
        spool
            .append(&[event(round)], Some(&[round as u8; 500_000]))
            .unwrap();
    }
    let range = spool.append(&[event(0)], Some(&[77; 700_000])).unwrap();
    assert_eq!(range.end, 402);
    let size = size_bytes(dir.path());
    assert!(size < 40 << 20, "{size} bytes on disk");
    drop(spool);
    let (spool, report) = Spool::open(dir.path(), SpoolOptions::default()).unwrap();
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(spool.load_state().unwrap().unwrap(), vec![77; 700_000]);
    assert_eq!(spool.waiting().records(), 401);
}
