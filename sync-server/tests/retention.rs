//! What is beyond its time goes, what isn't stays, and the figures stay right.

mod harness;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, header};
use bytes::Bytes;
use futures_util::StreamExt as _;
use harness::{Answer, Device, Server, mixed, put_object, slow};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use snag_server::AppState;
use snag_server::live::{Event, Kind, Listening};
use snag_server::orgs::{OrgPolicy, RetentionRules};
use snag_server::state::Settings;
use snag_server::verify::{self, Window};
use snag_server::{orphans, retention};
use uuid::Uuid;

fn kept(events_days: u32, feedback_days: u32, screenshots_days: u32) -> OrgPolicy {
    OrgPolicy {
        retention: RetentionRules {
            events_days,
            feedback_days,
            screenshots_days,
        },
        ..OrgPolicy::default()
    }
}

async fn server(policy: OrgPolicy) -> (Server, Arc<AtomicI64>) {
    let later_ms = Arc::new(AtomicI64::new(0));
    let clock = {
        let later_ms = Arc::clone(&later_ms);
        Arc::new(move || {
            Timestamp::now() + SignedDuration::from_millis(later_ms.load(Ordering::Relaxed))
        })
    };
    (Server::with(5, policy, clock).await, later_ms)
}

async fn ask(server: &Server, method: &str, path: &str, token: &str) -> Answer {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .body(Body::empty())
        .expect("a request");
    server.send(request).await
}

async fn cleanup(server: &Server, query: &str) -> Answer {
    let path = format!("/v1/admin/cleanup{query}");
    ask(server, "POST", &path, &server.org.admin_token).await
}

/// Items as submissions store them, `days` old, each with a thread.
async fn item(server: &Server, device: &Device, days: i64) -> Uuid {
    tagged(server, device, days, "slow").await
}

async fn tagged(server: &Server, device: &Device, days: i64, tag: &str) -> Uuid {
    let (org, device, id) = (server.org.org, &device.id, Uuid::now_v7());
    let at = format!("(now64(3) - toIntervalDay({days}))");
    for sql in [
        format!(
            "INSERT INTO submissions (org, product, id, device, at, received_at, category, rating, tags) \
             SELECT '{org}', 'default', '{id}', '{device}', {at}, now(), 'bug', 2, ['{tag}']"
        ),
        format!(
            "INSERT INTO feedback (org, newest, id, version, product, device, at, received_at, category, description, status) \
             SELECT '{org}', 9223372036854775807 - toUnixTimestamp64Milli({at}), '{id}', number + 1, 'default', \
             '{device}', {at}, now64(3), 'bug', 'it hangs', 'new' FROM numbers(2)"
        ),
        format!(
            "INSERT INTO feedback_details (org, id, at, trail) SELECT '{org}', '{id}', {at}, '[]'"
        ),
        format!(
            "INSERT INTO feedback_thread (org, feedback, id, at, kind, author, text, device, version) \
             SELECT '{org}', '{id}', generateUUIDv4(), now64(3), 'note', 'user:eve', 'so it is', '{device}', 1"
        ),
    ] {
        server.execute(&sql).await;
    }
    id
}

/// A picture of an item, with its thumbnail.
async fn picture(server: &Server, id: Uuid, digit: char, size: usize) -> String {
    let org = server.org.org;
    let hash = digit.to_string().repeat(64);
    let objects = &server.state.objects;
    let bytes = Bytes::from(vec![1; size]);
    put_object(objects, org, &hash, bytes)
        .await
        .expect("stored");
    let bytes = Bytes::from(vec![1; 10]);
    objects
        .put_thumbnail(org, &hash, bytes)
        .await
        .expect("stored");
    let sql = format!(
        "INSERT INTO screenshots (org, feedback, hash, size_bytes, media_type, width, height, received_at, version) \
         SELECT '{org}', '{id}', '{hash}', {size}, 'image/png', 1, 1, now64(3), 1"
    );
    server.execute(&sql).await;
    let sql = format!(
        "INSERT INTO feedback SELECT * REPLACE ('{hash}' AS screenshot, version + 1 AS version) \
         FROM feedback FINAL WHERE id = '{id}'"
    );
    server.execute(&sql).await;
    hash
}

