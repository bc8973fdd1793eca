//! The local SDK over real sockets: who is kept out, what is taken, and the manual's examples as they stand.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use snag_agent::config::Paths;
use snag_agent::desktop::settings::Managed;
use snag_agent::host::{Host, HostEvent, HostOptions, Opening};
use snag_agent::sdk::Access;

async fn start(folder: &Path) -> (Host, Access) {
    let paths = Paths::at(folder).unwrap();
    let file = paths.sdk();
    let options = HostOptions {
        managed: folder.join("no-policy.json"),
        ..HostOptions::app()
    };
    assert_eq!(Managed::load(&options.managed).unwrap(), Managed::default());
    let host = Host::start(paths, options).await.unwrap();
    let access = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    (host, access)
}

/// What is answered to exactly these bytes.
fn raw(port: u16, request: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

fn request(access: &Access, path: &str, headers: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nConnection: close\r\nHost: 127.0.0.1:{}\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n{headers}\r\n{body}",
        access.port,
        access.token,
        body.len()
    )
}

fn status(answer: &str) -> u16 {
    answer
        .get(9..12)
        .and_then(|status| status.parse().ok())
        .unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_are_kept_out() {
    let folder = tempfile::tempdir().unwrap();
    let (host, access) = start(folder.path()).await;
    let good = request(&access, "/v1/event", "", r#"{"name": "step"}"#);
    tokio::task::spawn_blocking({
        let access = access.clone();
        move || {
            let answer = raw(access.port, &good);
            assert_eq!(status(&answer), 202, "{answer}");
            assert!(
                answer.ends_with(r#"{"noticed":false}"#),
                "not enrolled: {answer}"
            );
            for (wrong, with, expected) in [
                (
                    format!("127.0.0.1:{}", access.port),
                    "evil.example:80".to_owned(),
                    403,
                ),
                (
                    format!("127.0.0.1:{}", access.port),
                    format!("127.0.0.1.evil.example:{}", access.port),
                    403,
                ),
                (
                    format!("Host: 127.0.0.1:{}", access.port),
                    "X-No: host".to_owned(),
                    403,
                ),
                (
                    format!("Host: 127.0.0.1:{}", access.port),
                    "Host: 127.0.0.1".to_owned(),
                    403,
                ),
                (access.token.clone(), "0".repeat(64), 401),
                (access.token.clone(), access.token[..63].to_owned(), 401),
                (access.token.clone(), format!("{}0", access.token), 401),
                ("Bearer".to_owned(), "Basic".to_owned(), 401),
                ("Bearer ".to_owned(), "Bearer".to_owned(), 401),
                ("Bearer ".to_owned(), String::new(), 401),
                // The scheme's name is the same in any case.
                ("Bearer".to_owned(), "bearer".to_owned(), 202),
                ("Bearer ".to_owned(), "BEARER  ".to_owned(), 202),
                ("application/json".to_owned(), "text/plain".to_owned(), 415),
            ] {
                let answer = raw(access.port, &good.replacen(&wrong, &with, 1));
                assert_eq!(status(&answer), expected, "{with}: {answer}");
                assert!(
                    !answer.to_lowercase().contains("access-control"),
                    "{answer}"
                );
            }
            for header in [
                "Origin: http://127.0.0.1\r\n",
                "Origin: null\r\n",
                "Sec-Fetch-Site: same-origin\r\n",
                "Host: evil.example\r\n",
            ] {
                let answer = raw(
                    access.port,
                    &request(&access, "/v1/event", header, r#"{"name": "x"}"#),
                );
                assert!(matches!(status(&answer), 400 | 403), "{header}: {answer}");
            }
            let preflight = good.replacen("POST", "OPTIONS", 1).replacen(
                "\r\n\r\n",
                "\r\nOrigin: http://a.example\r\n\r\n",
                1,
            );
            assert_eq!(status(&raw(access.port, &preflight)), 403);
        }
    })
    .await
    .unwrap();
    host.stop().await;
    assert!(
        !folder.path().join("sdk.json").exists(),
        "the token goes with the endpoint"
    );
    assert!(TcpStream::connect(("127.0.0.1", access.port)).is_err());
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_reads_the_token() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let (host, access) = start(folder.path()).await;
    let mode = std::fs::metadata(folder.path().join("sdk.json"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(access.token.len(), 64);
    host.stop().await;
    drop(host);
    let (host, again) = start(folder.path()).await;
    assert_ne!(again.token, access.token, "new with each start");
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn senseless_bodies_and_too_much() {
    let folder = tempfile::tempdir().unwrap();
    let (host, access) = start(folder.path()).await;
    let began = Instant::now();
    tokio::task::spawn_blocking(move || {
        let post = |path: &str, body: &str| {
            let answer = raw(access.port, &request(&access, path, "", body));
            let problem = answer.contains("application/problem+json");
            let status = status(&answer);
            assert_eq!(problem, status >= 400, "{answer}");
            status
        };
        let long = format!(r#"{{"name": "{}"}}"#, "x".repeat(201));
        for (path, body, expected) in [
            ("/v1/task", r#"{"name": "a", "action": "start"}"#, 202),
            ("/v1/task", r#"{"name": "a", "action": "begin"}"#, 400),
            ("/v1/task", r#"{"name": "a"}"#, 400),
            ("/v1/task", r#"{"name": "", "action": "start"}"#, 400),
            ("/v1/error", r#"{"code": "E1"}"#, 202),
            ("/v1/error", r#"{"code": "E1", "more": 1}"#, 400),
            ("/v1/error", r#"{"code": "a\nb"}"#, 400),
            ("/v1/screen", r#"{"name": "Invoices"}"#, 202),
            ("/v1/event", long.as_str(), 400),
            ("/v1/state", r#"{"a": {"b": [1, 2]}}"#, 202),
            ("/v1/state", r#"{"a": 18446744073709551615}"#, 202),
            ("/v1/state", r#"{"a": [18446744073709551616]}"#, 400),
            ("/v1/state", "[1]", 400),
            ("/v1/state", "{", 400),
            ("/v1/feedback/open", "{}", 202),
            ("/v1/feedback/open", r#"{"app": ""}"#, 400),
            ("/v1/nothing", "{}", 404),
        ] {
            assert_eq!(post(path, body), expected, "{path} {body}");
        }
        let fits = format!(r#"{{"a": "{}"}}"#, "x".repeat((64 << 10) - 9));
        assert_eq!(fits.len(), 64 << 10);
        assert_eq!(post("/v1/state", &fits), 202);
        assert_eq!(post("/v1/state", &format!("{fits} ")), 413);
        // One was opened above; three at once are taken.
        let open = || raw(access.port, &request(&access, "/v1/feedback/open", "", "{}"));
        let statuses = [open(), open()].map(|answer| status(&answer));
        assert_eq!(statuses, [202, 202]);
        let answer = open();
        assert_eq!(status(&answer), 429, "{answer}");
        let head = answer.to_lowercase();
        let wait = head.split("retry-after: ").nth(1).and_then(|rest| rest.lines().next());
        let wait: u64 = wait.expect("a wait").parse().expect("seconds");
        // One more each 20 s, which may have been running since the first was opened.
        let least = 20_u64.saturating_sub(began.elapsed().as_secs() + 1);
        assert!((least.max(1)..=20).contains(&wait), "{answer}");
        assert!(answer.contains(&format!("wait {wait} seconds")), "{answer}");
        let get = format!(
            "GET /v1/task HTTP/1.1\r\nConnection: close\r\nHost: localhost:{}\r\nAuthorization: Bearer {}\r\n\r\n",
            access.port, access.token
        );
        assert_eq!(status(&raw(access.port, &get)), 405);
    })
    .await
    .unwrap();
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_that_the_person_put_nothing_into_takes_what_is_asked_next() {
    let folder = tempfile::tempdir().unwrap();
    let (host, access) = start(folder.path()).await;
    let ask = async |body: &str| {
        let request = request(&access, "/v1/feedback/open", "", body);
        let port = access.port;
        let answer = tokio::task::spawn_blocking(move || raw(port, &request));
        assert_eq!(status(&answer.await.unwrap()), 202, "{body}");
        host.feedback_open(host.take_opening()).await
    };
    let first = ask(r#"{"app": "erp", "url": "erp://1", "description": "The old words"}"#).await;
    assert_eq!(first.draft.description, "The old words");
    // The window keeps what it shows, which is no word of the person's.
    host.feedback_save_draft(first.draft.clone()).unwrap();
    let next = ask(r#"{"app": "erp", "description": "The new words"}"#).await;
    assert_eq!(next.draft.description, "The new words");
    assert_eq!(
        next.draft.id, first.draft.id,
        "the open form, not another one"
    );
    let other = ask(r#"{"app": "mail"}"#).await;
    assert_eq!(
        (other.app.as_str(), other.draft.description.as_str()),
        ("mail", "")
    );
    let body = host.feedback_preview(&other.draft).unwrap().json;
    assert!(!body.contains("erp"), "nothing of another program: {body}");

    // Closed untouched, it isn't there when the person opens the form.
    let program = Opening {
        description: Some("A program's".into()),
        ..Opening::default()
    };
    let filled = host.feedback_open(program.clone()).await;
    assert_eq!(filled.draft.description, "A program's");
    host.feedback_close();
    let own = host.feedback_open(Opening::default()).await;
    assert_eq!(own.draft.description, "");
    let mut draft = own.draft;
    draft.description = "The person's".into();
    host.feedback_save_draft(draft).unwrap();
    let kept = host.feedback_open(program).await;
    assert_eq!(kept.draft.description, "The person's");
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_says_nothing_holds_nothing_open_for_long() {
    let folder = tempfile::tempdir().unwrap();
    let (host, access) = start(folder.path()).await;
    let good = request(&access, "/v1/event", "", r#"{"name": "step"}"#);
    tokio::task::spawn_blocking(move || {
        let connect = || TcpStream::connect(("127.0.0.1", access.port)).unwrap();
        let mut silent: Vec<TcpStream> = (0..100).map(|_| connect()).collect();
        // Half a head is no more than none.
        silent[0].write_all(b"POST /v1/event HTTP/1.1\r\n").unwrap();
        let answer = raw(access.port, &good);
        assert_eq!(status(&answer), 202, "{answer}");
        for mut stream in silent {
            stream
                .set_read_timeout(Some(Duration::from_secs(60)))
                .unwrap();
            let mut said = Vec::new();
            stream.read_to_end(&mut said).expect("it was closed");
        }
    })
    .await
    .unwrap();
    host.stop().await;
}

/// The examples of a language, as they stand in the manual.
fn examples(language: &str) -> Vec<String> {
    let manual = include_str!("../SDK.md");
    manual
        .split("```")
        .skip(1)
        .step_by(2)
        .filter_map(|block| block.strip_prefix(&format!("{language}\n")))
        .map(str::to_owned)
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_examples_of_the_manual_run() {
    let folder = tempfile::tempdir().unwrap();
    let (host, _) = start(folder.path()).await;
    let mut events = host.events();
    for (language, program, argument) in [
        ("sh", "sh", "-ec"),
        ("python", "python3", "-c"),
        ("js", "node", "-e"),
    ] {
        let examples = examples(language);
        assert_eq!(examples.len(), 1, "{language}");
        let output = tokio::process::Command::new(program)
            .args([argument, &examples[0]])
            .env("SNAG_DATA_DIR", folder.path())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(Duration::from_secs(300), output)
            .await
            .unwrap_or_else(|_| panic!("{language}: it doesn't end"))
            .unwrap_or_else(|error| {
                panic!("{program} is needed to run the manual's examples: {error}")
            });
        assert!(
            output.status.success(),
            "{language}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(!output.stdout.is_empty(), "{language}");
    }
    let event = tokio::time::timeout(Duration::from_secs(60), events.recv())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(event, HostEvent::OpenFeedback);
    let form = host.feedback_open(host.take_opening()).await;
    assert_eq!(form.app, "erp");
    assert_eq!(form.draft.description, "The export takes minutes.");
    assert_eq!(form.occasion.unwrap().sentence.key, "occasion.program");
    host.stop().await;
}
