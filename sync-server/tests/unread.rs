//! Requests over one connection whose bodies nobody wants: the client reads the answer, and
//! knows whether its next request is heard.

#[path = "harness/process.rs"]
mod process;

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use process::Process;
use serde_json::{Value, json};
use uuid::Uuid;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// One connection, byte by byte.
struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

#[derive(Debug)]
struct Answer {
    status: u16,
    /// In lower case.
    head: String,
    body: String,
}

impl Answer {
    fn closes(&self) -> bool {
        self.head.contains("\r\nconnection: close\r\n")
    }

    fn is_problem(&self) -> bool {
        self.head
            .contains("\r\ncontent-type: application/problem+json\r\n")
    }
}

impl Connection {
    fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).expect("sent");
    }

    /// The next answer.
    fn answer(&mut self) -> Answer {
        let end = loop {
            if let Some(at) = self.read.windows(4).position(|w| w == b"\r\n\r\n") {
                break at + 4;
            }
            self.more();
        };
        let head = String::from_utf8(self.read.drain(..end).collect()).expect("text");
        let head = head.to_ascii_lowercase();
        let bytes: usize = head
            .split("\r\ncontent-length: ")
            .nth(1)
            .and_then(|rest| rest.split("\r\n").next())
            .map_or(0, |text| text.parse().expect("a number"));
        while self.read.len() < bytes {
            self.more();
        }
        Answer {
            status: head[9..12].parse().expect("a status"),
            body: String::from_utf8(self.read.drain(..bytes).collect()).expect("text"),
            head,
        }
    }

    fn more(&mut self) {
        let mut bytes = [0; 4096];
        let read = self.stream.read(&mut bytes).expect("more");
        assert!(read > 0, "the connection ended early: {:?}", self.read);
        self.read.extend(&bytes[..read]);
    }

    /// Nothing more comes, and the server ended the connection in order.
    fn assert_ends(&mut self, what: &str) {
        let mut rest = std::mem::take(&mut self.read);
        self.stream.read_to_end(&mut rest).expect(what);
        assert!(rest.is_empty(), "{what}: {rest:?}");
    }
}

fn head(line: &str, token: &str, headers: &str) -> String {
    format!("{line} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n{headers}\r\n")
}

fn sized(line: &str, token: &str, bytes: usize) -> String {
    let headers = format!("Content-Type: application/json\r\nContent-Length: {bytes}\r\n");
    head(line, token, &headers)
}

fn submission() -> String {
    let body = json!({"id": Uuid::now_v7(), "created_at": Timestamp::now().to_string(),
        "category": "bug", "description": "It hangs."});
    body.to_string()
}

/// A server that doesn't outlive its test.
struct Server(Process);

impl Server {
    /// The server, and a device's token.
    fn start(folder: &Path) -> (Self, String) {
        let org = process::organisation(folder);
        let server = Self(process::start(folder, &[]));
        let body = json!({"token": org["enroll_token"],
            "device": {"os": "linux", "agent_version": "0.1.0"}});
        let body = body.to_string();
        let mut connection = server.connect();
        connection.send(sized("POST /v1/enroll", "", body.len()) + &body);
        let answer: Value = serde_json::from_str(&connection.answer().body).expect("json");
        let token = answer["device_token"].as_str().expect("a token").to_owned();
        (server, token)
    }

    fn connect(&self) -> Connection {
        let address = self.0.url.strip_prefix("http://").expect("http");
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        stream.set_write_timeout(Some(PATIENCE)).expect("a socket");
        stream.set_nodelay(true).expect("a socket");
        Connection {
            stream,
            read: Vec::new(),
        }
    }

    fn stop(mut self) {
        self.0.stop();
    }
}

