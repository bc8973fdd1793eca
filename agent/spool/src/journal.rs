//! What was recorded lately, for the person to see: copies that stay when the records leave.
//!
//! **Invariant:** a copy is stored in the commit of its record, so that the journal shows what was stored and
//! nothing else. It holds what the record holds: hashes, never a title.

use std::collections::BTreeSet;
use std::time::{Duration, Instant, SystemTime};

use snag_wire::{EventKind, Record};

use crate::codec::{self, Item};
use crate::inner::Inner;
use crate::keys::{CLASSES, chunk_key, decode};
use crate::record::{NewRecord, Removed, StoredRecord, Waiting};
use crate::store::{Change, Store, Tree};
use crate::{Spool, SpoolError};

/// How often what is too old is looked for.
const PRUNE_EVERY: Duration = Duration::from_secs(3_600);

/// Copies that are kept at most: a week of somebody who changes windows 8,000 times a day.
const COPIES_MAX: usize = 60_000;

fn journal_key(at_ms: i64, seq: u64) -> Vec<u8> {
    let at_ms = u64::try_from(at_ms).unwrap_or(0);
    [at_ms.to_be_bytes(), seq.to_be_bytes()].concat()
}

fn parse_key(key: &[u8]) -> Option<(i64, u64)> {
    let (at_ms, seq) = key.split_first_chunk::<8>()?;
    let at_ms = i64::try_from(u64::from_be_bytes(*at_ms)).ok()?;
    Some((at_ms, u64::from_be_bytes(seq.try_into().ok()?)))
}

/// What the person is shown: not single clicks and keys, not labels.
fn is_shown(record: &Record) -> bool {
    match record {
        Record::Event(event) => event.kind == EventKind::Focus,
        Record::Session(_) | Record::Screen(_) | Record::Incident(_) => true,
        Record::Label(_) => false,
    }
}

impl Inner {
    /// Adds the copies of records that get numbers from `first` on, and removes what is too old now and then.
    pub(crate) fn journal(
        &mut self,
        first: u64,
        records: &[NewRecord],
        changes: &mut Vec<Change>,
    ) -> Result<(), SpoolError> {
        if self.options.journal_ms == 0 {
            return Ok(());
        }
        for (seq, record) in (first..).zip(records) {
            if is_shown(&record.record) {
                changes.push(Change::Put(
                    Tree::Journal,
                    journal_key(record.at_ms, seq),
                    codec::encode(&[Item::new(seq, record)]),
                ));
            }
        }
        if self
            .journal_pruned
            .is_some_and(|at| at.elapsed() < PRUNE_EVERY)
        {
            return Ok(());
        }
        let now_ms = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |since| {
                u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
            });
        let oldest_ms = now_ms.saturating_sub(self.options.journal_ms);
        let keys = self.read(journal_keys)?;
        let excess = keys.len().saturating_sub(COPIES_MAX);
        for (position, key) in keys.into_iter().enumerate() {
            let old = parse_key(&key)
                .is_none_or(|(at_ms, _)| u64::try_from(at_ms).unwrap_or(0) < oldest_ms);
            if old || position < excess {
                changes.push(Change::Remove(Tree::Journal, key));
            }
        }
        self.journal_pruned = Some(Instant::now());
        Ok(())
    }
}

fn journal_keys(store: &Store) -> Result<Vec<Vec<u8>>, SpoolError> {
    let mut keys = Vec::new();
    store.scan(Tree::Journal, |key, _| {
        keys.push(key.to_vec());
        Ok(true)
    })?;
    Ok(keys)
}

impl Spool {
    /// The copies of what was recorded from one moment to before another (milliseconds since 1970), by time.
    /// What can't be read is left out.
    ///
    /// # Errors
    /// When the spool can't be read.
    pub fn journal(&self, from_ms: i64, to_ms: i64) -> Result<Vec<StoredRecord>, SpoolError> {
        self.inner.lock().read(|store| {
            let mut records = Vec::new();
            store.scan(Tree::Journal, |key, value| {
                let Some((at_ms, _)) = parse_key(key) else {
                    return Ok(true);
                };
                if at_ms >= from_ms && at_ms < to_ms {
                    records.extend(decode(value).unwrap_or_default());
                }
                Ok(at_ms < to_ms)
            })?;
            Ok(records)
        })
    }

    /// When each copy's record began (milliseconds since 1970), by time.
    ///
    /// # Errors
    /// When the spool can't be read.
    pub fn journal_times(&self) -> Result<Vec<i64>, SpoolError> {
        let keys = self.inner.lock().read(journal_keys)?;
        Ok(keys
            .iter()
            .filter_map(|key| parse_key(key))
            .map(|(at_ms, _)| at_ms)
            .collect())
    }

