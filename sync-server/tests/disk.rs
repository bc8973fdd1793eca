//! A disk that fills up: refused in order, never damaged, taken again by itself. The
//! disk is a real one: a tmpfs, which takes root to mount.
#![cfg(target_os = "linux")]

#[path = "harness/mod.rs"]
mod harness;
#[path = "harness/process.rs"]
mod process;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use harness::{Device, gzip, mixed};
use serde_json::{Value, json};

const MIB: u64 = 1 << 20;
const DISK_MIB: u64 = 256;

/// A small disk of its own, gone with the test.
struct Disk(tempfile::TempDir);

impl Disk {
    fn mount() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o"])
            .arg(format!("size={DISK_MIB}m"))
            .arg("snag-test")
            .arg(folder.path())
            .status()
            .expect("mount");
        assert!(mounted.success(), "mounting a tmpfs takes root");
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn free(&self) -> u64 {
        let folders = snag_server::disk::Folders {
            data: Some(self.path().to_path_buf()),
            objects: None,
        };
        let free = snag_server::disk::free_bytes(&folders);
        free.expect("an answer").data_bytes
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }

    /// Fills the disk until so much is free; 0 fills it to its end.
    fn fill(&self, free: u64) {
        let mut ballast = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.ballast())
            .expect("a file");
        while self.free() > free {
            let rest = usize::try_from((self.free() - free).min(MIB)).expect("small");
            if ballast.write_all(&vec![7; rest]).is_err() {
                break;
            }
        }
    }

    fn empty(&self) {
        std::fs::remove_file(self.ballast()).expect("the ballast");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let gone = Command::new("umount").arg("-l").arg(self.path()).status();
        assert!(gone.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}

struct Client {
    http: reqwest::Client,
    url: String,
    device: Device,
    next: u64,
}

impl Client {
    async fn new(server: &process::Process, org: &Value) -> Self {
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(60))
            .build()
            .expect("a client");
        let body = json!({"token": org["enroll_token"],
            "device": {"os": "linux", "agent_version": "0.1.0"}});
        let answer = http
            .post(format!("{}/v1/enroll", server.url))
            .json(&body)
            .send();
        let answer: Value = answer.await.expect("an answer").json().await.expect("json");
        let text = |name: &str| answer[name].as_str().expect("text").to_owned();
        Self {
            http,
            url: server.url.clone(),
            device: Device {
                id: text("device"),
                token: text("device_token"),
            },
            next: 1,
        }
    }

    /// The next records of the device, which it keeps until they are taken.
    async fn batch(&mut self) -> (u16, String) {
        let clicks = 3_000;
        let body = gzip(
            self.device
                .of(mixed(self.next, clicks))
                .to_string()
                .as_bytes(),
        );
        let answer = self
            .http
            .post(format!("{}/v1/events/batch", self.url))
            .bearer_auth(&self.device.token)
            .header("content-type", "application/json")
            .header("content-encoding", "gzip")
            .body(body)
            .send()
            .await
            .expect("an answer");
        let status = answer.status().as_u16();
        if status == 200 {
            self.next += clicks + 3;
        }
        (status, answer.text().await.expect("text"))
    }

    async fn screenshot(&self) -> (u16, String) {
        let path = "/v1/feedback/0199a5f0-0000-7000-8000-000000000001/screenshot";
        let answer = self
            .http
            .put(format!("{}{path}", self.url))
            .bearer_auth(&self.device.token)
            .header("content-type", "image/png")
            .body(vec![0; 100])
            .send()
            .await
            .expect("an answer");
        let status = answer.status().as_u16();
        (status, answer.text().await.expect("text"))
    }

    async fn metric(&self, line: &str) -> bool {
        let answer = self.http.get(format!("{}/metrics", self.url)).send();
        let text = answer.await.expect("an answer").text().await.expect("text");
        text.lines().any(|found| found.starts_with(line))
    }
}

