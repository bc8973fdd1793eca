//! What was deleted, by id: the table `forgotten`.
//!
//! **Invariant:** an entry is written before anything of it is deleted, and says
//! `deleted` only after everything was. So whatever a crash leaves half done is found
//! here and taken up again, and what is here doesn't come back with a late retry.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use snag_warehouse::{ErrorKind, Query, Warehouse, WarehouseError};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::db;

/// How long an id is remembered after its deletion: as long as a submission may be
/// late (180 days), and some more for clocks that are wrong.
pub const REMEMBERED: SignedDuration = SignedDuration::from_hours(200 * 24);

/// What kind of thing an id names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An item of feedback.
    Feedback,
    /// A device, and with it a person.
    Device,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Feedback => "feedback",
            Self::Device => "device",
        }
    }
}

/// How far a deletion got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// It is decided.
    Begun,
    /// What there is to delete is written down.
    Planned,
    /// Everything is gone.
    Deleted,
    /// What was on its way as it was deleted is gone, too.
    Swept,
}

impl Stage {
    fn as_str(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Planned => "planned",
            Self::Deleted => "deleted",
            Self::Swept => "swept",
        }
    }
}

/// What there is to delete.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// How many of each kind.
    pub counts: BTreeMap<String, u64>,
    /// Items of feedback.
    pub feedback: BTreeSet<Uuid>,
    /// Days whose rollups have to be rebuilt.
    pub days: BTreeSet<Date>,
    /// Screenshots that nothing may name afterwards.
    pub hashes: BTreeSet<String>,
    /// Bytes of the screenshots and thumbnails that were deleted so far.
    #[serde(default)]
    pub bytes_freed: u64,
    /// The receipt that the audit log names. Whoever finishes the deletion gives it.
    #[serde(default)]
    pub receipt: Option<Uuid>,
    /// Whether the items were taken out of rollups that can't be rebuilt. Written before that is done, so that it is
    /// never done twice.
    #[serde(default)]
    pub uncounted: bool,
}

impl Plan {
    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.feedback.is_empty() && self.hashes.is_empty() && self.counts.values().all(|n| *n == 0)
    }

    /// Adds what another look found. What both have counts once.
    pub fn join(&mut self, other: Self) {
        for (kind, count) in other.counts {
            let known = self.counts.entry(kind).or_default();
            *known = (*known).max(count);
        }
        self.feedback.extend(other.feedback);
        self.days.extend(other.days);
        self.hashes.extend(other.hashes);
        self.bytes_freed = self.bytes_freed.max(other.bytes_freed);
        self.receipt = self.receipt.or(other.receipt);
        self.uncounted |= other.uncounted;
    }
}

/// What was deleted; never what it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Receipt {
    /// This receipt; the audit log names it, too.
    pub receipt: Uuid,
    /// When everything was gone.
    pub at: Timestamp,
    /// How many of each kind: items of feedback, rows of events, objects of pictures …
    pub what: BTreeMap<String, u64>,
    /// Bytes of screenshots and thumbnails that were deleted. What rows took isn't counted.
    pub bytes_freed: u64,
    /// From `at` on nothing shows it any more; by then ClickHouse has also deleted the
    /// files that held the rows before.
    pub gone_from_disk_by: Timestamp,
    /// Until when the server remembers the bare id, so that a late retry can't bring back
    /// what was deleted.
    pub id_remembered_until: Timestamp,
}

/// A deletion.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Whose, as the record tables have it.
    pub org: String,
    /// What `id` names.
    pub kind: Kind,
    /// What was asked to be deleted.
    pub id: Uuid,
    /// When it was asked.
    pub at: Timestamp,
    /// How far it got.
    pub stage: Stage,
    /// What there is to delete.
    pub plan: Plan,
    /// What was deleted.
    pub receipt: Option<Receipt>,
}

#[derive(Deserialize)]
struct Row {
    org: String,
    kind: Kind,
    id: Uuid,
    at_ms: i64,
    stage: Stage,
    plan: String,
    receipt: String,
}

const COLUMNS: &str = "org, kind, id, toUnixTimestamp64Milli(at) AS at_ms, stage, plan, receipt";

fn broken(what: &dyn std::fmt::Display) -> WarehouseError {
    WarehouseError::new(ErrorKind::Schema, format!("forgotten: {what}"))
}

impl Row {
    fn into_entry(self) -> Result<Entry, WarehouseError> {
        let plan = if self.plan.is_empty() {
            Plan::default()
        } else {
            serde_json::from_str(&self.plan).map_err(|error| broken(&error))?
        };
        let receipt = if self.receipt.is_empty() {
            None
        } else {
            Some(serde_json::from_str(&self.receipt).map_err(|error| broken(&error))?)
        };
        Ok(Entry {
            org: self.org,
            kind: self.kind,
            id: self.id,
            at: Timestamp::from_millisecond(self.at_ms).map_err(|error| broken(&error))?,
            stage: self.stage,
            plan,
            receipt,
        })
    }
}

