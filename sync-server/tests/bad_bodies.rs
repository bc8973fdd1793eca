//! Bodies that are almost right, at every route that takes one: a list for an object, an
//! object for a word, a type that isn't named, a parameter that nobody knows. Each is a
//! problem, and leaves nothing.

mod harness;

use axum::body::Body;
use axum::http::{Request, header};
use harness::{Answer, Device, Server};
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

const PASSWORD: &str = "correct horse battery";

/// A request that is taken, and what could pass for parts of its body: where, and what a
/// generous parser would read as the same.
struct Good {
    method: &'static str,
    path: String,
    token: String,
    body: Value,
    disguised: Vec<(&'static str, Value)>,
}

async fn send(server: &Server, good: &Good, body: &Value, content_type: Option<&str>) -> Answer {
    let mut request = Request::builder()
        .method(good.method)
        .uri(&good.path)
        .header(header::AUTHORIZATION, format!("Bearer {}", good.token));
    for value in content_type.into_iter().flat_map(|text| text.split('\n')) {
        request = request.header(header::CONTENT_TYPE, value);
    }
    let request = request.body(Body::from(body.to_string()));
    server.send(request.expect("a request")).await
}

async fn make(server: &Server, path: &str, token: &str, body: Value) {
    let good = Good {
        method: "POST",
        path: path.to_owned(),
        token: token.to_owned(),
        body,
        disguised: Vec::new(),
    };
    let answer = send(server, &good, &good.body, Some("application/json")).await;
    assert_eq!(answer.status, 201, "{answer:?}");
}

fn submission(id: Uuid) -> Value {
    json!({
        "id": id,
        "created_at": Timestamp::now().to_string(),
        "category": "bug",
        "description": "The export hangs.",
        "target": {"app": "excel", "screen": "Export", "url": ""},
        "friction_trail": [{"before_ms": 4_000, "text": "Clicked", "incident": "rage_click"}],
        "screen_resolution": {"width": 1920, "height": 1080},
        "viewport_size": {"width": 1200, "height": 800},
        "annotation": [
            {"shape": "text", "at": {"x": 1, "y": 2}, "text": "here"},
            {"shape": "box", "from": {"x": 1, "y": 2}, "to": {"x": 3, "y": 4}},
        ],
    })
}

/// What a device sends.
fn of_a_device(server: &Server, device: &Device) -> Vec<Good> {
    let facts = json!({"os": "linux", "agent_version": "0.1.0", "segment": "lab"});
    let id = Uuid::now_v7();
    vec![
        Good {
            method: "POST",
            path: "/v1/enroll".to_owned(),
            token: String::new(),
            body: json!({"token": server.org.enroll_token, "device": facts}),
            disguised: vec![
                ("", json!([server.org.enroll_token, facts])),
                ("/device", json!(["linux", "0.1.0", "lab"])),
            ],
        },
        Good {
            method: "POST",
            path: "/v1/feedback".to_owned(),
            token: device.token.clone(),
            body: submission(id),
            disguised: vec![
                ("", json!([id, Timestamp::now().to_string(), "bug"])),
                ("/category", json!({"bug": null})),
                ("/target", json!(["excel", "Export", ""])),
                (
                    "/friction_trail/0",
                    json!([4_000, "Clicked", "rage_click", "", ""]),
                ),
                ("/friction_trail/0/incident", json!({"rage_click": null})),
                ("/screen_resolution", json!([1920, 1080])),
                ("/viewport_size", json!([1200, 800])),
                ("/annotation/0", json!(["text", {"x": 1, "y": 2}, "here"])),
                ("/annotation/0/shape", json!({"text": null})),
                ("/annotation/0/at", json!([1, 2])),
                ("/annotation/1/to", json!([3, 4])),
                (
                    "/annotation/1",
                    json!({"box": {"from": {"x": 1, "y": 2}, "to": {"x": 3, "y": 4}}}),
                ),
            ],
        },
    ]
}

/// What is done at the desk with `item`, and with another.
fn of_the_desk(server: &Server, item: Uuid, other: Uuid) -> Vec<Good> {
    let good = |method, path: String, body, disguised| Good {
        method,
        path,
        token: server.org.analyst_token.clone(),
        body,
        disguised,
    };
    let at = |act: &str| format!("/v1/feedback/{item}{act}");
    let progress = json!({"status": "in_progress"});
    vec![
        good(
            "PATCH",
            at(""),
            progress.clone(),
            vec![
                ("/status", json!({"in_progress": null})),
                ("", json!(["in_progress"])),
                ("", json!([])),
            ],
        ),
        good(
            "POST",
            at("/notes"),
            json!({"text": "Seen."}),
            vec![("", json!(["Seen."]))],
        ),
        good(
            "POST",
            at("/replies"),
            json!({"text": "Thanks."}),
            vec![("", json!(["Thanks."]))],
        ),
        good(
            "POST",
            at("/merge"),
            json!({"into": other}),
            vec![("", json!([other]))],
        ),
        good(
            "POST",
            "/v1/feedback/bulk".to_owned(),
            json!({"ids": [other], "change": progress}),
            vec![
                ("", json!([[other], progress])),
                ("/change", json!(["in_progress"])),
                ("/change/status", json!({"in_progress": null})),
            ],
        ),
    ]
}

/// What people log in with and administrators change.
fn of_the_organisation(server: &Server) -> Vec<Good> {
    let good = |method, path: &str, body, disguised| Good {
        method,
        path: path.to_owned(),
        token: server.org.admin_token.clone(),
        body,
        disguised,
    };
    vec![
        Good {
            token: String::new(),
            ..good(
                "POST",
                "/v1/login",
                json!({"login": "ann", "password": PASSWORD}),
                vec![("", json!(["ann", PASSWORD]))],
            )
        },
        good(
            "POST",
            "/v1/admin/tokens",
            json!({"scope": "viewer", "name": "board"}),
            vec![
                ("", json!(["viewer", "board", "", null])),
                ("/scope", json!({"viewer": null})),
            ],
        ),
        good(
            "PUT",
            "/v1/admin/policy",
            json!({
                "apps": {"mode": "deny", "apps": ["bank"]},
                "label_rules": [{"app": "excel", "label": "Export", "action": "never"}],
                "feedback": {"per_device_per_hour": 5, "per_address_per_hour": 500},
                "sync": {"batch_age_ms": 60_000, "batch_records": 500, "policy_interval_ms": 900_000},
            }),
            vec![
                ("", json!([{"mode": "deny", "apps": ["bank"]}])),
                ("/apps", json!(["deny", ["bank"]])),
                ("/apps", json!({"mode": "deny", "apps": [], "more": 1})),
                ("/apps/mode", json!({"deny": null})),
                ("/label_rules/0", json!(["excel", "Export", "never"])),
                ("/label_rules/0/action", json!({"never": null})),
                ("/feedback", json!([5, 500])),
                ("/sync", json!([60_000, 500, 900_000])),
                ("/sync/batch_age_ms", json!(86_400_001)),
                ("/sync/batch_records", json!(0)),
                ("/sync/batch_records", json!(10_001)),
                ("/sync/policy_interval_ms", json!(0)),
                ("/sync/policy_interval_ms", json!(u64::MAX)),
                (
                    "/sync",
                    json!({"batch_age_ms": 60_000, "batch_records": 500, "policy_interval_ms": 900_000, "more": 1}),
                ),
            ],
        ),
        good(
            "POST",
            "/v1/admin/users",
            json!({"login": "cleo", "name": "Cleo", "role": "viewer", "password": null}),
            vec![
                ("", json!(["cleo", "Cleo", "viewer", null])),
                ("/role", json!({"viewer": null})),
            ],
        ),
        good(
            "POST",
            "/v1/admin/users/ann/password",
            json!({"password": "another horse battery"}),
            vec![("", json!(["another horse battery"]))],
        ),
        good(
            "PATCH",
            "/v1/admin/users/ann",
            json!({"role": "analyst"}),
            vec![
                ("", json!([null, "analyst"])),
                ("/role", json!({"analyst": null})),
            ],
        ),
    ]
}

/// A server with two items and an account, and every route that takes JSON.
async fn start() -> (Server, Vec<Good>) {
    let server = Server::start().await;
    let device = server.enroll().await;
    let (item, other) = (Uuid::now_v7(), Uuid::now_v7());
    for id in [item, other] {
        make(&server, "/v1/feedback", &device.token, submission(id)).await;
    }
    let ann = json!({"login": "ann", "name": "Ann", "role": "viewer", "password": PASSWORD});
    make(&server, "/v1/admin/users", &server.org.admin_token, ann).await;
    let ann = server.sql("SELECT id FROM users WHERE login = 'ann'").await;
    let mut all = of_a_device(&server, &device);
    all.extend(of_the_desk(&server, item, other));
    all.extend(of_the_organisation(&server));
    for good in &mut all {
        good.path = good.path.replace("/ann", &format!("/{ann}"));
    }
    (server, all)
}

/// How many rows there are of all that these routes write.
async fn stored(server: &Server) -> Vec<String> {
    let mut counts = Vec::new();
    for table in [
        "submissions",
        "feedback",
        "feedback_details",
        "feedback_thread",
        "tokens",
        "users",
        "user_sessions",
        "login_failures",
        "organisations",
        "devices",
        "audit",
    ] {
        let sql = format!("SELECT '{table}', count() FROM {table}");
        counts.push(server.sql(&sql).await);
    }
    counts
}

fn assert_problem(answer: &Answer, status: u16, code: &str, what: &str) {
    assert_eq!(
        (answer.status.as_u16(), answer.code()),
        (status, code),
        "{what}: {answer:?}"
    );
    assert_eq!(
        answer.headers[header::CONTENT_TYPE],
        "application/problem+json",
        "{what}"
    );
}

#[tokio::test]
async fn a_list_is_no_object_and_an_object_no_word() {
    let (server, all) = start().await;
    let before = stored(&server).await;
    for good in &all {
        let (method, path) = (good.method, &good.path);
        for (at, disguise) in &good.disguised {
            let mut body = good.body.clone();
            *body.pointer_mut(at).expect(at) = disguise.clone();
            let answer = send(&server, good, &body, Some("application/json")).await;
            let what = format!("{method} {path} with {at} as {disguise}");
            assert_problem(&answer, 400, "invalid_body", &what);
        }
    }
    assert_eq!(stored(&server).await, before);
    for good in &all {
        let answer = send(&server, good, &good.body, Some("application/json")).await;
        assert!(answer.status.is_success(), "{}: {answer:?}", good.path);
    }
}

#[tokio::test]
async fn a_body_says_its_type() {
    let (server, all) = start().await;
    let before = stored(&server).await;
    for good in &all {
        let (method, path) = (good.method, &good.path);
        for content_type in [
            None,
            Some(""),
            Some("text/plain"),
            Some("application/x-www-form-urlencoded"),
            Some("multipart/form-data; boundary=x"),
            Some("application/jsonp"),
            Some("image/png"),
            // Two headers.
            Some("application/json\napplication/json"),
        ] {
            let answer = send(&server, good, &good.body, content_type).await;
            let what = format!("{method} {path} as {content_type:?}");
            assert_problem(&answer, 415, "unsupported_media_type", &what);
        }
    }
    assert_eq!(stored(&server).await, before);
    for good in &all {
        let content_type = Some("Application/JSON; charset=utf-8");
        let answer = send(&server, good, &good.body, content_type).await;
        assert!(answer.status.is_success(), "{}: {answer:?}", good.path);
    }
}

/// A parameter that nobody has heard of is refused by name, everywhere that somebody asks or
/// changes something: who meant `dry_run` must not get the whole.
#[tokio::test]
async fn a_parameter_that_is_not_there_is_refused() {
    let (server, _) = start().await;
    let device = server.enroll().await;
    let before = stored(&server).await;
    let document = server.get("/v1/openapi.json", "").await.body;
    let mut tried = 0;
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("operations") {
            let kinds = operation["security"].to_string();
            if operation["security"].is_null() && operation["requestBody"].is_null() {
                continue;
            }
            let good = Good {
                method: match method.as_str() {
                    "get" => "GET",
                    "post" => "POST",
                    "put" => "PUT",
                    "patch" => "PATCH",
                    "delete" => "DELETE",
                    other => panic!("{other}"),
                },
                path: path
                    .replace("{id}", &Uuid::now_v7().to_string())
                    .replace("{device}", &device.id)
                    + "?dry_run=true",
                token: match kinds.contains("device") {
                    true => device.token.clone(),
                    false => server.org.admin_token.clone(),
                },
                body: json!({}),
                disguised: Vec::new(),
            };
            // The one has it, the other has parameters for who has a session.
            if ["/v1/admin/cleanup", "/v1/logout"].contains(&path.as_str()) {
                continue;
            }
            tried += 1;
            let answer = send(&server, &good, &good.body, Some("application/json")).await;
            let what = format!("{method} {path}");
            assert_problem(&answer, 400, "invalid_parameter", &what);
            assert_eq!(answer.body["field"], "dry_run", "{what}");
        }
    }
    assert!(tried > 40, "{tried}");
    assert_eq!(stored(&server).await, before);
}

