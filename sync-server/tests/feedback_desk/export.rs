//! Exports: what is in them, and that no cell of a CSV file is a formula.

use std::collections::HashSet;

use axum::body::Body;
use axum::http::{Request, header};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use serde_json::{Value, json};

use crate::harness::Server;
use crate::items::{generate, ids, insert, now_ms};

/// What is answered to an export: its headers and its bytes.
async fn export(server: &Server, query: &str) -> (axum::http::HeaderMap, Bytes) {
    let path = format!("/v1/feedback/export?{query}");
    let request = Request::get(&path)
        .header(
            header::AUTHORIZATION,
            format!("Bearer {}", server.org.analyst_token),
        )
        .body(Body::empty())
        .expect("a request");
    let response = server.answer(request).await;
    assert_eq!(response.status(), 200, "{path}");
    let (head, body) = response.into_parts();
    (
        head.headers,
        body.collect().await.expect("a body").to_bytes(),
    )
}

/// Records of a CSV text as RFC 4180 has it, strictly.
fn csv(text: &str) -> Vec<Vec<String>> {
    let (mut records, mut record, mut cell) = (Vec::new(), Vec::new(), String::new());
    let mut rest = text.chars().peekable();
    let mut quoted = false;
    while let Some(c) = rest.next() {
        match (quoted, c) {
            (true, '"') if rest.peek() == Some(&'"') => {
                rest.next();
                cell.push('"');
            }
            (true, '"') => quoted = false,
            (false, '"') => {
                assert!(cell.is_empty(), "a quotation mark inside a bare cell");
                quoted = true;
            }
            (false, ',') => record.push(std::mem::take(&mut cell)),
            (false, '\r') => {
                assert_eq!(rest.next(), Some('\n'), "CRLF ends a line");
                record.push(std::mem::take(&mut cell));
                records.push(std::mem::take(&mut record));
            }
            (false, '\n') => panic!("a bare line feed outside quotation marks"),
            (_, c) => cell.push(c),
        }
    }
    assert!(
        !quoted && cell.is_empty() && record.is_empty(),
        "the last line ends"
    );
    records
}

