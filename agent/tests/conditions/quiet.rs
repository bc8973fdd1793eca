//! A desktop that doesn't want to be disturbed: nothing is asked then, and what wasn't asked isn't counted.

use std::process::{ChildStdin, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::{Value, json};
use snag_agent::host::HostEvent;

use super::*;
use crate::desktop::{Desktop, EVERYTHING, Ended, Lines, With, wait_for, wait_until};
use crate::notifications::{Held, daemon};

#[test]
fn nobody_is_asked_while_presenting_or_undisturbed() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let desktop = Desktop::start(EVERYTHING);
    let held = Arc::new(Held::default());
    let _daemon = runtime.block_on(daemon(desktop.bus_address(), &held));
    let mut program = desktop.program_of(&script(), "Orders");
    let mut agent = Agent::start(&desktop, folder.path());
    let hand = desktop.hand();

    let expect_not_asked = |program: &desktop::Program, why: &str| {
        // Another run of clicks than the one before.
        std::thread::sleep(Duration::from_millis(1_500));
        let before = agent.not_asked(why);
        rage(&hand, program.place("dead"));
        agent.wait_not_asked(why, before);
    };
    held.paused.store(true, Ordering::SeqCst);
    expect_not_asked(&program, "do_not_disturb");
    held.paused.store(false, Ordering::SeqCst);
    held.inhibited.store(true, Ordering::SeqCst);
    expect_not_asked(&program, "do_not_disturb");
    held.inhibited.store(false, Ordering::SeqCst);
    // A bus that doesn't answer in time: unknown counts against asking.
    desktop.signal_bus("STOP");
    expect_not_asked(&program, "do_not_disturb");
    desktop.signal_bus("CONT");

    let window = wait_for("the program's window", || hand.active());
    hand.full_screen(window, true);
    program.look_again();
    expect_not_asked(&program, "full_screen");
    hand.full_screen(window, false);
    program.look_again();

    // Slides that can be seen while the person works in another window, as on another monitor.
    let slides = desktop.program_of(&script(), "Slides");
    let shown = wait_for("the slides' window", || {
        hand.active().filter(|active| *active != window)
    });
    hand.full_screen(shown, true);
    hand.activate(window);
    wait_until("the program to have the focus", || {
        hand.active() == Some(window)
    });
    program.look_again();
    expect_not_asked(&program, "full_screen");
    drop(slides);
    wait_until("the slides are over", || hand.windows().len() == 1);
    assert!(
        !folder.path().join("snag/prompts.json").exists(),
        "what wasn't asked isn't counted"
    );

    // None of these was a question: now there is one at once.
    std::thread::sleep(Duration::from_millis(1_500));
    rage(&hand, program.place("dead"));
    agent
        .lines
        .wait("the question", |line| line.get("asked").cloned());
    let kept = std::fs::read(folder.path().join("snag/prompts.json")).unwrap();
    let kept: Value = serde_json::from_slice(&kept).unwrap();
    assert_eq!(kept["asked"].as_array().unwrap().len(), 1, "{kept}");
    agent.ends();
}

#[test]
fn nobody_is_asked_where_nothing_shows_notifications() {
    let folder = tempfile::tempdir().unwrap();
    let desktop = Desktop::start(With {
        bus: false,
        ..EVERYTHING
    });
    let program = desktop.program_of(&script(), "Orders");
    let mut agent = Agent::start(&desktop, folder.path());
    rage(&desktop.hand(), program.place("dead"));
    agent.wait_not_asked("do_not_disturb", 0);
    assert!(!folder.path().join("snag/prompts.json").exists());
    agent.ends();
}

/// The agent on a desktop, and what it logs.
struct Agent {
    stdin: Option<ChildStdin>,
    lines: Lines,
    process: Ended,
}

impl Agent {
    /// Starts it, and waits until it captures.
    fn start(desktop: &Desktop, folder: &Path) -> Self {
        let mut command = desktop.command(std::env::current_exe().unwrap());
        as_child(&mut command, "quiet::asking_child", folder);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let agent = Self {
            stdin: child.stdin.take(),
            lines: Lines::of(child.stdout.take().unwrap()),
            process: Ended(child),
        };
        agent
            .lines
            .wait("the agent captures", |line| line.get("ready").cloned());
        agent
    }

    /// How often it decided not to ask, for this reason.
    fn not_asked(&self, why: &str) -> usize {
        self.lines.count(|line| {
            let fields = &line["fields"];
            fields["message"] == "not asking for feedback" && fields["why"] == why
        })
    }

    /// Waits until it did so more often than before; it may not ask meanwhile. A busy computer may make two runs of one.
    fn wait_not_asked(&self, why: &str, before: usize) {
        wait_until(why, || {
            assert_eq!(self.lines.count(|line| line.get("asked").is_some()), 0);
            self.not_asked(why) > before
        });
    }

    fn ends(&mut self) {
        self.stdin = None;
        assert!(self.process.ends().success());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asking_child() {
    let Some(folder) = child_folder() else {
        return;
    };
    println!();
    tracing_subscriber::fmt()
        .json()
        .with_env_filter("snag_agent=debug")
        .with_writer(std::io::stdout)
        .init();
    let host = start_capturing(&folder).await;
    let mut events = host.events();
    tokio::spawn(async move {
        while let Ok(event) = events.recv().await {
            if let HostEvent::Ask { app, .. } = event {
                println!("\n{}", json!({"asked": app}));
            }
        }
    });
    println!("\n{}", json!({"ready": true}));
    // Until the other side has seen enough.
    tokio::task::spawn_blocking(|| std::io::read_to_string(std::io::stdin()))
        .await
        .unwrap()
        .unwrap();
    host.stop().await;
}
