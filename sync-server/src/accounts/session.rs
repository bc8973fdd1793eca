//! Sessions: a random secret in a cookie, of which only the hash is stored.
//!
//! The cookie is `HttpOnly` and `SameSite=Strict`, so that no script reads it and no other
//! site sends it. A request that changes something has to carry, besides, a token in a
//! header that only a script of the dashboard's own site can have read; it is derived from
//! the secret, so that nothing more is stored.
//!
//! **Invariant:** a session holds only while its account is enabled and of the generation
//! that it began in. In this process a change counts at once, on others within
//! [`CACHED_FOR`].

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, HeaderValue, Method, header};
use parking_lot::Mutex;
use rand::RngCore as _;
use serde::Deserialize;
use sha2::Sha256;
use snag_warehouse::{Query, Warehouse, WarehouseError};
use subtle::ConstantTimeEq as _;
use tokio::time::Instant;
use uuid::Uuid;

use super::users::User;
use crate::auth::{Role, token_hash};
use crate::{ApiError, AppState, db};

/// A session that isn't used for this long has ended: a long lunch.
pub const IDLE_MS: i64 = 2 * 3_600_000;
/// A session ends after this in any case: a long working day.
pub const ABSOLUTE_MS: i64 = 12 * 3_600_000;
/// Use is noted this often.
const NOTE_EVERY_MS: i64 = 5 * 60_000;
/// How long a session is taken as it was read: how long one that was ended on another
/// server may still be taken.
const CACHED_FOR: Duration = Duration::from_secs(3);
/// Sessions in memory.
const CACHE_MAX: usize = 10_000;
/// The header that a request by cookie has to carry where it changes something.
pub const CSRF_HEADER: &str = "x-csrf-token";

/// A session, with its account as it is now.
#[derive(Clone, Deserialize)]
pub struct Session {
    /// The hash of the secret.
    pub session_hash: String,
    /// The organisation.
    pub org: Uuid,
    /// The account.
    pub user: Uuid,
    /// The account's login name.
    pub login: String,
    /// What people call its holder.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// When it was last noted to be used, in milliseconds since 1970.
    used_at_ms: i64,
    /// When it ends in any case.
    pub ends_at_ms: i64,
}

/// A new session: the secret goes into the cookie, and nowhere else.
pub struct Begun {
    secret: String,
    /// When it ends in any case, in milliseconds since 1970.
    pub ends_at_ms: i64,
}

impl Begun {
    /// The token for [`CSRF_HEADER`].
    #[must_use]
    pub fn csrf_token(&self) -> String {
        csrf_token(&self.secret)
    }

    /// The value of `Set-Cookie`.
    #[must_use]
    pub fn cookie(&self, secure: bool) -> HeaderValue {
        cookie(&self.secret, ABSOLUTE_MS / 1_000, secure)
    }
}

/// Sessions as they were read.
#[derive(Default)]
pub struct Sessions {
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    read: HashMap<String, (Arc<Session>, Instant)>,
    /// Raised by each change, so that a read that began before it isn't kept.
    changes: u64,
}

/// The token that belongs to a session's secret.
#[must_use]
pub fn csrf_token(secret: &str) -> String {
    // A key of any length is one.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        return String::new();
    };
    mac.update(b"snag csrf 1");
    URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
}

fn cookie_name(secure: bool) -> &'static str {
    // The prefix makes browsers refuse it from a subdomain or over plain HTTP.
    if secure {
        "__Host-snag_session"
    } else {
        "snag_session"
    }
}

fn cookie(value: &str, max_age_s: i64, secure: bool) -> HeaderValue {
    let name = cookie_name(secure);
    let secure = if secure { "; Secure" } else { "" };
    let text =
        format!("{name}={value}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Strict{secure}");
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// The value of `Set-Cookie` that removes it.
#[must_use]
pub fn no_cookie(secure: bool) -> HeaderValue {
    cookie("", 0, secure)
}

/// The session's secret that a request brings.
#[must_use]
pub fn secret_of(headers: &HeaderMap, secure: bool) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == cookie_name(secure))
        .map(|(_, value)| value)
        .filter(|value| !value.is_empty() && value.len() <= 128)
}

