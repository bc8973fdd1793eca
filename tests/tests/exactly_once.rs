//! Twenty devices behind a network that drops answers, delays, cuts connections and
//! sends requests twice, while server and agents are killed at random. At the end
//! every record is in its table once, and every rollup equals a recount.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use snag_e2e::generate;
use snag_e2e::process::{Agent, Running, Server};
use snag_e2e::proxy::{self, Faults};
use snag_e2e::sql::Sql;

const DEVICES: usize = 20;
const ROUNDS: u64 = 3;

/// So often the server is killed at least.
const SERVER_KILLS: u32 = 3;

/// How long that is waited for.
const KILLS_DEADLINE: Duration = Duration::from_secs(600);

/// How often what waits at the end is tried to be sent: the network still fails, now and then too often in a row.
const LAST_TRIES: usize = 5;

const SCREENS: [&str; 6] = [
    "Inbox",
    "Invoice entry",
    "Invoice list",
    "Tax settings",
    "Search",
    "Help",
];

#[test]
fn every_record_arrives_once_through_faults_and_kills() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut server = Server::new(folder.path(), &[])?;
    let tokens = server.create_org("Faulty Ltd", 5)?;
    server.start()?;

    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let faults = Faults {
        drop_answer: 15,
        cut_request: 8,
        cut_answer: 7,
        repeat: 10,
        race: 10,
        delay: 15,
    };
    let proxy = runtime.block_on(proxy::start(server.address, faults, 0x5eed))?;
    let through_proxy = format!("http://{}", proxy.address);

    let agents: Vec<_> = (0..DEVICES)
        .map(|n| Agent::new(folder.path().join(format!("agent-{n}"))))
        .collect();
    for agent in &agents {
        enroll_through_faults(agent, &through_proxy, &tokens.enroll)?;
    }

    let server = Arc::new(Mutex::new(server));
    let done = Arc::new(AtomicBool::new(false));
    let server_kills = Arc::new(AtomicU32::new(0));
    let killer = std::thread::spawn({
        let (server, done) = (Arc::clone(&server), Arc::clone(&done));
        let kills = Arc::clone(&server_kills);
        move || -> Result<()> {
            let mut rng = StdRng::seed_from_u64(1);
            while !done.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(rng.random_range(800..3_000)));
                let mut server = server
                    .lock()
                    .expect("no test thread panics with the server");
                server.kill();
                kills.fetch_add(1, Ordering::Relaxed);
                server.start()?;
            }
            Ok(())
        }
    });

    let begin = Instant::now();
    let is_calm =
        || server_kills.load(Ordering::Relaxed) < SERVER_KILLS && begin.elapsed() < KILLS_DEADLINE;
    let agent_kills = std::thread::scope(|scope| -> Result<u32> {
        // Four at a time: two cores also run the server.
        let lanes: Vec<_> = (0..4)
            .map(|lane| {
                let (agents, is_calm) = (&agents, &is_calm);
                let folder = folder.path();
                scope.spawn(move || -> Result<u32> {
                    let mut kills = 0;
                    let mine = agents.iter().enumerate().skip(lane).step_by(4);
                    for (nth, (number, agent)) in mine.cycle().enumerate() {
                        // Where the server takes long to start they go on until it was killed often enough.
                        if nth >= DEVICES / 4 && !is_calm() {
                            break;
                        }
                        kills += work(agent, number as u64, folder)?;
                    }
                    Ok(kills)
                })
            })
            .collect();
        let mut kills = 0;
        for lane in lanes {
            kills += lane.join().expect("a lane reports its errors")?;
        }
        Ok(kills)
    })?;
    done.store(true, Ordering::Relaxed);
    killer.join().expect("the killer reports its errors")?;
    let server_kills = server_kills.load(Ordering::Relaxed);

    // Nobody is killed any more; what still waits is sent, and one more morning by each,
    // so that a device whose every replay was killed at birth has something, too.
    let mut expected = BTreeMap::new();
    let morning = folder.path().join("last.jsonl");
    std::fs::write(&morning, generate::morning(7, 20, "invoices", &SCREENS))?;
    for agent in &agents {
        let mut sent = agent.run(&["replay", &morning.to_string_lossy(), "--send"]);
        for _ in 1..LAST_TRIES {
            if sent.is_ok() {
                break;
            }
            sent = agent.run(&["send"]);
        }
        sent?;
        let status: serde_json::Value = serde_json::from_str(&agent.run(&["status", "--json"])?)?;
        ensure!(
            status["waiting_records"] == 0 && status["dead_letters"] == 0,
            "{status}"
        );
        ensure!(status["drops"] == serde_json::json!([]), "{status}");
        let identity = std::fs::read(agent.data().join("identity.json"))?;
        let identity: serde_json::Value = serde_json::from_slice(&identity)?;
        let device = identity["device"].as_str().context("device")?.to_owned();
        expected.insert(device, status["next_seq"].as_u64().context("next_seq")? - 1);
    }
    let mut server = Arc::into_inner(server)
        .context("still shared")?
        .into_inner()
        .expect("not poisoned");
    server.stop()?;

    ensure!(
        server_kills >= SERVER_KILLS && agent_kills >= 20,
        "too calm: {server_kills} and {agent_kills} kills"
    );
    ensure!(
        proxy.counts.faults.load(Ordering::Relaxed) >= 50,
        "too few faults: {:?}",
        proxy.counts
    );

    let verify = server.command(&["verify"])?;
    ensure!(
        verify.status.success(),
        "rollups differ from a recount: {}{}",
        String::from_utf8_lossy(&verify.stdout),
        String::from_utf8_lossy(&verify.stderr)
    );
    let sql = Sql::over(&server)?;
    // Without FINAL: a second copy of a row would show.
    let all = "SELECT device, seq FROM events UNION ALL SELECT device, seq FROM sessions \
               UNION ALL SELECT device, seq FROM screens UNION ALL SELECT device, seq FROM incidents \
               UNION ALL SELECT device, seq FROM labels";
    let rows = sql.rows(&format!(
        "SELECT toString(device) AS device, count() AS rows, uniqExact(seq) AS seqs, min(seq) AS least, max(seq) AS most \
         FROM ({all}) GROUP BY device"
    ))?;
    let number = |row: &serde_json::Value, name: &str| -> Result<u64> {
        match &row[name] {
            serde_json::Value::String(text) => Ok(text.parse()?),
            value => value.as_u64().with_context(|| format!("{name} in {row}")),
        }
    };
    ensure!(
        rows.len() == DEVICES,
        "{} devices on the server",
        rows.len()
    );
    for row in &rows {
        let device = row["device"].as_str().context("device")?;
        let last = expected[device];
        for name in ["rows", "seqs", "most"] {
            ensure!(
                number(row, name)? == last,
                "device {device} stored {last} records; the server says {row}"
            );
        }
        ensure!(number(row, "least")? == 1, "{row}");
    }
    Ok(())
}

