//! An item's thread: notes of the desk, replies to the person.
//!
//! **Invariant:** a reply goes to the device that the item came from, and to no other;
//! the desk never learns which that is.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{StatusCode, Uri};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use snag_warehouse::{Query, WarehouseError};
use snag_wire::{Replies, Reply};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::acts;
use super::item_id::ItemId;
use super::store::{self, Act, Change, Current, Outcome};
use super::validate;
use crate::asked::Asked;
use crate::auth::{Actor, Analyst, DeviceAuth, Viewer};
use crate::{ApiError, AppState, db, params};

/// Characters in a note or reply.
const TEXT_CHARS_MAX: usize = 10_000;
/// Replies in one answer to a device.
const REPLIES_MAX: usize = 100;

/// What an entry of a thread is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Seen by the desk alone.
    Note,
    /// Sent to the person.
    Reply,
    /// The person's.
    Answer,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Reply => "reply",
            Self::Answer => "answer",
        }
    }
}

/// A new entry.
#[derive(Debug, Clone)]
pub struct Post {
    /// Its id; minted where it is left out.
    pub id: Option<Uuid>,
    /// What it is.
    pub kind: Kind,
    /// What it says.
    pub text: String,
}

/// An entry's row.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) id: Uuid,
    feedback: Uuid,
    kind: Kind,
    author: String,
    text: String,
    device: Uuid,
}

impl Row {
    pub(super) fn new(post: &Post, actor: Option<&Actor>, item: &Current) -> Self {
        Self {
            id: post.id.unwrap_or_else(Uuid::now_v7),
            feedback: item.id,
            kind: post.kind,
            author: actor.map(|actor| actor.name.clone()).unwrap_or_default(),
            text: post.text.clone(),
            device: item.device,
        }
    }
}

/// How many notes and replies each of the items has.
pub(super) async fn counts(
    state: &AppState,
    org: &str,
    items: &[Uuid],
) -> Result<HashMap<Uuid, (u32, u32)>, WarehouseError> {
    #[derive(Deserialize)]
    struct Counted {
        feedback: Uuid,
        notes: u32,
        replies: u32,
    }
    if items.is_empty() {
        return Ok(HashMap::new());
    }
    let sql = "SELECT feedback, countIf(kind = 'note') AS notes, \
               countIf(kind = 'reply') AS replies FROM feedback_thread FINAL \
               WHERE org = {org:String} AND feedback IN {items:Array(UUID)} GROUP BY feedback";
    let query = Query::read(sql)
        .param("org", org)
        .param_strings("items", items.iter().map(Uuid::to_string));
    let rows: Vec<Counted> = db::rows(&state.warehouse, query).await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.feedback, (row.notes, row.replies)))
        .collect())
}

/// The moment, in milliseconds, of the newest entry about anything that these devices said.
pub(super) async fn newest_ms(
    state: &AppState,
    org: &str,
    devices: &[Uuid],
) -> Result<i64, WarehouseError> {
    #[derive(Deserialize)]
    struct Newest {
        at_ms: i64,
    }
    if devices.is_empty() {
        return Ok(0);
    }
    let sql = "SELECT toUnixTimestamp64Milli(max(at)) AS at_ms FROM feedback_thread \
               WHERE org = {org:String} AND device IN {devices:Array(UUID)}";
    let query = Query::read(sql)
        .param("org", org)
        .param_strings("devices", devices.iter().map(Uuid::to_string));
    let rows: Vec<Newest> = db::rows(&state.warehouse, query).await?;
    Ok(rows.first().map_or(0, |row| row.at_ms))
}

pub(super) async fn insert(
    state: &AppState,
    org: &str,
    rows: &[Row],
    now: Timestamp,
) -> Result<(), WarehouseError> {
    if rows.is_empty() {
        return Ok(());
    }
    let sql = "INSERT INTO feedback_thread (org, feedback, id, at, kind, author, text, device, version) \
               SELECT {org:String}, toUUID(row.1), toUUID(row.2), \
               fromUnixTimestamp64Milli({at:Int64}, 'UTC'), row.3, row.4, row.5, toUUID(row.6), \
               toUInt64({at:Int64}) FROM (SELECT arrayJoin(arrayZip({items:Array(String)}, \
               {ids:Array(String)}, {kinds:Array(String)}, {authors:Array(String)}, \
               {texts:Array(String)}, {devices:Array(String)})) AS row)";
    let insert = Query::new(sql)
        .param("org", org)
        .param("at", now.as_millisecond())
        .param_strings("items", rows.iter().map(|row| row.feedback.to_string()))
        .param_strings("ids", rows.iter().map(|row| row.id.to_string()))
        .param_strings("kinds", rows.iter().map(|row| row.kind.as_str()))
        .param_strings("authors", rows.iter().map(|row| row.author.as_str()))
        .param_strings("texts", rows.iter().map(|row| row.text.as_str()))
        .param_strings("devices", rows.iter().map(|row| row.device.to_string()));
    state.warehouse.execute(insert).await
}

