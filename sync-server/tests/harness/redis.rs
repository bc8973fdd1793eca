//! A real Redis as a child process.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file uses a part of it"
)]

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// Longer than it takes to start, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running `redis-server`, which doesn't outlive its test.
pub struct Redis {
    child: Child,
    pub port: u16,
}

impl Redis {
    /// One at a port that was free, with the arguments that name the port.
    pub fn anywhere(arguments: impl Fn(u16) -> Vec<OsString>) -> Self {
        // Another test may take a port between here and there.
        (0..5)
            .find_map(|_| {
                let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
                let port = listener.local_addr().expect("an address").port();
                drop(listener);
                Self::at(port, &arguments(port))
            })
            .expect("a port")
    }

    /// One that takes connections at a port; none where the port is taken.
    pub fn at(port: u16, arguments: &[OsString]) -> Option<Self> {
        let child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("redis-server, from the package redis-server");
        let mut redis = Self { child, port };
        let output = redis.child.stdout.take().expect("a pipe");
        let (ready, waits) = mpsc::channel();
        // Read to its end, so that Redis never waits for somebody to read it.
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if line.contains("Ready to accept connections") {
                    // Nobody waits for a second one.
                    let _ = ready.send(());
                }
            }
        });
        match waits.recv_timeout(PATIENCE) {
            Ok(()) => Some(redis),
            Err(mpsc::RecvTimeoutError::Disconnected) => None,
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("Redis doesn't listen"),
        }
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn signal(&self, signal: &str) {
        let sent = Command::new("kill")
            .args([signal, &self.child.id().to_string()])
            .status();
        assert!(sent.expect("kill").success());
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
