//! What happens, told to whoever listens: in this process, on servers that share a Redis,
//! and, from ClickHouse, to those who come back.
//!
//! ```text
//! publish ─┬→ ring and broadcast → GET /v1/stream (stream.rs)
//!          ├→ log.rs: ClickHouse, a batch each 100 ms, for a day
//!          └→ bus.rs: Redis, where there is one ⇄ other servers' rings
//! ```
//!
//! **Invariants:** telling never waits and never fails: what can't be queued is counted and
//! dropped. An event has a key that is the same wherever it passes, so that nobody is told
//! twice; events of one process are told, kept and logged in the order of their stamps.

pub mod bus;
pub mod incidents;
mod log;
mod removed;
mod seen;
pub mod stream;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use snag_warehouse::Warehouse;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::metrics::Metrics;

/// Events that a slow listener may be behind before it is told from the log instead.
const BACKLOG: usize = 4_096;
/// Events in memory for those who come back: more than the log may lag behind.
const RING: usize = 2 * BACKLOG;
/// Events that may wait to be logged.
const LOG_QUEUE: usize = 20_000;
/// How long a deletion waits for what is on its way to the log.
const LOG_PATIENCE: Duration = Duration::from_secs(5);

/// What kind of thing happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// A person said something.
    #[serde(rename = "feedback:submitted")]
    FeedbackSubmitted,
    /// Items changed or are deleted: those of `id` or `ids`. With `reload` it isn't said which.
    #[serde(rename = "feedback:changed")]
    FeedbackChanged,
    /// Devices found friction.
    #[serde(rename = "incidents:detected")]
    IncidentDetected,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [
        Self::FeedbackSubmitted,
        Self::FeedbackChanged,
        Self::IncidentDetected,
    ];

    /// The word in streams, in the log and as Redis' channel.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FeedbackSubmitted => "feedback:submitted",
            Self::FeedbackChanged => "feedback:changed",
            Self::IncidentDetected => "incidents:detected",
        }
    }

    /// The kind of a word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// Something that happened in an organisation.
#[derive(Debug, Clone, Serialize)]
pub struct Event {
    /// Whose.
    #[serde(skip)]
    pub org: Uuid,
    /// What kind.
    pub kind: Kind,
    /// What there is to know; never a device, never a person's words.
    pub data: Value,
}

/// An event as it is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// Whose.
    pub org: Uuid,
    /// Microseconds since 1970, rising within the server that it happened on.
    pub stamp: u64,
    /// The same wherever the event passes. A submission's is the submission's id.
    pub key: Uuid,
    /// What kind.
    pub kind: Kind,
    /// What there is to know.
    pub data: Value,
}

/// What listeners of this process hear.
#[derive(Debug, Clone)]
pub(crate) enum Signal {
    /// Something happened.
    Told(Arc<Told>),
    /// Something may have been missed: look at the log.
    Missed,
}

/// What happens, for whoever listens inside the server.
pub struct Listening(broadcast::Receiver<Signal>);

impl Listening {
    /// The next event that has been told already.
    ///
    /// # Errors
    /// There is none; or too many were told for all to be kept.
    pub fn try_recv(&mut self) -> Result<Arc<Told>, broadcast::error::TryRecvError> {
        loop {
            if let Signal::Told(told) = self.0.try_recv()? {
                return Ok(told);
            }
        }
    }
}

struct Inner {
    last_stamp: u64,
    ring: VecDeque<Arc<Told>>,
    log: Option<mpsc::Sender<Arc<Told>>>,
    bus: Option<mpsc::Sender<Arc<Told>>>,
}

/// Tells listeners.
pub struct Hub {
    inner: Mutex<Inner>,
    signals: broadcast::Sender<Signal>,
    ended: watch::Sender<bool>,
    logger: Mutex<Option<JoinHandle<()>>>,
    /// The stamp up to which the log was written.
    logged: watch::Receiver<u64>,
    metrics: Arc<Metrics>,
    /// Incidents that gather for the next event.
    pub(crate) gathering: incidents::Gathering,
}

fn now_us() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_microsecond()).unwrap_or(0)
}

