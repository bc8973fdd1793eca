//! Accounts: logging in, sessions, roles, lock-out, revocation.

mod harness;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, header};
use harness::{Answer, Server};
use jiff::Timestamp;
use serde_json::{Value, json};
use snag_server::accounts::users::{self, NewUser, UserChange};
use snag_server::accounts::{password, session};
use snag_server::auth::Role;
use snag_server::orgs::OrgPolicy;
use uuid::Uuid;

const PASSWORD: &str = "plenty of friction here";

/// A clock that the test moves.
#[derive(Clone)]
struct Hands(Arc<AtomicI64>);

impl Hands {
    fn new() -> Self {
        Self(Arc::new(AtomicI64::new(Timestamp::now().as_millisecond())))
    }

    fn forward(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::Relaxed);
    }

    async fn server(&self) -> Server {
        let hands = self.clone();
        let clock =
            move || Timestamp::from_millisecond(hands.0.load(Ordering::Relaxed)).expect("a moment");
        Server::with(5, OrgPolicy::default(), Arc::new(clock)).await
    }
}

async fn user(server: &Server, login: &str, role: Role) -> Uuid {
    let new = NewUser {
        org: server.org.org,
        login,
        name: "Somebody",
        role,
    };
    let hash = password::hash(PASSWORD).expect("a hash");
    let id = Uuid::now_v7();
    users::create(&server.warehouse, &new, id, hash, Timestamp::now())
        .await
        .expect("an account")
        .id
}

/// Somebody's browser.
struct Browser<'a> {
    server: &'a Server,
    cookie: String,
    csrf: String,
}

fn call(method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.header(header::CONTENT_TYPE, "application/json");
    request
        .body(Body::from(body.to_string()))
        .expect("a request")
}

async fn try_login(server: &Server, login: &str, password: &str) -> Answer {
    let body = json!({"login": login, "password": password});
    server.send(call("POST", "/v1/login", &[], &body)).await
}

fn cookie_of(answer: &Answer) -> String {
    let cookie = answer.headers[header::SET_COOKIE].to_str().expect("text");
    cookie.split(';').next().expect("a pair").to_owned()
}

async fn log_in<'a>(server: &'a Server, login: &str) -> Browser<'a> {
    let answer = try_login(server, login, PASSWORD).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    Browser {
        server,
        cookie: cookie_of(&answer),
        csrf: answer.body["csrf_token"]
            .as_str()
            .expect("a token")
            .to_owned(),
    }
}

impl Browser<'_> {
    async fn call(&self, method: &str, path: &str, body: &Value) -> Answer {
        let headers = [
            ("cookie", self.cookie.as_str()),
            ("x-csrf-token", self.csrf.as_str()),
            ("sec-fetch-site", "same-origin"),
        ];
        self.server.send(call(method, path, &headers, body)).await
    }

    async fn get(&self, path: &str) -> Answer {
        let headers = [("cookie", self.cookie.as_str())];
        self.server
            .send(call("GET", path, &headers, &json!(null)))
            .await
    }
}

#[tokio::test]
async fn a_cookie_makes_an_actor_with_the_accounts_role_and_name() {
    let server = Server::start().await;
    user(&server, "anna@acme.example", Role::Viewer).await;
    let answer = try_login(&server, "Anna@Acme.example", PASSWORD).await;
    let cookie = answer.headers[header::SET_COOKIE].to_str().expect("text");
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert!(!cookie.contains("Secure"), "plain HTTP here: {cookie}");
    let anna = log_in(&server, "anna@acme.example").await;
    let me = anna.get("/v1/me").await;
    assert_eq!(
        (
            &me.body["actor"],
            &me.body["role"],
            &me.body["user"]["login"]
        ),
        (
            &json!("user:anna@acme.example"),
            &json!("viewer"),
            &json!("anna@acme.example")
        )
    );
    assert_eq!(me.body["csrf_token"], anna.csrf.as_str());
    assert_eq!(me.body["organisation"]["name"], "acme");
    assert_eq!(anna.get("/v1/insights/overview").await.status, 200);
    assert_eq!(anna.get("/v1/admin/users").await.code(), "forbidden");
    // A device's route takes no person.
    assert_eq!(anna.get("/v1/policy").await.status, 401);
    // Neither the password nor the session's secret is stored.
    let secret = anna.cookie.split_once('=').expect("a pair").1;
    let stored = server
        .sql("SELECT groupArray(session_hash) FROM user_sessions")
        .await;
    assert!(!stored.contains(secret) && stored.len() > 64);
    let hashes = server.sql("SELECT password_hash FROM users").await;
    assert!(
        hashes.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
        "{hashes}"
    );
    // A token says who it is, too.
    let me = server.get("/v1/me", &server.org.admin_token).await;
    assert_eq!(
        (me.body["role"].as_str(), &me.body["user"]),
        (Some("admin"), &json!(null))
    );
}

