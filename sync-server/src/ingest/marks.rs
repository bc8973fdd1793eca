//! The highest sequence number that each table holds for a device.
//!
//! **Invariant:** what a mark covers is in its table, or in a block on its way there
//! whose failure forgets the mark before anybody is told of a duplicate. A device
//! sends in order and waits for each answer, so that a record below a mark has been
//! stored: it can't be one that arrives for the first time.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use serde::Deserialize;
use snag_warehouse::{Query, Warehouse, WarehouseError};
use uuid::Uuid;

use super::rows::Table;
use crate::db;

/// Devices kept in memory: 100 bytes each. Beyond that all are forgotten and read anew.
const DEVICES_MAX: usize = 1_000_000;

/// By table, in the order of [`Table::ALL`]; `None` where the table has nothing.
pub type DeviceMarks = [Option<u64>; Table::ALL.len()];

/// A device of an organisation.
pub type Key = (Arc<str>, Uuid);

/// The marks of all devices seen lately.
#[derive(Default)]
pub struct Marks {
    known: Mutex<HashMap<Uuid, DeviceMarks>>,
}

impl Marks {
    /// The marks of a device, where they are in memory. Device identities are minted by
    /// the server and belong to one organisation.
    #[must_use]
    pub fn get(&self, device: Uuid) -> Option<DeviceMarks> {
        self.known.lock().get(&device).copied()
    }

    /// Raises a device's marks.
    pub fn set(&self, device: Uuid, marks: DeviceMarks) {
        self.known.lock().insert(device, marks);
    }

    /// Forgets devices, so that their marks are read again.
    pub fn forget(&self, devices: impl IntoIterator<Item = Uuid>) {
        let mut known = self.known.lock();
        for device in devices {
            known.remove(&device);
        }
    }

    /// Forgets all devices, so that their marks are read again.
    pub fn forget_all(&self) {
        self.known.lock().clear();
    }

    /// Keeps the memory bounded. Only to be called while no block is on its way: a mark
    /// that is read anew must find in the tables whatever was answered.
    pub fn trim(&self) {
        let mut known = self.known.lock();
        if known.len() > DEVICES_MAX {
            known.clear();
        }
    }

    /// Reads the marks of the devices that aren't in memory, all in one query.
    ///
    /// # Errors
    /// The warehouse's.
    pub async fn read(&self, warehouse: &Warehouse, devices: &[Key]) -> Result<(), WarehouseError> {
        let missing: Vec<&Key> = {
            let known = self.known.lock();
            devices
                .iter()
                .filter(|(_, device)| !known.contains_key(device))
                .collect()
        };
        if missing.is_empty() {
            return Ok(());
        }
        let read = read(warehouse, &missing).await?;
        let mut known = self.known.lock();
        for (_, device) in missing {
            let marks = read.get(device).copied().unwrap_or_default();
            known.insert(*device, marks);
        }
        Ok(())
    }
}

/// The marks of one device, past what is in memory.
///
/// # Errors
/// The warehouse's.
pub async fn read_one(
    warehouse: &Warehouse,
    org: &str,
    device: Uuid,
) -> Result<DeviceMarks, WarehouseError> {
    let key = (Arc::from(org), device);
    let read = read(warehouse, &[&key]).await?;
    Ok(read.get(&device).copied().unwrap_or_default())
}

async fn read(
    warehouse: &Warehouse,
    devices: &[&Key],
) -> Result<HashMap<Uuid, DeviceMarks>, WarehouseError> {
    #[derive(Deserialize)]
    struct Row {
        table: usize,
        device: Uuid,
        seq: u64,
    }
    let sql = Table::ALL
        .iter()
        .enumerate()
        .map(|(index, table)| {
            format!(
                "SELECT {index} AS table, device, max(seq) AS seq FROM {} \
                 WHERE org IN {{orgs:Array(String)}} AND device IN {{devices:Array(UUID)}} \
                 GROUP BY device",
                table.name()
            )
        })
        .collect::<Vec<_>>()
        .join(" UNION ALL ");
    let mut orgs: Vec<&str> = devices.iter().map(|(org, _)| org.as_ref()).collect();
    orgs.sort_unstable();
    orgs.dedup();
    let query = Query::read(sql).param_strings("orgs", orgs).param_strings(
        "devices",
        devices.iter().map(|(_, device)| device.to_string()),
    );
    let rows: Vec<Row> = db::rows(warehouse, query).await?;
    let mut marks: HashMap<Uuid, DeviceMarks> = HashMap::new();
    for row in rows {
        marks.entry(row.device).or_default()[row.table] = Some(row.seq);
    }
    Ok(marks)
}

/// The lowest sequence number above all marks.
#[must_use]
pub fn next_seq(marks: &DeviceMarks) -> u64 {
    marks.iter().flatten().max().map_or(0, |seq| seq + 1)
}
