//! Submissions over HTTP: stored once, checked, limited.

mod harness;

use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, header};
use harness::{Answer, Device, Server};
use jiff::Timestamp;
use serde_json::{Value, json};
use snag_server::orgs::{FeedbackRules, OrgPolicy};
use snag_server::state::Clock;
use snag_server::{AppState, control};
use uuid::Uuid;

const TABLES: [&str; 3] = ["submissions", "feedback", "feedback_details"];

fn submission(id: Uuid) -> Value {
    json!({
        "id": id,
        "created_at": Timestamp::now().to_string(),
        "category": "bug",
        "description": "The export hangs at 90 %. \u{1f622}\nEvery time, \"quoted\" and \\ escaped.",
        "rating": 2,
        "tags": ["export", "slow"],
        "target": {"app": "excel", "screen": "Export", "url": "https://erp.example/x?y=1"},
        "session": 7,
        "friction_trail": [
            {"before_ms": 9_000, "text": "Opened Export"},
            {"before_ms": 4_000, "text": "Clicked", "incident": "rage_click"},
            {"before_ms": 1_000, "text": "Clicked", "incident": "dead_click"},
        ],
        "app_state": {"rows": 12},
        "os": "Debian 13",
        "screen_resolution": {"width": 1920, "height": 1080},
        "viewport_size": {"width": 1200, "height": 800},
        "agent_version": "0.1.0",
        "annotation": [{"shape": "text", "at": {"x": 1, "y": 2}, "text": "here"}],
    })
}

fn raw(token: &str, body: impl Into<Body>) -> Request<Body> {
    Request::post("/v1/feedback")
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(body.into())
        .expect("a request")
}

async fn submit(server: &Server, device: &Device, body: &Value) -> Answer {
    server.send(raw(&device.token, body.to_string())).await
}

async fn submit_from(server: &Server, device: &Device, body: &Value, from: &str) -> Answer {
    let mut request = raw(&device.token, body.to_string());
    let ip: IpAddr = from.parse().expect("an address");
    let peer = ConnectInfo(SocketAddr::from((ip, 5_000)));
    request.extensions_mut().insert(peer);
    server.send(request).await
}

fn generous() -> OrgPolicy {
    limited(1_000, 10_000)
}

fn limited(per_device_per_hour: u32, per_address_per_hour: u32) -> OrgPolicy {
    OrgPolicy {
        feedback: FeedbackRules {
            per_device_per_hour,
            per_address_per_hour,
        },
        ..OrgPolicy::default()
    }
}

/// How many rows each table has, of all versions.
async fn rows(server: &Server) -> Vec<String> {
    let mut counts = Vec::new();
    for table in TABLES {
        counts.push(server.sql(&format!("SELECT count() FROM {table}")).await);
    }
    counts
}

