//! Writes a chunk.

use std::collections::HashMap;

use snag_wire::{
    Detail, EventRecord, IncidentKind, IncidentRecord, LabelRecord, Record, ScreenRecord,
    SessionRecord,
};

use super::{
    EVENT, HAS_A, HAS_B, HAS_C, HAS_D, INCIDENT, Item, KINDS, LABEL, LABEL_KINDS, SCREEN, SESSION,
};
use crate::bytes::Writer;
use crate::record::Place;

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
