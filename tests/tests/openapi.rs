//! The server against its own OpenAPI document: schemathesis sends what the document
//! allows and what it doesn't, with the token that each route wants, and finds no
//! server error and no answer that isn't documented. The server has feedback, and the
//! document names it: else the routes about one item would be asked for none that exists.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Map, Value, json};
use snag_e2e::process::{Agent, Server, Tokens, output_within};

/// Requests that end a token or an account are sent last, so that the others meet a server
/// that knows them.
const LAST: [&str; 3] = ["delete", "/v1/log", "/v1/me"];

/// Never ends by itself; its own tests are in the server's crate.
const ENDLESS: &str = "/v1/stream";

/// Longest time that schemathesis may take for a part of the document.
const PART_DEADLINE: Duration = Duration::from_secs(1_800);

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// The items that the server has, and one that it hasn't.
const WHOLE: &str = "0190d0c0-0000-7000-8000-000000000001";
const WORDS: &str = "0190d0c0-0000-7000-8000-000000000002";
const DRAWN: &str = "0190d0c0-0000-7000-8000-000000000003";
const UNKNOWN: &str = "0190d0c0-0000-7000-8000-000000000004";

/// What has to have answered well at least once, and how: that it answers so is what
/// compares its answers with the document.
const ANSWERED: [(&str, &str, u64); 14] = [
    ("GET", "/v1/feedback", 200),
    ("GET", "/v1/feedback/export", 200),
    ("GET", "/v1/feedback/groups", 200),
    ("GET", "/v1/feedback/replies", 200),
    ("GET", "/v1/feedback/{id}", 200),
    ("GET", "/v1/feedback/{id}/screenshot", 200),
    ("GET", "/v1/feedback/{id}/similar", 200),
    ("GET", "/v1/feedback/{id}/thread", 200),
    ("GET", "/v1/feedback/{id}/thumbnail", 200),
    ("PATCH", "/v1/feedback/{id}", 200),
    ("POST", "/v1/feedback/{id}/merge", 200),
    ("POST", "/v1/feedback/{id}/notes", 201),
    ("POST", "/v1/feedback/{id}/replies", 201),
    ("DELETE", "/v1/feedback/{id}/merge", 200),
];

#[test]
fn schemathesis_finds_no_server_error_and_no_undocumented_answer() -> Result<()> {
    let folder = tempfile::tempdir()?;
    // What is asked here may be lost: nothing has to wait for the disk.
    let mut server = Server::new(folder.path(), &["--no-fsync"])?;
    let tokens = server.create_org("Fuzzed", 5)?;
    server.start()?;
    let agent = Agent::new(folder.path().join("agent"));
    agent.enroll(&server.url(), &tokens.enroll)?;
    let identity = std::fs::read(agent.data().join("identity.json"))?;
    let identity: Value = serde_json::from_slice(&identity)?;
    let device = identity["device_token"]
        .as_str()
        .context("a device token")?;

    seed(&server, folder.path(), device, &tokens)?;
    let mut document: Value = serde_json::from_str(&std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../sync-server/openapi.json"),
    )?)?;
    name_items(&mut document)?;
    let mut answered = BTreeSet::new();
    let mut failures = String::new();
    for (who, last, part) in parts(&document)? {
        let token = match who.as_str() {
            "device" => device,
            "viewer" | "analyst" => &tokens.analyst,
            "admin" => &tokens.admin,
            _ => "",
        };
        let name = format!("{who}-{}", if last { "last" } else { "first" });
        let file = folder.path().join(format!("{name}.json"));
        std::fs::write(&file, part.to_string())?;
        if let Some(said) = schemathesis(&server, &file, token)? {
            failures += &format!("\n==== {name}\n{said}");
        }
        answered.append(&mut answers(&file)?);
    }
    for (method, path, status) in ANSWERED {
        if !answered.contains(&(method.to_owned(), path.to_owned(), status)) {
            failures += &format!("\n==== {method} {path} never answered {status}");
        }
    }
    // The same without a token that is known.
    let file = folder.path().join("all.json");
    let all = keep(&document, |path, _, _| !path.starts_with(ENDLESS))?;
    std::fs::write(&file, all.to_string())?;
    if let Some(said) = schemathesis(&server, &file, "snag_admin_unknown")? {
        failures += &format!("\n==== unknown token\n{said}");
    }
    ensure!(failures.is_empty(), "{failures}");
    server.stop()
}

