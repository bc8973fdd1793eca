//! The app as a whole: one host, one tray, windows on demand.
//!
//! **Invariants:** the tray is there before the host is, so that a slow disk doesn't hide the app; nothing is
//! captured before the host says so; the process ends only after the host has stored what it had, and only from the
//! thread that runs the toolkit: another one would end it in the middle of what the toolkit does.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::{Timestamp, tz::TimeZone};
use parking_lot::Mutex;
use snag_agent::config::Paths;
use snag_agent::desktop::view::{CaptureState, Icon, Overview, Sentence, Settings, Theme};
use snag_agent::host::{Host, HostOptions, Opening, OwnProcesses};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

use crate::channel::ToWindows;
use crate::instance::{First, Request};
use crate::shortcut::{self, Shortcut};
use crate::tray::{Choice, Tray};
use crate::tray_words::TrayWords;
use crate::window::Window;
use crate::windows_process::Windows;
use crate::words::{Language, Words, sentence, unknown};
use crate::{autostart, feedback, links, notices, ready, surroundings};

/// Longest time that a window's command waits for the host to have started.
const HOST_DEADLINE: Duration = Duration::from_secs(10);

/// How often words like "2 minutes ago" are looked at again.
const WORDS_EVERY: Duration = Duration::from_secs(30);

/// How long a session that has just begun may take to show its tray.
const TRAY_PATIENCE: Duration = Duration::from_secs(10);

/// Set by a WebDriver, whose session begins with a window.
const AUTOMATION: &str = "TAURI_WEBVIEW_AUTOMATION";

/// What the app was started with.
#[derive(Debug, Clone)]
pub struct Start {
    /// Where this program lies: asked at the start, since an upgrade takes the file away under a running app.
    pub program: PathBuf,
    /// The agent's folder.
    pub paths: Paths,
    /// Whether the folder was named on the command line.
    pub named_folder: Option<PathBuf>,
    /// What it was asked, as a second start would be.
    pub request: Request,
}

/// What every part of the app shares.
pub struct App {
    host: watch::Receiver<Option<Host>>,
    words: Mutex<(Language, Arc<Words>)>,
    toolkit: mpsc::UnboundedSender<ToToolkit>,
    pub(crate) is_ending: AtomicBool,
    /// Threads for everything but the icon.
    pub(crate) runtime: Handle,
    pub(crate) start: Start,
    /// The processes that our windows belong to.
    pub(crate) own: OwnProcesses,
    pub(crate) windows: Windows,
    pub(crate) form: feedback::Form,
    pub(crate) shortcut: Shortcut,
}

/// What the thread of the toolkit is told: the icon lives there.
enum ToToolkit {
    /// Say this in the tray.
    Say {
        now: TrayWords,
        words: Arc<Words>,
        language_changed: bool,
    },
    /// End the process.
    End,
    /// End the process: the host can't start, for this reason.
    Failed(String),
}

impl App {
    /// The host, once it has started.
    ///
    /// # Errors
    /// When it takes longer than a person waits.
    pub async fn host(&self) -> Result<Host, Sentence> {
        let mut host = self.host.clone();
        let started = tokio::time::timeout(HOST_DEADLINE, host.wait_for(Option::is_some)).await;
        match started {
            Ok(Ok(host)) => host.clone().ok_or_else(not_ready),
            _ => Err(not_ready()),
        }
    }

    /// The host, however long it takes to start: none where its start was given up.
    async fn host_at_last(&self) -> Option<Host> {
        let mut host = self.host.clone();
        let started = host.wait_for(Option::is_some).await.ok()?;
        started.clone()
    }

    /// The host, if it has started.
    #[must_use]
    pub fn host_now(&self) -> Option<Host> {
        self.host.borrow().clone()
    }

    /// The catalogue of the person's language.
    #[must_use]
    pub fn words(&self) -> Arc<Words> {
        Arc::clone(&self.words.lock().1)
    }

    fn tell_toolkit(&self, message: ToToolkit) {
        if self.toolkit.send(message).is_err() {
            tracing::debug!("the toolkit has ended");
        }
    }

    /// Speaks another language from now on; whether that is a change.
    fn speak(&self, setting: &str) -> bool {
        let language = Language::of_setting(setting);
        let mut words = self.words.lock();
        if words.0 == language {
            return false;
        }
        *words = (language, Arc::new(Words::of(language)));
        true
    }
}

