//! The desktop app as a person meets it: on a real desktop, with an icon, notifications, windows and real programs.

mod acts;
mod desk;
mod drafts;
mod export;
mod icon;
mod knows;
mod large;
mod life;
mod managed;
mod marks;
mod own_windows;
mod policy;
mod prompts;
mod ready;
mod sdk;
mod settings;

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use image::RgbImage;
use serde_json::{Value, json};
use snag_e2e::desktop::wait_until;
use snag_e2e::stage::Stage;

use acts::pictures_in;

/// X's name of the key that leaves.
const ESCAPE: u32 = 0xff1b;

/// Stands in the title of a window that is on the picture, and may be nowhere.
const SECRET: &str = "Qwxzvkraft Pfnbtqlm";

/// Is typed in that window.
const TYPED: &str = "xqzjvkwpy7";

#[test]
fn feedback_with_a_hidden_area_goes_from_first_run_to_the_server_and_offline_between() -> Result<()>
{
    let mut stage = Stage::watched()?;
    let program = stage.program(SECRET);
    let driver = stage.driven()?;

    // Nothing is captured before the first page was read, however much is done.
    driver.go_to("first-run")?;
    let hand = stage.desktop.hand();
    // The program, in front of our window again.
    hand.activate(hand.windows()[0]);
    for _ in 0..4 {
        hand.click_at(program.place("dead"));
    }
    wait_until("the program saw the clicks", || program.clicks("dead") == 4);
    let before = stage.agent.data().join("status.json");
    let before = std::fs::read_to_string(before).unwrap_or_default();
    ensure!(!before.contains("\"presses\":4"), "{before}");
    let menu = stage.session.menu()?;
    ensure!(
        menu.iter()
            .any(|entry| entry.label == "Nothing is noticed yet"),
        "{menu:?}"
    );
    stage.read_first_page(&driver)?;
    // What is typed before the window has the focus is nobody's.
    hand.activate(hand.windows()[0]);
    program.focus_entry(&hand);
    hand.type_text(TYPED);
    wait_until("it was typed", || {
        program.lines.count(|line| line["changed"] == "entry") == TYPED.len()
    });
    stage.server.stop()?;

    // The form has the picture of what was there before it opened.
    stage.open(&driver, "feedback")?;
    let focused = driver.until("the text to have the focus", || {
        let name = driver.eval("return document.activeElement.tagName")?;
        Ok((name == "TEXTAREA").then_some(name))
    })?;
    ensure!(focused == "TEXTAREA");
    driver.type_into("//textarea", "The list never refreshes")?;
    driver.click("//label[contains(., 'Problem')]")?;
    driver.click("//button[@aria-label='Hide']")?;
    driver.find("//*[@role='application']")?;
    let corner = |script: &str| -> Result<(i64, i64)> {
        let at = driver.eval(&format!(
            "const r = document.querySelector('svg.canvas').getBoundingClientRect(); return [{script}]"
        ))?;
        let number = |index: usize| at[index].as_f64().map(|n| n.round() as i64);
        Ok((number(0).context("x")?, number(1).context("y")?))
    };
    // The upper nine tenths: the window and its title.
    let from = corner("r.left + 1, r.top + 1")?;
    let to = corner("r.right - 1, r.top + r.height * 0.9")?;
    driver.drag(from, to)?;
    driver.until("the hidden area", || {
        let areas = driver.eval("return document.querySelectorAll('.hidden-area').length")?;
        Ok((areas == 1).then_some(()))
    })?;
    // A draft has the picture as it will leave.
    let data = stage.agent.data();
    wait_until("the picture of the draft hides it", || {
        let pictures = pictures_in(data).unwrap_or_default();
        !pictures.is_empty() && pictures.iter().all(|one| colours_above(one) == 1)
    });
    driver.click_away("//button[normalize-space()='Send']")?;
    stage.closed(&driver, "feedback");
    let pictures = pictures_in(data)?;
    ensure!(pictures.iter().all(|one| colours_above(one) == 1));
    let kept = stage
        .session
        .notification("it is kept", |n| n.title == "Your feedback is kept here");
    ensure!(kept.body.contains("as soon as it can be"), "{kept:?}");
    wait_until("the menu says that it is kept", || {
        stage.session.menu().is_ok_and(|menu| {
            // Records wait, too, so that the number is not known.
            menu.iter().any(|e| {
                let waits = e.label.contains(" waiting") && !e.label.contains("nothing");
                waits || e.label.contains("kept here")
            })
        })
    });

    // The server comes back: it arrives, once, and the person is told.
    stage.server.start()?;
    // Sooner than the next try would be: "Send now" of the window.
    stage.session.choose("What Snag knows…")?;
    driver.go_to("knows")?;
    driver.invoke("sync_now", &json!({}))?;
    let told = stage.session.notification("the feedback has arrived", |n| {
        n.title == "Your feedback has arrived"
    });
    ensure!(told.body.contains("Desk Ltd"), "{told:?}");
    let told = stage.session.notifications();
    let kept = told.iter().filter(|n| n.title == kept.title).count();
    ensure!(kept == 1, "said once: {told:?}");
    let list: Value = serde_json::from_slice(&stage.ask("/v1/feedback")?)?;
    let items = list["items"].as_array().context("items")?;
    ensure!(items.len() == 1, "{list}");
    let id = items[0]["id"].as_str().context("an id")?;
    let stored = stage.ask(&format!("/v1/feedback/{id}/screenshot"))?;
    let picture = image::load_from_memory(&stored)?.to_rgb8();
    ensure!((picture.width(), picture.height()) == (1280, 800));
    let colours = colours_above(&picture);
    ensure!(
        colours == 1,
        "{colours} colours are left where all was hidden"
    );
    wait_until("no picture is left here", || {
        pictures_in(data).is_ok_and(|left| left.is_empty())
    });

    drop(program);
    stage.quit()?;
    drop(driver);
    stage.server.stop()?;
    for secret in [SECRET, "Qwxzvkraft", TYPED] {
        stage.is_nowhere(secret)?;
    }
    Ok(())
}

/// How many colours there are in the upper nine tenths of a picture, but for its edge.
fn colours_above(picture: &RgbImage) -> usize {
    let (right, bottom) = (picture.width() - 10, picture.height() * 7 / 8);
    picture
        .enumerate_pixels()
        .filter(|(x, y, _)| (10..right).contains(x) && (10..bottom).contains(y))
        .map(|(_, _, pixel)| pixel.0)
        .collect::<BTreeSet<_>>()
        .len()
}
