//! What a listener has been told, small enough to travel as an event's id.
//!
//! Everything up to the watermark counts as told; of what came after it, the keys are
//! listed. Servers' clocks and the ways between servers differ, so that an event may arrive
//! after one of a later stamp: for [`WINDOW_US`] the list tells the two apart. Nothing of it
//! is kept on a server, so that any server can go on from it.

use std::collections::VecDeque;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// How far back keys are listed.
const WINDOW_US: u64 = 5_000_000;
/// Keys listed at most. An id has some 350 characters then.
pub(super) const LISTED_MAX: usize = 40;
/// Bytes of a key that are listed.
const HASH_BYTES: usize = 6;

type Hash = [u8; HASH_BYTES];

/// What a listener has been told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    watermark: u64,
    listed: VecDeque<(u64, Hash)>,
}

fn hash(key: Uuid) -> Hash {
    // Of the whole key: clients mint ids of any version, and some end alike on one computer.
    let digest = Sha256::digest(key.as_bytes());
    std::array::from_fn(|at| digest[at])
}

impl Seen {
    /// A listener who begins at a stamp.
    pub(super) fn from(watermark: u64) -> Self {
        Self {
            watermark,
            listed: VecDeque::new(),
        }
    }

    pub(super) fn watermark(&self) -> u64 {
        self.watermark
    }

    /// Whether the key is listed.
    pub(super) fn contains(&self, key: Uuid) -> bool {
        let hash = hash(key);
        self.listed.iter().any(|(_, listed)| *listed == hash)
    }

    /// The listener is told an event.
    pub(super) fn add(&mut self, stamp: u64, key: Uuid) {
        self.listed.push_back((stamp, hash(key)));
        let newest = self.listed.iter().map(|(stamp, _)| *stamp).max();
        let horizon = newest.unwrap_or(stamp).saturating_sub(WINDOW_US);
        while let Some((oldest, _)) = self.listed.front()
            && (self.listed.len() > LISTED_MAX || *oldest <= horizon)
        {
            self.watermark = self.watermark.max(*oldest);
            self.listed.pop_front();
        }
    }

    /// As an event's id.
    pub(super) fn id(&self) -> String {
        let mut bytes = self.watermark.to_be_bytes().to_vec();
        for (stamp, hash) in &self.listed {
            // The stamp is kept to 65 ms beyond the watermark, rounded down: it only says
            // when the key may be dropped.
            let beyond = stamp.saturating_sub(self.watermark) >> 16;
            bytes.extend_from_slice(&u16::try_from(beyond).unwrap_or(u16::MAX).to_be_bytes());
            bytes.extend_from_slice(hash);
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// From an event's id.
    pub(super) fn read(id: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(id).ok()?;
        let (watermark, rest) = bytes.split_first_chunk::<8>()?;
        let watermark = u64::from_be_bytes(*watermark);
        let (entries, []) = rest.as_chunks::<{ 2 + HASH_BYTES }>() else {
            return None;
        };
        if entries.len() > LISTED_MAX {
            return None;
        }
        let listed = entries.iter().map(|[high, low, hash @ ..]| {
            let beyond = u64::from(u16::from_be_bytes([*high, *low])) << 16;
            (watermark.saturating_add(beyond), *hash)
        });
        Some(Self {
            watermark,
            listed: listed.collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::{LISTED_MAX, Seen, WINDOW_US};

    #[test]
    fn an_id_says_what_was_told() {
        let mut seen = Seen::from(1_000_000);
        let keys: Vec<Uuid> = (0..100).map(|_| Uuid::now_v7()).collect();
        for (stamp, key) in (2_000_000..).zip(&keys) {
            seen.add(stamp, *key);
            let read = Seen::read(&seen.id()).expect("an id");
            assert_eq!(read.watermark(), seen.watermark());
            assert!(read.contains(*key));
        }
        // What isn't listed lies at or below the watermark.
        for (stamp, key) in (2_000_000..).zip(&keys) {
            assert!(seen.contains(*key) || stamp <= seen.watermark());
        }
        assert!(!seen.contains(Uuid::now_v7()));
        assert!(seen.id().len() < 450);
        for bad in ["", "x", "AAAA", &"A".repeat(9_999), "AAAAAAAAAAAAAA"] {
            assert_eq!(Seen::read(bad), None, "{bad}");
        }
    }

    #[test]
    fn keys_that_begin_or_end_alike_are_told_apart() {
        let mut seen = Seen::from(0);
        let keys: Vec<Uuid> = (1..9_u128)
            .flat_map(|n| [Uuid::from_u128(n), Uuid::from_u128(n << 120)])
            .collect();
        for key in keys {
            assert!(!seen.contains(key), "{key}");
            seen.add(1, key);
        }
    }

    proptest! {
        #[test]
        fn whatever_came_before_counts_as_told(stamps in proptest::collection::vec(0..20_000_000_u64, 1..200)) {
            let mut seen = Seen::from(0);
            let mut told = Vec::new();
            for stamp in stamps {
                let key = Uuid::now_v7();
                seen.add(stamp, key);
                told.push((stamp, key));
                for (stamp, key) in &told {
                    prop_assert!(seen.contains(*key) || *stamp <= seen.watermark());
                }
                // What arrives a little late and wasn't told isn't taken for told, as long
                // as the list has room.
                let newest = told.iter().map(|(stamp, _)| *stamp).max().unwrap_or(0);
                if told.len() <= LISTED_MAX {
                    prop_assert!(seen.watermark() <= newest.saturating_sub(WINDOW_US));
                }
            }
        }
    }
}
