//! Queries, parameters, settings, errors, streams.

use std::time::Duration;

use futures_util::StreamExt as _;

use super::{assert_error, execute, read, text};
use crate::{ErrorKind, Query, Warehouse};

pub(super) async fn formats_and_databases(warehouse: &Warehouse) {
    assert_eq!(read(warehouse, "SELECT 1 AS a, 'x' AS b").await, "1\tx");
    let json = Query::read("SELECT 1 AS a, 'x' AS b").format("JSONEachRow");
    assert_eq!(text(warehouse, json).await, r#"{"a":1,"b":"x"}"#);
    let both = Query::read("SELECT 1 AS a FORMAT CSVWithNames").format("JSONEachRow");
    assert_eq!(
        text(warehouse, both).await,
        "\"a\"\n1",
        "a FORMAT clause wins"
    );
    assert_eq!(
        read(warehouse, "SELECT currentDatabase()").await,
        warehouse.database()
    );
    let other =
        Query::read("SELECT currentDatabase(), count() > 0 FROM settings").database("system");
    assert_eq!(text(warehouse, other).await, "system\t1");
    assert_eq!(
        read(warehouse, "SELECT currentDatabase()").await,
        warehouse.database()
    );
    assert_eq!(read(warehouse, "SELECT 1 WHERE 0").await, "");
    // Every byte, zero bytes included, in both directions.
    let bytes = warehouse
        .select(Query::read(
            "SELECT arrayStringConcat(arrayMap(i -> char(i), range(256))) AS s FORMAT RowBinary",
        ))
        .await
        .expect("bytes");
    assert_eq!(bytes[..2], [0x80, 0x02], "the length, 256");
    assert!(bytes[2..].iter().copied().eq(0..=255), "all bytes in order");
}

pub(super) async fn parameters(warehouse: &Warehouse) {
    for value in [
        "plain",
        "",
        "it's \\ a \"test\"",
        "tab\tline\nreturn\rzero\0end",
        "'; DROP TABLE events; --",
        "\\N",
        "žluťoučký 🦀",
    ] {
        let query = Query::read("SELECT {v:String} = unhex({h:String}), length({v:String})")
            .param("v", value)
            .param(
                "h",
                value
                    .bytes()
                    .map(|b| format!("{b:02x}"))
                    .collect::<String>(),
            );
        assert_eq!(
            text(warehouse, query).await,
            format!("1\t{}", value.len()),
            "{value:?}"
        );
    }
    let values = ["a", "it's", "b\\c", "d\ne", ""];
    let query = Query::read("SELECT toJSONString({v:Array(String)})")
        .param_strings("v", values)
        .format("TabSeparatedRaw");
    assert_eq!(
        text(warehouse, query).await,
        r#"["a","it's","b\\c","d\ne",""]"#
    );
    let query = Query::read(
        "SELECT {n:UInt64} + 1, {x:Nullable(String)} IS NULL, {t:DateTime64(3, 'UTC')}, {i:Int8}",
    )
    .param("n", u64::MAX - 1)
    .param_null("x")
    .param("t", "2026-01-02 03:04:05.678")
    .param("i", -5);
    assert_eq!(
        text(warehouse, query).await,
        format!("{}\t1\t2026-01-02 03:04:05.678\t-5", u64::MAX)
    );
    long_parameters(warehouse).await;
    let query = Query::read("SELECT name FROM {d:Identifier}.one").param("d", "system");
    assert_error(
        warehouse.select(query).await,
        ErrorKind::Schema,
        47,
        "system.one has no column `name`",
    );
    let query = Query::read("SELECT {n:UInt8}").param("n", "many");
    assert_error(
        warehouse.select(query).await,
        ErrorKind::Rejected,
        457,
        "not a number",
    );
    assert_error(
        warehouse.select(Query::read("SELECT {n:UInt8}")).await,
        ErrorKind::Rejected,
        456,
        "a parameter of an earlier query is gone",
    );
}

/// A ClickHouse server takes fields of at most 128 KiB unless told otherwise.
async fn long_parameters(warehouse: &Warehouse) {
    let texts: Vec<String> = (0..5_000)
        .map(|n| format!("{n}, it's [one] \\ of\tmany: {}", "y".repeat(60)))
        .collect();
    let ids: Vec<String> = (0..5_000)
        .map(|n| format!("00000000-0000-0000-0000-{n:012}"))
        .collect();
    let numbers: Vec<String> = (0..40_000).map(|n| (n * 10).to_string()).collect();
    let long = "it's \\ \t\u{1f980}".repeat(40_000);
    let query = Query::read(
        "SELECT length({texts:Array(String)}), {texts:Array(String)}[4322], \
         (SELECT count() FROM numbers(6000) WHERE \
         toUUID('00000000-0000-0000-0000-' || leftPad(toString(number), 12, '0')) IN {ids:Array(UUID)}), \
         roundDown(399999, {numbers:Array(Int64)}), \
         length({long:String}), sipHash64({long:String}) = sipHash64(repeat({part:String}, 40000))",
    )
    .param_strings("texts", &texts)
    .param_strings("ids", &ids)
    .param("numbers", format!("[{}]", numbers.join(",")))
    .param("long", &long)
    .param("part", "it's \\ \t\u{1f980}")
    .format("TabSeparatedRaw");
    assert_eq!(
        text(warehouse, query).await,
        format!("5000\t{}\t5000\t399990\t{}\t1", texts[4_321], long.len())
    );
}

pub(super) async fn settings_stay_with_their_query(warehouse: &Warehouse) {
    let asked = "SELECT getSetting('max_block_size')";
    let before = read(warehouse, asked).await;
    assert_ne!(before, "777");
    let set = Query::read(asked).setting("max_block_size", 777);
    assert_eq!(text(warehouse, set.clone()).await, "777");
    assert_eq!(
        text(
            warehouse,
            Query {
                readonly: false,
                ..set
            }
        )
        .await,
        "777"
    );
    assert_eq!(read(warehouse, asked).await, before);
    let many = Query::read("SELECT number FROM numbers(10)").setting("max_result_rows", 5);
    assert_error(
        warehouse.select(many).await,
        ErrorKind::Rejected,
        396,
        "more rows than allowed",
    );
}

pub(super) async fn errors_are_classified(warehouse: &Warehouse) {
    for (sql, kind, code) in [
        ("SELECT * FROM nothing_here", ErrorKind::Schema, 60),
        ("SELECT * FROM nothing_here.at_all", ErrorKind::Schema, 81),
        ("SELECT nothing", ErrorKind::Schema, 47),
        ("SELEC 1", ErrorKind::Rejected, 62),
        ("SELECT throwIf(1, 'thrown')", ErrorKind::Rejected, 395),
        ("SELECT toUInt8('x')", ErrorKind::Rejected, 6),
        (
            "SELECT sleepEachRow(0.5) FROM numbers(4) SETTINGS max_execution_time = 0.2",
            ErrorKind::Retry,
            159,
        ),
        (
            "SELECT groupArray(number) FROM numbers(100000000) SETTINGS max_memory_usage = 10000000",
            ErrorKind::Retry,
            241,
        ),
    ] {
        assert_error(warehouse.select(Query::new(sql)).await, kind, code, sql);
        assert_error(warehouse.execute(sql).await, kind, code, sql);
    }
    // The same connection answers on.
    assert_eq!(read(warehouse, "SELECT 1").await, "1");
    let missing = Query::read("SELECT 1").database("nothing_here");
    assert_error(
        warehouse.select(missing).await,
        ErrorKind::Schema,
        81,
        "a database that is not there",
    );
}

pub(super) async fn readonly_refuses(warehouse: &Warehouse) {
    execute(
        warehouse,
        "CREATE TABLE IF NOT EXISTS conformance_readonly (a UInt8) ENGINE = MergeTree ORDER BY a",
    )
    .await;
    const READONLY: u32 = 164;
    for sql in [
        "INSERT INTO conformance_readonly VALUES (1)",
        "INSERT INTO conformance_readonly SELECT 1",
        "CREATE TABLE conformance_other (a UInt8) ENGINE = MergeTree ORDER BY a",
        "CREATE TEMPORARY TABLE conformance_other (a UInt8)",
        "ALTER TABLE conformance_readonly DELETE WHERE 1",
        "TRUNCATE TABLE conformance_readonly",
        "DROP TABLE conformance_readonly",
        "OPTIMIZE TABLE conformance_readonly FINAL",
        "SYSTEM STOP MERGES",
        "KILL QUERY WHERE 1",
        "SELECT 1 SETTINGS readonly = 0",
        "SELECT * FROM file('x.csv', 'CSV', 'a String')",
        "SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'a String')",
        "SELECT * FROM remote('127.0.0.1:1', system.one)",
        "SELECT * FROM executable('x', 'CSV', 'a String')",
        "INSERT INTO FUNCTION file('x.csv', 'CSV', 'a UInt8') SELECT 1",
        "SELECT 1 INTO OUTFILE 'x.csv'",
    ] {
        match warehouse.select(Query::read(sql)).await {
            Ok(_) => panic!("{sql}: went through"),
            Err(error) => {
                assert_eq!(error.kind, ErrorKind::Rejected, "{sql}: {error}");
                // What a front does not offer at all (OUTFILE, temporary tables) it may
                // refuse in its own words.
                let elsewhere = sql.contains("OUTFILE") || sql.contains("TEMPORARY");
                if !elsewhere {
                    assert_eq!(error.code, Some(READONLY), "{sql}: {error}");
                }
            }
        }
    }
    assert_eq!(
        read(warehouse, "SELECT count() FROM conformance_readonly").await,
        "0"
    );
    // A request is a session of its own: setting something for it alone may pass, too.
    for sql in ["SET readonly = 0", "SET max_block_size = 777"] {
        if let Err(error) = warehouse.select(Query::read(sql)).await {
            assert_eq!(error.code, Some(READONLY), "{sql}: {error}");
        }
        let set = "SELECT getSetting('readonly') = 1, getSetting('max_block_size') != 777";
        assert_eq!(read(warehouse, set).await, "1\t1", "after {sql}");
    }
    execute(warehouse, "DROP TABLE conformance_readonly").await;
}

pub(super) async fn streams(warehouse: &Warehouse) {
    const ROWS: u64 = 3_000_000;
    let query = Query::read("SELECT number FROM numbers({n:UInt64})")
        .param("n", ROWS)
        .format("RowBinary");
    let mut stream = warehouse
        .select_stream(query)
        .await
        .expect("the stream starts");
    let (mut next, mut chunks, mut rest) = (0u64, 0, Vec::new());
    while let Some(chunk) = stream.next().await {
        rest.extend_from_slice(&chunk.expect("a chunk"));
        chunks += 1;
        let (whole, tail) = rest.as_chunks::<8>();
        for number in whole {
            assert_eq!(u64::from_le_bytes(*number), next, "in order");
            next += 1;
        }
        rest = tail.to_vec();
    }
    assert_eq!((next, rest.len()), (ROWS, 0), "every row, and no more");
    assert!(chunks > 3, "{chunks} chunks: it was not streamed");

    let wrong = warehouse.select_stream(Query::read("SELECT nothing")).await;
    assert_error(
        wrong.map(drop),
        ErrorKind::Schema,
        47,
        "a wrong query fails before it streams",
    );

    let query = Query::read("SELECT throwIf(number = 2500000), number FROM numbers(3000000)")
        .format("RowBinary");
    match warehouse.select_stream(query).await {
        Ok(mut stream) => {
            let mut last = None;
            while let Some(chunk) = stream.next().await {
                last = Some(chunk);
            }
            let last = last.expect("something came");
            assert_error(
                last,
                ErrorKind::Rejected,
                395,
                "an error in the middle is the last item",
            );
        }
        Err(error) => panic!("the error came before two million rows: {error}"),
    }
    let empty = warehouse
        .select_stream(Query::read("SELECT 1 WHERE 0"))
        .await
        .expect("starts");
    assert_eq!(empty.count().await, 0, "no rows, no chunks");
}

pub(super) async fn abandoned_queries_end(warehouse: &Warehouse) {
    // A stream that nobody takes any further.
    let query =
        Query::read("SELECT 'abandoned_stream', number FROM system.numbers").format("RowBinary");
    let mut stream = warehouse
        .select_stream(query)
        .await
        .expect("the stream starts");
    stream.next().await.expect("a chunk").expect("a chunk");
    drop(stream);
    ends(warehouse, "abandoned_stream").await;

    // A query whose future is dropped while it computes, on every reader in turn.
    for _ in 0..8 {
        let sql = "SELECT 'abandoned_select', sum(cityHash64(number)) FROM numbers(1000000000000)";
        let asked = tokio::time::timeout(
            Duration::from_millis(100),
            warehouse.select(Query::read(sql)),
        )
        .await;
        assert!(asked.is_err(), "the query takes hours");
    }
    ends(warehouse, "abandoned_select").await;
    assert_eq!(read(warehouse, "SELECT 1").await, "1");
}

/// Waits until no query with this word runs.
async fn ends(warehouse: &Warehouse, word: &str) {
    let asked = Query::read(
        "SELECT count() FROM system.processes WHERE position(query, {word:String}) > 0 \
         AND position(query, 'system.processes') = 0",
    )
    .param("word", word);
    for _ in 0..600 {
        if text(warehouse, asked.clone()).await == "0" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{word} still runs after a minute");
}

/// A streamed answer is the same bytes as a whole one, in every format the engine has,
/// though it is computed in many blocks.
pub(super) async fn streams_are_whole_answers(warehouse: &Warehouse) {
    // Those want a schema, a certain shape of rows, or a wire of their own; `Raw` and the
    // formats of floating times differ with each run.
    const LEFT_OUT: &str = "name NOT IN ('PNG', 'Prometheus', 'MySQLWire', 'PostgreSQLWire', 'ODBCDriver2', 'CapnProto', \
        'Protobuf', 'ProtobufSingle', 'ProtobufList', 'Template', 'GeoJSON', 'Npy', 'Avro', 'AvroConfluent', 'Buffers', 'Raw') \
        AND name NOT LIKE '%Progress'";
    let names =
        format!("SELECT name FROM system.formats WHERE is_output AND {LEFT_OUT} ORDER BY name");
    let names = warehouse
        .select(Query::read(names))
        .await
        .expect("the formats");
    let names = String::from_utf8(names.to_vec()).expect("names");
    assert!(names.lines().count() > 40, "{names}");
    for (rows, totals) in [
        ("numbers(5)", ""),
        ("numbers(0)", ""),
        ("numbers(5)", " WITH TOTALS"),
    ] {
        for format in names.lines() {
            let sql = format!(
                "SELECT number AS `n \"x\"`, toString(any(number)) || '\\n' AS s FROM {rows} GROUP BY number{totals} ORDER BY number"
            );
            let query = Query::read(&sql)
                .format(format)
                .setting("max_block_size", 2)
                .setting("max_threads", 1)
                .setting("output_format_write_statistics", 0);
            let whole = warehouse.select(query.clone()).await.expect(format);
            let mut stream = warehouse.select_stream(query).await.expect(format);
            let mut streamed = Vec::new();
            while let Some(chunk) = stream.next().await {
                streamed.extend_from_slice(&chunk.expect(format));
            }
            assert!(
                streamed == whole,
                "{format} of {sql}:\n{}\n--- and streamed:\n{}",
                String::from_utf8_lossy(&whole),
                String::from_utf8_lossy(&streamed)
            );
        }
    }
}
