//! Group commit: batches that arrive together are one block.
//!
//! One task gathers validated batches into the open block while the block before is
//! being inserted; when that is in, its batches are answered and the open block goes.
//! An idle committer starts at once and a busy one gathers by itself. Only right after
//! a block it lingers, at most [`Settings::group_wait`], until as many batches have come
//! as that block had: the devices just answered are about to send again, and one block
//! costs far less than two of half its size.
//!
//! **Invariants:**
//! - A batch is answered with success only after the inserts of its block, and of all
//!   blocks before, succeeded: a duplicate is a duplicate of something that is stored.
//! - When an insert fails, what became of it is unknown. The marks of its devices are
//!   forgotten and read again, and whatever these devices had sent before they could
//!   know of the failure is refused with 503: storing it would raise the marks above
//!   rows that aren't stored.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use futures_util::future::join_all;
use parking_lot::Mutex;
use snag_warehouse::{ErrorKind, Warehouse, WarehouseError};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::block::{Added, Block};
use super::marks::{self, Marks};
use super::rows::{BatchRows, Table};
use crate::ApiError;
use crate::metrics::{Metrics, TableLabels};
use crate::state::{Settings, count_error};

/// What became of a batch that was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// Records stored by this request.
    pub accepted: u64,
    /// Records stored before.
    pub duplicates: u64,
    /// The lowest sequence number above all that are stored.
    pub next_seq: u64,
}

type Answer = Result<Committed, ApiError>;

struct Job {
    rows: Arc<BatchRows>,
    answer: oneshot::Sender<Answer>,
    /// Gives the rows' room in the queue back when the job ends, however it ends.
    _room: Room,
}

/// Room in the queue.
struct Room {
    used: Arc<AtomicUsize>,
    rows: usize,
    metrics: Arc<Metrics>,
}

impl Drop for Room {
    fn drop(&mut self) {
        self.used.fetch_sub(self.rows, Ordering::Relaxed);
        self.metrics.queue_records.dec_by(self.rows as i64);
    }
}

/// Days (since 1970) whose rollups have to be compared with a recount, because an
/// insert failed half way.
pub type Dirty = Arc<Mutex<HashSet<i64>>>;

/// Where validated batches wait for their block.
pub struct CommitQueue {
    jobs: Mutex<Option<mpsc::UnboundedSender<Job>>>,
    committer: Mutex<Option<JoinHandle<()>>>,
    used: Arc<AtomicUsize>,
    rows_max: usize,
    marks: Arc<Marks>,
    warehouse: Warehouse,
    metrics: Arc<Metrics>,
    /// Devices that are forgotten: what they send is not stored.
    forgotten: Mutex<HashSet<Uuid>>,
    /// See [`Dirty`].
    pub dirty: Dirty,
}

/// Starts the committer. It ends when the queue is dropped and everything is answered.
#[must_use]
pub fn start(
    warehouse: Warehouse,
    settings: &Settings,
    metrics: Arc<Metrics>,
    write_gate: Arc<tokio::sync::RwLock<()>>,
) -> CommitQueue {
    let (jobs, receiver) = mpsc::unbounded_channel();
    let marks = Arc::new(Marks::default());
    let dirty = Dirty::default();
    let committer = Committer {
        jobs: receiver,
        group_rows: settings.group_rows,
        group_wait: settings.group_wait,
        marks: Arc::clone(&marks),
        inserter: Inserter {
            warehouse: warehouse.clone(),
            metrics: Arc::clone(&metrics),
            write_gate,
        },
        dirty: Arc::clone(&dirty),
        waiting: VecDeque::new(),
    };
    CommitQueue {
        jobs: Mutex::new(Some(jobs)),
        committer: Mutex::new(Some(tokio::spawn(committer.run()))),
        used: Arc::default(),
        rows_max: settings.queue_rows,
        marks,
        warehouse,
        metrics,
        forgotten: Mutex::default(),
        dirty,
    }
}

impl CommitQueue {
    /// Stores a batch; returns when ClickHouse has it.
    ///
    /// # Errors
    /// 503 where the queue is full or the warehouse doesn't answer, 400 where ClickHouse
    /// refuses these very rows.
    pub async fn submit(&self, rows: BatchRows) -> Answer {
        if self.forgotten.lock().contains(&rows.shared.device) {
            return Err(ApiError::unauthorized());
        }
        self.enqueue(rows).await
    }

