//! The bytes of a chunk: some records that were stored together.
//!
//! A chunk has its own dictionaries of places and roles, times and sequence
//! numbers as differences, and integers in as few bytes as they need, so that an
//! event takes some 6 to 16 bytes. It is one value in sled, whose own overhead per
//! value would else outweigh the records.
//!
//! **Invariant:** what [`encode`] writes, [`decode`] of this and every later
//! schema version reads; a change here needs a new [`crate::SCHEMA_VERSION`] and
//! a fixture in `tests/fixtures`.

use std::collections::HashMap;
use std::sync::Arc;

use snag_wire::{
    Detail, EventKind, EventRecord, IncidentKind, IncidentRecord, LabelKind, LabelRecord, Record,
    ScreenRecord, SessionRecord,
};

use crate::bytes::Read;
pub(crate) use crate::bytes::{Malformed, Reader, Writer};
use crate::record::{NewRecord, Place, StoredRecord};

const KINDS: [EventKind; 8] = [
    EventKind::Click,
    EventKind::Drag,
    EventKind::Scroll,
    EventKind::Move,
    EventKind::Key,
    EventKind::Focus,
    EventKind::Task,
    EventKind::Error,
];
const LABEL_KINDS: [LabelKind; 4] = [
    LabelKind::Screen,
    LabelKind::Element,
    LabelKind::Task,
    LabelKind::Error,
];

/// A record with its sequence number, borrowed from wherever it is.
pub(crate) struct Item<'a> {
    pub(crate) seq: u64,
    pub(crate) at_ms: i64,
    pub(crate) place: &'a Place,
    pub(crate) path: &'a [Place],
    pub(crate) record: &'a Record,
}

impl<'a> Item<'a> {
    pub(crate) fn new(seq: u64, record: &'a NewRecord) -> Self {
        Self {
            seq,
            at_ms: record.at_ms,
            place: &record.place,
            path: &record.path,
            record: &record.record,
        }
    }

    pub(crate) fn stored(record: &'a StoredRecord) -> Self {
        Self {
            seq: record.seq,
            at_ms: record.at_ms,
            place: &record.place,
            path: &record.path,
            record: &record.record,
        }
    }
}

#[derive(Default)]
struct Dictionary<'a> {
    places: Vec<&'a Place>,
    place_index: HashMap<&'a Place, u64>,
    roles: Vec<&'a str>,
    role_index: HashMap<&'a str, u64>,
}

impl<'a> Dictionary<'a> {
    fn place(&mut self, place: &'a Place) -> u64 {
        *self.place_index.entry(place).or_insert_with(|| {
            self.places.push(place);
            self.places.len() as u64 - 1
        })
    }

    fn role(&mut self, role: &'a str) -> u64 {
        *self.role_index.entry(role).or_insert_with(|| {
            self.roles.push(role);
            self.roles.len() as u64 - 1
        })
    }
}

