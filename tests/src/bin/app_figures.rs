//! What the desktop app costs the person: how soon it and its form are there, memory with and without windows,
//! processor time while nothing happens, and whether any of it grows over a long day. `make bench` runs it.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use snag_e2e::desktop::{ALT, CONTROL, PATIENCE, Pace, wait_for, wait_until};
use snag_e2e::process::Running;
use snag_e2e::stage::{Stage, processes};
use snag_e2e::usage::{cpu_seconds, proportional_mb, resident_mb};

/// Starts and openings that are timed.
const TIMES: usize = 15;
/// What eight hours of a busy hand are: 35 moves a second.
const INPUTS: u64 = 1_000_000;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let inputs = arguments.next().map_or(Ok(INPUTS), |n| n.parse())?;
    let stage = Stage::of_size("1920x1080")?;
    {
        let driver = stage.driven()?;
        stage.read_first_page(&driver)?;
        openings(&stage, &driver)?;
        stage.quit()?;
    }
    starts(&stage)?;
    first_openings(&stage)?;
    day(&stage, inputs)
}

/// Says when a text field gets the focus, as a screen reader is told.
const FOCUS: &str = "\
import gi, time
gi.require_version('Atspi', '2.0')
from gi.repository import Atspi
def told(event):
    if event.detail1 and event.source.get_role() in (Atspi.Role.ENTRY, Atspi.Role.TEXT):
        print(time.time() * 1000, flush=True)
listener = Atspi.EventListener.new(told)
listener.register('object:state-changed:focused')
print('ready', flush=True)
Atspi.event_main()
";

/// The same with no process of the windows: it is started for the form, and has ended before the next.
fn first_openings(stage: &Stage) -> Result<()> {
    let mut python = stage.desktop.command("/usr/bin/python3");
    let mut listener = Running(python.args(["-c", FOCUS]).stdout(Stdio::piped()).spawn()?);
    let output = BufReader::new(listener.0.stdout.take().context("its output")?);
    let (told, focused) = std::sync::mpsc::channel();
    std::thread::spawn(move || output.lines().try_for_each(|line| told.send(line)));
    focused.recv()??;
    let mut running = hidden(stage)?;
    wait_until("it captures", || working(stage));
    let hand = stage.desktop.hand();
    let mut times = Vec::new();
    for _ in 0..TIMES {
        // A page may be told of twice.
        focused.try_iter().for_each(drop);
        let pressed = now_ms()?;
        hand.chord(&[CONTROL, ALT], u32::from('f'));
        let at_ms: f64 = focused.recv_timeout(PATIENCE)??.parse()?;
        times.push(at_ms - pressed);
        hand.close(hand.active().context("the form")?);
        wait_until("the windows' process has ended", || {
            processes(stage.agent.data()).is_ok_and(|left| left.len() == 1)
        });
    }
    say(
        "shortcut to the focus in the form, no process of the windows",
        &times,
    );
    running.stop(Duration::from_secs(20))
}

/// From the keys of the shortcut to a text field with the focus.
fn openings(stage: &Stage, driver: &snag_e2e::webdriver::Driver) -> Result<()> {
    let hand = stage.desktop.hand();
    for first_closed in [false, true] {
        if first_closed {
            for window in hand.windows() {
                hand.close(window);
            }
            wait_until("no window is open", || hand.windows().is_empty());
            std::thread::sleep(Duration::from_secs(1));
        }
        let mut times = Vec::new();
        for _ in 0..TIMES {
            let pressed = now_ms()?;
            hand.chord(&[CONTROL, ALT], u32::from('f'));
            driver.go_to("feedback")?;
            let ready = driver.until("a text field with the focus", || {
                let at = driver.eval(
                    "const [mark] = performance.getEntriesByName('text-ready'); \
                     const ready = mark && document.activeElement.tagName === 'TEXTAREA' && document.hasFocus(); \
                     return ready ? performance.timeOrigin + mark.startTime : null",
                )?;
                Ok(at.as_f64())
            })?;
            times.push(ready - pressed);
            let before = hand.windows().len();
            hand.close(hand.active().context("the form")?);
            wait_until("the form has closed", || hand.windows().len() < before);
            std::thread::sleep(Duration::from_millis(700));
        }
        let open = if first_closed {
            "no window"
        } else {
            "another window"
        };
        say(
            &format!("shortcut to a form that takes text, {open} open"),
            &times,
        );
    }
    Ok(())
}

