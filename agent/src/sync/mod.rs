//! Brings records from the spool to the server, and the policy back.
//!
//! What to do next is decided in one place, [`plan`], which has neither clock nor
//! socket, and done in another, [`worker`]. Between them:
//!
//! | module | what it knows |
//! |---|---|
//! | [`plan`] | when to send, to ask for the policy, to wait, to split |
//! | [`backoff`] | full jitter, `Retry-After` |
//! | [`batch`] | records → [`snag_wire::EventBatch`] → gzip |
//! | [`client`] | the three calls, TLS, proxy, what an answer means |
//! | [`trouble`] | what keeps records from leaving, told apart by type |
//! | [`labels`] | texts of labels, in memory only, and which of them may go |
//! | [`worker`] | the loop that runs it |
//! | [`handle`] | what starts it, asks it and ends it |
//!
//! **Invariants:** a record leaves the spool only by a 200 answer whose counts add
//! up, or as a dead letter. Batches go out one at a time and by rising `seq`: the
//! server takes what is below the highest number it has for a duplicate, so that a
//! batch sent before an older one would make it lose that one.

pub mod backoff;
pub mod batch;
pub mod client;
pub mod handle;
pub mod labels;
pub mod plan;
pub mod trouble;
pub mod worker;

pub use client::{CallError, Client, ClientError, ClientOptions, PolicyReply};
pub use handle::{Flushed, OnSent, SyncHandle, SyncOptions, SyncStatus};
pub use labels::{KnownLabel, LabelStore};
pub use trouble::Trouble;
pub use worker::stored_policy;
