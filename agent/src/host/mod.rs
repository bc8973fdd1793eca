//! The agent inside a process: what `snag-agent run` and the desktop app both are.
//!
//! [`Host::start`] opens the spool and starts a thread that captures while it may ([`shared`]'s gate) and tasks that
//! send. The app's host lives on where there is no display, no enrolment and no acknowledgement, and says so in its
//! [`Overview`]; the headless one has nothing to do then and says why.
//!
//! | module | what it knows |
//! |---|---|
//! | [`live`] | the thread that reads capture and feeds the pipeline |
//! | [`shared`] | what all share, and whether this desktop is captured |
//! | [`ask`] | asks for feedback at the right moment |
//! | [`device`] | whom the device is enrolled with |
//! | [`form`] | the feedback form |
//! | [`post`] | sends what people said, reads what was answered |
//! | [`trail`] | the last minute's steps |
//! | [`knows`] | what is known, and how to be rid of it |
//! | [`said`] | what programs say through the SDK |
//! | [`sent`] | what was sent lately |
//! | [`events`] | what the person may want to know at once |

mod ask;
mod device;
mod error;
mod events;
mod first_run;
mod form;
mod knows;
mod live;
mod post;
mod said;
mod sent;
mod settings;
mod shared;
mod surroundings;
mod trail;
mod words;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use jiff::Zoned;
use parking_lot::Mutex;
pub use snag_capture::OwnProcesses;
use snag_spool::{Spool, SpoolError, SpoolOptions};
use tokio::sync::{Notify, broadcast, oneshot, watch};

use crate::commands::{VERSION, warn_of};
use crate::config::{Identity, Paths};
use crate::convert;
use crate::desktop::feedback::form::DraftFiles;
use crate::desktop::feedback::store::Store;
use crate::desktop::journal;
use crate::desktop::pause::Pause;
use crate::desktop::scope::Acknowledged;
use crate::desktop::settings::{Managed, SettingsStore};
use crate::desktop::view::{Overview, PauseFor, Sentence, Settings};
use crate::sdk::Sdk;
use crate::sync::LabelStore;
use ask::Questions;
use device::Device;
pub use error::HostError;
pub use events::HostEvent;
pub use form::{FoundSteps, Opening};
use live::{Live, Told};
use sent::SentLog;
use shared::{CaptureFacts, Shared};
use trail::Trail;

/// Longest time that stopping may take to send what is left; the rest is sent at the
/// next start.
const STOP_DEADLINE: Duration = Duration::from_secs(5);

/// Longest time that a person waits for what they asked to be sent now.
const SEND_DEADLINE: Duration = Duration::from_secs(30);

/// The same where the server asked to be left alone for a while.
const ASKED_WAIT_DEADLINE: Duration = Duration::from_secs(1);

/// Events that may wait for a slow listener.
const EVENTS_MAX: usize = 64;

/// How often replies are asked for: a desk answers within hours, and a person who waits asks by looking.
const REPLIES_EVERY: Duration = Duration::from_secs(60);

/// How long a local SDK that couldn't start is left alone.
const SDK_AGAIN: Duration = Duration::from_secs(5);

/// How a host behaves.
#[derive(Debug, Clone)]
pub struct HostOptions {
    /// Whether somebody is there to be asked: the app, which waits for an acknowledgement and lives on where
    /// nothing can be captured. IT runs the other one.
    pub asks: bool,
    /// IT's file.
    pub managed: PathBuf,
    /// Processes whose windows are left out, beside this process itself.
    pub own_processes: OwnProcesses,
    /// Whether programs may speak to it through the local SDK.
    pub sdk: bool,
    /// How often replies are asked for, where something was said.
    pub replies_every: Duration,
}

impl HostOptions {
    /// For `snag-agent run`.
    #[must_use]
    pub fn headless() -> Self {
        Self {
            asks: false,
            managed: Managed::default_path(),
            own_processes: OwnProcesses::default(),
            sdk: false,
            replies_every: REPLIES_EVERY,
        }
    }

