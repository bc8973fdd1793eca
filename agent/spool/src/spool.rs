//! The spool itself: what a call means, in terms of [`Store`].

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;
use snag_wire::limits::SEQ_MAX;
use snag_wire::{DropCount, LabelHash, Record};

use crate::aside;
use crate::codec::{self, Item, Malformed, Reader, Writer};
use crate::record::{Class, DeadLetter, NewRecord, Refusal, StoredRecord, Waiting};
use crate::sidecar::{self, Found, RESERVE_STEP, Sidecar};
use crate::store::{Change, Store, Tree, create_private_dir};
use crate::value;
use crate::{SCHEMA_VERSION, SpoolError};

/// Records in a chunk: enough to share the dictionary and sled's overhead, few
/// enough that dropping or splitting one is nothing.
const CHUNK_RECORDS: usize = 128;

/// What a chunk costs beside its own bytes, roughly: sled's key and page share.
const CHUNK_OVERHEAD_BYTES: u64 = 24;

/// Labels that were stored for sending are remembered by hash, to send each once.
/// An organisation has some thousands; the bound is for a server gone wrong.
const LABELS_MAX: u64 = 100_000;

/// How often `ledger.json` follows the counters, which only bounds how exactly the
/// records of a lost spool are counted.
const MIRROR_EVERY: Duration = Duration::from_secs(10);

/// Characters kept of a server's message with a dead letter.
const MESSAGE_CHARS_MAX: usize = 300;

const SCHEMA_KEY: &[u8] = b"schema";
const LEDGER_KEY: &[u8] = b"ledger";
const STATE_KEY: &[u8] = b"engine";

/// How large a spool may become.
#[derive(Debug, Clone)]
pub struct SpoolOptions {
    /// Encoded records that may wait. 64 MB are some 4 million events: months of one
    /// person, while the files on disk stay within about twice that.
    pub quota_bytes: u64,
    /// sled's page cache. The agent's budget is 45 MB in all.
    pub cache_bytes: u64,
    /// What is left to others on the file system: with less free space than this,
    /// storing fails as [`SpoolError::Full`] before the disk itself does.
    pub min_free_bytes: u64,
    /// Dead letters that are kept to be looked at; the oldest go.
    pub dead_letters_max: u64,
}

impl Default for SpoolOptions {
    fn default() -> Self {
        Self {
            quota_bytes: 64 << 20,
            cache_bytes: 4 << 20,
            min_free_bytes: 16 << 20,
            dead_letters_max: 5_000,
        }
    }
}

/// A spool that was moved out of the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// Where it is now.
    pub path: PathBuf,
    /// Why, in words.
    pub reason: String,
}

/// What happened as the spool was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpenReport {
    /// The spool that was found and could not be used.
    pub set_aside: Option<SetAside>,
    /// Records known to be lost with it, or missing from a damaged one. They are
    /// in the drop counters as `spool_lost`.
    pub lost_records: u64,
}

impl OpenReport {
    /// Whether all was as it had been left.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        *self == Self::default()
    }
}

/// The device's outbox. Shared by the thread that stores and the one that sends.
pub struct Spool {
    inner: Mutex<Inner>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Totals {
    records: u64,
    bytes: u64,
}

impl Totals {
    fn add(&mut self, records: u64, value_bytes: usize) {
        self.records += records;
        self.bytes += value_bytes as u64 + CHUNK_OVERHEAD_BYTES;
    }

    fn remove(&mut self, records: u64, value_bytes: usize) {
        self.records = self.records.saturating_sub(records);
        self.bytes = self
            .bytes
            .saturating_sub(value_bytes as u64 + CHUNK_OVERHEAD_BYTES);
    }
}

/// What is counted. Changed on a copy, which takes its place once the commit that
/// carries it is stored.
#[derive(Debug, Clone, Default)]
struct Ledger {
    next_seq: u64,
    events: Totals,
    kept: Totals,
    dead: u64,
    labels: u64,
    drops: BTreeMap<String, u64>,
}

impl Ledger {
    fn totals(&mut self, class: Class) -> &mut Totals {
        match class {
            Class::Event => &mut self.events,
            Class::Kept => &mut self.kept,
        }
    }

