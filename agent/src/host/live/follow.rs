//! Follows whom the device is enrolled with, and the policy.

use std::sync::atomic::Ordering;
use std::time::Instant;

use snag_core::Policy;

use super::{Live, TRY_AGAIN};
use crate::config::{Identity, IdentityError};
use crate::convert;
use crate::desktop::view::Sentence;
use crate::host::device::Device;
use crate::host::events::HostEvent;
use crate::host::open_spool;

impl Live {
    /// Opens the spool where that couldn't be done: there may be room by now.
    pub(super) fn follow_spool(&mut self) {
        if self.shared.spool().is_ok() || self.try_spool.elapsed() < TRY_AGAIN {
            return;
        }
        self.try_spool = Instant::now();
        let opened = open_spool(&self.shared.paths, self.shared.options.asks);
        if opened.is_ok() {
            tracing::info!("records can be stored now");
        }
        *self.shared.spool.lock() = opened.map_err(|error| Sentence::from(&error));
    }

    /// Finds out whom the device is enrolled with, where that isn't known.
    pub(super) fn follow_device(&mut self) {
        if self.shared.device.lock().is_some()
            || self.try_identity.is_some_and(|at| at.elapsed() < TRY_AGAIN)
        {
            return;
        }
        self.try_identity = Some(Instant::now());
        let Ok(spool) = self.shared.spool() else {
            return;
        };
        let problem = match Identity::load(&self.shared.paths.identity()) {
            Ok(identity) => {
                let _runtime = self.shared.runtime.enter();
                match Device::start(identity, &spool, &self.shared) {
                    Ok(device) => {
                        tracing::info!(server = device.identity.server, "enrolled");
                        *self.shared.device.lock() = Some(device);
                        // What people said may wait for a server.
                        self.shared.post.notify_one();
                        None
                    }
                    Err(error) => Some(identity_problem(error.to_string())),
                }
            }
            Err(IdentityError::NotEnrolled) => None,
            Err(error) => Some(identity_problem(error.to_string())),
        };
        *self.shared.identity_problem.lock() = problem;
    }

    /// Takes over a new policy, or settings that change what is looked at.
    pub(super) fn follow_policy(&mut self) {
        let version = {
            let mut device = self.shared.device.lock();
            let Some(device) = device.as_mut() else {
                self.following = None;
                return;
            };
            if device.policies.has_changed().unwrap_or(false)
                && let Some(policy) = device.policies.borrow_and_update().clone()
            {
                device.policy = policy;
            }
            device.policy.version
        };
        let settings = self.shared.settings_version.load(Ordering::Relaxed);
        if self.following == Some((version, settings)) {
            return;
        }
        if self.shared.options.asks
            && self.widening_told != Some(version)
            && let Some(policy) = self.shared.policy()
            && let Some(widened) = self
                .shared
                .widened(&policy)
                .filter(|wider| !wider.is_empty())
        {
            self.widening_told = Some(version);
            self.shared.tell(HostEvent::PolicyWidened {
                widened: widened.to_vec(),
            });
        }
        match self.policy() {
            Some(Ok(policy)) => {
                let handle = self.capture.as_ref().map(snag_capture::Capture::handle);
                self.shared.looks_by(&policy, handle.as_ref());
                if let Some(pipeline) = &mut self.pipeline {
                    pipeline.set_policy(policy);
                }
                self.shared.capture.lock().policy_problem = None;
                tracing::info!(version, "following a policy");
            }
            Some(Err(error)) => {
                // To go on with the old one would be to ignore what the organisation decided.
                tracing::error!(version, %error, "the policy can't be followed");
                let contact = self
                    .shared
                    .policy()
                    .map(|policy| policy.organisation.contact.clone())
                    .unwrap_or_default();
                self.shared.capture.lock().policy_problem = Some(Sentence::new(
                    "problem.policy_unusable",
                    [("reason", error.to_string()), ("contact", contact)],
                ));
            }
            None => return,
        }
        self.following = Some((version, settings));
    }

    /// The policy as the core takes it, with what the person left out.
    pub(super) fn policy(&self) -> Option<Result<Policy, snag_core::PolicyError>> {
        let answer = self.shared.policy()?;
        let never = self.shared.settings.lock().settings("").never_apps.value;
        Some(convert::policy(&answer, &never))
    }
}

fn identity_problem(reason: String) -> Sentence {
    Sentence::new("problem.identity_unusable", [("reason", reason)])
}
