//! Everything that Snag knows, as a file of the person's own.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use snag_e2e::desktop::{Hand, wait_until};
use snag_e2e::search::files;
use snag_e2e::stage::Stage;
use snag_e2e::webdriver::Driver;

use crate::ESCAPE;

const RETURN: u32 = 0xff0d;

#[test]
fn the_export_holds_what_the_window_shows_for_its_owner_only() -> Result<()> {
    let mut stage = Stage::set()?;
    let program = stage.program("Accounts");
    let hand = stage.desktop.hand();
    let driver = stage.driven()?;
    stage.read_first_page(&driver)?;
    // What can't be sent waits, and is shown.
    stage.server.stop()?;
    hand.activate(hand.windows()[0]);
    wait_until("some records wait", || {
        hand.click_at(program.place("live"));
        stage
            .status()
            .is_some_and(|status| status["waiting_records"].as_u64() > Some(3))
    });
    stage.open(&driver, "knows")?;
    driver.click("//button[@role='tab'][contains(., 'Waiting to leave')]")?;
    let shown = driver.until("the records", || {
        let shown = driver.eval(
            "return [...document.querySelectorAll('.record-json')].map((one) => one.textContent)",
        )?;
        Ok(shown.as_array().filter(|all| all.len() > 3).cloned())
    })?;

    // Whoever changes their mind has no file.
    let home = stage.folder.path();
    let before = exports(home)?;
    let dialog = open_dialog(&driver, &hand)?;
    hand.key(ESCAPE);
    wait_until("the dialog is gone", || !hand.windows().contains(&dialog));
    // The window takes the next wish, so that it has done with the first.
    let dialog = open_dialog(&driver, &hand)?;
    ensure!(exports(home)? == before);
    let said = driver.eval(
        "return [...document.querySelectorAll('[role=alert]')].map((one) => one.innerText)\
           .filter((one) => !one.includes('Everything is kept here'))",
    )?;
    ensure!(said == json!([]), "{said}");

    let path = home.join("what snag knows.json");
    let typed = stage
        .desktop
        .command("xdotool")
        .args(["key", "ctrl+a", "type", "--delay", "25"])
        .arg(&path)
        .status()?;
    ensure!(typed.success(), "xdotool: {typed}");
    hand.key(RETURN);
    wait_until("the file", || path.is_file());
    wait_until("the dialog is gone", || !hand.windows().contains(&dialog));
    driver.find("//*[contains(., 'what snag knows.json')]")?;

    let mode = path.metadata()?.permissions().mode() & 0o777;
    ensure!(mode == 0o600, "{mode:o}");
    let export: Value = serde_json::from_slice(&std::fs::read(&path)?)?;
    for record in shown {
        let record: Value = serde_json::from_str(record.as_str().context("a text")?)?;
        ensure!(
            is_within(&export["waiting"], &record),
            "{record} is missing"
        );
    }
    let days = export["days"].as_array().context("days")?;
    // Two of them where it is just past midnight.
    let has_program = days
        .iter()
        .any(|day| day["spans"][0]["app"] == "program.py");
    ensure!(has_program, "{days:?}");
    ensure!(export["settings"]["shortcut"]["value"] == "Ctrl+Alt+F");
    let left = files(home)?;
    ensure!(
        !left
            .iter()
            .any(|file| file.ends_with("what snag knows.tmp")),
        "{left:?}"
    );
    drop(program);
    stage.quit()
}

/// Asks for the export, and gives the system's dialog once it takes keys.
fn open_dialog(driver: &Driver, hand: &Hand) -> Result<u32> {
    let before = hand.windows();
    driver.click("//button[normalize-space()='Export']")?;
    let mut dialog = None;
    wait_until("the dialog", || {
        dialog = hand
            .windows()
            .into_iter()
            .find(|window| !before.contains(window));
        dialog.is_some() && hand.active() == dialog
    });
    dialog.context("a dialog")
}

/// Files that may be an export.
fn exports(folder: &Path) -> Result<Vec<std::path::PathBuf>> {
    let mut all = files(folder)?;
    all.extend(files(&std::env::current_dir()?)?);
    all.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("snag-2")
    });
    Ok(all)
}

fn is_within(all: &Value, one: &Value) -> bool {
    all == one
        || match all {
            Value::Array(parts) => parts.iter().any(|part| is_within(part, one)),
            Value::Object(parts) => parts.values().any(|part| is_within(part, one)),
            _ => false,
        }
}
