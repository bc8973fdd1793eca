//! A day as it went, and scores whose terms add up.

use std::sync::Arc;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use snag_core::score::{self, Counts};
use snag_spool::Place;
use snag_wire::{EventKind, EventRecord, IncidentKind, IncidentRecord, SessionRecord};

use super::scores::{efficiency, frustration};
use super::*;

fn teller() -> Teller<'static> {
    Teller {
        zone: TimeZone::UTC,
        text: &|hash| (hash == LabelHash([9; 8])).then(|| "Save".to_owned()),
        until_ms: 10_000_000,
    }
}

fn stored(seq: u64, at_ms: i64, session: u32, app: &str, record: Record) -> StoredRecord {
    StoredRecord {
        seq,
        at_ms,
        place: Place {
            session,
            app: Arc::from(app),
            screen: LabelHash([1; 8]),
        },
        path: Vec::new(),
        record,
    }
}

fn focus() -> Record {
    Record::Event(EventRecord {
        seq: 0,
        kind: EventKind::Focus,
        detail: None,
        role: None,
        label: None,
        context: 0,
        t_ms: 0,
        count: 1,
        duration_ms: 0,
    })
}

fn session(counts: &Counts, duration_ms: u64) -> SessionRecord {
    let frustration = score::frustration(counts);
    let efficiency = score::efficiency(counts);
    SessionRecord {
        seq: 0,
        context: 0,
        t_ms: 0,
        duration_ms,
        active_ms: counts.active_ms,
        clicks: counts.clicks,
        keys: 0,
        scrolls: 0,
        screens: counts.screens,
        visits: counts.visits,
        context_switches: 0,
        tasks_started: counts.tasks_completed,
        tasks_completed: counts.tasks_completed,
        rage_clicks: counts.rage_clicks,
        dead_clicks: counts.dead_clicks,
        backtracks: counts.backtracks,
        abandoned_tasks: counts.abandoned_tasks,
        error_loops: 0,
        undo_storms: counts.undo_storms,
        errors: counts.errors,
        frustration: frustration.value,
        frustration_terms: frustration.terms,
        efficiency: efficiency.map(|score| score.value),
        efficiency_terms: efficiency.map(|score| score.terms),
        score_version: 1,
        path: Vec::new(),
    }
}

/// In hundredths, as a person adds up what is shown.
fn hundredths(value: f64) -> i64 {
    format!("{value:.2}").replace('.', "").parse().unwrap()
}

#[test]
fn the_terms_add_up_to_the_score_that_is_shown() {
    let mut rng = StdRng::seed_from_u64(7);
    for _ in 0..20_000 {
        let mut some = |most: u64| {
            if rng.random_bool(0.5) {
                0
            } else {
                rng.random_range(0..most)
            }
        };
        let counts = Counts {
            active_ms: some(40_000_000),
            rage_clicks: some(20),
            dead_clicks: some(20),
            backtracks: some(20),
            errors: some(20),
            abandoned_tasks: some(5),
            undo_storms: some(5),
            tasks_completed: some(6),
            clicks: some(2_000),
            visits: some(300),
            screens: some(40),
        };
        let session = session(&counts, 1);
        let scores = [Some(frustration(&session)), efficiency(&session)];
        for score in scores.into_iter().flatten() {
            let sum: i64 = score.terms.iter().map(|term| hundredths(term.adds)).sum();
            assert_eq!(sum, hundredths(score.value), "{score:?}");
        }
        for term in frustration(&session).terms {
            assert!(term.count > 0.0 && term.adds >= 0.0, "{term:?}");
        }
    }
}

#[test]
fn a_day_as_it_went() {
    let counts = Counts {
        active_ms: 600_000,
        rage_clicks: 2,
        ..Counts::default()
    };
    let rage = Record::Incident(IncidentRecord {
        seq: 3,
        kind: IncidentKind::RageClick,
        version: 1,
        context: 0,
        t_ms: 0,
        duration_ms: 840,
        count: 4,
        role: Some("push_button".into()),
        label: Some(LabelHash([9; 8])),
    });
    let records = [
        stored(1, 1_000, 1, "excel", focus()),
        stored(2, 61_000, 1, "excel", focus()),
        stored(3, 62_000, 1, "excel", rage),
        stored(4, 91_000, 1, "mail", focus()),
        stored(
            5,
            1_000,
            1,
            "mail",
            Record::Session(Box::new(session(&counts, 120_000))),
        ),
        stored(
            6,
            500_000,
            2,
            "erp",
            Record::Session(Box::new(session(&counts, 10_000))),
        ),
        stored(7, 9_000_000, 3, "erp", focus()),
    ];
    let date: Date = "1970-01-01".parse().unwrap();
    let day = day(date, &[date], &records, &teller()).unwrap();
    let spans: Vec<_> = day
        .spans
        .iter()
        .map(|span| {
            (
                span.app.as_str(),
                span.from.as_second(),
                span.to.as_second(),
            )
        })
        .collect();
    assert_eq!(
        spans,
        [
            ("excel", 1, 91),
            ("mail", 91, 121),
            ("erp", 500, 510),
            ("erp", 9_000, 10_000)
        ]
    );
    let incident = &day.incidents[0];
    assert_eq!(incident.sentence.key, "incident.rage_click_named");
    assert_eq!(incident.sentence.values["seconds"], "0.8");
    assert_eq!(incident.sentence.values["element"], "Save");
    assert_eq!(day.sessions.len(), 2);
    let terms = &day.sessions[0].frustration.terms;
    assert_eq!(terms.len(), 1);
    assert_eq!(terms[0].key, "term.rage_clicks");
    assert!((terms[0].adds - day.sessions[0].frustration.value).abs() < 1e-12);
    assert_eq!(days(&[1, 86_400_001, 5], &TimeZone::UTC).len(), 2);
}
