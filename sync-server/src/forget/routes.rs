//! The routes of forgetting.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::delete;
use axum::{Json, Router};
use serde_json::json;
use snag_wire::Code;
use uuid::Uuid;

use super::{Kind, Known, Receipt, Target, forget, known};
use crate::audit::{self, Act};
use crate::auth::{Actor, Admin, DeviceAuth, Role};
use crate::{ApiError, AppState};

/// The routes of forgetting.
pub fn router() -> Router<Arc<AppState>> {
    Router::new()
        .route("/v1/feedback/{id}", delete(delete_feedback))
        .route("/v1/admin/people/{device}", delete(delete_person))
        .route("/v1/device/data", delete(delete_own))
}

/// The OpenAPI part of these routes.
#[derive(utoipa::OpenApi)]
#[openapi(paths(delete_feedback, delete_person, delete_own))]
pub struct Routes;

/// Deletes an item of feedback for good: its words, thread, screenshot and every trace in
/// lists and analytics. Asked again, it gives the same receipt. An id that was deleted is
/// remembered (without content) for 200 days, so that a late retry doesn't bring it back.
///
/// # Errors
/// 401, 403, 404, 503. After a 503 the server finishes what was begun.
#[utoipa::path(delete, path = "/v1/feedback/{id}", tag = "feedback", security(("admin" = [])),
    params(("id" = String, Path, description = "The item")),
    responses((status = 200, body = Receipt), (status = 401), (status = 403), (status = 404)))]
async fn delete_feedback(
    State(state): State<Arc<AppState>>,
    Admin(actor): Admin,
    Path(id): Path<String>,
) -> Result<Json<Receipt>, ApiError> {
    run(state, actor, Kind::Feedback, &id).await
}

/// Deletes everything of a person: the device's records, sessions, feedback, screenshots,
/// tokens. Figures are afterwards what they would be without them. The device's token ends;
/// to take part again it has to be enrolled anew.
///
/// # Errors
/// 401, 403, 404, 503. After a 503 the server finishes what was begun.
#[utoipa::path(delete, path = "/v1/admin/people/{device}", tag = "administration", security(("admin" = [])),
    params(("device" = String, Path, description = "The device's identity")),
    responses((status = 200, body = Receipt), (status = 401), (status = 403), (status = 404)))]
async fn delete_person(
    State(state): State<Arc<AppState>>,
    Admin(actor): Admin,
    Path(device): Path<String>,
) -> Result<Json<Receipt>, ApiError> {
    run(state, actor, Kind::Device, &device).await
}

/// Deletes everything of the device that asks, as an administrator can. Its token ends with
/// it: asked again, the answer is 401. What was begun is finished whatever happens.
///
/// # Errors
/// 401, 403, 503.
#[utoipa::path(delete, path = "/v1/device/data", tag = "devices", security(("device" = [])),
    responses((status = 200, body = Receipt), (status = 401), (status = 403)))]
async fn delete_own(
    State(state): State<Arc<AppState>>,
    auth: DeviceAuth,
) -> Result<Json<Receipt>, ApiError> {
    let device = auth.device.to_string();
    // The log doesn't say which device: it has just asked to be forgotten.
    let actor = Actor {
        org: auth.org,
        role: Role::Viewer,
        name: "device".to_owned(),
    };
    run(state, actor, Kind::Device, &device).await
}

async fn run(
    state: Arc<AppState>,
    actor: Actor,
    kind: Kind,
    id: &str,
) -> Result<Json<Receipt>, ApiError> {
    let missing = || match kind {
        Kind::Feedback => ApiError::new(Code::NotFound, "There is no such item of feedback."),
        Kind::Device => ApiError::new(Code::NotFound, "There is no such device."),
    };
    let id: Uuid = id.parse().map_err(|_| missing())?;
    let target = Target {
        org: actor.org.key.clone(),
        kind,
        id,
    };
    match known(&state, &target).await? {
        Known::Nothing => return Err(missing()),
        Known::Deleted(receipt) => return Ok(Json(receipt)),
        Known::Something => {}
    }
    let receipt = Uuid::now_v7();
    // A person who is forgotten is not named by the log, either: the receipt says which act.
    let named = match kind {
        Kind::Feedback => id.to_string(),
        Kind::Device => receipt.to_string(),
    };
    let action = match kind {
        Kind::Feedback => "feedback.delete",
        Kind::Device => "person.forget",
    };
    let act = Act {
        action,
        target: &named,
        detail: json!({ "receipt": receipt }),
    };
    audit::log(&state.warehouse, &actor, &[act], state.now()).await?;
    // Whoever asked may go away: what is begun is finished.
    let task = tokio::spawn({
        let state = Arc::clone(&state);
        async move { forget(&state, target, receipt).await }
    });
    let receipt = task.await.map_err(|error| ApiError::internal(&error))??;
    Ok(Json(receipt))
}
