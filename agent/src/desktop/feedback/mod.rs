//! What a person says: the draft, what waits to be sent, and what was answered.
//!
//! | module | what it knows |
//! |---|---|
//! | [`form`] | the open form and its draft on disk |
//! | [`submission`] | a draft → exactly the bytes that leave |
//! | [`store`] | submissions that wait, were sent or refused, with their replies |
//! | [`files`] | where these are kept |
//!
//! **Invariants:** a picture is on disk only with its hidden areas painted into its pixels; a draft that was sent or
//! discarded leaves no file; a submission leaves the device only as the bytes that the preview showed.

mod files;
pub mod form;
pub mod store;
pub mod submission;