/// Encodes records by rising `seq`.
pub(crate) fn encode(items: &[Item<'_>]) -> Vec<u8> {
    let mut words = Dictionary::default();
    let mut body = Writer::default();
    let (mut seq, mut at_ms) = items.first().map_or((0, 0), |item| (item.seq, item.at_ms));
    for item in items {
        body.uint(item.seq - seq);
        body.int(item.at_ms.wrapping_sub(at_ms));
        body.uint(words.place(item.place));
        (seq, at_ms) = (item.seq, item.at_ms);
        write_record(&mut body, &mut words, item);
    }
    let mut out = Writer(Vec::with_capacity(body.0.len() + 64));
    out.uint(items.len() as u64);
    out.uint(items.first().map_or(0, |item| item.seq));
    out.int(items.first().map_or(0, |item| item.at_ms));
    out.uint(words.places.len() as u64);
    for place in &words.places {
        out.uint(u64::from(place.session));
        out.text(&place.app);
        out.hash(place.screen);
    }
    out.uint(words.roles.len() as u64);
    for role in &words.roles {
        out.text(role);
    }
    out.0.extend_from_slice(&body.0);
    out.0
}

const EVENT: u8 = 0;
const SESSION: u8 = 1;
const SCREEN: u8 = 2;
const INCIDENT: u8 = 3;
const LABEL: u8 = 4;

/// The low three bits of a record's first byte say its type, the others which of
/// its optional fields follow.
const HAS_A: u8 = 1 << 3;
const HAS_B: u8 = 1 << 4;
const HAS_C: u8 = 1 << 5;
const HAS_D: u8 = 1 << 6;

fn flag(present: bool, bit: u8) -> u8 {
    if present { bit } else { 0 }
}

// Each type is taken apart field by field, so that a new field of the contract
// doesn't compile until it has its place here.
fn write_record<'a>(out: &mut Writer, words: &mut Dictionary<'a>, item: &Item<'a>) {
    match item.record {
        Record::Event(EventRecord {
            seq: _,
            context: _,
            t_ms: _,
            kind,
            detail,
            role,
            label,
            count,
            duration_ms,
        }) => {
            let run = *count != 1 || *duration_ms != 0;
            out.byte(
                EVENT
                    | flag(detail.is_some(), HAS_A)
                    | flag(role.is_some(), HAS_B)
                    | flag(label.is_some(), HAS_C)
                    | flag(run, HAS_D),
            );
            out.byte(index(&KINDS, kind));
            if let Some(detail) = detail {
                out.byte(index(Detail::ALL, detail));
            }
            if let Some(role) = role {
                out.uint(words.role(role));
            }
            if let Some(label) = label {
                out.hash(*label);
            }
            if run {
                out.uint(u64::from(*count));
                out.uint(*duration_ms);
            }
        }
        Record::Session(session) => write_session(out, words, session, item.path),
        Record::Screen(ScreenRecord {
            seq: _,
            context: _,
            t_ms: _,
            visits,
            dwell_ms,
            clicks,
            keys,
            rage_clicks,
            dead_clicks,
            backtracks,
            errors,
            exited,
            time_lost_ms,
            session_frustration,
            session_efficiency,
        }) => {
            out.byte(SCREEN | flag(session_efficiency.is_some(), HAS_A) | flag(*exited, HAS_B));
            for value in [
                visits,
                dwell_ms,
                clicks,
                keys,
                rage_clicks,
                dead_clicks,
                backtracks,
                errors,
                time_lost_ms,
            ] {
                out.uint(*value);
            }
            out.float(*session_frustration);
            if let Some(efficiency) = session_efficiency {
                out.float(*efficiency);
            }
        }
        Record::Incident(IncidentRecord {
            seq: _,
            context: _,
            t_ms: _,
            kind,
            version,
            duration_ms,
            count,
            role,
            label,
        }) => {
            out.byte(INCIDENT | flag(role.is_some(), HAS_B) | flag(label.is_some(), HAS_C));
            out.byte(index(IncidentKind::ALL, kind));
            out.uint(u64::from(*version));
            out.uint(*duration_ms);
            out.uint(*count);
            if let Some(role) = role {
                out.uint(words.role(role));
            }
            if let Some(label) = label {
                out.hash(*label);
            }
        }
        Record::Label(LabelRecord {
            seq: _,
            t_ms: _,
            hash,
            kind,
            app,
            text,
        }) => {
            out.byte(LABEL);
            out.hash(*hash);
            out.byte(index(&LABEL_KINDS, kind));
            out.text(app);
            out.text(text);
        }
    }
}

fn write_session<'a>(
    out: &mut Writer,
    words: &mut Dictionary<'a>,
    session: &SessionRecord,
    places: &'a [Place],
) {
    let SessionRecord {
        seq: _,
        context: _,
        t_ms: _,
        path: _,
        duration_ms,
        active_ms,
        clicks,
        keys,
        scrolls,
        screens,
        visits,
        context_switches,
        tasks_started,
        tasks_completed,
        rage_clicks,
        dead_clicks,
        backtracks,
        abandoned_tasks,
        error_loops,
        undo_storms,
        errors,
        frustration,
        frustration_terms,
        efficiency,
        efficiency_terms,
        score_version,
    } = session;
    out.byte(SESSION | flag(efficiency.is_some(), HAS_A) | flag(efficiency_terms.is_some(), HAS_B));
    for value in [
        duration_ms,
        active_ms,
        clicks,
        keys,
        scrolls,
        screens,
        visits,
        context_switches,
        tasks_started,
        tasks_completed,
        rage_clicks,
        dead_clicks,
        backtracks,
        abandoned_tasks,
        error_loops,
        undo_storms,
        errors,
    ] {
        out.uint(*value);
    }
    out.uint(u64::from(*score_version));
    out.float(*frustration);
    for term in frustration_terms {
        out.float(*term);
    }
    if let Some(efficiency) = efficiency {
        out.float(*efficiency);
    }
    for term in efficiency_terms.iter().flatten() {
        out.float(*term);
    }
    out.uint(places.len() as u64);
    for place in places {
        out.uint(words.place(place));
    }
}

/// Where in a closed list a value stands. Lists only ever grow at their end.
fn index<T: PartialEq>(list: &[T], value: &T) -> u8 {
    list.iter()
        .position(|one| one == value)
        .and_then(|at| u8::try_from(at).ok())
        .unwrap_or(u8::MAX)
}

fn pick<T: Copy>(list: &[T], at: u8) -> Read<T> {
    list.get(usize::from(at)).copied().ok_or(Malformed)
}

/// How many records a chunk holds, its first `seq` and first time, without the rest.
pub(crate) fn header(bytes: &[u8]) -> Read<(u64, u64, i64)> {
    let mut input = Reader(bytes);
    Ok((input.uint()?, input.uint()?, input.int()?))
}