    fn waiting(&self) -> u64 {
        self.events.records + self.kept.records
    }

    fn size_bytes(&self) -> u64 {
        self.events.bytes + self.kept.bytes
    }

    fn drop_records(&mut self, reason: &str, count: u64) {
        if count > 0 {
            *self.drops.entry(reason.to_owned()).or_default() += count;
        }
    }

    fn put(&self) -> Change {
        let mut out = Writer::default();
        out.uint(self.next_seq);
        out.uint(self.events.records);
        out.uint(self.kept.records);
        out.uint(self.drops.len() as u64);
        for (reason, count) in &self.drops {
            out.text(reason);
            out.uint(*count);
        }
        Change::Put(Tree::Meta, LEDGER_KEY.to_vec(), out.0)
    }

    /// What [`put`](Self::put) wrote; byte totals, dead letters and labels are counted anew.
    fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut input = Reader(bytes);
        let mut ledger = Self {
            next_seq: input.uint()?,
            ..Self::default()
        };
        ledger.events.records = input.uint()?;
        ledger.kept.records = input.uint()?;
        for _ in 0..input.uint()? {
            let reason = input.text()?.to_owned();
            ledger.drops.insert(reason, input.uint()?);
        }
        Ok(ledger)
    }
}

struct Inner {
    dir: PathBuf,
    options: SpoolOptions,
    /// `None` after an error, until the next call opens it anew.
    store: Option<Store>,
    ledger: Ledger,
    sidecar: Sidecar,
    mirrored: Instant,
    /// Records up to here are on their way to the server, and the quota leaves them.
    leased_through: Option<u64>,
    /// An append failed and may be on disk nevertheless: its records are taken out
    /// as the spool is opened again, because the caller still has them.
    append_in_doubt: bool,
    reports: Vec<OpenReport>,
}

impl Spool {
    /// Opens the spool in `dir`, or begins one.
    ///
    /// # Errors
    /// [`SpoolError::InUse`] when another process has it; other errors when neither
    /// the spool that is there nor a new one can be used.
    pub fn open(dir: &Path, options: SpoolOptions) -> Result<(Self, OpenReport), SpoolError> {
        create_private_dir(dir)?;
        let found = sidecar::read(dir);
        let mut inner = Inner {
            dir: dir.to_owned(),
            options,
            store: None,
            ledger: Ledger::default(),
            sidecar: Sidecar {
                reserved: 0,
                next_seq: 0,
                waiting: 0,
                drops: BTreeMap::new(),
            },
            mirrored: Instant::now(),
            leased_through: None,
            append_in_doubt: false,
            reports: Vec::new(),
        };
        let report = inner.open(found, true)?;
        Ok((
            Self {
                inner: Mutex::new(inner),
            },
            report,
        ))
    }

    /// Stores records and, with them, the state of the engine that made them: both
    /// or neither. Gives them the next sequence numbers, which are returned.
    ///
    /// # Errors
    /// Nothing of the call is stored; [`SpoolError::is_full`] tells whether room is lacking.
    pub fn append(
        &self,
        records: &[NewRecord],
        state: Option<&[u8]>,
    ) -> Result<Range<u64>, SpoolError> {
        let mut inner = self.inner.lock();
        let changes = match state {
            Some(state) => inner.read(|store| value::changes(store, STATE_KEY, Some(state)))?,
            None => Vec::new(),
        };
        inner.append(records, changes, |_| {})
    }

