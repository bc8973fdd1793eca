//! Every route of the server.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use percent_encoding::percent_decode_str;
use snag_wire::Code;

use crate::{
    ApiError, AppState, accounts, admin, audit, disk, enroll, feedback, forget, health, ingest,
    insights, live, metrics, openapi, params, policy, unread,
};

/// A route that hasn't answered by now never will; the batch route is bounded by its
/// own parts (body, queue, insert) and a warehouse that hangs.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// Requests answered at once; more are told to come back.
const IN_FLIGHT_MAX: i64 = 4_096;

/// The server's routes over `state`.
pub fn router(state: Arc<AppState>) -> Router {
    Router::new()
        .route("/v1/enroll", post(enroll::post))
        .route("/v1/policy", get(policy::get))
        .route("/v1/events/batch", post(ingest::post))
        .route("/v1/openapi.json", get(openapi::get))
        .route("/health", get(health::get))
        .route("/v1/stream", get(live::stream::get))
        .route("/metrics", get(metrics::get))
        .merge(accounts::router())
        .merge(admin::router())
        .merge(audit::read::router())
        .merge(insights::router())
        .merge(feedback::router())
        .merge(crate::figures::router())
        .merge(forget::router())
        .merge(crate::retention::router())
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(middleware::from_fn(without_parameters))
        .layer(middleware::from_fn_with_state(
            Arc::clone(&state),
            disk::guard,
        ))
        .layer(middleware::from_fn_with_state(Arc::clone(&state), bounded))
        .layer(middleware::from_fn(readable))
        .layer(middleware::from_fn(unread::settle))
        .with_state(state)
}

async fn not_found() -> ApiError {
    ApiError::new(
        Code::NotFound,
        "Nothing is at this address; /v1/openapi.json lists what is.",
    )
}

async fn method_not_allowed() -> ApiError {
    ApiError::new(
        Code::MethodNotAllowed,
        "This address takes other methods; /v1/openapi.json lists them.",
    )
}

/// Nothing is at an address that isn't text: what routes take of it is text.
async fn readable(request: Request, next: Next) -> Result<Response, ApiError> {
    let path = request.uri().path();
    if path.contains('%') && percent_decode_str(path).decode_utf8().is_err() {
        return Err(not_found().await);
    }
    Ok(next.run(request).await)
}

/// Refuses parameters of what takes none: nobody shall delete for real what they meant to
/// try with `?dry_run`. What takes some refuses others itself.
async fn without_parameters(request: Request, next: Next) -> Result<Response, ApiError> {
    if request.uri().query().is_some()
        && let Some(address) = request.extensions().get::<MatchedPath>()
        && openapi::refuses_parameters(request.method(), address.as_str())
    {
        params::read(request.uri(), &[])?;
    }
    Ok(next.run(request).await)
}

/// Bounds how many requests are in flight and how long each may take.
async fn bounded(
    State(state): State<Arc<AppState>>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    struct InFlight(Arc<AppState>);
    impl Drop for InFlight {
        fn drop(&mut self) {
            self.0.metrics.in_flight.dec();
        }
    }

    let before = state.metrics.in_flight.inc();
    let _guard = InFlight(Arc::clone(&state));
    if before >= IN_FLIGHT_MAX {
        return Err(ApiError::unavailable(
            "The server has too much to do. Try again later.",
            2,
        ));
    }
    tokio::time::timeout(ANSWER_MAX, next.run(request))
        .await
        .map_err(|_| ApiError::unavailable("The server did not answer in time.", 5))
}
