//! A page of the form that is kept ready.

use std::process::Command;

use anyhow::{Result, ensure};
use snag_e2e::desktop::{ALT, CONTROL, PATIENCE, wait_until};
use snag_e2e::reader::written;
use snag_e2e::stage::{Stage, processes};

/// What the system calls a process.
fn name(pid: u32) -> String {
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    name.trim().to_owned()
}

#[test]
fn a_page_that_is_kept_ready_becomes_the_form_and_is_made_anew() -> Result<()> {
    let stage = Stage::set()?;
    {
        let driver = stage.driven()?;
        stage.read_first_page(&driver)?;
        stage.quit()?;
    }
    stage.set_form_ready("always")?;
    let hand = stage.desktop.hand();
    let mut running = stage.hidden()?;
    stage.captures();
    let named = |wanted: &str| -> Vec<u32> {
        let all = processes(stage.agent.data()).unwrap_or_default();
        all.into_iter().filter(|pid| name(*pid) == wanted).collect()
    };
    wait_until("a page is kept ready", || {
        named("WebKitWebProces").len() == 1
    });
    ensure!(hand.windows().is_empty(), "somebody sees it");
    let kept = [named("snag-windows"), named("WebKitWebProces")];

    let press = || hand.chord(&[CONTROL, ALT], u32::from('f'));
    press();
    wait_until("the form", || written(&stage.desktop).is_some());
    ensure!(
        kept == [named("snag-windows"), named("WebKitWebProces")],
        "other processes draw it"
    );
    wait_until("the form has the keys", || {
        hand.active().is_some() && hand.active() == hand.windows().first().copied()
    });
    for letter in "ready".chars() {
        hand.key(u32::from(letter));
    }
    wait_until("what was typed", || {
        written(&stage.desktop).as_deref() == Some("ready")
    });
    hand.close(hand.active().expect("the form"));
    wait_until("the form has closed", || hand.windows().is_empty());
    wait_until("another page is kept ready", || {
        let now = named("WebKitWebProces");
        now.len() == 1 && now != kept[1] && named("snag-windows") != kept[0]
    });

    // A page that crashes takes no more with it than its process, and the next wish starts another.
    let pid = named("WebKitWebProces")[0].to_string();
    let draws = named("snag-windows");
    ensure!(Command::new("kill").args(["-9", &pid]).status()?.success());
    // Another page may be kept ready at once.
    wait_until("its process is gone", || {
        !named("snag-windows").iter().any(|pid| draws.contains(pid))
    });
    ensure!(running.0.try_wait()?.is_none(), "the app went with it");
    press();
    wait_until("the form with what was written", || {
        written(&stage.desktop).as_deref() == Some("ready")
    });
    running.stop(PATIENCE)?;
    wait_until("nothing is left", || {
        processes(stage.agent.data()).is_ok_and(|left| left.is_empty())
    });
    Ok(())
}
