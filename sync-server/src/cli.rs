//! The command line: flags, environment, and what each command does.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::Timestamp;
use serde_json::json;
use snag_warehouse::{EmbeddedOptions, RemoteOptions, Warehouse, migrate};

use crate::audit::{self, Act};
use crate::auth::{self, Scope};
use crate::control::{self, NewOrg, NewToken};
use crate::objects::{self, Objects};
use crate::orgs::OrgPolicy;
use crate::serve::{self, Listen};
use crate::sql::{self, SingleUser, SqlFront};
use crate::state::Settings;
use crate::verify::{self, Window};
use crate::{AppState, accounts, disk, openapi};

/// The Snag server: takes records from devices and answers analysts.
#[derive(Debug, Parser)]
#[command(name = "snag-server", version, about, long_about = None)]
pub struct Cli {
    /// How log lines are written (to standard error). SNAG_LOG sets what is logged.
    #[arg(
        long,
        env = "SNAG_LOG_FORMAT",
        value_enum,
        default_value = "text",
        global = true
    )]
    log_format: LogFormat,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Apply migrations, compare recent rollups with the raw rows, and serve.
    Serve(Serve),
    /// Show, apply or undo migrations.
    Migrate {
        #[command(flatten)]
        store: Store,
        #[command(subcommand)]
        action: Option<Migrate>,
    },
    /// Compare every rollup with a recount of the raw rows; exit 1 where one differs.
    Verify {
        #[command(flatten)]
        store: Store,
        /// Rebuild what differs.
        #[arg(long)]
        repair: bool,
        /// Look only at days from this one on: 2026-11-20 or 2026-11-20T09:00:00Z.
        #[arg(long, value_parser = parse_since)]
        since: Option<Timestamp>,
    },
    /// Make and list organisations, and set their policy.
    Org {
        #[command(flatten)]
        store: Store,
        #[command(subcommand)]
        action: Org,
    },
    /// Make, list and revoke tokens.
    Token {
        #[command(flatten)]
        store: Store,
        #[command(subcommand)]
        action: Token,
    },
    /// Make, list and change the accounts of people.
    User {
        #[command(flatten)]
        store: Store,
        #[command(subcommand)]
        action: accounts::command::Command,
    },
    /// Print the OpenAPI document.
    Openapi,
    /// Speak ClickHouse's HTTP interface over the embedded engine, for tests and tools.
    /// One user may do everything: keep it on loopback.
    ClickhouseHttp {
        #[command(flatten)]
        store: Store,
        /// Where to listen; port 0 lets the system choose.
        #[arg(
            long,
            env = "SNAG_CLICKHOUSE_HTTP_LISTEN",
            default_value = "127.0.0.1:8123"
        )]
        listen: SocketAddr,
        /// The user's name.
        #[arg(long, env = "SNAG_CLICKHOUSE_HTTP_USER", default_value = "default")]
        user: String,
        /// The user's password.
        #[arg(
            long,
            env = "SNAG_CLICKHOUSE_HTTP_PASSWORD",
            default_value = "",
            hide_env_values = true
        )]
        password: String,
    },
}