async fn has_object(server: &Server, hash: &str) -> bool {
    let size = server
        .state
        .objects
        .size_with_thumbnail(server.org.org, hash);
    size.await.expect("an answer") > 0
}

const TABLES: [(&str, &str); 5] = [
    ("submissions", "id"),
    ("feedback", "id"),
    ("feedback_details", "id"),
    ("feedback_thread", "feedback"),
    ("screenshots", "feedback"),
];

/// The tables that an item is in.
async fn places(server: &Server, id: Uuid) -> Vec<&'static str> {
    let mut places = Vec::new();
    for (table, column) in TABLES {
        let sql = format!("SELECT count() FROM {table} WHERE {column} = '{id}'");
        if server.sql(&sql).await != "0" {
            places.push(table);
        }
    }
    places
}

async fn send(server: &Server, device: &Device, from: u64, days: i64) {
    let mut records: Vec<Value> = mixed(from, 10);
    for record in &mut records {
        let t_ms = record["t_ms"].as_i64().unwrap_or(0);
        record["t_ms"] = json!(t_ms - days * 86_400_000);
    }
    let answer = server.batch(device, &device.of(records)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

async fn verified(server: &Server) {
    let report = verify::verify(&server.warehouse, &Window::All, None)
        .await
        .expect("a report");
    assert_eq!(report.differences, []);
}

#[tokio::test]
async fn old_feedback_goes_and_a_dry_run_says_the_same() {
    let (server, later_ms) = server(OrgPolicy::default()).await;
    // From the next noon on, so that no day ends while the test runs.
    const DAY_MS: i64 = 86_400_000;
    let now_ms = server.state.now().as_millisecond();
    let noon_ms = (now_ms / DAY_MS + 1) * DAY_MS + DAY_MS / 2;
    later_ms.store(noon_ms - now_ms, Ordering::Relaxed);
    let device = server.enroll().await;
    let young = item(&server, &device, 2).await;
    let middle = item(&server, &device, 40).await;
    let old = item(&server, &device, 120).await;
    let shared = picture(&server, young, 'a', 1_000).await;
    picture(&server, middle, 'a', 1_000).await;
    let alone = picture(&server, old, 'b', 500).await;
    let own = picture(&server, middle, 'c', 200).await;
    // The row of `middle` names 'c' now; 'a' is only the young one's.
    assert_eq!(places(&server, old).await.len(), TABLES.len());

    let state = "SELECT groupArray((table, sum)) FROM (SELECT table, sum(rows) AS sum FROM system.parts \
                 WHERE database = currentDatabase() AND active \
                 AND table NOT IN ('audit', 'token_uses', 'schema_migrations') GROUP BY table ORDER BY table)";
    let before = server.sql(state).await;
    let dry = cleanup(&server, "?dry_run=true").await;
    assert_eq!(dry.status, 200, "{dry:?}");
    let today = server.state.now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let cutoff = today
        .checked_sub(jiff::Span::new().days(90))
        .expect("a day");
    assert_eq!(
        dry.body,
        json!({"submissions_deleted": 1, "screenshots_deleted": 1, "bytes_freed": 510,
               "cutoff_date": cutoff.to_string(), "retention_days": 90})
    );
    assert_eq!(server.sql(state).await, before, "nothing changed");
    assert_eq!(server.sql("SELECT count() FROM audit").await, "0");
    assert!(has_object(&server, &alone).await);

    let done = cleanup(&server, "").await;
    assert_eq!(done.body, dry.body, "the same numbers");
    assert_eq!(places(&server, old).await, [""; 0]);
    assert!(!has_object(&server, &alone).await);
    assert_eq!(places(&server, middle).await.len(), TABLES.len());
    assert_eq!(cleanup(&server, "").await.body["submissions_deleted"], 0);
    verified(&server).await;

    let dry = cleanup(&server, "?retention_days=30&dry_run=true").await;
    let done = cleanup(&server, "?retention_days=30").await;
    assert_eq!(done.body, dry.body);
    assert_eq!(done.body["submissions_deleted"], 1);
    assert_eq!(done.body["bytes_freed"], 210, "'a' is shared");
    assert_eq!(done.body["retention_days"], 30);
    assert_eq!(places(&server, middle).await, [""; 0]);
    assert_eq!(places(&server, young).await.len(), TABLES.len());
    assert!(!has_object(&server, &own).await);
    assert!(has_object(&server, &shared).await);
    verified(&server).await;
    let acts = "SELECT count() FROM audit WHERE action = 'retention.cleanup'";
    assert_eq!(server.sql(acts).await, "3");

    // A late retry doesn't bring it back.
    let body = json!({"id": old, "created_at": (Timestamp::now() - SignedDuration::from_hours(120 * 24)).to_string(),
        "category": "bug", "description": "it hangs"});
    let request = Request::post("/v1/feedback")
        .header(header::AUTHORIZATION, format!("Bearer {}", device.token))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_string()))
        .expect("a request");
    let late = server.send(request).await;
    assert_eq!(late.status, 200, "{late:?}");
    assert_eq!(late.body["duplicate"], true);
    assert_eq!(places(&server, old).await, [""; 0]);
}