/// From the start of the process to its icon on the session's bus.
fn starts(stage: &Stage) -> Result<()> {
    let mut times = Vec::new();
    for _ in 0..TIMES {
        let begin = Instant::now();
        let mut running = hidden(stage)?;
        let at = wait_for("the icon", || stage.session.icon_since(begin));
        times.push((at - begin).as_secs_f64() * 1_000.0);
        wait_until("it captures", || working(stage));
        running.stop(Duration::from_secs(20))?;
    }
    say("start to the icon in the tray", &times);
    Ok(())
}

/// A long day: idle, windows that come and go, a million inputs.
fn day(stage: &Stage, inputs: u64) -> Result<()> {
    let mut running = hidden(stage)?;
    let pid = running.0.id();
    wait_until("it captures", || working(stage));
    std::thread::sleep(Duration::from_secs(10));
    println!("| when | RSS | PSS | of WebKit's processes |");
    println!("|---|---|---|---|");
    row(stage, "without a window", pid)?;
    let idle = Duration::from_secs(60);
    let before = cpu_seconds(pid)?;
    std::thread::sleep(idle);
    let share = 100.0 * (cpu_seconds(pid)? - before) / idle.as_secs_f64();
    let hand = stage.desktop.hand();
    for round in 1..=20 {
        for window in ["feedback", "knows", "settings"] {
            stage.second(&[&format!("snag://{window}")])?;
            wait_until("the window", || hand.windows().len() == 1);
            std::thread::sleep(Duration::from_millis(800));
            if round == 1 {
                row(stage, &format!("{window} open"), pid)?;
            }
            hand.close(hand.windows()[0]);
            wait_until("it has closed", || hand.windows().is_empty());
        }
        if [1, 10, 20].contains(&round) {
            std::thread::sleep(Duration::from_secs(10));
            row(
                stage,
                &format!("after {} windows were closed", round * 3),
                pid,
            )?;
        }
    }
    let (mut x, mut moves, mut part) = (0, 0, 0);
    let mut pace = Pace::of(Duration::from_secs(1) / 4_000);
    while moves < inputs {
        x = (x + 7) % 1_200;
        hand.move_to((x, 400 + x % 97));
        moves += 1;
        pace.step();
        if moves % 2_000 == 0 {
            hand.click();
            hand.key(u32::from('a'));
        }
        if moves * 4 / inputs > part {
            part = moves * 4 / inputs;
            row(stage, &format!("after {moves} inputs"), pid)?;
        }
    }
    println!("idle for a minute, without a window: {share:.3} % of a core");
    running.stop(Duration::from_secs(20))
}

fn hidden(stage: &Stage) -> Result<Running> {
    let log = stage.log()?;
    let child = stage
        .app()?
        .arg("--hidden")
        .env("SNAG_LOG", "info")
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()?;
    Ok(Running(child))
}

fn working(stage: &Stage) -> bool {
    stage
        .status()
        .is_some_and(|status| status["capture"]["input"]["state"] == "working")
}

fn row(stage: &Stage, when: &str, pid: u32) -> Result<()> {
    let mut others = 0.0;
    for other in processes(stage.agent.data())?
        .into_iter()
        .filter(|other| *other != pid)
    {
        // It may have ended meanwhile.
        others += proportional_mb(other).unwrap_or_default();
    }
    println!(
        "| {when} | {:.1} MB | {:.1} MB | {others:.1} MB |",
        resident_mb(pid)?,
        proportional_mb(pid)?
    );
    Ok(())
}

fn now_ms() -> Result<f64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64() * 1_000.0)
}

fn say(what: &str, times_ms: &[f64]) {
    let mut sorted = times_ms.to_vec();
    sorted.sort_by(f64::total_cmp);
    println!(
        "{what}, {} times: p50 {:.0} ms, {:.0} to {:.0} ms",
        sorted.len(),
        sorted[sorted.len() / 2],
        sorted[0],
        sorted[sorted.len() - 1]
    );
}