    /// Stores label records whose text was not stored before, and remembers that.
    /// Returns how many were new. Records of other types are left out.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub fn append_labels(&self, records: &[NewRecord]) -> Result<u64, SpoolError> {
        let mut inner = self.inner.lock();
        let mut fresh: Vec<(LabelHash, NewRecord)> = Vec::new();
        for record in records {
            let Record::Label(label) = &record.record else {
                continue;
            };
            let room = inner.ledger.labels + (fresh.len() as u64) < LABELS_MAX;
            if room
                && !fresh.iter().any(|(hash, _)| *hash == label.hash)
                && !inner.label_sent(label.hash)?
            {
                fresh.push((label.hash, record.clone()));
            }
        }
        if fresh.is_empty() {
            return Ok(0);
        }
        let marks = fresh
            .iter()
            .map(|(hash, _)| Change::Put(Tree::Labels, hash.0.to_vec(), Vec::new()))
            .collect();
        let count = fresh.len() as u64;
        let records: Vec<NewRecord> = fresh.into_iter().map(|(_, record)| record).collect();
        inner.append(&records, marks, |ledger| ledger.labels += count)?;
        Ok(count)
    }

    /// Whether this label's text was stored for sending before.
    ///
    /// # Errors
    /// When the spool can't be read.
    pub fn label_sent(&self, hash: LabelHash) -> Result<bool, SpoolError> {
        self.inner.lock().label_sent(hash)
    }

    /// The state that came with the last records, if any.
    ///
    /// # Errors
    /// When the spool can't be read.
    pub fn load_state(&self) -> Result<Option<Vec<u8>>, SpoolError> {
        self.inner
            .lock()
            .read(|store| value::read(store, STATE_KEY))
    }

    /// A small value of the device, such as the last policy.
    ///
    /// # Errors
    /// When the spool can't be read.
    pub fn value(&self, name: &str) -> Result<Option<Vec<u8>>, SpoolError> {
        let key = value_key(name);
        self.inner.lock().read(|store| value::read(store, &key))
    }

    /// Stores a small value of the device, or removes it.
    ///
    /// # Errors
    /// The value is what it was.
    pub fn set_value(&self, name: &str, value: Option<&[u8]>) -> Result<(), SpoolError> {
        let key = value_key(name);
        let mut inner = self.inner.lock();
        let ledger = inner.ready()?.clone();
        let changes = inner.read(|store| value::changes(store, &key, value))?;
        inner.commit(ledger, changes)
    }

    /// The oldest records that wait, by rising `seq`, at most `max_records`. They
    /// stay until [`settle`](Self::settle), and until that, [`release`](Self::release)
    /// or the next `peek`, the quota leaves them alone.
    ///
    /// # Errors
    /// When the spool can't be read.
    pub fn peek(&self, max_records: usize) -> Result<Vec<StoredRecord>, SpoolError> {
        let mut inner = self.inner.lock();
        let mut records = inner.read(|store| {
            let mut records = Vec::new();
            for tree in [Tree::Events, Tree::Kept] {
                let mut count = 0;
                store.scan(tree, |_, value| {
                    if count >= max_records {
                        return Ok(false);
                    }
                    let chunk = decode(value)?;
                    count += chunk.len();
                    records.extend(chunk);
                    Ok(true)
                })?;
            }
            Ok(records)
        })?;
        // Each class gave at least as many as are wanted, or all it has, so the
        // first of both together are the first of all.
        records.sort_unstable_by_key(|record| record.seq);
        records.truncate(max_records);
        inner.leased_through = records.last().map(|record| record.seq);
        Ok(records)
    }

    /// Gives up what the last [`peek`](Self::peek) took, for the quota to have.
    pub fn release(&self) {
        self.inner.lock().leased_through = None;
    }

    /// The server has every record up to and including `through`, except those it
    /// refused: they move to the dead letters and count as dropped (`rejected`).
    /// Doing it twice does no more than once.
    ///
    /// # Errors
    /// All records stay, and will be sent again.
    pub fn settle(&self, through: u64, refused: &[Refusal]) -> Result<(), SpoolError> {
        self.inner.lock().settle(through, refused)
    }

    /// The dead letters after a sequence number, oldest first.
    ///
    /// # Errors
    /// When the spool can't be read.
    pub fn dead_letters(&self, after: u64, max: usize) -> Result<Vec<DeadLetter>, SpoolError> {
        self.inner.lock().read(|store| {
            let mut letters = Vec::new();
            store.scan(Tree::Dead, |key, value| {
                if letters.len() == max {
                    return Ok(false);
                }
                let letter =
                    parse_dead_letter(value).map_err(|Malformed| damaged("a dead letter", key))?;
                if letter.record.seq > after {
                    letters.push(letter);
                }
                Ok(true)
            })?;
            Ok(letters)
        })
    }

    /// What waits, from memory.
    #[must_use]
    pub fn waiting(&self) -> Waiting {
        let inner = self.inner.lock();
        Waiting {
            events: inner.ledger.events.records,
            kept: inner.ledger.kept.records,
            size_bytes: inner.ledger.size_bytes(),
            dead_letters: inner.ledger.dead,
            next_seq: inner.ledger.next_seq,
        }
    }

    /// The oldest record that waits: its sequence number and time (ms since 1970).
    ///
    /// # Errors
    /// When the spool can't be read.
    pub fn oldest(&self) -> Result<Option<(u64, i64)>, SpoolError> {
        self.inner.lock().read(|store| {
            let mut oldest: Option<(u64, i64)> = None;
            for tree in [Tree::Events, Tree::Kept] {
                store.scan(tree, |key, value| {
                    let (_, seq, at_ms) =
                        codec::header(value).map_err(|Malformed| damaged("a chunk", key))?;
                    if oldest.is_none_or(|(first, _)| seq < first) {
                        oldest = Some((seq, at_ms));
                    }
                    Ok(false)
                })?;
            }
            Ok(oldest)
        })
    }

    /// What was dropped on this device, by reason, since it was enrolled.
    #[must_use]
    pub fn drops(&self) -> Vec<DropCount> {
        let inner = self.inner.lock();
        inner
            .ledger
            .drops
            .iter()
            .map(|(reason, count)| DropCount {
                reason: reason.clone(),
                count: *count,
            })
            .collect()
    }

    /// Counts records that were dropped before they got here, such as `queue_full`.
    ///
    /// # Errors
    /// Nothing is counted.
    pub fn count_drops(&self, reason: &str, count: u64) -> Result<(), SpoolError> {
        let mut inner = self.inner.lock();
        let mut ledger = inner.ready()?.clone();
        ledger.drop_records(reason, count);
        inner.commit(ledger, Vec::new())
    }

    /// Makes the next sequence number at least `next_seq`: what the server has seen
    /// of this device is never given again, even where the device has forgotten it.
    ///
    /// # Errors
    /// Numbers go on from where they were.
    pub fn raise_floor(&self, next_seq: u64) -> Result<(), SpoolError> {
        let mut inner = self.inner.lock();
        let mut ledger = inner.ready()?.clone();
        if next_seq <= ledger.next_seq {
            return Ok(());
        }
        if next_seq > SEQ_MAX {
            return Err(SpoolError::SeqExhausted);
        }
        ledger.next_seq = next_seq;
        inner.reserve(next_seq)?;
        inner.commit(ledger, Vec::new())
    }

    /// What happened when the spool had to be opened anew after an error, since
    /// this was asked last.
    #[must_use]
    pub fn take_reports(&self) -> Vec<OpenReport> {
        std::mem::take(&mut self.inner.lock().reports)
    }

    /// What the spool's files take, in bytes.
    #[must_use]
    pub fn size_on_disk(&self) -> u64 {
        self.inner
            .lock()
            .store
            .as_ref()
            .map_or(0, Store::size_on_disk)
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        self.inner.lock().mirror(true);
    }
}