/// Says that an item is a duplicate of another.
async fn merge(server: &Server, id: Uuid, into: Uuid) {
    let token = &server.org.analyst_token;
    let request = Request::post(format!("/v1/feedback/{id}/merge"))
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(json!({ "into": into }).to_string()))
        .expect("a request");
    let answer = server.send(request).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// The ids that the desk lists when it isn't asked for duplicates.
async fn listed(server: &Server) -> Vec<Value> {
    let answer = server.get("/v1/feedback", &server.org.analyst_token).await;
    let items = answer.body["items"].as_array().expect("items");
    items.iter().map(|item| item["id"].clone()).collect()
}

/// An item of 100 days ago, one of the day before and one of today, both merged into it.
async fn merged(server: &Server, device: &Device) -> (Uuid, Uuid, Uuid) {
    let old = item(server, device, 100).await;
    let gone_too = item(server, device, 101).await;
    let young = item(server, device, 0).await;
    merge(server, gone_too, old).await;
    merge(server, young, old).await;
    (old, gone_too, young)
}

#[tokio::test]
async fn duplicates_of_what_goes_stand_for_themselves_again() {
    let (server, _) = server(OrgPolicy::default()).await;
    let device = server.enroll().await;
    let (old, gone_too, young) = merged(&server, &device).await;
    let dry = cleanup(&server, "?retention_days=95&dry_run=true").await;
    assert_eq!(dry.body["submissions_deleted"], 2, "{dry:?}");
    assert_eq!(listed(&server).await, [json!(old)], "nothing changed");

    let done = cleanup(&server, "?retention_days=95").await;
    assert_eq!(done.body["submissions_deleted"], 2, "{done:?}");
    assert_eq!(places(&server, old).await, [""; 0]);
    assert_eq!(places(&server, gone_too).await, [""; 0]);
    assert_eq!(listed(&server).await, [json!(young)]);
    let path = format!("/v1/feedback/{young}");
    let shown = server.get(&path, &server.org.analyst_token).await;
    assert_eq!(shown.body["merged_into"], Value::Null, "{shown:?}");
    verified(&server).await;
}

/// What a listener who goes on from `last` is told before it is up to date, and where it is
/// then.
async fn told_since(server: &Server, last: &str) -> (String, String) {
    let token = &server.org.analyst_token;
    let request = Request::get("/v1/stream")
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header("Last-Event-ID", last)
        .body(Body::empty())
        .expect("a request");
    let response = server.answer(request).await;
    assert_eq!(response.status(), 200);
    let mut stream = response.into_body().into_data_stream();
    let mut text = String::new();
    while !(text.contains("event: ready\n") && text.ends_with("\n\n")) {
        let bytes = tokio::time::timeout(Duration::from_secs(20), stream.next())
            .await
            .expect("in time");
        let bytes = bytes.expect("no end").expect("bytes");
        text.push_str(std::str::from_utf8(&bytes).expect("ASCII"));
    }
    let mut ids = text.lines().filter_map(|line| line.strip_prefix("id: "));
    let last = ids.next_back().expect("an id").to_owned();
    (text, last)
}

