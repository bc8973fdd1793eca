//! What is deleted is gone: from every table, from the figures, from the disk; and it
//! doesn't come back.

mod harness;

use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{Request, header};
use futures_util::StreamExt as _;
use harness::{Answer, Device, Server, mixed, slow};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use snag_server::AppState;
use snag_server::forget::{self, Kind};
use snag_server::state::Settings;
use snag_server::verify::{self, Window};

async fn delete(server: &Server, path: &str, token: &str) -> Answer {
    let request = Request::delete(path).header(header::AUTHORIZATION, format!("Bearer {token}"));
    server
        .send(request.body(Body::empty()).expect("a request"))
        .await
}

/// Every figure of every rollup, as text.
async fn figures(server: &Server) -> BTreeMap<&'static str, String> {
    let mut all = BTreeMap::new();
    for (rollup, sql) in [
        (
            "events_by_hour",
            "SELECT hour, app, screen, kind, sum(records), sum(count), uniqMerge(people) FROM events_by_hour GROUP BY ALL ORDER BY ALL",
        ),
        (
            "incidents_by_hour",
            "SELECT hour, kind, app, screen, sum(incidents), arraySort(groupUniqArrayArray(people)) FROM incidents_by_hour GROUP BY ALL ORDER BY ALL",
        ),
        (
            "sessions_by_hour",
            "SELECT hour, sum(sessions), arraySort(groupUniqArrayArray(who)) FROM sessions_by_hour GROUP BY ALL ORDER BY ALL",
        ),
        (
            "sessions_by_day",
            "SELECT day, sum(sessions), uniqMerge(people), sum(frustration_micro) FROM sessions_by_day GROUP BY ALL ORDER BY ALL",
        ),
        (
            "screens_by_hour",
            "SELECT hour, app, screen, sum(sessions), arraySort(groupUniqArrayArray(who)) FROM screens_by_hour GROUP BY ALL ORDER BY ALL",
        ),
        (
            "flows_by_hour",
            "SELECT hour, path_screens, sum(sessions), arraySort(groupUniqArrayArray(people)) FROM flows_by_hour GROUP BY ALL ORDER BY ALL",
        ),
        (
            "devices_by_day",
            "SELECT day, device, sum(records) FROM devices_by_day GROUP BY ALL ORDER BY ALL",
        ),
        (
            "labels_seen",
            "SELECT hash, day, uniqMerge(people) FROM labels_seen GROUP BY ALL ORDER BY ALL",
        ),
    ] {
        all.insert(rollup, server.sql(sql).await);
    }
    all
}

