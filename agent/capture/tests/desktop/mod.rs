//! A real desktop for tests: an X server of its own (Xvfb), a window manager (openbox), a session bus with
//! accessibility, real GTK programs, and a hand that moves the pointer, clicks and types through XTEST.
//!
//! Each `Desktop` is independent: displays and bus addresses are chosen free, every process is ended by its id when it
//! is dropped. Needs the packages xvfb openbox dbus at-spi2-core python3-gi gir1.2-gtk-3.0.
//!
//! To use it from another crate: `#[path = "…/agent/capture/tests/desktop/mod.rs"] mod desktop;`, with `x11rb` (feature
//! `xtest`) and `serde_json` among its dev-dependencies.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "test binaries include it as a module, and each uses a part of it"
)]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use serde_json::Value;
use x11rb::connection::Connection;
use x11rb::protocol::xproto::{
    AtomEnum, BUTTON_PRESS_EVENT, BUTTON_RELEASE_EVENT, ClientMessageEvent, ConnectionExt as _,
    EventMask, KEY_PRESS_EVENT, KEY_RELEASE_EVENT, MOTION_NOTIFY_EVENT, Window,
};
use x11rb::protocol::xtest::ConnectionExt as _;
use x11rb::rust_connection::RustConnection;

/// How long anything may take to come up on a slow, busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Longest time for a command that does much before it ends, such as one that is a test itself.
const ENDS_WITHIN: Duration = Duration::from_secs(300);

/// Waits until `done` says so; panics with `what` after `PATIENCE`.
pub fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    wait_for(what, || done().then_some(()));
}

/// Waits until `get` gives something; panics with `what` after `PATIENCE`.
pub fn wait_for<T>(what: &str, mut get: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = get() {
            return value;
        }
        assert!(Instant::now() < until, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Runs a command to its end. One that doesn't end is ended by its id, and the test fails.
pub fn output_of(command: &mut Command) -> Output {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let id = child.id().to_string();
    let (ended, has_ended) = mpsc::channel();
    std::thread::spawn(move || ended.send(child.wait_with_output()));
    let Ok(output) = has_ended.recv_timeout(ENDS_WITHIN) else {
        let _ = Command::new("kill").args(["-KILL", &id]).status();
        panic!("it doesn't end: {command:?}");
    };
    output.expect("its output")
}

/// A child that is ended by its id when dropped.
pub struct Ended(pub Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Ended {
    /// Waits until it ends by itself, and tells how.
    pub fn ends(&mut self) -> ExitStatus {
        wait_for("the process ends", || self.0.try_wait().expect("a child"))
    }

    /// Sends a signal by name, such as `STOP`.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .arg(format!("-{name}"))
            .arg(self.0.id().to_string())
            .status();
        assert!(status.expect("kill runs").success());
    }
}

/// What a desktop has.
#[derive(Clone, Copy)]
pub struct With {
    /// A window manager.
    pub window_manager: bool,
    /// A session bus, and with it accessibility.
    pub bus: bool,
}

/// The keysym of the left Control key.
pub const CONTROL: u32 = 0xffe3;
/// Keysym of the backspace key.
pub const BACKSPACE: u32 = 0xff08;
/// The keysym of the left Alt key.
pub const ALT: u32 = 0xffe9;

/// All of it.
pub const EVERYTHING: With = With {
    window_manager: true,
    bus: true,
};

/// A running desktop. Fields are dropped in order: the server last.
pub struct Desktop {
    window_manager: Option<Ended>,
    bus: Option<Ended>,
    bus_address: Option<String>,
    server: Option<Ended>,
    display: String,
}

impl Desktop {
    /// Starts one of 1280 x 800 and waits until it is usable.
    pub fn start(with: With) -> Self {
        Self::of_size(with, "1280x800")
    }

    /// Starts one whose screen has a size such as `1920x1080`.
    pub fn of_size(with: With, size: &str) -> Self {
        let server = Command::new("Xvfb")
            .args([
                "-displayfd",
                "1",
                "-screen",
                "0",
                &format!("{size}x24"),
                "-nolisten",
                "tcp",
                "-noreset",
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Xvfb (package xvfb) starts");
        let mut server = Ended(server);
        let number = first_line(&mut server, "Xvfb tells its display");
        let mut this = Self {
            window_manager: None,
            bus: None,
            bus_address: None,
            server: Some(server),
            display: format!(":{number}"),
        };
        if with.bus {
            let bus = Command::new("dbus-daemon")
                .args(["--session", "--nofork", "--nopidfile", "--print-address"])
                .env("DISPLAY", &this.display)
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .expect("dbus-daemon (package dbus) starts");
            let mut bus = Ended(bus);
            this.bus_address = Some(first_line(&mut bus, "dbus-daemon tells its address"));
            this.bus = Some(bus);
        }
        if with.window_manager {
            let child = this
                .command("openbox")
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn();
            this.window_manager = Some(Ended(child.expect("openbox (package openbox) starts")));
            let hand = this.hand();
            wait_until("openbox manages windows", || {
                hand.cardinal(hand.root, "_NET_SUPPORTING_WM_CHECK")
                    .is_some()
            });
        }
        this
    }

    /// The display, such as `:99`.
    pub fn display(&self) -> &str {
        &self.display
    }

    /// A command that runs on this desktop and knows nothing of another.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        for name in [
            "WAYLAND_DISPLAY",
            "XDG_SESSION_TYPE",
            "XAUTHORITY",
            "AT_SPI_BUS_ADDRESS",
            "DBUS_SESSION_BUS_ADDRESS",
        ] {
            command.env_remove(name);
        }
        command
            .env("DISPLAY", &self.display)
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::null());
        // Without a bus of its own, a program must not find one by the usual places either.
        command.env("XDG_RUNTIME_DIR", "/nonexistent");
        if let Some(address) = &self.bus_address {
            command.env("DBUS_SESSION_BUS_ADDRESS", address);
        }
        command
    }

    /// Starts the GTK program beside this file and waits until its window is there.
    pub fn program(&self, title: &str) -> Program {
        let script = Path::new(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/desktop/program.py"
        ));
        self.program_of(script, title)
    }

    /// The same, by the path of the script.
    pub fn program_of(&self, script: &Path, title: &str) -> Program {
        self.program_with(script, title, &[])
    }

    /// The same, with variables of its environment.
    pub fn program_with(&self, script: &Path, title: &str, variables: &[(&str, &str)]) -> Program {
        // The system's Python, as that is the one with GTK.
        let mut child = self
            .command("/usr/bin/python3")
            .arg(script)
            .arg(title)
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("python3 (package python3-gi) starts");
        let stdin = child.stdin.take().expect("a pipe");
        let lines = Lines::of(child.stdout.take().expect("a pipe"));
        let places = lines.wait("the program's window is there", |line| {
            line.get("ready").map(|_| line["places"].clone())
        });
        Program {
            stdin,
            lines,
            places,
            process: Ended(child),
        }
    }

    /// A hand on this desktop.
    pub fn hand(&self) -> Hand {
        Hand::new(&self.display)
    }

    /// Sends the session bus a signal by name: after `STOP` it answers nothing until `CONT`.
    pub fn signal_bus(&self, name: &str) {
        self.bus.as_ref().expect("a bus").signal(name);
    }

    /// The session bus's address.
    pub fn bus_address(&self) -> &str {
        self.bus_address.as_deref().expect("a bus")
    }

    /// Ends the X server, as a crash would.
    pub fn end_server(&mut self) {
        self.server = None;
    }
}

