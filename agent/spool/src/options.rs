//! How large a spool may become, and what happened as it was opened.

use std::path::PathBuf;

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
    /// How long copies of what was recorded stay for the person to see; 0 for not at all.
    pub journal_ms: u64,
}

impl Default for SpoolOptions {
    fn default() -> Self {
        Self {
            quota_bytes: 64 << 20,
            cache_bytes: 4 << 20,
            min_free_bytes: 16 << 20,
            dead_letters_max: 5_000,
            journal_ms: 0,
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
