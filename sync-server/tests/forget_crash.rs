//! Killed in the middle of a deletion, of an item and of a person: after the restart
//! nothing is half gone, and the receipt says what went as if nothing had happened.

#[path = "harness/mod.rs"]
mod harness;
#[path = "harness/process.rs"]
mod process;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use harness::{Device, gzip, mixed};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use snag_server::orgs::{FeedbackRules, OrgPolicy};
use snag_warehouse::{EmbeddedOptions, Warehouse};
use uuid::Uuid;

/// Kills within an item's deletion, and within a person's, spread over the time it takes.
const KILLS: u32 = 6;
const LONG: Duration = Duration::from_secs(60);

/// An item as it was sent.
struct Item {
    id: Uuid,
    picture: Vec<u8>,
}

/// A server that is killed and started again over the same folder.
struct Desk {
    data: tempfile::TempDir,
    server: process::Process,
    http: reqwest::Client,
    org: Value,
    pictures: u8,
}

impl Desk {
    fn start() -> Self {
        drop(rustls::crypto::ring::default_provider().install_default());
        let data = tempfile::tempdir().expect("a folder");
        let org = process::organisation(data.path());
        let policy = OrgPolicy {
            feedback: FeedbackRules {
                per_device_per_hour: 1_000,
                per_address_per_hour: 1_000,
            },
            ..OrgPolicy::default()
        };
        let file = data.path().join("policy.json");
        std::fs::write(&file, serde_json::to_vec(&policy).expect("json")).expect("written");
        let set = process::program(data.path())
            .args(["org", "policy", "--org", "acme", "--set"])
            .arg(&file)
            .status();
        assert!(set.expect("the command").success());
        let server = process::start(data.path(), &[]);
        let http = reqwest::Client::builder().timeout(LONG).build();
        Self {
            server,
            http: http.expect("a client"),
            org,
            data,
            pictures: 0,
        }
    }

    fn kill(&mut self) {
        self.server.kill();
    }

    fn start_again(&mut self) {
        self.server = process::start(self.data.path(), &[]);
    }

    fn token(&self, name: &str) -> String {
        self.org[name].as_str().expect("text").to_owned()
    }

    fn request(&self, method: &str, path: &str, token: &str) -> reqwest::RequestBuilder {
        let method = method.parse().expect("a method");
        self.http
            .request(method, format!("{}{path}", self.server.url))
            .bearer_auth(token)
    }

    async fn get(&self, path: &str) -> (u16, Vec<u8>) {
        let request = self.request("GET", path, &self.token("analyst_token"));
        let answer = request.send().await.expect("an answer");
        let status = answer.status().as_u16();
        (status, answer.bytes().await.expect("a body").to_vec())
    }

    async fn enroll(&self) -> Device {
        let body = json!({"token": self.org["enroll_token"],
            "device": {"os": "linux", "agent_version": "0.1.0"}});
        let request = self.request("POST", "/v1/enroll", "").json(&body);
        let answer = request.send().await.expect("an answer");
        let answer: Value = answer.json().await.expect("json");
        let text = |name: &str| answer[name].as_str().expect("text").to_owned();
        Device {
            id: text("device"),
            token: text("device_token"),
        }
    }

    async fn records(&self, device: &Device, from: u64) {
        let body = gzip(device.of(mixed(from, 15)).to_string().as_bytes());
        let answer = self
            .request("POST", "/v1/events/batch", &device.token)
            .header("content-type", "application/json")
            .header("content-encoding", "gzip")
            .body(body)
            .send()
            .await
            .expect("an answer");
        assert_eq!(answer.status(), 200);
    }

    fn new_picture(&mut self) -> Vec<u8> {
        self.pictures += 1;
        let shade = self.pictures;
        let pixels = image::RgbImage::from_fn(64, 64, |x, y| {
            image::Rgb([(x as u8).wrapping_mul(shade), y as u8, shade])
        });
        let mut bytes = std::io::Cursor::new(Vec::new());
        image::DynamicImage::from(pixels)
            .write_to(&mut bytes, image::ImageFormat::Png)
            .expect("memory");
        bytes.into_inner()
    }

