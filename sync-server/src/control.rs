//! Organisations, tokens and devices: writing the small mutable state.
//!
//! Rows replace each other by `version` (milliseconds since 1970, but always above
//! the version replaced); secrets are minted here and shown once.

use jiff::Timestamp;
use rand::RngCore;
use serde::{Deserialize, Serialize};
use snag_warehouse::{ErrorKind, Query, Warehouse, WarehouseError};
use uuid::Uuid;

use crate::auth::{self, Scope};
use crate::db;
use crate::orgs::{K_MIN, OrgPolicy, PolicyFault};

/// A change of the control tables that can't be made.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The organisation would have too small a k.
    #[error(
        "k is {0}, but at least {K_MIN} people must stand behind a figure; use --local for one person's own machine (k = 1)"
    )]
    KTooSmall(u32),
    /// There is one of this name already.
    #[error("there is an organisation named {0:?} already")]
    NameTaken(String),
    /// No organisation has this name or identity.
    #[error("there is no organisation {0:?}; `snag-server org list` shows those there are")]
    NoSuchOrganisation(String),
    /// No token of this organisation begins so.
    #[error("there is no such token")]
    NoSuchToken,
    /// The name can't be stored.
    #[error("a name has 1 to 200 characters, none of them a control character")]
    BadName,
    /// A token needs a name: its acts carry it.
    #[error("a token has a name of 1 to 64 characters, none of them a control character")]
    BadTokenName,
    /// Another token has this name, and acts could be of either.
    #[error("there is a token named {0:?} already; its acts could not be told from this one's")]
    TokenNameTaken(String),
    /// The token would never be taken.
    #[error("a token's end lies in the future")]
    BadExpiry,
    /// The policy can't be followed.
    #[error(transparent)]
    BadPolicy(#[from] PolicyFault),
    /// The warehouse failed.
    #[error(transparent)]
    Warehouse(#[from] WarehouseError),
}

/// An organisation to be made.
#[derive(Debug)]
pub struct NewOrg<'a> {
    /// Its name, unique.
    pub name: &'a str,
    /// Whom a person can ask.
    pub contact: &'a str,
    /// How many people must stand behind a figure.
    pub k: u32,
    /// One person's own machine: k = 1.
    pub local: bool,
    /// What its devices are told.
    pub policy: OrgPolicy,
}

/// What a new organisation is given, shown once.
#[derive(Debug, Serialize)]
pub struct OrgCreated {
    /// Its identity.
    pub org: Uuid,
    /// Its name.
    pub name: String,
    /// How many people must stand behind a figure.
    pub k: u32,
    /// Enrols devices.
    pub enroll_token: String,
    /// Reads insights.
    pub analyst_token: String,
    /// Changes the organisation.
    pub admin_token: String,
}

/// Makes an organisation with one token of each scope that people hold.
///
/// # Errors
/// A k below [`K_MIN`] that isn't `local`; a name that is taken; the warehouse's.
pub async fn create_org(
    warehouse: &Warehouse,
    new: NewOrg<'_>,
    now: Timestamp,
) -> Result<OrgCreated, ControlError> {
    let k = if new.local { 1 } else { new.k };
    if !new.local && k < K_MIN {
        return Err(ControlError::KTooSmall(k));
    }
    let length = new.name.chars().count();
    if length == 0 || length > 200 || new.name.chars().any(char::is_control) {
        return Err(ControlError::BadName);
    }
    if list_orgs(warehouse)
        .await?
        .iter()
        .any(|org| org.name == new.name)
    {
        return Err(ControlError::NameTaken(new.name.to_owned()));
    }
    new.policy.check()?;
    let org = Uuid::now_v7();
    let mut label_key = [0; 32];
    rand::rng().fill_bytes(&mut label_key);
    let policy = serde_json::to_string(&new.policy)
        .map_err(|error| WarehouseError::new(ErrorKind::Schema, error.to_string()))?;
    let sql = "INSERT INTO organisations (id, name, contact, k, label_key, policy, policy_version, version) \
               SELECT {id:UUID}, {name:String}, {contact:String}, {k:UInt32}, {label_key:String}, \
               {policy:String}, 1, {version:UInt64}";
    let insert = Query::new(sql)
        .param("id", org)
        .param("name", new.name)
        .param("contact", new.contact)
        .param("k", k)
        .param("label_key", hex::encode(label_key))
        .param("policy", policy)
        .param("version", now.as_millisecond());
    warehouse.execute(insert).await?;
    let mut tokens = Vec::with_capacity(3);
    for scope in [Scope::Enroll, Scope::Analyst, Scope::Admin] {
        let new = NewToken {
            org,
            scope,
            name: &format!("first {}", scope.as_str()),
            device: None,
            segment: "",
            expires_at: None,
        };
        tokens.push(add_token(warehouse, &new, now).await?);
    }
    let [enroll_token, analyst_token, admin_token] =
        <[String; 3]>::try_from(tokens).unwrap_or_default();
    Ok(OrgCreated {
        org,
        name: new.name.to_owned(),
        k,
        enroll_token,
        analyst_token,
        admin_token,
    })
}

