//! `GET /v1/feedback`: a page of items, the newest first.
//!
//! A row of `feedback` may have been replaced by a later version that isn't merged with
//! it yet. A page is found in three steps: the first rows of any version that match the
//! filter, in the table's order (few narrow columns, no merging: that is what makes it
//! quick); then the current rows of the items found; of these, the ones that match.
//! An item whose current row matches is always among the first, so none is missed.
//! Where somebody just changed thousands of items, thousands of those first rows may be
//! out of date: they are told apart by narrow columns, too, all at once.

use std::collections::HashSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Uri;
use jiff::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use snag_warehouse::{Query, WarehouseError};
use snag_wire::Category;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::filter::{self, Filter};
use super::store::Status;
use super::thread::moment;
use crate::auth::Viewer;
use crate::{ApiError, AppState, db, params};

/// Items of a page where `limit` isn't given.
const DEFAULT_LIMIT: usize = 50;
/// Most items of a page.
const LIMIT_MAX: usize = 200;
/// Rows that are looked through at once, at most.
const ROWS_MAX: usize = 20_000;

/// The moment of a place in the table, in milliseconds since 1970.
fn ms_of(place: u64) -> i64 {
    i64::MAX.saturating_sub_unsigned(place)
}

/// An item of the list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Item {
    /// The item.
    pub(crate) id: Uuid,
    /// Rises with each change.
    pub(crate) version: u64,
    /// When the person wrote it, by the device's clock.
    pub(crate) at: Timestamp,
    /// When the server got it.
    pub(crate) received_at: Timestamp,
    /// The product.
    pub(crate) product: String,
    /// What kind of thing is said.
    pub(crate) category: Category,
    /// The person's words.
    pub(crate) description: String,
    /// The description's language (ISO 639-1); null where it can't be told.
    pub(crate) language: Option<String>,
    /// 1 (bad) to 5 (good); null where none was given.
    pub(crate) rating: Option<u8>,
    /// `positive`, `neutral`, `negative`; null where it can't be judged.
    pub(crate) sentiment: Option<String>,
    /// -1 to 1; null where it can't be judged.
    pub(crate) polarity: Option<f64>,
    /// Its tags.
    pub(crate) tags: Vec<String>,
    /// What it is about.
    pub(crate) target: snag_wire::Target,
    /// The operating system.
    pub(crate) os: String,
    /// The agent's version.
    pub(crate) agent_version: String,
    /// Where it stands.
    pub(crate) status: Status,
    /// Whether somebody has read it.
    pub(crate) read: bool,
    /// Whether it is put away.
    pub(crate) archived: bool,
    /// Who looks after it.
    pub(crate) assignee: Option<String>,
    /// Notes in its thread.
    pub(crate) notes: u32,
    /// Replies in its thread.
    pub(crate) replies: u32,
    /// What it is a duplicate of.
    pub(crate) merged_into: Option<Uuid>,
    /// Whether there is a screenshot.
    pub(crate) has_screenshot: bool,
    /// When it changed last.
    pub(crate) changed_at: Timestamp,
}

/// A page of items.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Items {
    /// The newest first.
    items: Vec<Item>,
    /// Ask again with it as `cursor` for the items that follow; null after the last.
    next_cursor: Option<String>,
}

/// An item as the list reads it.
#[derive(Debug, Deserialize)]
pub(super) struct Row {
    newest: u64,
    id: Uuid,
    version: u64,
    description: String,
    #[serde(deserialize_with = "card")]
    card: Card,
}

/// What [`Row`] is read from.
const COLUMNS: &str = "newest, id, version, description, card";

/// The column `card`: what else the list shows, in the column's order.
#[derive(Debug, Deserialize)]
struct Card {
    #[serde(deserialize_with = "number")]
    received_at_ms: i64,
    product: String,
    category: Category,
    language: String,
    rating: u8,
    polarity_micro: i32,
    sentiment: String,
    tags: Vec<String>,
    app: String,
    screen: String,
    url: String,
    os: String,
    agent_version: String,
    screenshot: String,
    status: Status,
    read: u8,
    archived: u8,
    assignee: String,
    notes: u32,
    replies: u32,
    merged_into: Uuid,
    #[serde(deserialize_with = "number")]
    changed_at_ms: i64,
}

fn card<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Card, D::Error> {
    let text = String::deserialize(deserializer)?;
    serde_json::from_str(&text).map_err(D::Error::custom)
}

fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(D::Error::custom)
}

