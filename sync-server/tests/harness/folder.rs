//! A folder for the engine, of which a process runs one.
#![allow(unreachable_pub, reason = "tests include it as a module")]

use std::path::{Path, PathBuf};

/// This process' folder, which isn't there yet; what processes before it left is removed.
pub fn own() -> PathBuf {
    let parent = Path::new(env!("CARGO_TARGET_TMPDIR")).join("engines");
    std::fs::create_dir_all(&parent).expect("a folder");
    let own = std::process::id().to_string();
    for entry in std::fs::read_dir(&parent).expect("a folder").flatten() {
        let name = entry.file_name();
        if *name == *own || !Path::new("/proc").join(&name).exists() {
            // Another process may be at the same.
            drop(std::fs::remove_dir_all(entry.path()));
        }
    }
    parent.join(own)
}