/// An organisation as it is listed.
#[derive(Debug, Serialize, Deserialize)]
pub struct OrgListed {
    /// Its identity.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Whom a person can ask.
    pub contact: String,
    /// How many people must stand behind a figure.
    pub k: u32,
    /// Rises with each change of its policy.
    pub policy_version: u64,
}

/// Every organisation, by name.
///
/// # Errors
/// The warehouse's.
pub async fn list_orgs(warehouse: &Warehouse) -> Result<Vec<OrgListed>, WarehouseError> {
    let sql = "SELECT id, name, contact, k, policy_version FROM organisations FINAL ORDER BY name";
    db::rows(warehouse, Query::read(sql)).await
}

/// The organisation of a name or identity.
///
/// # Errors
/// There is none; the warehouse's.
pub async fn find_org(warehouse: &Warehouse, which: &str) -> Result<Uuid, ControlError> {
    let id = which.parse::<Uuid>().ok();
    list_orgs(warehouse)
        .await?
        .into_iter()
        .find(|org| org.name == which || Some(org.id) == id)
        .map(|org| org.id)
        .ok_or_else(|| ControlError::NoSuchOrganisation(which.to_owned()))
}

/// An organisation's policy.
///
/// # Errors
/// There is no such organisation; its policy doesn't parse; the warehouse's.
pub async fn policy_of(warehouse: &Warehouse, org: Uuid) -> Result<OrgPolicy, ControlError> {
    let org = crate::orgs::OrgCache::default()
        .get(warehouse, org)
        .await?
        .ok_or_else(|| ControlError::NoSuchOrganisation(org.to_string()))?;
    Ok(org.policy.clone())
}

/// Gives an organisation a new policy; its devices hear of it within a minute.
///
/// # Errors
/// A policy that can't be followed; the warehouse's.
pub async fn set_policy(
    warehouse: &Warehouse,
    org: Uuid,
    policy: &OrgPolicy,
    now: Timestamp,
) -> Result<(), ControlError> {
    policy.check()?;
    let policy = serde_json::to_string(policy)
        .map_err(|error| WarehouseError::new(ErrorKind::Schema, error.to_string()))?;
    let sql = "INSERT INTO organisations (id, name, contact, k, label_key, policy, policy_version, version) \
               SELECT id, name, contact, k, label_key, {policy:String}, policy_version + 1, \
               greatest(version + 1, {version:UInt64}) \
               FROM organisations FINAL WHERE id = {id:UUID}";
    let insert = Query::new(sql)
        .param("policy", policy)
        .param("version", now.as_millisecond())
        .param("id", org);
    Ok(warehouse.execute(insert).await?)
}

/// A token to be made.
#[derive(Debug)]
pub struct NewToken<'a> {
    /// Its organisation.
    pub org: Uuid,
    /// What it may do.
    pub scope: Scope,
    /// What IT calls it.
    pub name: &'a str,
    /// A device token's device.
    pub device: Option<Uuid>,
    /// The part of the organisation that its devices belong to.
    pub segment: &'a str,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
}

impl NewToken<'_> {
    /// Checks what a person asks for: a name that tells its acts from others', and an end
    /// that hasn't passed.
    ///
    /// # Errors
    /// What is wrong; the warehouse's.
    pub async fn check(&self, warehouse: &Warehouse, now: Timestamp) -> Result<(), ControlError> {
        let length = self.name.chars().count();
        if !(1..=snag_wire::limits::NAME_CHARS_MAX).contains(&length)
            || self.name.trim().is_empty()
            || self.name.chars().any(char::is_control)
        {
            return Err(ControlError::BadTokenName);
        }
        if self.expires_at.is_some_and(|end| end <= now) {
            return Err(ControlError::BadExpiry);
        }
        let taken = list_tokens(warehouse, self.org).await?;
        if taken.iter().any(|token| token.name == self.name) {
            return Err(ControlError::TokenNameTaken(self.name.to_owned()));
        }
        Ok(())
    }
}

/// What names a token in lists and in the audit log: enough digits of its hash.
#[must_use]
pub fn token_id(token: &str) -> String {
    auth::token_hash(token)[..TOKEN_ID_DIGITS].to_owned()
}

const TOKEN_ID_DIGITS: usize = 12;