#[test]
fn a_short_body_that_nobody_wants_costs_no_connection() {
    let folder = tempfile::tempdir().expect("a folder");
    let (server, device) = Server::start(folder.path());
    let body = submission();
    let nowhere = format!("PUT /v1/feedback/{}/screenshot", Uuid::now_v7());
    let plain = format!(
        "Content-Type: text/plain\r\nContent-Length: {}\r\n",
        body.len()
    );
    let chunked = "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n";
    let chunks = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let mut connection = server.connect();
    for (request, status) in [
        (
            sized("POST /v1/feedback", "unknown", body.len()) + &body,
            401,
        ),
        (sized("POST /v1/nowhere", &device, body.len()) + &body, 404),
        (sized("PUT /v1/feedback", &device, body.len()) + &body, 405),
        (
            sized("POST /v1/feedback/bulk", &device, body.len()) + &body,
            403,
        ),
        (sized(&nowhere, &device, body.len()) + &body, 415),
        (head("POST /v1/feedback", &device, &plain) + &body, 415),
        (head("POST /v1/feedback", "unknown", chunked) + &chunks, 401),
        (head("POST /v1/feedback", &device, chunked) + &chunks, 201),
        (sized("POST /v1/feedback", &device, body.len()) + &body, 200),
    ] {
        // The next request is on its way before the answer is.
        connection.send(format!("{request}GET /health HTTP/1.1\r\nHost: x\r\n\r\n"));
        let answer = connection.answer();
        assert_eq!(answer.status, status, "{request}: {answer:?}");
        assert!(!answer.closes(), "{request}: {answer:?}");
        assert!(status < 400 || answer.is_problem(), "{request}: {answer:?}");
        assert_eq!(connection.answer().status, 200, "after {request}");
    }
    connection.send("HEAD /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let mut answer = String::new();
    let read = connection.stream.read_to_string(&mut answer);
    read.expect("an end in order");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"), "no body: {answer}");
    server.stop();
}

#[test]
fn who_is_refused_early_reads_the_answer_and_that_it_closes() {
    let folder = tempfile::tempdir().expect("a folder");
    let (server, device) = Server::start(folder.path());
    let picture = format!("PUT /v1/feedback/{}/screenshot", Uuid::now_v7());
    let as_picture = |bytes| {
        let headers = format!("Content-Type: image/png\r\nContent-Length: {bytes}\r\n");
        head(&picture, &device, &headers)
    };
    let old = "POST /v1/feedback HTTP/1.0\r\nHost: x\r\nContent-Length: 600000\r\n\r\n";
    let mib = 1 << 20;
    for (request, bytes, status) in [
        (sized("POST /v1/feedback", "unknown", 600_000), 600_000, 401),
        (sized("POST /v1/enroll", "", 20_000), 20_000, 413),
        (sized("POST /v1/login", "", 900_000), 900_000, 413),
        (sized("POST /v1/nowhere", "", 600_000), 600_000, 404),
        (sized("POST /v1/feedback", &device, 2 * mib), 2 * mib, 413),
        (
            sized("POST /v1/events/batch", &device, 2 * mib),
            2 * mib,
            413,
        ),
        (as_picture(11 * mib), 11 * mib, 413),
        (as_picture(10 * mib), 10 * mib, 404),
        (old.to_owned(), 600_000, 401),
    ] {
        let mut connection = server.connect();
        // The answer doesn't wait for the body.
        connection.send(&request);
        let answer = connection.answer();
        assert_eq!(answer.status, status, "{request}: {answer:?}");
        assert!(
            answer.closes() && answer.is_problem(),
            "{request}: {answer:?}"
        );
        // Whoever looks for it only after the whole body finds it still.
        let mut connection = server.connect();
        connection.send(&request);
        connection.send(vec![b' '; bytes]);
        let answer = connection.answer();
        assert_eq!(answer.status, status, "{request}: {answer:?}");
        if bytes > 64 << 10 {
            assert!(answer.closes(), "{request}: {answer:?}");
            connection.assert_ends(&request);
        }
    }
    // A body whose length nobody knows, and that is too long.
    let mut connection = server.connect();
    let chunked = "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n";
    connection.send(head("POST /v1/feedback", &device, chunked));
    let chunk = format!("{:x}\r\n{}\r\n", 64 << 10, " ".repeat(64 << 10));
    connection.send(chunk.repeat(40) + "0\r\n\r\n");
    let answer = connection.answer();
    assert_eq!(answer.status, 413, "{answer:?}");
    assert!(answer.closes(), "{answer:?}");
    connection.assert_ends("chunks");
    server.stop();
}

/// A frame of HTTP/2 on the first stream, or on none.
fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a frame").to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags, 0, 0, 0, stream]);
    frame.extend(payload);
    frame
}

impl Connection {
    /// Kind and flags of the next frame.
    fn frame(&mut self) -> (u8, u8) {
        while self.read.len() < 9 {
            self.more();
        }
        let head: Vec<u8> = self.read.drain(..9).collect();
        let bytes = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        while self.read.len() < bytes {
            self.more();
        }
        self.read.drain(..bytes);
        (head[3], head[4])
    }
}