#[tokio::test]
async fn listeners_who_come_back_are_not_told_of_what_is_gone() {
    let (server, _) = server(OrgPolicy::default()).await;
    let device = server.enroll().await;
    let old = item(&server, &device, 120).await;
    let young = item(&server, &device, 2).await;
    let (_, last) = told_since(&server, "").await;
    for id in [old, young] {
        server.state.live.publish(Event {
            org: server.org.org,
            kind: Kind::FeedbackSubmitted,
            data: json!({ "id": id }),
        });
    }
    let dry = cleanup(&server, "?dry_run=true").await;
    assert_eq!(dry.body["submissions_deleted"], 1, "{dry:?}");
    let (told, _) = told_since(&server, &last).await;
    assert!(told.contains(&old.to_string()), "{told}");
    assert!(told.contains(&young.to_string()), "{told}");

    let done = cleanup(&server, "").await;
    assert_eq!(done.body["submissions_deleted"], 1, "{done:?}");
    // From memory, and from the log: that it is gone, and nothing else of it.
    let (told, _) = told_since(&server, &last).await;
    let gone = json!({ "ids": [old], "deleted": true }).to_string();
    assert_eq!(told.matches(&old.to_string()).count(), 1, "{told}");
    assert!(told.contains(&format!("data: {gone}\n")), "{told}");
    assert!(told.contains(&young.to_string()), "{told}");
    for (id, events) in [(old, "0"), (young, "1")] {
        let logged = format!(
            "SELECT count() FROM live_events WHERE data LIKE '%{id}%' AND kind = 'feedback:submitted'"
        );
        assert_eq!(server.sql(&logged).await, events);
    }
}

/// What listeners hear of items, and nothing else.
fn heard(listening: &mut Listening) -> Vec<Value> {
    std::iter::from_fn(|| listening.try_recv().ok())
        .filter(|told| told.kind == Kind::FeedbackChanged)
        .map(|told| told.data.clone())
        .collect()
}

#[tokio::test]
async fn listeners_hear_what_retention_ends_and_what_stands_for_itself_again() {
    let (server, _) = server(OrgPolicy::default()).await;
    let device = server.enroll().await;
    let (old, gone_too, young) = merged(&server, &device).await;
    let mut listening = server.state.live.listen();
    let done = cleanup(&server, "?retention_days=95").await;
    assert_eq!(done.body["submissions_deleted"], 2, "{done:?}");
    assert_eq!(
        heard(&mut listening),
        [
            json!({ "ids": [old, gone_too], "deleted": true }),
            json!({ "ids": [young], "action": "feedback.unmerge", "by": null }),
        ]
    );
    // Where there are very many, listeners load anew.
    let many = format!(
        "INSERT INTO submissions (org, product, id, device, at, received_at) SELECT '{}', 'default', \
         generateUUIDv4(), '{}', now64(3) - toIntervalDay(100), now() FROM numbers(1001)",
        server.org.org, device.id
    );
    server.execute(&many).await;
    let done = cleanup(&server, "").await;
    assert_eq!(done.body["submissions_deleted"], 1_001, "{done:?}");
    assert_eq!(heard(&mut listening), [json!({ "reload": true })]);
}

/// A request of a device.
fn asked(method: &str, path: &str, media_type: &str, device: &Device, body: Body) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(path)
        .header(header::AUTHORIZATION, format!("Bearer {}", device.token))
        .header(header::CONTENT_TYPE, media_type)
        .body(body)
        .expect("a request")
}

fn png() -> Vec<u8> {
    let mut picture = std::io::Cursor::new(Vec::new());
    image::DynamicImage::new_rgb8(64, 48)
        .write_to(&mut picture, image::ImageFormat::Png)
        .expect("memory");
    picture.into_inner()
}

