//! How long `overview` and `hotspots` take over 10 million events and 100,000
//! sessions, with 10 analysts asking at once over HTTP.
//!
//! The data is made inside the engine and goes through the real tables, so that the
//! views fill the rollups. Server and analysts share the machine. Each request asks for
//! another period and other filters, so that no answer can be a remembered one.
//!
//! `cargo bench -p snag-server --bench insights [-- --events N --sessions N]`

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use snag_server::AppState;
use snag_server::control::{self, NewOrg};
use snag_server::orgs::OrgPolicy;
use snag_server::state::Settings;
use snag_warehouse::{EmbeddedOptions, Query, Warehouse};

const ANALYSTS: usize = 10;
const REQUESTS: usize = 200;
const DAYS: i64 = 90;
const DEVICES: u64 = 2_000;
const SCREENS: u64 = 200;
const SCREENS_A_SESSION: u64 = 5;
/// 2026-08-01T00:00:00Z
const START_MS: i64 = 1_785_542_400_000;
const DAY_MS: i64 = 86_400_000;

#[tokio::main]
async fn main() {
    let (mut events, mut sessions) = (10_000_000u64, 100_000u64);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || {
            let value = arguments.next().and_then(|value| value.parse().ok());
            value.unwrap_or_else(|| panic!("{argument} takes a number"))
        };
        match argument.as_str() {
            "--events" => events = number(),
            "--sessions" => sessions = number(),
            // What cargo passes to every bench.
            "--bench" => {}
            _ => panic!("unknown argument {argument}"),
        }
    }

    // reqwest asks for it even where it only speaks plain HTTP.
    drop(rustls::crypto::ring::default_provider().install_default());
    let folder = tempfile::tempdir().expect("a folder");
    let warehouse =
        Warehouse::embedded(EmbeddedOptions::new(folder.path())).expect("the engine starts");
    warehouse.migrate_up().await.expect("migrations");
    let now = Timestamp::from_millisecond(START_MS + DAYS * DAY_MS).expect("a time");
    let organisation = NewOrg {
        name: "bench",
        contact: "",
        k: 5,
        local: false,
        policy: OrgPolicy::default(),
    };
    let created = control::create_org(&warehouse, organisation, now)
        .await
        .expect("an organisation");
    let org = created.org.to_string();
    let started = Instant::now();
    fill(&warehouse, &org, events, sessions).await;
    println!(
        "insights: {events} events, {sessions} sessions, {DEVICES} devices, {DAYS} days made in {:.1} s",
        started.elapsed().as_secs_f64()
    );

    let state = AppState::new(
        warehouse.clone(),
        Settings::default(),
        Arc::new(move || now),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = listener.local_addr().expect("an address");
    let router = snag_server::router::router(state);
    tokio::spawn(async move { axum::serve(listener, router).await });
    let asker = Asker {
        base: format!("http://{address}"),
        token: created.analyst_token,
        client: reqwest::Client::new(),
    };

    let first = asker.ask(&whole("overview")).await;
    println!("first overview of all {DAYS} days, nothing in memory: {first:.1?}");
    let again = asker.ask(&whole("overview")).await;
    println!("the same again: {again:.1?}");

    run(&asker, 1, "10 analysts, unlike requests").await;
    run(&asker, 2, "the same, other requests").await;

    let writing = tokio::spawn(write(warehouse.clone(), org));
    run(
        &asker,
        3,
        "10 analysts while records come in ten times a second",
    )
    .await;
    writing.abort();
    drop(writing.await);
    warehouse.close().await;
}

fn whole(route: &str) -> String {
    let to = Timestamp::from_millisecond(START_MS + DAYS * DAY_MS).expect("a time");
    let from = Timestamp::from_millisecond(START_MS).expect("a time");
    format!("/v1/insights/{route}?from={from}&to={to}")
}