async fn send(server: &Server, device: &Device, from: u64, days: i64) {
    let mut records: Vec<Value> = mixed(from, 15);
    for record in &mut records {
        let t_ms = record["t_ms"].as_i64().unwrap_or(0);
        record["t_ms"] = json!(t_ms - days * 86_400_000);
    }
    let answer = server.batch(device, &device.of(records)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// An item as a submission stores it, with a thread, details and a duplicate.
async fn item(server: &Server, device: &Device, id: &str, days: i64) {
    let org = server.org.org;
    let device = &device.id;
    let at = format!("now64(3) - toIntervalDay({days})");
    for sql in [
        format!(
            "INSERT INTO submissions (org, product, id, device, at, received_at, category, rating, tags) \
             SELECT '{org}', 'default', '{id}', '{device}', {at}, now(), 'bug', 2, ['slow']"
        ),
        format!(
            "INSERT INTO feedback (org, newest, id, version, product, device, at, received_at, category, description, status) \
             SELECT '{org}', 9223372036854775807 - toUnixTimestamp64Milli({at}), '{id}', number + 1, 'default', \
             '{device}', {at}, now64(3), 'bug', 'the quarterly zebra report hangs', 'new' FROM numbers(3)"
        ),
        format!(
            "INSERT INTO feedback_details (org, id, at, trail) SELECT '{org}', '{id}', {at}, '[]'"
        ),
        format!(
            "INSERT INTO feedback_thread (org, feedback, id, at, kind, author, text, device, version) \
             SELECT '{org}', '{id}', generateUUIDv4(), now64(3), 'note', 'user:eve', 'zebra', '{device}', 1 FROM numbers(2)"
        ),
    ] {
        server.execute(&sql).await;
    }
}

/// In how many rows of any table of the organisation a text stands.
async fn traces(server: &Server, text: &str) -> BTreeMap<String, u64> {
    let columns = "SELECT table, arrayStringConcat(groupArray(concat('toString(', name, ')')), ', ') \
                   FROM system.columns WHERE database = currentDatabase() AND table NOT LIKE '%\\_view' \
                   AND type NOT LIKE 'AggregateFunction%' GROUP BY table ORDER BY table";
    let mut found = BTreeMap::new();
    for line in server.sql(columns).await.lines() {
        let (table, columns) = line.split_once('\t').expect("two columns");
        let sql = format!(
            "SELECT count() FROM {table} WHERE position(concat_ws(' ', {columns}), '{text}') > 0"
        );
        let count: u64 = server.sql(&sql).await.parse().expect("a number");
        if count > 0 {
            found.insert(table.to_owned(), count);
        }
    }
    found
}

async fn verified(server: &Server) {
    let report = verify::verify(&server.warehouse, &Window::All, None)
        .await
        .expect("a report");
    assert_eq!(report.differences, []);
}

const ITEM: &str = "0199a5f0-0000-7000-8000-000000000001";
const OTHER: &str = "0199a5f0-0000-7000-8000-000000000002";

/// Makes the other item a duplicate of the one that goes.
async fn merge_other(server: &Server) {
    let merged = format!(
        "INSERT INTO feedback SELECT * REPLACE (toUUID('{ITEM}') AS merged_into, version + 1 AS version) \
         FROM feedback FINAL WHERE id = '{OTHER}'"
    );
    server.execute(&merged).await;
}

#[tokio::test]
async fn an_item_is_deleted_with_all_that_belongs_to_it() {
    let server = Server::start().await;
    let device = server.enroll().await;
    item(&server, &device, ITEM, 1).await;
    item(&server, &device, OTHER, 1).await;
    merge_other(&server).await;
    let path = format!("/v1/feedback/{ITEM}");

    assert_eq!(delete(&server, &path, "").await.status, 401);
    let analyst = delete(&server, &path, &server.org.analyst_token).await;
    assert_eq!(analyst.status, 403, "{analyst:?}");
    assert_eq!(delete(&server, &path, &device.token).await.status, 403);
    let unknown = "/v1/feedback/0199a5f0-0000-7000-8000-00000000000f";
    for missing in [unknown, "/v1/feedback/zebra"] {
        let answer = delete(&server, missing, &server.org.admin_token).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (404, "not_found"));
    }

    let answer = delete(&server, &path, &server.org.admin_token).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        answer.body["what"],
        json!({"feedback": 1, "feedback_details": 1, "feedback_thread": 2, "submissions": 1})
    );
    assert_eq!(answer.body["bytes_freed"], 0);
    let mut left = traces(&server, ITEM).await;
    // Listeners are told that it is gone, and nothing else of it.
    left.remove("live_events");
    let told = format!(
        "SELECT count() FROM live_events WHERE data LIKE '%{ITEM}%' AND data NOT LIKE '%\"deleted\":true%'"
    );
    assert_eq!(server.sql(&told).await, "0");
    assert_eq!(
        left.keys().collect::<Vec<_>>(),
        ["audit", "forgotten"],
        "the bare id alone is left: {left:?}"
    );
    // Its fifth version: three as it came, one merged, one that stands for itself.
    let other =
        format!("SELECT merged_into, version > 4, status FROM feedback FINAL WHERE id = '{OTHER}'");
    assert_eq!(
        server.sql(&other).await,
        "00000000-0000-0000-0000-000000000000\t1\tnew"
    );
    verified(&server).await;

    let again = delete(&server, &path, &server.org.admin_token).await;
    assert_eq!(again.body, answer.body, "the same receipt");
    let acts =
        "SELECT count(), any(actor), any(detail) FROM audit WHERE action = 'feedback.delete'";
    let acts = server.sql(acts).await;
    let receipt = answer.body["receipt"].as_str().expect("an id");
    assert_eq!(
        acts,
        format!("1\ttoken:first admin\t{{\"receipt\":\"{receipt}\"}}")
    );
    let ids = [ITEM.parse().expect("an id"), OTHER.parse().expect("an id")];
    let org = server.org.org.to_string();
    let deleted = forget::log::deleted(&server.warehouse, &[&org], &ids)
        .await
        .expect("an answer");
    assert_eq!(deleted.len(), 1, "a retry is known");
}

