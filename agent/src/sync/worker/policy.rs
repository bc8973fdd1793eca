//! Asks for the policy, and keeps it for a start without the server.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use snag_spool::{Spool, SpoolError};
use snag_wire::PolicyAnswer;
use snag_wire::limits::SEQ_MAX;

use super::Worker;
use crate::sync::client::{CallError, PolicyReply};
use crate::sync::plan::Fetched;
use crate::sync::trouble::Trouble;

/// Where the spool keeps the policy and its ETag.
const POLICY_VALUE: &str = "policy";

/// The policy that the last run kept, for a start without the server.
///
/// # Errors
/// When the spool can't be read.
pub fn stored_policy(spool: &Spool) -> Result<Option<PolicyAnswer>, SpoolError> {
    Ok(read_kept(spool)?.map(|kept| kept.policy))
}

#[derive(Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) etag: Option<String>,
    pub(super) policy: PolicyAnswer,
}

pub(super) fn read_kept(spool: &Spool) -> Result<Option<Kept>, SpoolError> {
    let bytes = spool.value(POLICY_VALUE)?;
    Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

impl Worker {
    pub(super) async fn fetch_policy(&mut self) {
        let reply = self.options.client.policy(self.etag.as_deref()).await;
        let fetched = match reply {
            Ok(PolicyReply::Same) => {
                self.succeeded(0);
                Fetched::Policy {
                    version: self.plan.policy_version(),
                }
            }
            Ok(PolicyReply::New { etag, policy }) => {
                let kept = Kept {
                    etag,
                    policy: *policy,
                };
                let bytes = serde_json::to_vec(&kept).unwrap_or_default();
                let next_seq = kept.policy.next_seq.min(SEQ_MAX);
                let stored = self
                    .on_spool(move |spool| {
                        spool.raise_floor(next_seq)?;
                        spool.set_value(POLICY_VALUE, Some(&bytes))
                    })
                    .await;
                let version = kept.policy.version;
                self.adopt(kept.policy);
                match stored {
                    Ok(()) => {
                        self.etag = kept.etag;
                        self.succeeded(0);
                    }
                    // It holds all the same; without the ETag it comes again whole.
                    Err(error) => self.failed(
                        Trouble::of_spool(&error),
                        format!("the policy can't be stored: {error}"),
                    ),
                }
                Fetched::Policy { version }
            }
            Err(error) => {
                let (trouble, after_ms) = (error.trouble(), error.after_ms());
                let why = match error {
                    CallError::Retry { why, .. } => why,
                    refused => format!("the policy can't be had: {refused}"),
                };
                self.failed(trouble, why);
                Fetched::Retry { after_ms }
            }
        };
        self.plan.fetched(self.now_ms(), fetched);
    }

    pub(super) fn adopt(&mut self, policy: PolicyAnswer) {
        self.plan.set_rules(policy.sync.clone());
        self.options.labels.apply(&policy);
        let _ = self.options.policy.send_replace(Some(Arc::new(policy)));
    }
}
