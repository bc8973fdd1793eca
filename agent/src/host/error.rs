//! Why there is no host, or why it ended.

use std::path::PathBuf;

use snag_capture::CaptureError;
use snag_core::PolicyError;
use snag_spool::SpoolError;

use crate::config::IdentityError;
use crate::desktop::settings::ManagedError;

/// Why the agent doesn't run in this process.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// IT's file can't be followed.
    #[error(transparent)]
    Managed(#[from] ManagedError),
    /// Another process has the folder.
    #[error("the agent is running with {}: stop it, or use another --data-dir", .0.display())]
    InUse(PathBuf),
    /// The device isn't enrolled, or its identity can't be used.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// Records can't be stored.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The policy makes no sense.
    #[error(
        "the organisation's policy can't be followed, so nothing is captured; its administrator has to correct it"
    )]
    Policy(#[from] PolicyError),
    /// The server's address or certificate authority can't be used.
    #[error("{0}")]
    Server(String),
    /// This desktop can't be captured.
    #[error("capture can't start")]
    Capture(#[from] CaptureError),
    /// Capture ended by itself.
    #[error("capture ended: {0}")]
    CaptureLost(String),
    /// The system gives no thread.
    #[error("a thread could not be started: {0}")]
    Thread(std::io::Error),
    /// The thread that reads the desktop ended without a word.
    #[error("the agent's thread ended unexpectedly")]
    ThreadEnded,
}
