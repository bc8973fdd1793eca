//! Records for tests.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]

use std::sync::Arc;

use snag_spool::{NewRecord, Place};
use snag_wire::{
    Detail, EventKind, EventRecord, IncidentKind, IncidentRecord, LabelHash, LabelKind,
    LabelRecord, Record, ScreenRecord, SessionRecord,
};

pub fn place(session: u32, app: &str, screen: u8) -> Place {
    Place {
        session,
        app: Arc::from(app),
        screen: LabelHash([screen; 8]),
    }
}

pub fn event(at_ms: i64) -> NewRecord {
    NewRecord {
        at_ms,
        place: place(1, "editor", (at_ms / 1_000 % 7) as u8),
        path: Vec::new(),
        record: Record::Event(EventRecord {
            seq: 0,
            kind: EventKind::Click,
            detail: Some(Detail::Left),
            role: Some("push_button".into()),
            label: (at_ms % 3 == 0).then_some(LabelHash([7; 8])),
            context: 0,
            t_ms: 0,
            count: 1,
            duration_ms: 0,
        }),
    }
}

pub fn incident(at_ms: i64) -> NewRecord {
    NewRecord {
        at_ms,
        place: place(1, "editor", 3),
        path: Vec::new(),
        record: Record::Incident(IncidentRecord {
            seq: 0,
            kind: IncidentKind::RageClick,
            version: 1,
            context: 0,
            t_ms: 0,
            duration_ms: 420,
            count: 5,
            role: None,
            label: Some(LabelHash([9; 8])),
        }),
    }
}

pub fn screen(at_ms: i64) -> NewRecord {
    NewRecord {
        at_ms,
        place: place(2, "mail", 4),
        path: Vec::new(),
        record: Record::Screen(ScreenRecord {
            seq: 0,
            context: 0,
            t_ms: 0,
            visits: 2,
            dwell_ms: 300_000,
            clicks: 12,
            keys: 400,
            rage_clicks: 1,
            dead_clicks: 0,
            backtracks: 3,
            errors: 0,
            exited: true,
            time_lost_ms: 420,
            session_frustration: 0.25,
            session_efficiency: Some(0.75),
        }),
    }
}

pub fn session(at_ms: i64) -> NewRecord {
    NewRecord {
        at_ms,
        place: place(2, "mail", 4),
        path: vec![
            place(2, "mail", 4),
            place(2, "editor", 5),
            place(2, "mail", 4),
        ],
        record: Record::Session(Box::new(SessionRecord {
            seq: 0,
            context: 0,
            t_ms: 0,
            duration_ms: 1_000_000,
            active_ms: 900_000,
            clicks: 300,
            keys: 4_000,
            scrolls: 20,
            screens: 2,
            visits: 9,
            context_switches: 8,
            tasks_started: 1,
            tasks_completed: 1,
            rage_clicks: 1,
            dead_clicks: 2,
            backtracks: 3,
            abandoned_tasks: 0,
            error_loops: 0,
            undo_storms: 0,
            errors: 4,
            frustration: 0.123_456,
            frustration_terms: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6],
            efficiency: Some(0.5),
            efficiency_terms: Some([0.1, 0.2, 0.3]),
            score_version: 1,
            path: Vec::new(),
        })),
    }
}

pub fn label(at_ms: i64, hash: u8) -> NewRecord {
    NewRecord {
        at_ms,
        place: Place::default(),
        path: Vec::new(),
        record: Record::Label(LabelRecord {
            seq: 0,
            hash: LabelHash([hash; 8]),
            kind: LabelKind::Screen,
            app: "editor".into(),
            text: "Invoice <number>".into(),
            t_ms: 0,
        }),
    }
}

/// The record as it comes back: with its number in it.
pub fn with_seq(record: &Record, number: u64) -> Record {
    let mut record = record.clone();
    match &mut record {
        Record::Event(r) => r.seq = number,
        Record::Session(r) => r.seq = number,
        Record::Screen(r) => r.seq = number,
        Record::Incident(r) => r.seq = number,
        Record::Label(r) => r.seq = number,
    }
    record
}

/// The records of the fixtures: some of each kind.
pub fn fixture() -> Vec<NewRecord> {
    (0..20)
        .map(|number| match number % 5 {
            1 => incident(number * 1_000),
            2 => screen(number * 1_000),
            3 => session(number * 1_000),
            _ => event(number * 1_000),
        })
        .collect()
}
