//! `/v1/admin/users`: an organisation's accounts.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::password;
use super::users::{self, NewUser, User, UserChange, UserError, UserShown};
use crate::asked::Confided;
use crate::audit::{self, Act};
use crate::auth::{Actor, Admin, Role};
use crate::{ApiError, AppState};

/// An account to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserRequest {
    /// The name to log in with, such as an address of mail: unique on the server.
    login: String,
    /// What people call its holder.
    name: String,
    /// What it may do: at most what you may.
    role: Role,
    /// 12 to 200 characters; left out, one is made and shown once.
    #[serde(default)]
    password: Option<String>,
}

/// An account that was made, or given another password.
#[derive(Serialize, ToSchema)]
pub struct UserCreated {
    /// The account.
    pub user: UserShown,
    /// The password that was made, shown only now; null where you gave one.
    pub password: Option<String>,
}

/// What is to be changed of an account.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserPatch {
    /// What people call its holder.
    #[serde(default)]
    name: Option<String>,
    /// What it may do; ends its sessions.
    #[serde(default)]
    role: Option<Role>,
    /// Whether it can't log in; ends its sessions.
    #[serde(default)]
    disabled: Option<bool>,
}

/// A password for an account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordRequest {
    /// 12 to 200 characters; left out, one is made and shown once.
    #[serde(default)]
    password: Option<String>,
}

/// Nobody gives or takes what is above their own role.
fn may(actor: &Actor, role: Role) -> Result<(), ApiError> {
    if role > actor.role {
        return Err(ApiError::forbidden(format!(
            "This takes the role {}; you have {}.",
            role.as_str(),
            actor.role.as_str()
        )));
    }
    Ok(())
}

async fn find(state: &AppState, org: Uuid, id: &str) -> Result<User, ApiError> {
    let id = id.parse().map_err(|_| UserError::NoSuchUser)?;
    let user = users::by_id(&state.warehouse, org, id).await?;
    Ok(user.ok_or(UserError::NoSuchUser)?)
}

async fn log(state: &AppState, actor: &Actor, act: Act<'_>) -> Result<(), ApiError> {
    Ok(audit::log(&state.warehouse, actor, &[act], state.now()).await?)
}

/// Changes an account under the process' lock, and lets it count at once.
pub(super) async fn apply(
    state: &AppState,
    org: Uuid,
    id: Uuid,
    change: &UserChange,
) -> Result<User, ApiError> {
    let _changing = state.accounts.changing.lock().await;
    let user = users::by_id(&state.warehouse, org, id).await?;
    let user = user.ok_or(UserError::NoSuchUser)?;
    let after = users::plan(&state.warehouse, &user, change, state.now()).await?;
    write(state, &after).await?;
    Ok(after)
}

/// Gives an account the password that its holder chose; none where another got it another
/// password meanwhile, or ended its sessions: what they did must not be undone by who knew
/// the old one. `checked` is the account as it was when the old password was.
pub(super) async fn set_own_password(
    state: &AppState,
    actor: &Actor,
    checked: &User,
    hash: String,
) -> Result<Option<User>, ApiError> {
    let _changing = state.accounts.changing.lock().await;
    let user = users::by_id(&state.warehouse, checked.org, checked.id).await?;
    let Some(user) = user.filter(|user| user.generation == checked.generation) else {
        return Ok(None);
    };
    let target = user.id.to_string();
    let act = Act {
        action: "user.password",
        target: &target,
        detail: json!({"own": true}),
    };
    log(state, actor, act).await?;
    let change = UserChange {
        password_hash: Some(hash),
        ..UserChange::default()
    };
    let after = users::plan(&state.warehouse, &user, &change, state.now()).await?;
    write(state, &after).await?;
    Ok(Some(after))
}

async fn write(state: &AppState, user: &User) -> Result<(), ApiError> {
    let written = users::write(&state.warehouse, user).await;
    // Also where it failed: it may have been written all the same.
    state.accounts.sessions.forget_all();
    Ok(written?)
}

/// The organisation's accounts, by login name.
#[utoipa::path(get, path = "/v1/admin/users", tag = "accounts", security(("admin" = [])),
    responses((status = 200, body = Vec<UserShown>), (status = 401), (status = 403)))]
pub(super) async fn list(
    State(state): State<Arc<AppState>>,
    Admin(actor): Admin,
) -> Result<Json<Vec<UserShown>>, ApiError> {
    let users = users::list(&state.warehouse, actor.org.id).await?;
    Ok(Json(users.iter().map(UserShown::from).collect()))
}

/// One account.
#[utoipa::path(get, path = "/v1/admin/users/{id}", tag = "accounts", security(("admin" = [])),
    params(("id" = String, Path, description = "The account's identity")),
    responses((status = 200, body = UserShown), (status = 401), (status = 403), (status = 404)))]
pub(super) async fn read(
    State(state): State<Arc<AppState>>,
    Admin(actor): Admin,
    Path(id): Path<String>,
) -> Result<Json<UserShown>, ApiError> {
    let user = find(&state, actor.org.id, &id).await?;
    Ok(Json(UserShown::from(&user)))
}

/// Makes an account. Only owners make owners; the first is made by `snag-server user create`.
#[utoipa::path(post, path = "/v1/admin/users", tag = "accounts", security(("admin" = [])), request_body = UserRequest,
    responses((status = 201, body = UserCreated), (status = 400), (status = 401), (status = 403), (status = 409), (status = 413), (status = 415)))]
