//! 20,000 submissions while the server is killed again and again: every figure of analytics
//! is what a recount of what was acknowledged gives.

#[path = "harness/process.rs"]
mod process;
#[path = "feedback/recount.rs"]
mod recount;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use rand::Rng as _;
use recount::{ROUTES, Said, asks, check, generate};
use serde_json::{Value, json};
use snag_server::feedback::understand;

const ITEMS: usize = 20_000;
/// What is sent at once is stored at once: the more, the fewer and larger blocks.
const SENDERS: usize = 96;
const KILLS: usize = 6;

/// What people say, and how it is meant: by hand, not by the server.
const TEXTS: [(&str, &str); 6] = [
    ("I love the new search, it is great!", "positive"),
    ("Thanks, the export works and is very fast 👍", "positive"),
    ("Export to PDF doesn't work", "negative"),
    ("This is a terrible mess and I hate it", "negative"),
    ("The list of my exports is in the menu.", "neutral"),
    ("Das Speichern stürzt immer ab", ""),
];

/// Submits, again and again until it is acknowledged.
async fn submit(
    client: &reqwest::Client,
    url: &Mutex<String>,
    token: &str,
    said: &Said,
    text: &str,
    retries: &AtomicUsize,
) {
    let rating = (said.rating > 0).then_some(said.rating);
    let mut body = json!({"id": said.id, "created_at": said.at.to_string(),
        "category": said.category, "description": text, "tags": said.tags,
        "product": said.product, "target": {"app": said.app, "screen": said.screen},
        "agent_version": said.version});
    if let Some(rating) = rating {
        body["rating"] = json!(rating);
    }
    loop {
        let address = url.lock().expect("a lock").clone();
        let answer = client
            .post(format!("{address}/v1/feedback"))
            .bearer_auth(token)
            .json(&body)
            .send()
            .await;
        match answer {
            Ok(answer) if matches!(answer.status().as_u16(), 200 | 201) => return,
            Ok(answer) if answer.status() == 503 => {}
            Ok(answer) => panic!("{} {}", answer.status(), answer.text().await.expect("text")),
            Err(_) => {}
        }
        retries.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_figure_is_right_after_kills() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let folder = tempfile::tempdir().expect("a folder");
    let org = process::organisation(folder.path());
    let name = org["org"].as_str().expect("an id");
    let policy = |arguments: &[&str]| {
        let output = process::program(folder.path())
            .args(["org", "policy", "--org", name])
            .args(arguments)
            .output()
            .expect("the command");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice::<Value>(&output.stdout).expect("json")
    };
    let mut wanted = policy(&[]);
    wanted["feedback"] = json!({"per_device_per_hour": 10_000, "per_address_per_hour": 100_000});
    let file = folder.path().join("policy.json");
    std::fs::write(&file, wanted.to_string()).expect("a file");
    policy(&["--set", file.to_str().expect("UTF-8")]);

    let mut server = process::start(folder.path(), &[]);
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(20))
        .build()
        .expect("a client");
    let mut devices = Vec::new();
    for _ in 0..SENDERS {
        let body = json!({"token": org["enroll_token"],
            "device": {"os": "linux", "agent_version": "0.1.0"}});
        let answer = client
            .post(format!("{}/v1/enroll", server.url))
            .json(&body)
            .send();
        let answer: Value = answer.await.expect("an answer").json().await.expect("json");
        let text = |name: &str| answer[name].as_str().expect("text").to_owned();
        devices.push((text("device"), text("device_token")));
    }
    // The last 40 days up to an hour ago, from a whole day on.
    let now = Timestamp::now().as_millisecond();
    let to = Timestamp::from_millisecond(now / 3_600_000 * 3_600_000).expect("a moment");
    let from = Timestamp::from_millisecond(now / 86_400_000 * 86_400_000).expect("a moment")
        - SignedDuration::from_hours(40 * 24);
    let mut all = generate(5, ITEMS, from, to);
    for (number, said) in all.iter_mut().enumerate() {
        said.device = devices[number % SENDERS].0.parse().expect("an id");
        said.segment = "";
        let (text, sentiment) = TEXTS[number % TEXTS.len()];
        let judged = understand::judge(text).sentiment;
        assert_eq!(judged.map_or("", |(_, class)| class), sentiment, "{text}");
        said.sentiment = sentiment;
        said.polarity_micro = judged.map_or(0, |(micro, _)| micro);
    }

    let all = Arc::new(all);
    let url = Arc::new(Mutex::new(server.url.clone()));
    let stored = Arc::new(AtomicUsize::new(0));
    let retries = Arc::new(AtomicUsize::new(0));
    let mut senders = tokio::task::JoinSet::new();
    for (sender, (_, token)) in devices.into_iter().enumerate() {
        let (all, url, client) = (Arc::clone(&all), Arc::clone(&url), client.clone());
        let (stored, retries) = (Arc::clone(&stored), Arc::clone(&retries));
        senders.spawn(async move {
            for number in (sender..ITEMS).step_by(SENDERS) {
                let text = TEXTS[number % TEXTS.len()].0;
                submit(&client, &url, &token, &all[number], text, &retries).await;
                stored.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let began = Instant::now();
    for kill in 0..KILLS {
        let enough = ITEMS / (KILLS + 1) * (kill + 1);
        while stored.load(Ordering::Relaxed) < enough {
            assert!(began.elapsed() < Duration::from_secs(900), "it goes on");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let pause = rand::rng().random_range(0..40);
        tokio::time::sleep(Duration::from_millis(pause)).await;
        server.kill();
        server = process::start(folder.path(), &[]);
        *url.lock().expect("a lock") = server.url.clone();
    }
    let ended = tokio::time::timeout(Duration::from_secs(900), senders.join_all());
    ended.await.expect("they end");
    println!(
        "{ITEMS} submissions in {:.1?} with {KILLS} kills, {} retries",
        began.elapsed(),
        retries.load(Ordering::Relaxed)
    );
    assert!(retries.load(Ordering::Relaxed) > 0, "no kill was noticed");

    let token = org["analyst_token"].as_str().expect("a token");
    for ask in asks(from, to) {
        for route in ROUTES {
            let answer = client
                .get(format!("{}{}", server.url, ask.query(route)))
                .bearer_auth(token)
                .send()
                .await
                .expect("an answer");
            assert_eq!(answer.status(), 200, "{ask:?}");
            let answer: Value = answer.json().await.expect("json");
            check(route, &answer, &all, &ask);
        }
    }
    server.stop();
    let output = process::program(folder.path())
        .arg("verify")
        .output()
        .expect("the command");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}");
    assert!(said.contains(" 0 hours or days differed"), "{said}");
}
