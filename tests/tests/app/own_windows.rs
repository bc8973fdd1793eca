//! Snag notices nothing of what is done in its own windows.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use snag_e2e::desktop::wait_until;
use snag_e2e::stage::Stage;

use crate::acts::{click, clicks_that_wait, inside};

#[test]
fn what_is_done_in_our_own_windows_is_nobodys_step() -> Result<()> {
    let mut stage = Stage::set()?;
    let program = stage.program("Accounts");
    let hand = stage.desktop.hand();
    let driver = stage.driven()?;
    stage.read_first_page(&driver)?;
    stage.server.stop()?;
    stage.open(&driver, "knows")?;
    let ours = *hand.windows().last().context("our window")?;
    click(&program, &hand, "live", 2);
    clicks_that_wait(&driver, 2)?;
    hand.activate(ours);
    let left_out = || {
        let status = stage.status().unwrap_or_default();
        status["capture"]["losses"]["own_windows"].as_u64()
    };
    let (left, top, width, height) = inside(&hand, ours)?;
    let at = |x: f64, y: f64| (x.round() as i16, y.round() as i16);
    // Whose a window is may be told too late on a busy machine: then it is taken to be whose the last one was.
    wait_until("the pointer is in our window", || {
        for part in [0.4, 0.6] {
            hand.move_to(at(left + width * part, top + height * 0.9));
            std::thread::sleep(Duration::from_millis(100));
        }
        left_out() > Some(0)
    });
    // The last way of the pointer is told once it has rested.
    std::thread::sleep(Duration::from_secs(3));
    let before = driver.invoke("knows_waiting", &json!({"after": null}))?;
    let already = left_out().unwrap_or_default();
    for step in 1..=60_i16 {
        let part = f64::from(step) / 61.0;
        hand.move_to(at(left + width * part, top + height * 0.9));
        std::thread::sleep(Duration::from_millis(10));
    }
    hand.click();
    hand.wheel();
    // The title bar, which is the window manager's.
    hand.click_at(at(left + width / 2.0, top - 8.0));
    wait_until("it is left out", || left_out() > Some(already + 60));
    std::thread::sleep(Duration::from_secs(3));
    let after = driver.invoke("knows_waiting", &json!({"after": null}))?;
    ensure!(after["items"] == before["items"], "{before} {after}");
    drop(program);
    stage.quit()
}
