//! What is the embedded transport's own: the engine, its folder, its library.

#[path = "../../tests/harness/folder.rs"]
mod folder;

use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use snag_warehouse::{EmbeddedOptions, ErrorKind, Query, Warehouse};

/// The library runs one engine a process, so that all tests of this file share a folder
/// and each has a database of its own.
static FOLDER: LazyLock<PathBuf> = LazyLock::new(folder::own);

fn open(database: &str, fsync: bool) -> Warehouse {
    Warehouse::embedded(EmbeddedOptions {
        database: database.to_owned(),
        fsync,
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

#[tokio::test(flavor = "multi_thread")]
async fn a_process_has_one_engine() {
    let other = tempfile::tempdir().expect("a folder");
    // Keeps the process's engine on the shared folder throughout, whatever runs beside.
    let warehouse = open("folders", false);
    let error = Warehouse::embedded(EmbeddedOptions::new(other.path()))
        .err()
        .expect("refused");
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert!(error.message.contains("one engine a process"), "{error}");
    assert_eq!(
        text(&warehouse, "SELECT currentDatabase()").await,
        "folders"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn databases_in_one_folder_are_apart_and_stay() {
    let (one, two) = (open("apart_one", false), open("apart_two", false));
    one.execute("CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a")
        .await
        .expect("created");
    one.execute("INSERT INTO t VALUES (1)")
        .await
        .expect("inserted");
    let missing = two
        .select(Query::read("SELECT * FROM t"))
        .await
        .expect_err("not there");
    assert_eq!(missing.kind, ErrorKind::Schema);
    one.close().await;
    assert_eq!(
        text(&open("apart_one", false), "SELECT * FROM t").await,
        "1"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn durability_is_a_setting_of_the_record_tables() {
    let waiting = "SELECT count() FROM system.tables WHERE database = currentDatabase() \
                   AND create_table_query LIKE '%fsync_after_insert = 1%'";
    let warehouse = open("durable", true);
    warehouse.migrate_up().await.expect("migrated");
    let records = text(
        &warehouse,
        "SELECT count() FROM system.tables WHERE database = currentDatabase() AND engine LIKE 'Replacing%'",
    )
    .await;
    assert_eq!(text(&warehouse, waiting).await, records);
    warehouse.close().await;
    let warehouse = open("durable", false);
    warehouse.migrate_up().await.expect("migrated");
    assert_eq!(text(&warehouse, waiting).await, "0");
}

/// How a rollup is repaired: its partition is counted again beside it, and swapped in.
#[tokio::test(flavor = "multi_thread")]
async fn every_rollup_can_be_swapped_by_partition() {
    let warehouse = open("repair", false);
    warehouse.migrate_up().await.expect("migrated");
    let rollups = text(
        &warehouse,
        "SELECT trim(TRAILING '_view' FROM name) FROM system.tables WHERE database = currentDatabase() AND engine = 'MaterializedView'",
    )
    .await;
    assert!(rollups.lines().count() >= 9, "{rollups}");
    for rollup in rollups.lines() {
        for sql in [
            format!("CREATE TABLE scratch AS {rollup}"),
            format!("INSERT INTO {rollup} (org) VALUES ('wrong')"),
            "INSERT INTO scratch (org) VALUES ('right'), ('too')".to_owned(),
        ] {
            warehouse.execute(sql.as_str()).await.expect(&sql);
        }
        let partition = text(&warehouse, "SELECT DISTINCT partition_id FROM system.parts WHERE active AND database = currentDatabase() AND table = 'scratch'").await;
        let replace =
            format!("ALTER TABLE {rollup} REPLACE PARTITION ID '{partition}' FROM scratch");
        warehouse.execute(replace.as_str()).await.expect(&replace);
        let orgs = format!("SELECT arraySort(groupArray(org)) FROM {rollup}");
        assert_eq!(text(&warehouse, &orgs).await, "['right','too']", "{rollup}");
        warehouse
            .execute("DROP TABLE scratch")
            .await
            .expect("dropped");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_nobody_takes_does_not_hold_up_others() {
    let warehouse = open("streams", false);
    // More than there are readers, each full and waiting for its taker.
    let mut held = Vec::new();
    for _ in 0..8 {
        let query = Query::read("SELECT number FROM system.numbers").format("RowBinary");
        held.push(warehouse.select_stream(query).await.expect("it starts"));
    }
    let asked = tokio::time::timeout(
        Duration::from_secs(20),
        warehouse.select(Query::read("SELECT 1")),
    );
    assert_eq!(
        &asked.await.expect("in time").expect("answered")[..],
        b"1\n"
    );
}