    /// Removes the copies from one moment to before another. Records that wait are not touched. Returns how many.
    ///
    /// # Errors
    /// Nothing was removed.
    pub fn forget_journal(&self, from_ms: i64, to_ms: i64) -> Result<u64, SpoolError> {
        let mut inner = self.inner.lock();
        let keys = inner.read(journal_keys)?;
        let changes: Vec<Change> = keys
            .into_iter()
            .filter(|key| parse_key(key).is_none_or(|(at_ms, _)| at_ms >= from_ms && at_ms < to_ms))
            .map(|key| Change::Remove(Tree::Journal, key))
            .collect();
        let count = changes.len() as u64;
        let ledger = inner.ready()?.clone();
        inner.commit(ledger, changes)?;
        inner.leave_nothing_behind();
        Ok(count)
    }

    /// Records that wait, after a sequence number and by rising `seq`, at most `max`; unlike
    /// [`peek`](Self::peek) for showing only.
    ///
    /// # Errors
    /// When the spool can't be read.
    pub fn list(&self, after: u64, max: usize) -> Result<Vec<StoredRecord>, SpoolError> {
        Ok(self.list_counted(after, max)?.0)
    }

    /// The same, and what waits in all at that moment.
    ///
    /// # Errors
    /// When the spool can't be read.
    pub fn list_counted(
        &self,
        after: u64,
        max: usize,
    ) -> Result<(Vec<StoredRecord>, Waiting), SpoolError> {
        let mut inner = self.inner.lock();
        let records = inner.read(|store| {
            let mut records = Vec::new();
            for (tree, _) in CLASSES {
                let mut count = 0;
                store.scan(tree, |_, value| {
                    if count >= max {
                        return Ok(false);
                    }
                    let chunk = decode(value)?;
                    let newer = chunk.into_iter().filter(|record| record.seq > after);
                    let before = records.len();
                    records.extend(newer);
                    count += records.len() - before;
                    Ok(true)
                })?;
            }
            records.sort_unstable_by_key(|record: &StoredRecord| record.seq);
            records.truncate(max);
            Ok(records)
        })?;
        Ok((records, inner.ledger.told()))
    }

    /// Removes records that wait, and their copies: those named, or all. They count as dropped for `reason`; their
    /// numbers are given to no other. What is on its way to the server already stays until that is over, and is
    /// removed then where it didn't arrive.
    ///
    /// # Errors
    /// Nothing was removed.
    pub fn remove(
        &self,
        seqs: Option<&BTreeSet<u64>>,
        reason: &str,
    ) -> Result<Removed, SpoolError> {
        let removed = self.inner.lock().remove(seqs, reason)?;
        self.changed();
        Ok(removed)
    }
}

impl Inner {
    /// Removes what was to be removed while it was on its way, and didn't arrive as far as is known.
    pub(crate) fn remove_doomed(&mut self) -> Result<(), SpoolError> {
        self.leased_through = None;
        let Some((reason, seqs)) = self.doomed.clone() else {
            return Ok(());
        };
        self.remove(Some(&seqs), &reason)?;
        self.doomed = None;
        Ok(())
    }

    fn remove(
        &mut self,
        seqs: Option<&BTreeSet<u64>>,
        reason: &str,
    ) -> Result<Removed, SpoolError> {
        let mut ledger = self.ready()?.clone();
        let leased_through = self.leased_through.unwrap_or(0);
        let mut changes = Vec::new();
        let mut removed = BTreeSet::new();
        let mut leaving = BTreeSet::new();
        self.read(|store| {
            for (tree, class) in CLASSES {
                store.scan(tree, |key, value| {
                    let records = decode(value)?;
                    let named =
                        |record: &StoredRecord| seqs.is_none_or(|seqs| seqs.contains(&record.seq));
                    let goes = |record: &StoredRecord| record.seq > leased_through && named(record);
                    leaving.extend(
                        records
                            .iter()
                            .filter(|record| record.seq <= leased_through && named(record))
                            .map(|record| record.seq),
                    );
                    let kept: Vec<&StoredRecord> =
                        records.iter().filter(|record| !goes(record)).collect();
                    if kept.len() == records.len() {
                        return Ok(true);
                    }
                    removed.extend(records.iter().filter(|record| goes(record)).map(|r| r.seq));
                    ledger
                        .totals(class)
                        .remove(records.len() as u64, value.len());
                    changes.push(Change::Remove(tree, key.to_vec()));
                    if let Some(first) = kept.first() {
                        let items: Vec<Item<'_>> =
                            kept.iter().map(|record| Item::stored(record)).collect();
                        let value = codec::encode(&items);
                        ledger.totals(class).add(kept.len() as u64, value.len());
                        changes.push(Change::Put(tree, chunk_key(first.seq), value));
                    }
                    Ok(true)
                })?;
            }
            for key in journal_keys(store)? {
                if parse_key(&key).is_some_and(|(_, seq)| removed.contains(&seq)) {
                    changes.push(Change::Remove(Tree::Journal, key));
                }
            }
            Ok(())
        })?;
        let told = Removed {
            removed: removed.len() as u64,
            leaving: leaving.len() as u64,
        };
        ledger.drop_records(reason, told.removed);
        self.commit(ledger, changes)?;
        if !leaving.is_empty() {
            let doomed = self.doomed.get_or_insert_default();
            reason.clone_into(&mut doomed.0);
            doomed.1.append(&mut leaving);
        }
        self.leave_nothing_behind();
        self.mirror(true);
        Ok(told)
    }
}