#[tokio::test]
async fn a_picture_that_comes_after_its_item_has_expired_is_not_stored() {
    let (first, _) = server(OrgPolicy::default()).await;
    let patient = Settings {
        body_timeout: Duration::from_secs(60),
        ..first.state.settings.clone()
    };
    let server = Arc::new(first.restart_with(patient, AppState::system_clock()));
    let device = server.enroll().await;
    let said = |days: i64| {
        let id = Uuid::now_v7();
        let at = Timestamp::now() - SignedDuration::from_hours(24 * days);
        let body = json!({"id": id, "created_at": at.to_string(), "category": "bug",
            "description": "It hangs."});
        let body = Body::from(body.to_string());
        let request = asked("POST", "/v1/feedback", "application/json", &device, body);
        (id, request)
    };
    let picture = |id: Uuid, body: Body| {
        let path = format!("/v1/feedback/{id}/screenshot");
        asked("PUT", &path, "image/png", &device, body)
    };
    let (old, request) = said(100);
    assert_eq!(server.send(request).await.status, 201);
    let (young, request) = said(1);
    assert_eq!(server.send(request).await.status, 201);
    let late = slow(png());
    let arriving = tokio::spawn({
        let (server, request) = (Arc::clone(&server), picture(old, late.body));
        async move { server.send(request).await }
    });
    late.asked.await.expect("it is let in");
    let done = cleanup(&server, "").await;
    assert_eq!(done.body["submissions_deleted"], 1, "{done:?}");
    late.rest.send(()).expect("it waits");
    let arrived = arriving.await.expect("an answer");
    assert_eq!(arrived.status, 404, "{arrived:?}");
    let after = server.send(picture(old, Body::from(png()))).await;
    assert_eq!(after.status, 404, "{after:?}");
    assert_eq!(server.state.objects.list().count().await, 0);
    assert_eq!(server.sql("SELECT count() FROM screenshots").await, "0");
    // The others' are taken as before.
    let other = server.send(picture(young, Body::from(png()))).await;
    assert_eq!(other.status, 201, "{other:?}");
}

/// What another server took while this one deleted the item.
#[tokio::test]
async fn a_picture_whose_item_is_gone_goes_too() {
    let (server, later_ms) = server(OrgPolicy::default()).await;
    let device = server.enroll().await;
    let named = item(&server, &device, 1).await;
    let stays = picture(&server, named, 'a', 100).await;
    let half = item(&server, &device, 1).await;
    let stays_too = picture(&server, half, 'b', 100).await;
    let not_yet =
        format!("ALTER TABLE submissions DELETE WHERE id = '{half}' SETTINGS mutations_sync = 2");
    server.execute(&not_yet).await;
    let nobody = Uuid::now_v7();
    let goes = picture(&server, nobody, 'c', 100).await;

    let report = orphans::look(&server.state).await.expect("a look");
    assert_eq!(report.objects_deleted, 0, "its item may be on its way");
    assert_eq!(places(&server, nobody).await, ["screenshots"]);
    later_ms.store(2 * 3_600_000, Ordering::Relaxed);
    let report = orphans::look(&server.state).await.expect("a look");
    assert_eq!((report.objects_deleted, report.bytes_freed), (1, 110));
    assert_eq!(places(&server, nobody).await, [""; 0]);
    assert!(!has_object(&server, &goes).await);
    assert!(has_object(&server, &stays).await);
    assert!(
        has_object(&server, &stays_too).await,
        "the desk has its item"
    );
    assert_eq!(places(&server, named).await.len(), TABLES.len());
}

