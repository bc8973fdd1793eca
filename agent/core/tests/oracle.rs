//! A second implementation of DETECTORS.md, straight from the page: it looks at the whole
//! recording at once, forwards and backwards, and knows nothing of the engine's streams,
//! deadlines and bounds. Both have to say the same.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::streams::{stream, streams};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use snag_core::{
    Body, Button, Element, IncidentKind, Input, InputKind, KeyClass, Policy, PolicySettings,
    Redactor, SessionRecord, TaskEvent, Thresholds,
};

type Screen = Option<(String, String)>;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Incident {
    end: u64,
    start: u64,
    kind: IncidentKind,
    count: u64,
    /// The screen's identity; 0 for none.
    screen: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct OnScreen {
    screen: u64,
    visits: u64,
    dwell_ms: u64,
    clicks: u64,
    keys: u64,
    rage_clicks: u64,
    dead_clicks: u64,
    backtracks: u64,
    errors: u64,
    exited: bool,
    time_lost_ms: u64,
}

#[derive(Debug, Clone, PartialEq)]
struct Session {
    figures: Vec<(&'static str, u64)>,
    frustration: f64,
    efficiency: Option<f64>,
    incidents: Vec<Incident>,
    screens: Vec<OnScreen>,
}

/// A click with where it stands in the recording.
#[derive(Debug, Clone)]
struct Click {
    t: u64,
    x: f64,
    y: f64,
    element: Option<Element>,
    button: Button,
    screen: Screen,
    press: usize,
    release: usize,
}

const EXCLUDED: [&str; 11] = [
    "text",
    "entry",
    "password_text",
    "document",
    "terminal",
    "paragraph",
    "spin_button",
    "scroll_bar",
    "slider",
    "canvas",
    "drawing_area",
];
const ANSWERING: [&str; 8] = [
    "push_button",
    "link",
    "check_box",
    "radio_button",
    "menu_item",
    "tab",
    "toggle_button",
    "combo_box",
];

struct Oracle {
    /// Without the lines that say what the capture sees.
    inputs: Vec<Input>,
    /// Those lines: before which input they stand, when, and what they say.
    captures: Vec<(usize, u64, bool)>,
    /// Of the screens in the recording.
    identities: BTreeMap<(String, String), u64>,
}

impl Oracle {
    fn sessions(&self) -> Vec<Session> {
        let mut sessions = Vec::new();
        let mut start = 0;
        for at in 1..=self.inputs.len() {
            let over = at == self.inputs.len()
                || self.inputs[at].t - self.inputs[at - 1].t > 30 * 60 * 1000;
            if over && start < at {
                sessions.push(self.session(start, at));
                start = at;
            }
        }
        sessions
    }

    /// The screen of the latest focus among the inputs before `end`.
    fn screen_before(&self, end: usize) -> Screen {
        self.inputs[..end]
            .iter()
            .rev()
            .find_map(|input| match &input.kind {
                InputKind::Focus { app, screen, .. } => Some((app.clone(), screen.clone())),
                _ => None,
            })
    }

    fn identity(&self, screen: &Screen) -> u64 {
        screen.as_ref().map_or(0, |screen| self.identities[screen])
    }

    fn clicks(&self, from: usize, to: usize) -> Vec<Click> {
        let mut clicks = Vec::new();
        for release in from..to {
            let InputKind::Release { button, x, y, .. } = &self.inputs[release].kind else {
                continue;
            };
            // The latest press or release of this button before.
            let before = (from..release)
                .rev()
                .find(|at| match &self.inputs[*at].kind {
                    InputKind::Press { button: other, .. }
                    | InputKind::Release { button: other, .. } => other == button,
                    _ => false,
                });
            let Some(press) = before else { continue };
            let InputKind::Press {
                x: px,
                y: py,
                element,
                ..
            } = &self.inputs[press].kind
            else {
                continue;
            };
            if (px - x).hypot(py - y) <= 10.0 {
                clicks.push(Click {
                    t: self.inputs[press].t,
                    x: *px,
                    y: *py,
                    element: element.clone(),
                    button: *button,
                    screen: self.screen_before(release),
                    press,
                    release,
                });
            }
        }
        clicks
    }

    /// The runs of left clicks, as indices into the clicks.
    fn runs(clicks: &[Click]) -> Vec<Vec<usize>> {
        let mut runs: Vec<Vec<usize>> = Vec::new();
        let left = (0..clicks.len()).filter(|at| clicks[*at].button == Button::Left);
        for at in left {
            let joins = runs.last().is_some_and(|run| {
                let first = &clicks[run[0]];
                let before = &clicks[*run.last().unwrap()];
                let this = &clicks[at];
                let same_target = first.screen == this.screen
                    && match (&first.element, &this.element) {
                        (Some(a), Some(b)) => a.role == b.role && a.id == b.id,
                        _ => (first.x - this.x).hypot(first.y - this.y) <= 30.0,
                    };
                this.t - before.t <= 1_000 && same_target
            });
            if joins {
                runs.last_mut().unwrap().push(at);
            } else {
                runs.push(vec![at]);
            }
        }
        runs
    }

    fn is_rage(clicks: &[Click], run: &[usize]) -> bool {
        let n = if clicks[run[0]].element.is_some() {
            3
        } else {
            4
        };
        let excluded = |at: &usize| {
            clicks[*at]
                .element
                .as_ref()
                .is_some_and(|element| EXCLUDED.contains(&element.role.as_str()))
        };
        (n..=run.len()).any(|end| {
            clicks[run[end - 1]].t - clicks[run[end - n]].t <= 1_000
                && !run[..end].iter().any(excluded)
        })
    }

    fn is_dead(&self, click: &Click, to: usize) -> bool {
        let answers = click
            .element
            .as_ref()
            .is_some_and(|element| ANSWERING.contains(&element.role.as_str()));
        let sees = self
            .captures
            .iter()
            .rfind(|(before, _, _)| *before <= click.release)
            .is_some_and(|(_, _, reactions)| *reactions);
        let answered = (click.press + 1..to).any(|at| {
            let input = &self.inputs[at];
            let answer = matches!(
                input.kind,
                InputKind::Reaction | InputKind::Focus { .. } | InputKind::Key { .. }
            );
            answer && input.t - click.t <= 2_500
        });
        let blinded = self.captures.iter().any(|(before, t, reactions)| {
            !reactions && (click.release + 1..=to).contains(before) && t - click.t <= 2_500
        });
        let answered = answered || blinded;
        answers && sees && !answered
    }

    fn session(&self, from: usize, to: usize) -> Session {
        let inputs = &self.inputs[from..to];
        let (first, last) = (inputs[0].t, inputs[inputs.len() - 1].t);
        let clicks = self.clicks(from, to);
        let count = |f: &dyn Fn(&InputKind) -> bool| {
            inputs.iter().filter(|input| f(&input.kind)).count() as u64
        };
        let mut incidents = Vec::new();

        let runs = Self::runs(&clicks);
        for run in &runs {
            let rage = Self::is_rage(&clicks, run);
            let screen = self.identity(&clicks[run[0]].screen);
            if rage {
                incidents.push(Incident {
                    kind: IncidentKind::RageClick,
                    start: clicks[run[0]].t,
                    end: clicks[*run.last().unwrap()].t,
                    count: run.len() as u64,
                    screen,
                });
            }
            let dead = run.iter().filter(|at| self.is_dead(&clicks[**at], to));
            for at in dead.take(if rage { 1 } else { usize::MAX }) {
                incidents.push(Incident {
                    kind: IncidentKind::DeadClick,
                    start: clicks[*at].t,
                    end: clicks[*at].t + 2_500,
                    count: 1,
                    screen,
                });
            }
        }

        // Visits: where they begin in the recording, when, and of what.
        let mut visits: Vec<(usize, u64, (String, String))> = Vec::new();
        if let Some(screen) = self.screen_before(from) {
            visits.push((from, first, screen));
        }
        let mut switches = 0;
        for at in from..to {
            if let InputKind::Focus { app, screen, .. } = &self.inputs[at].kind {
                let this = (app.clone(), screen.clone());
                let before = self.screen_before(at);
                if before.as_ref() != Some(&this) {
                    visits.push((at, self.inputs[at].t, this));
                }
                if before.is_some_and(|before| before.0 != *app) {
                    switches += 1;
                }
            }
        }
        for three in visits.windows(3) {
            let [(_, _, a), (from_b, start_b, b), (to_b, end_b, c)] = three else {
                unreachable!()
            };
            let clicks = clicks
                .iter()
                .filter(|click| (*from_b..*to_b).contains(&click.release))
                .count();
            let written = self.inputs[*from_b..*to_b].iter().any(|input| {
                matches!(
                    input.kind,
                    InputKind::Key {
                        class: KeyClass::Char | KeyClass::Paste
                    }
                )
            });
            if a == c && a.0 == b.0 && end_b - start_b <= 20_000 && clicks <= 1 && !written {
                incidents.push(Incident {
                    kind: IncidentKind::Backtrack,
                    start: *start_b,
                    end: *end_b,
                    count: 1,
                    screen: self.identity(&Some(b.clone())),
                });
            }
        }

        let mut completed = 0;
        for at in from..to {
            let InputKind::Task {
                event: TaskEvent::Start,
                name,
            } = &self.inputs[at].kind
            else {
                continue;
            };
            let start = self.inputs[at].t;
            let limit = start + 15 * 60 * 1000;
            let next = (at + 1..to).find_map(|later| match &self.inputs[later].kind {
                InputKind::Task { event, name: other } if other == name => {
                    Some((*event, self.inputs[later].t))
                }
                _ => None,
            });
            let end = match next {
                Some((TaskEvent::Start, t)) => Some(t.min(limit)),
                Some((_, t)) => (t > limit).then_some(limit),
                None => (last >= limit).then_some(limit),
            };
            if let Some((TaskEvent::Complete, _)) = next {
                completed += 1;
            }
            if let Some(end) = end {
                incidents.push(Incident {
                    kind: IncidentKind::AbandonedTask,
                    start,
                    end,
                    count: 1,
                    screen: self.identity(&self.screen_before(at)),
                });
            }
        }

        let codes: BTreeSet<&str> = inputs
            .iter()
            .filter_map(|input| match &input.kind {
                InputKind::Error { code } => Some(code.as_str()),
                _ => None,
            })
            .collect();
        for code in codes {
            let at = (from..to).filter(
                |at| matches!(&self.inputs[*at].kind, InputKind::Error { code: c } if c == code),
            );
            self.repeats(IncidentKind::ErrorLoop, at, 60_000, 2, &mut incidents);
        }
        let undos = (from..to).filter(|at| {
            matches!(
                self.inputs[*at].kind,
                InputKind::Key {
                    class: KeyClass::Undo
                }
            )
        });
        self.repeats(IncidentKind::UndoStorm, undos, 1_500, 4, &mut incidents);
        incidents.sort();

        let active: u64 = inputs
            .windows(2)
            .map(|two| two[1].t - two[0].t)
            .filter(|gap| *gap <= 60_000)
            .sum();
        let of = |kind: IncidentKind| incidents.iter().filter(|i| i.kind == kind).count() as u64;
        let screens: BTreeSet<&(String, String)> = visits.iter().map(|visit| &visit.2).collect();
        let errors = count(&|kind| matches!(kind, InputKind::Error { .. }));

        let minutes = active as f64 / 60_000.0;
        let x = (1.0 * of(IncidentKind::RageClick) as f64
            + 0.5 * of(IncidentKind::DeadClick) as f64
            + 0.4 * of(IncidentKind::Backtrack) as f64
            + 0.8 * errors as f64
            + 1.0 * of(IncidentKind::AbandonedTask) as f64
            + 0.4 * of(IncidentKind::UndoStorm) as f64)
            / f64::max(1.0, minutes / 10.0);
        let n = completed as f64;
        let y = 0.5 * f64::max(0.0, (minutes / n / 5.0).log2())
            + 0.3 * f64::max(0.0, (clicks.len() as f64 / n / 25.0).log2())
            + 0.2 * (visits.len() as f64 - screens.len() as f64)
                / f64::max(1.0, visits.len() as f64);

        Session {
            figures: vec![
                ("start", first),
                ("end", last),
                ("duration_ms", last - first),
                ("active_ms", active),
                ("clicks", clicks.len() as u64),
                ("keys", count(&|kind| matches!(kind, InputKind::Key { .. }))),
                (
                    "scrolls",
                    count(&|kind| matches!(kind, InputKind::Wheel { .. })),
                ),
                ("screens", screens.len() as u64),
                ("visits", visits.len() as u64),
                ("context_switches", switches),
                (
                    "tasks_started",
                    count(&|kind| {
                        matches!(
                            kind,
                            InputKind::Task {
                                event: TaskEvent::Start,
                                ..
                            }
                        )
                    }),
                ),
                ("tasks_completed", completed),
                ("rage_clicks", of(IncidentKind::RageClick)),
                ("dead_clicks", of(IncidentKind::DeadClick)),
                ("backtracks", of(IncidentKind::Backtrack)),
                ("abandoned_tasks", of(IncidentKind::AbandonedTask)),
                ("error_loops", of(IncidentKind::ErrorLoop)),
                ("undo_storms", of(IncidentKind::UndoStorm)),
                ("errors", errors),
            ],
            frustration: 2.0 / (1.0 + (-x).exp()) - 1.0,
            efficiency: (completed > 0).then(|| 2.0 / (1.0 + y.exp())),
            screens: self.screens(from, to, &visits, &clicks, &incidents),
            incidents,
        }
    }

    /// Runs of the same thing, each at most so long after the one before.
    fn repeats(
        &self,
        kind: IncidentKind,
        at: impl Iterator<Item = usize>,
        gap_ms: u64,
        least: usize,
        incidents: &mut Vec<Incident>,
    ) {
        let mut runs: Vec<Vec<usize>> = Vec::new();
        for at in at {
            match runs.last_mut() {
                Some(run) if self.inputs[at].t - self.inputs[*run.last().unwrap()].t <= gap_ms => {
                    run.push(at);
                }
                _ => runs.push(vec![at]),
            }
        }
        for run in runs.iter().filter(|run| run.len() >= least) {
            incidents.push(Incident {
                kind,
                start: self.inputs[run[0]].t,
                end: self.inputs[*run.last().unwrap()].t,
                count: run.len() as u64,
                screen: self.identity(&self.screen_before(run[0])),
            });
        }
    }

    fn screens(
        &self,
        from: usize,
        to: usize,
        visits: &[(usize, u64, (String, String))],
        clicks: &[Click],
        incidents: &[Incident],
    ) -> Vec<OnScreen> {
        let last = self.inputs[to - 1].t;
        let all: BTreeSet<&(String, String)> = visits.iter().map(|visit| &visit.2).collect();
        let mut out: Vec<OnScreen> = all
            .into_iter()
            .map(|screen| {
                let some = Some(screen.clone());
                let identity = self.identity(&some);
                let dwell = (0..visits.len())
                    .filter(|at| visits[*at].2 == *screen)
                    .map(|at| visits.get(at + 1).map_or(last, |next| next.1) - visits[at].1)
                    .sum();
                let here = |kind: &dyn Fn(&InputKind) -> bool| {
                    (from..to)
                        .filter(|at| {
                            kind(&self.inputs[*at].kind) && self.screen_before(*at) == some
                        })
                        .count() as u64
                };
                let of = |kind: IncidentKind| {
                    incidents
                        .iter()
                        .filter(|i| i.kind == kind && i.screen == identity)
                        .count() as u64
                };
                let lost: u64 = incidents
                    .iter()
                    .filter(|i| i.screen == identity)
                    .map(|i| i.end - i.start)
                    .sum();
                OnScreen {
                    screen: identity,
                    visits: visits.iter().filter(|visit| visit.2 == *screen).count() as u64,
                    dwell_ms: dwell,
                    clicks: clicks.iter().filter(|click| click.screen == some).count() as u64,
                    keys: here(&|kind| matches!(kind, InputKind::Key { .. })),
                    rage_clicks: of(IncidentKind::RageClick),
                    dead_clicks: of(IncidentKind::DeadClick),
                    backtracks: of(IncidentKind::Backtrack),
                    errors: here(&|kind| matches!(kind, InputKind::Error { .. })),
                    exited: self.screen_before(to) == some,
                    time_lost_ms: lost.min(dwell),
                }
            })
            .collect();
        out.sort();
        out
    }
}

fn figures(session: &SessionRecord) -> Vec<(&'static str, u64)> {
    vec![
        ("start", session.start),
        ("end", session.end),
        ("duration_ms", session.duration_ms),
        ("active_ms", session.active_ms),
        ("clicks", session.clicks),
        ("keys", session.keys),
        ("scrolls", session.scrolls),
        ("screens", session.screens),
        ("visits", session.visits),
        ("context_switches", session.context_switches),
        ("tasks_started", session.tasks_started),
        ("tasks_completed", session.tasks_completed),
        ("rage_clicks", session.rage_clicks),
        ("dead_clicks", session.dead_clicks),
        ("backtracks", session.backtracks),
        ("abandoned_tasks", session.abandoned_tasks),
        ("error_loops", session.error_loops),
        ("undo_storms", session.undo_storms),
        ("errors", session.errors),
    ]
}

/// What the engine says, in the oracle's form.
fn engine_says(inputs: &[Input]) -> Vec<Session> {
    engine_with(Policy::default(), inputs)
}

fn engine_with(policy: Policy, inputs: &[Input]) -> Vec<Session> {
    let effects = common::effects(policy, inputs);
    let records = common::records(&effects);
    let mut sessions = Vec::new();
    for record in &records {
        let Body::Session(session) = &record.body else {
            continue;
        };
        let x: f64 = session.frustration_terms.iter().sum();
        assert!((2.0 / (1.0 + (-x).exp()) - 1.0 - session.frustration).abs() < 1e-12);
        if let (Some(terms), Some(efficiency)) = (session.efficiency_terms, session.efficiency) {
            let y: f64 = terms.iter().sum();
            assert!((2.0 / (1.0 + y.exp()) - efficiency).abs() < 1e-12);
        }
        let mut incidents = Vec::new();
        let mut screens = Vec::new();
        for other in records
            .iter()
            .filter(|other| other.session == record.session)
        {
            match &other.body {
                Body::Incident(incident) => incidents.push(Incident {
                    kind: incident.kind,
                    start: other.t,
                    end: other.t + incident.duration_ms,
                    count: incident.count,
                    screen: other.screen.identity,
                }),
                Body::Screen(screen) => {
                    assert_eq!(screen.session_frustration, session.frustration);
                    assert_eq!(screen.session_efficiency, session.efficiency);
                    screens.push(OnScreen {
                        screen: other.screen.identity,
                        visits: screen.visits,
                        dwell_ms: screen.dwell_ms,
                        clicks: screen.clicks,
                        keys: screen.keys,
                        rage_clicks: screen.rage_clicks,
                        dead_clicks: screen.dead_clicks,
                        backtracks: screen.backtracks,
                        errors: screen.errors,
                        exited: screen.exited,
                        time_lost_ms: screen.time_lost_ms,
                    });
                }
                _ => {}
            }
        }
        incidents.sort();
        screens.sort();
        sessions.push(Session {
            figures: figures(session),
            frustration: session.frustration,
            efficiency: session.efficiency,
            incidents,
            screens,
        });
    }
    sessions
}

fn oracle_says(inputs: &[Input]) -> Vec<Session> {
    let redactor = Redactor::new(&Policy::default());
    let identities = inputs
        .iter()
        .filter_map(|input| match &input.kind {
            InputKind::Focus { app, screen, .. } => Some((app.clone(), screen.clone())),
            _ => None,
        })
        .collect::<BTreeSet<_>>()
        .into_iter()
        .map(|(app, screen)| {
            let identity = redactor.screen(&app, &screen).place.screen.identity;
            ((app, screen), identity)
        })
        .collect();
    let mut oracle = Oracle {
        inputs: Vec::new(),
        captures: Vec::new(),
        identities,
    };
    for input in inputs {
        match input.kind {
            InputKind::Capture { reactions } => {
                oracle
                    .captures
                    .push((oracle.inputs.len(), input.t, reactions));
            }
            _ => oracle.inputs.push(input.clone()),
        }
    }
    oracle.sessions()
}

fn lines(inputs: &[Input]) -> String {
    inputs
        .iter()
        .map(|input| serde_json::to_string(input).unwrap() + "\n")
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, rng_seed: RngSeed::Fixed(1), failure_persistence: None, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn both_say_the_same(inputs in stream()) {
        let (engine, oracle) = (engine_says(&inputs), oracle_says(&inputs));
        prop_assert_eq!(engine, oracle, "engine, oracle\n{}", lines(&inputs));
    }
}

/// The comparison is worth something only where it notices a threshold that is off by one.
#[test]
fn every_threshold_that_is_off_by_one_is_noticed() {
    let streams: Vec<_> = streams()
        .take(1_500)
        .map(|inputs| (oracle_says(&inputs), inputs))
        .collect();
    for (name, least, _) in Thresholds::NAMES {
        let default = serde_json::to_value(Thresholds::default()).unwrap()[name]
            .as_u64()
            .unwrap();
        for value in [default - 1, default + 1] {
            if value < *least {
                continue;
            }
            let settings = PolicySettings {
                thresholds: BTreeMap::from([((*name).to_owned(), value)]),
                ..PolicySettings::default()
            };
            let policy = Policy::from_settings(&settings).unwrap();
            let noticed = streams
                .iter()
                .any(|(oracle, inputs)| engine_with(policy.clone(), inputs) != *oracle);
            assert!(noticed, "{name} = {value}");
        }
    }
}

/// The streams are worth something only where the detectors fire in them.
#[test]
fn the_streams_hold_every_kind_of_incident_often() {
    let mut counts = [0u64; 6];
    let mut sessions = 0;
    let mut completed = 0;
    for inputs in streams().take(300) {
        for session in oracle_says(&inputs) {
            sessions += 1;
            completed += u64::from(session.efficiency.is_some());
            for incident in session.incidents {
                counts[incident.kind as usize] += 1;
            }
        }
    }
    println!("{sessions} sessions, {completed} with a completed task, incidents {counts:?}");
    assert!(sessions > 300 && completed > 30, "{sessions} {completed}");
    assert!(counts.iter().all(|count| *count > 30), "{counts:?}");
}

/// The oracle looks at everything again and again, so it gets the recordings in pieces:
/// an hour of each, at most, from several places.
#[test]
fn both_say_the_same_of_the_recordings() {
    for name in common::NAMES {
        let all = common::read(name);
        let whole = common::effects(Policy::default(), &all);
        assert_eq!(common::sessions(&whole).len(), 1);
        for part in 0..4 {
            let from = all.len() * part / 5;
            let inputs: Vec<Input> = all[from..].iter().take(2_000).cloned().collect();
            assert_eq!(
                engine_says(&inputs),
                oracle_says(&inputs),
                "{name} from {from}"
            );
        }
    }
}
