//! Killed at random while devices send: every record is stored once, every rollup is
//! what a recount gives.

#[path = "harness/mod.rs"]
mod harness;
#[path = "harness/process.rs"]
mod process;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use harness::{Device, gzip, mixed};
use rand::Rng as _;
use serde_json::{Value, json};
use snag_server::verify::{self, Window};
use snag_warehouse::{EmbeddedOptions, Warehouse};

const DEVICES: usize = 6;
const KILLS: usize = 12;
const CLICKS: u64 = 40;

/// Sends as an agent does: in order, each batch again until it is answered with 200.
async fn send(
    device: Device,
    url: Arc<Mutex<String>>,
    stop: Arc<AtomicBool>,
    retries: Arc<AtomicUsize>,
    stored: Arc<AtomicUsize>,
) -> u64 {
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(20))
        .build()
        .expect("a client");
    let mut from = 1;
    while !stop.load(Ordering::Relaxed) {
        let body = gzip(device.of(mixed(from, CLICKS)).to_string().as_bytes());
        loop {
            let url = url.lock().expect("a lock").clone();
            let answer = client
                .post(format!("{url}/v1/events/batch"))
                .bearer_auth(&device.token)
                .header("content-type", "application/json")
                .header("content-encoding", "gzip")
                .body(body.clone())
                .send()
                .await;
            match answer {
                Ok(answer) if answer.status() == 200 => {
                    let answer: Value = answer.json().await.expect("json");
                    let stored = answer["accepted"]
                        .as_u64()
                        .zip(answer["duplicates"].as_u64());
                    let (accepted, duplicates) = stored.expect("counts");
                    assert_eq!(accepted + duplicates, CLICKS + 3, "{answer}");
                    break;
                }
                Ok(answer) => assert_eq!(answer.status(), 503),
                Err(_) => {}
            }
            retries.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        from += CLICKS + 3;
        stored.fetch_add(1, Ordering::Relaxed);
    }
    from - 1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_doubled_by_kills() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let folder = tempfile::tempdir().expect("a folder");
    let org = process::organisation(folder.path());
    let mut server = process::start(folder.path(), &[]);
    let url = Arc::new(Mutex::new(server.url.clone()));
    let stop = Arc::new(AtomicBool::new(false));
    let retries = Arc::new(AtomicUsize::new(0));
    let stored = Arc::new(AtomicUsize::new(0));
    let client = reqwest::Client::new();
    let mut senders = tokio::task::JoinSet::new();
    for _ in 0..DEVICES {
        let body = json!({"token": org["enroll_token"],
            "device": {"os": "linux", "agent_version": "0.1.0"}});
        let answer = client
            .post(format!("{}/v1/enroll", server.url))
            .json(&body)
            .send();
        let answer: Value = answer.await.expect("an answer").json().await.expect("json");
        let text = |name: &str| answer[name].as_str().expect("text").to_owned();
        let device = Device {
            id: text("device"),
            token: text("device_token"),
        };
        senders.spawn(send(
            device,
            Arc::clone(&url),
            Arc::clone(&stop),
            Arc::clone(&retries),
            Arc::clone(&stored),
        ));
    }
    for _ in 0..KILLS {
        // However slow the machine is, the server dies in the middle of its work.
        let enough = stored.load(Ordering::Relaxed) + rand::rng().random_range(2..20);
        let began = Instant::now();
        while stored.load(Ordering::Relaxed) < enough && began.elapsed() < Duration::from_secs(20) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let pause = rand::rng().random_range(0..60);
        tokio::time::sleep(Duration::from_millis(pause)).await;
        server.kill();
        server = tokio::task::block_in_place(|| process::start(folder.path(), &[]));
        *url.lock().expect("a lock") = server.url.clone();
    }
    stop.store(true, Ordering::Relaxed);
    let all = tokio::time::timeout(Duration::from_secs(900), senders.join_all());
    let sent: u64 = all.await.expect("they end").into_iter().sum();
    server.stop();
    assert!(retries.load(Ordering::Relaxed) > 0, "kills hit requests");

    let warehouse = Warehouse::embedded(EmbeddedOptions::new(folder.path())).expect("the engine");
    let batches = sent / (CLICKS + 3);
    assert!(batches > KILLS as u64, "{batches} batches were stored");
    for (table, each) in [
        ("events", CLICKS),
        ("sessions", 1),
        ("screens", 1),
        ("incidents", 1),
    ] {
        let sql = format!("SELECT count(), uniqExact(device, seq) FROM {table}");
        let expected = batches * each;
        assert_eq!(
            harness::text(&warehouse, &sql).await,
            format!("{expected}\t{expected}"),
            "{table}"
        );
    }
    let report = verify::verify(&warehouse, &Window::All, None)
        .await
        .expect("a report");
    assert_eq!(report.differences, []);
    assert_eq!(report.rollups.len(), 9);
    warehouse.close().await;
}
