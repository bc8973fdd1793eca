//! The program: TLS with HTTP/2, an end in order, and what its commands say.

#[path = "harness/mod.rs"]
mod harness;
#[path = "harness/process.rs"]
mod process;

use std::process::Command;
use std::time::{Duration, Instant};

use harness::click;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

fn install_tls() {
    drop(rustls::crypto::ring::default_provider().install_default());
}

async fn enroll(client: &reqwest::Client, url: &str, org: &Value) -> harness::Device {
    let body =
        json!({"token": org["enroll_token"], "device": {"os": "linux", "agent_version": "0.1.0"}});
    let answer = client.post(format!("{url}/v1/enroll")).json(&body).send();
    let answer: Value = answer.await.expect("an answer").json().await.expect("json");
    let text = |name: &str| answer[name].as_str().expect("text").to_owned();
    harness::Device {
        id: text("device"),
        token: text("device_token"),
    }
}

#[tokio::test]
async fn what_was_begun_is_finished_before_the_end() {
    install_tls();
    let folder = tempfile::tempdir().expect("a folder");
    let org = process::organisation(folder.path());
    let mut server = process::start(folder.path(), &[]);
    let client = reqwest::Client::new();
    let device = enroll(&client, &server.url, &org).await;
    drop(client);
    let address = server.url.strip_prefix("http://").expect("http").to_owned();

    // Half a request is on its way when the server is told to stop.
    let body = device.of(vec![click(1), click(2)]).to_string();
    let head = format!(
        "POST /v1/events/batch HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\
         Expect: 100-continue\r\n\r\n",
        device.token,
        body.len()
    );
    let (first, second) = body.split_at(body.len() / 2);
    let mut stream = TcpStream::connect(&address).await.expect("a connection");
    stream.write_all(head.as_bytes()).await.expect("sent");
    // It asks for the body once it has begun to read it.
    let mut asked = [0; 25];
    stream.read_exact(&mut asked).await.expect("an answer");
    assert_eq!(&asked, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(first.as_bytes()).await.expect("sent");
    server.signal("-TERM");
    // Below what it waits for requests.
    let told = Instant::now();
    while TcpStream::connect(&address).await.is_ok() {
        assert!(told.elapsed().as_secs() < 20, "no new connections");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(
        server.child.try_wait().expect("a child").is_none(),
        "it waits for the rest"
    );
    stream.write_all(second.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("\"accepted\":2"), "{answer}");
    assert!(server.ended().success());

    // And it is there.
    let mut server = process::start(folder.path(), &[]);
    let client = reqwest::Client::new();
    let policy = client
        .get(format!("{}/v1/policy", server.url))
        .bearer_auth(&device.token)
        .send();
    let policy: Value = policy.await.expect("an answer").json().await.expect("json");
    assert_eq!(policy["next_seq"], 3);
    drop(client);
    server.signal("-INT");
    assert!(server.ended().success());
}

// Clients end their side while the test waits for the server's end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_speaks_http_2_and_1() {
    install_tls();
    let folder = tempfile::tempdir().expect("a folder");
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()])
        .expect("a certificate");
    let (cert, key) = (
        folder.path().join("cert.pem"),
        folder.path().join("key.pem"),
    );
    std::fs::write(&cert, made.cert.pem()).expect("written");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("written");
    let (cert, key) = (cert.to_str().expect("text"), key.to_str().expect("text"));
    let data = folder.path().join("data");
    let mut server = process::start(&data, &["--tls-cert", cert, "--tls-key", key]);
    assert!(server.url.starts_with("https://"), "{}", server.url);
    let root = reqwest::Certificate::from_pem(made.cert.pem().as_bytes()).expect("a certificate");
    let builder = || reqwest::Client::builder().tls_certs_only([root.clone()]);
    let health = format!("{}/health", server.url);
    let two = builder()
        .build()
        .expect("a client")
        .get(&health)
        .send()
        .await
        .expect("an answer");
    assert_eq!(
        (two.version(), two.status().as_u16()),
        (reqwest::Version::HTTP_2, 200)
    );
    let client = builder().http1_only().build().expect("a client");
    let one = client.get(&health).send().await.expect("an answer");
    assert_eq!(
        (one.version(), one.status().as_u16()),
        (reqwest::Version::HTTP_11, 200)
    );
    // Whoever doesn't know the certificate gets nowhere.
    assert!(reqwest::Client::new().get(&health).send().await.is_err());
    drop((client, one, two));
    server.stop();
}

