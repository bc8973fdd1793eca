//! Enrolment, tokens, policy, health, metrics.

mod harness;

use std::io::Write as _;
use std::process::{Command, Stdio};

use axum::body::Body;
use axum::http::{Request, header};
use harness::{Server, click};
use jiff::Timestamp;
use serde_json::{Value, json};
use snag_server::AppState;
use snag_server::auth::Scope;
use snag_server::control::{self, ControlError, NewOrg, NewToken};
use snag_server::orgs::OrgPolicy;
use snag_wire::{AppRules, LabelAction, LabelRule};

fn enrolment(token: &str, device: Value) -> Request<Body> {
    let body = json!({"token": token, "device": device}).to_string();
    Request::post("/v1/enroll")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body))
        .expect("a request")
}

fn linux() -> Value {
    json!({"os": "linux", "agent_version": "0.1.0"})
}

#[tokio::test]
async fn a_device_enrols_with_an_enrolment_token_only() {
    let server = Server::start().await;
    let answer = server
        .send(enrolment(&server.org.enroll_token, linux()))
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let policy = &answer.body["policy"];
    assert_eq!(policy["organisation"]["contact"], "it@acme.example");
    assert_eq!(
        (policy["k"].as_u64(), policy["next_seq"].as_u64()),
        (Some(5), Some(0))
    );
    assert_eq!(policy["label_key"].as_str().map(str::len), Some(64));
    for (name, request, status, code) in [
        (
            "unknown",
            enrolment("snag_enroll_x", linux()),
            401,
            "unauthorized",
        ),
        (
            "analyst",
            enrolment(&server.org.analyst_token, linux()),
            403,
            "forbidden",
        ),
        (
            "os",
            enrolment(
                &server.org.enroll_token,
                json!({"os": "beos", "agent_version": "1"}),
            ),
            400,
            "invalid_body",
        ),
        (
            "host name",
            enrolment(
                &server.org.enroll_token,
                json!({"os": "linux", "agent_version": "1", "host": "pc-7"}),
            ),
            400,
            "invalid_body",
        ),
    ] {
        let answer = server.send(request).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (status, code),
            "{name}"
        );
        assert!(!answer.body.to_string().contains(&server.org.enroll_token));
    }
    // Neither token is stored.
    let tokens = server
        .sql("SELECT groupArray(token_hash) FROM tokens")
        .await;
    let token = answer.body["device_token"].as_str().expect("a token");
    assert!(!tokens.contains(token) && tokens.contains(&snag_server::auth::token_hash(token)));
    assert_eq!(server.sql("SELECT count() FROM devices").await, "1");
}

#[tokio::test]
async fn the_segment_of_the_token_counts_more_than_the_devices() {
    let server = Server::start().await;
    let new = NewToken {
        org: server.org.org,
        scope: Scope::Enroll,
        name: "berlin",
        device: None,
        segment: "berlin",
        expires_at: None,
    };
    let token = control::add_token(&server.warehouse, &new, Timestamp::now())
        .await
        .expect("a token");
    let facts = json!({"os": "linux", "agent_version": "0.1.0", "segment": "own idea"});
    for (token, segment) in [(&token, "berlin"), (&server.org.enroll_token, "own idea")] {
        let answer = server.send(enrolment(token, facts.clone())).await;
        let device = harness::Device {
            id: answer.body["device"].as_str().expect("an id").to_owned(),
            token: answer.body["device_token"]
                .as_str()
                .expect("a token")
                .to_owned(),
        };
        assert_eq!(
            server
                .batch(&device, &device.of(vec![click(1)]))
                .await
                .status,
            200
        );
        let sql = format!("SELECT segment FROM events WHERE device = '{}'", device.id);
        assert_eq!(server.sql(&sql).await, segment);
    }
}

#[tokio::test]
async fn every_scope_opens_its_own_doors_only() {
    let server = Server::start().await;
    let device = server.enroll().await;
    let org = &server.org;
    for (token, policy) in [
        (device.token.as_str(), 200),
        (org.analyst_token.as_str(), 403),
        (org.admin_token.as_str(), 403),
        (org.enroll_token.as_str(), 403),
        ("snag_device_unknown", 401),
        ("", 401),
    ] {
        let answer = server.get("/v1/policy", token).await;
        assert_eq!(answer.status.as_u16(), policy, "{token}");
        assert_eq!(
            answer.headers.contains_key(header::WWW_AUTHENTICATE),
            policy == 401
        );
    }
}

#[tokio::test]
async fn a_revoked_token_is_refused() {
    let server = Server::start().await;
    let device = server.enroll().await;
    assert_eq!(server.get("/v1/policy", &device.token).await.status, 200);
    control::revoke_token(
        &server.warehouse,
        server.org.org,
        &device.id,
        Timestamp::now(),
    )
    .await
    .expect("it is there");
    server.state.tokens.forget_all();
    assert_eq!(server.get("/v1/policy", &device.token).await.status, 401);
    let again = control::revoke_token(
        &server.warehouse,
        server.org.org,
        &device.id,
        Timestamp::now(),
    );
    assert!(matches!(again.await, Err(ControlError::NoSuchToken)));
}

