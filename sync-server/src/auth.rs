//! Who asks: programs by bearer tokens, people by a session's cookie (see
//! [`crate::accounts`]), each of one organisation. Whoever it is becomes an [`Actor`].
//!
//! A token is 32 random bytes behind a prefix that names its scope. Only its
//! SHA-256 is stored, so that whoever reads the table can't use it; with 256 bits
//! of entropy it needs no salt and no slow hash.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, header, request::Parts};
use parking_lot::Mutex;
use rand::RngCore;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use snag_warehouse::{Query, Warehouse, WarehouseError};
use tokio::time::Instant;
use uuid::Uuid;

use crate::accounts::session::Session;
use crate::db;
use crate::orgs::Org;
use crate::{ApiError, AppState, unread};

/// How often the table is asked for changed tokens: how long one that was revoked
/// on another server may still be taken.
const POLL: Duration = Duration::from_secs(5);
/// Versions are wall clocks of servers; this is how far they may lie apart.
const POLL_OVERLAP_MS: u64 = 60_000;
/// How long an unknown token is refused without asking again.
const UNKNOWN_TTL: Duration = Duration::from_secs(1);
/// Tokens are remembered up to here, so that guessing can't fill the memory.
const CACHE_MAX: usize = 200_000;

/// What a token may do.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    clap::ValueEnum,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Enrol devices.
    Enroll,
    /// Send records, read the policy: one device.
    Device,
    /// Read insights and feedback, and work the desk.
    Analyst,
    /// Change the organisation, its tokens, accounts and devices; and all of the above.
    Admin,
    /// Read insights and feedback.
    Viewer,
}

impl Scope {
    /// The word in the table.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enroll => "enroll",
            Self::Device => "device",
            Self::Analyst => "analyst",
            Self::Admin => "admin",
            Self::Viewer => "viewer",
        }
    }

    /// What somebody with such a token may do; `None` for devices and enrolment, which
    /// act for nobody.
    #[must_use]
    pub fn role(self) -> Option<Role> {
        match self {
            Self::Enroll | Self::Device => None,
            Self::Viewer => Some(Role::Viewer),
            Self::Analyst => Some(Role::Analyst),
            Self::Admin => Some(Role::Admin),
        }
    }
}

/// A new token of a scope. Show it once; store [`token_hash`] of it.
#[must_use]
pub fn mint(scope: Scope) -> String {
    let mut secret = [0; 32];
    rand::rng().fill_bytes(&mut secret);
    format!("snag_{}_{}", scope.as_str(), URL_SAFE_NO_PAD.encode(secret))
}

/// What is stored of a token: the SHA-256 as 64 hexadecimal digits.
#[must_use]
pub fn token_hash(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}

/// What a token grants.
#[derive(Debug, Clone, Deserialize)]
pub struct Grant {
    /// The token's organisation.
    pub org: Uuid,
    /// What it may do.
    pub scope: Scope,
    /// What IT called it.
    pub name: String,
    /// A device token's device.
    pub device: Option<Uuid>,
    /// The part of the organisation that devices of this token belong to.
    pub segment: String,
    /// When it ends, in milliseconds since 1970; 0 where it doesn't.
    expires_at_ms: i64,
    /// The version of the row that this was read from.
    version: u64,
}

/// What a look-up found, and when.
type Looked = (Option<Arc<Grant>>, Instant);

/// What is known of tokens, and how often something was forgotten: a read that began
/// before that isn't kept.
#[derive(Default)]
struct Known {
    looked: HashMap<String, Looked>,
    changes: u64,
}

/// Grants by token hash, read from the warehouse when first used. Changes are
/// polled for all tokens at once, so that thousands of devices that each come once
/// a minute cost no look-up each.
#[derive(Default)]
pub struct TokenCache {
    known: Mutex<Known>,
    polled: tokio::sync::Mutex<Option<(Instant, u64)>>,
    /// When programs last used their tokens, as far as it isn't written yet.
    pub(crate) uses: crate::tokens::Uses,
}

impl TokenCache {
    /// What a token grants; `None` where it is unknown or revoked.
    ///
    /// # Errors
    /// The warehouse's.
    pub async fn get(
        &self,
        warehouse: &Warehouse,
        token: &str,
    ) -> Result<Option<Arc<Grant>>, WarehouseError> {
        self.forget_changed(warehouse).await?;
        let hash = token_hash(token);
        let changes = {
            let known = self.known.lock();
            if let Some((grant, read_at)) = known.looked.get(&hash)
                && (grant.is_some() || read_at.elapsed() < UNKNOWN_TTL)
            {
                return Ok(grant.clone());
            }
            known.changes
        };
        let sql = "SELECT org, scope, name, device, segment, version, \
                   ifNull(toUnixTimestamp64Milli(expires_at), 0) AS expires_at_ms \
                   FROM tokens FINAL WHERE token_hash = {hash:String} AND NOT revoked";
        let rows: Vec<Grant> = db::rows(warehouse, Query::read(sql).param("hash", &hash)).await?;
        let grant = rows.into_iter().next().map(Arc::new);
        let mut known = self.known.lock();
        if known.looked.len() >= CACHE_MAX {
            known.looked.clear();
        }
        if known.changes == changes {
            known.looked.insert(hash, (grant.clone(), Instant::now()));
        }
        Ok(grant)
    }

