//! What the desktop tells: input, window, element and answers, as the inputs of `snag-core`.
//!
//! [`start`] listens to mouse and keyboard (rdev), follows the window with the focus (x-win), looks up what is clicked
//! (AT-SPI on Linux) and sees whether programs answer (accessibility events and redraws). [`Capture::next`] gives
//! everything in the order in which it happened: a press waits for its element until a deadline, and what came after
//! it waits behind it.
//!
//! Invariants:
//! - Which key was hit is forgotten in the callback that hears of it; only its class goes on.
//! - Titles are normalised, element names normalised and hashed, before they leave this crate. Raw texts are in no
//!   type that it hands out, and in no log.
//! - Nothing of programs that the policy excludes, of private windows or of our own windows is looked up.
//! - Nothing here blocks for longer than its deadline because a program hangs.
//! - Times never fall.
//!
//! Threads: `snag-input` (one in a process, for ever: rdev has no stop call), `snag-desktop`, `snag-window`.

mod answer;
mod assemble;
mod clock;
mod desktop;
mod health;
mod keys;
#[cfg(target_os = "linux")]
mod linux;
mod listener;
mod names;
#[cfg(not(target_os = "linux"))]
mod other;
mod own;
mod pointer;
mod queue;
#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
mod roles;
mod window;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use snag_core::redact::Redactor;
use snag_core::{Input, LabelText};
use thiserror::Error;
use tokio::sync::mpsc;

use assemble::Assembler;
use desktop::{Command, Context, Trail};
use health::Board;
pub use health::{Counts, Health, Lookups, Losses, SourceHealth, SourceState};
#[cfg(target_os = "linux")]
use linux as platform;
use listener::{ButtonSeen, Sink};
#[cfg(not(target_os = "linux"))]
use other as platform;
pub use own::OwnProcesses;
use queue::{Queue, Under, What};

/// Commands to the desktop thread that may wait. Beyond that a press goes without its element.
const COMMANDS_MAX: usize = 1_024;

/// How to capture.
#[derive(Clone)]
pub struct CaptureOptions {
    /// Normalises and hashes what is seen, and knows which programs are to be looked at.
    pub redactor: Arc<Redactor>,
    /// Processes whose windows are left out, beside this process itself.
    pub own_processes: OwnProcesses,
    /// How long a press may wait for its element. A program that hangs costs this much for each click into it.
    pub element_deadline: Duration,
    /// How long a focus change may wait for its window.
    pub window_deadline: Duration,
}

impl CaptureOptions {
    /// The usual deadlines.
    #[must_use]
    pub fn new(redactor: Arc<Redactor>) -> Self {
        Self {
            redactor,
            own_processes: OwnProcesses::default(),
            // A look-up takes 1 to 5 ms; a busy computer may take a hundred times that. Nobody waits for it but the
            // question whether to ask for feedback.
            element_deadline: Duration::from_millis(500),
            // x-win takes half a millisecond.
            window_deadline: Duration::from_millis(250),
        }
    }
}

/// Why there is no capture.
#[derive(Debug, Error)]
pub enum CaptureError {
    /// Nothing to capture.
    #[error("{}", no_display(*.wayland))]
    NoDisplay {
        /// The session is a Wayland session without XWayland.
        wayland: bool,
    },
    /// There should be a display, but it cannot be used.
    #[error("the display cannot be used: {0}")]
    Display(String),
    /// The person or IT has not allowed it yet.
    #[error("this system has not given permission to see mouse and keyboard: {0}")]
    NoPermission(String),
    /// The system does not let us listen.
    #[error("mouse and keyboard cannot be listened to: {0}")]
    Refused(String),
    /// One capture a process.
    #[error("capture is running in this process already")]
    AlreadyRunning,
    /// A thread could not be started.
    #[error("a thread for capture could not be started: {0}")]
    Thread(std::io::Error),
}

