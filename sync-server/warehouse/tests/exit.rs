//! A process that exits in the middle of a query ends with its own status.

use std::process::Command;
use std::time::Duration;

use snag_warehouse::{EmbeddedOptions, Query, Warehouse};

/// Set for the process that exits.
const CHILD: &str = "SNAG_TEST_EXIT";

#[test]
fn exiting_while_queries_run_is_no_crash() {
    if let Some(folder) = std::env::var_os(CHILD) {
        exit_while_queries_run(EmbeddedOptions::new(folder));
    }
    for _ in 0..3 {
        let folder = tempfile::tempdir().expect("a folder");
        let status = Command::new(std::env::current_exe().expect("this test"))
            .env(CHILD, folder.path())
            .status()
            .expect("it starts");
        assert_eq!(status.code(), Some(7), "{status}");
    }
}

fn exit_while_queries_run(options: EmbeddedOptions) -> ! {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let warehouse = Warehouse::embedded(options).expect("the engine starts");
    for _ in 0..4 {
        let warehouse = warehouse.clone();
        runtime.spawn(async move {
            let endless = "SELECT sum(cityHash64(number)) FROM numbers_mt(1000000000000)";
            drop(warehouse.select(Query::read(endless)).await);
        });
    }
    std::thread::sleep(Duration::from_millis(300));
    std::process::exit(7);
}