#[tokio::test]
async fn organisations_have_a_k_of_five_and_rules_that_parse() {
    let server = Server::start().await;
    let create = |name: &'static str, k, local| {
        let new = NewOrg {
            name,
            contact: "x",
            k,
            local,
            policy: OrgPolicy::default(),
        };
        control::create_org(&server.warehouse, new, Timestamp::now())
    };
    assert!(matches!(
        create("small", 4, false).await,
        Err(ControlError::KTooSmall(4))
    ));
    assert!(matches!(
        create("acme", 5, false).await,
        Err(ControlError::NameTaken(_))
    ));
    assert!(matches!(
        create("", 5, false).await,
        Err(ControlError::BadName)
    ));
    assert_eq!(create("mine", 5, true).await.expect("local").k, 1);
    let bad = OrgPolicy {
        label_rules: vec![LabelRule {
            app: "*".to_owned(),
            label: "(".to_owned(),
            action: LabelAction::Never,
        }],
        ..OrgPolicy::default()
    };
    assert!(bad.check().is_err());
    let thresholds = [("no_such_threshold".to_owned(), 1)].into();
    let odd = OrgPolicy {
        thresholds,
        ..OrgPolicy::default()
    };
    assert!(odd.check().is_err());
    let set = control::set_policy(&server.warehouse, server.org.org, &bad, Timestamp::now()).await;
    assert!(matches!(set, Err(ControlError::BadPolicy(_))), "{set:?}");
}

#[tokio::test]
async fn a_policy_has_an_etag_that_changes_with_it() {
    let server = Server::start().await;
    let device = server.enroll().await;
    let first = server.get("/v1/policy", &device.token).await;
    let etag = first.headers[header::ETAG]
        .to_str()
        .expect("text")
        .to_owned();
    let conditional = |etag: String| {
        Request::get("/v1/policy")
            .header(header::AUTHORIZATION, format!("Bearer {}", device.token))
            .header(header::IF_NONE_MATCH, etag)
            .body(Body::empty())
            .expect("a request")
    };
    for known in [
        etag.clone(),
        format!("W/{etag}"),
        format!("\"x\", {etag}"),
        "*".to_owned(),
    ] {
        let answer = server.send(conditional(known)).await;
        assert_eq!((answer.status.as_u16(), answer.body), (304, json!("")));
    }
    // Records alone are no new policy.
    assert_eq!(
        server
            .batch(&device, &device.of(vec![click(1)]))
            .await
            .status,
        200
    );
    let policy = OrgPolicy {
        apps: AppRules::Deny(vec!["keepass*".to_owned()]),
        ..OrgPolicy::default()
    };
    control::set_policy(&server.warehouse, server.org.org, &policy, Timestamp::now())
        .await
        .expect("a policy");
    server.state.orgs.forget(server.org.org);
    let second = server.send(conditional(etag.clone())).await;
    assert_eq!(second.status, 200);
    assert_ne!(second.headers[header::ETAG], etag.as_str());
    assert_eq!(
        second.body["apps"],
        json!({"mode": "deny", "apps": ["keepass*"]})
    );
    assert!(second.body["version"].as_u64() > first.body["version"].as_u64());
    let answer = server.batch(&device, &device.of(vec![click(2)])).await;
    assert_eq!(answer.body["policy_version"], second.body["version"]);
}

#[tokio::test]
async fn health_tells_live_from_ready() {
    let server = Server::start().await;
    let ready = server.get("/health", "").await;
    assert_eq!(ready.status, 200);
    assert_eq!(
        (
            ready.body["ready"].as_bool(),
            ready.body["warehouse"].as_str()
        ),
        (Some(true), Some("ok"))
    );
    assert_eq!(
        server.get("/health?probe=sideways", "").await.body["field"],
        "probe"
    );
    server
        .state
        .draining
        .store(true, std::sync::atomic::Ordering::Relaxed);
    let draining = server.get("/health", "").await;
    assert_eq!(
        (draining.status.as_u16(), draining.body["live"].as_bool()),
        (503, Some(true))
    );
    assert_eq!(server.get("/health?probe=live", "").await.status, 200);
}

#[tokio::test]
async fn a_server_without_its_warehouse_is_live_and_not_ready() {
    // Nothing listens there.
    let warehouse = snag_warehouse::Warehouse::remote(snag_warehouse::RemoteOptions {
        url: "http://127.0.0.1:9".to_owned(),
        user: "default".to_owned(),
        password: String::new(),
        database: "snag".to_owned(),
    })
    .expect("options");
    let state = AppState::new(warehouse, Default::default(), AppState::system_clock());
    let app = snag_server::router::router(state);
    let get = |path: &str| {
        let request = Request::get(path).header(header::AUTHORIZATION, "Bearer snag_device_x");
        let request = request.body(Body::empty()).expect("a request");
        tower::ServiceExt::oneshot(app.clone(), request)
    };
    assert_eq!(get("/health").await.expect("infallible").status(), 503);
    assert_eq!(
        get("/health?probe=live")
            .await
            .expect("infallible")
            .status(),
        200
    );
    let policy = get("/v1/policy").await.expect("infallible");
    assert_eq!(policy.status(), 503);
    assert!(policy.headers().contains_key(header::RETRY_AFTER));
}