fn not_ready() -> Sentence {
    sentence("problem.not_ready", [])
}

/// Runs the app until it is quit.
///
/// # Errors
/// When a part of it is missing, or the system gives no threads or no toolkit.
pub fn run(start: Start, first: First) -> Result<(), String> {
    let windows = Windows::find(&start.program)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("snag")
        .enable_all()
        .build()
        .map_err(|error| format!("the system gives no threads: {error}"))?;

    // The host starts while the toolkit does.
    let (started, host) = watch::channel(None);
    let (toolkit, told) = mpsc::unbounded_channel();
    let own = OwnProcesses::default();
    let options = HostOptions {
        own_processes: own.clone(),
        ..HostOptions::app()
    };
    let starting = runtime.spawn(Host::start(start.paths.clone(), options));
    let failing = toolkit.clone();
    runtime.spawn(async move {
        let reason = match starting.await {
            Ok(Ok(host)) => return drop(started.send(Some(host))),
            // IT's file can't be followed, or the folder is another agent's: not to be gone past.
            Ok(Err(error)) => with_causes(&error),
            Err(error) => with_causes(&error),
        };
        if failing.send(ToToolkit::Failed(reason)).is_err() {
            tracing::debug!("the toolkit has ended");
        }
    });

    gtk::init().map_err(|error| format!("the desktop gives no windows: {error}"))?;
    let language = Language::of_setting("system");
    let app = Arc::new(App {
        host,
        words: Mutex::new((language, Arc::new(Words::of(language)))),
        toolkit,
        is_ending: AtomicBool::new(false),
        runtime: runtime.handle().clone(),
        form: feedback::Form::default(),
        shortcut: Shortcut::default(),
        start,
        own,
        windows,
    });
    let tray = show_tray(&app);
    let listener = Arc::clone(&app);
    first
        .listen(move |request| {
            let is_taken = !listener.is_ending.load(Ordering::Acquire);
            if is_taken {
                asked(&listener, &request);
            }
            is_taken
        })
        .map_err(|error| format!("the system gives no threads: {error}"))?;
    runtime.spawn(follow(Arc::clone(&app), tray.is_some()));
    runtime.spawn(told_to_stop(Arc::clone(&app)));
    let ended = Rc::new(RefCell::new(Ok(())));
    let serving = Rc::clone(&ended);
    gtk::glib::MainContext::default().spawn_local(async move {
        let how = serve_toolkit(tray, told).await;
        *serving.borrow_mut() = how;
        gtk::main_quit();
    });
    gtk::main();
    app.windows.end();
    // What still waits for the network or for a click on a notification is let go.
    runtime.shutdown_background();
    ended.replace(Ok(()))
}

/// Does what the other threads tell the toolkit's, until the process is to end: an error is why it couldn't start.
async fn serve_toolkit(
    mut tray: Option<Tray>,
    mut told: mpsc::UnboundedReceiver<ToToolkit>,
) -> Result<(), String> {
    while let Some(message) = told.recv().await {
        match message {
            ToToolkit::Say {
                now,
                words,
                language_changed,
            } => {
                if let Some(Err(error)) = tray
                    .as_mut()
                    .map(|tray| tray.say(&words, now, language_changed))
                {
                    tracing::warn!(%error, "the icon can't say what changed");
                }
            }
            ToToolkit::End => break,
            ToToolkit::Failed(reason) => return Err(reason),
        }
    }
    Ok(())
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        words.push_str(": ");
        words.push_str(&inner.to_string());
        cause = inner.source();
    }
    words
}

/// The icon, before anything is known: it shows what is true until the host says otherwise, that nothing is
/// captured. Where the library that shows icons is missing the app goes on without one.
fn show_tray(app: &Arc<App>) -> Option<Tray> {
    let words = app.words();
    let now = TrayWords::of(
        &words,
        &before_the_host(),
        Timestamp::now(),
        &TimeZone::system(),
    );
    let icons = app.start.paths.root().join("icons");
    let clicked = Arc::clone(app);
    let shown = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        Tray::show(&words, now, &icons, move |choice| chosen(&clicked, choice))
    }));
    match shown {
        Ok(Ok(tray)) => return Some(tray),
        Ok(Err(error)) => tracing::warn!(%error, "there is no icon"),
        Err(_) => tracing::warn!("there is no icon: libayatana-appindicator3 is missing"),
    }
    None
}

