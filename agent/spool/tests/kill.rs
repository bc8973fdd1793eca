//! SIGKILL at random moments, 200 times, while records are stored and sent.
//!
//! The child process is this test binary again. It writes what was promised to it
//! (an append that returned, a batch that the server would have seen) to a log
//! whose lines the kernel keeps when it is killed. Opening the spool is one of the
//! things that it is killed in.
#![cfg(unix)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use common::{event, incident, session};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use snag_spool::{NewRecord, Refusal, Spool, SpoolOptions, StoredRecord};

const KILLS: u32 = 200;
const APPENDS: usize = 20_000;
/// Longest time for a child to open its spool, on a busy machine.
const OPENS_WITHIN: Duration = Duration::from_secs(300);

/// A record that can be told from all others by its time.
fn record(number: i64) -> NewRecord {
    match number % 9 {
        0 => session(number),
        1 => incident(number),
        _ => event(number),
    }
}

fn numbers(records: &[StoredRecord]) -> String {
    let pairs: Vec<String> = records
        .iter()
        .map(|record| format!("{}:{}", record.seq, record.at_ms))
        .collect();
    pairs.join(" ")
}

/// Runs until it is killed, or until so many appends were made.
#[test]
fn child() {
    let Ok(dir) = std::env::var("SNAG_SPOOL_KILL_DIR") else {
        return;
    };
    let dir = Path::new(&dir);
    let seed: u64 = std::env::var("SNAG_SPOOL_KILL_SEED")
        .unwrap()
        .parse()
        .unwrap();
    let appends: usize = std::env::var("SNAG_SPOOL_KILL_APPENDS")
        .unwrap()
        .parse()
        .unwrap();
    let mut random = StdRng::seed_from_u64(seed);
    let mut log = File::options()
        .append(true)
        .create(true)
        .open(dir.join("log"))
        .unwrap();
    let mut say = |line: String| log.write_all(format!("{line}\n").as_bytes()).unwrap();

    let (spool, report) = Spool::open(&dir.join("data"), SpoolOptions::default()).unwrap();
    assert!(report.is_clean(), "{report:?}");
    // The engine's state is that of the last record, or they were not stored together.
    if let Some(last) = spool.peek(usize::MAX).unwrap().last() {
        let state = spool.load_state().unwrap().unwrap();
        assert_eq!(state, last.at_ms.to_le_bytes());
    }
    say("opened".into());
    println!("opened");
    // Numbers of different lives differ: a life has less than a million.
    let mut number = i64::try_from(seed).unwrap() * 1_000_000;
    for _ in 0..appends {
        let records: Vec<NewRecord> = (0..random.random_range(1..4))
            .map(|_| {
                number += 1;
                record(number)
            })
            .collect();
        let range = spool.append(&records, Some(&number.to_le_bytes())).unwrap();
        let pairs: Vec<String> = range
            .zip(&records)
            .map(|(seq, record)| format!("{seq}:{}", record.at_ms))
            .collect();
        say(format!("stored {}", pairs.join(" ")));
        if random.random_range(0..15) == 0 {
            let batch = spool.peek(random.random_range(1..120)).unwrap();
            let Some(last) = batch.last() else { continue };
            say(format!("sent {}", numbers(&batch)));
            if random.random_range(0..4) == 0 {
                continue; // The answer was lost.
            }
            let refused: Vec<Refusal> = batch
                .iter()
                .filter(|_| random.random_range(0..100) == 0)
                .map(|record| Refusal {
                    seq: record.seq,
                    code: "no".into(),
                    message: String::new(),
                })
                .collect();
            spool.settle(last.seq, &refused).unwrap();
            say(format!("settled {}", last.seq));
        }
    }
    say("done".into());
}

fn spawn(dir: &Path, seed: u64, appends: usize) -> std::process::Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env("SNAG_SPOOL_KILL_DIR", dir)
        .env("SNAG_SPOOL_KILL_SEED", seed.to_string())
        .env("SNAG_SPOOL_KILL_APPENDS", appends.to_string())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap()
}

fn pairs(words: &str) -> impl Iterator<Item = (u64, i64)> + '_ {
    words.split_whitespace().map(|pair| {
        let (seq, number) = pair.split_once(':').unwrap();
        (seq.parse().unwrap(), number.parse().unwrap())
    })
}