/// An entry of a thread, as the desk reads it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Entry {
    /// The entry.
    id: Uuid,
    /// When it was written.
    at: Timestamp,
    /// What it is.
    kind: Kind,
    /// Who wrote it; null for the person, whom the desk doesn't know.
    author: Option<String>,
    /// What it says.
    text: String,
}

/// The thread of an item, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Thread {
    /// Its entries.
    items: Vec<Entry>,
}

#[derive(Deserialize)]
struct Read {
    id: Uuid,
    feedback: Uuid,
    at_ms: i64,
    kind: Kind,
    author: String,
    text: String,
}

pub(super) fn moment(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or_default()
}

/// The thread of an item that exists.
pub(super) async fn of(
    state: &AppState,
    org: &str,
    item: Uuid,
) -> Result<Vec<Entry>, WarehouseError> {
    let sql = "SELECT id, feedback, toUnixTimestamp64Milli(at) AS at_ms, kind, author, text \
               FROM feedback_thread FINAL WHERE org = {org:String} AND feedback = {item:UUID} \
               ORDER BY at, id";
    let query = Query::read(sql).param("org", org).param("item", item);
    let rows: Vec<Read> = db::rows(&state.warehouse, query).await?;
    Ok(rows
        .into_iter()
        .map(|row| Entry {
            id: row.id,
            at: moment(row.at_ms),
            kind: row.kind,
            author: Some(row.author).filter(|author| !author.is_empty()),
            text: row.text,
        })
        .collect())
}

/// The notes and replies of an item, oldest first.
#[utoipa::path(get, path = "/v1/feedback/{id}/thread", tag = "feedback",
    params(("id" = Uuid, Path, description = "The item")),
    responses((status = 200, body = Thread), (status = 401), (status = 403), (status = 404)),
    security(("viewer" = [])))]
pub(crate) async fn get(
    State(state): State<Arc<AppState>>,
    Viewer(actor): Viewer,
    ItemId(id): ItemId,
) -> Result<Json<Thread>, ApiError> {
    let (org, ids) = (&actor.org.key, [id]);
    let (found, items) = tokio::try_join!(store::current(&state, org, &ids), of(&state, org, id))?;
    if !found.contains_key(&id) {
        return Err(acts::no_such_item());
    }
    Ok(Json(Thread { items }))
}

/// A note or a reply.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PostRequest {
    /// What it says: 1 to 10,000 characters, not only spaces, and no control characters but
    /// line ends and tabs.
    #[schema(min_length = 1, max_length = 10_000)]
    text: String,
}

/// Adds a note, which the desk alone sees.
#[utoipa::path(post, path = "/v1/feedback/{id}/notes", tag = "feedback",
    params(("id" = Uuid, Path, description = "The item")), request_body = PostRequest,
    responses((status = 201, body = Entry), (status = 400), (status = 401), (status = 403),
        (status = 404), (status = 413)),
    security(("analyst" = [])))]
pub(crate) async fn note(
    State(state): State<Arc<AppState>>,
    Analyst(actor): Analyst,
    ItemId(id): ItemId,
    Asked(request): Asked<PostRequest>,
) -> Result<(StatusCode, Json<Entry>), ApiError> {
    post(&state, actor, id, &request, Kind::Note, "feedback.note").await
}

/// Writes to the person, who reads it in the tray. Who that is stays unknown here.
#[utoipa::path(post, path = "/v1/feedback/{id}/replies", tag = "feedback",
    params(("id" = Uuid, Path, description = "The item")), request_body = PostRequest,
    responses((status = 201, body = Entry), (status = 400), (status = 401), (status = 403),
        (status = 404), (status = 413)),
    security(("analyst" = [])))]
pub(crate) async fn reply(
    State(state): State<Arc<AppState>>,
    Analyst(actor): Analyst,
    ItemId(id): ItemId,
    Asked(request): Asked<PostRequest>,
) -> Result<(StatusCode, Json<Entry>), ApiError> {
    post(&state, actor, id, &request, Kind::Reply, "feedback.reply").await
}

