//! The desk over the real engine: lists, acts, threads, merges.

mod acts;
mod export;
#[path = "../harness/mod.rs"]
mod harness;
mod items;
mod list;
mod words;
