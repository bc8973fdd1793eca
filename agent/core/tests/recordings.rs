//! The three public recordings give the figures of their README, to the last digit.

mod common;

use common::{effects, read, records, sessions};
use snag_core::{Body, Input, Policy, SessionRecord};

fn only_session(name: &str, inputs: usize) -> SessionRecord {
    let recording = read(name);
    assert_eq!(recording.len(), inputs, "{name}");
    let effects = effects(Policy::default(), &recording);
    let sessions = sessions(&effects);
    assert_eq!(sessions.len(), 1, "{name}");
    println!("{name}: {:?}", sessions[0]);
    let incidents: Vec<_> = records(&effects)
        .into_iter()
        .filter(|record| matches!(record.body, Body::Incident(_)))
        .collect();
    println!("{incidents:?}");
    sessions[0].clone()
}

#[test]
fn remote_desktop_a() {
    let session = only_session("remote-desktop-a.jsonl.gz", 30_287);
    assert_eq!((session.clicks, session.rage_clicks), (987, 1));
    assert_eq!(format!("{:.6}", session.frustration), "0.031608");
    assert_eq!(session.efficiency, None);
}

#[test]
fn remote_desktop_b() {
    let session = only_session("remote-desktop-b.jsonl.gz", 23_108);
    assert_eq!((session.clicks, session.rage_clicks), (977, 1));
    assert_eq!(format!("{:.6}", session.frustration), "0.052865");
    assert_eq!(session.efficiency, None);
}

#[test]
fn forms_from_workbook() {
    let session = only_session("forms-from-workbook.jsonl.gz", 7_207);
    assert_eq!((session.clicks, session.context_switches), (1_617, 997));
    assert_eq!((session.tasks_started, session.tasks_completed), (50, 50));
    let incidents = session.rage_clicks
        + session.dead_clicks
        + session.backtracks
        + session.abandoned_tasks
        + session.error_loops
        + session.undo_storms;
    assert_eq!(incidents, 0);
    assert_eq!(session.frustration, 0.0);
    assert_eq!(format!("{:.6}", session.efficiency.unwrap()), "0.845983");
}

/// The serde form is that of the files: what is read is written the same.
#[test]
fn inputs_are_written_as_recordings_have_them() {
    use std::io::{BufRead, BufReader};
    for name in common::NAMES {
        let file = std::fs::File::open(common::recordings().join(name)).unwrap();
        for line in BufReader::new(flate2::read::GzDecoder::new(file)).lines() {
            let line = line.unwrap();
            let input: Input = serde_json::from_str(&line).unwrap();
            let read: serde_json::Value = serde_json::from_str(&line).unwrap();
            let written: serde_json::Value =
                serde_json::from_str(&serde_json::to_string(&input).unwrap()).unwrap();
            assert_eq!(written, read);
        }
    }
}
