//! What the engine does with one input: redact it, then look at it or look away.

use std::sync::Arc;

use super::Engine;
use crate::clicks::{Click, Point, Press};
use crate::redact::{self, Named, Place, Screen, Target};
use crate::session::Session;
use crate::{
    Body, Button, Detail, DropReason, Effect, EventKind, EventRecord, InputKind, KeyClass,
    LabelHash, LabelKind, ScreenRef, TaskEvent,
};

/// An input without any raw text.
pub(super) enum Clean {
    Capture(bool),
    Move,
    Press(Button, Point, Option<Target>),
    Release(Button, Point),
    Wheel,
    Key(KeyClass),
    Focus(Screen),
    Reaction,
    Task(TaskEvent, Named),
    Error(Named),
}

impl Engine {
    pub(super) fn redact(&mut self, kind: &InputKind) -> Result<Clean, DropReason> {
        let clean = match kind {
            InputKind::Capture { reactions } => return Ok(Clean::Capture(*reactions)),
            InputKind::Focus {
                app,
                window,
                screen,
            } => {
                let (redactor, screens) = (&self.redactor, &mut self.screens);
                let found = screens.get_or_insert_with(app, screen, || {
                    if !redactor.allows(app) {
                        Err(DropReason::AppExcluded)
                    } else if redact::is_private(app, screen) {
                        Err(DropReason::PrivateWindow)
                    } else {
                        Ok(redactor.screen(app, screen))
                    }
                })?;
                if window != screen && redact::is_private(app, window) {
                    return Err(DropReason::PrivateWindow);
                }
                return Ok(Clean::Focus(found));
            }
            _ if self.state.away.is_some() => {
                return Err(self.state.away.unwrap_or(DropReason::AppExcluded));
            }
            InputKind::Move { .. } => Clean::Move,
            InputKind::Press {
                button,
                x,
                y,
                element,
            } => {
                let target = element.as_ref().map(|element| {
                    self.targets
                        .get_or_insert_with(&element.role, &element.id, || {
                            self.redactor.target(element)
                        })
                });
                Clean::Press(*button, Point::new(*x, *y), target)
            }
            InputKind::Release { button, x, y, .. } => Clean::Release(*button, Point::new(*x, *y)),
            InputKind::Wheel { .. } => Clean::Wheel,
            InputKind::Key { class } => Clean::Key(*class),
            InputKind::Reaction => Clean::Reaction,
            InputKind::Task { event, name } => {
                Clean::Task(*event, self.named(LabelKind::Task, name))
            }
            InputKind::Error { code } => Clean::Error(self.named(LabelKind::Error, code)),
        };
        Ok(clean)
    }

    fn named(&mut self, kind: LabelKind, raw: &str) -> Named {
        let app = self
            .state
            .place
            .as_ref()
            .map_or_else(|| Arc::from(""), |place| Arc::clone(&place.screen.app));
        let cache = match kind {
            LabelKind::Error => &mut self.errors,
            LabelKind::Task | LabelKind::Screen | LabelKind::Element => &mut self.tasks,
        };
        let redactor = &self.redactor;
        cache.get_or_insert_with(&app, raw, || redactor.named(kind, &app, raw))
    }

    /// Something that is not to be looked at. Nothing of it is counted or kept, not even
    /// as time: the session's last input stays the one before, and the visit ends with it.
    pub(super) fn look_away(&mut self, t: u64, reason: DropReason, sink: &mut impl FnMut(Effect)) {
        self.advance(t, sink);
        if self.state.away.is_none() {
            self.flush_runs(sink);
            if let Some(run) = self.state.rage_click.end(&mut self.signals) {
                self.state
                    .dead_click
                    .run_ended(run, &self.thresholds, &mut self.signals);
            }
            self.drain(sink);
            self.state.look_away(reason);
            self.set_wake();
        }
        self.state.away = Some(reason);
        sink(Effect::Dropped { reason });
    }

    pub(super) fn look(&mut self, t: u64, clean: Clean, sink: &mut impl FnMut(Effect)) {
        self.go_on(t, sink);
        if t > self.wake {
            self.expire(t, sink, |tasks, thresholds, signals| {
                tasks.expire(t, thresholds, signals);
            });
        }
        match clean {
            Clean::Move => return self.movement(EventKind::Move, t, sink),
            Clean::Wheel => {
                if let Some(session) = &mut self.state.session {
                    session.scrolls = session.scrolls.saturating_add(1);
                }
                return self.movement(EventKind::Scroll, t, sink);
            }
            // Seen to before: it is no input.
            Clean::Capture(_) => {}
            Clean::Press(button, point, target) => self.state.presses.press(
                button,
                Press {
                    t,
                    point,
                    target,
                    answered: false,
                },
            ),
            Clean::Release(button, point) => self.release(t, button, point, sink),
            Clean::Key(class) => self.key(t, class, sink),
            Clean::Focus(screen) => self.focus(t, screen, sink),
            Clean::Reaction => self.answer(t),
            Clean::Task(event, name) => self.task(t, event, name, sink),
            Clean::Error(code) => self.error(t, code, sink),
        }
        self.drain(sink);
        self.set_wake();
        // A button that was held for long leaves things that are over already.
        if t > self.wake {
            self.expire(t, sink, |_, _, _| {});
        }
    }