impl Inner {
    /// Opens the store, setting a bad one aside. `starting` is false when a running
    /// spool is opened anew after an error: then only damage sets it aside, since
    /// a full disk or a missing permission passes.
    fn open(&mut self, found: Found, starting: bool) -> Result<OpenReport, SpoolError> {
        let path = self.dir.join("spool");
        let mut report = OpenReport::default();
        let known = match &found {
            Found::Good(sidecar) => Some(sidecar.clone()),
            Found::None | Found::Bad => None,
        };
        let (store, mut ledger, fresh) = match load(&path, &self.options) {
            Ok(loaded) => {
                report.lost_records += loaded.missing;
                (loaded.store, loaded.ledger, loaded.fresh)
            }
            Err(Failure { error, waiting }) => {
                let damaged = matches!(error, SpoolError::Corrupt(_) | SpoolError::Schema { .. });
                if matches!(error, SpoolError::InUse(_)) || !(starting || damaged) {
                    return Err(error);
                }
                let target = aside::set_aside(&self.dir, &path)?;
                match load(&path, &self.options) {
                    Ok(loaded) => {
                        aside::forget_old(&self.dir);
                        report.lost_records += waiting.unwrap_or(0);
                        report.set_aside = Some(SetAside {
                            path: target,
                            reason: error.to_string(),
                        });
                        // Where the store itself can't tell, `ledger.json` does, below.
                        (loaded.store, loaded.ledger, waiting.is_none())
                    }
                    Err(Failure { error, .. }) => {
                        // Nothing is gained, so everything goes back to its place.
                        aside::remove(&path);
                        let _ = std::fs::rename(&target, &path);
                        return Err(error);
                    }
                }
            }
        };
        let new = ledger.next_seq == 0;
        if let Some(sidecar) = &known {
            for (reason, count) in &sidecar.drops {
                let own = ledger.drops.entry(reason.clone()).or_default();
                *own = (*own).max(*count);
            }
            // A store that remembers less than `ledger.json` lost its end.
            let rolled_back = ledger.next_seq < sidecar.next_seq.max(1);
            if fresh {
                report.lost_records += sidecar.waiting;
            } else if rolled_back && report.set_aside.is_none() {
                let lost = sidecar.waiting.saturating_sub(ledger.waiting());
                report.lost_records = report.lost_records.max(lost);
            }
            if rolled_back {
                ledger.next_seq = sidecar.reserved.max(1);
            }
        } else if new {
            let lived_before = matches!(found, Found::Bad) || aside::any(&self.dir);
            ledger.next_seq = if lived_before { clock_floor() } else { 1 };
        }
        ledger.drop_records("spool_lost", report.lost_records);
        self.sidecar = known.unwrap_or_else(|| self.sidecar.clone());
        self.reserve(ledger.next_seq)?;
        self.store = Some(store);
        self.leased_through = None;
        let changes = if self.append_in_doubt && report.set_aside.is_none() {
            self.undo_append(&mut ledger)?
        } else {
            Vec::new()
        };
        self.commit(ledger, changes)?;
        self.append_in_doubt = false;
        self.enforce_quota()?;
        self.mirror(true);
        if !report.is_clean() {
            tracing::warn!(
                reason = report.set_aside.as_ref().map(|aside| aside.reason.as_str()),
                lost_records = report.lost_records,
                next_seq = self.ledger.next_seq,
                "the spool could not be used as it was"
            );
        }
        Ok(report)
    }

