//! Logging in and out, and what one may do oneself.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use snag_wire::Code;
use utoipa::ToSchema;
use uuid::Uuid;

use super::session::{self, Begun, Session};
use super::users::{self, User, UserChange};
use crate::asked::Confided;
use crate::audit::{self, Act};
use crate::auth::{Actor, Role, Viewer};
use crate::orgs::Org;
use crate::{ApiError, AppState, address, params};

/// Where a request comes from, as far as the server knows.
pub struct From(pub IpAddr);

impl FromRequestParts<Arc<AppState>> for From {
    type Rejection = ApiError;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &Arc<AppState>,
    ) -> Result<Self, Self::Rejection> {
        let trust_proxy = state.settings.trust_proxy;
        Ok(Self(address::of(
            &parts.headers,
            &parts.extensions,
            trust_proxy,
        )))
    }
}

/// A request of somebody who is logged in: not a program's.
pub struct LoggedIn {
    actor: Actor,
    session: Arc<Session>,
}

impl FromRequestParts<Arc<AppState>> for LoggedIn {
    type Rejection = ApiError;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &Arc<AppState>,
    ) -> Result<Self, Self::Rejection> {
        if parts.headers.contains_key(header::AUTHORIZATION) {
            return Err(ApiError::forbidden(
                "This address takes a session's cookie; a program's token has neither password nor session.",
            ));
        }
        let sessions = &state.accounts.sessions;
        let session = sessions
            .of(state, &parts.method, &parts.headers)
            .await?
            .ok_or_else(ApiError::unauthorized)?;
        let actor = Actor::of_session(state, &session).await?;
        Ok(Self { actor, session })
    }
}

/// Who logs in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginRequest {
    /// The login name; upper and lower case are the same.
    login: String,
    /// The password.
    password: String,
}

/// Who somebody is.
#[derive(Debug, Serialize, ToSchema)]
pub struct Me {
    /// The account; null for a program's token.
    pub user: Option<MyAccount>,
    /// What the audit log calls them.
    pub actor: String,
    /// What they may do.
    pub role: Role,
    /// The organisation.
    pub organisation: MyOrganisation,
    /// What a request by cookie has to carry as the header `X-CSRF-Token` where it changes
    /// something; null for a program's token.
    pub csrf_token: Option<String>,
    /// When the session ends in any case; null for a program's token.
    pub expires_at: Option<Timestamp>,
}

/// One's own account.
#[derive(Debug, Serialize, ToSchema)]
pub struct MyAccount {
    /// Its identity.
    pub id: Uuid,
    /// The name to log in with.
    pub login: String,
    /// What people call its holder.
    pub name: String,
}

/// One's own organisation.
#[derive(Debug, Serialize, ToSchema)]
pub struct MyOrganisation {
    /// Its identity.
    pub id: Uuid,
    /// Its name.
    pub name: String,
}

impl Me {
    fn new(org: &Org, user: Option<MyAccount>, actor: String, role: Role) -> Self {
        Self {
            user,
            actor,
            role,
            organisation: MyOrganisation {
                id: org.id,
                name: org.name.clone(),
            },
            csrf_token: None,
            expires_at: None,
        }
    }

    fn begun(org: &Org, user: &User, begun: &Begun) -> Self {
        let account = MyAccount {
            id: user.id,
            login: user.login.clone(),
            name: user.name.clone(),
        };
        Self {
            csrf_token: Some(begun.csrf_token()),
            expires_at: Timestamp::from_millisecond(begun.ends_at_ms).ok(),
            ..Self::new(
                org,
                Some(account),
                format!("user:{}", user.login),
                user.role,
            )
        }
    }
}

fn with_cookie(cookie: HeaderValue, response: impl IntoResponse) -> Response {
    let headers = [
        (header::SET_COOKIE, cookie),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, response).into_response()
}

fn wrong() -> ApiError {
    ApiError::new(
        Code::Unauthorized,
        "The login name or the password is wrong, or the account is disabled.",
    )
}

fn locked(retry_after_s: u32) -> ApiError {
    ApiError::new(
        Code::TooManyRequests,
        "Too many wrong passwords. Wait as long as `Retry-After` says.",
    )
    .with_retry_after(retry_after_s)
}

/// Checks a password under the lock-out of its account and address.
async fn check(
    state: &AppState,
    login: &str,
    password: String,
    address: IpAddr,
) -> Result<User, ApiError> {
    let accounts = &state.accounts;
    let warehouse = &state.warehouse;
    let now_ms = state.now().as_millisecond();
    let attempt = accounts
        .lockout
        .begin(warehouse, login, address, now_ms)
        .await?
        .map_err(locked)?;
    let user = users::by_login(warehouse, login).await?;
    let stored = user.as_ref().map(|user| user.password_hash.clone());
    let right = accounts.hasher.verify(password, stored).await?;
    let now_ms = state.now().as_millisecond();
    match user {
        Some(user) if right && user.disabled == 0 => {
            attempt.succeeded(warehouse, now_ms).await?;
            Ok(user)
        }
        _ => {
            attempt.failed(warehouse, now_ms).await?;
            tracing::warn!("a login failed");
            Err(wrong())
        }
    }
}

/// Logs in: the answer sets the session's cookie.
///
/// A wrong password and an unknown name are answered alike. After five failures in a row
/// an account is locked, for ever longer; so is an address after fifty, of which one is
/// forgotten each minute.
#[utoipa::path(post, path = "/v1/login", tag = "accounts", request_body = LoginRequest,
    responses((status = 200, body = Me), (status = 400), (status = 401), (status = 403), (status = 413), (status = 415), (status = 429)))]
