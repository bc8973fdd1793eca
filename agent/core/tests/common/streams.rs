//! Streams in which things happen: few places and times, most of them on a boundary.

use proptest::prelude::*;
use snag_core::{Button, Element, Input, InputKind, KeyClass, TaskEvent};

#[derive(Debug, Clone)]
enum Move {
    Wait(u64),
    Click {
        button: Button,
        at: usize,
        off: u8,
        element: Option<usize>,
        held: u64,
        slip: u8,
    },
    Burst {
        at: usize,
        element: Option<usize>,
        gaps: Vec<u64>,
        forget: usize,
    },
    Press {
        button: Button,
        at: usize,
        element: Option<usize>,
    },
    Release {
        button: Button,
        at: usize,
    },
    Undos(Vec<u64>),
    Focus(usize),
    Hop {
        to: usize,
        back: usize,
        after: u64,
        with: Option<KeyClass>,
    },
    Kind(InputKind),
}

const SCREENS: [(&str, &str); 5] = [
    ("mail", "inbox"),
    ("mail", "settings"),
    ("mail", "search"),
    ("sheet", "inbox"),
    ("sheet", "print"),
];
const ELEMENTS: [(&str, &str); 6] = [
    ("push_button", "aa01"),
    ("push_button", "aa02"),
    ("link", "aa01"),
    ("entry", "aa03"),
    ("table_cell", "aa04"),
    ("canvas", "aa05"),
];
const PLACES: [(f64, f64); 3] = [(100.0, 100.0), (118.0, 124.0), (400.0, 300.0)];

fn element(at: Option<usize>) -> Option<Element> {
    at.map(|at| Element {
        role: ELEMENTS[at].0.into(),
        id: ELEMENTS[at].1.into(),
    })
}

fn button() -> impl Strategy<Value = Button> {
    prop_oneof![6 => Just(Button::Left), 1 => Just(Button::Right), 1 => Just(Button::Middle)]
}

fn short() -> impl Strategy<Value = u64> {
    prop::sample::select(vec![
        0, 1, 100, 200, 333, 334, 450, 500, 501, 700, 999, 1_000, 1_001,
    ])
}

fn wait() -> impl Strategy<Value = u64> {
    prop_oneof![
        12 => short(),
        5 => prop::sample::select(vec![1_499u64, 1_500, 1_501, 2_000, 2_400, 2_499, 2_500, 2_501]),
        3 => prop::sample::select(vec![5_000u64, 19_999, 20_000, 20_001, 59_999, 60_000, 60_001]),
        2 => prop::sample::select(vec![450_000u64, 898_999, 899_999, 900_000, 900_001, 1_200_000]),
        1 => prop::sample::select(vec![1_799_999u64, 1_800_000, 1_800_001, 4_000_000]),
    ]
}

fn known() -> impl Strategy<Value = Option<usize>> {
    prop::option::weighted(0.75, prop_oneof![3 => Just(0usize), 2 => 0..ELEMENTS.len()])
}

fn task() -> impl Strategy<Value = InputKind> {
    (
        prop::sample::select(TaskEvent::ALL),
        prop::sample::select(vec!["a", "b"]),
    )
        .prop_map(|(event, name)| InputKind::Task {
            event,
            name: name.into(),
        })
}

fn moves() -> impl Strategy<Value = Move> {
    prop_oneof![
        10 => wait().prop_map(Move::Wait),
        6 => (button(), 0..PLACES.len(), 0..12u8, known(), prop_oneof![4 => Just(0u64), 2 => Just(80), 1 => short(), 1 => Just(2_501)], 0..12u8)
            .prop_map(|(button, at, off, element, held, slip)| Move::Click { button, at, off, element, held, slip }),
        5 => (0..PLACES.len(), known(), prop::collection::vec(short(), 1..7), 0..8usize)
            .prop_map(|(at, element, gaps, forget)| Move::Burst { at, element, gaps, forget }),
        1 => (button(), 0..PLACES.len(), known()).prop_map(|(button, at, element)| Move::Press { button, at, element }),
        1 => (button(), 0..PLACES.len()).prop_map(|(button, at)| Move::Release { button, at }),
        2 => prop::collection::vec(prop::sample::select(vec![0u64, 500, 1_499, 1_500, 1_501]), 2..7).prop_map(Move::Undos),
        4 => (0..SCREENS.len()).prop_map(Move::Focus),
        4 => (0..SCREENS.len(), 0..SCREENS.len(), prop::sample::select(vec![0u64, 500, 20_000, 20_001]), prop::option::of(prop::sample::select(KeyClass::ALL)))
            .prop_map(|(to, back, after, with)| Move::Hop { to, back, after, with }),
        4 => task().prop_map(Move::Kind),
        4 => prop::sample::select(vec!["e1", "e2"]).prop_map(|code| Move::Kind(InputKind::Error { code: code.into() })),
        2 => Just(Move::Kind(InputKind::Reaction)),
        2 => prop::sample::select(KeyClass::ALL).prop_map(|class| Move::Kind(InputKind::Key { class })),
        1 => Just(Move::Kind(InputKind::Wheel { dx: 0.0, dy: 1.0, x: 5.0, y: 5.0 })),
        1 => Just(Move::Kind(InputKind::Move { x: 5.0, y: 5.0 })),
        1 => prop::bool::weighted(0.8).prop_map(|reactions| Move::Kind(InputKind::Capture { reactions })),
    ]
}