#[tokio::test]
async fn what_changes_something_takes_the_token_and_the_own_site() {
    let server = Server::start().await;
    user(&server, "ada@acme.example", Role::Admin).await;
    let ada = log_in(&server, "ada@acme.example").await;
    let body = json!({"login": "bob@acme.example", "name": "Bob", "role": "viewer"});
    let cookie = ("cookie", ada.cookie.as_str());
    let csrf = ("x-csrf-token", ada.csrf.as_str());
    for (name, headers) in [
        ("no token", vec![cookie]),
        ("wrong token", vec![cookie, ("x-csrf-token", "wrong")]),
        (
            "another site",
            vec![cookie, csrf, ("sec-fetch-site", "cross-site")],
        ),
        (
            "another origin",
            vec![
                cookie,
                csrf,
                ("origin", "https://evil.example"),
                ("host", "snag.example"),
            ],
        ),
    ] {
        let answer = server
            .send(call("POST", "/v1/admin/users", &headers, &body))
            .await;
        assert_eq!(answer.code(), "forbidden", "{name}: {answer:?}");
    }
    assert_eq!(server.sql("SELECT count() FROM users").await, "1");
    let made = ada.call("POST", "/v1/admin/users", &body).await;
    assert_eq!(made.status, 201, "{made:?}");
    // Another session's token is not this one's.
    let again = log_in(&server, "ada@acme.example").await;
    let headers = [cookie, ("x-csrf-token", again.csrf.as_str())];
    let crossed = server
        .send(call("POST", "/v1/logout", &headers, &json!(null)))
        .await;
    assert_eq!(crossed.code(), "forbidden");
    // Another site can't log somebody in, nor send what isn't JSON.
    let login = json!({"login": "ada@acme.example", "password": PASSWORD});
    let foreign = call(
        "POST",
        "/v1/login",
        &[("sec-fetch-site", "cross-site")],
        &login,
    );
    assert_eq!(server.send(foreign).await.status, 403);
    let form = Request::post("/v1/login").header(header::CONTENT_TYPE, "text/plain");
    let form = form.body(Body::from(login.to_string())).expect("a request");
    assert_eq!(server.send(form).await.code(), "unsupported_media_type");
    // A program's token needs none of this.
    let bearer = format!("Bearer {}", server.org.admin_token);
    let body = json!({"login": "eve@acme.example", "name": "Eve", "role": "viewer"});
    let headers = [("authorization", bearer.as_str())];
    let made = server
        .send(call("POST", "/v1/admin/users", &headers, &body))
        .await;
    assert_eq!(made.status, 201, "{made:?}");
}

