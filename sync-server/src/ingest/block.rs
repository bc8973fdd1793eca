//! A block: the rows of many batches, in columns as ClickHouse takes them.
//!
//! Words are written once per block and referred to by number; a batch's words are
//! looked up once per batch, so that a row costs copies and no hashing (labels alone
//! are looked up per row, by eight bytes).

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use arrow_array::builder::{Float64Builder, ListBuilder, StringBuilder, StringDictionaryBuilder};
use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, DictionaryArray, FixedSizeBinaryArray, Float64Array, Int8Array, Int32Array,
    Int64Array, RecordBatch, StringArray, TimestampMillisecondArray, UInt8Array, UInt32Array,
    UInt64Array,
};
use snag_wire::{Detail, LabelHash, LabelKind};

use super::marks::DeviceMarks;
use super::rows::{BatchRows, Table};

/// Words of one column, each once; number 0 is the empty word.
struct Words {
    numbers: HashMap<Arc<str>, i32>,
    words: Vec<Arc<str>>,
}

impl Default for Words {
    fn default() -> Self {
        let empty: Arc<str> = Arc::from("");
        Self {
            numbers: HashMap::from([(Arc::clone(&empty), 0)]),
            words: vec![empty],
        }
    }
}

impl Words {
    fn number(&mut self, word: &str) -> i32 {
        if let Some(number) = self.numbers.get(word) {
            return *number;
        }
        let word: Arc<str> = Arc::from(word);
        let number = to_i32(self.words.len());
        self.words.push(Arc::clone(&word));
        self.numbers.insert(word, number);
        number
    }

    fn array(&self, numbers: Vec<i32>) -> ArrayRef {
        let words = StringArray::from_iter_values(&self.words);
        dictionary(numbers, words)
    }
}

/// Hashes of one column, each once; number 0 is none.
#[derive(Default)]
struct Hashes {
    numbers: HashMap<[u8; 8], i32, BuildHasherDefault<FirstBytes>>,
    hashes: Vec<LabelHash>,
}

/// Label hashes are random already: their bytes are their own hash.
#[derive(Default)]
struct FirstBytes(u64);

impl Hasher for FirstBytes {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk::<8>() {
            self.0 ^= u64::from_le_bytes(*first);
        }
    }

    fn write_usize(&mut self, _length: usize) {}
}

impl Hashes {
    fn number(&mut self, hash: LabelHash) -> i32 {
        *self.numbers.entry(hash.0).or_insert_with(|| {
            self.hashes.push(hash);
            to_i32(self.hashes.len())
        })
    }

    fn array(&self, numbers: Vec<i32>) -> ArrayRef {
        let mut words = StringBuilder::with_capacity(self.hashes.len() + 1, self.hashes.len() * 16);
        words.append_value("");
        for hash in &self.hashes {
            let ascii = hash.to_ascii();
            words.append_value(std::str::from_utf8(&ascii).unwrap_or_default());
        }
        dictionary(numbers, words.finish())
    }
}

