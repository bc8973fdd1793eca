//! What a ClickHouse server and what stands in front of it can answer, as errors.
//! What the transport can do is in the conformance suite.

use futures_util::StreamExt as _;
use snag_warehouse::{ErrorKind, Query, RemoteOptions, Warehouse};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

fn remote(url: String) -> Warehouse {
    Warehouse::remote(RemoteOptions {
        url,
        user: "default".to_owned(),
        password: "secret".to_owned(),
        database: "snag".to_owned(),
    })
    .expect("an address")
}

/// A server that gives each request the same answer, byte for byte, and hangs up.
async fn answering(answer: &'static str) -> Warehouse {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = Vec::new();
                while !whole(&request) {
                    if socket.read_buf(&mut request).await.unwrap_or(0) == 0 {
                        return;
                    }
                }
                drop(socket.write_all(answer.as_bytes()).await);
                drop(socket.shutdown().await);
            });
        }
    });
    remote(url)
}

/// Whether a request with a length or in chunks has arrived.
fn whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_ascii_lowercase();
    let Some((head, _)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .split("content-length: ")
        .nth(1)
        .and_then(|rest| rest.lines().next()?.parse::<usize>().ok());
    match length {
        Some(length) => request.len() >= head.len() + 4 + length,
        None => request.ends_with(b"0\r\n\r\n"),
    }
}

#[tokio::test]
async fn the_code_decides_and_not_the_status() {
    for (answer, kind, code) in [
        (
            "HTTP/1.1 500 Internal Server Error\r\nX-ClickHouse-Exception-Code: 252\r\ncontent-length: 0\r\n\r\n",
            ErrorKind::Retry,
            Some(252),
        ),
        (
            "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 42\r\n\r\nCode: 27. DB::Exception: Cannot parse input",
            ErrorKind::Rejected,
            Some(27),
        ),
        (
            "HTTP/1.1 404 Not Found\r\nX-ClickHouse-Exception-Code: 60\r\ncontent-length: 36\r\n\r\n\
             Code: 60. DB::Exception: No table x.",
            ErrorKind::Schema,
            Some(60),
        ),
        (
            "HTTP/1.1 200 OK\r\nX-ClickHouse-Exception-Code: 241\r\ncontent-length: 35\r\n\r\n\
             Code: 241. DB::Exception: No memory",
            ErrorKind::Retry,
            Some(241),
        ),
        (
            "HTTP/1.1 403 Forbidden\r\nX-ClickHouse-Exception-Code: 516\r\ncontent-length: 0\r\n\r\n",
            ErrorKind::Unavailable,
            Some(516),
        ),
        (
            "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 17\r\n\r\n<h1>Bad gateway</h1>",
            ErrorKind::Unavailable,
            None,
        ),
        ("not HTTP at all\r\n\r\n", ErrorKind::Unavailable, None),
        ("", ErrorKind::Unavailable, None),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\ncut short",
            ErrorKind::Unavailable,
            None,
        ),
    ] {
        let warehouse = answering(answer).await;
        let error = warehouse
            .select(Query::read("SELECT 1"))
            .await
            .expect_err(answer);
        assert_eq!((error.kind, error.code), (kind, code), "{answer}: {error}");
        let error = warehouse.execute("CREATE TABLE x").await.expect_err(answer);
        assert_eq!((error.kind, error.code), (kind, code), "{answer}: {error}");
        let data = futures_util::stream::iter([Ok("1\n".into())]);
        let insert = Query::new("INSERT INTO t FORMAT CSV");
        let error = warehouse
            .insert_stream(insert, Box::pin(data))
            .await
            .expect_err(answer);
        assert_eq!((error.kind, error.code), (kind, code), "{answer}: {error}");
    }
}

#[tokio::test]
async fn an_exception_in_the_middle_of_an_answer_is_an_error() {
    let warehouse = answering(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\n1\n2\n\r\n\
         3c\r\nCode: 395. DB::Exception: thrown: (version 26.7 (official))\n\r\n0\r\n\r\n",
    )
    .await;
    let mut stream = warehouse
        .select_stream(Query::read("SELECT 1"))
        .await
        .expect("it starts");
    let mut last = None;
    while let Some(item) = stream.next().await {
        last = Some(item);
    }
    let error = last.expect("something").expect_err("an exception");
    assert_eq!((error.kind, error.code), (ErrorKind::Rejected, Some(395)));
    let error = warehouse
        .select(Query::read("SELECT 1"))
        .await
        .expect_err("an exception");
    assert_eq!((error.kind, error.code), (ErrorKind::Rejected, Some(395)));
}

#[tokio::test]
async fn nobody_there_is_unavailable_and_names_no_password() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    drop(listener);
    let error = remote(url)
        .select(Query::read("SELECT 1"))
        .await
        .expect_err("nobody there");
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert!(!error.message.contains("secret"), "{error}");

    let odd = RemoteOptions {
        url: "clickhouse:9000".to_owned(),
        user: String::new(),
        password: "secret".to_owned(),
        database: String::new(),
    };
    assert!(!format!("{odd:?}").contains("secret"));
    assert_eq!(
        Warehouse::remote(odd).err().expect("no address").kind,
        ErrorKind::Unavailable
    );
}
