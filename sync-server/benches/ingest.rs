//! How fast records come in: through HTTP, gzip, JSON and validation until they are
//! durable with their rollups, over the speed at which the same rows go into the same
//! tables by ClickHouse's own readers.
//!
//! `cargo bench -p snag-server --bench ingest -- [--records N] [--batch N] [--devices N]`
//!
//! Sustained: devices that catch up after days offline, each with the next batch ready
//! as soon as the last is answered, `--batch` records in each. Then, with batches of 500
//! as agents send them by default: every device once a second (`paced`), and as fast as
//! answers come (`saturated`).
//!
//! Each part runs in a process of its own (the engine runs once a process): first the
//! server with its clients, then the direct inserts of what it stored, as JSONEachRow
//! and as Native, into empty databases. Bodies are made before the clock starts.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use snag_server::control::{self, NewOrg, NewToken};
use snag_server::orgs::OrgPolicy;
use snag_server::state::Settings;
use snag_server::{AppState, auth::Scope, router};
use snag_warehouse::{EmbeddedOptions, Query, Warehouse};
use snag_wire::{
    Context, Detail, EventBatch, EventKind, EventRecord, IncidentKind, IncidentRecord, LabelHash,
    Record, ScreenRecord, SessionRecord,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use uuid::Uuid;

struct Options {
    records: usize,
    batch: usize,
    devices: usize,
    part: Option<String>,
    folder: Option<PathBuf>,
    fsync: bool,
    /// Each device sends so often; as fast as answers come where it is zero.
    pace: Duration,
}

fn options() -> anyhow::Result<Options> {
    let mut options = Options {
        records: 2_000_000,
        batch: 4_000,
        devices: 50,
        part: None,
        folder: None,
        fsync: true,
        pace: Duration::ZERO,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().context("a value is missing");
        match argument.as_str() {
            "--records" => options.records = value()?.parse()?,
            "--batch" => options.batch = value()?.parse()?,
            "--devices" => options.devices = value()?.parse()?,
            "--part" => options.part = Some(value()?),
            "--folder" => options.folder = Some(value()?.into()),
            "--pace-ms" => options.pace = Duration::from_millis(value()?.parse()?),
            "--no-fsync" => options.fsync = false,
            // What cargo adds.
            "--bench" | "--test" => {}
            other => anyhow::bail!("unknown argument {other}"),
        }
    }
    Ok(options)
}

fn main() -> anyhow::Result<()> {
    let options = options()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    match options.part.as_deref() {
        None => parent(&options),
        Some("http") => runtime.block_on(through_http(&options)),
        Some("direct") => runtime.block_on(direct(&options)),
        Some(other) => anyhow::bail!("unknown part {other}"),
    }
}

fn parent(options: &Options) -> anyhow::Result<()> {
    let run = |part: &str, folder: &Path, records: usize, batch: usize, pace_ms: u64| {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(["--part", part, "--folder"])
            .arg(folder)
            .args(["--records", &records.to_string()])
            .args(["--batch", &batch.to_string()])
            .args(["--devices", &options.devices.to_string()])
            .args(["--pace-ms", &pace_ms.to_string()])
            .stdout(Stdio::piped());
        if !options.fsync {
            command.arg("--no-fsync");
        }
        let output = command.spawn()?.wait_with_output()?;
        anyhow::ensure!(output.status.success(), "part {part} failed");
        Ok(String::from_utf8(output.stdout)?)
    };
    // Kept until the end: after thousands of files were deleted, a file system looks long
    // for a free place for each new one, and that would be measured with what comes next.
    let mut folders = vec![tempfile::tempdir()?];
    let folder = folders[0].path().to_owned();
    let http = run("http", &folder, options.records, options.batch, 0)?;
    print!("{http}");
    let direct = run("direct", &folder, options.records, options.batch, 0)?;
    print!("{direct}");
    let http = figure(&http, "http_records_per_s")?;
    let json = figure(&direct, "json_each_row_records_per_s")?;
    let native = figure(&direct, "native_records_per_s")?;
    println!("ratio_to_json_each_row {:.2}", http / json);
    println!("share_of_native {:.2}", http / native);
    for (name, seconds, pace_ms) in [("paced", 20, 1_000), ("saturated", 10, 0)] {
        let folder = tempfile::tempdir()?;
        let records = 500 * options.devices * seconds;
        let text = run("http", folder.path(), records, 500, pace_ms)?;
        folders.push(folder);
        for what in ["ack_p50_ms", "ack_p99_ms", "http_records_per_s"] {
            println!("{name}_500_{what} {}", figure(&text, what)?);
        }
    }
    Ok(())
}

fn figure(text: &str, name: &str) -> anyhow::Result<f64> {
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
        .with_context(|| format!("no figure {name}"))
}

fn open(options: &Options, database: &str) -> anyhow::Result<Warehouse> {
    let folder = options.folder.as_deref().unwrap_or(Path::new("."));
    Ok(Warehouse::embedded(EmbeddedOptions {
        database: database.to_owned(),
        fsync: options.fsync,
        ..EmbeddedOptions::new(folder)
    })?)
}

struct Device {
    id: Uuid,
    token: String,
    requests: Vec<Bytes>,
}

async fn through_http(options: &Options) -> anyhow::Result<()> {
    let warehouse = open(options, "http")?;
    warehouse.migrate_up().await?;
    let now = Timestamp::now();
    let new = NewOrg {
        name: "bench",
        contact: "bench",
        k: 5,
        local: false,
        policy: OrgPolicy::default(),
    };
    let org = control::create_org(&warehouse, new, now).await?.org;
    let mut devices = Vec::with_capacity(options.devices);
    for _ in 0..options.devices {
        let id = Uuid::now_v7();
        let new = NewToken {
            org,
            scope: Scope::Device,
            name: "",
            device: Some(id),
            segment: "lab",
            expires_at: None,
        };
        let token = control::add_token(&warehouse, &new, now).await?;
        devices.push(Device {
            id,
            token,
            requests: Vec::new(),
        });
    }
    let per_device = options.records.div_ceil(options.devices);
    let (mut sent_records, mut packed_bytes, mut json_bytes) = (0, 0, 0);
    for (index, device) in devices.iter_mut().enumerate() {
        let mut generator = Generator::new(index as u64, device.id);
        while generator.made < per_device {
            let size = options.batch.min(per_device - generator.made);
            let json = serde_json::to_vec(&generator.batch(size, now))?;
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(&json)?;
            let body = encoder.finish()?;
            json_bytes += json.len();
            packed_bytes += body.len();
            sent_records += size;
            let mut request = format!(
                "POST /v1/events/batch HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {}\r\n\
                 Content-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
                device.token,
                body.len()
            )
            .into_bytes();
            request.extend(body);
            device.requests.push(request.into());
        }
    }
    println!("records {sent_records}");
    println!(
        "wire_bytes_per_record {:.1}",
        packed_bytes as f64 / sent_records as f64
    );
    println!(
        "json_bytes_per_record {:.1}",
        json_bytes as f64 / sent_records as f64
    );

    let state = AppState::new(
        warehouse.clone(),
        Settings::default(),
        AppState::system_clock(),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let app = router::router(Arc::clone(&state));
    let server = tokio::spawn(async move { axum::serve(listener, app).await });

    let cpu_before = cpu_seconds();
    let started = Instant::now();
    let refused = Arc::new(AtomicUsize::new(0));
    let mut clients = Vec::new();
    let (pace, devices_number) = (options.pace, u32::try_from(options.devices)?);
    for (number, device) in (0_u32..).zip(devices) {
        let refused = Arc::clone(&refused);
        clients.push(tokio::spawn(async move {
            let mut stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let mut latencies = Vec::with_capacity(device.requests.len());
            // Devices don't send in step.
            let first = tokio::time::Instant::now() + pace * number / devices_number;
            for (turn, request) in (0_u32..).zip(&device.requests) {
                tokio::time::sleep_until(first + pace * turn).await;
                let sent = Instant::now();
                loop {
                    stream.write_all(request).await?;
                    match read_status(&mut stream).await? {
                        200 => break,
                        503 => {
                            refused.fetch_add(1, Ordering::Relaxed);
                            tokio::time::sleep(Duration::from_millis(20)).await;
                        }
                        status => anyhow::bail!("status {status}"),
                    }
                }
                latencies.push(sent.elapsed());
            }
            Ok(latencies)
        }));
    }
    let mut latencies = Vec::new();
    for client in clients {
        latencies.extend(client.await??);
    }
    let seconds = started.elapsed().as_secs_f64();
    let cpu = cpu_seconds() - cpu_before;
    for (name, cpu) in cpu_by_thread() {
        println!(
            "cpu_us_per_record {name:16} {:.2}",
            cpu * 1e6 / sent_records as f64
        );
    }
    latencies.sort_unstable();
    let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize];
    println!("http_records_per_s {:.0}", sent_records as f64 / seconds);
    println!(
        "http_cpu_us_per_record {:.2}",
        cpu * 1e6 / sent_records as f64
    );
    println!("ack_p50_ms {:.1}", at(0.5).as_secs_f64() * 1e3);
    println!("ack_p99_ms {:.1}", at(0.99).as_secs_f64() * 1e3);
    println!("refused_503 {}", refused.load(Ordering::Relaxed));

    let count = "SELECT (SELECT count() FROM events) + (SELECT count() FROM sessions) \
                 + (SELECT count() FROM screens) + (SELECT count() FROM incidents), \
                 (SELECT sum(records) FROM events_by_hour) = (SELECT count() FROM events)";
    let text = warehouse.select(Query::read(count)).await?;
    let text = std::str::from_utf8(&text)?.trim_end();
    anyhow::ensure!(text == format!("{sent_records}\t1"), "stored: {text}");
    for insert in state.metrics.encode()?.lines() {
        if insert.starts_with("snag_insert_seconds_sum")
            || insert.starts_with("snag_insert_seconds_count")
        {
            println!("{insert}");
        }
    }
    state.commits.close().await;
    server.abort();
    drop(server.await);
    drop(state);
    warehouse.close().await;
    Ok(())
}

async fn read_status(stream: &mut TcpStream) -> anyhow::Result<u16> {
    let mut buffer = Vec::with_capacity(1_024);
    loop {
        anyhow::ensure!(stream.read_buf(&mut buffer).await? > 0, "closed");
        let Some(head) = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
            continue;
        };
        let text = std::str::from_utf8(&buffer[..head])?;
        let status = text.split(' ').nth(1).context("no status")?.parse()?;
        let length: usize = text
            .lines()
            .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())
            .context("no length")?;
        while buffer.len() < head + 4 + length {
            anyhow::ensure!(stream.read_buf(&mut buffer).await? > 0, "closed");
        }
        return Ok(status);
    }
}

