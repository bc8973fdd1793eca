//! Insights over the real engine: every figure against a plain recount.

mod data;
#[path = "../harness/folder.rs"]
mod folder;

use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use data::{Asked, DAY, Data, HOUR, KINDS, Random, START, hash};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use jiff::Timestamp;
use serde_json::Value;
use snag_server::AppState;
use snag_server::control::{self, NewOrg, OrgCreated};
use snag_server::orgs::OrgPolicy;
use snag_server::state::Settings;
use snag_warehouse::{EmbeddedOptions, Query, Warehouse};
use tower::ServiceExt;

/// The library runs one engine a process, so that all tests share a folder and each has
/// a database of its own.
static FOLDER: LazyLock<PathBuf> = LazyLock::new(folder::own);

struct Server {
    warehouse: Warehouse,
    router: Router,
}

/// An organisation's analyst.
struct Analyst {
    org: String,
    token: String,
    k: u64,
}

impl Server {
    async fn start(database: &str) -> Self {
        // What a 500 hides from the client is in the log of the test that failed.
        let log = tracing_subscriber::fmt().with_max_level(tracing::Level::WARN);
        drop(log.with_test_writer().try_init());
        let warehouse = Warehouse::embedded(EmbeddedOptions {
            database: database.to_owned(),
            fsync: false,
            ..EmbeddedOptions::new(&*FOLDER)
        })
        .expect("the engine starts");
        warehouse.migrate_up().await.expect("migrations");
        let settings = Settings {
            label_refresh: Duration::ZERO,
            ..Settings::default()
        };
        let now = Timestamp::from_millisecond(START + 20 * DAY + 5).expect("a time");
        let state = AppState::new(warehouse.clone(), settings, Arc::new(move || now));
        Self {
            router: snag_server::router::router(state),
            warehouse,
        }
    }

    async fn organisation(&self, name: &str, k: u32) -> Analyst {
        let new = NewOrg {
            name,
            contact: "it@example.org",
            k,
            local: k == 1,
            policy: OrgPolicy::default(),
        };
        let created: OrgCreated = control::create_org(&self.warehouse, new, Timestamp::now())
            .await
            .expect("an organisation");
        Analyst {
            org: created.org.to_string(),
            token: created.analyst_token,
            k: k.into(),
        }
    }

    async fn store(&self, org: &str, product: &str, data: &Data) {
        for (table, rows) in data.rows(org, product) {
            if !rows.is_empty() {
                self.insert(table, rows).await;
            }
        }
    }

    async fn insert(&self, table: &str, rows: String) {
        let statement = Query::new(format!("INSERT INTO {table} FORMAT JSONEachRow"));
        let rows = futures_util::stream::iter([Ok(rows.into())]);
        self.warehouse
            .insert_stream(statement, Box::pin(rows))
            .await
            .expect("rows go in");
    }

    async fn get(&self, token: &str, path: &str) -> (StatusCode, Value) {
        let request = Request::get(path).header("authorization", format!("Bearer {token}"));
        let answer = self
            .router
            .clone()
            .oneshot(request.body(Body::empty()).expect("a request"))
            .await
            .expect("an answer");
        let status = answer.status();
        let expected = if status.is_success() {
            "application/json"
        } else {
            "application/problem+json"
        };
        assert_eq!(answer.headers()["content-type"], expected, "{path}");
        let body = answer
            .into_body()
            .collect()
            .await
            .expect("a body")
            .to_bytes();
        (status, serde_json::from_slice(&body).expect("JSON"))
    }

    async fn ok(&self, analyst: &Analyst, path: &str) -> Value {
        let (status, body) = self.get(&analyst.token, path).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }
}

fn close(answered: &Value, recounted: Option<f64>, what: &str) {
    match (answered.as_f64(), recounted) {
        (Some(a), Some(b)) if (a - b).abs() <= 1e-9 * b.abs().max(1.0) => {}
        (None, None) if answered.is_null() => {}
        (_, recounted) => panic!("{what}: {answered}, recounted {recounted:?}"),
    }
}

fn compared(answered: &Value, value: Option<f64>, previous: Option<f64>, what: &str) {
    close(&answered["value"], value, what);
    close(
        &answered["previous"],
        previous,
        &format!("{what}, previous"),
    );
    let change = value
        .zip(previous)
        .filter(|(_, p)| *p != 0.0)
        .map(|(v, p)| (v - p) / p);
    close(&answered["change"], change, &format!("{what}, change"));
}