    /// The changes that take out what a failed append may have left.
    fn undo_append(&mut self, ledger: &mut Ledger) -> Result<Vec<Change>, SpoolError> {
        let from = self.ledger.next_seq;
        let mut changes = Vec::new();
        if ledger.next_seq <= from {
            return Ok(changes);
        }
        let Some(store) = &self.store else {
            return Ok(changes);
        };
        for (tree, class) in CLASSES {
            store.scan(tree, |key, value| {
                let (count, seq, _) =
                    codec::header(value).map_err(|Malformed| damaged("a chunk", key))?;
                if seq >= from {
                    ledger.totals(class).remove(count, value.len());
                    changes.push(Change::Remove(tree, key.to_vec()));
                }
                Ok(true)
            })?;
        }
        ledger.next_seq = from;
        Ok(changes)
    }

    /// Opens the store again after an error; returns the ledger.
    fn ready(&mut self) -> Result<&Ledger, SpoolError> {
        if self.store.is_none() {
            let report = self.open(Found::Good(self.sidecar.clone()), false)?;
            if !report.is_clean() {
                self.reports.push(report);
            }
        }
        Ok(&self.ledger)
    }

    fn read<T>(
        &mut self,
        read: impl FnOnce(&Store) -> Result<T, SpoolError>,
    ) -> Result<T, SpoolError> {
        self.ready()?;
        let Some(store) = &self.store else {
            return Err(SpoolError::Corrupt("the spool is closed".into()));
        };
        let result = read(store);
        if result.is_err() {
            self.store = None;
        }
        result
    }

    fn label_sent(&mut self, hash: LabelHash) -> Result<bool, SpoolError> {
        self.read(|store| Ok(store.get(Tree::Labels, &hash.0)?.is_some()))
    }

