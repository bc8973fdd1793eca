//! Writes the spool into new files, in which nothing is left of what was removed.
//!
//! sled appends: what was removed can be read in its file until the place is used again, which may be never. Who deletes
//! what is known of them means the disk, too.
//!
//! **Invariant:** whenever a crash comes, one whole spool is there: in its place, or as `spool.old` where its place is
//! empty. Nothing is removed or stored by this.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::SpoolError;
use crate::aside;
use crate::inner::Inner;
use crate::sidecar::sync_dir;
use crate::store::{Store, wait_for_close};

/// Where the spool is written to.
fn new_place(dir: &Path) -> PathBuf {
    dir.join("spool.new")
}

/// Where the one from before is until the new one is in its place.
fn old_place(dir: &Path) -> PathBuf {
    dir.join("spool.old")
}

/// Puts in order what a crash left behind.
pub(crate) fn recover(dir: &Path) -> Result<(), SpoolError> {
    let (spool, old) = (dir.join("spool"), old_place(dir));
    if old.exists() && !spool.exists() {
        fs::rename(&old, &spool).map_err(failed)?;
    }
    aside::remove(&old);
    aside::remove(&new_place(dir));
    Ok(())
}

impl Inner {
    /// Writes everything anew after something was removed. What was removed is no less so where that fails.
    pub(crate) fn leave_nothing_behind(&mut self) {
        if let Err(error) = self.write_anew() {
            aside::remove(&new_place(&self.dir));
            tracing::warn!(%error, "what was removed stays in the spool's file until its place is used again");
        }
    }

    fn write_anew(&mut self) -> Result<(), SpoolError> {
        let (spool, old, new) = (
            self.dir.join("spool"),
            old_place(&self.dir),
            new_place(&self.dir),
        );
        aside::remove(&new);
        let cache_bytes = self.options.cache_bytes;
        self.read(|store| store.copy_to(&Store::open(&new, cache_bytes)?))?;
        let leased_through = self.leased_through;
        self.store = None;
        // A thread of sled's that ends late would else write a file into the folder that takes the place of its own.
        wait_for_close(&spool)?;
        wait_for_close(&new)?;
        fs::rename(&spool, &old).map_err(failed)?;
        if let Err(error) = fs::rename(&new, &spool) {
            fs::rename(&old, &spool).map_err(failed)?;
            return Err(failed(error));
        }
        sync_dir(&self.dir).map_err(failed)?;
        aside::remove(&old);
        self.ready()?;
        self.leased_through = leased_through;
        Ok(())
    }
}

fn failed(error: io::Error) -> SpoolError {
    SpoolError::io("write the spool anew", error)
}
