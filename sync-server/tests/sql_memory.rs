//! A large answer streams through the front without being held anywhere. In a process of
//! its own, so that nothing else adds to the memory that is measured.

#[path = "harness/memory.rs"]
mod memory;
mod support;

use std::time::Duration;

use memory::held_bytes;
use support::{PASSWORD, USER, front};

/// Reads `rows` rows of about a hundred bytes, slowly, and returns their bytes and the
/// most memory that was held meanwhile.
async fn read(rows: u64) -> (u64, u64) {
    drop(rustls::crypto::ring::default_provider().install_default());
    let client = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client");
    let request = client
        .post(front().url())
        .basic_auth(USER, Some(PASSWORD))
        .body(format!(
            "SELECT number, repeat('x', 100) FROM numbers({rows}) FORMAT TSV"
        ));
    let mut response = request.send().await.expect("an answer");
    let (mut bytes, mut peak, mut chunks) = (0, 0, 0u64);
    while let Some(chunk) = response.chunk().await.expect("a chunk") {
        bytes += chunk.len() as u64;
        chunks += 1;
        if chunks.is_multiple_of(256) {
            peak = peak.max(held_bytes("self"));
            // A slow reader: the query has to wait for it.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    (bytes, peak.max(held_bytes("self")))
}

#[tokio::test]
async fn a_large_answer_takes_no_memory() {
    // What the engine and the allocator take once is not of interest.
    let (_, before) = read(300_000).await;
    let (bytes, peak) = read(4_000_000).await;
    front().close();
    assert!(bytes > 400 << 20, "{bytes}");
    let grown_mib = peak.saturating_sub(before) >> 20;
    println!(
        "{} MiB sent, {grown_mib} MiB more held than for 30 MiB",
        bytes >> 20
    );
    assert!(
        grown_mib < 128,
        "{grown_mib} MiB more while {} MiB were sent",
        bytes >> 20
    );
}
