//! Prints what the spool takes on disk, as records come and go.
#[path = "../tests/common/mod.rs"]
mod common;

use snag_spool::{Spool, SpoolOptions};

fn size(dir: &std::path::Path) -> u64 {
    std::fs::read_dir(dir)
        .unwrap()
        .flatten()
        .map(|e| {
            if e.path().is_dir() {
                size(&e.path())
            } else {
                use std::os::unix::fs::MetadataExt;
                e.metadata().unwrap().blocks() * 512
            }
        })
        .sum()
}

fn main() {
    let per: i64 = std::env::args()
        .nth(1)
        .and_then(|a| a.parse().ok())
        .unwrap_or(10);
    let keep: u64 = std::env::args()
        .nth(2)
        .and_then(|a| a.parse().ok())
        .unwrap_or(5_000);
    let total: i64 = std::env::args()
        .nth(3)
        .and_then(|a| a.parse().ok())
        .unwrap_or(200_000);
    let state_size: usize = std::env::args()
        .nth(4)
        .and_then(|a| a.parse().ok())
        .unwrap_or(4_000);
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = Spool::open(dir.path(), SpoolOptions::default()).unwrap();
    let start = std::time::Instant::now();
    let state = vec![7; state_size];
    let mut at = 0;
    while at < total {
        let records: Vec<_> = (at..at + per).map(|at| common::event(at * 137)).collect();
        at += per;
        spool.append(&records, Some(&state)).unwrap();
        let w = spool.waiting();
        if w.records() > keep {
            let batch = spool.peek(500).unwrap();
            spool.settle(batch.last().unwrap().seq, &[]).unwrap();
        }
        if at % (total / 10) < per {
            println!(
                "{at} {:?} waiting {} ({} B) disk {}",
                start.elapsed(),
                w.records(),
                w.size_bytes,
                size(dir.path())
            );
        }
    }
    let s = std::fs::read_to_string("/proc/self/status").unwrap();
    println!("{}", s.lines().find(|l| l.starts_with("VmRSS")).unwrap());
    let w = spool.waiting();
    drop(spool);
    println!(
        "closed: disk {} for {} records",
        size(dir.path()),
        w.records()
    );
    let t = std::time::Instant::now();
    let (_spool, _) = Spool::open(dir.path(), SpoolOptions::default()).unwrap();
    println!("open {:?} disk {}", t.elapsed(), size(dir.path()));
}
