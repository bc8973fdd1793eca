//! What the desk does: changes, threads, merges, and what is left of them.

use std::collections::HashSet;

use serde_json::{Value, json};
use snag_server::control::{self, NewOrg};
use snag_server::orgs::OrgPolicy;
use uuid::Uuid;

use crate::harness::Server;
use crate::items::{Item, generate, ids, insert, now_ms};

/// A server with some items, none of which is merged.
async fn with_items(count: usize) -> (Server, Vec<Item>) {
    let server = Server::start().await;
    let mut items = generate(count, 5, now_ms());
    for item in &mut items {
        item.merged_into = Uuid::nil();
        (item.status, item.read, item.archived) = ("new", false, false);
        (item.assignee, item.tags) = (String::new(), Vec::new());
    }
    insert(&server, &server.org.org.to_string(), &items).await;
    (server, items)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_is_changed_and_the_act_is_logged() {
    let (server, items) = with_items(3).await;
    let token = &server.org.analyst_token;
    let mut events = server.state.live.listen();
    let path = format!("/v1/feedback/{}", items[0].id);
    let body = json!({"status": "in_progress", "read": true, "archived": true,
        "assignee": "user:ana", "tags": ["a", "b", "a"], "add_tags": ["c"], "remove_tags": ["b"]});
    let answer = server.ask("PATCH", &path, token, &body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    for (field, value) in [
        ("status", json!("in_progress")),
        ("read", json!(true)),
        ("archived", json!(true)),
        ("assignee", json!("user:ana")),
        ("tags", json!(["a", "c"])),
        ("description", json!(items[0].description)),
    ] {
        assert_eq!(answer.body[field], value, "{field}");
    }
    let version = answer.body["version"].as_u64().expect("a version");
    assert_eq!(answer.headers["etag"], format!("\"{version}\""));
    assert_eq!(server.get(&path, token).await.body, answer.body);
    let event = events.try_recv().expect("an event");
    assert_eq!(event.data["ids"], json!([items[0].id]));
    assert_eq!(event.org, server.org.org);

    // The same again changes nothing, and is no act.
    let again = server
        .ask("PATCH", &path, token, &json!({"read": true}))
        .await;
    assert_eq!(again.body["version"], version);
    assert!(events.try_recv().is_err());
    let back = server
        .ask(
            "PATCH",
            &path,
            token,
            &json!({"assignee": null, "tags": []}),
        )
        .await;
    assert_eq!(back.body["assignee"], Value::Null);
    assert_eq!(back.body["tags"], json!([]));
    let log = server
        .sql("SELECT actor, role, action, target, detail FROM audit ORDER BY at, id")
        .await;
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(lines.len(), 2, "{log}");
    assert!(lines[0].starts_with("token:"), "{log}");
    assert!(lines[0].contains(&items[0].id.to_string()) && lines[0].contains("in_progress"));

    // The others are as they were.
    let others = server.pages("status=new&archived=false", 10).await;
    let others: HashSet<String> = ids(&others).into_iter().collect();
    assert_eq!(
        others,
        items[1..].iter().map(|i| i.id.to_string()).collect()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn acts_at_once_lose_nothing() {
    let (server, items) = with_items(2).await;
    let token = &server.org.analyst_token;
    let path = format!("/v1/feedback/{}", items[0].id);
    let acts = (0..20).map(|n| {
        let (server, path) = (&server, &path);
        async move {
            let body = json!({"add_tags": [format!("t{n}")]});
            let answer = server.ask("PATCH", path, token, &body).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let body = json!({"text": format!("note {n}")});
            let answer = server
                .ask("POST", &format!("{path}/notes"), token, &body)
                .await;
            assert_eq!(answer.status, 201, "{answer:?}");
        }
    });
    futures_util::future::join_all(acts).await;
    let item = server.get(&path, token).await.body;
    assert_eq!(item["tags"].as_array().map(Vec::len), Some(20), "{item}");
    assert_eq!(item["notes"], 20);
    assert_eq!(item["thread"].as_array().map(Vec::len), Some(20));
    let logged = server.sql("SELECT count() FROM audit").await;
    assert_eq!(logged, "40");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_for_another_version_is_a_conflict() {
    let (server, items) = with_items(1).await;
    let token = &server.org.analyst_token;
    let path = format!("/v1/feedback/{}", items[0].id);
    let version = server.get(&path, token).await.body["version"].clone();
    let with = |version: String, body: Value| {
        let request = axum::http::Request::patch(&path)
            .header("authorization", format!("Bearer {token}"))
            .header("if-match", version)
            .header("content-type", "application/json")
            .body(axum::body::Body::from(body.to_string()))
            .expect("a request");
        server.send(request)
    };
    let first = with(format!("\"{version}\""), json!({"read": true})).await;
    assert_eq!(first.status, 200, "{first:?}");
    let second = with(format!("\"{version}\""), json!({"read": false})).await;
    assert_eq!((second.status.as_u16(), second.code()), (409, "conflict"));
    assert_eq!(with("W/x".into(), json!({"read": false})).await.status, 400);
    assert_eq!(server.get(&path, token).await.body["read"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn bulk_says_what_became_of_each() {
    let (server, items) = with_items(500).await;
    let token = &server.org.analyst_token;
    let mut asked: Vec<String> = items.iter().map(|item| item.id.to_string()).collect();
    let unknown = Uuid::from_u128(99).to_string();
    asked.insert(3, unknown.clone());
    let body = json!({"ids": asked, "change": {"status": "spam", "read": true}});
    let answer = server.ask("POST", "/v1/feedback/bulk", token, &body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.body["changed"], 500);
    let results = answer.body["results"].as_array().expect("results");
    assert_eq!(results.len(), 501);
    assert_eq!(results[3]["outcome"], "not_found");
    assert_eq!(results[3]["id"], unknown);
    assert!(results.iter().filter(|r| r["outcome"] == "changed").count() == 500);
    assert_eq!(server.pages("status=spam&read=true", 200).await.len(), 500);
    let again = server.ask("POST", "/v1/feedback/bulk", token, &body).await;
    assert_eq!(again.body["changed"], 0);
    assert_eq!(server.sql("SELECT count() FROM audit").await, "500");

    let two = json!([items[0].id, items[1].id]);
    for body in [
        json!({"ids": two, "note": "seen"}),
        json!({"ids": two, "reply": "thanks"}),
    ] {
        let answer = server.ask("POST", "/v1/feedback/bulk", token, &body).await;
        assert_eq!(answer.body["changed"], 2, "{answer:?}");
    }
    let item = server
        .get(&format!("/v1/feedback/{}", items[1].id), token)
        .await
        .body;
    assert_eq!(
        (&item["notes"], &item["replies"]),
        (&json!(1), &json!(1)),
        "{item}"
    );

    for (body, field) in [
        (json!({"ids": []}), "ids"),
        (
            json!({"ids": vec![unknown; 1_001].iter().enumerate().map(|(n, _)| Uuid::from_u128(n as u128)).collect::<Vec<_>>(), "change": {}}),
            "ids",
        ),
        (json!({"ids": two, "note": " "}), "note"),
        (json!({"ids": two, "change": {"tags": [""]}}), "tags"),
        (json!({"ids": two, "change": {"assignee": ""}}), "assignee"),
    ] {
        let answer = server.ask("POST", "/v1/feedback/bulk", token, &body).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["field"]),
            (400, &json!(field))
        );
    }
    for body in [
        json!({"ids": two}),
        json!({"ids": two, "note": "x", "reply": "y"}),
        json!({"ids": two, "change": {"colour": 1}}),
        json!({"ids": two, "change": {"status": null}}),
        json!({"ids": ["x"], "change": {}}),
    ] {
        let answer = server.ask("POST", "/v1/feedback/bulk", token, &body).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (400, "invalid_body"),
            "{body}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_reaches_its_device_and_no_other() {
    let server = Server::start().await;
    let (one, other) = (server.enroll().await, server.enroll().await);
    let mut items = generate(3, 9, now_ms());
    for (item, device) in items.iter_mut().zip([&one, &other, &one]) {
        item.device = device.id.parse().expect("an id");
    }
    insert(&server, &server.org.org.to_string(), &items).await;
    let token = &server.org.analyst_token;
    let none = server.get("/v1/feedback/replies", &one.token).await;
    assert_eq!(none.body, json!({"items": [], "next_after": ""}));
    for (n, item) in items.iter().enumerate() {
        let path = format!("/v1/feedback/{}", item.id);
        let body = json!({"text": format!("reply {n}")});
        let answer = server
            .ask("POST", &format!("{path}/replies"), token, &body)
            .await;
        assert_eq!(answer.status, 201, "{answer:?}");
        assert_eq!(answer.body["kind"], "reply");
        server
            .ask(
                "POST",
                &format!("{path}/notes"),
                token,
                &json!({"text": "inside"}),
            )
            .await;
    }
    let got = server.get("/v1/feedback/replies", &one.token).await.body;
    let texts: Vec<&str> = got["items"]
        .as_array()
        .expect("items")
        .iter()
        .filter_map(|r| r["text"].as_str())
        .collect();
    assert_eq!(texts, ["reply 0", "reply 2"]);
    assert_eq!(got["items"][0]["feedback"], items[0].id.to_string());
    let got_other = server.get("/v1/feedback/replies", &other.token).await.body;
    assert_eq!(got_other["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(got_other["items"][0]["text"], "reply 1");

    // What was given isn't given again; what comes later is.
    let after = got["next_after"].as_str().expect("a place");
    let path = format!("/v1/feedback/replies?after={after}");
    let rest = server.get(&path, &one.token).await.body;
    assert_eq!(rest, json!({"items": [], "next_after": after}));
    let item = format!("/v1/feedback/{}", items[2].id);
    server
        .ask(
            "POST",
            &format!("{item}/replies"),
            token,
            &json!({"text": "more"}),
        )
        .await;
    let rest = server.get(&path, &one.token).await.body;
    assert_eq!(rest["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(rest["items"][0]["text"], "more");

    // The desk sees the thread, and neither side sees more.
    let thread = server.get(&format!("{item}/thread"), token).await.body;
    assert_eq!(
        thread["items"].as_array().map(Vec::len),
        Some(3),
        "{thread}"
    );
    for text in [
        thread.to_string(),
        server.get(&item, token).await.body.to_string(),
    ] {
        assert!(!text.contains(&one.id) && !text.contains("device"));
    }
    assert_eq!(server.get("/v1/feedback/replies", token).await.status, 403);
    for after in ["x", "AAAA", "%00"] {
        let path = format!("/v1/feedback/replies?after={after}");
        let answer = server.get(&path, &one.token).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["field"]),
            (400, &json!("after"))
        );
    }
    // What was written stays out of the log.
    let log = server.sql("SELECT detail FROM audit").await;
    assert!(!log.contains("reply 0") && !log.contains("inside"));
}

#[tokio::test(flavor = "multi_thread")]
async fn replies_by_servers_whose_clocks_differ_are_all_read() {
    let server = Server::start().await;
    let device = server.enroll().await;
    let mut items = generate(2, 9, now_ms());
    for item in &mut items {
        item.device = device.id.parse().expect("an id");
    }
    insert(&server, &server.org.org.to_string(), &items).await;
    let hour = jiff::SignedDuration::from_hours(1);
    let behind = server.restart(std::sync::Arc::new(move || jiff::Timestamp::now() - hour));
    let token = &server.org.analyst_token;
    let mut after = String::new();
    // Each is read before the next is written: the one restarted, too, with its clock set
    // back, and about another item of the same device.
    let again = server.restart(std::sync::Arc::new(move || {
        jiff::Timestamp::now() - hour * 2
    }));
    for (n, writer) in [&server, &behind, &server, &again, &behind]
        .into_iter()
        .enumerate()
    {
        let path = format!("/v1/feedback/{}/replies", items[n % 2].id);
        let body = json!({"text": format!("reply {n}")});
        let answer = writer.ask("POST", &path, token, &body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let path = format!("/v1/feedback/replies?after={after}");
        let got = server.get(&path, &device.token).await.body;
        let texts: Vec<&Value> = got["items"]
            .as_array()
            .expect("items")
            .iter()
            .map(|reply| &reply["text"])
            .collect();
        assert_eq!(texts, [&body["text"]], "{n}");
        after = got["next_after"].as_str().expect("a place").to_owned();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn merges_make_groups_and_can_be_undone() {
    let (server, items) = with_items(5).await;
    let token = &server.org.analyst_token;
    let id = |n: usize| items[n].id.to_string();
    let merge = |from: usize, into: usize| {
        let (path, body) = (
            format!("/v1/feedback/{}/merge", id(from)),
            json!({"into": id(into)}),
        );
        let server = &server;
        async move { server.ask("POST", &path, token, &body).await }
    };
    // 0 → 1 → 2, 3 → 1.
    for (from, into) in [(0, 1), (3, 1), (1, 2)] {
        let answer = merge(from, into).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.body["merged_into"], id(into));
    }
    let listed: HashSet<String> = ids(&server.pages("", 10).await).into_iter().collect();
    assert_eq!(listed, HashSet::from([id(2), id(4)]));
    for n in [0, 1, 2, 3] {
        let group = server
            .get(&format!("/v1/feedback/{}", id(n)), token)
            .await
            .body["group"]
            .clone();
        assert_eq!(group["root"], id(2), "{n}");
        let mut members: Vec<String> = ids(group["members"].as_array().expect("members"));
        members.push(id(n));
        assert_eq!(
            members.iter().collect::<HashSet<_>>().len(),
            4,
            "{n}: {group}"
        );
    }
    // No circle, by one step or more; no merge into itself or into nothing.
    for (from, into) in [(2, 0), (2, 2), (1, 0)] {
        let answer = merge(from, into).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (409, "conflict"),
            "{from} {into}"
        );
    }
    let path = format!("/v1/feedback/{}/merge", id(4));
    let nowhere = server
        .ask("POST", &path, token, &json!({"into": Uuid::from_u128(1)}))
        .await;
    assert_eq!(nowhere.status, 404);
    // Two that would make a circle together: the second of them is refused.
    let (first, second) = tokio::join!(merge(2, 4), merge(4, 2));
    let mut statuses = [first.status.as_u16(), second.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    let root = server
        .get(&format!("/v1/feedback/{}", id(0)), token)
        .await
        .body["group"]["root"]
        .clone();
    let root = root.as_str().expect("a root").to_owned();
    assert!(root == id(2) || root == id(4));
    assert_eq!(
        ids(&server.pages("", 10).await),
        std::slice::from_ref(&root)
    );
    server
        .ask(
            "DELETE",
            &format!("/v1/feedback/{}/merge", id(2)),
            token,
            &json!(null),
        )
        .await;
    server
        .ask(
            "DELETE",
            &format!("/v1/feedback/{}/merge", id(4)),
            token,
            &json!(null),
        )
        .await;

    // Undone, the item stands for those that were merged into it.
    let undo = format!("/v1/feedback/{}/merge", id(1));
    let answer = server.ask("DELETE", &undo, token, &json!(null)).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.body["merged_into"]),
        (200, &Value::Null)
    );
    let listed: HashSet<String> = ids(&server.pages("", 10).await).into_iter().collect();
    assert_eq!(listed, HashSet::from([id(1), id(2), id(4)]));
    assert_eq!(answer.body["group"]["root"], id(1));
    let bulk = json!({"ids": [id(0), id(3)], "unmerge": true});
    let answer = server.ask("POST", "/v1/feedback/bulk", token, &bulk).await;
    assert_eq!(answer.body["changed"], 2);
    assert_eq!(server.pages("", 10).await.len(), 5);
    let bulk = json!({"ids": [id(0), id(1), id(2)], "merge_into": id(2)});
    let answer = server.ask("POST", "/v1/feedback/bulk", token, &bulk).await;
    assert_eq!(answer.body["changed"], 2, "{answer:?}");
    assert_eq!(answer.body["results"][2]["outcome"], "refused");
    let log = server
        .sql("SELECT count() FROM audit WHERE action = 'feedback.unmerge'")
        .await;
    assert!(log.parse::<u32>().expect("a number") >= 3, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_organisation_sees_and_changes_nothing() {
    let (server, items) = with_items(3).await;
    let new = NewOrg {
        name: "globex",
        contact: "",
        k: 5,
        local: false,
        policy: OrgPolicy::default(),
    };
    let other = control::create_org(&server.warehouse, new, jiff::Timestamp::now())
        .await
        .expect("an organisation");
    let token = &other.analyst_token;
    let answer = server.get("/v1/feedback?merged=include", token).await;
    assert_eq!(answer.body, json!({"items": [], "next_cursor": null}));
    let path = format!("/v1/feedback/{}", items[0].id);
    for (method, path, body) in [
        ("GET", path.clone(), json!(null)),
        ("GET", format!("{path}/thread"), json!(null)),
        ("PATCH", path.clone(), json!({"read": true})),
        ("POST", format!("{path}/notes"), json!({"text": "x"})),
        ("POST", format!("{path}/replies"), json!({"text": "x"})),
        (
            "POST",
            format!("{path}/merge"),
            json!({"into": items[1].id}),
        ),
        ("DELETE", format!("{path}/merge"), json!(null)),
        ("GET", "/v1/feedback/not-an-id".into(), json!(null)),
        (
            "PATCH",
            "/v1/feedback/not-an-id".into(),
            json!({"read": true}),
        ),
    ] {
        let answer = server.ask(method, &path, token, &body).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (404, "not_found"),
            "{method} {path}"
        );
    }
    let bulk = json!({"ids": [items[0].id], "change": {"read": true}});
    let answer = server.ask("POST", "/v1/feedback/bulk", token, &bulk).await;
    assert_eq!(answer.body["results"][0]["outcome"], "not_found");
    assert_eq!(server.sql("SELECT count() FROM audit").await, "0");
    assert_eq!(
        server
            .sql("SELECT count() FROM feedback WHERE read = 1")
            .await,
        "0"
    );
    assert_eq!(server.sql("SELECT count() FROM feedback_thread").await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_is_a_problem() {
    let (server, items) = with_items(1).await;
    let token = &server.org.analyst_token;
    let path = format!("/v1/feedback/{}", items[0].id);
    let large = json!({"tags": ["x".repeat(2 << 20)]});
    for (method, path, body, status, code) in [
        ("PATCH", path.as_str(), &large, 413, "too_large"),
        ("GET", "/v1/feedback/%FF", &Value::Null, 404, "not_found"),
        ("PATCH", path.as_str(), &json!([]), 400, "invalid_body"),
    ] {
        let answer = server.ask(method, path, token, body).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (status, code),
            "{method} {path}"
        );
        assert_eq!(answer.headers["content-type"], "application/problem+json");
    }
}
