//! A desktop with a server and an enrolled app: what tests and figures of the app begin with.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::desktop::{Desktop, EVERYTHING, Program, wait_until};
use crate::dunst::Dunst;
use crate::process::{Agent, Running, Server, Tokens, binary, output};
use crate::search::files_with;
use crate::session::Session;
use crate::webdriver::Driver;
use crate::wire::Wire;

/// The screen where nothing else is wanted.
const USUAL_SIZE: &str = "1280x800";

/// Lines of the app's log that are shown where a test failed.
const LAST_LINES: usize = 40;

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
    /// What the agent sends, where that is watched.
    wire: Option<Wire>,
}

impl Stage {
    /// Starts desktop and server, and enrols.
    ///
    /// # Errors
    /// When something of it doesn't start.
    pub fn set() -> Result<Self> {
        Self::of_size(USUAL_SIZE)
    }

    /// The same on a screen of this size.
    ///
    /// # Errors
    /// When something of it doesn't start.
    pub fn of_size(size: &str) -> Result<Self> {
        Self::of(size, Session::start, false)
    }

    /// The same with a notification daemon that people have, instead of the session's own.
    ///
    /// # Errors
    /// When something of it doesn't start.
    pub fn with_dunst() -> Result<(Self, Dunst)> {
        let stage = Self::of(USUAL_SIZE, Session::with_icons, false)?;
        let dunst = Dunst::start(&stage.desktop, stage.folder.path())?;
        Ok((stage, dunst))
    }

    /// The same, and watched: every request is kept, and every log says all that it can.
    ///
    /// # Errors
    /// When something of it doesn't start.
    pub fn watched() -> Result<Self> {
        Self::of(USUAL_SIZE, Session::start, true)
    }

