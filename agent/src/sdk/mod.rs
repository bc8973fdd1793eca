//! The local SDK: an HTTP endpoint on loopback for programs of the same person.
//!
//! `sdk.json` in Snag's folder, which only its owner can read, names the address and a token that is new with each
//! start. `SDK.md` beside this crate is the manual; a test runs its examples.
//!
//! **Invariants:** a request is looked at only if it names this endpoint in `Host`, comes from no browser (any
//! `Origin`, any `Sec-Fetch-*`), and carries the token; no answer ever allows another origin. What programs say goes
//! the way of what capture sees: through the redactor, and only while this desktop is captured.

mod guard;
mod rate;
mod routes;
mod serve;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use rand::RngCore;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::config::write_private;
use crate::host::Host;
use guard::Guard;

/// Largest body of a request.
pub const BODY_BYTES_MAX: usize = 64 << 10;

/// What `sdk.json` says.
#[derive(Clone, Serialize, Deserialize)]
pub struct Access {
    /// `http://127.0.0.1:40123`.
    pub address: String,
    /// The port of that address.
    pub port: u16,
    /// To be sent as `Authorization: Bearer …`.
    pub token: String,
}

/// The running endpoint. Dropping it ends it and removes the file.
pub struct Sdk {
    file: PathBuf,
    task: JoinHandle<()>,
}

impl Sdk {
    /// Listens on a port that the system chooses, and writes the file. Needs a tokio runtime.
    ///
    /// # Errors
    /// No port can be had, or the file can't be written.
    pub async fn start(host: Host, file: PathBuf) -> std::io::Result<Self> {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        let port = listener.local_addr()?.port();
        let mut random = [0_u8; 32];
        rand::rng().fill_bytes(&mut random);
        let token: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let access = Access {
            address: format!("http://127.0.0.1:{port}"),
            port,
            token: token.clone(),
        };
        let bytes = serde_json::to_vec_pretty(&access).map_err(std::io::Error::other)?;
        write_private(&file, &bytes)?;
        let router = routes::router(host, Arc::new(Guard::new(port, token)));
        let task = tokio::spawn(serve::run(listener, router));
        tracing::info!(port, "the local SDK listens");
        Ok(Self { file, task })
    }

    /// Ends it, and returns when it has.
    pub async fn stop(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }
}

impl Drop for Sdk {
    fn drop(&mut self) {
        self.task.abort();
        let _ = std::fs::remove_file(&self.file);
    }
}
