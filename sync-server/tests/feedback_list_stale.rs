//! A list right after somebody changed thousands of items, which the table still has as
//! they were, too. In a process of its own, so that no other test asks anything meanwhile.

mod harness;

use harness::Server;
use serde_json::Value;
use snag_warehouse::Query;

/// Queries that the engine has been asked.
async fn asked(server: &Server) -> u64 {
    let sql = "SELECT value FROM system.events WHERE event = 'SelectQuery'";
    server.sql(sql).await.parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_after_a_bulk_act_takes_a_few_queries() {
    let server = Server::start().await;
    server.execute("SYSTEM STOP MERGES feedback").await;
    let fill = "INSERT INTO feedback (org, newest, id, version, at, received_at, product, \
        category, description, status, changed_at) \
        SELECT {org:String}, 9223372036854775807 - ms, \
        toUUID('00000000-0000-0000-0000-' || leftPad(toString(number), 12, '0')), ms, \
        fromUnixTimestamp64Milli(ms, 'UTC') AS moment, moment, 'default', 'bug', 'It hangs.', \
        'new', moment FROM \
        (SELECT number, toInt64(1795132800000 - number * 5000) AS ms FROM numbers(9000))";
    let fill = Query::new(fill).param("org", server.org.org);
    server.warehouse.execute(fill).await.expect("items");
    // The newest 8,000 are put away, but for one in between.
    let change = "INSERT INTO feedback SELECT * REPLACE (version + 1 AS version, 1 AS archived) \
        FROM feedback WHERE newest < 9223372036854775807 - 1795132800000 + 8000 * 5000 \
        AND id != toUUID('00000000-0000-0000-0000-000000003210')";
    server.execute(change).await;
    let token = &server.org.analyst_token;
    // Who may ask is known from here on.
    server.get("/v1/feedback?limit=1", token).await;
    let before = asked(&server).await;
    let page = server.get("/v1/feedback?archived=false", token).await;
    let queries = asked(&server).await - before;
    assert_eq!(page.status, 200, "{page:?}");
    let ids: Vec<&str> = page.body["items"]
        .as_array()
        .expect("items")
        .iter()
        .filter_map(|item| item["id"].as_str())
        .collect();
    let expected: Vec<String> = std::iter::once(3_210)
        .chain(8_000..8_049)
        .map(|n| format!("00000000-0000-0000-0000-{n:012}"))
        .collect();
    assert_eq!(ids, expected);
    assert!(page.body["next_cursor"].is_string());
    let all = page.body["items"].as_array().into_iter().flatten();
    assert!(
        all.map(|item| &item["archived"])
            .all(|put| *put == Value::Bool(false))
    );
    assert!(queries < 20, "{queries} queries");
}
