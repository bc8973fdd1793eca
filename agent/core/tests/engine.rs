//! The engine's promises: no panic, the same effects for the same inputs, a state that can
//! be saved anywhere, holds no text and has a bound.

mod common;

use common::streams::{stream, streams};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use snag_core::{
    AppRules, Body, Button, Detail, DropReason, Effect, Element, Engine, EngineState, EventKind,
    IncidentKind, Input, InputKind, KeyClass, LabelAction, LabelKind, LabelRule, Policy,
    PolicySettings, Readable, Record, SessionRecord, TaskEvent,
};

fn at(t: u64, kind: InputKind) -> Input {
    Input { t, kind }
}

fn focus(app: &str, screen: &str) -> InputKind {
    InputKind::Focus {
        app: app.into(),
        window: "w".into(),
        screen: screen.into(),
    }
}

fn press(role: Option<&str>) -> InputKind {
    InputKind::Press {
        button: Button::Left,
        x: 1.0,
        y: 1.0,
        element: role.map(|role| Element {
            role: role.into(),
            id: "00000000000000aa".into(),
        }),
    }
}

fn release() -> InputKind {
    InputKind::Release {
        button: Button::Left,
        x: 1.0,
        y: 1.0,
        element: None,
    }
}

fn click(t: u64, role: Option<&str>) -> [Input; 2] {
    [at(t, press(role)), at(t, release())]
}

fn key(class: KeyClass) -> InputKind {
    InputKind::Key { class }
}

fn settings(apps: AppRules) -> PolicySettings {
    PolicySettings {
        apps,
        ..PolicySettings::default()
    }
}

fn run(policy: Policy, inputs: &[Input]) -> Vec<Effect> {
    common::effects(policy, inputs)
}

fn run_default(inputs: &[Input]) -> Vec<Effect> {
    run(Policy::default(), inputs)
}

/// Saves, writes, reads and restores.
fn through_json(engine: &Engine) -> Engine {
    let json = serde_json::to_string(&engine.save()).unwrap();
    let state: EngineState = serde_json::from_str(&json).unwrap();
    assert_eq!(state, engine.save());
    Engine::restore(Policy::default(), state)
}

/// Incidents and sessions in an order that does not depend on when they were told.
fn findings(effects: &[Effect]) -> (Vec<String>, Vec<SessionRecord>) {
    let mut incidents: Vec<String> = common::records(effects)
        .into_iter()
        .filter(|record| matches!(record.body, Body::Incident(_)))
        .map(|record| serde_json::to_string(record).unwrap())
        .collect();
    incidents.sort();
    let sessions = common::sessions(effects).into_iter().cloned().collect();
    (incidents, sessions)
}

fn any_kind() -> impl Strategy<Value = InputKind> {
    let number = || {
        prop_oneof![
            any::<f64>(),
            Just(f64::NAN),
            Just(f64::INFINITY),
            -50.0..50.0f64
        ]
    };
    let text = || {
        prop_oneof![
            4 => any::<String>(),
            1 => Just(String::new()),
            1 => Just("ä\u{0}{name} ".repeat(3_000)),
            2 => "[ab]",
        ]
    };
    let element = move || {
        prop::option::of((prop_oneof![Just("push_button".to_owned()), text()], text()))
            .prop_map(|element| element.map(|(role, id)| Element { role, id }))
    };
    let button = || prop::sample::select(Button::ALL);
    prop_oneof![
        any::<bool>().prop_map(|reactions| InputKind::Capture { reactions }),
        (number(), number()).prop_map(|(x, y)| InputKind::Move { x, y }),
        (button(), number(), number(), element()).prop_map(|(button, x, y, element)| {
            InputKind::Press {
                button,
                x,
                y,
                element,
            }
        }),
        (button(), number(), number(), element()).prop_map(|(button, x, y, element)| {
            InputKind::Release {
                button,
                x,
                y,
                element,
            }
        }),
        (number(), number()).prop_map(|(dx, dy)| InputKind::Wheel {
            dx,
            dy,
            x: dx,
            y: dy
        }),
        prop::sample::select(KeyClass::ALL).prop_map(key),
        (text(), text(), text()).prop_map(|(app, window, screen)| InputKind::Focus {
            app,
            window,
            screen
        }),
        Just(InputKind::Reaction),
        (prop::sample::select(TaskEvent::ALL), text())
            .prop_map(|(event, name)| InputKind::Task { event, name }),
        text().prop_map(|code| InputKind::Error { code }),
    ]
}