    /// Stores nothing more of a device. On return, whatever came before is stored or
    /// refused, so that it can be deleted.
    pub async fn forget(&self, device: Uuid) {
        self.forgotten.lock().insert(device);
        // Blocks go in order: once an empty batch is answered, so is all before it.
        drop(self.enqueue(BatchRows::empty(device)).await);
        self.marks.forget([device]);
    }

    async fn enqueue(&self, rows: BatchRows) -> Answer {
        let number = rows.len().max(1);
        let before = self.used.fetch_add(number, Ordering::Relaxed);
        self.metrics.queue_records.inc_by(number as i64);
        let room = Room {
            used: Arc::clone(&self.used),
            rows: number,
            metrics: Arc::clone(&self.metrics),
        };
        // A batch larger than the whole queue is taken where nothing else waits.
        if before > 0 && before + number > self.rows_max {
            return Err(busy());
        }
        let (answer, answered) = oneshot::channel();
        let job = Job {
            rows: Arc::new(rows),
            answer,
            _room: room,
        };
        let sent = self.jobs.lock().as_ref().map(|jobs| jobs.send(job));
        if !matches!(sent, Some(Ok(()))) {
            return Err(stopping());
        }
        answered.await.map_err(|_| stopping())?
    }

    /// Takes no more batches, and returns when those that were taken are answered.
    pub async fn close(&self) {
        self.jobs.lock().take();
        let committer = self.committer.lock().take();
        if let Some(committer) = committer {
            drop(committer.await);
        }
    }

    /// The lowest sequence number above all that are stored of a device.
    ///
    /// # Errors
    /// The warehouse's.
    pub async fn next_seq(&self, org: &str, device: Uuid) -> Result<u64, WarehouseError> {
        if let Some(marks) = self.marks.get(device) {
            return Ok(marks::next_seq(&marks));
        }
        let marks = marks::read_one(&self.warehouse, org, device).await?;
        Ok(marks::next_seq(&marks))
    }
}

fn busy() -> ApiError {
    ApiError::unavailable(
        "The server has too much to store. Send the batch again later.",
        1,
    )
}

fn stopping() -> ApiError {
    ApiError::unavailable("The server is stopping. Send the batch again later.", 2)
}

fn not_stored() -> ApiError {
    ApiError::unavailable(
        "The warehouse did not take the batch. Send it again later.",
        1,
    )
}

fn refused() -> ApiError {
    ApiError::invalid_body("ClickHouse refuses the batch's records. The operator's log says why.")
}

/// A batch in a block, with what adding it did.
struct Entry {
    job: Job,
    committed: Committed,
}

/// Batches and their rows.
#[derive(Default)]
struct Group {
    block: Block,
    entries: Vec<Entry>,
}

struct Committer {
    jobs: mpsc::UnboundedReceiver<Job>,
    group_rows: usize,
    group_wait: Duration,
    marks: Arc<Marks>,
    inserter: Inserter,
    dirty: Dirty,
    /// Jobs taken from the channel that no block has yet.
    waiting: VecDeque<Job>,
}

type Inserting = JoinHandle<(Vec<Entry>, Result<(), WarehouseError>)>;

