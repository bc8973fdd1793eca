//! Sync against a server that misbehaves, over real sockets.

#[allow(dead_code, reason = "another test uses the rest")]
#[path = "../common/click.rs"]
mod click;
mod server;
#[path = "../common/tls.rs"]
mod tls;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use server::{Fault, Server, TOKEN, policy};
use snag_agent::sync::batch::Sender;
use snag_agent::sync::{
    CallError, Client, ClientOptions, KnownLabel, LabelStore, PolicyReply, SyncHandle, SyncOptions,
    Trouble, stored_policy,
};
use snag_spool::{NewRecord, Spool, SpoolOptions};
use snag_wire::{DeviceFacts, EnrollRequest, LabelHash, LabelKind, PolicyAnswer, Record};
use tls::{authority, rustls_config};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use uuid::Uuid;

const START_MS: i64 = 1_700_000_000_000;

/// How long a device waits for an answer where some answers come too late.
const HASTE: Duration = Duration::from_secs(3);

/// An answer that comes too late for that.
const TOO_LATE: Fault = Fault::Slow(Duration::from_secs(60));

fn event(number: u64) -> NewRecord {
    let app = if number.is_multiple_of(3) {
        "mail"
    } else {
        "editor"
    };
    let screen = LabelHash([number as u8 % 4; 8]);
    click::click(START_MS + number as i64 * 250, app, screen)
}

struct Device {
    spool: Arc<Spool>,
    labels: Arc<LabelStore>,
    policy: watch::Receiver<Option<Arc<PolicyAnswer>>>,
    sync: SyncHandle,
    _dir: tempfile::TempDir,
}

fn options(url: &str) -> ClientOptions {
    ClientOptions {
        system_proxy: false,
        timeout: Duration::from_secs(20),
        ..ClientOptions::new(url)
    }
}

fn client(url: &str) -> Client {
    with_options(&options(url))
}

fn hasty_client(url: &str) -> Client {
    with_options(&ClientOptions {
        timeout: HASTE,
        ..options(url)
    })
}

fn with_options(options: &ClientOptions) -> Client {
    Client::new(options).unwrap().with_token(TOKEN).unwrap()
}

impl Device {
    fn start(client: Client, records: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (spool, _) = Spool::open(dir.path(), SpoolOptions::default()).unwrap();
        let records: Vec<_> = (1..=records).map(event).collect();
        spool.append(&records, None).unwrap();
        Self::with_spool(client, Arc::new(spool), dir)
    }

    fn with_spool(client: Client, spool: Arc<Spool>, dir: tempfile::TempDir) -> Self {
        Self::with_clock(client, spool, dir, Timestamp::now)
    }

    fn with_clock(
        client: Client,
        spool: Arc<Spool>,
        dir: tempfile::TempDir,
        clock: fn() -> Timestamp,
    ) -> Self {
        let labels = Arc::new(LabelStore::new());
        let (sender, policy) = watch::channel(None);
        let options = SyncOptions {
            pace_ms: 20,
            on_sent: None,
            seed: 7,
            clock,
            ..SyncOptions::new(
                client,
                Sender {
                    device: Uuid::from_u128(1),
                    product: "default".into(),
                    agent_version: "0.1.0".into(),
                },
                Arc::clone(&spool),
                Arc::clone(&labels),
                sender,
            )
        };
        Self {
            sync: SyncHandle::start(options),
            spool,
            labels,
            policy,
            _dir: dir,
        }
    }

    async fn flush(&self) -> u64 {
        self.sync.flush(Duration::from_secs(60)).await.left
    }

    fn dead_letters(&self) -> Vec<(u64, String)> {
        let letters = self.spool.dead_letters(0, 1_000).unwrap();
        letters
            .into_iter()
            .map(|letter| (letter.record.seq, letter.code))
            .collect()
    }
}

