//! Live events: told once, in time, to the right organisation, across restarts and servers.

mod harness;
#[path = "harness/redis.rs"]
mod redis_server;

use std::ffi::OsString;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{Request, header};
use futures_util::StreamExt as _;
use harness::{Device, Server, incident};
use jiff::Timestamp;
use redis_server::Redis;
use serde_json::{Value, json};
use snag_server::live::{Event, Kind, bus};
use snag_server::orgs::{FeedbackRules, OrgPolicy};
use snag_server::{AppState, router};
use tokio::sync::mpsc;
use uuid::Uuid;

const LONG: Duration = Duration::from_secs(20);

fn generous() -> OrgPolicy {
    OrgPolicy {
        feedback: FeedbackRules {
            per_device_per_hour: 100_000,
            per_address_per_hour: 100_000,
        },
        ..OrgPolicy::default()
    }
}

async fn start() -> Server {
    Server::with(5, generous(), AppState::system_clock()).await
}

/// Another process over the same tables, as far as its state goes.
fn another(server: &Server) -> Arc<AppState> {
    AppState::new(
        server.warehouse.clone(),
        Default::default(),
        AppState::system_clock(),
    )
}

/// A state behind a real socket.
async fn listen_on(state: &Arc<AppState>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let app = router::router(Arc::clone(state));
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

#[derive(Debug, Clone)]
struct Heard {
    event: String,
    id: String,
    data: Value,
}

fn client() -> reqwest::Client {
    // The first of the tests does it for all.
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client")
}

/// A listener.
struct Ears {
    heard: mpsc::UnboundedReceiver<Heard>,
    last_id: String,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Ears {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Ears {
    async fn open(url: &str, token: &str, query: &str, last: Option<&str>) -> Self {
        let bearer = format!("Bearer {token}");
        Self::open_as(url, ("authorization", &bearer), query, last).await
    }

    /// The same, for whoever this header names.
    async fn open_as(url: &str, who: (&str, &str), query: &str, last: Option<&str>) -> Self {
        let client = client();
        let mut request = client
            .get(format!("{url}/v1/stream{query}"))
            .header(who.0, who.1);
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last);
        }
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        assert_eq!(
            response.headers()[header::CONTENT_TYPE],
            "text/event-stream"
        );
        let (tell, heard) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            let mut text = String::new();
            let mut bytes = response.bytes_stream();
            while let Some(Ok(chunk)) = bytes.next().await {
                text.push_str(std::str::from_utf8(&chunk).expect("ASCII"));
                while let Some(end) = text.find("\n\n") {
                    let block: String = text.drain(..end + 2).collect();
                    let field = |name: &str| {
                        let of = |line: &str| line.strip_prefix(name).map(|v| v.trim().to_owned());
                        block.lines().find_map(of)
                    };
                    let Some(data) = field("data:") else { continue };
                    let heard = Heard {
                        event: field("event:").expect("an event"),
                        id: field("id:").expect("an id"),
                        data: serde_json::from_str(&data).expect("JSON"),
                    };
                    if tell.send(heard).is_err() {
                        return;
                    }
                }
            }
        });
        Self {
            heard,
            last_id: String::new(),
            task,
        }
    }

    /// The next event but `ready`; `None` once the stream has ended.
    async fn next(&mut self) -> Option<Heard> {
        loop {
            let heard = tokio::time::timeout(LONG, self.heard.recv())
                .await
                .expect("in time")?;
            self.last_id.clone_from(&heard.id);
            if heard.event != "ready" {
                return Some(heard);
            }
        }
    }

    async fn ready(&mut self) {
        let heard = tokio::time::timeout(LONG, self.heard.recv())
            .await
            .expect("in time");
        let heard = heard.expect("an event");
        assert_eq!(heard.event, "ready");
        self.last_id = heard.id;
    }

    /// Ids of the next submissions.
    async fn ids(&mut self, number: usize) -> Vec<String> {
        let mut ids = Vec::new();
        for _ in 0..number {
            let heard = self.next().await.expect("an event");
            assert_eq!(heard.event, "feedback:submitted", "{heard:?}");
            ids.push(heard.data["id"].as_str().expect("an id").to_owned());
        }
        ids
    }

    /// Nothing more comes.
    async fn nothing(&mut self) {
        let more = tokio::time::timeout(Duration::from_millis(700), self.next()).await;
        assert!(more.is_err(), "{more:?}");
    }
}

