//! `GET /v1/flows/top`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::Uri;
use serde::{Deserialize, Serialize};
use snag_warehouse::Query;
use utoipa::ToSchema;

use super::answer::{Frame, Withheld};
use super::period::HOUR_MS;
use super::ready::Ready;
use crate::auth::Viewer;
use crate::{ApiError, AppState, db};

/// Whole hours come from the rollup, parts of an hour at the period's edges from the
/// raw rows.
const SQL: &str = "\
WITH \
  ({version:String} = '' OR version = {version:String}) AS of_version, \
  ({segment:String} = '' OR segment = {segment:String}) AS of_segment, \
  (of_version AND of_segment) AS passes \
SELECT apps, screens, sumIf(n, passes) AS sessions, \
  uniqExactArrayIf(who, passes) AS people, \
  sumIf(ms, passes) AS duration_ms, sumIf(started, passes) AS tasks_started, \
  sumIf(completed, passes) AS tasks_completed, sumIf(micro, passes) AS frustration_micro, \
  toUInt8({k:UInt32} <= 1 OR (people >= {k:UInt32} \
    AND uniqExactArrayIf(who, NOT passes) NOT BETWEEN 1 AND {k:UInt32} - 1 \
    AND uniqExactArrayIf(who, of_version AND NOT of_segment) NOT BETWEEN 1 AND {k:UInt32} - 1 \
    AND uniqExactArrayIf(who, of_segment AND NOT of_version) NOT BETWEEN 1 AND {k:UInt32} - 1 \
  )) AS shown, \
  countIf(NOT shown) OVER () AS withheld, countIf(shown) OVER () AS found \
FROM ( \
  SELECT CAST(path_apps, 'Array(String)') AS apps, CAST(path_screens, 'Array(String)') AS screens, \
    version, segment, sessions AS n, duration_ms AS ms, tasks_started AS started, \
    tasks_completed AS completed, frustration_micro AS micro, people AS who \
  FROM flows_by_hour \
  WHERE org = {org:String} AND product = {product:String} \
    AND hour >= toDateTime({hours_from_s:UInt32}, 'UTC') \
    AND hour < toDateTime({hours_to_s:UInt32}, 'UTC') \
  UNION ALL \
  SELECT CAST(path_apps, 'Array(String)'), CAST(path_screens, 'Array(String)'), \
    version, segment, toUInt64(1), duration_ms, tasks_started, \
    tasks_completed, toUInt64(round(frustration * 1000000)), [device] \
  FROM sessions \
  WHERE {edges:UInt8} AND org = {org:String} AND product = {product:String} \
    AND notEmpty(path_screens) AND received_at >= toDateTime({received_s:UInt32}, 'UTC') \
    AND started_at >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC') \
    AND started_at < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC') \
    AND (started_at < toDateTime({hours_from_s:UInt32}, 'UTC') \
      OR started_at >= toDateTime({hours_to_s:UInt32}, 'UTC')) \
) \
WHERE arrayExists((a, s) -> ({app:String} = '' OR a = {app:String}) \
  AND ({any_screen:UInt8} OR has({screens:Array(String)}, s)), apps, screens) \
GROUP BY apps, screens \
HAVING sessions > 0 \
ORDER BY shown DESC, sessions DESC, apps, screens \
LIMIT {rows:UInt32}";

/// The paths that most sessions take.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Flows {
    #[serde(flatten)]
    frame: Frame,
    /// What is left out: `rows` paths.
    withheld: Withheld,
    /// The paths, the most taken first.
    items: Vec<Flow>,
}

/// A path: the first screens (at most 8) that sessions visited, in order. With an app
/// or screen filter, paths that pass there.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Flow {
    /// The screens.
    path: Vec<Step>,
    /// Sessions that took it and began in the period.
    sessions: u64,
    /// People (devices) behind these sessions.
    people: u64,
    /// Of the tasks that these sessions started, the share that was completed; null
    /// where none was started.
    completion_rate: Option<f64>,
    /// The mean frustration of these sessions: 0 = none, towards 1.
    avg_frustration: f64,
    /// Their mean duration, from first to last input, in milliseconds.
    avg_duration_ms: f64,
}

/// A screen on a path.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Step {
    /// The program.
    app: String,
    /// The screen's readable label; its hash where it isn't readable.
    screen: String,
    /// The hash of the screen's label.
    screen_id: String,
}

#[derive(Deserialize)]
struct Row {
    apps: Vec<String>,
    screens: Vec<String>,
    sessions: u64,
    people: u64,
    duration_ms: u64,
    tasks_started: u64,
    tasks_completed: u64,
    frustration_micro: u64,
    shown: u8,
    withheld: u64,
    found: u64,
}

/// The ways people go: the first screens of sessions, most taken first.
#[utoipa::path(
    get,
    path = "/v1/flows/top",
    tag = "insights",
    params(super::params_doc::Common, super::params_doc::Limit),
    responses(
        (status = 200, body = Flows),
        (status = 400),
        (status = 401),
        (status = 403),
    ),
    security(("viewer" = []))
)]
pub(crate) async fn get(
    State(state): State<Arc<AppState>>,
    Viewer(actor): Viewer,
    uri: Uri,
) -> Result<Json<Flows>, ApiError> {
    let ready = Ready::without_slices(&state, &actor, &uri, &["limit"]).await?;
    let limit = ready.asked().limit()?;
    let period = ready.asked().period;
    let to = period.to_ms - period.to_ms % HOUR_MS;
    let from = ((period.from_ms + HOUR_MS - 1) / HOUR_MS * HOUR_MS).min(to);
    let query = Query::read(SQL)
        .param("hours_from_s", from / 1_000)
        .param("hours_to_s", to / 1_000)
        .param(
            "edges",
            u8::from(from != period.from_ms || to != period.to_ms),
        )
        .param("rows", limit);
    let rows: Vec<Row> = db::rows(&state.warehouse, ready.bind(query)).await?;
    let (withheld, found) = rows.first().map_or((0, 0), |row| (row.withheld, row.found));
    Ok(Json(Flows {
        frame: ready.frame(),
        withheld: Withheld::new(found == 0 && withheld > 0, withheld, false, ready.k()),
        items: rows
            .into_iter()
            .filter(|row| row.shown == 1)
            .map(|row| row.item(&ready))
            .collect(),
    }))
}

impl Row {
    #[expect(clippy::cast_precision_loss, reason = "sums stay below 2^53")]
    fn item(self, ready: &Ready) -> Flow {
        let sessions = self.sessions as f64;
        let steps = self.apps.into_iter().zip(self.screens);
        Flow {
            path: steps
                .map(|(app, hash)| Step {
                    app,
                    screen: ready.readable(&hash).to_owned(),
                    screen_id: hash,
                })
                .collect(),
            sessions: self.sessions,
            people: self.people,
            completion_rate: (self.tasks_started > 0)
                .then(|| self.tasks_completed as f64 / self.tasks_started as f64),
            avg_frustration: self.frustration_micro as f64 / sessions / 1e6,
            avg_duration_ms: self.duration_ms as f64 / sessions,
        }
    }
}
