//! `ledger.json`: what has to survive the loss of the spool itself.
//!
//! Sequence numbers must never repeat, whatever happens to the spool's files, so
//! they are reserved here in steps before any of them is used. Beside the
//! reserve stand the drop counters and how many records waited lately, from which
//! a lost spool's records are counted.
//!
//! The file is replaced as a whole (temporary name, fsync, rename, fsync of the folder).

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// How many sequence numbers are reserved at once. One write of the file per
/// 100,000 records costs nothing, and 2^53 numbers bear the loss of as many
/// with each lost spool.
pub(crate) const RESERVE_STEP: u64 = 100_000;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sidecar {
    /// Numbers below this one may have been used.
    pub(crate) reserved: u64,
    /// The next number when the file was written: the spool's own can't be lower.
    pub(crate) next_seq: u64,
    /// Records that waited to be sent when the file was written.
    pub(crate) waiting: u64,
    /// Dropped records by reason, since the device was enrolled.
    pub(crate) drops: BTreeMap<String, u64>,
}

/// What was found at start.
#[derive(Debug)]
pub(crate) enum Found {
    None,
    Good(Sidecar),
    Bad,
}

pub(crate) fn path(dir: &Path) -> PathBuf {
    dir.join("ledger.json")
}

/// What can't be read is removed, or it could not be replaced either.
pub(crate) fn read(dir: &Path) -> Found {
    match fs::read(path(dir)) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_or(Found::Bad, Found::Good),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Found::None,
        Err(_) => {
            crate::aside::remove(&path(dir));
            Found::Bad
        }
    }
}

pub(crate) fn write(dir: &Path, sidecar: &Sidecar) -> io::Result<()> {
    let temporary = dir.join("ledger.json.new");
    let bytes = serde_json::to_vec(sidecar).map_err(io::Error::other)?;
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&temporary)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path(dir))?;
    sync_dir(dir)
}

/// Makes a rename in a folder last.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(dir)?.sync_all()?;
    }
    Ok(())
}
