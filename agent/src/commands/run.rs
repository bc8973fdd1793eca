//! `snag-agent run`: captures this desktop until it is told to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use jiff::Timestamp;
use snag_capture::{Capture, CaptureItem, CaptureOptions};
use snag_core::Redactor;
use snag_spool::Spool;
use snag_wire::PolicyAnswer;
use tokio::sync::watch;

use super::{VERSION, open_spool, policy_of, start_sync};
use crate::config::{Identity, Paths, write_private};
use crate::convert;
use crate::pipeline::Pipeline;
use crate::status::Status;
use crate::sync::{LabelStore, SyncStatus};

/// A record waits this long for others before it is stored: one flush of the disk a
/// second at most, and a power cut costs a second at most.
const STORE_EVERY: Duration = Duration::from_secs(1);

/// Records that are stored without waiting.
const STORE_RECORDS: usize = 512;

/// How often the status file is written while something happens; in quiet times it
/// is a third of what counts as fresh.
const STATUS_EVERY: Duration = Duration::from_secs(2);
const STATUS_QUIET: Duration = Duration::from_secs(10);

/// Longest time that stopping may take to send what is left; the rest is sent at the
/// next start.
const STOP_DEADLINE: Duration = Duration::from_secs(5);

/// Captures and sends until SIGINT or SIGTERM.
///
/// # Errors
/// When the device isn't enrolled, its policy can't be followed, there is no display,
/// or the spool can't be opened.
pub async fn run(paths: &Paths) -> Result<()> {
    let identity = Identity::load(&paths.identity())?;
    let spool = open_spool(paths)?;
    let labels = Arc::new(LabelStore::new());
    let answer = policy_of(&identity, &spool)?;
    let policy = convert::policy(&answer)
        .context("the organisation's policy can't be followed, so nothing is captured; its administrator has to correct it")?;
    labels.apply(&answer);
    let redactor = Arc::new(Redactor::new(&policy));
    let capture =
        snag_capture::start(CaptureOptions::new(redactor)).context("capture can't start")?;
    let pipeline = Pipeline::live(policy, Arc::clone(&spool), Arc::clone(&labels))?;
    let (sync, policies) = start_sync(&identity, &spool, &labels)?;
    tracing::info!(server = identity.server, "capturing");

    let stopping = Arc::new(AtomicBool::new(false));
    let live = Live {
        capture,
        pipeline,
        spool: Arc::clone(&spool),
        labels,
        policies,
        sync: sync.watch(),
        status_path: paths.status(),
        organisation: answer.organisation.name.clone(),
        server: identity.server.clone(),
        policy_version: answer.version,
        store_problem: None,
        policy_problem: None,
        stopping: Arc::clone(&stopping),
    };
    let mut driver = tokio::task::spawn_blocking(move || live.run());
    let ended = tokio::select! {
        told = told_to_stop() => { told?; None }
        ended = &mut driver => Some(ended?),
    };
    stopping.store(true, Ordering::Relaxed);
    let ended = match ended {
        Some(ended) => ended,
        None => driver.await?,
    };
    sync.flush(STOP_DEADLINE).await;
    sync.stop(STOP_DEADLINE).await;
    // A status that says "running" would be believed for half a minute.
    let removed = std::fs::remove_file(paths.status());
    tracing::info!(
        waiting_records = spool.waiting().records(),
        status_removed = removed.is_ok(),
        "stopped"
    );
    ended
}

#[cfg(unix)]
async fn told_to_stop() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

#[cfg(not(unix))]
async fn told_to_stop() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}

/// The thread that reads capture and feeds the pipeline.
struct Live {
    capture: Capture,
    pipeline: Pipeline,
    spool: Arc<Spool>,
    labels: Arc<LabelStore>,
    policies: watch::Receiver<Option<Arc<PolicyAnswer>>>,
    sync: watch::Receiver<SyncStatus>,
    status_path: std::path::PathBuf,
    organisation: String,
    server: String,
    policy_version: u64,
    /// Why records can't be stored, for the status.
    store_problem: Option<String>,
    /// Why the policy can't be followed, for the status.
    policy_problem: Option<String>,
    stopping: Arc<AtomicBool>,
}

