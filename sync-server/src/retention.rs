//! Keeping things as long as the organisation wants, and no longer.
//!
//! What is older than the policy's days goes with the first look after midnight (UTC):
//! records by the moment they happened, feedback and its screenshot by when the person
//! wrote it, whole days at a time. `POST /v1/admin/cleanup` does the same at once.
//!
//! What becomes of figures: rollups of days whose raw rows are gone stay. They hold counts
//! and, so that few people can't be told apart, sets of random device numbers; who is
//! forgotten is taken out of these, too. A day's activity by device does not stay.
//! A label's text stays without the device that sent it.
//!
//! **Invariants:**
//! - `kept_from` says which days are whole before the first row goes, so that `verify`
//!   never takes retention for damage.
//! - What a dry run says is counted by the query that the deletion is counted by.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use http::Uri;
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan as _, tz::TimeZone};
use serde::{Deserialize, Serialize};
use serde_json::json;
use snag_warehouse::{Query, Warehouse, WarehouseError};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::audit::{self, Act};
use crate::auth::Admin;
use crate::feedback::store::{self, Change};
use crate::forget::{self, REMEMBERED, pictures, rows};
use crate::orgs::Org;
use crate::{ApiError, AppState, control, db, orphans, params};

/// How often deletions that were cut off are looked for, and whether a day has passed.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Items in one statement.
const CHUNK: usize = 2_000;

/// From which day on things are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cutoffs {
    /// Records; `None` leaves them alone.
    pub records: Option<Date>,
    /// Feedback.
    pub feedback: Date,
    /// Screenshots.
    pub screenshots: Date,
}

/// The day `days` before `now`'s, in UTC.
fn days_before(now: Timestamp, days: u32) -> Date {
    let today = now.to_zoned(TimeZone::UTC).date();
    today
        .checked_sub(i64::from(days).days())
        .unwrap_or(Date::MIN)
}

impl Cutoffs {
    /// What an organisation's policy says now.
    #[must_use]
    pub fn of(org: &Org, now: Timestamp) -> Self {
        let rules = org.policy.retention;
        Self {
            records: Some(days_before(now, rules.events_days)),
            feedback: days_before(now, rules.feedback_days),
            screenshots: days_before(now, rules.screenshots_days),
        }
    }
}

/// What a cleanup deletes, or would.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Cleaned {
    /// Items of feedback.
    pub submissions_deleted: u64,
    /// Screenshots: those of the items, and those that go before their items.
    pub screenshots_deleted: u64,
    /// Bytes of screenshots and thumbnails that no other item shares.
    pub bytes_freed: u64,
    /// What was written before this day (UTC) goes.
    #[schema(value_type = String, format = Date)]
    pub cutoff_date: Date,
    /// After how many days feedback goes.
    pub retention_days: u32,
}

/// What is beyond its time.
struct Expired {
    submissions: Arc<BTreeSet<Uuid>>,
    /// Items whose screenshot goes while they stay.
    stripped: Vec<Uuid>,
    screenshots: u64,
    hashes: BTreeSet<String>,
    bytes: u64,
}

fn midnight(day: Date) -> i64 {
    day.to_zoned(TimeZone::UTC)
        .map_or(0, |midnight| midnight.timestamp().as_millisecond())
        .max(0)
}

#[derive(Deserialize)]
struct Id {
    id: Uuid,
}

/// The items that are beyond their time.
async fn expired_items(
    warehouse: &Warehouse,
    org: &str,
    cutoffs: &Cutoffs,
) -> Result<BTreeSet<Uuid>, WarehouseError> {
    let sql = "SELECT DISTINCT id FROM (\
                 SELECT id FROM submissions WHERE org = {org:String} \
                   AND at < fromUnixTimestamp64Milli({feedback:Int64}, 'UTC') \
                 UNION ALL SELECT id FROM feedback WHERE org = {org:String} \
                   AND at < fromUnixTimestamp64Milli({feedback:Int64}, 'UTC'))";
    let query = Query::read(sql)
        .param("org", org)
        .param("feedback", midnight(cutoffs.feedback));
    let found: Vec<Id> = db::rows(warehouse, query).await?;
    Ok(found.into_iter().map(|row| row.id).collect())
}

