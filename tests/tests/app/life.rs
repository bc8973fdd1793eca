//! How the app comes up, where it doesn't, and how it and its windows end.

use std::fs::File;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use snag_e2e::desktop::{Desktop, PATIENCE, With, wait_until};
use snag_e2e::process::{Running, binary, output};
use snag_e2e::session::Session;
use snag_e2e::stage::{Stage, app, processes};

#[test]
fn one_app_without_a_bus_or_a_tray_and_none_without_a_display() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("agent");
    let desktop = Desktop::start(With {
        window_manager: true,
        bus: false,
    });
    let log = File::create(folder.path().join("app.log"))?;
    let mut command = app(&desktop, folder.path(), &data)?;
    let mut first = Running(command.stdout(log.try_clone()?).stderr(log).spawn()?);
    let hand = desktop.hand();
    // Where nothing shows the icon a window opens by itself.
    wait_until("a window", || !hand.windows().is_empty());
    let second = output(app(&desktop, folder.path(), &data)?.arg("snag://settings"))?;
    ensure!(
        second.status.success(),
        "{}",
        String::from_utf8_lossy(&second.stderr)
    );
    wait_until("the settings, too", || hand.windows().len() == 2);
    ensure!(first.0.try_wait()?.is_none(), "the first one ended");
    // The end of the session.
    first.stop(PATIENCE)?;
    wait_until("nothing is left", || {
        processes(&data).is_ok_and(|left| left.is_empty())
    });

    let mut none = Command::new(binary("snag-desktop")?);
    none.arg("--data-dir").arg(&data).stdin(Stdio::null());
    for name in ["DISPLAY", "WAYLAND_DISPLAY"] {
        none.env_remove(name);
    }
    let ended = output(&mut none)?;
    let message = String::from_utf8_lossy(&ended.stderr);
    ensure!(ended.status.code() == Some(2), "{} {message}", ended.status);
    ensure!(message.contains("no display"), "{message}");
    none.env("DISPLAY", ":987");
    let ended = output(&mut none)?;
    let message = String::from_utf8_lossy(&ended.stderr);
    ensure!(
        ended.status.code() == Some(2) && message.contains(":987"),
        "{message}"
    );
    Ok(())
}

#[test]
fn a_folder_that_cannot_be_used_ends_the_app_with_a_sentence() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let desktop = Desktop::start(With {
        window_manager: false,
        bus: false,
    });
    // A file where the folder has to be: as unusable for root as for anybody.
    let file = folder.path().join("file");
    File::create(&file)?;
    for data in [file.join("agent"), file] {
        let ended = output(&mut app(&desktop, folder.path(), &data)?)?;
        let message = String::from_utf8_lossy(&ended.stderr);
        ensure!(ended.status.code() == Some(1), "{} {message}", ended.status);
        ensure!(
            message.contains("can't be used") && message.contains("--data-dir"),
            "{message}"
        );
        ensure!(!message.contains("panicked"), "{message}");
    }

    // Started by a session, it has nowhere else to say so.
    let desktop = Desktop::start(With {
        window_manager: false,
        bus: true,
    });
    let session = Session::start(&desktop)?;
    let data = folder.path().join("file");
    let ended = output(&mut app(&desktop, folder.path(), &data)?)?;
    ensure!(!ended.status.success(), "{}", ended.status);
    let told = session.notifications();
    ensure!(
        told.len() == 1 && told[0].body.contains("can't be used"),
        "{told:?}"
    );
    Ok(())
}

#[test]
fn the_windows_come_and_go_and_fail_without_the_app() -> Result<()> {
    let stage = Stage::set()?;
    {
        let driver = stage.driven()?;
        stage.read_first_page(&driver)?;
        stage.quit()?;
    }
    let hand = stage.desktop.hand();
    stage.set_form_ready("never")?;
    let mut running = stage.hidden()?;
    stage.captures();
    let windows = || -> Vec<u32> {
        let all = processes(stage.agent.data()).unwrap_or_default();
        all.into_iter().filter(|pid| draws_windows(*pid)).collect()
    };
    ensure!(windows().is_empty() && hand.windows().is_empty());

    // Any page may hold a link: what isn't known opens nothing. What is opens in the app that runs.
    for link in ["snag://quit", "snag://first-run", "https://knows"] {
        stage.second(&[link])?;
    }
    stage.second(&["--hidden"])?;
    stage.second(&["snag://knows"])?;
    wait_until("the window", || hand.windows().len() == 1);
    let drawing = windows();
    ensure!(drawing.len() == 1, "{drawing:?}");
    let pid = drawing[0].to_string();
    ensure!(Command::new("kill").args(["-9", &pid]).status()?.success());
    wait_until("the window is gone", || hand.windows().is_empty());
    ensure!(running.0.try_wait()?.is_none(), "the app went with it");

    stage.second(&["snag://settings"])?;
    stage.second(&["snag://knows"])?;
    wait_until("two windows", || hand.windows().len() == 2);
    let drawing = windows();
    ensure!(drawing.len() == 1, "one process for both: {drawing:?}");
    hand.close(hand.windows()[0]);
    wait_until("one is closed", || hand.windows().len() == 1);
    std::thread::sleep(Duration::from_secs(4));
    ensure!(windows() == drawing, "the other window needs it");
    hand.close(hand.windows()[0]);
    wait_until("the process has ended with its last window", || {
        windows().is_empty()
    });

    // A window is open as the app ends.
    stage.second(&["snag://settings"])?;
    wait_until("the window", || hand.windows().len() == 1);
    stage.quit()?;
    ensure!(running.0.wait()?.success());
    Ok(())
}

#[test]
fn an_icon_that_got_lost_is_told_again_and_only_then() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let desktop = Desktop::start(With {
        window_manager: false,
        bus: true,
    });
    let session = Session::start(&desktop)?;
    let data = folder.path().join("agent");
    for is_lost in [true, false] {
        if is_lost {
            session.lose_an_icon();
        }
        let mut command = app(&desktop, folder.path(), &data)?;
        let log = File::create(folder.path().join("app.log"))?;
        command.arg("--hidden").stdout(log.try_clone()?).stderr(log);
        let (begin, before) = (Instant::now(), session.icons());
        let mut running = Running(command.spawn()?);
        wait_until("the icon", || session.icon_since(begin).is_some());
        session.menu_says("Quit Snag");
        // It is looked for after a second.
        std::thread::sleep(Duration::from_secs(3));
        let said = std::fs::read_to_string(folder.path().join("app.log"))?;
        ensure!(!is_lost || said.contains("once more"), "{said}");
        // Whoever told it: on a busy computer the app may have to where nothing got lost.
        let told = session.icons() - before;
        ensure!(told == 1, "told {told} times: {said}");
        session.choose("Quit Snag")?;
        wait_until("it has ended", || {
            matches!(running.0.try_wait(), Ok(Some(_)))
        });
    }
    Ok(())
}

/// Whether a process is the one that the app started for its windows.
fn draws_windows(pid: u32) -> bool {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    line.split(|byte| *byte == 0)
        .next()
        .is_some_and(|program| program.ends_with(b"snag-windows"))
}
