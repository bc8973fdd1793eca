//! Keeps slices in memory, and knows which of them ClickHouse has changed since.
//!
//! **Invariant:** a request is answered from what ClickHouse held when the request
//! came, or later: everything that was acknowledged before is in the answer. Whoever
//! writes through this process raises the warehouse's generation, and a request that
//! finds it raised first asks ClickHouse for the names of the parts its tables are
//! made of. A part is never changed, only replaced by one of another name, so that
//! parts that came or went say which days to read again. Writers elsewhere (another
//! server on the same remote warehouse) are seen within [`LOOK_AGAIN`].

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use snag_warehouse::{Query, Warehouse, WarehouseError};
use tokio::time::Instant;

use super::load;
use super::period::{Piece, SliceKey};
use super::slice::{Dictionary, Slice};

/// How old the knowledge of what other servers wrote may be.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Memory for slices. A slice of a day takes some 110 bytes a screen, version and
/// segment and 16 a session and screen: 250 MB is a year of 500 desks.
const SLICES_BYTES_MAX: usize = 256 << 20;

/// Changed days remembered one by one; beyond, everything counts as changed.
const DIRTY_DAYS_MAX: usize = 10_000;

/// Slices by organisation and product.
#[derive(Default)]
pub struct Store {
    cubes: Mutex<HashMap<(String, String), Arc<Cube>>>,
    changes: Mutex<Changes>,
    /// One asks for parts at a time; the others wait for what it learns.
    looking: tokio::sync::Mutex<()>,
    clock: std::sync::atomic::AtomicU64,
}

/// The slices of one product.
#[derive(Default)]
pub(super) struct Cube {
    pub(super) dictionary: RwLock<Dictionary>,
    slices: Mutex<HashMap<SliceKey, Entry>>,
    /// One reads slices at a time; the others wait and find them.
    loading: tokio::sync::Mutex<()>,
}

struct Entry {
    slice: Arc<Slice>,
    /// The epoch whose changes it has.
    epoch: u64,
    used: u64,
}

/// A part of a table and the hours its rows lie in, in seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Part {
    table: String,
    name: String,
    from_s: u32,
    to_s: u32,
}

/// What is known of ClickHouse's changes.
#[derive(Default)]
struct Changes {
    looked: Option<(Instant, u64)>,
    parts: HashSet<Part>,
    /// Rises with each look that found a change.
    epoch: u64,
    /// The epoch that last changed a day.
    dirty: HashMap<i64, u64>,
    dirty_all: u64,
    /// The epoch that last changed the raw rows, of whatever day.
    dirty_exact: u64,
}

impl Changes {
    fn holds(&self, key: SliceKey, entry_epoch: u64) -> bool {
        let exact = matches!(key, SliceKey::Exact(_));
        entry_epoch >= self.dirty_all
            && entry_epoch >= self.dirty.get(&key.day()).copied().unwrap_or(0)
            && (!exact || entry_epoch >= self.dirty_exact)
    }

    fn learn(&mut self, parts: HashSet<Part>) {
        if self.parts == parts {
            return;
        }
        self.epoch += 1;
        let changed: Vec<&Part> = self.parts.symmetric_difference(&parts).collect();
        for part in changed {
            if !part.table.ends_with("_by_hour") {
                self.dirty_exact = self.epoch;
                continue;
            }
            for day in part.from_s / 86_400..=part.to_s / 86_400 {
                self.dirty.insert(i64::from(day), self.epoch);
            }
        }
        if self.dirty.len() > DIRTY_DAYS_MAX {
            self.dirty.clear();
            self.dirty_all = self.epoch;
        }
        self.parts = parts;
    }
}

/// What a period is folded from.
#[derive(Default)]
pub(super) struct Slices {
    pub(super) cube: Arc<Cube>,
    /// For each period asked for, its slices and the part of each that counts.
    pub(super) periods: Vec<Vec<(Arc<Slice>, std::ops::Range<u32>)>>,
}

impl Store {
    /// The slices that the pieces of some periods are made of.
    pub(super) async fn slices(
        &self,
        warehouse: &Warehouse,
        org: &str,
        product: &str,
        periods: &[Vec<Piece>],
    ) -> Result<Slices, WarehouseError> {
        let epoch = self.look(warehouse).await?;
        let cube = self.cube(org, product);
        let mut keys: Vec<SliceKey> = periods.iter().flatten().map(|piece| piece.key).collect();
        keys.sort_unstable();
        keys.dedup();

        let mut found = HashMap::with_capacity(keys.len());
        self.collect(&cube, &keys, &mut found);
        if found.len() < keys.len() {
            let _loading = cube.loading.lock().await;
            self.collect(&cube, &keys, &mut found);
            keys.retain(|key| !found.contains_key(key));
            if !keys.is_empty() {
                let loaded = load::load(warehouse, org, product, &keys).await?;
                let read = load::read(&loaded, &mut cube.dictionary.write())?;
                let mut slices = cube.slices.lock();
                for (key, slice) in read {
                    let slice = Arc::new(slice);
                    found.insert(key, Arc::clone(&slice));
                    let used = self.tick();
                    slices.insert(key, Entry { slice, epoch, used });
                }
                drop(slices);
                self.make_room();
            }
        }
        let periods = periods
            .iter()
            .map(|pieces| {
                pieces
                    .iter()
                    .filter_map(|piece| {
                        let slice = found.get(&piece.key)?;
                        Some((Arc::clone(slice), piece.offsets.clone()))
                    })
                    .collect()
            })
            .collect();
        Ok(Slices { cube, periods })
    }

