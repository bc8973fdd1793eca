//! Who asks, and what they may do.
//!
//! The front knows no users of its own: a [`Gate`] judges what a request brings
//! and says what [`Access`] it gets. Invariant: a request that brings two kinds
//! of credentials is refused, as ClickHouse does, so that no proxy in between can
//! make it another's.

use std::future::Future;
use std::pin::Pin;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, header};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::exception::{Exception, code};
use super::params::Params;

/// What a request brings to say who asks.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user's name; `default` when the request names none.
    pub user: String,
    /// The password, or empty.
    pub password: String,
    /// A bearer token, which stands for user and password.
    pub token: Option<String>,
}

/// A password must not end up in a log.
impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// What a caller may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Everything the engine can: for tests and single users on their own machine.
    Full,
    /// Reads only, within a scope.
    ReadOnly(Scope),
}

/// The bounds of [`Access::ReadOnly`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// The only database that may be named as the request's own.
    pub database: Option<String>,
    /// Settings that hold for every query of this caller and can't be changed.
    pub settings: Vec<(String, String)>,
    /// Settings that the caller may choose; all others are refused.
    pub choosable: Vec<String>,
}

/// The answer of a [`Gate`].
pub type Verdict<'a> = Pin<Box<dyn Future<Output = Option<Access>> + Send + 'a>>;

/// Judges credentials.
pub trait Gate: Send + Sync + 'static {
    /// What `credentials` may do; `None` when they are not anyone's.
    fn admit<'a>(&'a self, credentials: &'a Credentials) -> Verdict<'a>;
}

/// A gate with one user who may do everything.
pub struct SingleUser {
    user: String,
    password_hash: [u8; 32],
}

impl SingleUser {
    /// Admits `user` with `password` to everything.
    pub fn new(user: impl Into<String>, password: &str) -> Self {
        Self {
            user: user.into(),
            password_hash: Sha256::digest(password.as_bytes()).into(),
        }
    }
}

impl Gate for SingleUser {
    fn admit<'a>(&'a self, credentials: &'a Credentials) -> Verdict<'a> {
        // Hashes are of one length, so that the time says nothing about the password's.
        let given: [u8; 32] = Sha256::digest(credentials.password.as_bytes()).into();
        let right = bool::from(given.ct_eq(&self.password_hash));
        let known = credentials.token.is_none() && credentials.user == self.user;
        Box::pin(std::future::ready((right && known).then_some(Access::Full)))
    }
}

impl Credentials {
    /// Reads them from wherever ClickHouse's clients put them.
    pub fn of_request(headers: &HeaderMap, params: &Params) -> Result<Self, Exception> {
        let header = |name: &str| match headers.get(name) {
            None => Ok(None),
            Some(value) => match std::str::from_utf8(value.as_bytes()) {
                Ok(text) => Ok(Some(text).filter(|t| !t.is_empty())),
                Err(_) => Err(refused(format!(
                    "Invalid authentication: {name} is not UTF-8"
                ))),
            },
        };
        let (user, key) = (header("x-clickhouse-user")?, header("x-clickhouse-key")?);
        let authorization = header(header::AUTHORIZATION.as_str())?;
        let in_params = params.get("user").is_some() || params.get("password").is_some();
        if header("x-clickhouse-ssl-certificate-auth")? == Some("on") {
            return Err(refused(
                "Invalid authentication: SSL certificate authentication is not supported",
            ));
        }
        let kinds = [
            (user.is_some() || key.is_some(), "X-ClickHouse HTTP headers"),
            (authorization.is_some(), "Authorization HTTP header"),
            (in_params, "authentication via parameters"),
        ];
        let mut given = kinds
            .iter()
            .filter(|(given, _)| *given)
            .map(|(_, kind)| kind);
        if let (Some(one), Some(other)) = (given.next(), given.next()) {
            let message = format!(
                "Invalid authentication: it is not allowed to use {one} and {other} simultaneously"
            );
            return Err(refused(message));
        }
        if let Some(authorization) = authorization {
            return Self::of_authorization(authorization);
        }
        let of_params = |name| params.get(name).filter(|v| !v.is_empty());
        let found = Self {
            user: user.or(of_params("user")).unwrap_or("default").to_owned(),
            password: key.or(of_params("password")).unwrap_or_default().to_owned(),
            token: None,
        };
        if key.is_some() && user.is_none() {
            return Err(refused(
                "Got an empty user name from X-ClickHouse HTTP headers",
            ));
        }
        Ok(found)
    }

