//! The Snag server: takes batches of records from devices, keeps them in
//! ClickHouse exactly once, and answers analysts from rollups.
//!
//! ```text
//! POST /v1/events/batch → auth → body (capped gunzip) → ingest::validate
//!   → ingest::commit (group commit, dedup by sequence) → warehouse → answer
//! ```
//!
//! **Invariant:** a batch is answered with 200 only after ClickHouse has its rows:
//! the device deletes what was answered, so the device's spool is the log and the
//! server keeps no state of its own beside ClickHouse.

pub mod accounts;
pub mod address;
pub mod admin;
pub(crate) mod asked;
pub mod audit;
pub mod auth;
pub mod body;
pub mod cli;
pub mod control;
pub mod db;
pub mod disk;
pub mod enroll;
pub mod error;
pub mod feedback;
pub mod figures;
pub mod forget;
pub mod health;
pub mod ingest;
pub mod insights;
pub(crate) mod json;
pub mod labels;
pub mod live;
pub mod metrics;
pub mod objects;
pub mod openapi;
pub mod orgs;
pub mod orphans;
pub mod params;
pub mod policy;
pub mod retention;
pub mod router;
pub mod serve;
pub mod sql;
pub mod state;
pub mod tokens;
pub(crate) mod unheard;
pub(crate) mod unread;
pub mod verify;

pub use error::ApiError;
pub use state::AppState;