fn first_line(child: &mut Ended, what: &str) -> String {
    let text = Text::of(child.0.stdout.take().expect("a pipe"));
    wait_for(what, || {
        let line = text.all().lines().next().map(|line| line.trim().to_owned());
        line.filter(|line| !line.is_empty())
    })
}

/// The JSON lines that a process has printed so far, read by a thread.
#[derive(Clone)]
pub struct Lines(Arc<Mutex<Vec<Value>>>);

impl Lines {
    /// Begins to read.
    pub fn of(source: impl std::io::Read + Send + 'static) -> Self {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let into = lines.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(source).lines() {
                let Ok(line) = line else { break };
                if let Ok(value) = serde_json::from_str(&line) {
                    into.lock().expect("no reader panics").push(value);
                }
            }
        });
        Self(lines)
    }

    /// All so far.
    pub fn all(&self) -> Vec<Value> {
        self.0.lock().expect("no reader panics").clone()
    }

    /// How many lines so far hold for `test`.
    pub fn count(&self, test: impl Fn(&Value) -> bool) -> usize {
        self.0
            .lock()
            .expect("no reader panics")
            .iter()
            .filter(|line| test(line))
            .count()
    }

    /// Waits for a line that `get` gives something for.
    pub fn wait<T>(&self, what: &str, get: impl Fn(&Value) -> Option<T>) -> T {
        wait_for(what, || {
            self.0
                .lock()
                .expect("no reader panics")
                .iter()
                .find_map(&get)
        })
    }
}

/// The text that a process has printed so far, read by a thread.
#[derive(Clone)]
pub struct Text(Arc<Mutex<String>>);

impl Text {
    /// Begins to read.
    pub fn of(source: impl std::io::Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(String::new()));
        let into = text.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(source).lines() {
                let Ok(line) = line else { break };
                let mut text = into.lock().expect("no reader panics");
                text.push_str(&line);
                text.push('\n');
            }
        });
        Self(text)
    }

    /// All so far.
    pub fn all(&self) -> String {
        self.0.lock().expect("no reader panics").clone()
    }
}