fn given(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

impl Row {
    pub(super) fn item(self) -> Item {
        let card = self.card;
        let judged = !card.sentiment.is_empty();
        Item {
            id: self.id,
            version: self.version,
            at: moment(ms_of(self.newest)),
            received_at: moment(card.received_at_ms),
            product: card.product,
            category: card.category,
            description: self.description,
            language: given(card.language),
            rating: (card.rating > 0).then_some(card.rating),
            sentiment: given(card.sentiment),
            polarity: judged.then(|| f64::from(card.polarity_micro) / 1e6),
            tags: card.tags,
            target: snag_wire::Target {
                app: card.app,
                screen: card.screen,
                url: card.url,
            },
            os: card.os,
            agent_version: card.agent_version,
            status: card.status,
            read: card.read == 1,
            archived: card.archived == 1,
            assignee: given(card.assignee),
            notes: card.notes,
            replies: card.replies,
            merged_into: Some(card.merged_into).filter(|id| !id.is_nil()),
            has_screenshot: !card.screenshot.is_empty(),
            changed_at: moment(card.changed_at_ms),
        }
    }
}

/// How much of the list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read by the document alone")]
pub(crate) struct Page {
    /// How many items at most; 50 unless given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before, with all other parameters as they were.
    #[param(pattern = "^[A-Za-z0-9_-]{32}$")]
    cursor: Option<String>,
}

/// Items, the newest first. Pages neither repeat nor miss an item while others come in
/// and change; an item that is changed so that it matches, or doesn't any more, is
/// judged when its page is read.
#[utoipa::path(get, path = "/v1/feedback", tag = "feedback", params(filter::Filters, Page),
    responses((status = 200, body = Items), (status = 400), (status = 401), (status = 403)),
    security(("viewer" = [])))]
pub(crate) async fn get(
    State(state): State<Arc<AppState>>,
    Viewer(actor): Viewer,
    uri: Uri,
) -> Result<Json<Items>, ApiError> {
    let allowed: Vec<&str> = [filter::PARAMETERS, &["limit", "cursor"]].concat();
    let given = params::pairs(&uri, &allowed, filter::REPEATED)?;
    let filter = Filter::read(&given)?;
    let (mut limit, mut after) = (DEFAULT_LIMIT, None);
    for (name, value) in &given {
        match name.as_str() {
            "limit" => limit = read_limit(value)?,
            "cursor" => after = Some(read_cursor(value)?),
            _ => {}
        }
    }
    let mut rows = page(&state, &actor.org.key, &filter, after, limit + 1).await?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let last = rows.last().filter(|_| more);
    let next_cursor = last.map(|row| write_cursor((row.newest, row.id)));
    Ok(Json(Items {
        items: rows.into_iter().map(Row::item).collect(),
        next_cursor,
    }))
}

fn read_limit(value: &str) -> Result<usize, ApiError> {
    let digits = value.bytes().all(|byte| byte.is_ascii_digit());
    match value.parse() {
        Ok(limit @ 1..=LIMIT_MAX) if digits => Ok(limit),
        _ => {
            let detail = format!("It takes a whole number from 1 to {LIMIT_MAX}.");
            Err(ApiError::invalid_parameter("limit", detail))
        }
    }
}