fn any_time() -> impl Strategy<Value = u64> {
    prop_oneof![0..5_000u64, 0..10_000_000u64, any::<u64>(), Just(u64::MAX)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, rng_seed: RngSeed::Fixed(2), failure_persistence: None, ..ProptestConfig::default() })]

    /// Arbitrary inputs, times that fall included, never panic, and the state can be
    /// saved among them.
    #[test]
    fn nothing_panics(inputs in prop::collection::vec((any_time(), any_kind(), any::<Option<u64>>()), 0..40)) {
        let mut engine = Engine::new(Policy::default());
        let mut effects = Vec::new();
        for (t, kind, advance) in inputs {
            let input = at(t, kind);
            let _ = format!("{input:?}");
            engine.step(&input, &mut |effect| effects.push(effect));
            if let Some(t) = advance {
                engine.advance(t, &mut |effect| effects.push(effect));
            }
            engine = through_json(&engine);
        }
        engine.finish(&mut |effect| effects.push(effect));
        for session in common::sessions(&effects) {
            prop_assert!((0.0..=1.0).contains(&session.frustration));
            prop_assert!(session.efficiency.is_none_or(|value| (0.0..=1.0).contains(&value)));
            prop_assert!(session.active_ms <= session.duration_ms);
        }
        for record in common::records(&effects) {
            let json = serde_json::to_string(record).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Record>(&json).unwrap(), record);
        }
    }

    /// Saved and restored anywhere, and everywhere, the engine goes on as if nothing was.
    #[test]
    fn a_restart_changes_nothing(inputs in stream(), point in any::<prop::sample::Index>()) {
        let whole = run_default(&inputs);
        prop_assert_eq!(&run_default(&inputs), &whole);
        let cut = point.index(inputs.len());
        for everywhere in [false, true] {
            let mut effects = Vec::new();
            let mut engine = Engine::new(Policy::default());
            for (index, input) in inputs.iter().enumerate() {
                if everywhere || index == cut {
                    engine = through_json(&engine);
                }
                engine.step(input, &mut |effect| effects.push(effect));
            }
            engine = through_json(&engine);
            engine.finish(&mut |effect| effects.push(effect));
            prop_assert_eq!(&effects, &whole);
        }
    }

    /// Telling the engine that time passed changes when things are said, not what.
    #[test]
    fn time_that_passes_changes_no_figure(inputs in stream(), steps in prop::collection::vec(0..=4u64, 1..20)) {
        let whole = findings(&run_default(&inputs));
        let mut effects = Vec::new();
        let mut engine = Engine::new(Policy::default());
        for (index, input) in inputs.iter().enumerate() {
            engine.step(input, &mut |effect| effects.push(effect));
            let next = inputs.get(index + 1).map_or(input.t, |next| next.t);
            let quarters = steps[index % steps.len()];
            engine.advance(input.t + (next - input.t) * quarters / 4, &mut |effect| effects.push(effect));
        }
        engine.finish(&mut |effect| effects.push(effect));
        prop_assert_eq!(findings(&effects), whole);
    }
}

/// Every incident was asked about when its run crossed the threshold, before it was told.
#[test]
fn each_incident_is_asked_about_once_and_first() {
    for inputs in streams().take(200) {
        let mut open: Vec<(IncidentKind, u64)> = Vec::new();
        for effect in run_default(&inputs) {
            match effect {
                Effect::AskForFeedback { kind, screen, .. } => open.push((kind, screen.identity)),
                Effect::Record(Record {
                    screen,
                    body: Body::Incident(incident),
                    ..
                }) => {
                    let asked = (incident.kind, screen.identity);
                    let index = open.iter().position(|one| *one == asked);
                    open.remove(index.expect("an incident that nobody was asked about"));
                }
                _ => {}
            }
        }
        assert!(open.is_empty(), "{open:?}");
    }
}