#[tokio::test(flavor = "multi_thread")]
async fn every_format_has_what_the_list_has() {
    let server = Server::start().await;
    let mut items = generate(500, 21, now_ms());
    items[0].description = "a \"quoted\", b\r\nnext line; \u{e4}\u{1f600}".to_owned();
    items[0].tags = vec!["x;y".to_owned(), "z".to_owned()];
    items[0].merged_into = uuid::Uuid::nil();
    insert(&server, &server.org.org.to_string(), &items).await;
    // A replaced row is in no file.
    let token = &server.org.analyst_token;
    let body = json!({"ids": items.iter().take(100).map(|i| i.id).collect::<Vec<_>>(),
        "change": {"add_tags": ["changed"]}});
    server.ask("POST", "/v1/feedback/bulk", token, &body).await;

    for query in [
        "",
        "&merged=include",
        "&status=new,spam&q=the",
        "&tag=changed&rating_min=2",
    ] {
        let listed = server.pages(query, 200).await;
        assert!(!listed.is_empty(), "{query}");

        let (headers, bytes) = export(&server, &format!("format=jsonl{query}")).await;
        assert_eq!(headers["content-type"], "application/x-ndjson");
        let lines: Vec<Value> = serde_json::Deserializer::from_slice(&bytes)
            .into_iter()
            .collect::<Result<_, _>>()
            .expect("JSON");
        assert_eq!(ids(&lines), ids(&listed), "{query}");
        for (line, item) in lines.iter().zip(&listed) {
            for field in [
                "description",
                "category",
                "rating",
                "sentiment",
                "tags",
                "status",
                "read",
                "archived",
                "merged_into",
                "has_screenshot",
                "notes",
                "polarity",
            ] {
                let (got, wanted) = (&line[field], &item[field]);
                let same =
                    got == wanted || got.as_f64().is_some() && got.as_f64() == wanted.as_f64();
                assert!(same, "{field}: {got} is not {wanted}");
            }
            assert_eq!(line["app"], item["target"]["app"]);
            let at = |value: &Value| {
                value
                    .as_str()
                    .and_then(|t| t.parse::<jiff::Timestamp>().ok())
            };
            assert_eq!(at(&line["at"]), at(&item["at"]));
            assert!(at(&line["at"]).is_some());
        }

        let (headers, bytes) = export(&server, &format!("format=csv{query}")).await;
        assert!(
            headers["content-type"]
                .to_str()
                .expect("text")
                .starts_with("text/csv")
        );
        assert_eq!(
            headers["content-disposition"],
            "attachment; filename=\"feedback.csv\""
        );
        let records = csv(std::str::from_utf8(&bytes).expect("UTF-8"));
        let column = |name: &str| {
            let place = records[0].iter().position(|n| n == name).expect(name);
            records[1..]
                .iter()
                .map(move |r| r[place].clone())
                .collect::<Vec<_>>()
        };
        assert!(
            records
                .iter()
                .all(|record| record.len() == records[0].len())
        );
        assert_eq!(column("id"), ids(&listed), "{query}");
        let described: Vec<&str> = listed
            .iter()
            .filter_map(|i| i["description"].as_str())
            .collect();
        assert_eq!(column("description"), described);

        let (_, bytes) = export(&server, &format!("format=parquet{query}")).await;
        let file = SerializedFileReader::new(bytes).expect("a Parquet file");
        let rows: Vec<Value> = file
            .get_row_iter(None)
            .expect("rows")
            .map(|row| row.expect("a row").to_json_value())
            .collect();
        assert_eq!(ids(&rows), ids(&listed), "{query}");
        for (row, item) in rows.iter().zip(&listed) {
            for field in [
                "description",
                "status",
                "rating",
                "read",
                "tags",
                "sentiment",
            ] {
                assert_eq!(row[field], item[field], "{field}");
            }
        }
    }
    let log = server
        .sql("SELECT DISTINCT action, detail FROM audit WHERE action = 'feedback.export'")
        .await;
    assert_eq!(log.lines().count(), 12, "{log}");
    assert!(
        log.contains("parquet") && log.contains("rating_min"),
        "{log}"
    );
}

/// What begins a formula, behind spaces, controls and quotation marks.
const FORMULA: [char; 13] = [
    '=', '+', '-', '@', '\u{2212}', '\u{fe62}', '\u{fe63}', '\u{fe66}', '\u{fe6b}', '\u{ff0b}',
    '\u{ff0d}', '\u{ff1d}', '\u{ff20}',
];

fn is_formula(piece: &str) -> bool {
    let bare = piece.trim_start_matches(|c: char| {
        c.is_whitespace() || c.is_control() || "\"\u{201c}\u{feff}".contains(c)
    });
    bare.starts_with(FORMULA)
}

/// A cell without the apostrophes that were put into it.
fn as_said(cell: &str) -> String {
    const ENDS: [char; 8] = [',', ';', '|', '\t', '\n', '\r', '\u{2028}', '\u{2029}'];
    let pieces = cell
        .split_inclusive(ENDS)
        .map(|piece| match piece.strip_prefix('\'') {
            Some(rest) if is_formula(rest.trim_start_matches('\'')) => rest,
            _ => piece,
        });
    let said: String = pieces.collect();
    match said.strip_prefix('\'') {
        Some(rest) if rest.starts_with(['\t', '\r', '\n']) => rest.to_owned(),
        _ => said,
    }
}

/// The fields of a text as a program has them that splits at `separator` and at lines, and
/// minds quotation marks where a field begins with one.
fn split(text: &str, separator: char) -> Vec<String> {
    let (mut fields, mut field) = (Vec::new(), String::new());
    let mut rest = text.chars().peekable();
    let (mut quoted, mut begun) = (false, false);
    while let Some(c) = rest.next() {
        match c {
            '"' if quoted && rest.peek() == Some(&'"') => {
                rest.next();
                field.push('"');
            }
            '"' if quoted => quoted = false,
            '"' if !begun => quoted = true,
            c if !quoted && (c == separator || matches!(c, '\r' | '\n')) => {
                fields.push(std::mem::take(&mut field));
                begun = false;
                continue;
            }
            c => field.push(c),
        }
        begun = true;
    }
    fields.push(field);
    fields
}

