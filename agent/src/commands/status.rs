//! `snag-agent status`: what is captured, what isn't and why, and what waits to be sent.

use std::sync::Arc;

use anyhow::Result;
use jiff::Timestamp;
use snag_capture::CaptureOptions;
use snag_core::{Policy, Redactor};
use snag_spool::{Spool, SpoolError, SpoolOptions};

use super::VERSION;
use crate::config::{Identity, IdentityError, Paths};
use crate::desktop::feedback::store::Store;
use crate::status::{FRESH_MS, Status};
use crate::sync::SyncStatus;

/// How to print it.
#[derive(clap::Args)]
pub struct Options {
    /// As JSON
    #[arg(long)]
    json: bool,
    /// Only say whether there is a display that can be captured (exit status 0 or 1)
    #[arg(long)]
    display: bool,
}

/// Prints the status of the running agent, or of what it left behind.
///
/// # Errors
/// When there is no display (with `--display`), or the folder can't be read.
pub fn run(paths: impl FnOnce() -> Result<Paths>, options: &Options) -> Result<()> {
    if options.display {
        let redactor = Arc::new(Redactor::new(&Policy::default()));
        snag_capture::start(CaptureOptions::new(redactor))?.stop();
        println!("This display can be captured.");
        return Ok(());
    }
    let status = status(&paths()?)?;
    if options.json {
        println!("{}", serde_json::to_string_pretty(&status)?);
    } else {
        println!("{}", status.plain_words(Timestamp::now()));
    }
    Ok(())
}

fn status(paths: &Paths) -> Result<Status> {
    let now = Timestamp::now();
    let written = Status::read(&paths.status());
    if let Some(status) = &written {
        let age_ms = now.as_millisecond() - status.written_at.as_millisecond();
        if status.running && age_ms.abs() < FRESH_MS && status.pid.is_some_and(may_run) {
            return Ok(status.clone());
        }
    }
    let mut problems = Vec::new();
    let identity = match Identity::load(&paths.identity()) {
        Ok(identity) => Some(identity),
        Err(IdentityError::NotEnrolled) => None,
        Err(error) => {
            problems.push(error.to_string());
            None
        }
    };
    let mut status = Status {
        running: false,
        pid: None,
        agent_version: VERSION.to_owned(),
        written_at: now,
        organisation: identity
            .as_ref()
            .map(|i| i.policy.organisation.name.clone()),
        server: identity.map(|i| i.server),
        capture: serde_json::Value::Null,
        capture_words: Vec::new(),
        last_input_at: written.as_ref().and_then(|s| s.last_input_at),
        left_out: std::collections::BTreeMap::new(),
        waiting_records: 0,
        waiting_feedback: 0,
        waiting_bytes: 0,
        dead_letters: 0,
        next_seq: 0,
        drops: Vec::new(),
        sync: written.map_or_else(SyncStatus::default, |s| s.sync),
        problems,
    };
    match Spool::open(paths.root(), SpoolOptions::default()) {
        Ok((spool, report)) => {
            super::warn_of(&report);
            let waiting = spool.waiting();
            status.waiting_records = waiting.records();
            status.waiting_bytes = waiting.size_bytes;
            status.dead_letters = waiting.dead_letters;
            status.next_seq = waiting.next_seq;
            status.drops = spool.drops();
            // No other process has the folder now.
            let feedback = Store::load(paths.feedback().join("items"));
            status.waiting_feedback = feedback.counts().waiting;
        }
        Err(SpoolError::InUse(_)) => {
            status.problems.push(
                "The agent is starting, or doesn't answer: ask again in a minute.".to_owned(),
            );
        }
        Err(error) => status.problems.push(error.to_string()),
    }
    Ok(status)
}

/// Whether a process may be running; only Linux tells for certain.
fn may_run(pid: u32) -> bool {
    !cfg!(target_os = "linux") || std::path::Path::new(&format!("/proc/{pid}")).exists()
}
