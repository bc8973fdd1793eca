//! What can go wrong with a spool.

use std::io;
use std::path::PathBuf;

/// Why the spool could not do what it was asked.
///
/// After any error nothing of the failed call is stored: the caller keeps what it
/// has (within a bound of its own) and asks again. The spool reopens its files by
/// itself before the next call where that is needed.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// Another process has the spool open. It is not set aside.
    #[error("the spool in {0} is in use by another process")]
    InUse(PathBuf),
    /// The file system has no room, or less than the spool leaves to others.
    #[error("no room to store records: {0}")]
    Full(String),
    /// The operating system refused.
    #[error("cannot {what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// The files don't hold what was written to them.
    #[error("the spool is damaged: {0}")]
    Corrupt(String),
    /// Another version of the agent wrote the spool.
    #[error("the spool has schema version {found}, this agent knows {known}")]
    Schema {
        /// The version on disk.
        found: u32,
        /// The version of this build.
        known: u32,
    },
    /// Sequence numbers have run out: 2^53 records.
    #[error("sequence numbers have run out")]
    SeqExhausted,
}

impl SpoolError {
    /// Whether making room helps.
    #[must_use]
    pub fn is_full(&self) -> bool {
        match self {
            Self::Full(_) => true,
            Self::Io { source, .. } => is_full(source),
            _ => false,
        }
    }

    pub(crate) fn io(what: impl Into<String>, source: io::Error) -> Self {
        let what = what.into();
        if is_full(&source) {
            return Self::Full(format!("{what}: {source}"));
        }
        Self::Io { what, source }
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}