#[tokio::test]
async fn wrong_passwords_and_unknown_names_are_answered_alike() {
    let server = Server::start().await;
    user(&server, "anna@acme.example", Role::Viewer).await;
    let id = user(&server, "gone@acme.example", Role::Viewer).await;
    let gone = users::by_id(&server.warehouse, server.org.org, id)
        .await
        .expect("a row")
        .expect("an account");
    let change = UserChange {
        disabled: Some(true),
        ..UserChange::default()
    };
    let gone = users::plan(&server.warehouse, &gone, &change, Timestamp::now())
        .await
        .expect("a change");
    users::write(&server.warehouse, &gone).await.expect("a row");
    let wrong = try_login(&server, "anna@acme.example", "not the password").await;
    assert_eq!((wrong.status.as_u16(), wrong.code()), (401, "unauthorized"));
    for (login, password) in [
        ("nobody@acme.example", PASSWORD),
        ("gone@acme.example", PASSWORD),
        ("no name at all", PASSWORD),
        ("", ""),
    ] {
        let answer = try_login(&server, login, password).await;
        assert_eq!(answer.status, wrong.status, "{login}");
        assert_eq!(answer.body, wrong.body, "{login}");
        assert!(!answer.headers.contains_key(header::SET_COOKIE));
    }
    // A known name costs one hash, an unknown one, too.
    let time = async |login: &str| {
        let before = std::time::Instant::now();
        try_login(&server, login, "not the password").await;
        before.elapsed()
    };
    let (mut known, mut unknown, mut alone) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..3 {
        known.push(time("anna@acme.example").await);
        unknown.push(time(&format!("nobody{number}@acme.example")).await);
        let before = std::time::Instant::now();
        password::hash(PASSWORD).expect("a hash");
        alone.push(before.elapsed());
    }
    let least = |times: &[std::time::Duration]| times.iter().min().copied().unwrap_or_default();
    let (known, unknown, hash_alone) = (least(&known), least(&unknown), least(&alone));
    assert!(
        unknown > hash_alone / 3,
        "{unknown:?} against {hash_alone:?}"
    );
    assert!(known > hash_alone / 3, "{known:?} against {hash_alone:?}");
}

#[tokio::test]
async fn guessing_locks_the_account_for_ever_longer() {
    let hands = Hands::new();
    let server = hands.server().await;
    user(&server, "anna@acme.example", Role::Viewer).await;
    // Names that nobody has are locked like those that somebody has.
    for login in ["anna@acme.example", "nobody@acme.example"] {
        for _ in 0..5 {
            assert_eq!(try_login(&server, login, "guess guess").await.status, 401);
        }
        let right = try_login(&server, login, PASSWORD).await;
        assert_eq!(
            (right.status.as_u16(), right.code()),
            (429, "too_many_requests")
        );
        assert_eq!(right.headers[header::RETRY_AFTER], "5", "{login}");
        hands.forward(5_001);
        assert_eq!(try_login(&server, login, "guess guess").await.status, 401);
        let answer = try_login(&server, login, PASSWORD).await;
        assert_eq!(answer.headers[header::RETRY_AFTER], "10", "{login}");
    }
    // Another process over the same tables has not forgotten.
    let other = snag_server::AppState::new(server.warehouse.clone(), Default::default(), {
        let hands = hands.clone();
        Arc::new(move || {
            Timestamp::from_millisecond(hands.0.load(Ordering::Relaxed)).expect("a moment")
        })
    });
    let app = snag_server::router::router(other);
    let body = json!({"login": "anna@acme.example", "password": PASSWORD});
    let there = tower::ServiceExt::oneshot(app, call("POST", "/v1/login", &[], &body)).await;
    assert_eq!(there.expect("infallible").status(), 429);
    // It ends, and the right password wipes the slate.
    hands.forward(10_001);
    log_in(&server, "anna@acme.example").await;
    for _ in 0..4 {
        assert_eq!(
            try_login(&server, "anna@acme.example", "guess")
                .await
                .status,
            401
        );
    }
    log_in(&server, "anna@acme.example").await;
    let stored = server
        .sql("SELECT groupArray(subject) FROM login_failures")
        .await;
    assert!(!stored.contains("anna"), "{stored}");
}

#[tokio::test]
async fn a_hundred_guesses_at_once_are_not_a_hundred_guesses() {
    let server = Server::start().await;
    user(&server, "anna@acme.example", Role::Viewer).await;
    let guesses = (0..100).map(|_| try_login(&server, "anna@acme.example", "guess guess"));
    let answers = futures_util::future::join_all(guesses).await;
    let checked = answers.iter().filter(|answer| answer.status == 401).count();
    let refused = answers.iter().filter(|answer| answer.status == 429).count();
    assert!((1..=5).contains(&checked), "{checked} were checked");
    assert_eq!(checked + refused, 100);
}

#[tokio::test]
async fn an_address_that_tries_many_names_is_locked_and_others_are_not() {
    let server = Server::start().await;
    user(&server, "anna@acme.example", Role::Viewer).await;
    let from = async |login: &str, password: &str, address: &str| {
        let body = json!({"login": login, "password": password});
        let mut request = call("POST", "/v1/login", &[], &body);
        let peer: SocketAddr = address.parse().expect("an address");
        request.extensions_mut().insert(ConnectInfo(peer));
        server.send(request).await.status.as_u16()
    };
    for number in 0..50 {
        let login = format!("guess{number}@acme.example");
        assert_eq!(
            from(&login, PASSWORD, "[2001:db8::1]:7").await,
            401,
            "{number}"
        );
    }
    let anna = "anna@acme.example";
    assert_eq!(from(anna, PASSWORD, "[2001:db8::2]:8").await, 429);
    assert_eq!(from(anna, PASSWORD, "192.0.2.9:8").await, 200);
}