    fn of_authorization(text: &str) -> Result<Self, Exception> {
        let (scheme, rest) = text.split_once(' ').unwrap_or((text, ""));
        if scheme.eq_ignore_ascii_case("bearer") {
            return Ok(Self {
                user: String::new(),
                password: String::new(),
                token: Some(rest.trim().to_owned()),
            });
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            let message = format!(
                "Invalid authentication: '{scheme}' HTTP Authorization scheme is not supported"
            );
            return Err(refused(message));
        }
        let wrong = || refused("Invalid authentication: the Authorization header can't be decoded");
        let decoded = STANDARD.decode(rest.trim()).map_err(|_| wrong())?;
        let decoded = String::from_utf8(decoded).map_err(|_| wrong())?;
        let (user, password) = decoded.split_once(':').unwrap_or((&decoded, ""));
        if user.is_empty() {
            return Err(refused(
                "Got an empty user name from Authorization HTTP header",
            ));
        }
        Ok(Self {
            user: user.to_owned(),
            password: password.to_owned(),
            token: None,
        })
    }
}

fn refused(message: impl Into<String>) -> Exception {
    Exception::new(code::AUTHENTICATION_FAILED, message)
}

/// The exception for credentials that a gate does not admit. It does not say
/// whether the user exists.
pub(super) fn denied(credentials: &Credentials) -> Exception {
    let user = if credentials.user.is_empty() {
        "token"
    } else {
        &credentials.user
    };
    refused(format!(
        "{user}: Authentication failed: password is incorrect, or there is no user with such name."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: &[(&'static str, &str)], query: &str) -> Result<Credentials, Exception> {
        let headers = headers
            .iter()
            .map(|(n, v)| (n.parse::<header::HeaderName>().unwrap(), v.parse().unwrap()))
            .collect();
        Credentials::of_request(&headers, &Params::parse(query))
    }

    fn pair(found: Result<Credentials, Exception>) -> (String, String) {
        let found = found.unwrap();
        (found.user, found.password)
    }

    #[test]
    fn every_place_is_read() {
        let own = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(pair(read(&[], "")), own("default", ""));
        assert_eq!(
            pair(read(
                &[("x-clickhouse-user", "u"), ("x-clickhouse-key", "k")],
                ""
            )),
            own("u", "k")
        );
        assert_eq!(
            pair(read(&[("authorization", "Basic dTprOmk=")], "")),
            own("u", "k:i")
        );
        assert_eq!(
            pair(read(&[("authorization", "basic dQ==")], "")),
            own("u", "")
        );
        assert_eq!(pair(read(&[], "user=u&password=k")), own("u", "k"));
        assert_eq!(
            read(&[("authorization", "Bearer t")], "")
                .unwrap()
                .token
                .as_deref(),
            Some("t")
        );
    }

    #[test]
    fn two_kinds_at_once_are_refused() {
        for (headers, query) in [
            (
                &[("x-clickhouse-user", "u"), ("authorization", "Basic dTpr")][..],
                "",
            ),
            (&[("x-clickhouse-user", "u")][..], "password=k"),
            (&[("authorization", "Basic dTpr")][..], "user=u"),
            (&[("authorization", "Digest dTpr")][..], ""),
            (&[("authorization", "Basic !")][..], ""),
            (&[("authorization", "Basic OnA=")][..], ""),
            (&[("x-clickhouse-key", "k")][..], ""),
        ] {
            assert_eq!(
                read(headers, query).unwrap_err().code,
                516,
                "{headers:?} {query}"
            );
        }
    }

    #[tokio::test]
    async fn one_user_has_one_password() {
        let gate = SingleUser::new("u", "secret");
        let ask = |user: &str, password: &str, token: Option<&str>| Credentials {
            user: user.into(),
            password: password.into(),
            token: token.map(Into::into),
        };
        assert_eq!(
            gate.admit(&ask("u", "secret", None)).await,
            Some(Access::Full)
        );
        assert_eq!(gate.admit(&ask("u", "secre", None)).await, None);
        assert_eq!(gate.admit(&ask("U", "secret", None)).await, None);
        assert_eq!(gate.admit(&ask("u", "secret", Some(""))).await, None);
        assert!(!format!("{:?}", ask("u", "secret", None)).contains("secret"));
    }
}
