//! Reading the log: administrators all of it, a device what was done with what its person
//! said.
//!
//! **Invariant:** no answer names a device. A device learns of its own items only.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Uri;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use snag_warehouse::Query;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::auth::{Admin, DeviceAuth};
use crate::{ApiError, AppState, db, params};

/// Rows where `limit` isn't given, and at most.
const DEFAULT_LIMIT: usize = 100;
const LIMIT_MAX: usize = 1_000;
/// Characters of an actor, action or target.
const TEXT_CHARS_MAX: usize = 300;

/// The routes of the log.
pub fn router() -> Router<Arc<AppState>> {
    Router::new()
        .route("/v1/admin/audit", get(all))
        .route("/v1/audit/mine", get(mine))
}

/// An act, as administrators read it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ActShown {
    /// The act's own identity.
    pub id: Uuid,
    /// When.
    pub at: Timestamp,
    /// `user:` and a login name, `token:` and a token's name, or `system:` and a part of it.
    pub actor: String,
    /// The actor's role at that time.
    pub role: String,
    /// What was done: `object.verb`.
    pub action: String,
    /// What it was done to.
    pub target: String,
    /// What changed.
    pub detail: Value,
}

/// Acts, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct ActsShown {
    /// One page of them.
    pub items: Vec<ActShown>,
    /// Ask with this as `cursor` for what follows; null where nothing does.
    pub next_cursor: Option<String>,
}

/// What was done with something that this device's person said.
#[derive(Debug, Serialize, ToSchema)]
pub struct MyAct {
    /// The act's own identity.
    pub id: Uuid,
    /// When.
    pub at: Timestamp,
    /// Who: `user:` and a login name, `token:` and a token's name, or `system:` and a part.
    pub actor: String,
    /// Their role at that time.
    pub role: String,
    /// What was done: `object.verb`.
    pub action: String,
    /// The submission that it was done with.
    pub feedback: String,
}

/// What was done with what this device's person said, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct MyActs {
    /// One page of it.
    pub items: Vec<MyAct>,
    /// Ask with this as `cursor` for what follows; null where nothing does.
    pub next_cursor: Option<String>,
}

#[derive(Deserialize)]
struct Row {
    at_ms: i64,
    id: Uuid,
    actor: String,
    role: String,
    action: String,
    target: String,
    detail: String,
}

impl Row {
    fn at(&self) -> Timestamp {
        Timestamp::from_millisecond(self.at_ms).unwrap_or_default()
    }
}