#[tokio::test]
async fn listeners_hear_what_is_gone_and_not_what_was_a_persons() {
    let server = Server::start().await;
    let (device, silent) = (server.enroll().await, server.enroll().await);
    item(&server, &device, ITEM, 1).await;
    item(&server, &device, OTHER, 1).await;
    merge_other(&server).await;
    let mut listening = server.state.live.listen();
    let mut heard = || -> Vec<Value> {
        std::iter::from_fn(|| listening.try_recv().ok())
            .map(|told| told.data.clone())
            .collect()
    };
    let path = format!("/v1/feedback/{ITEM}");
    let answer = delete(&server, &path, &server.org.admin_token).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        heard(),
        [
            json!({"id": ITEM, "deleted": true}),
            json!({"ids": [OTHER], "action": "feedback.unmerge", "by": null}),
        ]
    );
    // Which items went together would say that they were one person's.
    for (device, told) in [(&device, vec![json!({"reload": true})]), (&silent, vec![])] {
        let path = format!("/v1/admin/people/{}", device.id);
        let answer = delete(&server, &path, &server.org.admin_token).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(heard(), told);
    }
}

#[tokio::test]
async fn another_organisations_item_is_not_there() {
    let server = Server::start().await;
    let device = server.enroll().await;
    item(&server, &device, ITEM, 1).await;
    let foreign = "INSERT INTO feedback SELECT * REPLACE ('0199a5f0-0000-7000-8000-0000000000aa' AS org, \
                   generateUUIDv4() AS id) FROM feedback LIMIT 1";
    server.execute(foreign).await;
    let id = server
        .sql("SELECT id FROM feedback WHERE org = '0199a5f0-0000-7000-8000-0000000000aa'")
        .await;
    let answer = delete(
        &server,
        &format!("/v1/feedback/{id}"),
        &server.org.admin_token,
    )
    .await;
    assert_eq!(answer.status, 404, "{answer:?}");
    let foreign = server
        .sql("SELECT count() FROM feedback WHERE org = '0199a5f0-0000-7000-8000-0000000000aa'")
        .await;
    assert_eq!(foreign, "1");
}

#[tokio::test]
async fn a_person_is_forgotten_and_the_figures_are_as_if_they_had_never_been() {
    let server = Server::start().await;
    let devices = [
        server.enroll().await,
        server.enroll().await,
        server.enroll().await,
    ];
    for device in &devices[..2] {
        for (index, days) in [40, 2, 0].into_iter().enumerate() {
            send(&server, device, 1 + index as u64 * 100, days).await;
        }
    }
    item(&server, &devices[0], ITEM, 1).await;
    let before = figures(&server).await;
    // The one that goes: on days of the others and on one of their own.
    let gone = &devices[2];
    for (index, days) in [40, 7, 0].into_iter().enumerate() {
        send(&server, gone, 1 + index as u64 * 100, days).await;
    }
    item(&server, gone, OTHER, 3).await;
    assert_ne!(figures(&server).await, before);

    let path = format!("/v1/admin/people/{}", gone.id);
    assert_eq!(
        delete(&server, &path, &server.org.analyst_token)
            .await
            .status,
        403
    );
    let answer = delete(&server, &path, &server.org.admin_token).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let what = &answer.body["what"];
    assert_eq!(what["events"], 45, "{what}");
    for (kind, count) in [
        ("sessions", 3),
        ("screens", 3),
        ("incidents", 3),
        ("feedback", 1),
        ("submissions", 1),
        ("feedback_thread", 2),
        ("devices", 1),
        ("tokens", 1),
    ] {
        assert_eq!(what[kind], count, "{kind}: {what}");
    }
    let left = traces(&server, &gone.id).await;
    assert_eq!(
        left.keys().collect::<Vec<_>>(),
        ["forgotten"],
        "the bare identity alone is left: {left:?}"
    );
    let items = traces(&server, OTHER).await;
    assert_eq!(
        items.keys().collect::<Vec<_>>(),
        ["forgotten"],
        "the bare id alone, until the sweep: {items:?}"
    );
    assert_eq!(figures(&server).await, before);
    verified(&server).await;

    // What is still on its way doesn't bring them back.
    let late = server.batch(gone, &gone.of(mixed(500, 5))).await;
    assert_eq!(late.status, 401, "{late:?}");
    assert_eq!(server.get("/v1/policy", &gone.token).await.status, 401);
    assert_eq!(figures(&server).await, before);
    let again = delete(&server, &path, &server.org.admin_token).await;
    assert_eq!(again.body, answer.body, "the same receipt");
    let unknown = "/v1/admin/people/0199a5f0-0000-7000-8000-00000000000f";
    assert_eq!(
        delete(&server, unknown, &server.org.admin_token)
            .await
            .status,
        404
    );
    // The others go on.
    send(&server, &devices[0], 400, 0).await;
}

