//! What the desk answers reaches the person.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use snag_e2e::desktop::wait_for;
use snag_e2e::stage::Stage;

#[test]
fn a_reply_is_told_by_a_notification_that_opens_the_conversation() -> Result<()> {
    let (stage, dunst) = Stage::with_dunst()?;
    let driver = stage.driven()?;
    stage.read_first_page(&driver)?;
    stage.say(&driver, "Sums are rounded twice")?;
    // The first notification: it has arrived.
    let (title, body) = dunst.click_next()?;
    ensure!(title == "Your feedback has arrived", "{title}");
    ensure!(body.contains("Desk Ltd"), "{body}");
    stage.session.menu_says("Conversations…");

    let id = wait_for("the desk has it", || {
        let list: Value = serde_json::from_slice(&stage.ask("/v1/feedback").ok()?).ok()?;
        list["items"][0]["id"].as_str().map(str::to_owned)
    });
    let path = format!("/v1/feedback/{id}/replies");
    stage.tell(&path, &json!({"text": "Mended in 4.2 <b>today</b>"}))?;
    stage.open(&driver, "knows")?;
    driver.invoke("sync_now", &json!({}))?;
    stage.session.menu_says("Conversations (1 new reply)…");
    let (title, body) = dunst.click_next()?;
    ensure!(title.ends_with("answered you"), "{title}");
    // Whoever stands behind the person reads it, too.
    ensure!(
        !body.contains("Mended") && !title.contains("Mended"),
        "{body}"
    );

    driver.go_to("conversations")?;
    driver.find("//*[contains(@class, 'bubble')]//p[.='Mended in 4.2 <b>today</b>']")?;
    driver.find("//*[contains(@class, 'bubble')]//p[.='Sums are rounded twice']")?;
    // It was read.
    stage.session.menu_says("Conversations…");
    let shown = driver
        .eval("return document.querySelector('.bubble:not([data-mine]) .bubble-who').innerText")?;
    let author = title.strip_suffix(" answered you").context("an author")?;
    ensure!(
        shown.as_str().is_some_and(|shown| shown.contains(author)),
        "{shown} and {author}"
    );
    stage.quit()
}
