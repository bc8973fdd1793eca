//! The icon says by its shape how things are, and its menu pauses.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use snag_e2e::desktop::wait_until;
use snag_e2e::stage::Stage;

use crate::acts::{click, clicks_that_wait};

const STATES: [&str; 4] = ["capturing", "paused", "offline", "attention"];

#[test]
fn the_icon_follows_the_state_and_its_menu_pauses_and_resumes() -> Result<()> {
    let mut stage = Stage::set()?;
    let program = stage.program("Accounts");
    let hand = stage.desktop.hand();
    let driver = stage.driven()?;
    shows(&stage, "attention");
    stage.read_first_page(&driver)?;
    shows(&stage, "capturing");
    stage.session.menu_says("Snag: noticing snags");
    describes(&stage, "Active", |words| {
        words.starts_with("Snag: noticing snags. ") && words.ends_with(" waiting")
    });
    // A panel opens the menu then.
    ensure!(
        !stage.session.click_icon()?,
        "the icon has a menu and nothing else"
    );

    stage.session.choose("For 1 hour")?;
    shows(&stage, "paused");
    let menu = stage.session.menu()?;
    ensure!(
        menu.iter()
            .any(|entry| entry.label.starts_with("Snag: paused until ")),
        "{menu:?}"
    );
    click(&program, &hand, "live", 3);
    stage.quit()?;
    drop(driver);
    // The end of the app is not the end of the pause.
    let driver = stage.driven()?;
    driver.go_to("knows")?;
    shows(&stage, "paused");
    click(&program, &hand, "live", 3);
    stage.session.choose("Resume")?;
    shows(&stage, "capturing");
    stage.captures();
    click(&program, &hand, "live", 2);
    clicks_that_wait(&driver, 2)?;

    stage.server.stop()?;
    let refused = driver.invoke("sync_now", &json!({}));
    ensure!(refused.is_err_and(|error| error.to_string().contains("problem.offline")));
    shows(&stage, "offline");
    let away = "Snag: the server can't be reached; everything is kept here";
    stage.session.menu_says(away);
    describes(&stage, "Active", |words| {
        words.starts_with(away) && words.ends_with(" kept here")
    });
    stage.server.start()?;
    driver.invoke("sync_now", &json!({}))?;
    shows(&stage, "capturing");

    // A computer that the server doesn't know any more needs somebody.
    let identity = std::fs::read(stage.agent.data().join("identity.json"))?;
    let identity: Value = serde_json::from_slice(&identity)?;
    let device = identity["device"].as_str().context("a device")?;
    stage.end(&format!("/v1/admin/devices/{device}"))?;
    click(&program, &hand, "live", 1);
    clicks_that_wait(&driver, 1)?;
    let refused = driver.invoke("sync_now", &json!({}));
    ensure!(refused.is_err_and(|error| error.to_string().contains("problem.unauthorized")));
    shows(&stage, "attention");
    let refused = "Snag: the server refused this computer's token: ask IT";
    stage.session.menu_says(refused);
    driver.find("//*[contains(., \"The server refused this computer's token.\")]")?;
    driver.find("//*[contains(., 'ask IT')]")?;
    describes(&stage, "NeedsAttention", |words| words.starts_with(refused));
    // The same number in the tray, the window's head and the sentence.
    let overview = driver.invoke("overview", &json!({}))?;
    let waiting = overview["waiting_records"].as_u64().context("records")?
        + overview["waiting_feedback"].as_u64().context("feedback")?;
    let said = overview["problems"][0]["values"]["count"].as_str();
    let said: u64 = said.context("a count")?.parse()?;
    ensure!(said == waiting, "{overview}");
    stage
        .session
        .menu_says(&format!("Token refused, {waiting} kept here"));
    driver.find(&format!(
        "//*[contains(., 'What waits ({waiting}) is kept here')]"
    ))?;
    driver.find(&format!(
        "//*[contains(@class, 'state-line')][contains(., '{waiting} waiting')]"
    ))?;

    // In the person's language, at once.
    stage.open(&driver, "settings")?;
    driver.invoke("change_settings", &json!({"change": {"language": "de"}}))?;
    let refused = "Snag: der Server hat das Token dieses Computers abgelehnt: bitte die IT fragen";
    describes(&stage, "NeedsAttention", |words| words.starts_with(refused));
    driver.go_to("knows")?;
    wait_over_midnight()?;
    stage.session.choose("Bis morgen früh")?;
    shows(&stage, "paused");
    let tomorrow = "Snag: pausiert bis morgen, 06:00";
    stage.session.menu_says(tomorrow);
    describes(&stage, "Active", |words| words.starts_with(tomorrow));
    driver
        .find("//*[contains(@class, 'state-line')][contains(., 'pausiert bis morgen, 06:00')]")?;
    driver.go_to("settings")?;
    driver.invoke("change_settings", &json!({"change": {"language": "en"}}))?;
    stage
        .session
        .menu_says("Snag: paused until tomorrow, 06:00");
    stage.quit()
}

/// Waits where it is just before midnight: tomorrow has to be tomorrow for as long as it is looked at.
fn wait_over_midnight() -> Result<()> {
    loop {
        let now = Command::new("date").arg("+%H:%M").output()?.stdout;
        if !now.starts_with(b"23:58") && !now.starts_with(b"23:59") {
            return Ok(());
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// Waits until the icon says the state to those who don't see it, and asks for attention or doesn't.
fn describes(stage: &Stage, status: &str, says: impl Fn(&str) -> bool) {
    let says = |property: &str| {
        let words = stage.session.icon_says(property);
        words.is_ok_and(|words| says(&words))
    };
    wait_until(status, || {
        stage
            .session
            .icon_says("Status")
            .is_ok_and(|now| now == status)
            && says("Title")
            && says("IconAccessibleDesc")
            && says("AttentionAccessibleDesc")
    });
}

/// Waits until the icon shows a state.
fn shows(stage: &Stage, state: &str) {
    wait_until(state, || {
        // The file is replaced with each state.
        let shown = stage.session.icon().and_then(|file| state_of(&file));
        shown.is_ok_and(|shown| shown == state)
    });
}

/// Which of the drawings a file is.
fn state_of(file: &Path) -> Result<&'static str> {
    let shape = |file: &Path| -> Result<Vec<u8>> {
        let picture = image::open(file)?.into_rgba8();
        let small = image::imageops::thumbnail(&picture, 32, 32);
        Ok(small.pixels().map(|pixel| pixel.0[3]).collect())
    };
    let shown = shape(file)?;
    let icons = Path::new(env!("CARGO_MANIFEST_DIR")).join("../src-tauri/icons");
    let mut best = (u64::MAX, "");
    for state in STATES {
        let drawn = shape(&icons.join(format!("tray-{state}.png")))?;
        let differs = shown
            .iter()
            .zip(&drawn)
            .map(|(a, b)| u64::from(a.abs_diff(*b)))
            .sum();
        best = best.min((differs, state));
    }
    Ok(best.1)
}