/// What is beyond its time with these items, and before them.
async fn expired(
    state: &AppState,
    org: &str,
    cutoffs: &Cutoffs,
    submissions: Arc<BTreeSet<Uuid>>,
) -> Result<Expired, WarehouseError> {
    #[derive(Deserialize)]
    struct Count {
        n: u64,
    }
    #[derive(Deserialize)]
    struct Hash {
        hash: String,
    }
    let pictures = cutoffs.feedback.max(cutoffs.screenshots);
    let asked = |sql: &str| {
        Query::read(sql)
            .param("org", org)
            .param("feedback", midnight(cutoffs.feedback))
            .param("pictures", midnight(pictures))
    };
    let warehouse = &state.warehouse;
    let old = "feedback IN (SELECT id FROM feedback WHERE org = {org:String} \
               AND at < fromUnixTimestamp64Milli({pictures:Int64}, 'UTC'))";
    let sql = format!(
        "SELECT count() AS n FROM screenshots FINAL \
         WHERE org = {{org:String}} AND hash != '' AND {old}"
    );
    let screenshots: Vec<Count> = db::rows(warehouse, asked(&sql)).await?;
    let sql = format!(
        "SELECT hash FROM screenshots FINAL WHERE org = {{org:String}} AND hash != '' \
         GROUP BY hash HAVING countIf(NOT ({old})) = 0"
    );
    let hashes: Vec<Hash> = db::rows(warehouse, asked(&sql)).await?;
    let sql = format!(
        "SELECT feedback AS id FROM screenshots FINAL WHERE org = {{org:String}} AND hash != '' \
         AND {old} AND feedback NOT IN (SELECT id FROM feedback WHERE org = {{org:String}} \
           AND at < fromUnixTimestamp64Milli({{feedback:Int64}}, 'UTC'))"
    );
    let stripped: Vec<Id> = db::rows(warehouse, asked(&sql)).await?;
    let hashes: BTreeSet<String> = hashes.into_iter().map(|row| row.hash).collect();
    let mut bytes = 0;
    if let Ok(id) = org.parse() {
        for hash in &hashes {
            let size = state.objects.size_with_thumbnail(id, hash).await;
            bytes += size.map_err(|error| pictures::away(&error))?;
        }
    }
    Ok(Expired {
        submissions,
        stripped: stripped.into_iter().map(|row| row.id).collect(),
        screenshots: screenshots.first().map_or(0, |count| count.n),
        hashes,
        bytes,
    })
}

/// Deletes what is beyond its time, or only counts it.
///
/// # Errors
/// The warehouse's and the object store's; a repetition goes on where it stopped.
pub async fn clean(
    state: &Arc<AppState>,
    org: &Org,
    cutoffs: &Cutoffs,
    retention_days: u32,
    dry_run: bool,
) -> Result<Cleaned, ApiError> {
    let _alone = state.forgetting.lock().await;
    let items = Arc::new(expired_items(&state.warehouse, &org.key, cutoffs).await?);
    // A picture that arrives for one of them would outlive it: nothing finds a picture without its item.
    let _expiring = match dry_run || items.is_empty() {
        true => None,
        false => Some(state.gone.expire(org.id, Arc::clone(&items)).await),
    };
    let expired = expired(state, &org.key, cutoffs, items).await?;
    let cleaned = Cleaned {
        submissions_deleted: u64::try_from(expired.submissions.len()).unwrap_or(u64::MAX),
        screenshots_deleted: expired.screenshots,
        bytes_freed: expired.bytes,
        cutoff_date: cutoffs.feedback,
        retention_days,
    };
    if dry_run {
        return Ok(cleaned);
    }
    if let Some(day) = cutoffs.records {
        delete_records(&state.warehouse, &org.key, day).await?;
    }
    for ids in expired.stripped.chunks(CHUNK) {
        let change = Change {
            screenshot: Some(String::new()),
            ..Change::default()
        };
        store::update(state, org, ids.to_vec(), change).await?;
    }
    if !expired.submissions.is_empty() {
        state.live.forget(&expired.submissions).await;
    }
    let deleted = {
        let _desk = state.desk.exclusive().await;
        delete_feedback(state, org, cutoffs, &expired).await
    };
    // The next picture looks at the tables, where its item isn't any more.
    let before_ms = midnight(cutoffs.feedback);
    state.submissions.forget_before(org.id, before_ms);
    let unmerged = deleted?;
    state
        .live
        .deleted(org.id, expired.submissions.iter().copied());
    state.live.unmerged(org.id, unmerged);
    pictures::delete_unnamed(state, &org.key, &expired.hashes).await?;
    if cleaned.submissions_deleted + cleaned.screenshots_deleted > 0 {
        tracing::info!(org = %org.id, submissions = cleaned.submissions_deleted,
            screenshots = cleaned.screenshots_deleted, bytes = cleaned.bytes_freed,
            "deleted what retention ends");
    }
    Ok(cleaned)
}

/// Says that days before `day` are no longer whole.
async fn raise_floor(
    warehouse: &Warehouse,
    org: &str,
    what: &str,
    day: Date,
) -> Result<(), WarehouseError> {
    let sql =
        "INSERT INTO kept_from (org, what, day) SELECT {org:String}, {what:String}, {day:Date}";
    let insert = Query::new(sql)
        .param("org", org)
        .param("what", what)
        .param("day", day);
    warehouse.execute(insert).await
}

