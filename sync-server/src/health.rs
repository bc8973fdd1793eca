//! `GET /health`: alive, and ready?

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::extract::{Query as Parameters, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use snag_warehouse::Query;
use utoipa::{IntoParams, ToSchema};

use crate::{ApiError, AppState};

/// The warehouse has this long to answer `SELECT 1`.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is asked.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// `live`: whether the process answers; `ready` (the default): whether it can do its work.
    #[serde(default)]
    #[param(inline)]
    probe: Probe,
}

/// Which question.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Probe {
    /// Does the process answer?
    Live,
    /// Can it do its work?
    #[default]
    Ready,
}

/// How the server is.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// The process answers.
    live: bool,
    /// It can do its work: the warehouse answers, and the server isn't about to end.
    ready: bool,
    /// `ok`, `unavailable` or `not_asked`.
    warehouse: &'static str,
    /// The server is about to end and takes no new work.
    draining: bool,
    /// The server's version.
    version: &'static str,
}

/// Whether the server is alive and ready; 503 where it isn't ready.
///
/// # Errors
/// An unknown probe.
#[utoipa::path(
    get,
    path = "/health",
    tag = "operation",
    params(Parameter),
    responses(
        (status = 200, description = "Alive, and ready where that was asked", body = Health),
        (status = 503, description = "Not ready", body = Health),
        (status = 400),
    )
)]
pub async fn get(
    State(state): State<Arc<AppState>>,
    parameter: Result<Parameters<Parameter>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, ApiError> {
    let Parameters(parameter) = parameter
        .map_err(|_| ApiError::invalid_parameter("probe", "`probe` is `live` or `ready`."))?;
    let draining = state.draining.load(Ordering::Relaxed);
    let mut health = Health {
        live: true,
        ready: !draining,
        warehouse: "not_asked",
        draining,
        version: env!("CARGO_PKG_VERSION"),
    };
    if parameter.probe == Probe::Ready {
        let answer = state.warehouse.select(Query::read("SELECT 1"));
        let answers = matches!(tokio::time::timeout(PATIENCE, answer).await, Ok(Ok(_)));
        health.warehouse = if answers { "ok" } else { "unavailable" };
        health.ready &= answers;
    }
    let status = if health.ready || parameter.probe == Probe::Live {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let mut response = (status, axum::Json(health)).into_response();
    let no_store = HeaderValue::from_static("no-store");
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, no_store);
    Ok(response)
}
