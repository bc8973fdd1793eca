//! A notification daemon that people have, with its windows on the screen.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::desktop::{Desktop, Hand, wait_until};
use crate::process::Running;

/// In a known corner, and a click does what the notification offers.
const SETTINGS: &str = "[global]\nwidth = 300\nheight = 120\norigin = top-left\noffset = 0x0\n\
    frame_width = 0\nmouse_left_click = do_action, close_current\nidle_threshold = 0\n\
    [urgency_normal]\ntimeout = 0\n";

/// A dunst on a desktop.
pub struct Dunst {
    /// Where it is written what is chosen of a menu.
    choice: PathBuf,
    display: String,
    bus_address: String,
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
        let this = Self {
            choice,
            display: desktop.display().to_owned(),
            bus_address: desktop.bus_address().to_owned(),
            hand: desktop.hand(),
            _process: Running(process),
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
        wait_until("a notification", || {
            self.shown().is_ok_and(|shown| shown > 0)
        });
        std::fs::write(&self.choice, format!("#{words}\n"))?;
        self.ask(&["context"]).map(drop)
    }

    /// Waits for a notification, clicks it, and gives its first line and the rest of it.
    ///
    /// # Errors
    /// When dunst doesn't answer.
    pub fn click_next(&self) -> Result<(String, String)> {
        let before = self.history()?;
        wait_until("a notification", || {
            self.shown().is_ok_and(|shown| shown > 0)
        });
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
