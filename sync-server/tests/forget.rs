//! What is deleted is gone: from every table, from the figures, from the disk; and it
//! doesn't come back.

mod harness;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{Request, header};
use harness::{Answer, Device, Server, mixed};
use serde_json::{Value, json};
use snag_server::forget;
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

#[tokio::test]
async fn an_item_is_deleted_with_all_that_belongs_to_it() {
    let server = Server::start().await;
    let device = server.enroll().await;
    item(&server, &device, ITEM, 1).await;
    item(&server, &device, OTHER, 1).await;
    // The other is a duplicate of the one that goes.
    let merged = format!(
        "INSERT INTO feedback SELECT * REPLACE (toUUID('{ITEM}') AS merged_into, version + 1 AS version) \
         FROM feedback FINAL WHERE id = '{OTHER}'"
    );
    server.execute(&merged).await;
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
    assert_eq!(traces(&server, OTHER).await.len(), 0);
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
    use std::sync::Arc;
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
    assert_ne!(figures(&server).await, before);

    forget::resume(&server.state).await.expect("a look");
    assert_ne!(figures(&server).await, before, "it may still be coming");
    later_ms.store(180_000, Ordering::Relaxed);
    forget::resume(&server.state).await.expect("a sweep");
    assert_eq!(figures(&server).await, before);
    verified(&server).await;
    let stage = "SELECT stage FROM forgotten FINAL";
    assert_eq!(server.sql(stage).await, "swept");
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
