//! The loop that does what [`Plan`] says.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use snag_spool::{Refusal, Spool, SpoolError, StoredRecord};
use snag_wire::limits::SEQ_MAX;
use snag_wire::{BatchAnswer, PolicyAnswer, SyncRules};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::Instant;

use super::batch;
use super::client::{CallError, PolicyReply};
use super::handle::{Command, Flushed, SyncOptions, SyncStatus};
use super::plan::{Backlog, Fetched, Plan, Sent, Split, Task};
use super::trouble::Trouble;
use crate::desktop::view::SentBatch;

/// Where the spool keeps the policy and its ETag.
const POLICY_VALUE: &str = "policy";

/// How long to leave a spool alone that can't be read.
const SPOOL_PAUSE: Duration = Duration::from_secs(5);

/// The policy that the last run kept, for a start without the server.
///
/// # Errors
/// When the spool can't be read.
pub fn stored_policy(spool: &Spool) -> Result<Option<PolicyAnswer>, SpoolError> {
    Ok(read_kept(spool)?.map(|kept| kept.policy))
}

#[derive(Serialize, Deserialize)]
struct Kept {
    etag: Option<String>,
    policy: PolicyAnswer,
}

fn read_kept(spool: &Spool) -> Result<Option<Kept>, SpoolError> {
    let bytes = spool.value(POLICY_VALUE)?;
    Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

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

    async fn send(&mut self, max_records: usize) {
        let records = match self.on_spool(move |spool| spool.peek(max_records)).await {
            Ok(records) => records,
            Err(error) => return self.spool_failed(&error).await,
        };
        let (body, seqs) = match self.encode(records) {
            Ok(Some(encoded)) => encoded,
            Ok(None) => {
                self.plan.sent(self.now_ms(), Sent::Nothing);
                return;
            }
            Err(error) => {
                self.failed(Trouble::Storage, format!("a batch can't be made: {error}"));
                self.plan
                    .sent(self.now_ms(), Sent::Retry { after_ms: None });
                return;
            }
        };
        let last = seqs[seqs.len() - 1];
        let body_bytes = body.gzip.len() as u64;
        let reply = self
            .options
            .client
            .batch(body.gzip)
            .await
            .and_then(|answer| match check(&answer, &seqs) {
                Ok(()) => Ok(answer),
                Err(why) => Err(CallError::Retry {
                    after_ms: None,
                    trouble: Trouble::Strange,
                    why: format!("the server's answer does not add up: {why}"),
                }),
            });
        let (sent, settle) = match reply {
            Ok(answer) => {
                let refused = answer
                    .errors
                    .iter()
                    .filter_map(|error| {
                        Some(Refusal {
                            seq: error.seq?,
                            code: error.code.clone(),
                            message: error.message.clone(),
                        })
                    })
                    .collect();
                let (next_seq, unnamed) = (
                    answer.next_seq,
                    answer.errors.iter().filter(|e| e.seq.is_none()).count() as u64,
                );
                // Before the status says so: whoever follows that looks then.
                if let Some(on_sent) = &self.options.on_sent {
                    on_sent(SentBatch {
                        at: (self.options.clock)(),
                        records: seqs.len() as u64,
                        bytes: body_bytes,
                        refused: answer.rejected,
                    });
                }
                self.succeeded(answer.accepted + answer.duplicates);
                (
                    Sent::Stored {
                        policy_version: answer.policy_version,
                    },
                    Some((refused, Some((next_seq, unnamed)))),
                )
            }
            Err(CallError::Retry {
                after_ms,
                trouble,
                why,
            }) => {
                self.failed(trouble, why);
                (Sent::Retry { after_ms }, None)
            }
            Err(CallError::TooLarge) => (
                Sent::TooLarge {
                    records: seqs.len(),
                },
                None,
            ),
            Err(CallError::Refused {
                status,
                code,
                message,
            }) => {
                self.failed(
                    Trouble::Refused,
                    format!(
                        "the server refused {} records ({status} {code}): {message}",
                        seqs.len()
                    ),
                );
                let refused = seqs
                    .iter()
                    .map(|&seq| Refusal {
                        seq,
                        code: code.clone(),
                        message: message.clone(),
                    })
                    .collect();
                (Sent::Refused, Some((refused, None)))
            }
        };
        let settle = match (self.plan.sent(self.now_ms(), sent), settle) {
            (Split::GiveUp, _) => {
                self.failed(
                    Trouble::Refused,
                    "the server found a single record too large".into(),
                );
                let refused = Refusal {
                    seq: last,
                    code: "too_large".into(),
                    message: "the server found the record too large".into(),
                };
                Some((vec![refused], None))
            }
            (Split::Smaller, settle) => settle,
        };
        let result = self
            .on_spool(move |spool| {
                let Some((refused, answered)) = settle else {
                    spool.release();
                    return Ok(());
                };
                spool.settle(last, &refused)?;
                if let Some((next_seq, unnamed)) = answered {
                    if unnamed > 0 {
                        spool.count_drops("rejected", unnamed)?;
                    }
                    spool.raise_floor(next_seq)?;
                }
                Ok(())
            })
            .await;
        if let Err(error) = result {
            // The records stay and are sent again; the server knows them by `seq`.
            self.spool_failed(&error).await;
        }
    }

    /// Makes a body of as many of the records as fit, and tells their numbers.
    fn encode(
        &self,
        mut records: Vec<StoredRecord>,
    ) -> std::io::Result<Option<(batch::Body, Vec<u64>)>> {
        if records.is_empty() {
            return Ok(None);
        }
        loop {
            let seqs: Vec<u64> = records.iter().map(|record| record.seq).collect();
            let batch = batch::build(
                &self.options.sender,
                records.clone(),
                self.options.spool.drops(),
                (self.options.clock)(),
            );
            let body = batch::encode(&batch)?;
            if body.fits() || records.len() == 1 {
                return Ok(Some((body, seqs)));
            }
            records.truncate(records.len() / 2);
        }
    }

    async fn fetch_policy(&mut self) {
        let reply = self.options.client.policy(self.etag.as_deref()).await;
        let fetched = match reply {
            Ok(PolicyReply::Same) => {
                self.succeeded(0);
                Fetched::Policy {
                    version: self.plan.policy_version(),
                }
            }
            Ok(PolicyReply::New { etag, policy }) => {
                let kept = Kept {
                    etag,
                    policy: *policy,
                };
                let bytes = serde_json::to_vec(&kept).unwrap_or_default();
                let next_seq = kept.policy.next_seq.min(SEQ_MAX);
                let stored = self
                    .on_spool(move |spool| {
                        spool.raise_floor(next_seq)?;
                        spool.set_value(POLICY_VALUE, Some(&bytes))
                    })
                    .await;
                let version = kept.policy.version;
                self.adopt(kept.policy);
                match stored {
                    Ok(()) => {
                        self.etag = kept.etag;
                        self.succeeded(0);
                    }
                    // It holds all the same; without the ETag it comes again whole.
                    Err(error) => self.failed(
                        Trouble::of_spool(&error),
                        format!("the policy can't be stored: {error}"),
                    ),
                }
                Fetched::Policy { version }
            }
            Err(CallError::Retry {
                after_ms,
                trouble,
                why,
            }) => {
                self.failed(trouble, why);
                Fetched::Retry { after_ms }
            }
            Err(error @ (CallError::Refused { .. } | CallError::TooLarge)) => {
                self.failed(
                    Trouble::Refused,
                    format!("the policy can't be had: {error}"),
                );
                Fetched::Retry { after_ms: None }
            }
        };
        self.plan.fetched(self.now_ms(), fetched);
    }

    fn adopt(&mut self, policy: PolicyAnswer) {
        self.plan.set_rules(policy.sync.clone());
        self.options.labels.apply(&policy);
        let _ = self.options.policy.send_replace(Some(Arc::new(policy)));
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

/// Whether an answer can be about the records that were sent.
fn check(answer: &BatchAnswer, seqs: &[u64]) -> Result<(), &'static str> {
    let total = answer
        .accepted
        .checked_add(answer.duplicates)
        .and_then(|sum| sum.checked_add(answer.rejected));
    if total != Some(seqs.len() as u64) {
        return Err("its counts are not those of the batch");
    }
    if answer.errors.len() as u64 != answer.rejected {
        return Err("it does not name what it rejected");
    }
    let mut named: Vec<u64> = answer.errors.iter().filter_map(|error| error.seq).collect();
    named.sort_unstable();
    if named.windows(2).any(|pair| pair[0] == pair[1])
        || named.iter().any(|seq| seqs.binary_search(seq).is_err())
    {
        return Err("it names records that were not in the batch");
    }
    if answer.next_seq > SEQ_MAX {
        return Err("its next sequence number is out of range");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use snag_wire::RecordError;

    use super::*;

    #[test]
    fn answers_must_add_up() {
        let error = |seq| RecordError {
            seq,
            code: "x".into(),
            message: "y".into(),
        };
        let answer = |accepted, duplicates, errors: Vec<RecordError>| BatchAnswer {
            accepted,
            duplicates,
            rejected: errors.len() as u64,
            errors,
            next_seq: 10,
            policy_version: 1,
        };
        let seqs = [4, 5, 9];
        for good in [
            answer(3, 0, vec![]),
            answer(1, 2, vec![]),
            answer(1, 0, vec![error(Some(5)), error(None)]),
        ] {
            assert_eq!(check(&good, &seqs), Ok(()));
        }
        let mut unnamed = answer(2, 0, vec![]);
        unnamed.rejected = 1;
        let mut far = answer(3, 0, vec![]);
        far.next_seq = u64::MAX;
        for bad in [
            answer(2, 0, vec![]),
            answer(4, 0, vec![]),
            answer(u64::MAX, 4, vec![]),
            answer(2, 0, vec![error(Some(6))]),
            answer(1, 0, vec![error(Some(5)), error(Some(5))]),
            unnamed,
            far,
        ] {
            assert!(check(&bad, &seqs).is_err(), "{bad:?}");
        }
    }
}