    fn append(
        &mut self,
        records: &[NewRecord],
        mut changes: Vec<Change>,
        adjust: impl FnOnce(&mut Ledger),
    ) -> Result<Range<u64>, SpoolError> {
        let mut ledger = self.ready()?.clone();
        let first = ledger.next_seq;
        let end = first + records.len() as u64;
        if end > SEQ_MAX {
            return Err(SpoolError::SeqExhausted);
        }
        self.check_free_space()?;
        self.reserve(end)?;
        for (tree, class) in CLASSES {
            let items: Vec<Item<'_>> = (first..)
                .zip(records)
                .filter(|(_, record)| Class::of(&record.record) == class)
                .map(|(seq, record)| Item::new(seq, record))
                .collect();
            for chunk in items.chunks(CHUNK_RECORDS) {
                let value = codec::encode(chunk);
                ledger.totals(class).add(chunk.len() as u64, value.len());
                changes.push(Change::Put(tree, chunk_key(chunk[0].seq), value));
            }
        }
        ledger.next_seq = end;
        adjust(&mut ledger);
        if let Err(error) = self.commit(ledger, changes) {
            self.append_in_doubt = true;
            return Err(error);
        }
        // The records are stored: that the quota couldn't be kept is no reason to
        // say otherwise, and the next call tries again.
        if let Err(error) = self.enforce_quota() {
            tracing::warn!(%error, "the spool's quota could not be enforced");
        }
        self.mirror(false);
        Ok(first..end)
    }

    fn settle(&mut self, through: u64, refused: &[Refusal]) -> Result<(), SpoolError> {
        let mut ledger = self.ready()?.clone();
        let reasons: HashMap<u64, &Refusal> = refused.iter().map(|one| (one.seq, one)).collect();
        let mut changes = Vec::new();
        let mut letters = BTreeMap::new();
        let dead_letters_max = self.options.dead_letters_max;
        self.read(|store| {
            for (tree, class) in CLASSES {
                store.scan(tree, |key, value| {
                    let (count, seq, _) =
                        codec::header(value).map_err(|Malformed| damaged("a chunk", key))?;
                    if seq > through {
                        return Ok(false);
                    }
                    ledger.totals(class).remove(count, value.len());
                    changes.push(Change::Remove(tree, key.to_vec()));
                    let records = decode(value)?;
                    let split = records.partition_point(|record| record.seq <= through);
                    for record in &records[..split] {
                        if let Some(reason) = reasons.get(&record.seq) {
                            letters.insert(record.seq, dead_letter(record, reason));
                        }
                    }
                    if let [first, ..] = &records[split..] {
                        let rest: Vec<Item<'_>> =
                            records[split..].iter().map(Item::stored).collect();
                        let value = codec::encode(&rest);
                        ledger.totals(class).add(rest.len() as u64, value.len());
                        changes.push(Change::Put(tree, chunk_key(first.seq), value));
                    }
                    Ok(true)
                })?;
            }
            ledger.drop_records("rejected", letters.len() as u64);
            ledger.dead += letters.len() as u64;
            for (seq, letter) in letters {
                changes.push(Change::Put(Tree::Dead, chunk_key(seq), letter));
            }
            // New ones have higher numbers than those that are there, so the
            // oldest to go are found in the tree, except for what is beyond it.
            let mut excess = ledger.dead.saturating_sub(dead_letters_max);
            ledger.dead -= excess;
            store.scan(Tree::Dead, |key, _| {
                if excess == 0 {
                    return Ok(false);
                }
                excess -= 1;
                changes.push(Change::Remove(Tree::Dead, key.to_vec()));
                Ok(true)
            })?;
            changes.retain(|change| {
                let surplus = excess > 0 && matches!(change, Change::Put(Tree::Dead, ..));
                excess -= u64::from(surplus);
                !surplus
            });
            Ok(())
        })?;
        self.leased_through = None;
        self.commit(ledger, changes)?;
        self.mirror(false);
        Ok(())
    }