#[tokio::test]
async fn a_device_can_have_itself_forgotten() {
    let server = Server::start().await;
    let (stays, goes) = (server.enroll().await, server.enroll().await);
    send(&server, &stays, 1, 0).await;
    send(&server, &goes, 1, 0).await;
    let analyst = delete(&server, "/v1/device/data", &server.org.analyst_token).await;
    assert_eq!(analyst.status, 403);
    let answer = delete(&server, "/v1/device/data", &goes.token).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.body["what"]["events"], 15);
    let again = delete(&server, "/v1/device/data", &goes.token).await;
    assert_eq!(again.status, 401);
    assert_eq!(
        server.sql("SELECT DISTINCT device FROM events").await,
        stays.id
    );
    let log = "SELECT actor, action FROM audit";
    assert_eq!(server.sql(log).await, "device\tperson.forget");
    verified(&server).await;
}

#[tokio::test]
async fn what_was_cut_off_is_finished() {
    let server = Server::start().await;
    let (stays, goes) = (server.enroll().await, server.enroll().await);
    send(&server, &stays, 1, 0).await;
    let before = figures(&server).await;
    send(&server, &goes, 1, 0).await;
    item(&server, &goes, ITEM, 1).await;
    let org = server.org.org;
    // As if the process had died once its plan was written and half of it was gone.
    let plan = json!({"counts": {"events": 15, "sessions": 1, "feedback": 1}, "feedback": [ITEM],
        "days": [jiff::Timestamp::now().to_string()[..10]], "hashes": []});
    let begun = format!(
        "INSERT INTO forgotten (org, kind, id, at, until, stage, plan, version) SELECT '{org}', 'device', \
         '{}', now64(3), now() + 86400, 'planned', '{plan}', 1",
        goes.id
    );
    server.execute(&begun).await;
    for table in ["events", "feedback"] {
        let sql = format!(
            "ALTER TABLE {table} DELETE WHERE device = '{}' SETTINGS mutations_sync = 2",
            goes.id
        );
        server.execute(&sql).await;
    }
    forget::resume(&server.state).await.expect("finished");
    assert_eq!(figures(&server).await, before);
    let left = traces(&server, &goes.id).await;
    assert_eq!(left.keys().collect::<Vec<_>>(), ["forgotten"], "{left:?}");
    verified(&server).await;
    let receipt = "SELECT stage, JSONExtractUInt(receipt, 'what', 'events'), \
                   JSONExtractUInt(receipt, 'what', 'feedback') FROM forgotten FINAL";
    assert_eq!(server.sql(receipt).await, "deleted\t15\t1");
    assert_eq!(
        server.get("/v1/policy", &goes.token).await.status,
        401,
        "its token went, too"
    );
    // It is asked for again all the same: there is a receipt.
    let path = format!("/v1/admin/people/{}", goes.id);
    assert_eq!(
        delete(&server, &path, &server.org.admin_token).await.status,
        200
    );
}

