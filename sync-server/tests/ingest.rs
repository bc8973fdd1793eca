//! What becomes of records, over the real engine: accepted, duplicate, rejected.

mod harness;

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{Request, header};
use harness::{Server, click, gzip, incident, mixed, screen, session};
use jiff::Timestamp;
use serde_json::{Value, json};
use snag_wire::limits;

const EVERYTHING: &str = "SELECT (SELECT count() FROM events), (SELECT count() FROM sessions), \
    (SELECT count() FROM screens), (SELECT count() FROM incidents)";

#[tokio::test]
async fn records_arrive_as_they_were_sent() {
    let server = Server::start().await;
    let device = server.enroll().await;
    let answer = server.batch(&device, &device.of(mixed(1, 3))).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.counts(), (6, 0, 0));
    assert_eq!(answer.body["next_seq"], 7);
    let event = server
        .sql(
            "SELECT device, seq, session, kind, detail, role, label, app, screen, count, \
             duration_ms, version, segment, product, clock_offset_ms, org, \
             at - (SELECT min(at) FROM events) AS after FROM events WHERE seq = 3",
        )
        .await;
    let fields: Vec<&str> = event.split('\t').collect();
    assert_eq!(fields[0], device.id);
    assert_eq!(
        fields[1..15].join(" "),
        "3 1 click left push_button 00000000000000aa outlook 0000000000000002 1 0 0.1.0 lab default 0"
    );
    assert_eq!(fields[15], server.org.org.to_string());
    assert_eq!(fields[16], "0.02", "10 ms a sequence number");
    let session = server
        .sql(
            "SELECT seq, ended_at - started_at, clicks, keys, tasks_completed, \
             reinterpretAsUInt64(frustration), frustration_terms, efficiency, efficiency_terms, path_apps, path_screens FROM sessions",
        )
        .await;
    // To the last bit.
    let frustration = 0.462_117_157_260_009_75_f64.to_bits();
    assert_eq!(
        session,
        format!(
            "4\t20\t20\t5\t1\t{frustration}\t[1,0,0,0,0,0]\t0.9\t[0,0,0.1]\t\
             ['excel','outlook','excel']\t['0000000000000001','0000000000000002','0000000000000001']"
        )
    );
    let screen = "SELECT seq, app, dwell_ms, exited, time_lost_ms, session_efficiency FROM screens";
    assert_eq!(server.sql(screen).await, "5\toutlook\t9000\t1\t700\t\\N");
    let incident = "SELECT seq, kind, detector_version, count, duration_ms, role FROM incidents";
    assert_eq!(
        server.sql(incident).await,
        "6\trage_click\t1\t4\t700\tpush_button"
    );
    // And every rollup has seen its block.
    assert_eq!(
        server.sql("SELECT sum(records) FROM events_by_hour").await,
        "3"
    );
    assert_eq!(
        server
            .sql("SELECT sum(sessions) FROM sessions_by_hour")
            .await,
        "1"
    );
    assert_eq!(
        server
            .sql("SELECT sum(incidents) FROM incidents_by_hour")
            .await,
        "1"
    );
}