    /// Asks at most every [`POLL`] which tokens changed. Whoever comes while another
    /// asks goes on with what is known.
    async fn forget_changed(&self, warehouse: &Warehouse) -> Result<(), WarehouseError> {
        #[derive(Deserialize)]
        struct Changed {
            token_hash: String,
            version: u64,
        }
        let Ok(mut polled) = self.polled.try_lock() else {
            return Ok(());
        };
        let seen = match *polled {
            Some((at, _)) if at.elapsed() < POLL => return Ok(()),
            Some((_, seen)) => seen,
            None => {
                // Nothing is known yet, so nothing can have changed.
                let sql = "SELECT '' AS token_hash, max(version) AS version FROM tokens";
                let newest: Vec<Changed> = db::rows(warehouse, Query::read(sql)).await?;
                let seen = newest.first().map_or(0, |row| row.version);
                *polled = Some((Instant::now(), seen));
                return Ok(());
            }
        };
        let sql = "SELECT token_hash, version FROM tokens WHERE version > {after:UInt64}";
        let query = Query::read(sql).param("after", seen.saturating_sub(POLL_OVERLAP_MS));
        let changed: Vec<Changed> = db::rows(warehouse, query).await?;
        let mut known = self.known.lock();
        let mut newest = seen;
        for row in &changed {
            // What was read from this very row or a later one is still true: without this,
            // each poll would forget every token made in the overlap.
            let stale = match known.looked.get(&row.token_hash) {
                Some((Some(grant), _)) => grant.version < row.version,
                Some((None, _)) => true,
                None => false,
            };
            if stale {
                known.looked.remove(&row.token_hash);
                known.changes += 1;
            }
            newest = newest.max(row.version);
        }
        *polled = Some((Instant::now(), newest));
        Ok(())
    }

    /// Forgets these, so that their change is seen at once.
    pub fn forget<'a>(&self, hashes: impl IntoIterator<Item = &'a String>) {
        let mut known = self.known.lock();
        known.changes += 1;
        for hash in hashes {
            known.looked.remove(hash);
        }
    }

    /// Forgets everything read, so that a change is seen at once.
    pub fn forget_all(&self) {
        let mut known = self.known.lock();
        known.looked.clear();
        known.changes += 1;
    }
}

/// A request of a device.
#[derive(Debug, Clone)]
pub struct DeviceAuth {
    /// Its organisation.
    pub org: Arc<Org>,
    /// The device.
    pub device: Uuid,
    /// The part of the organisation it belongs to; empty unless set.
    pub segment: String,
}

/// What somebody may do in an organisation: each role may all that those before it may.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    clap::ValueEnum,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads insights and feedback.
    Viewer,
    /// Works the desk: status, notes, replies, merges, exports.
    Analyst,
    /// Changes the organisation: policy, tokens, accounts, retention.
    Admin,
    /// Also names other owners.
    Owner,
}

impl Role {
    /// The word in the tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Analyst => "analyst",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }
}

/// Who acts, for the audit log and for what they may do.
#[derive(Debug, Clone)]
pub struct Actor {
    /// The one organisation that they act in.
    pub org: Arc<Org>,
    /// What they may do.
    pub role: Role,
    /// `user:` and the account's name, `token:` and the token's name.
    pub name: String,
}

impl Actor {
    async fn of(parts: &Parts, state: &Arc<AppState>, least: Role) -> Result<Self, ApiError> {
        let actor = match bearer(&parts.headers) {
            Some(token) => Self::of_token(state, token).await?,
            // Something that isn't a bearer token is refused rather than passed over.
            None if parts.headers.contains_key(header::AUTHORIZATION) => {
                return Err(ApiError::unauthorized());
            }
            None => {
                let sessions = &state.accounts.sessions;
                let session = sessions
                    .of(state, &parts.method, &parts.headers)
                    .await?
                    .ok_or_else(ApiError::unauthorized)?;
                Self::of_session(state, &session).await?
            }
        };
        unread::note_known(&parts.extensions);
        if actor.role < least {
            return Err(ApiError::forbidden(format!(
                "This takes the role {}; you have {}.",
                least.as_str(),
                actor.role.as_str()
            )));
        }
        Ok(actor)
    }

