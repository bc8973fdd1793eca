//! The desktop agent: the shell around the pure detection core.
//!
//! [`pipeline`] steps the engine and stores what it says; [`host`] feeds it from the live desktop
//! and [`replay`] from a recording; [`sync`] brings it to the server. [`desktop`] is what the app
//! adds: feedback, the right moment to ask for it, and what the person is shown.

pub mod commands;
pub mod config;
pub mod convert;
pub mod desktop;
pub mod host;
pub mod pipeline;
pub mod recording;
pub mod replay;
pub mod screenshot;
pub mod sdk;
pub mod status;
pub mod sync;