    /// The session goes on, or another one begins on the screen that has the focus.
    fn go_on(&mut self, t: u64, sink: &mut impl FnMut(Effect)) {
        if self.session_is_over(t) {
            self.end_session(sink);
        }
        if let Some(session) = &mut self.state.session {
            session.input(t, self.thresholds.active_gap_ms);
            return;
        }
        self.state.sessions = self.state.sessions.saturating_add(1);
        self.state.session = Some(Session::new(self.state.sessions, t));
        if let Some(place) = self.state.place.clone() {
            self.visit(t, &place);
        }
    }

    fn release(&mut self, t: u64, button: Button, point: Point, sink: &mut impl FnMut(Effect)) {
        let Some((press, is_click)) = self.state.presses.release(button, point, &self.thresholds)
        else {
            return;
        };
        self.flush_runs(sink);
        let record = EventRecord {
            kind: if is_click {
                EventKind::Click
            } else {
                EventKind::Drag
            },
            detail: Some(Detail::Button(button)),
            role: press.target.as_ref().map(|target| target.role.clone()),
            label: press.target.as_ref().map(|target| target.label),
            count: 1,
            duration_ms: 0,
        };
        self.record(press.t, self.here(), Body::Event(record), sink);
        if !is_click {
            return;
        }
        if let Some(session) = &mut self.state.session {
            session.click();
        }
        self.state.backtrack.click();
        if button != Button::Left {
            return;
        }
        let click = Click {
            press,
            place: self.state.place.clone().unwrap_or_else(Place::nowhere),
        };
        let joined = self
            .state
            .rage_click
            .click(&click, t, &self.thresholds, &mut self.signals);
        if let Some(ended) = joined.ended {
            self.state
                .dead_click
                .run_ended(ended, &self.thresholds, &mut self.signals);
        }
        let reactions = self.state.reactions;
        self.state
            .dead_click
            .click(&click, joined.run, joined.rage, reactions);
    }

    fn key(&mut self, t: u64, class: KeyClass, sink: &mut impl FnMut(Effect)) {
        self.answer(t);
        if let Some(session) = &mut self.state.session {
            session.key();
        }
        if matches!(class, KeyClass::Char | KeyClass::Paste) {
            self.state.backtrack.write();
        }
        if class == KeyClass::Undo {
            let screen = self.here();
            self.state
                .undo_storm
                .undo(t, &screen, &self.thresholds, &mut self.signals);
        }
        self.keys(class, t, sink);
    }

    fn focus(&mut self, t: u64, screen: Screen, sink: &mut impl FnMut(Effect)) {
        self.answer(t);
        self.state.away = None;
        let Screen { place, label } = screen;
        if self
            .state
            .place
            .as_ref()
            .is_some_and(|now| now.screen.identity == place.screen.identity)
        {
            return;
        }
        let switched = self.state.app.is_some_and(|app| app != place.app_identity);
        if switched && let Some(session) = &mut self.state.session {
            session.context_switches = session.context_switches.saturating_add(1);
        }
        self.flush_runs(sink);
        self.visit(t, &place);
        self.tell(label, sink);
        let record = event(EventKind::Focus, None, None);
        self.record(t, place.screen.clone(), record, sink);
        self.state.app = Some(place.app_identity);
        self.state.place = Some(place);
    }

    fn task(&mut self, t: u64, task: TaskEvent, name: Named, sink: &mut impl FnMut(Effect)) {
        self.flush_runs(sink);
        let label = name.label;
        let screen = self.here();
        let tasks = &mut self.state.abandoned_task;
        match task {
            TaskEvent::Start => tasks.start(t, &name, &screen, &mut self.signals),
            TaskEvent::Complete | TaskEvent::Cancel => {
                let was_open = tasks.close(&name);
                if task == TaskEvent::Complete
                    && was_open
                    && let Some(session) = &mut self.state.session
                {
                    session.tasks_completed = session.tasks_completed.saturating_add(1);
                }
            }
        }
        if task == TaskEvent::Start
            && let Some(session) = &mut self.state.session
        {
            session.tasks_started = session.tasks_started.saturating_add(1);
        }
        self.tell(name.text, sink);
        let record = event(EventKind::Task, Some(Detail::Task(task)), Some(label));
        self.record(t, screen, record, sink);
    }

    fn error(&mut self, t: u64, code: Named, sink: &mut impl FnMut(Effect)) {
        self.flush_runs(sink);
        if let Some(session) = &mut self.state.session {
            session.error();
        }
        let screen = self.here();
        self.state
            .error_loop
            .error(t, &code, &screen, &self.thresholds, &mut self.signals);
        let label = code.label;
        self.tell(code.text, sink);
        let record = event(EventKind::Error, None, Some(label));
        self.record(t, screen, record, sink);
    }

    /// The interface answered, as far as dead clicks are concerned.
    fn answer(&mut self, t: u64) {
        self.state.dead_click.answer();
        self.state.presses.answer(t, self.thresholds.dead_click_ms);
    }

    fn visit(&mut self, t: u64, place: &Place) {
        if let Some(session) = &mut self.state.session {
            session.visit(t, &place.screen);
        }
        self.state
            .backtrack
            .visit(t, place, &self.thresholds, &mut self.signals);
    }

    pub(super) fn here(&self) -> ScreenRef {
        self.screen().cloned().unwrap_or_else(ScreenRef::nowhere)
    }
}

fn event(kind: EventKind, detail: Option<Detail>, label: Option<LabelHash>) -> Body {
    Body::Event(EventRecord {
        kind,
        detail,
        role: None,
        label,
        count: 1,
        duration_ms: 0,
    })
}