#[test]
fn a_rage_click_is_asked_about_at_the_third_click_and_told_when_the_run_ends() {
    let mut engine = Engine::new(Policy::default());
    let mut effects = Vec::new();
    let mut asked_at = Vec::new();
    let mut inputs = vec![at(0, focus("app", "screen"))];
    for t in [100, 200, 300, 1_200] {
        inputs.extend(click(t, Some("push_button")));
    }
    for input in &inputs {
        let before = effects.len();
        engine.step(input, &mut |effect| effects.push(effect));
        if effects[before..]
            .iter()
            .any(|effect| matches!(effect, Effect::AskForFeedback { .. }))
        {
            asked_at.push(input.t);
        }
    }
    assert_eq!(asked_at, [300]);
    let incident = |effects: &[Effect]| {
        common::records(effects)
            .into_iter()
            .find_map(|record| match &record.body {
                Body::Incident(incident) => Some((record.t, incident.duration_ms, incident.count)),
                _ => None,
            })
    };
    engine.advance(2_200, &mut |effect| effects.push(effect));
    assert_eq!(incident(&effects), None);
    engine.advance(2_201, &mut |effect| effects.push(effect));
    assert_eq!(incident(&effects), Some((100, 1_100, 4)));
}

/// Whoever tells the time may sleep until something is due: nothing happens before, and all of it is over after.
#[test]
fn nothing_happens_by_time_alone_before_it_is_due() {
    let mut settled = 0;
    for inputs in streams().take(100) {
        let mut engine = Engine::new(Policy::default());
        for input in &inputs {
            engine.step(input, &mut |_| {});
            let mut alone = engine.clone();
            let mut now = input.t;
            // What the input left to be settled by the next one, or by time, is settled now.
            alone.advance(now, &mut |_| {});
            while let Some(due) = alone.due() {
                assert!(due > now, "due at {due}, and it is {now}");
                alone.advance(due - 1, &mut |effect| panic!("before {due}: {effect:?}"));
                alone.advance(due, &mut |_| settled += 1);
                now = due;
            }
            alone.advance(u64::MAX, &mut |effect| panic!("after {now}: {effect:?}"));
        }
    }
    assert!(settled > 10_000, "{settled}");
}

/// A name of small letters for each number.
fn word(mut number: u64) -> String {
    let mut word = String::new();
    loop {
        word.push(char::from(b'a' + u8::try_from(number % 26).unwrap()));
        number /= 26;
        if number == 0 {
            return word;
        }
    }
}

/// However long and mean the stream, the state stays below a bound.
#[test]
fn memory_is_bounded() {
    const STATE_BYTES_MAX: usize = 8 << 20;
    let mut engine = Engine::new(Policy::default());
    let mut sink = |_| {};
    engine.step(&at(0, InputKind::Capture { reactions: true }), &mut sink);
    let mut t = 0;
    // Never a gap that ends the session; clicks that wait; runs that never end.
    for number in 0..60_000 {
        t += u64::from(number % 7 == 0);
        let name = word(number);
        engine.step(
            &at(
                t,
                InputKind::Task {
                    event: TaskEvent::Start,
                    name: name.clone(),
                },
            ),
            &mut sink,
        );
        engine.step(&at(t, InputKind::Error { code: name.clone() }), &mut sink);
        for input in click(t, Some("push_button")) {
            engine.step(&input, &mut sink);
        }
        if number % 4 == 0 {
            engine.step(&at(t, focus(&name, &name)), &mut sink);
        }
        engine.step(&at(t, key(KeyClass::Undo)), &mut sink);
    }
    for _ in 0..20_000 {
        // Dead clicks of one endless run that never is a rage run.
        t += 600;
        for input in click(t, Some("link")) {
            engine.step(&input, &mut sink);
        }
    }
    for _ in 0..1_000_000 {
        t += 1;
        engine.step(&at(t, InputKind::Move { x: 1.0, y: 2.0 }), &mut sink);
    }
    let size = serde_json::to_string(&engine.save()).unwrap().len();
    println!("{size} bytes");
    assert!(size < STATE_BYTES_MAX, "{size}");
    let mut session = None;
    let mut screens = 0;
    engine.finish(&mut |effect| {
        if let Effect::Record(record) = effect {
            match record.body {
                Body::Session(record) => session = Some(record),
                Body::Screen(_) => screens += 1,
                _ => {}
            }
        }
    });
    let session = session.unwrap();
    assert_eq!(
        (session.visits, session.screens, screens),
        (15_000, 10_000, 10_001)
    );
    assert_eq!((session.errors, session.tasks_started), (60_000, 60_000));
    assert_eq!(session.dead_clicks, 20_000);
    let after = serde_json::to_string(&engine.save()).unwrap().len();
    assert!(after < 200_000, "{after}");
}

