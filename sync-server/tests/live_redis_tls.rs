//! A Redis behind TLS, with a certificate of one's own authority: a real redis-server, the
//! real program, and Redis' own client at the other end.
#![cfg(target_os = "linux")]

#[path = "harness/process.rs"]
mod process;
#[path = "harness/redis.rs"]
mod redis_server;

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use redis_server::Redis;
use serde_json::{Value, json};
use uuid::Uuid;

const LONG: Duration = Duration::from_secs(30);

/// A child that ends with the test.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// An authority, and a certificate of its for 127.0.0.1.
struct Certificates {
    authority: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
}

impl Certificates {
    fn make(folder: &Path, name: &str) -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let called = |params: &mut CertificateParams, name: String| {
            params.distinguished_name.push(DnType::CommonName, name);
        };
        called(&mut params, format!("{name} authority"));
        let authority = params.self_signed(&key).expect("a certificate");
        let issuer = Issuer::new(params, key);
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).expect("a name");
        called(&mut params, format!("{name} redis"));
        let certificate = params.signed_by(&key, &issuer).expect("a certificate");
        let write = |kind: &str, pem: String| {
            let path = folder.join(format!("{name}-{kind}.pem"));
            std::fs::write(&path, pem).expect("written");
            path
        };
        Self {
            authority: write("authority", authority.pem()),
            certificate: write("certificate", certificate.pem()),
            key: write("key", key.serialize_pem()),
        }
    }
}

/// What makes a Redis speak TLS alone.
fn tls(port: u16, certificates: &Certificates) -> Vec<OsString> {
    let number = port.to_string();
    let mut arguments: Vec<OsString> = [
        ["--port", "0"],
        ["--tls-auth-clients", "no"],
        ["--tls-port", &number],
    ]
    .concat()
    .into_iter()
    .map(OsString::from)
    .collect();
    for (name, file) in [
        ("--tls-cert-file", &certificates.certificate),
        ("--tls-key-file", &certificates.key),
        ("--tls-ca-cert-file", &certificates.authority),
    ] {
        arguments.extend([name.into(), file.into()]);
    }
    arguments
}

/// Redis' own client.
fn client(port: u16, certificates: &Certificates) -> Command {
    let mut client = Command::new("redis-cli");
    client
        .args([
            "-h",
            "127.0.0.1",
            "-p",
            &port.to_string(),
            "--tls",
            "--cacert",
        ])
        .arg(&certificates.authority);
    client
}

/// A server that trusts an authority, and a Redis that it shall use.
struct Served {
    server: process::Process,
    http: reqwest::Client,
    token: String,
    _data: tempfile::TempDir,
}

impl Served {
    async fn start(port: u16, trusted: &Path) -> Self {
        drop(rustls::crypto::ring::default_provider().install_default());
        let data = tempfile::tempdir().expect("a folder");
        let org = process::organisation(data.path());
        let mut program = process::program(data.path());
        // Where an operator puts an authority that the system doesn't know.
        program
            .env("SSL_CERT_FILE", trusted)
            .env_remove("SSL_CERT_DIR");
        let redis = format!("rediss://127.0.0.1:{port}");
        let server = process::serve(program, &["--redis-url", &redis]);
        let http = reqwest::Client::new();
        let body = json!({"token": org["enroll_token"],
            "device": {"os": "linux", "agent_version": "0.1.0"}});
        let answer = http
            .post(format!("{}/v1/enroll", server.url))
            .json(&body)
            .send();
        let answer: Value = answer.await.expect("an answer").json().await.expect("json");
        Self {
            token: answer["device_token"].as_str().expect("text").to_owned(),
            server,
            _data: data,
            http,
        }
    }

    /// Says something.
    async fn say(&self) -> String {
        let id = Uuid::now_v7().to_string();
        let body = json!({"id": id, "created_at": Timestamp::now().to_string(),
            "category": "idea", "description": "Keep it secret."});
        let answer = self
            .http
            .post(format!("{}/v1/feedback", self.server.url))
            .bearer_auth(&self.token)
            .json(&body)
            .send()
            .await
            .expect("an answer");
        assert_eq!(answer.status(), 201);
        id
    }

