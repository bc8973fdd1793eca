//! The embedded transport, over the real library (`make engine`, or `SNAG_CHDB_LIBRARY`).

use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, DictionaryArray, FixedSizeBinaryArray, Int8Array, RecordBatch,
    TimestampMillisecondArray, UInt32Array, UInt64Array,
};
use snag_warehouse::{EmbeddedOptions, ErrorKind, Query, Warehouse};

/// The library runs one engine a process, so that all tests share a folder and each has
/// a database of its own.
static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| tempfile::tempdir().expect("a folder").keep());

fn open(database: &str) -> Warehouse {
    Warehouse::embedded(EmbeddedOptions {
        database: database.to_owned(),
        ..EmbeddedOptions::new(&*FOLDER)
    })
    .expect("the engine starts")
}

async fn text(warehouse: &Warehouse, sql: &str) -> String {
    let bytes = warehouse.select(Query::read(sql)).await.expect(sql);
    String::from_utf8(bytes.to_vec())
        .expect("text")
        .trim_end()
        .to_owned()
}

/// Events of one device, a second apart.
fn events(rows: usize) -> RecordBatch {
    let words = |word: &str| -> ArrayRef {
        Arc::new(DictionaryArray::<Int32Type>::from_iter(
            (0..rows).map(|_| word),
        ))
    };
    let device = FixedSizeBinaryArray::try_from_iter(
        (0..rows).map(|_| *b"\x12\x34\x56\x78\x9a\xbc\xde\xf0\x12\x34\x56\x78\x9a\xbc\xde\xf0"),
    );
    let at = TimestampMillisecondArray::from_iter_values(
        (0..rows as i64).map(|i| 1_760_000_000_000 + i * 1000),
    );
    RecordBatch::try_from_iter([
        ("org", words("o")),
        ("product", words("default")),
        (
            "device",
            Arc::new(device.expect("16 bytes each")) as ArrayRef,
        ),
        (
            "seq",
            Arc::new(UInt64Array::from_iter_values(1..=rows as u64)),
        ),
        ("at", Arc::new(at.with_timezone("UTC"))),
        (
            "received_at",
            Arc::new(UInt32Array::from_iter_values(
                (0..rows).map(|_| 1_760_000_000),
            )),
        ),
        (
            "kind",
            Arc::new(Int8Array::from_iter_values(
                (0..rows).map(|i| 1 + (i % 2) as i8),
            )),
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

#[tokio::test(flavor = "multi_thread")]
async fn a_large_block_is_one_part_and_reaches_the_rollups() {
    let warehouse = open("one_part");
    warehouse.migrate_up().await.expect("migrations run");
    warehouse
        .insert("events", events(100_000))
        .await
        .expect("the rows go in");
    assert_eq!(
        text(
            &warehouse,
            "SELECT count(), sum(rows) FROM system.parts WHERE active AND database = currentDatabase() AND table = 'events'"
        )
        .await,
        "1\t100000"
    );
    assert_eq!(
        text(
            &warehouse,
            "SELECT any(device), any(kind), min(at), max(seq) FROM events WHERE seq = 1"
        )
        .await,
        "12345678-9abc-def0-1234-56789abcdef0\tclick\t2025-10-09 08:53:20.000\t1"
    );
    assert_eq!(
        text(
            &warehouse,
            "SELECT sum(records), sum(count), uniqMerge(people) FROM events_by_hour"
        )
        .await,
        "100000\t200000\t1"
    );
    assert_eq!(
        text(
            &warehouse,
            "SELECT sum(records), uniqMerge(sessions), max(last_at) FROM devices_by_day"
        )
        .await,
        "100000\t1\t2025-10-10 12:39:59.000"
    );
    assert_eq!(
        text(
            &warehouse,
            "SELECT hash, uniqMerge(people) FROM labels_seen GROUP BY hash"
        )
        .await,
        "0123456789abcdef\t1"
    );
    warehouse.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_say_what_to_do() {
    let warehouse = open("errors");
    for (sql, kind, code) in [
        ("SELECT * FROM nothing_here", ErrorKind::Schema, Some(60)),
        ("SELECT nothing", ErrorKind::Schema, Some(47)),
        ("SELEC 1", ErrorKind::Rejected, Some(62)),
        ("SELECT throwIf(1)", ErrorKind::Rejected, Some(395)),
        (
            "SELECT sleepEachRow(1) FROM numbers(2) SETTINGS max_execution_time = 0.1",
            ErrorKind::Retry,
            Some(159),
        ),
    ] {
        let error = warehouse.select(Query::new(sql)).await.expect_err(sql);
        assert_eq!((error.kind, error.code), (kind, code), "{sql}: {error}");
    }
}