fn before_the_host() -> Overview {
    Overview {
        icon: Icon::Paused,
        capture: CaptureState::NotAcknowledged,
        ..Overview::blank(env!("CARGO_PKG_VERSION"))
    }
}

/// Follows the host for as long as the app runs: the tray, the windows, what it was started for.
async fn follow(app: Arc<App>, has_icon: bool) {
    // A computer that has just been switched on may take its time, and the icon is there.
    // Where it can't start the toolkit was told why.
    let Some(host) = app.host_at_last().await else {
        return;
    };
    let mut changes = host.watch_settings();
    let mut settings = changes.borrow_and_update().clone();
    app.speak(&settings.language.value);
    say_in_tray(&app, &host.overview(), true);
    notices::follow(&app, &host);
    shortcut::apply_at_start(&app, &settings.shortcut.value);

    let (looking, looker) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let _ = looking.send(surroundings::has_tray());
    });
    let has_tray = looker.await.unwrap_or(false) && has_icon;
    open_at_start(&app, &host, has_tray);
    autostart::follow_setting(&app, &host);
    tokio::spawn(ready::follow(Arc::clone(&app), host.clone()));

    let mut overviews = host.watch();
    let mut words = tokio::time::interval(WORDS_EVERY);
    words.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            changed = overviews.changed() => {
                if changed.is_err() {
                    return;
                }
                let overview = overviews.borrow_and_update().clone();
                app.windows.emit("overview", &overview);
                say_in_tray(&app, &overview, false);
            }
            changed = changes.changed() => {
                if changed.is_err() {
                    return;
                }
                let now = changes.borrow_and_update().clone();
                follow_settings(&app, &host, &settings, &now);
                settings = now;
            }
            // What the windows show: whoever follows the host is told of anything else.
            _ = words.tick() => {
                let overview = overviews.borrow().clone();
                say_in_tray(&app, &overview, false);
            }
        }
    }
}

fn say_in_tray(app: &App, overview: &Overview, language_changed: bool) {
    let words = app.words();
    let now = TrayWords::of(&words, overview, Timestamp::now(), &TimeZone::system());
    app.tell_toolkit(ToToolkit::Say {
        now,
        words,
        language_changed,
    });
}

/// Nothing shows that it captures, and nobody asked for a window: that is said, unless the session was only slower than
/// Snag.
fn tell_if_no_tray(app: &Arc<App>) {
    let runtime = app.runtime.clone();
    let app = Arc::clone(app);
    runtime.spawn(async move {
        tokio::time::sleep(TRAY_PATIENCE).await;
        let looked = tokio::task::spawn_blocking(surroundings::has_tray).await;
        if matches!(looked, Ok(false)) {
            notices::no_tray(&app);
        }
    });
}

/// What the first start of a session opens. One by the session itself opens nothing: nobody asked.
fn open_at_start(app: &Arc<App>, host: &Host, has_tray: bool) {
    let request = &app.start.request;
    let capture = host.overview().capture;
    if let Some(window) = request.link.as_deref().and_then(links::target) {
        open(app, window);
    } else if request.hidden {
        if matches!(capture, CaptureState::NotAcknowledged) {
            let wider = host.first_run().is_ok_and(|page| !page.widened.is_empty());
            notices::reads_first(app, host, wider);
        } else if !has_tray {
            tell_if_no_tray(app);
        }
    } else if matches!(capture, CaptureState::NotAcknowledged) {
        open(app, Window::FirstRun);
    } else if !has_tray || matches!(capture, CaptureState::NotEnrolled) || is_driven() {
        if !has_tray {
            notices::no_tray(app);
        }
        open(app, Window::Knows);
    }
}

/// A second start: the way in where there is no icon.
fn asked(app: &Arc<App>, request: &Request) {
    if let Some(window) = request.link.as_deref().and_then(links::target) {
        open(app, window);
    } else if !request.hidden && request.link.is_none() {
        let reads_first = app
            .host_now()
            .is_some_and(|host| matches!(host.overview().capture, CaptureState::NotAcknowledged));
        open(
            app,
            if reads_first {
                Window::FirstRun
            } else {
                Window::Knows
            },
        );
    }
}

