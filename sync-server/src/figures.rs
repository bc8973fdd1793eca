//! How much feedback and how many screenshots there are: for an organisation's
//! administrators, and over all organisations for whoever operates the server.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use snag_warehouse::{Query, WarehouseError};
use utoipa::ToSchema;

use crate::auth::Admin;
use crate::{ApiError, AppState, db};

/// Bytes of a megabyte, as disks are filled (2^20).
const MB: f64 = 1_048_576.0;

/// What there is.
#[derive(Debug, Clone, Copy, Deserialize)]
struct Figures {
    submissions: u64,
    last_24h: u64,
    oldest_ms: i64,
    screenshots: u64,
    storage_bytes: u64,
    avg_bytes: f64,
    max_bytes: u64,
}

async fn read(state: &AppState, org: Option<&str>) -> Result<Figures, WarehouseError> {
    let of = |more: &str| match org {
        Some(_) => format!("org = {{org:String}}{more}"),
        None => format!("1{more}"),
    };
    let sql = format!(
        "SELECT * FROM (\
           SELECT uniqExact(org, id) AS submissions, \
             uniqExactIf((org, id), received_at > toDateTime({{day_ago:Int64}}, 'UTC')) AS last_24h, \
             toUnixTimestamp64Milli(min(at)) AS oldest_ms FROM submissions WHERE {}\
         ) AS said, (\
           SELECT count() AS screenshots, ifNotFinite(avg(size_bytes), 0) AS avg_bytes, \
             max(size_bytes) AS max_bytes FROM screenshots FINAL WHERE {}\
         ) AS shown, (\
           SELECT sum(size) AS storage_bytes FROM (SELECT org, hash, max(size_bytes) AS size \
             FROM screenshots FINAL WHERE {} GROUP BY org, hash)\
         ) AS stored",
        of(""),
        of(" AND hash != ''"),
        of(" AND hash != ''"),
    );
    let query = Query::read(sql)
        .param("day_ago", state.now().as_second() - 86_400)
        .param("org", org.unwrap_or_default());
    let rows: Vec<Figures> = db::rows(&state.warehouse, query).await?;
    rows.into_iter().next().ok_or_else(|| {
        WarehouseError::new(snag_warehouse::ErrorKind::Schema, "no figures came back")
    })
}

/// Sets the gauges of feedback, over all organisations. Where ClickHouse doesn't answer,
/// they stay as they were: whoever operates the server needs the others then.
pub async fn refresh(state: &AppState) {
    let figures = match read(state, None).await {
        Ok(figures) => figures,
        Err(error) => {
            tracing::warn!(code = ?error.code, %error, "can't count feedback");
            return;
        }
    };
    let metrics = &state.metrics;
    let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    metrics.stored_submissions.set(whole(figures.submissions));
    metrics.submissions_last_day.set(whole(figures.last_24h));
    metrics
        .oldest_submission_s
        .set(figures.oldest_ms.max(0) / 1_000);
    metrics.stored_screenshots.set(whole(figures.screenshots));
    metrics
        .screenshot_storage_bytes
        .set(whole(figures.storage_bytes));
    metrics.screenshot_avg_bytes.set(figures.avg_bytes as i64);
    metrics.screenshot_max_bytes.set(whole(figures.max_bytes));
}

/// How much an organisation has. A megabyte is 1,048,576 bytes.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct AdminMetrics {
    /// Items of feedback.
    pub total_submissions: u64,
    /// Items that have a screenshot.
    pub total_screenshots: u64,
    /// What the pictures take; one that several items share counts once, thumbnails don't.
    pub total_screenshot_storage_mb: f64,
    /// The size of a screenshot on average.
    pub avg_screenshot_size_mb: f64,
    /// The size of the largest.
    pub max_screenshot_size_mb: f64,
    /// Items that came in the last 24 hours.
    pub submissions_last_24h: u64,
    /// When the oldest item was written; null where there is none.
    pub oldest_submission: Option<Timestamp>,
}

/// The routes of these figures.
pub fn router() -> Router<Arc<AppState>> {
    Router::new().route("/v1/admin/metrics", get(metrics))
}

/// The OpenAPI part of these routes.
#[derive(utoipa::OpenApi)]
#[openapi(paths(metrics))]
pub struct Routes;

/// How much feedback and how many screenshots the organisation has.
///
/// # Errors
/// 400, 401, 403, 503.
#[utoipa::path(get, path = "/v1/admin/metrics", tag = "administration", security(("admin" = [])),
    responses((status = 200, body = AdminMetrics), (status = 400), (status = 401), (status = 403)))]
async fn metrics(
    State(state): State<Arc<AppState>>,
    Admin(actor): Admin,
) -> Result<Json<AdminMetrics>, ApiError> {
    let figures = read(&state, Some(&actor.org.key)).await?;
    let oldest = (figures.submissions > 0)
        .then(|| Timestamp::from_millisecond(figures.oldest_ms).ok())
        .flatten();
    Ok(Json(AdminMetrics {
        total_submissions: figures.submissions,
        total_screenshots: figures.screenshots,
        total_screenshot_storage_mb: figures.storage_bytes as f64 / MB,
        avg_screenshot_size_mb: figures.avg_bytes / MB,
        max_screenshot_size_mb: figures.max_bytes as f64 / MB,
        submissions_last_24h: figures.last_24h,
        oldest_submission: oldest,
    }))
}
