//! From the core's types to the contract's and back: the core knows no wire, and the
//! wire no core.

use std::sync::Arc;

use snag_core as core;
use snag_spool::{NewRecord, Place};
use snag_wire as wire;

use crate::sync::KnownLabel;

/// The server's policy as the core takes it, without the programs that the person left out.
///
/// # Errors
/// When a rule doesn't parse, or the key is missing: hashes without a key could be guessed.
pub fn policy(
    answer: &wire::PolicyAnswer,
    never_apps: &[String],
) -> Result<core::Policy, core::PolicyError> {
    if answer.label_key.is_empty() {
        return Err(core::PolicyError::LabelKey);
    }
    core::Policy::from_settings(&core::PolicySettings {
        apps: match &answer.apps {
            wire::AppRules::Allow(apps) => core::AppRules::Allow(apps.clone()),
            wire::AppRules::Deny(apps) => core::AppRules::Deny(apps.clone()),
        },
        never_apps: never_apps.to_vec(),
        label_rules: answer.label_rules.iter().map(label_rule).collect(),
        label_key: answer.label_key.clone(),
        thresholds: answer.thresholds.clone(),
    })
}

fn label_rule(rule: &wire::LabelRule) -> core::LabelRule {
    core::LabelRule {
        app: rule.app.clone(),
        label: rule.label.clone(),
        action: match rule.action {
            wire::LabelAction::Readable => core::LabelAction::Readable,
            wire::LabelAction::Never => core::LabelAction::Never,
        },
    }
}

/// A record of the core as the spool keeps it. `base_ms` is what the input's time counts
/// from, in milliseconds since 1970.
#[must_use]
pub fn record(record: core::Record, base_ms: i64) -> NewRecord {
    let at_ms = base_ms.saturating_add_unsigned(record.t);
    let session = record.session;
    let path = match &record.body {
        core::Body::Session(body) => body
            .path
            .iter()
            .map(|screen| place(session, screen))
            .collect(),
        _ => Vec::new(),
    };
    NewRecord {
        at_ms,
        place: place(session, &record.screen),
        path,
        record: body(record.body),
    }
}

fn place(session: u32, screen: &core::ScreenRef) -> Place {
    Place {
        session,
        app: Arc::clone(&screen.app),
        screen: hash(screen.label),
    }
}

/// A label hash of the core as the contract writes it.
#[must_use]
pub fn hash(label: core::LabelHash) -> wire::LabelHash {
    wire::LabelHash(label.0)
}

/// A label's text, for the store of those that may be asked for.
#[must_use]
pub fn label(label: core::LabelText) -> KnownLabel {
    KnownLabel {
        hash: hash(label.hash),
        kind: match label.kind {
            core::LabelKind::Screen => wire::LabelKind::Screen,
            core::LabelKind::Element => wire::LabelKind::Element,
            core::LabelKind::Task => wire::LabelKind::Task,
            core::LabelKind::Error => wire::LabelKind::Error,
        },
        app: label.app,
        text: label.text,
        at_once: label.readable == core::Readable::AtOnce,
    }
}

fn body(body: core::Body) -> wire::Record {
    match body {
        core::Body::Event(r) => wire::Record::Event(wire::EventRecord {
            seq: 0,
            kind: event_kind(r.kind),
            detail: r.detail.map(detail),
            role: r.role.map(|role| role.as_ref().to_owned()),
            label: r.label.map(hash),
            context: 0,
            t_ms: 0,
            count: r.count,
            duration_ms: r.duration_ms,
        }),
        core::Body::Session(r) => wire::Record::Session(Box::new(session(*r))),
        core::Body::Screen(r) => wire::Record::Screen(wire::ScreenRecord {
            seq: 0,
            context: 0,
            t_ms: 0,
            visits: r.visits,
            dwell_ms: r.dwell_ms,
            clicks: r.clicks,
            keys: r.keys,
            rage_clicks: r.rage_clicks,
            dead_clicks: r.dead_clicks,
            backtracks: r.backtracks,
            errors: r.errors,
            exited: r.exited,
            time_lost_ms: r.time_lost_ms,
            session_frustration: r.session_frustration,
            session_efficiency: r.session_efficiency,
        }),
        core::Body::Incident(r) => wire::Record::Incident(wire::IncidentRecord {
            seq: 0,
            kind: incident_kind(r.kind),
            version: r.version,
            context: 0,
            t_ms: 0,
            duration_ms: r.duration_ms,
            count: r.count,
            role: r.role.map(|role| role.as_ref().to_owned()),
            label: r.label.map(hash),
        }),
    }
}

fn session(r: core::SessionRecord) -> wire::SessionRecord {
    wire::SessionRecord {
        seq: 0,
        context: 0,
        t_ms: 0,
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
        frustration_terms: r.frustration_terms,
        efficiency: r.efficiency,
        efficiency_terms: r.efficiency_terms,
        score_version: r.score_version,
        path: Vec::new(),
    }
}

