//! The device that this process is: whom it is enrolled with, and the connection to it.

use std::sync::Arc;

use snag_spool::Spool;
use snag_wire::PolicyAnswer;
use tokio::sync::watch;

use super::error::HostError;
use super::sent::SentLog;
use crate::commands::VERSION;
use crate::config::Identity;
use crate::sync::batch::Sender;
use crate::sync::{Client, ClientOptions, LabelStore, SyncHandle, SyncOptions, stored_policy};

/// An enrolled device.
pub(super) struct Device {
    /// Whom it is enrolled with.
    pub(super) identity: Arc<Identity>,
    /// The server, with the device's token.
    pub(super) client: Client,
    /// Sends what waits.
    pub(super) sync: Arc<SyncHandle>,
    /// New policies.
    pub(super) policies: watch::Receiver<Option<Arc<PolicyAnswer>>>,
    /// The policy in force.
    pub(super) policy: Arc<PolicyAnswer>,
}

impl Device {
    /// Connects to the server that the device is enrolled with. Needs a runtime.
    ///
    /// # Errors
    /// When the spool can't be read, or the address or its certificate authority can't be used.
    pub(super) fn start(
        identity: Identity,
        spool: &Arc<Spool>,
        labels: &Arc<LabelStore>,
        sent: &Arc<SentLog>,
    ) -> Result<Self, HostError> {
        let policy = stored_policy(spool)?.unwrap_or_else(|| identity.policy.clone());
        labels.apply(&policy);
        let client = client(&identity)?;
        let (told, policies) = watch::channel(None);
        let mut options = SyncOptions::new(
            client.clone(),
            sender(&identity),
            Arc::clone(spool),
            Arc::clone(labels),
            told,
        );
        let log = Arc::clone(sent);
        options.on_sent = Some(Box::new(move |batch| log.note(batch)));
        Ok(Self {
            sync: Arc::new(SyncHandle::start(options)),
            identity: Arc::new(identity),
            client,
            policies,
            policy: Arc::new(policy),
        })
    }
}

/// What every batch of a device says.
pub(super) fn sender(identity: &Identity) -> Sender {
    Sender {
        device: identity.device,
        product: identity.product.clone(),
        agent_version: VERSION.to_owned(),
    }
}

fn client(identity: &Identity) -> Result<Client, HostError> {
    let wrong = |error: crate::sync::ClientError| HostError::Server(error.to_string());
    let mut options = ClientOptions::new(&identity.server);
    if let Some(path) = &identity.ca {
        let pem = std::fs::read(path).map_err(|error| {
            HostError::Server(format!("the CA file {}: {error}", path.display()))
        })?;
        options.ca_pem = Some(pem);
    }
    Client::new(&options)
        .map_err(wrong)?
        .with_token(&identity.device_token)
        .map_err(wrong)
}
