//! Reads a chunk.

use std::sync::Arc;

use snag_wire::{
    Detail, EventRecord, IncidentKind, IncidentRecord, LabelRecord, Record, ScreenRecord,
    SessionRecord,
};

use super::{
    EVENT, HAS_A, HAS_B, HAS_C, HAS_D, INCIDENT, KINDS, LABEL, LABEL_KINDS, SCREEN, SESSION,
};
use crate::bytes::{Malformed, Read, Reader};
use crate::record::{Place, StoredRecord};

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
