//! What changes the store: each change as one commit, counted by the ledger in it.
//!
//! **Invariant:** the ledger in memory is the one on disk. It is changed on a copy,
//! which takes its place once the commit that carries it is stored.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use snag_wire::LabelHash;
use snag_wire::limits::SEQ_MAX;

use crate::codec::{self, Item, Malformed};
use crate::keys::{CLASSES, chunk_key, damaged, decode};
use crate::ledger::Ledger;
use crate::load::{Failure, load};
use crate::record::{Class, NewRecord, Refusal};
use crate::sidecar::{self, Found, RESERVE_STEP, Sidecar};
use crate::store::{Change, Store, Tree};
use crate::{OpenReport, SetAside, SpoolError, SpoolOptions};
use crate::{anew, aside, letter};

/// Records in a chunk: enough to share the dictionary and sled's overhead, few
/// enough that dropping or splitting one is nothing.
const CHUNK_RECORDS: usize = 128;

/// How often `ledger.json` follows the counters, which only bounds how exactly the
/// records of a lost spool are counted.
const MIRROR_EVERY: Duration = Duration::from_secs(10);

pub(crate) struct Inner {
    pub(crate) dir: PathBuf,
    pub(crate) options: SpoolOptions,
    /// `None` after an error, until the next call opens it anew.
    pub(crate) store: Option<Store>,
    pub(crate) ledger: Ledger,
    pub(crate) sidecar: Sidecar,
    pub(crate) mirrored: Instant,
    /// Records up to here are on their way to the server, and the quota leaves them.
    pub(crate) leased_through: Option<u64>,
    /// What is to be removed once it is known that it didn't arrive, and the reason. In memory only: a process that
    /// is killed before that sends it again.
    pub(crate) doomed: Option<(String, BTreeSet<u64>)>,
    /// An append failed and may be on disk nevertheless: its records are taken out
    /// as the spool is opened again, because the caller still has them.
    pub(crate) append_in_doubt: bool,
    pub(crate) reports: Vec<OpenReport>,
    /// When the journal was last freed of what is too old.
    pub(crate) journal_pruned: Option<Instant>,
}

impl Inner {
    /// Not open yet.
    pub(crate) fn new(dir: &Path, options: SpoolOptions) -> Self {
        Self {
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
            doomed: None,
            append_in_doubt: false,
            journal_pruned: None,
            reports: Vec::new(),
        }
    }

    /// Opens the store, setting a bad one aside. `starting` is false when a running
    /// spool is opened anew after an error: then only damage sets it aside, since
    /// a full disk or a missing permission passes.
    pub(crate) fn open(&mut self, found: Found, starting: bool) -> Result<OpenReport, SpoolError> {
        let path = self.dir.join("spool");
        anew::recover(&self.dir)?;
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
    pub(crate) fn ready(&mut self) -> Result<&Ledger, SpoolError> {
        if self.store.is_none() {
            let report = self.open(Found::Good(self.sidecar.clone()), false)?;
            if !report.is_clean() {
                self.reports.push(report);
            }
        }
        Ok(&self.ledger)
    }

    pub(crate) fn read<T>(
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

    pub(crate) fn label_sent(&mut self, hash: LabelHash) -> Result<bool, SpoolError> {
        self.read(|store| Ok(store.get(Tree::Labels, &hash.0)?.is_some()))
    }

    pub(crate) fn append(
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
        self.journal(first, records, &mut changes)?;
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

    pub(crate) fn settle(&mut self, through: u64, refused: &[Refusal]) -> Result<(), SpoolError> {
        let mut ledger = self.ready()?.clone();
        let reasons: HashMap<u64, &Refusal> = refused.iter().map(|one| (one.seq, one)).collect();
        let mut changes = Vec::new();
        let mut letters = BTreeMap::new();
        let dead_letters_max = self.options.dead_letters_max;
        // Nobody keeps for a person what they deleted.
        let doomed = self.doomed.as_ref().map(|(_, seqs)| seqs.clone());
        let is_doomed = |seq| doomed.as_ref().is_some_and(|seqs| seqs.contains(&seq));
        let mut rejected = 0;
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
                        let Some(reason) = reasons.get(&record.seq) else {
                            continue;
                        };
                        rejected += 1;
                        if !is_doomed(record.seq) {
                            letters.insert(record.seq, letter::encode(record, reason));
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
            ledger.drop_records("rejected", rejected);
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
        self.commit(ledger, changes)?;
        self.leased_through = None;
        self.mirror(false);
        if let Err(error) = self.remove_doomed() {
            // What was settled is; this is tried again before the next is sent.
            tracing::warn!(%error, "what was to be removed is still there");
        }
        Ok(())
    }

    pub(crate) fn forget_dead_letters(&mut self) -> Result<u64, SpoolError> {
        let mut ledger = self.ready()?.clone();
        let mut changes = Vec::new();
        self.read(|store| {
            store.scan(Tree::Dead, |key, _| {
                changes.push(Change::Remove(Tree::Dead, key.to_vec()));
                Ok(true)
            })
        })?;
        ledger.dead = 0;
        let count = changes.len() as u64;
        self.commit(ledger, changes)?;
        self.leave_nothing_behind();
        self.mirror(false);
        Ok(count)
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
    pub(crate) fn commit(
        &mut self,
        ledger: Ledger,
        mut changes: Vec<Change>,
    ) -> Result<(), SpoolError> {
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
    pub(crate) fn reserve(&mut self, end: u64) -> Result<(), SpoolError> {
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
    pub(crate) fn mirror(&mut self, now: bool) {
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

/// A number that no device has reached: a thousand for each second since 1970. It
/// is where numbers go on when both the spool and `ledger.json` are lost.
fn clock_floor() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(1, |since| since.as_secs() * 1_000)
}