    /// For the desktop app.
    #[must_use]
    pub fn app() -> Self {
        Self {
            asks: true,
            sdk: true,
            ..Self::headless()
        }
    }
}

/// Tells how the thread ended.
type Ending = oneshot::Receiver<Result<(), HostError>>;

/// The agent in this process. Cheap to clone; [`Host::stop`] ends it for all.
#[derive(Clone)]
pub struct Host {
    shared: Arc<Shared>,
    /// How the thread ended; none once somebody was told.
    thread: Arc<tokio::sync::Mutex<Option<Ending>>>,
}

impl Host {
    /// Starts the agent, on the tokio runtime that this is called from.
    ///
    /// # Errors
    /// IT's file can't be followed, or another process has the folder. Without anybody to be asked also: the device
    /// isn't enrolled, its policy can't be followed, records can't be stored, or capture can't start.
    pub async fn start(paths: Paths, options: HostOptions) -> Result<Self, HostError> {
        let managed = Managed::load(&options.managed)?;
        let identity = if options.asks {
            None
        } else {
            Some(Identity::load(&paths.identity())?)
        };
        let opening = paths.clone();
        let asks = options.asks;
        let opened = tokio::task::spawn_blocking(move || open_spool(&opening, asks))
            .await
            .map_err(|_| HostError::ThreadEnded)?;
        let spool = match opened {
            Ok(spool) => Ok(spool),
            Err(error @ SpoolError::InUse(_)) => {
                tracing::debug!(%error, "the spool is in use");
                return Err(HostError::InUse(paths.root().to_owned()));
            }
            Err(error) if options.asks => {
                tracing::error!(%error, "records can't be stored");
                Err(Sentence::from(&error))
            }
            Err(error) => return Err(error.into()),
        };
        let settings = SettingsStore::load(paths.settings(), managed);
        let said = paths.feedback();
        let questions = Questions::load(&paths);
        let (found, to_ask) = tokio::sync::mpsc::unbounded_channel();
        let (overview, _) = watch::channel(Overview::blank(VERSION));
        let (settings_told, _) = watch::channel(settings.settings(""));
        let (events, _) = broadcast::channel(EVENTS_MAX);
        let (told, asked) = mpsc::channel();
        let feedback = Store::load(said.join("items"));
        let drafts = DraftFiles::in_folder(said);
        if let Err(error) = drafts.sweep() {
            tracing::warn!(%error, "what a crash left of a draft can't be removed");
        }
        if !settings.pictures_allowed() {
            form::delete_pictures(&drafts, &feedback);
        }
        let shared = Arc::new(Shared {
            told,
            pause: Mutex::new(Pause::load(&paths.pause())),
            paused_at_ms: AtomicU64::new(0),
            acknowledged: Mutex::new(Acknowledged::load(&paths.acknowledged())),
            widened: Mutex::new(None),
            sent: Arc::new(SentLog::load(paths.sent())),
            paths,
            options,
            runtime: tokio::runtime::Handle::current(),
            spool: Mutex::new(spool),
            labels: Arc::new(LabelStore::new()),
            settings: Mutex::new(settings),
            settings_version: AtomicU64::new(0),
            device: Mutex::new(None),
            identity_problem: Mutex::new(None),
            capture: Mutex::new(CaptureFacts::default()),
            trail: Mutex::new(Trail::default()),
            feedback,
            post: Notify::new(),
            posting: watch::Sender::default(),
            untold: Mutex::default(),
            drafts,
            form: Mutex::new(None),
            opening: Mutex::new(None),
            questions: Mutex::new(questions),
            found,
            app_state: Mutex::new(None),
            sdk: Mutex::new(None),
            tasks: Mutex::new(Vec::new()),
            last_key_ms: AtomicU64::new(0),
            overview,
            settings_told,
            events,
            stopping: AtomicBool::new(false),
        });
        if let (Some(identity), Ok(spool)) = (identity, shared.spool()) {
            let device = Device::start(identity, &spool, &shared)?;
            let never = shared.settings.lock().settings("").never_apps.value;
            convert::policy(&device.policy, &never)?;
            *shared.device.lock() = Some(device);
        }
        let (first, is_first) = oneshot::channel();
        let (ended, has_ended) = oneshot::channel();
        let live = Live::new(Arc::clone(&shared), asked, first);
        std::thread::Builder::new()
            .name("snag-live".into())
            .spawn(move || {
                let _ = ended.send(live.run());
            })
            .map_err(HostError::Thread)?;
        is_first.await.map_err(|_| HostError::ThreadEnded)??;
        if shared.options.asks {
            let post = tokio::spawn(post::run(Arc::clone(&shared)));
            let ask = tokio::spawn(ask::run(Arc::clone(&shared), to_ask));
            *shared.tasks.lock() = vec![post, ask];
        }
        shared.publish();
        let host = Self {
            shared,
            thread: Arc::new(tokio::sync::Mutex::new(Some(has_ended))),
        };
        if host.shared.options.sdk
            && let Err(error) = host.start_sdk().await
        {
            // Everything else works without it, and there may be room for its file later.
            tracing::error!(%error, "the local SDK can't start, and is tried again");
            let again = host.clone();
            let task = tokio::spawn(async move {
                while again.start_sdk().await.is_err() {
                    tokio::time::sleep(SDK_AGAIN).await;
                }
            });
            host.shared.tasks.lock().push(task);
        }
        Ok(host)
    }