fn cursor_of(row: &Row) -> String {
    let mut bytes = row.at_ms.to_be_bytes().to_vec();
    bytes.extend_from_slice(row.id.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

fn read_cursor(text: &str) -> Result<(i64, Uuid), ApiError> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok();
    let bytes: Option<[u8; 24]> = bytes.and_then(|bytes| bytes.try_into().ok());
    let read = bytes.and_then(|bytes| {
        let (at, id) = bytes.split_at(8);
        let at = i64::from_be_bytes(at.try_into().ok()?);
        let id = Uuid::from_slice(id).ok()?;
        (0..4_102_444_800_000).contains(&at).then_some((at, id))
    });
    read.ok_or_else(|| {
        ApiError::invalid_parameter("cursor", "It takes the `next_cursor` of an answer.")
    })
}

const FILTERS: &[&str] = &["actor", "action", "target", "from", "to", "limit", "cursor"];

/// A page of the log.
struct Page {
    rows: Vec<Row>,
    next_cursor: Option<String>,
}

async fn page(
    state: &AppState,
    org: &str,
    device: Option<Uuid>,
    uri: &Uri,
) -> Result<Page, ApiError> {
    let allowed = if device.is_some() {
        &FILTERS[3..]
    } else {
        FILTERS
    };
    let mut given = params::read(uri, allowed)?;
    let mut conditions = vec!["org = {org:String}".to_owned()];
    let mut query = Query::read("").param("org", org);
    if let Some(device) = device {
        conditions.push("device = {device:UUID}".to_owned());
        query = query.param("device", device);
    }
    for name in ["actor", "action", "target"] {
        let Some(text) = params::text(&given, name, TEXT_CHARS_MAX)? else {
            continue;
        };
        match text.strip_suffix(".*") {
            Some(object) if name == "action" => {
                conditions.push("startsWith(action, {action:String})".to_owned());
                query = query.param("action", format!("{object}."));
            }
            _ => {
                conditions.push(format!("{name} = {{{name}:String}}"));
                query = query.param(name, text);
            }
        }
    }
    let from = params::moment_ms(&given, "from")?;
    let to = params::moment_ms(&given, "to")?;
    if let (Some(from), Some(to)) = (from, to)
        && from >= to
    {
        return Err(ApiError::invalid_parameter(
            "to",
            "It has to be later than `from`.",
        ));
    }
    for (name, comparison, moment) in [("from", ">=", from), ("to", "<", to)] {
        if let Some(moment) = moment {
            conditions.push(format!(
                "at {comparison} fromUnixTimestamp64Milli({{{name}:Int64}}, 'UTC')"
            ));
            query = query.param(name, moment);
        }
    }
    let limit = params::count(&given, "limit", LIMIT_MAX)?.unwrap_or(DEFAULT_LIMIT);
    if let Some(cursor) = given.remove("cursor") {
        let (at, id) = read_cursor(&cursor)?;
        let at_cursor = "fromUnixTimestamp64Milli({cursor_at:Int64}, 'UTC')";
        conditions.push(format!(
            "at <= {at_cursor} AND (at, id) < ({at_cursor}, {{cursor_id:UUID}})"
        ));
        query = query.param("cursor_at", at).param("cursor_id", id);
    }
    query.sql = format!(
        "SELECT toUnixTimestamp64Milli(at) AS at_ms, id, actor, role, action, target, detail \
         FROM audit WHERE {} ORDER BY org DESC, at DESC, id DESC LIMIT {}",
        conditions.join(" AND "),
        limit + 1
    );
    let mut rows: Vec<Row> = db::rows(&state.warehouse, query).await?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next_cursor = rows.last().filter(|_| more).map(cursor_of);
    Ok(Page { rows, next_cursor })
}

/// Who did what in the organisation, the newest first.
#[utoipa::path(get, path = "/v1/admin/audit", tag = "administration", security(("admin" = [])),
    params(
        ("actor" = Option<String>, Query, description = "Only this actor, such as `user:anna@acme.example`"),
        ("action" = Option<String>, Query, description = "Only this action, or all of an object: `user.create`, `user.*`"),
        ("target" = Option<String>, Query, description = "Only what was done to this"),
        ("from" = Option<String>, Query, description = "From this day (midnight in UTC) or moment on"),
        ("to" = Option<String>, Query, description = "Before this day (midnight in UTC) or moment"),
        ("limit" = Option<u32>, Query, description = "At most so many, 1 to 1000; 100 by default", minimum = 1, maximum = 1000),
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of the page before"),
    ),
    responses((status = 200, body = ActsShown), (status = 400), (status = 401), (status = 403)))]
async fn all(
    State(state): State<Arc<AppState>>,
    Admin(actor): Admin,
    uri: Uri,
) -> Result<Json<ActsShown>, ApiError> {
    let page = page(&state, &actor.org.key, None, &uri).await?;
    let items = page.rows.into_iter().map(|row| ActShown {
        id: row.id,
        at: row.at(),
        detail: serde_json::from_str(&row.detail).unwrap_or(Value::Null),
        actor: row.actor,
        role: row.role,
        action: row.action,
        target: row.target,
    });
    Ok(Json(ActsShown {
        items: items.collect(),
        next_cursor: page.next_cursor,
    }))
}

/// Who looked at the pictures of this device's person, or changed, answered or deleted what
/// they said, the newest first.
///
/// Who reads the words alone, in lists, items, threads and exports, is not listed.
#[utoipa::path(get, path = "/v1/audit/mine", tag = "devices", security(("device" = [])),
    params(
        ("from" = Option<String>, Query, description = "From this day (midnight in UTC) or moment on"),
        ("to" = Option<String>, Query, description = "Before this day (midnight in UTC) or moment"),
        ("limit" = Option<u32>, Query, description = "At most so many, 1 to 1000; 100 by default", minimum = 1, maximum = 1000),
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of the page before"),
    ),
    responses((status = 200, body = MyActs), (status = 400), (status = 401), (status = 403)))]
async fn mine(
    State(state): State<Arc<AppState>>,
    auth: DeviceAuth,
    uri: Uri,
) -> Result<Json<MyActs>, ApiError> {
    let page = page(&state, &auth.org.key, Some(auth.device), &uri).await?;
    let items = page.rows.into_iter().map(|row| MyAct {
        id: row.id,
        at: row.at(),
        actor: row.actor,
        role: row.role,
        action: row.action,
        feedback: row.target,
    });
    Ok(Json(MyActs {
        items: items.collect(),
        next_cursor: page.next_cursor,
    }))
}

/// The OpenAPI part of these routes.
#[derive(utoipa::OpenApi)]
#[openapi(paths(all, mine))]
pub struct Routes;
