//! Every figure of analytics equals a plain recount, in every time zone and period.

#[path = "feedback/recount.rs"]
mod recount;

mod harness;

use std::sync::Arc;

use harness::Server;
use jiff::Timestamp;
use recount::{ROUTES, Said, asks, check, generate, row};
use snag_server::orgs::OrgPolicy;
use snag_server::verify::{self, Window};
use snag_warehouse::Query;

/// Clocks change in Berlin on 25 October, in New York on 1 November.
fn span() -> (Timestamp, Timestamp) {
    let moment = |text: &str| text.parse().expect("a moment");
    (
        moment("2026-10-20T00:00:00Z"),
        moment("2026-11-20T10:00:00Z"),
    )
}

async fn server() -> Server {
    let now: Timestamp = span().1;
    Server::with(5, OrgPolicy::default(), Arc::new(move || now)).await
}

/// Puts them in, in blocks as commits do.
async fn insert(server: &Server, all: &[Said]) {
    for block in all.chunks(97) {
        let rows: String = block
            .iter()
            .map(|said| row(said, &server.org.org.to_string()))
            .collect();
        let rows = futures_util::stream::once(async { Ok(rows.into()) });
        let insert = Query::new("INSERT INTO submissions FORMAT JSONEachRow");
        server
            .warehouse
            .insert_stream(insert, Box::pin(rows))
            .await
            .expect("rows");
    }
}

async fn check_all(server: &Server, all: &[Said], from: Timestamp, to: Timestamp) {
    for ask in asks(from, to) {
        for route in ROUTES {
            let answer = server
                .get(&ask.query(route), &server.org.analyst_token)
                .await;
            assert_eq!(answer.status, 200, "{answer:?}");
            check(route, &answer.body, all, &ask);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_figure_equals_a_recount() {
    let server = server().await;
    let (from, to) = span();
    let all = generate(7, 4_000, from, to);
    insert(&server, &all).await;
    check_all(&server, &all, from, to).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_follow_a_deletion() {
    let server = server().await;
    let (from, to) = span();
    let mut all = generate(11, 1_500, from, to);
    insert(&server, &all).await;
    // Everything of some people, and some of everybody.
    let forgotten = all[0].device;
    let gone = |said: &Said| said.device == forgotten || said.id.as_u128().is_multiple_of(7);
    let ids: Vec<String> = all
        .iter()
        .filter(|said| gone(said))
        .map(|said| format!("'{}'", said.id))
        .collect();
    assert!(ids.len() > 150);
    let sql = format!(
        "ALTER TABLE submissions DELETE WHERE id IN ({}) SETTINGS mutations_sync = 2",
        ids.join(", ")
    );
    server.execute(&sql).await;
    all.retain(|said| !gone(said));
    let gate = Arc::clone(&server.state.write_gate);
    let report = verify::verify(&server.warehouse, &Window::All, Some(&gate))
        .await
        .expect("a report");
    assert!(!report.repaired.is_empty(), "the rollups had what is gone");
    assert_eq!(report.remaining, []);
    check_all(&server, &all, from, to).await;
}

#[tokio::test]
async fn answers_are_of_one_organisation_and_of_nobody_else() {
    let server = server().await;
    let (from, to) = span();
    let all = generate(3, 50, from, to);
    insert(&server, &all).await;
    let other =
        "INSERT INTO submissions SELECT * REPLACE (generateUUIDv4() AS org) FROM submissions";
    server.execute(other).await;
    let path = "/v1/feedback/analytics/usage?from=2026-10-20&to=2026-11-20T10:00:00Z";
    let answer = server.get(path, &server.org.analyst_token).await;
    assert_eq!(answer.body["total"]["submissions"], 50, "{answer:?}");
    assert_eq!(answer.body["items"].as_array().map(Vec::len), Some(32));
    let text = answer.body.to_string();
    assert!(
        all.iter()
            .all(|said| !text.contains(&said.device.to_string()))
    );
    for (path, token, status) in [
        (path, server.org.enroll_token.as_str(), 403),
        (path, "", 401),
        (
            "/v1/feedback/analytics/usage?tz=Mars/Olympus",
            &server.org.analyst_token,
            400,
        ),
        (
            "/v1/feedback/analytics/tags?interval=minute",
            &server.org.analyst_token,
            400,
        ),
        (
            "/v1/feedback/analytics/ratings?limit=3",
            &server.org.analyst_token,
            400,
        ),
    ] {
        assert_eq!(server.get(path, token).await.status, status, "{path}");
    }
}
