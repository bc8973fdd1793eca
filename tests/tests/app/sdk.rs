//! A program asks for the form while it is open: what it is about may change, what the person wrote may not.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use snag_e2e::desktop::wait_for;
use snag_e2e::stage::Stage;

#[test]
fn a_program_that_asks_for_the_open_form_leaves_what_the_person_wrote() -> Result<()> {
    let stage = Stage::set()?;
    let driver = stage.driven()?;
    stage.read_first_page(&driver)?;
    stage.open(&driver, "feedback")?;
    // Counts what reached the window, each once the form has read it.
    driver.eval(
        "window.heard = 0; const tauri = window.__TAURI_INTERNALS__; \
         const read = () => tauri.invoke('feedback_form').then(() => setTimeout(() => window.heard++)); \
         tauri.invoke('plugin:event|listen', {event: 'feedback-form', target: {kind: 'Any'}, \
           handler: tauri.transformCallback(read)}).then(() => window.listens = true)",
    )?;
    driver.is_so("window.listens === true")?;

    // Nothing was written yet: the program's words are in the form.
    ask(&stage, "Ledger", "The export stopped")?;
    driver.is_so("window.heard === 1")?;
    driver.is_so("document.querySelector('textarea').value === 'The export stopped'")?;
    driver.find("//h1[contains(., 'Ledger')]")?;

    // Still nothing of the person's: the next words take their place.
    ask(&stage, "Ledger", "The import stopped")?;
    driver.is_so("window.heard === 2")?;
    driver.is_so("document.querySelector('textarea').value === 'The import stopped'")?;

    // The person writes, and another program asks at that moment.
    driver.type_into("//textarea", " at row 7")?;
    ask(&stage, "Mailer", "No answer from the mail server")?;
    driver.is_so("window.heard === 3")?;
    let text = driver.eval("return document.querySelector('textarea').value")?;
    ensure!(text == "The import stopped at row 7", "{text}");
    driver.type_into("//textarea", " of 9")?;
    driver.click("//label[contains(., 'Problem')]")?;
    driver.click_away("//button[normalize-space()='Send']")?;
    stage.closed(&driver, "feedback");
    let sent = wait_for("the desk has it", || {
        let list: Value = serde_json::from_slice(&stage.ask("/v1/feedback").ok()?).ok()?;
        list["items"].get(0).cloned()
    });
    ensure!(
        sent["description"] == "The import stopped at row 7 of 9",
        "{sent}"
    );
    ensure!(!sent.to_string().contains("Mailer"), "{sent}");
    stage.quit()
}

/// Asks for the form as a program does.
fn ask(stage: &Stage, program: &str, words: &str) -> Result<()> {
    let place = std::fs::read(stage.agent.data().join("sdk.json"))?;
    let place: Value = serde_json::from_slice(&place)?;
    let text = |name: &str| place[name].as_str().context("sdk.json");
    let status = Command::new("curl")
        .args([
            "-sf",
            "--max-time",
            "60",
            "--noproxy",
            "*",
            "-o",
            "/dev/null",
        ])
        .args(["-H", "Content-Type: application/json", "-H"])
        .arg(format!("Authorization: Bearer {}", text("token")?))
        .arg("--data")
        .arg(json!({"app": program, "description": words}).to_string())
        .arg(format!("{}/v1/feedback/open", text("address")?))
        .status()?;
    ensure!(status.success(), "the form was refused: {status}");
    Ok(())
}
