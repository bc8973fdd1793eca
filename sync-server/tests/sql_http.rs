//! ClickHouse's HTTP interface as `curl` and hand-written clients use it.

mod support;

use std::io::{Read as _, Write as _};
use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use support::{PASSWORD, USER, front, run_steps};

fn client() -> Client {
    // The client wants one though there is no TLS here; a second time changes nothing.
    drop(rustls::crypto::ring::default_provider().install_default());
    Client::builder().no_proxy().build().expect("a client")
}

/// A request with the right credentials.
fn request(method: Method, path_and_query: &str) -> RequestBuilder {
    let url = format!("{}{path_and_query}", front().url());
    client()
        .request(method, url)
        .basic_auth(USER, Some(PASSWORD))
}

fn get(path_and_query: &str) -> RequestBuilder {
    request(Method::GET, path_and_query)
}

fn post(path_and_query: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
    request(Method::POST, path_and_query).body(body)
}

async fn text(request: RequestBuilder) -> String {
    let response = request.send().await.expect("an answer");
    let status = response.status();
    let text = response.text().await.expect("a text");
    assert_eq!(status, StatusCode::OK, "{text}");
    text
}

/// Status, exception code and text of an answer that is none.
async fn failure(request: RequestBuilder) -> (u16, u32, String) {
    let response = request.send().await.expect("an answer");
    let status = response.status().as_u16();
    let code = header(&response, "x-clickhouse-exception-code")
        .parse()
        .expect("a code");
    (status, code, response.text().await.expect("a text"))
}

fn header(response: &Response, name: &str) -> String {
    response
        .headers()
        .get(name)
        .map(|v| v.to_str().expect("text").to_owned())
        .unwrap_or_default()
}

async fn queries_come_in_url_and_body() {
    assert_eq!(text(get("/?query=SELECT+1")).await, "1\n");
    assert_eq!(
        text(get("/?query=SELECT%201%20FORMAT%20JSONEachRow")).await,
        "{\"1\":1}\n"
    );
    assert_eq!(text(post("/", "SELECT 1")).await, "1\n");
    assert_eq!(text(post("/", "SELECT 1;\n")).await, "1\n");
    assert_eq!(text(post("/?query=SELECT", "2")).await, "2\n");
    assert_eq!(text(post("/any/path?", "SELECT 3")).await, "3\n");
    assert_eq!(
        text(post("/?default_format=CSV", "SELECT 'a', 1")).await,
        "\"a\",1\n"
    );
    assert_eq!(
        text(post("/?default_format=CSV", "SELECT 'a', 1 FORMAT TSV")).await,
        "a\t1\n"
    );
    assert_eq!(
        text(get("/?query=SELECT+1").header("X-ClickHouse-Format", "JSONCompactEachRow")).await,
        "[1]\n"
    );
    assert_eq!(
        text(post(
            "/?query=SELECT+'%C3%A4%00'||'%F0%9F%98%80'+FORMAT+RawBLOB",
            ""
        ))
        .await,
        "ä\0😀"
    );
}

async fn the_answers_headers_are_clickhouses() {
    let response = get("/?query=SELECT+1+FORMAT+JSON&query_id=my-own")
        .send()
        .await
        .expect("an answer");
    assert_eq!(
        header(&response, "content-type"),
        "application/json; charset=UTF-8"
    );
    assert_eq!(header(&response, "x-clickhouse-format"), "JSON");
    assert_eq!(header(&response, "x-clickhouse-query-id"), "my-own");
    assert_eq!(header(&response, "x-clickhouse-exception-tag").len(), 16);
    assert!(!header(&response, "x-clickhouse-server-display-name").is_empty());
    assert!(header(&response, "x-clickhouse-summary").contains("\"elapsed_ns\":\""));
    let zone = text(get("/?query=SELECT+timezone()")).await;
    assert_eq!(header(&response, "x-clickhouse-timezone"), zone.trim_end());
    let head = request(Method::HEAD, "/?query=SELECT+1")
        .send()
        .await
        .expect("an answer");
    assert_eq!(
        (head.status(), header(&head, "x-clickhouse-format").as_str()),
        (StatusCode::OK, "TabSeparated")
    );
    assert!(head.bytes().await.expect("a body").is_empty());
}