    /// An item with details, a picture, its thumbnail, and a note of the desk.
    async fn item(&self, device: &Device, picture: Vec<u8>) -> Item {
        let id = Uuid::now_v7();
        let body = json!({"id": id, "created_at": Timestamp::now().to_string(), "category": "bug",
            "description": "The zebra report hangs.", "rating": 2, "tags": ["slow"],
            "target": {"app": "excel", "screen": "Export"}, "app_state": {"rows": 12}});
        let answer = self
            .request("POST", "/v1/feedback", &device.token)
            .json(&body)
            .send();
        assert_eq!(answer.await.expect("an answer").status(), 201);
        let path = format!("/v1/feedback/{id}/screenshot");
        let answer = self
            .request("PUT", &path, &device.token)
            .body(picture.clone())
            .send();
        assert_eq!(answer.await.expect("an answer").status(), 201);
        let path = format!("/v1/feedback/{id}/thumbnail");
        assert_eq!(self.get(&path).await.0, 200);
        let path = format!("/v1/feedback/{id}/notes");
        let note = self
            .request("POST", &path, &self.token("admin_token"))
            .json(&json!({"text": "Seen on the zebra server."}))
            .send();
        let note = note.await.expect("an answer");
        assert!(note.status().is_success(), "{note:?}");
        // The picture shows in the list once the work after its answer is done.
        let begun = Instant::now();
        loop {
            let (status, body) = self.get(&format!("/v1/feedback/{id}")).await;
            let body: Value = serde_json::from_slice(&body).expect("json");
            assert_eq!(status, 200, "{body}");
            if body["has_screenshot"] == true {
                break;
            }
            assert!(begun.elapsed() < LONG, "{body}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Item { id, picture }
    }

    /// The files of a picture: itself and its thumbnail.
    fn files(&self, picture: &[u8]) -> Vec<PathBuf> {
        let hash = hex::encode(Sha256::digest(picture));
        let org = self.token("org");
        let folder = self.data.path().join("objects").join(org).join(&hash[..2]);
        [hash.clone(), format!("{hash}.thumb.webp")]
            .into_iter()
            .map(|name| folder.join(name))
            .filter(|path| path.exists())
            .collect()
    }

    fn bytes(&self, picture: &[u8]) -> u64 {
        let files = self.files(picture).into_iter();
        files
            .map(|path| path.metadata().expect("a file").len())
            .sum()
    }

    /// Asks for a deletion; its receipt.
    async fn delete(&self, path: &str) -> Value {
        let begun = Instant::now();
        loop {
            let request = self.request("DELETE", path, &self.token("admin_token"));
            let answer = request.send().await.expect("an answer");
            let status = answer.status();
            let receipt: Value = answer.json().await.expect("json");
            if status == 200 {
                return receipt;
            }
            assert_eq!(status, 503, "{receipt}");
            assert!(begun.elapsed() < LONG, "{receipt}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Asks for a deletion and kills the server so much later; then starts it again.
    async fn kill_in_deletion(&mut self, path: &str, after: Duration) {
        let request = self.request("DELETE", path, &self.token("admin_token"));
        let asked = tokio::spawn(request.send());
        tokio::time::sleep(after).await;
        self.kill();
        drop(asked.await.expect("no panic"));
        tokio::task::block_in_place(|| self.start_again());
    }

    /// Waits until a deletion that was begun is finished by the server alone; tells
    /// whether one was begun. What is neither whole nor gone is still being deleted.
    async fn gone_by_itself(&self, items: &[Item]) -> bool {
        let path = format!("/v1/feedback/{}", items[0].id);
        let begun = Instant::now();
        loop {
            let (status, _) = self.get(&path).await;
            if status == 404 {
                return true;
            }
            assert_eq!(status, 200);
            let waited = begun.elapsed();
            if waited > Duration::from_secs(4) {
                let mut whole = true;
                for item in items {
                    whole &= self.is_whole(item).await;
                }
                if whole {
                    return false;
                }
            }
            assert!(waited < LONG, "half of it is still there");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Whether an item has all that it had.
    async fn is_whole(&self, item: &Item) -> bool {
        let path = format!("/v1/feedback/{}", item.id);
        let picture = self.get(&format!("{path}/screenshot")).await;
        let thread = self.get(&format!("{path}/thread")).await;
        self.get(&path).await.0 == 200
            && picture == (200, item.picture.clone())
            && self.get(&format!("{path}/thumbnail")).await.0 == 200
            && thread.0 == 200
            && String::from_utf8_lossy(&thread.1).contains("zebra server")
    }

    /// Ends the server as an operator does, then compares every rollup with a recount.
    fn verify(&mut self) {
        self.server.stop();
        let output = process::program(self.data.path())
            .arg("verify")
            .output()
            .expect("the command");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}");
    }
}

/// A process has one engine.
static ENGINE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// In how many rows of each table one of these stands.
async fn traces(data: &Path, texts: &[String]) -> BTreeMap<String, u64> {
    let _alone = ENGINE.lock().await;
    let warehouse = Warehouse::embedded(EmbeddedOptions::new(data)).expect("the engine");
    let columns = "SELECT table, arrayStringConcat(groupArray(concat('toString(', name, ')')), ', ') \
                   FROM system.columns WHERE database = currentDatabase() AND table NOT LIKE '%\\_view' \
                   AND type NOT LIKE 'AggregateFunction%' GROUP BY table ORDER BY table";
    let mut found = BTreeMap::new();
    let texts: Vec<String> = texts.iter().map(|text| format!("'{text}'")).collect();
    for line in harness::text(&warehouse, columns).await.lines() {
        let (table, columns) = line.split_once('\t').expect("two columns");
        let sql = format!(
            "SELECT count() FROM {table} WHERE multiSearchAny(concat_ws(' ', {columns}), [{}])",
            texts.join(", ")
        );
        let count: u64 = harness::text(&warehouse, &sql)
            .await
            .parse()
            .expect("a number");
        if count > 0 {
            found.insert(table.to_owned(), count);
        }
    }
    warehouse.close().await;
    found
}

/// Every receipt that the audit log names.
async fn audited(data: &Path, action: &str) -> String {
    let _alone = ENGINE.lock().await;
    let warehouse = Warehouse::embedded(EmbeddedOptions::new(data)).expect("the engine");
    let sql = format!("SELECT target, detail FROM audit WHERE action = '{action}'");
    let audited = harness::text(&warehouse, &sql).await;
    warehouse.close().await;
    audited
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_item_is_whole_or_gone() {
    let mut desk = Desk::start();
    let device = desk.enroll().await;
    let picture = desk.new_picture();
    let first = desk.item(&device, picture).await;
    let bytes = desk.bytes(&first.picture);
    assert_eq!(desk.files(&first.picture).len(), 2);
    let began = Instant::now();
    let undisturbed = desk.delete(&format!("/v1/feedback/{}", first.id)).await;
    let takes = began.elapsed();
    assert_eq!(undisturbed["bytes_freed"], bytes);

    let (mut gone, mut stay, mut receipts) = (vec![first], Vec::new(), Vec::new());
    let mut finished = 0;
    for kill in 0..KILLS {
        let picture = desk.new_picture();
        let item = desk.item(&device, picture.clone()).await;
        // Another shows the same picture, every other time: it is not to lose it.
        let shared = kill % 2 == 1;
        if shared {
            stay.push(desk.item(&device, picture).await);
        }
        let bytes = if shared { 0 } else { desk.bytes(&item.picture) };
        let path = format!("/v1/feedback/{}", item.id);
        desk.kill_in_deletion(&path, takes * (2 * kill + 1) / (2 * KILLS))
            .await;
        if desk.gone_by_itself(std::slice::from_ref(&item)).await {
            finished += 1;
        }
        let receipt = desk.delete(&path).await;
        assert_eq!(receipt["what"], undisturbed["what"], "after kill {kill}");
        assert_eq!(receipt["bytes_freed"], bytes, "after kill {kill}");
        assert_eq!(desk.get(&path).await.0, 404);
        assert_eq!(desk.get(&format!("{path}/screenshot")).await.0, 404);
        assert_eq!(desk.files(&item.picture).len(), if shared { 2 } else { 0 });
        assert_eq!(desk.delete(&path).await, receipt, "the same receipt");
        receipts.push(receipt["receipt"].as_str().expect("an id").to_owned());
        gone.push(item);
    }
    assert!(finished > 0, "a kill hit a deletion that had begun");
    for item in &stay {
        assert!(desk.is_whole(item).await);
    }
    desk.verify();
    let ids: Vec<String> = gone.iter().map(|item| item.id.to_string()).collect();
    let left = traces(desk.data.path(), &ids).await;
    // Bare ids: who did what, what was deleted, and what listeners are told of it.
    assert_eq!(
        left.keys().collect::<Vec<_>>(),
        ["audit", "forgotten", "live_events"],
        "{left:?}"
    );
    let audited = audited(desk.data.path(), "feedback.delete").await;
    for receipt in receipts {
        assert!(audited.contains(&receipt), "the audit log names {receipt}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_is_whole_or_gone() {
    let mut desk = Desk::start();
    let stays = desk.enroll().await;
    desk.records(&stays, 1).await;
    let picture = desk.new_picture();
    let theirs = desk.item(&stays, picture).await;
    let (mut gone, mut said, mut receipts) = (Vec::new(), Vec::new(), Vec::new());
    let (mut takes, mut undisturbed, mut finished) = (Duration::ZERO, Value::Null, 0);
    for kill in 0..=KILLS {
        let person = desk.enroll().await;
        desk.records(&person, 1).await;
        desk.records(&person, 101).await;
        let mut items = Vec::new();
        for _ in 0..2 {
            let picture = desk.new_picture();
            items.push(desk.item(&person, picture).await);
        }
        let bytes: u64 = items.iter().map(|item| desk.bytes(&item.picture)).sum();
        let path = format!("/v1/admin/people/{}", person.id);
        if kill == 0 {
            let began = Instant::now();
            undisturbed = desk.delete(&path).await;
            takes = began.elapsed();
            assert_eq!(undisturbed["what"]["feedback"], 2);
            assert_eq!(undisturbed["what"]["events"], 30);
            assert_eq!(undisturbed["bytes_freed"], bytes);
        } else {
            desk.kill_in_deletion(&path, takes * (2 * kill - 1) / (2 * KILLS))
                .await;
            if desk.gone_by_itself(&items).await {
                finished += 1;
            }
        }
        let receipt = desk.delete(&path).await;
        assert_eq!(receipt["what"], undisturbed["what"], "after kill {kill}");
        assert_eq!(receipt["bytes_freed"], bytes, "after kill {kill}");
        for item in &items {
            assert_eq!(desk.get(&format!("/v1/feedback/{}", item.id)).await.0, 404);
            assert!(desk.files(&item.picture).is_empty());
            said.push(item.id.to_string());
        }
        let policy = desk.request("GET", "/v1/policy", &person.token).send();
        assert_eq!(policy.await.expect("an answer").status(), 401);
        receipts.push(receipt["receipt"].as_str().expect("an id").to_owned());
        gone.push(person.id);
    }
    assert!(finished > 0, "a kill hit a deletion that had begun");
    assert!(desk.is_whole(&theirs).await);
    desk.verify();
    let left = traces(desk.data.path(), &gone).await;
    assert_eq!(left.keys().collect::<Vec<_>>(), ["forgotten"], "{left:?}");
    // Bare ids of items. The log of deletions has them only until the sweep, two minutes later.
    let left = traces(desk.data.path(), &said).await;
    assert_eq!(
        left.keys().collect::<Vec<_>>(),
        ["audit", "forgotten", "live_events"],
        "{left:?}"
    );
    let audited = audited(desk.data.path(), "person.forget").await;
    for receipt in receipts {
        assert!(audited.contains(&receipt), "the audit log names {receipt}");
    }
}