impl Committer {
    async fn run(mut self) {
        let mut inserting: Option<Inserting> = None;
        let mut open = Group::default();
        let mut ended = false;
        // Until when to linger for how many batches.
        let mut linger: Option<(tokio::time::Instant, usize)> = None;
        loop {
            // Take what has arrived, as far as the block has room.
            while open.block.len() < self.group_rows {
                match self.jobs.try_recv() {
                    Ok(job) => self.waiting.push_back(job),
                    Err(mpsc::error::TryRecvError::Empty) => break,
                    Err(mpsc::error::TryRecvError::Disconnected) => {
                        ended = true;
                        break;
                    }
                }
                self.fill(&mut open).await;
            }
            self.fill(&mut open).await;
            match inserting.take() {
                None if !open.entries.is_empty() => {
                    if let Some((until, batches)) = linger
                        && open.entries.len() < batches
                        && open.block.len() < self.group_rows
                        && !ended
                    {
                        match tokio::time::timeout_at(until, self.jobs.recv()).await {
                            Ok(Some(job)) => {
                                self.waiting.push_back(job);
                                continue;
                            }
                            Ok(None) => ended = true,
                            Err(_) => {}
                        }
                    }
                    linger = None;
                    let group = std::mem::take(&mut open);
                    let inserter = self.inserter.clone();
                    inserting = Some(tokio::spawn(async move { inserter.run(group).await }));
                }
                None => {
                    if ended {
                        return;
                    }
                    // Nothing is on its way, so that what is in the tables is all there is.
                    self.marks.trim();
                    match self.jobs.recv().await {
                        Some(job) => self.waiting.push_back(job),
                        None => ended = true,
                    }
                }
                Some(mut handle) => {
                    let full = open.block.len() >= self.group_rows || ended;
                    tokio::select! {
                        biased;
                        done = &mut handle => match done {
                            Ok((entries, result)) => {
                                let until = tokio::time::Instant::now() + self.group_wait;
                                linger = Some((until, entries.len()));
                                self.finish(entries, result, &mut open).await;
                            }
                            Err(error) => {
                                // The task panicked with its batches: their senders are
                                // gone, which answers 503. Nothing is known of any device.
                                tracing::error!(%error, "an insert panicked");
                                self.forget_all(&mut open);
                            }
                        },
                        job = self.jobs.recv(), if !full => {
                            match job {
                                Some(job) => self.waiting.push_back(job),
                                None => ended = true,
                            }
                            inserting = Some(handle);
                        }
                    }
                }
            }
        }
    }

    /// Moves waiting jobs into the open block.
    async fn fill(&mut self, open: &mut Group) {
        if self.waiting.is_empty() {
            return;
        }
        let keys: Vec<marks::Key> = self
            .waiting
            .iter()
            .map(|job| (Arc::clone(&job.rows.shared.org), job.rows.shared.device))
            .collect();
        if let Err(error) = self.marks.read(&self.inserter.warehouse, &keys).await {
            count_error(&self.inserter.metrics, &error);
            tracing::warn!(code = ?error.code, %error, "can't read what devices have stored");
            for job in self.waiting.drain(..) {
                drop(job.answer.send(Err(not_stored())));
            }
            return;
        }
        while open.block.len() < self.group_rows {
            let Some(job) = self.waiting.pop_front() else {
                return;
            };
            let device = job.rows.shared.device;
            let Some(mut marks) = self.marks.get(device) else {
                // Forgotten since it was read: read again with the next ones.
                drop(job.answer.send(Err(not_stored())));
                continue;
            };
            let Added {
                accepted,
                duplicates,
            } = open.block.add(&job.rows, &mut marks);
            self.marks.set(device, marks);
            open.entries.push(Entry {
                job,
                committed: Committed {
                    accepted,
                    duplicates,
                    next_seq: marks::next_seq(&marks),
                },
            });
        }
    }

    async fn finish(
        &mut self,
        entries: Vec<Entry>,
        result: Result<(), WarehouseError>,
        open: &mut Group,
    ) {
        let Err(error) = result else {
            for entry in entries {
                drop(entry.job.answer.send(Ok(entry.committed)));
            }
            return;
        };
        count_error(&self.inserter.metrics, &error);
        tracing::warn!(code = ?error.code, kind = %error.kind, batches = entries.len(), %error, "a block was not stored");
        let devices = self.note_failure(&entries);
        self.reopen(open, &devices);
        if error.kind == ErrorKind::Rejected {
            self.isolate(entries).await;
        } else {
            for entry in entries {
                drop(entry.job.answer.send(Err(not_stored())));
            }
        }
    }

    /// Forgets the marks of the devices of a failed block, and notes which days its
    /// rollups have to be compared for.
    fn note_failure(&mut self, entries: &[Entry]) -> HashSet<Uuid> {
        let mut devices = HashSet::new();
        let mut dirty = self.dirty.lock();
        for entry in entries {
            let rows = &entry.job.rows;
            devices.insert(rows.shared.device);
            dirty.extend(rows.days());
        }
        self.marks.forget(devices.iter().copied());
        devices
    }