/// The routes of the document that take JSON are those that are tried here.
#[tokio::test]
async fn no_route_is_left_out() {
    let (server, all) = start().await;
    let mut tried: Vec<(String, String)> = all
        .into_iter()
        .map(|good| {
            let named = |part: &str| Uuid::parse_str(part).is_ok();
            let parts = good.path.split('/');
            let parts: Vec<&str> = parts.map(|p| if named(p) { "{id}" } else { p }).collect();
            (parts.join("/"), good.method.to_ascii_lowercase())
        })
        .collect();
    // The first takes a session (`accounts.rs`), the second has a parser of its own (below).
    for path in ["/v1/me/password", "/v1/events/batch"] {
        tried.push((path.to_owned(), "post".to_owned()));
    }
    tried.sort();
    let document = server.get("/v1/openapi.json", "").await.body;
    let mut taking = Vec::new();
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("operations") {
            if operation["requestBody"]["content"]["application/json"].is_object() {
                taking.push((path.clone(), method.clone()));
            }
        }
    }
    taking.sort();
    assert_eq!(taking, tried);
}

#[tokio::test]
async fn a_batch_and_its_records_are_objects_too() {
    let server = Server::start().await;
    let device = server.enroll().await;
    let batch = device.of(vec![harness::click(1)]);
    for (at, disguise) in [
        ("", json!([device.id, "default", "0.1.0"])),
        ("/contexts/0", json!([1, "excel", "0000000000000001"])),
    ] {
        let mut wrong = batch.clone();
        *wrong.pointer_mut(at).expect(at) = disguise;
        let answer = server.batch(&device, &wrong).await;
        assert_problem(&answer, 400, "invalid_body", at);
    }
    for (at, disguise) in [
        ("/records/0/type", json!({"event": null})),
        ("/records/0/kind", json!({"click": null})),
        ("/records/0/detail", json!({"left": null})),
    ] {
        let mut wrong = batch.clone();
        *wrong.pointer_mut(at).expect(at) = disguise;
        // The parts that are known first are read in another way than those that follow.
        for named in [r#""type":"#, r#""seq":"#] {
            let record = wrong["records"][0].as_object().expect("a record").clone();
            let (first, rest): (Vec<_>, Vec<_>) = record
                .into_iter()
                .partition(|(name, _)| named.contains(name.as_str()));
            let fields: Vec<String> = first
                .into_iter()
                .chain(rest)
                .map(|(name, value)| format!("\"{name}\":{value}"))
                .collect();
            let mut empty = wrong.clone();
            empty["records"] = json!([]);
            let text = empty.to_string().replace(
                "\"records\":[]",
                &format!("\"records\":[{{{}}}]", fields.join(",")),
            );
            let request = device.request(&harness::gzip(text.as_bytes()));
            let answer = server.send(request).await;
            assert_eq!(answer.counts(), (0, 0, 1), "{named} {at}: {answer:?}");
        }
    }
    let answer = server.batch(&device, &batch).await;
    assert_eq!(answer.counts(), (1, 0, 0), "{answer:?}");
}