#[tokio::test]
async fn what_another_server_had_on_its_way_is_swept() {
    use std::sync::atomic::{AtomicI64, Ordering};
    let later_ms = Arc::new(AtomicI64::new(0));
    let clock = {
        let later_ms = Arc::clone(&later_ms);
        Arc::new(move || {
            jiff::Timestamp::now()
                + jiff::SignedDuration::from_millis(later_ms.load(Ordering::Relaxed))
        })
    };
    let server = Server::with(5, snag_server::orgs::OrgPolicy::default(), clock).await;
    let (stays, goes) = (server.enroll().await, server.enroll().await);
    send(&server, &stays, 1, 0).await;
    let before = figures(&server).await;
    send(&server, &goes, 1, 0).await;
    item(&server, &goes, ITEM, 1).await;
    server.execute("CREATE TABLE late AS events").await;
    let keep = format!(
        "INSERT INTO late SELECT * FROM events WHERE device = '{}'",
        goes.id
    );
    server.execute(&keep).await;
    let path = format!("/v1/admin/people/{}", goes.id);
    let answer = delete(&server, &path, &server.org.admin_token).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    server
        .execute("INSERT INTO events SELECT * FROM late")
        .await;
    server.execute("DROP TABLE late SYNC").await;
    let hash = hex::encode(Sha256::digest(b"a picture"));
    let org = server.org.org;
    harness::put_object(&server.state.objects, org, &hash, "a picture")
        .await
        .expect("stored");
    let picture = format!(
        "INSERT INTO screenshots (org, feedback, hash, media_type, size_bytes, version) \
         SELECT '{org}', '{ITEM}', '{hash}', 'image/png', 9, 1"
    );
    server.execute(&picture).await;
    let shown = format!("/v1/feedback/{ITEM}/screenshot");
    let shown = server.get(&shown, &server.org.admin_token).await;
    assert_eq!(shown.status, 404, "nobody sees it meanwhile: {shown:?}");
    assert_ne!(figures(&server).await, before);

    forget::resume(&server.state).await.expect("a look");
    assert_ne!(figures(&server).await, before, "it may still be coming");
    later_ms.store(180_000, Ordering::Relaxed);
    forget::resume(&server.state).await.expect("a sweep");
    assert_eq!(figures(&server).await, before);
    verified(&server).await;
    let stage = "SELECT stage FROM forgotten FINAL";
    assert_eq!(server.sql(stage).await, "swept");
    let left = traces(&server, ITEM).await;
    assert!(left.is_empty(), "its picture, too: {left:?}");
    assert_eq!(objects(&server).await, 0);
}

async fn objects(server: &Server) -> usize {
    server.state.objects.list().count().await
}

fn said(id: &str) -> Value {
    json!({"id": id, "created_at": jiff::Timestamp::now().to_string(), "category": "bug",
        "description": "the quarterly zebra report hangs"})
}

fn asked(method: &str, path: &str, media_type: &str, token: &str, body: Body) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(path)
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::CONTENT_TYPE, media_type)
        .body(body)
        .expect("a request")
}

/// What is on its way when its item or its person goes is refused, and nothing of it stays.
#[tokio::test(flavor = "multi_thread")]
async fn what_arrives_after_the_deletion_is_not_stored() {
    let server = Server::start().await;
    let patient = Settings {
        body_timeout: Duration::from_secs(60),
        ..server.state.settings.clone()
    };
    let server = Arc::new(server.restart_with(patient, AppState::system_clock()));
    let mut picture = Cursor::new(Vec::new());
    image::DynamicImage::new_rgb8(64, 48)
        .write_to(&mut picture, image::ImageFormat::Png)
        .expect("memory");
    for (whose, what) in [
        (Kind::Feedback, "PUT"),
        (Kind::Device, "PUT"),
        (Kind::Device, "POST"),
    ] {
        let device = server.enroll().await;
        let id = uuid::Uuid::now_v7().to_string();
        let (path, media_type, bytes) = if what == "PUT" {
            let body = Body::from(said(&id).to_string());
            let submission = asked(
                "POST",
                "/v1/feedback",
                "application/json",
                &device.token,
                body,
            );
            assert_eq!(server.send(submission).await.status, 201);
            let path = format!("/v1/feedback/{id}/screenshot");
            (path, "image/png", picture.get_ref().clone())
        } else {
            let body = said(&id).to_string().into_bytes();
            ("/v1/feedback".to_owned(), "application/json", body)
        };
        let late = slow(bytes);
        let request = asked(what, &path, media_type, &device.token, late.body);
        let answering = tokio::spawn({
            let server = Arc::clone(&server);
            async move { server.send(request).await }
        });
        late.asked.await.expect("it is let in");
        let of = match whose {
            Kind::Feedback => format!("/v1/feedback/{id}"),
            Kind::Device => format!("/v1/admin/people/{}", device.id),
        };
        let deleted = delete(&server, &of, &server.org.admin_token).await;
        assert_eq!(deleted.status, 200, "{deleted:?}");
        late.rest.send(()).expect("it waits");
        let answer = answering.await.expect("an answer");
        let refused = if what == "PUT" { 404 } else { 401 };
        assert_eq!(answer.status, refused, "{answer:?}");
        let mut left = traces(&server, &id).await;
        left.retain(|table, _| !["audit", "forgotten", "live_events"].contains(&table.as_str()));
        assert!(left.is_empty(), "{whose:?} {what}: {left:?}");
        assert_eq!(objects(&server).await, 0, "{whose:?} {what}");
    }
    verified(&server).await;
}

