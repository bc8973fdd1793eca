//! Whether what happens after a click is the program's answer to it.
//!
//! A missing answer is what makes a dead click, so the rules lean towards hearing one: only what a click causes by
//! itself (the button goes down, the focus ring moves to it, the pointer passes over something) and what went on before
//! the click without it (a clock, a spinner) is none.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use super::a11y::{Happened, Object};
use super::area::Area;

/// How long after a press something may be its answer: a little more than the detector waits.
pub(crate) const WATCH: Duration = Duration::from_millis(3_000);
/// When, after a press, the redrawn areas are looked at. The last look is before the detector gives up.
pub(crate) const LOOKS: [Duration; 4] = [
    Duration::from_millis(250),
    Duration::from_millis(700),
    Duration::from_millis(1_300),
    Duration::from_millis(2_200),
];
/// How long something counts as going on by itself after it last did so twice.
const NOISE: Duration = Duration::from_secs(10);
/// Two signs of noise closer together than this are one.
const NOISE_APART: Duration = Duration::from_millis(300);
/// Things known to go on by themselves, at most.
const NOISE_MAX: usize = 512;
/// Events kept until it is known what was clicked, at most.
const PENDING_MAX: usize = 64;
/// A redrawn area smaller than this (px²) is a caret or an antialiased edge.
const TINY: i64 = 64;
/// Shadow and focus ring around an element (px).
const RING: i32 = 8;
/// How far around the pointer something lights up (px): half of a tall button.
const HOVER: i32 = 32;
/// This many hundredths of a window are never redrawn for hovers and focus, however far apart they lie.
const ALL_OF_A_WINDOW: i64 = 95;

/// States that a program changes to answer. `armed` and `pressed` are the click itself.
const ANSWERING_STATES: [&str; 17] = [
    "active",
    "busy",
    "checked",
    "collapsed",
    "editable",
    "enabled",
    "expandable",
    "expanded",
    "has-popup",
    "indeterminate",
    "invalid-entry",
    "modal",
    "required",
    "selected",
    "sensitive",
    "showing",
    "visible",
];

/// What an event means for the click watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The program answered.
    Answer,
    /// Nothing to do with it.
    Nothing,
    /// Something lost the focus: its area will be redrawn without being an answer.
    LostFocus,
}

/// What was clicked.
#[derive(Debug, Clone)]
pub(crate) struct Clicked {
    pub(crate) object: Object,
    pub(crate) role: String,
    pub(crate) area: Option<Area>,
}

/// A click that may be answered.
pub(crate) struct Watch {
    pub(crate) at: Instant,
    pub(crate) number: u64,
    /// Where it was, on the screen.
    pub(crate) point: (i32, i32),
    pub(crate) clicked: Option<Clicked>,
    /// It is known that what was clicked stays unknown.
    pub(crate) given_up: bool,
    pub(crate) answered: bool,
    /// Areas that are redrawn by the click itself.
    pub(crate) redrawn_anyway: Vec<Area>,
    pending: Vec<Happened>,
}

impl Watch {
    pub(crate) fn new(number: u64, at: Instant, point: (i32, i32)) -> Self {
        Self {
            at,
            number,
            point,
            clicked: None,
            given_up: false,
            answered: false,
            redrawn_anyway: Vec::new(),
            pending: Vec::new(),
        }
    }

    pub(crate) fn open(&self, now: Instant) -> bool {
        !self.given_up && !self.answered && now.saturating_duration_since(self.at) <= WATCH
    }

    /// Keeps an event until it is known what was clicked.
    pub(crate) fn wait(&mut self, happened: Happened) {
        if self.pending.len() < PENDING_MAX {
            self.pending.push(happened);
        }
    }

    /// It is known now what was clicked; returns the events that waited for it.
    pub(crate) fn resolve(&mut self, clicked: Option<Clicked>) -> Vec<Happened> {
        self.given_up = clicked.is_none();
        self.clicked = clicked;
        std::mem::take(&mut self.pending)
    }
}

/// What an event means for a click on `clicked`.
pub(crate) fn judge(clicked: &Clicked, happened: &Happened) -> Verdict {
    if happened.object.bus != clicked.object.bus {
        return Verdict::Nothing;
    }
    let itself = happened.object == clicked.object;
    match happened.signal.as_str() {
        "StateChanged" => match happened.kind.as_str() {
            "focused" if itself => Verdict::Nothing,
            "focused" if happened.detail == 0 => Verdict::LostFocus,
            "focused" => Verdict::Answer,
            "pressed" if itself && clicked.role == "toggle_button" => Verdict::Answer,
            kind if ANSWERING_STATES.contains(&kind) => Verdict::Answer,
            _ => Verdict::Nothing,
        },
        // Tooltips come and go as children of the program itself; a dialog takes the focus and is seen by that.
        "ChildrenChanged" if happened.object.path.ends_with("/root") => Verdict::Nothing,
        "ChildrenChanged" | "PropertyChange" | "SelectionChanged" | "VisibleDataChanged"
        | "LoadComplete" => Verdict::Answer,
        _ => Verdict::Nothing,
    }
}

