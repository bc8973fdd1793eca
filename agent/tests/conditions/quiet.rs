//! A desktop that doesn't want to be disturbed: nothing is asked then, and what wasn't asked isn't counted.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use snag_agent::host::HostEvent;

use super::*;
use crate::desktop::{Desktop, EVERYTHING, Ended, Lines, wait_until};

#[derive(Default)]
struct Held {
    paused: AtomicBool,
    inhibited: AtomicBool,
}

/// What most notification daemons have.
struct Notifications(Arc<Held>);

#[zbus::interface(name = "org.freedesktop.Notifications")]
impl Notifications {
    #[zbus(property)]
    async fn inhibited(&self) -> bool {
        self.0.inhibited.load(Ordering::SeqCst)
    }
}

/// What dunst has.
struct Dunst(Arc<Held>);

#[zbus::interface(name = "org.dunstproject.cmd0")]
impl Dunst {
    #[zbus(property, name = "paused")]
    async fn paused(&self) -> bool {
        self.0.paused.load(Ordering::SeqCst)
    }
}

async fn daemon(address: &str, held: &Arc<Held>) -> zbus::Connection {
    let path = "/org/freedesktop/Notifications";
    zbus::connection::Builder::address(address)
        .unwrap()
        .serve_at(path, Notifications(Arc::clone(held)))
        .unwrap()
        .serve_at(path, Dunst(Arc::clone(held)))
        .unwrap()
        .name("org.freedesktop.Notifications")
        .unwrap()
        .build()
        .await
        .unwrap()
}

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
    let mut command = desktop.command(std::env::current_exe().unwrap());
    as_child(&mut command, "quiet::asking_child", folder.path());
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let stdin = child.stdin.take();
    let lines = Lines::of(child.stdout.take().unwrap());
    let mut agent = Ended(child);
    lines.wait("the agent captures", |line| line.get("ready").cloned());
    let hand = desktop.hand();

    let not_asked = |why: &str| {
        lines.count(|line| {
            let fields = &line["fields"];
            fields["message"] == "not asking for feedback" && fields["why"] == why
        })
    };
    let expect_not_asked = |program: &desktop::Program, why: &str, times: usize| {
        // Another run of clicks than the one before.
        std::thread::sleep(Duration::from_millis(1_500));
        rage(&hand, program.place("dead"));
        wait_until(why, || {
            assert_eq!(lines.count(|line| line.get("asked").is_some()), 0);
            not_asked(why) == times
        });
    };
    held.paused.store(true, Ordering::SeqCst);
    expect_not_asked(&program, "do_not_disturb", 1);
    held.paused.store(false, Ordering::SeqCst);
    held.inhibited.store(true, Ordering::SeqCst);
    expect_not_asked(&program, "do_not_disturb", 2);
    held.inhibited.store(false, Ordering::SeqCst);
    // A bus that doesn't answer in time: unknown counts against asking.
    desktop.signal_bus("STOP");
    expect_not_asked(&program, "do_not_disturb", 3);
    desktop.signal_bus("CONT");

    let window = hand.active().expect("the program's window");
    hand.full_screen(window, true);
    program.look_again();
    expect_not_asked(&program, "full_screen", 1);
    hand.full_screen(window, false);
    program.look_again();
    assert!(
        !folder.path().join("snag/prompts.json").exists(),
        "what wasn't asked isn't counted"
    );

    // None of these was a question: now there is one at once.
    std::thread::sleep(Duration::from_millis(1_500));
    rage(&hand, program.place("dead"));
    lines.wait("the question", |line| line.get("asked").cloned());
    let kept = std::fs::read(folder.path().join("snag/prompts.json")).unwrap();
    let kept: Value = serde_json::from_slice(&kept).unwrap();
    assert_eq!(kept["asked"].as_array().unwrap().len(), 1, "{kept}");
    drop(stdin);
    assert!(agent.0.wait().unwrap().success());
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
