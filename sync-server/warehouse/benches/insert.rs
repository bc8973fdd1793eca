//! Rows a second into the real tables with all their views, by format, in one run.
//!
//! `cargo bench -p snag-warehouse --bench insert [-- ROWS]`. The rows are events as desks
//! send them: 50 devices, each with a stretch of its own, a few apps, some hundred screens.

use std::sync::Arc;
use std::time::Instant;

use arrow_array::builder::{FixedSizeBinaryBuilder, StringBuilder, StringDictionaryBuilder};
use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, Int8Array, Int64Array, RecordBatch, TimestampMillisecondArray, UInt32Array,
    UInt64Array,
};
use bytes::Bytes;
use futures_util::stream;
use snag_warehouse::{EmbeddedOptions, Query, Warehouse};

/// Rows of one insert: what a group commit holds at most.
const BLOCK: usize = 100_000;
const DEVICES: u64 = 50;

/// A generator that is enough for this, and the same everywhere (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

/// How text travels: as a dictionary, or plainly.
#[derive(Clone, Copy, PartialEq)]
enum Text {
    Dictionary,
    Plain,
}

fn words(text: Text, words: &[String]) -> ArrayRef {
    match text {
        Text::Dictionary => {
            let mut builder = StringDictionaryBuilder::<Int32Type>::new();
            words.iter().for_each(|word| builder.append_value(word));
            Arc::new(builder.finish())
        }
        Text::Plain => {
            let mut builder = StringBuilder::new();
            words.iter().for_each(|word| builder.append_value(word));
            Arc::new(builder.finish())
        }
    }
}

fn block(number: usize, text: Text) -> RecordBatch {
    const APPS: [&str; 4] = ["chrome", "excel", "outlook", "sap"];
    let mut random = Random(number as u64);
    let mut device = FixedSizeBinaryBuilder::with_capacity(BLOCK, 16);
    let mut ids = StringBuilder::new();
    let (mut seq, mut at, mut kind, mut count, mut duration) =
        (vec![], vec![], vec![], vec![], vec![]);
    let (mut detail, mut role, mut label, mut app, mut screen) =
        (vec![], vec![], vec![], vec![], vec![]);
    let (mut session, mut received, mut offset, mut segment) = (vec![], vec![], vec![], vec![]);
    let rows = BLOCK as u64 / DEVICES;
    for desk in 0..DEVICES {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&Random(desk).below(u64::MAX).to_be_bytes());
        id[8..].copy_from_slice(&Random(desk + 1000).below(u64::MAX).to_be_bytes());
        let id_text = format!("{:032x}", u128::from_be_bytes(id));
        let mut time = 1_760_000_000_000 + (number as i64) * 3_600_000;
        let (mut here, mut window) = (random.below(4) as usize, random.below(60));
        for row in 0..rows {
            device.append_value(id).expect("16 bytes");
            ids.append_value(format!(
                "{}-{}-{}-{}-{}",
                &id_text[..8],
                &id_text[8..12],
                &id_text[12..16],
                &id_text[16..20],
                &id_text[20..]
            ));
            time += random.below(1500) as i64;
            if random.below(30) == 0 {
                (here, window) = (random.below(4) as usize, random.below(60));
            }
            let what = [1, 1, 1, 3, 4, 4, 5, 5, 6][random.below(9) as usize];
            seq.push(number as u64 * rows + row + 1);
            at.push(time);
            kind.push(what);
            detail.push(match what {
                1 => "left".to_owned(),
                5 => ["char", "enter", "tab", "backspace"][random.below(4) as usize].to_owned(),
                _ => String::new(),
            });
            role.push(if what == 1 {
                "push_button".to_owned()
            } else {
                String::new()
            });
            label.push(match what {
                1 => format!("{:016x}", random.below(200) * 7_919_777_777),
                _ => String::new(),
            });
            app.push(APPS[here].to_owned());
            screen.push(format!(
                "{:016x}",
                (here as u64 * 60 + window) * 104_729_777_777
            ));
            count.push(if what == 1 {
                1
            } else {
                1 + random.below(12) as u32
            });
            duration.push(random.below(900) as u32);
            session.push(number as u32 / 4);
            received.push((time / 60_000 * 60 + 60) as u32);
            offset.push(17 + desk as i64);
            segment.push(["sales", "claims"][desk as usize % 2].to_owned());
        }
    }
    let same = |word: &str| words(text, &vec![word.to_owned(); BLOCK]);
    let device: ArrayRef = match text {
        Text::Dictionary => Arc::new(device.finish()),
        Text::Plain => Arc::new(ids.finish()),
    };
    RecordBatch::try_from_iter([
        ("org", same("11111111-2222-3333-4444-555555555555")),
        ("product", same("default")),
        ("device", device),
        ("seq", Arc::new(UInt64Array::from(seq)) as ArrayRef),
        (
            "at",
            Arc::new(TimestampMillisecondArray::from(at).with_timezone("UTC")),
        ),
        ("clock_offset_ms", Arc::new(Int64Array::from(offset))),
        ("received_at", Arc::new(UInt32Array::from(received))),
        ("session", Arc::new(UInt32Array::from(session))),
        ("kind", Arc::new(Int8Array::from(kind))),
        ("detail", words(text, &detail)),
        ("role", words(text, &role)),
        ("label", words(text, &label)),
        ("app", words(text, &app)),
        ("screen", words(text, &screen)),
        ("count", Arc::new(UInt32Array::from(count))),
        ("duration_ms", Arc::new(UInt32Array::from(duration))),
        ("version", same("0.1.0")),
        ("segment", words(text, &segment)),
    ])
    .expect("columns of one length")
}