#[tokio::test(flavor = "multi_thread")]
async fn no_cell_is_a_formula() {
    let server = Server::start().await;
    let evil = [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\tx",
        "\rx",
        "\nx",
        " =1",
        "\"=1",
        "'=1",
        "''=1",
        "\" =1",
        "\u{a0}=1",
        "\u{feff}=1",
        "\u{ff1d}1",
        "\u{201c}=1",
        "\t=cmd|' /C calc'!A0",
        "\u{0}=1",
        "a;=1",
        "a;b;-1;+1",
        "a\t=1",
        "a\n=1",
        "a\r\n=1",
        "a\r@SUM(A1)",
        "a|=1",
        "a,=1",
        "a; =1",
        "a;\"=1",
        "a;'=1",
        "a;\u{ff1d}1",
        "a;\u{ff0b}1\n\u{ff0d}1\t\u{ff20}1",
        "a\u{2028}=1",
        "=;=1",
        ";;=1",
        "\n\n\t=1",
        "x;\"",
        "x;\",\"=1",
        "steps:\n- first\n- second",
        "a\u{fe66}1;\u{fe66}1",
    ];
    let mut items = generate(evil.len(), 22, now_ms());
    for (item, text) in items.iter_mut().zip(evil) {
        item.description = text.to_owned();
        item.tags = vec![text.to_owned()];
        item.app = text.to_owned();
        item.screen = text.to_owned();
        item.assignee = text.to_owned();
        item.merged_into = uuid::Uuid::nil();
    }
    insert(&server, &server.org.org.to_string(), &items).await;
    let (_, bytes) = export(&server, "format=csv").await;
    let text = std::str::from_utf8(&bytes).expect("UTF-8");
    let records = csv(text);
    assert_eq!(records.len(), evil.len() + 1);
    let mut texts = HashSet::new();
    for cell in records.iter().flatten() {
        assert!(!is_formula(cell), "{cell:?}");
        assert!(!cell.starts_with(['\t', '\r', '\n']), "{cell:?}");
        texts.insert(as_said(cell));
    }
    // And what was said is still there.
    for text in &evil {
        assert!(texts.contains(*text), "{text:?}");
    }
    // Whatever a program splits at, with and without an eye for quotation marks.
    for separator in [',', ';', '\t', '|', '\n', '\r', '\u{2028}'] {
        let blind = text.split(separator).map(str::to_owned);
        for piece in blind.chain(split(text, separator)) {
            assert!(!is_formula(&piece), "{separator:?}: {piece:?}");
        }
    }
    // Where nothing reads formulas, nothing is changed.
    let (_, bytes) = export(&server, "format=jsonl").await;
    assert!(String::from_utf8_lossy(&bytes).contains("\"description\":\"=1+1\""));
}

/// So many items that no buffer between holds a file of them.
async fn fill(server: &Server, org: uuid::Uuid) {
    let fill = "INSERT INTO feedback (org, newest, id, version, at, category, description, status) \
        SELECT {org:String}, 9223372036854775807 - ms, generateUUIDv4(number), ms, \
        fromUnixTimestamp64Milli(ms, 'UTC'), 'bug', repeat('said ', 20), 'new' FROM \
        (SELECT number, toInt64(1795132800000 - number * 5000) AS ms FROM numbers(100000))";
    let fill = snag_warehouse::Query::new(fill).param("org", org);
    server.warehouse.execute(fill).await.expect("items");
}

