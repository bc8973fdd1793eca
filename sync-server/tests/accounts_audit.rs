//! Programs' tokens, and reading the audit log.

mod harness;

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, header};
use harness::{Answer, Server};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use snag_server::audit::{self, Act};
use snag_server::auth::{Actor, Role};
use snag_server::orgs::OrgPolicy;
use snag_server::{AppState, router};
use uuid::Uuid;

async fn call(server: &Server, method: &str, path: &str, token: &str, body: &Value) -> Answer {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::AUTHORIZATION, format!("Bearer {token}"));
    let request = request
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_string()))
        .expect("a request");
    server.send(request).await
}

async fn make(server: &Server, body: &Value) -> Answer {
    call(
        server,
        "POST",
        "/v1/admin/tokens",
        &server.org.admin_token,
        body,
    )
    .await
}

async fn actor(server: &Server, name: &str) -> Actor {
    let org = server
        .state
        .orgs
        .get(&server.warehouse, server.org.org)
        .await;
    Actor {
        org: org.expect("an answer").expect("an organisation"),
        role: Role::Analyst,
        name: name.to_owned(),
    }
}

#[tokio::test]
async fn a_programs_token_has_a_name_a_scope_an_end_and_a_last_use() {
    let server = Server::start().await;
    let admin = &server.org.admin_token;
    for (body, code, field) in [
        (json!({"scope": "viewer"}), "invalid_body", "name"),
        (
            json!({"scope": "viewer", "name": " "}),
            "invalid_body",
            "name",
        ),
        (
            json!({"scope": "viewer", "name": "a\u{7}b"}),
            "invalid_body",
            "name",
        ),
        (
            json!({"scope": "device", "name": "x"}),
            "invalid_body",
            "scope",
        ),
        (
            json!({"scope": "viewer", "name": "x", "expires_at": "2020-01-01T00:00:00Z"}),
            "invalid_body",
            "expires_at",
        ),
        (
            json!({"scope": "admin", "name": "first admin"}),
            "conflict",
            "name",
        ),
    ] {
        let answer = make(&server, &body).await;
        assert_eq!(
            (answer.code(), answer.body["field"].as_str()),
            (code, Some(field)),
            "{body}"
        );
    }
    let made = make(&server, &json!({"scope": "viewer", "name": "wall board"})).await;
    let viewer = made.body["token"].as_str().expect("a token").to_owned();
    let listed = server.get("/v1/admin/tokens", admin).await;
    let of = |listed: &Answer, name: &str| {
        let tokens = listed.body.as_array().cloned().unwrap_or_default();
        tokens
            .into_iter()
            .find(|token| token["name"] == name)
            .unwrap_or_else(|| panic!("{name} in {listed:?}"))
    };
    let board = of(&listed, "wall board");
    assert_eq!(
        (
            &board["scope"],
            &board["last_used_at"],
            &board["expires_at"]
        ),
        (&json!("viewer"), &json!(null), &json!(null))
    );
    // It reads, and no more.
    let before = Timestamp::now();
    assert_eq!(
        server.get("/v1/insights/overview", &viewer).await.status,
        200
    );
    let me = server.get("/v1/me", &viewer).await;
    assert_eq!(me.body["actor"], "token:wall board");
    assert_eq!(
        server.get("/v1/admin/tokens", &viewer).await.code(),
        "forbidden"
    );
    let used = of(&server.get("/v1/admin/tokens", admin).await, "wall board");
    let used: Timestamp = used["last_used_at"]
        .as_str()
        .expect("used")
        .parse()
        .expect("a moment");
    assert!(
        used.duration_since(before).abs() < SignedDuration::from_secs(60),
        "{used}"
    );
    // Revoked, it is refused at once, and its name is free.
    let path = format!("/v1/admin/tokens/{}", board["id"].as_str().expect("an id"));
    assert_eq!(
        call(&server, "DELETE", &path, admin, &json!(null))
            .await
            .status,
        200
    );
    assert_eq!(server.get("/v1/me", &viewer).await.status, 401);
    assert_eq!(
        make(&server, &json!({"scope": "viewer", "name": "wall board"}))
            .await
            .status,
        200
    );
    // Every one of these acts is in the log with its actor.
    let acts = server.get("/v1/admin/audit?action=token.*", admin).await;
    let seen: Vec<_> = acts.body["items"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|act| {
            (
                act["action"].as_str(),
                act["actor"].as_str(),
                act["detail"]["name"].as_str(),
            )
        })
        .collect();
    let by = Some("token:first admin");
    assert_eq!(
        seen,
        [
            (Some("token.create"), by, Some("wall board")),
            (Some("token.revoke"), by, Some("wall board")),
            (Some("token.create"), by, Some("wall board")),
        ]
    );
    assert!(!acts.body.to_string().contains(&viewer));
}

