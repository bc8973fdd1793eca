//! How records are found in the store, and what is said when they can't be read.

use crate::SpoolError;
use crate::codec::{self, Malformed};
use crate::record::{Class, StoredRecord};
use crate::store::Tree;

/// The trees that hold records, and which.
pub(crate) const CLASSES: [(Tree, Class); 2] =
    [(Tree::Events, Class::Event), (Tree::Kept, Class::Kept)];

/// A chunk's key: the `seq` of its first record, so that keys are in its order.
pub(crate) fn chunk_key(seq: u64) -> Vec<u8> {
    seq.to_be_bytes().to_vec()
}

/// A chunk's records.
pub(crate) fn decode(value: &[u8]) -> Result<Vec<StoredRecord>, SpoolError> {
    codec::decode(value).map_err(|Malformed| SpoolError::Corrupt("a chunk can't be read".into()))
}

/// Says what can't be read, by its key; never what it holds.
pub(crate) fn damaged(what: &str, key: &[u8]) -> SpoolError {
    SpoolError::Corrupt(format!("{what} ({}) can't be read", key.escape_ascii()))
}
