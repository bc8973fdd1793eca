//! `GET /v1/policy`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::LabelHash;

/// What an organisation decided for its devices. Versioned by its ETag.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PolicyAnswer {
    /// Rises with every change, labels that became readable included.
    pub version: u64,
    /// Who asks.
    pub organisation: Organisation,
    /// How many people must stand behind a figure or a readable label.
    pub k: u32,
    /// The key of label hashes: 64 hexadecimal digits.
    pub label_key: String,
    /// Which programs are looked at.
    pub apps: AppRules,
    /// Which labels are readable at once, or never; the first match decides.
    pub label_rules: Vec<LabelRule>,
    /// Hashes that at least `k` people share and whose text the server lacks:
    /// a device that knows such a text sends it, once.
    pub wanted_labels: Vec<LabelHash>,
    /// Detector thresholds that differ from the defaults, by name.
    pub thresholds: BTreeMap<String, u64>,
    /// How the device sends.
    pub sync: SyncRules,
    /// How long the server keeps what is sent, for the person to read before anything is. Servers of before this
    /// field don't say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<Retention>,
    /// The lowest sequence number the server has not seen of this device.
    pub next_seq: u64,
}

/// After how many days things are deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Retention {
    /// Events, sessions, screens and incidents. Sums over many people stay.
    pub events_days: u32,
    /// Feedback with its thread.
    pub feedback_days: u32,
    /// Screenshots.
    pub screenshots_days: u32,
}

/// The organisation, as the person is shown it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Organisation {
    /// Its identity.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Whom a person can ask.
    pub contact: String,
}

/// Which programs are looked at. Patterns match the whole name; `*` stands for anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "mode",
    content = "apps",
    rename_all = "snake_case",
    deny_unknown_fields
)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum AppRules {
    /// Only these.
    Allow(Vec<String>),
    /// All but these.
    Deny(Vec<String>),
}

/// Makes labels of matching screens readable at once, or never.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LabelRule {
    /// The program: a pattern with `*`.
    pub app: String,
    /// The normalised label: a regular expression that has to match all of it.
    pub label: String,
    /// What to do.
    pub action: LabelAction,
}

/// What a [`LabelRule`] does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum LabelAction {
    /// The text may be sent whoever shares it.
    Readable,
    /// The text is never sent.
    Never,
}

/// What a label names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum LabelKind {
    /// A screen's title.
    Screen,
    /// An element's name.
    Element,
    /// A task's name, said by a program.
    Task,
    /// An error's code, said by a program.
    Error,
}

/// How a device sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SyncRules {
    /// Longest time a record waits for others, in milliseconds: at most a day.
    pub batch_age_ms: u64,
    /// Most records in a batch: 1 to 10,000.
    pub batch_records: u32,
    /// How often the policy is asked for, in milliseconds: a second to a day.
    pub policy_interval_ms: u64,
}

impl Default for SyncRules {
    fn default() -> Self {
        // One request a minute is 83 a second from 5,000 desks; 500 records are
        // some 5 KB; a policy that changes is known from the batch's answer anyway.
        Self {
            batch_age_ms: 60_000,
            batch_records: 500,
            policy_interval_ms: 900_000,
        }
    }
}
