//! When programs last used their tokens: coarse and cheap.
//!
//! A use is noted in memory; once a minute, the first use after it writes what gathered, in
//! one insert that nobody waits for. Devices' tokens are not noted: there are thousands, and
//! their records say when they were last there.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use snag_warehouse::{Query, Warehouse, WarehouseError};

use crate::AppState;

/// How often uses are written.
const WRITE_EVERY_S: i64 = 60;
/// Tokens whose use is noted; more than that in a minute aren't.
const NOTED_MAX: usize = 10_000;

/// Uses that aren't written yet.
#[derive(Default)]
pub struct Uses {
    noted: Mutex<Noted>,
}

#[derive(Default)]
struct Noted {
    /// Seconds since 1970 by token hash.
    uses: HashMap<String, i64>,
    written_at_s: i64,
}

impl Uses {
    /// Notes that a token is used now.
    pub fn note(&self, state: &Arc<AppState>, token_hash: String) {
        let now_s = state.now().as_second();
        let due = {
            let mut noted = self.noted.lock();
            if noted.uses.len() < NOTED_MAX || noted.uses.contains_key(&token_hash) {
                noted.uses.insert(token_hash, now_s);
            }
            let due = now_s >= noted.written_at_s + WRITE_EVERY_S;
            if due {
                noted.written_at_s = now_s;
            }
            due
        };
        if due {
            let state = Arc::clone(state);
            tokio::spawn(async move {
                if let Err(error) = state.tokens.uses.write(&state.warehouse).await {
                    tracing::warn!(%error, "the use of tokens was not noted");
                }
            });
        }
    }

    /// Writes what gathered.
    ///
    /// # Errors
    /// The warehouse's; what gathered is lost, as a later use says more.
    pub async fn write(&self, warehouse: &Warehouse) -> Result<(), WarehouseError> {
        let uses = std::mem::take(&mut self.noted.lock().uses);
        if uses.is_empty() {
            return Ok(());
        }
        let sql = "INSERT INTO token_uses (token_hash, used_at) \
                   SELECT use.1, toDateTime(toInt64(use.2), 'UTC') FROM \
                   (SELECT arrayJoin(arrayZip({hashes:Array(String)}, {times:Array(String)})) AS use)";
        let insert = Query::new(sql)
            .param_strings("hashes", uses.keys())
            .param_strings("times", uses.values().map(ToString::to_string));
        warehouse.execute(insert).await
    }
}
