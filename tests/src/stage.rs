//! A desktop with a server and an enrolled app: what tests and figures of the app begin with.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::desktop::{Desktop, EVERYTHING, Program, wait_until};
use crate::process::{Agent, Server, Tokens, binary};
use crate::session::Session;
use crate::webdriver::Driver;

/// A desktop with an enrolled app that hasn't been started.
pub struct Stage {
    /// Where everything of it lies.
    pub folder: tempfile::TempDir,
    /// The desktop.
    pub desktop: Desktop,
    /// Its icons and notifications.
    pub session: Session,
    /// The server, running.
    pub server: Server,
    /// The organisation's tokens.
    pub tokens: Tokens,
    /// The agent's folder, enrolled.
    pub agent: Agent,
}

impl Stage {
    /// Starts desktop and server, and enrols.
    ///
    /// # Errors
    /// When something of it doesn't start.
    pub fn set() -> Result<Self> {
        Self::of_size("1280x800")
    }

    /// The same on a screen of this size.
    ///
    /// # Errors
    /// When something of it doesn't start.
    pub fn of_size(size: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut server = Server::new(folder.path(), &[])?;
        let tokens = server.create_org("Desk Ltd", 5)?;
        server.start()?;
        let agent = Agent::new(folder.path().join("agent"));
        agent.enroll(&server.url(), &tokens.enroll)?;
        let desktop = Desktop::of_size(EVERYTHING, size);
        let session = Session::start(&desktop)?;
        Ok(Self {
            folder,
            desktop,
            session,
            server,
            tokens,
            agent,
        })
    }

    /// The app, to be started.
    ///
    /// # Errors
    /// When it isn't built.
    pub fn app(&self) -> Result<Command> {
        app(&self.desktop, self.folder.path(), self.agent.data())
    }

    /// Where the app's log goes.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn log(&self) -> Result<File> {
        Ok(File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("app.log"))?)
    }

    /// Starts the app under a driver.
    ///
    /// # Errors
    /// When it shows no window.
    pub fn driven(&self) -> Result<Driver> {
        Driver::start(&self.desktop, &self.app()?, &self.log()?)
    }

    /// The app's `status.json`, if there is one that can be read.
    #[must_use]
    pub fn status(&self) -> Option<Value> {
        serde_json::from_slice(&std::fs::read(self.agent.data().join("status.json")).ok()?).ok()
    }

    /// What the server answers an administrator.
    ///
    /// # Errors
    /// When it answers anything but 200.
    pub fn ask(&self, path: &str) -> Result<Vec<u8>> {
        let output = Command::new("curl")
            .args(["-sf", "--max-time", "20", "-H"])
            .arg(format!("Authorization: Bearer {}", self.tokens.admin))
            .arg(format!("{}{path}", self.server.url()))
            .output()?;
        ensure!(output.status.success(), "{path}: {}", output.status);
        Ok(output.stdout)
    }

    /// Runs the app again, as a link or a second start does; it ends at once.
    ///
    /// # Errors
    /// When it doesn't end well.
    pub fn second(&self, arguments: &[&str]) -> Result<()> {
        let output = self.app()?.args(arguments).output()?;
        ensure!(
            output.status.success(),
            "a second start ended with {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }

    /// The person reads the first page and starts.
    ///
    /// # Errors
    /// When the page doesn't come.
    pub fn read_first_page(&self, driver: &Driver) -> Result<()> {
        driver.go_to("first-run")?;
        driver.click("//button[contains(., 'I understand, start')]")?;
        wait_until("the app captures", || {
            self.status()
                .is_some_and(|status| status["capture"]["input"]["state"] == "working")
        });
        Ok(())
    }

    /// Ends the app by its menu and waits until no process of it is left.
    ///
    /// # Errors
    /// When no app runs.
    pub fn quit(&self) -> Result<()> {
        ensure!(!processes(self.agent.data())?.is_empty(), "no app runs");
        self.session.choose("Quit Snag")?;
        let data = self.agent.data();
        wait_until("every process has ended", || {
            processes(data).is_ok_and(|left| left.is_empty())
        });
        Ok(())
    }

    /// A GTK program whose window has this title.
    #[must_use]
    pub fn program(&self, title: &str) -> Program {
        let script =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../agent/capture/tests/desktop/program.py");
        self.desktop.program_of(&script, title)
    }
}

/// The app over a folder, to be started on a desktop.
///
/// # Errors
/// When it isn't built.
pub fn app(desktop: &Desktop, folder: &Path, data: &Path) -> Result<Command> {
    let mut command = desktop.command(binary("snag-desktop")?);
    command
        .arg("--data-dir")
        .arg(data)
        .env("HOME", folder.join("home"))
        .env("SNAG_LOG", "debug,sled=info,zbus=info");
    Ok(command)
}

/// Processes of the app over a folder, and those that they started.
///
/// # Errors
/// When the system's processes can't be read.
pub fn processes(data: &Path) -> Result<Vec<u32>> {
    let mut found: Vec<u32> = Vec::new();
    let mut parents = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let Ok(pid) = entry?.file_name().to_string_lossy().parse::<u32>() else {
            continue;
        };
        let folder = PathBuf::from(format!("/proc/{pid}"));
        let line = std::fs::read(folder.join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        let is_ours = ["snag-desktop\0", "snag-windows\0"]
            .iter()
            .any(|name| line.contains(name));
        if is_ours && line.contains(&*data.to_string_lossy()) {
            found.push(pid);
        }
        let stat = std::fs::read_to_string(folder.join("stat")).unwrap_or_default();
        if let Some(parent) = stat
            .rsplit(") ")
            .next()
            .and_then(|rest| rest.split(' ').nth(1))
        {
            parents.push((pid, parent.parse::<u32>().unwrap_or_default()));
        }
    }
    let children: Vec<u32> = parents
        .iter()
        .filter(|(pid, parent)| found.contains(parent) && !found.contains(pid))
        .map(|(pid, _)| *pid)
        .collect();
    found.extend(children);
    Ok(found)
}