/// An item that came with a date whose others have expired can't be left out by a rebuild, and is left out all the same.
#[tokio::test]
async fn an_item_of_an_expired_day_leaves_the_figures_when_it_is_deleted() {
    let (server, _) = server(kept(90, 30, 30)).await;
    let device = server.enroll().await;
    item(&server, &device, 40).await;
    assert_eq!(cleanup(&server, "").await.body["submissions_deleted"], 1);
    item(&server, &device, 40).await;
    let figures = "SELECT * EXCEPT (devices) APPLY (toString) FROM (\
                   SELECT dimension, tag, app, toDate(hour), sum(submissions) AS n, sum(rated), sum(rating_sum), \
                   sum(rating_2), sum(positive), sum(polarity_micro), any(devices) AS devices FROM feedback_rollup \
                   GROUP BY ALL HAVING n > 0) ORDER BY ALL";
    let before = server.sql(figures).await;
    let late = item(&server, &device, 40).await;
    let other = tagged(&server, &device, 40, "lonely").await;
    assert_ne!(server.sql(figures).await, before);
    let from = Timestamp::now() - SignedDuration::from_hours(50 * 24);
    let tags = format!("/v1/feedback/analytics/tags?from={from}&interval=week");
    let listed = server.get(&tags, &server.org.analyst_token).await;
    assert!(listed.body.to_string().contains("lonely"), "{listed:?}");
    for id in [late, other] {
        let path = format!("/v1/feedback/{id}");
        let answer = ask(&server, "DELETE", &path, &server.org.admin_token).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        // Again: it is taken out once.
        let again = ask(&server, "DELETE", &path, &server.org.admin_token).await;
        assert_eq!(again.body, answer.body);
    }
    assert_eq!(server.sql(figures).await, before);
    let listed = server.get(&tags, &server.org.analyst_token).await;
    assert!(!listed.body.to_string().contains("lonely"), "{listed:?}");
    assert!(listed.body.to_string().contains("slow"), "{listed:?}");
    verified(&server).await;
}

#[tokio::test]
async fn a_cleanup_is_asked_for_properly() {
    let (server, _) = server(OrgPolicy::default()).await;
    for (query, field) in [
        ("?retention_days=0", "retention_days"),
        ("?retention_days=3651", "retention_days"),
        ("?retention_days=-1", "retention_days"),
        ("?retention_days=x", "retention_days"),
        ("?dry_run=maybe", "dry_run"),
        ("?days=3", "days"),
        ("?dry_run=true&dry_run=false", "dry_run"),
    ] {
        let answer = cleanup(&server, query).await;
        assert_eq!(answer.status, 400, "{query}: {answer:?}");
        assert_eq!(answer.body["field"], field, "{query}");
    }
    let token = &server.org.analyst_token;
    assert_eq!(
        ask(&server, "POST", "/v1/admin/cleanup", token)
            .await
            .status,
        403
    );
    assert_eq!(
        ask(&server, "GET", "/v1/admin/metrics", token).await.status,
        403
    );
}

#[tokio::test]
async fn screenshots_may_go_before_their_items() {
    let (server, _) = server(kept(90, 90, 7)).await;
    let device = server.enroll().await;
    let (young, old) = (
        item(&server, &device, 1).await,
        item(&server, &device, 20).await,
    );
    let stays = picture(&server, young, 'a', 100).await;
    let goes = picture(&server, old, 'b', 100).await;
    let dry = cleanup(&server, "?dry_run=true").await;
    assert_eq!(dry.body["submissions_deleted"], 0);
    assert_eq!(dry.body["screenshots_deleted"], 1);
    assert_eq!(dry.body["bytes_freed"], 110);
    retention::daily(&server.state).await.expect("a day");
    assert!(has_object(&server, &stays).await);
    assert!(!has_object(&server, &goes).await);
    let named = format!("SELECT screenshot FROM feedback FINAL WHERE id = '{old}'");
    assert_eq!(server.sql(&named).await, "");
    let named = format!("SELECT count() FROM feedback FINAL WHERE id = '{old}'");
    assert_eq!(server.sql(&named).await, "1", "the item stays");
    let rows = format!("SELECT count() FROM screenshots WHERE feedback = '{old}'");
    assert_eq!(server.sql(&rows).await, "0");
}