fn no_display(wayland: bool) -> &'static str {
    if wayland {
        "this is a Wayland session without XWayland (DISPLAY is not set): it lets no program see the input of others. \
         Capture needs an X11 session"
    } else {
        "there is no display (DISPLAY is not set), so there is no mouse, keyboard or window to capture"
    }
}

/// What capture gives.
#[derive(Debug, Clone, PartialEq)]
pub enum CaptureItem {
    /// An input for the engine; `t` is unix ms and never falls.
    Input(Input),
    /// The normalised text of an element's label, for the labels on this device that may be asked for later. Each once
    /// in a while; in memory only until then.
    Label(LabelText),
    /// No input will come any more, and why. Given once.
    Lost {
        /// A sentence for a person.
        reason: String,
    },
}

/// A running capture. Dropping it stops it.
pub struct Capture {
    queue: Arc<Queue>,
    board: Arc<Board>,
    paused: Arc<AtomicBool>,
    redactor: Arc<RwLock<Arc<Redactor>>>,
    commands: mpsc::Sender<Command>,
    assembler: Assembler,
}

/// What can be read and switched while another thread reads the inputs.
#[derive(Clone)]
pub struct CaptureHandle {
    queue: Arc<Queue>,
    board: Arc<Board>,
    paused: Arc<AtomicBool>,
    redactor: Arc<RwLock<Arc<Redactor>>>,
    commands: mpsc::Sender<Command>,
}

/// Starts capture.
///
/// # Errors
/// There is no display, no permission, or a capture runs in this process already; never a panic, and never the end of
/// the process.
pub fn start(options: CaptureOptions) -> Result<Capture, CaptureError> {
    let queue = Queue::new();
    let began = queue.now();
    let board = Arc::new(Board::new());
    let paused = Arc::new(AtomicBool::new(false));
    let redactor = Arc::new(RwLock::new(options.redactor));
    let (commands, receiver) = mpsc::channel(COMMANDS_MAX);
    let trail = Arc::new(Trail::default());
    let acted = Arc::new(AtomicU64::new(0));
    let started = Arc::new(AtomicBool::new(false));
    let own = options.own_processes.clone();
    let context = Context {
        queue: queue.clone(),
        board: board.clone(),
        redactor: redactor.clone(),
        own: options.own_processes,
        element_deadline: options.element_deadline,
        window_deadline: options.window_deadline,
        trail: trail.clone(),
        acted: acted.clone(),
        started: started.clone(),
    };
    let begun = platform::start(context, receiver)?;
    let sink = Sink {
        queue: queue.clone(),
        paused: paused.clone(),
        on_button: on_button(queue.clone(), commands.clone(), options.element_deadline),
        trail,
        acted,
        x: begun.x,
        y: begun.y,
    };
    if let Err(error) = listener::attach(sink) {
        let _ = commands.try_send(Command::Stop);
        return Err(error);
    }
    started.store(true, Relaxed);
    let assembler = Assembler::new(
        queue.clone(),
        board.clone(),
        began,
        begun.reactions,
        ask_whose(
            queue.clone(),
            commands.clone(),
            own,
            options.window_deadline,
        ),
    );
    Ok(Capture {
        queue,
        board,
        paused,
        redactor,
        commands,
        assembler,
    })
}

/// What the callback does with buttons: it asks at once what is there, and waits for nothing.
fn on_button(
    queue: Arc<Queue>,
    commands: mpsc::Sender<Command>,
    deadline: Duration,
) -> Box<dyn Fn(ButtonSeen) -> What + Send> {
    Box::new(move |seen| match seen {
        ButtonSeen::Press { button, x, y } => {
            let (under, reply) = queue.question(deadline);
            if let Err(error) = commands.try_send(Command::Press { x, y, reply })
                && let Command::Press { reply, .. } = error.into_inner()
            {
                // The desktop thread cannot keep up or is gone: this press goes without its element.
                let _ = reply.send(Under::default());
            }
            What::Press {
                button,
                x,
                y,
                under,
            }
        }
        ButtonSeen::Release { button, x, y } => {
            let _ = commands.try_send(Command::Release);
            What::Release { button, x, y }
        }
    })
}

