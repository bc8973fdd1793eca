//! What the organisation's rules widen is noticed only after the person has read it.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use snag_e2e::desktop::wait_until;
use snag_e2e::sql::Sql;
use snag_e2e::stage::Stage;
use snag_e2e::webdriver::Driver;

use crate::acts::{click, clicks_that_wait};

/// What the notification says of wider rules.
const WIDER: &str = "Snag would like to notice more";

#[test]
fn what_the_rules_widen_is_noticed_only_after_it_was_read() -> Result<()> {
    let mut stage = Stage::set()?;
    let program = stage.program("Accounts");
    let hand = stage.desktop.hand();
    let driver = stage.driven()?;
    stage.read_first_page(&driver)?;
    stage.open(&driver, "knows")?;

    // What is narrower needs no reading.
    stage.rule(|rules| rules["apps"] = json!({"mode": "deny", "apps": ["bank*"]}))?;
    rules_arrive(&driver, |rules| rules["apps"] == json!(["bank*"]))?;
    ensure!(state(&driver)? == "capturing");
    stage.open(&driver, "settings")?;
    driver.find("//p[. = 'All programs are looked at, except: bank*.']/following-sibling::p[contains(., 'Desk Ltd')]")?;
    stage.rule(|rules| rules["apps"] = json!({"mode": "deny", "apps": ["bank*", "till"]}))?;
    driver.go_to("knows")?;
    rules_arrive(&driver, |rules| rules["apps"] == json!(["bank*", "till"]))?;
    // It is open, and follows.
    driver.go_to("settings")?;
    driver.find("//p[. = 'All programs are looked at, except: bank*, till.']")?;
    driver.go_to("knows")?;
    click(&program, &hand, "live", 2);
    clicks_that_wait(&driver, 2)?;

    stage.rule(|rules| {
        rules["retention"]["feedback_days"] = json!(180);
        rules["label_rules"] =
            json!([{"app": "program*", "label": "Accounts.*", "action": "readable"}]);
    })?;
    rules_arrive(&driver, |rules| rules["kept_days"] == 180)?;
    let told = stage
        .session
        .notification("that more would be noticed", |n| n.title == WIDER);
    ensure!(told.body.contains("Desk Ltd"), "{told:?}");
    driver.until("the end of capture", || {
        Ok((state(&driver)? == "not_acknowledged").then_some(()))
    })?;
    stage
        .session
        .menu_says("Snag: waiting for you to read the first page");
    click(&program, &hand, "live", 3);
    stage.session.answer(&told, "default")?;
    driver.go_to("first-run")?;
    shows_what_changes(&driver, 180)?;
    stage.quit()?;
    drop(driver);

    // The session's next start asks for no window, and says once what waits to be read.
    let before = stage.session.notifications().len();
    let hidden = stage.hidden()?;
    stage.session.menu_says("Before Snag starts…");
    wait_until("the notification", || {
        stage.session.notifications().len() > before
    });
    click(&program, &hand, "live", 3);
    stage.quit()?;
    drop(hidden);
    let told = stage.session.notifications().split_off(before);
    ensure!(told.len() == 1 && told[0].title == WIDER, "{told:?}");

    // Started by the person, it shows what would change. While they read, the rules become wider still.
    let driver = stage.driven()?;
    driver.go_to("first-run")?;
    shows_what_changes(&driver, 180)?;
    stage.rule(|rules| rules["retention"]["feedback_days"] = json!(200))?;
    stage.open(&driver, "knows")?;
    rules_arrive(&driver, |rules| rules["kept_days"] == 200)?;
    driver.go_to("first-run")?;
    // Whether or not the page was renewed by then: what was not on it can't be acknowledged.
    driver.click("//button[contains(., 'I understand, start')]")?;
    shows_what_changes(&driver, 200)?;
    driver.click_away("//button[contains(., 'I understand, start')]")?;
    stage.closed(&driver, "first-run");
    driver.go_to("knows")?;
    driver.until("capture goes on", || {
        Ok((state(&driver)? == "capturing").then_some(()))
    })?;
    stage.captures();
    click(&program, &hand, "live", 2);
    clicks_that_wait(&driver, 2)?;
    driver.invoke("sync_now", &json!({}))?;
    let version = &driver.invoke("first_run", &json!({}))?["version"];
    let kept = std::fs::read(stage.agent.data().join("acknowledged.json"))?;
    let kept: Value = serde_json::from_slice(&kept)?;
    ensure!(kept["version"] == *version, "{kept} isn't {version}");
    stage.quit()?;
    drop(driver);

    // It was read, and isn't asked again.
    let before = stage.session.notifications().len();
    let _hidden = stage.hidden()?;
    stage.captures();
    ensure!(hand.windows().len() == 1, "the program's window alone");
    stage.quit()?;
    let told = stage.session.notifications().split_off(before);
    ensure!(told.is_empty(), "{told:?}");

    // The clicks from before and after, and none of between.
    stage.server.stop()?;
    let rows = Sql::over(&stage.server)?
        .rows("SELECT toUInt32(count()) AS clicks FROM events WHERE kind = 'click'")?;
    ensure!(rows[0]["clicks"] == 4, "{rows:?}");
    Ok(())
}

/// Has the app ask for the rules, and waits until the page has them.
fn rules_arrive(driver: &Driver, are: impl Fn(&Value) -> bool) -> Result<()> {
    driver.until("the rules", || {
        driver.invoke("sync_now", &json!({}))?;
        let page = driver.invoke("first_run", &json!({}))?;
        Ok(are(&page["policy"]).then_some(()))
    })
}

fn state(driver: &Driver) -> Result<String> {
    let overview = driver.invoke("overview", &json!({}))?;
    let state = overview["capture"]["state"].as_str();
    Ok(state.context("a state")?.to_owned())
}

fn shows_what_changes(driver: &Driver, days: u32) -> Result<()> {
    driver.find("//h1[.='Desk Ltd would like to notice more']")?;
    let changes = "//section[contains(@class, 'widened')]//li";
    driver.find(&format!(
        "{changes}[.='What is sent would be kept for {days} days, not 90.']"
    ))?;
    driver.find(&format!(
        "{changes}[contains(., 'Accounts.*') and contains(., 'readable at once')]"
    ))?;
    Ok(())
}