fn run(data: &std::path::Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = process::program(data)
        .args(arguments)
        .output()
        .expect("the command");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

#[test]
fn commands_say_what_they_did_and_what_is_wrong() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let (code, _, said) = run(
        &data,
        &["org", "create", "--name", "a", "--contact", "b", "--k", "4"],
    );
    assert_eq!(code, Some(2));
    assert!(said.contains("at least 5"), "{said}");
    let (code, out, _) = run(&data, &["org", "create", "--name", "a", "--contact", "b"]);
    assert_eq!(code, Some(0));
    assert_eq!(out.matches("snag_").count(), 3, "three tokens, once: {out}");
    let (_, out, _) = run(&data, &["org", "list"]);
    assert!(out.contains("k=5  a  b"), "{out}");
    let (_, token, _) = run(
        &data,
        &[
            "token", "create", "--org", "a", "--scope", "analyst", "--name", "bi",
        ],
    );
    let (_, out, _) = run(&data, &["token", "list", "--org", "a"]);
    assert!(out.contains("bi") && !out.contains(token.trim()), "{out}");
    assert_eq!(
        run(&data, &["token", "revoke", "--org", "a", token.trim()]).0,
        Some(0)
    );
    let (code, _, said) = run(&data, &["token", "revoke", "--org", "a", token.trim()]);
    assert!(code == Some(2) && said.contains("no such token"), "{said}");
    let (code, out, _) = run(&data, &["verify"]);
    assert!(
        code == Some(0) && out.contains("9 rollups compared: 0 "),
        "{out}"
    );
    let (_, out, _) = run(&data, &["migrate", "status"]);
    assert!(out.contains("0001_records  applied"), "{out}");
    let (code, _, said) = run(&data, &["serve", "--engine-library", "/nowhere.so"]);
    assert!(code == Some(2) && said.contains("/nowhere.so"), "{said}");
    let (code, _, said) = run(&data, &["serve", "--tls-cert", "x.pem"]);
    assert!(code == Some(2) && said.contains("--tls-key"), "{said}");
}

#[test]
fn verify_exits_with_1_where_a_rollup_differs() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    // A rollup's row that no record stands behind, put there while no server runs.
    let status = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "helper_spoils_a_rollup", "--nocapture"])
        .env("SNAG_TEST_SPOIL", &data)
        .status()
        .expect("the helper");
    assert!(status.success());
    let (code, out, _) = run(&data, &["verify"]);
    assert_eq!(code, Some(1), "{out}");
    assert!(
        out.contains("events_by_hour 2026-01-02 03:00:00 differs in 1 rows"),
        "{out}"
    );
    let (code, out, _) = run(&data, &["verify", "--since", "2026-02-01"]);
    assert_eq!(code, Some(0), "{out}");
    let (code, out, _) = run(&data, &["verify", "--repair"]);
    assert_eq!(code, Some(0), "{out}");
    assert!(
        out.contains("events_by_hour partition 20260102 rebuilt"),
        "{out}"
    );
    assert_eq!(run(&data, &["verify"]).0, Some(0));
}

/// Not a test of its own: the engine runs once a process, so that the test above
/// starts this one in a process of its own.
#[tokio::test]
async fn helper_spoils_a_rollup() {
    let Some(data) = std::env::var_os("SNAG_TEST_SPOIL") else {
        return;
    };
    let options = snag_warehouse::EmbeddedOptions::new(data);
    let warehouse = snag_warehouse::Warehouse::embedded(options).expect("the engine");
    warehouse.migrate_up().await.expect("migrations");
    let sql = "INSERT INTO events_by_hour SELECT 'o', 'p', 'v', 's', toDateTime('2026-01-02 03:00:00', 'UTC'), \
               'a', 'b', 'click', 1, 1, uniqState(generateUUIDv4())";
    warehouse.execute(sql).await.expect("inserted");
    warehouse.close().await;
}
