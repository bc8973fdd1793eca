//! Values of any size, such as the engine's state, in pieces that sled handles well.
//!
//! The key of a piece is the value's key, a zero byte and the piece's number; the
//! first piece begins with the length of the whole.

use crate::SpoolError;
use crate::store::{Change, Store, Tree};

/// Bytes in a piece: below sled's own node size, so that replacing one rewrites no others.
const PIECE_BYTES: usize = 8 << 10;

fn piece_key(key: &[u8], piece: usize) -> Vec<u8> {
    let number = u32::try_from(piece).unwrap_or(u32::MAX).to_be_bytes();
    [key, &[0], &number].concat()
}

fn piece_count(len: usize) -> usize {
    len.saturating_add(8).div_ceil(PIECE_BYTES)
}

fn stored_len(store: &Store, key: &[u8]) -> Result<Option<usize>, SpoolError> {
    let Some(first) = store.get(Tree::Values, &piece_key(key, 0))? else {
        return Ok(None);
    };
    let len = first.first_chunk().map(|len| u64::from_le_bytes(*len));
    match len.and_then(|len| usize::try_from(len).ok()) {
        Some(len) => Ok(Some(len)),
        None => Err(damaged(key)),
    }
}

fn damaged(key: &[u8]) -> SpoolError {
    SpoolError::Corrupt(format!("the value {} can't be read", key.escape_ascii()))
}

/// The changes that store a value, or remove it.
pub(crate) fn changes(
    store: &Store,
    key: &[u8],
    value: Option<&[u8]>,
) -> Result<Vec<Change>, SpoolError> {
    let old = stored_len(store, key)?.map_or(0, piece_count);
    let mut changes = Vec::new();
    let mut new = 0;
    if let Some(value) = value {
        let whole = [&(value.len() as u64).to_le_bytes(), value].concat();
        for piece in whole.chunks(PIECE_BYTES) {
            changes.push(Change::Put(
                Tree::Values,
                piece_key(key, new),
                piece.to_vec(),
            ));
            new += 1;
        }
    }
    changes.extend((new..old).map(|piece| Change::Remove(Tree::Values, piece_key(key, piece))));
    Ok(changes)
}

/// A value, where it is there.
pub(crate) fn read(store: &Store, key: &[u8]) -> Result<Option<Vec<u8>>, SpoolError> {
    let Some(len) = stored_len(store, key)? else {
        return Ok(None);
    };
    let mut whole = Vec::new();
    for piece in 0..piece_count(len) {
        let part = store.get(Tree::Values, &piece_key(key, piece))?;
        whole.extend(part.ok_or_else(|| damaged(key))?);
    }
    if whole.len() < 8 || whole.len() - 8 != len {
        return Err(damaged(key));
    }
    Ok(Some(whole.split_off(8)))
}

/// Reads every value once, so that damage shows as the spool is opened.
pub(crate) fn check(store: &Store) -> Result<(), SpoolError> {
    let mut keys = Vec::new();
    store.scan(Tree::Values, |key, _| {
        if let Some(key) = key.strip_suffix(&[0; 5]) {
            keys.push(key.to_vec());
        }
        Ok(true)
    })?;
    for key in keys {
        read(store, &key)?;
    }
    Ok(())
}
