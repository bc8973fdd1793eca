//! `agent/data.yaml` declares every field that can leave a device, and PRIVACY.md is
//! what it says. `SNAG_UPDATE=1 cargo test -p snag-agent --test privacy` writes the page.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;
use snag_agent::desktop::data::{Declared, Facts};
use snag_agent::desktop::view::Sensitivity;
use snag_wire::{
    Category, Context, Detail, DeviceFacts, DropCount, EventBatch, EventKind, EventRecord,
    FeedbackSubmission, IncidentKind, IncidentRecord, LabelHash, LabelKind, LabelRecord, Point,
    Record, ScreenRecord, SessionRecord, Shape, Size, Target, TrailStep,
};

fn words(sensitivity: Sensitivity) -> &'static str {
    match sensitivity {
        Sensitivity::Technical => "says nothing about what you did",
        Sensitivity::Behaviour => "says what was done, not what it was about",
        Sensitivity::Text => "words that many people share",
        Sensitivity::Said => "what you say yourself",
    }
}

fn data() -> Declared {
    Declared::read().expect("data.yaml is what the program expects")
}

/// One record of each type with every field present. Struct literals: a new field
/// does not compile here until it is thought of.
fn batch() -> EventBatch {
    let hash = LabelHash([1; 8]);
    EventBatch {
        device: uuid::Uuid::from_u128(1),
        product: "default".into(),
        agent_version: "0".into(),
        sent_at: jiff::Timestamp::UNIX_EPOCH,
        base_at: jiff::Timestamp::UNIX_EPOCH,
        contexts: vec![Context {
            session: 1,
            app: "excel".into(),
            screen: hash,
        }],
        drops: vec![DropCount {
            reason: "quota".into(),
            count: 1,
        }],
        records: vec![
            Record::Event(EventRecord {
                seq: 1,
                kind: EventKind::Click,
                detail: Some(Detail::Left),
                role: Some("push_button".into()),
                label: Some(hash),
                context: 0,
                t_ms: 1,
                count: 2,
                duration_ms: 3,
            }),
            Record::Session(Box::new(SessionRecord {
                seq: 2,
                context: 0,
                t_ms: 0,
                duration_ms: 1,
                active_ms: 1,
                clicks: 1,
                keys: 1,
                scrolls: 1,
                screens: 1,
                visits: 1,
                context_switches: 1,
                tasks_started: 1,
                tasks_completed: 1,
                rage_clicks: 1,
                dead_clicks: 1,
                backtracks: 1,
                abandoned_tasks: 1,
                error_loops: 1,
                undo_storms: 1,
                errors: 1,
                frustration: 0.5,
                frustration_terms: [0.0; 6],
                efficiency: Some(0.5),
                efficiency_terms: Some([0.0; 3]),
                score_version: 1,
                path: vec![0],
            })),
            Record::Screen(ScreenRecord {
                seq: 3,
                context: 0,
                t_ms: 0,
                visits: 1,
                dwell_ms: 1,
                clicks: 1,
                keys: 1,
                rage_clicks: 1,
                dead_clicks: 1,
                backtracks: 1,
                errors: 1,
                exited: true,
                time_lost_ms: 1,
                session_frustration: 0.5,
                session_efficiency: Some(0.5),
            }),
            Record::Incident(IncidentRecord {
                seq: 4,
                kind: IncidentKind::RageClick,
                version: 1,
                context: 0,
                t_ms: 0,
                duration_ms: 1,
                count: 3,
                role: Some("push_button".into()),
                label: Some(hash),
            }),
            Record::Label(LabelRecord {
                seq: 5,
                hash,
                kind: LabelKind::Screen,
                app: "excel".into(),
                text: "Save".into(),
                t_ms: 0,
            }),
        ],
    }
}

fn fields(value: &Value) -> BTreeSet<String> {
    value
        .as_object()
        .expect("an object")
        .keys()
        .cloned()
        .collect()
}

fn declared(data: &Facts) -> BTreeSet<String> {
    data.keys().cloned().collect()
}

#[test]
fn every_field_on_the_wire_is_declared() {
    let data = data();
    let sent = serde_json::to_value(batch()).unwrap();

    let mut batch_fields = fields(&sent);
    batch_fields.remove("contexts");
    batch_fields.remove("records");
    assert_eq!(batch_fields, declared(&data.batch), "batch");
    assert_eq!(
        fields(&sent["contexts"][0]),
        declared(&data.context),
        "context"
    );

    let facts = DeviceFacts {
        os: String::new(),
        agent_version: String::new(),
        segment: String::new(),
    };
    let facts = serde_json::to_value(facts).unwrap();
    assert_eq!(fields(&facts), declared(&data.enrolment), "enrolment");

    let mut seen = BTreeSet::new();
    for record in sent["records"].as_array().unwrap() {
        let kind = record["type"].as_str().unwrap();
        let mut record_fields = fields(record);
        record_fields.remove("type");
        let declared_fields = data
            .records
            .get(kind)
            .map(declared)
            .unwrap_or_else(|| panic!("{kind} isn't declared"));
        assert_eq!(record_fields, declared_fields, "{kind}");
        seen.insert(kind.to_owned());
    }
    assert_eq!(
        seen,
        data.records.keys().cloned().collect(),
        "types of record"
    );
}

