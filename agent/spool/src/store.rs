//! sled, and everything we know about its habits.
//!
//! - **Flush.** sled's own flush hands pages to the kernel (`sync_file_range`)
//!   without making a grown file's size last. After it we call `fdatasync` on a
//!   handle of our own, and only then is a commit stored.
//! - **A failed write may leave a waiter asleep**: one of sled's error paths sets
//!   the error without waking who waits for the flush. A second flush looks at the
//!   error first and wakes everybody, so that is what we call when one is late.
//! - **Values above 128 KB become files** that are not removed when they are replaced.
//!   So nothing that large is stored in one piece, see [`crate::value`].
//! - **A snapshot that was being written is taken for one.** sled writes it as
//!   `snap.….generating` and gives it its name when it is whole; but at the next start it
//!   reads whatever begins with `snap.`, and a process killed meanwhile leaves half a
//!   file that makes the spool look damaged. So such files are removed before.
//! - **Damage can panic.** Every call into sled is caught and becomes an error.
//! - After any error the handle is thrown away and the files are opened anew.
//! - Garbage is collected by sled's periodic thread only, so that stays on. It also
//!   calls fsync each time, and it can't be told that nothing changed, so that it runs
//!   seldom: it may take half of its interval, which is enough however seldom it is.
//! - **Its pool of threads looks for work every second**, see [`crate::sleepy`].

use std::fs::{self, File};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::task::{Context, Waker};
use std::time::Duration;

use sled::transaction::{
    ConflictableTransactionError, TransactionError, Transactional, TransactionalTree,
};

use crate::SpoolError;
use crate::sleepy::on_sleepy_thread;

/// How long a flush may take before we look whether it fell asleep, and how often
/// we look before we give it up. A spinning disk that wakes up takes 10 s.
const FLUSH_LATE: Duration = Duration::from_secs(3);
const FLUSH_LOOKS: u32 = 20;

/// How often sled collects garbage. Commits are flushed by ourselves.
const GARBAGE_EVERY_MS: u64 = 60_000;

/// A closed spool's lock can outlive it by the moment that sled's threads need to end.
const LOCK_TRIES: u32 = 10;
const LOCK_WAIT: Duration = Duration::from_millis(50);

/// Pairs in one commit of a copy: some hundred kilobytes.
const COPIED_AT_ONCE: usize = 1_024;

/// The trees of the spool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tree {
    /// Chunks of raw events, by the big-endian `seq` of their first record.
    Events,
    /// Chunks of everything else, likewise.
    Kept,
    /// Dead letters by `seq`.
    Dead,
    /// Schema version and ledger. Its format is the same in every version.
    Meta,
    /// The engine's state and the device's small values.
    Values,
    /// Hashes of labels whose text was stored for sending.
    Labels,
    /// Copies of what was recorded lately, by time and `seq`, for the person to see.
    Journal,
}

const TREES: [(Tree, &str); 7] = [
    (Tree::Events, "events"),
    (Tree::Kept, "kept"),
    (Tree::Dead, "dead"),
    (Tree::Meta, "meta"),
    (Tree::Values, "values"),
    (Tree::Labels, "labels"),
    (Tree::Journal, "journal"),
];

/// One change of a commit.
#[derive(Debug)]
pub(crate) enum Change {
    Put(Tree, Vec<u8>, Vec<u8>),
    Remove(Tree, Vec<u8>),
}

pub(crate) struct Store {
    // Dropped in this order: the trees and the flusher hold sled's lock, too.
    flusher: Flusher,
    trees: Vec<sled::Tree>,
    db: sled::Db,
    file: File,
    dir: PathBuf,
}

impl Store {
    pub(crate) fn open(dir: &Path, cache_bytes: u64) -> Result<Self, SpoolError> {
        create_private_dir(dir)?;
        let config = sled::Config::new()
            .path(dir)
            .cache_capacity(cache_bytes)
            .mode(sled::Mode::LowSpace)
            .flush_every_ms(Some(GARBAGE_EVERY_MS));
        let mut tries = 0;
        let db = loop {
            remove_half_snapshots(dir)?;
            match open_sleepily(&config) {
                Err(SpoolError::Io { source, .. }) if is_lock(&source) => {
                    tries += 1;
                    if tries == LOCK_TRIES {
                        return Err(SpoolError::InUse(dir.to_owned()));
                    }
                    std::thread::sleep(LOCK_WAIT);
                }
                other => break other?,
            }
        };
        let trees = guard("open the spool", || {
            TREES.iter().map(|(_, name)| db.open_tree(name)).collect()
        })?;
        let file = File::options()
            .read(true)
            .write(true)
            .open(dir.join("db"))
            .map_err(|error| SpoolError::io("open the spool's file", error))?;
        let store = Self {
            flusher: Flusher::start(db.clone())?,
            trees,
            db,
            file,
            dir: dir.to_owned(),
        };
        restrict_files(dir);
        Ok(store)
    }

