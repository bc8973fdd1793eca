//! How long pages of the feedback list take over a million items, over HTTP.
//!
//! The items are made inside the engine and go into the real table; a tenth of them is
//! then changed, so that there are replaced rows in further parts, as on a desk that
//! works. Ten unlike questions are asked by turns, each from another place of the list;
//! the plans of the three slowest are printed.
//!
//! `cargo bench -p snag-server --bench feedback_list [-- --items N --rounds N]`

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;
use snag_server::AppState;
use snag_server::control::{self, NewOrg};
use snag_server::orgs::OrgPolicy;
use snag_server::state::Settings;
use snag_warehouse::{EmbeddedOptions, Query, Warehouse};

/// 2026-11-20T00:00:00Z
const END_MS: i64 = 1_795_132_800_000;
const DAYS: i64 = 180;
const DAY_MS: i64 = 86_400_000;

/// What is asked; `{deep}` stands for a moment somewhere in the period.
const QUESTIONS: [(&str, &str); 10] = [
    ("first page", ""),
    ("deep page, no filter", "to={deep}"),
    ("common status, unread", "status=new&read=false&to={deep}"),
    ("category and ratings", "category=bug&rating=1,2&to={deep}"),
    ("rare screen", "screen=screen499"),
    (
        "three rare ones at once",
        "screen=screen490&assignee=user:3&rating=5",
    ),
    (
        "tag and screenshot",
        "tag=tag7&has_screenshot=true&to={deep}",
    ),
    ("rare word", "q=zebra"),
    ("common word, deep", "q=the&to={deep}"),
    (
        "common and rare word, negative",
        "q=the+word49000&sentiment=negative",
    ),
];