async fn empty(warehouse: &Warehouse) {
    for table in ["events", "events_by_hour", "devices_by_day", "labels_seen"] {
        warehouse
            .execute(format!("TRUNCATE TABLE {table}"))
            .await
            .expect("truncated");
    }
}

/// Processor seconds of this process so far, where the system tells.
fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: f64 = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
    Some(ticks / 100.0)
}

/// Seconds on the clock and on the processors.
struct Cost {
    seconds: f64,
    cpu_seconds: Option<f64>,
}

struct Watch(Instant, Option<f64>);

impl Watch {
    fn start() -> Self {
        Self(Instant::now(), cpu_seconds())
    }

    fn stop(self) -> Cost {
        Cost {
            seconds: self.0.elapsed().as_secs_f64(),
            cpu_seconds: self.1.and_then(|before| Some(cpu_seconds()? - before)),
        }
    }
}

async fn by_arrow(warehouse: &Warehouse, blocks: &[RecordBatch]) -> Cost {
    empty(warehouse).await;
    let watch = Watch::start();
    for block in blocks {
        warehouse
            .insert("events", block.clone())
            .await
            .expect("inserted");
    }
    watch.stop()
}

async fn by_bytes(warehouse: &Warehouse, format: &str, blocks: &[Bytes]) -> Cost {
    empty(warehouse).await;
    let watch = Watch::start();
    for block in blocks {
        let query = Query::new("INSERT INTO events").format(format);
        let data = stream::iter([Ok(block.clone())]);
        warehouse
            .insert_stream(query, Box::pin(data))
            .await
            .expect("inserted");
    }
    watch.stop()
}

fn main() {
    let rows: usize = std::env::args()
        .skip(1)
        .find_map(|word| word.parse().ok())
        .unwrap_or(1_000_000);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(bench(rows.div_ceil(BLOCK)));
}

async fn bench(blocks: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let open = |fsync| {
        Warehouse::embedded(EmbeddedOptions {
            fsync,
            ..EmbeddedOptions::new(folder.path())
        })
        .expect("the engine starts")
    };
    let warehouse = open(false);
    warehouse.migrate_up().await.expect("migrated");
    let rows = (blocks * BLOCK) as f64;
    let dictionary: Vec<_> = (0..blocks)
        .map(|number| block(number, Text::Dictionary))
        .collect();
    let plain: Vec<_> = (0..blocks)
        .map(|number| block(number, Text::Plain))
        .collect();

    // The same rows in ClickHouse's own words, a block at a time.
    let (mut native, mut json) = (Vec::new(), Vec::new());
    for block in &dictionary {
        empty(&warehouse).await;
        warehouse
            .insert("events", block.clone())
            .await
            .expect("inserted");
        for (format, blocks) in [("Native", &mut native), ("JSONEachRow", &mut json)] {
            let bytes = warehouse
                .select(Query::read("SELECT * FROM events").format(format))
                .await;
            blocks.push(bytes.expect("selected"));
        }
    }

    let say = |what: &str, cost: Cost| {
        let cpu = cost.cpu_seconds.map_or(String::new(), |seconds| {
            format!(" {:>10.0} per processor second", rows / seconds)
        });
        println!("{what:<44} {:>9.0} rows/s{cpu}", rows / cost.seconds);
    };
    // Twice, and the better one: the first run of each warms caches up.
    for round in ["first", "second"] {
        println!("-- {round} round, blocks of {BLOCK} rows, not waiting for the disk");
        say("Native", by_bytes(&warehouse, "Native", &native).await);
        say(
            "ArrowStream, dictionaries and bytes",
            by_arrow(&warehouse, &dictionary).await,
        );
        say(
            "ArrowStream, plain text",
            by_arrow(&warehouse, &plain).await,
        );
        say(
            "JSONEachRow",
            by_bytes(&warehouse, "JSONEachRow", &json).await,
        );
    }
    let parts = "SELECT round(sum(bytes_on_disk) / sum(rows), 2) FROM system.parts WHERE active AND table = 'events'";
    warehouse
        .execute("OPTIMIZE TABLE events FINAL")
        .await
        .expect("merged");
    let bytes = warehouse
        .select(Query::read(parts))
        .await
        .expect("selected");
    println!(
        "{:<44} {:>9} bytes",
        "an event at rest",
        String::from_utf8_lossy(&bytes).trim()
    );
    warehouse.close().await;

    let warehouse = open(true);
    warehouse.migrate_up().await.expect("migrated");
    println!("-- waiting for the disk (fsync)");
    say(
        "ArrowStream, dictionaries and bytes",
        by_arrow(&warehouse, &dictionary).await,
    );
    for rows in [500, 5_000] {
        let small = dictionary[0].slice(0, rows);
        let start = Instant::now();
        for _ in 0..20 {
            warehouse
                .insert("events", small.clone())
                .await
                .expect("inserted");
        }
        println!(
            "{:<44} {:>9.2} ms",
            format!("an insert of {rows} rows"),
            start.elapsed().as_secs_f64() * 50.0
        );
    }
    warehouse.close().await;
    let warehouse = open(false);
    warehouse.migrate_up().await.expect("migrated");
    let small = dictionary[0].slice(0, 500);
    let start = Instant::now();
    for _ in 0..20 {
        warehouse
            .insert("events", small.clone())
            .await
            .expect("inserted");
    }
    println!(
        "{:<44} {:>9.2} ms",
        "an insert of 500 rows, not waiting",
        start.elapsed().as_secs_f64() * 50.0
    );
    warehouse.close().await;
}