    fn tick(&self) -> u64 {
        self.clock
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed)
    }

    fn cube(&self, org: &str, product: &str) -> Arc<Cube> {
        let mut cubes = self.cubes.lock();
        let key = (org.to_owned(), product.to_owned());
        Arc::clone(cubes.entry(key).or_default())
    }

    /// Adds to `found` what is cached and still holds.
    fn collect(&self, cube: &Cube, keys: &[SliceKey], found: &mut HashMap<SliceKey, Arc<Slice>>) {
        let changes = self.changes.lock();
        let mut slices = cube.slices.lock();
        let used = self.tick();
        for key in keys {
            if let Some(entry) = slices.get_mut(key)
                && changes.holds(*key, entry.epoch)
            {
                entry.used = used;
                found.insert(*key, Arc::clone(&entry.slice));
            }
        }
    }

    /// Learns what changed, where something may have; returns the epoch that is known.
    async fn look(&self, warehouse: &Warehouse) -> Result<u64, WarehouseError> {
        let wanted = warehouse.generation();
        if let Some(epoch) = self.looked(wanted) {
            return Ok(epoch);
        }
        let _looking = self.looking.lock().await;
        if let Some(epoch) = self.looked(wanted) {
            return Ok(epoch);
        }
        let generation = warehouse.generation();
        let at = Instant::now();
        let parts = read_parts(warehouse).await?;
        let mut changes = self.changes.lock();
        changes.learn(parts);
        changes.looked = Some((at, generation));
        Ok(changes.epoch)
    }

    fn looked(&self, wanted: u64) -> Option<u64> {
        let changes = self.changes.lock();
        let (at, generation) = changes.looked?;
        (generation >= wanted && at.elapsed() < LOOK_AGAIN).then_some(changes.epoch)
    }

    /// Lets go of what was used longest ago until the rest fits.
    fn make_room(&self) {
        let mut cubes = self.cubes.lock();
        // Names are never let go of one by one: a cube whose names alone are large
        // starts anew, and so does one that has nothing left.
        cubes.retain(|_, cube| {
            let small = cube.dictionary.read().size_bytes() < SLICES_BYTES_MAX / 2;
            small && (!cube.slices.lock().is_empty() || Arc::strong_count(cube) > 1)
        });
        let size = |cube: &Arc<Cube>| -> usize {
            let slices = cube.slices.lock();
            slices.values().map(|e| e.slice.size_bytes()).sum()
        };
        let mut total: usize = cubes.values().map(size).sum();
        if total <= SLICES_BYTES_MAX {
            return;
        }
        let mut oldest: Vec<(u64, SliceKey, Arc<Cube>)> = Vec::new();
        for cube in cubes.values() {
            let slices = cube.slices.lock();
            oldest.extend(slices.iter().map(|(k, e)| (e.used, *k, Arc::clone(cube))));
        }
        oldest.sort_unstable_by_key(|(used, key, _)| (*used, *key));
        for (_, key, cube) in oldest {
            if total <= SLICES_BYTES_MAX / 4 * 3 {
                break;
            }
            if let Some(entry) = cube.slices.lock().remove(&key) {
                total -= entry.slice.size_bytes();
            }
        }
    }
}

async fn read_parts(warehouse: &Warehouse) -> Result<HashSet<Part>, WarehouseError> {
    // Tables by hour are partitioned by it, so that a part knows its first and last.
    let sql = "SELECT table, name, toUInt32(min_time), toUInt32(max_time) FROM system.parts \
               WHERE active AND database = {database:String} AND table IN \
               ('sessions_by_hour', 'screens_by_hour', 'incidents_by_hour', \
                'sessions', 'screens', 'incidents')";
    let query = Query::read(sql)
        .param("database", warehouse.database())
        .setting("max_threads", 1)
        .format("RowBinary");
    let answer = warehouse.select(query).await?;
    let mut rows = super::rowbinary::Rows::new(&answer);
    let mut parts = HashSet::new();
    while !rows.is_empty() {
        parts.insert(Part {
            table: rows.text()?.to_owned(),
            name: rows.text()?.to_owned(),
            from_s: rows.u32()?,
            to_s: rows.u32()?,
        });
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(table: &str, name: &str, from_day: u32, to_day: u32) -> Part {
        Part {
            table: table.to_owned(),
            name: name.to_owned(),
            from_s: from_day * 86_400,
            to_s: to_day * 86_400 + 3_600,
        }
    }

    #[test]
    fn only_days_of_parts_that_came_or_went_are_read_again() {
        let mut changes = Changes::default();
        changes.learn(HashSet::from([
            part("screens_by_hour", "a_1", 1, 9),
            part("screens", "r_1", 1, 9),
        ]));
        let loaded = changes.epoch;
        assert!(changes.holds(SliceKey::Day(5), loaded));

        changes.learn(HashSet::from([
            part("screens_by_hour", "a_1", 1, 9),
            part("screens_by_hour", "a_2", 9, 9),
            part("screens", "r_1", 1, 9),
        ]));
        assert!(changes.holds(SliceKey::Day(8), loaded));
        assert!(!changes.holds(SliceKey::Day(9), loaded));
        assert!(!changes.holds(SliceKey::Hours(9), loaded));
        assert!(changes.holds(SliceKey::Day(9), changes.epoch));
        assert!(changes.holds(SliceKey::Exact(8 * 24), loaded));

        // A partition that was replaced or dropped.
        changes.learn(HashSet::from([part("screens", "r_2", 1, 9)]));
        assert!(!changes.holds(SliceKey::Day(3), loaded));
        assert!(!changes.holds(SliceKey::Exact(3 * 24), loaded));
    }
}
