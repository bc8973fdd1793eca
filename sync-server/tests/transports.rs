//! Both transports of the warehouse under the server: the remote one on the port of our
//! own ClickHouse-HTTP front, over the engine that the embedded one runs.

#[path = "harness/folder.rs"]
mod folder;

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, OnceLock};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use serde_json::{Value, json};
use snag_server::control::{self, NewOrg};
use snag_server::orgs::OrgPolicy;
use snag_server::sql::{SingleUser, SqlFront};
use snag_server::state::Settings;
use snag_server::{AppState, router};
use snag_warehouse::{EmbeddedOptions, Query, RemoteOptions, Warehouse, conformance};
use tower::ServiceExt as _;

static FOLDER: LazyLock<PathBuf> = LazyLock::new(folder::own);

fn embedded(database: &str) -> Warehouse {
    Warehouse::embedded(EmbeddedOptions {
        database: database.to_owned(),
        fsync: false,
        ..EmbeddedOptions::new(&*FOLDER)
    })
    .expect("the engine starts; `make engine` fetches its library")
}

/// A warehouse over HTTP, on the front of this process.
fn remote(database: &str) -> Warehouse {
    static URL: OnceLock<String> = OnceLock::new();
    let url = URL.get_or_init(|| {
        let front = SqlFront::new(embedded("front"), SingleUser::new("tester", "open:sesame"));
        let (tell, url) = std::sync::mpsc::channel();
        // A runtime of its own: each test's ends with the test.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().expect("a runtime");
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
                let listener = listener.expect("a port");
                let address = listener.local_addr().expect("an address");
                tell.send(format!("http://{address}"))
                    .expect("a test waits");
                snag_server::sql::serve(front, listener, std::future::pending())
                    .await
                    .expect("the front serves");
            });
        });
        url.recv().expect("the front starts")
    });
    Warehouse::remote(RemoteOptions {
        url: url.clone(),
        user: "tester".to_owned(),
        password: "open:sesame".to_owned(),
        database: database.to_owned(),
    })
    .expect("an address")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_remote_transport_conforms() {
    conformance::run(&remote("conformance")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_batch_twice_changes_nothing_embedded() {
    same_batch_twice(embedded("twice_embedded")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_batch_twice_changes_nothing_remote() {
    same_batch_twice(remote("twice_remote")).await;
}

/// An organisation in a warehouse that has just been made.
async fn with_org(warehouse: &Warehouse) -> control::OrgCreated {
    warehouse.migrate_up().await.expect("migrations");
    let new = NewOrg {
        name: "acme",
        contact: "it@acme.example",
        k: 5,
        local: false,
        policy: OrgPolicy::default(),
    };
    control::create_org(warehouse, new, Timestamp::now())
        .await
        .expect("an organisation")
}

async fn same_batch_twice(warehouse: Warehouse) {
    let org = with_org(&warehouse).await;
    // Two servers, one after the other, as after a restart: the second knows nothing.
    let server = || {
        router::router(AppState::new(
            warehouse.clone(),
            Settings::default(),
            AppState::system_clock(),
        ))
    };
    let (first, second) = (server(), server());
    let enroll = json!({"token": org.enroll_token,
        "device": {"os": "linux", "agent_version": "0.1.0", "segment": "lab"}});
    let request = Request::post("/v1/enroll")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(enroll.to_string()));
    let device = send(&first, request.expect("a request")).await;
    let batch = gzip(&batch(device["device"].as_str().expect("an id")));
    let token = device["device_token"].as_str().expect("a token").to_owned();

    let sent = Arc::new(std::sync::Mutex::new(Vec::new()));
    conformance::same_batch_twice(&warehouse, || async {
        // To the server that had it, to the one that did not, and to both at a time.
        let answers = if sent.lock().expect("no panic").is_empty() {
            vec![post(&first, &token, &batch).await]
        } else {
            let (one, two) =
                tokio::join!(post(&first, &token, &batch), post(&second, &token, &batch));
            vec![one, two]
        };
        sent.lock().expect("no panic").extend(answers);
    })
    .await;
    let counts: Vec<_> = sent
        .lock()
        .expect("no panic")
        .iter()
        .map(|answer| {
            ["accepted", "duplicates", "rejected"]
                .map(|name| answer[name].as_u64().expect("a count"))
        })
        .collect();
    assert_eq!(counts, [[302, 0, 0], [0, 302, 0], [0, 302, 0]]);
}

async fn post(server: &Router, token: &str, batch: &[u8]) -> Value {
    let request = Request::post("/v1/events/batch")
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CONTENT_ENCODING, "gzip")
        .body(Body::from(batch.to_vec()));
    send(server, request.expect("a request")).await
}

async fn send(server: &Router, request: Request<Body>) -> Value {
    let response = server.clone().oneshot(request).await.expect("infallible");
    let status = response.status();
    let body = response
        .into_body()
        .collect()
        .await
        .expect("a body")
        .to_bytes();
    assert_eq!(status, StatusCode::OK, "{}", String::from_utf8_lossy(&body));
    serde_json::from_slice(&body).expect("JSON")
}

fn gzip(batch: &Value) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder
        .write_all(batch.to_string().as_bytes())
        .expect("a vector");
    encoder.finish().expect("a vector")
}

/// One of each type, and some hundred events over two screens.
fn batch(device: &str) -> Value {
    let mut records: Vec<Value> = (1..=300)
        .map(|seq| {
            json!({"type": "event", "seq": seq, "kind": "click", "detail": "left", "role": "push_button",
                "label": format!("{:016x}", seq % 7), "context": seq % 2, "t_ms": seq * 1000})
        })
        .collect();
    records.push(
        json!({"type": "incident", "seq": 301, "kind": "rage_click", "version": 1, "context": 0,
        "t_ms": 5_000, "duration_ms": 900, "count": 4}),
    );
    records.push(json!({"type": "session", "seq": 302, "context": 1, "t_ms": 1_000, "duration_ms": 300_000,
        "active_ms": 250_000, "clicks": 300, "keys": 0, "scrolls": 0, "screens": 2, "visits": 2,
        "context_switches": 1, "tasks_started": 1, "tasks_completed": 1, "rage_clicks": 1, "dead_clicks": 0,
        "backtracks": 0, "abandoned_tasks": 0, "error_loops": 0, "undo_storms": 0, "errors": 0,
        "frustration": 0.031608, "frustration_terms": [0.03, 0.0, 0.0, 0.0, 0.0, 0.0],
        "efficiency": 0.845983, "efficiency_terms": [0.1, 0.06, 0.0], "score_version": 1, "path": [0, 1]}));
    let now = Timestamp::now();
    json!({
        "device": device,
        "product": "default",
        "agent_version": "0.1.0",
        "sent_at": now.to_string(),
        "base_at": (now - jiff::SignedDuration::from_hours(1)).to_string(),
        "contexts": [
            {"session": 1, "app": "editor", "screen": "0123456789abcdef"},
            {"session": 1, "app": "browser", "screen": "fedcba9876543210"},
        ],
        "records": records,
        "drops": [{"reason": "quota", "count": 3}],
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_long_parameters_works_remotely_too() {
    let warehouse = remote("long");
    let org = with_org(&warehouse).await;
    let insert = "INSERT INTO feedback (org, product, newest, id, version, device, at, received_at, \
        category, description, status, changed_at) \
        SELECT {org:String}, 'default', 9223372036854775807 - toUnixTimestamp64Milli(now64(3)), \
        toUUID('00000000-0000-0000-0000-' || leftPad(toString(number), 12, '0')), 1, \
        generateUUIDv4(), now64(3), now(), 'bug', 'It hangs.', 'new', now64(3) FROM numbers(1000)";
    let insert = Query::new(insert).param("org", org.org);
    warehouse.execute(insert).await.expect("items");
    let server = router::router(AppState::new(
        warehouse.clone(),
        Settings::default(),
        AppState::system_clock(),
    ));
    let asked = |method: &str, path: &str, body: String| {
        Request::builder()
            .method(method)
            .uri(path)
            .header(
                header::AUTHORIZATION,
                format!("Bearer {}", org.analyst_token),
            )
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body))
            .expect("a request")
    };
    // Ids, texts, tags, and what the audit log says of them: each longer than a field may be.
    let ids: Vec<String> = (0..1_000)
        .map(|n| format!("00000000-0000-0000-0000-{n:012}"))
        .collect();
    let tags: Vec<String> = (0..20)
        .map(|n| format!("tag {n} {}", "t".repeat(30)))
        .collect();
    let body = json!({"ids": ids, "change": {"status": "resolved", "tags": tags},
        "reply": "It is mended. ".repeat(100)});
    let request = asked("POST", "/v1/feedback/bulk", body.to_string());
    let answer = send(&server, request).await;
    assert_eq!(answer["changed"], 1_000, "{answer}");
    let counted = "SELECT count(), uniqExact(feedback), min(length(text)) FROM feedback_thread";
    let counted = warehouse.select(Query::read(counted)).await.expect("rows");
    assert_eq!(counted, "1000\t1000\t1400\n");
    let list = send(
        &server,
        asked("GET", "/v1/feedback?status=resolved&limit=3", String::new()),
    )
    .await;
    assert_eq!(list["items"][0]["tags"], json!(tags));
    // The beginnings of some ten thousand hours.
    let path = "/v1/feedback/analytics/ratings?interval=hour&from=2025-01-01&to=2026-02-01";
    let hours = send(&server, asked("GET", path, String::new())).await;
    assert!(hours.to_string().len() > 128 << 10);
}
