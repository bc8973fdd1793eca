//! Records as an earlier run would have left them.

#![allow(unreachable_pub, reason = "a test's module")]

use snag_spool::{NewRecord, Place};
use snag_wire::{EventKind, EventRecord, LabelHash, Record};

/// So many clicks in one program, a millisecond apart.
pub fn clicks(count: u32) -> Vec<NewRecord> {
    let at_ms = |number| 1_700_000_000_000 + i64::from(number);
    (0..count)
        .map(|number| click(at_ms(number), "erp", LabelHash([3; 8])))
        .collect()
}

/// A click at some time (milliseconds since 1970), somewhere.
pub fn click(at_ms: i64, app: &str, screen: LabelHash) -> NewRecord {
    NewRecord {
        at_ms,
        place: Place {
            session: 1,
            app: app.into(),
            screen,
        },
        path: Vec::new(),
        record: Record::Event(EventRecord {
            seq: 0,
            kind: EventKind::Click,
            detail: None,
            role: None,
            label: None,
            context: 0,
            t_ms: 0,
            count: 1,
            duration_ms: 0,
        }),
    }
}