#[tokio::test]
async fn promtool_accepts_the_metrics() {
    let server = Server::start().await;
    let device = server.enroll().await;
    let mut bad = click(2);
    bad["context"] = json!(9);
    let answer = server.batch(&device, &device.of(vec![click(1), bad])).await;
    assert_eq!(answer.counts(), (1, 0, 1));
    assert_eq!(server.batch(&device, &json!({})).await.status, 400);
    let metrics = server.get("/metrics", "").await;
    let text = metrics.body.as_str().expect("text");
    for line in [
        "snag_batches_total{status=\"200\"} 1",
        "snag_batches_total{status=\"400\"} 1",
        "snag_records_total{outcome=\"accepted\",reason=\"\"} 1",
        "snag_records_total{outcome=\"rejected\",reason=\"unknown_context\"} 1",
        "snag_inserted_rows_total{table=\"events\"} 1",
        "snag_enrolments_total 1",
        "snag_queue_records 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
    }
    assert!(text.contains("snag_batch_ack_seconds_bucket") && text.contains("snag_build_info{"));
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool, from the package prometheus");
    promtool
        .stdin
        .take()
        .expect("a pipe")
        .write_all(text.as_bytes())
        .expect("a pipe");
    let output = promtool.wait_with_output().expect("an end");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}\n{text}");
}

#[tokio::test]
async fn wrong_addresses_and_methods_are_problems_too() {
    let server = Server::start().await;
    let lost = server.get("/v1/nothing", "").await;
    assert_eq!((lost.status.as_u16(), lost.code()), (404, "not_found"));
    let request = Request::delete("/v1/policy")
        .body(Body::empty())
        .expect("a request");
    let wrong = server.send(request).await;
    assert_eq!(
        (wrong.status.as_u16(), wrong.code()),
        (405, "method_not_allowed")
    );
    let document = server.get("/v1/openapi.json", "").await;
    for path in ["/v1/enroll", "/v1/policy", "/v1/events/batch", "/health"] {
        assert!(document.body["paths"][path].is_object(), "{path}");
    }
}

#[tokio::test]
async fn an_admin_makes_and_revokes_tokens_and_sets_the_policy() {
    let server = Server::start().await;
    let device = server.enroll().await;
    let admin = server.org.admin_token.clone();
    let call = |method: &str, path: &str, token: &str, body: Value| {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_string()))
            .expect("a request");
        server.send(request)
    };
    let made = call(
        "POST",
        "/v1/admin/tokens",
        &admin,
        json!({"scope": "enroll", "name": "berlin"}),
    )
    .await;
    let token = made.body["token"].as_str().expect("a token").to_owned();
    assert_eq!(server.send(enrolment(&token, linux())).await.status, 200);
    let listed = server.get("/v1/admin/tokens", &admin).await;
    let tokens = listed.body.as_array().expect("a list");
    let berlin = tokens
        .iter()
        .find(|t| t["name"] == "berlin")
        .expect("listed");
    assert!(!listed.body.to_string().contains(&token));
    let path = format!("/v1/admin/tokens/{}", berlin["id"].as_str().expect("an id"));
    assert_eq!(call("DELETE", &path, &admin, json!(null)).await.status, 200);
    assert_eq!(server.send(enrolment(&token, linux())).await.status, 401);
    assert_eq!(call("DELETE", &path, &admin, json!(null)).await.status, 404);

    let listed = server.get("/v1/admin/devices", &admin).await;
    assert_eq!(listed.body.as_array().map(Vec::len), Some(2));
    let path = format!("/v1/admin/devices/{}", device.id);
    assert_eq!(call("DELETE", &path, &admin, json!(null)).await.status, 200);
    assert_eq!(server.get("/v1/policy", &device.token).await.status, 401);
    let listed = server.get("/v1/admin/devices", &admin).await;
    let active: Vec<bool> = listed
        .body
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|d| d["active"].as_bool())
        .collect();
    assert_eq!(
        active.iter().filter(|active| **active).count(),
        1,
        "{listed:?}"
    );

    let mut policy = server.get("/v1/admin/policy", &admin).await.body;
    policy["label_rules"] = json!([{"app": "*", "label": "(", "action": "never"}]);
    assert_eq!(
        call("PUT", "/v1/admin/policy", &admin, policy.clone())
            .await
            .status,
        400
    );
    policy["label_rules"] = json!([{"app": "*", "label": "Home", "action": "readable"}]);
    assert_eq!(
        call("PUT", "/v1/admin/policy", &admin, policy).await.status,
        200
    );
    let device = server.enroll().await;
    let seen = server.get("/v1/policy", &device.token).await;
    assert_eq!(seen.body["label_rules"][0]["label"], "Home");
    for token in [&server.org.analyst_token, &device.token] {
        assert_eq!(server.get("/v1/admin/tokens", token).await.status, 403);
        assert_eq!(
            call("PUT", "/v1/admin/policy", token, json!({}))
                .await
                .status,
            403
        );
    }
}