const TABLES: [&str; 4] = ["events", "sessions", "screens", "incidents"];

async fn direct(options: &Options) -> anyhow::Result<()> {
    for (format, name) in [("JSONEachRow", "json_each_row"), ("Native", "native")] {
        let source = open(options, "http")?;
        settle(&source).await?;
        let mut data = Vec::new();
        for table in TABLES {
            let columns = "* EXCEPT received_at, received_at";
            let query = Query::read(format!("SELECT {columns} FROM {table}"))
                .format(format)
                .setting("output_format_json_quote_64bit_integers", 0);
            let bytes = source.select(query).await?;
            data.push((table, bytes));
        }
        let target = open(options, name)?;
        target.migrate_up().await?;
        let cpu_before = cpu_seconds();
        let started = Instant::now();
        for (table, bytes) in data {
            let chunks: Vec<_> = (0..bytes.len())
                .step_by(1 << 20)
                .map(|from| Ok(bytes.slice(from..bytes.len().min(from + (1 << 20)))))
                .collect();
            let insert = Query::new(format!("INSERT INTO {table} FORMAT {format}"));
            target
                .insert_stream(insert, Box::pin(tokio_stream::iter(chunks)))
                .await?;
        }
        let seconds = started.elapsed().as_secs_f64();
        println!(
            "{name}_records_per_s {:.0}",
            options.records as f64 / seconds
        );
        println!(
            "{name}_cpu_us_per_record {:.2}",
            (cpu_seconds() - cpu_before) * 1e6 / options.records as f64
        );
        let count = target
            .select(Query::read("SELECT count() > 0 AND sum(records) = (SELECT count() FROM events) FROM events_by_hour"))
            .await?;
        anyhow::ensure!(count.as_ref() == b"1\n", "the rows went in");
    }
    Ok(())
}