/// Enrolment isn't idempotent by nature; a lost answer leaves a device behind that never sends.
fn enroll_through_faults(agent: &Agent, server: &str, token: &str) -> Result<()> {
    let mut last = None;
    for _ in 0..40 {
        match agent.enroll(server, token) {
            Ok(()) => return Ok(()),
            Err(error) => last = Some(error),
        }
    }
    Err(last.context("tried")?)
}

/// Replays some mornings, killed now and then while storing or sending.
fn work(agent: &Agent, device: u64, folder: &std::path::Path) -> Result<u32> {
    let mut rng = StdRng::seed_from_u64(1_000 + device);
    let mut kills = 0;
    for round in 0..ROUNDS {
        let file = folder.join(format!("recording-{device}-{round}.jsonl"));
        let screens = &SCREENS[..rng.random_range(3..SCREENS.len())];
        std::fs::write(
            &file,
            generate::morning(device * 100 + round, 60, "invoices", screens),
        )?;
        let file = file.to_str().context("a path in UTF-8")?;
        let child = agent
            .command(&["replay", file, "--send"])?
            .stdout(null())
            .stderr(null())
            .spawn()?;
        let mut running = Running(child);
        std::thread::sleep(Duration::from_millis(rng.random_range(20..1_500)));
        if running.0.try_wait()?.is_none() {
            running.kill();
            kills += 1;
        }
        // Then it is left alone for a while, as a device that is started again.
        let child = agent
            .command(&["send"])?
            .stdout(null())
            .stderr(null())
            .spawn()?;
        let mut running = Running(child);
        let begin = Instant::now();
        let patience = Duration::from_millis(rng.random_range(300..4_000));
        while running.0.try_wait()?.is_none() && begin.elapsed() < patience {
            std::thread::sleep(Duration::from_millis(20));
        }
        if running.0.try_wait()?.is_none() {
            running.kill();
            kills += 1;
        }
    }
    Ok(kills)
}

fn null() -> std::process::Stdio {
    std::process::Stdio::null()
}