/// No text gets beyond the first stage: not into the state, a record, a `Debug` output.
#[test]
fn secrets_stay_out() {
    const SECRETS: [&str; 6] = [
        "Zyxwolf",
        "quxblorp",
        "Hmfrx",
        "Krgltz",
        "wndsecret",
        "prvtrole",
    ];
    let inputs = vec![
        at(0, InputKind::Capture { reactions: true }),
        at(
            0,
            InputKind::Focus {
                app: "/home/quxblorp/crm".into(),
                window: "wndsecret".into(),
                screen: "Patient Zyxwolf 4711".into(),
            },
        ),
        at(
            1,
            InputKind::Press {
                button: Button::Left,
                x: 123_456.0,
                y: 654_321.0,
                element: Some(Element {
                    role: "push_button".into(),
                    id: "Hmfrx".into(),
                }),
            },
        ),
        at(
            2,
            InputKind::Release {
                button: Button::Left,
                x: 123_456.0,
                y: 654_321.0,
                element: None,
            },
        ),
        at(
            3,
            InputKind::Press {
                button: Button::Right,
                x: 0.0,
                y: 0.0,
                element: Some(Element {
                    role: "prvtrole Hmfrx".into(),
                    id: "Hmfrx".into(),
                }),
            },
        ),
        at(
            4,
            InputKind::Task {
                event: TaskEvent::Start,
                name: "Krgltz 12".into(),
            },
        ),
        at(
            5,
            InputKind::Error {
                code: "Krgltz".into(),
            },
        ),
        at(
            6,
            InputKind::Error {
                code: "Krgltz".into(),
            },
        ),
        at(
            7,
            InputKind::Release {
                button: Button::Right,
                x: 0.0,
                y: 0.0,
                element: None,
            },
        ),
        at(8, key(KeyClass::Char)),
    ];
    let hidden = |what: &str, text: &str| {
        for secret in SECRETS {
            assert!(
                !text.to_lowercase().contains(&secret.to_lowercase()),
                "{secret} in {what}: {text}"
            );
        }
    };
    let mut engine = Engine::new(Policy::default());
    let mut effects = Vec::new();
    for input in &inputs {
        hidden("an input's Debug", &format!("{input:?}"));
        engine.step(input, &mut |effect| effects.push(effect));
        hidden("the state", &serde_json::to_string(&engine.save()).unwrap());
        hidden("the state's Debug", &format!("{:?}", engine.save()));
        hidden("the engine's Debug", &format!("{engine:?}"));
    }
    engine.finish(&mut |effect| effects.push(effect));
    hidden("an effect's Debug", &format!("{effects:?}"));
    for record in common::records(&effects) {
        let json = serde_json::to_string(record).unwrap();
        hidden("a record", &json);
        assert!(
            !json.contains("123456") && !json.contains("654321"),
            "{json}"
        );
    }
    let labels: Vec<(LabelKind, &str)> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Label(label) => Some((label.kind, label.text.as_str())),
            _ => None,
        })
        .collect();
    assert_eq!(labels[0], (LabelKind::Screen, "Patient {name} {number}"));
    assert_eq!(labels[1], (LabelKind::Task, "Krgltz {number}"));
    let roles: Vec<_> = common::records(&effects)
        .into_iter()
        .filter_map(|record| match &record.body {
            Body::Event(event) => event.role.as_deref(),
            _ => None,
        })
        .collect();
    assert_eq!(roles, ["push_button", "unknown"]);
}