#[tokio::test]
async fn a_submission_is_stored_whole_and_once() {
    let server = Server::with(5, generous(), AppState::system_clock()).await;
    let device = server.enroll().await;
    let id = Uuid::now_v7();
    let body = submission(id);
    let answer = submit(&server, &device, &body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.body, json!({"id": id, "duplicate": false}));
    for again in 0..3 {
        let answer = submit(&server, &device, &body).await;
        assert_eq!(answer.status, 200, "{again}: {answer:?}");
        assert_eq!(answer.body, json!({"id": id, "duplicate": true}));
    }
    assert_eq!(rows(&server).await, ["1", "1", "1"]);

    let sql = "SELECT org, toString(id), toString(device), category, description, rating, tags, app, screen, url, session, os, \
               screen_resolution, viewport_size, agent_version, segment, friction_signature, screenshot, \
               toString(status), read, archived, product, toUnixTimestamp64Milli(at), newest, \
               version = toUnixTimestamp64Milli(received_at) AS versioned FROM feedback FORMAT JSONEachRow";
    let row: Value = serde_json::from_str(&server.sql(sql).await).expect("json");
    let at: Timestamp = body["created_at"]
        .as_str()
        .expect("text")
        .parse()
        .expect("a time");
    assert_eq!(row["org"], json!(server.org.org.to_string()));
    assert_eq!(row["toString(id)"], json!(id));
    assert_eq!(row["toString(device)"], json!(device.id));
    assert_eq!(row["description"], body["description"]);
    assert_eq!(row["tags"], body["tags"]);
    assert_eq!((&row["rating"], &row["session"]), (&json!(2), &json!(7)));
    assert_eq!(row["url"], body["target"]["url"]);
    assert_eq!(
        (&row["app"], &row["screen"]),
        (&json!("excel"), &json!("Export"))
    );
    assert_eq!(row["screen_resolution"], "1920x1080");
    assert_eq!(row["viewport_size"], "1200x800");
    assert_eq!(
        (&row["segment"], &row["product"]),
        (&json!("lab"), &json!("default"))
    );
    assert_eq!(row["friction_signature"], "rage_click,dead_click");
    assert_eq!(
        (&row["toString(status)"], &row["screenshot"]),
        (&json!("new"), &json!(""))
    );
    assert_eq!(row["versioned"], 1);
    assert_eq!(
        row["toUnixTimestamp64Milli(at)"]
            .to_string()
            .trim_matches('"'),
        at.as_millisecond().to_string()
    );
    let newest = (i64::MAX - at.as_millisecond()).to_string();
    assert_eq!(row["newest"].to_string().trim_matches('"'), newest);
    let details = "SELECT trail, app_state, annotation FROM feedback_details FORMAT JSONEachRow";
    let details: Value = serde_json::from_str(&server.sql(details).await).expect("json");
    let stored = |name: &str| -> Value {
        serde_json::from_str(details[name].as_str().expect("text")).expect("json")
    };
    assert_eq!(stored("trail"), body["friction_trail"]);
    assert_eq!(stored("app_state"), body["app_state"]);
    assert_eq!(
        stored("annotation"),
        json!([{"shape": "text", "at": {"x": 1.0, "y": 2.0}, "text": "here"}])
    );
}

#[tokio::test]
async fn the_same_id_with_another_content_is_a_conflict() {
    let server = Server::with(5, generous(), AppState::system_clock()).await;
    let (one, two) = (server.enroll().await, server.enroll().await);
    let id = Uuid::now_v7();
    let body = submission(id);
    assert_eq!(submit(&server, &one, &body).await.status, 201);
    let mut other = body.clone();
    other["rating"] = json!(3);
    let answer = submit(&server, &one, &other).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (409, "conflict"));
    assert_eq!(answer.body["field"], "id");
    // Another device can't claim it either, whatever it says.
    let answer = submit(&server, &two, &body).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (409, "conflict"));
    assert_eq!(rows(&server).await, ["1", "1", "1"]);
    assert_eq!(server.sql("SELECT rating FROM feedback").await, "2");
}

#[tokio::test]
async fn an_id_of_another_organisation_is_another_key() {
    let server = Server::with(5, generous(), AppState::system_clock()).await;
    let device = server.enroll().await;
    let new = control::NewOrg {
        name: "other",
        contact: "x",
        k: 5,
        local: false,
        policy: generous(),
    };
    let other = control::create_org(&server.warehouse, new, Timestamp::now())
        .await
        .expect("an organisation");
    let body =
        json!({"token": other.enroll_token, "device": {"os": "linux", "agent_version": "0.1.0"}});
    let request = Request::post("/v1/enroll")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_string()));
    let answer = server.send(request.expect("a request")).await;
    let foreign = Device {
        id: answer.body["device"].as_str().expect("an id").to_owned(),
        token: answer.body["device_token"]
            .as_str()
            .expect("a token")
            .to_owned(),
    };
    let id = Uuid::now_v7();
    assert_eq!(submit(&server, &device, &submission(id)).await.status, 201);
    let mut said = submission(id);
    said["description"] = json!("Something else.");
    assert_eq!(submit(&server, &foreign, &said).await.status, 201);
    let kept = format!(
        "SELECT count() FROM feedback WHERE org = '{}' AND rating = 2",
        server.org.org
    );
    assert_eq!(server.sql(&kept).await, "1");
    assert_eq!(server.sql("SELECT uniqExact(org) FROM feedback").await, "2");
}

