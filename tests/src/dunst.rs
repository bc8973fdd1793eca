//! A notification daemon that people have, with its windows on the screen.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use zbus::blocking::Connection;
use zbus::blocking::fdo::DBusProxy;
use zbus::names::WellKnownName;

use crate::desktop::{Desktop, Hand, wait_until};
use crate::process::Running;

/// In a known corner, and a click does what the notification offers.
const SETTINGS: &str = "[global]\nwidth = 300\nheight = 120\norigin = top-left\noffset = 0x0\n\
    frame_width = 0\nmouse_left_click = do_action, close_current\nidle_threshold = 0\n\
    [urgency_normal]\ntimeout = 0\n";

/// Its name on the bus.
const NAME: &str = "org.freedesktop.Notifications";

/// What it tells when one is off the screen.
const CLOSED: &str = "NotificationClosed";

/// A dunst on a desktop.
pub struct Dunst {
    /// Where it is written what is chosen of a menu.
    choice: PathBuf,
    display: String,
    bus_address: String,
    connection: Connection,
    hand: Hand,
    _process: Running,
}

impl Dunst {
    /// Starts it and waits until it takes notifications; its settings lie in `folder`.
    ///
    /// # Errors
    /// When it isn't there (package dunst).
    pub fn start(desktop: &Desktop, folder: &Path) -> Result<Self> {
        // Its menu of what a notification offers is any program that reads lines and prints one of them.
        let (menu, choice) = (folder.join("dunst-menu"), folder.join("dunst-choice"));
        std::fs::write(&menu, format!("grep -F -m 1 -f '{}'", choice.display()))?;
        let settings = folder.join("dunstrc");
        let menu = format!("dmenu = /bin/sh {}\n", menu.display());
        std::fs::write(
            &settings,
            SETTINGS.replace("[urgency", &format!("{menu}[urgency")),
        )?;
        let process = desktop
            .command("dunst")
            .arg("-conf")
            .arg(&settings)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("dunst (package dunst)")?;
        let process = Running(process);
        let connection =
            zbus::blocking::connection::Builder::address(desktop.bus_address())?.build()?;
        // Whoever asks for its name sooner has the bus start another one, with settings of its own.
        let (bus, name) = (DBusProxy::new(&connection)?, WellKnownName::try_from(NAME)?);
        wait_until("dunst has its name", || {
            let owner = bus.get_connection_unix_process_id(name.clone().into());
            owner.is_ok_and(|owner| owner == process.0.id())
        });
        let this = Self {
            choice,
            display: desktop.display().to_owned(),
            bus_address: desktop.bus_address().to_owned(),
            connection,
            hand: desktop.hand(),
            _process: process,
        };
        wait_until("dunst takes notifications", || this.shown().is_ok());
        Ok(this)
    }

    /// How many notifications are on the screen.
    ///
    /// # Errors
    /// When dunst doesn't answer.
    pub fn shown(&self) -> Result<u32> {
        let said = self.ask(&["count", "displayed"])?;
        Ok(String::from_utf8_lossy(&said).trim().parse()?)
    }

    /// How many notifications wait to be shown, since it is paused.
    ///
    /// # Errors
    /// When dunst doesn't answer.
    pub fn held_back(&self) -> Result<u32> {
        let said = self.ask(&["count", "waiting"])?;
        Ok(String::from_utf8_lossy(&said).trim().parse()?)
    }

    /// Shows nothing from now on, or again.
    ///
    /// # Errors
    /// When dunst doesn't answer.
    pub fn pause(&self, paused: bool) -> Result<()> {
        self.ask(&["set-paused", if paused { "true" } else { "false" }])
            .map(drop)
    }

    /// Waits for a notification, and chooses what it offers by these words.
    ///
    /// # Errors
    /// When dunst doesn't answer.
    pub fn choose_of_next(&self, words: &str) -> Result<()> {
        self.wait_for_next();
        std::fs::write(&self.choice, format!("#{words}\n"))?;
        self.ask(&["context"]).map(drop)
    }

    /// Waits for a notification, clicks it, and gives its first line and the rest of it.
    ///
    /// # Errors
    /// When dunst doesn't answer.
    pub fn click_next(&self) -> Result<(String, String)> {
        let before = self.history()?;
        self.wait_for_next();
        self.hand.click_at((60, 20));
        // Only what is off the screen is told.
        wait_until("the notification was clicked away", || {
            self.history().is_ok_and(|all| all.len() > before.len())
        });
        match self.history()?.into_iter().next() {
            Some(last) => Ok(last),
            None => bail!("dunst forgot what it has shown"),
        }
    }

    /// Waits for a notification that can be clicked.
    fn wait_for_next(&self) {
        // Who shows one begins to listen after it is shown; no person clicks sooner.
        wait_until(
            "a notification, and who listens to what is done to it",
            || {
                let shown = self.shown().unwrap_or_default() as usize;
                shown > 0 && self.listening().is_ok_and(|programs| programs >= shown)
            },
        );
        // It reads what it listens to a moment later.
        std::thread::sleep(Duration::from_secs(1));
    }

    /// How many connections are told of what is done to notifications.
    fn listening(&self) -> Result<usize> {
        let answer = self.connection.call_method(
            Some("org.freedesktop.DBus"),
            "/org/freedesktop/DBus",
            Some("org.freedesktop.DBus.Debug.Stats"),
            "GetAllMatchRules",
            &(),
        )?;
        let rules: HashMap<String, Vec<String>> = answer.body().deserialize()?;
        // The second of the two that each asks for.
        let is_told = |rules: &&Vec<String>| rules.iter().any(|rule| rule.contains(CLOSED));
        Ok(rules.values().filter(is_told).count())
    }

    /// What was shown and is off the screen, the last first.
    fn history(&self) -> Result<Vec<(String, String)>> {
        let said: Value = serde_json::from_slice(&self.ask(&["history"])?)?;
        let all = said["data"][0].as_array().context("a history")?;
        let text = |one: &Value, name: &str| {
            let text = one[name]["data"].as_str().unwrap_or_default();
            text.to_owned()
        };
        Ok(all
            .iter()
            .map(|one| (text(one, "summary"), text(one, "body")))
            .collect())
    }

    fn ask(&self, arguments: &[&str]) -> Result<Vec<u8>> {
        let output = Command::new("dunstctl")
            .args(arguments)
            .env("DISPLAY", &self.display)
            .env("DBUS_SESSION_BUS_ADDRESS", &self.bus_address)
            .stdin(Stdio::null())
            .output()
            .context("dunstctl (package dunst)")?;
        ensure!(output.status.success(), "dunstctl: {}", output.status);
        Ok(output.stdout)
    }
}
