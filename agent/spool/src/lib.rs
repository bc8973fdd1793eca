//! The device's outbox: every record is stored here before it counts, and leaves
//! only when the server has it.
//!
//! The spool is the pipeline's write-ahead log (the server keeps no other), so it
//! promises:
//!
//! - A call that returned `Ok` is on disk; one that failed left nothing behind.
//! - `seq` rises by one with every record, whatever its type, and no number is
//!   ever given twice, even when the spool's files are lost.
//! - Records leave by [`Spool::settle`] (the server's answer), by the quota or with
//!   a spool that is lost. The last two are counted by reason, see [`Spool::drops`].
//! - Over the quota, the oldest raw events go first (`quota`). Only when no event
//!   is left, the oldest of the others (sessions, screens, incidents, labels) go
//!   (`quota_kept`): a device that could neither send nor store would lose the new
//!   ones instead, which say more about what hurts today.
//! - With [`SpoolOptions::journal_ms`], copies of sessions, screens, incidents and changes of
//!   focus stay for that long after they were sent, for the person to see (`journal`).
//! - What a person removes ([`Spool::remove`], [`Spool::forget_journal`], [`Spool::forget_dead_letters`]) is in none of
//!   the files any more: the spool is written anew.
//! - A spool that can't be opened (damaged, of another schema version, not a
//!   folder) is renamed to `spool.aside-<n>`, reported, and a new one begun. Where
//!   a new one can't be made either, the old one goes back to its place.
//!
//! What is in the folder: `spool/` (sled), `ledger.json` (reserved sequence numbers
//! and counters that outlive the spool), `spool.aside-<n>/` (the last three).
//!
//! **Invariant:** this crate is the only one that knows sled.

mod anew;
mod aside;
mod bytes;
mod codec;
mod error;
mod inner;
mod journal;
mod keys;
mod ledger;
mod letter;
mod load;
mod options;
mod record;
mod sidecar;
mod sleepy;
mod spool;
mod store;
mod value;

pub use error::SpoolError;
pub use options::{OpenReport, SetAside, SpoolOptions};
pub use record::{DeadLetter, NewRecord, Place, Refusal, Removed, StoredRecord, Waiting};
pub use spool::Spool;

/// The version of what is on disk.
pub const SCHEMA_VERSION: u32 = 1;
