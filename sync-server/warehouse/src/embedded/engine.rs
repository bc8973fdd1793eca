//! The one engine of this process.
//!
//! **Invariants.** libchdb runs one engine a process, over one path. The engine runs
//! while an [`Engine`] handle lives: handles on the same path share it, another path is
//! refused until the last is gone. A lock file keeps other processes out of the path.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::{FlockOperation, flock};

use super::connection::Connection;
use super::ffi::Symbols;
use super::library;
use crate::{ErrorKind, WarehouseError};

/// The library once loaded, and the running engine.
static PROCESS: Mutex<Process> = Mutex::new(Process {
    symbols: None,
    running: None,
});

struct Process {
    symbols: Option<Arc<Symbols>>,
    running: Option<Running>,
}

struct Running {
    path: PathBuf,
    handles: usize,
    /// Keeps the engine up while every other connection comes and goes. Taken and dropped
    /// before the lock file.
    keeper: Option<Connection>,
    _lock: File,
}

/// A handle on the running engine.
pub(super) struct Engine {
    symbols: Arc<Symbols>,
    path: PathBuf,
    uses: AtomicU64,
}

fn process() -> MutexGuard<'static, Process> {
    // A panic while it was held leaves a state that is still whole.
    PROCESS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Engine {
    /// Starts the engine over `path`, or joins the one that runs over it already.
    pub(super) fn open(library: Option<PathBuf>, path: &Path) -> Result<Self, WarehouseError> {
        let mut process = process();
        let unusable = |error: &dyn std::fmt::Display| {
            WarehouseError::new(
                ErrorKind::Unavailable,
                format!("the data folder {} can't be used: {error}", path.display()),
            )
        };
        let symbols = match &process.symbols {
            Some(symbols) => Arc::clone(symbols),
            None => {
                let symbols = Arc::new(Symbols::load(&library::find(library)?)?);
                // Deadly signals stay with this process, whose own handlers come first.
                // SAFETY: the one call that has to come before the first connection.
                unsafe { (symbols.chdb_set_signal_handlers_enabled)(0) };
                process.symbols = Some(Arc::clone(&symbols));
                symbols
            }
        };
        fs::create_dir_all(path).map_err(|e| unusable(&e))?;
        let path = path.canonicalize().map_err(|e| unusable(&e))?;
        match &mut process.running {
            Some(running) if running.path == path => running.handles += 1,
            Some(running) => {
                return Err(WarehouseError::new(
                    ErrorKind::Unavailable,
                    format!(
                        "this process already runs ClickHouse over {}; one engine a process",
                        running.path.display()
                    ),
                ));
            }
            None => {
                let lock = lock(&path)?;
                let mut keeper = Connection::open(&symbols, &[path_argument(&path)])?;
                // Has the engine set up what queries need, threads above all, before the first
                // registration that is to be called before their destructors.
                keeper.query(
                    "SELECT sum(cityHash64(number)) FROM numbers_mt(100000)",
                    "Null",
                    &[],
                )?;
                end_without_destructors();
                process.running = Some(Running {
                    path: path.clone(),
                    handles: 1,
                    keeper: Some(keeper),
                    _lock: lock,
                });
            }
        }
        Ok(Self {
            symbols,
            path,
            uses: AtomicU64::new(0),
        })
    }

    /// To be called after each statement.
    pub(super) fn used(&self) {
        if self
            .uses
            .fetch_add(1, Ordering::Relaxed)
            .wrapping_add(1)
            .is_power_of_two()
        {
            end_without_destructors();
        }
    }

    /// A connection of its own.
    pub(super) fn connect(&self) -> Result<Connection, WarehouseError> {
        Connection::open(&self.symbols, &[path_argument(&self.path)])
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let mut process = process();
        if let Some(running) = &mut process.running {
            running.handles -= 1;
            if running.handles == 0 {
                // The engine shuts down here, with the lock still held.
                drop(running.keeper.take());
                process.running = None;
            }
        }
    }
}

/// Has the process end at once where it exits with the engine still running. The
/// library's destructors would run under its own threads then, and crash now and again;
/// what was acknowledged is safe, since a killed process loses nothing either.
///
/// What is registered last is called first, and the engine registers destructors of things
/// as it comes to need them. So this is done again and again, ever more rarely: after the
/// first, second, fourth, eighth … use.
fn end_without_destructors() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        use std::ffi::{c_int, c_void};

        extern "C" fn end(status: c_int, _: *mut c_void) {
            let closed = PROCESS
                .try_lock()
                .is_ok_and(|process| process.running.is_none());
            if !closed {
                // SAFETY: takes a number and does not return.
                unsafe { super::ffi::_exit(status) };
            }
        }
        // SAFETY: the function is of the type that is asked for and needs no argument. Where
        // it can't be registered, the process ends as it would without.
        unsafe { super::ffi::on_exit(end, std::ptr::null_mut()) };
    }
}

fn path_argument(path: &Path) -> String {
    format!("--path={}", path.display())
}

/// Takes the folder for this process; the system lets go of it however the process ends.
fn lock(path: &Path) -> Result<File, WarehouseError> {
    let file = path.join("snag.lock");
    let refused = |error: &dyn std::fmt::Display| {
        WarehouseError::new(
            ErrorKind::Unavailable,
            format!("{} can't be locked: {error}", file.display()),
        )
    };
    let mut lock = File::options()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(&file)
        .map_err(|e| refused(&e))?;
    if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
        let owner = fs::read_to_string(&file).unwrap_or_default();
        return Err(WarehouseError::new(
            ErrorKind::Unavailable,
            format!(
                "{} is in use by another process ({}); two can't share a data folder",
                path.display(),
                owner.trim()
            ),
        ));
    }
    lock.set_len(0)
        .and_then(|()| writeln!(lock, "pid {}", std::process::id()))
        .map_err(|e| refused(&e))?;
    Ok(lock)
}