/// Refuses what another site made the browser send.
///
/// # Errors
/// 403 where the browser says that it comes from elsewhere.
pub fn check_site(headers: &HeaderMap) -> Result<(), ApiError> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let refused = || {
        ApiError::forbidden("The request comes from another site. Use the dashboard's own pages.")
    };
    if headers.contains_key("sec-fetch-site") {
        return match text("sec-fetch-site") {
            Some("same-origin" | "none") => Ok(()),
            _ => Err(refused()),
        };
    }
    let Some(origin) = headers.get(header::ORIGIN) else {
        // No browser: those send one of the two with whatever changes something.
        return Ok(());
    };
    let host = text("host").unwrap_or_default();
    let from = origin
        .to_str()
        .ok()
        .and_then(|origin| origin.split_once("://"));
    match from {
        Some((_, from)) if !host.is_empty() && from.eq_ignore_ascii_case(host) => Ok(()),
        _ => Err(refused()),
    }
}

impl Sessions {
    /// Begins a session of an account, in the generation that its password was checked in.
    ///
    /// # Errors
    /// The warehouse's.
    pub async fn begin(
        &self,
        warehouse: &Warehouse,
        user: &User,
        now_ms: i64,
    ) -> Result<Begun, WarehouseError> {
        let mut random = [0; 32];
        rand::rng().fill_bytes(&mut random);
        let secret = URL_SAFE_NO_PAD.encode(random);
        let ends_at_ms = now_ms + ABSOLUTE_MS;
        let sql = "INSERT INTO user_sessions (session_hash, org, user, generation, created_at, \
                   used_at, ends_at, revoked) \
                   SELECT {hash:String}, {org:UUID}, {user:UUID}, {generation:UInt32}, \
                   fromUnixTimestamp64Milli({now:Int64}, 'UTC'), \
                   fromUnixTimestamp64Milli({now:Int64}, 'UTC'), \
                   fromUnixTimestamp64Milli({ends:Int64}, 'UTC'), 0";
        let insert = Query::new(sql)
            .param("hash", token_hash(&secret))
            .param("org", user.org)
            .param("user", user.id)
            .param("generation", user.generation)
            .param("now", now_ms)
            .param("ends", ends_at_ms);
        warehouse.execute(insert).await?;
        Ok(Begun { secret, ends_at_ms })
    }

    /// Who a request is from by its cookie; `None` without one.
    ///
    /// # Errors
    /// 401 where the session isn't one any more, 403 where something would be changed
    /// without the token or from another site.
    pub async fn of(
        &self,
        state: &Arc<AppState>,
        method: &Method,
        headers: &HeaderMap,
    ) -> Result<Option<Arc<Session>>, ApiError> {
        let Some(secret) = secret_of(headers, state.settings.secure_cookies) else {
            return Ok(None);
        };
        let now_ms = state.now().as_millisecond();
        let session = self.read(state, &token_hash(secret), now_ms).await?;
        let session = session.ok_or_else(|| {
            ApiError::new(
                snag_wire::Code::Unauthorized,
                "The session has ended. Log in again.",
            )
        })?;
        if !method.is_safe() {
            check_site(headers)?;
            let sent = headers.get(CSRF_HEADER).map(HeaderValue::as_bytes);
            let wanted = csrf_token(secret);
            let right = sent.is_some_and(|sent| bool::from(sent.ct_eq(wanted.as_bytes())));
            if !right {
                return Err(ApiError::forbidden(
                    "Send the `csrf_token` of POST /v1/login or GET /v1/me as the header X-CSRF-Token.",
                ));
            }
        }
        Ok(Some(session))
    }

