//! The bytes of a chunk: some records that were stored together.
//!
//! A chunk has its own dictionaries of places and roles, times and sequence
//! numbers as differences, and integers in as few bytes as they need, so that an
//! event takes some 6 to 16 bytes. It is one value in sled, whose own overhead per
//! value would else outweigh the records.
//!
//! **Invariant:** what [`encode`] writes, [`decode`] of this and every later
//! schema version reads; a change here needs a new [`crate::SCHEMA_VERSION`] and
//! a fixture in `tests/fixtures`.

mod read;
mod write;

use snag_wire::{EventKind, LabelKind, Record};

pub(crate) use crate::bytes::{Malformed, Reader, Writer};
use crate::record::{NewRecord, Place, StoredRecord};
pub(crate) use read::{decode, header};
pub(crate) use write::encode;

const KINDS: [EventKind; 8] = [
    EventKind::Click,
    EventKind::Drag,
    EventKind::Scroll,
    EventKind::Move,
    EventKind::Key,
    EventKind::Focus,
    EventKind::Task,
    EventKind::Error,
];
const LABEL_KINDS: [LabelKind; 4] = [
    LabelKind::Screen,
    LabelKind::Element,
    LabelKind::Task,
    LabelKind::Error,
];

/// A record with its sequence number, borrowed from wherever it is.
pub(crate) struct Item<'a> {
    pub(crate) seq: u64,
    pub(crate) at_ms: i64,
    pub(crate) place: &'a Place,
    pub(crate) path: &'a [Place],
    pub(crate) record: &'a Record,
}

impl<'a> Item<'a> {
    pub(crate) fn new(seq: u64, record: &'a NewRecord) -> Self {
        Self {
            seq,
            at_ms: record.at_ms,
            place: &record.place,
            path: &record.path,
            record: &record.record,
        }
    }

    pub(crate) fn stored(record: &'a StoredRecord) -> Self {
        Self {
            seq: record.seq,
            at_ms: record.at_ms,
            place: &record.place,
            path: &record.path,
            record: &record.record,
        }
    }
}

const EVENT: u8 = 0;
const SESSION: u8 = 1;
const SCREEN: u8 = 2;
const INCIDENT: u8 = 3;
const LABEL: u8 = 4;

/// The low three bits of a record's first byte say its type, the others which of
/// its optional fields follow.
const HAS_A: u8 = 1 << 3;
const HAS_B: u8 = 1 << 4;
const HAS_C: u8 = 1 << 5;
const HAS_D: u8 = 1 << 6;
