//! `/v1/admin/…`: tokens, devices and policy of one organisation, while the server
//! runs. (The command line does the same while it doesn't: the embedded ClickHouse
//! belongs to one process at a time.)

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::{delete, get};
use axum::{Json, Router};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use snag_wire::{Code, limits};
use utoipa::ToSchema;

use crate::asked::Asked;
use crate::audit::{self, Act};
use crate::auth::{self, Admin, Scope};
use crate::control::{self, ControlError, NewToken, TokenListed};
use crate::orgs::OrgPolicy;
use crate::{ApiError, AppState};

/// The routes of administration.
pub fn router() -> Router<Arc<AppState>> {
    Router::new()
        .route("/v1/admin/tokens", get(list_tokens).post(create_token))
        .route("/v1/admin/tokens/{id}", delete(revoke_token))
        .route("/v1/admin/devices", get(list_devices))
        .route("/v1/admin/devices/{id}", delete(revoke_token))
        .route("/v1/admin/policy", get(get_policy).put(put_policy))
}

impl From<ControlError> for ApiError {
    fn from(error: ControlError) -> Self {
        match error {
            ControlError::Warehouse(error) => error.into(),
            ControlError::NoSuchOrganisation(_) | ControlError::NoSuchToken => {
                Self::new(Code::NotFound, "There is no such token or device.")
            }
            ControlError::BadPolicy(fault) => {
                Self::invalid_body(format!("The policy is refused: {fault}."))
            }
            ControlError::BadTokenName => {
                Self::invalid_body("A token has a name of 1 to 64 characters, none of them a control character: its acts carry it.").with_field("name")
            }
            ControlError::TokenNameTaken(_) => Self::new(
                Code::Conflict,
                "Another token has this name, and acts could be of either. Take another one.",
            )
            .with_field("name"),
            ControlError::BadExpiry => {
                Self::invalid_body("A token's end lies in the future.").with_field("expires_at")
            }
            ControlError::KTooSmall(_) | ControlError::NameTaken(_) | ControlError::BadName => {
                Self::invalid_body(error.to_string())
            }
        }
    }
}

/// A token to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    /// What it may do; not `device`.
    pub scope: Scope,
    /// What you call it: the audit log names its acts so.
    #[serde(default)]
    pub name: String,
    /// The part of the organisation that devices enrolled with it belong to.
    #[serde(default)]
    pub segment: String,
    /// When it ends by itself; it doesn't where this is left out.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
}

/// A token that was made.
#[derive(Serialize, ToSchema)]
pub struct TokenCreated {
    /// Shown only now; the server keeps its hash.
    pub token: String,
}

/// The organisation's tokens that people hold; never the tokens themselves.
#[utoipa::path(get, path = "/v1/admin/tokens", tag = "administration", security(("admin" = [])),
    responses((status = 200, body = Vec<TokenListed>), (status = 400), (status = 401), (status = 403)))]
async fn list_tokens(
    State(state): State<Arc<AppState>>,
    Admin(actor): Admin,
) -> Result<Json<Vec<TokenListed>>, ApiError> {
    // What this process noted and hasn't written would be missing.
    state.tokens.uses.write(&state.warehouse).await?;
    Ok(Json(
        control::list_tokens(&state.warehouse, actor.org.id).await?,
    ))
}

/// Makes a token, and shows it once.
#[utoipa::path(post, path = "/v1/admin/tokens", tag = "administration", security(("admin" = [])), request_body = TokenRequest,
    responses((status = 200, body = TokenCreated), (status = 400), (status = 401), (status = 403), (status = 409)))]
