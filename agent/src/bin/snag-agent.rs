//! The headless agent's command line.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use snag_agent::commands::{enroll, erase, export, replay, run, send, status};
use snag_agent::config::Paths;
use tracing_subscriber::EnvFilter;

/// Notices where programs get in people's way, and tells the organisation's server.
#[derive(Parser)]
#[command(name = "snag-agent", version)]
struct Cli {
    /// The folder that records and the enrolment are kept in
    #[arg(long, env = "SNAG_DATA_DIR", global = true)]
    data_dir: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Join an organisation
    Enroll(enroll::Options),
    /// Capture this desktop until told to stop
    Run,
    /// Run a recording through the same engine
    Replay(replay::Options),
    /// Say what is captured, what isn't and why, and what waits to be sent
    Status(status::Options),
    /// Send what waits, now
    Send,
    /// Print every record that is kept here
    Export,
    /// Delete every record that is kept here
    Erase(erase::Options),
}

/// Exit status for input that is at fault, as for a wrong command line.
const EXIT_BAD_INPUT: u8 = 2;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let filter = EnvFilter::try_from_env("SNAG_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let result = runtime
        .context("the system gives no resources to start")
        .and_then(|runtime| runtime.block_on(execute(cli)));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            if replay::is_malformed(&error) {
                EXIT_BAD_INPUT.into()
            } else {
                ExitCode::FAILURE
            }
        }
    }
}

async fn execute(cli: Cli) -> Result<()> {
    let data_dir = cli.data_dir;
    let paths = move || {
        let root = data_dir.or_else(Paths::default_root).context(
            "this environment has no home folder: say where to keep things with --data-dir",
        )?;
        Paths::at(&root).with_context(|| format!("the folder {} can't be used", root.display()))
    };
    match cli.command {
        Command::Enroll(options) => enroll::run(&paths()?, options).await,
        Command::Run => run::run(&paths()?).await,
        Command::Replay(options) => replay::run(paths, options).await,
        Command::Status(options) => status::run(paths, &options),
        Command::Send => send::run(&paths()?).await,
        Command::Export => export::run(&paths()?),
        Command::Erase(options) => erase::run(&paths()?, &options),
    }
}
