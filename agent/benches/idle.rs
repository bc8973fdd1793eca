//! What the agent costs while nobody does anything: how often its threads wake up, and for how long they run.
//!
//! The headless agent (`snag-agent run`) and the app's host (the same with everything that the app adds, without a
//! window), each enrolled and capturing a desktop of its own, after it was used and all that was recorded is sent.
//! The system counts: voluntary context switches and the scheduler's nanoseconds, by thread.
//!
//! `cargo bench -p snag-agent --bench idle` (`-- 300` measures for five minutes instead of one)

#[path = "../capture/tests/desktop/mod.rs"]
mod desktop;
#[allow(dead_code, reason = "a test's server, of which this uses a part")]
#[path = "../tests/host/server.rs"]
mod server;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use desktop::{Desktop, EVERYTHING, Ended, wait_until};
use serde_json::Value;
use server::{Server, TOKEN, policy};
use snag_agent::config::{Identity, Paths};
use snag_agent::host::{Host, HostOptions};
use uuid::Uuid;

/// Names the folder of the app's host that this process is.
const CHILD: &str = "SNAG_BENCH_IDLE_FOLDER";

/// After this long what follows an input is over: sampling of redraws, threads that wait for more work.
const SETTLED: Duration = Duration::from_secs(45);

/// A policy that isn't asked for while we measure, and records that leave at once.
const POLICY_INTERVAL_MS: u64 = 3_600_000;
const BATCH_AGE_MS: u64 = 1_000;

fn main() {
    if let Some(folder) = std::env::var_os(CHILD) {
        app(&PathBuf::from(folder));
        return;
    }
    // Cargo hands on `--bench`.
    let seconds = std::env::args()
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(60);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let server = runtime.block_on(Server::start());
    {
        let mut policy = server.shared.policy.lock();
        policy.sync.policy_interval_ms = POLICY_INTERVAL_MS;
        policy.sync.batch_age_ms = BATCH_AGE_MS;
    }
    println!("| agent at rest for {seconds} s | wake-ups a second | CPU of one core | resident |");
    println!("|---|---|---|---|");
    let this = std::env::current_exe().expect("this program");
    at_rest("headless", &server, seconds, |desktop, folder| {
        let mut command = desktop.command(env!("CARGO_BIN_EXE_snag-agent"));
        command.arg("run").arg("--data-dir").arg(folder);
        command
    });
    at_rest("the app's host", &server, seconds, |desktop, folder| {
        let mut command = desktop.command(&this);
        command.env(CHILD, folder);
        command
    });
}

/// Is the app's host, until it is killed.
#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn app(folder: &Path) {
    let options = HostOptions {
        managed: folder.join("policy.json"),
        ..HostOptions::app()
    };
    let host = Host::start(Paths::at(folder).expect("a folder"), options)
        .await
        .expect("the host starts");
    while host
        .acknowledge(&host.first_run().expect("the page").version)
        .is_err()
    {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    std::future::pending::<()>().await;
}

fn at_rest(
    what: &str,
    server: &Server,
    seconds: u64,
    agent: impl FnOnce(&Desktop, &Path) -> Command,
) {
    let folder = tempfile::tempdir().expect("a folder");
    let paths = Paths::at(folder.path().join("snag")).expect("a folder");
    let identity = Identity {
        server: server.address(),
        ca: None,
        product: "default".into(),
        device: Uuid::from_u128(5),
        device_token: TOKEN.to_owned(),
        policy: policy(),
    };
    identity.save(&paths.identity()).expect("it enrols");
    let desktop = Desktop::start(EVERYTHING);
    let child = agent(&desktop, paths.root())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the agent starts");
    let pid = child.id();
    let _agent = Ended(child);
    let hand = desktop.hand();
    wait_until("moves are captured and sent", || {
        hand.move_to((300, 300));
        std::thread::sleep(Duration::from_millis(300));
        hand.click_at((310, 310));
        !server.shared.seen.lock().records.is_empty()
            && status(&paths)["capture"]["counts"]["moves"].as_u64() > Some(0)
    });
    server.shared.seen.lock().records.clear();
    std::thread::sleep(SETTLED);
    let before = threads(pid);
    std::thread::sleep(Duration::from_secs(seconds));
    let after = threads(pid);
    let mut all = Used::default();
    let mut rows = Vec::new();
    for (task, (name, used)) in &after {
        let before = before
            .get(task)
            .map_or_else(Used::default, |(_, used)| *used);
        let since = Used {
            wake_ups: used.wake_ups - before.wake_ups,
            cpu_ns: used.cpu_ns - before.cpu_ns,
        };
        all.wake_ups += since.wake_ups;
        all.cpu_ns += since.cpu_ns;
        rows.push((since, name));
    }
    let row = |name: &str, used: Used, resident: &str| {
        println!(
            "| {name} | {:.3} | {:.4} % | {resident} |",
            used.wake_ups as f64 / seconds as f64,
            used.cpu_ns as f64 / seconds as f64 / 1e7,
        );
    };
    row(what, all, &format!("{:.1} MB", resident_mb(pid)));
    rows.sort_unstable_by_key(|(used, _)| std::cmp::Reverse(used.wake_ups));
    for (used, name) in rows.iter().filter(|(used, _)| used.wake_ups > 0) {
        row(&format!("  thread `{name}`"), *used, "");
    }
}

fn status(paths: &Paths) -> Value {
    let bytes = std::fs::read(paths.status()).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

#[derive(Clone, Copy, Default)]
struct Used {
    wake_ups: u64,
    cpu_ns: u64,
}

/// Each thread by its id: its name, and what it used since it began.
fn threads(pid: u32) -> BTreeMap<String, (String, Used)> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("the agent runs");
    tasks
        .flatten()
        .filter_map(|task| {
            let read = |name| std::fs::read_to_string(task.path().join(name)).ok();
            let (name, status, times) = (read("comm")?, read("status")?, read("schedstat")?);
            let wake_ups = field(&status, "voluntary_ctxt_switches:")?;
            let cpu_ns = times.split_whitespace().next()?.parse().ok()?;
            let id = task.file_name().to_string_lossy().into_owned();
            Some((id, (name.trim().to_owned(), Used { wake_ups, cpu_ns })))
        })
        .collect()
}

fn resident_mb(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the agent runs");
    field(&status, "VmRSS:").expect("a number") as f64 / 1_024.0
}

fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
