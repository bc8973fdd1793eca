//! Who did what: one row an act, never changed.
//!
//! Administrators read it by `GET /v1/admin/audit`; a person at a desktop reads who touched
//! what they said by `GET /v1/audit/mine` (see [`read`]).
//!
//! **Invariant:** an act that isn't in the log is not done: the log is written first, and
//! where it can't be, the act is refused.

pub mod read;

use jiff::Timestamp;
use serde_json::Value;
use snag_warehouse::{Query, Warehouse, WarehouseError};
use uuid::Uuid;

use crate::auth::Actor;

/// An act on one thing.
#[derive(Debug)]
pub struct Act<'a> {
    /// `object.verb`.
    pub action: &'a str,
    /// What it was done to: an id.
    pub target: &'a str,
    /// What changed; never a person's words.
    pub detail: Value,
}

/// Writes acts of one actor to the log.
///
/// # Errors
/// The warehouse's; the acts must then not be done.
pub async fn log(
    warehouse: &Warehouse,
    actor: &Actor,
    acts: &[Act<'_>],
    now: Timestamp,
) -> Result<(), WarehouseError> {
    if acts.is_empty() {
        return Ok(());
    }
    let ids: Vec<String> = acts.iter().map(|_| Uuid::now_v7().to_string()).collect();
    let actions: Vec<String> = acts.iter().map(|act| act.action.to_owned()).collect();
    let targets: Vec<String> = acts.iter().map(|act| act.target.to_owned()).collect();
    let details: Vec<String> = acts.iter().map(|act| act.detail.to_string()).collect();
    // Whose item it is, is noted now: once the item is deleted nobody could tell.
    let items: Vec<String> = acts
        .iter()
        .filter(|act| act.action.starts_with("feedback.") || act.action.starts_with("screenshot."))
        .filter_map(|act| act.target.parse::<Uuid>().ok())
        .map(|id| id.to_string())
        .collect();
    let whose = if items.is_empty() {
        "toUUID('00000000-0000-0000-0000-000000000000') AS device FROM acts"
    } else {
        "if(match(acts.action, '^(feedback|screenshot)[.]'), whose.device, \
         toUUID('00000000-0000-0000-0000-000000000000')) AS device FROM acts LEFT JOIN \
         (SELECT id, any(device) AS device FROM submissions WHERE org = {org:String} \
         AND id IN (SELECT toUUID(arrayJoin({items:Array(String)}))) GROUP BY id) AS whose \
         ON whose.id = toUUIDOrZero(acts.target)"
    };
    let sql = format!(
        "INSERT INTO audit (org, at, id, actor, role, action, target, detail, device) \
         WITH acts AS (SELECT row.1 AS act, row.2 AS action, row.3 AS target, row.4 AS detail FROM \
         (SELECT arrayJoin(arrayZip({{ids:Array(String)}}, {{actions:Array(String)}}, \
         {{targets:Array(String)}}, {{details:Array(String)}})) AS row)) \
         SELECT {{org:String}}, fromUnixTimestamp64Milli({{at:Int64}}, 'UTC'), toUUID(acts.act), \
         {{actor:String}}, {{role:String}}, acts.action, acts.target, acts.detail, {whose}"
    );
    let insert = Query::new(sql)
        .param("org", &actor.org.key)
        .param("at", now.as_millisecond())
        .param("actor", &actor.name)
        .param("role", actor.role.as_str())
        .param_strings("ids", &ids)
        .param_strings("actions", &actions)
        .param_strings("targets", &targets)
        .param_strings("details", &details);
    let insert = if items.is_empty() {
        insert
    } else {
        insert.param_strings("items", &items)
    };
    warehouse.execute(insert).await.map(drop)
}
