//! Every figure of analytics equals a plain recount, in every time zone and period.

#[path = "feedback/recount.rs"]
mod recount;

mod harness;

use std::sync::Arc;

use harness::Server;
use jiff::Timestamp;
use recount::{ROUTES, Said, asks, check, generate, row};
use snag_server::orgs::OrgPolicy;
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
