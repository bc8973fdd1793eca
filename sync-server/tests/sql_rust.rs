//! The official Rust client (`clickhouse`) against the front, as it is by default: LZ4, and
//! `RowBinary` with names and types checked against the rows' own.

mod support;

use std::collections::HashMap;

use bytes::Bytes;
use clickhouse::error::Error;
use clickhouse::sql::Identifier;
use clickhouse::{Client, Compression, Row};
use serde::{Deserialize, Serialize};
use support::{PASSWORD, USER, front, run_steps};
use tokio::io::AsyncWriteExt as _;

const ODD: &str = "a'b\"c\\d`e\t\n\r\0 😀 ä {x:String} ; FORMAT -- /* ?? ";

fn client(compression: Option<Compression>) -> Client {
    let client = Client::default()
        .with_url(front().url())
        .with_user(USER)
        .with_password(PASSWORD);
    match compression {
        None => client,
        Some(compression) => client.with_compression(compression),
    }
}

/// A client for a database of its own.
async fn database(name: &str, compression: Option<Compression>) -> Client {
    let client = client(compression);
    let create = client
        .query("CREATE DATABASE ?")
        .bind(Identifier(name))
        .execute();
    create.await.expect("a database");
    client.with_database(name)
}

#[derive(Debug, Clone, PartialEq, Row, Serialize, Deserialize)]
struct Simple {
    id: u64,
    name: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Eq, Hash)]
#[repr(i8)]
enum Kind {
    One = 1,
    Two = 2,
}

#[derive(Debug, Clone, PartialEq, Row, Serialize, Deserialize)]
struct Unusual {
    u8: u8,
    i128: i128,
    f64: f64,
    /// Decimal(18, 4), as its number of ten thousandths.
    dec: i64,
    text: String,
    maybe: Option<String>,
    none: Option<u32>,
    low: String,
    list: Vec<Vec<i32>>,
    map: HashMap<String, u32>,
    pair: (u8, String),
    /// Milliseconds since 1970.
    time64: i64,
    /// Seconds since 1970.
    time: u32,
    /// Days since 1970.
    day: u16,
    kind: i8,
    flag: bool,
    fix: [u8; 3],
    ipv6: std::net::Ipv6Addr,
}

fn unusual() -> Unusual {
    Unusual {
        u8: 255,
        i128: i128::MIN,
        f64: 0.1,
        dec: 123_456_789_012_345_678,
        text: ODD.to_owned(),
        maybe: Some(ODD.to_owned()),
        none: None,
        low: "low".to_owned(),
        list: vec![vec![1, -2], vec![], vec![3]],
        map: HashMap::from([("a".to_owned(), 1), ("b 'c'".to_owned(), 2)]),
        pair: (1, ODD.to_owned()),
        time64: 1_795_166_400_123,
        time: 1_795_166_400,
        day: 20_777,
        kind: Kind::Two as i8,
        flag: true,
        fix: *b"a\0c",
        ipv6: "2001:db8::1".parse().expect("an address"),
    }
}

async fn rows_go_in_and_come_back() {
    for (name, compression) in [("rust_lz4", None), ("rust_plain", Some(Compression::None))] {
        let client = database(name, compression).await;
        client
            .query("CREATE TABLE rows (id UInt64, name String) ENGINE = MergeTree ORDER BY id")
            .execute()
            .await
            .expect("a table");
        let mut insert = client
            .insert::<Simple>("rows")
            .await
            .expect("the schema is read");
        for id in 0..100_000 {
            let name = if id == 7 {
                ODD.to_owned()
            } else {
                format!("row {id}")
            };
            insert.write(&Simple { id, name }).await.expect("a row");
        }
        insert.end().await.expect("the rows are in");

        let (count, sum): (u64, u64) = client
            .query("SELECT count(), sum(id) FROM rows")
            .fetch_one()
            .await
            .expect("a row");
        assert_eq!((count, sum), (100_000, 4_999_950_000));
        let seven: Simple = client
            .query("SELECT ?fields FROM rows WHERE id = ?")
            .bind(7)
            .fetch_one()
            .await
            .expect("a row");
        assert_eq!(seven.name, ODD);
        // Many blocks, of which each has the names and types, but the answer has them once.
        let mut cursor = client
            .query("SELECT ?fields FROM rows ORDER BY id")
            .fetch::<Simple>()
            .expect("a cursor");
        let mut next = 0;
        while let Some(row) = cursor.next().await.expect("a row") {
            assert_eq!(row.id, next);
            next += 1;
        }
        assert_eq!(next, 100_000);
        let none = client
            .query("SELECT ?fields FROM rows WHERE id > 1000000")
            .fetch_all::<Simple>()
            .await;
        assert_eq!(none.expect("no rows"), []);
        let missing = client
            .query("SELECT ?fields FROM rows WHERE id > 1000000")
            .fetch_one::<Simple>()
            .await;
        assert!(matches!(missing, Err(Error::RowNotFound)), "{missing:?}");
    }
}

