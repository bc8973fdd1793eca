//! Accounts: reading them, and changing them by whole rows.
//!
//! **Invariant:** an organisation that has an owner keeps one who can log in; nobody gives
//! or takes what is above their own role.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use snag_warehouse::{Query, Warehouse, WarehouseError};
use snag_wire::Code;
use uuid::Uuid;

use super::password;
use crate::auth::Role;
use crate::{ApiError, db};

/// Characters of a login name.
const LOGIN_CHARS_MAX: usize = 200;

/// A change of accounts that can't be made.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// The login name can't be one.
    #[error(
        "a login name has 3 to 200 letters, digits, or any of . _ - + @, such as an address of mail"
    )]
    BadLogin,
    /// The display name can't be one.
    #[error("a name has 1 to 200 characters, none of them a control character")]
    BadName,
    /// The password is too weak.
    #[error("{0}")]
    BadPassword(String),
    /// Somebody has this login name, in this organisation or another of the server.
    #[error("the login name is taken")]
    LoginTaken,
    /// There is no such account.
    #[error("there is no such account")]
    NoSuchUser,
    /// The organisation would have no owner who can log in.
    #[error("this is the last owner who can log in; name another owner first")]
    LastOwner,
    /// The password couldn't be hashed.
    #[error("the system gives no random numbers")]
    Hash,
    /// The warehouse failed.
    #[error(transparent)]
    Warehouse(#[from] WarehouseError),
}

impl From<UserError> for ApiError {
    fn from(error: UserError) -> Self {
        let sentence = || {
            let text = error.to_string();
            let mut letters = text.chars();
            let first = letters.next().map(|c| c.to_uppercase().to_string());
            let end = if text.ends_with('.') { "" } else { "." };
            format!("{}{}{end}", first.unwrap_or_default(), letters.as_str())
        };
        match &error {
            UserError::BadLogin => Self::invalid_body(sentence()).with_field("login"),
            UserError::BadName => Self::invalid_body(sentence()).with_field("name"),
            UserError::BadPassword(_) => Self::invalid_body(sentence()).with_field("password"),
            UserError::LoginTaken => Self::new(Code::Conflict, sentence()).with_field("login"),
            UserError::LastOwner => Self::new(Code::Conflict, sentence()),
            UserError::NoSuchUser => Self::new(Code::NotFound, sentence()),
            UserError::Hash => Self::internal(&error),
            UserError::Warehouse(cause) => cause.clone().into(),
        }
    }
}

/// An account.
#[derive(Clone, Deserialize)]
pub struct User {
    /// Its organisation.
    pub org: Uuid,
    /// Its identity.
    pub id: Uuid,
    /// The name it logs in with: lower case.
    pub login: String,
    /// What people call its holder.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Argon2id, in PHC's text form.
    pub password_hash: String,
    /// Whether it can't log in.
    pub disabled: u8,
    /// Raised by whatever ends all its sessions.
    pub generation: u32,
    /// When it was made, in milliseconds since 1970.
    pub created_at_ms: i64,
    /// Raised by each change.
    pub version: u64,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// An account as it is shown.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct UserShown {
    /// Its identity.
    pub id: Uuid,
    /// The name it logs in with.
    pub login: String,
    /// What people call its holder.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Whether it can't log in.
    pub disabled: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

impl From<&User> for UserShown {
    fn from(user: &User) -> Self {
        Self {
            id: user.id,
            login: user.login.clone(),
            name: user.name.clone(),
            role: user.role,
            disabled: user.disabled != 0,
            created_at: Timestamp::from_millisecond(user.created_at_ms).unwrap_or_default(),
        }
    }
}

const COLUMNS: &str = "org, id, login, name, role, password_hash, disabled, generation, \
                       toUnixTimestamp64Milli(created_at) AS created_at_ms, version";

/// The login name as it is stored and compared.
///
/// # Errors
/// It can't be one.
pub fn normal_login(login: &str) -> Result<String, UserError> {
    let login = login.trim().to_lowercase();
    let allowed = |c: char| c.is_alphanumeric() || "._-+@".contains(c);
    let length = login.chars().count();
    if (3..=LOGIN_CHARS_MAX).contains(&length) && login.chars().all(allowed) {
        Ok(login)
    } else {
        Err(UserError::BadLogin)
    }
}

fn check_name(name: &str) -> Result<(), UserError> {
    let length = name.chars().count();
    if length == 0 || length > 200 || name.chars().any(char::is_control) || name.trim().is_empty() {
        return Err(UserError::BadName);
    }
    Ok(())
}

/// An organisation's accounts by login name.
///
/// # Errors
/// The warehouse's.
pub async fn list(warehouse: &Warehouse, org: Uuid) -> Result<Vec<User>, WarehouseError> {
    let sql = format!("SELECT {COLUMNS} FROM users FINAL WHERE org = {{org:UUID}} ORDER BY login");
    db::rows(warehouse, Query::read(sql).param("org", org)).await
}

/// The account of a login name, of whichever organisation. (Where two servers made the same
/// name at the same moment, the older one has it.)
///
/// # Errors
/// The warehouse's.
pub async fn by_login(warehouse: &Warehouse, login: &str) -> Result<Option<User>, WarehouseError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM users FINAL WHERE login = {{login:String}} \
         ORDER BY created_at, id LIMIT 1"
    );
    let rows: Vec<User> = db::rows(warehouse, Query::read(sql).param("login", login)).await?;
    Ok(rows.into_iter().next())
}

