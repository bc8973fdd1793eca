//! Records as an earlier run would have left them.

#![allow(unreachable_pub, reason = "a test's module")]

use snag_spool::{NewRecord, Place};
use snag_wire::{EventKind, EventRecord, LabelHash, Record};

/// So many clicks in one program, a millisecond apart.
pub fn clicks(count: u32) -> Vec<NewRecord> {
    let record = |number| NewRecord {
        at_ms: 1_700_000_000_000 + i64::from(number),
        place: Place {
            session: 1,
            app: "erp".into(),
            screen: LabelHash([3; 8]),
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
    };
    (0..count).map(record).collect()
}
