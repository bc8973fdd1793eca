//! The warehouse's conformance suite over its remote transport: HTTP through the official
//! client, to the ClickHouse-HTTP front over an embedded engine.

mod support;

use snag_warehouse::{RemoteOptions, Warehouse, conformance};
use support::{PASSWORD, USER, front};

#[tokio::test(flavor = "multi_thread")]
async fn the_remote_transport_conforms() {
    let warehouse = Warehouse::remote(RemoteOptions {
        url: front().url(),
        user: USER.to_owned(),
        password: PASSWORD.to_owned(),
        // What an operator prepares on a server of their own is there already.
        database: "snag".to_owned(),
    })
    .expect("an address");
    conformance::run(&warehouse).await;
    warehouse.close().await;
    front().close();
}
