//! The conformance suite over the embedded transport.

use snag_warehouse::{EmbeddedOptions, Warehouse, conformance};

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_transport_conforms() {
    let folder = tempfile::tempdir().expect("a folder");
    let warehouse =
        Warehouse::embedded(EmbeddedOptions::new(folder.path())).expect("the engine starts");
    conformance::run(&warehouse).await;
    warehouse.close().await;
}
