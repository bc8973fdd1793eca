//! Items to compare, as they are on the desk now.

use serde::Deserialize;
use snag_warehouse::{Query, WarehouseError};
use uuid::Uuid;

use super::cluster::Item;
use super::{Asked, words};
use crate::orgs::Org;
use crate::{AppState, db};

/// Items compared in one answer: a second's work.
const ITEMS_MAX: usize = 20_000;
/// Items of one screen that one item is compared with.
const BESIDE_MAX: usize = 5_000;
/// `feedback` is ordered by this less the milliseconds.
const NEWEST: i64 = i64::MAX;

const COLUMNS: &str = "toString(id) AS item, toString(app) AS app, toString(screen) AS screen, \
    toUnixTimestamp64Milli(at) AS at_ms, substringUTF8(description, 1, 1000) AS text, \
    friction_signature AS signature, cityHash64(device) AS person";

/// Items that nobody has put aside.
const OPEN: &str = "status != 'spam' AND NOT archived \
    AND merged_into = toUUID('00000000-0000-0000-0000-000000000000')";

#[derive(Deserialize)]
struct Row {
    item: Uuid,
    app: String,
    screen: String,
    at_ms: i64,
    text: String,
    signature: String,
    person: u64,
}

impl From<Row> for Item {
    fn from(row: Row) -> Self {
        Self {
            id: row.item,
            at_ms: row.at_ms,
            words: words::read(&row.text),
            app: row.app,
            screen: row.screen,
            signature: row.signature,
            person: row.person,
        }
    }
}

async fn rows(state: &AppState, query: Query) -> Result<Vec<Row>, WarehouseError> {
    db::rows(&state.warehouse, query).await
}

/// The newest open items of the period, and whether there are more.
pub(super) async fn open(
    state: &AppState,
    org: &Org,
    asked: &Asked,
) -> Result<(Vec<Item>, bool), WarehouseError> {
    let mut filters = String::new();
    for (column, _) in &asked.filters {
        filters.push_str(&format!(" AND feedback.{column} = {{{column}:String}}"));
    }
    let sql = format!(
        "SELECT {COLUMNS} FROM feedback FINAL WHERE feedback.org = {{org:String}} \
         AND newest > {{after:UInt64}} AND newest <= {{until:UInt64}} \
         AND {OPEN}{filters} ORDER BY newest, id LIMIT {{limit:UInt64}}"
    );
    let mut query = Query::read(sql)
        .param("org", &org.key)
        .param("after", NEWEST - asked.to_ms)
        .param("until", NEWEST - asked.from_ms)
        .param("limit", ITEMS_MAX + 1);
    for (column, value) in &asked.filters {
        query = query.param(*column, value);
    }
    let mut rows = rows(state, query).await?;
    let more = rows.len() > ITEMS_MAX;
    rows.truncate(ITEMS_MAX);
    Ok((rows.into_iter().map(Item::from).collect(), more))
}

/// One item, whatever the desk did with it.
pub(super) async fn one(
    state: &AppState,
    org: &Org,
    id: Uuid,
) -> Result<Option<Item>, WarehouseError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM feedback FINAL WHERE feedback.org = {{org:String}} \
         AND id = {{id:UUID}} LIMIT 1"
    );
    let query = Query::read(sql).param("org", &org.key).param("id", id);
    Ok(rows(state, query).await?.into_iter().next().map(Item::from))
}

/// The newest open items about the same screen.
pub(super) async fn beside(
    state: &AppState,
    org: &Org,
    item: &Item,
) -> Result<Vec<Item>, WarehouseError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM feedback FINAL WHERE feedback.org = {{org:String}} \
         AND feedback.app = {{app:String}} AND feedback.screen = {{screen:String}} \
         AND id != {{id:UUID}} AND {OPEN} ORDER BY newest, id LIMIT {{limit:UInt64}}"
    );
    let query = Query::read(sql)
        .param("org", &org.key)
        .param("app", &item.app)
        .param("screen", &item.screen)
        .param("id", item.id)
        .param("limit", BESIDE_MAX);
    Ok(rows(state, query)
        .await?
        .into_iter()
        .map(Item::from)
        .collect())
}