#[tokio::test]
async fn only_a_device_submits() {
    let server = Server::start().await;
    let body = submission(Uuid::now_v7()).to_string();
    for (token, status) in [
        ("snag_device_x", 401),
        (&server.org.enroll_token, 403),
        (&server.org.analyst_token, 403),
        (&server.org.admin_token, 403),
    ] {
        assert_eq!(server.send(raw(token, body.clone())).await.status, status);
    }
    assert_eq!(rows(&server).await, ["0", "0", "0"]);
}

#[tokio::test]
async fn bad_bodies_are_refused_and_leave_nothing() {
    let server = Server::start().await;
    let device = server.enroll().await;
    let whole = submission(Uuid::now_v7());
    let with = |name: &str, value: Value| {
        let mut body = whole.clone();
        body[name] = value;
        body.to_string().into_bytes()
    };
    let bomb = {
        let encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        let mut encoder = encoder;
        for _ in 0..512 {
            encoder.write_all(&vec![b' '; 1 << 20]).expect("memory");
        }
        encoder.finish().expect("memory")
    };
    let mut invalid_utf8 = whole.to_string().into_bytes();
    let at = invalid_utf8
        .windows(3)
        .position(|w| w == b"The")
        .expect("there");
    invalid_utf8[at] = 0xff;
    let now = Timestamp::now();
    let years = |years: i64| (now + jiff::SignedDuration::from_hours(years * 365 * 24)).to_string();
    let json_type = "application/json";
    for (what, body, content_type, encoding, status, code, field) in [
        (
            "utf-8",
            invalid_utf8,
            json_type,
            "",
            400,
            "invalid_body",
            "",
        ),
        (
            "no json",
            b"{".to_vec(),
            json_type,
            "",
            400,
            "invalid_body",
            "",
        ),
        (
            "a form",
            whole.to_string().into_bytes(),
            "application/x-www-form-urlencoded",
            "",
            415,
            "unsupported_media_type",
            "",
        ),
        (
            "no type",
            whole.to_string().into_bytes(),
            "",
            "",
            415,
            "unsupported_media_type",
            "",
        ),
        (
            "a picture's type",
            whole.to_string().into_bytes(),
            "image/png",
            "",
            415,
            "unsupported_media_type",
            "",
        ),
        (
            "brotli",
            whole.to_string().into_bytes(),
            json_type,
            "br",
            415,
            "unsupported_media_type",
            "",
        ),
        (
            "no gzip",
            whole.to_string().into_bytes(),
            json_type,
            "gzip",
            400,
            "invalid_body",
            "",
        ),
        ("a bomb", bomb, json_type, "gzip", 413, "too_large", ""),
        (
            "too much",
            vec![b' '; (1 << 20) + 1],
            json_type,
            "",
            413,
            "too_large",
            "",
        ),
        (
            "a field too many",
            with("device", json!("x")),
            json_type,
            "",
            400,
            "invalid_body",
            "device",
        ),
        (
            "a year ago",
            with("created_at", json!(years(-1))),
            json_type,
            "",
            400,
            "invalid_body",
            "created_at",
        ),
        (
            "in a year",
            with("created_at", json!(years(1))),
            json_type,
            "",
            400,
            "invalid_body",
            "created_at",
        ),
        (
            "six stars",
            with("rating", json!(6)),
            json_type,
            "",
            400,
            "invalid_body",
            "rating",
        ),
        (
            "a null",
            with("description", json!("a\u{0}")),
            json_type,
            "",
            400,
            "invalid_body",
            "description",
        ),
        (
            "a tag twice",
            with("tags", json!(["a", "a"])),
            json_type,
            "",
            400,
            "invalid_body",
            "tags[1]",
        ),
    ] {
        let mut request = Request::post("/v1/feedback")
            .header(header::AUTHORIZATION, format!("Bearer {}", device.token));
        if !content_type.is_empty() {
            request = request.header(header::CONTENT_TYPE, content_type);
        }
        if !encoding.is_empty() {
            request = request.header(header::CONTENT_ENCODING, encoding);
        }
        let answer = server
            .send(request.body(Body::from(body)).expect("a request"))
            .await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (status, code),
            "{what}: {answer:?}"
        );
        assert_eq!(
            answer.headers["content-type"], "application/problem+json",
            "{what}"
        );
        assert_eq!(
            answer.body["field"].as_str().unwrap_or_default(),
            field,
            "{what}"
        );
    }
    assert_eq!(rows(&server).await, ["0", "0", "0"]);
    // None of it cost anything of the limit.
    let answer = submit(&server, &device, &whole).await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.headers["ratelimit-remaining"], "4");
}

