//! What the person sets: through the window, with real keys, and still so after the next start of the session.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use snag_e2e::desktop::{ALT, CONTROL, Hand, wait_until};
use snag_e2e::keys::Holder;
use snag_e2e::stage::Stage;
use snag_e2e::webdriver::Driver;

use crate::ESCAPE;

/// The button that shows the shortcut, and takes a new one.
const SHORTCUT: &str = "//button[starts-with(@aria-label, 'Shortcut for feedback')]";

#[test]
fn the_shortcut_and_the_start_with_the_session_are_the_persons() -> Result<()> {
    let stage = Stage::set()?;
    let other = Holder::on(&stage.desktop);
    let hand = stage.desktop.hand();
    let driver = stage.driven()?;
    stage.read_first_page(&driver)?;
    stage.open(&driver, "settings")?;
    ensure!(!other.is_free('f')?, "the usual shortcut is held");

    // What another program holds never gets to our window as a key: while it listens the app takes all of them, so
    // that it can say why not.
    ensure!(other.hold('k')?);
    driver.click(SHORTCUT)?;
    let taken =
        "return document.body.innerText.includes('Another program uses Ctrl+Alt+K already')";
    driver.until("the keys to be another program's", || {
        hand.chord(&[CONTROL, ALT], u32::from('k'));
        Ok((driver.eval(taken)? == true).then_some(()))
    })?;
    // A desktop whose keys come another way sends them to the window.
    driver.click(SHORTCUT)?;
    driver.type_into(SHORTCUT, "\u{E009}\u{E00A}k\u{E000}")?;
    driver.find("//*[contains(., 'Another program uses Ctrl+Alt+K already')]")?;
    ensure!(shown(&driver)? == "Ctrl + Alt + F");
    ensure!(!other.is_free('f')?, "the one that was set is still held");

    // Set by pressing it; the keys from before belong to everybody again.
    driver.click(SHORTCUT)?;
    driver.find("//button[normalize-space()='Press the keys…']")?;
    hand.chord(&[CONTROL, ALT], u32::from('z'));
    driver.until("the new shortcut", || {
        Ok((shown(&driver)? == "Ctrl + Alt + Z").then_some(()))
    })?;
    wait_until("the old keys are free", || {
        other.is_free('f').unwrap_or(false)
    });
    ensure!(!other.is_free('z')?, "the new keys are not held");
    let gone = "return document.body.innerText.includes('Another program uses')";
    ensure!(driver.eval(gone)? == false, "the sentence stays");
    let program = stage.program("Accounts");
    hand.activate(*hand.windows().last().context("the program's window")?);
    hand.chord(&[CONTROL, ALT], u32::from('z'));
    driver.go_to("feedback")?;
    // A form that is made and not yet shown has the text, and no keys.
    driver.is_so("document.hasFocus() && document.activeElement.tagName === 'TEXTAREA'")?;
    leave_form(&stage, &driver, &hand)?;
    drop(program);

    // Starting with the session: one entry, or none.
    let entries = stage.folder.path().join("configuration/autostart");
    driver.go_to("settings")?;
    let turn = |on: bool| -> Result<()> {
        driver.click("//label[contains(., 'Start with the computer')]")?;
        driver.until("the switch to have turned", || {
            let switch = "return [...document.querySelectorAll('.setting')]\
                .find((one) => one.innerText.includes('Start with the computer')).querySelector('input').checked";
            Ok((driver.eval(switch)? == on).then_some(()))
        })
    };
    // A folder of its own is a trial, which leaves the session alone until somebody says otherwise; so it is off.
    let shown = driver.invoke("settings", &json!({}))?;
    ensure!(shown["autostart"]["value"] == false, "{shown}");
    ensure!(files(&entries).is_empty(), "{:?}", files(&entries));
    for _ in 0..2 {
        turn(true)?;
        ensure!(files(&entries).len() == 1, "{:?}", files(&entries));
        turn(false)?;
        ensure!(files(&entries).is_empty(), "{:?}", files(&entries));
    }
    turn(true)?;
    let entry = entries.join(&files(&entries)[0]);
    stage.quit()?;
    drop(driver);

    // The session's next start, by the entry as GLib reads it.
    let line = command_line(&entry)?;
    let mut app = Command::new(&line[0]);
    for (name, value) in stage.app()?.get_envs() {
        match value {
            Some(value) => app.env(name, value),
            None => app.env_remove(name),
        };
    }
    app.args(&line[1..]);
    let _app = stage.start(app)?;
    stage.captures();
    ensure!(hand.windows().is_empty(), "nobody asked for a window");
    ensure!(files(&entries).len() == 1, "{:?}", files(&entries));
    form_by_shortcut(&hand);
    hand.close(hand.windows()[0]);
    wait_until("the form has closed", || hand.windows().is_empty());
    ensure!(other.is_free('f')?);

    // A German keyboard has Z where this one has Y.
    let layout = stage.desktop.command("setxkbmap").arg("de").status()?;
    ensure!(layout.success(), "setxkbmap ended with {layout}");
    let (other, hand) = (Holder::on(&stage.desktop), stage.desktop.hand());
    form_by_shortcut(&hand);
    ensure!(other.is_free('y')?, "it let go of the place where it was");
    stage.quit()
}