/// Whether anything of a table is older than a moment.
async fn has_older(
    warehouse: &Warehouse,
    table: &str,
    condition: &str,
    org: &str,
    before: &str,
) -> Result<bool, WarehouseError> {
    let sql = format!("SELECT 1 AS n FROM {table} WHERE {condition} LIMIT 1");
    let query = Query::read(sql).param("org", org).param("before", before);
    Ok(!warehouse.select(query).await?.is_empty())
}

async fn delete_records(warehouse: &Warehouse, org: &str, day: Date) -> Result<(), WarehouseError> {
    let before = midnight(day).to_string();
    let older = |moment: &str| {
        format!(
            "org = {{org:String}} AND {moment} < fromUnixTimestamp64Milli({{before:Int64}}, 'UTC')"
        )
    };
    let tables = [
        ("events", "at"),
        ("sessions", "started_at"),
        ("screens", "at"),
        ("incidents", "at"),
    ];
    let mut any = false;
    for (table, moment) in tables {
        any |= has_older(warehouse, table, &older(moment), org, &before).await?;
    }
    let params = [("org", org), ("before", before.as_str())];
    if any {
        raise_floor(warehouse, org, "records", day).await?;
        for (table, moment) in tables {
            rows::delete(warehouse, table, &older(moment), &params).await?;
        }
    }
    // A label's text stays, without who sent it: its sequence number is then its hash's.
    let labels = format!(
        "{} AND device != toUUID('00000000-0000-0000-0000-000000000000')",
        older("at")
    );
    if has_older(warehouse, "labels", &labels, org, &before).await? {
        let sql = format!(
            "INSERT INTO labels SELECT * REPLACE (toUUID('00000000-0000-0000-0000-000000000000') AS device, \
             cityHash64(hash) AS seq) FROM (SELECT * FROM labels FINAL WHERE {labels})"
        );
        let insert = Query::new(sql).param("org", org).param("before", &before);
        warehouse.execute(insert).await?;
        rows::delete(warehouse, "labels", &labels, &params).await?;
    }
    let days =
        "org = {org:String} AND day < toDate(fromUnixTimestamp64Milli({before:Int64}, 'UTC'))";
    if any {
        rows::delete(warehouse, "devices_by_day", days, &params).await?;
    }
    Ok(())
}

/// Deletes the items; tells which stand for themselves again.
async fn delete_feedback(
    state: &AppState,
    org: &Org,
    cutoffs: &Cutoffs,
    expired: &Expired,
) -> Result<BTreeSet<Uuid>, WarehouseError> {
    let warehouse = &state.warehouse;
    let key = org.key.as_str();
    let before = midnight(cutoffs.feedback).to_string();
    let older = "org = {org:String} AND at < fromUnixTimestamp64Milli({before:Int64}, 'UTC')";
    let now = state.now();
    if !expired.submissions.is_empty() {
        raise_floor(warehouse, key, "feedback", cutoffs.feedback).await?;
        // A late retry of these doesn't bring them back.
        let sql = format!(
            "INSERT INTO forgotten (org, kind, id, at, until, stage, plan, receipt, version) \
             SELECT DISTINCT org, 'feedback', id, fromUnixTimestamp64Milli({{now:Int64}}, 'UTC'), \
             toDateTime({{until:Int64}}, 'UTC'), 'swept', '', '', toUInt64({{now:Int64}}) * 8 + 3 \
             FROM submissions WHERE {older}"
        );
        let insert = Query::new(sql)
            .param("org", key)
            .param("before", &before)
            .param("now", now.as_millisecond())
            .param("until", (now + REMEMBERED).as_second());
        warehouse.execute(insert).await?;
    }
    // What hangs on an item goes before the item does: a repetition finds it by the item.
    let mut unmerged = BTreeSet::new();
    let submissions: Vec<Uuid> = expired.submissions.iter().copied().collect();
    for chunk in submissions.chunks(CHUNK) {
        let chunk: BTreeSet<Uuid> = chunk.iter().copied().collect();
        unmerged.extend(rows::unmerge(warehouse, key, &chunk, now.as_millisecond()).await?);
        rows::delete_told(warehouse, key, &chunk).await?;
    }
    let old = "feedback IN (SELECT id FROM feedback WHERE org = {org:String} \
               AND at < fromUnixTimestamp64Milli({before:Int64}, 'UTC'))";
    for table in ["feedback_thread", "screenshots"] {
        let sql = format!(
            "SELECT DISTINCT feedback AS id FROM {table} WHERE org = {{org:String}} AND {old}"
        );
        let query = Query::read(sql).param("org", key).param("before", &before);
        let found: Vec<Id> = db::rows(warehouse, query).await?;
        let mut ids: Vec<Uuid> = found.into_iter().map(|row| row.id).collect();
        if table == "screenshots" {
            ids.extend(&expired.stripped);
        }
        for chunk in ids.chunks(CHUNK) {
            let list: Vec<String> = chunk.iter().map(|id| format!("'{id}'")).collect();
            let list = format!("[{}]", list.join(","));
            let condition = "org = {org:String} AND feedback IN {ids:Array(UUID)}";
            rows::delete(warehouse, table, condition, &[("org", key), ("ids", &list)]).await?;
        }
    }
    for table in ["feedback_details", "feedback", "submissions"] {
        let params = [("org", key), ("before", before.as_str())];
        rows::delete(warehouse, table, older, &params).await?;
    }
    unmerged.retain(|id| !expired.submissions.contains(id));
    Ok(unmerged)
}