async fn create_token(
    State(state): State<Arc<AppState>>,
    Admin(actor): Admin,
    Asked(request): Asked<TokenRequest>,
) -> Result<Json<TokenCreated>, ApiError> {
    if request.scope == Scope::Device {
        return Err(
            ApiError::invalid_body("A device's token is made when the device enrols.")
                .with_field("scope"),
        );
    }
    let segment = &request.segment;
    if segment.chars().count() > limits::NAME_CHARS_MAX || segment.chars().any(char::is_control) {
        return Err(
            ApiError::invalid_body("Too long, or with control characters.").with_field("segment"),
        );
    }
    let new = NewToken {
        org: actor.org.id,
        scope: request.scope,
        name: &request.name,
        device: None,
        segment,
        expires_at: request.expires_at,
    };
    let _changing = state.accounts.changing.lock().await;
    new.check(&state.warehouse, state.now()).await?;
    let token = auth::mint(request.scope);
    let target = control::token_id(&token);
    let act = Act {
        action: "token.create",
        target: &target,
        detail: json!({"scope": request.scope, "name": request.name, "expires_at": request.expires_at}),
    };
    audit::log(&state.warehouse, &actor, &[act], state.now()).await?;
    control::store_token(&state.warehouse, &token, &new, state.now()).await?;
    tracing::info!(org = %actor.org.id, scope = request.scope.as_str(), "token made");
    Ok(Json(TokenCreated { token }))
}

/// Revokes a token by its id, or a device's token by the device's identity.
#[utoipa::path(delete, path = "/v1/admin/tokens/{id}", tag = "administration", security(("admin" = [])),
    params(("id" = String, Path, description = "A token's id, or a device's identity")),
    responses((status = 200), (status = 401), (status = 403), (status = 404)))]
async fn revoke_token(
    State(state): State<Arc<AppState>>,
    Admin(actor): Admin,
    Path(id): Path<String>,
) -> Result<(), ApiError> {
    let found = control::find_tokens(&state.warehouse, actor.org.id, &id).await?;
    let acts: Vec<Act<'_>> = found
        .iter()
        .map(|token| Act {
            action: "token.revoke",
            target: token.token_hash.get(..12).unwrap_or_default(),
            detail: json!({"scope": token.scope, "name": token.name}),
        })
        .collect();
    audit::log(&state.warehouse, &actor, &acts, state.now()).await?;
    let revoked = control::revoke_tokens(&state.warehouse, &found, state.now()).await;
    // Also where it failed: it may have been written all the same.
    state
        .tokens
        .forget(found.iter().map(|token| &token.token_hash));
    revoked?;
    tracing::info!(org = %actor.org.id, "token revoked");
    Ok(())
}

/// The organisation's devices, the newest first.
#[utoipa::path(get, path = "/v1/admin/devices", tag = "administration", security(("admin" = [])),
    responses((status = 200, body = Vec<control::DeviceListed>), (status = 400), (status = 401), (status = 403)))]
async fn list_devices(
    State(state): State<Arc<AppState>>,
    Admin(actor): Admin,
) -> Result<Json<Vec<control::DeviceListed>>, ApiError> {
    Ok(Json(
        control::list_devices(&state.warehouse, actor.org.id).await?,
    ))
}

/// What the organisation's devices are told.
#[utoipa::path(get, path = "/v1/admin/policy", tag = "administration", security(("admin" = [])),
    responses((status = 200, body = OrgPolicy), (status = 400), (status = 401), (status = 403)))]
async fn get_policy(Admin(actor): Admin) -> Json<OrgPolicy> {
    Json(actor.org.policy.clone())
}

/// Gives the organisation's devices a new policy. One that a device could not follow is
/// refused as a whole.
#[utoipa::path(put, path = "/v1/admin/policy", tag = "administration", security(("admin" = [])), request_body = OrgPolicy,
    responses((status = 200, body = OrgPolicy), (status = 400), (status = 401), (status = 403)))]
async fn put_policy(
    State(state): State<Arc<AppState>>,
    Admin(actor): Admin,
    Asked(policy): Asked<OrgPolicy>,
) -> Result<Json<OrgPolicy>, ApiError> {
    policy.check().map_err(ControlError::from)?;
    let target = actor.org.id.to_string();
    let act = Act {
        action: "policy.change",
        target: &target,
        detail: json!({"policy": policy}),
    };
    audit::log(&state.warehouse, &actor, &[act], state.now()).await?;
    control::set_policy(&state.warehouse, actor.org.id, &policy, state.now()).await?;
    state.orgs.forget(actor.org.id);
    tracing::info!(org = %actor.org.id, "policy changed");
    Ok(Json(policy))
}

/// The OpenAPI part of these routes.
#[derive(utoipa::OpenApi)]
#[openapi(paths(
    list_tokens,
    create_token,
    revoke_token,
    list_devices,
    get_policy,
    put_policy
))]
pub struct Routes;
