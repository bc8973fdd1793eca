//! The real program as a child process.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file uses a part of it"
)]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// A running `snag-server serve`.
pub struct Process {
    pub child: Child,
    /// `http://127.0.0.1:…`
    pub url: String,
}

pub fn program(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_snag-server"));
    command.env("SNAG_DATA", data).env("SNAG_LOG", "warn");
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
    let line = lines.next().expect("a line").expect("text");
    let url = line.split(' ').next_back().expect("an address").to_owned();
    assert!(url.contains("://"), "{line}");
    Process { child, url }
}

impl Process {
    pub fn signal(&self, signal: &str) {
        let sent = Command::new("kill")
            .args([signal, &self.child.id().to_string()])
            .status()
            .expect("kill");
        assert!(sent.success());
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
