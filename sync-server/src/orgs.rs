//! Organisations: who they are, what their devices are told.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use snag_warehouse::{Query, Warehouse, WarehouseError};
use snag_wire::{AppRules, LabelAction, LabelRule, SyncRules, limits};
use tokio::time::Instant;
use uuid::Uuid;

use crate::db;

/// How long a change of an organisation may take to be seen.
const TTL: Duration = Duration::from_secs(10);

/// The lowest k of an organisation that isn't one person's own machine.
pub const K_MIN: u32 = 5;

/// What an organisation decided for its devices, as it is stored (JSON).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrgPolicy {
    /// Which programs are looked at.
    pub apps: AppRules,
    /// Which labels are readable at once, or never.
    #[serde(default)]
    pub label_rules: Vec<LabelRule>,
    /// Detector thresholds that differ from the defaults.
    #[serde(default)]
    pub thresholds: BTreeMap<String, u64>,
    /// How devices send.
    #[serde(default, deserialize_with = "SyncRulesAsSet::deserialize")]
    pub sync: SyncRules,
    /// How much feedback is taken.
    #[serde(default)]
    pub feedback: FeedbackRules,
    /// How long things are kept.
    #[serde(default)]
    pub retention: RetentionRules,
}

/// [`SyncRules`] as they are set: an unknown field is a mistake here, where devices pass
/// over what a later server tells them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, remote = "SyncRules")]
struct SyncRulesAsSet {
    batch_age_ms: u64,
    batch_records: u32,
    policy_interval_ms: u64,
}

/// How much feedback is taken in an hour; more is answered with 429.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FeedbackRules {
    /// Submissions an hour of one device.
    pub per_device_per_hour: u32,
    /// Submissions an hour of one network address, behind which a whole office may sit.
    pub per_address_per_hour: u32,
}

impl Default for FeedbackRules {
    fn default() -> Self {
        Self {
            per_device_per_hour: 5,
            per_address_per_hour: 500,
        }
    }
}

/// After how many days things are deleted, 1 to 3,650.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionRules {
    /// Events, sessions, screens and incidents. Rollups stay.
    pub events_days: u32,
    /// Feedback with its thread.
    pub feedback_days: u32,
    /// Screenshots.
    pub screenshots_days: u32,
}

impl Default for RetentionRules {
    fn default() -> Self {
        Self {
            events_days: 90,
            feedback_days: 90,
            screenshots_days: 90,
        }
    }
}

impl Default for OrgPolicy {
    fn default() -> Self {
        Self {
            apps: AppRules::Deny(Vec::new()),
            label_rules: Vec::new(),
            thresholds: BTreeMap::new(),
            sync: SyncRules::default(),
            feedback: FeedbackRules::default(),
            retention: RetentionRules::default(),
        }
    }
}