fn to_i32(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn dictionary(numbers: Vec<i32>, words: StringArray) -> ArrayRef {
    Arc::new(DictionaryArray::<Int32Type>::new(
        Int32Array::from(numbers),
        Arc::new(words),
    ))
}

/// Columns that every table has.
#[derive(Default)]
struct Identity {
    org: Vec<i32>,
    product: Vec<i32>,
    version: Vec<i32>,
    segment: Vec<i32>,
    device: Vec<u8>,
    seq: Vec<u64>,
    clock_offset_ms: Vec<i64>,
    received_at: Vec<u32>,
}

/// The numbers of a batch's shared words.
#[derive(Clone, Copy)]
struct SharedNumbers {
    org: i32,
    product: i32,
    version: i32,
    segment: i32,
}

impl Identity {
    fn push_many(&mut self, rows: &BatchRows, numbers: SharedNumbers, seq: &[u64]) {
        let length = self.seq.len() + seq.len();
        self.org.resize(length, numbers.org);
        self.product.resize(length, numbers.product);
        self.version.resize(length, numbers.version);
        self.segment.resize(length, numbers.segment);
        self.device.reserve(seq.len() * 16);
        for _ in seq {
            self.device.extend_from_slice(rows.shared.device.as_bytes());
        }
        self.seq.extend_from_slice(seq);
        self.clock_offset_ms
            .resize(length, rows.shared.clock_offset_ms);
        self.received_at.resize(length, rows.shared.received_at_s);
    }
}

#[derive(Default)]
struct EventColumns {
    at: Vec<i64>,
    session: Vec<u32>,
    kind: Vec<i8>,
    detail: Vec<i32>,
    role: Vec<i32>,
    label: Vec<i32>,
    app: Vec<i32>,
    screen: Vec<i32>,
    count: Vec<u32>,
    duration_ms: Vec<u32>,
}

type DictionaryBuilder = StringDictionaryBuilder<Int32Type>;

#[derive(Default)]
struct SessionColumns {
    started_at: Vec<i64>,
    ended_at: Vec<i64>,
    session: Vec<u32>,
    numbers: [Vec<u64>; 17],
    frustration: Vec<f64>,
    frustration_terms: ListBuilder<Float64Builder>,
    efficiency: Float64Builder,
    efficiency_terms: ListBuilder<Float64Builder>,
    score_version: Vec<u32>,
    path_apps: ListBuilder<DictionaryBuilder>,
    path_screens: ListBuilder<DictionaryBuilder>,
}

const SESSION_NUMBERS: [&str; 17] = [
    "duration_ms",
    "active_ms",
    "clicks",
    "keys",
    "scrolls",
    "screens",
    "visits",
    "context_switches",
    "tasks_started",
    "tasks_completed",
    "rage_clicks",
    "dead_clicks",
    "backtracks",
    "abandoned_tasks",
    "error_loops",
    "undo_storms",
    "errors",
];

#[derive(Default)]
struct ScreenColumns {
    at: Vec<i64>,
    session: Vec<u32>,
    app: Vec<i32>,
    screen: Vec<i32>,
    numbers: [Vec<u64>; 9],
    exited: Vec<u8>,
    session_frustration: Vec<f64>,
    session_efficiency: Float64Builder,
}

const SCREEN_NUMBERS: [&str; 9] = [
    "visits",
    "dwell_ms",
    "clicks",
    "keys",
    "rage_clicks",
    "dead_clicks",
    "backtracks",
    "errors",
    "time_lost_ms",
];

#[derive(Default)]
struct IncidentColumns {
    at: Vec<i64>,
    session: Vec<u32>,
    kind: Vec<i32>,
    detector_version: Vec<u32>,
    app: Vec<i32>,
    screen: Vec<i32>,
    role: Vec<i32>,
    label: Vec<i32>,
    count: Vec<u64>,
    duration_ms: Vec<u64>,
}

#[derive(Default)]
struct LabelColumns {
    at: Vec<i64>,
    hash: Vec<String>,
    kind: Vec<i32>,
    app: Vec<i32>,
    text: Vec<String>,
}

/// What adding a batch did.
#[derive(Debug, Default, Clone, Copy)]
pub struct Added {
    /// Rows that are new.
    pub accepted: u64,
    /// Rows that a table holds already.
    pub duplicates: u64,
}

/// Rows of many batches on their way into ClickHouse.
#[derive(Default)]
pub struct Block {
    words: Words,
    hashes: Hashes,
    identities: [Identity; Table::ALL.len()],
    events: EventColumns,
    sessions: SessionColumns,
    screens: ScreenColumns,
    incidents: IncidentColumns,
    labels: LabelColumns,
}

impl Block {
    /// Rows in all tables.
    #[must_use]
    pub fn len(&self) -> usize {
        self.identities.iter().map(|table| table.seq.len()).sum()
    }

    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds what `marks` say the tables lack, and raises them.
    pub fn add(&mut self, rows: &BatchRows, marks: &mut DeviceMarks) -> Added {
        let before = self.len();
        let numbers = SharedNumbers {
            org: self.words.number(&rows.shared.org),
            product: self.words.number(&rows.shared.product),
            version: self.words.number(&rows.shared.version),
            segment: self.words.number(&rows.shared.segment),
        };
        let apps: Vec<i32> = rows.apps.iter().map(|app| self.words.number(app)).collect();
        // The app's index is 0 where the name was refused; no record refers to it.
        let place = |place: &super::rows::Place| apps.get(place.app as usize).copied().unwrap_or(0);

        let [events, sessions, screens, incidents, labels] = &mut *marks;
        let new = Self::new_from(&rows.events.seq, events);
        if new < rows.events.seq.len() {
            let places: Vec<(u32, i32, i32)> = rows
                .places
                .iter()
                .map(|p| (p.session, place(p), self.hashes.number(p.screen)))
                .collect();
            self.add_events(rows, numbers, new, &places);
        }
        if !rows.sessions.is_empty() {
            let seqs: Vec<u64> = rows.sessions.iter().map(|row| row.record.seq).collect();
            let new = Self::new_from(&seqs, sessions);
            self.add_sessions(rows, numbers, new, &seqs);
        }
        if !rows.screens.is_empty() {
            let seqs: Vec<u64> = rows.screens.iter().map(|row| row.record.seq).collect();
            let new = Self::new_from(&seqs, screens);
            self.identities[2].push_many(rows, numbers, &seqs[new..]);
            for row in &rows.screens[new..] {
                let (r, p) = (&row.record, &rows.places[row.record.context as usize]);
                let columns = &mut self.screens;
                columns.at.push(row.at);
                columns.session.push(p.session);
                columns.app.push(place(p));
                columns.screen.push(self.hashes.number(p.screen));
                let numbers = [
                    r.visits,
                    r.dwell_ms,
                    r.clicks,
                    r.keys,
                    r.rage_clicks,
                    r.dead_clicks,
                    r.backtracks,
                    r.errors,
                    r.time_lost_ms,
                ];
                for (column, number) in columns.numbers.iter_mut().zip(numbers) {
                    column.push(number);
                }
                columns.exited.push(u8::from(r.exited));
                columns.session_frustration.push(r.session_frustration);
                columns
                    .session_efficiency
                    .append_option(r.session_efficiency);
            }
        }
        if !rows.incidents.is_empty() {
            let seqs: Vec<u64> = rows.incidents.iter().map(|row| row.record.seq).collect();
            let new = Self::new_from(&seqs, incidents);
            self.identities[3].push_many(rows, numbers, &seqs[new..]);
            for row in &rows.incidents[new..] {
                let (r, p) = (&row.record, &rows.places[row.record.context as usize]);
                let columns = &mut self.incidents;
                columns.at.push(row.at);
                columns.session.push(p.session);
                columns.kind.push(self.words.number(r.kind.as_str()));
                columns.detector_version.push(r.version);
                columns.app.push(place(p));
                columns.screen.push(self.hashes.number(p.screen));
                let role = r.role.as_deref().unwrap_or_default();
                columns.role.push(self.words.number(role));
                columns
                    .label
                    .push(r.label.map_or(0, |label| self.hashes.number(label)));
                columns.count.push(r.count);
                columns.duration_ms.push(r.duration_ms);
            }
        }
        if !rows.labels.is_empty() {
            let seqs: Vec<u64> = rows.labels.iter().map(|row| row.record.seq).collect();
            let new = Self::new_from(&seqs, labels);
            self.identities[4].push_many(rows, numbers, &seqs[new..]);
            for row in &rows.labels[new..] {
                let columns = &mut self.labels;
                columns.at.push(row.at);
                columns.hash.push(row.record.hash.to_string());
                let kind = match row.record.kind {
                    LabelKind::Screen => "screen",
                    LabelKind::Element => "element",
                    LabelKind::Task => "task",
                    LabelKind::Error => "error",
                };
                columns.kind.push(self.words.number(kind));
                columns.app.push(self.words.number(&row.record.app));
                columns.text.push(row.record.text.clone());
            }
        }
        let accepted = (self.len() - before) as u64;
        Added {
            accepted,
            duplicates: rows.len() as u64 - accepted,
        }
    }

    /// The index of the first of these ascending numbers above the mark, which it raises.
    fn new_from(seqs: &[u64], mark: &mut Option<u64>) -> usize {
        let new = match *mark {
            None => 0,
            Some(mark) => seqs.partition_point(|seq| *seq <= mark),
        };
        if let Some(last) = seqs.last() {
            *mark = Some(mark.unwrap_or(0).max(*last));
        }
        new
    }

    fn add_events(
        &mut self,
        rows: &BatchRows,
        numbers: SharedNumbers,
        new: usize,
        places: &[(u32, i32, i32)],
    ) {
        let from = &rows.events;
        self.identities[0].push_many(rows, numbers, &from.seq[new..]);
        let roles: Vec<i32> = std::iter::once(0)
            .chain(rows.roles.iter().map(|role| self.words.number(role)))
            .collect();
        let to = &mut self.events;
        to.at.extend_from_slice(&from.at[new..]);
        to.kind.extend_from_slice(&from.kind[new..]);
        to.count.extend_from_slice(&from.count[new..]);
        to.duration_ms.extend_from_slice(&from.duration_ms[new..]);
        to.detail
            .extend(from.detail[new..].iter().map(|detail| i32::from(*detail)));
        to.role.extend(
            from.role[new..]
                .iter()
                .map(|role| roles[usize::from(*role)]),
        );
        let hashes = &mut self.hashes;
        to.label.extend(
            from.label[new..]
                .iter()
                .map(|label| label.map_or(0, |label| hashes.number(label))),
        );
        to.session
            .extend(from.place[new..].iter().map(|i| places[*i as usize].0));
        to.app
            .extend(from.place[new..].iter().map(|i| places[*i as usize].1));
        to.screen
            .extend(from.place[new..].iter().map(|i| places[*i as usize].2));
    }

    fn add_sessions(&mut self, rows: &BatchRows, numbers: SharedNumbers, new: usize, seqs: &[u64]) {
        self.identities[1].push_many(rows, numbers, &seqs[new..]);
        let columns = &mut self.sessions;
        for row in &rows.sessions[new..] {
            let r = &row.record;
            columns.started_at.push(row.at);
            columns
                .ended_at
                .push(row.at.saturating_add_unsigned(r.duration_ms));
            columns
                .session
                .push(rows.places[r.context as usize].session);
            let numbers = [
                r.duration_ms,
                r.active_ms,
                r.clicks,
                r.keys,
                r.scrolls,
                r.screens,
                r.visits,
                r.context_switches,
                r.tasks_started,
                r.tasks_completed,
                r.rage_clicks,
                r.dead_clicks,
                r.backtracks,
                r.abandoned_tasks,
                r.error_loops,
                r.undo_storms,
                r.errors,
            ];
            for (column, number) in columns.numbers.iter_mut().zip(numbers) {
                column.push(number);
            }
            columns.frustration.push(r.frustration);
            columns
                .frustration_terms
                .values()
                .append_slice(&r.frustration_terms);
            columns.frustration_terms.append(true);
            columns.efficiency.append_option(r.efficiency);
            if let Some(terms) = &r.efficiency_terms {
                columns.efficiency_terms.values().append_slice(terms);
            }
            columns.efficiency_terms.append(true);
            columns.score_version.push(r.score_version);
            for context in &r.path {
                let place = &rows.places[*context as usize];
                let app = rows.apps.get(place.app as usize);
                columns
                    .path_apps
                    .values()
                    .append_value(app.map_or("", String::as_str));
                let screen = place.screen.to_ascii();
                columns
                    .path_screens
                    .values()
                    .append_value(std::str::from_utf8(&screen).unwrap_or_default());
            }
            columns.path_apps.append(true);
            columns.path_screens.append(true);
        }
    }

    /// The rows by table, in the order of [`Table::ALL`], without the empty ones.
    #[must_use]
    pub fn into_batches(self) -> Vec<(Table, RecordBatch)> {
        let (words, hashes) = (self.words, self.hashes);
        let specifics: [Columns; Table::ALL.len()] = [
            self.events.into_arrays(&words, &hashes),
            self.sessions.into_arrays(),
            self.screens.into_arrays(&words, &hashes),
            self.incidents.into_arrays(&words, &hashes),
            self.labels.into_arrays(&words),
        ];
        Table::ALL
            .into_iter()
            .zip(self.identities)
            .zip(specifics)
            .filter(|((_, identity), _)| !identity.seq.is_empty())
            .map(|((table, identity), specific)| {
                let mut columns = identity.into_arrays(&words, table);
                columns.extend(specific);
                let batch = RecordBatch::try_from_iter(columns);
                (table, batch.expect("every row pushes to every column"))
            })
            .collect()
    }
}

/// Arrays by column name.
type Columns = Vec<(&'static str, ArrayRef)>;

impl Identity {
    fn into_arrays(self, words: &Words, table: Table) -> Columns {
        let mut columns: Columns = vec![
            ("org", words.array(self.org)),
            ("product", words.array(self.product)),
            ("device", uuids(self.device)),
            ("seq", Arc::new(UInt64Array::from(self.seq))),
            ("received_at", Arc::new(UInt32Array::from(self.received_at))),
        ];
        if table != Table::Labels {
            columns.push(("version", words.array(self.version)));
            columns.push(("segment", words.array(self.segment)));
            let offsets = Int64Array::from(self.clock_offset_ms);
            columns.push(("clock_offset_ms", Arc::new(offsets)));
        }
        columns
    }
}

impl EventColumns {
    fn into_arrays(self, words: &Words, hashes: &Hashes) -> Columns {
        let details = StringArray::from_iter_values(
            std::iter::once("").chain(Detail::ALL.iter().map(|detail| detail.as_str())),
        );
        vec![
            ("at", moments(self.at)),
            ("session", Arc::new(UInt32Array::from(self.session))),
            ("kind", Arc::new(Int8Array::from(self.kind))),
            ("detail", dictionary(self.detail, details)),
            ("role", words.array(self.role)),
            ("label", hashes.array(self.label)),
            ("app", words.array(self.app)),
            ("screen", hashes.array(self.screen)),
            ("count", Arc::new(UInt32Array::from(self.count))),
            ("duration_ms", Arc::new(UInt32Array::from(self.duration_ms))),
        ]
    }
}

impl SessionColumns {
    fn into_arrays(mut self) -> Columns {
        let mut columns: Columns = vec![
            ("started_at", moments(self.started_at)),
            ("ended_at", moments(self.ended_at)),
            ("session", Arc::new(UInt32Array::from(self.session))),
            (
                "frustration",
                Arc::new(Float64Array::from(self.frustration)),
            ),
            (
                "frustration_terms",
                Arc::new(self.frustration_terms.finish()),
            ),
            ("efficiency", Arc::new(self.efficiency.finish())),
            ("efficiency_terms", Arc::new(self.efficiency_terms.finish())),
            (
                "score_version",
                Arc::new(UInt32Array::from(self.score_version)),
            ),
            ("path_apps", Arc::new(self.path_apps.finish())),
            ("path_screens", Arc::new(self.path_screens.finish())),
        ];
        columns.extend(number_columns(SESSION_NUMBERS, self.numbers));
        columns
    }
}

impl ScreenColumns {
    fn into_arrays(mut self, words: &Words, hashes: &Hashes) -> Columns {
        let mut columns: Columns = vec![
            ("at", moments(self.at)),
            ("session", Arc::new(UInt32Array::from(self.session))),
            ("app", words.array(self.app)),
            ("screen", hashes.array(self.screen)),
            ("exited", Arc::new(UInt8Array::from(self.exited))),
            (
                "session_frustration",
                Arc::new(Float64Array::from(self.session_frustration)),
            ),
            (
                "session_efficiency",
                Arc::new(self.session_efficiency.finish()),
            ),
        ];
        columns.extend(number_columns(SCREEN_NUMBERS, self.numbers));
        columns
    }
}

impl IncidentColumns {
    fn into_arrays(self, words: &Words, hashes: &Hashes) -> Columns {
        vec![
            ("at", moments(self.at)),
            ("session", Arc::new(UInt32Array::from(self.session))),
            ("kind", words.array(self.kind)),
            (
                "detector_version",
                Arc::new(UInt32Array::from(self.detector_version)),
            ),
            ("app", words.array(self.app)),
            ("screen", hashes.array(self.screen)),
            ("role", words.array(self.role)),
            ("label", hashes.array(self.label)),
            ("count", Arc::new(UInt64Array::from(self.count))),
            ("duration_ms", Arc::new(UInt64Array::from(self.duration_ms))),
        ]
    }
}

impl LabelColumns {
    fn into_arrays(self, words: &Words) -> Columns {
        vec![
            ("at", moments(self.at)),
            ("hash", Arc::new(StringArray::from(self.hash))),
            ("kind", words.array(self.kind)),
            ("app", words.array(self.app)),
            ("text", Arc::new(StringArray::from(self.text))),
        ]
    }
}

fn number_columns<const N: usize>(
    names: [&'static str; N],
    columns: [Vec<u64>; N],
) -> impl Iterator<Item = (&'static str, ArrayRef)> {
    names
        .into_iter()
        .zip(columns)
        .map(|(name, column)| (name, Arc::new(UInt64Array::from(column)) as ArrayRef))
}

fn uuids(bytes: Vec<u8>) -> ArrayRef {
    Arc::new(FixedSizeBinaryArray::new(16, bytes.into(), None))
}

fn moments(at: Vec<i64>) -> ArrayRef {
    Arc::new(TimestampMillisecondArray::from(at).with_timezone("UTC"))
}
