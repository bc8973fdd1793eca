//! What the headless agent costs the person's computer: CPU at a given pace of the
//! pointer, and memory after a million inputs. `make bench` runs it.

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use snag_e2e::desktop::{Desktop, EVERYTHING, Hand, Pace};
use snag_e2e::process::{Agent, Running, Server};
use snag_e2e::usage::{cpu_seconds, resident_mb};

fn main() -> Result<()> {
    let inputs: u64 = std::env::args()
        .nth(1)
        .map_or(Ok(1_000_000), |n| n.parse())?;
    let folder = tempfile::tempdir()?;
    let mut server = Server::new(folder.path(), &[])?;
    let tokens = server.create_org("bench", 1)?;
    server.start()?;
    let desktop = Desktop::start(EVERYTHING);
    let mut hand = Pointer {
        hand: desktop.hand(),
        x: 0,
    };
    let agent = Agent::new(folder.path().join("agent"));
    agent.enroll(&server.url(), &tokens.enroll)?;
    let child = agent
        .command_on(&desktop, &["run"])?
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let mut running = Running(child);
    let pid = running.0.id();

    // Until the first input arrives there's nothing to measure.
    let begin = Instant::now();
    loop {
        hand.move_for(100, Duration::from_millis(500));
        let status: serde_json::Value = serde_json::from_str(&agent.run(&["status", "--json"])?)?;
        if status["capture"]["counts"]["moves"].as_u64() > Some(0) {
            break;
        }
        ensure!(
            begin.elapsed() < Duration::from_secs(30),
            "nothing is captured: {status}"
        );
    }

    println!(
        "headless agent, pid {pid}, Xvfb 1280x800, openbox, accessibility on, pointer driven by XTEST"
    );
    println!("| pace | moves | CPU of one core | RSS |");
    println!("|---|---|---|---|");
    let seconds = Duration::from_secs(30);
    std::thread::sleep(Duration::from_secs(3));
    let before = cpu_seconds(pid)?;
    std::thread::sleep(seconds);
    row("idle", 0, cpu_seconds(pid)? - before, seconds, pid)?;
    for pace in [125, 1_000] {
        let before = cpu_seconds(pid)?;
        let begin = Instant::now();
        let moves = hand.move_for(pace, seconds);
        row(
            &format!("{pace}/s"),
            moves,
            cpu_seconds(pid)? - before,
            begin.elapsed(),
            pid,
        )?;
    }
    let before = cpu_seconds(pid)?;
    let begin = Instant::now();
    let mut moves = 0;
    while moves < inputs {
        moves += hand.move_for(4_000, Duration::from_secs(5));
        hand.hand.click_at((400, 400));
    }
    row(
        "4,000/s",
        moves,
        cpu_seconds(pid)? - before,
        begin.elapsed(),
        pid,
    )?;
    running.stop(Duration::from_secs(20))?;
    server.stop()
}

struct Pointer {
    hand: Hand,
    x: i16,
}

impl Pointer {
    /// Moves at `per_second` for `duration`, evenly paced; returns how many moves it made.
    fn move_for(&mut self, per_second: u32, duration: Duration) -> u64 {
        let begin = Instant::now();
        let mut pace = Pace::of(Duration::from_secs(1) / per_second);
        let mut moves = 0;
        while begin.elapsed() < duration {
            self.x = (self.x + 7) % 1_200;
            self.hand.move_to((self.x, 400 + self.x % 97));
            moves += 1;
            pace.step();
        }
        moves
    }
}

fn row(pace: &str, moves: u64, cpu_seconds: f64, wall: Duration, pid: u32) -> Result<()> {
    let share = 100.0 * cpu_seconds / wall.as_secs_f64();
    println!(
        "| {pace} | {moves} | {share:.2} % | {:.1} MB |",
        resident_mb(pid)?
    );
    Ok(())
}