/// Waits until the merges that inserts left behind are done: they would be counted
/// against whatever is measured next.
async fn settle(warehouse: &Warehouse) -> anyhow::Result<()> {
    for _ in 0..300 {
        let merges = warehouse
            .select(Query::read("SELECT count() FROM system.merges"))
            .await?;
        if merges.as_ref() == b"0\n" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

/// Processor time of this process, engine included.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<f64> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .filter_map(|field| field.parse().ok())
        .collect();
    // utime and stime, in ticks of 10 ms; the state's letter is not a number.
    fields
        .get(10)
        .zip(fields.get(11))
        .map_or(0.0, |(user, system)| (user + system) / 100.0)
}

/// Processor time by the name of the thread, the largest first: whose work it is.
fn cpu_by_thread() -> Vec<(String, f64)> {
    let mut by_name = std::collections::BTreeMap::<String, f64>::new();
    for task in std::fs::read_dir("/proc/self/task")
        .into_iter()
        .flatten()
        .flatten()
    {
        let read = |file: &str| std::fs::read_to_string(task.path().join(file)).unwrap_or_default();
        let stat = read("stat");
        let rest = stat.rsplit(')').next().unwrap_or_default();
        let ticks: Vec<f64> = rest
            .split_whitespace()
            .skip(11)
            .take(2)
            .filter_map(|t| t.parse().ok())
            .collect();
        *by_name.entry(read("comm").trim().to_owned()).or_default() +=
            ticks.iter().sum::<f64>() / 100.0;
    }
    let mut sorted: Vec<_> = by_name.into_iter().filter(|(_, cpu)| *cpu > 0.0).collect();
    sorted.sort_by(|a, b| b.1.total_cmp(&a.1));
    sorted
}

/// One device's records: sessions of some forty minutes over a few programs.
struct Generator {
    random: StdRng,
    device: Uuid,
    made: usize,
    seq: u64,
    session: u32,
    t_ms: i64,
    left_in_session: usize,
    closing: Vec<Record>,
    place: usize,
}

const APPS: [&str; 8] = [
    "excel",
    "outlook",
    "teams",
    "sap",
    "firefox",
    "word",
    "explorer",
    "erp-client",
];
const ROLES: [&str; 12] = [
    "push_button",
    "menu_item",
    "text",
    "entry",
    "table_cell",
    "link",
    "check_box",
    "tab",
    "combo_box",
    "tree_item",
    "list_item",
    "document",
];

fn label(space: u64, number: u64) -> LabelHash {
    let mixed = (space << 32 | number)
        .wrapping_add(1)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15);
    LabelHash(
        (mixed ^ (mixed >> 29))
            .wrapping_mul(0xbf58_476d_1ce4_e5b9)
            .to_be_bytes(),
    )
}