pub fn stream() -> impl Strategy<Value = Vec<Input>> {
    (
        any::<bool>(),
        prop::bool::weighted(0.9),
        prop::collection::vec(moves(), 1..60),
    )
        .prop_map(|(reactions, focused, moves)| {
            let mut t = 0;
            let mut inputs = Vec::new();
            if reactions {
                inputs.push(Input {
                    t,
                    kind: InputKind::Capture { reactions },
                });
            }
            if focused {
                inputs.push(Input { t, kind: focus(0) });
            }
            for one in moves {
                play(one, &mut t, &mut inputs);
            }
            inputs
        })
}

fn focus(at: usize) -> InputKind {
    InputKind::Focus {
        app: SCREENS[at].0.into(),
        window: "w".into(),
        screen: SCREENS[at].1.into(),
    }
}

fn play(one: Move, t: &mut u64, inputs: &mut Vec<Input>) {
    let mut put = |t: u64, kind: InputKind| inputs.push(Input { t, kind });
    match one {
        Move::Wait(ms) => *t += ms,
        Move::Click {
            button,
            at,
            off,
            element: known,
            held,
            slip,
        } => {
            let (x, y) = (PLACES[at].0 + f64::from(off), PLACES[at].1);
            put(
                *t,
                InputKind::Press {
                    button,
                    x,
                    y,
                    element: element(known),
                },
            );
            *t += held;
            put(
                *t,
                InputKind::Release {
                    button,
                    x: x + f64::from(slip),
                    y,
                    element: None,
                },
            );
        }
        Move::Burst {
            at,
            element: known,
            gaps,
            forget,
        } => {
            let (x, y) = PLACES[at];
            for (index, gap) in gaps.into_iter().enumerate() {
                let element = if index == forget {
                    None
                } else {
                    element(known)
                };
                put(
                    *t,
                    InputKind::Press {
                        button: Button::Left,
                        x,
                        y,
                        element,
                    },
                );
                put(
                    *t,
                    InputKind::Release {
                        button: Button::Left,
                        x,
                        y,
                        element: None,
                    },
                );
                *t += gap;
            }
        }
        Move::Press {
            button,
            at,
            element: known,
        } => {
            let (x, y) = PLACES[at];
            put(
                *t,
                InputKind::Press {
                    button,
                    x,
                    y,
                    element: element(known),
                },
            );
        }
        Move::Release { button, at } => {
            let (x, y) = PLACES[at];
            put(
                *t,
                InputKind::Release {
                    button,
                    x,
                    y,
                    element: None,
                },
            );
        }
        Move::Undos(gaps) => {
            for gap in gaps {
                put(
                    *t,
                    InputKind::Key {
                        class: KeyClass::Undo,
                    },
                );
                *t += gap;
            }
        }
        Move::Focus(at) => put(*t, focus(at)),
        Move::Hop {
            to,
            back,
            after,
            with,
        } => {
            put(*t, focus(to));
            if let Some(class) = with {
                put(*t, InputKind::Key { class });
            }
            *t += after;
            put(*t, focus(back));
        }
        Move::Kind(kind) => put(*t, kind),
    }
}

/// The same streams each time.
pub fn streams() -> impl Iterator<Item = Vec<Input>> {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    std::iter::from_fn(move || Some(stream().new_tree(&mut runner).unwrap().current()))
}