async fn health_needs_no_password() {
    for path in ["/ping", "/replicas_status", "/"] {
        let answer = client()
            .get(format!("{}{path}", front().url()))
            .send()
            .await
            .expect("an answer");
        assert_eq!(
            (
                answer.status(),
                answer.text().await.expect("a text").as_str()
            ),
            (StatusCode::OK, "Ok.\n"),
            "{path}"
        );
    }
    let head = client()
        .head(format!("{}/ping", front().url()))
        .send()
        .await
        .expect("an answer");
    assert_eq!(head.status(), StatusCode::OK);
    let missing = client()
        .get(format!("{}/nothing", front().url()))
        .send()
        .await
        .expect("an answer");
    assert_eq!(missing.status(), StatusCode::NOT_FOUND);
}

async fn every_way_to_say_who_asks_is_taken_and_wrong_ones_are_refused() {
    let url = |query: &str| format!("{}/?query=SELECT+1{query}", front().url());
    let right = [
        client()
            .get(url(""))
            .header("X-ClickHouse-User", USER)
            .header("X-ClickHouse-Key", PASSWORD),
        client().get(url("&user=tester&password=open:sesame")),
        get("/?query=SELECT+1"),
    ];
    for request in right {
        assert_eq!(text(request).await, "1\n");
    }
    let wrong = [
        client().get(url("")),
        client().get(url("")).basic_auth(USER, Some("wrong")),
        client().get(url("")).bearer_auth("token"),
        client().get(url("&user=tester")),
        client().get(url("&user=nobody&password=open:sesame")),
        client()
            .get(url(""))
            .header("X-ClickHouse-User", USER)
            .header("X-ClickHouse-Key", ""),
        get("/?query=SELECT+1&user=tester"),
    ];
    for request in wrong {
        let (status, code, text) = failure(request).await;
        assert_eq!((status, code), (403, 516), "{text}");
        assert!(
            text.starts_with("Code: 516. DB::Exception: ")
                && text.contains("(AUTHENTICATION_FAILED)"),
            "{text}"
        );
    }
}

async fn failures_have_clickhouses_codes_and_statuses() {
    for (sql, status, code, name) in [
        ("SELEC 1", 400, 62, "SYNTAX_ERROR"),
        ("SELECT * FROM nowhere", 404, 60, "UNKNOWN_TABLE"),
        ("SELECT nothing", 404, 47, "UNKNOWN_IDENTIFIER"),
        ("SELECT nofunc(1)", 404, 46, "UNKNOWN_FUNCTION"),
        ("SELECT 1 FORMAT Nope", 404, 73, "UNKNOWN_FORMAT"),
        ("SELECT 1 SETTINGS nope = 1", 404, 115, "UNKNOWN_SETTING"),
        (
            "SELECT throwIf(1)",
            500,
            395,
            "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO",
        ),
        ("SELECT toUInt8('x')", 400, 6, "CANNOT_PARSE_TEXT"),
        ("SELECT 1; SELECT 2", 400, 62, "SYNTAX_ERROR"),
        (
            "SELECT 1 INTO OUTFILE 'x'",
            500,
            358,
            "INTO_OUTFILE_NOT_ALLOWED",
        ),
        (
            "CREATE TEMPORARY TABLE t (a UInt8)",
            501,
            48,
            "NOT_IMPLEMENTED",
        ),
        ("", 400, 62, "SYNTAX_ERROR"),
    ] {
        let (got_status, got_code, text) = failure(post("/", sql)).await;
        assert_eq!((got_status, got_code), (status, code), "{sql}: {text}");
        assert!(
            text.starts_with(&format!("Code: {code}. DB::Exception: ")),
            "{text}"
        );
        assert!(
            text.contains(&format!("({name})")) && text.contains("(version 26."),
            "{text}"
        );
    }
    assert_eq!(
        failure(post("/?no_such_setting=1", "SELECT 1")).await.1,
        115
    );
    assert_eq!(failure(post("/?database=nowhere", "SELECT 1")).await.1, 81);
    assert_eq!(
        failure(post("/?default_format=Nope", "SELECT 1")).await.1,
        73
    );
    let long = format!("SELECT '{}'", "x".repeat(300_000));
    assert_eq!(failure(post("/", long.clone())).await.1, 62);
    assert_eq!(
        text(post("/?max_query_size=1000000", long)).await.len(),
        300_001
    );
}