/// An account of an organisation by its identity.
///
/// # Errors
/// The warehouse's.
pub async fn by_id(
    warehouse: &Warehouse,
    org: Uuid,
    id: Uuid,
) -> Result<Option<User>, WarehouseError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM users FINAL WHERE org = {{org:UUID}} AND id = {{id:UUID}} LIMIT 1"
    );
    let query = Query::read(sql).param("org", org).param("id", id);
    let rows: Vec<User> = db::rows(warehouse, query).await?;
    Ok(rows.into_iter().next())
}

/// An account to be made.
#[derive(Debug)]
pub struct NewUser<'a> {
    /// Its organisation.
    pub org: Uuid,
    /// The name to log in with.
    pub login: &'a str,
    /// What people call its holder.
    pub name: &'a str,
    /// What it may do.
    pub role: Role,
}

impl NewUser<'_> {
    /// Checks all but the password, which is hashed in between.
    ///
    /// # Errors
    /// A name that can't be one or is taken; the warehouse's.
    pub async fn check(&self, warehouse: &Warehouse) -> Result<String, UserError> {
        let login = normal_login(self.login)?;
        check_name(self.name)?;
        if by_login(warehouse, &login).await?.is_some() {
            return Err(UserError::LoginTaken);
        }
        Ok(login)
    }
}

/// Checks a password for a login name.
///
/// # Errors
/// It is too weak.
pub fn check_password(password: &str, login: &str) -> Result<(), UserError> {
    password::check(password, login).map_err(UserError::BadPassword)
}

/// Makes an account. Callers hold the process' lock of accounts.
///
/// # Errors
/// As [`NewUser::check`].
pub async fn create(
    warehouse: &Warehouse,
    new: &NewUser<'_>,
    id: Uuid,
    password_hash: String,
    now: Timestamp,
) -> Result<User, UserError> {
    let login = new.check(warehouse).await?;
    let user = User {
        org: new.org,
        id,
        login,
        name: new.name.to_owned(),
        role: new.role,
        password_hash,
        disabled: 0,
        generation: 1,
        created_at_ms: now.as_millisecond(),
        version: u64::try_from(now.as_millisecond()).unwrap_or(0),
    };
    write(warehouse, &user).await?;
    Ok(user)
}

/// What is to be changed of an account.
#[derive(Debug, Default)]
pub struct UserChange {
    /// Another name.
    pub name: Option<String>,
    /// Another role.
    pub role: Option<Role>,
    /// Whether it can't log in.
    pub disabled: Option<bool>,
    /// Another password, hashed.
    pub password_hash: Option<String>,
    /// End all its sessions, whatever else changes.
    pub end_sessions: bool,
}

/// The account as it would be after `change`, or why it can't be so.
///
/// # Errors
/// A bad name; the last owner would go; the warehouse's.
pub async fn plan(
    warehouse: &Warehouse,
    user: &User,
    change: &UserChange,
    now: Timestamp,
) -> Result<User, UserError> {
    let mut after = user.clone();
    if let Some(name) = &change.name {
        check_name(name)?;
        after.name.clone_from(name);
    }
    if let Some(role) = change.role {
        after.role = role;
    }
    if let Some(disabled) = change.disabled {
        after.disabled = u8::from(disabled);
    }
    if let Some(hash) = &change.password_hash {
        after.password_hash.clone_from(hash);
    }
    let owned = |user: &User| user.role == Role::Owner && user.disabled == 0;
    if owned(user) && !owned(&after) {
        let all = list(warehouse, user.org).await?;
        if !all.iter().any(|other| other.id != user.id && owned(other)) {
            return Err(UserError::LastOwner);
        }
    }
    let ends = change.end_sessions
        || change.password_hash.is_some()
        || after.role != user.role
        || after.disabled != user.disabled;
    after.generation += u32::from(ends);
    let now_ms = u64::try_from(now.as_millisecond()).unwrap_or(0);
    after.version = now_ms.max(user.version + 1);
    Ok(after)
}

/// Writes an account's row. Callers hold the process' lock of accounts.
///
/// # Errors
/// The warehouse's.
pub async fn write(warehouse: &Warehouse, user: &User) -> Result<(), WarehouseError> {
    let sql = "INSERT INTO users (org, login, id, name, role, password_hash, disabled, generation, \
               created_at, version) \
               SELECT {org:UUID}, {login:String}, {id:UUID}, {name:String}, {role:String}, \
               {hash:String}, {disabled:UInt8}, {generation:UInt32}, \
               fromUnixTimestamp64Milli({created_at:Int64}, 'UTC'), {version:UInt64}";
    let insert = Query::new(sql)
        .param("org", user.org)
        .param("login", &user.login)
        .param("id", user.id)
        .param("name", &user.name)
        .param("role", user.role.as_str())
        .param("hash", &user.password_hash)
        .param("disabled", user.disabled)
        .param("generation", user.generation)
        .param("created_at", user.created_at_ms)
        .param("version", user.version);
    warehouse.execute(insert).await
}

#[cfg(test)]
mod tests {
    use super::normal_login;

    #[test]
    fn login_names_are_compared_without_case() {
        assert_eq!(
            normal_login(" Anna@Acme.example ").ok().as_deref(),
            Some("anna@acme.example")
        );
        for bad in [
            "",
            "ab",
            "a b c",
            "a\u{0}bc",
            "x'; --",
            "a/b/c",
            &"a".repeat(201),
        ] {
            assert!(normal_login(bad).is_err(), "{bad:?}");
        }
    }
}