/// An export that has begun: its status and its body.
async fn begun(server: &Server, token: &str) -> (u16, Body) {
    let request = Request::get("/v1/feedback/export?format=jsonl")
        .header("authorization", format!("Bearer {token}"))
        .body(Body::empty())
        .expect("a request");
    let response = server.answer(request).await;
    (response.status().as_u16(), response.into_body())
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_readers_hold_up_no_other_organisation() {
    let server = Server::start().await;
    fill(&server, server.org.org).await;
    let new = snag_server::control::NewOrg {
        name: "other",
        contact: "it@other.example",
        k: 5,
        local: false,
        policy: snag_server::orgs::OrgPolicy::default(),
    };
    let now = jiff::Timestamp::now();
    let other = snag_server::control::create_org(&server.warehouse, new, now).await;
    let other = other.expect("an organisation");
    let token = &server.org.analyst_token;
    // Nobody reads these.
    let held = [begun(&server, token).await, begun(&server, token).await];
    assert_eq!(held.each_ref().map(|(status, _)| *status), [200, 200]);
    assert_eq!(begun(&server, token).await.0, 503);
    assert_eq!(begun(&server, &other.analyst_token).await.0, 200);
    // Once one of them is gone there is room again.
    drop(held);
    while begun(&server, token).await.0 == 503 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_ends_with_the_token_it_was_begun_with() {
    let server = Server::start().await;
    fill(&server, server.org.org).await;
    let admin = &server.org.admin_token;
    let body = json!({"scope": "analyst", "name": "monthly"});
    let made = server.ask("POST", "/v1/admin/tokens", admin, &body).await;
    let token = made.body["token"].as_str().expect("a token");
    let (status, mut body) = begun(&server, token).await;
    assert_eq!(status, 200);
    let first = body.frame().await.expect("a piece").expect("a piece");
    assert!(first.is_data());
    let listed = server.get("/v1/admin/tokens", admin).await;
    let tokens = listed.body.as_array().expect("tokens");
    let monthly = tokens.iter().find(|token| token["name"] == "monthly");
    let id = monthly.expect("listed")["id"].as_str().expect("an id");
    let path = format!("/v1/admin/tokens/{id}");
    let revoked = server.ask("DELETE", &path, admin, &json!({})).await;
    assert!(revoked.status.is_success(), "{revoked:?}");
    // What was on its way comes; then the answer breaks off, as no whole file does.
    let mut rest = Vec::new();
    while let Some(piece) = body.frame().await {
        rest.push(piece.is_ok());
    }
    assert_eq!(rest.pop(), Some(false), "{rest:?}");
    assert!(rest.iter().all(|ok| *ok), "{rest:?}");
    let (status, whole) = begun(&server, &server.org.analyst_token).await;
    assert_eq!(status, 200);
    let whole = whole.collect().await.expect("all of it").to_bytes();
    assert_eq!(whole.iter().filter(|byte| **byte == b'\n').count(), 100_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_are_checked_and_bounded() {
    let server = Server::start().await;
    let token = &server.org.analyst_token;
    for (query, field) in [
        ("", "format"),
        ("format=xlsx", "format"),
        ("format=csv&limit=3", "limit"),
        ("format=csv&status=old", "status"),
        ("format=csv&format=csv", "format"),
    ] {
        let answer = server
            .get(&format!("/v1/feedback/export?{query}"), token)
            .await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["field"]),
            (400, &json!(field)),
            "{query}"
        );
    }
    let device = server.enroll().await;
    let answer = server
        .get("/v1/feedback/export?format=csv", &device.token)
        .await;
    assert_eq!(answer.status, 403);
    assert_eq!(server.sql("SELECT count() FROM audit").await, "0");
    // A file of nothing is a file.
    let (_, bytes) = export(&server, "format=csv").await;
    assert_eq!(csv(std::str::from_utf8(&bytes).expect("UTF-8")).len(), 1);
    let (_, bytes) = export(&server, "format=parquet").await;
    let file = SerializedFileReader::new(bytes).expect("a Parquet file");
    assert_eq!(file.metadata().file_metadata().num_rows(), 0);
}
