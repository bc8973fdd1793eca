//! What was written is there again, however the form ended.

use std::process::Command;

use anyhow::{Result, ensure};
use snag_e2e::desktop::{Hand, wait_until};
use snag_e2e::stage::{Stage, processes};
use snag_e2e::webdriver::Driver;

use crate::ESCAPE;

#[test]
fn a_draft_survives_a_crash_the_end_of_the_app_and_a_closed_window() -> Result<()> {
    let stage = Stage::set()?;
    let hand = stage.desktop.hand();
    let driver = stage.driven()?;
    stage.read_first_page(&driver)?;
    stage.open(&driver, "feedback")?;
    write(&driver, &hand, "the crash ")?;
    driver.find("//*[@class='quiet saved']/*")?;
    // Nothing of it has time to say goodbye.
    for pid in processes(stage.agent.data())? {
        // The windows may have ended with the app by now.
        Command::new("kill")
            .args(["-9", &pid.to_string()])
            .output()?;
    }
    wait_until("nothing is left", || {
        processes(stage.agent.data()).is_ok_and(|left| left.is_empty())
    });
    drop(driver);

    let driver = stage.driven()?;
    stage.open(&driver, "feedback")?;
    shows(&driver, "the crash ")?;
    // By the menu, in the middle of a word.
    write(&driver, &hand, "the end ")?;
    stage.quit()?;
    drop(driver);

    let driver = stage.driven()?;
    stage.open(&driver, "feedback")?;
    shows(&driver, "the crash the end ")?;
    // By the window manager, in the middle of a word.
    write(&driver, &hand, "the closing ")?;
    let form = hand.active();
    ensure!(form.is_some(), "the form is active");
    form.into_iter().for_each(|form| hand.close(form));
    stage.closed(&driver, "feedback");
    stage.open(&driver, "feedback")?;
    shows(&driver, "the crash the end the closing ")?;
    // By the keyboard.
    write(&driver, &hand, "and escape")?;
    hand.key(ESCAPE);
    stage.closed(&driver, "feedback");
    stage.open(&driver, "feedback")?;
    shows(&driver, "the crash the end the closing and escape")?;
    stage.quit()
}

/// Writes with real keys, and ends as soon as the window has the last one.
fn write(driver: &Driver, hand: &Hand, words: &str) -> Result<()> {
    let before = text(driver)?;
    driver.click("//textarea")?;
    driver.eval("const t = document.querySelector('textarea'); t.setSelectionRange(1e6, 1e6)")?;
    driver.until("the keys to be the form's", || {
        Ok((driver.eval("return document.hasFocus()")? == true).then_some(()))
    })?;
    hand.type_text(words);
    shows(driver, &format!("{before}{words}"))
}

fn shows(driver: &Driver, words: &str) -> Result<()> {
    driver.until(words, || Ok((text(driver)? == words).then_some(())))
}

fn text(driver: &Driver) -> Result<String> {
    let text = driver.eval("return document.querySelector('textarea').value")?;
    Ok(text.as_str().unwrap_or_default().to_owned())
}
