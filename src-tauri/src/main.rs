//! Starts the desktop app.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use snag_desktop::app::{self, Start};
use snag_desktop::instance::{self, Instance, Request};
#[cfg(target_os = "linux")]
use snag_desktop::libraries;
use snag_desktop::{notices, surroundings};
use tracing_subscriber::EnvFilter;

/// Notices where programs get in people's way, and lets them say so.
#[derive(Parser)]
#[command(name = "snag-desktop", version)]
struct Cli {
    /// The folder that records and the enrolment are kept in
    #[arg(long, env = "SNAG_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// Open no window: for the start of a session
    #[arg(long)]
    hidden: bool,
    /// A link: snag://feedback, snag://knows or snag://settings
    link: Option<String>,
}

/// Exit status where there is no display.
const EXIT_NO_DISPLAY: u8 = 2;

fn main() -> ExitCode {
    let cli = Cli::parse();
    #[cfg(target_os = "linux")]
    libraries::set_up();
    let filter = EnvFilter::try_from_env("SNAG_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    if let Err(sentence) = surroundings::display() {
        eprintln!("{sentence}");
        return EXIT_NO_DISPLAY.into();
    }
    match start(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            notices::cannot_start(&sentence);
            ExitCode::FAILURE
        }
    }
}

fn start(cli: Cli) -> Result<(), String> {
    let paths = app::paths(cli.data_dir.as_deref())?;
    let request = Request {
        link: cli.link,
        hidden: cli.hidden,
    };
    let first = match instance::take(paths.root(), &request) {
        Ok(Instance::First(first)) => first,
        Ok(Instance::Second) => return Ok(()),
        Err(error) => {
            return Err(format!(
                "The folder {} can't be used ({error}), so nothing could be kept and Snag doesn't start. \
                 Make it writable, or name another one with --data-dir.",
                paths.root().display()
            ));
        }
    };
    let named_folder = cli
        .data_dir
        .map(|folder| std::path::absolute(&folder).unwrap_or(folder));
    let program = std::env::current_exe().map_err(|error| {
        format!("Snag can't start: this program's folder isn't known ({error}).")
    })?;
    app::run(
        Start {
            program,
            paths,
            named_folder,
            request,
        },
        first,
    )
    .map_err(|error| format!("Snag can't start: {error}"))
}