#[tokio::test]
async fn gzip_is_taken() {
    let server = Server::start().await;
    let device = server.enroll().await;
    let body = harness::gzip(submission(Uuid::now_v7()).to_string().as_bytes());
    let mut request = raw(&device.token, body);
    let gzip = header::HeaderValue::from_static("gzip");
    request.headers_mut().insert(header::CONTENT_ENCODING, gzip);
    assert_eq!(server.send(request).await.status, 201);
}

/// A clock that the test sets, in seconds.
fn clock() -> (Arc<AtomicI64>, Clock) {
    let now = Arc::new(AtomicI64::new(Timestamp::now().as_second()));
    let clock: Clock = {
        let now = Arc::clone(&now);
        Arc::new(move || Timestamp::from_second(now.load(Ordering::Relaxed)).expect("a time"))
    };
    (now, clock)
}

#[tokio::test]
async fn five_an_hour_of_a_device() {
    let (now, clock) = clock();
    let server = Server::with(5, OrgPolicy::default(), Arc::clone(&clock)).await;
    let device = server.enroll().await;
    let mut first = Value::Null;
    for left in (0..5).rev() {
        let body = submission(Uuid::now_v7());
        let answer = submit(&server, &device, &body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        assert_eq!(answer.headers["ratelimit-limit"], "5");
        assert_eq!(answer.headers["ratelimit-remaining"], left.to_string());
        assert_eq!(
            answer.headers["ratelimit-policy"],
            "\"device\";q=5;w=3600, \"address\";q=500;w=3600"
        );
        let text = answer.headers["ratelimit"].to_str().expect("text");
        assert!(
            text.starts_with(&format!("\"device\";r={left};t=")),
            "{text}"
        );
        first = body;
        now.fetch_add(60, Ordering::Relaxed);
    }
    let one_more = submission(Uuid::now_v7());
    let answer = submit(&server, &device, &one_more).await;
    assert_eq!(
        (answer.status.as_u16(), answer.code()),
        (429, "too_many_requests")
    );
    assert_eq!(answer.headers["retry-after"], "3300");
    assert_eq!(answer.headers["ratelimit-remaining"], "0");
    // A retry of what is stored is answered all the same, a conflict is a conflict.
    assert_eq!(submit(&server, &device, &first).await.status, 200);
    first["rating"] = json!(5);
    assert_eq!(submit(&server, &device, &first).await.status, 409);
    // Another device isn't held up.
    let other = server.enroll().await;
    assert_eq!(
        submit(&server, &other, &submission(Uuid::now_v7()))
            .await
            .status,
        201
    );

    // A restarted server knows what the device has sent.
    let again = server.restart(clock);
    let answer = submit(&again, &device, &one_more).await;
    assert_eq!(answer.status, 429, "{answer:?}");
    assert_eq!(answer.headers["retry-after"], "3300");
    assert_eq!(rows(&server).await, ["6", "6", "6"]);
    // After that time it is taken, and one only.
    now.fetch_add(3_300, Ordering::Relaxed);
    assert_eq!(submit(&again, &device, &one_more).await.status, 201);
    let answer = submit(&again, &device, &submission(Uuid::now_v7())).await;
    assert_eq!(answer.status, 429);
    assert_eq!(answer.headers["retry-after"], "60");
}

#[tokio::test]
async fn requests_at_once_do_not_pass_a_limit() {
    let server = Arc::new(Server::start().await);
    let device = Arc::new(server.enroll().await);
    let mut senders = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let (server, device) = (Arc::clone(&server), Arc::clone(&device));
        senders.spawn(async move {
            submit(&server, &device, &submission(Uuid::now_v7()))
                .await
                .status
                .as_u16()
        });
    }
    let mut statuses = senders.join_all().await;
    statuses.sort_unstable();
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 5);
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 35);
    assert_eq!(rows(&server).await, ["5", "5", "5"]);
}

