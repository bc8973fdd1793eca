//! `snag-agent send`: sends what waits, now.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use super::{flush, open_spool, start_sync};
use crate::config::{Identity, Paths};
use crate::sync::LabelStore;

/// Sends what waits and says how much it was.
///
/// # Errors
/// When something still waits after two minutes, with the reason.
pub async fn run(paths: &Paths) -> Result<()> {
    let identity = Identity::load(&paths.identity())?;
    let spool = open_spool(paths)?;
    let waiting = spool.waiting().records();
    let (sync, _policy) = start_sync(&identity, &spool, &Arc::new(LabelStore::new()))?;
    let sent = flush(&sync).await;
    sync.stop(Duration::from_secs(5)).await;
    sent?;
    println!("Sent {waiting} records to {}.", identity.server);
    Ok(())
}