fn chosen(app: &Arc<App>, choice: Choice) {
    match choice {
        Choice::Feedback => feedback::open(app, Opening::default()),
        Choice::Open(window) => open(app, window),
        Choice::Quit => quit(app),
        Choice::Pause(choice) => with_host(app, move |host| host.pause(choice)),
        Choice::Resume => with_host(app, Host::resume),
    }
}

fn with_host(app: &Arc<App>, act: impl FnOnce(&Host) -> Result<(), Sentence> + Send + 'static) {
    let asked = Arc::clone(app);
    app.runtime.spawn(async move {
        let done = match asked.host().await {
            Ok(host) => tokio::task::spawn_blocking(move || act(&host))
                .await
                .unwrap_or_else(|error| Err(unknown(error))),
            Err(sentence) => Err(sentence),
        };
        if let Err(sentence) = done {
            notices::problem(&asked, &sentence);
        }
    });
}

/// Opens a window. The form has a picture taken first.
pub fn open(app: &Arc<App>, window: Window) {
    if window == Window::Feedback {
        feedback::open(app, Opening::default());
        return;
    }
    show(app, window);
}

/// Shows a window as it is.
pub(crate) fn show(app: &Arc<App>, window: Window) {
    open_as(app, window, true);
}

/// Makes a window that [`show`] will show in a moment.
pub(crate) fn prepare(app: &Arc<App>, window: Window) {
    open_as(app, window, false);
}

fn open_as(app: &Arc<App>, window: Window, shown: bool) {
    let theme = app
        .host_now()
        .map_or(Theme::System, |host| host.settings().theme.value);
    let title = app.words().say(&format!("window.{}", window.label()), &[]);
    if let Err(error) = app.windows.open(app, window, title, theme, shown) {
        tracing::error!(%error, window = window.label(), "the window can't be opened");
    }
}

/// Whether a WebDriver drives the windows.
pub fn is_driven() -> bool {
    std::env::var_os(AUTOMATION).is_some()
}

/// Takes over settings that changed: the tray and all windows speak and look alike, whichever of them was used.
fn follow_settings(app: &Arc<App>, host: &Host, before: &Settings, now: &Settings) {
    if app.speak(&now.language.value) {
        say_in_tray(app, &host.overview(), true);
    }
    if now.theme.value != before.theme.value {
        let theme = now.theme.value;
        app.windows.tell(&ToWindows::Look { theme }, &[]);
    }
    let shown = autostart::shown(&app.start, now.clone(), host);
    app.windows.emit("settings", &shown);
    if now.form_ready.value != before.form_ready.value {
        ready::look(app, host);
    }
}

/// Stores what there is and ends the process.
pub fn quit(app: &Arc<App>) {
    app.is_ending.store(true, Ordering::Release);
    let ending = Arc::clone(app);
    app.runtime.spawn(async move {
        // While the host can still keep what was written in it.
        ending.windows.close(Window::Feedback).await;
        if let Some(host) = ending.host_now() {
            host.stop().await;
        }
        ending.tell_toolkit(ToToolkit::End);
    });
}

/// The end of a session comes as a signal.
#[cfg(unix)]
async fn told_to_stop(app: Arc<App>) {
    use tokio::signal::unix::{SignalKind, signal};
    let signals = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
        signal(SignalKind::hangup()),
    );
    let (Ok(mut terminate), Ok(mut interrupt), Ok(mut hangup)) = signals else {
        tracing::warn!("the end of the session won't be noticed");
        return;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        _ = hangup.recv() => {}
    }
    quit(&app);
}

#[cfg(not(unix))]
async fn told_to_stop(app: Arc<App>) {
    if tokio::signal::ctrl_c().await.is_ok() {
        quit(&app);
    }
}

/// The folder that the app and `snag-agent` share.
///
/// # Errors
/// A sentence, where there is no such folder.
pub fn paths(named: Option<&Path>) -> Result<Paths, String> {
    let root = named
        .map(Path::to_path_buf)
        .or_else(Paths::default_root)
        .ok_or("This environment has no home folder: say where to keep things with --data-dir.")?;
    Paths::at(&root).map_err(|error| {
        format!(
            "The folder {} can't be used ({error}), so nothing could be kept and Snag doesn't start. \
             Make it writable, or name another one with --data-dir.",
            root.display()
        )
    })
}
