//! A server over the real engine in this process, and a client that can do wrong.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file uses a part of it"
)]

mod folder;

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{Request, StatusCode, header};
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::{StreamExt as _, stream};
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use serde_json::{Value, json};
use snag_server::control::{self, NewOrg, OrgCreated};
use snag_server::objects::{Objects, ObjectsError};
use snag_server::orgs::OrgPolicy;
use snag_server::state::{Clock, Settings};
use snag_server::{AppState, router};
use snag_warehouse::{EmbeddedOptions, Query, Warehouse};
use tokio::sync::oneshot;
use tower::ServiceExt as _;
use uuid::Uuid;

/// The library runs one engine a process: tests share a folder, each with a database.
static FOLDER: LazyLock<PathBuf> = LazyLock::new(folder::own);
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// Stores a picture as a request does.
pub async fn put_object(
    objects: &Objects,
    org: Uuid,
    hash: &str,
    bytes: impl Into<Bytes>,
) -> Result<(), ObjectsError> {
    let staged = objects.stage(bytes.into()).await?;
    staged.publish(org, hash).await
}

/// A body whose last part comes when it is told to; whoever waits for the first hears when the rest is asked for.
pub struct Slow {
    pub body: Body,
    pub asked: oneshot::Receiver<()>,
    pub rest: oneshot::Sender<()>,
}

pub fn slow(bytes: Vec<u8>) -> Slow {
    let (ask, asked) = oneshot::channel();
    let (rest, told) = oneshot::channel::<()>();
    let (first, last) = bytes.split_at(bytes.len() - 1);
    let (first, last) = (Bytes::copy_from_slice(first), Bytes::copy_from_slice(last));
    let last = async move {
        ask.send(()).expect("somebody waits");
        told.await.expect("told");
        Ok::<_, std::io::Error>(last)
    };
    let parts = stream::once(async { Ok(first) }).chain(stream::once(last));
    Slow {
        body: Body::from_stream(parts),
        asked,
        rest,
    }
}

/// A server with one organisation.
pub struct Server {
    pub state: Arc<AppState>,
    pub warehouse: Warehouse,
    pub org: OrgCreated,
    app: axum::Router,
}

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: axum::http::HeaderMap,
    pub body: Value,
}

impl Answer {
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    pub fn counts(&self) -> (u64, u64, u64) {
        let number = |name: &str| self.body[name].as_u64().unwrap_or(u64::MAX);
        (number("accepted"), number("duplicates"), number("rejected"))
    }

    /// `(seq, code)` of each refused record.
    pub fn rejected(&self) -> Vec<(u64, String)> {
        let errors = self.body["errors"].as_array().cloned().unwrap_or_default();
        errors
            .iter()
            .map(|error| {
                (
                    error["seq"].as_u64().unwrap_or(u64::MAX),
                    error["code"].as_str().unwrap_or_default().to_owned(),
                )
            })
            .collect()
    }
}

pub fn open(database: &str) -> Warehouse {
    Warehouse::embedded(EmbeddedOptions {
        database: database.to_owned(),
        fsync: false,
        ..EmbeddedOptions::new(&*FOLDER)
    })
    .expect("the engine starts")
}

impl Server {
    pub async fn start() -> Self {
        Self::with(5, OrgPolicy::default(), AppState::system_clock()).await
    }

    pub async fn with(k: u32, policy: OrgPolicy, clock: Clock) -> Self {
        let number = DATABASES.fetch_add(1, Ordering::Relaxed);
        let warehouse = open(&format!("test{number}"));
        warehouse.migrate_up().await.expect("migrations");
        let new = NewOrg {
            name: "acme",
            contact: "it@acme.example",
            k,
            local: k == 1,
            policy,
        };
        let org = control::create_org(&warehouse, new, Timestamp::now())
            .await
            .expect("an organisation");
        let settings = Settings {
            label_refresh: Duration::ZERO,
            body_timeout: Duration::from_millis(300),
            ..Settings::default()
        };
        let state = AppState::new(warehouse.clone(), settings, clock);
        Self {
            app: router::router(Arc::clone(&state)),
            state,
            warehouse,
            org,
        }
    }

    /// Another server over the same tables, as after a restart.
    pub fn restart(&self, clock: Clock) -> Self {
        self.restart_with(self.state.settings.clone(), clock)
    }

    /// The same, with other settings.
    pub fn restart_with(&self, settings: Settings, clock: Clock) -> Self {
        let state = AppState::new(self.warehouse.clone(), settings, clock);
        let org = serde_json::to_value(&self.org).expect("json");
        let text = |name: &str| org[name].as_str().expect("text").to_owned();
        Self {
            app: router::router(Arc::clone(&state)),
            state,
            warehouse: self.warehouse.clone(),
            org: OrgCreated {
                org: self.org.org,
                name: text("name"),
                k: self.org.k,
                enroll_token: text("enroll_token"),
                analyst_token: text("analyst_token"),
                admin_token: text("admin_token"),
            },
        }
    }

    /// The answer as it comes.
    pub async fn answer(&self, request: Request<Body>) -> axum::response::Response {
        self.app.clone().oneshot(request).await.expect("infallible")
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.answer(request).await;
        let (head, body) = response.into_parts();
        let bytes = body.collect().await.expect("a body").to_bytes();
        let body = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
        Answer {
            status: head.status,
            headers: head.headers,
            body,
        }
    }