    /// Nobody waits for Redis: each would wait, so the quickest of a few tells, however busy
    /// the machine is.
    async fn say_at_once(&self) {
        let mut quickest = Duration::MAX;
        for _ in 0..3 {
            let begun = Instant::now();
            self.say().await;
            quickest = quickest.min(begun.elapsed());
        }
        assert!(quickest < Duration::from_secs(2), "it waited {quickest:?}");
    }

    async fn metric(&self, line: &str) -> bool {
        let answer = self.http.get(format!("{}/metrics", self.server.url)).send();
        let text = answer.await.expect("an answer").text().await.expect("text");
        text.lines().any(|found| found == line)
    }

    fn stop(&mut self) {
        // It waits for its connections.
        self.http = reqwest::Client::new();
        self.server.stop();
    }
}

/// Waits, bounded, for something.
async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !condition().await {
        assert!(begun.elapsed() < LONG, "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// How many listen on the channel.
fn listeners(port: u16, certificates: &Certificates) -> String {
    let output = client(port, certificates)
        .args(["PUBSUB", "NUMSUB", "feedback:submitted"])
        .output()
        .expect("redis-cli, from the package redis-tools");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_go_through_a_redis_behind_tls() {
    let folder = tempfile::tempdir().expect("a folder");
    let certificates = Certificates::make(folder.path(), "own");
    let first = Redis::anywhere(|port| tls(port, &certificates));
    let port = first.port;
    let mut served = Served::start(port, &certificates.authority).await;
    until("the server listens", async || {
        listeners(port, &certificates).contains("feedback:submitted\n1")
    })
    .await;
    let mut subscriber = client(port, &certificates)
        .args(["SUBSCRIBE", "feedback:submitted"])
        .stdout(Stdio::piped())
        .stdin(Stdio::null())
        .spawn()
        .expect("redis-cli");
    let (heard, events) = std::sync::mpsc::channel();
    let output = subscriber.stdout.take().expect("a pipe");
    let subscriber = Ends(subscriber);
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if heard.send(line).is_err() {
                break;
            }
        }
    });
    until("the client listens", async || {
        listeners(port, &certificates).contains("feedback:submitted\n2")
    })
    .await;
    let id = served.say().await;
    let begun = Instant::now();
    let event = loop {
        let line = events.recv_timeout(LONG).expect("an event");
        if line.starts_with('{') {
            break line;
        }
        assert!(begun.elapsed() < LONG);
    };
    let event: Value = serde_json::from_str(&event).expect("JSON");
    assert_eq!(event["data"]["id"], id.as_str());
    assert!(served.metric("snag_redis_up 1").await);

    // It goes away and comes back: so does the connection, with TLS.
    drop((subscriber, first));
    served.say_at_once().await;
    until("it is noticed", async || {
        served.metric("snag_redis_up 0").await
    })
    .await;
    let second = Redis::at(port, &tls(port, &certificates)).expect("the same port");
    until("the server listens again", async || {
        listeners(port, &certificates).contains("feedback:submitted\n1")
    })
    .await;
    served.say().await;
    until("it is up", async || served.metric("snag_redis_up 1").await).await;
    drop(second);
    served.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_nobody_vouches_for_hears_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let certificates = Certificates::make(folder.path(), "own");
    let other = Certificates::make(folder.path(), "other");
    let redis = Redis::anywhere(|port| tls(port, &certificates));
    let port = redis.port;
    let mut served = Served::start(port, &other.authority).await;
    served.say_at_once().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(served.metric("snag_redis_up 0").await);
    assert!(listeners(port, &certificates).contains("feedback:submitted\n0"));
    let stats = client(port, &certificates)
        .args(["INFO", "commandstats"])
        .output();
    let stats = String::from_utf8_lossy(&stats.expect("redis-cli").stdout).into_owned();
    assert!(
        stats.contains("cmdstat_pubsub") && !stats.contains("cmdstat_publish"),
        "{stats}"
    );
    served.stop();
}