#[tokio::test]
async fn the_files_go_too() {
    let server = Server::start().await;
    let device = server.enroll().await;
    send(&server, &device, 1, 0).await;
    item(&server, &device, ITEM, 0).await;
    // As ClickHouse does it after 8 minutes, but now.
    for table in ["events", "feedback", "events_by_hour"] {
        let sql = format!("ALTER TABLE {table} MODIFY SETTING old_parts_lifetime = 1");
        server.execute(&sql).await;
    }
    let parts = "SELECT path FROM system.parts WHERE database = currentDatabase() \
                 AND table IN ('events', 'feedback', 'events_by_hour') AND active";
    let before: Vec<String> = server.sql(parts).await.lines().map(str::to_owned).collect();
    assert!(before.len() >= 3, "{before:?}");
    assert!(
        before
            .iter()
            .all(|path| std::path::Path::new(path).exists())
    );
    let path = format!("/v1/admin/people/{}", device.id);
    let answer = delete(&server, &path, &server.org.admin_token).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let began = Instant::now();
    loop {
        let left: Vec<&String> = before
            .iter()
            .filter(|path| std::path::Path::new(path).exists())
            .collect();
        if left.is_empty() {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(120), "{left:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// A client that hangs up once everything was sent doesn't end what has begun: the deletion waits for it, and takes it.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_being_stored_for_a_client_that_hung_up_is_deleted_too() {
    let server = Arc::new(Server::start().await);
    let mut picture = Cursor::new(Vec::new());
    image::DynamicImage::new_rgb8(64, 48)
        .write_to(&mut picture, image::ImageFormat::Png)
        .expect("memory");
    for what in ["POST", "PUT"] {
        let device = server.enroll().await;
        let id = uuid::Uuid::now_v7().to_string();
        let words = Body::from(said(&id).to_string());
        let mut request = asked(
            "POST",
            "/v1/feedback",
            "application/json",
            &device.token,
            words,
        );
        if what == "PUT" {
            assert_eq!(server.send(request).await.status, 201);
            let path = format!("/v1/feedback/{id}/screenshot");
            let bytes = Body::from(picture.get_ref().clone());
            request = asked("PUT", &path, "image/png", &device.token, bytes);
        }
        // Whatever stores stands still here.
        let rows = server.state.write_gate.write().await;
        let objects_too = server.state.objects.gate.write().await;
        let asking = tokio::spawn({
            let server = Arc::clone(&server);
            async move { server.send(request).await }
        });
        let whose = device.id.parse().expect("an id");
        let begun = Instant::now();
        while !server.state.gone.is_storing(server.org.org, whose) {
            assert!(begun.elapsed() < Duration::from_secs(60), "{what} begins");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(!asking.is_finished(), "{what} stands still");
        asking.abort();
        assert!(asking.await.is_err(), "{what} has hung up");
        let deleting = tokio::spawn({
            let server = Arc::clone(&server);
            let path = format!("/v1/admin/people/{}", device.id);
            async move { delete(&server, &path, &server.org.admin_token).await }
        });
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(!deleting.is_finished(), "it waits for {what}");
        drop((rows, objects_too));
        let deleted = deleting.await.expect("an answer");
        assert_eq!(deleted.status, 200, "{deleted:?}");
        assert_eq!(deleted.body["what"]["submissions"], 1, "{deleted:?}");
        let mut left = traces(&server, &id).await;
        left.retain(|table, _| !["forgotten", "live_events"].contains(&table.as_str()));
        assert!(left.is_empty(), "{what}: {left:?}");
        assert_eq!(objects(&server).await, 0, "{what}");
    }
    verified(&server).await;
}
