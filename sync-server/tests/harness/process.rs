//! The real program as a child process.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file uses a part of it"
)]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longer than a server takes to start or to end, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running `snag-server serve`, which doesn't outlive its test.
pub struct Process {
    pub child: Child,
    /// `http://127.0.0.1:…`
    pub url: String,
}

pub fn program(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_snag-server"));
    command.env("SNAG_DATA", data).env("SNAG_LOG", "warn");
    // How full the machine's own disk is decides no test.
    command
        .env("SNAG_DISK_FLOOR_MB", "1")
        .env("SNAG_DISK_FLOOR_EVENTS_MB", "1");
    command
}

/// Starts the server; returns once it listens.
pub fn start(data: &Path, arguments: &[&str]) -> Process {
    serve(program(data), arguments)
}

/// Starts the server by a command that the caller made ready; returns once it listens.
pub fn serve(mut program: Command, arguments: &[&str]) -> Process {
    let mut child = program
        .args(["serve", "--listen", "127.0.0.1:0"])
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the server");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut process = Process {
        child,
        url: String::new(),
    };
    let (said, first) = mpsc::channel();
    std::thread::spawn(move || said.send(lines.next()));
    let line = first.recv_timeout(PATIENCE).expect("it starts in time");
    let line = line.expect("a line").expect("text");
    line.rsplit(' ')
        .next()
        .expect("an address")
        .clone_into(&mut process.url);
    assert!(process.url.contains("://"), "{line}");
    process
}

impl Process {
    pub fn signal(&self, signal: &str) {
        let sent = Command::new("kill")
            .args([signal, &self.child.id().to_string()])
            .status()
            .expect("kill");
        assert!(sent.success());
    }

    /// Waits for its end.
    pub fn ended(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "the server doesn't end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Ends it as an operator does.
    pub fn stop(&mut self) {
        self.signal("-TERM");
        assert!(self.ended().success());
    }

    /// Ends it as a lack of power does.
    pub fn kill(&mut self) {
        self.child.kill().expect("SIGKILL");
        self.child.wait().expect("an end");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // After an end in order there is nothing left to end.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Makes an organisation by the command line.
pub fn organisation(data: &Path) -> Value {
    let output = program(data)
        .args([
            "org",
            "create",
            "--name",
            "acme",
            "--contact",
            "it",
            "--local",
            "--json",
        ])
        .output()
        .expect("the command");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("json")
}
