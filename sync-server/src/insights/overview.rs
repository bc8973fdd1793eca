//! `GET /v1/insights/overview`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::Uri;
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::{Count, Figure, Frame, Span, Withheld};
use super::fold::{IncidentFigures, SessionFigures};
use super::hotspots::{self, Hotspot, Sort};
use super::ready::Ready;
use crate::auth::Viewer;
use crate::{ApiError, AppState};

/// Screens in `top_hotspots`.
const TOP: usize = 5;

/// The figures of a period beside those of the one before.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Overview {
    #[serde(flatten)]
    frame: Frame,
    /// The period before, of equal length, that figures are compared with.
    previous_period: Span,
    /// What is left out.
    withheld: Withheld,
    /// 100 × the mean frustration of sessions, weighted by their active time (at least
    /// 1 ms each): 100 × Σ(frustration × active_ms) / Σ active_ms; 0 = no friction,
    /// towards 100. With an app or screen filter the weight is the time spent on the
    /// screens asked for, instead. Null without a session.
    friction_index: Figure,
    /// The mean efficiency of the sessions that have one (in which a task was
    /// completed): 1 = at or under the baselines, towards 0. Null without one.
    efficiency: Figure,
    /// Sessions that began in the period; with an app or screen filter, sessions whose
    /// first visit of such a screen lies in it.
    sessions: Count,
    /// People (devices) behind these sessions.
    people: Count,
    /// Incidents that began in the period, by kind. Each kind is withheld by itself
    /// where fewer than k people had such an incident.
    incidents: IncidentCounts,
    /// The scores' distribution over these sessions, by nearest rank.
    quantiles: Quantiles,
    /// The screens that lose people most time: the first of `/v1/insights/hotspots`.
    top_hotspots: Vec<Hotspot>,
}

/// Incidents by kind.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct IncidentCounts {
    /// Fast clicks on one target.
    rage_click: Count,
    /// Clicks that nothing answered.
    dead_click: Count,
    /// Looks into the wrong place.
    backtrack: Count,
    /// Tasks that were not finished.
    abandoned_task: Count,
    /// The same error again and again.
    error_loop: Count,
    /// One undo after the other.
    undo_storm: Count,
}

/// Both scores' quantiles.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Quantiles {
    /// Of frustration: 0 = none, towards 1.
    frustration: QuantileFigures,
    /// Of efficiency: 1 = at or under the baselines, towards 0.
    efficiency: QuantileFigures,
}

/// Quantiles of one score: the lowest value that so many of the sessions are at or below.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct QuantileFigures {
    /// Half of them.
    p50: Figure,
    /// Nine in ten.
    p90: Figure,
    /// Ninety-nine in a hundred.
    p99: Figure,
}

impl QuantileFigures {
    fn new(value: Option<Option<[f64; 3]>>, previous: Option<Option<[f64; 3]>>) -> Self {
        let at = |quantiles: Option<Option<[f64; 3]>>, place: usize| {
            quantiles.map(|quantiles| quantiles.map(|quantiles| quantiles[place]))
        };
        let figure = |place| Figure::new(at(value, place), at(previous, place));
        Self {
            p50: figure(0),
            p90: figure(1),
            p99: figure(2),
        }
    }
}

/// How a product does: friction, efficiency, sessions, people, incidents.
///
/// Answered from rollups by the hour; parts of an hour at the edges of the period are
/// counted from raw records, so that any period is exact.
#[utoipa::path(
    get,
    path = "/v1/insights/overview",
    tag = "insights",
    params(super::params_doc::Common),
    responses(
        (status = 200, body = Overview),
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
) -> Result<Json<Overview>, ApiError> {
    let ready = Ready::new(&state, &actor, &uri, &[]).await?;
    ready
        .fold(|ready, fold, dictionary| {
            let [current, previous] = ready.periods();
            let sessions = fold.sessions(current);
            let previous_sessions = fold.sessions(previous);
            let incidents = fold.incidents(current);
            let previous_incidents = fold.incidents(previous);
            let mut rows = fold.screens(current, None);
            let found = rows.len();
            rows.retain(|row| !row.stand.hidden);
            let withheld_rows = (found - rows.len()) as u64;
            hotspots::rank(&mut rows, Sort::TimeLost, dictionary);
            rows.truncate(TOP);

            let all = sessions.stand.hidden;
            if all {
                rows.clear();
            }
            let incidents = [0, 1, 2, 3, 4, 5].map(|kind| {
                Count::new(
                    shown(&incidents[kind]).filter(|_| !all),
                    shown(&previous_incidents[kind]).filter(|_| !previous_sessions.stand.hidden),
                )
            });
            let figures = incidents.iter().any(|count| count.withheld);
            let [
                rage_click,
                dead_click,
                backtrack,
                abandoned_task,
                error_loop,
                undo_storm,
            ] = incidents;
            let value = (!all).then_some(&sessions);
            let before = (!previous_sessions.stand.hidden).then_some(&previous_sessions);
            let figure =
                |of: fn(&SessionFigures) -> Option<f64>| Figure::new(value.map(of), before.map(of));
            let count = |of: fn(&SessionFigures) -> u64| Count::new(value.map(of), before.map(of));
            Overview {
                frame: ready.frame(),
                previous_period: ready.asked().period.previous().into(),
                withheld: Withheld::new(
                    all,
                    if all { found as u64 } else { withheld_rows },
                    figures,
                    ready.k(),
                ),
                friction_index: figure(|s| s.friction_index),
                efficiency: figure(|s| s.efficiency),
                sessions: count(|s| s.sessions),
                people: count(|s| s.stand.people),
                incidents: IncidentCounts {
                    rage_click,
                    dead_click,
                    backtrack,
                    abandoned_task,
                    error_loop,
                    undo_storm,
                },
                quantiles: Quantiles {
                    frustration: QuantileFigures::new(
                        value.map(|s| s.frustration_quantiles),
                        before.map(|s| s.frustration_quantiles),
                    ),
                    efficiency: QuantileFigures::new(
                        value.map(|s| s.efficiency_quantiles),
                        before.map(|s| s.efficiency_quantiles),
                    ),
                },
                top_hotspots: hotspots::items(ready, fold, dictionary, &rows),
            }
        })
        .await
        .map(Json)
}

fn shown(figures: &IncidentFigures) -> Option<u64> {
    (!figures.stand.hidden).then_some(figures.incidents)
}
