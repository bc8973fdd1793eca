//! Puts what was seen into the order and form of the engine's inputs.
//!
//! Invariants: the order is that of seeing; a press or focus change at the head waits for its answer until its
//! deadline, and nothing overtakes it; a release is given only after its press; of inputs into our own windows nothing
//! is given, whether such a window has the focus or only lies under the pointer.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use snag_core::{Button, Input, InputKind, LabelHash};

use crate::CaptureItem;
use crate::answer::Taken;
use crate::health::{Board, Source, SourceState};
use crate::pointer::{AskWhose, Pointer};
use crate::queue::{Focused, Queue, Seen, What};

/// A change of screen that comes this long after the last input of a person (ms) is told when they are back: a player
/// that shows the next song must not keep a session open all night.
const NOBODY_THERE_MS: u64 = 60_000;
/// Labels remembered as given.
const LABELS_MAX: usize = 2_048;

pub(crate) struct Assembler {
    queue: Arc<Queue>,
    board: Arc<Board>,
    seen: VecDeque<Seen>,
    ready: VecDeque<CaptureItem>,
    /// Our own window has the focus.
    own: bool,
    pointer: Pointer,
    /// Buttons whose press was given.
    down: [bool; 4],
    last_input: u64,
    /// A focus change that nobody was there for.
    held: Option<InputKind>,
    labels: HashSet<LabelHash>,
    lost: bool,
}

impl Assembler {
    /// `t`: when capture began, which is before anything was seen.
    pub(crate) fn new(
        queue: Arc<Queue>,
        board: Arc<Board>,
        t: u64,
        reactions: bool,
        ask_whose: AskWhose,
    ) -> Self {
        let first = Input {
            t,
            kind: InputKind::Capture { reactions },
        };
        Self {
            queue,
            board,
            seen: VecDeque::new(),
            ready: VecDeque::from([CaptureItem::Input(first)]),
            own: false,
            pointer: Pointer::new(ask_whose),
            down: [false; 4],
            last_input: 0,
            held: None,
            labels: HashSet::new(),
            lost: false,
        }
    }

    /// The next item, where one comes until then.
    pub(crate) fn next(&mut self, until: Instant) -> Option<CaptureItem> {
        while !self.gather(until) {
            if Instant::now() >= until {
                return None;
            }
            // Woken for something else.
            self.queue.take_woken();
        }
        self.ready.pop_front()
    }

    /// Waits until there is an item, the queue's reader is woken, or it is `until`.
    pub(crate) fn wait(&mut self, until: Instant) {
        self.gather(until);
        self.queue.take_woken();
    }

    /// Whether an item is ready, or came before it was `until` and before the reader was woken.
    fn gather(&mut self, until: Instant) -> bool {
        loop {
            if !self.ready.is_empty() {
                return true;
            }
            // Read before the head is tried: an answer in between is then not slept over.
            let notified = self.queue.notified();
            match self.head() {
                Head::Done => {}
                Head::Waits(deadline) => {
                    if Instant::now() >= until || self.queue.is_woken() {
                        return false;
                    }
                    self.queue.wait_answer(notified, deadline.min(until));
                }
                Head::Empty => {
                    let waits = Instant::now() < until;
                    if waits {
                        self.queue.take(&mut self.seen, until);
                    } else {
                        self.queue.take_now(&mut self.seen);
                    }
                    if self.seen.is_empty() && (!waits || self.queue.is_woken()) {
                        return false;
                    }
                }
            }
        }
    }

    /// The time before which nothing will come any more.
    pub(crate) fn horizon(&self) -> u64 {
        let ready = self.ready.iter().find_map(|item| match item {
            CaptureItem::Input(input) => Some(input.t),
            _ => None,
        });
        ready
            .or_else(|| self.seen.front().map(|seen| seen.t))
            .unwrap_or_else(|| self.queue.oldest())
    }

