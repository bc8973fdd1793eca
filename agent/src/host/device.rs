//! The device that this process is: whom it is enrolled with, and the connection to it.

use std::sync::{Arc, Weak};

use snag_spool::Spool;
use snag_wire::PolicyAnswer;
use tokio::sync::watch;

use super::error::HostError;
use super::live::Told;
use super::shared::Shared;
use crate::commands::VERSION;
use crate::config::Identity;
use crate::sync::batch::Sender;
use crate::sync::{Client, ClientOptions, SyncHandle, SyncOptions, SyncStatus, stored_policy};

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
        shared: &Arc<Shared>,
    ) -> Result<Self, HostError> {
        let policy = stored_policy(spool)?.unwrap_or_else(|| identity.policy.clone());
        shared.labels.apply(&policy);
        let client = client(&identity)?;
        let (told, policies) = watch::channel(None);
        let mut options = SyncOptions::new(
            client.clone(),
            sender(&identity),
            Arc::clone(spool),
            Arc::clone(&shared.labels),
            told,
        );
        let log = Arc::clone(&shared.sent);
        options.on_sent = Some(Box::new(move |batch| log.note(batch)));
        let sync = SyncHandle::start(options);
        tokio::spawn(tell(Arc::downgrade(shared), sync.watch(), policies.clone()));
        Ok(Self {
            sync: Arc::new(sync),
            identity: Arc::new(identity),
            client,
            policies,
            policy: Arc::new(policy),
        })
    }
}

/// Tells the thread that reads capture of a new policy, and of how sending is going, until sending ends.
async fn tell(
    shared: Weak<Shared>,
    mut status: watch::Receiver<SyncStatus>,
    mut policies: watch::Receiver<Option<Arc<PolicyAnswer>>>,
) {
    loop {
        let goes_on = tokio::select! {
            changed = status.changed() => changed.is_ok(),
            changed = policies.changed() => changed.is_ok(),
        };
        let Some(shared) = shared.upgrade().filter(|_| goes_on) else {
            return;
        };
        shared.tell_live(Told::Wake);
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
