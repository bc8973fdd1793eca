//! The question after a snag: once, at the right moment, and never again where the person said so.

use anyhow::{Result, ensure};
use serde_json::json;
use snag_e2e::desktop::{Hand, Program, wait_until};
use snag_e2e::stage::Stage;
use std::time::Duration;

use crate::SECRET;

#[test]
fn a_rage_click_is_asked_about_once_and_fills_the_form() -> Result<()> {
    let stage = Stage::set()?;
    let program = stage.program(SECRET);
    let driver = stage.driven()?;
    stage.read_first_page(&driver)?;
    let hand = stage.desktop.hand();
    notices_moves(&stage, &hand);
    rage(&program, &hand);
    let asked = stage
        .session
        .notification("the question", |n| n.title.starts_with("Stuck in"));
    ensure!(
        ["tell", "not-now", "never"]
            .iter()
            .all(|id| asked.actions.iter().any(|a| a == id)),
        "{asked:?}"
    );
    ensure!(
        !asked.title.contains(SECRET) && !asked.body.contains(SECRET),
        "{asked:?}"
    );
    stage.session.answer(&asked, "tell")?;
    driver.go_to("feedback")?;
    driver.find("//*[contains(., 'react') and contains(., 'at ')]")?;
    driver.click_away("//button[normalize-space()='Discard']")?;
    // Nothing was written, so nothing is asked.
    wait_until("the form has closed", || {
        driver
            .labels()
            .is_ok_and(|open| !open.contains(&"feedback".to_owned()))
    });

    // While paused nothing is found that could be asked about; afterwards the next one has to wait for an hour.
    stage.session.choose("Until I resume")?;
    stage.session.menu_says("Resume");
    rage(&program, &hand);
    stage.session.choose("Resume")?;
    stage.captures();
    let mut found = stage.logged(NOT_ASKING)?;
    found.retain(|line| line.contains("rage_click"));
    ensure!(found.is_empty(), "{found:?}");
    is_not_asked(&stage, &program, &hand, "lately");
    let questions = stage.session.notifications();
    ensure!(questions.len() == 1, "{questions:?}");
    stage.quit()
}

#[test]
fn nobody_is_asked_while_presenting_or_undisturbed_and_never_again_when_told_so() -> Result<()> {
    let (stage, dunst) = Stage::with_dunst()?;
    let mut program = stage.program("Accounts");
    let hand = stage.desktop.hand();
    let window = hand.windows()[0];
    let driver = stage.driven()?;
    stage.read_first_page(&driver)?;
    notices_moves(&stage, &hand);

    dunst.pause(true)?;
    is_not_asked(&stage, &program, &hand, "do_not_disturb");
    dunst.pause(false)?;

    hand.activate(window);
    hand.full_screen(window, true);
    program.look_again();
    is_not_asked(&stage, &program, &hand, "full_screen");
    hand.full_screen(window, false);
    program.look_again();
    // What was not asked is not asked later either.
    ensure!(dunst.shown()? == 0 && dunst.held_back()? == 0);

    // It didn't count as a question of this hour.
    rage(&program, &hand);
    dunst.choose_of_next("Never for program.py")?;
    stage.open(&driver, "settings")?;
    driver.until("the program in the settings", || {
        let settings = driver.invoke("settings", &json!({}))?;
        Ok((settings["never_ask_apps"]["value"] == json!(["program.py"])).then_some(()))
    })?;
    driver.find(
        "//*[contains(@class, 'setting')][contains(., 'Never ask about')]//*[.='program.py']",
    )?;
    hand.activate(window);
    is_not_asked(&stage, &program, &hand, "app");
    stage.quit()
}

/// What the log says of a snag that isn't asked about.
const NOT_ASKING: &str = "not asking for feedback";

/// Clicks as somebody does whom nothing answers, and waits until it was decided for this reason not to ask.
fn is_not_asked(stage: &Stage, program: &Program, hand: &Hand, why: &str) {
    let reason = format!("\"{why}\"");
    let decided = || {
        let lines = stage.logged(NOT_ASKING).unwrap_or_default();
        lines.iter().filter(|line| line.contains(&reason)).count()
    };
    let before = decided();
    rage(program, hand);
    // Once, or twice where the clicks were read with a second between two of them: that makes two runs.
    wait_until(why, || decided() > before);
}

/// Waits until what the hand does is noticed.
fn notices_moves(stage: &Stage, hand: &Hand) {
    wait_until("moves are counted", || {
        hand.move_to((300, 700));
        std::thread::sleep(Duration::from_millis(100));
        hand.move_to((310, 700));
        stage
            .status()
            .is_some_and(|s| s["capture"]["counts"]["moves"].as_u64() > Some(0))
    });
}

/// Clicks on one thing as somebody does whom it doesn't answer, another run of clicks than the one before.
fn rage(program: &Program, hand: &Hand) {
    std::thread::sleep(Duration::from_millis(1_500));
    let before = program.clicks("dead");
    hand.move_to(program.place("dead"));
    std::thread::sleep(Duration::from_millis(200));
    for _ in 0..6 {
        hand.click();
        std::thread::sleep(Duration::from_millis(90));
    }
    wait_until("the program saw the clicks", || {
        program.clicks("dead") == before + 6
    });
}
