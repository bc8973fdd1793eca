//! What is counted, and stored with every change.

use std::collections::BTreeMap;

use crate::codec::{Malformed, Reader, Writer};
use crate::record::{Class, Waiting};
use crate::store::{Change, Tree};

/// What a chunk costs beside its own bytes, roughly: sled's key and page share.
const CHUNK_OVERHEAD_BYTES: u64 = 24;

pub(crate) const LEDGER_KEY: &[u8] = b"ledger";

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Totals {
    pub(crate) records: u64,
    pub(crate) bytes: u64,
}

impl Totals {
    pub(crate) fn add(&mut self, records: u64, value_bytes: usize) {
        self.records += records;
        self.bytes += value_bytes as u64 + CHUNK_OVERHEAD_BYTES;
    }

    pub(crate) fn remove(&mut self, records: u64, value_bytes: usize) {
        self.records = self.records.saturating_sub(records);
        self.bytes = self
            .bytes
            .saturating_sub(value_bytes as u64 + CHUNK_OVERHEAD_BYTES);
    }
}

/// What is counted. Changed on a copy, which takes its place once the commit that
/// carries it is stored.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger {
    pub(crate) next_seq: u64,
    pub(crate) events: Totals,
    pub(crate) kept: Totals,
    pub(crate) dead: u64,
    pub(crate) labels: u64,
    pub(crate) drops: BTreeMap<String, u64>,
}

impl Ledger {
    pub(crate) fn totals(&mut self, class: Class) -> &mut Totals {
        match class {
            Class::Event => &mut self.events,
            Class::Kept => &mut self.kept,
        }
    }

    pub(crate) fn waiting(&self) -> u64 {
        self.events.records + self.kept.records
    }

    /// The same in its parts, for whoever asks from outside.
    pub(crate) fn told(&self) -> Waiting {
        Waiting {
            events: self.events.records,
            kept: self.kept.records,
            size_bytes: self.size_bytes(),
            dead_letters: self.dead,
            next_seq: self.next_seq,
        }
    }

    pub(crate) fn size_bytes(&self) -> u64 {
        self.events.bytes + self.kept.bytes
    }

    pub(crate) fn drop_records(&mut self, reason: &str, count: u64) {
        if count > 0 {
            *self.drops.entry(reason.to_owned()).or_default() += count;
        }
    }

    pub(crate) fn put(&self) -> Change {
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
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
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
