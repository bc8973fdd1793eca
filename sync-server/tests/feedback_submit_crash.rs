//! Killed at random while 200 submissions a second arrive: nothing that was acknowledged
//! is missing, nothing is there twice. And a server that is fed headers without end.

#[path = "harness/mod.rs"]
mod harness;
#[path = "harness/memory.rs"]
mod memory;
#[path = "harness/process.rs"]
mod process;

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rand::Rng as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use snag_server::orgs::{FeedbackRules, OrgPolicy};
use snag_warehouse::{EmbeddedOptions, Warehouse};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use uuid::Uuid;

const DEVICES: usize = 40;
const KILLS: usize = 4;
const PER_SECOND: u64 = 200;

/// An organisation that takes as much as this test sends.
fn organisation(data: &Path) -> Value {
    let org = process::organisation(data);
    let policy = OrgPolicy {
        feedback: FeedbackRules {
            per_device_per_hour: 1_000_000,
            per_address_per_hour: 1_000_000,
        },
        ..OrgPolicy::default()
    };
    let file = data.join("policy.json");
    let policy = serde_json::to_vec(&policy).expect("json");
    std::fs::write(&file, policy).expect("written");
    let output = process::program(data)
        .args(["org", "policy", "--org", "acme", "--set"])
        .arg(&file)
        .output()
        .expect("the command");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    org
}

async fn enroll(client: &reqwest::Client, url: &str, org: &Value) -> String {
    let body =
        json!({"token": org["enroll_token"], "device": {"os": "linux", "agent_version": "0.1.0"}});
    let answer = client.post(format!("{url}/v1/enroll")).json(&body).send();
    let answer: Value = answer.await.expect("an answer").json().await.expect("json");
    answer["device_token"].as_str().expect("text").to_owned()
}

fn picture(number: u32) -> Vec<u8> {
    let pixels = image::RgbImage::from_fn(64, 64, |x, y| {
        image::Rgb([(x * number) as u8, y as u8, number as u8])
    });
    let mut bytes = std::io::Cursor::new(Vec::new());
    image::DynamicImage::from(pixels)
        .write_to(&mut bytes, image::ImageFormat::Png)
        .expect("memory");
    bytes.into_inner()
}