/// Decodes a chunk.
pub(crate) fn decode(bytes: &[u8]) -> Read<Vec<StoredRecord>> {
    let mut input = Reader(bytes);
    let count = input.count()?;
    let mut seq = input.uint()?;
    let mut at_ms = input.int()?;
    let mut places = Vec::new();
    for _ in 0..input.count()? {
        places.push(Place {
            session: input.u32()?,
            app: Arc::from(input.text()?),
            screen: input.hash()?,
        });
    }
    let mut roles = Vec::new();
    for _ in 0..input.count()? {
        roles.push(input.text()?);
    }
    let place = |at: u64| -> Read<Place> {
        let at = usize::try_from(at).map_err(|_| Malformed)?;
        places.get(at).cloned().ok_or(Malformed)
    };
    let role = |at: u64| -> Read<String> {
        let at = usize::try_from(at).map_err(|_| Malformed)?;
        roles.get(at).map(|&role| role.to_owned()).ok_or(Malformed)
    };
    let mut records = Vec::with_capacity(count);
    for _ in 0..count {
        seq = seq.checked_add(input.uint()?).ok_or(Malformed)?;
        at_ms = at_ms.wrapping_add(input.int()?);
        let here = place(input.uint()?)?;
        let mut path = Vec::new();
        let tag = input.byte()?;
        let has = |bit: u8| tag & bit != 0;
        let record = match tag & 7 {
            EVENT => {
                let kind = pick(&KINDS, input.byte()?)?;
                let detail = has(HAS_A)
                    .then(|| pick(Detail::ALL, input.byte()?))
                    .transpose()?;
                let role = has(HAS_B).then(|| role(input.uint()?)).transpose()?;
                let label = has(HAS_C).then(|| input.hash()).transpose()?;
                let (count, duration_ms) = if has(HAS_D) {
                    (input.u32()?, input.uint()?)
                } else {
                    (1, 0)
                };
                Record::Event(EventRecord {
                    seq,
                    kind,
                    detail,
                    role,
                    label,
                    context: 0,
                    t_ms: 0,
                    count,
                    duration_ms,
                })
            }
            SESSION => {
                let session = read_session(&mut input, seq, has(HAS_A), has(HAS_B))?;
                for _ in 0..input.count()? {
                    path.push(place(input.uint()?)?);
                }
                Record::Session(Box::new(session))
            }
            SCREEN => Record::Screen(ScreenRecord {
                seq,
                context: 0,
                t_ms: 0,
                visits: input.uint()?,
                dwell_ms: input.uint()?,
                clicks: input.uint()?,
                keys: input.uint()?,
                rage_clicks: input.uint()?,
                dead_clicks: input.uint()?,
                backtracks: input.uint()?,
                errors: input.uint()?,
                time_lost_ms: input.uint()?,
                session_frustration: input.float()?,
                session_efficiency: has(HAS_A).then(|| input.float()).transpose()?,
                exited: has(HAS_B),
            }),
            INCIDENT => Record::Incident(IncidentRecord {
                seq,
                context: 0,
                t_ms: 0,
                kind: pick(IncidentKind::ALL, input.byte()?)?,
                version: input.u32()?,
                duration_ms: input.uint()?,
                count: input.uint()?,
                role: has(HAS_B).then(|| role(input.uint()?)).transpose()?,
                label: has(HAS_C).then(|| input.hash()).transpose()?,
            }),
            LABEL => Record::Label(LabelRecord {
                seq,
                t_ms: 0,
                hash: input.hash()?,
                kind: pick(&LABEL_KINDS, input.byte()?)?,
                app: input.text()?.to_owned(),
                text: input.text()?.to_owned(),
            }),
            _ => return Err(Malformed),
        };
        records.push(StoredRecord {
            seq,
            at_ms,
            place: here,
            path,
            record,
        });
    }
    if input.0.is_empty() {
        Ok(records)
    } else {
        Err(Malformed)
    }
}

// Fields are read in the order in which they are written above.
fn read_session(
    input: &mut Reader<'_>,
    seq: u64,
    has_efficiency: bool,
    has_terms: bool,
) -> Read<SessionRecord> {
    Ok(SessionRecord {
        seq,
        context: 0,
        t_ms: 0,
        path: Vec::new(),
        duration_ms: input.uint()?,
        active_ms: input.uint()?,
        clicks: input.uint()?,
        keys: input.uint()?,
        scrolls: input.uint()?,
        screens: input.uint()?,
        visits: input.uint()?,
        context_switches: input.uint()?,
        tasks_started: input.uint()?,
        tasks_completed: input.uint()?,
        rage_clicks: input.uint()?,
        dead_clicks: input.uint()?,
        backtracks: input.uint()?,
        abandoned_tasks: input.uint()?,
        error_loops: input.uint()?,
        undo_storms: input.uint()?,
        errors: input.uint()?,
        score_version: input.u32()?,
        frustration: input.float()?,
        frustration_terms: floats(input)?,
        efficiency: has_efficiency.then(|| input.float()).transpose()?,
        efficiency_terms: has_terms.then(|| floats(input)).transpose()?,
    })
}

fn floats<const N: usize>(input: &mut Reader<'_>) -> Read<[f64; N]> {
    let mut terms = [0.0; N];
    for term in &mut terms {
        *term = input.float()?;
    }
    Ok(terms)
}