/// Compares all four answers with a recount.
async fn check(server: &Server, analyst: &Analyst, data: &Data, asked: &Asked) {
    let query = asked.query();
    let what = |figure: &str| format!("{figure} of {query}, k {}", analyst.k);
    let previous = asked.previous();

    let overview = server
        .ok(analyst, &format!("/v1/insights/overview?{query}"))
        .await;
    let (now, before) = (asked.sessions(data), previous.sessions(data));
    assert_eq!(
        overview["withheld"]["all"],
        now.is_none(),
        "{}",
        what("withheld")
    );
    let number = |n: u64| Some(n as f64);
    let (now, before) = (now.as_ref(), before.as_ref());
    compared(
        &overview["sessions"],
        now.and_then(|s| number(s.sessions)),
        before.and_then(|s| number(s.sessions)),
        &what("sessions"),
    );
    compared(
        &overview["people"],
        now.and_then(|s| number(s.people)),
        before.and_then(|s| number(s.people)),
        &what("people"),
    );
    compared(
        &overview["friction_index"],
        now.and_then(|s| s.friction_index),
        before.and_then(|s| s.friction_index),
        &what("friction_index"),
    );
    compared(
        &overview["efficiency"],
        now.and_then(|s| s.efficiency),
        before.and_then(|s| s.efficiency),
        &what("efficiency"),
    );
    for (place, name) in ["p50", "p90", "p99"].into_iter().enumerate() {
        compared(
            &overview["quantiles"]["frustration"][name],
            now.and_then(|s| s.frustration_quantiles).map(|q| q[place]),
            before
                .and_then(|s| s.frustration_quantiles)
                .map(|q| q[place]),
            &what(name),
        );
        compared(
            &overview["quantiles"]["efficiency"][name],
            now.and_then(|s| s.efficiency_quantiles).map(|q| q[place]),
            before
                .and_then(|s| s.efficiency_quantiles)
                .map(|q| q[place]),
            &what(name),
        );
    }
    assert_eq!(overview["incidents"].as_object().expect("kinds").len(), 6);
    for kind in KINDS {
        compared(
            &overview["incidents"][kind],
            now.and_then(|_| asked.incidents(data, kind))
                .map(|n| n as f64),
            before
                .and_then(|_| previous.incidents(data, kind))
                .map(|n| n as f64),
            &what(kind),
        );
    }

    let (screens, withheld) = asked.hotspots(data);
    let (screens_before, _) = previous.hotspots(data);
    let hotspots = server
        .ok(analyst, &format!("/v1/insights/hotspots?limit=500&{query}"))
        .await;
    let items = hotspots["items"].as_array().expect("items");
    assert_eq!(items.len(), screens.len(), "{}", what("hotspots"));
    assert_eq!(
        hotspots["withheld"]["rows"],
        withheld,
        "{}",
        what("withheld")
    );
    let mut lost_before = u64::MAX;
    for item in items {
        let text = |field: &str| item[field].as_str().expect("text").to_owned();
        let key = (text("app"), text("screen_id"));
        let screen = &screens[&key];
        let what = what(&format!("{key:?}"));
        assert_eq!(item["sessions"], screen.sessions, "{what}");
        assert_eq!(item["people"], screen.people, "{what}");
        assert_eq!(item["time_lost_ms"], screen.time_lost_ms, "{what}");
        close(
            &item["avg_frustration"],
            Some(screen.avg_frustration),
            &what,
        );
        close(&item["avg_efficiency"], screen.avg_efficiency, &what);
        close(
            &item["rage_click_rate"],
            Some(screen.rage_click_rate),
            &what,
        );
        close(
            &item["dead_click_rate"],
            Some(screen.dead_click_rate),
            &what,
        );
        close(&item["dropoff_rate"], Some(screen.dropoff_rate), &what);
        close(
            &item["avg_time_spent_ms"],
            Some(screen.avg_time_spent_ms),
            &what,
        );
        let earlier = screens_before.get(&key).map(|s| s.avg_frustration);
        let trend = earlier
            .filter(|e| *e != 0.0)
            .map(|e| (screen.avg_frustration - e) / e);
        close(&item["trend"], trend, &what);
        assert!(screen.time_lost_ms <= lost_before, "{what} is out of order");
        lost_before = screen.time_lost_ms;
    }
    let top = overview["top_hotspots"].as_array().expect("top");
    if now.is_some() {
        assert_eq!(
            top[..],
            items[..items.len().min(5)],
            "{}",
            what("top_hotspots")
        );
    } else {
        assert!(top.is_empty());
    }

    let (paths, withheld) = asked.flows(data);
    let flows = server
        .ok(analyst, &format!("/v1/flows/top?limit=500&{query}"))
        .await;
    let items = flows["items"].as_array().expect("items");
    assert_eq!(items.len(), paths.len().min(500), "{}", what("flows"));
    assert!(
        flows["withheld"]["rows"] == withheld || paths.is_empty() && withheld == 0,
        "{}: {}",
        what("withheld flows"),
        flows["withheld"]
    );
    for item in items {
        let steps = item["path"].as_array().expect("path").iter();
        let path: Vec<(String, String)> = steps
            .map(|step| {
                let text = |field: &str| step[field].as_str().expect("text").to_owned();
                (text("app"), text("screen_id"))
            })
            .collect();
        let flow = &paths[&path];
        let what = what(&format!("{path:?}"));
        assert_eq!(item["sessions"], flow.sessions, "{what}");
        assert_eq!(item["people"], flow.people, "{what}");
        close(&item["completion_rate"], flow.completion_rate, &what);
        close(&item["avg_frustration"], Some(flow.avg_frustration), &what);
        close(&item["avg_duration_ms"], Some(flow.avg_duration_ms), &what);
    }

    let (listed, withheld) = asked.listed(data, None);
    let incidents = server
        .ok(
            analyst,
            &format!("/v1/insights/incidents?limit=500&{query}"),
        )
        .await;
    let items = incidents["items"].as_array().expect("items");
    assert_eq!(
        incidents["withheld"]["rows"],
        withheld,
        "{}",
        what("withheld incidents")
    );
    assert_eq!(items.len(), listed.len().min(500), "{}", what("incidents"));
}