    fn tree(&self, tree: Tree) -> &sled::Tree {
        let at = TREES.iter().position(|(one, _)| *one == tree).unwrap_or(0);
        &self.trees[at]
    }

    pub(crate) fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<Vec<u8>>, SpoolError> {
        let value = guard("read the spool", || self.tree(tree).get(key))?;
        Ok(value.map(|value| value.to_vec()))
    }

    /// Calls `each` for a tree's pairs by rising key until it says `false`.
    pub(crate) fn scan(
        &self,
        tree: Tree,
        mut each: impl FnMut(&[u8], &[u8]) -> Result<bool, SpoolError>,
    ) -> Result<(), SpoolError> {
        let mut pairs = self.tree(tree).iter();
        while let Some((key, value)) = guard("read the spool", || pairs.next().transpose())? {
            if !each(&key, &value)? {
                break;
            }
        }
        Ok(())
    }

    /// Makes all changes or none, and returns when they would survive a power cut.
    pub(crate) fn commit(&self, changes: &[Change]) -> Result<(), SpoolError> {
        if changes.is_empty() {
            return Ok(());
        }
        let trees: Vec<&sled::Tree> = self.trees.iter().collect();
        guard("write the spool", || {
            let result = trees[..].transaction(|trees: &Vec<TransactionalTree>| {
                for change in changes {
                    let (Change::Put(tree, ..) | Change::Remove(tree, _)) = change;
                    let at = TREES.iter().position(|(one, _)| one == tree).unwrap_or(0);
                    match change {
                        Change::Put(_, key, value) => {
                            trees[at].insert(key.as_slice(), value.as_slice())?;
                        }
                        Change::Remove(_, key) => {
                            trees[at].remove(key.as_slice())?;
                        }
                    }
                }
                Ok::<_, ConflictableTransactionError<()>>(())
            });
            match result {
                Ok(()) | Err(TransactionError::Abort(())) => Ok(()),
                Err(TransactionError::Storage(error)) => Err(error),
            }
        })?;
        self.flush()
    }

    /// Puts all that is here into another store, which is empty.
    pub(crate) fn copy_to(&self, other: &Self) -> Result<(), SpoolError> {
        for (tree, _) in TREES {
            let mut changes = Vec::new();
            self.scan(tree, |key, value| {
                changes.push(Change::Put(tree, key.to_vec(), value.to_vec()));
                if changes.len() == COPIED_AT_ONCE {
                    other.commit(&changes)?;
                    changes.clear();
                }
                Ok(true)
            })?;
            other.commit(&changes)?;
        }
        Ok(())
    }

    fn flush(&self) -> Result<(), SpoolError> {
        self.flusher.flush()?;
        self.file
            .sync_data()
            .map_err(|error| SpoolError::io("flush the spool", error))
    }

    /// What the spool's files take on disk.
    pub(crate) fn size_on_disk(&self) -> u64 {
        guard("measure the spool", || self.db.size_on_disk()).unwrap_or(0)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.flusher.stop();
        restrict_files(&self.dir);
    }
}

/// A thread that flushes, so that whoever asks can tell a late flush.
struct Flusher {
    requests: Option<SyncSender<()>>,
    answers: Receiver<Result<(), SpoolError>>,
    thread: Option<std::thread::JoinHandle<()>>,
    db: Option<sled::Db>,
}

impl Flusher {
    fn start(db: sled::Db) -> Result<Self, SpoolError> {
        let (requests, asked) = sync_channel::<()>(1);
        let (answer, answers) = sync_channel(1);
        let own = db.clone();
        let thread = std::thread::Builder::new()
            .name("snag-spool-flush".into())
            .spawn(move || {
                while asked.recv().is_ok() {
                    let result = guard("flush the spool", || db.flush().map(drop));
                    if answer.send(result).is_err() {
                        break;
                    }
                }
            })
            .map_err(|error| SpoolError::io("start the spool's thread", error))?;
        Ok(Self {
            requests: Some(requests),
            answers,
            thread: Some(thread),
            db: Some(own),
        })
    }