/// A submission with every field present.
fn submission() -> FeedbackSubmission {
    let size = Size {
        width: 1,
        height: 1,
    };
    FeedbackSubmission {
        id: uuid::Uuid::from_u128(1),
        created_at: jiff::Timestamp::UNIX_EPOCH,
        category: Category::Bug,
        description: "words".into(),
        rating: Some(1),
        tags: vec!["tag".into()],
        product: "default".into(),
        target: Target {
            app: "excel".into(),
            screen: "screen".into(),
            url: "https://example.com".into(),
        },
        session: Some(1),
        friction_trail: vec![TrailStep {
            before_ms: 1,
            text: "Click".into(),
            incident: Some(IncidentKind::RageClick),
            app: "excel".into(),
            screen: "screen".into(),
        }],
        app_state: Some(serde_json::Map::from_iter([("key".into(), 1.into())])),
        os: "linux".into(),
        screen_resolution: Some(size),
        viewport_size: Some(size),
        agent_version: "0".into(),
        annotation: vec![Shape::Text {
            at: Point { x: 0.0, y: 0.0 },
            text: "mark".into(),
        }],
    }
}

#[test]
fn feedback_carries_no_field_that_is_not_declared() {
    let sent = serde_json::to_value(submission()).unwrap();
    let mut seen = fields(&sent);
    seen.extend(
        fields(&sent["target"])
            .iter()
            .map(|name| format!("target.{name}")),
    );
    seen.extend(
        fields(&sent["friction_trail"][0])
            .iter()
            .map(|name| format!("friction_trail.{name}")),
    );
    // The picture is a request of its own.
    seen.insert("picture".into());
    assert_eq!(seen, declared(&data().feedback));
}

#[test]
fn privacy_page_is_generated() {
    let page = render(&data());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../PRIVACY.md");
    if std::env::var_os("SNAG_UPDATE").is_some() {
        std::fs::write(&path, &page).expect("PRIVACY.md can be written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == page,
        "PRIVACY.md isn't what agent/data.yaml says: \
         run SNAG_UPDATE=1 cargo test -p snag-agent --test privacy, and commit it"
    );
}

fn render(data: &Declared) -> String {
    let mut page = String::from(
        "# What Snag sends, and what it never does\n\n\
         Generated from `agent/data.yaml`; a test fails when a record carries a field that isn't here.\n\n\
         Snag notices where programs get in people's way. It does so on this computer: what leaves it is \
         what stands below, and nothing else. Your organisation receives it, and decides how long it keeps it: \
         90 days, unless it says otherwise. Then its server deletes it; sums over many people stay.\n\n## Never\n\n",
    );
    for line in &data.never {
        let _ = writeln!(page, "- {line}");
    }
    page.push_str(
        "\nFigures that fewer than k people (5, unless your organisation set more) stand behind are shown to nobody.\n\n\
         To see every record before it leaves: `snag-agent export`. To delete what waits here: `snag-agent erase`.\n",
    );
    let table = |page: &mut String, title: &str, fields: &Facts| {
        let _ = writeln!(
            page,
            "\n## {title}\n\n| field | what it is | why | what it tells | kept |\n|---|---|---|---|---|"
        );
        for (name, datum) in fields {
            let _ = writeln!(
                page,
                "| `{name}` | {} | {} | {} | {} |",
                datum.what,
                datum.purpose,
                words(datum.sensitivity),
                match datum.expires_days {
                    0 => "until its deletion is asked for".to_owned(),
                    days => format!("{days} days"),
                }
            );
        }
    };
    table(&mut page, "When a computer is enrolled", &data.enrolment);
    table(&mut page, "With every batch", &data.batch);
    table(&mut page, "Where something happened", &data.context);
    for (kind, title) in [
        ("event", "A step (`event`)"),
        ("session", "A session that ended (`session`)"),
        ("screen", "A screen in that session (`screen`)"),
        ("incident", "A problem (`incident`)"),
        ("label", "A shared title or name (`label`)"),
    ] {
        table(&mut page, title, &data.records[kind]);
    }
    page.push_str(
        "\n## When you say something\n\nOnly when you press Send, and only what \"See exactly what will be sent\" shows. \
         What you hide in a picture is made black in its pixels on this computer, before the picture is sent or stored; \
         a picture that waits in a draft or for the server is in Snag's folder, which only your account can read, and \
         goes with the draft or once it was sent.\n",
    );
    table(&mut page, "What you say (`feedback`)", &data.feedback);
    page
}