/// Inputs of a program that is left out yield nothing, not even time.
#[test]
fn excluded_programs_yield_nothing() {
    let shown = |t| at(t, focus("crm", "list"));
    let mut inputs = vec![shown(0)];
    inputs.extend(click(1_000, Some("link")));
    inputs.push(at(2_000, focus("bank", "account of Anna")));
    inputs.extend(click(3_000, None));
    inputs.push(at(4_000, key(KeyClass::Char)));
    inputs.push(at(5_000, InputKind::Error { code: "e".into() }));
    inputs.push(at(
        6_000,
        InputKind::Task {
            event: TaskEvent::Start,
            name: "t".into(),
        },
    ));
    inputs.push(shown(30_000));
    inputs.push(at(31_000, key(KeyClass::Tab)));
    for apps in [
        AppRules::Deny(vec!["BANK*".into()]),
        AppRules::Allow(vec!["crm".into()]),
    ] {
        let policy = Policy::from_settings(&settings(apps)).unwrap();
        let effects = run(policy, &inputs);
        let sessions = common::sessions(&effects);
        assert_eq!(sessions.len(), 1);
        let session = sessions[0];
        assert_eq!(
            (
                session.clicks,
                session.keys,
                session.errors,
                session.tasks_started
            ),
            (1, 1, 0, 0)
        );
        assert_eq!(
            (session.visits, session.screens, session.context_switches),
            (2, 1, 0)
        );
        let dropped = effects
            .iter()
            .filter(|effect| {
                matches!(
                    effect,
                    Effect::Dropped {
                        reason: DropReason::AppExcluded
                    }
                )
            })
            .count();
        assert_eq!(dropped, 6);
        assert!(!format!("{effects:?}").contains("bank"));
        let dwell: Vec<u64> = common::records(&effects)
            .into_iter()
            .filter_map(|record| match &record.body {
                Body::Screen(screen) => Some(screen.dwell_ms),
                _ => None,
            })
            .collect();
        // To the last input before leaving, and from the return to the end.
        assert_eq!(dwell, [2_000]);
    }
}

#[test]
fn an_allow_list_fails_closed_before_any_focus_is_known() {
    let policy = Policy::from_settings(&settings(AppRules::Allow(vec!["crm".into()]))).unwrap();
    let mut inputs = click(0, None).to_vec();
    inputs.push(at(1, key(KeyClass::Char)));
    let effects = run(policy, &inputs);
    let dropped = Effect::Dropped {
        reason: DropReason::AppExcluded,
    };
    assert_eq!(effects, [dropped.clone(), dropped.clone(), dropped]);
}

#[test]
fn a_policy_that_comes_to_exclude_the_app_with_the_focus_holds_at_once() {
    let mut engine = Engine::new(Policy::default());
    let mut effects = Vec::new();
    engine.step(&at(0, focus("bank", "account")), &mut |effect| {
        effects.push(effect)
    });
    engine.step(&at(10, key(KeyClass::Char)), &mut |effect| {
        effects.push(effect)
    });
    let deny = settings(AppRules::Deny(vec!["bank".into()]));
    let mut engine = Engine::restore(Policy::from_settings(&deny).unwrap(), engine.save());
    let mut after = Vec::new();
    engine.step(&at(20, key(KeyClass::Tab)), &mut |effect| {
        after.push(effect)
    });
    assert_eq!(
        after,
        [Effect::Dropped {
            reason: DropReason::AppExcluded
        }]
    );
    engine.finish(&mut |effect| after.push(effect));
    let session = common::sessions(&after)[0];
    assert_eq!((session.keys, session.end), (1, 10));
}

#[test]
fn private_windows_yield_nothing() {
    for (window, screen) in [
        ("w", "Page — Mozilla Firefox Private Browsing"),
        ("Page — Mozilla Firefox Private Browsing", "page"),
    ] {
        let private = InputKind::Focus {
            app: "firefox".into(),
            window: window.into(),
            screen: screen.into(),
        };
        let effects = run_default(&[at(0, private), at(1, key(KeyClass::Char))]);
        let dropped = Effect::Dropped {
            reason: DropReason::PrivateWindow,
        };
        assert_eq!(effects, [dropped.clone(), dropped]);
    }
}

