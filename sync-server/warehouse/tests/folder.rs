//! A data folder belongs to one process. Alone in its file: it starts the engine itself.

use std::fs::File;

use rustix::fs::{FlockOperation, flock};
use snag_warehouse::{EmbeddedOptions, ErrorKind, Query, Warehouse};

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_in_use_is_refused_and_a_closed_one_is_taken() {
    let folder = tempfile::tempdir().expect("a folder");
    let other = tempfile::tempdir().expect("a folder");
    // Another process's lock is the lock of another open file, as this is.
    let lock = File::create(folder.path().join("snag.lock")).expect("a lock file");
    flock(&lock, FlockOperation::NonBlockingLockExclusive).expect("nobody holds it");
    let error = Warehouse::embedded(EmbeddedOptions::new(folder.path()))
        .err()
        .expect("refused");
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert!(
        error.message.contains("in use by another process"),
        "{error}"
    );
    drop(lock);

    // One after the other a process can have several, once each is closed.
    for (path, rows) in [(&folder, "0\n"), (&other, "0\n"), (&folder, "1\n")] {
        let warehouse = Warehouse::embedded(EmbeddedOptions::new(path.path())).expect("free");
        let create = "CREATE TABLE IF NOT EXISTS t (a UInt8) ENGINE = MergeTree ORDER BY a";
        warehouse.execute(create).await.expect("created");
        let count = Query::read("SELECT count() FROM t");
        assert_eq!(warehouse.select(count).await.expect("counted"), rows);
        warehouse
            .execute("INSERT INTO t VALUES (1)")
            .await
            .expect("inserted");
        warehouse.close().await;
    }
}
