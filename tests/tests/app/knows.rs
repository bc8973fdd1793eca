//! What the person deletes is gone: before it leaves from here, and after it has left from the server.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use snag_e2e::desktop::wait_until;
use snag_e2e::process::Server;
use snag_e2e::search::files_with_bytes;
use snag_e2e::sql::Sql;
use snag_e2e::stage::Stage;
use snag_e2e::webdriver::Driver;

use crate::acts::{click, clicks_that_wait, pictures_in};

/// Where what is searched is typed.
const SEARCH: &str = "//input[@type='search']";
/// The key that takes the last letter back, as WebDriver names it.
const BACKSPACE: &str = "\u{E003}";
/// The list says that it is empty.
const NOTHING: &str = "//p[starts-with(., 'Nothing waits.')]";

#[test]
fn what_is_deleted_before_it_leaves_never_arrives_and_the_server_forgets_the_rest() -> Result<()> {
    let mut stage = Stage::set()?;
    let program = stage.program("Accounts");
    let hand = stage.desktop.hand();
    let driver = stage.driven()?;
    stage.read_first_page(&driver)?;
    stage.say(&driver, "Sums are rounded twice")?;
    let arrived = |n: &snag_e2e::session::Notification| n.title == "Your feedback has arrived";
    let _ = stage.session.notification("it has arrived", arrived);
    stage.open(&driver, "knows")?;
    driver.invoke("sync_now", &json!({}))?;

    // Offline it waits, however often it is sent.
    stage.server.stop()?;
    click(&program, &hand, "live", 3);
    let clicks = clicks_that_wait(&driver, 3)?;
    let data = stage.agent.data();
    let button = hash(&clicks[0])?;
    ensure!(!files_with_bytes(data, &button)?.is_empty(), "it is kept");
    reopen(&stage, &driver)?;
    for _ in 0..3 {
        driver.click("//button[.='Send now']")?;
        driver.find("//*[@role='alert'][contains(., \"The server can't be reached. Everything is kept here\")]")?;
    }
    clicks_that_wait(&driver, 3)?;

    // One that is searched is deleted, then all.
    driver.type_into(SEARCH, "Apply")?;
    driver.find("//*[.='Nothing here holds “Apply”.']")?;
    driver.type_into(SEARCH, &BACKSPACE.repeat(5))?;
    driver.type_into(SEARCH, "\"click\"")?;
    let shown = "[...document.querySelectorAll('.record-json')].map((one) => one.textContent)";
    driver.is_so(&format!(
        "{shown}.length === 3 && {shown}.every((one) => one.includes('\"click\"'))"
    ))?;
    driver.click("(//ul[@class='records']/li)[2]//input[@type='checkbox']")?;
    driver.click("//button[.='Delete 1 chosen']")?;
    confirm(&driver, "Delete 1 record?", "Delete")?;
    driver.is_so(&format!("{shown}.length === 2"))?;
    let left = clicks_that_wait(&driver, 2)?;
    ensure!(
        left == [clicks[0].clone(), clicks[2].clone()],
        "{left:?} of {clicks:?}"
    );
    let waiting = driver.invoke("knows_waiting", &json!({"after": null}))?;
    let body: Value = serde_json::from_str(waiting["body"].as_str().context("a body")?)?;
    let seqs: Vec<_> = body["records"]
        .as_array()
        .context("records")?
        .iter()
        .map(|one| &one["seq"])
        .collect();
    ensure!(
        seqs.contains(&&left[0]["seq"]) && !seqs.contains(&&clicks[1]["seq"]),
        "{seqs:?}"
    );
    driver.type_into(SEARCH, &BACKSPACE.repeat(7))?;
    driver.click("//button[.='Delete all']")?;
    confirm(&driver, "record", "Delete")?;
    driver.find(NOTHING)?;
    wait_until("nothing of it is on the disk", || {
        files_with_bytes(data, &button).is_ok_and(|files| files.is_empty())
    });

    // What is done from now on leaves at once when the server is back, though nothing was heard of it for a while.
    click(&program, &hand, "check", 2);
    clicks_that_wait(&driver, 2)?;
    stage.server.start()?;
    reopen(&stage, &driver)?;
    driver.click("//button[.='Send now']")?;
    driver.find(NOTHING)?;
    driver.click("//button[@role='tab'][contains(., 'Sent')]")?;
    driver.find("//table/tbody/tr")?;
    let identity: Value = serde_json::from_slice(&std::fs::read(data.join("identity.json"))?)?;
    let device = identity["device"].as_str().context("a device")?;
    stage.server.stop()?;
    let (kept, clicks) = of_device(&stage.server, device)?;
    for table in ["events", "feedback", "submissions", "devices", "tokens"] {
        ensure!(kept.contains_key(table), "{table}: {kept:?}");
    }
    ensure!(clicks == 2, "{clicks} clicks, and three were deleted here");
    ensure!(!pictures_in(stage.server.data())?.is_empty());

    // The person asks the server to forget all of it.
    stage.server.start()?;
    driver.click("//button[.='Ask the server to forget…']")?;
    confirm(
        &driver,
        "Ask the server to forget this computer?",
        "Ask to forget",
    )?;
    driver.find("//*[contains(., 'This computer belongs to no organisation yet.')]")?;
    stage.session.menu_says("Snag: not set up yet");
    ensure!(!data.join("identity.json").exists());
    driver.click("//button[@role='tab'][contains(., 'Sent')]")?;
    click(&program, &hand, "check", 2);
    stage.quit()?;
    stage.server.stop()?;
    let (kept, clicks) = of_device(&stage.server, device)?;
    ensure!(kept.is_empty() && clicks == 0, "{kept:?}");
    let pictures = pictures_in(stage.server.data())?;
    ensure!(pictures.is_empty(), "{} pictures", pictures.len());
    Ok(())
}

