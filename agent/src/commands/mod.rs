//! The commands of `snag-agent`, one a file.

pub mod enroll;
pub mod erase;
pub mod export;
pub mod replay;
pub mod run;
pub mod send;
pub mod status;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use snag_spool::{OpenReport, Spool, SpoolError, SpoolOptions};
use snag_wire::PolicyAnswer;
use tokio::sync::watch;

use crate::config::{Identity, Paths};
use crate::sync::batch::Sender;
use crate::sync::{Client, ClientOptions, LabelStore, SyncHandle, SyncOptions, stored_policy};

/// The agent's version, as it tells the server.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Longest time that a person waits for `--send` and the like.
const FLUSH_DEADLINE: Duration = Duration::from_secs(120);

/// Opens the spool and says what had to be set aside.
fn open_spool(paths: &Paths) -> Result<Arc<Spool>> {
    let (spool, report) =
        Spool::open(paths.root(), SpoolOptions::default()).map_err(|error| match error {
            SpoolError::InUse(_) => anyhow::anyhow!(
                "the agent is running with {}: stop it, or use another --data-dir",
                paths.root().display()
            ),
            other => anyhow::Error::new(other),
        })?;
    warn_of(&report);
    Ok(Arc::new(spool))
}

/// Logs what happened as a spool was opened, if anything did.
pub(crate) fn warn_of(report: &OpenReport) {
    if let Some(aside) = &report.set_aside {
        tracing::warn!(
            path = %aside.path.display(),
            reason = aside.reason,
            lost_records = report.lost_records,
            "the records kept here could not be read; they were set aside and new ones are kept"
        );
    } else if report.lost_records > 0 {
        tracing::warn!(
            lost_records = report.lost_records,
            "some of the records kept here were damaged"
        );
    }
}

/// The policy in force: the last one that was fetched, or the one of the enrolment.
fn policy_of(identity: &Identity, spool: &Spool) -> Result<PolicyAnswer> {
    Ok(stored_policy(spool)?.unwrap_or_else(|| identity.policy.clone()))
}

/// A client for a server, with its own certificate authority where it has one.
fn client(server: &str, ca: Option<&Path>) -> Result<Client> {
    let mut options = ClientOptions::new(server);
    options.ca_pem = ca
        .map(|path| std::fs::read(path).with_context(|| format!("the CA file {}", path.display())))
        .transpose()?;
    Ok(Client::new(&options)?)
}

/// Starts sending for an enrolled device. The receiver is told each new policy.
fn start_sync(
    identity: &Identity,
    spool: &Arc<Spool>,
    labels: &Arc<LabelStore>,
) -> Result<(SyncHandle, watch::Receiver<Option<Arc<PolicyAnswer>>>)> {
    let client =
        client(&identity.server, identity.ca.as_deref())?.with_token(&identity.device_token)?;
    let sender = Sender {
        device: identity.device,
        product: identity.product.clone(),
        agent_version: VERSION.to_owned(),
    };
    let (policies, policy) = watch::channel(None);
    let options = SyncOptions::new(
        client,
        sender,
        Arc::clone(spool),
        Arc::clone(labels),
        policies,
    );
    Ok((SyncHandle::start(options), policy))
}

/// Sends what waits, and fails with a sentence when something is left.
async fn flush(sync: &SyncHandle) -> Result<()> {
    let flushed = sync.flush(FLUSH_DEADLINE).await;
    if flushed.left > 0 {
        let why = sync
            .status()
            .last_error
            .unwrap_or_else(|| "the server took too long".to_owned());
        anyhow::bail!(
            "{} records still wait here and will be sent later: {why}",
            flushed.left
        );
    }
    Ok(())
}