/// Waits, bounded, until the server has noticed.
macro_rules! until {
    ($what:expr, $condition:expr) => {
        let began = Instant::now();
        while !$condition {
            assert!(began.elapsed() < Duration::from_secs(30), "{}", $what);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
}

fn verify(data: &Path) {
    let output = process::program(data)
        .arg("verify")
        .output()
        .expect("the command");
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn below_the_floors_it_refuses_in_order_and_recovers() {
    let disk = Disk::mount();
    let data = disk.path().join("data");
    let org = process::organisation(&data);
    let floors = ["--disk-floor-mb", "120", "--disk-floor-events-mb", "60"];
    let mut server = process::start(&data, &floors);
    let mut client = Client::new(&server, &org).await;
    assert_eq!(client.batch().await.0, 200);
    let (status, _) = client.screenshot().await;
    assert_ne!(status, 507, "there is room");

    disk.fill(90 * MIB);
    until!("no screenshots", client.screenshot().await.0 == 507);
    let (_, problem) = client.screenshot().await;
    assert!(problem.contains("insufficient_storage"), "{problem}");
    assert_eq!(client.batch().await.0, 200, "records still go in");

    disk.fill(30 * MIB);
    until!("no records", client.batch().await.0 == 507);
    assert!(
        client
            .metric("snag_disk_refusals_total{what=\"records\"}")
            .await
    );
    let free = client.http.get(format!("{}/health", client.url)).send();
    assert_eq!(free.await.expect("an answer").status(), 200);

    disk.empty();
    until!("room again", client.batch().await.0 == 200);
    let (status, _) = client.screenshot().await;
    assert_ne!(status, 507, "there is room again");
    server.stop();
    verify(&data);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_of_screenshots_refuses_them_alone() {
    let disk = Disk::mount();
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let org = process::organisation(&data);
    let objects = disk.path().to_str().expect("text").to_owned();
    let flags = ["--objects", &objects];
    let floors = ["--disk-floor-mb", "60", "--disk-floor-events-mb", "1"];
    let mut server = process::start(&data, &[&flags[..], &floors[..]].concat());
    let mut client = Client::new(&server, &org).await;
    let (status, _) = client.screenshot().await;
    assert_ne!(status, 507, "there is room");
    disk.fill(30 * MIB);
    until!("no screenshots", client.screenshot().await.0 == 507);
    assert_eq!(client.batch().await.0, 200, "records have their own disk");
    disk.empty();
    until!("room again", client.screenshot().await.0 != 507);
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_is_full_in_the_middle_of_an_insert_damages_nothing() {
    let disk = Disk::mount();
    let data = disk.path().join("data");
    let org = process::organisation(&data);
    let floors = ["--disk-floor-mb", "0", "--disk-floor-events-mb", "0"];
    let mut server = process::start(&data, &floors);
    let mut client = Client::new(&server, &org).await;
    for _ in 0..3 {
        assert_eq!(client.batch().await.0, 200);
    }
    // So little is left that an insert gets somewhere, but not to its end.
    let mut refused = 0;
    for free in [
        3 << 20,
        2 << 20,
        (1 << 20) + (128 << 10),
        1 << 20,
        64 << 10,
        0,
    ] {
        disk.fill(free);
        let (status, problem) = client.batch().await;
        if status != 200 {
            assert!(matches!(status, 503 | 507), "{status}: {problem}");
            refused += 1;
        }
    }
    assert!(refused > 0, "the disk was full");
    disk.empty();
    until!("room again", client.batch().await.0 == 200);
    assert_eq!(client.batch().await.0, 200);
    server.stop();
    // The next start mends what was half in; then nothing differs and nothing is missing.
    let mut server = process::start(&data, &floors);
    server.stop();
    verify(&data);
    let options = snag_warehouse::EmbeddedOptions::new(&data);
    let warehouse = snag_warehouse::Warehouse::embedded(options).expect("the engine");
    let sent = client.next - 1;
    let clicks = sent / 3_003 * 3_000;
    let sql = "SELECT count(), uniqExact(seq) FROM events FINAL";
    assert_eq!(
        harness::text(&warehouse, sql).await,
        format!("{clicks}\t{clicks}")
    );
    warehouse.close().await;
}