/// Sessions spread over the days; each has screens (few of which are common, as titles
/// are), some incidents, and its share of the events.
async fn fill(warehouse: &Warehouse, org: &str, events: u64, sessions: u64) {
    let session = format!(
        "SELECT number AS i, cityHash64(number) AS h, h % {DEVICES} AS d, \
         reinterpretAsUUID(concat(reinterpretAsFixedString(cityHash64(d, 1)), reinterpretAsFixedString(cityHash64(d, 2)))) AS device, \
         fromUnixTimestamp64Milli(toInt64({START_MS} + intDiv(number * {DAYS} * {DAY_MS}, {sessions})), 'UTC') AS started_at, \
         concat('0.', toString(1 + intDiv(number * 3, {sessions})), '.0') AS version, \
         concat('segment', toString(d % 4)) AS segment, \
         (cityHash64(number, 7) % 1000000) / 1000000 AS u FROM numbers({sessions})"
    );
    let screen = |n: &str| {
        format!(
            "toUInt64(pow((cityHash64(i, {n}) % 100000) / 100000, 2) * {SCREENS}) AS sc, \
                 concat('app', toString(intDiv(sc, 20))) AS app, lower(hex(cityHash64(sc, 3))) AS screen"
        )
    };
    let path = |what: &str| {
        format!(
            "arrayMap(n -> {what}, arrayMap(k -> toUInt64(pow((cityHash64(i, k) % 100000) / 100000, 4) * 20), range(1 + h % 3)))"
        )
    };
    let statements = [
        format!(
            "INSERT INTO sessions (org, product, device, seq, started_at, ended_at, received_at, session, \
             duration_ms, active_ms, clicks, keys, visits, screens, tasks_started, tasks_completed, \
             frustration, efficiency, score_version, path_apps, path_screens, version, segment) \
             SELECT {{org:String}}, 'default', device, i, started_at, started_at + INTERVAL 30 MINUTE, \
             toDateTime(started_at), i, 1800000, toUInt64(600000 + u * 600000), 50, 100, 9, 5, h % 4, h % 4, \
             u * u, if(h % 4 = 0, NULL, 0.4 + u * 0.6), 1, {}, {}, version, segment FROM ({session})",
            path("concat('app', toString(intDiv(n, 20)))"),
            path("lower(hex(cityHash64(n, 3)))"),
        ),
        format!(
            "INSERT INTO screens (org, product, device, seq, at, received_at, session, app, screen, visits, \
             dwell_ms, clicks, keys, rage_clicks, dead_clicks, exited, time_lost_ms, session_frustration, \
             session_efficiency, version, segment) \
             SELECT {{org:String}}, 'default', device, i * 10 + k, started_at + toIntervalMinute(k), \
             toDateTime(started_at), i, app, screen, 2, 60000 + cityHash64(i, k, 3) % 100000, 10, 20, \
             cityHash64(i, k, 4) % 7 = 0, cityHash64(i, k, 5) % 5 = 0, k = {SCREENS_A_SESSION} - 1, \
             (cityHash64(i, k, 4) % 7 = 0) * 3000, u * u, if(h % 4 = 0, NULL, 0.4 + u * 0.6), version, segment \
             FROM (SELECT *, k, {} FROM ({session}) ARRAY JOIN range({SCREENS_A_SESSION}) AS k)",
            screen("k"),
        ),
        format!(
            "INSERT INTO incidents (org, product, device, seq, at, received_at, session, kind, detector_version, \
             app, screen, role, count, duration_ms, version, segment) \
             SELECT {{org:String}}, 'default', device, i * 10 + k, started_at + toIntervalMinute(k), \
             toDateTime(started_at), i, 1 + cityHash64(i, k, 8) % 6, 1, app, screen, 'push_button', 3, 2000, \
             version, segment FROM (SELECT *, k, {} FROM ({session}) ARRAY JOIN range(2) AS k)",
            screen("k"),
        ),
        format!(
            "INSERT INTO events (org, product, device, seq, at, received_at, session, kind, detail, role, app, \
             screen, count, duration_ms, version, segment) \
             SELECT {{org:String}}, 'default', device, i * 1000 + k, started_at + toIntervalSecond(k * 15), \
             toDateTime(started_at), i, 1 + cityHash64(i, k, 9) % 8, '', 'push_button', app, screen, 1, 0, \
             version, segment FROM (SELECT *, k, {} FROM ({session}) ARRAY JOIN range({}) AS k)",
            screen(&format!("k % {SCREENS_A_SESSION}")),
            events / sessions,
        ),
    ];
    for statement in statements {
        let insert = Query::new(statement).param("org", org);
        warehouse.execute(insert).await.expect("rows are made");
    }
}

