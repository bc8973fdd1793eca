//! A person at a real desktop: a rage click in a real GTK program becomes an analyst's
//! answer, and what was typed meanwhile is nowhere.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use snag_e2e::desktop::{Desktop, EVERYTHING, wait_until};
use snag_e2e::process::{Agent, Running, Server};
use snag_e2e::proxy::{self, NO_FAULTS};
use snag_e2e::search::{files_with, holds};
use snag_e2e::sql::Sql;

/// What the person types, and what stands in the title of the window: neither may be found.
const TYPED: &str = "xqzjvkwpy7";
const TITLE: &str = "Qwxzvkraft Pfnbtqlm";

#[test]
fn a_rage_click_is_answered_and_the_secret_is_nowhere() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut server = Server::new(folder.path(), &[])?;
    let tokens = server.create_org("Desk Ltd", 5)?;
    server.start()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let proxy = runtime.block_on(proxy::start(server.address, NO_FAULTS, 1))?;

    let desktop = Desktop::start(EVERYTHING);
    let agent = Agent::new(folder.path().join("agent"));
    agent.enroll(&format!("http://{}", proxy.address), &tokens.enroll)?;
    let log = File::create(folder.path().join("agent.log"))?;
    let mut command = agent.command_on(&desktop, &["run"])?;
    command
        .env("SNAG_LOG", "trace")
        .stdout(log.try_clone()?)
        .stderr(log);
    let mut running = Running(command.spawn()?);

    let script =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../agent/capture/tests/desktop/program.py");
    let program = desktop.program_of(&script, TITLE);
    let hand = desktop.hand();
    let status =
        || -> Option<Value> { serde_json::from_str(&agent.run(&["status", "--json"]).ok()?).ok() };
    // Moving until moves are counted shows that capture has begun.
    wait_until("capture begins", || {
        hand.move_to((300, 700));
        std::thread::sleep(Duration::from_millis(100));
        hand.move_to((310, 700));
        status().is_some_and(|s| s["capture"]["counts"]["moves"].as_u64() > Some(0))
    });
    let second = agent.command_on(&desktop, &["run"])?.output()?;
    ensure!(
        !second.status.success(),
        "a second agent over the same folder"
    );

    hand.click_at(program.place("entry"));
    hand.type_text(TYPED);
    std::thread::sleep(Duration::from_millis(1_200));
    hand.move_to(program.place("dead"));
    std::thread::sleep(Duration::from_millis(200));
    for _ in 0..6 {
        hand.click();
        std::thread::sleep(Duration::from_millis(90));
    }
    wait_until("the program saw the clicks", || program.clicks("dead") == 6);
    wait_until("the agent saw them", || {
        status().is_some_and(|s| s["capture"]["counts"]["presses"].as_u64() >= Some(7))
    });
    let words = agent.run(&["status"])?;
    ensure!(
        words.contains("Running") && words.contains("Mouse and keyboard: captured"),
        "{words}"
    );

    running.stop(Duration::from_secs(30))?;
    let status = status().context("status")?;
    ensure!(
        status["running"] == false && status["waiting_records"] == 0,
        "{status}"
    );
    server.stop()?;

    let sql = Sql::over(&server)?;
    let count = |query: &str| -> Result<u64> {
        let rows = sql.rows(&format!("SELECT toUInt32({query}) AS n"))?;
        rows[0]["n"]
            .as_u64()
            .with_context(|| format!("{query}: {rows:?}"))
    };
    ensure!(count("(SELECT sum(count) FROM events WHERE kind = 'key')")? == TYPED.len() as u64);
    ensure!(count("(SELECT count() FROM events WHERE kind = 'click')")? == 7);
    ensure!(
        count(
            "(SELECT count() FROM incidents WHERE kind = 'rage_click' AND role = 'push_button' AND count = 6)"
        )? == 1,
        "{:?}",
        sql.rows("SELECT * FROM incidents")?
    );
    ensure!(
        count("(SELECT sum(rage_clicks) FROM sessions)")? == 1,
        "the session tells of it"
    );

    // The disk and the logs (the agent's at its most talkative), then the wire.
    for secret in [TYPED, TITLE, "Qwxzvkraft", "Refresh list"] {
        let found = files_with(folder.path(), secret)?;
        ensure!(found.is_empty(), "{secret} is in {found:?}");
    }
    let requests = proxy.requests.lock().expect("no thread panics with it");
    ensure!(requests.len() >= 2, "{} requests", requests.len());
    for request in requests.iter() {
        let mut plain = request.clone();
        if let Some(start) = request.windows(2).position(|w| w == [0x1f, 0x8b]) {
            flate2::read::GzDecoder::new(&request[start..]).read_to_end(&mut plain)?;
        }
        for secret in [TYPED, TITLE, "Qwxzvkraft", "Refresh list"] {
            ensure!(!holds(&plain, secret), "{secret} went over the wire");
        }
    }
    Ok(())
}

#[test]
fn without_a_display_it_says_so() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let agent = Agent::new(folder.path().join("agent"));
    let output = agent
        .command(&["status", "--display"])?
        .env_remove("DISPLAY")
        .output()?;
    ensure!(output.status.code() == Some(1));
    let message = String::from_utf8(output.stderr)?;
    ensure!(message.contains("DISPLAY"), "{message}");
    Ok(())
}