    /// Turns the head of what was seen into items, if it can be.
    fn head(&mut self) -> Head {
        let Some(head) = self.seen.front() else {
            return Head::Empty;
        };
        let t = head.t;
        let over_own = match head.what {
            What::Move { .. } | What::Wheel { .. } if !self.own => {
                match self.pointer.is_own(&self.seen) {
                    Ok(own) => own,
                    Err(deadline) => return Head::Waits(deadline),
                }
            }
            _ => self.own,
        };
        match &head.what {
            What::Press {
                button,
                x,
                y,
                under,
            } => {
                let answer = match under.take() {
                    Taken::Answer(under) => Some(under),
                    Taken::NotYet => return Head::Waits(under.deadline),
                    Taken::Late => None,
                };
                let (button, x, y) = (*button, *x, *y);
                match &answer {
                    None => self.board.element_late.fetch_add(1, Relaxed),
                    Some(under) if under.element.is_some() => {
                        self.board.element_found.fetch_add(1, Relaxed)
                    }
                    Some(_) => self.board.element_unknown.fetch_add(1, Relaxed),
                };
                let known = answer.as_ref().and_then(|under| under.own);
                if let Some(own) = known {
                    self.pointer.pressed(own);
                }
                let own = known.unwrap_or(self.own);
                let under = answer.unwrap_or_default();
                self.down[index(button)] = !own;
                if own {
                    self.leave_out();
                } else {
                    if let Some(label) = under.label {
                        self.label(label);
                    }
                    self.board.presses.fetch_add(1, Relaxed);
                    self.person(
                        t,
                        InputKind::Press {
                            button,
                            x,
                            y,
                            element: under.element,
                        },
                    );
                }
            }
            What::Focus(answer) => {
                match answer.take() {
                    Taken::Answer(Some(focused)) => self.focused(t, focused),
                    Taken::NotYet => return Head::Waits(answer.deadline),
                    // One that is late is told anew when it comes.
                    Taken::Answer(None) | Taken::Late => {}
                }
            }
            What::Move { x, y } => {
                let (x, y) = (*x, *y);
                if over_own {
                    self.leave_out();
                } else {
                    self.board.moves.fetch_add(1, Relaxed);
                    self.person(t, InputKind::Move { x, y });
                }
            }
            What::Release { button, x, y } => {
                let (button, x, y) = (*button, *x, *y);
                if std::mem::take(&mut self.down[index(button)]) {
                    self.board.releases.fetch_add(1, Relaxed);
                    self.person(
                        t,
                        InputKind::Release {
                            button,
                            x,
                            y,
                            element: None,
                        },
                    );
                } else {
                    self.leave_out();
                }
            }
            What::Wheel { dx, dy, x, y } => {
                let kind = InputKind::Wheel {
                    dx: *dx,
                    dy: *dy,
                    x: *x,
                    y: *y,
                };
                if over_own {
                    self.leave_out();
                } else {
                    self.board.wheel.fetch_add(1, Relaxed);
                    self.person(t, kind);
                }
            }
            What::Key(class) => {
                let class = *class;
                if self.own {
                    self.leave_out();
                } else {
                    self.board.keys.fetch_add(1, Relaxed);
                    self.person(t, InputKind::Key { class });
                }
            }
            What::Reaction => {
                self.board.reactions.fetch_add(1, Relaxed);
                self.give(t, InputKind::Reaction);
            }
            What::Reactions(reactions) => {
                let kind = InputKind::Capture {
                    reactions: *reactions,
                };
                self.give(t, kind);
            }
            What::Lost(reason) => {
                let reason = (*reason).to_owned();
                if !std::mem::replace(&mut self.lost, true) {
                    self.board
                        .set(Source::Input, SourceState::Off, format!("{reason}."));
                    self.ready.push_back(CaptureItem::Lost { reason });
                }
            }
        }
        self.seen.pop_front();
        Head::Done
    }

    fn focused(&mut self, t: u64, focused: Focused) {
        self.own = focused.own;
        if focused.own {
            return;
        }
        let kind = InputKind::Focus {
            app: focused.app,
            window: focused.window,
            screen: focused.screen,
        };
        if self.last_input > 0 && t.saturating_sub(self.last_input) > NOBODY_THERE_MS {
            self.held = Some(kind);
        } else {
            self.board.focus.fetch_add(1, Relaxed);
            self.give(t, kind);
        }
    }

    /// Gives what a person did.
    fn person(&mut self, t: u64, kind: InputKind) {
        if let Some(held) = self.held.take() {
            self.board.focus.fetch_add(1, Relaxed);
            self.give(t, held);
        }
        self.last_input = t;
        self.board.last_input.store(t, Relaxed);
        self.give(t, kind);
    }

    fn give(&mut self, t: u64, kind: InputKind) {
        self.ready.push_back(CaptureItem::Input(Input { t, kind }));
    }

    fn label(&mut self, label: snag_core::LabelText) {
        if self.labels.len() >= LABELS_MAX {
            self.labels.clear();
        }
        if self.labels.insert(label.hash) {
            self.ready.push_back(CaptureItem::Label(label));
        }
    }

    fn leave_out(&self) {
        self.board.own_windows.fetch_add(1, Relaxed);
    }
}

enum Head {
    /// Something came of it, perhaps nothing; the next is the head now.
    Done,
    /// It waits for an answer.
    Waits(Instant),
    /// There is none.
    Empty,
}

fn index(button: Button) -> usize {
    match button {
        Button::Left => 0,
        Button::Right => 1,
        Button::Middle => 2,
        Button::Other => 3,
    }
}