#[test]
fn nothing_is_lost_and_no_number_missing_or_given_twice() {
    let dir = tempfile::tempdir().unwrap();
    let log = || std::fs::read_to_string(dir.path().join("log")).unwrap_or_default();
    let stored_calls = || {
        log()
            .lines()
            .filter(|line| line.starts_with("stored"))
            .count()
    };
    let mut random = StdRng::seed_from_u64(20_260_101);
    let (mut kills, mut life) = (0, 0);
    while kills < KILLS {
        life += 1;
        let mut child = spawn(dir.path(), life, usize::MAX);
        let output = BufReader::new(child.stdout.take().unwrap());
        if life % 4 == 0 {
            // Somewhere in starting and opening.
            std::thread::sleep(Duration::from_micros(random.random_range(3_000..60_000)));
        } else {
            let (opened, has_opened) = mpsc::channel();
            std::thread::spawn(move || {
                let mut lines = output.lines().map_while(Result::ok);
                if lines.any(|line| line == "opened") {
                    let _ = opened.send(());
                }
            });
            if let Err(error) = has_opened.recv_timeout(OPENS_WITHIN) {
                child.kill().unwrap();
                panic!("a child ended by itself, or hangs: {error}");
            }
            std::thread::sleep(Duration::from_micros(random.random_range(0..100_000)));
        }
        child.kill().unwrap();
        let status = child.wait().unwrap();
        assert_eq!(
            status.signal(),
            Some(9),
            "a child ended by itself: {status}"
        );
        kills += 1;
    }
    let missing = APPENDS.saturating_sub(stored_calls());
    let output = spawn(dir.path(), life + 1, missing + 1)
        .wait_with_output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(stored_calls() >= APPENDS);

    // What the server has in the end: all that was sent, and what still waits.
    let mut arrived: BTreeMap<u64, i64> = BTreeMap::new();
    let mut arrive = |seq: u64, number: i64| {
        let before = arrived.insert(seq, number);
        assert!(
            before.is_none_or(|before| before == number),
            "{seq} was given twice"
        );
    };
    let (mut promised, mut opened, mut settled) = (Vec::new(), 0, 0);
    for line in log().lines() {
        match line.split_once(' ') {
            Some(("stored", words)) => promised.extend(pairs(words)),
            Some(("sent", words)) => pairs(words).for_each(|(seq, number)| arrive(seq, number)),
            Some(("settled", through)) => settled = settled.max(through.parse().unwrap()),
            _ => opened += u32::from(line == "opened"),
        }
    }
    let (spool, report) = Spool::open(&dir.path().join("data"), SpoolOptions::default()).unwrap();
    assert!(report.is_clean(), "{report:?}");
    let left = spool.peek(usize::MAX).unwrap();
    left.iter()
        .for_each(|record| arrive(record.seq, record.at_ms));
    assert!(
        left.iter().all(|record| record.seq > settled),
        "what was settled is gone"
    );

    for (seq, number) in &promised {
        assert_eq!(
            arrived.get(seq),
            Some(number),
            "{seq} was stored and is lost"
        );
    }
    let seqs: BTreeSet<u64> = promised.iter().map(|(seq, _)| *seq).collect();
    assert_eq!(seqs.len(), promised.len(), "a number was given twice");
    let next = spool.waiting().next_seq;
    assert_eq!(
        arrived.keys().copied().collect::<Vec<_>>(),
        (1..next).collect::<Vec<_>>(),
        "numbers rise by one"
    );
    let numbers: BTreeSet<i64> = arrived.values().copied().collect();
    assert_eq!(
        numbers.len(),
        arrived.len(),
        "no record is there under two numbers"
    );
    let letters = spool.dead_letters(0, usize::MAX).unwrap();
    for letter in &letters {
        assert_eq!(arrived.get(&letter.record.seq), Some(&letter.record.at_ms));
    }
    let drops = spool.drops();
    assert_eq!(
        drops.iter().map(|drop| drop.count).sum::<u64>(),
        letters.len() as u64
    );
    println!(
        "{kills} kills, {opened} opens that got through, {} appends, {} records",
        stored_calls(),
        next - 1
    );
    assert!(opened > KILLS / 2, "most lives got to work: {opened}");
}
