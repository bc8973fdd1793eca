//! The one thread that listens to mouse and keyboard through rdev.
//!
//! Invariants: there is at most one listener thread in a process, as rdev has no stop call and keeps its callback in a
//! global; stopping only takes the sink away. The callback classifies, stamps and pushes; it never asks anything of
//! anyone and never keeps `Event::name`, which holds what was typed.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use rdev::{EventType, ListenError};
use snag_core::Button;

use crate::CaptureError;
use crate::desktop::Trail;
use crate::keys::KeyTracker;
use crate::queue::{Queue, What};

/// Enough for rdev's callback and Xlib; the default of 2 MB would be address space for nothing.
const STACK_BYTES: usize = 256 * 1024;
/// How long the start waits to hear that listening failed.
const START_GRACE: Duration = Duration::from_millis(250);

/// Where the listener puts what it hears.
pub(crate) struct Sink {
    pub(crate) queue: Arc<Queue>,
    pub(crate) paused: Arc<AtomicBool>,
    /// Told of presses and releases at once, so that the element is looked up before the program answers.
    pub(crate) on_button: Box<dyn Fn(ButtonSeen) -> What + Send>,
    pub(crate) trail: Arc<Trail>,
    /// When somebody last pressed, typed or turned the wheel (unix ms).
    pub(crate) acted: Arc<AtomicU64>,
    pub(crate) x: f64,
    pub(crate) y: f64,
}

pub(crate) enum ButtonSeen {
    Press { button: Button, x: f64, y: f64 },
    Release { button: Button, x: f64, y: f64 },
}

struct Shared {
    listening: bool,
    /// Listening has ended for good: rdev cannot begin anew in a process whose server is gone.
    gone: bool,
    sink: Option<Sink>,
}

static SHARED: Mutex<Shared> = Mutex::new(Shared {
    listening: false,
    gone: false,
    sink: None,
});

fn shared() -> MutexGuard<'static, Shared> {
    SHARED
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Begins to put what is heard into `sink`; starts the thread if this process has none yet.
///
/// # Errors
/// Another capture is running in this process, or the platform does not let us listen.
pub(crate) fn attach(sink: Sink) -> Result<(), CaptureError> {
    let mut shared = shared();
    if shared.gone {
        return Err(CaptureError::Refused(
            "what this process listened to has gone away; it has to be started anew".into(),
        ));
    }
    if shared.sink.is_some() {
        return Err(CaptureError::AlreadyRunning);
    }
    shared.sink = Some(sink);
    if shared.listening {
        return Ok(());
    }
    shared.listening = true;
    drop(shared);
    let (failed, failure) = sync_channel(1);
    let ready = ready_probe();
    let spawned = std::thread::Builder::new()
        .name("snag-input".into())
        .stack_size(STACK_BYTES)
        .spawn(move || run(&failed));
    let error = match spawned {
        Err(error) => CaptureError::Thread(error),
        Ok(_) => match wait_until_ready(&failure, ready) {
            Ok(()) => return Ok(()),
            Err(error) => error,
        },
    };
    let mut shared = self::shared();
    shared.sink = None;
    shared.listening = false;
    Err(error)
}

/// Stops handing on what is heard. The thread stays, idle, for the next `attach`.
pub(crate) fn detach() {
    shared().sink = None;
}

fn run(failed: &SyncSender<ListenError>) {
    #[cfg(target_os = "linux")]
    crate::linux::survive_the_x_server();
    let mut keys = KeyTracker::default();
    let result = rdev::listen(move |event| {
        let event_type = event.event_type;
        let text = event.name;
        let mut shared = shared();
        if let Some(sink) = shared.sink.as_mut() {
            heard(sink, &mut keys, event_type, text.as_deref());
        }
    });
    if let Err(error) = result
        && failed.try_send(error).is_ok()
    {
        // Nobody waits for it once the start is over; then it is told as everything that is lost.
        return;
    }
    gone("listening to mouse and keyboard ended");
}

