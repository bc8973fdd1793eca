//! Deleting rows so that they are gone: by mutations, which write the parts anew
//! without them, and which are waited for.

use std::collections::BTreeSet;

use serde::Deserialize;
use snag_warehouse::{Query, Warehouse, WarehouseError};
use uuid::Uuid;

use super::plan::{FEEDBACK, RECORDS};
use crate::db;

/// Deletes the rows of a table that a condition is true for, in all their versions.
/// Where there is none, ClickHouse isn't made to write anything.
///
/// # Errors
/// The warehouse's.
pub async fn delete(
    warehouse: &Warehouse,
    table: &str,
    condition: &str,
    params: &[(&str, &str)],
) -> Result<(), WarehouseError> {
    mutate(warehouse, table, "DELETE", condition, params).await
}

/// Changes the rows of a table that a condition is true for, in all their versions.
async fn update(
    warehouse: &Warehouse,
    table: &str,
    change: &str,
    condition: &str,
    params: &[(&str, &str)],
) -> Result<(), WarehouseError> {
    let what = format!("UPDATE {change}");
    mutate(warehouse, table, &what, condition, params).await
}

async fn mutate(
    warehouse: &Warehouse,
    table: &str,
    what: &str,
    condition: &str,
    params: &[(&str, &str)],
) -> Result<(), WarehouseError> {
    let with = |mut query: Query| {
        for (name, value) in params {
            query = query.param(*name, value);
        }
        query
    };
    let sql = format!("SELECT 1 AS found FROM {table} WHERE {condition} LIMIT 1");
    if warehouse.select(with(Query::read(sql))).await?.is_empty() {
        return Ok(());
    }
    let sql = format!("ALTER TABLE {table} {what} WHERE {condition}");
    warehouse
        .execute(with(Query::new(sql)).setting("mutations_sync", 2))
        .await
}

fn list(ids: &BTreeSet<Uuid>) -> String {
    let ids: Vec<String> = ids.iter().map(|id| format!("'{id}'")).collect();
    format!("[{}]", ids.join(","))
}

/// Deletes items of feedback with their threads, details and facts of screenshots.
pub(super) async fn delete_feedback(
    warehouse: &Warehouse,
    org: &str,
    ids: &BTreeSet<Uuid>,
) -> Result<(), WarehouseError> {
    if ids.is_empty() {
        return Ok(());
    }
    let listed = list(ids);
    for (table, id) in FEEDBACK {
        // Of those that were merged into them, the versions that still say so.
        let merged = if table == "feedback" {
            " OR merged_into IN {ids:Array(UUID)}"
        } else {
            ""
        };
        let condition = format!("org = {{org:String}} AND ({id} IN {{ids:Array(UUID)}}{merged})");
        let params = [("org", org), ("ids", listed.as_str())];
        delete(warehouse, table, &condition, &params).await?;
    }
    delete_told(warehouse, org, ids).await
}

/// Deletes what listeners who come back within a day would be told of some items.
pub(crate) async fn delete_told(
    warehouse: &Warehouse,
    org: &str,
    ids: &BTreeSet<Uuid>,
) -> Result<(), WarehouseError> {
    let told = "org = toUUID({org:String}) \
                AND has({ids:Array(UUID)}, toUUIDOrZero(JSONExtractString(data, 'id')))";
    let ids = list(ids);
    let params = [("org", org), ("ids", ids.as_str())];
    delete(warehouse, "live_events", told, &params).await
}

/// Makes items that were merged into deleted ones stand for themselves again; tells which.
pub(crate) async fn unmerge(
    warehouse: &Warehouse,
    org: &str,
    ids: &BTreeSet<Uuid>,
    now_ms: i64,
) -> Result<Vec<Uuid>, WarehouseError> {
    #[derive(Deserialize)]
    struct Row {
        id: Uuid,
    }
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "SELECT id FROM feedback FINAL WHERE org = {org:String} \
               AND merged_into IN {ids:Array(UUID)} AND id NOT IN {ids:Array(UUID)}";
    let query = Query::read(sql)
        .param("org", org)
        .param_strings("ids", ids.iter().map(Uuid::to_string));
    let merged: Vec<Row> = db::rows(warehouse, query).await?;
    if merged.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "INSERT INTO feedback SELECT * REPLACE (\
                 toUUID('00000000-0000-0000-0000-000000000000') AS merged_into, \
                 greatest(version + 1, toUInt64({now:Int64})) AS version, \
                 fromUnixTimestamp64Milli({now:Int64}, 'UTC') AS changed_at) \
               FROM (SELECT * FROM feedback FINAL WHERE org = {org:String} \
                 AND merged_into IN {ids:Array(UUID)} AND id NOT IN {ids:Array(UUID)})";
    let insert = Query::new(sql)
        .param("org", org)
        .param("now", now_ms)
        .param_strings("ids", ids.iter().map(Uuid::to_string));
    warehouse.execute(insert).await?;
    Ok(merged.into_iter().map(|row| row.id).collect())
}