    async fn start_sdk(&self) -> std::io::Result<()> {
        let sdk = Sdk::start(self.clone(), self.shared.paths.sdk()).await?;
        let mut place = self.shared.sdk.lock();
        // Stopping takes what is in its place by then, and would miss what comes later.
        if !self.shared.is_stopping() {
            *place = Some(sdk);
        }
        Ok(())
    }

    /// Waits until capture ends by itself. Only where nobody is asked: the app's host goes on until it is stopped.
    ///
    /// # Errors
    /// Why it ended.
    pub async fn ended(&self) -> Result<(), HostError> {
        // Whoever drops this future leaves the answer to the next one who asks.
        let mut thread = self.thread.lock().await;
        let Some(ended) = thread.as_mut() else {
            return std::future::pending().await;
        };
        let how = ended.await.unwrap_or(Err(HostError::ThreadEnded));
        *thread = None;
        how
    }

    /// Ends capture, stores what is left, and sends it as far as that takes no longer than five seconds.
    pub async fn stop(&self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        self.wake();
        // What was being sent is sent again at the next start, which the server knows.
        let tasks = std::mem::take(&mut *self.shared.tasks.lock());
        for task in &tasks {
            task.abort();
        }
        // All of them hold the spool, which is to be closed when this returns.
        for task in tasks {
            let _ = task.await;
        }
        let sdk = self.shared.sdk.lock().take();
        if let Some(sdk) = sdk {
            sdk.stop().await;
        }
        if let Some(ended) = self.thread.lock().await.take()
            && let Ok(Err(error)) = ended.await
        {
            tracing::error!(%error, "the agent ended with an error");
        }
        let device = self.shared.device.lock().take();
        if let Some(device) = device {
            device.sync.flush(STOP_DEADLINE).await;
            if let Ok(sync) = Arc::try_unwrap(device.sync) {
                sync.stop(STOP_DEADLINE).await;
            }
        }
        // A status that says "running" would be believed for a minute.
        let removed = std::fs::remove_file(self.shared.paths.status());
        tracing::info!(
            waiting_records = self.shared.waiting_records(),
            status_removed = removed.is_ok(),
            "stopped"
        );
    }

    /// Everything at a glance. Those who follow it are told the same.
    #[must_use]
    pub fn overview(&self) -> Overview {
        self.shared.publish();
        self.shared.overview.borrow().clone()
    }

