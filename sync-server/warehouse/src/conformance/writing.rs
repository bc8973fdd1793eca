//! Migrations, inserts and insert streams.

use std::sync::Arc;

use arrow_array::builder::{Float64Builder, ListBuilder, StringBuilder, StringDictionaryBuilder};
use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, BooleanArray, DictionaryArray, FixedSizeBinaryArray, Float64Array, Int8Array,
    Int64Array, RecordBatch, StringArray, TimestampMillisecondArray, UInt8Array, UInt16Array,
    UInt32Array, UInt64Array,
};
use bytes::Bytes;
use futures_util::stream;

use super::{assert_error, execute, fingerprints, read};
use crate::migrate::{self, Migration, State};
use crate::{ErrorKind, Query, Warehouse, WarehouseError};

pub(super) async fn migrations(warehouse: &Warehouse) {
    let all: Vec<_> = migrate::MIGRATIONS.iter().map(Migration::label).collect();
    assert_eq!(warehouse.migrate_up().await.expect("up"), all);
    assert!(warehouse.migrate_up().await.expect("up again").is_empty());
    let status = warehouse.migrate_status().await.expect("status");
    assert!(
        status
            .iter()
            .all(|s| s.state == State::Applied && s.fault.is_none()),
        "{status:?}"
    );
    let tables =
        "SELECT arraySort(groupArray(name)) FROM system.tables WHERE database = currentDatabase()";
    let before = read(warehouse, tables).await;

    let down: Vec<_> = all.iter().rev().cloned().collect();
    assert_eq!(warehouse.migrate_down(all.len()).await.expect("down"), down);
    assert_eq!(read(warehouse, tables).await, "['schema_migrations']");
    let status = warehouse.migrate_status().await.expect("status");
    assert!(
        status.iter().all(|s| s.state == State::Pending),
        "{status:?}"
    );
    assert_eq!(warehouse.migrate_up().await.expect("up"), all);
    assert_eq!(read(warehouse, tables).await, before);

    // Every statement can be repeated, which going on after a crash relies on.
    for migration in migrate::MIGRATIONS.iter().rev() {
        for statement in migrate::statements(migration.down) {
            execute(warehouse, statement).await;
            execute(warehouse, statement).await;
        }
    }
    for migration in migrate::MIGRATIONS {
        for statement in migrate::statements(migration.up) {
            execute(warehouse, statement).await;
            execute(warehouse, statement).await;
        }
    }
    assert_eq!(read(warehouse, tables).await, before);
}