impl Live {
    fn run(mut self) -> Result<()> {
        let mut stored = Instant::now();
        let mut told = None::<Instant>;
        let mut active = true;
        let mut result = Ok(());
        while !self.stopping.load(Ordering::Relaxed) {
            match self.capture.next(Duration::from_millis(500)) {
                Some(CaptureItem::Input(input)) => {
                    active = true;
                    self.pipeline.input(&input);
                }
                Some(CaptureItem::Label(label)) => self.labels.note(convert::label(label)),
                Some(CaptureItem::Lost { reason }) => {
                    result = Err(anyhow::anyhow!("capture ended: {reason}"));
                    break;
                }
                None => self.pipeline.advance(self.capture.horizon()),
            }
            if self.pipeline.pending() >= STORE_RECORDS || stored.elapsed() >= STORE_EVERY {
                self.store();
                self.follow_policy();
                stored = Instant::now();
            }
            let due = if active { STATUS_EVERY } else { STATUS_QUIET };
            if told.is_none_or(|at| at.elapsed() >= due) {
                self.tell();
                told = Some(Instant::now());
                active = false;
            }
        }
        while let Some(item) = self.capture.try_next() {
            if let CaptureItem::Input(input) = item {
                self.pipeline.input(&input);
            }
        }
        self.pipeline.finish();
        self.store();
        result
    }

    fn store(&mut self) {
        match self.pipeline.flush() {
            Ok(()) => {
                if self.store_problem.take().is_some() {
                    tracing::info!("records are stored again");
                }
            }
            Err(error) => {
                let problem = format!("Records can't be stored, and wait in memory: {error}.");
                if self.store_problem.as_ref() != Some(&problem) {
                    tracing::error!(error = %error, "records can't be stored");
                    self.store_problem = Some(problem);
                }
            }
        }
        for report in self.spool.take_reports() {
            super::warn_of(&report);
        }
    }

    /// A policy that can't be followed stops capture until a better one comes: to go on
    /// with the old one would be to ignore what the organisation decided.
    fn follow_policy(&mut self) {
        if !self.policies.has_changed().unwrap_or(false) {
            return;
        }
        let Some(answer) = self.policies.borrow_and_update().clone() else {
            return;
        };
        if answer.version == self.policy_version {
            return;
        }
        self.policy_version = answer.version;
        match convert::policy(&answer) {
            Ok(policy) => {
                let handle = self.capture.handle();
                handle.set_redactor(Arc::new(Redactor::new(&policy)));
                self.pipeline.set_policy(policy);
                self.policy_problem = None;
                handle.pause(false);
                tracing::info!(version = answer.version, "following a new policy");
            }
            Err(error) => {
                self.capture.pause(true);
                self.policy_problem = Some(format!(
                    "Capture is paused: the organisation's policy can't be followed ({error})."
                ));
                tracing::error!(version = answer.version, error = %error, "the policy can't be followed");
            }
        }
    }

    fn tell(&self) {
        let waiting = self.spool.waiting();
        let mut status = Status {
            running: true,
            pid: Some(std::process::id()),
            agent_version: VERSION.to_owned(),
            written_at: Timestamp::now(),
            organisation: Some(self.organisation.clone()),
            server: Some(self.server.clone()),
            capture: serde_json::Value::Null,
            capture_words: Vec::new(),
            last_input_at: None,
            left_out: self
                .pipeline
                .left_out()
                .iter()
                .map(|(reason, count)| (reason.as_str().to_owned(), *count))
                .collect(),
            waiting_records: waiting.records() + self.pipeline.pending() as u64,
            waiting_bytes: waiting.size_bytes,
            dead_letters: waiting.dead_letters,
            next_seq: waiting.next_seq,
            drops: self.spool.drops(),
            sync: self.sync.borrow().clone(),
            problems: self
                .store_problem
                .iter()
                .chain(&self.policy_problem)
                .cloned()
                .collect(),
        };
        status.set_capture(&self.capture.health());
        let written = serde_json::to_vec(&status)
            .map_err(std::io::Error::other)
            .and_then(|bytes| write_private(&self.status_path, &bytes));
        if let Err(error) = written {
            tracing::warn!(error = %error, "the status can't be written");
        }
    }
}
