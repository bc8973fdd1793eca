//! `snag-server user …`: accounts by the command line, while the server doesn't run (or
//! over a ClickHouse server). It is how an organisation gets its first owner.

use std::io::{IsTerminal as _, Read as _};

use anyhow::Context as _;
use clap::Subcommand;
use jiff::Timestamp;
use serde_json::json;
use snag_warehouse::Warehouse;
use uuid::Uuid;

use super::password;
use super::users::{self, NewUser, User, UserChange};
use crate::audit::{self, Act};
use crate::auth::{Actor, Role};
use crate::control;
use crate::orgs::OrgCache;

/// What can be done with accounts.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make an account and print its password, once.
    Create {
        /// The organisation's name or identity.
        #[arg(long)]
        org: String,
        /// The name to log in with, such as an address of mail.
        #[arg(long)]
        login: String,
        /// What people call its holder; the login name where it is left out.
        #[arg(long)]
        name: Option<String>,
        /// What it may do.
        #[arg(long, value_enum)]
        role: Role,
        /// Read the password from standard input instead of making one.
        #[arg(long)]
        password_stdin: bool,
    },
    /// List an organisation's accounts.
    List {
        /// The organisation's name or identity.
        #[arg(long)]
        org: String,
    },
    /// Give an account another password, print it once, and end its sessions.
    Passwd {
        /// The name to log in with.
        login: String,
        /// Read the password from standard input instead of making one.
        #[arg(long)]
        password_stdin: bool,
    },
    /// Give an account another role, and end its sessions.
    Role {
        /// The name to log in with.
        login: String,
        /// What it may do.
        #[arg(value_enum)]
        role: Role,
    },
    /// Let an account log in no more, and end its sessions.
    Disable {
        /// The name to log in with.
        login: String,
    },
    /// Let an account log in again.
    Enable {
        /// The name to log in with.
        login: String,
    },
}

fn password(from_stdin: bool) -> anyhow::Result<(String, bool)> {
    if !from_stdin {
        return Ok((password::generate(), true));
    }
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        eprintln!("Type the password, then Enter and Ctrl-D. It is shown as you type.");
    }
    let mut text = String::new();
    stdin
        .take(4_096)
        .read_to_string(&mut text)
        .context("can't read the password")?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok((text.strip_suffix('\r').unwrap_or(text).to_owned(), false))
}

/// The actor of the command line: whoever may run it on this machine.
pub(crate) async fn operator(warehouse: &Warehouse, org: Uuid) -> anyhow::Result<Actor> {
    let org = OrgCache::default()
        .get(warehouse, org)
        .await?
        .context("the organisation is gone")?;
    Ok(Actor {
        org,
        role: Role::Owner,
        name: "system:command-line".to_owned(),
    })
}

async fn find(warehouse: &Warehouse, login: &str) -> anyhow::Result<User> {
    let login = users::normal_login(login)?;
    users::by_login(warehouse, &login)
        .await?
        .with_context(|| format!("there is no account {login:?}"))
}

async fn change(
    warehouse: &Warehouse,
    user: &User,
    action: &str,
    detail: serde_json::Value,
    change: &UserChange,
) -> anyhow::Result<()> {
    let now = Timestamp::now();
    let after = users::plan(warehouse, user, change, now).await?;
    let actor = operator(warehouse, user.org).await?;
    let target = user.id.to_string();
    let act = Act {
        action,
        target: &target,
        detail,
    };
    audit::log(warehouse, &actor, &[act], now).await?;
    users::write(warehouse, &after).await?;
    Ok(())
}

/// Does what the command line asks.
///
/// # Errors
/// What can't be done, in a sentence.
pub async fn run(warehouse: &Warehouse, command: Command) -> anyhow::Result<()> {
    match command {
        Command::Create {
            org,
            login,
            name,
            role,
            password_stdin,
        } => {
            let org = control::find_org(warehouse, &org).await?;
            let name = name.unwrap_or_else(|| login.trim().to_owned());
            let new = NewUser {
                org,
                login: &login,
                name: &name,
                role,
            };
            let normal = new.check(warehouse).await?;
            let (password, made) = password(password_stdin)?;
            users::check_password(&password, &normal)?;
            let hash = password::hash(&password).map_err(|_| users::UserError::Hash)?;
            let actor = operator(warehouse, org).await?;
            let now = Timestamp::now();
            let id = Uuid::now_v7();
            let target = id.to_string();
            let act = Act {
                action: "user.create",
                target: &target,
                detail: json!({"login": normal, "role": role}),
            };
            audit::log(warehouse, &actor, &[act], now).await?;
            let user = users::create(warehouse, &new, id, hash, now).await?;
            println!("account   {} ({})", user.login, user.id);
            println!("role      {}", user.role.as_str());
            if made {
                println!("password  {password}");
                println!("The password is shown only now. Only its hash is kept.");
            }
        }
        Command::List { org } => {
            let org = control::find_org(warehouse, &org).await?;
            for user in users::list(warehouse, org).await? {
                let disabled = if user.disabled != 0 { "  disabled" } else { "" };
                let role = user.role.as_str();
                println!(
                    "{}  {role:8}  {}  {}{disabled}",
                    user.id, user.login, user.name
                );
            }
        }
        Command::Passwd {
            login,
            password_stdin,
        } => {
            let user = find(warehouse, &login).await?;
            let (password, made) = password(password_stdin)?;
            users::check_password(&password, &user.login)?;
            let hash = password::hash(&password).map_err(|_| users::UserError::Hash)?;
            let changed = UserChange {
                password_hash: Some(hash),
                ..UserChange::default()
            };
            let detail = json!({"login": user.login, "own": false});
            change(warehouse, &user, "user.password", detail, &changed).await?;
            if made {
                println!("password  {password}");
                println!("The password is shown only now. Only its hash is kept.");
            }
        }
        Command::Role { login, role } => {
            let user = find(warehouse, &login).await?;
            let changed = UserChange {
                role: Some(role),
                ..UserChange::default()
            };
            let detail = json!({"login": user.login, "role": role});
            change(warehouse, &user, "user.change", detail, &changed).await?;
            println!("{} is {} now", user.login, role.as_str());
        }
        Command::Disable { login } => {
            set_disabled(warehouse, &login, true).await?;
            println!("disabled");
        }
        Command::Enable { login } => {
            set_disabled(warehouse, &login, false).await?;
            println!("enabled");
        }
    }
    Ok(())
}

async fn set_disabled(warehouse: &Warehouse, login: &str, disabled: bool) -> anyhow::Result<()> {
    let user = find(warehouse, login).await?;
    let changed = UserChange {
        disabled: Some(disabled),
        ..UserChange::default()
    };
    let detail = json!({"login": user.login, "disabled": disabled});
    change(warehouse, &user, "user.change", detail, &changed).await
}
