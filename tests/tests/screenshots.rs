//! Every window in both languages, at its least size and a large one, light and dark, as pictures for somebody to
//! look at: `make screenshots`. What they show was noticed, said and answered.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use snag_e2e::desktop::wait_for;
use snag_e2e::stage::Stage;
use snag_e2e::webdriver::Driver;

/// Names another folder than a passing one.
const FOLDER: &str = "SNAG_SCREENSHOTS";

/// The larger of the two sizes.
const LARGE: (u32, u32) = (1100, 720);

#[test]
fn every_window_draws_something_in_both_languages_at_two_sizes_light_and_dark() -> Result<()> {
    let mut stage = Stage::set()?;
    let into = std::env::var_os(FOLDER)
        .map_or_else(|| stage.folder.path().join("pictures"), PathBuf::from);
    std::fs::create_dir_all(&into)?;
    let program = stage.program("Accounts 2026");
    let hand = stage.desktop.hand();
    let driver = stage.driven()?;
    driver.go_to("first-run")?;
    stage.open(&driver, "settings")?;
    in_every_look(&driver, |look| {
        take(&driver, &into, "first-run", look, (560, 480))?;
        // As it opens, all of it is seen.
        driver.resize(900, 680)?;
        let scrolls = driver.eval(
            "const page = document.querySelector('.page-scroll'); return page.scrollHeight > page.clientHeight",
        )?;
        ensure!(
            scrolls == false,
            "the first page needs scrolling: {}",
            look.language
        );
        Ok(())
    })?;
    come_to(&driver, "first-run")?;
    stage.read_first_page(&driver)?;

    // Something that was noticed, said, answered, and that waits.
    hand.activate(hand.windows()[0]);
    hand.move_to(program.place("dead"));
    for _ in 0..6 {
        hand.click();
        std::thread::sleep(Duration::from_millis(90));
    }
    let asked = stage
        .session
        .notification("the question", |n| n.title.starts_with("Stuck in"));
    stage.session.answer(&asked, "not-now")?;
    stage.open(&driver, "feedback")?;
    driver.type_into(
        "//textarea",
        "The list never refreshes, so that I look at yesterday's figures without knowing.",
    )?;
    driver.click("//label[contains(., 'Problem')]")?;
    driver.click_away("//button[normalize-space()='Send']")?;
    stage.closed(&driver, "feedback");
    let id = wait_for("the desk has it", || {
        let list: Value = serde_json::from_slice(&stage.ask("/v1/feedback").ok()?).ok()?;
        list["items"][0]["id"].as_str().map(str::to_owned)
    });
    let reply = "Thank you. The list is read anew every ten seconds from version 4.2 on.";
    stage.tell(
        &format!("/v1/feedback/{id}/replies"),
        &json!({"text": reply}),
    )?;
    stage.open(&driver, "knows")?;
    invoke(&driver, "sync_now", &json!({}))?;
    stage.session.menu_says("Conversations (1 new reply)…");
    stage.server.stop()?;
    // In front of our own windows, over which nothing is anybody's step.
    hand.activate(hand.windows()[0]);
    driver.until("some records to wait", || {
        hand.click_at(program.place("live"));
        let overview = driver.invoke("overview", &json!({}))?;
        Ok((overview["waiting_records"].as_u64() > Some(3)).then_some(()))
    })?;
    stage.open(&driver, "feedback")?;
    driver.type_into("//textarea", "This is said while the server is away.")?;
    driver.click("//label[contains(., 'Problem')]")?;
    driver.click_away("//button[normalize-space()='Send']")?;
    stage.closed(&driver, "feedback");
    stage.open(&driver, "feedback")?;
    for window in ["about", "conversations"] {
        driver.go_to("knows")?;
        invoke(&driver, "open_window", &json!({"name": window}))?;
        driver.go_to(window)?;
    }
    in_every_look(&driver, |look| {
        take(&driver, &into, "feedback", look, (640, 480))?;
        for (tab, name) in ["knows", "knows-waiting"].iter().enumerate() {
            come_to(&driver, "knows")?;
            driver.choose_tab(tab + 1)?;
            if name.ends_with("waiting") {
                driver.find("//ul[@class='records']/li")?;
            }
            take_here(&driver, &into, name, look, (560, 420))?;
        }
        come_to(&driver, "settings")?;
        for (top, name) in [("0", "settings"), ("1e6", "settings-end")] {
            let end = format!(
                "onresize = () => document.querySelector('.page-scroll').scrollTo(0, {top}); onresize()"
            );
            driver.eval(&end)?;
            take_here(&driver, &into, name, look, (480, 420))?;
        }
        take(&driver, &into, "conversations", look, (480, 400))?;
        take(&driver, &into, "about", look, (360, 320))?;
        for (width, height) in [(360, 320), (420, 420)] {
            driver.resize(width, height)?;
            let cut = driver.eval(
                "return [...document.querySelectorAll('button')].some((one) => one.getBoundingClientRect().bottom > innerHeight)",
            )?;
            ensure!(
                cut == false,
                "a button of About is cut off at {width}x{height}"
            );
        }
        Ok(())
    })?;

    // Begun, left and opened again.
    driver.go_to("feedback")?;
    driver.type_into("//textarea", "Begun, and left for later.")?;
    driver.find("//*[@class='quiet saved']/*")?;
    invoke(&driver, "close_window", &json!({}))?;
    stage.closed(&driver, "feedback");
    stage.open(&driver, "feedback")?;
    driver.find("//button[normalize-space()='Start a new one']")?;
    let last = Look {
        language: "en",
        theme: "dark",
    };
    take_here(&driver, &into, "feedback-left", last, (640, 480))?;
    drop(program);
    stage.quit()
}