#[tokio::test]
async fn sessions_end_by_themselves_and_at_once_when_they_have_to() {
    let hands = Hands::new();
    let server = hands.server().await;
    let id = user(&server, "anna@acme.example", Role::Analyst).await;
    user(&server, "olga@acme.example", Role::Owner).await;
    let login = "anna@acme.example";

    // Idle.
    let anna = log_in(&server, login).await;
    hands.forward(session::IDLE_MS - 1_000);
    assert_eq!(anna.get("/v1/me").await.status, 200);
    hands.forward(session::IDLE_MS - 1_000);
    assert_eq!(anna.get("/v1/me").await.status, 200, "its use was noted");
    hands.forward(session::IDLE_MS + 1_000);
    let ended = anna.get("/v1/me").await;
    assert_eq!((ended.status.as_u16(), ended.code()), (401, "unauthorized"));

    // In use, but for too long.
    let anna = log_in(&server, login).await;
    for _ in 0..11 {
        hands.forward(3_600_000);
        assert_eq!(anna.get("/v1/me").await.status, 200);
    }
    hands.forward(3_600_000);
    assert_eq!(anna.get("/v1/me").await.status, 401);

    // Logged out: this one, not the other.
    let (anna, other) = (log_in(&server, login).await, log_in(&server, login).await);
    let out = anna.call("POST", "/v1/logout", &json!(null)).await;
    assert_eq!(out.status, 204);
    assert!(cookie_of(&out).ends_with('='));
    assert_eq!(anna.get("/v1/me").await.status, 401);
    assert_eq!(other.get("/v1/me").await.status, 200);
    let anna = log_in(&server, login).await;
    let out = anna
        .call("POST", "/v1/logout?everywhere=true", &json!(null))
        .await;
    assert_eq!(out.status, 204);
    assert_eq!(other.get("/v1/me").await.status, 401);

    // Ended by others: role, password, disabling, sessions.
    let olga = log_in(&server, "olga@acme.example").await;
    let path = format!("/v1/admin/users/{id}");
    for (method, path, body, status) in [
        ("PATCH", path.clone(), json!({"role": "viewer"}), 200),
        ("DELETE", format!("{path}/sessions"), json!(null), 204),
        (
            "POST",
            format!("{path}/password"),
            json!({"password": PASSWORD}),
            200,
        ),
        ("PATCH", path.clone(), json!({"disabled": true}), 200),
    ] {
        let anna = log_in(&server, login).await;
        assert_eq!(anna.get("/v1/me").await.status, 200);
        let answer = olga.call(method, &path, &body).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(anna.get("/v1/me").await.status, 401, "{method} {path}");
    }
    assert_eq!(try_login(&server, login, PASSWORD).await.status, 401);
    // A name alone ends nothing.
    assert_eq!(
        olga.call("PATCH", &path, &json!({"disabled": false}))
            .await
            .status,
        200
    );
    let anna = log_in(&server, login).await;
    assert_eq!(
        olga.call("PATCH", &path, &json!({"name": "Anna B."}))
            .await
            .status,
        200
    );
    assert_eq!(anna.get("/v1/me").await.status, 200);
}