/// Feedback as people and the desk leave it: an item with all that one can have, one of
/// words alone, and one with something drawn, about which the program said nothing.
fn seed(server: &Server, folder: &Path, device: &str, tokens: &Tokens) -> Result<()> {
    let now = Command::new("date").args(["-u", "+%FT%TZ"]).output()?;
    let now = String::from_utf8(now.stdout)?.trim().to_owned();
    let words = "The export hangs whenever I save the invoice.";
    let whole = json!({"id": WHOLE, "created_at": now, "category": "bug", "description": words,
    "rating": 2, "tags": ["export"], "session": 7,
    "target": {"app": "excel", "screen": "Export", "url": "https://erp.example/export"},
    "friction_trail": [
        {"before_ms": 100, "text": "Clicked", "incident": "rage_click", "app": "excel", "screen": "Export"},
        {"before_ms": 5_000, "text": "Opened Export"},
    ],
    "app_state": {"rows": 12, "nested": {"a": [1, null, "x"]}},
    "os": "Debian 13", "agent_version": "0.1.0",
    "screen_resolution": {"width": 1920, "height": 1080},
    "viewport_size": {"width": 1200, "height": 800},
    "annotation": [
        {"shape": "arrow", "from": {"x": 1.5, "y": 2}, "to": {"x": 30, "y": 40}},
        {"shape": "text", "at": {"x": 5, "y": 6}, "text": "here"},
    ]});
    let drawn = json!({"id": DRAWN, "created_at": now, "category": "idea", "description": words,
        "target": {"app": "excel", "screen": "Export"},
        "annotation": whole["annotation"].clone()});
    let alone = json!({"id": WORDS, "created_at": now, "category": "bug", "description": words});
    for item in [whole, drawn, alone] {
        let item = item.to_string();
        let sent = Sent("POST", "/v1/feedback", "application/json", item.as_bytes());
        sent.to(server, folder, device)?;
    }
    let mut picture = std::io::Cursor::new(Vec::new());
    image::RgbImage::new(64, 40).write_to(&mut picture, image::ImageFormat::Png)?;
    let picture = picture.into_inner();
    let path = format!("/v1/feedback/{WHOLE}/screenshot");
    Sent("PUT", &path, "image/png", &picture).to(server, folder, device)?;
    for (path, body) in [
        ("notes", json!({"text": "Seen before."})),
        ("replies", json!({"text": "Thank you, it is mended."})),
    ] {
        let (path, body) = (format!("/v1/feedback/{WHOLE}/{path}"), body.to_string());
        let sent = Sent("POST", &path, "application/json", body.as_bytes());
        sent.to(server, folder, &tokens.analyst)?;
    }
    let (path, body) = (
        format!("/v1/feedback/{WORDS}/merge"),
        json!({"into": WHOLE}).to_string(),
    );
    let sent = Sent("POST", &path, "application/json", body.as_bytes());
    sent.to(server, folder, &tokens.analyst)
}

/// A request: method, path, media type and body.
struct Sent<'a>(&'a str, &'a str, &'a str, &'a [u8]);

impl Sent<'_> {
    fn to(&self, server: &Server, folder: &Path, token: &str) -> Result<()> {
        let Self(method, path, kind, body) = self;
        let file = folder.join("body");
        std::fs::write(&file, body)?;
        let output = Command::new("curl")
            .args(["-s", "--fail-with-body", "--max-time", "60", "-X", method])
            .args(["-H", &format!("Authorization: Bearer {token}")])
            .args(["-H", &format!("Content-Type: {kind}"), "--data-binary"])
            .arg(format!("@{}", file.display()))
            .arg(format!("{}{path}", server.url()))
            .output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "{method} {path}: {said}");
        Ok(())
    }
}

/// Lets the document name the items that there are wherever it means an item.
fn name_items(document: &mut Value) -> Result<()> {
    let some = json!({"type": "string", "format": "uuid", "enum": [WHOLE, WORDS, DRAWN, UNKNOWN]});
    let paths = document["paths"].as_object_mut().context("paths")?;
    for (_, item) in paths
        .iter_mut()
        .filter(|(path, _)| path.starts_with("/v1/feedback/{id}"))
    {
        let operations = item.as_object_mut().context("a path item")?;
        for operation in operations.values_mut() {
            let parameters = operation["parameters"].as_array_mut();
            for parameter in parameters.context("parameters")? {
                if parameter["name"] == "id" {
                    parameter["schema"] = some.clone();
                }
            }
        }
    }
    for field in [
        "/components/schemas/MergeRequest/properties/into",
        "/components/schemas/BulkRequest/properties/ids/items",
    ] {
        *document.pointer_mut(field).context("a field")? = some.clone();
    }
    Ok(())
}

