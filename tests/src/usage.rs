//! What a process uses, as the system counts it.

use anyhow::{Context, Result};

/// CPU time of all threads, in seconds, to the nanosecond that the scheduler counts.
///
/// # Errors
/// When the process is gone.
pub fn cpu_seconds(pid: u32) -> Result<f64> {
    let mut nanoseconds = 0_u64;
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let text = std::fs::read_to_string(task?.path().join("schedstat"))?;
        nanoseconds += text
            .split(' ')
            .next()
            .context("schedstat")?
            .trim()
            .parse::<u64>()?;
    }
    Ok(nanoseconds as f64 / 1e9)
}

/// Resident memory in MiB.
///
/// # Errors
/// When the process is gone.
pub fn resident_mb(pid: u32) -> Result<f64> {
    megabytes(&format!("/proc/{pid}/status"), "VmRSS:")
}

/// Resident memory in MiB, of which what several processes share counts for each in part.
///
/// # Errors
/// When the process is gone.
pub fn proportional_mb(pid: u32) -> Result<f64> {
    megabytes(&format!("/proc/{pid}/smaps_rollup"), "Pss:")
}

fn megabytes(path: &str, name: &str) -> Result<f64> {
    let text = std::fs::read_to_string(path)?;
    let line = text.lines().find(|line| line.starts_with(name));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1));
    Ok(kilobytes.context("a number")?.parse::<f64>()? / 1024.0)
}
