//! The conformance suite over the remote transport: a warehouse on the front's port,
//! which is ClickHouse's HTTP interface over the same engine.

mod support;

use snag_warehouse::{RemoteOptions, Warehouse, conformance};
use support::{PASSWORD, USER, front};

#[tokio::test(flavor = "multi_thread")]
async fn the_remote_transport_conforms() {
    let warehouse = Warehouse::remote(RemoteOptions {
        url: front().url(),
        user: USER.to_owned(),
        password: PASSWORD.to_owned(),
        database: "conformance".to_owned(),
    })
    .expect("an address");
    conformance::run(&warehouse).await;
}