#[tokio::test]
async fn old_records_go_and_their_figures_stay() {
    let (server, later_ms) = server(kept(30, 90, 90)).await;
    let devices = [server.enroll().await, server.enroll().await];
    for device in &devices {
        for (index, days) in [60, 20, 1].into_iter().enumerate() {
            send(&server, device, 1 + 100 * index as u64, days).await;
        }
    }
    let org = server.org.org;
    let device = &devices[0].id;
    let label = format!(
        "INSERT INTO labels SELECT '{org}', 'default', '{device}', 900, now64(3) - toIntervalDay(60), now(), \
         '00000000000000aa', 'element', 'excel', 'save'"
    );
    server.execute(&label).await;
    let figures = "SELECT hour, app, screen, sum(records), uniqMerge(people) FROM events_by_hour GROUP BY ALL ORDER BY ALL";
    let before = server.sql(figures).await;
    retention::daily(&server.state).await.expect("a day");
    for table in ["events", "sessions", "screens", "incidents"] {
        let moment = if table == "sessions" {
            "started_at"
        } else {
            "at"
        };
        let ages = format!(
            "SELECT arraySort(groupUniqArray(dateDiff('day', {moment}, now64(3)) > 30)), count() > 0 FROM {table}"
        );
        assert_eq!(server.sql(&ages).await, "[0]\t1", "{table}");
    }
    assert_eq!(server.sql("SELECT count() FROM events").await, "40");
    assert_eq!(server.sql(figures).await, before, "figures stay");
    let by_device = "SELECT count() FROM devices_by_day WHERE day < today() - 31";
    assert_eq!(server.sql(by_device).await, "0", "who did what does not");
    assert_eq!(
        server
            .sql("SELECT device = toUUID('00000000-0000-0000-0000-000000000000'), text FROM labels")
            .await,
        "1\tsave"
    );
    verified(&server).await;

    // A kept day that is damaged is mended, an old one is left as it is.
    server
        .execute("ALTER TABLE events_by_hour DELETE WHERE hour > now() - toIntervalDay(30) SETTINGS mutations_sync = 2")
        .await;
    let gate = Some(&server.state.write_gate);
    for window in [
        Window::All,
        Window::RecentlyReceived(86_400),
        Window::Since(Timestamp::now() - SignedDuration::from_hours(24 * 80)),
    ] {
        let report = verify::verify(&server.warehouse, &window, gate)
            .await
            .expect("a report");
        assert_eq!(report.remaining, []);
        assert_eq!(server.sql(figures).await, before, "{window:?}");
    }

    // Who is forgotten is taken out of the old days' sets, too.
    let path = format!("/v1/admin/people/{device}");
    let answer = ask(&server, "DELETE", &path, &server.org.admin_token).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    for (table, set) in [
        ("incidents_by_hour", "toString(people)"),
        ("sessions_by_hour", "toString(who)"),
        ("screens_by_hour", "toString(who)"),
        ("flows_by_hour", "toString(people)"),
        ("devices_by_day", "toString(device)"),
    ] {
        let sql =
            format!("SELECT countIf(position({set}, '{device}') > 0), count() > 0 FROM {table}");
        assert_eq!(server.sql(&sql).await, "0\t1", "{table}");
    }
    verified(&server).await;

    // Forty days later nothing raw is left.
    later_ms.store(40 * 86_400_000, Ordering::Relaxed);
    retention::daily(&server.state).await.expect("a day");
    assert_eq!(server.sql("SELECT count() FROM events").await, "0");
    assert_ne!(server.sql("SELECT count() FROM events_by_hour").await, "0");
    verified(&server).await;
}