    /// Drops the oldest events until the rest fits, and the oldest of the others
    /// when no event is left.
    fn enforce_quota(&mut self) -> Result<(), SpoolError> {
        let quota = self.options.quota_bytes;
        if self.ledger.size_bytes() <= quota {
            return Ok(());
        }
        let mut ledger = self.ready()?.clone();
        let leased_through = self.leased_through;
        let mut changes = Vec::new();
        self.read(|store| {
            for ((tree, class), reason) in CLASSES.into_iter().zip(["quota", "quota_kept"]) {
                store.scan(tree, |key, value| {
                    if ledger.size_bytes() <= quota {
                        return Ok(false);
                    }
                    let (count, seq, _) =
                        codec::header(value).map_err(|Malformed| damaged("a chunk", key))?;
                    if leased_through.is_none_or(|through| seq > through) {
                        ledger.totals(class).remove(count, value.len());
                        ledger.drop_records(reason, count);
                        changes.push(Change::Remove(tree, key.to_vec()));
                    }
                    Ok(true)
                })?;
            }
            Ok(())
        })?;
        self.commit(ledger, changes)
    }

    /// Stores changes together with the ledger that counts them.
    fn commit(&mut self, ledger: Ledger, mut changes: Vec<Change>) -> Result<(), SpoolError> {
        changes.push(ledger.put());
        self.read(|store| store.commit(&changes))?;
        self.ledger = ledger;
        Ok(())
    }

    fn check_free_space(&self) -> Result<(), SpoolError> {
        let free = fs2::available_space(&self.dir)
            .map_err(|error| SpoolError::io("ask for free space", error))?;
        if free < self.options.min_free_bytes {
            return Err(SpoolError::Full(format!(
                "{free} bytes are free and {} are left to others",
                self.options.min_free_bytes
            )));
        }
        Ok(())
    }

    /// Makes sure that all numbers below `end` are reserved on disk.
    fn reserve(&mut self, end: u64) -> Result<(), SpoolError> {
        if end < self.sidecar.reserved {
            return Ok(());
        }
        let sidecar = Sidecar {
            reserved: end + RESERVE_STEP,
            ..self.sidecar.clone()
        };
        sidecar::write(&self.dir, &sidecar)
            .map_err(|error| SpoolError::io("reserve sequence numbers", error))?;
        self.sidecar = sidecar;
        Ok(())
    }

    /// Lets `ledger.json` follow the counters, now and then or at once.
    fn mirror(&mut self, now: bool) {
        if !now && self.mirrored.elapsed() < MIRROR_EVERY {
            return;
        }
        let sidecar = Sidecar {
            reserved: self.sidecar.reserved,
            next_seq: self.ledger.next_seq,
            waiting: self.ledger.waiting(),
            drops: self.ledger.drops.clone(),
        };
        self.mirrored = Instant::now();
        if sidecar == self.sidecar {
            return;
        }
        match sidecar::write(&self.dir, &sidecar) {
            Ok(()) => self.sidecar = sidecar,
            Err(error) => tracing::warn!(%error, "the spool's ledger.json could not be written"),
        }
    }
}

const CLASSES: [(Tree, Class); 2] = [(Tree::Events, Class::Event), (Tree::Kept, Class::Kept)];

struct Loaded {
    store: Store,
    ledger: Ledger,
    /// The store was empty: begun just now.
    fresh: bool,
    /// Records that its ledger counts and that are not there.
    missing: u64,
}

struct Failure {
    error: SpoolError,
    /// How many records its ledger says waited in it, if it could be read.
    waiting: Option<u64>,
}

impl From<SpoolError> for Failure {
    fn from(error: SpoolError) -> Self {
        Self {
            error,
            waiting: None,
        }
    }
}

