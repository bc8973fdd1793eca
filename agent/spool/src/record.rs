//! What goes into the spool and what comes out of it.

use std::sync::Arc;

use snag_wire::{LabelHash, Record};

/// Where a record happened. A batch's contexts are made of these.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// The device's session number.
    pub session: u32,
    /// The program's name.
    pub app: Arc<str>,
    /// The hash of the screen's normalised title.
    pub screen: LabelHash,
}

impl Default for Place {
    /// No session, no program, no screen: for records that name none, such as labels.
    fn default() -> Self {
        Self {
            session: 0,
            app: Arc::from(""),
            screen: LabelHash([0; 8]),
        }
    }
}

/// A record to be stored.
///
/// In `record`, the fields `seq`, `context`, `t_ms` and a session's `path` mean
/// nothing yet: the spool gives the sequence number, and the batch that carries
/// the record gives the others from [`at_ms`](Self::at_ms), [`place`](Self::place)
/// and [`path`](Self::path).
#[derive(Debug, Clone, PartialEq)]
pub struct NewRecord {
    /// When it began: milliseconds since 1970 by the device's wall clock.
    pub at_ms: i64,
    /// Where it happened.
    pub place: Place,
    /// The first screens visited, for a session; else empty.
    pub path: Vec<Place>,
    /// The record itself.
    pub record: Record,
}

/// A record as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredRecord {
    /// Its sequence number, which is also in `record`.
    pub seq: u64,
    /// When it began: milliseconds since 1970 by the device's wall clock.
    pub at_ms: i64,
    /// Where it happened.
    pub place: Place,
    /// The first screens visited, for a session; else empty.
    pub path: Vec<Place>,
    /// The record; `context`, `t_ms` and `path` in it are zero and empty.
    pub record: Record,
}

/// What the quota may drop first. Raw events are many and each says little; all
/// else (sessions, screens, incidents, labels, and later feedback) is kept longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Event,
    Kept,
}

impl Class {
    pub(crate) fn of(record: &Record) -> Self {
        match record {
            Record::Event(_) => Self::Event,
            Record::Session(_) | Record::Screen(_) | Record::Incident(_) | Record::Label(_) => {
                Self::Kept
            }
        }
    }
}

/// A record that the server refused, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct DeadLetter {
    /// The record.
    pub record: StoredRecord,
    /// The server's stable code, such as `out_of_range`.
    pub code: String,
    /// The server's sentence, without the record's content.
    pub message: String,
}

/// Names a record that is to become a dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The record's sequence number.
    pub seq: u64,
    /// The server's stable code.
    pub code: String,
    /// The server's sentence.
    pub message: String,
}

/// What waits to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Waiting {
    /// Raw events.
    pub events: u64,
    /// Sessions, screens, incidents, labels.
    pub kept: u64,
    /// What both take, encoded, in bytes.
    pub size_bytes: u64,
    /// Records in the dead-letter tree.
    pub dead_letters: u64,
    /// The sequence number that the next record gets.
    pub next_seq: u64,
}

impl Waiting {
    /// All records that wait to be sent.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.events + self.kept
    }
}

/// What became of records that were to be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Removed {
    /// Removed.
    pub removed: u64,
    /// On their way at that moment.
    pub leaving: u64,
}