#[tokio::test]
async fn one_submission_sent_many_times_at_once_is_stored_once() {
    let server = Arc::new(Server::start().await);
    let device = Arc::new(server.enroll().await);
    let body = Arc::new(submission(Uuid::now_v7()));
    let mut senders = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let (server, device, body) = (Arc::clone(&server), Arc::clone(&device), Arc::clone(&body));
        senders.spawn(async move { submit(&server, &device, &body).await.status.as_u16() });
    }
    let mut statuses = senders.join_all().await;
    statuses.sort_unstable();
    assert_eq!(statuses.pop(), Some(201));
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    assert_eq!(rows(&server).await, ["1", "1", "1"]);
}

#[tokio::test]
async fn an_address_has_a_limit_of_its_own() {
    let server = Server::with(5, limited(5, 3), AppState::system_clock()).await;
    for left in (0..3).rev() {
        let device = server.enroll().await;
        let body = submission(Uuid::now_v7());
        let answer = submit_from(&server, &device, &body, "192.0.2.1").await;
        assert_eq!(answer.status, 201, "{answer:?}");
        assert_eq!(answer.headers["ratelimit-limit"], "3");
        assert_eq!(answer.headers["ratelimit-remaining"], left.to_string());
    }
    let device = server.enroll().await;
    let body = submission(Uuid::now_v7());
    let answer = submit_from(&server, &device, &body, "192.0.2.1").await;
    assert_eq!(answer.status, 429);
    assert!(answer.headers.contains_key("retry-after"));
    let answer = submit_from(&server, &device, &body, "192.0.2.2").await;
    assert_eq!(answer.status, 201);
    assert_eq!(
        answer.headers["ratelimit"]
            .to_str()
            .expect("text")
            .matches("r=")
            .count(),
        2
    );
}

#[tokio::test]
async fn a_client_cannot_choose_its_address() {
    let server = Server::with(5, limited(100, 2), AppState::system_clock()).await;
    let device = server.enroll().await;
    let mut statuses = Vec::new();
    for i in 0..3 {
        let mut request = raw(&device.token, submission(Uuid::now_v7()).to_string());
        let claimed = format!("198.51.100.{i}").parse().expect("a header");
        request.headers_mut().insert("x-forwarded-for", claimed);
        statuses.push(server.send(request).await.status.as_u16());
    }
    assert_eq!(statuses, [201, 201, 429]);
}