#[test]
fn a_language_and_a_theme_show_everywhere_at_once() -> Result<()> {
    let stage = Stage::set()?;
    let driver = stage.driven()?;
    stage.read_first_page(&driver)?;
    stage.open(&driver, "knows")?;
    stage.open(&driver, "settings")?;
    stage.session.menu_says("Conversations…");
    // The person is in Settings, and stays there.
    driver.go_to("settings")?;
    set(&driver, "{language: 'de', theme: 'dark'}")?;
    for (window, title) in [("settings", "Einstellungen"), ("knows", "Was Snag weiß")] {
        driver.go_to(window)?;
        driver.until(title, || {
            let script = "return [document.documentElement.lang, document.documentElement.dataset.mantineColorScheme, \
                document.querySelector('h1').innerText || document.querySelector('h1').textContent].join()";
            let looks = driver.eval(script)?;
            Ok((looks == format!("de,dark,{title}")).then_some(()))
        })?;
        wait_until("the title on the frame", || {
            let mut search = stage.desktop.command("xdotool");
            let found = search.args(["search", "--name", &format!("^{title}$")]);
            found.output().is_ok_and(|output| output.status.success())
        });
    }
    stage.session.menu_says("Snag beenden");
    driver.go_to("settings")?;
    set(&driver, "{language: 'en'}")?;
    stage.session.menu_says("Quit Snag");
    stage.quit()
}

/// Changes settings as the window of them does.
fn set(driver: &Driver, change: &str) -> Result<()> {
    let call =
        format!("window.__TAURI_INTERNALS__.invoke('change_settings', {{change: {change}}})");
    driver.eval(&format!("{call}; return null")).map(drop)
}

/// What the button says.
fn shown(driver: &Driver) -> Result<String> {
    let text = driver.eval(
        "return document.querySelector('.shortcut button').innerText.replace(/\\s+/g, ' ').trim()",
    )?;
    Ok(text.as_str().unwrap_or_default().to_owned())
}

/// Presses the shortcut until the form is there. Whether it is held is not asked by holding it: the app holds it once,
/// and gives up where somebody else does at that moment.
fn form_by_shortcut(hand: &Hand) {
    wait_until("the form by its shortcut", || {
        hand.chord(&[CONTROL, ALT], u32::from('z'));
        std::thread::sleep(Duration::from_secs(2));
        hand.windows().len() == 1
    });
}

/// Esc leaves the form.
fn leave_form(stage: &Stage, driver: &Driver, hand: &Hand) -> Result<()> {
    hand.key(ESCAPE);
    stage.closed(driver, "feedback");
    Ok(())
}

fn files(folder: &Path) -> Vec<std::ffi::OsString> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name()).collect()
}

/// The arguments of an entry's command, read as a session reads them.
fn command_line(entry: &Path) -> Result<Vec<String>> {
    let script = "import gi, json, sys\n\
        gi.require_version('Gio', '2.0')\n\
        from gi.repository import Gio, GLib\n\
        app = Gio.DesktopAppInfo.new_from_filename(sys.argv[1])\n\
        print(json.dumps(GLib.shell_parse_argv(app.get_commandline())[1]))";
    let output = Command::new("/usr/bin/python3")
        .args(["-c", script])
        .arg(entry)
        .output()?;
    ensure!(
        output.status.success(),
        "{}: {}",
        std::fs::read_to_string(entry)?,
        String::from_utf8_lossy(&output.stderr)
    );
    let line: Value = serde_json::from_slice(&output.stdout)?;
    let parts = line.as_array().context("arguments")?;
    Ok(parts
        .iter()
        .filter_map(|part| part.as_str().map(str::to_owned))
        .collect())
}
