//! `GET /v1/insights/incidents`.
//!
//! An incident is one person's moment. What is listed carries no device, no session
//! and no sequence number, and only incidents of kinds and screens at which at least
//! k people had such an incident in the period are listed; the others are counted.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::Uri;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use snag_warehouse::Query;
use snag_wire::IncidentKind;
use utoipa::ToSchema;

use super::answer::{Frame, Withheld};
use super::params;
use super::period::timestamp;
use super::ready::Ready;
use crate::auth::Viewer;
use crate::{ApiError, AppState, db};

/// `key` orders incidents of one millisecond; of a random device identity and a
/// number, it tells nothing of either.
const SQL: &str = "\
SELECT toString(kind) AS kind, toUnixTimestamp64Milli(at) AS at_ms, duration_ms, count, \
  app, screen, role, label, reinterpretAsInt64(sipHash64(device, seq)) AS key \
FROM incidents \
WHERE org = {org:String} AND product = {product:String} \
  AND received_at >= toDateTime({received_s:UInt32}, 'UTC') \
  AND at >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC') \
  AND at < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC') \
  AND ({kind:String} = '' OR toString(incidents.kind) = {kind:String}) \
  AND ({app:String} = '' OR app = {app:String}) \
  AND ({any_screen:UInt8} OR has({screens:Array(String)}, screen)) \
  AND ({version:String} = '' OR version = {version:String}) \
  AND ({segment:String} = '' OR segment = {segment:String}) \
  AND (at_ms, key) < ({before_ms:Int64}, {before_key:Int64}) \
  AND ({k:UInt32} <= 1 OR (incidents.kind, app, screen) IN ( \
    SELECT kind, app, screen FROM incidents \
    WHERE org = {org:String} AND product = {product:String} \
      AND received_at >= toDateTime({received_s:UInt32}, 'UTC') \
      AND at >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC') \
      AND at < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC') \
    GROUP BY kind, app, screen \
    HAVING uniqExactIf(device, passes) >= {k:UInt32} \
      AND uniqExactIf(device, not passes) NOT BETWEEN 1 AND {k:UInt32} - 1 \
      AND uniqExactIf(device, of_version AND NOT of_segment) NOT BETWEEN 1 AND {k:UInt32} - 1 \
      AND uniqExactIf(device, of_segment AND NOT of_version) NOT BETWEEN 1 AND {k:UInt32} - 1)) \
ORDER BY at_ms DESC, key DESC \
LIMIT 1 BY at_ms, key \
LIMIT {rows:UInt32}";

/// Incidents, the latest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Incidents {
    #[serde(flatten)]
    frame: Frame,
    /// What is left out: `rows` incidents.
    withheld: Withheld,
    /// The incidents.
    items: Vec<Incident>,
    /// Ask again with it as `cursor` for the rows that follow; null after the last.
    next_cursor: Option<String>,
}

/// One incident.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Incident {
    /// What it was.
    kind: IncidentKind,
    /// Its first moment.
    at: Timestamp,
    /// To its last moment, in milliseconds.
    duration_ms: u64,
    /// How many clicks, errors, undos.
    count: u64,
    /// The program.
    app: String,
    /// The screen's readable label; its hash where it isn't readable.
    screen: String,
    /// The hash of the screen's label.
    screen_id: String,
    /// The element's role; null where it isn't known.
    role: Option<String>,
    /// The readable name of the element, task or error; its hash where it isn't
    /// readable, null where there is none.
    label: Option<String>,
    /// The hash of that name.
    label_id: Option<String>,
}

#[derive(Deserialize)]
struct Row {
    kind: IncidentKind,
    at_ms: i64,
    duration_ms: u64,
    count: u64,
    app: String,
    screen: String,
    role: String,
    label: String,
    key: i64,
}

/// Single incidents, the latest first, without anything that names a device.
#[utoipa::path(
    get,
    path = "/v1/insights/incidents",
    tag = "insights",
    params(
        super::params_doc::Common,
        super::params_doc::Incidents,
        super::params_doc::Limit,
        super::params_doc::IncidentsPage,
    ),
    responses(
        (status = 200, body = Incidents),
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
) -> Result<Json<Incidents>, ApiError> {
    let ready = Ready::without_previous(&state, &actor, &uri, &["kind", "limit", "cursor"]).await?;
    let asked = ready.asked();
    let limit = asked.limit()?;
    let kind = asked.kind()?;
    let [before_ms, before_key] = asked.cursor::<2>()?.unwrap_or([i64::MAX; 2]);
    let (of_version, of_segment) = (
        "({version:String} = '' OR version = {version:String})",
        "({segment:String} = '' OR segment = {segment:String})",
    );
    let sql = SQL
        .replace("not passes", "NOT (of_version AND of_segment)")
        .replace("passes", "of_version AND of_segment")
        .replace("of_version", of_version)
        .replace("of_segment", of_segment);
    let query = Query::read(sql)
        .param("kind", kind.map_or("", IncidentKind::as_str))
        .param("before_ms", before_ms)
        .param("before_key", before_key)
        .param("rows", limit + 1);
    let mut rows: Vec<Row> = db::rows(&state.warehouse, ready.bind(query)).await?;

    let last = rows.get(limit).is_some().then(|| &rows[limit - 1]);
    let next_cursor = last.map(|row| params::cursor(&[row.at_ms, row.key]));
    rows.truncate(limit);
    ready
        .fold(move |ready, fold, _| {
            let [current, _] = ready.periods();
            let kind = kind.and_then(|kind| super::load::kind(kind.as_str()).ok());
            let listed = fold.listed(current, kind);
            let items = rows.into_iter().map(|row| row.item(ready)).collect();
            Incidents {
                frame: ready.frame(),
                withheld: Withheld::new(
                    listed.shown == 0 && listed.hidden > 0,
                    listed.hidden,
                    false,
                    ready.k(),
                ),
                items,
                next_cursor,
            }
        })
        .await
        .map(Json)
}

impl Row {
    fn item(self, ready: &Ready) -> Incident {
        let label = Some(self.label).filter(|label| !label.is_empty());
        Incident {
            kind: self.kind,
            at: timestamp(self.at_ms),
            duration_ms: self.duration_ms,
            count: self.count,
            screen: ready.readable(&self.screen).to_owned(),
            app: self.app,
            screen_id: self.screen,
            role: Some(self.role).filter(|role| !role.is_empty()),
            label: label.as_deref().map(|hash| ready.readable(hash).to_owned()),
            label_id: label,
        }
    }
}