/// Everything that a day asks for, of every organisation.
///
/// # Errors
/// The last that failed; the others are done all the same.
pub async fn daily(state: &Arc<AppState>) -> Result<(), ApiError> {
    let mut result = Ok(());
    for listed in control::list_orgs(&state.warehouse).await? {
        let Some(org) = state.orgs.get(&state.warehouse, listed.id).await? else {
            continue;
        };
        let cutoffs = Cutoffs::of(&org, state.now());
        let days = org.policy.retention.feedback_days;
        if let Err(error) = clean(state, &org, &cutoffs, days, false).await {
            tracing::warn!(org = %org.id, %error, "can't delete what retention ends");
            result = Err(error);
        }
    }
    orphans::look(state).await?;
    result
}

/// Finishes deletions that were cut off, and does each day what it asks for, for ever.
pub async fn keep(state: Arc<AppState>) {
    let mut done: Option<Date> = None;
    loop {
        if let Err(error) = forget::resume(&state).await {
            tracing::warn!(code = ?error.code, %error, "can't finish a deletion");
        }
        let today = days_before(state.now(), 0);
        if done != Some(today) {
            match daily(&state).await {
                Ok(()) => done = Some(today),
                Err(error) => tracing::warn!(%error, "the daily cleanup will be tried again"),
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The routes of retention.
pub fn router() -> Router<Arc<AppState>> {
    Router::new().route("/v1/admin/cleanup", post(cleanup))
}

/// The OpenAPI part of these routes.
#[derive(utoipa::OpenApi)]
#[openapi(paths(cleanup))]
pub struct Routes;

/// Deletes now what retention ends. Without `retention_days` it does what the daily job
/// does, by the organisation's policy, records included; with it, feedback and screenshots
/// older than that go. A dry run changes nothing and says the same numbers.
///
/// # Errors
/// 400, 401, 403, 503.
#[utoipa::path(post, path = "/v1/admin/cleanup", tag = "administration", security(("admin" = [])),
    params(
        ("retention_days" = Option<u32>, Query, minimum = 1, maximum = 3650, description = "Keep so many days; as the policy says where not given"),
        ("dry_run" = Option<bool>, Query, description = "Only count"),
    ),
    responses((status = 200, body = Cleaned), (status = 400), (status = 401), (status = 403)))]
async fn cleanup(
    State(state): State<Arc<AppState>>,
    Admin(actor): Admin,
    uri: Uri,
) -> Result<Json<Cleaned>, ApiError> {
    let given = params::read(&uri, &["retention_days", "dry_run"])?;
    let dry_run = params::yes_or_no(&given, "dry_run")?.unwrap_or(false);
    let asked = params::count(&given, "retention_days", 3_650)?;
    let asked = asked.and_then(|days| u32::try_from(days).ok());
    let now = state.now();
    let (cutoffs, days) = match asked {
        None => (
            Cutoffs::of(&actor.org, now),
            actor.org.policy.retention.feedback_days,
        ),
        Some(days) => {
            let day = days_before(now, days);
            let cutoffs = Cutoffs {
                records: None,
                feedback: day,
                screenshots: day,
            };
            (cutoffs, days)
        }
    };
    if !dry_run {
        let act = Act {
            action: "retention.cleanup",
            target: &actor.org.key,
            detail: json!({ "retention_days": days, "cutoff_date": cutoffs.feedback }),
        };
        audit::log(&state.warehouse, &actor, &[act], now).await?;
    }
    // Whoever asked may go away: what is begun is finished.
    let task =
        tokio::spawn(async move { clean(&state, &actor.org, &cutoffs, days, dry_run).await });
    let cleaned = task.await.map_err(|error| ApiError::internal(&error))??;
    Ok(Json(cleaned))
}
