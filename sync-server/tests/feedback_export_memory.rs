//! An export of a million items takes no more memory than a small one. In a process of
//! its own, so that nothing else adds to the memory that is measured.

mod harness;
#[path = "harness/memory.rs"]
mod memory;

use axum::body::Body;
use axum::http::Request;
use harness::Server;
use http_body_util::BodyExt as _;
use memory::held_bytes;
use snag_warehouse::Query;

const ITEMS: u64 = 1_000_000;

/// The bytes of an export, and the most memory that was held meanwhile.
async fn read(server: &Server, query: &str) -> (u64, u64) {
    let request = Request::get(format!("/v1/feedback/export?{query}"))
        .header(
            "authorization",
            format!("Bearer {}", server.org.analyst_token),
        )
        .body(Body::empty())
        .expect("a request");
    let response = server.answer(request).await;
    assert_eq!(response.status(), 200, "{query}");
    let mut body = response.into_body();
    let (mut bytes, mut peak, mut pieces) = (0, 0, 0u64);
    while let Some(frame) = body.frame().await {
        let data = frame.expect("a piece").into_data().unwrap_or_default();
        bytes += data.len() as u64;
        pieces += 1;
        if pieces.is_multiple_of(16) {
            peak = peak.max(held_bytes("self"));
        }
    }
    (bytes, peak.max(held_bytes("self")))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_million_items_take_no_memory() {
    let server = Server::start().await;
    let fill = format!(
        "INSERT INTO feedback (org, newest, id, version, at, category, description, status) \
         SELECT {{org:String}}, 9223372036854775807 - ms, generateUUIDv4(number), ms, \
         fromUnixTimestamp64Milli(ms, 'UTC'), 'bug', concat('said ', repeat('x ', 40), toString(number)), \
         'new' FROM (SELECT number, toInt64(1795132800000 - number * 5000) AS ms FROM numbers({ITEMS}))"
    );
    let fill = Query::new(fill).param("org", server.org.org);
    server
        .warehouse
        .execute(fill)
        .await
        .expect("items are made");
    // Some are replaced, so that rows have to be brought together.
    let change = "INSERT INTO feedback SELECT * REPLACE (version + 1 AS version, 1 AS read) \
                  FROM feedback WHERE cityHash64(id) % 10 = 0";
    server.execute(change).await;

    for format in ["csv", "jsonl", "parquet"] {
        // What the engine and the allocator take once is not of interest: a month of them.
        let small = format!("format={format}&from=2026-11-01");
        let (_, before) = read(&server, &small).await;
        let (bytes, peak) = read(&server, &format!("format={format}")).await;
        let grown_mib = peak.saturating_sub(before) >> 20;
        println!(
            "{format}: {} MiB, {grown_mib} MiB more held than the {} MiB for a month",
            bytes >> 20,
            before >> 20
        );
        assert!(bytes > 10 << 20, "{format}: {bytes} bytes");
        assert!(grown_mib < 160, "{format}: {grown_mib} MiB more");
    }
}
