//! Crate under construction.

pub mod sync;
