//! `POST /v1/enroll`: a device joins an organisation.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use snag_wire::{DeviceFacts, EnrollAnswer, EnrollRequest, limits};
use uuid::Uuid;

use crate::asked::Confided;
use crate::auth::{self, Scope};
use crate::{ApiError, AppState, control, policy};

/// Makes a device of the organisation whose enrolment token is sent.
///
/// # Errors
/// 400, 401, 403, 408, 413, 415, 503, 507.
#[utoipa::path(
    post,
    path = "/v1/enroll",
    tag = "devices",
    request_body = EnrollRequest,
    responses(
        (status = 200, body = EnrollAnswer),
        (status = 400),
        (status = 401),
        (status = 403),
        (status = 413),
    )
)]
pub(crate) async fn post(
    State(state): State<Arc<AppState>>,
    Confided(request): Confided<EnrollRequest>,
) -> Result<Json<EnrollAnswer>, ApiError> {
    check(&request.device)?;
    let (grant, org) = auth::grant(&state, &request.token).await?;
    if grant.scope != Scope::Enroll {
        return Err(ApiError::forbidden("Enrolling takes an enrolment token."));
    }
    // What IT put into the token counts more than what the device says of itself.
    let segment = if grant.segment.is_empty() {
        request.device.segment
    } else {
        grant.segment.clone()
    };
    let device = Uuid::now_v7();
    let now = state.now();
    control::add_device(
        &state.warehouse,
        &control::NewDevice {
            org: org.id,
            device,
            os: &request.device.os,
            agent_version: &request.device.agent_version,
            segment: &segment,
        },
        now,
    )
    .await?;
    let device_token = control::add_token(
        &state.warehouse,
        &control::NewToken {
            org: org.id,
            scope: Scope::Device,
            name: "",
            device: Some(device),
            segment: &segment,
            expires_at: None,
        },
        now,
    )
    .await?;
    let policy = policy::answer(&state, &org, device).await?;
    state.metrics.enrolments.inc();
    tracing::info!(org = %org.id, %device, os = %request.device.os, "device enrolled");
    Ok(Json(EnrollAnswer {
        device,
        device_token,
        policy,
    }))
}

fn check(facts: &DeviceFacts) -> Result<(), ApiError> {
    if !matches!(facts.os.as_str(), "linux" | "windows" | "macos") {
        return Err(
            ApiError::invalid_body("`os` is linux, windows or macos.").with_field("device.os")
        );
    }
    for (field, value) in [
        ("device.agent_version", &facts.agent_version),
        ("device.segment", &facts.segment),
    ] {
        let long = value.chars().count() > limits::NAME_CHARS_MAX;
        if long || value.chars().any(char::is_control) {
            let detail = format!(
                "At most {} characters, none of them a control character.",
                limits::NAME_CHARS_MAX
            );
            return Err(ApiError::invalid_body(detail).with_field(field));
        }
    }
    Ok(())
}
