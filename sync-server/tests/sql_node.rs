//! The official Node client (`@clickhouse/client`) against the front.

mod support;

use std::process::Command;

use support::{client_folder, run_client};

#[test]
fn the_node_client_works() {
    let folder = client_folder("node");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/node/client.mjs");
    run_client(
        Command::new("node")
            .arg(script)
            .env("SNAG_CLIENT_FOLDER", folder),
    );
}