#[tokio::test]
async fn orphans_are_found_both_ways() {
    let (server, later_ms) = server(OrgPolicy::default()).await;
    let device = server.enroll().await;
    let id = item(&server, &device, 1).await;
    let named = picture(&server, id, 'a', 100).await;
    let (org, objects) = (server.org.org, &server.state.objects);
    let orphan = "d".repeat(64);
    let bytes = Bytes::from_static(b"nobody's");
    put_object(objects, org, &orphan, bytes)
        .await
        .expect("stored");
    let thumbnail = "e".repeat(64);
    let bytes = Bytes::from_static(b"left");
    objects
        .put_thumbnail(org, &thumbnail, bytes)
        .await
        .expect("stored");

    let report = orphans::look(&server.state).await.expect("a look");
    assert_eq!(
        report,
        orphans::Report::default(),
        "they may be on their way"
    );
    assert!(has_object(&server, &orphan).await);
    later_ms.store(2 * 3_600_000, Ordering::Relaxed);
    let report = orphans::look(&server.state).await.expect("a look");
    assert_eq!((report.objects_deleted, report.bytes_freed), (2, 12));
    assert!(!has_object(&server, &orphan).await);
    assert!(!has_object(&server, &thumbnail).await);
    assert!(has_object(&server, &named).await);

    objects.delete(org, &named).await.expect("deleted");
    let report = orphans::look(&server.state).await.expect("a look");
    assert_eq!(report.rows_missing, 1);
    let marked = "SELECT missing, hash != '' FROM screenshots FINAL";
    assert_eq!(server.sql(marked).await, "1\t1");
    let metrics = server.get("/metrics", "").await;
    let metrics = metrics.body.as_str().expect("text");
    assert!(metrics.contains("\nsnag_screenshots_missing 1\n"));
    assert!(metrics.contains("\nsnag_orphans_deleted_total 2\n"));
    let bytes = Bytes::from_static(b"back");
    put_object(objects, org, &named, bytes)
        .await
        .expect("stored");
    let report = orphans::look(&server.state).await.expect("a look");
    assert_eq!(report.rows_missing, 0);
    assert_eq!(server.sql(marked).await, "0\t1");
}

#[tokio::test]
async fn figures_are_those_of_the_tables() {
    let (server, _) = server(OrgPolicy::default()).await;
    let empty = ask(&server, "GET", "/v1/admin/metrics", &server.org.admin_token).await;
    assert_eq!(
        empty.body,
        json!({"total_submissions": 0, "total_screenshots": 0, "total_screenshot_storage_mb": 0.0,
               "avg_screenshot_size_mb": 0.0, "max_screenshot_size_mb": 0.0,
               "submissions_last_24h": 0, "oldest_submission": null})
    );
    let device = server.enroll().await;
    let ids = [
        item(&server, &device, 1).await,
        item(&server, &device, 2).await,
        item(&server, &device, 3).await,
    ];
    server
        .execute("ALTER TABLE submissions UPDATE tags = ['x'] WHERE 1 SETTINGS mutations_sync = 2")
        .await;
    let old = format!(
        "INSERT INTO submissions (org, id, at, received_at) SELECT '{}', generateUUIDv4(), \
         toDateTime64('2026-01-02 03:04:05.678', 3, 'UTC'), now() - 90000",
        server.org.org
    );
    server.execute(&old).await;
    picture(&server, ids[0], 'a', 1 << 20).await;
    picture(&server, ids[1], 'b', 3 << 20).await;
    let figures = ask(&server, "GET", "/v1/admin/metrics", &server.org.admin_token).await;
    assert_eq!(
        figures.body,
        json!({"total_submissions": 4, "total_screenshots": 2, "total_screenshot_storage_mb": 4.0,
               "avg_screenshot_size_mb": 2.0, "max_screenshot_size_mb": 3.0,
               "submissions_last_24h": 3, "oldest_submission": "2026-01-02T03:04:05.678Z"})
    );
    let metrics = server.get("/metrics", "").await;
    let metrics = metrics.body.as_str().expect("text");
    for line in [
        "snag_stored_submissions 4",
        "snag_submissions_last_day 3",
        "snag_stored_screenshots 2",
        "snag_screenshot_storage_bytes 4194304",
        "snag_screenshot_size_avg_bytes 2097152",
        "snag_screenshot_size_max_bytes 3145728",
        "snag_oldest_submission_timestamp_seconds 1767323045",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line}");
    }

    // A deleted item takes its picture with it.
    let path = format!("/v1/feedback/{}", ids[1]);
    let receipt = ask(&server, "DELETE", &path, &server.org.admin_token).await;
    assert_eq!(receipt.body["bytes_freed"], (3 << 20) + 10, "{receipt:?}");
    assert!(!has_object(&server, &"b".repeat(64)).await);
    assert!(has_object(&server, &"a".repeat(64)).await);
}