#[tokio::test]
async fn what_a_crash_left_between_the_tables_is_mended_by_a_retry() {
    let server = Server::with(5, generous(), AppState::system_clock()).await;
    let device = server.enroll().await;
    // The desk's row is missing.
    let body = submission(Uuid::now_v7());
    assert_eq!(submit(&server, &device, &body).await.status, 201);
    server.execute("TRUNCATE TABLE feedback").await;
    server.execute("TRUNCATE TABLE feedback_details").await;
    assert_eq!(submit(&server, &device, &body).await.status, 200);
    assert_eq!(rows(&server).await, ["1", "1", "1"]);
    // The details alone are missing, and then not again.
    server.execute("TRUNCATE TABLE feedback_details").await;
    for _ in 0..2 {
        assert_eq!(submit(&server, &device, &body).await.status, 200);
        assert_eq!(rows(&server).await, ["1", "1", "1"]);
    }
    let details = server
        .sql("SELECT trail, app_state, annotation FROM feedback_details")
        .await;
    for part in ["Opened Export", "rows", "here"] {
        assert!(details.contains(part), "{details}");
    }
    // The submission is missing, and the desk has worked on the item.
    server.execute("TRUNCATE TABLE submissions").await;
    let acted = "INSERT INTO feedback SELECT * REPLACE (version + 1 AS version, 'resolved' AS status) FROM feedback";
    server.execute(acted).await;
    assert_eq!(submit(&server, &device, &body).await.status, 201);
    assert_eq!(server.sql("SELECT count() FROM submissions").await, "1");
    assert_eq!(
        server
            .sql("SELECT toString(status) FROM feedback FINAL")
            .await,
        "resolved"
    );
    assert_eq!(submit(&server, &device, &body).await.status, 200);
}

#[tokio::test]
async fn listeners_hear_of_it_once_and_of_no_words() {
    let server = Server::start().await;
    let device = server.enroll().await;
    let mut events = server.state.live.listen();
    let body = submission(Uuid::now_v7());
    assert_eq!(submit(&server, &device, &body).await.status, 201);
    assert_eq!(submit(&server, &device, &body).await.status, 200);
    let event = events.try_recv().expect("an event");
    assert_eq!(event.org, server.org.org);
    assert_eq!(event.data["id"], body["id"]);
    let text = event.data.to_string();
    assert!(
        !text.contains("hangs") && !text.contains(&device.id),
        "{text}"
    );
    assert!(events.try_recv().is_err());
}

#[tokio::test]
async fn listeners_hear_of_what_a_retry_stored_or_found() {
    let server = Server::with(5, generous(), AppState::system_clock()).await;
    let device = server.enroll().await;
    let mut events = server.state.live.listen();
    // What an earlier process left half done.
    let body = submission(Uuid::now_v7());
    assert_eq!(submit(&server, &device, &body).await.status, 201);
    events.try_recv().expect("an event");
    server.execute("TRUNCATE TABLE feedback").await;
    assert_eq!(submit(&server, &device, &body).await.status, 200);
    let event = events.try_recv().expect("an event");
    assert_eq!(event.key.to_string(), body["id"].as_str().expect("text"));
    // Stored to the end though it was answered otherwise.
    let body = submission(Uuid::now_v7());
    server
        .execute("RENAME TABLE feedback_details TO away")
        .await;
    let failed = submit(&server, &device, &body).await;
    assert!(failed.status.is_server_error(), "{failed:?}");
    assert!(events.try_recv().is_err(), "it isn't stored yet");
    server
        .execute("RENAME TABLE away TO feedback_details")
        .await;
    let id = body["id"].as_str().expect("text");
    let details = format!(
        "INSERT INTO feedback_details SELECT * REPLACE (toUUID('{id}') AS id) FROM feedback_details LIMIT 1"
    );
    server.execute(&details).await;
    assert_eq!(rows(&server).await, ["2", "2", "2"]);
    assert_eq!(submit(&server, &device, &body).await.status, 200);
    assert_eq!(rows(&server).await, ["2", "2", "2"], "nothing was missing");
    assert_eq!(events.try_recv().expect("an event").data["id"], id);
    // Once.
    assert_eq!(submit(&server, &device, &body).await.status, 200);
    assert!(events.try_recv().is_err());
}
