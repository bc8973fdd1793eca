//! The desktop agent: the shell around the pure detection core.
//!
//! [`pipeline`] steps the engine and stores what it says; [`commands::run`] feeds it from the live
//! desktop and [`replay`] from a recording; [`sync`] brings it to the server.

pub mod commands;
pub mod config;
pub mod convert;
pub mod desktop;
pub mod pipeline;
pub mod recording;
pub mod replay;
pub mod status;
pub mod sync;
