//! Questions to a stopped server's tables, by its own ClickHouse-HTTP front.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::process::{Running, Server, binary, free_address};

/// A front over the data of a server that doesn't run; it ends with it.
pub struct Sql {
    url: String,
    _process: Running,
}

impl Sql {
    /// Opens the data of `server`.
    ///
    /// # Errors
    /// When it still runs, or the front doesn't come up within two minutes.
    pub fn over(server: &Server) -> Result<Self> {
        let address = free_address()?.to_string();
        let child = Command::new(binary("snag-server")?)
            .args([
                "clickhouse-http",
                "--listen",
                &address,
                "--user",
                "test",
                "--password",
                "test",
                "--data",
            ])
            .arg(server.data())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?;
        let mut process = Running(child);
        let url = format!("http://{address}/");
        let begin = Instant::now();
        loop {
            let ping = Command::new("curl")
                .args([
                    "-sf",
                    "-o",
                    "/dev/null",
                    "--max-time",
                    "2",
                    &format!("{url}ping"),
                ])
                .status()?;
            if ping.success() {
                return Ok(Self {
                    url,
                    _process: process,
                });
            }
            ensure!(process.0.try_wait()?.is_none(), "the front ended");
            ensure!(
                begin.elapsed() < Duration::from_secs(120),
                "the front doesn't answer"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The rows of a query, as JSON objects.
    ///
    /// # Errors
    /// ClickHouse's own message.
    pub fn rows(&self, query: &str) -> Result<Vec<serde_json::Value>> {
        let output = Command::new("curl")
            .args([
                "-s",
                "--fail-with-body",
                "--max-time",
                "60",
                "-u",
                "test:test",
                "--data-binary",
            ])
            .arg(format!("{query} FORMAT JSONEachRow"))
            .arg(&self.url)
            .output()?;
        let text = String::from_utf8(output.stdout)?;
        ensure!(output.status.success(), "{query}: {text}");
        text.lines()
            .map(|line| serde_json::from_str(line).with_context(|| line.to_owned()))
            .collect()
    }
}
