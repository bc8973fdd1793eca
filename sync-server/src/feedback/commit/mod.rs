//! Group commit of submissions: those that arrive together are looked up and stored
//! together, each once.
//!
//! One task takes what has arrived, asks in one query which of the ids are known, decides
//! each (new, stored before, a conflict, beyond a limit), and writes what is new to the
//! tables side by side. What arrives meanwhile is the next group.
//!
//! **Invariants:**
//! - A submission is answered with success only when all its rows are stored.
//! - `submissions` decides what is known; where a crash fell between the tables, a retry
//!   writes what is missing of each table, and never over what the desk has done since.
//! - Limits are kept by this task alone, so that two requests at once can't pass one.

mod lookup;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use snag_warehouse::{ErrorKind, Warehouse, WarehouseError};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use uuid::Uuid;

use super::limits::{Limits, Rate, Who};
use super::rows::{self, Item};
use crate::ApiError;
use crate::forget::Storing;
use crate::ingest::commit::Dirty;
use crate::metrics::{Metrics, TableLabels};
use crate::state::count_error;

/// Submissions that may wait; each has at most a megabyte, an honest one a few kilobytes.
const QUEUE_MAX: usize = 256;
/// Submissions of one group.
const GROUP_MAX: usize = 256;
/// How long a stored submission is remembered, so that its screenshot, which follows,
/// costs no look-up.
const RECENT: Duration = Duration::from_secs(60);
/// How many are remembered.
const RECENT_MAX: usize = 20_000;

/// Submissions whose first write failed that are remembered until they are stored.
const FAILED_MAX: usize = 20_000;

/// What became of a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Stored by this request.
    Stored,
    /// Stored before; nothing changed.
    Duplicate,
    /// Another submission has this id.
    Conflict,
    /// A limit is used up.
    Limited,
}

/// What became of a submission, and what is left of the limits.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    /// What became of it.
    pub verdict: Verdict,
    /// What is left.
    pub rate: Rate,
    /// Whether listeners may not know of it: this request stored something of it, or an
    /// earlier one that was told otherwise did.
    pub news: bool,
}

type Answer = Result<Outcome, ApiError>;

struct Job {
    item: Box<Item>,
    who: Who,
    answer: oneshot::Sender<Answer>,
    /// Kept until it is answered.
    _storing: Storing,
}

/// A submission that is stored, as far as its screenshot asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// The device that sent it.
    pub device: Uuid,
    /// When the person wrote it, in milliseconds since 1970.
    pub at_ms: i64,
    /// Whether a screenshot was stored since.
    pub has_screenshot: bool,
}

/// Those stored lately.
type Recent = Arc<Mutex<HashMap<(Uuid, Uuid), (Known, Instant)>>>;

/// Where checked submissions wait for their group.
pub struct Submissions {
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    committer: Mutex<Option<JoinHandle<()>>>,
    recent: Recent,
}

/// Starts the committer. It ends when the queue is closed and everything is answered.
#[must_use]
pub fn start(
    warehouse: Warehouse,
    metrics: Arc<Metrics>,
    write_gate: Arc<tokio::sync::RwLock<()>>,
    dirty: Dirty,
) -> Submissions {
    let (jobs, receiver) = mpsc::channel(QUEUE_MAX);
    let recent = Recent::default();
    let committer = Committer {
        jobs: receiver,
        warehouse,
        metrics,
        write_gate,
        dirty,
        limits: Limits::default(),
        recent: Arc::clone(&recent),
        failed: HashSet::new(),
    };
    Submissions {
        jobs: Mutex::new(Some(jobs)),
        committer: Mutex::new(Some(tokio::spawn(committer.run()))),
        recent,
    }
}

impl Submissions {
    /// Stores a submission once; returns when ClickHouse has it.
    ///
    /// # Errors
    /// 503 where too many wait or the warehouse doesn't answer.
    pub async fn submit(&self, item: Item, who: Who, storing: Storing) -> Answer {
        let (answer, answered) = oneshot::channel();
        let job = Job {
            item: Box::new(item),
            who,
            answer,
            _storing: storing,
        };
        let sent = self.jobs.lock().as_ref().map(|jobs| jobs.try_send(job));
        match sent {
            Some(Ok(())) => answered.await.map_err(|_| not_stored())?,
            Some(Err(mpsc::error::TrySendError::Full(_))) => Err(ApiError::unavailable(
                "The server has too much to store. Send the feedback again later.",
                1,
            )),
            Some(Err(mpsc::error::TrySendError::Closed(_))) | None => Err(ApiError::unavailable(
                "The server is stopping. Send the feedback again later.",
                2,
            )),
        }
    }

    /// A submission that this process stored a moment ago.
    #[must_use]
    pub fn recent(&self, org: Uuid, id: Uuid) -> Option<Known> {
        let recent = self.recent.lock();
        let (known, stored_at) = recent.get(&(org, id))?;
        (stored_at.elapsed() < RECENT).then_some(*known)
    }

