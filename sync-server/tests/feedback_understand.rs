//! What people say is judged as it comes in, and what says the same is proposed as a group.

mod harness;

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::{Request, header};
use harness::{Device, Server};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use snag_server::AppState;
use snag_server::orgs::{FeedbackRules, OrgPolicy};
use uuid::Uuid;

async fn server() -> Server {
    let policy = OrgPolicy {
        feedback: FeedbackRules {
            per_device_per_hour: 1_000,
            per_address_per_hour: 10_000,
        },
        ..OrgPolicy::default()
    };
    Server::with(5, policy, AppState::system_clock()).await
}

/// Says something about a screen, so many minutes ago; returns the item.
async fn say(
    server: &Server,
    device: &Device,
    screen: &str,
    text: &str,
    incidents: &[&str],
    minutes: i64,
) -> Uuid {
    let id = Uuid::now_v7();
    let trail: Vec<Value> = incidents
        .iter()
        .map(|kind| json!({"before_ms": 500, "text": "Clicked", "incident": kind}))
        .collect();
    let at = Timestamp::now() - SignedDuration::from_mins(minutes);
    let body = json!({"id": id, "created_at": at.to_string(), "category": "bug",
        "description": text, "target": {"app": "erp", "screen": screen},
        "friction_trail": trail});
    let request = Request::post("/v1/feedback")
        .header(header::AUTHORIZATION, format!("Bearer {}", device.token))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_string()));
    let answer = server.send(request.expect("a request")).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    id
}

fn ids(group: &Value) -> BTreeSet<Uuid> {
    let items = group["items"].as_array().expect("items");
    items
        .iter()
        .map(|id| id.as_str().and_then(|id| id.parse().ok()).expect("an id"))
        .collect()
}

#[tokio::test]
async fn items_are_judged_as_they_come_in() {
    let server = server().await;
    let device = server.enroll().await;
    for (text, language, sentiment) in [
        ("I love the new search, it is great!", "en", "positive"),
        ("Export to PDF doesn't work \u{1f621}", "en", "negative"),
        ("Das Speichern stürzt immer ab", "de", ""),
        ("\u{1f44d}\u{1f44d}", "", "positive"),
    ] {
        let id = say(&server, &device, "Export", text, &[], 1).await;
        let sql = format!(
            "SELECT language, sentiment, sign(polarity_micro) FROM feedback FINAL WHERE id = '{id}'"
        );
        let sign = match sentiment {
            "positive" => 1,
            "negative" => -1,
            _ => 0,
        };
        let expected = format!("{language}\t{sentiment}\t{sign}");
        // What is at the ends of a line is cut off from both.
        assert_eq!(server.sql(&sql).await.trim(), expected.trim(), "{text}");
        let sql = format!("SELECT sentiment FROM submissions WHERE id = '{id}'");
        assert_eq!(server.sql(&sql).await, sentiment);
    }
}

