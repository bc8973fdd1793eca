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

/// What is read beside a slice of hours or raw rows that is missing: its neighbours, as
/// many as this holds. Raw rows lie by device and not by time, so that an hour costs
/// ClickHouse nearly what a month does, and who asks for one edge asks for others.
const READ_AHEAD_BYTES: usize = SLICES_BYTES_MAX / 8;

/// At most so many days to either side, however little they hold.
const READ_AHEAD_DAYS_MAX: usize = 31;

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
    /// One reads slices of rollups at a time; the others wait and find them.
    loading: tokio::sync::Mutex<()>,
    /// The same for slices of raw rows, which take longer.
    loading_exact: tokio::sync::Mutex<()>,
}

struct Entry {
    slice: Arc<Slice>,
    /// The epoch whose changes it has.
    epoch: u64,
    /// Whether it counts as many records as the rollups of the same time. A slice of
    /// raw rows that doesn't was read while an insert was in one and not the other yet.
    settled: bool,
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

impl Part {
    /// The parts of `gone` that it was merged from, if it holds nothing beside: a name is
    /// `partition_firstblock_lastblock_level[_mutation]`, each insert is a block, and a
    /// merge is of parts whose blocks follow one another.
    fn made_of<'p>(&self, gone: &[&'p Part]) -> Vec<&'p Part> {
        let Some(own) = self.blocks() else {
            return Vec::new();
        };
        let mut sources: Vec<(Blocks<'_>, &Part)> = gone
            .iter()
            .filter(|part| part.table == self.table)
            .filter_map(|part| Some((part.blocks()?, *part)))
            .filter(|(blocks, _)| {
                (blocks.partition, blocks.mutation) == (own.partition, own.mutation)
                    && blocks.first >= own.first
                    && blocks.last <= own.last
            })
            .collect();
        sources.sort_unstable_by_key(|(blocks, _)| blocks.first);
        let mut next = own.first;
        for (blocks, _) in &sources {
            if blocks.first != next {
                return Vec::new();
            }
            next = blocks.last + 1;
        }
        if next != own.last + 1 {
            return Vec::new();
        }
        sources.into_iter().map(|(_, part)| part).collect()
    }

    fn blocks(&self) -> Option<Blocks<'_>> {
        let mut words = self.name.split('_');
        let partition = words.next()?;
        let first = words.next()?.parse().ok()?;
        let last = words.next()?.parse().ok()?;
        words.next()?;
        let blocks = Blocks {
            partition,
            first,
            last,
            mutation: words.next(),
        };
        words.next().is_none().then_some(blocks)
    }
}