    /// Notes that a submission has a screenshot, or is about to.
    pub fn note_screenshot(&self, org: Uuid, id: Uuid) {
        if let Some((known, _)) = self.recent.lock().get_mut(&(org, id)) {
            known.has_screenshot = true;
        }
    }

    /// Forgets a submission that was deleted.
    pub fn forget(&self, org: Uuid, id: Uuid) {
        self.recent.lock().remove(&(org, id));
    }

    /// Forgets what was written before a moment, which retention has ended.
    pub fn forget_before(&self, org: Uuid, before_ms: i64) {
        self.recent
            .lock()
            .retain(|(of, _), (known, _)| *of != org || known.at_ms >= before_ms);
    }

    /// Forgets all submissions of a device that was deleted.
    pub fn forget_device(&self, org: Uuid, device: Uuid) {
        self.recent
            .lock()
            .retain(|(of, _), (known, _)| *of != org || known.device != device);
    }

    /// Takes no more submissions, and returns when those that were taken are answered.
    pub async fn close(&self) {
        self.jobs.lock().take();
        let committer = self.committer.lock().take();
        if let Some(committer) = committer {
            drop(committer.await);
        }
    }
}

fn not_stored() -> ApiError {
    ApiError::unavailable(
        "The warehouse did not take the feedback. Send it again later.",
        1,
    )
}

struct Committer {
    jobs: mpsc::Receiver<Job>,
    warehouse: Warehouse,
    metrics: Arc<Metrics>,
    write_gate: Arc<tokio::sync::RwLock<()>>,
    dirty: Dirty,
    limits: Limits,
    recent: Recent,
    /// Those that may be in some tables though they were answered with a failure: nobody was
    /// told of them, and their retry may find that it is nothing new.
    failed: HashSet<(Uuid, Uuid)>,
}

/// What is written for a job, and what it is answered then.
struct Decided {
    job: Job,
    verdict: Verdict,
    rate: Rate,
    /// Whether `submissions` lacks it.
    submit: bool,
    /// Whether `feedback` lacks it.
    restore: bool,
    /// Whether `feedback_details` lacks what it has for it.
    detail: bool,
}

impl Decided {
    fn key(&self) -> (Uuid, Uuid) {
        (self.job.item.org.id, self.job.item.submission().id)
    }

    fn writes(&self) -> bool {
        self.submit || self.restore || self.detail
    }
}

impl Committer {
    async fn run(mut self) {
        let mut group = Vec::new();
        while self.jobs.recv_many(&mut group, GROUP_MAX).await > 0 {
            let jobs = std::mem::take(&mut group);
            self.commit(jobs).await;
        }
    }

    async fn commit(&mut self, jobs: Vec<Job>) {
        let (found, taken) = tokio::join!(
            lookup::find(&self.warehouse, &jobs),
            lookup::read_taken(&self.warehouse, &self.limits, &jobs)
        );
        let (found, taken) = match (found, taken) {
            (Ok(found), Ok(taken)) => (found, taken),
            (Err(error), _) | (_, Err(error)) => {
                self.count(&error, "can't look up submissions");
                for job in jobs {
                    drop(job.answer.send(Err(not_stored())));
                }
                return;
            }
        };
        for ((org, device), taken) in taken {
            self.limits.seed(org, device, taken);
        }
        let decided = self.decide(jobs, found);
        let result = self.write(&decided).await;
        match result {
            Ok(()) => self.answer(decided),
            Err(error) => {
                self.count(&error, "submissions were not stored");
                self.note_failure(&decided);
                let alone = decided.len() == 1;
                for one in decided {
                    // One that ClickHouse refuses mustn't take the others with it.
                    let result = if error.kind == ErrorKind::Rejected && !alone {
                        self.write(std::slice::from_ref(&one)).await
                    } else {
                        Err(error.clone())
                    };
                    match result {
                        Ok(()) => self.answer(vec![one]),
                        Err(error) => self.refuse(one, &error),
                    }
                }
            }
        }
    }

    fn count(&self, error: &WarehouseError, what: &'static str) {
        count_error(&self.metrics, error);
        tracing::warn!(code = ?error.code, kind = %error.kind, %error, "{what}");
    }

    fn refuse(&mut self, decided: Decided, error: &WarehouseError) {
        if decided.verdict == Verdict::Stored {
            let second = decided.job.item.received_ms / 1_000;
            self.limits.give_back(&decided.job.who, second);
        }
        if decided.writes() {
            // Who is forgotten here is told of all the same once a listener comes back.
            if self.failed.len() >= FAILED_MAX {
                self.failed.clear();
            }
            self.failed.insert(decided.key());
        }
        // What was only read of it still holds.
        let answer = match decided.verdict {
            Verdict::Conflict | Verdict::Limited => Ok(Outcome {
                verdict: decided.verdict,
                rate: decided.rate,
                news: false,
            }),
            _ if error.kind == ErrorKind::Rejected => Err(ApiError::internal(error)),
            _ => Err(not_stored()),
        };
        drop(decided.job.answer.send(answer));
    }