/// Opens a store and looks at every chunk in it.
fn load(path: &Path, options: &SpoolOptions) -> Result<Loaded, Failure> {
    let store = Store::open(path, options.cache_bytes)?;
    let schema = store.get(Tree::Meta, SCHEMA_KEY)?;
    let ledger = store.get(Tree::Meta, LEDGER_KEY)?;
    let written = ledger.map(|bytes| Ledger::parse(&bytes)).transpose();
    let waiting = match &written {
        Ok(Some(ledger)) => Some(ledger.waiting()),
        _ => None,
    };
    let fail = |error| Failure { error, waiting };
    let (ledger, fresh) = match (schema.as_deref(), written) {
        (None, Ok(None)) => {
            let schema = SCHEMA_VERSION.to_le_bytes().to_vec();
            store.commit(&[Change::Put(Tree::Meta, SCHEMA_KEY.to_vec(), schema)])?;
            (Ledger::default(), true)
        }
        (Some(schema), written) => {
            let found = schema.try_into().map_or(0, u32::from_le_bytes);
            if found != SCHEMA_VERSION {
                return Err(fail(SpoolError::Schema {
                    found,
                    known: SCHEMA_VERSION,
                }));
            }
            match written {
                Ok(written) => (written.unwrap_or_default(), false),
                Err(Malformed) => return Err(fail(damaged("the ledger", LEDGER_KEY))),
            }
        }
        (None, _) => return Err(fail(damaged("the schema version", SCHEMA_KEY))),
    };
    let counted = count(&store).map_err(fail)?;
    let missing = ledger.waiting().saturating_sub(counted.waiting());
    let ledger = Ledger {
        next_seq: ledger.next_seq.max(counted.next_seq),
        drops: ledger.drops,
        ..counted
    };
    Ok(Loaded {
        store,
        ledger,
        fresh,
        missing,
    })
}

/// Counts what is there, and decodes all of it, so that damage shows at once.
fn count(store: &Store) -> Result<Ledger, SpoolError> {
    let mut ledger = Ledger::default();
    for (tree, class) in CLASSES {
        let mut last = 0;
        store.scan(tree, |key, value| {
            let records = decode(value)?;
            let (Some(first), Some(end)) = (records.first(), records.last()) else {
                return Err(damaged("a chunk", key));
            };
            if key != chunk_key(first.seq) || first.seq <= last {
                return Err(damaged("a chunk", key));
            }
            last = end.seq;
            ledger.totals(class).add(records.len() as u64, value.len());
            Ok(true)
        })?;
        ledger.next_seq = ledger.next_seq.max(last + 1);
    }
    value::check(store)?;
    store.scan(Tree::Dead, |key, value| {
        parse_dead_letter(value).map_err(|Malformed| damaged("a dead letter", key))?;
        ledger.dead += 1;
        Ok(true)
    })?;
    store.scan(Tree::Labels, |_, _| {
        ledger.labels += 1;
        Ok(true)
    })?;
    if ledger.waiting() == 0 {
        ledger.next_seq = 0;
    }
    Ok(ledger)
}

fn decode(value: &[u8]) -> Result<Vec<StoredRecord>, SpoolError> {
    codec::decode(value).map_err(|Malformed| SpoolError::Corrupt("a chunk can't be read".into()))
}

fn damaged(what: &str, key: &[u8]) -> SpoolError {
    SpoolError::Corrupt(format!("{what} ({}) can't be read", key.escape_ascii()))
}

fn chunk_key(seq: u64) -> Vec<u8> {
    seq.to_be_bytes().to_vec()
}

fn value_key(name: &str) -> Vec<u8> {
    format!("value.{name}").into_bytes()
}

fn dead_letter(record: &StoredRecord, reason: &Refusal) -> Vec<u8> {
    let mut out = Writer::default();
    out.text(&reason.code);
    let message: String = reason.message.chars().take(MESSAGE_CHARS_MAX).collect();
    out.text(&message);
    out.0.extend(codec::encode(&[Item::stored(record)]));
    out.0
}

fn parse_dead_letter(value: &[u8]) -> Result<DeadLetter, Malformed> {
    let mut input = Reader(value);
    let code = input.text()?.to_owned();
    let message = input.text()?.to_owned();
    let record = codec::decode(input.0)?.pop().ok_or(Malformed)?;
    Ok(DeadLetter {
        record,
        code,
        message,
    })
}

/// A number that no device has reached: a thousand for each second since 1970. It
/// is where numbers go on when both the spool and `ledger.json` are lost.
fn clock_floor() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(1, |since| since.as_secs() * 1_000)
}