/// Tells the reader that no input will come any more.
pub(crate) fn gone(reason: &'static str) {
    let mut shared = shared();
    shared.gone = true;
    if let Some(sink) = shared.sink.as_ref() {
        sink.queue.push(What::Lost(reason));
    }
}

fn heard(sink: &mut Sink, keys: &mut KeyTracker, event: EventType, text: Option<&str>) {
    // Modifiers are followed even while paused, so that none is stuck afterwards.
    let what = match event {
        EventType::MouseMove { x, y } => {
            (sink.x, sink.y) = (x, y);
            sink.trail.moved(x, y);
            What::Move { x, y }
        }
        EventType::KeyPress(key) => What::Key(keys.press(sink.queue.now(), key, text)),
        EventType::KeyRelease(key) => return keys.release(sink.queue.now(), key),
        EventType::ButtonPress(button) => {
            let Some(button) = button_of(button) else {
                return;
            };
            if sink.paused.load(Relaxed) {
                return;
            }
            (sink.on_button)(ButtonSeen::Press {
                button,
                x: sink.x,
                y: sink.y,
            })
        }
        EventType::ButtonRelease(button) => {
            let Some(button) = button_of(button) else {
                return;
            };
            if sink.paused.load(Relaxed) {
                return;
            }
            (sink.on_button)(ButtonSeen::Release {
                button,
                x: sink.x,
                y: sink.y,
            })
        }
        #[expect(clippy::cast_precision_loss, reason = "wheel steps are small numbers")]
        EventType::Wheel { delta_x, delta_y } => What::Wheel {
            dx: delta_x as f64,
            dy: delta_y as f64,
            x: sink.x,
            y: sink.y,
        },
    };
    if sink.paused.load(Relaxed) {
        return;
    }
    let acts = !matches!(what, What::Move { .. });
    let t = sink.queue.push(what);
    if acts {
        sink.acted.store(t, Relaxed);
    }
}

fn button_of(button: rdev::Button) -> Option<Button> {
    match button {
        rdev::Button::Left => Some(Button::Left),
        rdev::Button::Right => Some(Button::Right),
        rdev::Button::Middle => Some(Button::Middle),
        // rdev tells the releases of the sideways wheel (6, 7 on X11) as a button's.
        rdev::Button::Unknown(6 | 7) if cfg!(target_os = "linux") => None,
        rdev::Button::Unknown(_) => Some(Button::Other),
    }
}

/// Tells whether listening has begun, where the platform can tell.
type Probe = Option<Box<dyn FnMut() -> bool>>;

#[cfg(target_os = "linux")]
fn ready_probe() -> Probe {
    crate::linux::recording_probe()
}

#[cfg(not(target_os = "linux"))]
fn ready_probe() -> Probe {
    None
}

fn wait_until_ready(
    failure: &std::sync::mpsc::Receiver<ListenError>,
    mut ready: Probe,
) -> Result<(), CaptureError> {
    // With a probe a slow machine gets its time; without one, no news for a while is good news.
    let step = if ready.is_some() {
        Duration::from_millis(10)
    } else {
        START_GRACE
    };
    let steps = if ready.is_some() { 1_000 } else { 1 };
    for _ in 0..steps {
        match failure.recv_timeout(step) {
            Ok(error) => return Err(refused(&error)),
            Err(RecvTimeoutError::Disconnected) => {
                return Err(CaptureError::Refused("the listener ended".into()));
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
        if ready.as_mut().is_some_and(|ready| ready()) {
            break;
        }
    }
    Ok(())
}

fn refused(error: &ListenError) -> CaptureError {
    match error {
        ListenError::MissingDisplayError => CaptureError::NoDisplay { wayland: false },
        ListenError::XRecordExtensionError => CaptureError::Refused(
            "the X server has no RECORD extension, through which mouse and keyboard are seen"
                .into(),
        ),
        ListenError::EventTapError | ListenError::LoopSourceError => CaptureError::NoPermission(
            "macOS asks for it under Privacy & Security, Accessibility and Input Monitoring".into(),
        ),
        other => CaptureError::Refused(format!("{other:?}")),
    }
}