#[derive(Debug, Args)]
struct Serve {
    #[command(flatten)]
    store: Store,
    /// Where to listen; port 0 lets the system choose.
    #[arg(long, env = "SNAG_LISTEN", default_value = "127.0.0.1:8780")]
    listen: SocketAddr,
    /// Certificate chain (PEM). Without it the server speaks plain HTTP: keep that on
    /// loopback or behind a proxy.
    #[arg(long, env = "SNAG_TLS_CERT", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key (PEM).
    #[arg(long, env = "SNAG_TLS_KEY", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Also publish what happens on this Redis' channels `feedback:submitted`,
    /// `feedback:changed` and `incidents:detected`, and tell listeners what other servers
    /// publish there: redis://host:6379 or rediss://… (TLS: the system's authorities count,
    /// or those in the file that SSL_CERT_FILE names). The servers share one ClickHouse.
    #[arg(long, env = "SNAG_REDIS_URL", hide_env_values = true)]
    redis_url: Option<String>,
    /// Browsers reach the server by TLS at a proxy: mark cookies `Secure`, as with
    /// --tls-cert.
    #[arg(long, env = "SNAG_SECURE_COOKIES")]
    secure_cookies: bool,
    /// How old the knowledge of which labels are shared may be, in milliseconds.
    #[arg(long, env = "SNAG_LABEL_REFRESH_MS", default_value_t = 1_000)]
    label_refresh_ms: u64,
    /// Where screenshots are kept: a folder, or s3://bucket/prefix; `objects` in the data
    /// folder where not given. S3 takes its keys from AWS_ACCESS_KEY_ID and
    /// AWS_SECRET_ACCESS_KEY.
    #[arg(long, env = "SNAG_OBJECTS")]
    objects: Option<String>,
    /// The S3-compatible server, where it isn't AWS: https://minio.example:9000.
    #[arg(long, env = "SNAG_S3_ENDPOINT")]
    s3_endpoint: Option<String>,
    /// Its region.
    #[arg(long, env = "SNAG_S3_REGION")]
    s3_region: Option<String>,
    /// Take a client's address from the last entry of X-Forwarded-For. Only behind a
    /// proxy that writes it, since anyone can send the header.
    #[arg(long, env = "SNAG_TRUST_PROXY")]
    trust_proxy: bool,
    /// How long a batch's body may take to arrive, in milliseconds.
    #[arg(long, env = "SNAG_BODY_TIMEOUT_MS", default_value_t = 20_000)]
    body_timeout_ms: u64,
    /// Refuse screenshots while the disk has less free space than so many MiB.
    #[arg(long, env = "SNAG_DISK_FLOOR_MB", default_value_t = 1_024)]
    disk_floor_mb: u64,
    /// Refuse feedback and records, too, below so many MiB.
    #[arg(long, env = "SNAG_DISK_FLOOR_EVENTS_MB", default_value_t = 512)]
    disk_floor_events_mb: u64,
}

/// Where ClickHouse is: in this process over a data folder, or a server.
#[derive(Debug, Args)]
struct Store {
    /// Data folder of the embedded ClickHouse; one process at a time.
    #[arg(long, env = "SNAG_DATA", default_value = "snag-data", global = true)]
    data: PathBuf,
    /// Use this ClickHouse server instead of the embedded one: http://host:8123.
    #[arg(long, env = "SNAG_CLICKHOUSE_URL", global = true)]
    clickhouse_url: Option<String>,
    /// Its user.
    #[arg(
        long,
        env = "SNAG_CLICKHOUSE_USER",
        default_value = "default",
        global = true
    )]
    clickhouse_user: String,
    /// Its password; better given by SNAG_CLICKHOUSE_PASSWORD than as a flag.
    #[arg(
        long,
        env = "SNAG_CLICKHOUSE_PASSWORD",
        default_value = "",
        hide_env_values = true,
        global = true
    )]
    clickhouse_password: String,
    /// The database, here and there.
    #[arg(
        long,
        env = "SNAG_CLICKHOUSE_DATABASE",
        default_value = "snag",
        global = true
    )]
    clickhouse_database: String,
    /// The embedded ClickHouse's library file; found by itself after `make engine`.
    #[arg(long, env = "SNAG_CHDB_LIBRARY", global = true)]
    engine_library: Option<PathBuf>,
    /// Don't wait for the disk with each insert: faster, but power loss may take what
    /// was acknowledged.
    #[arg(long, env = "SNAG_NO_FSYNC", global = true)]
    no_fsync: bool,
}

#[derive(Debug, Subcommand)]
enum Migrate {
    /// Show how far each migration got.
    Status,
    /// Apply what is pending (the default).
    Up,
    /// Undo the last migrations. What their tables held is gone.
    Down {
        /// How many.
        #[arg(long, default_value_t = 1)]
        steps: usize,
    },
}