/// A GTK program with a window.
pub struct Program {
    stdin: ChildStdin,
    /// What it said of what was done to it.
    pub lines: Lines,
    places: Value,
    /// Its process.
    pub process: Ended,
}

impl Program {
    /// The middle of a widget on the screen.
    pub fn place(&self, widget: &str) -> (i16, i16) {
        let at = |index: usize| {
            self.places[widget][index]
                .as_i64()
                .and_then(|number| i16::try_from(number).ok())
        };
        (
            at(0).expect("a widget of the program"),
            at(1).expect("a widget of the program"),
        )
    }

    /// Tells it to do something: `title …`.
    pub fn tell(&mut self, command: &str) {
        writeln!(self.stdin, "{command}")
            .and_then(|()| self.stdin.flush())
            .expect("the program reads");
    }

    /// Asks where its widgets are now (they move when windows do), until they stay there: a window manager may have
    /// told of a change before the program has laid itself out.
    pub fn look_again(&mut self) {
        let mut same = 0;
        while same < 4 {
            let before = self.lines.count(|line| line.get("ready").is_some());
            self.tell("report");
            wait_until("the program tells its places", || {
                self.lines.count(|line| line.get("ready").is_some()) > before
            });
            let lines = self.lines.all();
            let places = lines.iter().rev().find_map(|line| line.get("places"));
            let places = places.cloned().expect("places");
            same = if places == self.places { same + 1 } else { 0 };
            self.places = places;
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Clicks into the entry, and waits until what is typed goes there.
    pub fn focus_entry(&self, hand: &Hand) {
        let focused = || self.lines.count(|line| line["focused"] == "entry");
        let before = focused();
        hand.click_at(self.place("entry"));
        wait_until("the entry has the focus", || focused() > before);
    }

    /// How often a widget was clicked, as the program saw it.
    pub fn clicks(&self, widget: &str) -> usize {
        self.lines.count(|line| line["clicked"] == widget)
    }
}

/// Synthetic input, as real for every program as that of a hand.
pub struct Hand {
    /// The hand's own connection to the X server.
    pub connection: RustConnection,
    /// The root window.
    pub root: Window,
    /// Keycodes by keysym.
    keys: Vec<(u32, u8)>,
}

impl Hand {
    /// A hand on the desktop of a display such as `:99`.
    pub fn new(display: &str) -> Self {
        let (connection, screen) = wait_for("the X server answers", || {
            x11rb::connect(Some(display)).ok()
        });
        let root = connection.setup().roots[screen].root;
        let (least, most) = (
            connection.setup().min_keycode,
            connection.setup().max_keycode,
        );
        let mapping = connection
            .get_keyboard_mapping(least, most - least + 1)
            .expect("sent")
            .reply()
            .expect("a keyboard mapping");
        let per = usize::from(mapping.keysyms_per_keycode);
        let keys = (least..=most)
            .zip(mapping.keysyms.chunks(per))
            .map(|(code, syms)| (syms[0], code))
            .collect();
        Self {
            connection,
            root,
            keys,
        }
    }

    /// Moves the pointer.
    pub fn move_to(&self, (x, y): (i16, i16)) {
        self.fake(MOTION_NOTIFY_EVENT, 0, x, y);
    }

    /// Puts a button down (1 left, 2 middle, 3 right).
    pub fn press(&self, button: u8) {
        self.fake(BUTTON_PRESS_EVENT, button, 0, 0);
    }

    /// Lets a button go.
    pub fn release(&self, button: u8) {
        self.fake(BUTTON_RELEASE_EVENT, button, 0, 0);
    }

    /// One step of the wheel, down.
    pub fn wheel(&self) {
        self.press(5);
        self.release(5);
    }

    /// A left click where the pointer is, held as long as a person holds it.
    pub fn click(&self) {
        self.press(1);
        std::thread::sleep(Duration::from_millis(60));
        self.release(1);
    }

    /// Moves there and clicks, as a person does.
    pub fn click_at(&self, place: (i16, i16)) {
        self.move_to(place);
        std::thread::sleep(Duration::from_millis(120));
        self.click();
    }

    /// Hits a key by its X keysym (a lower-case letter's or digit's is its character).
    pub fn key(&self, keysym: u32) {
        let code = self.code(keysym);
        self.fake(KEY_PRESS_EVENT, code, 0, 0);
        self.fake(KEY_RELEASE_EVENT, code, 0, 0);
    }

    /// Hits a key with Control held.
    pub fn control(&self, keysym: u32) {
        self.chord(&[CONTROL], keysym);
    }

    /// Hits a key with others held.
    pub fn chord(&self, held: &[u32], keysym: u32) {
        for key in held {
            self.fake(KEY_PRESS_EVENT, self.code(*key), 0, 0);
        }
        self.key(keysym);
        for key in held.iter().rev() {
            self.fake(KEY_RELEASE_EVENT, self.code(*key), 0, 0);
        }
    }

    /// Types lower-case letters and digits, as a person does.
    pub fn type_text(&self, text: &str) {
        for c in text.chars() {
            self.key(u32::from(c));
            std::thread::sleep(Duration::from_millis(40));
        }
    }

    /// The active window.
    pub fn active(&self) -> Option<Window> {
        self.cardinal(self.root, "_NET_ACTIVE_WINDOW")
            .filter(|window| *window != 0)
    }

    /// The windows that are managed.
    pub fn windows(&self) -> Vec<Window> {
        let atom = self.atom("_NET_CLIENT_LIST");
        let reply = self
            .connection
            .get_property(false, self.root, atom, AtomEnum::WINDOW, 0, 64);
        let reply = reply.expect("sent").reply().expect("a reply");
        reply.value32().map(Iterator::collect).unwrap_or_default()
    }

    /// Makes a window the active one, as a task bar does, and waits until it is.
    pub fn activate(&self, window: Window) {
        let event =
            ClientMessageEvent::new(32, window, self.atom("_NET_ACTIVE_WINDOW"), [2, 0, 0, 0, 0]);
        let mask = EventMask::SUBSTRUCTURE_NOTIFY | EventMask::SUBSTRUCTURE_REDIRECT;
        self.connection
            .send_event(false, self.root, mask, event)
            .expect("sent");
        self.connection.flush().expect("flushed");
        wait_until("the window is active", || self.active() == Some(window));
    }

    /// Makes a window fill the screen, or not, as a program asks the window manager to, and waits until it does.
    pub fn full_screen(&self, window: Window, fills: bool) {
        let state = self.atom("_NET_WM_STATE");
        let full = self.atom("_NET_WM_STATE_FULLSCREEN");
        let event = ClientMessageEvent::new(32, window, state, [u32::from(fills), full, 0, 2, 0]);
        let mask = EventMask::SUBSTRUCTURE_NOTIFY | EventMask::SUBSTRUCTURE_REDIRECT;
        self.connection
            .send_event(false, self.root, mask, event)
            .expect("sent");
        self.connection.flush().expect("flushed");
        wait_until("the window manager has done so", || {
            let reply = self
                .connection
                .get_property(false, window, state, AtomEnum::ATOM, 0, 64)
                .expect("sent")
                .reply()
                .expect("a reply");
            let told: Vec<u32> = reply.value32().map(Iterator::collect).unwrap_or_default();
            told.contains(&full) == fills
        });
    }

    /// Closes a window, as a task bar does.
    pub fn close(&self, window: Window) {
        let event =
            ClientMessageEvent::new(32, window, self.atom("_NET_CLOSE_WINDOW"), [0, 2, 0, 0, 0]);
        let mask = EventMask::SUBSTRUCTURE_NOTIFY | EventMask::SUBSTRUCTURE_REDIRECT;
        self.connection
            .send_event(false, self.root, mask, event)
            .expect("sent");
        self.connection.flush().expect("flushed");
    }

    /// The first number of a window's property.
    pub fn cardinal(&self, window: Window, name: &str) -> Option<u32> {
        let atom = self.atom(name);
        let reply = self
            .connection
            .get_property(false, window, atom, AtomEnum::ANY, 0, 1)
            .ok()?
            .reply()
            .ok()?;
        reply.value32()?.next()
    }

    fn atom(&self, name: &str) -> u32 {
        self.connection
            .intern_atom(false, name.as_bytes())
            .expect("sent")
            .reply()
            .expect("an atom")
            .atom
    }

    /// The code of the key of a keysym.
    pub fn code(&self, keysym: u32) -> u8 {
        self.keys
            .iter()
            .find(|(known, _)| *known == keysym)
            .expect("a key of this keyboard")
            .1
    }

    fn fake(&self, kind: u8, detail: u8, x: i16, y: i16) {
        self.connection
            .xtest_fake_input(kind, detail, x11rb::CURRENT_TIME, self.root, x, y, 0)
            .expect("sent");
        self.connection.flush().expect("flushed");
    }
}

/// Waits between steps so that they come at an even pace, however long each takes itself.
pub struct Pace {
    next: Instant,
    step: Duration,
}

impl Pace {
    /// One step each `step`.
    pub fn of(step: Duration) -> Self {
        Self {
            next: Instant::now(),
            step,
        }
    }

    /// Waits for the next step's time. After a delay the pace goes on from there: steps are never bunched, as a flood
    /// is not what a hand does.
    pub fn step(&mut self) {
        self.next += self.step;
        match self.next.checked_duration_since(Instant::now()) {
            Some(left) => std::thread::sleep(left),
            None => self.next = Instant::now(),
        }
    }
}
