//! A person at a real desktop: a rage click in a real GTK program becomes an analyst's
//! answer, and what was typed meanwhile is nowhere.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use snag_e2e::desktop::{Desktop, EVERYTHING, wait_until};
use snag_e2e::process::{Agent, Running, Server, output};
use snag_e2e::search::files_with;
use snag_e2e::sql::Sql;
use snag_e2e::wire::Wire;

/// What the person types, and what stands in the title of the window: neither may be found.
const TYPED: &str = "xqzjvkwpy7";
const TITLE: &str = "Qwxzvkraft Pfnbtqlm";

/// Clicks of the run.
const RUN: usize = 6;

/// So far apart no two of them may be read, in milliseconds: three within a second are a rage click, and a second
/// between two makes two runs of one.
const APART_MS: u64 = 500;

/// How often a run is tried.
const TRIES: usize = 3;

#[test]
fn a_rage_click_is_answered_and_the_secret_is_nowhere() -> Result<()> {
    for _ in 0..TRIES {
        if is_answered()? {
            return Ok(());
        }
    }
    bail!("this machine stands still: in {TRIES} runs two clicks were read {APART_MS} ms apart")
}

/// False where the machine stood still while the agent read the clicks, so that nobody knows what they are.
fn is_answered() -> Result<bool> {
    let folder = tempfile::tempdir()?;
    let mut server = Server::new(folder.path(), &[])?;
    let tokens = server.create_org("Desk Ltd", 5)?;
    server.start()?;
    let wire = Wire::to(server.address)?;

    let desktop = Desktop::start(EVERYTHING);
    let agent = Agent::new(folder.path().join("agent"));
    agent.enroll(&wire.url(), &tokens.enroll)?;
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
    let second = output(&mut agent.command_on(&desktop, &["run"])?)?;
    ensure!(
        !second.status.success(),
        "a second agent over the same folder"
    );

    program.focus_entry(&hand);
    hand.type_text(TYPED);
    std::thread::sleep(Duration::from_millis(1_200));
    hand.move_to(program.place("dead"));
    std::thread::sleep(Duration::from_millis(200));
    for _ in 0..RUN {
        hand.click();
        std::thread::sleep(Duration::from_millis(90));
    }
    wait_until("the program saw the clicks", || {
        program.clicks("dead") == RUN
    });
    wait_until("the agent saw them", || {
        status().is_some_and(|s| s["capture"]["counts"]["presses"].as_u64() >= Some(7))
    });
    let words = agent.run(&["status"])?;
    ensure!(
        words.contains("Running") && words.contains("Mouse and keyboard: captured"),
        "{words}"
    );

    running.stop(Duration::from_secs(60))?;
    // What a slow machine had no time to send as it stopped.
    agent.run(&["send"])?;
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
    let run = format!("SELECT at FROM events WHERE kind = 'click' ORDER BY at DESC LIMIT {RUN}");
    let apart_ms = count(&format!(
        "(SELECT arrayMax(arrayDifference(arraySort(groupArray(toUnixTimestamp64Milli(at))))) FROM ({run}))"
    ))?;
    if apart_ms > APART_MS {
        return Ok(false);
    }
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
        ensure!(!wire.held(secret)?, "{secret} went over the wire");
    }
    ensure!(wire.requests() >= 2, "{} requests", wire.requests());
    Ok(true)
}

#[test]
fn without_a_display_it_says_so() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let agent = Agent::new(folder.path().join("agent"));
    let output = output(
        agent
            .command(&["status", "--display"])?
            .env_remove("DISPLAY"),
    )?;
    ensure!(output.status.code() == Some(1));
    let message = String::from_utf8(output.stderr)?;
    ensure!(message.contains("DISPLAY"), "{message}");
    Ok(())
}