    /// Follows it.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Overview> {
        self.shared.overview.subscribe()
    }

    /// Follows the settings, whoever changes them: a window, a notification's button, a new enrolment.
    #[must_use]
    pub fn watch_settings(&self) -> watch::Receiver<Settings> {
        self.shared.settings_told.subscribe()
    }

    /// What the person may want to know at once.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<HostEvent> {
        self.shared.events.subscribe()
    }

    /// The language that texts outside of windows are in: `en` or `de`.
    #[must_use]
    pub fn language(&self) -> &'static str {
        self.shared.language()
    }

    /// Captures nothing for a while. Holds from this moment on and over a restart.
    ///
    /// # Errors
    /// When it can't be kept for the next start; it holds for this one all the same.
    pub fn pause(&self, choice: PauseFor) -> Result<(), Sentence> {
        let pause = Pause::begin(choice, &Zoned::now());
        {
            let mut held = self.shared.pause.lock();
            *held = pause;
            // From here on nothing counts, whenever it is read.
            let now_ms = live::now_ms();
            self.shared.paused_at_ms.store(now_ms, Ordering::Relaxed);
        }
        if let Some(handle) = &self.shared.capture.lock().handle {
            handle.pause(true);
        }
        self.changed();
        Ok(pause.save(&self.shared.paths.pause())?)
    }

    /// Ends a pause. Capture goes on at once, unless something else stands against it.
    ///
    /// # Errors
    /// When that can't be kept: then it stays paused, for the next start would be.
    pub fn resume(&self) -> Result<(), Sentence> {
        Pause::Off.save(&self.shared.paths.pause())?;
        *self.shared.pause.lock() = Pause::Off;
        self.changed();
        Ok(())
    }

    /// Sends what waits now, and asks for the policy.
    ///
    /// # Errors
    /// When the device isn't enrolled, or something still waits after the first try that failed, or after the time
    /// that a person waits.
    pub async fn sync_now(&self) -> Result<(), Sentence> {
        let sync = self
            .shared
            .device
            .lock()
            .as_ref()
            .map(|device| Arc::clone(&device.sync))
            .ok_or_else(|| self.shared.no_device())?;
        let mut posting = self.shared.posting.subscribe();
        let posted = posting.borrow_and_update().tries;
        self.shared.post.notify_one();
        let mut failing = sync.watch();
        let before = failing.borrow_and_update().last_error_at;
        sync.fetch_policy().await;
        // Whoever asked is told of the first failure, while it is tried again in the background.
        tokio::select! {
            _ = sync.flush(SEND_DEADLINE) => {}
            _ = failing.wait_for(|now| now.last_error.is_some() && now.last_error_at != before) => {}
        }
        if self.shared.feedback.counts().waiting > 0 {
            // The wait that a server asked for is kept to; its end may be near.
            let deadline = if posting.borrow().asked_to_wait {
                ASKED_WAIT_DEADLINE
            } else {
                SEND_DEADLINE
            };
            let tried = posting.wait_for(|now| now.tries != posted);
            // Where nothing came of it what still waits says so.
            let _ = tokio::time::timeout(deadline, tried).await;
        }
        self.changed();
        let waiting = self.shared.waiting();
        let troubles = self.shared.troubles(Some(&sync.status()), waiting);
        troubles.first().filter(|_| waiting > 0).map_or(Ok(()), Err)
    }

    /// Looks at everything again, now.
    fn changed(&self) {
        self.wake();
        self.shared.publish();
    }

    fn wake(&self) {
        self.shared.tell_live(Told::Wake);
    }
}

/// Opens the spool; where somebody is asked, with copies of what was recorded for them to see.
fn open_spool(paths: &Paths, asks: bool) -> Result<Arc<Spool>, SpoolError> {
    let options = SpoolOptions {
        journal_ms: if asks { journal::KEPT_MS } else { 0 },
        ..SpoolOptions::default()
    };
    let (spool, report) = Spool::open(paths.root(), options)?;
    warn_of(&report);
    Ok(Arc::new(spool))
}