#[tokio::test]
async fn a_token_ends_by_itself() {
    let now = Arc::new(std::sync::atomic::AtomicI64::new(
        Timestamp::now().as_millisecond(),
    ));
    let hands = Arc::clone(&now);
    let clock = move || {
        let ms = hands.load(std::sync::atomic::Ordering::Relaxed);
        Timestamp::from_millisecond(ms).expect("a moment")
    };
    let server = Server::with(5, OrgPolicy::default(), Arc::new(clock)).await;
    let end = server.state.now() + SignedDuration::from_hours(1);
    let made = make(
        &server,
        &json!({"scope": "analyst", "name": "ci", "expires_at": end}),
    )
    .await;
    let token = made.body["token"].as_str().expect("a token").to_owned();
    assert_eq!(server.get("/v1/me", &token).await.body["role"], "analyst");
    now.fetch_add(3_600_000, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(server.get("/v1/me", &token).await.status, 401);
    assert_eq!(
        server.get("/v1/me", &server.org.analyst_token).await.status,
        200
    );
}

#[tokio::test]
async fn a_token_revoked_on_another_server_is_refused_within_seconds() {
    let server = Server::start().await;
    let device = server.enroll().await;
    assert_eq!(
        server.get("/v1/me", &server.org.analyst_token).await.status,
        200
    );
    assert_eq!(server.get("/v1/policy", &device.token).await.status, 200);
    // Another process over the same tables.
    let there = AppState::new(
        server.warehouse.clone(),
        Default::default(),
        AppState::system_clock(),
    );
    let app = router::router(there);
    let id = snag_server::control::token_id(&server.org.analyst_token);
    let request = Request::delete(format!("/v1/admin/tokens/{id}"))
        .header(
            header::AUTHORIZATION,
            format!("Bearer {}", server.org.admin_token),
        )
        .body(Body::empty())
        .expect("a request");
    let revoked = tower::ServiceExt::oneshot(app, request)
        .await
        .expect("infallible");
    assert_eq!(revoked.status(), 200);
    let begun = std::time::Instant::now();
    while server.get("/v1/me", &server.org.analyst_token).await.status == 200 {
        assert!(
            begun.elapsed().as_secs() < 30,
            "still taken after half a minute"
        );
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    assert_eq!(server.get("/v1/policy", &device.token).await.status, 200);
}

#[tokio::test]
async fn the_log_is_read_by_filters_and_pages() {
    let server = Server::start().await;
    let admin = &server.org.admin_token;
    let start: Timestamp = "2026-11-01T09:00:00Z".parse().expect("a moment");
    let (anna, bob) = (
        actor(&server, "user:anna").await,
        actor(&server, "user:bob").await,
    );
    for number in 0..25_i64 {
        let target = format!("t{}", number % 5);
        let act = Act {
            action: if number % 2 == 0 {
                "user.change"
            } else {
                "feedback.status"
            },
            target: &target,
            detail: json!({"number": number}),
        };
        let who = if number % 3 == 0 { &anna } else { &bob };
        // Five at one moment: a page's end may lie between them.
        let at = start + SignedDuration::from_secs(number / 5);
        audit::log(&server.warehouse, who, &[act], at)
            .await
            .expect("a row");
    }
    let numbers = async |query: &str| -> Vec<i64> {
        let answer = server.get(&format!("/v1/admin/audit?{query}"), admin).await;
        assert_eq!(answer.status, 200, "{query}: {answer:?}");
        let items = answer.body["items"].as_array().expect("a list").clone();
        items
            .iter()
            .map(|act| act["detail"]["number"].as_i64().expect("a number"))
            .collect()
    };
    let all = numbers("").await;
    assert_eq!(all.len(), 25);
    assert!(
        all.chunks(5)
            .zip((0..5).rev())
            .all(|(five, second)| five.iter().all(|n| n / 5 == second))
    );
    let mut paged = Vec::new();
    let mut query = "limit=4".to_owned();
    loop {
        let answer = server.get(&format!("/v1/admin/audit?{query}"), admin).await;
        let items = answer.body["items"].as_array().expect("a list");
        paged.extend(
            items
                .iter()
                .map(|act| act["detail"]["number"].as_i64().expect("a number")),
        );
        match answer.body["next_cursor"].as_str() {
            Some(cursor) => query = format!("limit=4&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(paged, all);
    let sorted = |mut numbers: Vec<i64>| {
        numbers.sort_unstable();
        numbers
    };
    let which = |keep: fn(i64) -> bool| (0..25).filter(|n| keep(*n)).collect::<Vec<i64>>();
    for (query, keep) in [
        ("actor=user:anna", (|n| n % 3 == 0) as fn(i64) -> bool),
        ("action=user.change", |n| n % 2 == 0),
        ("action=user.*", |n| n % 2 == 0),
        ("target=t3", |n| n % 5 == 3),
        ("from=2026-11-01T09:00:01Z&to=2026-11-01T09:00:03Z", |n| {
            (5..15).contains(&n)
        }),
        ("actor=user:bob&action=feedback.*&target=t1", |n| {
            n % 3 != 0 && n % 2 == 1 && n % 5 == 1
        }),
        (
            "actor=' OR 1=1 --".split(' ').next().unwrap_or_default(),
            |_| false,
        ),
    ] {
        assert_eq!(sorted(numbers(query).await), which(keep), "{query}");
    }
    for (query, field) in [
        ("actr=x", "actr"),
        ("limit=0", "limit"),
        ("cursor=zzz", "cursor"),
        ("from=tomorrow", "from"),
        ("from=2026-11-02&to=2026-11-01", "to"),
        ("actor=", "actor"),
    ] {
        let answer = server.get(&format!("/v1/admin/audit?{query}"), admin).await;
        assert_eq!(
            (answer.status.as_u16(), answer.body["field"].as_str()),
            (400, Some(field))
        );
    }
    let analyst = server
        .get("/v1/admin/audit", &server.org.analyst_token)
        .await;
    assert_eq!(analyst.code(), "forbidden");
    // Another organisation's log is another one.
    let other = snag_server::control::NewOrg {
        name: "other",
        contact: "x",
        k: 5,
        local: false,
        policy: OrgPolicy::default(),
    };
    let other = snag_server::control::create_org(&server.warehouse, other, Timestamp::now());
    let other = other.await.expect("an organisation");
    let theirs = server.get("/v1/admin/audit", &other.admin_token).await;
    assert_eq!(theirs.body["items"], json!([]));
}

#[tokio::test]
async fn a_device_reads_who_touched_what_its_person_said_and_no_more() {
    let server = Server::start().await;
    let (mine, other) = (server.enroll().await, server.enroll().await);
    let (my_item, other_item) = (Uuid::now_v7(), Uuid::now_v7());
    for (item, device) in [(my_item, &mine), (other_item, &other)] {
        let sql = format!(
            "INSERT INTO submissions (org, product, id, device, at, received_at) \
             VALUES ('{}', 'default', '{item}', '{}', now64(3), now())",
            server.org.org, device.id
        );
        server.execute(&sql).await;
    }
    let anna = actor(&server, "user:anna@acme.example").await;
    let targets = [my_item.to_string(), other_item.to_string()];
    let acts: Vec<Act<'_>> = targets
        .iter()
        .flat_map(|target| {
            ["feedback.read", "screenshot.read", "feedback.delete"].map(|action| Act {
                action,
                target,
                detail: json!({"device": "none of your business"}),
            })
        })
        .chain([Act {
            action: "user.change",
            target: &targets[0],
            detail: json!({}),
        }])
        .collect();
    audit::log(&server.warehouse, &anna, &acts, Timestamp::now())
        .await
        .expect("rows");
    // Also after the item itself is gone.
    server.execute("TRUNCATE TABLE submissions").await;
    let answer = server.get("/v1/audit/mine?limit=2", &mine.token).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let cursor = answer.body["next_cursor"].as_str().expect("more");
    let rest = server
        .get(&format!("/v1/audit/mine?cursor={cursor}"), &mine.token)
        .await;
    assert_eq!(rest.body["next_cursor"], json!(null));
    let mut items = answer.body["items"].as_array().expect("a list").clone();
    items.extend(rest.body["items"].as_array().expect("a list").clone());
    let mut actions: Vec<&str> = items
        .iter()
        .filter_map(|act| act["action"].as_str())
        .collect();
    actions.sort_unstable();
    assert_eq!(
        actions,
        ["feedback.delete", "feedback.read", "screenshot.read"]
    );
    for act in &items {
        assert_eq!(act["feedback"], my_item.to_string());
        assert_eq!(act["actor"], "user:anna@acme.example");
    }
    let text = json!(items).to_string();
    assert!(
        !text.contains("business") && !text.contains(&other.id),
        "{text}"
    );
    // The administrators' log doesn't name the device.
    let log = server
        .get("/v1/admin/audit?action=feedback.*", &server.org.admin_token)
        .await;
    let text = log.body.to_string();
    assert!(text.contains(&my_item.to_string()));
    assert!(!text.contains(&mine.id) && !text.contains(&other.id));
    // A person's token is no device's.
    let answer = server.get("/v1/audit/mine", &server.org.admin_token).await;
    assert_eq!(answer.code(), "forbidden");
    assert_eq!(
        server.get("/v1/audit/mine?actor=x", &mine.token).await.body["field"],
        "actor"
    );
}