/// Periods of every grain, and filters.
fn questions(random: &mut Random, k: u64, count: usize) -> Vec<Asked> {
    let mut all = Vec::new();
    for n in 0..count {
        let grain = [DAY, HOUR, 1, HOUR][n % 4];
        let from = START + random.below((14 * DAY / grain) as u64) as i64 * grain;
        let longest = [10 * DAY, 4 * DAY, 2 * DAY, 2 * HOUR][n / 4 % 4].max(grain);
        let to = from + (1 + random.below((longest / grain) as u64) as i64) * grain;
        let mut some = |one_in: u64, value: String| (random.below(one_in) == 0).then_some(value);
        let screen = some(4, String::new()).map(|_| hash(n as u64 % 5));
        all.push(Asked {
            from,
            to,
            app: some(4, format!("app{}", n % 3)),
            screen,
            version: some(4, "1.0.0".to_owned()),
            segment: some(3, ["sales", "service"][n % 2].to_owned()),
            k,
        });
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn every_figure_equals_a_recount() {
    let server = Server::start("recount").await;
    let local = server.organisation("local", 1).await;
    let small = server.organisation("small", 5).await;
    let local_data = Data::make(1, 30, 700, 20);
    let small_data = Data::make(2, 24, 900, 20);
    server.store(&local.org, "default", &local_data).await;
    server.store(&small.org, "default", &small_data).await;
    // Somebody else's records, and another product's, are in none of the figures.
    server
        .store(&small.org, "other", &Data::make(3, 50, 300, 20))
        .await;
    server
        .store(
            &server.organisation("third", 5).await.org,
            "default",
            &Data::make(4, 9, 300, 20),
        )
        .await;
    let mut random = Random::new(5);
    for asked in questions(&mut random, 1, 48) {
        check(&server, &local, &local_data, &asked).await;
    }
    let mut shown = 0;
    for asked in questions(&mut random, 5, 48) {
        check(&server, &small, &small_data, &asked).await;
        shown += usize::from(asked.sessions(&small_data).is_some_and(|s| s.people > 0));
    }
    assert!(
        (5..43).contains(&shown),
        "some shown, some withheld: {shown}"
    );
    server.warehouse.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_stored_just_now_is_counted() {
    let server = Server::start("fresh").await;
    let analyst = server.organisation("org", 1).await;
    let asked = Asked {
        from: START,
        to: START + 20 * DAY,
        k: 1,
        ..Asked::default()
    };
    let halves = Asked {
        from: START + 5 * DAY + 7,
        to: START + 15 * DAY + HOUR / 3,
        ..asked.clone()
    };
    let mut all = Data::default();
    for seed in 0..6 {
        check(&server, &analyst, &all, &asked).await;
        check(&server, &analyst, &all, &halves).await;
        let more = Data::make(100 + seed, 5, 20, 20);
        server.store(&analyst.org, "default", &more).await;
        // Sequence numbers of incidents begin anew with each seed; devices differ.
        all.sessions.extend(more.sessions);
        all.screens.extend(more.screens);
        all.incidents.extend(more.incidents);
    }
    check(&server, &analyst, &all, &asked).await;
    // Merges change parts and nothing else; what is dropped is gone from the answer.
    for table in ["screens_by_hour", "sessions_by_hour", "incidents_by_hour"] {
        let merge = format!("OPTIMIZE TABLE {table} FINAL");
        server.warehouse.execute(merge).await.expect("merged");
    }
    check(&server, &analyst, &all, &halves).await;
    for table in ["sessions_by_hour", "screens_by_hour", "incidents_by_hour"] {
        let drop = format!("ALTER TABLE {table} DROP PARTITION 202611");
        server.warehouse.execute(drop).await.expect("dropped");
    }
    let path = format!("/v1/insights/overview?{}", asked.query());
    assert_eq!(server.ok(&analyst, &path).await["sessions"]["value"], 0);
    server.warehouse.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_never_miss_what_was_acknowledged_before_they_asked() {
    let server = Arc::new(Server::start("race").await);
    let analyst = Arc::new(server.organisation("org", 1).await);
    let stored = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let writer = tokio::spawn({
        let (server, analyst, stored) = (server.clone(), analyst.clone(), stored.clone());
        async move {
            for seed in 0..20 {
                let data = Data::make(200 + seed, 3, 4, 3);
                server.store(&analyst.org, "default", &data).await;
                stored.fetch_add(4, std::sync::atomic::Ordering::SeqCst);
            }
        }
    });
    let readers = [0, 7 * HOUR, HOUR / 2].map(|edge| {
        let (server, analyst, stored) = (server.clone(), analyst.clone(), stored.clone());
        tokio::spawn(async move {
            let asked = Asked {
                from: START - edge,
                to: START + 4 * DAY + edge,
                ..Asked::default()
            };
            let path = format!("/v1/insights/overview?{}", asked.query());
            loop {
                let before = stored.load(std::sync::atomic::Ordering::SeqCst);
                let answer = server.ok(&analyst, &path).await;
                let sessions = answer["sessions"]["value"].as_u64().expect("a number");
                assert!(sessions >= before, "{sessions} of {before}");
                if before == 80 {
                    assert_eq!(sessions, 80);
                    break;
                }
            }
        })
    });
    writer.await.expect("the writer");
    for reader in readers {
        reader.await.expect("a reader");
    }
    drop(analyst);
    Arc::into_inner(server)
        .expect("the last one")
        .warehouse
        .close()
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_database_answers_with_nothing() {
    let server = Server::start("empty").await;
    let analyst = server.organisation("org", 5).await;
    let overview = server.ok(&analyst, "/v1/insights/overview").await;
    assert_eq!(overview["k"], 5);
    assert!(overview["k_note"].is_null());
    assert_eq!(overview["product"], "default");
    assert_eq!(overview["period"]["from"], "2026-11-14T01:00:00Z");
    assert_eq!(overview["period"]["to"], "2026-11-21T01:00:00Z");
    assert_eq!(overview["previous_period"]["from"], "2026-11-07T01:00:00Z");
    assert_eq!(overview["withheld"]["all"], false);
    assert_eq!(overview["sessions"]["value"], 0);
    assert_eq!(overview["people"]["value"], 0);
    assert!(overview["friction_index"]["value"].is_null());
    for kind in KINDS {
        assert_eq!(overview["incidents"][kind]["value"], 0, "{kind}");
    }
    for path in [
        "/v1/insights/hotspots",
        "/v1/insights/incidents",
        "/v1/flows/top",
    ] {
        let answer = server.ok(&analyst, path).await;
        assert_eq!(answer["items"].as_array().map(Vec::len), Some(0), "{path}");
        assert_eq!(answer["withheld"]["rows"], 0, "{path}");
    }
    server.warehouse.close().await;
}

/// `people` devices with one session each on screen 1, all in one hour.
fn crowd(people: usize, segment: &str) -> Data {
    let mut data = Data::make(900 + people as u64, people, 400, 1);
    let mut seen = std::collections::HashSet::new();
    data.sessions.retain(|s| seen.insert(s.device));
    assert_eq!(data.sessions.len(), people);
    data.screens.clear();
    data.incidents.clear();
    for s in &mut data.sessions {
        s.at = START + HOUR;
        s.segment = segment.to_owned();
        s.path = vec![("app1".to_owned(), hash(1))];
        data.screens.push(data::Screen {
            device: s.device,
            session: s.number,
            at: s.at,
            app: "app1".to_owned(),
            screen: hash(1),
            dwell_ms: 1_000,
            rage: 1,
            dead: 0,
            exited: true,
            lost_ms: 500,
            frustration: s.frustration,
            efficiency: s.efficiency,
            version: s.version.clone(),
            segment: segment.to_owned(),
        });
        data.incidents.push(data::Incident {
            device: s.device,
            session: s.number,
            seq: 1,
            at: s.at,
            kind: "rage_click",
            app: "app1".to_owned(),
            screen: hash(1),
            duration_ms: 500,
            version: s.version.clone(),
            segment: segment.to_owned(),
        });
    }
    data
}

#[tokio::test(flavor = "multi_thread")]
async fn four_people_are_withheld_and_five_are_shown() {
    let server = Server::start("k").await;
    let analyst = server.organisation("org", 5).await;
    let (four, five) = (crowd(4, "four"), crowd(5, "five"));
    server.store(&analyst.org, "p4", &four).await;
    server.store(&analyst.org, "p5", &five).await;
    server.store(&analyst.org, "p9", &four).await;
    server.store(&analyst.org, "p9", &five).await;
    let lists = [
        "/v1/insights/hotspots",
        "/v1/insights/incidents",
        "/v1/flows/top",
    ];
    let period = "from=2026-11-01&to=2026-11-02";

    let answer = server
        .ok(
            &analyst,
            &format!("/v1/insights/overview?product=p4&{period}"),
        )
        .await;
    assert_eq!(answer["withheld"]["all"], true);
    assert!(
        answer["withheld"]["reason"]
            .as_str()
            .is_some_and(|why| why.contains('5'))
    );
    for figure in ["sessions", "people", "friction_index", "efficiency"] {
        assert!(answer[figure]["value"].is_null(), "{figure}");
        assert_eq!(answer[figure]["withheld"], true, "{figure}");
    }
    assert!(answer["incidents"]["rage_click"]["value"].is_null());
    assert!(answer["quantiles"]["frustration"]["p50"]["value"].is_null());
    assert_eq!(answer["top_hotspots"].as_array().map(Vec::len), Some(0));
    for (path, rows) in lists.into_iter().zip([1, 4, 1]) {
        let answer = server
            .ok(&analyst, &format!("{path}?product=p4&{period}"))
            .await;
        assert_eq!(answer["items"].as_array().map(Vec::len), Some(0), "{path}");
        assert_eq!(answer["withheld"]["rows"], rows, "{path}");
        assert_eq!(answer["withheld"]["all"], true, "{path}");
    }

    let answer = server
        .ok(
            &analyst,
            &format!("/v1/insights/overview?product=p5&{period}"),
        )
        .await;
    assert_eq!(answer["withheld"]["all"], false);
    assert_eq!(answer["people"]["value"], 5);
    assert_eq!(answer["incidents"]["rage_click"]["value"], 5);
    for (path, rows) in lists.into_iter().zip([1, 5, 1]) {
        let answer = server
            .ok(&analyst, &format!("{path}?product=p5&{period}"))
            .await;
        assert_eq!(
            answer["items"].as_array().map(Vec::len),
            Some(rows),
            "{path}"
        );
        assert_eq!(answer["withheld"]["rows"], 0, "{path}");
    }

    // In the period after, the five are the previous one, and the four are not told.
    let later = "from=2026-11-02&to=2026-11-03";
    let answer = server
        .ok(
            &analyst,
            &format!("/v1/insights/overview?product=p5&{later}"),
        )
        .await;
    assert_eq!(answer["people"]["previous"], 5);
    let answer = server
        .ok(
            &analyst,
            &format!("/v1/insights/overview?product=p4&{later}"),
        )
        .await;
    assert!(answer["people"]["previous"].is_null());
    assert!(answer["incidents"]["rage_click"]["previous"].is_null());

    // Nine together are shown. Five of them by their segment are not: nine less five
    // would tell of four.
    let answer = server
        .ok(
            &analyst,
            &format!("/v1/insights/overview?product=p9&{period}"),
        )
        .await;
    assert_eq!(answer["people"]["value"], 9);
    for segment in ["four", "five"] {
        let path = format!("/v1/insights/overview?product=p9&segment={segment}&{period}");
        assert_eq!(
            server.ok(&analyst, &path).await["withheld"]["all"],
            true,
            "{path}"
        );
        for path in lists {
            let path = format!("{path}?product=p9&segment={segment}&{period}");
            let answer = server.ok(&analyst, &path).await;
            assert_eq!(answer["items"].as_array().map(Vec::len), Some(0), "{path}");
        }
    }
    server.warehouse.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organisation_of_one_is_told_so() {
    let server = Server::start("one").await;
    let analyst = server.organisation("local", 1).await;
    server.store(&analyst.org, "default", &crowd(1, "")).await;
    for path in [
        "/v1/insights/overview",
        "/v1/insights/hotspots",
        "/v1/insights/incidents",
        "/v1/flows/top",
    ] {
        let answer = server
            .ok(&analyst, &format!("{path}?from=2026-11-01"))
            .await;
        assert_eq!(answer["k"], 1, "{path}");
        assert!(
            answer["k_note"]
                .as_str()
                .is_some_and(|note| note.contains("k is 1")),
            "{path}"
        );
        assert_eq!(answer["withheld"]["all"], false, "{path}");
    }
    server.warehouse.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_complete_and_without_repeats() {
    let server = Server::start("pages").await;
    let analyst = server.organisation("org", 1).await;
    let mut data = Data::make(7, 10, 300, 10);
    // Many in one millisecond.
    for incident in data.incidents.iter_mut().take(40) {
        incident.at = START + DAY;
    }
    server.store(&analyst.org, "default", &data).await;
    let asked = Asked {
        from: START,
        to: START + 11 * DAY,
        k: 1,
        ..Asked::default()
    };
    for kind in [None, Some("dead_click")] {
        let filter = kind.map_or(String::new(), |kind| format!("&kind={kind}"));
        let mut all = Vec::new();
        let mut cursor = String::new();
        loop {
            let path = format!(
                "/v1/insights/incidents?limit=7&{}{filter}{cursor}",
                asked.query()
            );
            let page = server.ok(&analyst, &path).await;
            let items = page["items"].as_array().expect("items");
            all.extend(items.iter().map(|item| {
                let text = |field: &str| item[field].as_str().expect("text").to_owned();
                let at: Timestamp = text("at").parse().expect("a time");
                (at.as_millisecond(), text("kind"), text("screen_id"))
            }));
            let Some(next) = page["next_cursor"].as_str() else {
                break;
            };
            assert_eq!(items.len(), 7);
            cursor = format!("&cursor={next}");
        }
        assert!(
            all.windows(2).all(|pair| pair[0].0 >= pair[1].0),
            "the latest first"
        );
        all.sort_by(|a, b| b.cmp(a));
        assert_eq!(all, asked.listed(&data, kind).0);
    }

    let path = format!("/v1/insights/hotspots?{}", asked.query());
    for sort in [
        "time_lost",
        "impact",
        "frustration",
        "sessions",
        "rage_clicks",
        "dead_clicks",
        "dropoff",
    ] {
        let path = format!("{path}&sort={sort}");
        let whole = server.ok(&analyst, &format!("{path}&limit=500")).await;
        let mut all = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = server
                .ok(&analyst, &format!("{path}&limit=4{cursor}"))
                .await;
            all.extend(page["items"].as_array().expect("items").clone());
            let Some(next) = page["next_cursor"].as_str() else {
                break;
            };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(Value::Array(all), whole["items"], "{sort}");
    }
    server.warehouse.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn readable_labels_are_read_and_found() {
    let server = Server::start("labels").await;
    let analyst = server.organisation("org", 1).await;
    server.store(&analyst.org, "default", &crowd(3, "")).await;
    let period = "from=2026-11-01&to=2026-11-02";
    let hotspots = format!("/v1/insights/hotspots?{period}");
    let item = server.ok(&analyst, &hotspots).await["items"][0].clone();
    assert_eq!(item["screen"], hash(1).as_str());
    assert_eq!(item["screen_id"], hash(1).as_str());

    let label = serde_json::json!({
        "org": analyst.org, "product": "default", "device": uuid::Uuid::nil(), "seq": 1,
        "at": 0, "received_at": 1, "hash": hash(1), "kind": "screen", "app": "app1",
        "text": "Invoice <n> & more",
    });
    server.insert("labels", label.to_string()).await;
    let item = server.ok(&analyst, &hotspots).await["items"][0].clone();
    assert_eq!(item["screen"], "Invoice <n> & more");
    assert_eq!(item["screen_id"], hash(1).as_str());
    for screen in ["Invoice+%3Cn%3E+%26+more".to_owned(), hash(1)] {
        let path = format!("/v1/insights/incidents?{period}&screen={screen}");
        let answer = server.ok(&analyst, &path).await;
        assert_eq!(answer["items"].as_array().map(Vec::len), Some(3));
        assert_eq!(answer["items"][0]["screen"], "Invoice <n> & more");
        let path = format!("/v1/insights/overview?{period}&screen={screen}");
        assert_eq!(server.ok(&analyst, &path).await["sessions"]["value"], 3);
        let path = format!("/v1/flows/top?{period}&screen={screen}");
        let step = server.ok(&analyst, &path).await["items"][0]["path"][0].clone();
        assert_eq!(step["screen"], "Invoice <n> & more");
    }
    let path = format!("/v1/insights/overview?{period}&screen=Invoice");
    assert_eq!(server.ok(&analyst, &path).await["sessions"]["value"], 0);
    server.warehouse.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_names_a_device_or_takes_a_foreign_token() {
    let server = Server::start("people").await;
    let analyst = server.organisation("org", 1).await;
    let data = Data::make(8, 6, 60, 5);
    server.store(&analyst.org, "default", &data).await;
    for path in [
        "/v1/insights/overview",
        "/v1/insights/hotspots",
        "/v1/insights/incidents",
        "/v1/flows/top",
    ] {
        let path = format!("{path}?from=2026-11-01&to=2026-11-10");
        let answer = server.ok(&analyst, &path).await.to_string();
        for session in &data.sessions {
            assert!(!answer.contains(&session.device.to_string()), "{path}");
            assert!(
                !answer.contains(&session.device.simple().to_string()),
                "{path}"
            );
        }
        let (status, body) = server.get("snag_analyst_nobody", &path).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        assert_eq!(body["code"], "unauthorized");
    }
    server.warehouse.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_parameters_are_problems_that_name_themselves() {
    let server = Server::start("bad").await;
    let analyst = server.organisation("org", 1).await;
    for (path, field) in [
        ("/v1/insights/overview?limit=5", "limit"),
        ("/v1/insights/overview?from=now", "from"),
        ("/v1/insights/overview?to=2026-11-20T25:00:00Z", "to"),
        (
            "/v1/insights/overview?from=2026-11-20&to=2026-11-19",
            "from",
        ),
        (
            "/v1/insights/overview?from=2024-11-20&to=2026-11-19",
            "from",
        ),
        ("/v1/insights/overview?app=a&app=b", "app"),
        ("/v1/insights/overview?product=", "product"),
        ("/v1/insights/hotspots?sort=best", "sort"),
        ("/v1/insights/hotspots?limit=many", "limit"),
        ("/v1/insights/hotspots?cursor=%00", "cursor"),
        ("/v1/insights/hotspots?screen=%FF", "screen"),
        ("/v1/insights/hotspots?cursor=__________8", "cursor"),
        ("/v1/insights/incidents?kind=click", "kind"),
        ("/v1/insights/incidents?cursor=abc", "cursor"),
        ("/v1/insights/incidents?Kind=rage_click", "Kind"),
        ("/v1/flows/top?limit=0", "limit"),
        ("/v1/flows/top?cursor=abc", "cursor"),
        ("/v1/flows/top?product=a%27%20OR%201", "?"),
    ] {
        let (status, body) = server.get(&analyst.token, path).await;
        if field == "?" {
            assert_eq!(status, StatusCode::OK, "a quote is only a letter: {body}");
            continue;
        }
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path}: {body}");
        assert_eq!(body["code"], "invalid_parameter", "{path}");
        assert_eq!(body["field"], field, "{path}");
        assert!(
            body["detail"]
                .as_str()
                .is_some_and(|detail| detail.len() > 20),
            "{path}"
        );
    }
    server.warehouse.close().await;
}