async fn a_get_only_reads() {
    let (status, code, _) =
        failure(get("/?query=CREATE+TABLE+never+(a+UInt8)+ENGINE+Memory")).await;
    assert_eq!((status, code), (500, 164));
    assert_eq!(
        failure(get("/?query=INSERT+INTO+never+VALUES+(1)")).await.1,
        164
    );
    assert_eq!(
        failure(post("/?readonly=1", "DROP TABLE never")).await.1,
        164
    );
    // Settings may still be chosen.
    assert_eq!(
        text(get(
            "/?query=SELECT+getSetting('max_threads')+SETTINGS+max_threads=3"
        ))
        .await,
        "3\n"
    );
    assert_eq!(
        text(get(
            "/?max_threads=2&query=SELECT+getSetting('max_threads')"
        ))
        .await,
        "2\n"
    );
    assert_eq!(
        text(post("/", "SELECT getSetting('readonly')")).await,
        "0\n"
    );
}

async fn parameters_are_bound_by_their_type() {
    let query = "/?query=SELECT+{n:UInt8}%2B1,{s:String},{a:Array(String)},{d:Nullable(Date)}&param_n=41\
                 &param_s=it's+%5C%5C+%5Ct+%F0%9F%98%80&param_a=['x','y%5C'z']&param_d=%5CN";
    assert_eq!(
        text(get(query)).await,
        "42\tit\\'s \\\\ \\t 😀\t['x','y\\'z']\t\\N\n"
    );
    let injection = "/?query=SELECT+{s:String}&param_s=';+DROP+TABLE+x+--";
    assert_eq!(text(get(injection)).await, "\\'; DROP TABLE x --\n");
    assert_eq!(
        text(get(
            "/?query=SELECT+count()+FROM+{d:Identifier}.{t:Identifier}&param_d=system&param_t=one"
        ))
        .await,
        "1\n"
    );
    assert_eq!(failure(get("/?query=SELECT+{n:UInt8}")).await.1, 456);
    let form = "--b\r\nContent-Disposition: form-data; name=\"query\"\r\n\r\nSELECT {s:String} || 'x'\r\n\
                --b\r\nContent-Disposition: form-data; name=\"param_s\"\r\n\r\nfrom a form\r\n--b--\r\n";
    let request = post("/", form).header("content-type", "multipart/form-data; boundary=b");
    assert_eq!(text(request).await, "from a formx\n");
    // As a ClickHouse server has it by default.
    for (bytes, taken) in [(128 << 10, true), ((128 << 10) + 1, false)] {
        let form = form.replace("from a form", &"y".repeat(bytes));
        let request = post("/", "").header("content-type", "multipart/form-data; boundary=b");
        if taken {
            assert_eq!(text(request.body(form)).await.len(), bytes + 2);
        } else {
            let (_, _, said) = failure(request.body(form)).await;
            assert!(said.contains("Field value too long"), "{said}");
        }
    }
}

