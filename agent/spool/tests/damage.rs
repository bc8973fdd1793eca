//! Spools that can't be opened, and disks without room.
#![cfg(unix)]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use common::{event, incident, with_seq};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use snag_spool::{NewRecord, OpenReport, SCHEMA_VERSION, Spool, SpoolError, SpoolOptions};

fn records(count: i64) -> Vec<NewRecord> {
    (0..count)
        .map(|at| if at % 5 == 0 { incident(at) } else { event(at) })
        .collect()
}

fn open(dir: &Path) -> (Spool, OpenReport) {
    Spool::open(dir, SpoolOptions::default()).unwrap()
}

/// The spool's database, as something that isn't the spool sees it.
fn raw(dir: &Path) -> sled::Db {
    // A process that another test is just starting holds the lock until it begins its program.
    for _ in 0..100 {
        match sled::open(dir.join("spool")) {
            Err(sled::Error::Io(error)) if error.to_string().contains("acquire lock") => {
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            other => return other.unwrap(),
        }
    }
    panic!("the database stays locked");
}

/// A closed spool with 300 records, 100 of which were sent.
fn filled(dir: &Path) {
    let (spool, report) = open(dir);
    assert!(report.is_clean());
    spool.append(&records(300), Some(b"state")).unwrap();
    spool.settle(100, &[]).unwrap();
    spool.count_drops("queue_full", 7).unwrap();
}

fn dropped(spool: &Spool, reason: &str) -> u64 {
    let drops = spool.drops();
    drops
        .iter()
        .find(|drop| drop.reason == reason)
        .map_or(0, |drop| drop.count)
}

/// A process killed while sled writes a snapshot leaves half of it.
#[test]
fn half_a_snapshot_is_no_damage() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    let half = dir.path().join("spool/snap.7FFFFFFFFFFFFFFF.generating");
    for bytes in [&b""[..], b"half", b"longer than the twelve bytes of an end"] {
        fs::write(&half, bytes).unwrap();
        let (spool, report) = open(dir.path());
        assert!(report.is_clean(), "{report:?}");
        assert_eq!(spool.waiting().records(), 200);
        assert!(!half.exists());
    }
}

/// What has to hold of a spool that was begun in place of a lost one.
fn check_begun_anew(dir: &Path) {
    let (spool, report) = open(dir);
    let aside = report.set_aside.expect("the spool was set aside");
    assert!(aside.path.starts_with(dir) && aside.path.exists());
    assert!(
        aside
            .path
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with("spool.aside-")
    );
    assert!(!aside.reason.is_empty());
    assert_eq!(report.lost_records, 200);
    assert_eq!(dropped(&spool, "spool_lost"), 200);
    assert_eq!(
        dropped(&spool, "queue_full"),
        7,
        "counters outlive the spool"
    );
    assert_eq!(spool.waiting().records(), 0);
    let range = spool.append(&records(3), None).unwrap();
    assert!(range.start > 300, "no number is given twice: {range:?}");
    drop(spool);
    let (spool, report) = open(dir);
    assert!(report.is_clean(), "once: {report:?}");
    assert_eq!(spool.waiting().records(), 3);
    assert_eq!(spool.append(&records(1), None).unwrap().start, range.end);
}

#[test]
fn a_file_in_its_place_is_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    fs::remove_dir_all(dir.path().join("spool")).unwrap();
    fs::write(dir.path().join("spool"), "not a folder").unwrap();
    check_begun_anew(dir.path());
}

#[test]
fn files_that_are_not_the_spools_are_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    fs::remove_file(dir.path().join("spool/db")).unwrap();
    fs::create_dir(dir.path().join("spool/db")).unwrap();
    check_begun_anew(dir.path());

    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    fs::write(
        dir.path().join("spool/conf"),
        "segment_size: what\nversion: 9.9\n....",
    )
    .unwrap();
    check_begun_anew(dir.path());
}

#[test]
fn a_foreign_schema_version_is_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    {
        let db = raw(dir.path());
        let meta = db.open_tree("meta").unwrap();
        meta.insert(b"schema", &(SCHEMA_VERSION + 1).to_le_bytes())
            .unwrap();
        db.flush().unwrap();
    }
    check_begun_anew(dir.path());
}