/// The last deletion of an id, if any.
///
/// # Errors
/// The warehouse's.
pub async fn find(
    warehouse: &Warehouse,
    org: &str,
    kind: Kind,
    id: Uuid,
) -> Result<Option<Entry>, WarehouseError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM forgotten FINAL \
         WHERE org = {{org:String}} AND kind = {{kind:String}} AND id = {{id:UUID}}"
    );
    let query = Query::read(sql)
        .param("org", org)
        .param("kind", kind.as_str())
        .param("id", id);
    let rows: Vec<Row> = db::rows(warehouse, query).await?;
    rows.into_iter().next().map(Row::into_entry).transpose()
}

/// Deletions of all organisations that aren't swept yet, the oldest first.
///
/// # Errors
/// The warehouse's.
pub async fn unfinished(warehouse: &Warehouse) -> Result<Vec<Entry>, WarehouseError> {
    let sql = format!("SELECT {COLUMNS} FROM forgotten FINAL WHERE stage != 'swept' ORDER BY at");
    let rows: Vec<Row> = db::rows(warehouse, Query::read(sql)).await?;
    rows.into_iter().map(Row::into_entry).collect()
}

/// Writes down how far a deletion got.
///
/// # Errors
/// The warehouse's.
pub async fn write(warehouse: &Warehouse, entry: &Entry) -> Result<(), WarehouseError> {
    let plan = if entry.stage >= Stage::Swept {
        String::new()
    } else {
        serde_json::to_string(&entry.plan).map_err(|error| broken(&error))?
    };
    let receipt = match &entry.receipt {
        Some(receipt) => serde_json::to_string(receipt).map_err(|error| broken(&error))?,
        None => String::new(),
    };
    let sql = "INSERT INTO forgotten (org, kind, id, at, until, stage, plan, receipt, version) \
               SELECT {org:String}, {kind:String}, {id:UUID}, \
               fromUnixTimestamp64Milli({at:Int64}, 'UTC'), toDateTime({until:Int64}, 'UTC'), \
               {stage:String}, {plan:String}, {receipt:String}, toUInt64({version:Int64})";
    let insert = Query::new(sql)
        .param("org", &entry.org)
        .param("kind", entry.kind.as_str())
        .param("id", entry.id)
        .param("at", entry.at.as_millisecond())
        .param("until", (entry.at + REMEMBERED).as_second())
        .param("stage", entry.stage.as_str())
        .param("plan", plan)
        .param("receipt", receipt)
        .param("version", version(entry));
    warehouse.execute(insert).await
}

/// Deletes the plans of the stages before: they say which items were whose, and more than the next stage needs.
///
/// # Errors
/// The warehouse's.
pub async fn drop_plan(warehouse: &Warehouse, entry: &Entry) -> Result<(), WarehouseError> {
    let condition = "org = {org:String} AND kind = {kind:String} AND id = {id:UUID} \
                     AND plan != '' AND version < {version:UInt64}";
    let (id, version) = (entry.id.to_string(), version(entry).to_string());
    let params = [
        ("org", entry.org.as_str()),
        ("kind", entry.kind.as_str()),
        ("id", id.as_str()),
        ("version", version.as_str()),
    ];
    super::rows::delete(warehouse, "forgotten", condition, &params).await
}

/// The same id may be deleted again later; each stage replaces the one before.
fn version(entry: &Entry) -> i64 {
    entry.at.as_millisecond() * 8 + entry.stage as i64
}

/// Which of these items of feedback were deleted: they must not be stored again.
///
/// # Errors
/// The warehouse's.
pub async fn deleted(
    warehouse: &Warehouse,
    orgs: &[&str],
    ids: &[Uuid],
) -> Result<HashSet<(String, Uuid)>, WarehouseError> {
    #[derive(Deserialize)]
    struct Deleted {
        org: String,
        id: Uuid,
    }
    let sql = "SELECT DISTINCT org, id FROM forgotten WHERE org IN {orgs:Array(String)} \
               AND kind = 'feedback' AND id IN {ids:Array(UUID)}";
    let query = Query::read(sql)
        .param_strings("orgs", orgs)
        .param_strings("ids", ids.iter().map(Uuid::to_string));
    let rows: Vec<Deleted> = db::rows(warehouse, query).await?;
    Ok(rows.into_iter().map(|row| (row.org, row.id)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_second_look_finds_is_not_counted_twice() {
        let plan = |events, id, day: &str| Plan {
            counts: BTreeMap::from([("events".to_owned(), events)]),
            feedback: BTreeSet::from([Uuid::from_u128(id)]),
            days: BTreeSet::from([day.parse().unwrap()]),
            hashes: BTreeSet::new(),
            bytes_freed: 0,
            receipt: None,
            uncounted: false,
        };
        let mut first = plan(7, 1, "2026-11-20");
        // Half of it is gone, and something else has come.
        first.join(plan(3, 2, "2026-11-21"));
        assert_eq!(first.counts["events"], 7);
        assert_eq!(first.feedback.len(), 2);
        assert_eq!(first.days.len(), 2);
        assert!(!first.is_empty());
        assert!(Plan::default().is_empty());
    }
}