async fn inserts_take_their_data_from_url_and_body() {
    text(post(
        "/",
        "CREATE TABLE http_insert (a UInt32, b String) ENGINE MergeTree ORDER BY a",
    ))
    .await;
    let count = || text(post("/", "SELECT count(), sum(a) FROM http_insert"));
    text(post(
        "/?query=INSERT+INTO+http_insert+FORMAT+JSONEachRow",
        "{\"a\":1,\"b\":\"x\"}\n{\"a\":2}",
    ))
    .await;
    text(post(
        "/",
        "INSERT INTO http_insert VALUES (3, 'it''s; FORMAT'), (4, 'ä')",
    ))
    .await;
    text(post("/", "INSERT INTO http_insert (b, a) VALUES ('y', 5);")).await;
    text(post("/?query=INSERT+INTO+http_insert+VALUES", "(6, 'z')")).await;
    text(post("/?query=INSERT+INTO+http_insert", "FORMAT CSV\n7,q\n")).await;
    text(post(
        "/",
        "INSERT INTO http_insert SETTINGS async_insert=1, wait_for_async_insert=0 FORMAT TSV\n8\tw",
    ))
    .await;
    text(post(
        "/?async_insert=1&wait_for_async_insert=0",
        "INSERT INTO http_insert FORMAT TSV\n9\tw",
    ))
    .await;
    assert_eq!(count().await, "9\t45\n");
    text(post(
        "/",
        "INSERT INTO http_insert SELECT number, 'n' FROM numbers(10, 5)",
    ))
    .await;
    assert_eq!(count().await, "14\t105\n");
    let through =
        "INSERT INTO http_insert SELECT a, b FROM input('a UInt32, b String') FORMAT CSV\n100,i";
    assert_eq!(failure(post("/", through)).await.1, 48);
    text(post(
        "/?param_v=200",
        "INSERT INTO http_insert VALUES ({v:UInt32}, 'p')",
    ))
    .await;
    assert_eq!(count().await, "15\t305\n");
    let mut raw = 7u32.to_le_bytes().to_vec();
    raw.extend([5, 0, 0xff, b'\'', b';', b'\n']);
    let request = post("/?query=INSERT+INTO+http_insert+FORMAT+RowBinary", raw);
    text(request).await;
    assert_eq!(
        text(post(
            "/",
            "SELECT hex(b) FROM http_insert WHERE length(b) = 5"
        ))
        .await,
        "00FF273B0A\n"
    );
    let (status, code, said) = failure(post(
        "/",
        "INSERT INTO http_insert FORMAT JSONEachRow\n{\"a\":\"x\"}",
    ))
    .await;
    assert_eq!(status, 400, "{code} {said}");
    assert_eq!(
        failure(post("/", "INSERT INTO nowhere FORMAT CSV\n1"))
            .await
            .1,
        60
    );
    assert_eq!(
        failure(post("/", "INSERT INTO http_insert FORMAT CSV;"))
            .await
            .1,
        62
    );
    // No data is no rows.
    text(post("/?query=INSERT+INTO+http_insert+FORMAT+CSV", "")).await;
    assert_eq!(count().await, "16\t312\n");
}

async fn the_summary_counts_what_was_read_and_written() {
    text(post(
        "/",
        "CREATE TABLE http_counted (a UInt32) ENGINE MergeTree ORDER BY a",
    ))
    .await;
    let summary = |request: RequestBuilder| async move {
        let response = request.send().await.expect("an answer");
        let summary = header(&response, "x-clickhouse-summary");
        let summary: serde_json::Value = serde_json::from_str(&summary).expect("JSON");
        let field = |name: &str| summary[name].as_str().expect(name).to_owned();
        [
            field("read_rows"),
            field("written_rows"),
            field("result_rows"),
        ]
    };
    assert_eq!(
        summary(post("/", "INSERT INTO http_counted VALUES (1), (2), (3)")).await,
        ["0", "3", "3"]
    );
    assert_eq!(
        summary(post(
            "/",
            "INSERT INTO http_counted SELECT number FROM numbers(7)"
        ))
        .await[1],
        "7"
    );
    let select = "SELECT a FROM http_counted WHERE a > 1";
    assert_eq!(
        summary(post("/?wait_end_of_query=1", select)).await,
        ["10", "0", "7"]
    );
    assert_eq!(
        summary(post("/?default_format=JSON", select)).await,
        ["10", "0", "7"]
    );
}

