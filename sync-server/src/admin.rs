//! `/v1/admin/…`: tokens, devices and policy of one organisation, while the server
//! runs. (The command line does the same while it doesn't: the embedded ClickHouse
//! belongs to one process at a time.)

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::routing::{delete, get};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use snag_wire::{Code, limits};
use utoipa::ToSchema;

use crate::auth::{Admin, Scope};
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
    /// What you call it.
    #[serde(default)]
    pub name: String,
    /// The part of the organisation that devices enrolled with it belong to.
    #[serde(default)]
    pub segment: String,
}

/// A token that was made.
#[derive(Serialize, ToSchema)]
pub struct TokenCreated {
    /// Shown only now; the server keeps its hash.
    pub token: String,
}

fn read<'a, T: Deserialize<'a>>(body: &'a Bytes) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|error| {
        ApiError::invalid_body(format!("The body isn't what this address takes: {error}."))
    })
}

/// The organisation's tokens that people hold; never the tokens themselves.
#[utoipa::path(get, path = "/v1/admin/tokens", tag = "administration", security(("admin" = [])),
    responses((status = 200, body = Vec<TokenListed>), (status = 400), (status = 401), (status = 403)))]
async fn list_tokens(
    State(state): State<Arc<AppState>>,
    Admin(actor): Admin,
) -> Result<Json<Vec<TokenListed>>, ApiError> {
    Ok(Json(
        control::list_tokens(&state.warehouse, actor.org.id).await?,
    ))
}

/// Makes a token, and shows it once.
#[utoipa::path(post, path = "/v1/admin/tokens", tag = "administration", security(("admin" = [])), request_body = TokenRequest,
    responses((status = 200, body = TokenCreated), (status = 400), (status = 401), (status = 403)))]
async fn create_token(
    State(state): State<Arc<AppState>>,
    Admin(actor): Admin,
    body: Bytes,
) -> Result<Json<TokenCreated>, ApiError> {
    let request: TokenRequest = read(&body)?;
    if request.scope == Scope::Device {
        return Err(
            ApiError::invalid_body("A device's token is made when the device enrols.")
                .with_field("scope"),
        );
    }
    for (field, text) in [("name", &request.name), ("segment", &request.segment)] {
        if text.chars().count() > limits::NAME_CHARS_MAX || text.chars().any(char::is_control) {
            return Err(
                ApiError::invalid_body("Too long, or with control characters.").with_field(field),
            );
        }
    }
    let new = NewToken {
        org: actor.org.id,
        scope: request.scope,
        name: &request.name,
        device: None,
        segment: &request.segment,
    };
    let token = control::add_token(&state.warehouse, &new, state.now()).await?;
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
    control::revoke_token(&state.warehouse, actor.org.id, &id, state.now()).await?;
    state.tokens.forget_all();
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
    body: Bytes,
) -> Result<Json<OrgPolicy>, ApiError> {
    let policy: OrgPolicy = read(&body)?;
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