async fn unusual_types_come_back_as_they_went() {
    let client = database("rust_types", None).await;
    client
        .query(
            "CREATE TABLE types (u8 UInt8, i128 Int128, f64 Float64, dec Decimal(18, 4), text String, \
             maybe Nullable(String), none Nullable(UInt32), low LowCardinality(String), list Array(Array(Int32)), \
             map Map(String, UInt32), pair Tuple(UInt8, String), time64 DateTime64(3), time DateTime, day Date, \
             kind Enum8('one' = 1, 'two' = 2), flag Bool, fix FixedString(3), ipv6 IPv6) \
             ENGINE = MergeTree ORDER BY u8",
        )
        .execute()
        .await
        .expect("a table");
    let mut insert = client
        .insert::<Unusual>("types")
        .await
        .expect("the schema is read");
    insert.write(&unusual()).await.expect("a row");
    insert.end().await.expect("the row is in");
    let back: Unusual = client
        .query("SELECT ?fields FROM types")
        .fetch_one()
        .await
        .expect("a row");
    assert_eq!(back, unusual());
    let text: String = client
        .query("SELECT concat(toString(dec), ' ', toString(kind), ' ', toString(day)) FROM types")
        .fetch_one()
        .await
        .expect("a row");
    assert_eq!(text, "12345678901234.5678 two 2026-11-20");
    let uuid: String = client
        .query("SELECT toString({id:UUID})")
        .param("id", "61f0c404-5cb3-11e7-907b-a6006ad3dba0")
        .fetch_one()
        .await
        .expect("a row");
    assert_eq!(uuid, "61f0c404-5cb3-11e7-907b-a6006ad3dba0");
}

async fn rows_that_do_not_fit_the_table_are_found_out() {
    #[derive(Debug, Row, Serialize, Deserialize)]
    struct Wrong {
        id: String,
        name: String,
    }
    let client = database("rust_wrong", None).await;
    client
        .query("CREATE TABLE rows (id UInt64, name String) ENGINE = Memory")
        .execute()
        .await
        .expect("a table");
    let wrong = std::panic::AssertUnwindSafe(async {
        let mut insert = client.insert::<Wrong>("rows").await?;
        insert
            .write(&Wrong {
                id: "1".to_owned(),
                name: String::new(),
            })
            .await?;
        insert.end().await
    });
    let outcome = futures_util::FutureExt::catch_unwind(wrong).await;
    assert!(!matches!(outcome, Ok(Ok(()))), "a text is no number");
    let count: u64 = client
        .query("SELECT count() FROM rows")
        .fetch_one()
        .await
        .expect("a row");
    assert_eq!(count, 0);
}

#[derive(Debug, Row, Serialize, Deserialize)]
struct Bound {
    s: String,
    n: u8,
    a: Vec<String>,
}

async fn values_are_bound() {
    let client = database("rust_bind", None).await;
    let bound: Bound = client
        .query("SELECT ? AS s, 1 AS n, ? AS a")
        .bind(ODD.replace('\0', ""))
        .bind(vec!["it's", "ä\\"])
        .fetch_one()
        .await
        .expect("a row");
    assert_eq!(
        (bound.s, bound.a),
        (
            ODD.replace('\0', ""),
            vec!["it's".to_owned(), "ä\\".to_owned()]
        )
    );
    // Those go as a form.
    let by_name: Bound = client
        .query("SELECT {s:String} AS s, {n:UInt8} AS n, {a:Array(String)} AS a")
        .param("s", "it's ä")
        .param("n", 5)
        .param("a", vec!["x", "y'"])
        .fetch_one()
        .await
        .expect("a row");
    assert_eq!((by_name.s.as_str(), by_name.n), ("it's ä", 5));
    assert_eq!(by_name.a, ["x", "y'"]);
    let threads: u64 = client
        .query("SELECT toUInt64(getSetting('max_threads'))")
        .with_setting("max_threads", "3")
        .fetch_one()
        .await
        .expect("a row");
    assert_eq!(threads, 3);
}