impl Hub {
    /// A hub that logs to `warehouse`. Has to be called inside a tokio runtime.
    #[must_use]
    pub fn start(warehouse: Warehouse, metrics: Arc<Metrics>) -> Arc<Self> {
        let (log, queue) = mpsc::channel(LOG_QUEUE);
        let (written, logged) = watch::channel(0);
        let logger = tokio::spawn(log::run(warehouse, queue, written));
        Arc::new(Self {
            inner: Mutex::new(Inner {
                last_stamp: 0,
                ring: VecDeque::new(),
                log: Some(log),
                bus: None,
            }),
            signals: broadcast::Sender::new(BACKLOG),
            ended: watch::Sender::new(false),
            logger: Mutex::new(Some(logger)),
            logged,
            metrics,
            gathering: incidents::Gathering::default(),
        })
    }

    /// Tells everyone; never waits.
    pub fn publish(&self, event: Event) {
        let id = event.data.get("id").and_then(Value::as_str);
        let key = match event.kind {
            Kind::FeedbackSubmitted => id.and_then(|id| id.parse().ok()),
            _ => None,
        };
        let mut inner = self.inner.lock();
        inner.last_stamp = now_us().max(inner.last_stamp + 1);
        let told = Arc::new(Told {
            org: event.org,
            stamp: inner.last_stamp,
            key: key.unwrap_or_else(Uuid::now_v7),
            kind: event.kind,
            data: event.data,
        });
        for queue in [&inner.log, &inner.bus].into_iter().flatten() {
            if queue.try_send(Arc::clone(&told)).is_err() {
                self.metrics.live_dropped.inc();
            }
        }
        self.tell(&mut inner, told);
    }

    /// Tells listeners of this process what another server told.
    pub(crate) fn relay(&self, told: Told) {
        let mut inner = self.inner.lock();
        self.tell(&mut inner, Arc::new(told));
    }

    fn tell(&self, inner: &mut Inner, told: Arc<Told>) {
        if inner.ring.len() >= RING {
            inner.ring.pop_front();
        }
        inner.ring.push_back(Arc::clone(&told));
        // No listener is not an error.
        drop(self.signals.send(Signal::Told(told)));
    }

    /// Makes every listener look at the log: something may have passed unheard.
    pub(crate) fn missed(&self) {
        drop(self.signals.send(Signal::Missed));
    }

    /// What happens from now on, in this process and as far as it hears of others.
    #[must_use]
    pub fn listen(&self) -> Listening {
        Listening(self.signals.subscribe())
    }

    /// What happens from now on, and the last stamp before.
    pub(crate) fn signals(&self) -> (broadcast::Receiver<Signal>, u64) {
        let inner = self.inner.lock();
        (self.signals.subscribe(), now_us().max(inner.last_stamp))
    }

    /// What is in memory of an organisation, in the order that it was told.
    pub(crate) fn remembered(&self, org: Uuid) -> Vec<Arc<Told>> {
        let inner = self.inner.lock();
        let of_org = inner.ring.iter().filter(|told| told.org == org);
        of_org.map(Arc::clone).collect()
    }

    /// Forgets what was told of some items, and returns when nothing of them is on its way to
    /// the log any more, so that deleting it there deletes it.
    pub(crate) async fn forget(&self, items: &BTreeSet<Uuid>) {
        let last_stamp = {
            let mut inner = self.inner.lock();
            inner.ring.retain(|told| {
                let id = told.data.get("id").and_then(Value::as_str);
                !id.and_then(|id| id.parse().ok())
                    .is_some_and(|id| items.contains(&id))
            });
            if inner.log.is_none() {
                0
            } else {
                inner.last_stamp
            }
        };
        let mut logged = self.logged.clone();
        let written = logged.wait_for(|stamp| *stamp >= last_stamp);
        // What the queue had no room for is never written.
        if tokio::time::timeout(LOG_PATIENCE, written).await.is_err() {
            tracing::warn!("live events of what is deleted may stay in their log for a day");
        }
    }

    /// Events for the bus, from now on.
    pub(crate) fn connect(&self, queue: mpsc::Sender<Arc<Told>>) {
        self.inner.lock().bus = Some(queue);
    }

    /// Becomes true when the server stops: streams end then.
    pub(crate) fn ended(&self) -> watch::Receiver<bool> {
        self.ended.subscribe()
    }

    /// Ends all streams, so that nobody waits for them.
    pub fn end_streams(&self) {
        self.ended.send_replace(true);
    }

    /// Logs what was told, and takes no more.
    pub async fn close(&self) {
        self.end_streams();
        {
            let mut inner = self.inner.lock();
            inner.log = None;
            inner.bus = None;
        }
        let logger = self.logger.lock().take();
        if let Some(logger) = logger {
            drop(logger.await);
        }
    }
}
