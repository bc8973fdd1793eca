//! Replaying a recording: the same engine as on a live desktop, fed from a file.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;

use serde::Serialize;
use snag_core::{Body, Effect, Engine, IncidentKind, InputKind, Policy, Redactor, SessionRecord};

use crate::recording::{Recording, RecordingError};

/// What a replay found. Printed on this machine only: screens are named as the
/// recording names them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// A session that ended.
    Session(Session),
    /// A run of friction that ended.
    Incident(Incident),
}

impl Finding {
    fn end(&self) -> u64 {
        match self {
            Self::Session(session) => session.end,
            Self::Incident(incident) => incident.end,
        }
    }
}

/// A session, with the fields of DETECTORS.md. Times are milliseconds of the recording.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "named and explained by DETECTORS.md")]
pub struct Session {
    pub start: u64,
    pub end: u64,
    pub duration_ms: u64,
    pub active_ms: u64,
    pub clicks: u64,
    pub keys: u64,
    pub scrolls: u64,
    pub screens: u64,
    pub visits: u64,
    pub context_switches: u64,
    pub tasks_started: u64,
    pub tasks_completed: u64,
    pub rage_clicks: u64,
    pub dead_clicks: u64,
    pub backtracks: u64,
    pub abandoned_tasks: u64,
    pub error_loops: u64,
    pub undo_storms: u64,
    pub errors: u64,
    pub frustration: f64,
    pub efficiency: Option<f64>,
    pub score_version: u32,
}

impl From<&SessionRecord> for Session {
    fn from(r: &SessionRecord) -> Self {
        Self {
            start: r.start,
            end: r.end,
            duration_ms: r.duration_ms,
            active_ms: r.active_ms,
            clicks: r.clicks,
            keys: r.keys,
            scrolls: r.scrolls,
            screens: r.screens,
            visits: r.visits,
            context_switches: r.context_switches,
            tasks_started: r.tasks_started,
            tasks_completed: r.tasks_completed,
            rage_clicks: r.rage_clicks,
            dead_clicks: r.dead_clicks,
            backtracks: r.backtracks,
            abandoned_tasks: r.abandoned_tasks,
            error_loops: r.error_loops,
            undo_storms: r.undo_storms,
            errors: r.errors,
            frustration: r.frustration,
            efficiency: r.efficiency,
            score_version: r.score_version,
        }
    }
}

/// An incident. Times are milliseconds of the recording.
#[derive(Debug, Serialize)]
pub struct Incident {
    /// Which detector, without its version.
    pub kind: IncidentKind,
    /// Its first moment.
    pub start: u64,
    /// Its last moment.
    pub end: u64,
    /// How many clicks, errors, undos.
    pub count: u64,
    /// The program, as the recording names it.
    pub app: String,
    /// The screen, as the recording names it.
    pub screen: String,
}

/// Runs a recording through an engine of its own and returns what it found, ordered by
/// end (of two with the same end, the one that the engine reported first).
///
/// # Errors
/// The first malformed line.
pub fn find(path: &Path, policy: Policy) -> Result<Vec<Finding>, RecordingError> {
    let redactor = Redactor::new(&policy);
    let mut engine = Engine::new(policy);
    // The engine's effects name screens by a keyed hash; only the recording, which is
    // open here anyway, says what they are called.
    let mut names: HashMap<u64, (String, String)> = HashMap::new();
    let mut findings = Vec::new();
    for input in Recording::open(path)? {
        let input = input?;
        if let InputKind::Focus { app, screen, .. } = &input.kind {
            let identity = redactor.screen(app, screen).place.screen.identity;
            names
                .entry(identity)
                .or_insert_with(|| (app.clone(), screen.clone()));
        }
        engine.step(&input, &mut |effect| {
            findings.extend(finding(effect, &names))
        });
    }
    engine.finish(&mut |effect| findings.extend(finding(effect, &names)));
    findings.sort_by_key(Finding::end);
    Ok(findings)
}

fn finding(effect: Effect, names: &HashMap<u64, (String, String)>) -> Option<Finding> {
    let Effect::Record(record) = effect else {
        return None;
    };
    match &record.body {
        Body::Session(session) => Some(Finding::Session(Session::from(session.as_ref()))),
        Body::Incident(incident) => {
            let (app, screen) = names
                .get(&record.screen.identity)
                .cloned()
                .unwrap_or_default();
            Some(Finding::Incident(Incident {
                kind: incident.kind,
                start: record.t,
                end: record.t.saturating_add(incident.duration_ms),
                count: incident.count,
                app,
                screen,
            }))
        }
        Body::Event(_) | Body::Screen(_) => None,
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session(session) => {
                write!(
                    f,
                    "{}–{}  session: {} clicks, {} keys, {} visits of {} screens, frustration {:.3}",
                    clock(session.start),
                    clock(session.end),
                    session.clicks,
                    session.keys,
                    session.visits,
                    session.screens,
                    session.frustration,
                )?;
                match session.efficiency {
                    Some(efficiency) => write!(f, ", efficiency {efficiency:.3}"),
                    None => Ok(()),
                }
            }
            Self::Incident(incident) => write!(
                f,
                "{}–{}  {} × {} on {} / {}",
                clock(incident.start),
                clock(incident.end),
                incident.count,
                incident.kind.as_str().replace('_', " "),
                incident.app,
                incident.screen,
            ),
        }
    }
}

/// Hours, minutes and seconds of a recording.
fn clock(t_ms: u64) -> String {
    let seconds = t_ms / 1_000;
    format!(
        "{}:{:02}:{:02}",
        seconds / 3_600,
        seconds / 60 % 60,
        seconds % 60
    )
}