/// Each Arrow type that the crate's table names, and text for the types that take it.
pub(super) async fn types(warehouse: &Warehouse) {
    execute(
        warehouse,
        "CREATE TABLE conformance_types (
            id UUID, id_text UUID, word LowCardinality(String), word_text LowCardinality(String),
            kind Enum8('one' = 1, 'two' = 2), kind_text Enum8('one' = 1, 'two' = 2),
            at DateTime64(3, 'UTC'), second DateTime('UTC'), day Date,
            u8 UInt8, u16 UInt16, u32 UInt32, u64 UInt64, i64 Int64, f64 Float64, bool Bool, text String,
            maybe Nullable(Float64), floats Array(Float64), words Array(LowCardinality(String)),
            words_text Array(LowCardinality(String)), missing UInt32 DEFAULT 7
         ) ENGINE = MergeTree ORDER BY u8",
    )
    .await;
    let id = *b"\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x23\x45\x67\x89\xab\xcd\xef";
    let id_text = "01234567-89ab-cdef-0123-456789abcdef";
    let mut floats = ListBuilder::new(Float64Builder::new());
    floats.append_value([Some(0.1), Some(-2.5)]);
    floats.append_value([None; 0]);
    let mut words = ListBuilder::new(StringDictionaryBuilder::<Int32Type>::new());
    words.append_value([Some("a"), Some("b"), Some("a")]);
    words.append_value([None::<&str>; 0]);
    let mut words_text = ListBuilder::new(StringBuilder::new());
    words_text.append_value([Some("a"), Some("")]);
    words_text.append_value([None::<&str>; 0]);
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "id",
            Arc::new(
                FixedSizeBinaryArray::try_from_iter([id, [0; 16]].into_iter()).expect("16 bytes"),
            ),
        ),
        (
            "id_text",
            Arc::new(StringArray::from(vec![
                id_text,
                "00000000-0000-0000-0000-000000000000",
            ])),
        ),
        (
            "word",
            Arc::new(DictionaryArray::<Int32Type>::from_iter(["x", ""])),
        ),
        ("word_text", Arc::new(StringArray::from(vec!["x", ""]))),
        ("kind", Arc::new(Int8Array::from(vec![2, 1]))),
        ("kind_text", Arc::new(StringArray::from(vec!["two", "one"]))),
        (
            "at",
            Arc::new(
                TimestampMillisecondArray::from(vec![1_767_323_045_678, -1]).with_timezone("UTC"),
            ),
        ),
        (
            "second",
            Arc::new(UInt32Array::from(vec![1_767_323_045, 0])),
        ),
        ("day", Arc::new(UInt16Array::from(vec![20_455, 0]))),
        ("u8", Arc::new(UInt8Array::from(vec![1, 2]))),
        ("u16", Arc::new(UInt16Array::from(vec![u16::MAX, 0]))),
        ("u32", Arc::new(UInt32Array::from(vec![u32::MAX, 0]))),
        ("u64", Arc::new(UInt64Array::from(vec![u64::MAX, 0]))),
        ("i64", Arc::new(Int64Array::from(vec![i64::MIN, i64::MAX]))),
        ("f64", Arc::new(Float64Array::from(vec![0.031608, -0.0]))),
        ("bool", Arc::new(BooleanArray::from(vec![true, false]))),
        (
            "text",
            Arc::new(StringArray::from(vec!["tab\t'quote' \0 🦀", ""])),
        ),
        ("maybe", Arc::new(Float64Array::from(vec![None, Some(1.5)]))),
        ("floats", Arc::new(floats.finish())),
        ("words", Arc::new(words.finish())),
        ("words_text", Arc::new(words_text.finish())),
    ];
    let rows = RecordBatch::try_from_iter_with_nullable(
        columns
            .into_iter()
            .map(|(name, column)| (name, column, name == "maybe")),
    )
    .expect("columns of one length");
    warehouse
        .insert("conformance_types", rows)
        .await
        .expect("every type goes in");
    assert_eq!(
        read(
            warehouse,
            "SELECT * FROM conformance_types ORDER BY u8 FORMAT JSONCompactEachRow"
        )
        .await,
        format!(
            "[\"{id_text}\", \"{id_text}\", \"x\", \"x\", \"two\", \"two\", \"2026-01-02 03:04:05.678\", \
             \"2026-01-02 03:04:05\", \"2026-01-02\", 1, 65535, 4294967295, {}, {}, 0.031608, true, \
             \"tab\\t'quote' \\u0000 🦀\", null, [0.1,-2.5], [\"a\",\"b\",\"a\"], [\"a\",\"\"], 7]\n\
             [\"{zero}\", \"{zero}\", \"\", \"\", \"one\", \"one\", \"1969-12-31 23:59:59.999\", \
             \"1970-01-01 00:00:00\", \"1970-01-01\", 2, 0, 0, 0, {}, -0, false, \"\", 1.5, [], [], [], 7]",
            u64::MAX,
            i64::MIN,
            i64::MAX,
            zero = "00000000-0000-0000-0000-000000000000",
        )
    );
    execute(warehouse, "DROP TABLE conformance_types").await;
}