#[derive(Debug, Subcommand)]
enum Org {
    /// Make an organisation and print its first tokens, once.
    Create {
        /// Its name.
        #[arg(long)]
        name: String,
        /// Whom a person at a desktop can ask: an address or a name.
        #[arg(long)]
        contact: String,
        /// How many people must stand behind a figure or a readable label (at least 5).
        #[arg(long, default_value_t = 5)]
        k: u32,
        /// One person's own machine: k is 1, and every answer says so.
        #[arg(long, conflicts_with = "k")]
        local: bool,
        /// A policy (JSON) that differs from the default.
        #[arg(long)]
        policy: Option<PathBuf>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// List organisations.
    List,
    /// Print an organisation's policy (JSON).
    Policy {
        /// Name or identity.
        #[arg(long)]
        org: String,
        /// Give it this policy (JSON) instead.
        #[arg(long)]
        set: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
enum Token {
    /// Make a token and print it, once.
    Create {
        /// The organisation's name or identity.
        #[arg(long)]
        org: String,
        /// What it may do.
        #[arg(long, value_enum)]
        scope: Scope,
        /// What you call it: the audit log names its acts so.
        #[arg(long)]
        name: String,
        /// The part of the organisation that devices enrolled with it belong to.
        #[arg(long, default_value = "")]
        segment: String,
        /// When it ends by itself: a day or a moment (2026-11-20T09:00:00Z).
        #[arg(long, value_parser = parse_since)]
        expires_at: Option<Timestamp>,
    },
    /// List tokens; never the tokens themselves.
    List {
        /// The organisation's name or identity.
        #[arg(long)]
        org: String,
    },
    /// Revoke a token, by its id in `list`, by itself, or by its device's identity.
    Revoke {
        /// The organisation's name or identity.
        #[arg(long)]
        org: String,
        /// Which.
        token: String,
    },
}

fn parse_since(text: &str) -> Result<Timestamp, String> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    text.parse::<jiff::civil::Date>()
        .and_then(|day| day.to_zoned(jiff::tz::TimeZone::UTC))
        .map(|midnight| midnight.timestamp())
        .map_err(|_| "expected a day (2026-11-20) or a moment (2026-11-20T09:00:00Z)".to_owned())
}

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    start_log(cli.log_format);
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("snag-server: can't start: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(cli.command)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("snag-server: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn start_log(format: LogFormat) {
    let filter = tracing_subscriber::EnvFilter::try_from_env("SNAG_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
}

impl Store {
    async fn open(&self) -> anyhow::Result<Warehouse> {
        if let Some(url) = &self.clickhouse_url {
            return Warehouse::remote(RemoteOptions {
                url: url.clone(),
                user: self.clickhouse_user.clone(),
                password: self.clickhouse_password.clone(),
                database: self.clickhouse_database.clone(),
            })
            .with_context(|| format!("can't use ClickHouse at {url}"));
        }
        let options = EmbeddedOptions {
            library: self.engine_library.clone(),
            database: self.clickhouse_database.clone(),
            fsync: !self.no_fsync,
            ..EmbeddedOptions::new(&self.data)
        };
        let shown = self.data.display().to_string();
        tokio::task::spawn_blocking(move || Warehouse::embedded(options))
            .await?
            .with_context(|| format!("can't open the data folder {shown}"))
    }

    async fn open_migrated(&self) -> anyhow::Result<Warehouse> {
        let warehouse = self.open().await?;
        let applied = warehouse
            .migrate_up()
            .await
            .context("can't apply the migrations")?;
        if !applied.is_empty() {
            tracing::info!(?applied, "applied migrations");
        }
        Ok(warehouse)
    }
}

async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve(arguments) => run_serve(arguments).await?,
        Command::Migrate { store, action } => return run_migrate(&store, action).await,
        Command::Verify {
            store,
            repair,
            since,
        } => return run_verify(&store, repair, since).await,
        Command::Org { store, action } => {
            let warehouse = store.open_migrated().await?;
            let done = run_org(&warehouse, action).await;
            warehouse.close().await;
            done?;
        }
        Command::Token { store, action } => {
            let warehouse = store.open_migrated().await?;
            let done = run_token(&warehouse, action).await;
            warehouse.close().await;
            done?;
        }
        Command::User { store, action } => {
            let warehouse = store.open_migrated().await?;
            let done = accounts::command::run(&warehouse, action).await;
            warehouse.close().await;
            done?;
        }
        Command::Openapi => print!("{}", openapi::printed()),
        Command::ClickhouseHttp {
            store,
            listen,
            user,
            password,
        } => {
            // Whoever gets in may read and write this machine's files.
            anyhow::ensure!(
                listen.ip().is_loopback() || !password.is_empty(),
                "{listen} is reachable from other machines: give --password, or listen on loopback"
            );
            let warehouse = store.open().await?;
            let listener = tokio::net::TcpListener::bind(listen)
                .await
                .with_context(|| format!("can't listen on {listen}"))?;
            println!(
                "ClickHouse's HTTP interface on http://{}",
                listener.local_addr()?
            );
            let front = SqlFront::new(warehouse.clone(), SingleUser::new(user, &password));
            sql::serve(front, listener, serve::stop_signal()).await?;
            warehouse.close().await;
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl Serve {
    /// Where screenshots are kept, if it is a folder.
    fn objects_folder(&self) -> Option<PathBuf> {
        match &self.objects {
            None => Some(self.store.data.join("objects")),
            Some(place) if place.starts_with("s3://") => None,
            Some(place) => Some(PathBuf::from(place)),
        }
    }

    fn open_objects(&self) -> anyhow::Result<Objects> {
        if let Some(folder) = self.objects_folder() {
            return Objects::folder(&folder, !self.store.no_fsync);
        }
        let place = self.objects.as_deref().unwrap_or_default();
        let place = place.strip_prefix("s3://").unwrap_or(place);
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        anyhow::ensure!(!bucket.is_empty(), "--objects s3:// names no bucket");
        Objects::s3(&objects::S3 {
            bucket: bucket.to_owned(),
            prefix: prefix.trim_matches('/').to_owned(),
            endpoint: self.s3_endpoint.clone(),
            region: self.s3_region.clone(),
            keys: None,
        })
    }
}

async fn run_serve(arguments: Serve) -> anyhow::Result<()> {
    let warehouse = arguments.store.open_migrated().await?;
    let settings = Settings {
        label_refresh: std::time::Duration::from_millis(arguments.label_refresh_ms),
        body_timeout: std::time::Duration::from_millis(arguments.body_timeout_ms),
        disk_floors: disk::Floors {
            screenshots_bytes: arguments.disk_floor_mb << 20,
            // Whoever lowers the first floor alone means both.
            records_bytes: arguments.disk_floor_events_mb.min(arguments.disk_floor_mb) << 20,
        },
        secure_cookies: arguments.secure_cookies || arguments.tls_cert.is_some(),
        trust_proxy: arguments.trust_proxy,
        objects: arguments.open_objects()?,
        ..Settings::default()
    };
    let state = AppState::new(warehouse.clone(), settings, AppState::system_clock());
    let embedded = arguments.store.clickhouse_url.is_none();
    let folders = disk::Folders {
        data: embedded.then(|| arguments.store.data.clone()),
        objects: arguments.objects_folder(),
    };
    tokio::spawn(disk::watch(Arc::clone(&state.disk), folders));
    if let Some(url) = &arguments.redis_url {
        crate::live::bus::connect(&state.live, &state.metrics, url)
            .context("--redis-url isn't the address of a Redis")?;
    }
    let listen = Listen {
        address: arguments.listen,
        tls: arguments.tls_cert.zip(arguments.tls_key),
    };
    serve::serve(warehouse, state, &listen, serve::stop_signal()).await
}

async fn run_migrate(store: &Store, action: Option<Migrate>) -> anyhow::Result<ExitCode> {
    let warehouse = store.open().await?;
    match action.unwrap_or(Migrate::Up) {
        Migrate::Status => {
            let mut good = true;
            for status in warehouse.migrate_status().await? {
                let state = match status.state {
                    migrate::State::Pending => "pending".to_owned(),
                    migrate::State::Applied => "applied".to_owned(),
                    migrate::State::Applying(n) => format!("applied up to statement {n}"),
                    migrate::State::Reverting(n) => format!("undone up to statement {n}"),
                };
                println!("{:04}_{}  {state}", status.version, status.name);
                if let Some(fault) = status.fault {
                    good = false;
                    println!("      {fault}");
                }
            }
            warehouse.close().await;
            return Ok(if good {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            });
        }
        Migrate::Up => print_labels("applied", &warehouse.migrate_up().await?),
        Migrate::Down { steps } => print_labels("undone", &warehouse.migrate_down(steps).await?),
    }
    warehouse.close().await;
    Ok(ExitCode::SUCCESS)
}

fn print_labels(what: &str, labels: &[String]) {
    if labels.is_empty() {
        println!("nothing to do");
    }
    for label in labels {
        println!("{label}  {what}");
    }
}

async fn run_verify(
    store: &Store,
    repair: bool,
    since: Option<Timestamp>,
) -> anyhow::Result<ExitCode> {
    let warehouse = store.open_migrated().await?;
    let window = since.map_or(Window::All, Window::Since);
    let gate = Arc::default();
    let report = verify::verify(&warehouse, &window, repair.then_some(&gate)).await?;
    for difference in &report.differences {
        println!(
            "{} {} differs in {} rows",
            difference.rollup, difference.bucket, difference.keys
        );
    }
    for (rollup, partition) in &report.repaired {
        println!("{rollup} partition {partition} rebuilt");
    }
    for difference in &report.remaining {
        println!("{} {} still differs", difference.rollup, difference.bucket);
    }
    println!(
        "{} rollups compared: {} hours or days differed, {} partitions rebuilt",
        report.rollups.len(),
        report.differences.len(),
        report.repaired.len()
    );
    warehouse.close().await;
    let wrong = if repair {
        !report.remaining.is_empty()
    } else {
        !report.differences.is_empty()
    };
    Ok(if wrong {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

async fn run_org(warehouse: &Warehouse, action: Org) -> anyhow::Result<()> {
    match action {
        Org::Create {
            name,
            contact,
            k,
            local,
            policy,
            json,
        } => {
            let policy = match policy {
                Some(path) => read_policy(&path)?,
                None => OrgPolicy::default(),
            };
            let new = NewOrg {
                name: &name,
                contact: &contact,
                k,
                local,
                policy,
            };
            let created = control::create_org(warehouse, new, Timestamp::now()).await?;
            if json {
                println!("{}", serde_json::to_string_pretty(&created)?);
            } else {
                println!("organisation  {} ({})", created.name, created.org);
                println!("k             {}", created.k);
                println!("enrol devices {}", created.enroll_token);
                println!("read insights {}", created.analyst_token);
                println!("administer    {}", created.admin_token);
                println!("The tokens are shown only now. Only their hashes are kept.");
            }
        }
        Org::List => {
            for org in control::list_orgs(warehouse).await? {
                println!("{}  k={}  {}  {}", org.id, org.k, org.name, org.contact);
            }
        }
        Org::Policy { org, set } => {
            let org = control::find_org(warehouse, &org).await?;
            if let Some(path) = set {
                let policy = read_policy(&path)?;
                control::set_policy(warehouse, org, &policy, Timestamp::now()).await?;
            }
            let policy = control::policy_of(warehouse, org).await?;
            println!("{}", serde_json::to_string_pretty(&policy)?);
        }
    }
    Ok(())
}

fn read_policy(path: &std::path::Path) -> anyhow::Result<OrgPolicy> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("can't read {shown}"))?;
    let policy: OrgPolicy =
        serde_json::from_str(&text).with_context(|| format!("{shown} isn't a policy"))?;
    policy
        .check()
        .with_context(|| format!("{shown} isn't a policy"))?;
    Ok(policy)
}

async fn run_token(warehouse: &Warehouse, action: Token) -> anyhow::Result<()> {
    match action {
        Token::Create {
            org,
            scope,
            name,
            segment,
            expires_at,
        } => {
            anyhow::ensure!(
                scope != Scope::Device,
                "a device's token is made when the device enrols"
            );
            let org = control::find_org(warehouse, &org).await?;
            let new = NewToken {
                org,
                scope,
                name: &name,
                device: None,
                segment: &segment,
                expires_at,
            };
            let now = Timestamp::now();
            new.check(warehouse, now).await?;
            let token = auth::mint(scope);
            let target = control::token_id(&token);
            let act = Act {
                action: "token.create",
                target: &target,
                detail: json!({"scope": scope, "name": name, "expires_at": expires_at}),
            };
            let actor = accounts::command::operator(warehouse, org).await?;
            audit::log(warehouse, &actor, &[act], now).await?;
            control::store_token(warehouse, &token, &new, now).await?;
            println!("{token}");
        }
        Token::List { org } => {
            let org = control::find_org(warehouse, &org).await?;
            for token in control::list_tokens(warehouse, org).await? {
                println!(
                    "{}  {:8}  {}  {}",
                    token.id,
                    token.scope.as_str(),
                    token.created_at,
                    token.name
                );
            }
        }
        Token::Revoke { org, token } => {
            let org = control::find_org(warehouse, &org).await?;
            let now = Timestamp::now();
            let found = control::find_tokens(warehouse, org, &token).await?;
            let acts: Vec<Act<'_>> = found
                .iter()
                .map(|token| Act {
                    action: "token.revoke",
                    target: token.token_hash.get(..12).unwrap_or_default(),
                    detail: json!({"scope": token.scope, "name": token.name}),
                })
                .collect();
            let actor = accounts::command::operator(warehouse, org).await?;
            audit::log(warehouse, &actor, &acts, now).await?;
            control::revoke_tokens(warehouse, &found, now).await?;
            println!("revoked");
        }
    }
    Ok(())
}