#[tokio::test]
async fn ones_own_password_takes_the_old_one_and_ends_other_sessions() {
    let server = Server::start().await;
    user(&server, "anna@acme.example", Role::Viewer).await;
    let login = "anna@acme.example";
    let (anna, other) = (log_in(&server, login).await, log_in(&server, login).await);
    let path = "/v1/me/password";
    let new = "a better one, much longer";
    for (current, new, status, field) in [
        ("not it at all", new, 401, None),
        (PASSWORD, "short", 400, Some("new")),
        (PASSWORD, "anna@acme.example!", 400, Some("new")),
    ] {
        let body = json!({"current": current, "new": new});
        let answer = anna.call("POST", path, &body).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.body["field"].as_str(), field);
        assert!(!answer.body.to_string().contains(new), "{answer:?}");
    }
    let done = anna
        .call("POST", path, &json!({"current": PASSWORD, "new": new}))
        .await;
    assert_eq!(done.status, 200, "{done:?}");
    assert_eq!(
        anna.get("/v1/me").await.status,
        401,
        "the old session is over"
    );
    assert_eq!(other.get("/v1/me").await.status, 401);
    let fresh = Browser {
        server: &server,
        cookie: cookie_of(&done),
        csrf: done.body["csrf_token"]
            .as_str()
            .expect("a token")
            .to_owned(),
    };
    assert_eq!(fresh.get("/v1/me").await.status, 200);
    assert_eq!(try_login(&server, login, PASSWORD).await.status, 401);
    assert_eq!(try_login(&server, login, new).await.status, 200);
    // A token has no password.
    let bearer = format!("Bearer {}", server.org.admin_token);
    let body = json!({"current": PASSWORD, "new": new});
    let answer = server
        .send(call(
            "POST",
            path,
            &[("authorization", bearer.as_str())],
            &body,
        ))
        .await;
    assert_eq!(answer.code(), "forbidden");
}