/// Events of one device from `first` on, a second apart, over some months of `at`.
fn events(first: u64, rows: usize) -> RecordBatch {
    let words = |word: &'static str| -> ArrayRef {
        Arc::new(
            (0..rows)
                .map(|_| word)
                .collect::<DictionaryArray<Int32Type>>(),
        )
    };
    let seq = || (0..rows as u64).map(move |i| first + i);
    let at = seq().map(|seq| 1_760_000_000_000 + i64::try_from(seq).expect("small") * 60_000);
    RecordBatch::try_from_iter([
        ("org", words("o")),
        ("product", words("default")),
        (
            "device",
            Arc::new(
                FixedSizeBinaryArray::try_from_iter((0..rows).map(|_| [7; 16])).expect("16 bytes"),
            ) as ArrayRef,
        ),
        ("seq", Arc::new(UInt64Array::from_iter_values(seq()))),
        (
            "at",
            Arc::new(TimestampMillisecondArray::from_iter_values(at).with_timezone("UTC")),
        ),
        (
            "received_at",
            Arc::new(UInt32Array::from_iter_values(
                (0..rows).map(|_| 1_780_000_000),
            )),
        ),
        (
            "kind",
            Arc::new(Int8Array::from_iter_values((0..rows).map(|_| 1))),
        ),
        ("app", words("editor")),
        ("screen", words("0123456789abcdef")),
        (
            "count",
            Arc::new(UInt32Array::from_iter_values((0..rows).map(|_| 2))),
        ),
    ])
    .expect("columns of one length")
}

const PARTS: &str = "SELECT count(), sum(rows) FROM system.parts WHERE active AND database = currentDatabase() AND table = 'events'";

pub(super) async fn a_large_insert_is_one_part(warehouse: &Warehouse) {
    warehouse
        .insert("events", events(1, 200_000))
        .await
        .expect("a large block goes in");
    assert_eq!(
        read(warehouse, PARTS).await,
        "1\t200000",
        "one block, one part"
    );
    assert_eq!(
        read(
            warehouse,
            "SELECT sum(records), sum(count), uniqMerge(people) FROM events_by_hour"
        )
        .await,
        "200000\t400000\t1"
    );
    execute(warehouse, "TRUNCATE TABLE events").await;
    execute(warehouse, "TRUNCATE TABLE events_by_hour").await;
}

pub(super) async fn a_failing_insert_leaves_nothing(warehouse: &Warehouse) {
    // The last row can't be what the column wants, long after the first went through.
    let mut days = vec!["01234567-89ab-cdef-0123-456789abcdef"; 150_000];
    days.push("not a UUID");
    let rows = days.len();
    let seq: ArrayRef = Arc::new(UInt64Array::from_iter_values(1..=rows as u64));
    let wrong: ArrayRef = Arc::new(StringArray::from(days));
    let batch = RecordBatch::try_from_iter([("seq", Arc::clone(&seq)), ("device", wrong)])
        .expect("equal lengths");
    let error = warehouse
        .insert("events", batch)
        .await
        .expect_err("a wrong row");
    assert_eq!(error.kind, ErrorKind::Rejected, "{error}");
    assert_eq!(read(warehouse, "SELECT count() FROM events").await, "0");

    let batch = RecordBatch::try_from_iter([("no_such_column", seq)]).expect("one column");
    let error = warehouse
        .insert("events", batch.clone())
        .await
        .expect_err("no such column");
    assert_eq!(error.kind, ErrorKind::Schema, "{error}");
    let missing = warehouse.insert("no_such_table", batch).await;
    assert_error(missing, ErrorKind::Schema, 60, "no such table");
}

pub(super) async fn rows_sent_twice_are_one_after_merging(warehouse: &Warehouse) {
    warehouse
        .insert("events", events(1, 1000))
        .await
        .expect("the rows go in");
    let once = fingerprints(warehouse).await.expect("readable")["events"].clone();
    assert!(once.starts_with("1000\t"), "{once}");
    warehouse
        .insert("events", events(1, 1000))
        .await
        .expect("the rows go in again");
    assert_eq!(
        fingerprints(warehouse).await.expect("readable")["events"],
        once
    );
    execute(warehouse, "TRUNCATE TABLE events").await;
    execute(warehouse, "TRUNCATE TABLE events_by_hour").await;
}