fn said(device: &Device, id: Uuid, at: Timestamp) -> Request<Body> {
    let body = json!({"id": id, "created_at": at.to_string(), "category": "bug",
        "description": "The secret words of a person", "rating": 2,
        "target": {"app": "excel", "screen": "0000000000000001"}});
    Request::post("/v1/feedback")
        .header(header::AUTHORIZATION, format!("Bearer {}", device.token))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_string()))
        .expect("a request")
}

async fn say(server: &Server, device: &Device) -> String {
    let id = Uuid::now_v7();
    let answer = server.send(said(device, id, Timestamp::now())).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    id.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submission_is_told_once_in_time_without_words_or_device() {
    let server = start().await;
    let device = server.enroll().await;
    let url = listen_on(&server.state).await;
    let mut ears = Ears::open(&url, &server.org.analyst_token, "", None).await;
    ears.ready().await;
    let mut times = Vec::new();
    for _ in 0..100 {
        let begun = Instant::now();
        let id = say(&server, &device).await;
        let heard = ears.next().await.expect("an event");
        times.push(begun.elapsed());
        assert_eq!(
            (heard.event.as_str(), &heard.data["id"]),
            ("feedback:submitted", &json!(id))
        );
        let text = heard.data.to_string();
        assert!(
            !text.contains("secret") && !text.contains(&device.id),
            "{text}"
        );
    }
    times.sort_unstable();
    println!(
        "submission to event, 100 of them: p50 {:?}, p99 {:?}",
        times[49], times[98]
    );
    // A retry tells nothing.
    let (id, at) = (Uuid::now_v7(), Timestamp::now());
    let (first, again) = (
        server.send(said(&device, id, at)).await,
        server.send(said(&device, id, at)).await,
    );
    assert_eq!((first.status.as_u16(), again.status.as_u16()), (201, 200));
    assert_eq!(ears.ids(1).await, [id.to_string()]);
    ears.nothing().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_goes_on_where_it_was_here_and_on_another_server() {
    let server = start().await;
    let device = server.enroll().await;
    let token = &server.org.analyst_token;
    let url = listen_on(&server.state).await;
    let mut ears = Ears::open(&url, token, "", None).await;
    ears.ready().await;
    let mut sent = Vec::new();
    let mut got = Vec::new();
    // Gone before the first event, too.
    let last = ears.last_id.clone();
    drop(ears);
    for _ in 0..3 {
        sent.push(say(&server, &device).await);
    }
    let mut ears = Ears::open(&url, token, "", Some(&last)).await;
    got.extend(ears.ids(2).await);
    let last = ears.last_id.clone();
    drop(ears);
    for _ in 0..50 {
        sent.push(say(&server, &device).await);
    }
    // Another server, which has told nobody anything; the same after the log is written.
    for pause_ms in [0, 500] {
        tokio::time::sleep(Duration::from_millis(pause_ms)).await;
        let url = listen_on(&another(&server)).await;
        let mut there = Ears::open(&url, token, "", Some(&last)).await;
        let mut all = got.clone();
        all.extend(there.ids(51).await);
        all.sort();
        let mut wanted = sent.clone();
        wanted.sort();
        assert_eq!(all, wanted, "after {pause_ms} ms");
        there.nothing().await;
        // From its end there is nothing.
        let end = there.last_id.clone();
        let mut there = Ears::open(&url, token, "", Some(&end)).await;
        there.nothing().await;
    }
    // And here, by the parameter.
    let mut here = Ears::open(&url, token, &format!("?last_event_id={last}"), None).await;
    let mut all = got.clone();
    all.extend(here.ids(51).await);
    assert_eq!(all, sent);
    here.nothing().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submission_that_a_crash_kept_from_the_log_is_told_all_the_same() {
    let server = start().await;
    let device = server.enroll().await;
    let token = &server.org.analyst_token;
    let url = listen_on(&server.state).await;
    let mut ears = Ears::open(&url, token, "", None).await;
    ears.ready().await;
    let first = say(&server, &device).await;
    assert_eq!(ears.ids(1).await, [first]);
    let last = ears.last_id.clone();
    drop(ears);
    let lost = say(&server, &device).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    server
        .execute(&format!("DELETE FROM live_events WHERE key = '{lost}'"))
        .await;
    let url = listen_on(&another(&server)).await;
    let mut there = Ears::open(&url, token, "", Some(&last)).await;
    assert_eq!(there.ids(1).await, [lost]);
    there.nothing().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn organisations_kinds_and_strangers_are_kept_apart() {
    let server = start().await;
    let device = server.enroll().await;
    let other = snag_server::control::NewOrg {
        name: "other",
        contact: "x",
        k: 5,
        local: false,
        policy: generous(),
    };
    let other = snag_server::control::create_org(&server.warehouse, other, Timestamp::now());
    let other = other.await.expect("an organisation");
    let url = listen_on(&server.state).await;
    let mut theirs = Ears::open(&url, &other.analyst_token, "", None).await;
    theirs.ready().await;
    let begin = theirs.last_id.clone();
    let token = &server.org.analyst_token;
    let mut changes = Ears::open(&url, token, "?kinds=feedback:changed", None).await;
    changes.ready().await;
    say(&server, &device).await;
    server.state.live.publish(Event {
        org: server.org.org,
        kind: Kind::FeedbackChanged,
        data: json!({"ids": ["x"]}),
    });
    assert_eq!(
        changes.next().await.expect("an event").event,
        "feedback:changed"
    );
    changes.nothing().await;
    theirs.nothing().await;
    // Nor from the log.
    tokio::time::sleep(Duration::from_millis(400)).await;
    let mut theirs = Ears::open(&url, &other.analyst_token, "", Some(&begin)).await;
    theirs.nothing().await;
    for (path, token, status) in [
        ("/v1/stream", "", 401),
        ("/v1/stream", device.token.as_str(), 403),
        ("/v1/stream?kinds=all", token.as_str(), 400),
        ("/v1/stream?kind=x", token.as_str(), 400),
    ] {
        assert_eq!(server.get(path, token).await.status, status, "{path}");
    }
    // What can't be gone on from is said.
    let old = "AAAAAAAAAAE";
    for (last, reason) in [
        ("nonsense", "unknown_id"),
        ("n\u{f6}", "unknown_id"),
        (old, "too_old"),
    ] {
        let mut ears = Ears::open(&url, token, "", Some(last)).await;
        let heard = ears.next().await.expect("an event");
        assert_eq!(
            (heard.event.as_str(), &heard.data["reason"]),
            ("reset", &json!(reason))
        );
    }
}

/// Whoever may no longer listen hears of nothing that happens after that.
#[tokio::test(flavor = "multi_thread")]
async fn a_listener_whose_token_or_session_ends_hears_nothing_more() {
    const PASSWORD: &str = "plenty of friction here";
    let server = start().await;
    let device = server.enroll().await;
    let url = listen_on(&server.state).await;
    let admin = &server.org.admin_token;
    let call = async |method: &str, path: &str, head: [(&str, &str); 2], body: Value| {
        let request = Request::builder().method(method).uri(path);
        let request = head.iter().fold(request, |request, (name, value)| {
            request.header(*name, *value)
        });
        let request = request.header(header::CONTENT_TYPE, "application/json");
        let request = request.body(Body::from(body.to_string()));
        server.send(request.expect("a request")).await
    };
    let as_admin = [
        ("authorization", &*format!("Bearer {admin}")),
        ("accept", "*/*"),
    ];

    let wall = json!({"scope": "viewer", "name": "wall"});
    let wall = call("POST", "/v1/admin/tokens", as_admin, wall).await;
    let bearer = format!("Bearer {}", wall.body["token"].as_str().expect("a token"));
    let listed = server.get("/v1/admin/tokens", admin).await;
    let tokens = listed.body.as_array().expect("tokens");
    let wall = tokens.iter().find(|token| token["name"] == "wall");
    let wall = wall.expect("listed")["id"].as_str().expect("an id");

    let person = json!({"login": "eve", "name": "Eve", "role": "viewer", "password": PASSWORD});
    let person = call("POST", "/v1/admin/users", as_admin, person).await;
    assert!(person.status.is_success(), "{person:?}");
    let login = json!({"login": "eve", "password": PASSWORD});
    let login = call("POST", "/v1/login", [("accept", "*/*"); 2], login).await;
    assert_eq!(login.status, 200, "{login:?}");
    let cookie = login.headers[header::SET_COOKIE].to_str().expect("text");
    let cookie = cookie.split(';').next().expect("a pair").to_owned();
    let csrf = login.body["csrf_token"].as_str().expect("a token");

    let mut of_token = Ears::open_as(&url, ("authorization", &bearer), "", None).await;
    let mut of_session = Ears::open_as(&url, ("cookie", &cookie), "", None).await;
    for ears in [&mut of_token, &mut of_session] {
        ears.ready().await;
    }
    let heard = say(&server, &device).await;
    for ears in [&mut of_token, &mut of_session] {
        assert_eq!(ears.ids(1).await, *std::slice::from_ref(&heard));
    }

    let path = format!("/v1/admin/tokens/{wall}");
    let revoked = call("DELETE", &path, as_admin, json!({})).await;
    assert!(revoked.status.is_success(), "{revoked:?}");
    let own_site = [("cookie", &*cookie), ("x-csrf-token", csrf)];
    let out = call("POST", "/v1/logout", own_site, json!({})).await;
    assert!(out.status.is_success(), "{out:?}");
    say(&server, &device).await;
    for ears in [&mut of_token, &mut of_session] {
        let more = ears.next().await;
        assert!(more.is_none(), "{more:?}");
    }

    // It ends where nothing happens, too.
    let login = json!({"login": "eve", "password": PASSWORD});
    let login = call("POST", "/v1/login", [("accept", "*/*"); 2], login).await;
    let cookie = login.headers[header::SET_COOKIE].to_str().expect("text");
    let cookie = cookie.split(';').next().expect("a pair").to_owned();
    let mut quiet = Ears::open_as(&url, ("cookie", &cookie), "", None).await;
    quiet.ready().await;
    let id = person.body["user"]["id"].as_str().expect("an id");
    let ended = format!("/v1/admin/users/{id}/sessions");
    let ended = call("DELETE", &ended, as_admin, json!({})).await;
    assert!(ended.status.is_success(), "{ended:?}");
    assert!(quiet.next().await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_listener_misses_nothing_and_a_stopping_server_lets_go() {
    let server = start().await;
    let token = &server.org.analyst_token;
    let url = listen_on(&server.state).await;
    // Nobody reads it until the hub has gone far ahead.
    let client = client();
    let slow = client
        .get(format!("{url}/v1/stream"))
        .bearer_auth(token)
        .send()
        .await;
    let slow = slow.expect("an answer");
    let mut ears = Ears::open(&url, token, "", None).await;
    ears.ready().await;
    for number in 0..4_900 {
        server.state.live.publish(Event {
            org: server.org.org,
            kind: Kind::FeedbackChanged,
            data: json!({"number": number, "filler": "x".repeat(400)}),
        });
    }
    for number in 0..4_900 {
        assert_eq!(ears.next().await.expect("an event").data["number"], number);
    }
    server.state.live.end_streams();
    assert!(ears.next().await.is_none(), "the stream has ended");
    let text = tokio::time::timeout(LONG, slow.text())
        .await
        .expect("in time")
        .expect("text");
    assert!(
        text.starts_with("event: ready") || text.starts_with("event:ready"),
        "{}",
        &text[..40]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_that_end_alike_are_told_each() {
    let server = start().await;
    let device = server.enroll().await;
    let url = listen_on(&server.state).await;
    let token = &server.org.analyst_token;
    let mut ears = Ears::open(&url, token, "", None).await;
    ears.ready().await;
    // As a computer mints them by its clock and its network card.
    let tail = Uuid::now_v7().as_u128() & ((1 << 64) - 1);
    let mut ids = (1..=4_u128).map(|n| Uuid::from_u128((n << 96) | (0x1111 << 64) | tail));
    let mut tell = async || {
        let id = ids.next().expect("an id");
        let answer = server.send(said(&device, id, Timestamp::now())).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        id.to_string()
    };
    let sent = [tell().await, tell().await];
    assert_eq!(ears.ids(2).await, sent);
    // Who resumes, too.
    let last = ears.last_id.clone();
    drop(ears);
    let sent = [tell().await, tell().await];
    let mut ears = Ears::open(&url, token, "", Some(&last)).await;
    assert_eq!(ears.ids(2).await, sent);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_is_told_though_the_client_hung_up() {
    let server = Arc::new(start().await);
    let device = server.enroll().await;
    let url = listen_on(&server.state).await;
    let mut ears = Ears::open(&url, &server.org.analyst_token, "", None).await;
    ears.ready().await;
    let id = Uuid::now_v7();
    // Nothing is stored before it has hung up.
    let rows = server.state.write_gate.write().await;
    let asking = tokio::spawn({
        let request = said(&device, id, Timestamp::now());
        let server = Arc::clone(&server);
        async move { server.send(request).await }
    });
    let whose = device.id.parse().expect("an id");
    let begun = Instant::now();
    while !server.state.gone.is_storing(server.org.org, whose) {
        assert!(begun.elapsed() < LONG, "it begins");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    asking.abort();
    assert!(asking.await.is_err(), "it has hung up");
    drop(rows);
    assert_eq!(ears.ids(1).await, [id.to_string()]);
    // It is sent again: nothing new.
    let again = server.send(said(&device, id, Timestamp::now())).await;
    assert_ne!(again.status, 201, "{again:?}");
    ears.nothing().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn incidents_are_told_once_k_people_share_them() {
    let server = start().await;
    let url = listen_on(&server.state).await;
    let mut ears = Ears::open(&url, &server.org.analyst_token, "", None).await;
    ears.ready().await;
    for _ in 0..4 {
        let device = server.enroll().await;
        let answer = server.batch(&device, &device.of(vec![incident(1)])).await;
        assert_eq!(answer.counts(), (1, 0, 0));
    }
    // What these four did is told of by now, where it is told.
    for _ in 0..4 {
        ears.nothing().await;
    }
    let fifth = server.enroll().await;
    let batch = fifth.of(vec![incident(1), incident(2)]);
    assert_eq!(server.batch(&fifth, &batch).await.counts(), (2, 0, 0));
    let heard = ears.next().await.expect("an event");
    assert_eq!(heard.event, "incidents:detected");
    let wanted = json!({"incident": "rage_click", "app": "excel", "screen": "0000000000000001",
        "screen_label": null, "incidents": 2});
    assert_eq!(heard.data, wanted);
    // Sent again, it is nothing new.
    assert_eq!(server.batch(&fifth, &batch).await.counts(), (0, 2, 0));
    ears.nothing().await;
}

fn plain(port: u16) -> Vec<OsString> {
    vec!["--port".into(), port.to_string().into()]
}

/// Says as much; nobody waits for Redis. Each would wait, so the quickest tells, however busy
/// the machine is.
async fn say_at_once(server: &Server, device: &Device, times: usize) -> Vec<String> {
    let (mut sent, mut quickest) = (Vec::new(), Duration::MAX);
    for _ in 0..times {
        let begun = Instant::now();
        sent.push(say(server, device).await);
        quickest = quickest.min(begun.elapsed());
    }
    assert!(quickest < Duration::from_secs(2), "it waited {quickest:?}");
    sent
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_share_a_redis_hear_each_other_whatever_becomes_of_it() {
    let server = start().await;
    let device = server.enroll().await;
    let token = &server.org.analyst_token;
    let redis = Redis::anywhere(plain);
    let port = redis.port;
    let there = another(&server);
    for state in [&server.state, &there] {
        bus::connect(&state.live, &state.metrics, &redis.url()).expect("an address");
    }
    let url = listen_on(&there).await;
    let mut here = Ears::open(&listen_on(&server.state).await, token, "", None).await;
    let mut far = Ears::open(&url, token, "", None).await;
    here.ready().await;
    far.ready().await;
    // What anybody else reads on the channel.
    let client = redis::Client::open(redis.url()).expect("an address");
    let mut pubsub = client.get_async_pubsub().await.expect("a connection");
    pubsub
        .subscribe("feedback:submitted")
        .await
        .expect("a channel");

    let mut sent = vec![say(&server, &device).await];
    let message = tokio::time::timeout(LONG, pubsub.on_message().next()).await;
    let message = message.expect("in time").expect("a message");
    let message: Value = serde_json::from_slice(message.get_payload_bytes()).expect("JSON");
    assert_eq!(message["data"]["id"], sent[0].as_str());
    assert_eq!(message["kind"], "feedback:submitted");
    let (mut near_heard, mut far_heard) = (here.ids(1).await, far.ids(1).await);

    // It hangs: nobody waits. It goes on: the other server's listeners hear what they missed.
    redis.signal("-STOP");
    sent.extend(say_at_once(&server, &device, 20).await);
    near_heard.extend(here.ids(20).await);
    redis.signal("-CONT");
    far_heard.extend(far.ids(20).await);

    // It is gone, and comes back without having known anything.
    drop(redis);
    sent.extend(say_at_once(&server, &device, 20).await);
    near_heard.extend(here.ids(20).await);
    let redis = Redis::at(port, &plain(port)).expect("the same port");
    far_heard.extend(far.ids(20).await);
    sent.extend(say_at_once(&server, &device, 5).await);
    near_heard.extend(here.ids(5).await);
    far_heard.extend(far.ids(5).await);
    here.nothing().await;
    far.nothing().await;
    assert_eq!(near_heard, sent);
    far_heard.sort();
    sent.sort();
    assert_eq!(far_heard, sent, "each once");
    drop(redis);
}