#[tokio::test]
async fn a_password_that_was_reset_meanwhile_stays() {
    let server = Server::start().await;
    let login = "anna@acme.example";
    let id = user(&server, login, Role::Viewer).await;
    let anna = log_in(&server, login).await;
    // The next right password writes that there are no failures any more: by that the test
    // sees that the old one was checked.
    assert_eq!(try_login(&server, login, "not it at all").await.status, 401);
    let (new, reset) = ("a better one, much longer", "what the administrator chose");
    let held = server.state.accounts.changing.lock().await;
    let body = json!({"current": PASSWORD, "new": new});
    let change = anna.call("POST", "/v1/me/password", &body);
    let meanwhile = async {
        let checked = "SELECT countIf(failures = 0) FROM login_failures FINAL";
        while server.sql(checked).await == "0" {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        let org = server.org.org;
        let before = users::by_id(&server.warehouse, org, id)
            .await
            .expect("reads");
        let before = before.expect("the account");
        let change = UserChange {
            password_hash: Some(password::hash(reset).expect("a hash")),
            ..UserChange::default()
        };
        let after = users::plan(&server.warehouse, &before, &change, Timestamp::now()).await;
        let after = after.expect("it may be so");
        users::write(&server.warehouse, &after)
            .await
            .expect("writes");
        drop(held);
    };
    let both = async { tokio::join!(change, meanwhile) };
    let both = tokio::time::timeout(std::time::Duration::from_secs(300), both).await;
    let (answer, ()) = both.expect("the old password is checked");
    assert_eq!(answer.status, 401, "{answer:?}");
    assert_eq!(try_login(&server, login, new).await.status, 401);
    assert_eq!(try_login(&server, login, reset).await.status, 200);
    let logged = "SELECT count() FROM audit WHERE action = 'user.password'";
    assert_eq!(
        server.sql(logged).await,
        "0",
        "what wasn't done isn't logged"
    );
}

#[tokio::test]
async fn nobody_gives_or_takes_what_is_above_them_and_an_owner_stays() {
    let server = Server::start().await;
    let owner = user(&server, "olga@acme.example", Role::Owner).await;
    let admin = user(&server, "ada@acme.example", Role::Admin).await;
    let analyst = user(&server, "anna@acme.example", Role::Analyst).await;
    let olga = log_in(&server, "olga@acme.example").await;
    let ada = log_in(&server, "ada@acme.example").await;
    let anna = log_in(&server, "anna@acme.example").await;
    let path = |id: Uuid| format!("/v1/admin/users/{id}");

    let new =
        |role: &str| json!({"login": format!("{role}@new.example"), "name": "N", "role": role});
    assert_eq!(
        ada.call("POST", "/v1/admin/users", &new("owner"))
            .await
            .status,
        403
    );
    assert_eq!(
        ada.call("POST", "/v1/admin/users", &new("admin"))
            .await
            .status,
        201
    );
    assert_eq!(
        anna.call("POST", "/v1/admin/users", &new("viewer"))
            .await
            .status,
        403
    );
    let again = ada.call("POST", "/v1/admin/users", &new("admin")).await;
    assert_eq!(
        (again.code(), again.body["field"].as_str()),
        ("conflict", Some("login"))
    );

    for (who, method, path, body, status) in [
        (&ada, "PATCH", path(admin), json!({"role": "owner"}), 403),
        (&ada, "PATCH", path(analyst), json!({"role": "owner"}), 403),
        (&ada, "PATCH", path(owner), json!({"disabled": true}), 403),
        (&ada, "PATCH", path(owner), json!({"role": "viewer"}), 403),
        (
            &ada,
            "POST",
            format!("{}/password", path(owner)),
            json!({}),
            403,
        ),
        (
            &ada,
            "DELETE",
            format!("{}/sessions", path(owner)),
            json!(null),
            403,
        ),
        (&anna, "PATCH", path(analyst), json!({"role": "admin"}), 403),
        (&olga, "PATCH", path(owner), json!({"disabled": true}), 409),
        (&olga, "PATCH", path(owner), json!({"role": "admin"}), 409),
        (&olga, "PATCH", path(Uuid::now_v7()), json!({}), 404),
        (
            &olga,
            "PATCH",
            "/v1/admin/users/x".to_owned(),
            json!({}),
            404,
        ),
        (&olga, "PATCH", path(admin), json!({"rank": "owner"}), 400),
    ] {
        let answer = who.call(method, &path, &body).await;
        assert_eq!(answer.status, status, "{method} {path} {body}: {answer:?}");
    }
    // Two owners: one may go, then the other stays. At once, too.
    assert_eq!(
        olga.call("PATCH", &path(admin), &json!({"role": "owner"}))
            .await
            .status,
        200
    );
    let ada = log_in(&server, "ada@acme.example").await;
    let (down, of_admin, of_owner) = (json!({"role": "viewer"}), path(admin), path(owner));
    let (one, two) = tokio::join!(
        olga.call("PATCH", &of_admin, &down),
        ada.call("PATCH", &of_owner, &down),
    );
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert!(matches!(statuses, [200, 401 | 403 | 409]), "{statuses:?}");
    let owners = "SELECT count() FROM users FINAL WHERE role = 'owner' AND NOT disabled";
    assert_eq!(server.sql(owners).await, "1");
    // Every act has a name.
    let acts = server
        .sql("SELECT DISTINCT actor, action FROM audit WHERE action LIKE 'user.%' ORDER BY ALL")
        .await;
    assert!(
        acts.contains("user:ada@acme.example\tuser.create"),
        "{acts}"
    );
    assert!(
        acts.contains("user:olga@acme.example\tuser.change"),
        "{acts}"
    );
    assert!(!acts.contains("anna"), "{acts}");
}

#[tokio::test]
async fn another_organisation_sees_and_changes_nothing() {
    let server = Server::start().await;
    let anna = user(&server, "anna@acme.example", Role::Viewer).await;
    let other = snag_server::control::create_org(
        &server.warehouse,
        snag_server::control::NewOrg {
            name: "other",
            contact: "x",
            k: 5,
            local: false,
            policy: OrgPolicy::default(),
        },
        Timestamp::now(),
    )
    .await
    .expect("an organisation");
    let bearer = format!("Bearer {}", other.admin_token);
    let headers = [("authorization", bearer.as_str())];
    let send = async |method: &str, path: String, body: Value| {
        server.send(call(method, &path, &headers, &body)).await
    };
    let listed = send("GET", "/v1/admin/users".to_owned(), json!(null)).await;
    assert_eq!(listed.body, json!([]));
    let path = format!("/v1/admin/users/{anna}");
    for (method, path, body) in [
        ("GET", path.clone(), json!(null)),
        ("PATCH", path.clone(), json!({"disabled": true})),
        ("POST", format!("{path}/password"), json!({})),
        ("DELETE", format!("{path}/sessions"), json!(null)),
    ] {
        assert_eq!(send(method, path, body).await.status, 404, "{method}");
    }
    // A login name belongs to one person on the whole server.
    let body = json!({"login": "anna@acme.example", "name": "A", "role": "viewer"});
    assert_eq!(
        send("POST", "/v1/admin/users".to_owned(), body)
            .await
            .status,
        409
    );
    log_in(&server, "anna@acme.example").await;
}