pub(super) async fn insert_streams(warehouse: &Warehouse) {
    execute(
        warehouse,
        "CREATE TABLE conformance_stream (a UInt64, b String) ENGINE = MergeTree ORDER BY a",
    )
    .await;
    let count = "SELECT count(), sum(a), sum(length(b)) FROM conformance_stream";
    let insert = |sql: &'static str, chunks: Vec<Result<Bytes, WarehouseError>>| async move {
        let outcome = warehouse
            .insert_stream(Query::new(sql), Box::pin(stream::iter(chunks)))
            .await;
        let after = read(warehouse, count).await;
        execute(warehouse, "TRUNCATE TABLE conformance_stream").await;
        (outcome, after)
    };
    let text: String = (0..300_000)
        .map(|i| format!("{i},\"row {}\"\n", i % 10))
        .collect();
    // Cut anywhere, in the middle of rows.
    let chunks = text
        .as_bytes()
        .chunks(7919)
        .map(|c| Ok(Bytes::copy_from_slice(c)))
        .collect();
    let (outcome, after) = insert("INSERT INTO conformance_stream FORMAT CSV", chunks).await;
    outcome.expect("it goes in");
    assert_eq!(after, "300000\t44999850000\t1500000");

    let (outcome, after) = insert(
        "INSERT INTO conformance_stream (b, a) VALUES",
        vec![Ok("('x;y', 1), ('it''s',".into()), Ok(" 2)".into())],
    )
    .await;
    outcome.expect("it goes in");
    assert_eq!(after, "2\t3\t7");

    let (outcome, after) =
        insert("INSERT INTO conformance_stream FORMAT JSONEachRow", vec![]).await;
    outcome.expect("nothing goes in");
    assert_eq!(after, "0\t0\t0");

    let (outcome, after) = insert(
        "INSERT INTO conformance_stream FORMAT JSONEachRow",
        vec![Ok("{\"a\": 1, \"b\": \"x\"}\n{\"a\": \"what\"}\n".into())],
    )
    .await;
    assert_eq!(outcome.expect_err("wrong data").kind, ErrorKind::Rejected);
    assert_eq!(after, "0\t0\t0");

    let broken = WarehouseError::new(ErrorKind::Rejected, "the giver gave up");
    let (outcome, after) = insert(
        "INSERT INTO conformance_stream FORMAT CSV",
        vec![Ok("1,x\n2,y\n".into()), Err(broken.clone())],
    )
    .await;
    assert_eq!(outcome, Err(broken), "the stream's own error is the answer");
    assert_eq!(after, "0\t0\t0", "and what came before it is not kept");

    let (outcome, _) = insert(
        "INSERT INTO no_such_table FORMAT CSV",
        vec![Ok("1\n".into())],
    )
    .await;
    assert_error(outcome, ErrorKind::Schema, 60, "no such table");
    execute(warehouse, "DROP TABLE conformance_stream").await;
}

/// Inserts and selects at the same time, from many tasks.
pub(super) async fn many_at_once(warehouse: &Warehouse) {
    let tasks: Vec<_> = (0..16u64)
        .map(|task| {
            let warehouse = warehouse.clone();
            tokio::spawn(async move {
                for round in 0..3 {
                    let first = 1 + (task * 3 + round) * 100;
                    warehouse
                        .insert("events", events(first, 100))
                        .await
                        .expect("rows go in");
                    read(&warehouse, "SELECT count(), uniq(app) FROM events FINAL").await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic");
    }
    assert_eq!(
        read(warehouse, "SELECT count(), max(seq) FROM events FINAL").await,
        "4800\t4800"
    );
    assert_eq!(
        read(warehouse, "SELECT sum(records) FROM events_by_hour").await,
        "4800"
    );
    execute(warehouse, "TRUNCATE TABLE events").await;
    execute(warehouse, "TRUNCATE TABLE events_by_hour").await;
}