#[test]
fn a_chunk_that_cannot_be_read_sets_the_spool_aside() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    {
        let db = raw(dir.path());
        let events = db.open_tree("events").unwrap();
        let (key, value) = events.last().unwrap().unwrap();
        events.insert(key, &value[..value.len() - 1]).unwrap();
        db.flush().unwrap();
    }
    check_begun_anew(dir.path());
}

#[test]
fn a_state_that_cannot_be_read_sets_the_spool_aside() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    {
        let db = raw(dir.path());
        let values = db.open_tree("values").unwrap();
        let (key, _) = values.first().unwrap().unwrap();
        values.insert(key, &[255; 12]).unwrap();
        db.flush().unwrap();
    }
    check_begun_anew(dir.path());
}

#[test]
fn records_missing_from_a_damaged_spool_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    let missing = {
        let db = raw(dir.path());
        let events = db.open_tree("events").unwrap();
        let (key, _) = events.first().unwrap().unwrap();
        events.remove(key).unwrap();
        db.flush().unwrap();
        events.len()
    };
    assert!(missing > 0);
    let (spool, report) = open(dir.path());
    assert_eq!(report.set_aside, None, "what is left is good");
    assert!(report.lost_records > 0);
    assert_eq!(spool.waiting().records() + report.lost_records, 200);
    assert_eq!(dropped(&spool, "spool_lost"), report.lost_records);
}

#[test]
fn a_deleted_spool_is_counted_and_its_numbers_are_not_given_again() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    fs::remove_dir_all(dir.path().join("spool")).unwrap();
    let (spool, report) = open(dir.path());
    assert_eq!((report.set_aside, report.lost_records), (None, 200));
    assert!(spool.append(&records(1), None).unwrap().start > 300);
}

#[test]
fn with_the_ledger_lost_too_numbers_go_on_far_above() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    fs::write(dir.path().join("ledger.json"), "{").unwrap();
    fs::write(
        dir.path().join("spool/conf"),
        "segment_size: what\nversion: 9.9\n....",
    )
    .unwrap();
    let (spool, report) = open(dir.path());
    assert!(report.set_aside.is_some());
    assert!(spool.append(&records(1), None).unwrap().start > 1_000_000_000_000);
}

#[test]
fn a_lost_ledger_alone_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    fs::remove_file(dir.path().join("ledger.json")).unwrap();
    let (spool, report) = open(dir.path());
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(spool.append(&records(1), None).unwrap().start, 301);
    assert_eq!(dropped(&spool, "queue_full"), 7);
}

#[test]
fn a_ledger_that_cannot_be_read_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    fs::remove_file(dir.path().join("ledger.json")).unwrap();
    fs::create_dir(dir.path().join("ledger.json")).unwrap();
    let (spool, report) = open(dir.path());
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(spool.append(&records(1), None).unwrap().start, 301);
    drop(spool);
    assert!(dir.path().join("ledger.json").is_file());
}

#[test]
fn only_the_last_three_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let mut starts = BTreeSet::new();
    for _ in 0..6 {
        let (spool, _) = open(dir.path());
        let start = spool.append(&records(1), None).unwrap().start;
        assert!(starts.last().is_none_or(|last| *last < start));
        starts.insert(start);
        drop(spool);
        fs::write(
            dir.path().join("spool/conf"),
            "segment_size: what\nversion: 9.9\n....",
        )
        .unwrap();
    }
    open(dir.path());
    let mut asides: Vec<String> = fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("spool.aside"))
        .collect();
    asides.sort();
    assert_eq!(asides, ["spool.aside-4", "spool.aside-5", "spool.aside-6"]);
}