impl Generator {
    fn new(seed: u64, device: Uuid) -> Self {
        Self {
            random: StdRng::seed_from_u64(seed),
            device,
            made: 0,
            seq: 1,
            session: 0,
            t_ms: 0,
            left_in_session: 0,
            closing: Vec::new(),
            place: 0,
        }
    }

    fn batch(&mut self, size: usize, now: Timestamp) -> EventBatch {
        let sessions_before = self.session;
        let mut contexts: Vec<Context> = Vec::new();
        let mut records = Vec::with_capacity(size);
        while records.len() < size {
            let record = self.record(&mut contexts);
            records.push(record);
        }
        self.made += size;
        debug_assert!(self.session >= sessions_before);
        EventBatch {
            device: self.device,
            product: "default".to_owned(),
            agent_version: "0.1.0".to_owned(),
            sent_at: now,
            base_at: now - jiff::SignedDuration::from_hours(96),
            contexts,
            records,
            drops: Vec::new(),
        }
    }

    fn context(&mut self, contexts: &mut Vec<Context>, place: usize) -> u32 {
        let context = Context {
            session: self.session,
            app: APPS[place % APPS.len()].to_owned(),
            screen: label(1, place as u64),
        };
        let index = contexts.iter().position(|known| *known == context);
        let index = index.unwrap_or_else(|| {
            contexts.push(context);
            contexts.len() - 1
        });
        u32::try_from(index).unwrap_or(0)
    }