async fn bytes_and_formats() {
    let client = database("rust_bytes", None).await;
    client
        .query("CREATE TABLE rows (id UInt64, name String) ENGINE = MergeTree ORDER BY id")
        .execute()
        .await
        .expect("a table");
    let mut insert = client.insert_formatted_with("INSERT INTO rows FORMAT CSV");
    insert
        .send(Bytes::from_static(b"1,\"a\"\n2,"))
        .await
        .expect("sent");
    insert
        .send(Bytes::from_static(b"\"b;\"\n"))
        .await
        .expect("sent");
    insert.end().await.expect("the rows are in");
    let lines = (3..100_003).map(|id| format!("{{\"id\":{id},\"name\":\"x\"}}\n"));
    let mut insert = client
        .insert_formatted_with("INSERT INTO rows FORMAT JSONEachRow")
        .buffered();
    for line in lines {
        insert.write_all(line.as_bytes()).await.expect("sent");
    }
    insert.end().await.expect("the rows are in");
    let mut cursor = client
        .query("SELECT * FROM rows ORDER BY id LIMIT 3")
        .fetch_bytes("CSVWithNames")
        .expect("a cursor");
    let all = cursor.collect().await.expect("bytes");
    assert_eq!(all, "\"id\",\"name\"\n1,\"a\"\n2,\"b;\"\n3,\"x\"\n");
    let json = client
        .query("SELECT id FROM rows")
        .fetch_bytes("JSON")
        .expect("a cursor")
        .collect()
        .await
        .expect("bytes");
    let json: serde_json::Value = serde_json::from_slice(&json).expect("one document");
    assert_eq!(json["rows"], 100_002);
    assert_eq!(json["data"].as_array().map(Vec::len), Some(100_002));
}

async fn errors_have_their_code() {
    let client = database("rust_errors", None).await;
    let said = |outcome: Result<u64, Error>| match outcome {
        Err(Error::BadResponse(text)) => text,
        other => panic!("{other:?}"),
    };
    let text = said(client.query("SELECT nothing").fetch_one().await);
    assert!(
        text.starts_with("Code: 47. DB::Exception: ") && text.contains("(UNKNOWN_IDENTIFIER)"),
        "{text}"
    );
    let text = said(
        self::client(None)
            .with_password("wrong")
            .query("SELECT 1")
            .fetch_one()
            .await,
    );
    assert!(text.starts_with("Code: 516."), "{text}");
    for compression in [Compression::Lz4, Compression::None] {
        let sql = "SELECT throwIf(number = 3000000)::UInt64 FROM numbers(10000000) SETTINGS max_block_size = 10000";
        let mut cursor = client
            .clone()
            .with_compression(compression)
            .query(sql)
            .fetch::<u64>()
            .expect("a cursor");
        let mut rows = 0u64;
        let error = loop {
            match cursor.next().await {
                Ok(Some(_)) => rows += 1,
                Ok(None) => panic!("an answer that broke off was taken for whole"),
                Err(error) => break error.to_string(),
            }
        };
        assert!(
            rows > 0 && error.contains("Code: 395. DB::Exception: "),
            "{rows} {error}"
        );
    }
    let missing = client.insert::<Simple>("nowhere").await.map(|_| ());
    assert!(
        missing
            .expect_err("no table")
            .to_string()
            .contains("nowhere")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rust_client_works() {
    run_steps(steps![
        rows_go_in_and_come_back,
        unusual_types_come_back_as_they_went,
        rows_that_do_not_fit_the_table_are_found_out,
        values_are_bound,
        bytes_and_formats,
        errors_have_their_code
    ])
    .await;
}
