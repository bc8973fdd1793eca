//! The process of the windows, as the app sees it: started for the first window, ended after the last.
//!
//! A web view costs more memory than everything else of the app, and gives little of it back when its window
//! closes. In a process of its own all of it goes, and what a window may do wrong doesn't end the capture.
//!
//! **Invariants:** the process holds nothing that is lost with it; it ends when this one does, since the socket
//! between the two does.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;
use snag_agent::desktop::view::Theme;

use crate::app::App;
use crate::channel::{self, FromWindows, Outcome, ToWindows, Writer};
use crate::commands;
use crate::window::Window;

/// How long the process waits for another window after the last one was closed: closing one often opens the next.
const GRACE: Duration = Duration::from_secs(3);

/// Longest time that the end of the app waits for a window: somewhat longer than a window itself may take.
const CLOSING: Duration = Duration::from_secs(4);

/// A process that ended by itself so often before any window was closed isn't started again to keep a page ready.
const FAILURES_MAX: u32 = 3;

/// The program that draws the windows; it lies beside this one.
const PROGRAM: &str = "snag-windows";

/// The process of the windows, where there is one.
pub struct Windows {
    program: Program,
    state: Mutex<State>,
}

/// The program, open from the start on: an upgrade takes its file away under the running app, and the new one might
/// not speak as this app does.
struct Program {
    path: PathBuf,
    file: File,
}

#[derive(Default)]
struct State {
    running: Option<Running>,
    /// Whether a page is kept ready while no window is open.
    keeps: bool,
    /// How often a process ended by itself since it last did what it is for.
    failures: u32,
    /// Counts processes and what was asked of them, so that what was decided before is known to be old.
    asked: u64,
}

struct Running {
    writer: Arc<Writer>,
    /// The windows that are open or asked for.
    open: BTreeSet<Window>,
    /// How often each was asked for.
    wishes: BTreeMap<Window, u64>,
    /// What `asked` was when it was started.
    since: u64,
}

impl State {
    fn end(&mut self) {
        if let Some(running) = self.running.take() {
            running.writer.close();
        }
    }

    /// Starts a process that keeps a page ready, where one is wanted and none is there.
    fn keep(&mut self, app: &Arc<App>) {
        if !self.keeps || self.running.is_some() || self.failures >= FAILURES_MAX {
            return;
        }
        self.asked += 1;
        let since = self.asked;
        let started = start(app, since).and_then(|writer| {
            writer.send(&ToWindows::Keep, &[])?;
            Ok(writer)
        });
        match started {
            Ok(writer) => {
                self.running = Some(Running {
                    writer,
                    open: BTreeSet::new(),
                    wishes: BTreeMap::new(),
                    since,
                });
            }
            Err(error) => {
                self.failures += 1;
                tracing::warn!(%error, "no page can be kept ready");
            }
        }
    }
}

impl Windows {
    /// Finds the program beside the app's, and starts nothing yet.
    ///
    /// # Errors
    /// It isn't there: a sentence that says what to do.
    pub fn find(app: &Path) -> Result<Self, String> {
        let path = app.with_file_name(PROGRAM);
        let file = File::open(&path).map_err(|error| {
            format!(
                "{} can't be opened ({error}). It belongs to Snag; install Snag anew.",
                path.display()
            )
        })?;
        Ok(Self {
            program: Program { path, file },
            state: Mutex::default(),
        })
    }

    /// Opens a window: shows it, or only makes it, to be shown in a moment.
    ///
    /// # Errors
    /// When the system gives no process.
    pub fn open(
        &self,
        app: &Arc<App>,
        window: Window,
        title: String,
        theme: Theme,
        shown: bool,
    ) -> io::Result<()> {
        let message = ToWindows::Open {
            window,
            title,
            theme,
            shown,
        };
        let mut state = self.state.lock();
        state.asked += 1;
        if let Some(running) = &mut state.running {
            running.open.insert(window);
            *running.wishes.entry(window).or_default() += 1;
            match running.writer.send(&message, &[]) {
                Ok(()) => return Ok(()),
                Err(error) => tracing::warn!(%error, "the windows are gone; they are made anew"),
            }
        }
        let since = state.asked;
        let writer = start(app, since)?;
        writer.send(&message, &[])?;
        state.running = Some(Running {
            writer,
            open: BTreeSet::from([window]),
            wishes: BTreeMap::from([(window, 1)]),
            since,
        });
        Ok(())
    }

    /// Tells the windows that are open.
    pub fn tell(&self, message: &ToWindows, body: &[u8]) {
        let writer = {
            let state = self.state.lock();
            state
                .running
                .as_ref()
                .map(|running| Arc::clone(&running.writer))
        };
        if let Some(writer) = writer
            && let Err(error) = writer.send(message, body)
        {
            tracing::debug!(%error, "the windows are gone");
        }
    }

    /// Tells the windows that are open of an event.
    pub fn emit(&self, name: &str, payload: &impl Serialize) {
        if self.state.lock().running.is_none() {
            return;
        }
        match serde_json::to_vec(payload) {
            Ok(body) => self.tell(
                &ToWindows::Event {
                    name: name.to_owned(),
                },
                &body,
            ),
            Err(error) => tracing::warn!(%error, name, "the windows can't be told"),
        }
    }

    /// Ends the process, if there is one, and keeps no page ready any more.
    pub fn end(&self) {
        let mut state = self.state.lock();
        state.keeps = false;
        state.end();
    }

