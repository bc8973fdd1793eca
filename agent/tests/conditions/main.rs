//! Bad conditions of a computer: a disk without room, a folder that can't be written to, a second user, screens that
//! are large, scaled or unplugged, and a desktop that doesn't want to be disturbed.
//!
//! What needs a display, a mount or a user of its own runs in a child: this program again, with one test of it, which
//! does nothing where it isn't told to by its environment.
#![cfg(target_os = "linux")]

#[path = "../../capture/tests/desktop/mod.rs"]
mod desktop;

#[path = "../common/click.rs"]
mod click;
#[path = "../common/enrolled.rs"]
mod enrolled;
#[path = "../common/notifications.rs"]
mod notifications;

mod disk;
mod quiet;
mod screens;
mod users;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use desktop::{Hand, output_of};
use enrolled::identity;
use snag_agent::config::Paths;
use snag_agent::desktop::view::CaptureState;
use snag_agent::host::{Host, HostOptions};

/// Names the child's folder.
const FOLDER: &str = "SNAG_TEST_CONDITIONS_FOLDER";

/// The GTK program of the desktop's tests.
fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("capture/tests/desktop/program.py")
}

/// Makes a command run one test of this program in a folder.
fn as_child<'a>(command: &'a mut Command, test: &str, folder: &Path) -> &'a mut Command {
    command
        .args(["--exact", test, "--nocapture", "--test-threads", "1"])
        .env(FOLDER, folder)
}

/// Runs a child to its end, which has to be a good one.
fn succeeds(command: &mut Command) {
    let output = output_of(command);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{} {said} {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The folder, in a child of its own kind.
fn child_folder() -> Option<PathBuf> {
    std::env::var_os(FOLDER).map(PathBuf::from)
}

fn options(folder: &Path) -> HostOptions {
    HostOptions {
        managed: folder.join("no-policy.json"),
        ..HostOptions::app()
    }
}

async fn start(folder: &Path) -> Host {
    Host::start(Paths::at(folder.join("snag")).unwrap(), options(folder))
        .await
        .unwrap()
}

/// Starts a host that captures the desktop of this process.
async fn start_capturing(folder: &Path) -> Host {
    let paths = Paths::at(folder.join("snag")).unwrap();
    identity().save(&paths.identity()).unwrap();
    let host = start(folder).await;
    until("the enrolment", || {
        host.overview().capture == CaptureState::NotAcknowledged
    })
    .await;
    host.acknowledge(&host.first_run().unwrap().version)
        .unwrap();
    let hand = Hand::new(&std::env::var("DISPLAY").expect("a display"));
    until("moves", || {
        hand.move_to((300, 700));
        std::thread::sleep(Duration::from_millis(100));
        hand.move_to((310, 700));
        let status = std::fs::read(paths.status()).unwrap_or_default();
        let status: serde_json::Value = serde_json::from_slice(&status).unwrap_or_default();
        status["capture"]["counts"]["moves"].as_u64() > Some(0)
    })
    .await;
    assert_eq!(host.overview().capture, CaptureState::Capturing);
    host
}

/// Clicks on one thing as somebody does whom it doesn't answer.
fn rage(hand: &Hand, place: (i16, i16)) {
    hand.move_to(place);
    std::thread::sleep(Duration::from_millis(200));
    for _ in 0..6 {
        hand.click();
        std::thread::sleep(Duration::from_millis(90));
    }
}

/// Waits until something holds.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..600 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("waited in vain: {what}");
}

/// The problems that the person reads, by key.
fn problems(host: &Host) -> Vec<String> {
    let problems = host.overview().problems;
    problems.into_iter().map(|problem| problem.key).collect()
}

fn health(host: &Host, source: &str) -> String {
    let lines = host.health();
    let line = lines.iter().find(|line| line.source == source);
    line.expect("a line for each source").sentence.key.clone()
}
