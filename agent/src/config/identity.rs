//! Whom the device is enrolled with.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use snag_wire::PolicyAnswer;
use uuid::Uuid;

use super::paths::write_private;

/// The device's identity with one server, and the last policy it got from it.
#[derive(Clone, Serialize, Deserialize)]
pub struct Identity {
    /// The server's address, `https://…`.
    pub server: String,
    /// PEM file of the certificate authority that signed the server's certificate,
    /// where it isn't one that the system trusts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<std::path::PathBuf>,
    /// What the organisation calls the set of programs it looks at.
    pub product: String,
    /// The identity, minted by the server.
    pub device: Uuid,
    /// The device's token.
    pub device_token: String,
    /// The last policy, so that a start without a network follows it.
    pub policy: PolicyAnswer,
}

/// Why there is no identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// `enroll` was never called.
    #[error("this device isn't enrolled: run `snag-agent enroll --server URL --token TOKEN` first")]
    NotEnrolled,
    /// The file is there and can't be used.
    #[error("{path} can't be used ({reason}): delete it and enrol again")]
    Unusable {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl Identity {
    /// Reads the identity.
    ///
    /// # Errors
    /// When there is none, or the file isn't one.
    pub fn load(path: &Path) -> Result<Self, IdentityError> {
        let unusable = |reason: String| IdentityError::Unusable {
            path: path.display().to_string(),
            reason,
        };
        match std::fs::read(path) {
            Ok(content) => serde_json::from_slice(&content).map_err(|e| unusable(e.to_string())),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Err(IdentityError::NotEnrolled),
            Err(e) => Err(unusable(e.to_string())),
        }
    }

    /// Keeps the identity, readable by its owner only.
    ///
    /// # Errors
    /// When the folder can't be written to.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        let content = serde_json::to_vec_pretty(self).map_err(io::Error::other)?;
        write_private(path, &content)
    }
}