fn write_cursor((newest, id): (u64, Uuid)) -> String {
    let mut bytes = newest.to_be_bytes().to_vec();
    bytes.extend(id.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

fn read_cursor(value: &str) -> Result<(u64, Uuid), ApiError> {
    let wrong = || {
        let detail = "It takes the next_cursor of the page before, with all other parameters \
                      as they were.";
        ApiError::invalid_parameter("cursor", detail)
    };
    let bytes = URL_SAFE_NO_PAD.decode(value).map_err(|_| wrong())?;
    let (newest, id) = bytes.split_first_chunk::<8>().ok_or_else(wrong)?;
    let id = Uuid::from_slice(id).map_err(|_| wrong())?;
    Ok((u64::from_be_bytes(*newest), id))
}

/// The first `wanted` items after a place that match, as they are now.
async fn page(
    state: &AppState,
    org: &str,
    filter: &Filter,
    mut after: Option<(u64, Uuid)>,
    wanted: usize,
) -> Result<Vec<Row>, WarehouseError> {
    let mut found: Vec<Row> = Vec::with_capacity(wanted);
    let mut rows_max = wanted + wanted / 4;
    let part_max = wanted.max(50);
    let mut first = true;
    loop {
        let (mut keys, last) = candidates(state, org, filter, after, rows_max).await?;
        // The very first are nearly always the page, and read as such.
        if !first {
            keys = current(state, org, filter, &keys).await?;
        }
        first = false;
        for part in keys.chunks(part_max) {
            found.extend(matching(state, org, filter, part).await?);
            if found.len() >= wanted {
                found.truncate(wanted);
                return Ok(found);
            }
        }
        // The rows end, or one more key may have further versions: it is done with.
        match last {
            Some(last) => after = Some(last),
            None => return Ok(found),
        }
        rows_max = (rows_max * 8).min(ROWS_MAX);
    }
}

/// An item's place in the table's order.
#[derive(Deserialize)]
struct Key {
    newest: u64,
    id: Uuid,
}

/// The keys of the first `rows_max` rows of any version that match, each once; with the
/// last of them where there may be more.
async fn candidates(
    state: &AppState,
    org: &str,
    filter: &Filter,
    after: Option<(u64, Uuid)>,
    rows_max: usize,
) -> Result<(Vec<(u64, Uuid)>, Option<(u64, Uuid)>), WarehouseError> {
    let query = candidates_query(org, filter, after, rows_max);
    let rows: Vec<Key> = db::rows(&state.warehouse, query).await?;
    let last = rows.last().map(|row| (row.newest, row.id));
    let last = last.filter(|_| rows.len() == rows_max);
    let mut seen = HashSet::with_capacity(rows.len());
    let keys = rows
        .into_iter()
        .map(|row| (row.newest, row.id))
        .filter(|key| seen.insert(*key))
        .collect();
    Ok((keys, last))
}

/// The query of [`candidates`].
fn candidates_query(
    org: &str,
    filter: &Filter,
    after: Option<(u64, Uuid)>,
    rows_max: usize,
) -> Query {
    let beyond = if after.is_some() {
        " AND newest >= {after:UInt64} AND (newest > {after:UInt64} OR id > {after_id:UUID})"
    } else {
        ""
    };
    let sql = format!(
        "SELECT newest, id FROM feedback WHERE {} AND {}{beyond} \
         ORDER BY newest, id LIMIT {{rows:UInt64}}",
        filter.fixed(),
        filter.triage()
    );
    let mut query = filter
        .bind(Query::read(sql))
        .param("org", org)
        .param("rows", rows_max)
        // The order is the table's own: comparing every row with the best so far costs
        // five times what it saves.
        .setting("use_top_k_dynamic_filtering", 0)
        .setting("use_skip_indexes_for_top_k", 0);
    if let Some((newest, id)) = after {
        query = query.param("after", newest).param("after_id", id);
    }
    query
}

/// What the engine does for the first page of a question, as `EXPLAIN` says it: for
/// whoever measures.
///
/// # Errors
/// As the list's.
pub(super) async fn explain(
    state: &AppState,
    org: &str,
    question: &str,
) -> Result<String, ApiError> {
    let uri: Uri = format!("/v1/feedback?{question}")
        .parse()
        .map_err(|error| ApiError::internal(&error))?;
    let filter = Filter::read(&params::pairs(&uri, filter::PARAMETERS, filter::REPEATED)?)?;
    let mut query = candidates_query(org, &filter, None, DEFAULT_LIMIT + 1);
    query.sql.insert_str(0, "EXPLAIN indexes = 1, actions = 0 ");
    let plan = state.warehouse.select(query.format("TSVRaw")).await?;
    Ok(String::from_utf8_lossy(&plan).into_owned())
}

/// Of the items with these keys, the ones whose current row matches.
async fn matching(
    state: &AppState,
    org: &str,
    filter: &Filter,
    keys: &[(u64, Uuid)],
) -> Result<Vec<Row>, WarehouseError> {
    let query = filter.bind(Query::read(current_sql(COLUMNS, filter)));
    db::rows(&state.warehouse, bind_keys(query, org, keys)).await
}

/// The same, of many keys: theirs alone, without what the list shows.
async fn current(
    state: &AppState,
    org: &str,
    filter: &Filter,
    keys: &[(u64, Uuid)],
) -> Result<Vec<(u64, Uuid)>, WarehouseError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let query = filter.bind(Query::read(current_sql("newest, id", filter)));
    let rows: Vec<Key> = db::rows(&state.warehouse, bind_keys(query, org, keys)).await?;
    Ok(rows.into_iter().map(|row| (row.newest, row.id)).collect())
}

/// These columns of the rows that are current and match, of the keys that are bound.
fn current_sql(columns: &str, filter: &Filter) -> String {
    let triage: String = filter
        .triage_columns()
        .iter()
        .map(|column| format!(", {column}"))
        .collect();
    format!(
        "SELECT {columns} FROM (SELECT {columns}{triage} FROM feedback WHERE org = {{org:String}} \
         AND newest IN {{newest:Array(UInt64)}} AND id IN {{ids:Array(UUID)}} \
         ORDER BY newest, id, version DESC LIMIT 1 BY newest, id) WHERE {} ORDER BY newest, id",
        filter.triage()
    )
}

fn bind_keys(query: Query, org: &str, keys: &[(u64, Uuid)]) -> Query {
    let places: Vec<String> = keys.iter().map(|(newest, _)| newest.to_string()).collect();
    query
        .param("org", org)
        .param("newest", format!("[{}]", places.join(",")))
        .param_strings("ids", keys.iter().map(|(_, id)| id.to_string()))
}

/// One item as it is now.
pub(super) async fn one(
    state: &AppState,
    org: &str,
    id: Uuid,
) -> Result<Option<Row>, WarehouseError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM feedback WHERE org = {{org:String}} AND id = {{id:UUID}} \
         ORDER BY newest, id, version DESC LIMIT 1 BY newest, id"
    );
    let query = Query::read(sql).param("org", org).param("id", id);
    let rows: Vec<Row> = db::rows(&state.warehouse, query).await?;
    Ok(rows.into_iter().next())
}
