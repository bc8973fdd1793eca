//! `GET /v1/insights/hotspots`.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::Uri;
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::{Frame, Span, Withheld, change};
use super::fold::{Fold, ScreenFigures};
use super::params;
use super::ready::Ready;
use super::slice::Dictionary;
use crate::auth::Viewer;
use crate::{ApiError, AppState};

/// Screens by the harm they do.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Hotspots {
    #[serde(flatten)]
    frame: Frame,
    /// The period before, of equal length, that figures are compared with.
    previous_period: Span,
    /// What is left out.
    withheld: Withheld,
    /// The screens, worst first.
    items: Vec<Hotspot>,
    /// Ask again with it as `cursor` for the rows that follow; null after the last.
    next_cursor: Option<String>,
}

/// A screen's figures. A session counts for the period in which it first visited the screen.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Hotspot {
    /// The program.
    app: String,
    /// The screen's readable label; its hash where it isn't readable.
    screen: String,
    /// The hash of the screen's label.
    screen_id: String,
    /// Sessions that visited it.
    sessions: u64,
    /// People (devices) behind these sessions.
    people: u64,
    /// The mean frustration of these sessions: 0 = none, towards 1.
    avg_frustration: f64,
    /// The mean efficiency of those of them that have one; null without one.
    avg_efficiency: Option<f64>,
    /// Rage clicks on it per session.
    rage_click_rate: f64,
    /// Dead clicks on it per session.
    dead_click_rate: f64,
    /// The share of its sessions that ended there.
    dropoff_rate: f64,
    /// The mean time a session spent on it, in milliseconds.
    avg_time_spent_ms: f64,
    /// The relative change of `avg_frustration` against the previous period; null
    /// where that was 0, is withheld, or had no session here.
    trend: Option<f64>,
    /// The time its incidents took, in milliseconds: in each session the sum of their
    /// durations, at most the time spent on the screen.
    time_lost_ms: u64,
}

/// What hotspots are sorted by, the highest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    TimeLost,
    Impact,
    Frustration,
    Sessions,
    RageClicks,
    DeadClicks,
    Dropoff,
}

const SORTS: &[(&str, Sort)] = &[
    ("time_lost", Sort::TimeLost),
    ("impact", Sort::Impact),
    ("frustration", Sort::Frustration),
    ("sessions", Sort::Sessions),
    ("rage_clicks", Sort::RageClicks),
    ("dead_clicks", Sort::DeadClicks),
    ("dropoff", Sort::Dropoff),
];

/// Where people lose their time: screens, worst first.
#[utoipa::path(
    get,
    path = "/v1/insights/hotspots",
    tag = "insights",
    params(
        super::params_doc::Common,
        super::params_doc::Hotspots,
        super::params_doc::Limit,
        super::params_doc::HotspotsPage,
    ),
    responses(
        (status = 200, body = Hotspots),
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
) -> Result<Json<Hotspots>, ApiError> {
    let more = ["sort", "limit", "cursor"];
    let ready = Ready::new(&state, &actor, &uri, &more).await?;
    let limit = ready.asked().limit()?;
    let sort = ready.asked().word("sort", SORTS)?;
    let start = match ready.asked().cursor::<1>()? {
        None => 0,
        Some([offset]) => usize::try_from(offset).map_err(|_| {
            ApiError::invalid_parameter("cursor", "It takes the next_cursor of the page before.")
        })?,
    };
    ready
        .fold(move |ready, fold, dictionary| {
            let [current, _] = ready.periods();
            let mut rows = fold.screens(current, None);
            let found = rows.len();
            rows.retain(|row| !row.stand.hidden);
            let withheld = (found - rows.len()) as u64;
            rank(&mut rows, sort.unwrap_or(Sort::TimeLost), dictionary);
            let end = start.saturating_add(limit);
            let page = rows.get(start..end.min(rows.len())).unwrap_or_default();
            Hotspots {
                frame: ready.frame(),
                previous_period: ready.asked().period.previous().into(),
                withheld: Withheld::new(found > 0 && rows.is_empty(), withheld, false, ready.k()),
                items: items(ready, fold, dictionary, page),
                next_cursor: (end < rows.len())
                    .then(|| params::cursor(&[i64::try_from(end).unwrap_or(i64::MAX)])),
            }
        })
        .await
        .map(Json)
}

/// Sorts screens; ties are broken by what harms next, in the end by name, so that
/// pages follow one another without gap or repeat.
pub(super) fn rank(rows: &mut [ScreenFigures], sort: Sort, dictionary: &Dictionary) {
    let key = |row: &ScreenFigures| match sort {
        Sort::TimeLost => 0.0,
        Sort::Impact => row.avg_frustration() * row.per_session(row.sessions * row.sessions),
        Sort::Frustration => row.avg_frustration(),
        Sort::Sessions => row.per_session(row.sessions * row.sessions),
        Sort::RageClicks => row.per_session(row.rage_clicks),
        Sort::DeadClicks => row.per_session(row.dead_clicks),
        Sort::Dropoff => row.per_session(row.exits),
    };
    rows.sort_by(|a, b| {
        let name = |row: &ScreenFigures| {
            let name = &dictionary.screens()[row.screen as usize];
            (Arc::clone(&name.app), Arc::clone(&name.hash))
        };
        key(b)
            .total_cmp(&key(a))
            .then(b.time_lost_ms.cmp(&a.time_lost_ms))
            .then(b.frustration_micro.cmp(&a.frustration_micro))
            .then(b.sessions.cmp(&a.sessions))
            .then_with(|| name(a).cmp(&name(b)))
    });
}

/// Rows as they are answered, with their trend.
pub(super) fn items(
    ready: &Ready,
    fold: &Fold<'_>,
    dictionary: &Dictionary,
    rows: &[ScreenFigures],
) -> Vec<Hotspot> {
    let [_, previous] = ready.periods();
    let only: Vec<u32> = rows.iter().map(|row| row.screen).collect();
    let before: HashMap<u32, f64> = fold
        .screens(previous, Some(&only))
        .into_iter()
        .filter(|row| !row.stand.hidden)
        .map(|row| (row.screen, row.avg_frustration()))
        .collect();
    rows.iter()
        .map(|row| {
            let name = &dictionary.screens()[row.screen as usize];
            Hotspot {
                app: name.app.to_string(),
                screen: ready.readable(&name.hash).to_owned(),
                screen_id: name.hash.to_string(),
                sessions: row.sessions,
                people: row.stand.people,
                avg_frustration: row.avg_frustration(),
                avg_efficiency: row.avg_efficiency(),
                rage_click_rate: row.per_session(row.rage_clicks),
                dead_click_rate: row.per_session(row.dead_clicks),
                dropoff_rate: row.per_session(row.exits),
                avg_time_spent_ms: row.per_session(row.dwell_ms),
                trend: change(
                    Some(row.avg_frustration()),
                    before.get(&row.screen).copied(),
                ),
                time_lost_ms: row.time_lost_ms,
            }
        })
        .collect()
}