    /// Rollups have to be compared with a recount for the days of what may be half in.
    fn note_failure(&self, decided: &[Decided]) {
        let days = decided
            .iter()
            .filter(|one| one.submit)
            .map(|one| one.job.item.at_ms().div_euclid(86_400_000));
        self.dirty.lock().extend(days);
    }

    fn answer(&mut self, decided: Vec<Decided>) {
        let now = Instant::now();
        let mut recent = self.recent.lock();
        if recent.len() >= RECENT_MAX {
            recent.retain(|_, (_, stored_at)| stored_at.elapsed() < RECENT);
        }
        for one in decided {
            if one.verdict == Verdict::Stored && recent.len() < RECENT_MAX {
                let known = Known {
                    device: one.job.item.device,
                    at_ms: one.job.item.at_ms(),
                    has_screenshot: false,
                };
                recent.insert(one.key(), (known, now));
            }
            let stored = matches!(one.verdict, Verdict::Stored | Verdict::Duplicate);
            let failed_before = stored && self.failed.remove(&one.key());
            let news = one.writes() || failed_before;
            drop(one.job.answer.send(Ok(Outcome {
                verdict: one.verdict,
                rate: one.rate,
                news,
            })));
        }
    }

    fn decide(&mut self, jobs: Vec<Job>, mut found: lookup::Found) -> Vec<Decided> {
        jobs.into_iter()
            .map(|job| {
                let (item, rules) = (&job.item, job.item.org.policy.feedback);
                let now_s = item.received_ms / 1_000;
                self.limits.trim(now_s);
                let key = (item.org.id, item.submission().id);
                let own = (item.device, item.checked.digest);
                let details = item.has_details();
                let (verdict, rate, submit, restore, detail) = match found.submissions.get(&key) {
                    _ if found.forgotten.contains(&key) => {
                        let rate = self.limits.look(&job.who, rules, now_s);
                        // Nobody is told any more of what is deleted.
                        self.failed.remove(&key);
                        (Verdict::Duplicate, rate, false, false, false)
                    }
                    Some(first) if *first == own => {
                        let rate = self.limits.look(&job.who, rules, now_s);
                        // A crash may have fallen between the tables.
                        let restore = found.feedback.insert(key);
                        let detail = details && found.details.insert(key);
                        (Verdict::Duplicate, rate, false, restore, detail)
                    }
                    Some(_) => {
                        let rate = self.limits.look(&job.who, rules, now_s);
                        (Verdict::Conflict, rate, false, false, false)
                    }
                    None => match self.limits.take(&job.who, rules, now_s) {
                        Ok(rate) => {
                            found.submissions.insert(key, own);
                            let restore = found.feedback.insert(key);
                            let detail = details && found.details.insert(key);
                            (Verdict::Stored, rate, true, restore, detail)
                        }
                        Err(rate) => (Verdict::Limited, rate, false, false, false),
                    },
                };
                Decided {
                    job,
                    verdict,
                    rate,
                    submit,
                    restore,
                    detail,
                }
            })
            .collect()
    }

    /// Writes what the tables lack, side by side; all are waited for, whatever becomes of
    /// any: a retry must not meet an insert that is still going on.
    async fn write(&self, decided: &[Decided]) -> Result<(), WarehouseError> {
        let items = |wanted: fn(&Decided) -> bool| -> Vec<&Item> {
            decided
                .iter()
                .filter(|one| wanted(one))
                .map(|one| &*one.job.item)
                .collect()
        };
        let submit = items(|one| one.submit);
        let restore = items(|one| one.restore);
        let detail = items(|one| one.detail);
        let mut batches = Vec::new();
        if !restore.is_empty() {
            batches.push(("feedback", rows::feedback(&restore)));
        }
        if let Some(details) = rows::details(&detail) {
            batches.push(("feedback_details", details));
        }
        if !submit.is_empty() {
            batches.push(("submissions", rows::submissions(&submit)));
        }
        if batches.is_empty() {
            return Ok(());
        }
        let _gate = self.write_gate.read().await;
        let inserts = batches.into_iter().map(|(table, batch)| async move {
            let started = std::time::Instant::now();
            let rows = batch.num_rows() as u64;
            self.warehouse.insert(table, batch).await?;
            let labels = TableLabels { table };
            self.metrics
                .insert_seconds
                .get_or_create(&labels)
                .observe(started.elapsed().as_secs_f64());
            self.metrics
                .inserted_rows
                .get_or_create(&labels)
                .inc_by(rows);
            Ok(())
        });
        futures_util::future::join_all(inserts)
            .await
            .into_iter()
            .collect()
    }
}