/// What was acknowledged: the words of each id, and the hash of its screenshot.
#[derive(Default)]
struct Acknowledged {
    said: HashMap<Uuid, String>,
    pictures: HashMap<Uuid, String>,
    retries: usize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_by_kills() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let folder = tempfile::tempdir().expect("a folder");
    let org = organisation(folder.path());
    let mut server = process::start(folder.path(), &[]);
    let url = Arc::new(Mutex::new(server.url.clone()));
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(20))
        .build()
        .expect("a client");
    let mut tokens = Vec::new();
    for _ in 0..DEVICES {
        tokens.push(enroll(&client, &server.url, &org).await);
    }
    let acknowledged = Arc::new(Mutex::new(Acknowledged::default()));
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let began = Instant::now();
    let mut devices = tokio::task::JoinSet::new();
    for (number, token) in tokens.into_iter().enumerate() {
        let (client, url, stop) = (client.clone(), Arc::clone(&url), Arc::clone(&stop));
        let acknowledged = Arc::clone(&acknowledged);
        devices.spawn(async move {
            // Each at its own time, all together at the pace.
            let pace = Duration::from_micros(1_000_000 * DEVICES as u64 / PER_SECOND);
            tokio::time::sleep(pace * number as u32 / DEVICES as u32).await;
            let mut timer = tokio::time::interval(pace);
            timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
            let mut sent = 0;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                timer.tick().await;
                sent += 1;
                let id = Uuid::now_v7();
                let words = format!("Device {number} says {sent}.");
                let body = json!({"id": id, "created_at": Timestamp::now().to_string(),
                    "category": "bug", "description": words, "rating": sent % 5 + 1});
                // Every 20th has a screenshot.
                let picture = (sent % 20 == 1).then(|| picture(number as u32 * 1_000 + sent));
                let mut posted = false;
                loop {
                    let base = url.lock().expect("a lock").clone();
                    let request = if posted {
                        client
                            .put(format!("{base}/v1/feedback/{id}/screenshot"))
                            .body(picture.clone().unwrap_or_default())
                    } else {
                        client
                            .post(format!("{base}/v1/feedback"))
                            .header("content-type", "application/json")
                            .body(body.to_string())
                    };
                    match request.bearer_auth(&token).send().await {
                        Ok(answer) if answer.status().is_success() => {
                            let mut acknowledged = acknowledged.lock().expect("a lock");
                            if !posted {
                                acknowledged.said.insert(id, words.clone());
                            }
                            let Some(picture) = &picture else { break };
                            if posted {
                                let hash = hex::encode(Sha256::digest(picture));
                                acknowledged.pictures.insert(id, hash);
                                break;
                            }
                            posted = true;
                            continue;
                        }
                        Ok(answer) => assert_eq!(answer.status(), 503),
                        Err(_) => {}
                    }
                    acknowledged.lock().expect("a lock").retries += 1;
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        });
    }
    for _ in 0..KILLS {
        let enough = acknowledged.lock().expect("a lock").said.len() + 200;
        let waited = Instant::now();
        while acknowledged.lock().expect("a lock").said.len() < enough
            && waited.elapsed() < Duration::from_secs(20)
        {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let pause = rand::rng().random_range(0..60);
        tokio::time::sleep(Duration::from_millis(pause)).await;
        server.kill();
        server = tokio::task::block_in_place(|| process::start(folder.path(), &[]));
        *url.lock().expect("a lock") = server.url.clone();
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let ended = tokio::time::timeout(Duration::from_secs(900), devices.join_all());
    ended.await.expect("they end");
    let took = began.elapsed();
    server.stop();

    let acknowledged = std::mem::take(&mut *acknowledged.lock().expect("a lock"));
    println!(
        "{} submissions and {} screenshots acknowledged in {took:.1?}, {KILLS} kills, {} retries",
        acknowledged.said.len(),
        acknowledged.pictures.len(),
        acknowledged.retries
    );
    assert!(acknowledged.retries > 0, "kills hit requests");
    assert!(acknowledged.said.len() > 50 * KILLS);
    let warehouse = Warehouse::embedded(EmbeddedOptions::new(folder.path())).expect("the engine");
    let stored = |sql: &'static str| {
        let warehouse = &warehouse;
        async move {
            let text = harness::text(warehouse, sql).await;
            text.lines()
                .map(|line| {
                    let (id, rest) = line.split_once('\t').expect("two columns");
                    (id.parse::<Uuid>().expect("an id"), rest.to_owned())
                })
                .collect::<Vec<_>>()
        }
    };
    let said = stored("SELECT id, description FROM feedback FINAL").await;
    let unique: HashSet<Uuid> = said.iter().map(|(id, _)| *id).collect();
    assert_eq!(unique.len(), said.len(), "none is there twice");
    let said: HashMap<Uuid, String> = said.into_iter().collect();
    let facts = stored("SELECT id, count() FROM submissions FINAL GROUP BY id").await;
    assert!(facts.iter().all(|(_, count)| count == "1"));
    let facts: HashSet<Uuid> = facts.into_iter().map(|(id, _)| id).collect();
    for (id, words) in &acknowledged.said {
        assert_eq!(said.get(id), Some(words));
        assert!(facts.contains(id));
    }
    let pictures = stored("SELECT feedback, hash FROM screenshots FINAL").await;
    let pictures: HashMap<Uuid, String> = pictures.into_iter().collect();
    for (id, hash) in &acknowledged.pictures {
        assert_eq!(pictures.get(id), Some(hash));
        let org = org["org"].as_str().expect("text");
        let object = format!("objects/{org}/{}/{hash}", &hash[..2]);
        let bytes = std::fs::read(folder.path().join(object)).expect("the object");
        assert_eq!(&hex::encode(Sha256::digest(bytes)), hash);
    }
    warehouse.close().await;
}

/// An answer to a head says what is wrong as every other one does.
fn is_problem(answer: &str) {
    let (head, body) = answer.split_once("\r\n\r\n").expect("a body");
    let head = head.to_ascii_lowercase();
    assert!(head.contains("\r\ncontent-type: application/problem+json"));
    assert!(head.contains("\r\nconnection: close"), "{head}");
    let problem: snag_wire::Problem = serde_json::from_str(body).expect("a problem");
    assert!(answer.starts_with(&format!("HTTP/1.1 {} {}", problem.status, problem.title)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_without_end_cost_nothing() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let folder = tempfile::tempdir().expect("a folder");
    let org = organisation(folder.path());
    let mut server = process::start(folder.path(), &[]);
    let address = server.url.strip_prefix("http://").expect("http").to_owned();
    // What it takes once is not of interest.
    let client = reqwest::Client::new();
    let token = enroll(&client, &server.url, &org).await;
    let say = async || {
        let body = json!({"id": Uuid::now_v7(), "created_at": Timestamp::now().to_string(),
            "category": "bug", "description": "Still here."});
        let answer = client
            .post(format!("{}/v1/feedback", server.url))
            .bearer_auth(&token)
            .json(&body)
            .send();
        assert_eq!(answer.await.expect("an answer").status(), 201);
    };
    say().await;
    let process = server.child.id().to_string();
    let before = memory::held_bytes(&process);
    for (head, said) in [
        ("POST /v1/feedback HTTP/1.1\r\nHost: x\r\n", "HTTP/1.1 431 "),
        ("GET /", "HTTP/1.1 4"),
    ] {
        let mut stream = TcpStream::connect(&address).await.expect("a connection");
        stream.write_all(head.as_bytes()).await.expect("sent");
        let (mut reader, mut writer) = stream.into_split();
        let answer = tokio::spawn(async move {
            let mut answer = Vec::new();
            // It ends with a reset: whoever sends without end is not listened to for long.
            drop(reader.read_to_end(&mut answer).await);
            String::from_utf8_lossy(&answer).into_owned()
        });
        // One gigabyte, if somebody would read it.
        let line = format!("X-Header: {}\r\n", "x".repeat(1_000));
        let many = line.repeat(1_000);
        let mut sent = 0_usize;
        while sent < 1 << 30 {
            if writer.write_all(many.as_bytes()).await.is_err() {
                break;
            }
            sent += many.len();
        }
        assert!(sent < 64 << 20, "{sent} bytes of headers were taken");
        let answer = answer.await.expect("no panic");
        assert!(answer.starts_with(said), "{answer}");
        is_problem(&answer);
    }
    // What is no HTTP, and what is a little too long, by a client that reads once it has sent.
    let long = format!("X-Header: {}\r\n", "x".repeat(100_000));
    for (head, said) in [
        ("BREW /%zz\r\n\r\n".to_owned(), "HTTP/1.1 400 "),
        (
            format!("GET /health HTTP/1.1\r\nHost: x\r\n{long}\r\n"),
            "HTTP/1.1 431 ",
        ),
    ] {
        let mut stream = TcpStream::connect(&address).await.expect("a connection");
        stream.write_all(head.as_bytes()).await.expect("sent");
        tokio::time::sleep(Duration::from_millis(200)).await;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer");
        assert!(answer.starts_with(said), "{answer}");
        is_problem(&answer);
    }
    let after = memory::held_bytes(&process);
    assert!(after < before + (50 << 20), "{before} bytes, then {after}");
    // It goes on as if nothing had been.
    say().await;
    drop(client);
    server.stop();
}