    /// Rebuilds the open block, and refuses what the failed devices sent before they
    /// could know: all of it that is here.
    fn reopen(&mut self, open: &mut Group, failed: &HashSet<Uuid>) {
        let group = std::mem::take(open);
        // Their marks were raised by a block that is thrown away.
        let devices = group.entries.iter().map(|e| e.job.rows.shared.device);
        self.marks.forget(devices);
        let mut jobs: VecDeque<Job> = group.entries.into_iter().map(|e| e.job).collect();
        jobs.append(&mut self.waiting);
        while let Ok(job) = self.jobs.try_recv() {
            jobs.push_back(job);
        }
        for job in jobs {
            if failed.contains(&job.rows.shared.device) {
                drop(job.answer.send(Err(not_stored())));
            } else {
                self.waiting.push_back(job);
            }
        }
    }

    fn forget_all(&mut self, open: &mut Group) {
        let group = std::mem::take(open);
        for entry in group.entries {
            drop(entry.job.answer.send(Err(not_stored())));
        }
        for job in self.waiting.drain(..) {
            drop(job.answer.send(Err(not_stored())));
        }
        while let Ok(job) = self.jobs.try_recv() {
            drop(job.answer.send(Err(not_stored())));
        }
        self.marks.forget_all();
    }

    /// ClickHouse refuses a block: each batch goes by itself, so that the one at fault
    /// holds up nobody else.
    async fn isolate(&mut self, entries: Vec<Entry>) {
        let alone = entries.len() == 1;
        let mut failed = HashSet::new();
        for entry in entries {
            let job = entry.job;
            let device = job.rows.shared.device;
            let answer = if alone {
                Err(refused())
            } else if failed.contains(&device) {
                // A later batch must not be stored where an earlier one wasn't.
                Err(not_stored())
            } else {
                self.insert_alone(&job).await
            };
            if answer.is_err() {
                failed.insert(device);
            }
            drop(job.answer.send(answer));
        }
    }

    async fn insert_alone(&mut self, job: &Job) -> Answer {
        let device = job.rows.shared.device;
        let key = (Arc::clone(&job.rows.shared.org), device);
        self.marks.read(&self.inserter.warehouse, &[key]).await?;
        let mut marks = self.marks.get(device).ok_or_else(not_stored)?;
        let mut block = Block::default();
        let Added {
            accepted,
            duplicates,
        } = block.add(&job.rows, &mut marks);
        if let Err(error) = self.inserter.insert(block).await {
            self.marks.forget([device]);
            count_error(&self.inserter.metrics, &error);
            tracing::warn!(%device, code = ?error.code, %error, "a batch was not stored");
            return Err(match error.kind {
                ErrorKind::Rejected => refused(),
                _ => not_stored(),
            });
        }
        self.marks.set(device, marks);
        Ok(Committed {
            accepted,
            duplicates,
            next_seq: marks::next_seq(&marks),
        })
    }
}

#[derive(Clone)]
struct Inserter {
    warehouse: Warehouse,
    metrics: Arc<Metrics>,
    write_gate: Arc<tokio::sync::RwLock<()>>,
}

impl Inserter {
    async fn run(self, group: Group) -> (Vec<Entry>, Result<(), WarehouseError>) {
        let result = self.insert(group.block).await;
        (group.entries, result)
    }

    async fn insert(&self, block: Block) -> Result<(), WarehouseError> {
        if block.is_empty() {
            return Ok(());
        }
        let _gate = self.write_gate.read().await;
        // The tables go side by side: each insert spends most of its time waiting for the
        // disk and in its views. All are waited for, whatever becomes of any: a retry must
        // not meet an insert that is still going on. Whatever subset a crash leaves, each
        // table knows what it holds.
        let batches = block.into_batches().into_iter();
        let inserts = batches.map(|(table, batch)| self.insert_table(table, batch));
        join_all(inserts).await.into_iter().collect()
    }

    async fn insert_table(&self, table: Table, batch: RecordBatch) -> Result<(), WarehouseError> {
        let labels = TableLabels {
            table: table.name(),
        };
        let rows = batch.num_rows() as u64;
        let started = Instant::now();
        self.warehouse.insert(table.name(), batch).await?;
        let metrics = &self.metrics;
        metrics
            .insert_seconds
            .get_or_create(&labels)
            .observe(started.elapsed().as_secs_f64());
        metrics.inserted_rows.get_or_create(&labels).inc_by(rows);
        Ok(())
    }
}