#[tokio::test]
async fn each_fault_has_its_code_and_the_others_are_stored() {
    let server = Server::start().await;
    let device = server.enroll().await;
    let with = |seq: u64, field: &str, value: Value| {
        let mut record = click(seq);
        record[field] = value;
        record
    };
    let without = |seq: u64, field: &str| {
        let mut record = click(seq);
        record.as_object_mut().expect("an object").remove(field);
        record
    };
    let changed = |mut record: Value, field: &str, value: Value| {
        record[field] = value;
        record
    };
    let app = |app: &str| json!({"session": 1, "app": app, "screen": "0000000000000001"});
    let faults = [
        (with(1, "typed", json!("secret")), "unknown_field"),
        (without(2, "t_ms"), "missing_field"),
        (with(3, "kind", json!("keystroke")), "unknown_value"),
        (with(4, "detail", json!("q")), "unknown_value"),
        (with(5, "type", json!("coordinates")), "unknown_value"),
        (with(6, "context", json!(99)), "unknown_context"),
        (with(7, "context", json!(-1)), "out_of_range"),
        (with(8, "context", json!(2)), "bad_app"),
        (with(9, "context", json!(3)), "bad_app"),
        (with(10, "context", json!(4)), "bad_app"),
        (with(11, "role", json!("Push Button")), "bad_role"),
        (with(12, "role", json!("")), "bad_role"),
        (with(13, "role", json!("a".repeat(33))), "bad_role"),
        (with(14, "label", json!("00000000000000AA")), "bad_hash"),
        (with(15, "label", json!("aa")), "bad_hash"),
        (with(16, "count", json!(0)), "out_of_range"),
        (with(17, "count", json!(172_800_001)), "out_of_range"),
        (
            with(18, "duration_ms", json!(limits::DURATION_MS_MAX + 1)),
            "out_of_range",
        ),
        (with(19, "duration_ms", json!(-1)), "out_of_range"),
        (with(20, "t_ms", json!(3_600_000 + 86_400_001)), "future"),
        (with(21, "t_ms", json!(-400_i64 * 86_400_000)), "too_old"),
        (with(22, "t_ms", json!("soon")), "invalid_type"),
        (with(23, "role", json!(7)), "invalid_type"),
        (
            changed(session(24), "frustration", json!(1.01)),
            "out_of_range",
        ),
        (
            changed(session(25), "frustration", json!(-0.01)),
            "out_of_range",
        ),
        (
            changed(session(26), "path", json!([0, 9])),
            "unknown_context",
        ),
        (
            changed(session(27), "path", json!([0, 0, 0, 0, 0, 0, 0, 0, 0])),
            "out_of_range",
        ),
        (
            changed(
                session(28),
                "duration_ms",
                json!(limits::DURATION_MS_MAX + 1),
            ),
            "out_of_range",
        ),
        (
            changed(session(29), "clicks", json!(u64::MAX)),
            "out_of_range",
        ),
        (
            changed(screen(30), "session_efficiency", json!(2.0)),
            "out_of_range",
        ),
        (
            changed(screen(31), "window_title", json!("secret")),
            "unknown_field",
        ),
        (
            changed(incident(32), "kind", json!("sneeze")),
            "unknown_value",
        ),
        (changed(incident(33), "role", json!("a b")), "bad_role"),
        (changed(incident(34), "count", json!(0)), "out_of_range"),
    ];
    let mut records = Vec::new();
    let mut expected = Vec::new();
    for (index, (record, code)) in faults.into_iter().enumerate() {
        expected.push((index as u64 + 1, code.to_owned()));
        records.push(record);
    }
    // After all of these, one that is good, one that repeats its number, a good one.
    records.extend([click(100), click(100), click(99), click(101)]);
    expected.extend([
        (100, "not_ascending".to_owned()),
        (99, "not_ascending".to_owned()),
    ]);
    let mut batch = device.of(records);
    let contexts = batch["contexts"].as_array_mut().expect("a list");
    contexts.extend([
        app(&"a".repeat(65)),
        app("c:\\secret\\excel"),
        app("a\u{7}b"),
    ]);
    let answer = server.batch(&device, &batch).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.rejected(), expected);
    assert_eq!(answer.counts(), (2, 0, expected.len() as u64));
    assert_eq!(answer.body["next_seq"], 102);
    assert!(
        !answer.body.to_string().contains("secret"),
        "no content in answers"
    );
    assert_eq!(
        server
            .sql("SELECT groupArray(seq) FROM (SELECT seq FROM events ORDER BY seq)")
            .await,
        "[100,101]"
    );
    assert_eq!(server.sql(EVERYTHING).await, "2\t0\t0\t0");
}

#[tokio::test]
async fn numbers_that_json_can_not_carry_are_refused() {
    let server = Server::start().await;
    let device = server.enroll().await;
    let with_frustration = |number: &str| {
        let mut record = session(1);
        record["frustration"] = json!("here");
        device
            .of(vec![record])
            .to_string()
            .replace("\"here\"", number)
    };
    for (number, code) in [("1e999", "out_of_range"), ("-1e999", "out_of_range")] {
        let json = with_frustration(number);
        let answer = server.send(device.request(&gzip(json.as_bytes()))).await;
        assert_eq!(
            answer.rejected(),
            [(1, code.to_owned())],
            "{number} {answer:?}"
        );
    }
    let json = with_frustration("NaN");
    let answer = server.send(device.request(&gzip(json.as_bytes()))).await;
    assert_eq!(
        (answer.status.as_u16(), answer.code()),
        (400, "invalid_body")
    );
    assert_eq!(server.sql(EVERYTHING).await, "0\t0\t0\t0");
}

