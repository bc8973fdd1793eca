//! The real programs, as processes of their own.

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::desktop::Desktop;

/// Ports that are tried: below those that Linux gives to whoever names none, so that none of them takes one before
/// the program that it is for.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// How many of them are tried.
const PORT_TRIES: usize = 100;

/// Longest time that a program which ends by itself may take.
const RUN_DEADLINE: Duration = Duration::from_secs(300);

/// Where a program of this workspace lies: beside the test that runs.
///
/// # Errors
/// When it wasn't built.
pub fn binary(name: &str) -> Result<PathBuf> {
    let this = std::env::current_exe()?;
    // A test lies in target/<profile>/deps, a program of ours in target/<profile>.
    this.ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
        .with_context(|| {
            format!("{name} isn't built: `make test` builds it, or `cargo build --bins`")
        })
}

/// A port of the loopback that was free a moment ago.
///
/// # Errors
/// When no port can be bound.
pub fn free_address() -> Result<SocketAddr> {
    let bound = (0..PORT_TRIES)
        .find_map(|_| TcpListener::bind(("127.0.0.1", rand::random_range(PORTS))).ok());
    Ok(bound.context("no port is free")?.local_addr()?)
}

/// Runs a program, and gives what it said once it has ended.
///
/// # Errors
/// When it can't be started, or hasn't ended after five minutes: it is killed then.
pub fn output(command: &mut Command) -> Result<Output> {
    output_within(command, RUN_DEADLINE)
}

/// The same with another limit than five minutes.
///
/// # Errors
/// When it can't be started, or hasn't ended within `limit`: it is killed then.
pub fn output_within(command: &mut Command, limit: Duration) -> Result<Output> {
    // Files, since pipes would have to be read meanwhile, and stay open as long as any child of the program.
    let (mut stdout, mut stderr) = (tempfile::tempfile()?, tempfile::tempfile()?);
    let child = command
        .stdin(Stdio::null())
        .stdout(stdout.try_clone()?)
        .stderr(stderr.try_clone()?)
        .spawn()?;
    let status = Running(child).ends(limit);
    let said = |file: &mut File| -> Result<Vec<u8>> {
        let mut said = Vec::new();
        file.rewind()?;
        file.read_to_end(&mut said)?;
        Ok(said)
    };
    let (stdout, stderr) = (said(&mut stdout)?, said(&mut stderr)?);
    Ok(Output {
        status: status
            .with_context(|| format!("{command:?}: {}", String::from_utf8_lossy(&stderr)))?,
        stdout,
        stderr,
    })
}

/// A process that is killed when its handle goes.
pub struct Running(pub Child);

