//! Everything that goes over the wire, kept to be searched.

use std::io::Read;
use std::net::SocketAddr;
use std::sync::PoisonError;

use anyhow::Result;
use tokio::runtime::{Builder, Runtime};

use crate::proxy::{self, NO_FAULTS, Proxy};
use crate::search::holds;

/// A proxy that changes nothing and keeps every request.
pub struct Wire {
    proxy: Proxy,
    _runtime: Runtime,
}

impl Wire {
    /// In front of this server.
    ///
    /// # Errors
    /// When no port of the loopback can be bound.
    pub fn to(server: SocketAddr) -> Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let proxy = runtime.block_on(proxy::start(server, NO_FAULTS, 1))?;
        Ok(Self {
            proxy,
            _runtime: runtime,
        })
    }

    /// Its address as a URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.proxy.address)
    }

    /// How many requests there were.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.kept().len()
    }

    /// Whether a request held this, packed or not.
    ///
    /// # Errors
    /// When a body is no gzip that begins as one.
    pub fn held(&self, secret: &str) -> Result<bool> {
        for mut request in self.kept() {
            if let Some(start) = request.windows(2).position(|w| w == [0x1f, 0x8b]) {
                let packed = request[start..].to_vec();
                flate2::read::GzDecoder::new(packed.as_slice()).read_to_end(&mut request)?;
            }
            if holds(&request, secret) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn kept(&self) -> Vec<Vec<u8>> {
        let requests = self.proxy.requests.lock();
        requests.unwrap_or_else(PoisonError::into_inner).clone()
    }
}
