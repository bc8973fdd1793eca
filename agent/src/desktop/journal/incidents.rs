//! What happened, as a sentence.

use snag_spool::StoredRecord;
use snag_wire::{IncidentKind, IncidentRecord};

use super::{Teller, at};
use crate::desktop::view::{IncidentView, Sentence};

pub(super) fn incident_view(
    record: &StoredRecord,
    incident: &IncidentRecord,
    teller: &Teller<'_>,
) -> IncidentView {
    IncidentView {
        seq: record.seq,
        kind: incident.kind,
        at: at(record.at_ms),
        duration_ms: incident.duration_ms,
        app: record.place.app.to_string(),
        screen: (teller.text)(record.place.screen).unwrap_or_default(),
        sentence: incident_sentence(&record.place.app, incident, teller),
    }
}

/// What happened, with the program as the one that did it.
#[must_use]
pub fn incident_sentence(app: &str, incident: &IncidentRecord, teller: &Teller<'_>) -> Sentence {
    let element = incident.label.and_then(teller.text);
    let key = match (incident.kind, &element) {
        (IncidentKind::RageClick, Some(_)) => "incident.rage_click_named",
        (IncidentKind::RageClick, None) => "incident.rage_click",
        (IncidentKind::DeadClick, Some(_)) => "incident.dead_click_named",
        (IncidentKind::DeadClick, None) => "incident.dead_click",
        (IncidentKind::Backtrack, _) => "incident.backtrack",
        (IncidentKind::AbandonedTask, _) => "incident.abandoned_task",
        (IncidentKind::ErrorLoop, _) => "incident.error_loop",
        (IncidentKind::UndoStorm, _) => "incident.undo_storm",
    };
    Sentence::new(
        key,
        [
            ("app", app.to_owned()),
            ("count", incident.count.to_string()),
            ("seconds", tenths(incident.duration_ms)),
            ("minutes", (incident.duration_ms / 60_000).to_string()),
            (
                "role",
                incident.role.clone().unwrap_or_else(|| "other".to_owned()),
            ),
            ("element", element.unwrap_or_default()),
        ],
    )
}

/// Seconds with at most one digit after the point.
fn tenths(ms: u64) -> String {
    let tenths = (ms + 50) / 100;
    match tenths % 10 {
        0 => (tenths / 10).to_string(),
        digit => format!("{}.{digit}", tenths / 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_as_people_say_them() {
        for (ms, said) in [
            (0, "0"),
            (840, "0.8"),
            (960, "1"),
            (2_500, "2.5"),
            (61_000, "61"),
        ] {
            assert_eq!(tenths(ms), said);
        }
    }
}
