//! What end-to-end tests share: the two programs as processes, recordings made for a
//! test, and a proxy that misbehaves.
//!
//! **Invariant:** every process that is started here is ended by its id when its
//! handle goes, and all traffic stays on the loopback.

#[path = "../../agent/capture/tests/desktop/mod.rs"]
pub mod desktop;
pub mod dunst;
pub mod generate;
pub mod keys;
pub mod process;
pub mod proxy;
pub mod reader;
pub mod search;
pub mod session;
pub mod sql;
pub mod stage;
pub mod usage;
pub mod webdriver;
pub mod wire;