#[tokio::test]
async fn a_batch_that_is_wrong_as_a_whole_is_refused_as_a_whole() {
    let server = Server::start().await;
    let (device, other) = (server.enroll().await, server.enroll().await);
    let good = device.of(vec![click(1)]);
    let with = |field: &str, value: Value| {
        let mut batch = good.clone();
        batch[field] = value;
        batch
    };
    let mut context = good.clone();
    context["contexts"][0]["title"] = json!("secret");
    let many: Vec<Value> = (1..=10_001).map(click).collect();
    for (batch, status, code) in [
        (with("title", json!("secret")), 400, "invalid_body"),
        (with("product", json!("")), 400, "invalid_body"),
        (with("product", json!("a".repeat(65))), 400, "invalid_body"),
        (with("agent_version", json!("1\n2")), 400, "invalid_body"),
        (with("sent_at", json!("yesterday")), 400, "invalid_body"),
        (
            with("drops", json!([{"reason": "no such/word", "count": 1}])),
            400,
            "invalid_body",
        ),
        (with("device", json!(other.id)), 403, "forbidden"),
        (with("records", json!(many)), 413, "too_large"),
        (context, 400, "invalid_body"),
    ] {
        let answer = server.batch(&device, &batch).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (status, code),
            "{answer:?}"
        );
        assert!(!answer.body.to_string().contains("secret"));
        let kind = answer.headers.get(header::CONTENT_TYPE).expect("a type");
        assert_eq!(kind, "application/problem+json");
    }
    assert_eq!(server.sql(EVERYTHING).await, "0\t0\t0\t0");
}