impl Running {
    /// Ends it at once, as a power cut would.
    pub fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }

    /// Asks it to end and waits until it did.
    ///
    /// # Errors
    /// When it hasn't within `limit`, or ended badly.
    pub fn stop(&mut self, limit: Duration) -> Result<()> {
        let pid = self.0.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status()?;
        let status = self.ends(limit).context("asked by SIGTERM")?;
        ensure!(status.success(), "ended with {status}");
        Ok(())
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    /// When it hasn't within `limit`.
    pub fn ends(&mut self, limit: Duration) -> Result<ExitStatus> {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait()? {
                return Ok(status);
            }
            ensure!(begin.elapsed() < limit, "still running after {limit:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The server with an embedded engine, over a folder of its own.
pub struct Server {
    process: Option<Running>,
    /// Where it listens, the same after every start.
    pub address: SocketAddr,
    data: PathBuf,
    log: PathBuf,
    flags: Vec<String>,
}

/// An organisation's tokens.
#[derive(Debug, Clone, serde::Deserialize)]
pub struct Tokens {
    /// The organisation.
    pub org: String,
    /// Enrols devices.
    #[serde(rename = "enroll_token")]
    pub enroll: String,
    /// Asks for insights.
    #[serde(rename = "analyst_token")]
    pub analyst: String,
    /// Administers.
    #[serde(rename = "admin_token")]
    pub admin: String,
}

impl Server {
    /// Prepares a server over `folder`; nothing runs yet.
    ///
    /// # Errors
    /// When no port is free.
    pub fn new(folder: &Path, flags: &[&str]) -> Result<Self> {
        Ok(Self {
            process: None,
            address: free_address()?,
            data: folder.join("server"),
            log: folder.join("server.log"),
            flags: flags.iter().map(|&flag| flag.to_owned()).collect(),
        })
    }

    /// Its address as a URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Everything it wrote.
    ///
    /// # Errors
    /// When it never ran.
    pub fn log(&self) -> Result<String> {
        Ok(String::from_utf8_lossy(&std::fs::read(&self.log)?).into_owned())
    }

    /// The folder that it keeps its data in.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Runs one of its other commands over the same data (it must not be running).
    ///
    /// # Errors
    /// When the command can't be started, or doesn't end.
    pub fn command(&self, arguments: &[&str]) -> Result<Output> {
        output(
            Command::new(binary("snag-server")?)
                .args(arguments)
                .arg("--data")
                .arg(&self.data),
        )
    }

    /// Makes an organisation and returns its tokens (the server must not be running).
    ///
    /// # Errors
    /// When the server refuses.
    pub fn create_org(&self, name: &str, k: u32) -> Result<Tokens> {
        let k = k.to_string();
        let mut arguments = vec![
            "org",
            "create",
            "--name",
            name,
            "--contact",
            "it@example.org",
            "--json",
        ];
        if k == "1" {
            arguments.push("--local");
        } else {
            arguments.extend(["--k", &k]);
        }
        let output = self.command(&arguments)?;
        ensure!(
            output.status.success(),
            "org create: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// Starts it and waits until it is ready.
    ///
    /// # Errors
    /// When it isn't ready within a minute.
    pub fn start(&mut self) -> Result<()> {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)?;
        let child = Command::new(binary("snag-server")?)
            .arg("serve")
            .args(["--listen", &self.address.to_string()])
            .arg("--data")
            .arg(&self.data)
            .args(&self.flags)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        self.process = Some(Running(child));
        let begin = Instant::now();
        let health = format!("{}/health", self.url());
        while begin.elapsed() < Duration::from_secs(60) {
            let ready = Command::new("curl")
                .args(["-sf", "-o", "/dev/null", "--max-time", "2", &health])
                .status()?;
            if ready.success() {
                return Ok(());
            }
            if let Some(status) = self
                .process
                .as_mut()
                .map(|p| p.0.try_wait())
                .transpose()?
                .flatten()
            {
                bail!("the server ended with {status}: {}", self.log()?);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("the server isn't ready after a minute: {}", self.log()?)
    }

    /// Kills it, as a power cut would.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Stops it as an operator would.
    ///
    /// # Errors
    /// When it doesn't end cleanly within two minutes.
    pub fn stop(&mut self) -> Result<()> {
        match self.process.take() {
            Some(mut process) => process.stop(Duration::from_secs(120)),
            None => Ok(()),
        }
    }
}

/// An agent with a folder of its own.
pub struct Agent {
    data: PathBuf,
}

impl Agent {
    /// Prepares an agent over `folder`.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self { data: folder }
    }

    /// The folder that it keeps its data in.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// A command of the agent over its folder.
    ///
    /// # Errors
    /// When the agent wasn't built.
    pub fn command(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = Command::new(binary("snag-agent")?);
        command
            .arg("--data-dir")
            .arg(&self.data)
            .args(arguments)
            .stdin(Stdio::null());
        Ok(command)
    }

    /// The same on a desktop.
    ///
    /// # Errors
    /// When the agent wasn't built.
    pub fn command_on(&self, desktop: &Desktop, arguments: &[&str]) -> Result<Command> {
        let mut command = desktop.command(binary("snag-agent")?);
        command.arg("--data-dir").arg(&self.data).args(arguments);
        Ok(command)
    }

    /// Runs a command and returns what it printed.
    ///
    /// # Errors
    /// When it fails, with what it said.
    pub fn run(&self, arguments: &[&str]) -> Result<String> {
        let output = output(&mut self.command(arguments)?)?;
        ensure!(
            output.status.success(),
            "snag-agent {arguments:?} ended with {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Enrols it.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn enroll(&self, server: &str, token: &str) -> Result<()> {
        self.run(&["enroll", "--server", server, "--token", token])
            .map(drop)
    }
}

/// A folder of shared recordings: `shared/recordings` beside the repository.
///
/// # Errors
/// When there is none.
pub fn recordings() -> Result<PathBuf> {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .map(|folder| folder.join("shared/recordings"))
        .find(|folder| folder.is_dir())
        .context("no folder shared/recordings beside the repository")
}
