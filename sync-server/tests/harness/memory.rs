//! What a process holds.
#![allow(unreachable_pub, reason = "tests include it as a module")]

/// Its own memory, without the pages of files that the system may take back at any time.
/// `process` is its id, or `self`.
pub fn held_bytes(process: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("a process");
    let line = status.lines().find(|line| line.starts_with("RssAnon:"));
    let kb = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kb.expect("a number") * 1024
}
