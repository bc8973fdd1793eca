//! The server against its own OpenAPI document: schemathesis sends what the document
//! allows and what it doesn't, with the token that each route wants, and finds no
//! server error and no answer that isn't documented.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Map, Value};
use snag_e2e::process::{Agent, Server, output_within};

/// Requests that end a token or an account are sent last, so that the others meet a server
/// that knows them.
const LAST: [&str; 3] = ["delete", "/v1/log", "/v1/me"];

/// Never ends by itself; its own tests are in the server's crate.
const ENDLESS: &str = "/v1/stream";

/// Longest time that schemathesis may take for a part of the document.
const PART_DEADLINE: Duration = Duration::from_secs(1_800);

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

#[test]
fn schemathesis_finds_no_server_error_and_no_undocumented_answer() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut server = Server::new(folder.path(), &[])?;
    let tokens = server.create_org("Fuzzed", 5)?;
    server.start()?;
    let agent = Agent::new(folder.path().join("agent"));
    agent.enroll(&server.url(), &tokens.enroll)?;
    let identity = std::fs::read(agent.data().join("identity.json"))?;
    let identity: Value = serde_json::from_slice(&identity)?;
    let device = identity["device_token"]
        .as_str()
        .context("a device token")?;

    let document: Value = serde_json::from_str(&std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../sync-server/openapi.json"),
    )?)?;
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

/// The document in parts: the routes of each kind of token, those that end one apart.
fn parts(document: &Value) -> Result<Vec<(String, bool, Value)>> {
    let mut kinds: BTreeMap<(bool, String), ()> = BTreeMap::new();
    keep(document, |path, method, operation| {
        if !path.starts_with(ENDLESS) {
            kinds.insert((is_last(path, method), who(operation)), ());
        }
        false
    })?;
    kinds
        .into_keys()
        .map(|(last, kind)| {
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
        .args(["--max-examples", "15", "--seed", "7", "--workers", "1"])
        .args(["--request-timeout", "20", "--suppress-health-check", "all"])
        .args(["--continue-on-failure", "--no-color", "--warnings", "off"])
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