/// What a part's name says.
struct Blocks<'p> {
    partition: &'p str,
    first: u64,
    last: u64,
    mutation: Option<&'p str>,
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
    /// Whether a slice read at an epoch is as ClickHouse has it. The parts of raw tables
    /// don't tell which days they are of, but each insert changes the rollups, too: a
    /// slice of raw rows holds as long as the day's rollups, once it agrees with them.
    fn holds(&self, key: SliceKey, epoch: u64, settled: bool) -> bool {
        epoch >= self.dirty_all
            && epoch >= self.dirty.get(&key.day()).copied().unwrap_or(0)
            && (settled || epoch >= self.dirty_exact)
    }

    fn learn(&mut self, parts: HashSet<Part>) {
        if self.parts == parts {
            return;
        }
        self.epoch += 1;
        let came: Vec<&Part> = parts.difference(&self.parts).collect();
        let mut went: Vec<&Part> = self.parts.difference(&parts).collect();
        let mut changed = Vec::new();
        for part in came {
            let merged = part.made_of(&went);
            if merged.is_empty() {
                changed.push(part);
            }
            went.retain(|went| !merged.contains(went));
        }
        for part in changed.into_iter().chain(went) {
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

/// Where slices are read from, and the epoch whose changes they will have.
struct From<'a> {
    warehouse: &'a Warehouse,
    org: &'a str,
    product: &'a str,
    epoch: u64,
}

impl From<'_> {
    async fn load(
        &self,
        cube: &Cube,
        keys: &[SliceKey],
    ) -> Result<Vec<(SliceKey, Slice)>, WarehouseError> {
        let loaded = load::load(self.warehouse, self.org, self.product, keys).await?;
        load::read(&loaded, &mut cube.dictionary.write())
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
            let missing = keys.iter().filter(|key| !found.contains_key(key));
            let (exact, rolled): (Vec<SliceKey>, Vec<SliceKey>) =
                missing.partition(|key| matches!(key, SliceKey::Exact(_)));
            let from = From {
                warehouse,
                org,
                product,
                epoch,
            };
            self.read_rolled(&cube, &rolled, &from, &mut found).await?;
            self.read_exact(&cube, &exact, &from, &mut found).await?;
            self.make_room();
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

    /// Adds slices of rollups to `found`: what another has read meanwhile, and the rest
    /// from ClickHouse.
    async fn read_rolled(
        &self,
        cube: &Cube,
        keys: &[SliceKey],
        from: &From<'_>,
        found: &mut HashMap<SliceKey, Arc<Slice>>,
    ) -> Result<(), WarehouseError> {
        if self.missing(cube, keys, found).is_empty() {
            return Ok(());
        }
        let _reading = cube.loading.lock().await;
        let keys = self.missing(cube, keys, found);
        if keys.is_empty() {
            return Ok(());
        }
        let keys = self.widen(cube, keys);
        for (key, slice) in from.load(cube, &keys).await? {
            self.keep(cube, key, slice, from.epoch, true, found);
        }
        Ok(())
    }

    /// The same for slices of raw rows, with the rollups that they are compared with.
    async fn read_exact(
        &self,
        cube: &Cube,
        keys: &[SliceKey],
        from: &From<'_>,
        found: &mut HashMap<SliceKey, Arc<Slice>>,
    ) -> Result<(), WarehouseError> {
        if self.missing(cube, keys, found).is_empty() {
            return Ok(());
        }
        let _reading = cube.loading_exact.lock().await;
        let keys = self.missing(cube, keys, found);
        if keys.is_empty() {
            return Ok(());
        }
        let keys = self.widen(cube, keys);
        let hours: Vec<SliceKey> = keys.iter().map(|key| SliceKey::Hours(key.day())).collect();
        self.read_rolled(cube, &hours, from, found).await?;
        for (key, slice) in from.load(cube, &keys).await? {
            let SliceKey::Exact(hour) = key else { continue };
            let offset = u32::try_from(hour % 24).ok();
            let hours = found.get(&SliceKey::Hours(key.day()));
            let settled = hours.is_some_and(|hours| hours.totals(offset) == slice.totals(None));
            self.keep(cube, key, slice, from.epoch, settled, found);
        }
        Ok(())
    }

    /// Adds what is cached of `keys` to `found`, and returns the others.
    fn missing(
        &self,
        cube: &Cube,
        keys: &[SliceKey],
        found: &mut HashMap<SliceKey, Arc<Slice>>,
    ) -> Vec<SliceKey> {
        let missing = |found: &HashMap<SliceKey, Arc<Slice>>| -> Vec<SliceKey> {
            let missing = keys.iter().filter(|key| !found.contains_key(key));
            missing.copied().collect()
        };
        self.collect(cube, &missing(found), found);
        missing(found)
    }

    /// `keys`, and neighbours of theirs that aren't cached, nearest first, as far as
    /// [`READ_AHEAD_BYTES`] will hold them, going by what the product's slices take so far.
    fn widen(&self, cube: &Cube, keys: Vec<SliceKey>) -> Vec<SliceKey> {
        let changes = self.changes.lock();
        let slices = cube.slices.lock();
        let rolled = slices
            .iter()
            .filter(|(key, _)| !matches!(key, SliceKey::Exact(_)))
            .map(|(_, entry)| entry.slice.size_bytes());
        let (days, bytes) = rolled.fold((0, 0), |(days, all), bytes| (days + 1, all + bytes));
        if days == 0 {
            return keys;
        }
        let bytes_per_hour = (bytes / days / 24).max(1);
        let mut room_hours = i64::try_from(READ_AHEAD_BYTES / bytes_per_hour).unwrap_or(i64::MAX);
        let cached = |key: SliceKey| {
            slices
                .get(&key)
                .is_some_and(|entry| changes.holds(key, entry.epoch, entry.settled))
        };
        let mut wide: HashSet<SliceKey> = keys.iter().copied().collect();
        let mut ends: Vec<(SliceKey, i64)> = keys
            .iter()
            .flat_map(|key| [(*key, -1), (*key, 1)])
            .collect();
        for _ in 0..READ_AHEAD_DAYS_MAX * 24 {
            ends.retain_mut(|(end, step)| {
                let Some((next, hours)) = end.neighbour(*step) else {
                    return false;
                };
                if room_hours < hours || cached(next) || !wide.insert(next) {
                    return false;
                }
                room_hours -= hours;
                *end = next;
                true
            });
            if ends.is_empty() {
                break;
            }
        }
        wide.into_iter().collect()
    }

    fn keep(
        &self,
        cube: &Cube,
        key: SliceKey,
        slice: Slice,
        epoch: u64,
        settled: bool,
        found: &mut HashMap<SliceKey, Arc<Slice>>,
    ) {
        let slice = Arc::new(slice);
        found.insert(key, Arc::clone(&slice));
        let entry = Entry {
            slice,
            epoch,
            settled,
            used: self.tick(),
        };
        cube.slices.lock().insert(key, entry);
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
                && changes.holds(*key, entry.epoch, entry.settled)
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
    fn neighbours_are_read_along_as_far_as_there_is_room() {
        let store = Store::default();
        let cube = Cube::default();
        // With nothing to go by, nothing beside what is asked for.
        assert_eq!(store.widen(&cube, vec![SliceKey::Exact(500)]).len(), 1);

        let mut found = HashMap::new();
        let large = |bytes: usize| Slice {
            people: Vec::with_capacity(bytes / 4),
            ..Slice::default()
        };
        // A day takes a hundredth of the room.
        for day in 0..60 {
            let slice = large(READ_AHEAD_BYTES / 100);
            store.keep(&cube, SliceKey::Hours(day), slice, 0, true, &mut found);
        }
        store.keep(&cube, SliceKey::Exact(400), large(4), 0, true, &mut found);
        let mut wide = store.widen(&cube, vec![SliceKey::Exact(500)]);
        wide.sort_unstable();
        let hours: Vec<i64> = wide
            .iter()
            .map(|key| match key {
                SliceKey::Exact(hour) => *hour,
                other => unreachable!("{other:?}"),
            })
            .collect();
        assert_eq!(hours.first(), Some(&401), "what is cached ends it");
        assert_eq!(hours.last(), Some(&(500 + 24 * 31)), "and so does distance");
        assert_eq!(hours.len(), 100 + 24 * 31);

        // Ten days fill it.
        for day in 0..60 {
            let slice = large(READ_AHEAD_BYTES / 10);
            store.keep(&cube, SliceKey::Hours(day), slice, 0, true, &mut found);
        }
        let wide = store.widen(&cube, vec![SliceKey::Exact(900)]);
        assert!((230..=241).contains(&wide.len()), "{}", wide.len());
    }

    #[test]
    fn only_days_of_parts_that_came_or_went_are_read_again() {
        let mut changes = Changes::default();
        changes.learn(HashSet::from([
            part("screens_by_hour", "a_1", 1, 9),
            part("screens", "r_1", 1, 9),
        ]));
        let loaded = changes.epoch;
        assert!(changes.holds(SliceKey::Day(5), loaded, true));

        changes.learn(HashSet::from([
            part("screens_by_hour", "a_1", 1, 9),
            part("screens_by_hour", "a_2", 9, 9),
            part("screens", "r_1", 1, 9),
        ]));
        assert!(changes.holds(SliceKey::Day(8), loaded, true));
        assert!(!changes.holds(SliceKey::Day(9), loaded, true));
        assert!(!changes.holds(SliceKey::Hours(9), loaded, true));
        assert!(changes.holds(SliceKey::Day(9), changes.epoch, true));
        assert!(changes.holds(SliceKey::Exact(8 * 24), loaded, true));

        // A merge holds what its parts held.
        let day_9 = changes.epoch;
        changes.learn(HashSet::from([
            part("screens_by_hour", "a_1_1_0", 1, 1),
            part("screens_by_hour", "a_2_2_0", 9, 9),
            part("screens_by_hour", "a_4_4_0", 9, 9),
            part("screens_by_hour", "b_3_3_0", 30, 30),
            part("screens", "r_1", 1, 9),
        ]));
        let unmerged = changes.epoch;
        assert!(unmerged > day_9);
        changes.learn(HashSet::from([
            part("screens_by_hour", "a_1_2_1", 1, 9),
            part("screens_by_hour", "a_4_4_0", 9, 9),
            part("screens_by_hour", "b_3_3_0", 30, 30),
            part("screens", "r_1", 1, 9),
        ]));
        assert!(changes.holds(SliceKey::Day(9), unmerged, true));
        // Of block 3 nothing was known before it was merged.
        changes.learn(HashSet::from([
            part("screens_by_hour", "a_1_4_2", 1, 9),
            part("screens_by_hour", "b_3_3_0", 30, 30),
            part("screens", "r_1", 1, 9),
        ]));
        assert!(!changes.holds(SliceKey::Day(9), unmerged, true));
        assert!(changes.holds(SliceKey::Day(30), unmerged, true));
        let loaded = changes.epoch;
        // A mutation changes what it holds.
        changes.learn(HashSet::from([
            part("screens_by_hour", "a_1_4_2", 1, 9),
            part("screens_by_hour", "b_3_3_0_5", 30, 30),
            part("screens", "r_1", 1, 9),
        ]));
        assert!(!changes.holds(SliceKey::Day(30), loaded, true));
        let loaded = changes.epoch;

        // Raw rows that another insert is about to bring.
        assert!(changes.holds(SliceKey::Exact(8 * 24), loaded, false));
        let mut parts = changes.parts.clone();
        parts.insert(part("screens", "r_1_1", 1, 9));
        changes.learn(parts);
        assert!(!changes.holds(SliceKey::Exact(8 * 24), loaded, false));
        assert!(changes.holds(SliceKey::Exact(8 * 24), loaded, true));

        // A partition that was replaced or dropped.
        changes.learn(HashSet::from([part("screens", "r_2", 1, 9)]));
        assert!(!changes.holds(SliceKey::Day(3), loaded, true));
        assert!(!changes.holds(SliceKey::Exact(3 * 24), loaded, true));
    }
}