/// Revokes what a device may do, and takes the device out of its tokens' rows. Other
/// servers hear of it as of every revocation; what stays is the hash of a token that is
/// taken nowhere.
pub(super) async fn revoke(
    warehouse: &Warehouse,
    org: &str,
    device: Uuid,
    now_ms: i64,
) -> Result<(), WarehouseError> {
    let sql = "INSERT INTO tokens (token_hash, org, scope, name, device, segment, created_at, \
               expires_at, revoked, version) \
               SELECT token_hash, org, scope, '', NULL, '', created_at, expires_at, 1, \
               greatest(version + 1, toUInt64({now:Int64})) \
               FROM tokens FINAL WHERE org = toUUID({org:String}) AND device = {device:UUID}";
    let insert = Query::new(sql)
        .param("org", org)
        .param("device", device)
        .param("now", now_ms);
    warehouse.execute(insert).await?;
    let condition = "org = toUUID({org:String}) AND device = {device:UUID}";
    let device = device.to_string();
    let params = [("org", org), ("device", device.as_str())];
    delete(warehouse, "tokens", condition, &params).await
}

/// Deletes a device's records and what is known of the device.
pub(super) async fn delete_device(
    warehouse: &Warehouse,
    org: &str,
    device: Uuid,
) -> Result<(), WarehouseError> {
    let device = device.to_string();
    let params = [("org", org), ("device", device.as_str())];
    for (table, _) in RECORDS {
        let condition = "org = {org:String} AND device = {device:UUID}";
        delete(warehouse, table, condition, &params).await?;
    }
    for table in ["device_drops", "devices"] {
        let condition = "org = toUUID({org:String}) AND device = {device:UUID}";
        delete(warehouse, table, condition, &params).await?;
    }
    Ok(())
}

/// Takes a device out of the audit log, which noted whose items acts were on so that their
/// person could read it.
pub(super) async fn leave_audit(
    warehouse: &Warehouse,
    org: &str,
    device: Uuid,
) -> Result<(), WarehouseError> {
    let device = device.to_string();
    let params = [("org", org), ("device", device.as_str())];
    let nobody = "device = toUUID('00000000-0000-0000-0000-000000000000')";
    let condition = "org = {org:String} AND device = {device:UUID}";
    update(warehouse, "audit", nobody, condition, &params).await
}

/// Takes a device out of the sets of those rollups that can't be rebuilt, because
/// retention took the rows they were made of. Counts stay; they name nobody. (A `uniq`
/// is a sketch of hashes: nobody can be taken out of it, or found in it.)
pub(super) async fn leave_sets(
    warehouse: &Warehouse,
    org: &str,
    device: Uuid,
) -> Result<(), WarehouseError> {
    #[derive(Deserialize)]
    struct Column {
        table: String,
        name: String,
        r#type: String,
    }
    // Rollups are found, as `verify` finds them: a view named `x_view` fills `x`.
    let sql = "SELECT table, name, type FROM system.columns WHERE database = {database:String} \
               AND concat(table, '_view') IN (SELECT name FROM system.tables \
                 WHERE database = {database:String} AND engine = 'MaterializedView') \
               AND (name = 'device' OR type LIKE 'SimpleAggregateFunction(groupUniqArrayArray, %UUID%')";
    let query = Query::read(sql).param("database", warehouse.database());
    let columns: Vec<Column> = db::rows(warehouse, query).await?;
    let device = device.to_string();
    let params = [("org", org), ("device", device.as_str())];
    for Column {
        table,
        name,
        r#type,
    } in columns
    {
        if name == "device" {
            let condition = "org = {org:String} AND device = {device:UUID}";
            delete(warehouse, &table, condition, &params).await?;
            continue;
        }
        let of = if r#type.contains("Tuple(device UUID") {
            "x.1"
        } else {
            "x"
        };
        let condition =
            format!("org = {{org:String}} AND arrayExists(x -> {of} = {{device:UUID}}, {name})");
        let without = format!("{name} = arrayFilter(x -> {of} != {{device:UUID}}, {name})");
        update(warehouse, &table, &without, &condition, &params).await?;
    }
    Ok(())
}