    /// Keeps a page ready from now on, or no longer. It is made anew after windows were open: an unused one costs
    /// less than half of a used one.
    pub fn keep(&self, app: &Arc<App>, wanted: bool) {
        let mut state = self.state.lock();
        state.keeps = wanted;
        if wanted {
            state.keep(app);
        } else if let Some(running) = &state.running
            && running.open.is_empty()
        {
            state.end();
        }
    }

    /// Whether a page is kept ready while no window is open.
    pub fn keeps(&self) -> bool {
        self.state.lock().keeps
    }

    /// Closes a window, and waits until it has kept what was put into it; not for longer than a person would.
    pub async fn close(&self, window: Window) {
        if !self.is_open(window) {
            return;
        }
        self.tell(&ToWindows::Close { window }, &[]);
        let closed = async {
            while self.is_open(window) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        if tokio::time::timeout(CLOSING, closed).await.is_err() {
            tracing::warn!(window = window.label(), "the window doesn't close");
        }
    }

    /// Whether a window is open, or is being opened.
    pub fn is_open(&self, window: Window) -> bool {
        let state = self.state.lock();
        let running = state.running.as_ref();
        running.is_some_and(|running| running.open.contains(&window))
    }

    /// A window was closed; after the last one the process ends, unless another is asked for soon.
    fn closed(&self, app: &Arc<App>, window: Window, asked: u64) {
        let now = {
            let mut state = self.state.lock();
            state.failures = 0;
            let Some(running) = &mut state.running else {
                return;
            };
            // Otherwise it was asked for again while it closed, and is opening.
            if running.wishes.get(&window) == Some(&asked) {
                running.open.remove(&window);
                after_closing(app, window);
            }
            // A driver's session lasts as long as the process that it drives.
            if !running.open.is_empty() || crate::app::is_driven() {
                return;
            }
            state.asked
        };
        let waiting = Arc::clone(app);
        app.runtime.spawn(async move {
            tokio::time::sleep(GRACE).await;
            let mut state = waiting.windows.state.lock();
            if state.asked == now {
                state.end();
                state.keep(&waiting);
            }
        });
    }

    /// The process that was started then is gone; tells which windows went with it, and none where it was ended.
    fn gone(&self, since: u64) -> Option<BTreeSet<Window>> {
        let mut state = self.state.lock();
        match &state.running {
            Some(running) if running.since == since => {
                state.failures += 1;
                state.running.take().map(|running| running.open)
            }
            // Another one may be in its place.
            _ => None,
        }
    }
}

fn start(app: &Arc<App>, since: u64) -> io::Result<Arc<Writer>> {
    let (ours, theirs) = UnixStream::pair()?;
    let child = command(app)
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .spawn()?;
    app.own.add(child.id());
    let reader = ours.try_clone()?;
    let writer = Arc::new(Writer::new(ours));
    let answers = Arc::clone(&writer);
    let app = Arc::clone(app);
    std::thread::Builder::new()
        .name("windows".to_owned())
        .spawn(move || follow(&app, reader, &answers, child, since))?;
    Ok(writer)
}

fn command(app: &App) -> Command {
    let Program { path, file } = &app.windows.program;
    // The system closes the file as it starts the program from it.
    let mut command = if cfg!(target_os = "linux") {
        Command::new(format!("/proc/self/fd/{}", file.as_raw_fd()))
    } else {
        Command::new(path)
    };
    #[cfg(target_os = "linux")]
    crate::libraries::with_graphics(&mut command);
    command
        .arg0(path)
        .arg("--data-dir")
        .arg(app.start.paths.root());
    command
}

/// Does what the windows ask until they are gone.
fn follow(
    app: &Arc<App>,
    mut reader: UnixStream,
    writer: &Arc<Writer>,
    mut child: Child,
    since: u64,
) {
    loop {
        match channel::read(&mut reader) {
            Ok(Some((FromWindows::Call { id, command }, body))) => {
                let (asked, writer) = (Arc::clone(app), Arc::clone(writer));
                app.runtime
                    .spawn(async move { answer(&asked, &writer, id, &command, &body).await });
            }
            Ok(Some((FromWindows::Closed { window, asked }, _))) => {
                app.windows.closed(app, window, asked);
            }
            Ok(None) => break,
            Err(error) => {
                tracing::warn!(%error, "the windows can't be understood");
                break;
            }
        }
    }
    writer.close();
    let open = app.windows.gone(since);
    for window in open.iter().flatten() {
        after_closing(app, *window);
    }
    let ended = child.wait();
    app.own.remove(child.id());
    match ended {
        Ok(status) => match open {
            None => tracing::debug!(%status, "the windows have ended"),
            Some(open) => {
                tracing::error!(%status, windows = open.len(), "the windows ended by themselves")
            }
        },
        Err(error) => tracing::error!(%error, "the windows' end is not known"),
    }
}

fn after_closing(app: &Arc<App>, window: Window) {
    if window == Window::Feedback {
        crate::feedback::closed(app);
    }
}

async fn answer(app: &Arc<App>, writer: &Arc<Writer>, id: u64, command: &str, arguments: &[u8]) {
    let (outcome, body) = match commands::answer(app, command, arguments).await {
        Ok(commands::Answered::Json(body)) => (Outcome::Json, body),
        Ok(commands::Answered::Bytes(body)) => (Outcome::Bytes, body),
        Err(sentence) => (
            Outcome::Refused,
            serde_json::json!(sentence).to_string().into_bytes(),
        ),
    };
    let writer = Arc::clone(writer);
    // A picture may have to wait until the windows read it.
    let sent =
        tokio::task::spawn_blocking(move || writer.send(&ToWindows::Answer { id, outcome }, &body));
    match sent.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "an answer came too late: the windows are gone"),
        Err(error) => tracing::error!(%error, "an answer was not sent"),
    }
}