#[tokio::test]
async fn what_says_the_same_is_proposed_as_one_group() {
    let server = server().await;
    let (one, two, three) = (
        server.enroll().await,
        server.enroll().await,
        server.enroll().await,
    );
    let same = [
        say(
            &server,
            &one,
            "Invoices",
            "Export to PDF doesn't work",
            &[],
            50,
        )
        .await,
        say(&server, &two, "Invoices", "PDF export is broken!", &[], 40).await,
        say(
            &server,
            &three,
            "Invoices",
            "exprot to pdf does not work for Zebediah",
            &[],
            30,
        )
        .await,
    ];
    // The same words about another screen, other words about the same one.
    let elsewhere = say(
        &server,
        &one,
        "Orders",
        "Export to PDF doesn't work",
        &[],
        20,
    )
    .await;
    let other = say(
        &server,
        &two,
        "Invoices",
        "Please add a dark theme",
        &[],
        10,
    )
    .await;
    let after = ["rage_click", "dead_click", "rage_click"];
    let friction = [
        say(&server, &one, "Login", "I am lost here", &after, 9).await,
        say(
            &server,
            &three,
            "Login",
            "Nothing reacts to my badge",
            &after,
            8,
        )
        .await,
    ];
    let apart = say(
        &server,
        &two,
        "Login",
        "The colours hurt",
        &["dead_click"],
        7,
    )
    .await;

    let token = &server.org.analyst_token;
    let answer = server.get("/v1/feedback/groups", token).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let groups = answer.body["items"].as_array().expect("groups");
    assert_eq!(groups.len(), 2, "{answer:?}");
    assert_eq!(answer.body["compared"], 8);
    assert_eq!(answer.body["more"], false);
    let (text, after) = (&groups[0], &groups[1]);
    assert_eq!(ids(text), BTreeSet::from(same));
    assert_eq!(text["into"], json!(same[0]), "the oldest");
    assert_eq!(text["reason"]["rule"], "text");
    let words = text["reason"]["shared_words"].as_array().expect("words");
    for word in ["broken", "export", "pdf"] {
        assert!(words.contains(&json!(word)), "{text}");
    }
    assert!(
        !answer.body.to_string().contains("zebediah"),
        "one person's word"
    );
    let score = text["score"].as_f64().expect("a score");
    assert!((0.7..=1.0).contains(&score), "{text}");
    assert_eq!(ids(after), BTreeSet::from(friction));
    assert_eq!(after["reason"]["rule"], "friction");
    assert_eq!(
        after["reason"]["friction"],
        json!(["rage_click", "dead_click", "rage_click"])
    );

    // One by one, each once, and the newest first where that is asked for.
    let page = server
        .get("/v1/feedback/groups?limit=1&sort=recent", token)
        .await;
    assert_eq!(ids(&page.body["items"][0]), BTreeSet::from(friction));
    let cursor = page.body["next_cursor"].as_str().expect("a cursor");
    let path = format!("/v1/feedback/groups?limit=1&sort=recent&cursor={cursor}");
    let page = server.get(&path, token).await;
    assert_eq!(ids(&page.body["items"][0]), BTreeSet::from(same));
    assert_eq!(page.body["next_cursor"], Value::Null);

    let only = server
        .get("/v1/feedback/groups?screen=Login&app=erp", token)
        .await;
    assert_eq!(only.body["items"].as_array().map(Vec::len), Some(1));

    // What the desk put aside is proposed no more.
    let merge = Request::post(format!("/v1/feedback/{}/merge", same[1]))
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(json!({"into": same[0]}).to_string()));
    let merged = server.send(merge.expect("a request")).await;
    assert!(merged.status.is_success(), "{merged:?}");
    let answer = server
        .get("/v1/feedback/groups?screen=Invoices", token)
        .await;
    assert_eq!(
        ids(&answer.body["items"][0]),
        BTreeSet::from([same[0], same[2]])
    );

    let similar = |id: Uuid| format!("/v1/feedback/{id}/similar");
    let answer = server.get(&similar(same[2]), token).await;
    let found = answer.body["items"].as_array().expect("items");
    assert_eq!(found.len(), 1, "{answer:?}");
    assert_eq!(found[0]["id"], json!(same[0]));
    let answer = server.get(&similar(friction[0]), token).await;
    assert_eq!(answer.body["items"][0]["id"], json!(friction[1]));
    for id in [elsewhere, other, apart] {
        let answer = server.get(&similar(id), token).await;
        assert_eq!(answer.body["items"], json!([]), "{answer:?}");
    }
    // Another organisation's, and what isn't an id.
    for (path, status, field) in [
        (similar(Uuid::now_v7()), 404, None),
        ("/v1/feedback/x/similar".to_owned(), 404, None),
        (format!("{}?limit=0", similar(other)), 400, Some("limit")),
        (
            "/v1/feedback/groups?cursor=x".to_owned(),
            400,
            Some("cursor"),
        ),
        ("/v1/feedback/groups?sort=age".to_owned(), 400, Some("sort")),
        (
            "/v1/feedback/groups?status=new".to_owned(),
            400,
            Some("status"),
        ),
    ] {
        let answer = server.get(&path, token).await;
        assert_eq!(answer.status, status, "{path} {answer:?}");
        assert_eq!(answer.body["field"].as_str(), field, "{path}");
    }
    assert_eq!(
        server.get("/v1/feedback/groups", &one.token).await.status,
        403
    );
}