/// What goes on without anyone clicking.
#[derive(Default)]
pub(crate) struct Noise {
    hasher: RandomState,
    objects: HashMap<u64, Signs>,
    areas: Vec<(Area, Signs)>,
}

#[derive(Clone, Copy)]
struct Signs {
    count: u32,
    last: Instant,
}

impl Signs {
    fn another(&mut self, now: Instant) {
        let since = now.saturating_duration_since(self.last);
        if since > NOISE {
            self.count = 0;
        }
        if self.count == 0 || since >= NOISE_APART {
            self.count = self.count.saturating_add(1);
            self.last = now;
        }
    }

    fn is_noise(&self, now: Instant) -> bool {
        self.count >= 2 && now.saturating_duration_since(self.last) <= NOISE
    }
}

impl Noise {
    /// An event came while nobody did anything.
    pub(crate) fn heard(&mut self, object: &Object, now: Instant) {
        if self.objects.len() >= NOISE_MAX {
            self.objects
                .retain(|_, signs| now.saturating_duration_since(signs.last) <= NOISE);
            if self.objects.len() >= NOISE_MAX {
                self.objects.clear();
            }
        }
        let key = self.hasher.hash_one(object);
        self.objects
            .entry(key)
            .or_insert(Signs {
                count: 0,
                last: now,
            })
            .another(now);
    }

    /// Areas of a window were redrawn while nobody did anything.
    pub(crate) fn seen(&mut self, areas: &[Area], now: Instant) {
        self.areas
            .retain(|(_, signs)| now.saturating_duration_since(signs.last) <= NOISE);
        for area in areas {
            let room = self.areas.len() < NOISE_MAX;
            match self
                .areas
                .iter_mut()
                .find(|(known, _)| known.common(area) > 0)
            {
                Some((known, signs)) => {
                    *known = known.around(area);
                    signs.another(now);
                }
                None if room => {
                    self.areas.push((
                        *area,
                        Signs {
                            count: 1,
                            last: now,
                        },
                    ));
                }
                None => {}
            }
        }
    }

    pub(crate) fn forget_areas(&mut self) {
        self.areas.clear();
    }

    pub(crate) fn is_noise(&self, object: &Object, now: Instant) -> bool {
        self.objects
            .get(&self.hasher.hash_one(object))
            .is_some_and(|signs| signs.is_noise(now))
    }

    fn noisy_areas(&self, now: Instant) -> impl Iterator<Item = Area> + '_ {
        self.areas
            .iter()
            .filter(move |(_, signs)| signs.is_noise(now))
            .map(|(area, _)| *area)
    }
}

