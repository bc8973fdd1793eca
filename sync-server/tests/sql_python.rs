//! The official Python client (`clickhouse-connect`) against the front.

mod support;

use std::process::Command;

use support::{client_folder, run_client};

#[test]
fn the_python_client_works() {
    let python = client_folder("python").join("venv/bin/python");
    let script = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/clients/python/client.py"
    );
    run_client(Command::new(python).arg(script));
}