#[tokio::test]
async fn the_same_friction_on_several_screens_is_a_group_of_its_own() {
    let server = server().await;
    let device = server.enroll().await;
    let both = ["rage_click", "dead_click"];
    let items = [
        say(&server, &device, "Login", "I am lost here", &both, 9).await,
        say(&server, &device, "Login", "Nothing reacts", &both, 8).await,
        say(&server, &device, "Orders", "What a mess", &both, 7).await,
    ];
    // One kind alone is common: on other screens it says nothing.
    for (screen, minutes) in [("Login", 6), ("Orders", 5)] {
        say(
            &server,
            &device,
            screen,
            "Grey on grey",
            &["dead_click"],
            minutes,
        )
        .await;
    }
    let path = "/v1/feedback/groups";
    let answer = server.get(path, &server.org.analyst_token).await;
    let groups = answer.body["items"].as_array().expect("groups");
    assert_eq!(groups.len(), 2, "{answer:?}");
    let (wide, narrow) = (&groups[0], &groups[1]);
    assert_eq!(ids(wide), BTreeSet::from(items));
    assert_eq!(wide["reason"]["rule"], "friction_of_app");
    assert_eq!(wide["reason"]["friction"], json!(both));
    assert_eq!(
        (&wide["app"], &wide["screen"]),
        (&json!("erp"), &Value::Null)
    );
    assert_eq!(wide["into"], json!(items[0]));
    assert_eq!(ids(narrow), BTreeSet::from([items[0], items[1]]));
    assert_eq!(narrow["reason"]["rule"], "friction");
    assert_eq!(narrow["screen"], "Login");
    assert!(
        wide["score"].as_f64() < narrow["score"].as_f64(),
        "{answer:?}"
    );
    assert_ne!(wide["id"], narrow["id"]);
}

#[tokio::test]
async fn twenty_thousand_items_are_compared_in_bounded_time() {
    let server = server().await;
    let sql = format!(
        "INSERT INTO feedback (org, newest, id, version, product, device, at, received_at, \
         category, description, app, screen, status) \
         SELECT '{}', 9223372036854775807 - toUnixTimestamp64Milli(moment), generateUUIDv4(), 1, \
         'default', generateUUIDv4(), moment, moment, 'bug', \
         concat('The ', ['save', 'print', 'export', 'search'][1 + number % 4], ' ', \
         ['button', 'menu', 'dialog'][1 + number % 3], ' fails on ', \
         toString(intDiv(number, 60) % 400), arrayElement(['alpha', 'bravo', 'charlie'], 1 + number % 3)), \
         'erp', 'Main', 'new' FROM (SELECT number, now64(3, 'UTC') - toIntervalSecond(number) AS moment \
         FROM numbers(30000))",
        server.org.org
    );
    server.execute(&sql).await;
    let path = "/v1/feedback/groups?limit=100";
    let answer = server.get(path, &server.org.analyst_token).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.body["compared"], 20_000);
    assert_eq!(answer.body["more"], true);
    // What is done to what: the rest is said once in a hundred times.
    let groups = answer.body["items"].as_array().expect("groups");
    assert_eq!(groups.len(), 12);
    let sizes: u64 = groups
        .iter()
        .filter_map(|group| group["size"].as_u64())
        .sum();
    assert_eq!(sizes, 20_000);
}
