//! `POST /v1/events/batch`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{LabelHash, Record};

/// A batch of records of one device, sent as gzip JSON.
///
/// Records are ordered by `seq`, which rises strictly; a gap is allowed (records
/// dropped on the device, counted in `drops`). A batch may be sent again at any
/// time: what the server has already is counted as a duplicate and adds nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EventBatch {
    /// The device, as enrolled. It must be the token's own.
    pub device: Uuid,
    /// What the organisation calls the set of programs it looks at; `default` unless set.
    pub product: String,
    /// The version of the agent (the `version` filter of insights).
    pub agent_version: String,
    /// The device's wall clock as the batch is sent, from which the server corrects it.
    pub sent_at: Timestamp,
    /// The moment that every `t_ms` counts from, by the device's wall clock.
    pub base_at: Timestamp,
    /// What records refer to by index.
    pub contexts: Vec<Context>,
    /// The records, by rising `seq`.
    pub records: Vec<Record>,
    /// What this device dropped so far, by reason: totals since it was enrolled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drops: Vec<DropCount>,
}

/// Where a record happened.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Context {
    /// The device's session number, rising by one.
    pub session: u32,
    /// The program's name, lower case, without path or extension; empty where nothing had the focus.
    pub app: String,
    /// The hash of the screen's normalised title.
    pub screen: LabelHash,
}

/// Records dropped on the device for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DropCount {
    /// Why: `quota`, `spool_lost`, `rejected`, `queue_full` …, a stable snake-case word.
    pub reason: String,
    /// How many since the device was enrolled.
    pub count: u64,
}

/// What the server did with a batch. Sent only once ClickHouse has the rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BatchAnswer {
    /// Records stored by this request.
    pub accepted: u64,
    /// Records the server had already.
    pub duplicates: u64,
    /// Records refused, each listed in `errors`.
    pub rejected: u64,
    /// Why records were refused.
    pub errors: Vec<RecordError>,
    /// The lowest sequence number the server has not seen of this device.
    pub next_seq: u64,
    /// The policy's version, so that a device need not ask for it to know it changed.
    pub policy_version: u64,
}

/// Why one record was refused. It will be refused again: don't send it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RecordError {
    /// The record's sequence number, where it could be read.
    pub seq: Option<u64>,
    /// A stable code, such as `unknown_field` or `out_of_range`.
    pub code: String,
    /// What is wrong and what to do, without the record's content.
    pub message: String,
}
