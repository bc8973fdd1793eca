//! `snag-agent run`: captures this desktop until it is told to stop.

use anyhow::Result;

use crate::config::Paths;
use crate::host::{Host, HostOptions};

/// Captures and sends until SIGINT or SIGTERM.
///
/// # Errors
/// When the device isn't enrolled, its policy can't be followed, there is no display,
/// or the spool can't be opened.
pub async fn run(paths: &Paths) -> Result<()> {
    let host = Host::start(paths.clone(), HostOptions::headless()).await?;
    let ended = tokio::select! {
        told = told_to_stop() => { told?; Ok(()) }
        ended = host.ended() => ended,
    };
    host.stop().await;
    Ok(ended?)
}

#[cfg(unix)]
async fn told_to_stop() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

#[cfg(not(unix))]
async fn told_to_stop() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}
