//! A desktop without a screen: Xvfb and a window manager, and hands that move its
//! pointer at a given pace.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use x11rb::connection::Connection;
use x11rb::protocol::xproto::{BUTTON_PRESS_EVENT, BUTTON_RELEASE_EVENT, KEY_PRESS_EVENT};
use x11rb::protocol::xproto::{ConnectionExt as _, KEY_RELEASE_EVENT, MOTION_NOTIFY_EVENT};
use x11rb::protocol::xtest::ConnectionExt as _;
use x11rb::rust_connection::RustConnection;

use crate::process::Running;

/// Xvfb with openbox; both end with it.
pub struct Desktop {
    /// `DISPLAY` for programs that are to run on it.
    pub display: String,
    _window_manager: Running,
    _server: Running,
}

impl Desktop {
    /// Starts one on a display number that is free.
    ///
    /// # Errors
    /// When Xvfb or openbox isn't installed (`make test` installs them) or doesn't start.
    pub fn start() -> Result<Self> {
        let mut server = Command::new("Xvfb")
            .args([
                "-displayfd",
                "1",
                "-screen",
                "0",
                "1920x1080x24",
                "-nolisten",
                "tcp",
                "-noreset",
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("Xvfb")?;
        let stdout = server.stdout.take().context("Xvfb's output")?;
        let server = Running(server);
        let mut number = String::new();
        BufReader::new(stdout).read_line(&mut number)?;
        ensure!(!number.trim().is_empty(), "Xvfb didn't start");
        let display = format!(":{}", number.trim());
        let window_manager = Command::new("openbox")
            .env("DISPLAY", &display)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("openbox")?;
        Ok(Self {
            display,
            _window_manager: Running(window_manager),
            _server: server,
        })
    }

    /// Hands on this desktop.
    ///
    /// # Errors
    /// When the display can't be connected to.
    pub fn hands(&self) -> Result<Hands> {
        let (connection, screen) = x11rb::connect(Some(&self.display))?;
        let root = connection.setup().roots[screen].root;
        Ok(Hands {
            connection,
            root,
            x: 0,
        })
    }
}

/// Moves the pointer, presses and types, as XTEST does: indistinguishable from a device.
pub struct Hands {
    connection: RustConnection,
    root: u32,
    x: i16,
}

impl Hands {
    fn fake(&self, kind: u8, detail: u8, x: i16, y: i16) -> Result<()> {
        self.connection
            .xtest_fake_input(kind, detail, 0, self.root, x, y, 0)?;
        self.connection.flush()?;
        Ok(())
    }

    /// Moves the pointer once, to somewhere else than where it is.
    ///
    /// # Errors
    /// When the display is gone.
    pub fn move_on(&mut self) -> Result<()> {
        self.x = (self.x + 7) % 1_800;
        self.fake(MOTION_NOTIFY_EVENT, 0, self.x, 500 + self.x % 97)
    }

    /// Moves at `per_second` for `duration`, evenly paced; returns how many moves it made.
    ///
    /// # Errors
    /// When the display is gone.
    pub fn move_for(&mut self, per_second: u32, duration: Duration) -> Result<u64> {
        let begin = Instant::now();
        let mut moves = 0_u64;
        while begin.elapsed() < duration {
            let due = (begin.elapsed().as_secs_f64() * f64::from(per_second)) as u64;
            while moves < due {
                self.move_on()?;
                moves += 1;
            }
            std::thread::sleep(Duration::from_secs_f64(1.0 / f64::from(per_second)));
        }
        Ok(moves)
    }

    /// Clicks the left button at a place.
    ///
    /// # Errors
    /// When the display is gone.
    pub fn click(&self, x: i16, y: i16) -> Result<()> {
        self.fake(MOTION_NOTIFY_EVENT, 0, x, y)?;
        std::thread::sleep(Duration::from_millis(10));
        self.fake(BUTTON_PRESS_EVENT, 1, 0, 0)?;
        std::thread::sleep(Duration::from_millis(30));
        self.fake(BUTTON_RELEASE_EVENT, 1, 0, 0)
    }

    /// Types text of lower-case letters, digits and spaces.
    ///
    /// # Errors
    /// When the display is gone or the keyboard lacks a character.
    pub fn r#type(&self, text: &str) -> Result<()> {
        let setup = self.connection.setup();
        let (least, most) = (setup.min_keycode, setup.max_keycode);
        let mapping = self
            .connection
            .get_keyboard_mapping(least, most - least + 1)?
            .reply()?;
        let width = usize::from(mapping.keysyms_per_keycode);
        for character in text.chars() {
            let wanted = character as u32;
            let index = mapping
                .keysyms
                .chunks(width)
                .position(|syms| syms.first() == Some(&wanted))
                .with_context(|| format!("no key for {character:?}"))?;
            let code = least + u8::try_from(index)?;
            self.fake(KEY_PRESS_EVENT, code, 0, 0)?;
            std::thread::sleep(Duration::from_millis(8));
            self.fake(KEY_RELEASE_EVENT, code, 0, 0)?;
            std::thread::sleep(Duration::from_millis(15));
        }
        Ok(())
    }
}