/// A small batch of sessions, screens and incidents of the last day, again and again.
async fn write(warehouse: Warehouse, org: String) {
    for n in 0u64.. {
        for table in ["sessions", "screens", "incidents"] {
            let at = if table == "sessions" {
                "started_at"
            } else {
                "at"
            };
            let more = if table == "incidents" { ", kind" } else { "" };
            let rows = format!(
                "INSERT INTO {table} (org, product, device, seq, session, received_at, {at}{more}) \
                 SELECT {{org:String}}, 'default', generateUUIDv4(), {n}, {n}, \
                 toDateTime({end} - 3600, 'UTC'), toDateTime64({end} - 3600, 3, 'UTC'){} FROM numbers(5)",
                if more.is_empty() {
                    ""
                } else {
                    ", 'rage_click'"
                },
                end = (START_MS + DAYS * DAY_MS) / 1000,
            );
            let insert = Query::new(rows).param("org", &org);
            warehouse.execute(insert).await.expect("rows go in");
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[derive(Clone)]
struct Asker {
    base: String,
    token: String,
    client: reqwest::Client,
}

impl Asker {
    async fn ask(&self, path: &str) -> Duration {
        let started = Instant::now();
        let request = self.client.get(format!("{}{path}", self.base));
        let answer = request
            .bearer_auth(&self.token)
            .send()
            .await
            .expect("an answer");
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        let body = answer.bytes().await.expect("a body");
        assert!(body.starts_with(b"{\"product\""), "{path} is answered");
        started.elapsed()
    }
}

/// Each analyst asks one after the other; half of them `overview`, half `hotspots`.
async fn run(asker: &Asker, seed: u64, what: &str) {
    let started = Instant::now();
    let analysts: Vec<_> = (0..ANALYSTS)
        .map(|analyst| {
            let asker = asker.clone();
            tokio::spawn(async move {
                let mut taken = Vec::with_capacity(REQUESTS);
                for n in 0..REQUESTS {
                    let route = ["overview", "hotspots"][(analyst + n) % 2];
                    let question = question(seed << 40 | (analyst as u64) << 20 | n as u64);
                    taken.push(asker.ask(&format!("/v1/insights/{route}?{question}")).await);
                }
                taken
            })
        })
        .collect();
    let mut taken = Vec::new();
    for analyst in analysts {
        taken.extend(analyst.await.expect("an analyst"));
    }
    taken.sort_unstable();
    let at = |q: f64| taken[((taken.len() as f64 * q) as usize).min(taken.len() - 1)];
    println!(
        "{what}: p50 {:.1?}, p95 {:.1?}, p99 {:.1?}, most {:.1?}; {:.0} requests/s",
        at(0.5),
        at(0.95),
        at(0.99),
        at(1.0),
        taken.len() as f64 / started.elapsed().as_secs_f64(),
    );
}

/// A period of 1 to 90 days that ends within the last 30, by the day, by the hour or by
/// the second, with or without a filter. The ones by the second are the hard ones: their
/// ends have to be read from raw rows.
fn question(seed: u64) -> String {
    let mut x = seed;
    let mut random = |below: u64| {
        x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut y = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        y = (y ^ (y >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (y ^ (y >> 31)) % below
    };
    let grain_ms = [DAY_MS, DAY_MS, 3_600_000, 1_000][random(4) as usize];
    let days = [1, 7, 7, 14, 30, 30, 60, 90][random(8) as usize];
    let back = random((30 * DAY_MS / grain_ms) as u64) as i64 * grain_ms;
    let to = START_MS + DAYS * DAY_MS - back;
    let from = to - days * DAY_MS;
    let time = |ms| Timestamp::from_millisecond(ms).expect("a time");
    let filter = match random(8) {
        0 => format!("&segment=segment{}", random(4)),
        1 => format!("&version=0.{}.0", 1 + random(3)),
        2 => format!("&app=app{}", random(10)),
        _ => String::new(),
    };
    format!("from={}&to={}{filter}", time(from), time(to))
}