    async fn of_token(state: &Arc<AppState>, token: &str) -> Result<Self, ApiError> {
        let (grant, org) = grant(state, token).await?;
        let role = grant.scope.role().ok_or_else(|| {
            ApiError::forbidden(format!(
                "This address takes a session, or a token of scope viewer, analyst or admin; \
                 this one is of scope {}.",
                grant.scope.as_str()
            ))
        })?;
        state.tokens.uses.note(state, token_hash(token));
        Ok(Self {
            org,
            role,
            name: format!("token:{}", grant.name),
        })
    }

    /// Who a session is of.
    ///
    /// # Errors
    /// 401 where its organisation is gone; the warehouse's own.
    pub(crate) async fn of_session(
        state: &Arc<AppState>,
        session: &Session,
    ) -> Result<Self, ApiError> {
        let org = state
            .orgs
            .get(&state.warehouse, session.org)
            .await?
            .ok_or_else(ApiError::unauthorized)?;
        Ok(Self {
            org,
            role: session.role,
            name: format!("user:{}", session.login),
        })
    }
}

macro_rules! acting {
    ($(#[$doc:meta])* $name:ident, $role:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub struct $name(pub Actor);

        impl FromRequestParts<Arc<AppState>> for $name {
            type Rejection = ApiError;

            async fn from_request_parts(
                parts: &mut Parts,
                state: &Arc<AppState>,
            ) -> Result<Self, Self::Rejection> {
                Actor::of(parts, state, $role).await.map(Self)
            }
        }
    };
}

acting!(
    /// A request of somebody who may read: a viewer or more.
    Viewer,
    Role::Viewer
);
acting!(
    /// A request of somebody who may work the desk: an analyst or more.
    Analyst,
    Role::Analyst
);
acting!(
    /// A request of somebody who may change the organisation: an admin or more.
    Admin,
    Role::Admin
);

/// What says who asks, to be judged again while a long answer runs.
pub(crate) struct Credentials {
    headers: HeaderMap,
    org: Uuid,
    least: Role,
}

impl Credentials {
    /// Those of a request that was let in as `actor`, who has to be this at least.
    pub(crate) fn of(headers: &HeaderMap, actor: &Actor, least: Role) -> Self {
        let mut kept = HeaderMap::new();
        for name in [header::AUTHORIZATION, header::COOKIE] {
            for value in headers.get_all(&name) {
                kept.append(&name, value.clone());
            }
        }
        Self {
            headers: kept,
            org: actor.org.id,
            least,
        }
    }

    /// Whether the session or token still holds. Where that can't be asked, it does. What is
    /// known of both is in memory, so that asking often costs little.
    pub(crate) async fn hold(&self, state: &Arc<AppState>) -> bool {
        let mut request = http::Request::new(());
        *request.headers_mut() = self.headers.clone();
        let (parts, ()) = request.into_parts();
        match Actor::of(&parts, state, self.least).await {
            Ok(actor) => actor.org.id == self.org,
            Err(error) => error.status().is_server_error(),
        }
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim())
        .filter(|token| !token.is_empty() && token.len() <= 256)
}

/// What `token` grants now, with its organisation.
///
/// # Errors
/// 401 where the token is unknown, revoked or past its end; the warehouse's own.
pub async fn grant(state: &AppState, token: &str) -> Result<(Arc<Grant>, Arc<Org>), ApiError> {
    let grant = state
        .tokens
        .get(&state.warehouse, token)
        .await?
        .ok_or_else(ApiError::unauthorized)?;
    if grant.expires_at_ms != 0 && state.now().as_millisecond() >= grant.expires_at_ms {
        return Err(ApiError::unauthorized());
    }
    let org = state
        .orgs
        .get(&state.warehouse, grant.org)
        .await?
        .ok_or_else(ApiError::unauthorized)?;
    Ok((grant, org))
}

async fn authorize(
    parts: &Parts,
    state: &AppState,
    allowed: &[Scope],
) -> Result<(Arc<Grant>, Arc<Org>), ApiError> {
    let token = bearer(&parts.headers).ok_or_else(ApiError::unauthorized)?;
    let (grant, org) = grant(state, token).await?;
    unread::note_known(&parts.extensions);
    if !allowed.contains(&grant.scope) {
        return Err(ApiError::forbidden(format!(
            "This address takes a token of scope {}; this one is of scope {}.",
            allowed[0].as_str(),
            grant.scope.as_str()
        )));
    }
    Ok((grant, org))
}

impl FromRequestParts<Arc<AppState>> for DeviceAuth {
    type Rejection = ApiError;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &Arc<AppState>,
    ) -> Result<Self, Self::Rejection> {
        let (grant, org) = authorize(parts, state, &[Scope::Device]).await?;
        let device = grant.device.ok_or_else(ApiError::unauthorized)?;
        Ok(Self {
            org,
            device,
            segment: grant.segment.clone(),
        })
    }
}
