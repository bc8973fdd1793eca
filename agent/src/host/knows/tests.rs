use std::time::Duration;

use snag_spool::NewRecord;
use snag_wire::{LabelHash, LabelKind};

use super::*;
use crate::config::{Identity, Paths};
use crate::host::HostOptions;
use crate::sync::KnownLabel;

#[path = "../../../tests/common/policy.rs"]
mod policies;

/// So many fit on one page.
const RECORDS: u64 = 60;

fn record() -> NewRecord {
    let label = KnownLabel {
        hash: LabelHash([9; 8]),
        kind: LabelKind::Element,
        app: "excel".into(),
        text: "Save".into(),
        at_once: false,
    };
    label.into_record(Timestamp::now().as_millisecond())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_its_count_and_the_next_body_are_of_one_moment() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::at(folder.path().join("snag")).unwrap();
    Identity {
        // Nobody listens there.
        server: "http://127.0.0.1:9".into(),
        ca: None,
        product: "default".into(),
        device: uuid::Uuid::from_u128(5),
        device_token: "token".into(),
        policy: policies::ordinary(),
    }
    .save(&paths.identity())
    .unwrap();
    let options = HostOptions {
        managed: folder.path().join("policy.json"),
        sdk: false,
        ..HostOptions::app()
    };
    let host = Host::start(paths, options).await.unwrap();
    let spool = host.shared.spool().unwrap();
    let writer = std::thread::spawn(move || {
        for _ in 0..RECORDS {
            spool.append(&[record()], None).unwrap();
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let mut totals = BTreeSet::new();
    while !totals.contains(&RECORDS) {
        let has_ended = writer.is_finished();
        let page = host.knows_waiting(None).unwrap();
        assert_eq!(page.items.len() as u64, page.total);
        let body: Option<serde_json::Value> = serde_json::from_str(&page.body).ok();
        let leaving = body.and_then(|body| body["records"].as_array().map(Vec::len));
        assert_eq!(leaving.unwrap_or(0) as u64, page.total);
        assert!(host.overview().waiting_records >= page.total);
        totals.insert(page.total);
        assert!(
            !has_ended || page.total == RECORDS,
            "the writer ended early"
        );
    }
    writer.join().unwrap();
    assert!(totals.len() > 2, "it was read while it grew: {totals:?}");
    host.stop().await;
}