/// A policy that devices or this server could not follow.
#[derive(Debug, thiserror::Error)]
pub enum PolicyFault {
    /// A label rule's pattern isn't a regular expression.
    #[error("a label rule doesn't parse: {0}")]
    Rule(#[from] regex::Error),
    /// Devices would refuse it, and capture nothing.
    #[error("devices can't follow it: {0}")]
    Device(#[from] snag_core::PolicyError),
    /// A number is out of its range.
    #[error("{field} is {value}, but must be {least} to {most}")]
    Range {
        /// Which.
        field: &'static str,
        /// What it is.
        value: u64,
        /// The least that it may be.
        least: u64,
        /// The most that it may be.
        most: u64,
    },
    /// It isn't what devices take.
    #[error("devices don't understand it: {0}")]
    Form(#[from] serde_json::Error),
}

impl OrgPolicy {
    /// Compiles its rules, and tries it as a device would.
    ///
    /// # Errors
    /// A rule or a threshold that can't be followed. None is ever skipped.
    pub fn check(&self) -> Result<Vec<CompiledRule>, PolicyFault> {
        let settings: snag_core::PolicySettings = serde_json::from_value(serde_json::json!({
            "apps": self.apps,
            "label_rules": self.label_rules,
            "thresholds": self.thresholds,
        }))?;
        snag_core::Policy::from_settings(&settings)?;
        let Self {
            retention: kept,
            feedback: taken,
            sync,
            ..
        } = self;
        const DAY_MS: u64 = 86_400_000;
        for (field, value, range) in [
            ("retention.events_days", kept.events_days.into(), 1..=3_650),
            (
                "retention.feedback_days",
                kept.feedback_days.into(),
                1..=3_650,
            ),
            (
                "retention.screenshots_days",
                kept.screenshots_days.into(),
                1..=3_650,
            ),
            (
                "feedback.per_device_per_hour",
                taken.per_device_per_hour.into(),
                0..=1_000_000,
            ),
            (
                "feedback.per_address_per_hour",
                taken.per_address_per_hour.into(),
                0..=1_000_000,
            ),
            ("sync.batch_age_ms", sync.batch_age_ms, 0..=DAY_MS),
            (
                "sync.batch_records",
                sync.batch_records.into(),
                1..=limits::RECORDS_MAX as u64,
            ),
            // Not so often that devices keep the server from its work, nor so seldom that
            // a rule doesn't reach them.
            (
                "sync.policy_interval_ms",
                sync.policy_interval_ms,
                1_000..=DAY_MS,
            ),
        ] {
            if !range.contains(&value) {
                let (least, most) = range.into_inner();
                return Err(PolicyFault::Range {
                    field,
                    value,
                    least,
                    most,
                });
            }
        }
        Ok(self
            .label_rules
            .iter()
            .map(CompiledRule::new)
            .collect::<Result<_, _>>()?)
    }
}

/// One organisation, ready for use.
pub struct Org {
    /// Its identity.
    pub id: Uuid,
    /// The identity as the record tables' `org` column has it.
    pub key: String,
    /// Its name.
    pub name: String,
    /// Whom a person can ask.
    pub contact: String,
    /// How many people must stand behind a figure or a readable label.
    pub k: u32,
    /// The key of its label hashes.
    pub label_key: [u8; 32],
    /// What its devices are told.
    pub policy: OrgPolicy,
    /// Rises with each change of `policy`.
    pub policy_version: u64,
    /// Its label rules, compiled; the first match decides.
    pub rules: Vec<CompiledRule>,
}

impl std::fmt::Debug for Org {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Org")
            .field("id", &self.id)
            .field("k", &self.k)
            .field("policy_version", &self.policy_version)
            .finish_non_exhaustive()
    }
}

/// A label rule, ready to match.
#[derive(Debug)]
pub struct CompiledRule {
    app: regex::Regex,
    label: regex::Regex,
    action: LabelAction,
}

impl CompiledRule {
    /// Compiles a rule; its label's pattern has to match the whole label.
    ///
    /// # Errors
    /// The pattern isn't a regular expression. A rule that doesn't parse is never skipped.
    pub fn new(rule: &LabelRule) -> Result<Self, regex::Error> {
        let app = rule
            .app
            .trim()
            .to_lowercase()
            .split('*')
            .map(regex::escape)
            .collect::<Vec<_>>()
            .join(".*");
        Ok(Self {
            app: regex::Regex::new(&format!("^(?s:{app})$"))?,
            label: regex::Regex::new(&format!("^(?:{})$", rule.label))?,
            action: rule.action,
        })
    }
}

impl Org {
    /// What the organisation's rules say of a label; `None` where none matches.
    #[must_use]
    pub fn label_action(&self, app: &str, text: &str) -> Option<LabelAction> {
        self.rules
            .iter()
            .find(|rule| rule.app.is_match(app) && rule.label.is_match(text))
            .map(|rule| rule.action)
    }
}

/// Organisations by identity, read from the warehouse and kept for a short while.
#[derive(Default)]
pub struct OrgCache {
    known: Mutex<HashMap<Uuid, (Arc<Org>, Instant)>>,
}

#[derive(Deserialize)]
struct Row {
    id: Uuid,
    name: String,
    contact: String,
    k: u32,
    label_key: String,
    policy: String,
    policy_version: u64,
}

impl OrgCache {
    /// The organisation, or `None` where it doesn't exist.
    ///
    /// # Errors
    /// The warehouse's; a policy that doesn't parse is [`snag_warehouse::ErrorKind::Schema`].
    pub async fn get(
        &self,
        warehouse: &Warehouse,
        id: Uuid,
    ) -> Result<Option<Arc<Org>>, WarehouseError> {
        if let Some((org, read_at)) = self.known.lock().get_mut(&id) {
            if read_at.elapsed() < TTL {
                return Ok(Some(Arc::clone(org)));
            }
            // This caller reads it anew; the others go on with what is known meanwhile.
            *read_at = Instant::now();
        }
        let sql = "SELECT id, name, contact, k, label_key, policy, policy_version \
                   FROM organisations FINAL WHERE id = {id:UUID}";
        let rows: Vec<Row> = db::rows(warehouse, Query::read(sql).param("id", id)).await?;
        let Some(row) = rows.into_iter().next() else {
            return Ok(None);
        };
        let org = Arc::new(row.into_org()?);
        self.known
            .lock()
            .insert(id, (Arc::clone(&org), Instant::now()));
        Ok(Some(org))
    }

    /// Forgets what was read, so that the next look sees a change at once.
    pub fn forget(&self, id: Uuid) {
        self.known.lock().remove(&id);
    }
}

impl Row {
    fn into_org(self) -> Result<Org, WarehouseError> {
        let broken = |what: &str, error: String| WarehouseError {
            kind: snag_warehouse::ErrorKind::Schema,
            code: None,
            message: format!("organisation {}: {what}: {error}", self.id),
        };
        let policy: OrgPolicy =
            serde_json::from_str(&self.policy).map_err(|e| broken("policy", e.to_string()))?;
        let rules = policy
            .check()
            .map_err(|e| broken("label rule", e.to_string()))?;
        let mut label_key = [0; 32];
        hex::decode_to_slice(&self.label_key, &mut label_key)
            .map_err(|e| broken("label key", e.to_string()))?;
        Ok(Org {
            id: self.id,
            key: self.id.to_string(),
            name: self.name,
            contact: self.contact,
            k: self.k,
            label_key,
            policy,
            policy_version: self.policy_version,
            rules,
        })
    }
}
