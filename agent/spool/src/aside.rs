//! Moves a spool that can't be opened out of the way, and no more than a few of them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::SpoolError;

/// How many set-aside spools are kept: one to look at, two more in case it was
/// the disk. Each can be as large as the quota.
const KEPT: u64 = 3;
const PREFIX: &str = "spool.aside-";

/// Renames `spool` and returns its new name.
pub(crate) fn set_aside(dir: &Path, spool: &Path) -> Result<PathBuf, SpoolError> {
    let newest = numbers(dir).into_iter().max().unwrap_or(0);
    let target = dir.join(format!("{PREFIX}{}", newest + 1));
    fs::rename(spool, &target)
        .map_err(|error| SpoolError::io(format!("set {} aside", spool.display()), error))?;
    Ok(target)
}

/// Deletes all but the newest.
pub(crate) fn forget_old(dir: &Path) {
    let mut numbers = numbers(dir);
    numbers.sort_unstable_by(|a, b| b.cmp(a));
    for number in numbers.into_iter().skip(KEPT as usize) {
        remove(&dir.join(format!("{PREFIX}{number}")));
    }
}

/// Deletes a file or folder, whichever it is.
pub(crate) fn remove(path: &Path) {
    if fs::remove_dir_all(path).is_err() {
        let _ = fs::remove_file(path);
    }
}

/// Whether a spool was ever set aside here.
pub(crate) fn any(dir: &Path) -> bool {
    !numbers(dir).is_empty()
}

fn numbers(dir: &Path) -> Vec<u64> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| {
            entry
                .file_name()
                .to_str()?
                .strip_prefix(PREFIX)?
                .parse()
                .ok()
        })
        .collect()
}