    fn record(&mut self, contexts: &mut Vec<Context>) -> Record {
        self.seq += 1;
        if self.left_in_session == 0 {
            if let Some(record) = self.closing.pop() {
                let context = self.context(contexts, self.place);
                return with_identity(record, self.seq, context);
            }
            self.session += 1;
            self.left_in_session = self.random.random_range(600..1_800);
            self.closing = self.closing_records();
        }
        self.left_in_session -= 1;
        self.t_ms += self.random.random_range(20..400);
        let roll = self.random.random_range(0..100);
        let kind = match roll {
            0..40 => EventKind::Key,
            40..62 => EventKind::Click,
            62..78 => EventKind::Move,
            78..90 => EventKind::Scroll,
            90..98 => EventKind::Focus,
            98 => EventKind::Drag,
            _ => EventKind::Error,
        };
        if kind == EventKind::Focus {
            // Two hundred screens over all programs, a dozen of them common.
            let common = self.random.random_bool(0.8);
            self.place = self.random.random_range(0..if common { 12 } else { 200 });
        }
        let context = self.context(contexts, self.place);
        let clicked = matches!(kind, EventKind::Click | EventKind::Drag);
        let run = matches!(kind, EventKind::Key | EventKind::Move | EventKind::Scroll);
        let keys = [
            Detail::Char,
            Detail::Char,
            Detail::Char,
            Detail::Backspace,
            Detail::Navigation,
        ];
        Record::Event(EventRecord {
            seq: self.seq,
            kind,
            detail: match kind {
                EventKind::Key => keys.choose(&mut self.random).copied(),
                EventKind::Click | EventKind::Drag => Some(Detail::Left),
                _ => None,
            },
            role: clicked.then(|| (*ROLES.choose(&mut self.random).unwrap_or(&"text")).to_owned()),
            label: (clicked || kind == EventKind::Error)
                .then(|| label(2, self.random.random_range(0..400))),
            context,
            t_ms: self.t_ms,
            count: if run {
                self.random.random_range(1..30)
            } else {
                1
            },
            duration_ms: if run {
                self.random.random_range(0..3_000)
            } else {
                0
            },
        })
    }

    fn closing_records(&mut self) -> Vec<Record> {
        let (t_ms, random) = (self.t_ms, &mut self.random);
        let mut records = vec![Record::Session(Box::new(SessionRecord {
            seq: 0,
            context: 0,
            t_ms,
            duration_ms: 2_400_000,
            active_ms: random.random_range(600_000..2_400_000),
            clicks: random.random_range(50..500),
            keys: random.random_range(100..5_000),
            scrolls: random.random_range(0..500),
            screens: 9,
            visits: random.random_range(9..60),
            context_switches: random.random_range(2..30),
            tasks_started: 2,
            tasks_completed: 2,
            rage_clicks: 1,
            dead_clicks: 2,
            backtracks: 1,
            abandoned_tasks: 0,
            error_loops: 0,
            undo_storms: 0,
            errors: 1,
            frustration: random.random_range(0.0..1.0),
            frustration_terms: [0.25, 0.25, 0.1, 0.2, 0.0, 0.0],
            efficiency: Some(random.random_range(0.0..1.0)),
            efficiency_terms: Some([0.5, 0.3, 0.1]),
            score_version: 1,
            path: vec![0, 0, 0],
        }))];
        for _ in 0..6 {
            records.push(Record::Screen(ScreenRecord {
                seq: 0,
                context: 0,
                t_ms,
                visits: random.random_range(1..9),
                dwell_ms: random.random_range(1_000..400_000),
                clicks: random.random_range(0..80),
                keys: random.random_range(0..800),
                rage_clicks: 0,
                dead_clicks: 0,
                backtracks: 0,
                errors: 0,
                exited: false,
                time_lost_ms: 0,
                session_frustration: random.random_range(0.0..1.0),
                session_efficiency: Some(0.5),
            }));
        }
        for _ in 0..3 {
            records.push(Record::Incident(IncidentRecord {
                seq: 0,
                kind: *IncidentKind::ALL
                    .choose(random)
                    .unwrap_or(&IncidentKind::RageClick),
                version: 1,
                context: 0,
                t_ms,
                duration_ms: random.random_range(300..3_000),
                count: 3,
                role: Some("push_button".to_owned()),
                label: Some(label(2, random.random_range(0..400))),
            }));
        }
        records
    }
}

fn with_identity(record: Record, seq: u64, context: u32) -> Record {
    match record {
        Record::Session(mut r) => {
            (r.seq, r.context, r.path) = (seq, context, vec![context; 3]);
            Record::Session(r)
        }
        Record::Screen(r) => Record::Screen(ScreenRecord { seq, context, ..r }),
        Record::Incident(r) => Record::Incident(IncidentRecord { seq, context, ..r }),
        other => other,
    }
}
