//! Accounts: the people who read feedback and insights.
//!
//! ```text
//! POST /v1/login → lock-out → password (Argon2id, a few at once) → session → cookie
//! any request by cookie → session → Actor (auth.rs), with the account's role and name
//! ```
//!
//! **Invariants:** an answer to a login that fails is the same, and takes as long, whether
//! the account exists or not; whatever ends an account's rights ends its sessions in the
//! same write; each act has a name.

pub mod admin;
pub mod command;
pub mod lockout;
pub mod login;
pub mod password;
pub mod session;
pub mod users;

use std::sync::Arc;

use axum::Router;
use axum::routing::{delete, get, patch, post};

use crate::AppState;

/// What accounts share.
#[derive(Default)]
pub struct Accounts {
    /// Hashes passwords.
    pub hasher: password::Hasher,
    /// Counts failures.
    pub lockout: lockout::Lockout,
    /// Sessions as they were read.
    pub sessions: session::Sessions,
    /// Held while an account is read, judged and written, so that two changes don't lose
    /// each other, nor an organisation its last owner.
    pub changing: tokio::sync::Mutex<()>,
}

/// The routes of accounts.
pub fn router() -> Router<Arc<AppState>> {
    Router::new()
        .route("/v1/login", post(login::login))
        .route("/v1/logout", post(login::logout))
        .route("/v1/me", get(login::me))
        .route("/v1/me/password", post(login::change_password))
        .route("/v1/admin/users", get(admin::list).post(admin::create))
        .route(
            "/v1/admin/users/{id}",
            patch(admin::change).get(admin::read),
        )
        .route("/v1/admin/users/{id}/password", post(admin::set_password))
        .route("/v1/admin/users/{id}/sessions", delete(admin::end_sessions))
}

/// The OpenAPI part of these routes.
#[derive(utoipa::OpenApi)]
#[openapi(paths(
    login::login,
    login::logout,
    login::me,
    login::change_password,
    admin::list,
    admin::create,
    admin::read,
    admin::change,
    admin::set_password,
    admin::end_sessions,
))]
pub struct Routes;
