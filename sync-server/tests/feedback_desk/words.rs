//! What the desk writes: tags, notes and replies that are refused as a device's are.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::Server;
use crate::items::{generate, insert, now_ms};

#[tokio::test(flavor = "multi_thread")]
async fn an_item_never_has_more_than_fifty_tags() {
    let server = Server::start().await;
    let mut items = generate(3, 31, now_ms());
    let tags = |range: std::ops::Range<u32>| range.map(|n| format!("t{n}")).collect::<Vec<_>>();
    for (item, number) in items.iter_mut().zip([48, 0, 60]) {
        item.tags = tags(0..number);
        item.merged_into = Uuid::nil();
    }
    insert(&server, &server.org.org.to_string(), &items).await;
    let token = &server.org.analyst_token;
    let patch = |n: usize, body: Value| {
        let (server, path) = (&server, format!("/v1/feedback/{}", items[n].id));
        async move { server.ask("PATCH", &path, token, &body).await }
    };
    let refused = patch(0, json!({"add_tags": ["a", "b", "c"], "read": true})).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (409, "conflict"));
    let detail = refused.body["detail"].as_str().expect("a sentence");
    assert!(detail.contains("at most 50 tags"), "{detail}");
    // Those that go make room, and those that it has count once.
    let full = patch(
        0,
        json!({"add_tags": ["a", "b", "c", "t1"], "remove_tags": ["t0"]}),
    )
    .await;
    assert_eq!(
        full.body["tags"].as_array().map(Vec::len),
        Some(50),
        "{full:?}"
    );
    let again = patch(0, json!({"add_tags": ["a", "b"]})).await;
    assert_eq!(again.status, 200);
    let given = patch(1, json!({"tags": tags(0..50), "add_tags": ["x"]})).await;
    assert_eq!(given.status, 409);
    // What has more from before may lose some of them.
    let fewer = patch(2, json!({"remove_tags": ["t7"]})).await;
    assert_eq!(fewer.body["tags"].as_array().map(Vec::len), Some(59));

    let bulk = |ids: Value| {
        let body = json!({"ids": ids, "change": {"add_tags": ["new"]}});
        let server = &server;
        async move { server.ask("POST", "/v1/feedback/bulk", token, &body).await }
    };
    let refused = bulk(json!([items[0].id, items[2].id])).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (409, "conflict"));
    let detail = refused.body["detail"].as_str().expect("a sentence");
    assert!(detail.contains("at most 50 tags"), "{detail}");
    let some = bulk(json!([items[0].id, items[1].id])).await;
    assert_eq!(
        (some.status.as_u16(), &some.body["changed"]),
        (200, &json!(1))
    );
    assert_eq!(some.body["results"][0]["outcome"], "refused");
    assert_eq!(
        some.body["results"][0]["reason"],
        "an item has at most 50 tags"
    );
    assert_eq!(some.body["results"][1]["outcome"], "changed");
    let most = server
        .sql("SELECT max(length(tags)) FROM feedback FINAL")
        .await;
    assert_eq!(most, "59");
}

#[tokio::test(flavor = "multi_thread")]
async fn words_of_the_desk_have_no_controls_and_tags_no_spaces_at_their_ends() {
    let server = Server::start().await;
    let mut items = generate(1, 32, now_ms());
    items[0].tags = vec![" old ".to_owned()];
    items[0].merged_into = Uuid::nil();
    insert(&server, &server.org.org.to_string(), &items).await;
    let token = &server.org.analyst_token;
    let path = format!("/v1/feedback/{}", items[0].id);
    for tag in [
        " a ",
        "a ",
        "\u{a0}a",
        "a\u{0}",
        "a\nb",
        "",
        &"x".repeat(41),
    ] {
        for field in ["tags", "add_tags"] {
            let change = json!({(field): [tag]});
            let bulk = json!({"ids": [items[0].id], "change": change});
            for answer in [
                server.ask("PATCH", &path, token, &change).await,
                server.ask("POST", "/v1/feedback/bulk", token, &bulk).await,
            ] {
                let found = (answer.status.as_u16(), &answer.body["field"]);
                assert_eq!(found, (400, &json!(field)), "{tag:?}");
            }
        }
    }
    let fewer = server
        .ask("PATCH", &path, token, &json!({"remove_tags": [" old "]}))
        .await;
    assert_eq!(fewer.body["tags"], json!([]), "{fewer:?}");

    for text in ["a\u{0}b", "\u{1b}[2J", "a\u{85}", "a\u{7f}"] {
        for (kind, field) in [("notes", "note"), ("replies", "reply")] {
            let one = json!({"text": text});
            let one = server
                .ask("POST", &format!("{path}/{kind}"), token, &one)
                .await;
            assert_eq!(
                (one.status.as_u16(), &one.body["field"]),
                (400, &json!("text"))
            );
            let bulk = json!({"ids": [items[0].id], (field): text});
            let bulk = server.ask("POST", "/v1/feedback/bulk", token, &bulk).await;
            assert_eq!(
                (bulk.status.as_u16(), &bulk.body["field"]),
                (400, &json!(field))
            );
        }
    }
    assert_eq!(server.sql("SELECT count() FROM feedback_thread").await, "0");
    let lines = json!({"text": "Two\r\nlines\tand a tab"});
    let answer = server
        .ask("POST", &format!("{path}/notes"), token, &lines)
        .await;
    assert_eq!(
        (answer.status.as_u16(), &answer.body["text"]),
        (201, &lines["text"])
    );
}