#[test]
fn the_first_label_rule_that_matches_all_of_a_label_decides() {
    let rule = |app: &str, label: &str, action| LabelRule {
        app: app.into(),
        label: label.into(),
        action,
    };
    let policy = Policy::from_settings(&PolicySettings {
        label_rules: vec![
            rule("crm*", "Secret.*", LabelAction::Never),
            rule("*", "Order (list|entry)", LabelAction::Readable),
            rule("*", "Order.*", LabelAction::Never),
        ],
        ..PolicySettings::default()
    })
    .unwrap();
    let redactor = snag_core::Redactor::new(&policy);
    let readable = |app: &str, title: &str| redactor.screen(app, title).label.map(|l| l.readable);
    assert_eq!(readable("crm", "Secret plan"), None);
    assert_eq!(readable("erp", "Secret plan"), Some(Readable::WhenShared));
    assert_eq!(readable("erp", "Order list"), Some(Readable::AtOnce));
    assert_eq!(readable("erp", "Order list 7"), None);
    assert_eq!(
        readable("erp", "The order list"),
        Some(Readable::WhenShared)
    );
    assert_eq!(readable("erp", ""), None);
    let (element, label) = redactor.element("erp", "Push Button", "Save order 4711");
    assert_eq!((element.role.as_str(), element.id.len()), ("unknown", 16));
    let label = label.unwrap();
    assert_eq!(
        (label.kind, label.text.as_str()),
        (LabelKind::Element, "Save order {number}")
    );
    assert_eq!(label.hash.to_string(), element.id);
    assert_eq!(redactor.label_hash("Save order {number}"), label.hash);
}

/// A program's own words stay whole: a code that is taken apart tells nothing.
#[test]
fn codes_are_labels_as_they_are() {
    let error = |code: &str| InputKind::Error { code: code.into() };
    let task = |name: &str| InputKind::Task {
        event: TaskEvent::Start,
        name: name.into(),
    };
    let mut inputs = vec![at(0, focus("app", "screen"))];
    inputs.extend(
        [
            error("ORA-00942"),
            error("ERR_TIMEOUT"),
            error("Customer 4711 not found"),
            error("case-1234567"),
            task("invoice.create"),
            task("Create invoice 4711"),
        ]
        .map(|kind| at(1, kind)),
    );
    let labels: Vec<String> = run_default(&inputs)
        .into_iter()
        .filter_map(|effect| match effect {
            Effect::Label(label) => Some(label.text),
            _ => None,
        })
        .collect();
    assert_eq!(
        labels[1..],
        [
            "ORA-00942",
            "ERR_TIMEOUT",
            "Customer {number} not found",
            "{id}",
            "invoice.create",
            "Create invoice {number}",
        ]
    );
}

fn events(effects: &[Effect]) -> Vec<(EventKind, Option<Detail>, u64, u32, u64)> {
    common::records(effects)
        .into_iter()
        .filter_map(|record| match &record.body {
            Body::Event(e) => Some((e.kind, e.detail, record.t, e.count, e.duration_ms)),
            _ => None,
        })
        .collect()
}

#[test]
fn moves_and_steps_become_runs_and_keys_one_for_each_class() {
    let chars = Some(Detail::Key(KeyClass::Char));
    let wheel = InputKind::Wheel {
        dx: 0.0,
        dy: 1.0,
        x: 0.0,
        y: 0.0,
    };
    let pointer = InputKind::Move { x: 0.0, y: 0.0 };
    let mut inputs = vec![at(0, focus("app", "screen"))];
    for t in [10, 500, 2_500] {
        inputs.push(at(t, key(KeyClass::Char)));
    }
    inputs.push(at(2_600, InputKind::Reaction));
    inputs.push(at(2_700, key(KeyClass::Char)));
    // Too late for the run.
    inputs.push(at(4_701, key(KeyClass::Char)));
    inputs.push(at(4_800, key(KeyClass::Backspace)));
    inputs.push(at(4_900, wheel.clone()));
    inputs.push(at(5_000, wheel));
    inputs.push(at(5_100, key(KeyClass::Space)));
    inputs.push(at(5_200, pointer.clone()));
    inputs.push(at(5_250, key(KeyClass::Backspace)));
    inputs.extend(click(5_300, None));
    inputs.push(at(5_400, pointer));
    // The screen that has the focus already is no event and cuts nothing.
    inputs.push(at(5_500, focus("app", "screen")));
    inputs.push(at(5_600, InputKind::Move { x: 9.0, y: 9.0 }));
    let left = Some(Detail::Button(Button::Left));
    assert_eq!(
        events(&run_default(&inputs)),
        [
            (EventKind::Focus, None, 0, 1, 0),
            (EventKind::Key, chars, 10, 4, 2_690),
            (EventKind::Scroll, None, 4_900, 2, 100),
            (EventKind::Key, chars, 4_701, 2, 549),
            (
                EventKind::Key,
                Some(Detail::Key(KeyClass::Backspace)),
                4_701,
                2,
                549
            ),
            (EventKind::Move, None, 5_200, 1, 0),
            (EventKind::Click, left, 5_300, 1, 0),
            (EventKind::Move, None, 5_400, 2, 200),
        ]
    );
}

