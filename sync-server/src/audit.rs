//! Who did what: one row an act, never changed.
//!
//! **Invariant:** an act that isn't in the log is not done: the log is written first, and
//! where it can't be, the act is refused.

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
    let sql = "INSERT INTO audit (org, at, id, actor, role, action, target, detail) \
               SELECT {org:String}, fromUnixTimestamp64Milli({at:Int64}, 'UTC'), toUUID(row.1), \
               {actor:String}, {role:String}, row.2, row.3, row.4 \
               FROM (SELECT arrayJoin(arrayZip({ids:Array(String)}, {actions:Array(String)}, \
               {targets:Array(String)}, {details:Array(String)})) AS row)";
    let insert = Query::new(sql)
        .param("org", &actor.org.key)
        .param("at", now.as_millisecond())
        .param("actor", &actor.name)
        .param("role", actor.role.as_str())
        .param_strings("ids", &ids)
        .param_strings("actions", &actions)
        .param_strings("targets", &targets)
        .param_strings("details", &details);
    warehouse.execute(insert).await.map(drop)
}