#[test]
fn over_http_2_no_reset_follows_the_answer() {
    const DATA: u8 = 0;
    const HEADERS: u8 = 1;
    const RESET: u8 = 3;
    const SETTINGS: u8 = 4;
    const PING: u8 = 6;
    const GO_AWAY: u8 = 7;
    const WINDOW: u8 = 8;
    const END: u8 = 1;
    let folder = tempfile::tempdir().expect("a folder");
    let (server, _) = Server::start(folder.path());
    let mut connection = server.connect();
    connection.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    connection.send(frame(SETTINGS, 0, 0, &[]));
    // More may be sent unasked than we send here: on a stream by its settings, on the whole
    // connection from its first window update on, which comes behind them.
    while connection.frame() != (SETTINGS, 0) {}
    while connection.frame().0 != WINDOW {}
    connection.send(frame(SETTINGS, 1, 0, &[]));
    let mut fields = Vec::new();
    for (name, value) in [
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", "x"),
        (":path", "/v1/feedback"),
        ("content-type", "application/json"),
    ] {
        // Written out, with no table of names.
        fields.push(0);
        for text in [name, value] {
            fields.push(u8::try_from(text.len()).expect("short"));
            fields.extend(text.as_bytes());
        }
    }
    connection.send(frame(HEADERS, 4, 1, &fields));
    // Longer than what is read before the answer.
    let part = frame(DATA, 0, 1, &[b' '; 16 << 10]);
    connection.send(part.repeat(5));
    let mut answered = false;
    while !answered {
        let (kind, flags) = connection.frame();
        assert!(![RESET, GO_AWAY].contains(&kind), "before the answer");
        answered = kind == DATA && flags & END != 0;
    }
    // The client isn't through with sending, and may end it as it meant to.
    connection.send(part.repeat(20));
    connection.send(frame(DATA, END, 1, b" "));
    connection.send(frame(PING, 0, 0, &[7; 8]));
    loop {
        match connection.frame() {
            (PING, _) => break,
            (kind, _) => assert!(![RESET, GO_AWAY].contains(&kind), "after the answer"),
        }
    }
    drop(connection);
    server.stop();
}

#[test]
fn a_client_that_waits_to_send_is_told_before() {
    let folder = tempfile::tempdir().expect("a folder");
    let (server, device) = Server::start(folder.path());
    let body = submission();
    let waiting = |token: &str, bytes: usize| {
        let headers = "Expect: 100-continue\r\nContent-Type: application/json\r\n";
        head(
            "POST /v1/feedback",
            token,
            &format!("{headers}Content-Length: {bytes}\r\n"),
        )
    };
    for (request, status) in [
        (waiting("unknown", body.len()), 401),
        (waiting(&device, 2 << 20), 413),
    ] {
        let mut connection = server.connect();
        connection.send(&request);
        let answer = connection.answer();
        assert_eq!(answer.status, status, "no 100 comes first: {answer:?}");
        assert!(answer.closes(), "{answer:?}");
        connection.assert_ends(&request);
    }
    let mut connection = server.connect();
    connection.send(waiting(&device, body.len()));
    assert_eq!(connection.answer().status, 100);
    connection.send(&body);
    let answer = connection.answer();
    assert_eq!((answer.status, answer.closes()), (201, false), "{answer:?}");
    server.stop();
}

#[test]
fn a_stranger_makes_the_server_read_little_and_not_for_long() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut server, _) = Server::start(folder.path());
    let refused = |request: &str| {
        let mut connection = server.connect();
        connection.send(request);
        let answer = connection.answer();
        assert_eq!(answer.status, 401, "{answer:?}");
        assert!(answer.closes(), "{answer:?}");
        connection
    };
    // A gigabyte, if somebody read it.
    let mut connection = refused(&sized("POST /v1/feedback", "unknown", 1 << 30));
    let mut sent = 0;
    while sent < 1 << 30 && connection.stream.write_all(&[0; 64 << 10]).is_ok() {
        sent += 64 << 10;
    }
    // What the system holds for both sides counts, too.
    assert!(sent < 64 << 20, "{sent} bytes were taken");

    // Bytes that trickle in hold up neither the connection nor the server's end.
    let mut slow = refused(&sized("POST /v1/feedback", "unknown", 900_000));
    let began = Instant::now();
    let pause = Some(Duration::from_millis(100));
    slow.stream.set_read_timeout(pause).expect("a socket");
    server.0.signal("-TERM");
    let ended = loop {
        let written = slow.stream.write_all(b" ");
        let read = slow.stream.read(&mut [0]);
        match (written, read) {
            (Ok(()), Err(error)) if error.kind() == ErrorKind::WouldBlock => {}
            _ => break began.elapsed(),
        }
        assert!(began.elapsed() < PATIENCE, "it is read for ever");
    };
    assert!(ended < Duration::from_secs(25), "{ended:?}");
    assert!(server.0.ended().success());
}
