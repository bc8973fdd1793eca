//! `snag-agent replay`: a recording through the same engine as a live desktop.

use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use jiff::Timestamp;
use snag_core::Policy;

use super::{flush, open_spool, policy_of, start_sync};
use crate::config::{Identity, Paths};
use crate::convert;
use crate::pipeline::Pipeline;
use crate::recording::{Recording, RecordingError};
use crate::replay;
use crate::sync::LabelStore;

/// Records that are stored at once: one flush of the disk for each.
const STORE_RECORDS: usize = 512;

/// What to replay, and where to.
#[derive(clap::Args)]
pub struct Options {
    /// The recording: JSON lines, plain or gzipped
    file: PathBuf,
    /// Print the sessions and incidents it holds, a JSON line each
    #[arg(long)]
    json: bool,
    /// When the recording began (RFC 3339); without it, it ends now
    #[arg(long)]
    at: Option<Timestamp>,
    /// Send it to the enrolled server
    #[arg(long)]
    send: bool,
}

/// Replays. A malformed recording is found before anything is printed or sent.
///
/// # Errors
/// A malformed recording, or whatever keeps it from being sent.
pub async fn run(paths: impl FnOnce() -> Result<Paths>, options: Options) -> Result<()> {
    let facts = Recording::check(&options.file)?;
    if options.json || !options.send {
        let findings = replay::find(&options.file, Policy::default())?;
        let mut out = BufWriter::new(std::io::stdout().lock());
        if options.json {
            for finding in findings {
                serde_json::to_writer(&mut out, &finding)?;
                out.write_all(b"\n")?;
            }
        } else {
            for finding in findings {
                writeln!(out, "{finding}")?;
            }
        }
        out.flush()?;
    }
    if !options.send {
        return Ok(());
    }

    let paths = paths()?;
    let identity = Identity::load(&paths.identity())?;
    let spool = open_spool(&paths)?;
    let labels = Arc::new(LabelStore::new());
    let answer = policy_of(&identity, &spool)?;
    let policy =
        convert::policy(&answer, &[]).context("the organisation's policy can't be followed")?;
    labels.apply(&answer);
    let length_ms = i64::try_from(facts.last_t_ms).unwrap_or(i64::MAX);
    let base_ms = match options.at {
        Some(at) => at.as_millisecond(),
        None => Timestamp::now().as_millisecond().saturating_sub(length_ms),
    };
    let mut pipeline =
        Pipeline::for_recording(policy, Arc::clone(&spool), Arc::clone(&labels), base_ms);
    let (pipeline, result) = tokio::task::spawn_blocking(move || {
        let result = feed(&mut pipeline, &options.file);
        (pipeline, result)
    })
    .await?;
    result?;
    let left_out: u64 = pipeline.left_out().values().sum();
    if left_out > 0 {
        println!("{left_out} inputs were left out: the policy excludes their program.");
    }

    let before = spool.waiting().records();
    let (sync, _policy) = start_sync(&identity, &spool, &labels)?;
    let sent = flush(&sync).await;
    sync.stop(std::time::Duration::from_secs(5)).await;
    sent?;
    println!("Sent {before} records to {}.", identity.server);
    Ok(())
}

fn feed(pipeline: &mut Pipeline, file: &std::path::Path) -> Result<()> {
    for input in Recording::open(file)? {
        pipeline.input(&input?);
        if pipeline.pending() >= STORE_RECORDS {
            pipeline.flush()?;
        }
    }
    pipeline.finish();
    pipeline.flush()?;
    Ok(())
}

/// Whether an error is the recording's fault, which has an exit code of its own.
#[must_use]
pub fn is_malformed(error: &anyhow::Error) -> bool {
    error.downcast_ref::<RecordingError>().is_some()
}