pub(super) async fn create(
    State(state): State<Arc<AppState>>,
    Admin(actor): Admin,
    Confided(request): Confided<UserRequest>,
) -> Result<(StatusCode, Json<UserCreated>), ApiError> {
    may(&actor, request.role)?;
    let new = NewUser {
        org: actor.org.id,
        login: &request.login,
        name: &request.name,
        role: request.role,
    };
    let login = new.check(&state.warehouse).await?;
    let (password, made) = given_or_made(request.password, &login)?;
    let hash = state.accounts.hasher.hash(password).await?;
    let _changing = state.accounts.changing.lock().await;
    let id = Uuid::now_v7();
    let target = id.to_string();
    let act = Act {
        action: "user.create",
        target: &target,
        detail: json!({"login": login, "role": request.role}),
    };
    // Again, now that nobody else makes one.
    new.check(&state.warehouse).await?;
    log(&state, &actor, act).await?;
    let user = users::create(&state.warehouse, &new, id, hash, state.now()).await?;
    tracing::info!(org = %user.org, user = %user.id, role = user.role.as_str(), "account made");
    let created = UserCreated {
        user: UserShown::from(&user),
        password: made,
    };
    Ok((StatusCode::CREATED, Json(created)))
}

fn given_or_made(given: Option<String>, login: &str) -> Result<(String, Option<String>), ApiError> {
    match given {
        Some(password) => {
            users::check_password(&password, login)?;
            Ok((password, None))
        }
        None => {
            let made = password::generate();
            Ok((made.clone(), Some(made)))
        }
    }
}

/// Changes an account's name or role, or disables it. The last owner who can log in stays.
#[utoipa::path(patch, path = "/v1/admin/users/{id}", tag = "accounts", security(("admin" = [])), request_body = UserPatch,
    params(("id" = String, Path, description = "The account's identity")),
    responses((status = 200, body = UserShown), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409), (status = 413), (status = 415)))]
pub(super) async fn change(
    State(state): State<Arc<AppState>>,
    Admin(actor): Admin,
    Path(id): Path<String>,
    Confided(request): Confided<UserPatch>,
) -> Result<Json<UserShown>, ApiError> {
    let _changing = state.accounts.changing.lock().await;
    let user = find(&state, actor.org.id, &id).await?;
    may(&actor, user.role)?;
    may(&actor, request.role.unwrap_or(Role::Viewer))?;
    let change = UserChange {
        name: request.name.clone(),
        role: request.role,
        disabled: request.disabled,
        ..UserChange::default()
    };
    let after = users::plan(&state.warehouse, &user, &change, state.now()).await?;
    let target = user.id.to_string();
    let act = Act {
        action: "user.change",
        target: &target,
        detail: json!({
            "login": user.login,
            "role": request.role,
            "disabled": request.disabled,
            "name": request.name.is_some(),
        }),
    };
    log(&state, &actor, act).await?;
    write(&state, &after).await?;
    tracing::info!(org = %user.org, user = %user.id, "account changed");
    Ok(Json(UserShown::from(&after)))
}

/// Gives an account another password and ends its sessions. One's own is changed by
/// `POST /v1/me/password`.
#[utoipa::path(post, path = "/v1/admin/users/{id}/password", tag = "accounts", security(("admin" = [])), request_body = PasswordRequest,
    params(("id" = String, Path, description = "The account's identity")),
    responses((status = 200, body = UserCreated), (status = 400), (status = 401), (status = 403), (status = 404), (status = 413), (status = 415)))]
pub(super) async fn set_password(
    State(state): State<Arc<AppState>>,
    Admin(actor): Admin,
    Path(id): Path<String>,
    Confided(request): Confided<PasswordRequest>,
) -> Result<Json<UserCreated>, ApiError> {
    let user = find(&state, actor.org.id, &id).await?;
    may(&actor, user.role)?;
    let (password, made) = given_or_made(request.password, &user.login)?;
    let hash = state.accounts.hasher.hash(password).await?;
    let target = user.id.to_string();
    let _changing = state.accounts.changing.lock().await;
    // Again, now that nobody raises the account.
    let user = find(&state, actor.org.id, &id).await?;
    may(&actor, user.role)?;
    let act = Act {
        action: "user.password",
        target: &target,
        detail: json!({"login": user.login, "own": false}),
    };
    log(&state, &actor, act).await?;
    let change = UserChange {
        password_hash: Some(hash),
        ..UserChange::default()
    };
    let after = users::plan(&state.warehouse, &user, &change, state.now()).await?;
    write(&state, &after).await?;
    tracing::info!(org = %user.org, user = %user.id, "account's password set");
    Ok(Json(UserCreated {
        user: UserShown::from(&after),
        password: made,
    }))
}

/// Ends all sessions of an account.
#[utoipa::path(delete, path = "/v1/admin/users/{id}/sessions", tag = "accounts", security(("admin" = [])),
    params(("id" = String, Path, description = "The account's identity")),
    responses((status = 204), (status = 401), (status = 403), (status = 404)))]
pub(super) async fn end_sessions(
    State(state): State<Arc<AppState>>,
    Admin(actor): Admin,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let user = find(&state, actor.org.id, &id).await?;
    may(&actor, user.role)?;
    let target = user.id.to_string();
    let act = Act {
        action: "user.end_sessions",
        target: &target,
        detail: json!({"login": user.login}),
    };
    log(&state, &actor, act).await?;
    let change = UserChange {
        end_sessions: true,
        ..UserChange::default()
    };
    apply(&state, actor.org.id, user.id, &change).await?;
    Ok(StatusCode::NO_CONTENT)
}
