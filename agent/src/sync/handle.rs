//! The handle to the worker: what it needs, how it is going, how it ends.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use snag_spool::Spool;
use snag_wire::PolicyAnswer;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::batch::Sender;
use super::client::Client;
use super::labels::LabelStore;
use super::plan::PACE_MS;
use super::trouble::Trouble;
use crate::desktop::view::SentBatch;

/// What sending needs.
pub struct SyncOptions {
    /// The server, with this device's token.
    pub client: Client,
    /// What every batch says.
    pub sender: Sender,
    /// What to send.
    pub spool: Arc<Spool>,
    /// The texts of labels.
    pub labels: Arc<LabelStore>,
    /// Where a new policy is told; the last one that was kept is told at once.
    pub policy: watch::Sender<Option<Arc<PolicyAnswer>>>,
    /// The device's wall clock.
    pub clock: fn() -> Timestamp,
    /// Seed of the jitter, different on each device.
    pub seed: u64,
    /// Least time between batches, on average: [`PACE_MS`] but in tests.
    pub pace_ms: u64,
    /// Is told of each batch that the server took.
    pub on_sent: Option<OnSent>,
}

/// Is told of each batch that the server took, where it may block.
pub type OnSent = Box<dyn Fn(SentBatch) + Send + Sync>;

impl SyncOptions {
    /// With the system's clock, its randomness and the usual pace.
    #[must_use]
    pub fn new(
        client: Client,
        sender: Sender,
        spool: Arc<Spool>,
        labels: Arc<LabelStore>,
        policy: watch::Sender<Option<Arc<PolicyAnswer>>>,
    ) -> Self {
        Self {
            client,
            sender,
            spool,
            labels,
            policy,
            clock: Timestamp::now,
            seed: rand::random(),
            pace_ms: PACE_MS,
            on_sent: None,
        }
    }
}

/// How sending is going, for the person and IT.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncStatus {
    /// When the server last answered as hoped.
    pub last_success_at: Option<Timestamp>,
    /// What went wrong since then, in plain words.
    pub last_error: Option<String>,
    /// The same by its kind; a status of an earlier version has none.
    #[serde(default)]
    pub last_trouble: Option<Trouble>,
    /// When that was.
    pub last_error_at: Option<Timestamp>,
    /// When a request is made next, unless enough records come before.
    pub next_try_at: Option<Timestamp>,
    /// Records that wait.
    pub waiting_records: u64,
    /// Records that the server refused and that are kept to be looked at.
    pub dead_letters: u64,
    /// Records that the server took since the agent started.
    pub sent_records: u64,
    /// The policy in force.
    pub policy_version: u64,
}

/// What a flush came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flushed {
    /// Records that still wait: 0 when all is sent.
    pub left: u64,
}

pub(super) enum Command {
    Flush(Instant, oneshot::Sender<Flushed>),
    FetchPolicy,
    Stop,
}

/// The running worker. Dropping it ends the worker after what it is doing.
pub struct SyncHandle {
    commands: mpsc::Sender<Command>,
    status: watch::Receiver<SyncStatus>,
    task: JoinHandle<()>,
}

impl SyncHandle {
    /// Starts sending, on the tokio runtime that this is called from.
    #[must_use]
    pub fn start(options: SyncOptions) -> Self {
        let (commands, asked) = mpsc::channel(8);
        let (status_sender, status) = watch::channel(SyncStatus::default());
        let task = tokio::spawn(super::worker::run(options, status_sender, asked));
        Self {
            commands,
            status,
            task,
        }
    }

    /// Sends all that waits, without waiting for a batch to fill and without pace,
    /// labels that the newest policy wants included. For what a person asked for
    /// (`replay --send`), not for every shutdown of every device.
    pub async fn flush(&self, deadline: Duration) -> Flushed {
        let (reply, answer) = oneshot::channel();
        let until = Instant::now() + deadline;
        let left = Flushed {
            left: self.status.borrow().waiting_records,
        };
        if self
            .commands
            .send(Command::Flush(until, reply))
            .await
            .is_err()
        {
            return left;
        }
        // The worker keeps to the deadline but for a request that is under way.
        match tokio::time::timeout(deadline + Duration::from_millis(500), answer).await {
            Ok(Ok(flushed)) => flushed,
            _ => left,
        }
    }

    /// Asks for the policy now.
    pub async fn fetch_policy(&self) {
        let _ = self.commands.send(Command::FetchPolicy).await;
    }

    /// How it is going.
    #[must_use]
    pub fn status(&self) -> SyncStatus {
        self.status.borrow().clone()
    }

    /// Follows how it is going.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<SyncStatus> {
        self.status.clone()
    }

    /// Ends the worker once the request under way is answered, or at the deadline.
    /// What is not sent stays in the spool.
    pub async fn stop(mut self, deadline: Duration) {
        let _ = self.commands.send(Command::Stop).await;
        if tokio::time::timeout(deadline, &mut self.task)
            .await
            .is_err()
        {
            self.task.abort();
            let _ = self.task.await;
        }
    }
}
