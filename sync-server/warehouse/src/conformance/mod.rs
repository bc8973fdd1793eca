//! What both transports have to do, as one suite.
//!
//! A test opens a [`Warehouse`] over a database of its own, empty, and awaits
//! [`run`]; anything that is not as it should be is a panic that says what. What the
//! warehouse can't do alone (dropping a batch it has seen) is in
//! [`same_batch_twice`], which takes the way a batch is sent.

mod reading;
mod writing;

use std::collections::BTreeMap;
use std::future::Future;

use crate::query::identifier;
use crate::{ErrorKind, Query, Warehouse, WarehouseError};

/// Runs the whole suite.
///
/// # Panics
/// At the first difference.
pub async fn run(warehouse: &Warehouse) {
    writing::migrations(warehouse).await;
    reading::formats_and_databases(warehouse).await;
    reading::parameters(warehouse).await;
    reading::settings_stay_with_their_query(warehouse).await;
    reading::errors_are_classified(warehouse).await;
    reading::readonly_refuses(warehouse).await;
    reading::streams(warehouse).await;
    reading::streams_are_whole_answers(warehouse).await;
    reading::abandoned_queries_end(warehouse).await;
    writing::types(warehouse).await;
    writing::a_large_insert_is_one_part(warehouse).await;
    writing::a_failing_insert_leaves_nothing(warehouse).await;
    writing::rows_sent_twice_are_one_after_merging(warehouse).await;
    writing::insert_streams(warehouse).await;
    writing::many_at_once(warehouse).await;
}

/// Sends the same batch twice and checks that tables and rollups do not change.
///
/// # Panics
/// When a table differs after the second time, or nothing was stored by the first.
pub async fn same_batch_twice<F, Fut>(warehouse: &Warehouse, send: F)
where
    F: Fn() -> Fut,
    Fut: Future<Output = ()>,
{
    let empty = fingerprints(warehouse).await.expect("tables can be read");
    send().await;
    let once = fingerprints(warehouse).await.expect("tables can be read");
    assert_ne!(empty, once, "the first batch stored nothing");
    send().await;
    let twice = fingerprints(warehouse).await.expect("tables can be read");
    assert_eq!(once, twice, "the same batch again changed a table");
}

/// Rows and a checksum of each table of the database as they are once merged: equal
/// for equal content, in whatever order and parts it is held.
///
/// # Errors
/// When the tables can't be read.
pub async fn fingerprints(
    warehouse: &Warehouse,
) -> Result<BTreeMap<String, String>, WarehouseError> {
    let columns = warehouse
        .select(Query::read(
            "SELECT table, name, type FROM system.columns WHERE database = currentDatabase() AND table IN \
             (SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree') \
             AND table != 'schema_migrations' ORDER BY table, position FORMAT TabSeparatedRaw",
        ))
        .await?;
    let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in String::from_utf8_lossy(&columns).lines() {
        let mut fields = line.splitn(3, '\t');
        let mut field = || fields.next().unwrap_or_default();
        let (table, name, kind) = (field(), identifier(field()), field());
        tables.entry(table.to_owned()).or_default().push(
            if kind.starts_with("AggregateFunction") {
                format!("finalizeAggregation({name})")
            } else if kind.starts_with("SimpleAggregateFunction(groupUniqArray") {
                // A set: its order means nothing.
                format!("arraySort({name})")
            } else {
                name
            },
        );
    }
    let mut prints = BTreeMap::new();
    for (table, columns) in tables {
        let sql = format!(
            "SELECT count(), sum(cityHash64(toString(tuple({})))) FROM {} FINAL",
            columns.join(", "),
            identifier(&table)
        );
        let print = warehouse.select(Query::read(sql)).await?;
        prints.insert(table, String::from_utf8_lossy(&print).trim_end().to_owned());
    }
    Ok(prints)
}

/// The text that a query answers, without its last line end.
async fn text(warehouse: &Warehouse, query: Query) -> String {
    let bytes = warehouse.select(query.clone()).await;
    let bytes = bytes.unwrap_or_else(|error| panic!("{query:?}: {error}"));
    String::from_utf8(bytes.to_vec())
        .expect("text")
        .trim_end_matches('\n')
        .to_owned()
}

async fn read(warehouse: &Warehouse, sql: &str) -> String {
    text(warehouse, Query::read(sql)).await
}

async fn execute(warehouse: &Warehouse, sql: &str) {
    warehouse
        .execute(sql)
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
}

fn assert_error<T>(outcome: Result<T, WarehouseError>, kind: ErrorKind, code: u32, what: &str) {
    match outcome {
        Ok(_) => panic!("{what}: went through, expected {kind} {code}"),
        Err(error) => assert_eq!(
            (error.kind, error.code),
            (kind, Some(code)),
            "{what}: {error}"
        ),
    }
}