/// Makes a token and returns it; only its hash is stored.
///
/// # Errors
/// The warehouse's.
pub async fn add_token(
    warehouse: &Warehouse,
    new: &NewToken<'_>,
    now: Timestamp,
) -> Result<String, WarehouseError> {
    let token = auth::mint(new.scope);
    store_token(warehouse, &token, new, now).await?;
    Ok(token)
}

/// Stores a token that was minted before, so that the audit log could name it first.
///
/// # Errors
/// The warehouse's.
pub async fn store_token(
    warehouse: &Warehouse,
    token: &str,
    new: &NewToken<'_>,
    now: Timestamp,
) -> Result<(), WarehouseError> {
    let sql = "INSERT INTO tokens (token_hash, org, scope, name, device, segment, created_at, \
               expires_at, revoked, version) \
               SELECT {hash:String}, {org:UUID}, {scope:String}, {name:String}, {device:Nullable(UUID)}, \
               {segment:String}, fromUnixTimestamp64Milli({now:Int64}, 'UTC'), \
               fromUnixTimestamp64Milli({expires_at:Nullable(Int64)}, 'UTC'), 0, \
               toUInt64({now:Int64})";
    let insert = Query::new(sql)
        .param("hash", auth::token_hash(token))
        .param("org", new.org)
        .param("scope", new.scope.as_str())
        .param("name", new.name)
        .param("segment", new.segment)
        .param("now", now.as_millisecond());
    let insert = match new.device {
        Some(device) => insert.param("device", device),
        None => insert.param_null("device"),
    };
    let insert = match new.expires_at {
        Some(end) => insert.param("expires_at", end.as_millisecond()),
        None => insert.param_null("expires_at"),
    };
    warehouse.execute(insert).await
}

/// A token as it is listed: never the token itself.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TokenListed {
    /// The first 12 digits of its hash: enough to name it.
    pub id: String,
    /// What it may do.
    pub scope: Scope,
    /// What IT called it.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends by itself; null where it doesn't.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to the minute or so; null where it never was.
    pub last_used_at: Option<Timestamp>,
}

/// The tokens of an organisation that people hold (not those of devices), revoked ones
/// left out.
///
/// # Errors
/// The warehouse's.
pub async fn list_tokens(
    warehouse: &Warehouse,
    org: Uuid,
) -> Result<Vec<TokenListed>, WarehouseError> {
    #[derive(Deserialize)]
    struct Row {
        id: String,
        scope: Scope,
        name: String,
        created_at_ms: i64,
        expires_at_ms: Option<i64>,
        used_at_s: i64,
    }
    let sql = format!(
        "SELECT substring(t.token_hash, 1, {TOKEN_ID_DIGITS}) AS id, t.scope AS scope, t.name AS name, \
         toUnixTimestamp64Milli(t.created_at) AS created_at_ms, \
         toUnixTimestamp64Milli(t.expires_at) AS expires_at_ms, \
         toInt64(toUnixTimestamp(u.used_at)) AS used_at_s \
         FROM (SELECT * FROM tokens FINAL WHERE org = {{org:UUID}} AND scope != 'device' \
         AND NOT revoked) AS t \
         LEFT JOIN (SELECT token_hash, max(used_at) AS used_at FROM token_uses GROUP BY token_hash) AS u \
         ON u.token_hash = t.token_hash ORDER BY created_at_ms, id"
    );
    let rows: Vec<Row> = db::rows(warehouse, Query::read(sql).param("org", org)).await?;
    let moment = |ms: i64| Timestamp::from_millisecond(ms).unwrap_or_default();
    let listed = rows.into_iter().map(|row| TokenListed {
        id: row.id,
        scope: row.scope,
        name: row.name,
        created_at: moment(row.created_at_ms),
        expires_at: row.expires_at_ms.map(moment),
        last_used_at: (row.used_at_s > 0).then(|| moment(row.used_at_s * 1_000)),
    });
    Ok(listed.collect())
}

/// A token that is about to be revoked.
#[derive(Debug, Deserialize)]
pub struct TokenFound {
    /// Its whole hash.
    pub token_hash: String,
    /// What it may do.
    pub scope: Scope,
    /// What IT called it.
    pub name: String,
}