/// Asks whether the window at a point is ours.
fn ask_whose(
    queue: Arc<Queue>,
    commands: mpsc::Sender<Command>,
    own: OwnProcesses,
    deadline: Duration,
) -> pointer::AskWhose {
    Box::new(move |x, y| {
        let (answer, reply) = queue.question(deadline);
        if own.is_alone() {
            // Nobody is woken for each move where there is no window of ours.
            let _ = reply.send(Some(false));
            return answer;
        }
        if let Err(error) = commands.try_send(Command::Pointer { x, y, reply })
            && let Command::Pointer { reply, .. } = error.into_inner()
        {
            // The desktop thread cannot keep up or is gone: it stays what it was.
            let _ = reply.send(None);
        }
        answer
    })
}

impl Capture {
    /// The next item, in the order in which things happened; none if `timeout` passes without one.
    ///
    /// Inputs are handed on in batches some 20 ms apart, so that a moving pointer does not wake this thread for each
    /// step; their times are exact.
    pub fn next(&mut self, timeout: Duration) -> Option<CaptureItem> {
        let until = Instant::now() + timeout;
        self.assembler.next(until)
    }

    /// Waits until an item is there, [`CaptureHandle::wake`] is called, or `timeout` passes. What woke it is not told:
    /// [`Capture::try_next`] gives the items.
    pub fn wait(&mut self, timeout: Duration) {
        self.assembler.wait(Instant::now() + timeout);
    }

    /// The next item if one is there already. For draining a batch without waiting.
    pub fn try_next(&mut self) -> Option<CaptureItem> {
        self.assembler.next(Instant::now())
    }

    /// Unix ms up to which everything was handed on: what happened before it will not come any more. Time may be
    /// told to the engine (`Engine::advance`) up to here and no further, or an answer that still waits behind a press
    /// would come too late.
    #[must_use]
    pub fn horizon(&self) -> u64 {
        self.assembler.horizon()
    }

    /// What is captured, what is not and why.
    #[must_use]
    pub fn health(&self) -> Health {
        self.handle().health()
    }

    /// Pauses or resumes. Nothing that happens meanwhile is seen, not even counted.
    pub fn pause(&self, paused: bool) {
        self.handle().pause(paused);
    }

    /// A handle for other threads.
    #[must_use]
    pub fn handle(&self) -> CaptureHandle {
        CaptureHandle {
            queue: self.queue.clone(),
            board: self.board.clone(),
            paused: self.paused.clone(),
            redactor: self.redactor.clone(),
            commands: self.commands.clone(),
        }
    }

    /// Stops capture. What was not read yet is gone.
    pub fn stop(self) {}
}

impl Drop for Capture {
    fn drop(&mut self) {
        listener::detach();
        let _ = self.commands.try_send(Command::Stop);
    }
}

impl CaptureHandle {
    /// What is captured, what is not and why.
    #[must_use]
    pub fn health(&self) -> Health {
        self.board.health(
            self.paused.load(Relaxed),
            self.queue.moves_dropped.load(Relaxed),
            self.queue.inputs_dropped.load(Relaxed),
        )
    }

    /// Pauses or resumes. Nothing that happens meanwhile is seen, not even counted.
    pub fn pause(&self, paused: bool) {
        if self.paused.swap(paused, Relaxed) && !paused {
            let _ = self.commands.try_send(Command::Resume);
        }
    }

    /// Now, by the clock that inputs are stamped with: it passes evenly, and may be some seconds from the computer's.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.queue.now()
    }

    /// Ends the [`Capture::wait`] that the reader is in, or its next: there is something else to see to.
    pub fn wake(&self) {
        self.queue.wake();
    }

    /// Uses another policy from now on.
    pub fn set_redactor(&self, redactor: Arc<Redactor>) {
        *self
            .redactor
            .write()
            .unwrap_or_else(|poisoned| poisoned.into_inner()) = redactor;
    }
}
