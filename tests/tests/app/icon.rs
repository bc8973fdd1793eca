//! The icon says by its shape how things are, and its menu pauses.

use std::path::Path;

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
    stage
        .session
        .menu_says("Snag: the server can't be reached; everything is kept here");
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
    stage.session.menu_says("Snag: something needs you");
    driver.find("//*[contains(., \"The server doesn't know this computer any more.\")]")?;
    stage.quit()
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