/// Whatever is damaged, the spool opens, gives no number twice, and what it still
/// has is what was stored.
#[test]
fn flipped_and_cut_bytes_never_stop_capture() {
    let all = records(300);
    let mut random = StdRng::seed_from_u64(3);
    let (mut aside, mut partial, mut whole) = (0, 0, 0);
    for round in 0..60 {
        let dir = tempfile::tempdir().unwrap();
        filled(dir.path());
        let path = dir.path().join("spool/db");
        let file = fs::File::options()
            .read(true)
            .write(true)
            .open(&path)
            .unwrap();
        let written = {
            // What is written is at the front of the file; the rest is zeros.
            let bytes = fs::read(&path).unwrap();
            bytes.iter().rposition(|byte| *byte != 0).unwrap() as u64
        };
        if round % 3 == 0 {
            file.set_len(random.random_range(0..written)).unwrap();
        } else {
            for _ in 0..random.random_range(1..20) {
                let at = random.random_range(0..written);
                file.write_all_at(&[random.random()], at).unwrap();
            }
        }
        drop(file);
        let (spool, report) = open(dir.path());
        let stored = spool.peek(usize::MAX).unwrap();
        for record in &stored {
            // A spool that lost its end may have sent records back; the server knows them.
            let new = &all[record.seq as usize - 1];
            assert_eq!(record.record, with_seq(&new.record, record.seq));
        }
        let range = spool.append(&all[..2], None).unwrap();
        assert!(range.start > 300, "round {round}: {range:?} {report:?}");
        match (&report.set_aside, report.lost_records) {
            (Some(_), _) => aside += 1,
            (None, 0) => whole += 1,
            (None, _) => partial += 1,
        }
        if stored.len() < 200 {
            assert!(report.lost_records > 0, "round {round}: a silent loss");
        }
    }
    println!("{aside} set aside, {partial} partly lost, {whole} whole");
    assert!(aside + partial > 20, "the damage did something");
}

#[test]
fn below_the_free_space_that_is_left_to_others_nothing_is_stored() {
    let dir = tempfile::tempdir().unwrap();
    let options = SpoolOptions {
        min_free_bytes: u64::MAX,
        ..SpoolOptions::default()
    };
    let (spool, _) = Spool::open(dir.path(), options).unwrap();
    for _ in 0..3 {
        let error = spool.append(&records(10), Some(b"state")).unwrap_err();
        assert!(
            error.is_full() && matches!(error, SpoolError::Full(_)),
            "{error}"
        );
    }
    assert_eq!(spool.waiting().records(), 0);
    assert_eq!(spool.load_state().unwrap(), None);
    drop(spool);
    let (spool, _) = open(dir.path());
    assert_eq!(spool.append(&records(10), None).unwrap(), 1..11);
}

/// Stores until the disk is full, then tries on, as a process whose files can't grow.
#[test]
fn full_child() {
    let Ok(dir) = std::env::var("SNAG_SPOOL_FULL_DIR") else {
        return;
    };
    let (spool, _) = open(Path::new(&dir));
    let mut stored = 0;
    let error = loop {
        match spool.append(&records(500), Some(&[1; 20_000])) {
            Ok(range) => stored = range.end - 1,
            Err(error) => break error,
        }
    };
    assert!(error.is_full(), "{error:?}");
    for _ in 0..5 {
        match spool.append(&records(500), Some(&[2; 20_000])) {
            Ok(range) => {
                assert_eq!(range.start, stored + 1);
                stored = range.end - 1;
            }
            Err(error) => assert!(error.is_full(), "{error:?}"),
        }
    }
    println!("stored={stored}");
}

#[test]
fn a_full_disk_is_an_error_and_what_was_stored_before_is_there() {
    for blocks in [1_100, 2_000, 3_333] {
        let dir = tempfile::tempdir().unwrap();
        let output = Command::new("bash")
            .arg("-c")
            .arg(format!(
                "trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" --exact full_child --nocapture"
            ))
            .arg(std::env::current_exe().unwrap())
            .env("SNAG_SPOOL_FULL_DIR", dir.path())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{output:?}");
        let stored: u64 = text
            .lines()
            .find_map(|line| line.split_once("stored="))
            .and_then(|(_, number)| number.trim().parse().ok())
            .unwrap();
        assert!(stored > 0);
        let (spool, report) = open(dir.path());
        assert!(report.is_clean(), "{report:?}");
        let seqs: Vec<u64> = spool
            .peek(usize::MAX)
            .unwrap()
            .iter()
            .map(|r| r.seq)
            .collect();
        assert_eq!(
            seqs,
            (1..=stored).collect::<Vec<_>>(),
            "exactly what was promised"
        );
        assert_eq!(spool.append(&records(1), None).unwrap().start, stored + 1);
    }
}