async fn requests_may_be_compressed() {
    text(post(
        "/",
        "CREATE TABLE http_packed (a UInt64) ENGINE MergeTree ORDER BY a",
    ))
    .await;
    let rows: String = (0..50_000).map(|n| format!("{n}\n")).collect();
    let gzip = {
        let mut w = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        w.write_all(rows.as_bytes()).expect("memory");
        w.finish().expect("memory")
    };
    let lz4 = {
        let mut w = lz4_flex::frame::FrameEncoder::new(Vec::new());
        w.write_all(rows.as_bytes()).expect("memory");
        w.finish().expect("memory")
    };
    let zstd = zstd::encode_all(rows.as_bytes(), 1).expect("memory");
    let insert = "/?query=INSERT+INTO+http_packed+FORMAT+TSV";
    for (coding, body) in [("gzip", &gzip), ("lz4", &lz4), ("zstd", &zstd)] {
        text(post(insert, body.clone()).header("content-encoding", coding)).await;
        let cut = post(insert, body[..body.len() / 2].to_vec()).header("content-encoding", coding);
        let (status, code, said) = failure(cut).await;
        assert_eq!((status, code), (500, 3), "{coding}: {said}");
    }
    assert_eq!(
        text(post(
            "/",
            "SELECT count(), uniq(a) > 49000 FROM http_packed"
        ))
        .await,
        "150000\t1\n"
    );
    let statement = zstd::encode_all(&b"SELECT 1"[..], 1).expect("memory");
    assert_eq!(
        text(post("/", statement).header("content-encoding", "zstd")).await,
        "1\n"
    );
    assert_eq!(
        failure(post("/", "SELECT 1").header("content-encoding", "snappy"))
            .await
            .1,
        48
    );
    assert_eq!(
        failure(post(
            "/?decompress=1",
            "this is not in blocks, though it is asked for"
        ))
        .await
        .0,
        500
    );
}

