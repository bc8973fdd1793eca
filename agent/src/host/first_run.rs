//! The page that is read before anything is captured.

use jiff::Timestamp;
use snag_wire::{IncidentKind, IncidentRecord, LabelHash, Record};

use super::Host;
use super::shared::KEPT_DAYS;
use crate::desktop::data;
use crate::desktop::scope::Acknowledged;
use crate::desktop::view::{FirstRun, PolicyView, Sentence};

impl Host {
    /// The page as it stands.
    ///
    /// # Errors
    /// This program's own list of data can't be read, which its tests rule out.
    pub fn first_run(&self) -> Result<FirstRun, Sentence> {
        let shared = &self.shared;
        let mut declared = data::declared(shared.language())
            .map_err(|error| Sentence::new("problem.unknown", [("reason", error.to_string())]))?;
        if let Some(kept) = shared.policy().and_then(|policy| policy.retention) {
            declared.keep(kept);
        }
        let acknowledged = shared.acknowledged.lock().clone();
        let (server, identity_contact) = {
            let device = shared.device.lock();
            let identity = device.as_ref().map(|device| &device.identity);
            (
                identity
                    .map(|identity| identity.server.clone())
                    .unwrap_or_default(),
                identity
                    .map(|identity| identity.policy.organisation.contact.clone())
                    .unwrap_or_default(),
            )
        };
        let policy = shared.policy();
        let scope = policy.as_ref().map(|policy| shared.scope(policy));
        Ok(FirstRun {
            version: scope
                .as_ref()
                .map(|scope| scope.version())
                .unwrap_or_default(),
            organisation: shared.organisation(),
            contact: policy.as_ref().map_or(identity_contact, |policy| {
                policy.organisation.contact.clone()
            }),
            server,
            data: declared.data,
            never: declared.never,
            policy: scope.map_or_else(
                || PolicyView {
                    only_named_apps: false,
                    apps: Vec::new(),
                    k: 5,
                    readable: Vec::new(),
                    kept_days: KEPT_DAYS,
                },
                |scope| scope.view(),
            ),
            widened: policy
                .as_ref()
                .and_then(|policy| shared.widened(policy))
                .map(|widened| widened.to_vec())
                .unwrap_or_default(),
            acknowledged_at: acknowledged.map(|acknowledged| acknowledged.at),
            example: example(),
        })
    }

    /// The person read the page of this version: capture may begin.
    ///
    /// # Errors
    /// The page says something else by now, the device isn't enrolled, or it can't be kept. Then nothing is captured.
    pub fn acknowledge(&self, version: &str) -> Result<(), Sentence> {
        let policy = self
            .shared
            .policy()
            .ok_or_else(|| self.shared.no_device())?;
        let scope = self.shared.scope(&policy);
        if scope.version() != version {
            return Err(Sentence::new(
                "problem.policy_widened",
                [("organisation", self.shared.organisation())],
            ));
        }
        let acknowledged = Acknowledged {
            at: Timestamp::now(),
            version: version.to_owned(),
            scope,
        };
        acknowledged.save(&self.shared.paths.acknowledged())?;
        *self.shared.acknowledged.lock() = Some(acknowledged);
        *self.shared.widened.lock() = None;
        self.changed();
        Ok(())
    }

    /// The person doesn't want that now: nothing is captured. What was acknowledged before a policy widened is
    /// taken back, too.
    ///
    /// # Errors
    /// When that can't be kept; nothing is captured until the next start all the same.
    pub fn decline(&self) -> Result<(), Sentence> {
        *self.shared.acknowledged.lock() = None;
        *self.shared.widened.lock() = None;
        self.changed();
        match std::fs::remove_file(self.shared.paths.acknowledged()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}

/// A record as it would leave, of the types that leave.
fn example() -> String {
    let record = Record::Incident(IncidentRecord {
        seq: 1_042,
        kind: IncidentKind::RageClick,
        version: 1,
        context: 0,
        t_ms: 81_250,
        duration_ms: 800,
        count: 4,
        role: Some("push_button".into()),
        label: Some(LabelHash([0x3f, 0x1c, 0x9a, 0x77, 0x02, 0xe4, 0xb8, 0x5d])),
    });
    serde_json::to_string_pretty(&record).unwrap_or_default()
}