/// Two texts of as many characters, typed in the same time, leave the same: neither words nor capitals nor lines nor
/// corrections nor a nudge of the mouse tell where they were.
#[test]
fn the_shape_and_the_rhythm_of_a_text_stay_here() {
    use KeyClass::{Backspace, Char, Enter, Modifier, Space, Tab};
    let type_it = |classes: &[(u64, KeyClass)], nudges: &[u64]| {
        let mut inputs = vec![at(0, focus("app", "screen"))];
        inputs.extend(classes.iter().map(|(t, class)| at(*t, key(*class))));
        let nudge = |t: &u64| at(*t, InputKind::Move { x: 1.0, y: 1.0 });
        inputs.extend(nudges.iter().map(nudge));
        inputs.sort_by_key(|input| input.t);
        inputs.extend(click(9_000, None));
        let keys = events(&run_default(&inputs));
        keys.into_iter()
            .filter(|(kind, ..)| *kind == EventKind::Key)
            .collect::<Vec<_>>()
    };
    let one = type_it(
        &[
            (1_000, Modifier),
            (1_100, Char),
            (1_200, Char),
            (1_300, Space),
            (1_900, Char),
            (2_000, Backspace),
            (2_100, Char),
            (2_200, Tab),
            (2_300, Char),
            (2_900, Enter),
        ],
        &[],
    );
    let other = type_it(
        &[
            (1_000, Char),
            (1_700, Enter),
            (1_710, Char),
            (1_720, Backspace),
            (1_800, Space),
            (1_900, Tab),
            (2_100, Modifier),
            (2_700, Char),
            (2_800, Space),
            (2_900, Char),
        ],
        &[1_050, 1_705, 2_105],
    );
    assert_eq!(one, other);
    let of = |class, count| {
        (
            EventKind::Key,
            Some(Detail::Key(class)),
            1_000,
            count,
            1_900,
        )
    };
    assert_eq!(
        one,
        [of(Char, 7), of(Enter, 1), of(Tab, 1), of(Backspace, 1)]
    );
    // Nor does typing tell through the pointer: its movement isn't cut by keys.
    let nudges: Vec<u64> = (10..20).map(|step| step * 100).collect();
    let moves = |classes: &[u64]| {
        let mut inputs = vec![at(0, focus("app", "screen"))];
        inputs.extend(classes.iter().map(|t| at(*t, key(Char))));
        inputs.extend(
            nudges
                .iter()
                .map(|t| at(*t, InputKind::Move { x: 1.0, y: 1.0 })),
        );
        inputs.sort_by_key(|input| input.t);
        let moves = events(&run_default(&inputs));
        moves
            .into_iter()
            .filter(|(kind, ..)| *kind == EventKind::Move)
            .collect::<Vec<_>>()
    };
    assert_eq!(moves(&[1_110, 1_520]), moves(&[1_050, 1_210, 1_330]));
}

#[test]
fn a_session_begins_on_the_screen_that_had_the_focus() {
    let inputs = [
        at(0, focus("app", "one")),
        at(10, focus("app", "two")),
        at(1_800_010, key(KeyClass::Char)),
        at(3_600_011, key(KeyClass::Char)),
        at(3_600_012, focus("app", "three")),
    ];
    let effects = run_default(&inputs);
    let sessions = common::sessions(&effects);
    assert_eq!(sessions.len(), 2);
    assert_eq!((sessions[0].visits, sessions[0].active_ms), (2, 10));
    assert_eq!(
        (sessions[1].start, sessions[1].visits, sessions[1].screens),
        (3_600_011, 2, 2)
    );
    assert_eq!(sessions[1].path.len(), 2);
    let numbers: Vec<u32> = common::records(&effects)
        .iter()
        .map(|record| record.session)
        .collect();
    assert!(numbers.is_sorted());
    assert_eq!(
        numbers
            .iter()
            .collect::<std::collections::BTreeSet<_>>()
            .len(),
        2
    );
}