/// Opens the window anew: its lists are of the moment when it opened.
fn reopen(stage: &Stage, driver: &Driver) -> Result<()> {
    // The window may be gone before it says that it had the key.
    let _ = driver.type_into("//body", "\u{E00C}");
    stage.closed(driver, "knows");
    stage.open(driver, "knows")?;
    driver.click("//button[@role='tab'][contains(., 'Waiting to leave')]")
}

/// Says yes to the question that begins so.
fn confirm(driver: &Driver, question: &str, answer: &str) -> Result<()> {
    let dialog = format!("//*[@role='dialog'][.//h2[contains(., '{question}')]]");
    driver.click(&format!("{dialog}//button[.='{answer}']"))?;
    driver.is_so("document.querySelector('[role=dialog]') === null")
}

/// The hash of the name of what was clicked, as bytes.
fn hash(click: &Value) -> Result<Vec<u8>> {
    let digits = click["label"].as_str().context("a name")?;
    let bytes = (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16));
    Ok(bytes.collect::<Result<_, _>>()?)
}

/// How many rows each table of a stopped server has of a device, where it has any; and the clicks among them.
fn of_device(server: &Server, device: &str) -> Result<(BTreeMap<String, u64>, u64)> {
    let sql = Sql::over(server)?;
    let count = |table: &str, more: &str| -> Result<u64> {
        let rows = sql.rows(&format!(
            "SELECT toUInt32(count()) AS n FROM {table} WHERE device = '{device}' {more}"
        ))?;
        rows[0]["n"].as_u64().context("a number")
    };
    let tables = sql.rows(
        "SELECT table FROM system.columns WHERE name = 'device' AND database = currentDatabase()",
    )?;
    let mut found = BTreeMap::new();
    for row in tables {
        let table = row["table"].as_str().context("a table")?;
        let rows = count(table, "")?;
        if rows > 0 {
            found.insert(table.to_owned(), rows);
        }
    }
    let clicks = count("events", "AND kind = 'click'")?;
    Ok((found, clicks))
}