/// The tokens of an organisation whose hash begins with `id` (at least 12 digits), or that
/// `id` itself is; a device's token by its device's identity.
///
/// # Errors
/// There is none; the warehouse's.
pub async fn find_tokens(
    warehouse: &Warehouse,
    org: Uuid,
    id: &str,
) -> Result<Vec<TokenFound>, ControlError> {
    let prefix = if id.starts_with("snag_") {
        auth::token_hash(id)
    } else {
        id.to_owned()
    };
    let device = id.parse::<Uuid>().ok();
    if prefix.len() < TOKEN_ID_DIGITS {
        return Err(ControlError::NoSuchToken);
    }
    let sql = "SELECT token_hash, scope, name FROM tokens FINAL WHERE org = {org:UUID} AND NOT revoked \
               AND (startsWith(token_hash, {prefix:String}) OR device = {device:Nullable(UUID)})";
    let query = Query::read(sql).param("org", org).param("prefix", &prefix);
    let query = match device {
        Some(device) => query.param("device", device),
        None => query.param_null("device"),
    };
    let found: Vec<TokenFound> = db::rows(warehouse, query).await?;
    if found.is_empty() {
        return Err(ControlError::NoSuchToken);
    }
    Ok(found)
}

/// Revokes what [`find_tokens`] finds.
///
/// # Errors
/// As there.
pub async fn revoke_token(
    warehouse: &Warehouse,
    org: Uuid,
    id: &str,
    now: Timestamp,
) -> Result<(), ControlError> {
    let found = find_tokens(warehouse, org, id).await?;
    Ok(revoke_tokens(warehouse, &found, now).await?)
}

/// Revokes these.
///
/// # Errors
/// The warehouse's.
pub async fn revoke_tokens(
    warehouse: &Warehouse,
    found: &[TokenFound],
    now: Timestamp,
) -> Result<(), WarehouseError> {
    let sql = "INSERT INTO tokens (token_hash, org, scope, name, device, segment, created_at, \
               expires_at, revoked, version) \
               SELECT token_hash, org, scope, name, device, segment, created_at, expires_at, 1, \
               greatest(version + 1, {version:UInt64}) \
               FROM tokens FINAL WHERE token_hash IN {hashes:Array(String)}";
    let insert = Query::new(sql)
        .param("version", now.as_millisecond())
        .param_strings("hashes", found.iter().map(|row| &row.token_hash));
    warehouse.execute(insert).await
}

/// A device to be made.
#[derive(Debug)]
pub struct NewDevice<'a> {
    /// Its organisation.
    pub org: Uuid,
    /// Its identity.
    pub device: Uuid,
    /// `linux`, `windows` or `macos`.
    pub os: &'a str,
    /// The agent's version.
    pub agent_version: &'a str,
    /// The part of the organisation it belongs to.
    pub segment: &'a str,
}

/// Writes a device down.
///
/// # Errors
/// The warehouse's.
pub async fn add_device(
    warehouse: &Warehouse,
    new: &NewDevice<'_>,
    now: Timestamp,
) -> Result<(), WarehouseError> {
    let sql = "INSERT INTO devices (org, device, os, agent_version, segment, enrolled_at, version) \
               SELECT {org:UUID}, {device:UUID}, {os:String}, {agent_version:String}, \
               {segment:String}, fromUnixTimestamp64Milli({now:Int64}, 'UTC'), toUInt64({now:Int64})";
    let insert = Query::new(sql)
        .param("org", new.org)
        .param("device", new.device)
        .param("os", new.os)
        .param("agent_version", new.agent_version)
        .param("segment", new.segment)
        .param("now", now.as_millisecond());
    warehouse.execute(insert).await
}

/// A device as it is listed.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DeviceListed {
    /// Its identity.
    pub device: Uuid,
    /// `linux`, `windows` or `macos`.
    pub os: String,
    /// The agent's version as it enrolled.
    pub agent_version: String,
    /// The part of the organisation it belongs to.
    pub segment: String,
    /// When it enrolled.
    pub enrolled_at: String,
    /// Whether its token is still taken.
    pub active: bool,
}

/// The devices of an organisation, the newest first.
///
/// # Errors
/// The warehouse's.
pub async fn list_devices(
    warehouse: &Warehouse,
    org: Uuid,
) -> Result<Vec<DeviceListed>, WarehouseError> {
    let sql = "SELECT device, os, agent_version, segment, toString(enrolled_at) AS enrolled_at, \
               device IN (SELECT assumeNotNull(device) FROM tokens FINAL \
                          WHERE org = {org:UUID} AND scope = 'device' AND NOT revoked) AS active \
               FROM devices FINAL WHERE org = {org:UUID} ORDER BY enrolled_at DESC LIMIT 10000";
    #[derive(Deserialize)]
    struct Row {
        device: Uuid,
        os: String,
        agent_version: String,
        segment: String,
        enrolled_at: String,
        active: u8,
    }
    let rows: Vec<Row> = db::rows(warehouse, Query::read(sql).param("org", org)).await?;
    Ok(rows
        .into_iter()
        .map(|row| DeviceListed {
            device: row.device,
            os: row.os,
            agent_version: row.agent_version,
            segment: row.segment,
            enrolled_at: row.enrolled_at,
            active: row.active != 0,
        })
        .collect())
}