/// The text of a note or reply, checked.
pub(super) fn checked_text(text: &str) -> Result<String, ApiError> {
    let chars = text.chars().count();
    if text.trim().is_empty() || chars > TEXT_CHARS_MAX || validate::has_controls(text) {
        let detail = format!(
            "It takes 1 to {TEXT_CHARS_MAX} characters, not only spaces, and no control \
             characters but line ends and tabs."
        );
        return Err(ApiError::invalid_body(detail).with_field("text"));
    }
    Ok(text.to_owned())
}

async fn post(
    state: &Arc<AppState>,
    actor: Actor,
    id: Uuid,
    request: &PostRequest,
    kind: Kind,
    action: &'static str,
) -> Result<(StatusCode, Json<Entry>), ApiError> {
    let text = checked_text(&request.text)?;
    let org = Arc::clone(&actor.org);
    let entry = Uuid::now_v7();
    let act = Act {
        actor: Some(actor),
        action,
        ids: vec![id],
        change: Change::default(),
        post: Some(Post {
            id: Some(entry),
            kind,
            text,
        }),
        expected: None,
    };
    let outcomes = store::submit(state, org.id, &org.key, act).await?;
    if !matches!(outcomes.first(), Some((_, Outcome::Changed(_)))) {
        return Err(acts::no_such_item());
    }
    let mut entries = of(state, &org.key, id).await?.into_iter();
    entries
        .find(|found| found.id == entry)
        .map(|found| (StatusCode::CREATED, Json(found)))
        .ok_or_else(acts::no_such_item)
}

/// Where a device asks on.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read by the document alone")]
pub(crate) struct After {
    /// The `next_after` of the answer before; left out the first time.
    #[param(max_length = 64, pattern = "^[A-Za-z0-9_-]*$")]
    after: Option<String>,
}

/// Replies of the desk to what this device submitted, oldest first.
#[utoipa::path(get, path = "/v1/feedback/replies", tag = "devices", params(After),
    responses((status = 200, body = Replies), (status = 400), (status = 401), (status = 403)),
    security(("device" = [])))]
pub(crate) async fn replies(
    State(state): State<Arc<AppState>>,
    auth: DeviceAuth,
    uri: Uri,
) -> Result<Json<Replies>, ApiError> {
    let given = params::pairs(&uri, &["after"], &[])?;
    let after = given.iter().find(|(name, _)| name == "after");
    let after = after.map_or("", |(_, value)| value.as_str());
    let (after_ms, after_id) = place(after)?;
    let sql = "SELECT id, feedback, toUnixTimestamp64Milli(at) AS at_ms, kind, author, text \
               FROM feedback_thread FINAL WHERE org = {org:String} AND device = {device:UUID} \
               AND kind = 'reply' AND (toUnixTimestamp64Milli(at), id) > ({ms:Int64}, {id:UUID}) \
               ORDER BY at_ms, id LIMIT {rows:UInt64}";
    let query = Query::read(sql)
        .param("org", &auth.org.key)
        .param("device", auth.device)
        .param("ms", after_ms)
        .param("id", after_id)
        .param("rows", REPLIES_MAX);
    let rows: Vec<Read> = db::rows(&state.warehouse, query).await?;
    let next_after = rows.last().map_or_else(
        || after.to_owned(),
        |row| {
            let mut bytes = row.at_ms.to_be_bytes().to_vec();
            bytes.extend(row.id.as_bytes());
            URL_SAFE_NO_PAD.encode(bytes)
        },
    );
    let items = rows
        .into_iter()
        .map(|row| Reply {
            id: row.id,
            feedback: row.feedback,
            at: moment(row.at_ms),
            author: row
                .author
                .split_once(':')
                .map_or(row.author.as_str(), |(_, name)| name)
                .to_owned(),
            text: row.text,
        })
        .collect();
    Ok(Json(Replies { items, next_after }))
}

/// What `next_after` said.
fn place(after: &str) -> Result<(i64, Uuid), ApiError> {
    if after.is_empty() {
        return Ok((i64::MIN, Uuid::nil()));
    }
    let wrong =
        || ApiError::invalid_parameter("after", "It takes the next_after of the answer before.");
    let bytes = URL_SAFE_NO_PAD.decode(after).map_err(|_| wrong())?;
    let (ms, id) = bytes.split_first_chunk::<8>().ok_or_else(wrong)?;
    let id = Uuid::from_slice(id).map_err(|_| wrong())?;
    Ok((i64::from_be_bytes(*ms), id))
}
