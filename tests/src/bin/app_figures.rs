//! What the desktop app costs the person: how soon it and its form are there, memory with and without windows,
//! processor time while nothing happens, and whether any of it grows over a long day. `make bench` runs it.

use std::cell::Cell;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use snag_e2e::desktop::{ALT, BACKSPACE, CONTROL, Pace, wait_for, wait_until};
use snag_e2e::process::Running;
use snag_e2e::reader::written;
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
        stage.quit()?;
    }
    starts(&stage)?;
    forms(&stage)?;
    day(&stage, inputs)
}

/// How long somebody types, and how far apart the keys are.
const TYPED: Duration = Duration::from_millis(3_000);
const KEY_EVERY: Duration = Duration::from_millis(5);

/// From the keys of the shortcut to the first key that the form takes, of many that somebody types meanwhile.
fn openings(stage: &Stage, how: &str, is_next: impl Fn() -> bool) -> Result<()> {
    let hand = stage.desktop.hand();
    let mut times = Vec::new();
    for _ in 0..TIMES {
        wait_until("the next opening", &is_next);
        let mut typed: Vec<(char, Duration)> = Vec::new();
        let pressed = Instant::now();
        hand.chord(&[CONTROL, ALT], u32::from('f'));
        while pressed.elapsed() < TYPED {
            let letter = char::from(b'a' + u8::try_from(typed.len() % 26)?);
            typed.push((letter, pressed.elapsed()));
            hand.key(u32::from(letter));
            std::thread::sleep(KEY_EVERY);
        }
        let mut before = None;
        let taken = wait_for("all that was typed", || {
            let now = written(&stage.desktop).filter(|text| !text.is_empty());
            let is_all = now.is_some() && now == before;
            before.clone_from(&now);
            now.filter(|_| is_all)
        });
        let first = typed.len().checked_sub(taken.len());
        let first = first.with_context(|| format!("{taken} was not typed"))?;
        let rest: String = typed[first..].iter().map(|(letter, _)| letter).collect();
        ensure!(rest == taken, "{rest} was typed, and {taken} taken");
        times.push(typed[first].1.as_secs_f64() * 1_000.0);
        hand.chord(&[CONTROL], u32::from('a'));
        hand.key(BACKSPACE);
        wait_until("the text is gone", || {
            written(&stage.desktop).is_some_and(|text| text.is_empty())
        });
        hand.close(hand.active().context("the form")?);
        wait_until("the form has closed", || hand.windows().is_empty());
    }
    say(
        &format!("shortcut to the first key that the form takes, {how}"),
        &times,
    );
    Ok(())
}

/// The form with a page that is kept ready, which is made anew each time, and without.
fn forms(stage: &Stage) -> Result<()> {
    for (setting, others, how) in [
        ("always", 3, "a page kept ready"),
        ("never", 0, "none kept ready"),
    ] {
        stage.set_form_ready(setting)?;
        let mut running = hidden(stage)?;
        wait_until("it captures", || working(stage));
        let made = Cell::new(None);
        openings(stage, how, || {
            let now = processes(stage.agent.data()).unwrap_or_default();
            // Both are given time to be done with starting.
            let since = match made.take() {
                Some((before, since)) if before == now => since,
                _ => Instant::now(),
            };
            let is_next = now.len() == 1 + others && since.elapsed() > Duration::from_secs(5);
            made.set(Some((now, since)));
            is_next
        })?;
        running.stop(Duration::from_secs(20))?;
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
    println!("| when | RSS | PSS | of the windows' processes |");
    println!("|---|---|---|---|");
    stage.set_form_ready("always")?;
    let mut running = hidden(stage)?;
    let pid = running.0.id();
    wait_until("a page is kept ready", || {
        processes(stage.agent.data()).is_ok_and(|all| all.len() == 4)
    });
    std::thread::sleep(Duration::from_secs(20));
    row(stage, "without a window, a page kept ready", pid)?;
    let kept = idle(stage)?;
    running.stop(Duration::from_secs(20))?;
    stage.set_form_ready("never")?;
    let mut running = hidden(stage)?;
    let pid = running.0.id();
    wait_until("it captures", || working(stage));
    std::thread::sleep(Duration::from_secs(10));
    row(stage, "without a window", pid)?;
    let share = idle(stage)?;
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
    println!("the same with a page kept ready, all processes: {kept:.3} % of a core");
    running.stop(Duration::from_secs(20))
}

/// What all processes take of a core while nothing happens, in percent.
fn idle(stage: &Stage) -> Result<f64> {
    let minute = Duration::from_secs(60);
    let seconds = || -> Result<f64> {
        let all = processes(stage.agent.data())?;
        all.into_iter().map(cpu_seconds).sum()
    };
    let before = seconds()?;
    std::thread::sleep(minute);
    Ok(100.0 * (seconds()? - before) / minute.as_secs_f64())
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