    async fn read(
        &self,
        state: &Arc<AppState>,
        hash: &str,
        now_ms: i64,
    ) -> Result<Option<Arc<Session>>, WarehouseError> {
        let ended = |session: &Session| {
            now_ms >= session.ends_at_ms || now_ms >= session.used_at_ms + IDLE_MS
        };
        let changes = {
            let known = self.known.lock();
            if let Some((session, read_at)) = known.read.get(hash)
                && read_at.elapsed() < CACHED_FOR
                && now_ms < session.used_at_ms + NOTE_EVERY_MS
            {
                return Ok(Some(Arc::clone(session)));
            }
            known.changes
        };
        let sql = "SELECT s.session_hash AS session_hash, s.org AS org, s.user AS user, \
                   u.login AS login, u.name AS name, u.role AS role, \
                   toUnixTimestamp64Milli(s.used_at) AS used_at_ms, \
                   toUnixTimestamp64Milli(s.ends_at) AS ends_at_ms \
                   FROM (SELECT * FROM user_sessions FINAL WHERE session_hash = {hash:String}) AS s \
                   INNER JOIN (SELECT * FROM users FINAL WHERE id IN \
                   (SELECT user FROM user_sessions WHERE session_hash = {hash:String})) AS u \
                   ON u.org = s.org AND u.id = s.user AND u.generation = s.generation \
                   WHERE NOT s.revoked AND NOT u.disabled";
        let query = Query::read(sql).param("hash", hash);
        let rows: Vec<Session> = db::rows(&state.warehouse, query).await?;
        let Some(mut session) = rows.into_iter().next().filter(|session| !ended(session)) else {
            self.known.lock().read.remove(hash);
            return Ok(None);
        };
        let note = now_ms >= session.used_at_ms + NOTE_EVERY_MS;
        if note {
            session.used_at_ms = now_ms;
        }
        let session = Arc::new(session);
        {
            let mut known = self.known.lock();
            if known.read.len() >= CACHE_MAX {
                known.read.clear();
            }
            if known.changes == changes {
                known
                    .read
                    .insert(hash.to_owned(), (Arc::clone(&session), Instant::now()));
            }
        }
        if note && let Err(error) = mark(&state.warehouse, hash, Some(now_ms)).await {
            // At worst the session ends five minutes early.
            tracing::warn!(%error, "a session's use was not noted");
        }
        Ok(Some(session))
    }

    /// Ends one session.
    ///
    /// # Errors
    /// The warehouse's.
    pub async fn end(&self, warehouse: &Warehouse, hash: &str) -> Result<(), WarehouseError> {
        mark(warehouse, hash, None).await?;
        self.forget_all();
        Ok(())
    }

    /// Forgets what was read, so that a change of an account counts at once.
    pub fn forget_all(&self) {
        let mut known = self.known.lock();
        known.changes += 1;
        known.read.clear();
    }
}

/// Notes that a session was used, or ends it.
async fn mark(
    warehouse: &Warehouse,
    hash: &str,
    used_at_ms: Option<i64>,
) -> Result<(), WarehouseError> {
    let sql = "INSERT INTO user_sessions (session_hash, org, user, generation, created_at, used_at, \
               ends_at, revoked) \
               SELECT session_hash, org, user, generation, created_at, \
               greatest(used_at, fromUnixTimestamp64Milli({used_at:Int64}, 'UTC')), ends_at, \
               greatest(revoked, {revoked:UInt8}) \
               FROM user_sessions FINAL WHERE session_hash = {hash:String}";
    let insert = Query::new(sql)
        .param("used_at", used_at_ms.unwrap_or(0))
        .param("revoked", u8::from(used_at_ms.is_none()))
        .param("hash", hash);
    warehouse.execute(insert).await
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, header};

    use super::{check_site, secret_of};

    #[test]
    fn only_the_own_site_changes_something() {
        for (headers, taken) in [
            (&[][..], true),
            (&[("sec-fetch-site", "same-origin")], true),
            (&[("sec-fetch-site", "none")], true),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "cross-site")], false),
            (
                &[
                    ("origin", "https://snag.example:8780"),
                    ("host", "snag.example:8780"),
                ],
                true,
            ),
            (
                &[("origin", "https://evil.example"), ("host", "snag.example")],
                false,
            ),
            (&[("origin", "null"), ("host", "snag.example")], false),
            (&[("origin", "https://snag.example")], false),
            (
                &[
                    ("sec-fetch-site", "cross-site"),
                    ("origin", "https://a"),
                    ("host", "a"),
                ],
                false,
            ),
        ] {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.insert(*name, HeaderValue::from_static(value));
            }
            assert_eq!(check_site(&map).is_ok(), taken, "{headers:?}");
        }
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(
            header::COOKIE,
            HeaderValue::from_static("a=b; snag_session=xyz; c"),
        );
        assert_eq!(secret_of(&headers, false), Some("xyz"));
        assert_eq!(secret_of(&headers, true), None);
    }
}
