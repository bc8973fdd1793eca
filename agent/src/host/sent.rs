//! What was sent lately, for the person to see. A log of batches without their content.

use std::collections::VecDeque;
use std::path::PathBuf;

use parking_lot::Mutex;

use crate::config::write_private;
use crate::desktop::view::SentBatch;

/// Batches that are remembered: about two days of work, 20 KB.
const BATCHES_MAX: usize = 500;

/// The log, in memory and in a file.
pub(super) struct SentLog {
    path: PathBuf,
    batches: Mutex<VecDeque<SentBatch>>,
}

impl SentLog {
    /// Reads what the last run left; a log that can't be read is begun anew.
    pub(super) fn load(path: PathBuf) -> Self {
        let batches = std::fs::read(&path)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        Self {
            path,
            batches: Mutex::new(batches),
        }
    }

    /// A batch arrived. Called at most about once a second.
    pub(super) fn note(&self, batch: SentBatch) {
        let bytes = {
            let mut batches = self.batches.lock();
            batches.push_back(batch);
            while batches.len() > BATCHES_MAX {
                batches.pop_front();
            }
            serde_json::to_vec(&*batches)
        };
        let written = bytes
            .map_err(std::io::Error::other)
            .and_then(|bytes| write_private(&self.path, &bytes));
        if let Err(error) = written {
            tracing::warn!(%error, "the log of what was sent can't be written");
        }
    }

    /// When the server last took a batch.
    pub(super) fn last_at(&self) -> Option<jiff::Timestamp> {
        self.batches.lock().back().map(|batch| batch.at)
    }

    /// All of it, the newest first.
    pub(super) fn list(&self) -> Vec<SentBatch> {
        self.batches.lock().iter().rev().cloned().collect()
    }
}