async fn answers_are_compressed_as_asked() {
    let query = "/?query=SELECT+number+FROM+numbers(100000)";
    let plain = get(query)
        .send()
        .await
        .expect("an answer")
        .bytes()
        .await
        .expect("a body");
    for (accept, coding) in [
        ("gzip", "gzip"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("lz4", "lz4"),
        ("deflate", "deflate"),
    ] {
        let response = get(query)
            .header("accept-encoding", accept)
            .send()
            .await
            .expect("an answer");
        assert_eq!(header(&response, "content-encoding"), coding);
        let packed = response.bytes().await.expect("a body");
        assert!(packed.len() < plain.len());
        let mut reader: Box<dyn std::io::Read> = match coding {
            "gzip" => Box::new(flate2::read::GzDecoder::new(&packed[..])),
            "deflate" => Box::new(flate2::read::ZlibDecoder::new(&packed[..])),
            "lz4" => Box::new(lz4_flex::frame::FrameDecoder::new(&packed[..])),
            _ => Box::new(zstd::stream::read::Decoder::new(&packed[..]).expect("zstd")),
        };
        let mut out = Vec::new();
        reader.read_to_end(&mut out).expect("whole");
        assert!(out == plain, "{coding}");
    }
    let off = get(&format!("{query}&enable_http_compression=0")).header("accept-encoding", "gzip");
    assert_eq!(
        header(&off.send().await.expect("an answer"), "content-encoding"),
        ""
    );
    // Blocks of ClickHouse's own go back in as they came out, checksums and all.
    let blocks = get(&format!("{query}&compress=1"))
        .send()
        .await
        .expect("an answer")
        .bytes()
        .await
        .expect("a body");
    assert!(blocks.len() < plain.len() && blocks[16] == 0x82);
    text(post(
        "/",
        "CREATE TABLE http_blocks (a UInt64) ENGINE Memory",
    ))
    .await;
    text(post(
        "/?decompress=1&query=INSERT+INTO+http_blocks+FORMAT+TSV",
        blocks.clone(),
    ))
    .await;
    assert_eq!(
        text(post("/", "SELECT count(), sum(a) FROM http_blocks")).await,
        "100000\t4999950000\n"
    );
    let mut bad = blocks.to_vec();
    bad[40] ^= 1;
    assert_eq!(
        failure(post(
            "/?decompress=1&query=INSERT+INTO+http_blocks+FORMAT+TSV",
            bad
        ))
        .await
        .1,
        40
    );
    // An exception comes in the encoding that was asked for.
    let response = get("/?query=SELECT+nothing")
        .header("accept-encoding", "gzip")
        .send()
        .await
        .expect("an answer");
    let packed = response.bytes().await.expect("a body");
    let mut said = String::new();
    flate2::read::GzDecoder::new(&packed[..])
        .read_to_string(&mut said)
        .expect("gzip");
    assert!(said.starts_with("Code: 47."), "{said}");
}

async fn sessions_keep_settings_and_the_database() {
    text(post("/", "CREATE DATABASE IF NOT EXISTS http_other")).await;
    text(post(
        "/?session_id=one",
        "SET max_threads = 5, param_x = 'y'",
    ))
    .await;
    text(post("/?session_id=one", "USE http_other")).await;
    let query = "SELECT getSetting('max_threads'), currentDatabase(), {x:String}";
    assert_eq!(
        text(post("/?session_id=one", query)).await,
        "5\thttp_other\ty\n"
    );
    assert_eq!(
        text(post(
            "/?session_id=one&max_threads=6&database=default&param_x=z",
            query
        ))
        .await,
        "6\tdefault\tz\n"
    );
    assert_eq!(failure(post("/?session_id=two", query)).await.1, 456);
    // Without a session nothing is kept, nor left behind on a connection.
    text(post("/", "SET max_threads = 9")).await;
    assert_ne!(
        text(post("/", "SELECT getSetting('max_threads')")).await,
        "9\n"
    );
    assert_eq!(
        failure(post("/?session_id=one", "SET no_such_setting = 1"))
            .await
            .1,
        115
    );
    assert_eq!(failure(post("/?session_id=one", "USE nowhere")).await.1, 81);
    assert_eq!(
        failure(post("/?session_id=new&session_check=1", "SELECT 1"))
            .await
            .1,
        372
    );
    let (status, code, said) = failure(post(
        "/?session_id=one",
        "CREATE TEMPORARY TABLE t (a UInt8)",
    ))
    .await;
    assert_eq!((status, code), (501, 48));
    assert!(
        said.contains("Temporary tables are not supported here"),
        "{said}"
    );
}

async fn parameters_of_the_interface_are_no_settings() {
    let all = "/?query=SELECT+1&session_id=s&session_timeout=60&query_id=q&wait_end_of_query=1&buffer_size=1&compress=0\
               &decompress=0&enable_http_compression=1&client_protocol_version=54405&role=r&quota_key=k&stacktrace=1\
               &send_progress_in_http_headers=1&http_headers_progress_interval_ms=100\
               &cancel_http_readonly_queries_on_client_close=1&add_http_cors_header=1&http_response_buffer_size=1\
               &log_comment=c&close_session=1&date_time_output_format=iso&output_format_json_quote_64bit_integers=0";
    assert_eq!(text(get(all)).await, "1\n");
}

async fn an_exception_in_the_middle_is_told_and_breaks_the_answer() {
    let sql =
        "SELECT throwIf(number = 3000000) FROM numbers(10000000) SETTINGS max_block_size = 10000";
    let mut response = post("/", sql).send().await.expect("an answer");
    assert_eq!(response.status(), StatusCode::OK);
    let tag = header(&response, "x-clickhouse-exception-tag");
    let mut body = Vec::new();
    let end = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    assert!(end.is_some(), "the answer has to break off");
    let said = String::from_utf8_lossy(&body[body.len() - 600..]).into_owned();
    assert!(
        body.len() > 1_000_000 && body.starts_with(b"0\n0\n"),
        "{}",
        body.len()
    );
    assert!(
        said.contains(&format!(
            "\r\n__exception__\r\n{tag}\r\nCode: 395. DB::Exception: "
        )),
        "{said}"
    );
    assert!(
        said.ends_with(&format!(" {tag}\r\n__exception__\r\n")),
        "{said}"
    );
    // Who waits for the end gets a status.
    assert_eq!(failure(post("/?wait_end_of_query=1", sql)).await.1, 395);
    let whole = text(post(
        "/?wait_end_of_query=1",
        "SELECT number FROM numbers(2000000)",
    ))
    .await;
    assert_eq!(whole.lines().count(), 2_000_000);
}

async fn a_client_that_leaves_frees_the_engine() {
    let running = || async {
        text(post("/", "SELECT count() FROM system.processes WHERE query LIKE '%numbers(777777777777)%' AND query NOT LIKE '%processes%'"))
            .await
    };
    let sql = "SELECT number, repeat('y', 100) FROM numbers(777777777777)";
    // More than there are streams at a time, so that one that stays would hold up the rest.
    for _ in 0..20 {
        let mut response = post("/", sql).send().await.expect("an answer");
        assert!(response.chunk().await.expect("a chunk").is_some());
        drop(response);
    }
    // And one that has not begun to answer.
    let silent = "SELECT count() FROM numbers(777777777777) WHERE NOT ignore(sipHash64(number))";
    let asked = tokio::time::timeout(Duration::from_millis(500), post("/", silent).send()).await;
    assert!(asked.is_err(), "that query takes minutes");
    for _ in 0..600 {
        if running().await == "0\n" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!(
        "queries of clients that left still run: {}",
        running().await
    );
}

async fn an_insert_that_breaks_off_leaves_nothing() {
    text(post(
        "/",
        "CREATE TABLE http_cut (a UInt32) ENGINE MergeTree ORDER BY a",
    ))
    .await;
    let mut socket = std::net::TcpStream::connect(front().address).expect("a connection");
    let head = format!(
        "POST /?query=INSERT+INTO+http_cut+FORMAT+TSV HTTP/1.1\r\nHost: x\r\nX-ClickHouse-User: {USER}\r\n\
         X-ClickHouse-Key: {PASSWORD}\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n1\n2\n\r\n"
    );
    socket.write_all(head.as_bytes()).expect("sent");
    std::thread::sleep(Duration::from_millis(300));
    drop(socket);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(text(post("/", "SELECT count() FROM http_cut")).await, "0\n");
}

async fn who_sends_much_still_hears_why_it_was_refused() {
    let rows = "1234567890\tsome words that nobody wants\n".repeat(400_000);
    let (status, code, _) = failure(post("/?query=INSERT+INTO+nowhere+FORMAT+TSV", rows)).await;
    assert_eq!((status, code), (404, 60));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_interface_is_clickhouses() {
    run_steps(steps![
        queries_come_in_url_and_body,
        the_summary_counts_what_was_read_and_written,
        the_answers_headers_are_clickhouses,
        health_needs_no_password,
        every_way_to_say_who_asks_is_taken_and_wrong_ones_are_refused,
        failures_have_clickhouses_codes_and_statuses,
        a_get_only_reads,
        parameters_are_bound_by_their_type,
        inserts_take_their_data_from_url_and_body,
        requests_may_be_compressed,
        answers_are_compressed_as_asked,
        sessions_keep_settings_and_the_database,
        parameters_of_the_interface_are_no_settings,
        an_exception_in_the_middle_is_told_and_breaks_the_answer,
        a_client_that_leaves_frees_the_engine,
        an_insert_that_breaks_off_leaves_nothing,
        who_sends_much_still_hears_why_it_was_refused
    ])
    .await;
}