/// Asks the app for something as a window does, whatever becomes of it.
fn invoke(driver: &Driver, command: &str, arguments: &Value) -> Result<()> {
    let script = format!(
        "window.__TAURI_INTERNALS__.invoke('{command}', {arguments}).catch(() => undefined); return null"
    );
    driver.eval(&script).map(drop)
}

/// A language and a theme.
#[derive(Clone, Copy)]
struct Look {
    language: &'static str,
    theme: &'static str,
}

/// Does it in every language and theme.
fn in_every_look(driver: &Driver, act: impl Fn(Look) -> Result<()>) -> Result<()> {
    for language in ["en", "de"] {
        for theme in ["light", "dark"] {
            driver.go_to("settings")?;
            // As the person does, by the two fields.
            choose(driver, "select", language)?;
            driver.click(&format!(
                "//input[@type='radio'][@value='{theme}']/following-sibling::label"
            ))?;
            act(Look { language, theme })?;
        }
    }
    driver.go_to("settings")?;
    choose(driver, "select", "en")
}

/// Chooses an entry of the last list that has it.
fn choose(driver: &Driver, element: &str, value: &str) -> Result<()> {
    driver.click(&format!("//{element}/option[@value='{value}']"))
}

/// Goes to a window, which reads the settings again as the person comes back to it.
fn come_to(driver: &Driver, window: &str) -> Result<()> {
    driver.go_to(window)?;
    driver.eval("dispatchEvent(new Event('focus'))").map(drop)
}

fn take(driver: &Driver, into: &Path, window: &str, look: Look, least: (u32, u32)) -> Result<()> {
    come_to(driver, window)?;
    take_here(driver, into, window, look, least)
}

fn take_here(
    driver: &Driver,
    into: &Path,
    name: &str,
    look: Look,
    least: (u32, u32),
) -> Result<()> {
    let Look { language, theme } = look;
    driver.until("the language and the theme", || {
        let now = driver.eval(
            "const page = document.documentElement; return [page.lang, page.dataset.mantineColorScheme]",
        )?;
        Ok((now == json!([language, theme])).then_some(()))
    })?;
    for (width, height) in [least, LARGE] {
        driver.resize(width, height)?;
        let picture = driver.picture()?;
        let name = format!("{name}-{language}-{theme}-{width}x{height}.png");
        std::fs::write(into.join(&name), &picture)?;
        let pixels = image::load_from_memory(&picture)
            .context("a picture")?
            .to_rgb8();
        let colours: BTreeSet<[u8; 3]> = pixels.pixels().step_by(11).map(|pixel| pixel.0).collect();
        ensure!(colours.len() > 20, "{name}: {} colours", colours.len());
        let corner = pixels.get_pixel(2, pixels.height() - 3).0;
        let is_light = corner.iter().map(|part| u32::from(*part)).sum::<u32>() > 384;
        ensure!(
            is_light == (theme == "light"),
            "{name}: the corner is {corner:?}"
        );
        let cut = driver.eval(
            "return document.documentElement.scrollWidth > document.documentElement.clientWidth",
        )?;
        ensure!(cut == false, "{name}: wider than its window");
    }
    Ok(())
}
