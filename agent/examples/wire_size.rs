//! What a record takes on the wire and in the spool:
//! `cargo run --release -p snag-agent --example wire_size -- RECORDING…`

use std::path::Path;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use snag_agent::convert;
use snag_agent::recording::Recording;
use snag_agent::sync::batch::{self, Sender};
use snag_core::{Effect, Engine, Policy};
use snag_spool::{NewRecord, Spool, SpoolOptions};
use snag_wire::{Record, SyncRules};
use std::io::Write;
use uuid::Uuid;

const START_MS: i64 = 1_760_000_000_000;

fn records(path: &Path) -> Result<Vec<NewRecord>, Box<dyn std::error::Error>> {
    let mut engine = Engine::new(Policy::default());
    let mut records = Vec::new();
    let mut keep = |effect| {
        if let Effect::Record(record) = effect {
            records.push(convert::record(record, START_MS));
        }
    };
    for input in Recording::open(path)? {
        engine.step(&input?, &mut keep);
    }
    engine.finish(&mut keep);
    Ok(records)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sender = Sender {
        device: Uuid::from_u128(0x1234_5678_9abc_def0_1234_5678_9abc_def0),
        product: "default".into(),
        agent_version: env!("CARGO_PKG_VERSION").into(),
    };
    let mut totals = (0_usize, 0_usize);
    for path in std::env::args().skip(1) {
        let records = records(Path::new(&path))?;
        let events: Vec<NewRecord> = records
            .iter()
            .filter(|record| matches!(record.record, Record::Event(_)))
            .cloned()
            .collect();
        for (what, records) in [("all records", &records), ("events", &events)] {
            let dir = tempfile::tempdir()?;
            let (spool, _) = Spool::open(dir.path(), SpoolOptions::default())?;
            for part in records.chunks(100) {
                spool.append(part, None)?;
            }
            let (count, stored) = (records.len(), spool.waiting().size_bytes);
            let (mut json, mut sizes, mut times) = (0, [0; 2], [Duration::ZERO; 2]);
            loop {
                let part = spool.peek(SyncRules::default().batch_records as usize)?;
                let Some(last) = part.last().map(|record| record.seq) else {
                    break;
                };
                let batch = batch::build(&sender, part, Vec::new(), Timestamp::now());
                let text = serde_json::to_vec(&batch)?;
                json += text.len();
                for (at, level) in [6, 9].into_iter().enumerate() {
                    let start = Instant::now();
                    let mut gzip = GzEncoder::new(Vec::new(), Compression::new(level));
                    gzip.write_all(&text)?;
                    sizes[at] += gzip.finish()?.len();
                    times[at] += start.elapsed();
                }
                spool.settle(last, &[])?;
            }
            let each = |bytes: usize| bytes as f64 / count as f64;
            println!(
                "{path}: {count} {what}: JSON {:.1} bytes each, gzip level 6 {:.2} ({:?}), level 9 {:.2} ({:?}), in the spool {:.1}",
                each(json),
                each(sizes[0]),
                times[0],
                each(sizes[1]),
                times[1],
                stored as f64 / count as f64
            );
            if what == "events" {
                totals = (totals.0 + sizes[1], totals.1 + count);
            }
        }
    }
    println!(
        "all recordings: {} events at {:.2} bytes each, compressed at level {}",
        totals.1,
        totals.0 as f64 / totals.1.max(1) as f64,
        batch::LEVEL
    );
    Ok(())
}
