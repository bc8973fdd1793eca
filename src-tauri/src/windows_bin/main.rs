//! Draws the windows of the desktop app, which starts it for the first and ends it after the last.

mod link;
mod sizes;
mod windows;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

/// Draws the windows of Snag. The app starts it; by hand it does nothing.
#[derive(Parser)]
#[command(name = "snag-windows", version)]
struct Cli {
    /// The agent's folder
    #[arg(long)]
    data_dir: PathBuf,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    // It was started from an open file, whose number would be its name in the system's lists.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::thread::set_name(c"snag-windows") {
        eprintln!("this process has no name of its own ({error})");
    }
    let filter = EnvFilter::try_from_env("SNAG_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    match link::run(&cli.data_dir) {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("{sentence}");
            ExitCode::FAILURE
        }
    }
}