/// Whether areas redrawn since a click answer it. All areas are relative to the window, `window` holds its size.
///
/// Toolkits redraw the box around all that changed at once. So what a click explains is a box, too: around the element,
/// what lost the focus, and where the pointer went (hovers light up and fade).
pub(crate) fn redraw_answers(
    redrawn: &[Area],
    clicked: Area,
    anyway: &[Area],
    trail: &[(i32, i32)],
    noise: &Noise,
    window: Area,
    now: Instant,
) -> bool {
    let hovered = |(x, y): &(i32, i32)| {
        Area {
            x: *x,
            y: *y,
            width: 1,
            height: 1,
        }
        .grown(HOVER)
    };
    let explained = anyway
        .iter()
        .map(|area| area.grown(RING))
        .chain(
            trail
                .iter()
                .filter(|(x, y)| window.contains(*x, *y))
                .map(hovered),
        )
        .fold(clicked.grown(RING), |all, area| all.around(&area));
    redrawn.iter().any(|area| {
        if area.size() < TINY {
            return false;
        }
        if area.size() * 100 >= window.size() * ALL_OF_A_WINDOW {
            return true;
        }
        let noisy: i64 = noise.noisy_areas(now).map(|known| known.common(area)).sum();
        (explained.common(area) + noisy) * 10 < area.size() * 9
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(path: &str) -> Object {
        Object {
            bus: ":1.5".into(),
            path: path.into(),
        }
    }

    fn clicked(role: &str) -> Clicked {
        Clicked {
            object: object("/button"),
            role: role.into(),
            area: Some(area(100, 100, 80, 30)),
        }
    }

    fn area(x: i32, y: i32, width: i32, height: i32) -> Area {
        Area {
            x,
            y,
            width,
            height,
        }
    }

    fn happened(path: &str, signal: &str, kind: &str, detail: i32) -> Happened {
        Happened {
            object: object(path),
            signal: signal.into(),
            kind: kind.into(),
            detail,
        }
    }

    #[test]
    fn the_click_itself_is_no_answer() {
        for (path, signal, kind, detail, verdict) in [
            ("/button", "StateChanged", "focused", 1, Verdict::Nothing),
            ("/button", "StateChanged", "armed", 1, Verdict::Nothing),
            ("/button", "StateChanged", "pressed", 1, Verdict::Nothing),
            ("/entry", "StateChanged", "focused", 0, Verdict::LostFocus),
            ("/entry", "StateChanged", "focused", 1, Verdict::Answer),
            ("/button", "StateChanged", "sensitive", 0, Verdict::Answer),
            (
                "/label",
                "PropertyChange",
                "accessible-name",
                0,
                Verdict::Answer,
            ),
            ("/list", "ChildrenChanged", "add", 3, Verdict::Answer),
            (
                "/org/a11y/atspi/accessible/root",
                "ChildrenChanged",
                "add",
                3,
                Verdict::Nothing,
            ),
        ] {
            let judged = judge(
                &clicked("push_button"),
                &happened(path, signal, kind, detail),
            );
            assert_eq!(judged, verdict, "{path} {signal} {kind} {detail}");
        }
        let toggle = happened("/button", "StateChanged", "pressed", 1);
        assert_eq!(judge(&clicked("toggle_button"), &toggle), Verdict::Answer);
        let mut other = happened("/label", "PropertyChange", "accessible-name", 0);
        other.object.bus = ":1.9".into();
        assert_eq!(
            judge(&clicked("push_button"), &other),
            Verdict::Nothing,
            "another program"
        );
    }

    #[test]
    fn what_goes_on_by_itself_is_noise_for_a_while() {
        let mut noise = Noise::default();
        let start = Instant::now();
        let clock = object("/clock");
        noise.heard(&clock, start);
        noise.heard(&clock, start + Duration::from_millis(1));
        assert!(!noise.is_noise(&clock, start), "once is no habit");
        noise.heard(&clock, start + Duration::from_secs(1));
        assert!(noise.is_noise(&clock, start + Duration::from_secs(2)));
        assert!(!noise.is_noise(&clock, start + Duration::from_secs(20)));
        assert!(!noise.is_noise(&object("/label"), start));
        for index in 0..NOISE_MAX * 3 {
            noise.heard(&object(&format!("/{index}")), start);
        }
        assert!(noise.objects.len() <= NOISE_MAX);
    }

    #[test]
    fn a_redraw_elsewhere_answers_and_a_redraw_of_the_click_does_not() {
        let now = Instant::now();
        let window = area(0, 0, 800, 600);
        let button = area(100, 100, 80, 30);
        let entry = area(100, 200, 300, 30);
        let mut noise = Noise::default();
        let spinner = area(600, 20, 32, 32);
        noise.seen(&[spinner], now);
        noise.seen(&[spinner], now + Duration::from_secs(1));
        let now = now + Duration::from_secs(2);
        let answers = |redrawn: &[Area], trail: &[(i32, i32)]| {
            redraw_answers(redrawn, button, &[entry], trail, &noise, window, now)
        };
        assert!(!answers(&[], &[]));
        assert!(!answers(&[button.grown(3)], &[]), "the button itself");
        assert!(!answers(&[entry], &[]), "what lost the focus");
        assert!(!answers(&[area(200, 300, 1, 17)], &[]), "a caret");
        assert!(!answers(&[spinner], &[]), "what spun before");
        assert!(
            !answers(&[area(300, 300, 80, 30)], &[(310, 310)]),
            "a hover"
        );
        assert!(
            !answers(&[area(90, 90, 220, 240)], &[(110, 110), (290, 310)]),
            "the box around two hovers"
        );
        assert!(
            !answers(&[area(10, 10, 700, 580)], &[(20, 20), (700, 580)]),
            "the box around two hovers far apart"
        );
        assert!(answers(&[area(300, 300, 80, 30)], &[]), "a label elsewhere");
        assert!(answers(&[button, area(300, 300, 80, 30)], &[(140, 120)]));
        assert!(answers(&[window], &[(140, 120)]), "the whole window");
    }

    #[test]
    fn a_watch_ends_and_keeps_a_bounded_number_of_events() {
        let start = Instant::now();
        let mut watch = Watch::new(1, start, (0, 0));
        assert!(watch.open(start + Duration::from_secs(2)));
        assert!(!watch.open(start + Duration::from_secs(4)));
        for _ in 0..1_000 {
            watch.wait(happened("/x", "StateChanged", "focused", 1));
        }
        assert_eq!(watch.resolve(Some(clicked("tab"))).len(), PENDING_MAX);
        assert!(watch.resolve(None).is_empty() && !watch.open(start));
    }
}
