//! The spool's calls.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use snag_wire::limits::SEQ_MAX;
use snag_wire::{DropCount, LabelHash, Record};

use crate::codec::{self, Malformed};
use crate::inner::Inner;
use crate::keys::{damaged, decode};
use crate::record::{DeadLetter, NewRecord, Refusal, StoredRecord, Waiting};
use crate::store::{Change, Store, Tree, create_private_dir};
use crate::{OpenReport, SpoolError, SpoolOptions};
use crate::{letter, sidecar, value};

/// Labels that were stored for sending are remembered by hash, to send each once.
/// An organisation has some thousands; the bound is for a server gone wrong.
const LABELS_MAX: u64 = 100_000;

const STATE_KEY: &[u8] = b"engine";

/// The device's outbox. Shared by the thread that stores and the one that sends.
pub struct Spool {
    pub(crate) inner: Mutex<Inner>,
    /// Is told that there are more or fewer records.
    on_change: Mutex<Option<Arc<dyn Fn() + Send + Sync>>>,
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
        let mut inner = Inner::new(dir, options);
        let report = inner.open(found, true)?;
        Ok((
            Self {
                inner: Mutex::new(inner),
                on_change: Mutex::new(None),
            },
            report,
        ))
    }

    /// Tells `told` whenever records or dead letters were stored or removed here, but by [`settle`](Self::settle):
    /// whoever sends then needn't look. It replaces whom was told before, and may not block.
    pub fn on_change(&self, told: impl Fn() + Send + Sync + 'static) {
        *self.on_change.lock() = Some(Arc::new(told));
    }

    pub(crate) fn changed(&self) {
        let told = self.on_change.lock().clone();
        if let Some(told) = told {
            told();
        }
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
        let range = inner.append(records, changes, |_| {});
        drop(inner);
        self.changed();
        range
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
        drop(inner);
        self.changed();
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
        inner.remove_doomed()?;
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

    /// Gives up what the last [`peek`](Self::peek) took, for the quota to have, and for whoever wanted it removed
    /// meanwhile.
    ///
    /// # Errors
    /// What was to be removed is still there; the next `peek` removes it.
    pub fn release(&self) -> Result<(), SpoolError> {
        self.inner.lock().remove_doomed()?;
        self.changed();
        Ok(())
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
                    letter::parse(value).map_err(|Malformed| damaged("a dead letter", key))?;
                if letter.record.seq > after {
                    letters.push(letter);
                }
                Ok(true)
            })?;
            Ok(letters)
        })
    }

    /// Removes every dead letter; tells how many there were. They stay counted as `rejected`.
    ///
    /// # Errors
    /// Nothing was removed.
    pub fn forget_dead_letters(&self) -> Result<u64, SpoolError> {
        let forgotten = self.inner.lock().forget_dead_letters();
        self.changed();
        forgotten
    }

    /// What waits, from memory.
    #[must_use]
    pub fn waiting(&self) -> Waiting {
        self.inner.lock().ledger.told()
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
        let mut inner = self.inner.lock();
        // Nobody is told any more whether it arrived, and the next start would send it again.
        if let Err(error) = inner.remove_doomed() {
            tracing::error!(%error, "what a person deleted is still there, and will be sent");
        }
        inner.mirror(true);
    }
}

fn value_key(name: &str) -> Vec<u8> {
    format!("value.{name}").into_bytes()
}