    fn of(
        size: &str,
        session: impl Fn(&Desktop) -> Result<Session>,
        is_watched: bool,
    ) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut server = Server::new(folder.path(), &[])?;
        let tokens = server.create_org("Desk Ltd", 5)?;
        server.start()?;
        // A folder's name may have a space in it.
        let agent = Agent::new(folder.path().join("the agent"));
        let wire = is_watched.then(|| Wire::to(server.address)).transpose()?;
        let url = wire.as_ref().map_or_else(|| server.url(), Wire::url);
        agent.enroll(&url, &tokens.enroll)?;
        let desktop = Desktop::of_size(EVERYTHING, size);
        let session = session(&desktop)?;
        Ok(Self {
            folder,
            desktop,
            session,
            server,
            tokens,
            agent,
            wire,
        })
    }

    /// The app, to be started.
    ///
    /// # Errors
    /// When it isn't built.
    pub fn app(&self) -> Result<Command> {
        let mut app = app(&self.desktop, self.folder.path(), self.agent.data())?;
        if self.wire.is_some() {
            app.env("SNAG_LOG", "trace");
        }
        Ok(app)
    }

    /// Sees that this is in no file of anybody's here, the logs among them, and was in no request.
    ///
    /// # Errors
    /// When it is, or nothing was watched.
    pub fn is_nowhere(&self, secret: &str) -> Result<()> {
        let found = files_with(self.folder.path(), secret)?;
        ensure!(found.is_empty(), "{secret} is in {found:?}");
        let wire = self.wire.as_ref().context("a stage that is watched")?;
        ensure!(wire.requests() > 2, "{} requests", wire.requests());
        ensure!(!wire.held(secret)?, "{secret} went over the wire");
        Ok(())
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

    /// The lines of the app's log that hold this.
    ///
    /// # Errors
    /// When it wrote none yet.
    pub fn logged(&self, words: &str) -> Result<Vec<String>> {
        let log = std::fs::read_to_string(self.folder.path().join("app.log"))?;
        let lines = log.lines().filter(|line| line.contains(words));
        Ok(lines.map(str::to_owned).collect())
    }

    /// Starts the app under a driver.
    ///
    /// # Errors
    /// When it shows no window.
    pub fn driven(&self) -> Result<Driver> {
        Driver::start(&self.desktop, &self.app()?, &self.log()?)
    }

    /// Starts the app as the session does: hidden, and with nobody who drives its windows.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn hidden(&self) -> Result<Running> {
        let mut app = self.app()?;
        app.arg("--hidden");
        self.start(app)
    }

    /// Starts a command of the app; what it says goes to its log.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn start(&self, mut app: Command) -> Result<Running> {
        let log = self.log()?;
        Ok(Running(app.stdout(log.try_clone()?).stderr(log).spawn()?))
    }

    /// Sets, before a start, when a page of the form is kept ready; nothing else is set then.
    ///
    /// # Errors
    /// When the settings can't be written.
    pub fn set_form_ready(&self, when: &str) -> Result<()> {
        let settings = serde_json::json!({ "form_ready": when }).to_string();
        std::fs::write(self.agent.data().join("settings.json"), settings)?;
        Ok(())
    }

    /// Waits until what is done is captured.
    pub fn captures(&self) {
        wait_until("the app captures", || {
            // The file of an app that has ended says what was.
            self.status().is_some_and(|status| {
                let running = processes(self.agent.data()).unwrap_or_default();
                running.iter().any(|pid| status["pid"] == *pid)
                    && status["capture"]["input"]["state"] == "working"
            })
        });
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
        let output = self.curl(path).output()?;
        ensure!(output.status.success(), "{path}: {}", output.status);
        Ok(output.stdout)
    }

    /// What the server answers an administrator who sends this.
    ///
    /// # Errors
    /// When it refuses.
    pub fn tell(&self, path: &str, body: &Value) -> Result<Value> {
        self.send("POST", path, body)
    }

    /// The organisation's rules become others.
    ///
    /// # Errors
    /// When the server refuses them.
    pub fn rule(&self, change: impl FnOnce(&mut Value)) -> Result<()> {
        let mut rules: Value = serde_json::from_slice(&self.ask("/v1/admin/policy")?)?;
        change(&mut rules);
        self.send("PUT", "/v1/admin/policy", &rules).map(drop)
    }

    /// The server ends something, as an administrator asked.
    ///
    /// # Errors
    /// When it refuses.
    pub fn end(&self, path: &str) -> Result<()> {
        let status = self.curl(path).args(["-X", "DELETE"]).status()?;
        ensure!(status.success(), "{path}: {status}");
        Ok(())
    }

    fn send(&self, method: &str, path: &str, body: &Value) -> Result<Value> {
        let output = self
            .curl(path)
            .args(["-X", method, "-H", "Content-Type: application/json"])
            .arg("--data")
            .arg(body.to_string())
            .output()?;
        ensure!(output.status.success(), "{path}: {}", output.status);
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    fn curl(&self, path: &str) -> Command {
        let mut curl = Command::new("curl");
        curl.args(["-sf", "--max-time", "20", "-H"])
            .arg(format!("Authorization: Bearer {}", self.tokens.admin))
            .arg(format!("{}{path}", self.server.url()));
        curl
    }

    /// Opens a window by its link, as a page or a second start does, and goes there.
    ///
    /// # Errors
    /// When it doesn't come.
    pub fn open(&self, driver: &Driver, window: &str) -> Result<()> {
        self.second(&[&format!("snag://{window}")])?;
        driver.go_to(window)
    }

    /// Says something by the form, and waits until the form has closed.
    ///
    /// # Errors
    /// When the form doesn't come or can't be sent.
    pub fn say(&self, driver: &Driver, words: &str) -> Result<()> {
        self.open(driver, "feedback")?;
        driver.type_into("//textarea", words)?;
        driver.click("//label[contains(., 'Problem')]")?;
        driver.click_away("//button[normalize-space()='Send']")?;
        self.closed(driver, "feedback");
        Ok(())
    }

    /// Waits until a window has closed.
    pub fn closed(&self, driver: &Driver, window: &str) {
        wait_until("the window has closed", || {
            driver
                .labels()
                .is_ok_and(|open| open.iter().all(|label| label != window))
        });
    }

    /// Runs the app again, as a link or a second start does; it ends at once.
    ///
    /// # Errors
    /// When it doesn't end well.
    pub fn second(&self, arguments: &[&str]) -> Result<()> {
        let output = output(self.app()?.args(arguments))?;
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
        driver.click_away("//button[contains(., 'I understand, start')]")?;
        self.closed(driver, "first-run");
        self.captures();
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

impl Drop for Stage {
    /// Says what the app said last, where something was waited for in vain.
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.logged("").unwrap_or_default();
            let last = log.len().saturating_sub(LAST_LINES);
            eprintln!("the app said last:\n{}", log[last..].join("\n"));
        }
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
        .env("XDG_CONFIG_HOME", folder.join("configuration"))
        .env_remove("XDG_DATA_HOME")
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