async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(60), "never: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_record_arrives_once_and_in_order_whatever_goes_wrong() {
    let faults = [
        Fault::LoseAnswer,
        Fault::Status(500, None),
        Fault::WrongCounts,
        Fault::Status(503, Some("0".into())),
        Fault::Garbage("<html>please log in</html>"),
        Fault::Status(429, Some("Sun, 06 Nov 1994 08:49:37 GMT".into())),
        Fault::Garbage("{}"),
        Fault::Status(401, Some("0".into())),
        Fault::Status(408, Some("0".into())),
        TOO_LATE,
        Fault::Status(302, None),
    ];
    // A success after every two keeps the back-off, and the test, short.
    let faults = faults
        .chunks(2)
        .flat_map(|pair| pair.iter().cloned().chain([Fault::Nothing]));
    let server = Server::start(faults).await;
    let device = Device::start(hasty_client(&server.url()), 320);
    assert_eq!(device.flush().await, 0);
    {
        let seen = server.shared.seen.lock();
        assert_eq!(
            seen.records.keys().copied().collect::<Vec<_>>(),
            (1..=320).collect::<Vec<_>>()
        );
        assert_eq!(seen.out_of_order, 0);
        for (seq, (at_ms, _)) in &seen.records {
            assert_eq!(*at_ms, START_MS + *seq as i64 * 250);
        }
        assert!(seen.requests.len() >= 11 + 6, "{}", seen.requests.len());
    }
    assert!(
        server.shared.faults.lock().is_empty(),
        "all faults happened"
    );
    assert_eq!(device.spool.waiting().records(), 0);
    assert!(device.dead_letters().is_empty());
    let status = device.sync.status();
    assert_eq!(status.last_error, None);
    assert!(status.last_success_at.is_some());
    assert_eq!(status.sent_records, 320);
    device.sync.stop(Duration::from_secs(2)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn contexts_say_where_each_record_happened() {
    let server = Server::start([]).await;
    let device = Device::start(client(&server.url()), 40);
    assert_eq!(device.flush().await, 0);
    let seen = server.shared.seen.lock();
    let mut records = 0;
    for batch in &seen.batches {
        assert_eq!(batch.device, Uuid::from_u128(1));
        for record in &batch.records {
            let Record::Event(event) = record else {
                panic!("only events were sent")
            };
            let context = &batch.contexts[event.context as usize];
            let app = if event.seq.is_multiple_of(3) {
                "mail"
            } else {
                "editor"
            };
            assert_eq!((context.app.as_str(), context.session), (app, 1));
            assert_eq!(context.screen, LabelHash([event.seq as u8 % 4; 8]));
            records += 1;
        }
        assert!(batch.contexts.len() <= 8, "each place is said once");
    }
    assert_eq!(records, 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn too_large_a_batch_is_split_and_too_large_a_record_is_a_dead_letter() {
    let server = Server::start([]).await;
    *server.shared.always.lock() = Some(Fault::Larger(10));
    let device = Device::start(client(&server.url()), 60);
    assert_eq!(device.flush().await, 0);
    assert_eq!(server.seqs(), (1..=60).collect::<Vec<_>>());
    assert_eq!(&server.requests()[..4], [50, 25, 12, 6]);

    // One record that is too large alone, among others that are not.
    *server.shared.always.lock() = None;
    server
        .shared
        .faults
        .lock()
        .extend([Fault::Larger(1), Fault::Larger(1), Fault::Larger(0)]);
    let records: Vec<_> = (61..=64).map(event).collect();
    device.spool.append(&records, None).unwrap();
    assert_eq!(device.flush().await, 0);
    assert_eq!(device.dead_letters(), [(61, "too_large".to_owned())]);
    assert_eq!(server.seqs().len(), 63);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_refuses_becomes_dead_letters() {
    let server = Server::start([Fault::Status(400, None), Fault::Reject(57)]).await;
    let device = Device::start(client(&server.url()), 120);
    assert_eq!(device.flush().await, 0);
    let mut expected: Vec<(u64, String)> = (1..=50)
        .map(|seq| (seq, "invalid_body".to_owned()))
        .collect();
    expected.push((57, "out_of_range".into()));
    assert_eq!(device.dead_letters(), expected);
    let sent: Vec<u64> = (51..=120).filter(|seq| *seq != 57).collect();
    assert_eq!(server.seqs(), sent);
    let drops = device.spool.drops();
    assert_eq!((drops[0].reason.as_str(), drops[0].count), ("rejected", 51));
    let last = server
        .shared
        .seen
        .lock()
        .batches
        .last()
        .unwrap()
        .drops
        .clone();
    assert_eq!(last, drops, "the server is told");
}

#[tokio::test(flavor = "multi_thread")]
async fn retry_after_is_kept_to() {
    let server = Server::start([Fault::Status(503, Some("1".into()))]).await;
    let device = Device::start(client(&server.url()), 5);
    assert_eq!(device.flush().await, 0);
    let seen = server.shared.seen.lock();
    let waited = seen.requests[1].0 - seen.requests[0].0;
    assert!(waited >= Duration::from_secs(1), "{waited:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_comes_back_gets_everything() {
    let gone = Server::start([]).await;
    let address = gone.address;
    drop(gone);
    let device = Device::start(client(&format!("http://{address}")), 130);
    until("the error, and when it is tried again", || {
        let status = device.sync.status();
        status.last_error.is_some() && status.next_try_at.is_some()
    })
    .await;
    let left = device.sync.flush(Duration::from_millis(700)).await.left;
    assert_eq!(left, 130);
    let status = device.sync.status();
    let error = status.last_error.unwrap();
    assert!(error.contains("can't be reached"), "{error}");
    assert_eq!(status.last_trouble, Some(Trouble::Unreachable));
    assert!(status.next_try_at.is_some());
    let server = Server::start_at(address, None, []).await;
    // No flush: it goes by count and age alone.
    until("all records", || server.seqs().len() == 130).await;
    until("an empty spool", || device.spool.waiting().records() == 0).await;
    assert_eq!(device.sync.status().last_error, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_answer_is_told_apart_by_type() {
    for (fault, expected) in [
        (Fault::Status(401, None), Trouble::Unauthorized),
        (Fault::Status(408, None), Trouble::Busy),
        (Fault::Status(429, None), Trouble::TooMany),
        (Fault::Status(500, None), Trouble::Fault),
        (Fault::Status(503, None), Trouble::Busy),
        (Fault::Status(507, None), Trouble::ServerFull),
        (Fault::Status(302, None), Trouble::Strange),
        (Fault::Status(400, None), Trouble::Refused),
        (
            Fault::Garbage("<html>a certificate (401)</html>"),
            Trouble::Strange,
        ),
        (Fault::WrongCounts, Trouble::Strange),
        (TOO_LATE, Trouble::Unreachable),
    ] {
        let server = Server::start([]).await;
        *server.shared.always.lock() = Some(fault.clone());
        let client = match fault {
            Fault::Slow(_) => hasty_client(&server.url()),
            _ => client(&server.url()),
        };
        let device = Device::start(client, 5);
        until("the trouble", || {
            device.sync.status().last_trouble == Some(expected)
        })
        .await;
        assert!(device.sync.status().last_error.is_some(), "{fault:?}");
        device.sync.stop(Duration::from_secs(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_cut_lose_nothing() {
    // A listener that hands a little on and hangs up, in front of a good server.
    let server = Server::start([]).await;
    let upstream = server.address;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((mut down, _)) = listener.accept().await {
            let number = counted.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let mut up = tokio::net::TcpStream::connect(upstream).await.unwrap();
                let (from_device, mut to_device) = down.split();
                let (from_server, mut to_server) = up.split();
                // By turns in a request and in an answer, each time after four times as much.
                let bytes = 100 << number.min(20);
                let (asked, answered) = if number.is_multiple_of(2) {
                    (bytes, u64::MAX)
                } else {
                    (u64::MAX, bytes / 2)
                };
                let (mut requests, mut answers) =
                    (from_device.take(asked), from_server.take(answered));
                tokio::select! {
                    _ = tokio::io::copy(&mut requests, &mut to_server) => {}
                    _ = tokio::io::copy(&mut answers, &mut to_device) => {}
                }
            });
        }
    });
    let device = Device::start(client(&format!("http://{address}")), 1_000);
    assert_eq!(device.flush().await, 0);
    assert_eq!(server.seqs(), (1..=1_000).collect::<Vec<_>>());
    assert_eq!(server.shared.seen.lock().out_of_order, 0);
    let cut = connections.load(Ordering::SeqCst) - 1;
    assert!(cut >= 3, "{cut} connections were cut");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_is_kept_followed_and_asked_for_by_etag() {
    let server = Server::start([]).await;
    server.shared.policy.lock().next_seq = 5_000;
    let mut device = Device::start(client(&server.url()), 0);
    device.policy.wait_for(Option::is_some).await.unwrap();
    until("the floor", || device.spool.waiting().next_seq == 5_000).await;

    // A batch's answer says that there is a newer one.
    *server.shared.policy.lock() = policy(2, Vec::new());
    device.spool.append(&[event(1)], None).unwrap();
    device
        .policy
        .wait_for(|policy| policy.as_ref().is_some_and(|policy| policy.version == 2))
        .await
        .unwrap();
    assert_eq!(server.seqs(), [5_000]);
    device.sync.fetch_policy().await;
    until("a conditional request", || {
        server.shared.seen.lock().policies.len() == 3
    })
    .await;
    assert_eq!(
        server.shared.seen.lock().policies,
        [None, Some("\"1\"".to_owned()), Some("\"2\"".to_owned())]
    );

    // The next run knows it before it reaches anybody.
    let Device {
        sync, spool, _dir, ..
    } = device;
    sync.stop(Duration::from_secs(2)).await;
    assert_eq!(stored_policy(&spool).unwrap().unwrap().version, 2);
    let mut again = Device::with_spool(client("http://127.0.0.1:1"), spool, _dir);
    again.policy.wait_for(Option::is_some).await.unwrap();
    assert_eq!(again.policy.borrow().as_ref().unwrap().version, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_policy_does_not_stop_the_records() {
    let server = Server::start([]).await;
    // Its policy route is not there: only batches get through.
    let upstream = server.url();
    // Made once: a client reads all of the system's roots.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let router = axum::Router::new().route(
        "/v1/events/batch",
        axum::routing::post(
            move |headers: axum::http::HeaderMap, body: axum::body::Bytes| {
                let (upstream, http) = (upstream.clone(), http.clone());
                async move {
                    let answer = http
                        .post(format!("{upstream}/v1/events/batch"))
                        .headers(headers)
                        .body(body)
                        .send()
                        .await
                        .unwrap();
                    answer.bytes().await.unwrap()
                }
            },
        ),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    let device = Device::start(client(&format!("http://{address}")), 1_000);
    until("all records", || server.seqs().len() == 1_000).await;
    assert!(device.dead_letters().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_are_sent_when_wanted_or_readable_and_once() {
    let label = |number: u8, at_once: bool| KnownLabel {
        hash: LabelHash([number; 8]),
        kind: LabelKind::Screen,
        app: "mail".into(),
        text: format!("Inbox {number}"),
        at_once,
    };
    let server = Server::start([]).await;
    let device = Device::start(client(&server.url()), 10);
    device.labels.note(label(1, false));
    device.labels.note(label(2, false));
    device.labels.note(label(3, true));
    assert_eq!(device.flush().await, 0);
    let texts = |server: &Server| -> Vec<String> {
        let seen = server.shared.seen.lock();
        seen.records
            .values()
            .filter_map(|(_, record)| match record {
                Record::Label(label) => Some(label.text.clone()),
                _ => None,
            })
            .collect()
    };
    assert_eq!(texts(&server), ["Inbox 3"]);

    *server.shared.policy.lock() = policy(2, vec![LabelHash([2; 8]), LabelHash([9; 8])]);
    device.spool.append(&[event(11)], None).unwrap();
    until("a wanted label", || texts(&server).len() == 2).await;
    assert_eq!(texts(&server), ["Inbox 3", "Inbox 2"]);
    device.labels.note(label(9, false));
    until("a label wanted before it was seen", || {
        texts(&server).len() == 3
    })
    .await;

    // A restart, and a policy that still wants them: they were sent.
    let Device {
        sync, spool, _dir, ..
    } = device;
    sync.stop(Duration::from_secs(2)).await;
    *server.shared.policy.lock() = policy(3, (1..=9).map(|n| LabelHash([n; 8])).collect());
    let again = Device::with_spool(client(&server.url()), spool, _dir);
    for number in [1, 2, 3, 9] {
        again.labels.note(label(number, number == 3));
    }
    again.spool.append(&[event(12)], None).unwrap();
    until("the last one", || texts(&server).len() == 4).await;
    assert_eq!(again.flush().await, 0);
    assert_eq!(texts(&server)[3], "Inbox 1");
    assert_eq!(texts(&server).len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn enrolling_gives_a_token_or_a_reason() {
    let server = Server::start([]).await;
    let client = Client::new(&options(&server.url())).unwrap();
    let request = |token: &str| EnrollRequest {
        token: token.into(),
        device: DeviceFacts {
            os: "linux".into(),
            agent_version: "0.1.0".into(),
            segment: String::new(),
        },
    };
    let answer = client.enroll(&request("right")).await.unwrap();
    assert_eq!(answer.device_token, TOKEN);
    let error = client
        .enroll(&request("wrong"))
        .await
        .map(|_| ())
        .unwrap_err();
    assert!(
        matches!(&error, CallError::Refused { status: 401, message, .. } if message.contains("the test")),
        "{error:?}"
    );
    assert!(!format!("{client:?}").contains(TOKEN));
    for address in ["", "snag.example.com", "ftp://example.com", "http://"] {
        assert!(
            Client::new(&ClientOptions::new(address)).is_err(),
            "{address}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_by_an_own_authority_with_http_2_and_1() {
    let ours = authority();
    for (alpn, version) in [
        (&["h2", "http/1.1"][..], "HTTP/2.0"),
        (&["http/1.1"], "HTTP/1.1"),
    ] {
        let tls = rustls_config(&ours, alpn);
        let server = Server::start_at("127.0.0.1:0".parse().unwrap(), Some(tls), []).await;
        let url = format!("https://localhost:{}", server.address.port());
        let with_ca = |pem: &str| ClientOptions {
            ca_pem: Some(pem.as_bytes().to_vec()),
            ..options(&url)
        };
        let trusted = Client::new(&with_ca(&ours.pem))
            .unwrap()
            .with_token(TOKEN)
            .unwrap();
        let device = Device::start(trusted, 120);
        assert_eq!(device.flush().await, 0);
        assert_eq!(server.seqs().len(), 120);
        assert_eq!(
            server
                .shared
                .seen
                .lock()
                .versions
                .iter()
                .collect::<Vec<_>>(),
            [version]
        );

        // Another authority, and the system's, don't vouch for it.
        let others = Client::new(&with_ca(&authority().pem)).unwrap();
        let system = Client::new(&options(&url)).unwrap();
        for client in [others, system] {
            let error = client.policy(None).await.map(|_| ()).unwrap_err();
            assert_eq!(error.trouble(), Trouble::Certificate, "{error}");
        }
        assert!(Client::new(&with_ca("not a certificate")).is_err());
    }
}

/// The part of the proxy test that runs with other environment variables.
#[tokio::test(flavor = "multi_thread")]
async fn proxied_child() {
    let Ok(url) = std::env::var("SNAG_TEST_BEHIND_PROXY") else {
        return;
    };
    let client = Client::new(&ClientOptions::new(url))
        .unwrap()
        .with_token(TOKEN)
        .unwrap();
    assert!(matches!(
        client.policy(None).await.unwrap(),
        PolicyReply::New { .. }
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_systems_proxy_is_used() {
    // A proxy for plain HTTP: it gets the whole address in the request line.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = listener.local_addr().unwrap();
    let asked = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = vec![0; 4_096];
        let read = stream.read(&mut head).await.unwrap();
        let body = serde_json::to_string(&policy(1, Vec::new())).unwrap();
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8_lossy(&head[..read]).into_owned()
    });
    let child = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "proxied_child"])
        .env("SNAG_TEST_BEHIND_PROXY", "http://snag.invalid")
        .env("HTTP_PROXY", format!("http://{proxy}"))
        .env("http_proxy", format!("http://{proxy}"))
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .output()
        .await
        .unwrap();
    assert!(
        child.status.success(),
        "{}",
        String::from_utf8_lossy(&child.stdout)
    );
    let head = asked.await.unwrap();
    assert!(
        head.starts_with("GET http://snag.invalid/v1/policy HTTP/1.1\r\n"),
        "{head}"
    );
}

/// How often somebody asked what time it is, which the worker does at each turn.
static TURNS: AtomicU64 = AtomicU64::new(0);

fn counted_clock() -> Timestamp {
    TURNS.fetch_add(1, Ordering::SeqCst);
    Timestamp::now()
}

#[tokio::test]
async fn nothing_wakes_it_while_nothing_is_due_and_a_record_does() {
    let server = Server::start([]).await;
    server.shared.policy.lock().sync.policy_interval_ms = 8 * 3_600_000;
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = Spool::open(dir.path(), SpoolOptions::default()).unwrap();
    spool.append(&[event(1)], None).unwrap();
    let device = Device::with_clock(client(&server.url()), Arc::new(spool), dir, counted_clock);
    assert_eq!(device.flush().await, 0);
    let far = Timestamp::now() + SignedDuration::from_hours(6);
    let mut status = device.sync.watch();
    let sleeps = status.wait_for(|status| status.next_try_at > Some(far));
    drop(sleeps.await.unwrap());
    let before = TURNS.load(Ordering::SeqCst);
    tokio::time::pause();
    // Jumps from one moment at which something wakes up to the next.
    tokio::time::sleep(Duration::from_secs(5 * 3_600)).await;
    tokio::time::resume();
    assert_eq!(TURNS.load(Ordering::SeqCst), before, "it looked in vain");
    device.spool.append(&[event(2)], None).unwrap();
    until("the record arrives", || {
        server.shared.seen.lock().records.len() == 2
    })
    .await;
    assert!(TURNS.load(Ordering::SeqCst) > before);
}
