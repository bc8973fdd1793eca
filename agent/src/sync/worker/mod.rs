//! The loop that does what [`Plan`] says.

mod policy;
mod send;

use std::sync::Arc;
use std::time::Duration;

use snag_spool::{Spool, SpoolError};
use snag_wire::SyncRules;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::Instant;

use super::handle::{Command, Flushed, SyncOptions, SyncStatus};
use super::plan::{Backlog, Plan, Task};
use super::trouble::Trouble;
use policy::read_kept;
pub use policy::stored_policy;

/// How long to leave a spool alone that can't be read.
const SPOOL_PAUSE: Duration = Duration::from_secs(5);

/// Sends until it is told to stop or its handle is gone.
pub(super) async fn run(
    options: SyncOptions,
    status: watch::Sender<SyncStatus>,
    commands: mpsc::Receiver<Command>,
) {
    Worker::new(options, status).await.run(commands).await;
}

struct Worker {
    options: SyncOptions,
    plan: Plan,
    started: Instant,
    etag: Option<String>,
    status: watch::Sender<SyncStatus>,
    /// The spool has more or fewer records.
    changed: Arc<Notify>,
    flush: Option<(Instant, oneshot::Sender<Flushed>)>,
}

impl Worker {
    async fn new(options: SyncOptions, status: watch::Sender<SyncStatus>) -> Self {
        let plan = Plan::new(options.seed, 0, SyncRules::default(), options.pace_ms);
        let changed = Arc::new(Notify::new());
        let teller = Arc::clone(&changed);
        options.spool.on_change(move || teller.notify_one());
        let mut worker = Self {
            changed,
            options,
            plan,
            started: Instant::now(),
            etag: None,
            status,
            flush: None,
        };
        match worker.on_spool(read_kept).await {
            Ok(Some(kept)) => {
                worker.etag = kept.etag;
                worker.plan.set_policy_version(kept.policy.version);
                worker.adopt(kept.policy);
            }
            Ok(None) => {}
            Err(error) => worker.failed(
                Trouble::of_spool(&error),
                format!("the spool can't be read: {error}"),
            ),
        }
        worker
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        loop {
            self.store_labels().await;
            let waiting = self.options.spool.waiting();
            self.finish_flush(waiting.records());
            let backlog = Backlog {
                records: waiting.records(),
                size_bytes: waiting.size_bytes,
            };
            let task = self.plan.next(self.now_ms(), backlog);
            let wait = match task {
                Task::Wait { until_ms } => {
                    Duration::from_millis(until_ms.saturating_sub(self.now_ms()))
                }
                _ => Duration::ZERO,
            };
            let next_try = (self.options.clock)()
                .checked_add(jiff::SignedDuration::try_from(wait).unwrap_or_default())
                .ok();
            let policy_version = self.plan.policy_version();
            self.status.send_if_modified(|status| {
                let before = status.clone();
                status.waiting_records = waiting.records();
                status.dead_letters = waiting.dead_letters;
                status.policy_version = policy_version;
                let moved = match (status.next_try_at, next_try) {
                    (Some(old), Some(new)) => {
                        (old.as_millisecond() - new.as_millisecond()).abs() > 1_500
                    }
                    (old, new) => old != new,
                };
                if moved {
                    status.next_try_at = next_try;
                }
                *status != before
            });
            // Commands are looked at between any two tasks, and while waiting.
            let command = match task {
                Task::Wait { .. } => {
                    // All that could end the wait is waited for: nothing is looked for meanwhile.
                    tokio::select! {
                        command = commands.recv() => match command {
                            None => return,
                            command => command,
                        },
                        () = self.changed.notified() => None,
                        () = self.options.labels.arrived() => None,
                        () = tokio::time::sleep(self.until_flush_ends(wait)) => None,
                    }
                }
                Task::Send { .. } | Task::FetchPolicy => match commands.try_recv() {
                    Ok(command) => Some(command),
                    Err(mpsc::error::TryRecvError::Empty) => None,
                    Err(mpsc::error::TryRecvError::Disconnected) => return,
                },
            };
            match command {
                Some(Command::Stop) => return,
                Some(Command::Flush(until, reply)) => {
                    self.flush = Some((until, reply));
                    self.plan.set_flushing(true, self.now_ms());
                    continue;
                }
                Some(Command::FetchPolicy) => {
                    self.fetch_policy().await;
                    continue;
                }
                None => {}
            }
            match task {
                Task::Send { max_records } => self.send(max_records).await,
                Task::FetchPolicy => self.fetch_policy().await,
                Task::Wait { .. } => {}
            }
        }
    }

    fn until_flush_ends(&self, pause: Duration) -> Duration {
        match &self.flush {
            Some((until, _)) => pause.min(until.saturating_duration_since(Instant::now())),
            None => pause,
        }
    }

    fn finish_flush(&mut self, left: u64) {
        let now_ms = self.now_ms();
        let Some((until, _)) = &self.flush else {
            return;
        };
        let done = left == 0 && !self.plan.policy_is_due(now_ms);
        if !done && Instant::now() < *until {
            return;
        }
        if let Some((_, reply)) = self.flush.take() {
            let _ = reply.send(Flushed { left });
        }
        self.plan.set_flushing(false, now_ms);
    }

    /// Runs something on the spool where it may block.
    async fn on_spool<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Spool) -> Result<T, SpoolError> + Send + 'static,
    ) -> Result<T, SpoolError> {
        let spool = Arc::clone(&self.options.spool);
        match tokio::task::spawn_blocking(move || call(&spool)).await {
            Ok(result) => result,
            Err(error) => Err(SpoolError::Corrupt(format!("a spool call ended: {error}"))),
        }
    }

    async fn store_labels(&mut self) {
        let labels = self.options.labels.take_pending();
        if labels.is_empty() {
            return;
        }
        let at_ms = (self.options.clock)().as_millisecond();
        let records: Vec<_> = labels
            .iter()
            .map(|label| label.clone().into_record(at_ms))
            .collect();
        let stored = self
            .on_spool(move |spool| spool.append_labels(&records))
            .await;
        if let Err(error) = stored {
            self.options.labels.put_back(labels);
            self.failed(
                Trouble::of_spool(&error),
                format!("labels can't be stored: {error}"),
            );
            tokio::time::sleep(self.until_flush_ends(SPOOL_PAUSE)).await;
        }
    }

    fn succeeded(&self, records: u64) {
        let now = (self.options.clock)();
        self.status.send_modify(|status| {
            status.last_success_at = Some(now);
            status.last_error = None;
            status.last_trouble = None;
            status.last_error_at = None;
            status.sent_records += records;
        });
    }

    fn failed(&self, trouble: Trouble, why: String) {
        let now = (self.options.clock)();
        if self.status.borrow().last_error.as_ref() != Some(&why) {
            tracing::warn!(why, "sending did not work");
        }
        self.status.send_modify(|status| {
            status.last_error = Some(why);
            status.last_trouble = Some(trouble);
            status.last_error_at = Some(now);
        });
    }

    async fn spool_failed(&mut self, error: &SpoolError) {
        self.failed(
            Trouble::of_spool(error),
            format!("the spool does not work: {error}"),
        );
        tokio::time::sleep(self.until_flush_ends(SPOOL_PAUSE)).await;
    }
}