fn event_kind(kind: core::EventKind) -> wire::EventKind {
    match kind {
        core::EventKind::Click => wire::EventKind::Click,
        core::EventKind::Drag => wire::EventKind::Drag,
        core::EventKind::Scroll => wire::EventKind::Scroll,
        core::EventKind::Move => wire::EventKind::Move,
        core::EventKind::Key => wire::EventKind::Key,
        core::EventKind::Focus => wire::EventKind::Focus,
        core::EventKind::Task => wire::EventKind::Task,
        core::EventKind::Error => wire::EventKind::Error,
    }
}

/// A kind of incident as the contract names it.
#[must_use]
pub fn incident_kind(kind: core::IncidentKind) -> wire::IncidentKind {
    match kind {
        core::IncidentKind::RageClick => wire::IncidentKind::RageClick,
        core::IncidentKind::DeadClick => wire::IncidentKind::DeadClick,
        core::IncidentKind::Backtrack => wire::IncidentKind::Backtrack,
        core::IncidentKind::AbandonedTask => wire::IncidentKind::AbandonedTask,
        core::IncidentKind::ErrorLoop => wire::IncidentKind::ErrorLoop,
        core::IncidentKind::UndoStorm => wire::IncidentKind::UndoStorm,
    }
}

/// The core's details fall into three lists and the contract's into one.
fn detail(detail: core::Detail) -> wire::Detail {
    use snag_core::{Button, Detail, KeyClass, TaskEvent};
    match detail {
        Detail::Button(Button::Left) => wire::Detail::Left,
        Detail::Button(Button::Right) => wire::Detail::Right,
        Detail::Button(Button::Middle) => wire::Detail::Middle,
        Detail::Button(Button::Other) | Detail::Key(KeyClass::Other) => wire::Detail::Other,
        Detail::Key(KeyClass::Char) => wire::Detail::Char,
        Detail::Key(KeyClass::Space) => wire::Detail::Space,
        Detail::Key(KeyClass::Enter) => wire::Detail::Enter,
        Detail::Key(KeyClass::Tab) => wire::Detail::Tab,
        Detail::Key(KeyClass::Escape) => wire::Detail::Escape,
        Detail::Key(KeyClass::Backspace) => wire::Detail::Backspace,
        Detail::Key(KeyClass::Delete) => wire::Detail::Delete,
        Detail::Key(KeyClass::Undo) => wire::Detail::Undo,
        Detail::Key(KeyClass::Redo) => wire::Detail::Redo,
        Detail::Key(KeyClass::Copy) => wire::Detail::Copy,
        Detail::Key(KeyClass::Cut) => wire::Detail::Cut,
        Detail::Key(KeyClass::Paste) => wire::Detail::Paste,
        Detail::Key(KeyClass::Save) => wire::Detail::Save,
        Detail::Key(KeyClass::Find) => wire::Detail::Find,
        Detail::Key(KeyClass::Navigation) => wire::Detail::Navigation,
        Detail::Key(KeyClass::Modifier) => wire::Detail::Modifier,
        Detail::Key(KeyClass::Function) => wire::Detail::Function,
        Detail::Task(TaskEvent::Start) => wire::Detail::Start,
        Detail::Task(TaskEvent::Complete) => wire::Detail::Complete,
        Detail::Task(TaskEvent::Cancel) => wire::Detail::Cancel,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_the_same_on_both_sides() {
        for &class in core::KeyClass::ALL {
            let theirs = core::Detail::Key(class);
            assert_eq!(detail(theirs).as_str(), theirs.as_str());
        }
        for &kind in core::EventKind::ALL {
            assert_eq!(event_kind(kind).as_str(), kind.as_str());
        }
        for &kind in core::IncidentKind::ALL {
            assert_eq!(incident_kind(kind).as_str(), kind.as_str());
        }
    }

    #[test]
    fn a_policy_without_a_key_is_refused() {
        let mut answer: wire::PolicyAnswer = serde_json::from_value(serde_json::json!({
            "version": 1,
            "organisation": {"id": "00000000-0000-0000-0000-000000000001", "name": "x", "contact": "y"},
            "k": 5,
            "label_key": "00".repeat(32),
            "apps": {"mode": "deny", "apps": []},
            "label_rules": [],
            "wanted_labels": [],
            "thresholds": {},
            "sync": {"batch_age_ms": 1, "batch_records": 1, "policy_interval_ms": 1},
            "next_seq": 1
        }))
        .unwrap();
        assert!(policy(&answer, &[]).is_ok());
        answer.label_key.clear();
        assert!(policy(&answer, &[]).is_err());
    }
}