#[tokio::main]
async fn main() {
    let (mut items, mut rounds) = (1_000_000u64, 40u64);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || {
            let value = arguments.next().and_then(|value| value.parse().ok());
            value.unwrap_or_else(|| panic!("{argument} takes a number"))
        };
        match argument.as_str() {
            "--items" => items = number(),
            "--rounds" => rounds = number(),
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
    let now = Timestamp::from_millisecond(END_MS).expect("a time");
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
    fill(&warehouse, &org, items).await;
    println!(
        "feedback_list: {items} items made in {:.1?}",
        started.elapsed()
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
    let router = snag_server::router::router(Arc::clone(&state));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let asker = Asker {
        base: format!("http://{address}/v1/feedback"),
        token: created.analyst_token,
        client: reqwest::Client::new(),
    };
    quiet(&warehouse).await;
    println!("\nright after a tenth of the items was changed");
    ask_all(&asker, &warehouse, rounds / 4 + 1).await;
    // What the engine does by itself with months that were quiet for ten minutes.
    let settle = "OPTIMIZE TABLE feedback FINAL";
    warehouse
        .execute(Query::new(settle))
        .await
        .expect("parts are merged");
    println!("\nten minutes later");
    let slowest = ask_all(&asker, &warehouse, rounds).await;
    for number in slowest.iter().take(3) {
        let (name, question) = QUESTIONS[*number];
        let plan = snag_server::feedback::explain(&state, &org, &at_place(question, 1))
            .await
            .expect("a plan");
        println!("\n{name} ({question})\n{plan}");
    }
    drop(state);
    warehouse.close().await;
}

/// Asks every question in each round, prints how long the pages took, and returns the
/// questions, the slowest first.
async fn ask_all(asker: &Asker, warehouse: &Warehouse, rounds: u64) -> Vec<usize> {
    let parts = "SELECT count(), sum(rows), formatReadableSize(sum(bytes_on_disk)) \
                 FROM system.parts WHERE table = 'feedback' AND active AND database = currentDatabase()";
    let parts = warehouse.select(Query::read(parts)).await.expect("parts");
    print!("parts, rows, size: {}", String::from_utf8_lossy(&parts));
    let mut taken: Vec<Vec<Duration>> = vec![Vec::new(); QUESTIONS.len()];
    let mut found = [0; QUESTIONS.len()];
    for round in 0..=rounds {
        for (number, (_, question)) in QUESTIONS.iter().enumerate() {
            let (time, items) = asker.ask(&at_place(question, round)).await;
            found[number] = items;
            // The first round opens files and fills caches.
            if round > 0 {
                taken[number].push(time);
            }
        }
    }
    let mut all: Vec<Duration> = taken.iter().flatten().copied().collect();
    println!(
        "{:<32} {:>6} {:>8} {:>8} {:>8}",
        "question", "items", "p50", "p95", "most"
    );
    let mut slowest = Vec::new();
    for (number, times) in taken.iter_mut().enumerate() {
        let (name, _) = QUESTIONS[number];
        let (p50, p95, most) = (at(times, 0.5), at(times, 0.95), at(times, 1.0));
        println!(
            "{name:<32} {:>6} {p50:>8.1?} {p95:>8.1?} {most:>8.1?}",
            found[number]
        );
        slowest.push((p50, number));
    }
    println!(
        "all: p50 {:.1?}, p95 {:.1?}, most {:.1?} of {} pages",
        at(&mut all, 0.5),
        at(&mut all, 0.95),
        at(&mut all, 1.0),
        all.len()
    );
    slowest.sort_unstable();
    slowest
        .into_iter()
        .rev()
        .map(|(_, number)| number)
        .collect()
}

/// The question, from another place in each round.
fn at_place(question: &str, round: u64) -> String {
    let back = i64::try_from(round * 7_919 % 150).expect("small") * DAY_MS + 12_345_678;
    let deep = Timestamp::from_millisecond(END_MS - back).expect("a time");
    question.replace("{deep}", &deep.to_string())
}

fn at(times: &mut [Duration], q: f64) -> Duration {
    times.sort_unstable();
    times[((times.len() as f64 * q) as usize).min(times.len() - 1)]
}

/// Waits, for a minute at most, until the engine has merged what it wants to merge.
async fn quiet(warehouse: &Warehouse) {
    for _ in 0..60 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let query = Query::read("SELECT count() FROM system.merges");
        let merges = warehouse.select(query).await.expect("a count");
        if merges.starts_with(b"0") {
            break;
        }
    }
}

async fn fill(warehouse: &Warehouse, org: &str, items: u64) {
    // Words of which few are common, as in any language.
    let word = "concat('word', toString(toUInt64(pow((cityHash64(number, k) % 1000000) / 1000000, 3) * 50000)))";
    let fill = format!(
        "INSERT INTO feedback (org, newest, id, version, product, device, at, received_at, category, \
         description, language, rating, polarity_micro, sentiment, tags, app, screen, os, \
         agent_version, screenshot, status, read, archived, assignee, changed_at) \
         SELECT {{org:String}}, 9223372036854775807 - ms, id, ms, 'default', generateUUIDv4(), \
         fromUnixTimestamp64Milli(ms, 'UTC'), fromUnixTimestamp64Milli(ms + 1000, 'UTC'), \
         ['bug', 'idea', 'question', 'praise', 'other'][1 + h % 5], \
         concat('The ', arrayStringConcat(arrayMap(k -> {word}, range(8 + h % 30)), ' '), \
         if(number % 20000 = 7, ' zebra', ''), if(number % 10 = 3, ' printer', '')), \
         'en', h % 6, 0, ['positive', 'neutral', 'negative', ''][1 + cityHash64(number, 3) % 4], \
         arrayMap(k -> concat('tag', toString(cityHash64(number, k, 5) % 50)), range(h % 3)), \
         concat('app', toString(cityHash64(number, 6) % 20)), \
         concat('screen', toString(toUInt64(pow((cityHash64(number, 7) % 1000) / 1000, 2) * 500))), \
         'linux 6.1', '0.1.0', if(h % 5 = 0, lower(hex(SHA256(toString(number)))), ''), \
         ['new', 'in_progress', 'resolved', 'declined', 'spam'][1 + cityHash64(number, 8) % 5], \
         cityHash64(number, 9) % 2, cityHash64(number, 10) % 10 = 0, \
         if(cityHash64(number, 11) % 3 = 0, concat('user:', toString(cityHash64(number, 12) % 30)), ''), \
         fromUnixTimestamp64Milli(ms, 'UTC') \
         FROM (SELECT number, cityHash64(number) AS h, \
         toInt64({END_MS} - intDiv(number * {DAYS} * {DAY_MS}, {items}) - h % 1000) AS ms, \
         reinterpretAsUUID(concat(reinterpretAsFixedString(cityHash64(number, 1)), \
         reinterpretAsFixedString(cityHash64(number, 2)))) AS id FROM numbers({items}))"
    );
    let insert = Query::new(fill).param("org", org);
    warehouse.execute(insert).await.expect("items are made");
    // What the desk did since: in ten steps, of which each leaves parts of its own.
    for step in 0..10 {
        let change = format!(
            "INSERT INTO feedback SELECT * REPLACE (version + 1 AS version, 'resolved' AS status, \
             1 AS read) FROM feedback FINAL \
             WHERE org = {{org:String}} AND cityHash64(id) % 100 = {step}"
        );
        let change = Query::new(change).param("org", org);
        warehouse.execute(change).await.expect("items change");
    }
}

struct Asker {
    base: String,
    token: String,
    client: reqwest::Client,
}

impl Asker {
    /// How long a page took, and how many items it has.
    async fn ask(&self, question: &str) -> (Duration, usize) {
        let started = Instant::now();
        let request = self.client.get(format!("{}?{question}", self.base));
        let answer = request
            .bearer_auth(&self.token)
            .send()
            .await
            .expect("an answer");
        assert!(
            answer.status().is_success(),
            "{question}: {}",
            answer.status()
        );
        let body = answer.bytes().await.expect("a body");
        let time = started.elapsed();
        let page: Value = serde_json::from_slice(&body).expect("JSON");
        (time, page["items"].as_array().expect("items").len())
    }
}