/// Which operations answered what, by schemathesis' own report.
fn answers(document: &Path) -> Result<BTreeSet<(String, String, u64)>> {
    let report = std::fs::read(document.with_extension("har"))?;
    let report: Value = serde_json::from_slice(&report)?;
    let entries = report["log"]["entries"].as_array().context("entries")?;
    Ok(entries
        .iter()
        .filter_map(|entry| {
            let address = entry["request"]["url"].as_str()?.splitn(4, '/').nth(3)?;
            let path = address.split('?').next()?;
            let path = [WHOLE, WORDS, DRAWN]
                .iter()
                .fold(format!("/{path}"), |path, id| path.replace(id, "{id}"));
            let method = entry["request"]["method"].as_str()?.to_owned();
            Some((method, path, entry["response"]["status"].as_u64()?))
        })
        .collect())
}

/// The document in parts: the routes of each kind of token, those that end one apart. An
/// administrator's come after the others: they may delete what those ask for.
fn parts(document: &Value) -> Result<Vec<(String, bool, Value)>> {
    let mut kinds: BTreeMap<(bool, bool, String), ()> = BTreeMap::new();
    keep(document, |path, method, operation| {
        if !path.starts_with(ENDLESS) {
            let kind = who(operation);
            kinds.insert((is_last(path, method), kind == "admin", kind), ());
        }
        false
    })?;
    kinds
        .into_keys()
        .map(|(last, _, kind)| {
            let part = keep(document, |path, method, operation| {
                !path.starts_with(ENDLESS)
                    && is_last(path, method) == last
                    && who(operation) == kind
            })?;
            Ok((kind, last, part))
        })
        .collect()
}

fn is_last(path: &str, method: &str) -> bool {
    LAST.iter()
        .any(|last| method == *last || path.starts_with(last))
}

/// Whose token an operation wants; the first where it takes several.
fn who(operation: &Value) -> String {
    let first = operation["security"][0].as_object();
    first
        .and_then(|scheme| scheme.keys().next())
        .map_or_else(|| "none".to_owned(), Clone::clone)
}

fn keep(document: &Value, mut keeps: impl FnMut(&str, &str, &Value) -> bool) -> Result<Value> {
    let mut part = document.clone();
    let paths = part["paths"].as_object_mut().context("paths")?;
    for (path, item) in paths.iter_mut() {
        let item = item.as_object_mut().context("a path item")?;
        item.retain(|method, operation| {
            !METHODS.contains(&method.as_str()) || keeps(path, method, operation)
        });
    }
    paths.retain(|_, item| {
        item.as_object()
            .is_some_and(|item: &Map<_, _>| !item.is_empty())
    });
    Ok(part)
}

/// What it complains about, if anything.
fn schemathesis(server: &Server, document: &Path, token: &str) -> Result<Option<String>> {
    let mut command = Command::new(program()?);
    command
        .arg("run")
        .arg(document)
        .args(["--url", &server.url()])
        .args(["--checks", "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"])
        .args(["--phases", "examples,coverage,fuzzing"])
        .args(["--max-examples", "10", "--seed", "7", "--workers", "1"])
        .args(["--request-timeout", "20", "--suppress-health-check", "all"])
        .args(["--continue-on-failure", "--no-color", "--warnings", "off"])
        .arg("--report-har-path")
        .arg(document.with_extension("har"))
        .current_dir(document.parent().context("a folder")?);
    if !token.is_empty() {
        command.args(["-H", &format!("Authorization: Bearer {token}")]);
    }
    let output = output_within(&mut command, PART_DEADLINE)?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(
        said.contains("Test cases:"),
        "schemathesis didn't run: {said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok((!output.status.success()).then(|| said.into_owned()))
}

/// Where the project's own set-up has put schemathesis.
fn program() -> Result<PathBuf> {
    let setup = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sync-server/tests/clients/setup.sh");
    let said = Command::new("sh")
        .arg(setup)
        .args(["--where", "schemathesis"])
        .output()?;
    let folder = PathBuf::from(String::from_utf8(said.stdout)?.trim());
    let program = folder.join("venv/bin/schemathesis");
    ensure!(
        program.is_file(),
        "schemathesis isn't set up: `make test` does it"
    );
    Ok(program)
}