#[tokio::test]
async fn bodies_are_bounded_and_typed() {
    let server = Server::start().await;
    let device = server.enroll().await;
    let good = device.of(vec![click(1)]).to_string();
    let request = |kind: &str, encoding: Option<&str>, body: Body| {
        let mut request = Request::post("/v1/events/batch")
            .header(header::AUTHORIZATION, format!("Bearer {}", device.token));
        if !kind.is_empty() {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        if let Some(encoding) = encoding {
            request = request.header(header::CONTENT_ENCODING, encoding);
        }
        request.body(body).expect("a request")
    };
    let json = "application/json";
    let bomb = gzip(&vec![b' '; 64 << 20]);
    assert!(bomb.len() < 1 << 20, "the bomb fits the body's limit");
    let truncated = gzip(good.as_bytes());
    let truncated = truncated[..truncated.len() - 9].to_vec();
    let noise: Vec<u8> = (0..(1_u32 << 20) + 1)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    for (name, request, status) in [
        (
            "no type",
            request("", Some("gzip"), Body::from(gzip(good.as_bytes()))),
            415,
        ),
        (
            "text",
            request("text/plain", None, Body::from(good.clone())),
            415,
        ),
        (
            "brotli",
            request(json, Some("br"), Body::from(good.clone())),
            415,
        ),
        ("bomb", request(json, Some("gzip"), Body::from(bomb)), 413),
        (
            "too long",
            request(json, Some("gzip"), Body::from(noise)),
            413,
        ),
        (
            "truncated",
            request(json, Some("gzip"), Body::from(truncated)),
            400,
        ),
        (
            "not gzip",
            request(json, Some("gzip"), Body::from(good.clone())),
            400,
        ),
        ("not json", request(json, None, Body::from("{")), 400),
        ("slow", request(json, None, slow(good.as_bytes())), 408),
        (
            "identity",
            request(json, Some("identity"), Body::from(good.clone())),
            200,
        ),
        (
            "charset",
            request(
                "application/json; charset=utf-8",
                None,
                Body::from(good.clone()),
            ),
            200,
        ),
    ] {
        let answer = server.send(request).await;
        assert_eq!(answer.status.as_u16(), status, "{name}: {answer:?}");
    }
    assert_eq!(server.sql(EVERYTHING).await, "1\t0\t0\t0");
}

/// A body whose second half never comes.
fn slow(bytes: &[u8]) -> Body {
    let first = Bytes::copy_from_slice(&bytes[..bytes.len() / 2]);
    let (sender, receiver) = tokio::sync::mpsc::channel::<Result<Bytes, std::io::Error>>(1);
    tokio::spawn(async move {
        drop(sender.send(Ok(first)).await);
        tokio::time::sleep(Duration::from_secs(20)).await;
        drop(sender);
    });
    Body::from_stream(tokio_stream::wrappers::ReceiverStream::new(receiver))
}

#[tokio::test]
async fn the_same_batch_again_adds_nothing() {
    let server = Server::start().await;
    let (one, two) = (server.enroll().await, server.enroll().await);
    let batch = one.of(mixed(1, 10));
    assert_eq!(server.batch(&one, &batch).await.counts(), (13, 0, 0));
    assert_eq!(server.batch(&one, &batch).await.counts(), (0, 13, 0));
    // Another device's numbers are its own.
    assert_eq!(
        server.batch(&two, &two.of(mixed(1, 10))).await.counts(),
        (13, 0, 0)
    );
    // A batch that repeats the end of the last and goes on.
    let mut records = mixed(1, 10);
    records.extend((14..20).map(click));
    let answer = server.batch(&one, &one.of(records)).await;
    assert_eq!(answer.counts(), (6, 13, 0));
    assert_eq!(answer.body["next_seq"], 20);
    assert_eq!(server.sql(EVERYTHING).await, "26\t2\t2\t2");
    assert_eq!(
        server.sql("SELECT sum(records) FROM events_by_hour").await,
        "26"
    );
    let policy = server.get("/v1/policy", &one.token).await;
    assert_eq!(policy.body["next_seq"], 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn copies_at_the_same_time_add_up_to_one() {
    let server = std::sync::Arc::new(Server::start().await);
    let device = std::sync::Arc::new(server.enroll().await);
    for round in 0..5 {
        let batch = std::sync::Arc::new(device.of(mixed(1 + round * 100, 50)));
        let mut copies = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let (server, device, batch) = (server.clone(), device.clone(), batch.clone());
            copies.spawn(async move { server.batch(&device, &batch).await });
        }
        let (mut accepted, mut duplicates) = (0, 0);
        while let Some(answer) = copies.join_next().await {
            let answer = answer.expect("no panic");
            assert_eq!(answer.status, 200, "{answer:?}");
            accepted += answer.counts().0;
            duplicates += answer.counts().1;
        }
        assert_eq!((accepted, duplicates), (53, 7 * 53));
    }
    assert_eq!(server.sql(EVERYTHING).await, "250\t5\t5\t5");
    assert_eq!(
        server.sql("SELECT sum(records) FROM events_by_hour").await,
        "250"
    );
}

#[tokio::test]
async fn a_server_that_starts_anew_knows_what_is_stored() {
    let server = Server::start().await;
    let device = server.enroll().await;
    let batch = device.of(mixed(1, 10));
    assert_eq!(server.batch(&device, &batch).await.counts(), (13, 0, 0));
    let again = snag_server::AppState::new(
        server.warehouse.clone(),
        snag_server::state::Settings::default(),
        snag_server::AppState::system_clock(),
    );
    let app = snag_server::router::router(again);
    let body = gzip(batch.to_string().as_bytes());
    let response = tower::ServiceExt::oneshot(app, device.request(&body))
        .await
        .expect("infallible");
    let bytes = http_body_util::BodyExt::collect(response.into_body())
        .await
        .expect("a body")
        .to_bytes();
    let answer: Value = serde_json::from_slice(&bytes).expect("json");
    assert_eq!(
        (answer["accepted"].as_u64(), answer["duplicates"].as_u64()),
        (Some(0), Some(13))
    );
    assert_eq!(server.sql(EVERYTHING).await, "10\t1\t1\t1");
}

#[tokio::test]
async fn a_failure_between_two_tables_is_made_good_by_the_retry() {
    let server = Server::start().await;
    let device = server.enroll().await;
    assert_eq!(
        server
            .batch(&device, &device.of(vec![click(1)]))
            .await
            .counts(),
        (1, 0, 0)
    );
    // Every other table takes its rows.
    server
        .execute("RENAME TABLE sessions TO sessions_away")
        .await;
    let batch = device.of(mixed(2, 10));
    let answer = server.batch(&device, &batch).await;
    assert_eq!(
        (answer.status.as_u16(), answer.code()),
        (503, "unavailable"),
        "{answer:?}"
    );
    assert!(answer.headers.contains_key(header::RETRY_AFTER));
    assert!(
        !answer.body.to_string().contains("sessions"),
        "no internals in answers"
    );
    assert_eq!(server.sql("SELECT count() FROM events").await, "11");
    server
        .execute("RENAME TABLE sessions_away TO sessions")
        .await;
    let answer = server.batch(&device, &batch).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        answer.counts(),
        (1, 12, 0),
        "what was stored is a duplicate, the rest is new"
    );
    assert_eq!(server.sql(EVERYTHING).await, "11\t1\t1\t1");
    assert_eq!(
        server
            .sql("SELECT sum(sessions) FROM sessions_by_hour")
            .await,
        "1"
    );
    let dirty = server.state.commits.dirty.lock().len();
    assert!(dirty > 0, "the rollups of those days have to be looked at");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rows_that_clickhouse_refuses_hold_up_nobody_else() {
    let server = std::sync::Arc::new(Server::start().await);
    server
        .execute("ALTER TABLE events ADD CONSTRAINT no_poison CHECK product != 'poison'")
        .await;
    let mut requests = tokio::task::JoinSet::new();
    for number in 0..12 {
        let device = server.enroll().await;
        let server = server.clone();
        requests.spawn(async move {
            let mut batch = device.of(mixed(1, 20));
            if number % 4 == 0 {
                batch["product"] = json!("poison");
            }
            (number % 4 == 0, server.batch(&device, &batch).await)
        });
    }
    while let Some(answer) = requests.join_next().await {
        let (poisoned, answer) = answer.expect("no panic");
        let status = if poisoned { 400 } else { 200 };
        assert_eq!(answer.status.as_u16(), status, "{answer:?}");
        if !poisoned {
            assert_eq!(answer.body["next_seq"], 24);
        }
    }
    assert_eq!(
        server
            .sql("SELECT count(), uniqExact(device, seq) FROM events")
            .await,
        "180\t180"
    );
    // A refused batch's session may be stored, once: the tables are written side by side.
    let sessions = server
        .sql("SELECT count() = uniqExact(device, seq), count() >= 9 FROM sessions")
        .await;
    assert_eq!(sessions, "1\t1");
}

#[tokio::test]
async fn a_wrong_clock_is_corrected_and_both_times_are_kept() {
    let server = Server::start().await;
    let device = server.enroll().await;
    let three_hours = jiff::SignedDuration::from_hours(3);
    let wrong = Timestamp::now() - three_hours;
    assert_eq!(
        server
            .batch(&device, &device.of_at(vec![click(1)], wrong))
            .await
            .counts(),
        (1, 0, 0)
    );
    let right = Timestamp::now();
    assert_eq!(
        server
            .batch(&device, &device.of_at(vec![click(2)], right))
            .await
            .counts(),
        (1, 0, 0)
    );
    let lines = server
        .sql(
            "SELECT abs(clock_offset_ms - 10800000) < 20000, clock_offset_ms = 0, \
             abs(dateDiff('second', at, now() - 3600)) < 30 FROM events ORDER BY seq",
        )
        .await;
    assert_eq!(lines, "1\t0\t1\n0\t1\t1");
}

#[tokio::test]
async fn drops_are_kept_as_totals() {
    let server = Server::start().await;
    let device = server.enroll().await;
    for (seq, count) in [(1, 5), (2, 5), (3, 9), (4, 9)] {
        let mut batch = device.of(vec![click(seq)]);
        batch["drops"] =
            json!([{"reason": "quota", "count": count}, {"reason": "odd_word", "count": 1}]);
        assert_eq!(server.batch(&device, &batch).await.status, 200);
    }
    let totals = "SELECT reason, max(count), count() FROM device_drops FINAL GROUP BY reason ORDER BY reason";
    assert_eq!(server.sql(totals).await, "odd_word\t1\t1\nquota\t9\t1");
    let metrics = server.get("/metrics", "").await;
    let text = metrics.body.as_str().expect("text");
    assert!(
        text.contains("snag_device_drops_total{reason=\"quota\"} 9"),
        "{text}"
    );
    assert!(
        text.contains("snag_device_drops_total{reason=\"other\"} 1"),
        "{text}"
    );
}