    /// Status, headers and the very bytes.
    pub async fn send_raw(&self, request: Request<Body>) -> (u16, axum::http::HeaderMap, Vec<u8>) {
        let response = self.app.clone().oneshot(request).await.expect("infallible");
        let (head, body) = response.into_parts();
        let bytes = body.collect().await.expect("a body").to_bytes();
        (head.status.as_u16(), head.headers, bytes.to_vec())
    }

    pub async fn get(&self, path: &str, token: &str) -> Answer {
        let request = Request::get(path).header(header::AUTHORIZATION, format!("Bearer {token}"));
        self.send(request.body(Body::empty()).expect("a request"))
            .await
    }

    pub async fn enroll(&self) -> Device {
        let body = json!({"token": self.org.enroll_token,
            "device": {"os": "linux", "agent_version": "0.1.0", "segment": "lab"}});
        let request = Request::post("/v1/enroll")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_string()));
        let answer = self.send(request.expect("a request")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        Device {
            id: answer.body["device"].as_str().expect("an id").to_owned(),
            token: answer.body["device_token"]
                .as_str()
                .expect("a token")
                .to_owned(),
        }
    }

    pub async fn batch(&self, device: &Device, batch: &Value) -> Answer {
        self.send(device.request(&gzip(batch.to_string().as_bytes())))
            .await
    }

    /// The answer of a query, as tab-separated text.
    pub async fn sql(&self, sql: &str) -> String {
        text(&self.warehouse, sql).await
    }

    pub async fn execute(&self, sql: &str) {
        self.warehouse.execute(sql).await.expect(sql);
    }
}

pub async fn text(warehouse: &Warehouse, sql: &str) -> String {
    let bytes = warehouse.select(Query::read(sql)).await.expect(sql);
    String::from_utf8(bytes.to_vec())
        .expect("text")
        .trim_end()
        .to_owned()
}

pub struct Device {
    pub id: String,
    pub token: String,
}

impl Device {
    pub fn request(&self, body: &[u8]) -> Request<Body> {
        Request::post("/v1/events/batch")
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::CONTENT_ENCODING, "gzip")
            .body(Body::from(body.to_vec()))
            .expect("a request")
    }

    /// A batch of these records, sent now, whose `t_ms` count from an hour ago.
    pub fn of(&self, records: Vec<Value>) -> Value {
        let now = Timestamp::now();
        self.of_at(records, now)
    }

    pub fn of_at(&self, records: Vec<Value>, sent_at: Timestamp) -> Value {
        json!({
            "device": self.id,
            "product": "default",
            "agent_version": "0.1.0",
            "sent_at": sent_at.to_string(),
            "base_at": (sent_at - jiff::SignedDuration::from_hours(1)).to_string(),
            "contexts": [
                {"session": 1, "app": "excel", "screen": "0000000000000001"},
                {"session": 1, "app": "outlook", "screen": "0000000000000002"},
            ],
            "records": records,
        })
    }
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

pub fn click(seq: u64) -> Value {
    json!({"type": "event", "seq": seq, "kind": "click", "detail": "left", "role": "push_button",
           "label": "00000000000000aa", "context": seq % 2, "t_ms": seq * 10})
}

pub fn session(seq: u64) -> Value {
    json!({"type": "session", "seq": seq, "context": 0, "t_ms": 0, "duration_ms": 20_000,
        "active_ms": 20_000, "clicks": 20, "keys": 5, "scrolls": 0, "screens": 2, "visits": 3,
        "context_switches": 2, "tasks_started": 1, "tasks_completed": 1, "rage_clicks": 1,
        "dead_clicks": 0, "backtracks": 0, "abandoned_tasks": 0, "error_loops": 0,
        "undo_storms": 0, "errors": 0, "frustration": 0.462_117_157_260_009_75,
        "frustration_terms": [1.0, 0.0, 0.0, 0.0, 0.0, 0.0], "efficiency": 0.9,
        "efficiency_terms": [0.0, 0.0, 0.1], "score_version": 1, "path": [0, 1, 0]})
}

pub fn screen(seq: u64) -> Value {
    json!({"type": "screen", "seq": seq, "context": 1, "t_ms": 0, "visits": 2, "dwell_ms": 9_000,
        "clicks": 8, "keys": 5, "rage_clicks": 1, "dead_clicks": 0, "backtracks": 0, "errors": 0,
        "exited": true, "time_lost_ms": 700, "session_frustration": 0.46})
}

pub fn incident(seq: u64) -> Value {
    json!({"type": "incident", "seq": seq, "kind": "rage_click", "version": 1, "context": 0,
        "t_ms": 1_000, "duration_ms": 700, "count": 4, "role": "push_button",
        "label": "00000000000000aa"})
}

/// Clicks with a session, its screen and an incident at the end: `from..from + clicks + 3`.
pub fn mixed(from: u64, clicks: u64) -> Vec<Value> {
    let mut records: Vec<Value> = (from..from + clicks).map(click).collect();
    let next = from + clicks;
    records.extend([session(next), screen(next + 1), incident(next + 2)]);
    records
}
