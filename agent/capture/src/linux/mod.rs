//! Capture on Linux under X11: one thread that follows the focus, looks up elements and listens for answers.
//!
//! The thread runs futures (a current-thread runtime), so that a program that does not answer holds up nobody. Its
//! questions to the X server are plain round trips: a server that hangs shows no windows to click in.

mod a11y;
mod answers;
mod area;
mod bus;
mod focus;
mod own_windows;
mod press;
mod watch;
mod x;
mod xlib;

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{LocalSet, spawn_local};
use x11rb::protocol::xproto::Window;

use crate::CaptureError;
use crate::answer::Reply;
use crate::desktop::{Command, Context};
use crate::health::{Source, SourceState};
use crate::queue::Under;
use crate::window::WindowAsker;
use a11y::{A11y, Object};
use watch::{Noise, Watch};
pub(crate) use x::recording_probe;
use x::{Damage, WindowAt, X};
pub(crate) use xlib::survive_the_x_server;

/// Futures are on the heap; the deepest stacks are those of D-Bus connecting.
const STACK_BYTES: usize = 512 * 1024;
/// How long the start waits for the accessibility bus before it goes on without.
const A11Y_GRACE: Duration = Duration::from_millis(2_500);
/// After this long without press, key or wheel, what happens goes on by itself (ms).
const QUIET_MS: u64 = 1_500;

/// Checks that there is a display, starts the thread, and returns where the pointer is and whether answers of programs
/// can be seen.
///
/// # Errors
/// No display, or one that cannot be used.
pub(crate) fn start(
    context: Context,
    commands: mpsc::Receiver<Command>,
) -> Result<Started, CaptureError> {
    let wayland = std::env::var_os("WAYLAND_DISPLAY").is_some_and(|value| !value.is_empty())
        || std::env::var("XDG_SESSION_TYPE").is_ok_and(|kind| kind == "wayland");
    if std::env::var_os("DISPLAY").is_none_or(|value| value.is_empty()) {
        return Err(CaptureError::NoDisplay { wayland });
    }
    let connect = || X::connect().map_err(|error| CaptureError::Display(error.to_string()));
    let (events, asked) = (connect()?, connect()?);
    let (x, y) = asked
        .pointer()
        .map_err(|error| CaptureError::Display(error.to_string()))?;
    if wayland {
        context.board.set(
            Source::Input,
            SourceState::Limited,
            "This is a Wayland session: only what happens in programs that run through XWayland can be seen. \
             An X11 session shows everything.",
        );
    } else {
        context.board.set(
            Source::Input,
            SourceState::Working,
            "Seen through the X server.",
        );
    }
    let (ready, is_ready) = sync_channel(1);
    std::thread::Builder::new()
        .name("snag-desktop".into())
        .stack_size(STACK_BYTES)
        .spawn(move || {
            let Ok(runtime) = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
            else {
                return;
            };
            let local = LocalSet::new();
            local.block_on(&runtime, async move {
                let shell = Rc::new(Shell::new(context, events, asked));
                shell.run(commands, ready).await;
            });
        })
        .map_err(CaptureError::Thread)?;
    let reactions = is_ready.recv_timeout(A11Y_GRACE * 2).unwrap_or(false);
    Ok(Started { x, y, reactions })
}

/// What is known when the thread runs.
pub(crate) struct Started {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) reactions: bool,
}

/// The window with the focus.
#[derive(Default, Clone)]
struct Current {
    window: Option<Window>,
    app: String,
    /// The title, normalised.
    screen: String,
    private: bool,
    own: bool,
    /// It is being looked up.
    looking: bool,
    /// It was looked up, and the fields above are what was found.
    known: bool,
}

/// A point of the screen.
#[expect(clippy::cast_possible_truncation, reason = "pixels of a screen")]
fn pixels(x: f64, y: f64) -> (i32, i32) {
    (x.round() as i32, y.round() as i32)
}

/// Presses by the point whose look-up they wait for.
type Waiting = HashMap<(i32, i32), Vec<Reply<Under>>>;

struct Shell {
    context: Context,
    events: X,
    asked: X,
    asker: RefCell<WindowAsker>,
    a11y: RefCell<Option<Rc<A11y>>>,
    current: RefCell<Current>,
    watch: RefCell<Option<Watch>>,
    noise: RefCell<Noise>,
    damage: RefCell<Option<(WindowAt, Damage)>>,
    /// Presses that wait for the look-up at a point.
    waiting: RefCell<Waiting>,
    /// What was found a moment ago, newest last.
    found: RefCell<VecDeque<press::Recent>>,
    /// Whose the window is that the pointer was in last.
    owner: Cell<Option<own_windows::Owner>>,
    number: Cell<u64>,
    /// What was selected or got the focus lately, newest first: the entries of open menus, which are not found from
    /// their program's windows.
    selected: RefCell<VecDeque<Object>>,
    /// What was last said about answers being seen.
    reactions: Cell<bool>,
    sampling: Cell<bool>,
    /// The focus is to be looked at anew.
    look_again: tokio::sync::Notify,
}

impl Shell {
    fn new(context: Context, events: X, asked: X) -> Self {
        Self {
            context,
            events,
            asked,
            asker: RefCell::default(),
            a11y: RefCell::default(),
            current: RefCell::default(),
            watch: RefCell::default(),
            noise: RefCell::default(),
            damage: RefCell::default(),
            waiting: RefCell::default(),
            found: RefCell::default(),
            owner: Cell::new(None),
            number: Cell::new(0),
            selected: RefCell::default(),
            reactions: Cell::new(false),
            sampling: Cell::new(false),
            look_again: tokio::sync::Notify::new(),
        }
    }

    async fn run(
        self: Rc<Self>,
        mut commands: mpsc::Receiver<Command>,
        ready: std::sync::mpsc::SyncSender<bool>,
    ) {
        let connected = Rc::new(tokio::sync::Notify::new());
        let accessibility = spawn_local(self.clone().follow_accessibility(connected.clone()));
        let _ = tokio::time::timeout(A11Y_GRACE, connected.notified()).await;
        let reactions = self.a11y.borrow().is_some();
        self.reactions.set(reactions);
        let _ = ready.send(reactions);
        drop(ready);
        let focus = spawn_local(self.clone().follow_focus());
        while let Some(command) = commands.recv().await {
            match command {
                Command::Press { x, y, reply } => self.pressed(x, y, reply),
                Command::Pointer { x, y, reply } => {
                    let _ = reply.send(self.is_own_at(pixels(x, y)));
                }
                Command::Release => {
                    if let Some(watch) = self.watch.borrow_mut().as_mut() {
                        // What answers the release is told as well as what answered the press.
                        watch.answered = false;
                    }
                }
                Command::Resume => {
                    *self.current.borrow_mut() = Current::default();
                    self.look_again.notify_one();
                }
                Command::Stop => break,
            }
        }
        accessibility.abort();
        focus.abort();
    }
}