pub(super) async fn login(
    State(state): State<Arc<AppState>>,
    From(address): From,
    headers: HeaderMap,
    Confided(request): Confided<LoginRequest>,
) -> Result<Response, ApiError> {
    session::check_site(&headers)?;
    if request.password.len() > 4 * super::password::CHARS_MAX {
        return Err(wrong());
    }
    // What can't be a name is nobody's, and is counted as a failure all the same.
    let login = users::normal_login(&request.login).unwrap_or_default();
    let user = check(&state, &login, request.password, address).await?;
    let org = state
        .orgs
        .get(&state.warehouse, user.org)
        .await?
        .ok_or_else(wrong)?;
    let actor = Actor {
        org: Arc::clone(&org),
        role: user.role,
        name: format!("user:{}", user.login),
    };
    let id = user.id.to_string();
    let act = Act {
        action: "session.begin",
        target: &id,
        detail: json!({}),
    };
    audit::log(&state.warehouse, &actor, &[act], state.now()).await?;
    let now_ms = state.now().as_millisecond();
    let sessions = &state.accounts.sessions;
    let begun = sessions.begin(&state.warehouse, &user, now_ms).await?;
    tracing::info!(org = %org.id, user = %user.id, "logged in");
    let cookie = begun.cookie(state.settings.secure_cookies);
    Ok(with_cookie(cookie, Json(Me::begun(&org, &user, &begun))))
}

/// Logs out: ends this session, or with `everywhere=true` all of the account's.
#[utoipa::path(post, path = "/v1/logout", tag = "accounts", security(("session" = [])),
    params(("everywhere" = Option<bool>, Query, description = "`true`: end all sessions of the account")),
    responses((status = 204), (status = 400), (status = 401), (status = 403)))]
pub(super) async fn logout(
    State(state): State<Arc<AppState>>,
    who: LoggedIn,
    uri: Uri,
) -> Result<Response, ApiError> {
    let given = params::read(&uri, &["everywhere"])?;
    let everywhere = params::yes_or_no(&given, "everywhere")?.unwrap_or(false);
    let id = who.session.user.to_string();
    let act = Act {
        action: "session.end",
        target: &id,
        detail: json!({"everywhere": everywhere}),
    };
    audit::log(&state.warehouse, &who.actor, &[act], state.now()).await?;
    if everywhere {
        let change = UserChange {
            end_sessions: true,
            ..UserChange::default()
        };
        super::admin::apply(&state, who.session.org, who.session.user, &change).await?;
    } else {
        let sessions = &state.accounts.sessions;
        sessions
            .end(&state.warehouse, &who.session.session_hash)
            .await?;
    }
    let cookie = session::no_cookie(state.settings.secure_cookies);
    Ok(with_cookie(cookie, StatusCode::NO_CONTENT))
}

/// Who asks: the account, its role and the token for requests that change something.
#[utoipa::path(get, path = "/v1/me", tag = "accounts", security(("viewer" = [])),
    responses((status = 200, body = Me), (status = 401), (status = 403)))]
pub(super) async fn me(
    State(state): State<Arc<AppState>>,
    Viewer(actor): Viewer,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let mut me = Me::new(&actor.org, None, actor.name.clone(), actor.role);
    if !headers.contains_key(header::AUTHORIZATION)
        && let Some(session) = state
            .accounts
            .sessions
            .of(&state, &http::Method::GET, &headers)
            .await?
    {
        me.user = Some(MyAccount {
            id: session.user,
            login: session.login.clone(),
            name: session.name.clone(),
        });
        let secret = session::secret_of(&headers, state.settings.secure_cookies);
        me.csrf_token = secret.map(session::csrf_token);
        me.expires_at = Timestamp::from_millisecond(session.ends_at_ms).ok();
    }
    let headers = [(header::CACHE_CONTROL, "no-store")];
    Ok((headers, Json(me)).into_response())
}

/// A new password for oneself.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    /// The password as it is.
    current: String,
    /// The password as it shall be: 12 to 200 characters.
    new: String,
}

/// Changes one's own password. It ends all of the account's sessions and begins a new one.
#[utoipa::path(post, path = "/v1/me/password", tag = "accounts", security(("session" = [])), request_body = PasswordChange,
    responses((status = 200, body = Me), (status = 400), (status = 401), (status = 403), (status = 413), (status = 415), (status = 429)))]
pub(super) async fn change_password(
    State(state): State<Arc<AppState>>,
    who: LoggedIn,
    From(address): From,
    Confided(request): Confided<PasswordChange>,
) -> Result<Response, ApiError> {
    let login = &who.session.login;
    if let Err(error) = users::check_password(&request.new, login) {
        return Err(ApiError::from(error).with_field("new"));
    }
    if request.current.len() > 4 * super::password::CHARS_MAX {
        return Err(wrong());
    }
    let checked = check(&state, login, request.current, address).await?;
    if checked.id != who.session.user {
        return Err(wrong());
    }
    let hash = state.accounts.hasher.hash(request.new).await?;
    let user = super::admin::set_own_password(&state, &who.actor, &checked, hash)
        .await?
        .ok_or_else(wrong)?;
    let now_ms = state.now().as_millisecond();
    let sessions = &state.accounts.sessions;
    let begun = sessions.begin(&state.warehouse, &user, now_ms).await?;
    let cookie = begun.cookie(state.settings.secure_cookies);
    Ok(with_cookie(
        cookie,
        Json(Me::begun(&who.actor.org, &user, &begun)),
    ))
}