    fn flush(&self) -> Result<(), SpoolError> {
        let (Some(requests), Some(db)) = (&self.requests, &self.db) else {
            return Err(SpoolError::Corrupt("the spool is closed".into()));
        };
        let gone = || SpoolError::Corrupt("the spool's flush thread ended".into());
        requests.send(()).map_err(|_| gone())?;
        for _ in 0..FLUSH_LOOKS {
            match self.answers.recv_timeout(FLUSH_LATE) {
                Ok(result) => return result,
                Err(RecvTimeoutError::Disconnected) => return Err(gone()),
                Err(RecvTimeoutError::Timeout) => {
                    let db = db.clone();
                    // On a thread of its own, because it may be late just the same.
                    let _ = std::thread::Builder::new()
                        .name("snag-spool-look".into())
                        .spawn(move || guard("flush the spool", || db.flush().map(drop)));
                }
            }
        }
        Err(SpoolError::io(
            "flush the spool",
            io::Error::new(io::ErrorKind::TimedOut, "the disk does not answer"),
        ))
    }

    /// Ends the thread and waits for it, unless a flush is stuck in it: then it is left.
    fn stop(&mut self) {
        self.requests = None;
        self.db = None;
        let Some(thread) = self.thread.take() else {
            return;
        };
        for _ in 0..100 {
            if thread.is_finished() {
                let _ = thread.join();
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Opens sled with threads that sleep while there is nothing to write.
fn open_sleepily(config: &sled::Config) -> Result<sled::Db, SpoolError> {
    let open = || {
        guard("open the spool", || {
            let db = config.open()?;
            // A new store starts the threads with its first write, from any thread: this asks for one now.
            let mut flush = Box::pin(db.flush_async());
            let _ = flush.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            drop(flush);
            Ok(db)
        })
    };
    on_sleepy_thread(open).map_err(|error| SpoolError::io("start the spool's thread", error))?
}

/// Calls into sled and makes one kind of error of whatever comes back.
fn guard<T>(what: &str, call: impl FnOnce() -> sled::Result<T>) -> Result<T, SpoolError> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(sled::Error::Io(error))) => Err(SpoolError::io(what, error)),
        Ok(Err(error)) => Err(SpoolError::Corrupt(format!("{what}: {error}"))),
        Err(_panic) => Err(SpoolError::Corrupt(format!(
            "{what}: the storage engine gave up"
        ))),
    }
}

/// Waits until no thread of sled's is at work on a closed store's files.
pub(crate) fn wait_for_close(dir: &Path) -> Result<(), SpoolError> {
    let file = File::options()
        .read(true)
        .write(true)
        .open(dir.join("db"))
        .map_err(|error| SpoolError::io("look at a closed spool", error))?;
    for _ in 0..LOCK_TRIES {
        if file.try_lock().is_ok() {
            return Ok(());
        }
        std::thread::sleep(LOCK_WAIT);
    }
    Err(SpoolError::InUse(dir.to_owned()))
}

/// Removes snapshots that were never finished, unless a process is at work on them.
fn remove_half_snapshots(dir: &Path) -> Result<(), SpoolError> {
    let failed = |error| SpoolError::io("remove half a snapshot", error);
    let Ok(file) = File::options().read(true).write(true).open(dir.join("db")) else {
        // Nothing was stored yet, or sled will say what is wrong with it.
        return Ok(());
    };
    // The lock that sled itself takes: who holds it may be writing a snapshot now.
    if file.try_lock().is_err() {
        return Ok(());
    }
    for entry in fs::read_dir(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            fs::remove_file(entry.path()).map_err(failed)?;
        }
    }
    Ok(())
}

fn is_lock(error: &io::Error) -> bool {
    error.to_string().contains("could not acquire lock")
}

/// Creates a folder that only its owner can look into.
pub(crate) fn create_private_dir(dir: &Path) -> Result<(), SpoolError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(dir)
        .map_err(|error| SpoolError::io(format!("create {}", dir.display()), error))?;
    set_mode(dir, 0o700);
    Ok(())
}

/// The folder keeps others out already; the files say so, too.
fn restrict_files(dir: &Path) {
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    for entry in entries.flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => {
                set_mode(&entry.path(), 0o700);
                restrict_files(&entry.path());
            }
            Ok(_) => set_mode(&entry.path(), 0o600),
            Err(_) => {}
        }
    }
}

fn set_mode(path: &Path, mode: u32) {
    #[cfg(unix)]
    {
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
        let _ = fs::set_permissions(path, permissions);
    }
    #[cfg(not(unix))]
    let _ = (path, mode);
}
