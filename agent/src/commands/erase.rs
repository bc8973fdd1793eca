//! `snag-agent erase`: deletes what is kept on this device.

use anyhow::{Context, Result, ensure};

use super::open_spool;
use crate::config::Paths;

/// What to delete.
#[derive(clap::Args)]
pub struct Options {
    /// Yes, delete it
    #[arg(long)]
    yes: bool,
}

/// Deletes records that wait, dead letters, the open session, and spools set aside.
/// The enrolment stays, so that the device need not ask IT again.
///
/// # Errors
/// When the agent is running, or files can't be deleted.
pub fn run(paths: &Paths, options: &Options) -> Result<()> {
    ensure!(
        options.yes,
        "this deletes every record kept on this device; say --yes if that is meant"
    );
    let spool = open_spool(paths)?;
    let waiting = spool.waiting();
    let records = waiting.records() + waiting.dead_letters;
    // Counted as what it is before the files go; numbers go on from where they were.
    spool.settle(waiting.next_seq.saturating_sub(1), &[])?;
    spool.count_drops("erased", waiting.records())?;
    drop(spool);
    for entry in std::fs::read_dir(paths.root())? {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if name == "spool" || name.starts_with("spool.aside-") {
            let removed = if path.is_dir() {
                std::fs::remove_dir_all(&path)
            } else {
                std::fs::remove_file(&path)
            };
            removed.with_context(|| path.display().to_string())?;
        }
    }
    println!(
        "Deleted {records} records. What was sent before is with your organisation; ask them to delete it."
    );
    Ok(())
}
