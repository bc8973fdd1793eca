//! The desk over the real engine: lists, acts, threads, merges.

mod acts;
#[path = "../harness/mod.rs"]
mod harness;
mod items;
mod list;
