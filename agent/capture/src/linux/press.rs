//! What is clicked: the window under the pointer, by the X server, and the element in it, by AT-SPI.

use std::rc::Rc;
use std::time::{Duration, Instant};

use snag_core::redact;
use tokio::task::spawn_local;

use super::Shell;
use super::a11y::Found;
use super::watch::{Clicked, Watch};
use super::x::WindowAt;
use crate::answer::Reply;
use crate::queue::Under;

/// Look-ups of elements under way at once; further presses go without.
const LOOKUPS_MAX: usize = 64;

/// What was found at a point this long ago is still there: less than a hand needs for another click, enough for a
/// program that clicks a thousand times a second.
const A_MOMENT: Duration = Duration::from_millis(50);
/// Finds remembered that long.
const RECENT_MAX: usize = 16;

/// What a look-up found, in a form that each press which asked gets a copy of.
#[derive(Clone, Default)]
struct Answered {
    own: Option<bool>,
    element: Option<snag_core::Element>,
    label: Option<snag_core::LabelText>,
}

impl From<Answered> for Under {
    fn from(
        Answered {
            own,
            element,
            label,
        }: Answered,
    ) -> Self {
        Self {
            own,
            element,
            label,
        }
    }
}

/// A look-up of a moment ago.
#[derive(Clone)]
pub(super) struct Recent {
    when: Instant,
    point: (i32, i32),
    at: Option<WindowAt>,
    answered: Answered,
    clicked: Option<Clicked>,
}

impl Shell {
    pub(super) fn pressed(self: &Rc<Self>, x: f64, y: f64, reply: Reply<Under>) {
        let point = super::pixels(x, y);
        self.number.set(self.number.get() + 1);
        *self.watch.borrow_mut() = Some(Watch::new(self.number.get(), Instant::now(), point));
        if let Some(recent) = self.found_a_moment_ago(point) {
            let _ = reply.send(recent.answered.into());
            self.watch_for_answers(point, recent.clicked, recent.at);
            return;
        }
        let mut waiting = self.waiting.borrow_mut();
        if let Some(asked) = waiting.get_mut(&point) {
            // The same point, asked just now: its answer is this one's.
            asked.push(reply);
            return;
        }
        if waiting.len() >= LOOKUPS_MAX {
            let _ = reply.send(Under::default());
            return;
        }
        waiting.insert(point, vec![reply]);
        drop(waiting);
        spawn_local(self.clone().look_up(point));
    }

    async fn look_up(self: Rc<Self>, point: (i32, i32)) {
        let at = self.window_at(point);
        let mut answered = Answered::default();
        let mut clicked = None;
        answered.own = self.is_own_at(point);
        if let Some((at, app)) = &at
            && answered.own != Some(true)
            && self.may_look_at(at, app)
        {
            // A little less than the press waits, so that what is known without the element still counts.
            let deadline = self.context.element_deadline * 9 / 10;
            let found = tokio::time::timeout(deadline, self.find_element(at, point)).await;
            if let Ok(Some(found)) = found {
                let (element, label) = self.redacted(app, &found);
                answered.element = Some(element);
                answered.label = label;
                clicked = Some(Clicked {
                    object: found.object,
                    role: found.role,
                    area: found.area,
                });
            }
        }
        let at = at.map(|(at, _)| at);
        for reply in self.waiting.borrow_mut().remove(&point).unwrap_or_default() {
            let _ = reply.send(answered.clone().into());
        }
        self.remember(Recent {
            when: Instant::now(),
            point,
            at,
            answered,
            clicked: clicked.clone(),
        });
        self.watch_for_answers(point, clicked, at);
    }

    fn remember(&self, recent: Recent) {
        if recent.answered.element.is_some() {
            let mut found = self.found.borrow_mut();
            if found.len() >= RECENT_MAX {
                found.pop_front();
            }
            found.push_back(recent);
        }
    }

    fn found_a_moment_ago(&self, point: (i32, i32)) -> Option<Recent> {
        let mut found = self.found.borrow_mut();
        found.retain(|recent| recent.when.elapsed() < A_MOMENT);
        found.iter().rfind(|recent| recent.point == point).cloned()
    }

    fn window_at(&self, (x, y): (i32, i32)) -> Option<(WindowAt, String)> {
        let x = i16::try_from(x).ok()?;
        let y = i16::try_from(y).ok()?;
        let at = self.asked.window_at(x, y).ok()??;
        let app = self.asked.class(at.window).ok()?;
        Some((at, app))
    }

    /// Nothing of a program that is left out by the policy, nor of a private window, is asked for.
    fn may_look_at(&self, at: &WindowAt, app: &str) -> bool {
        self.context.redactor().allows(app)
            && self
                .asked
                .title(at.window)
                .is_ok_and(|title| !redact::is_private(app, &title))
    }

    async fn find_element(&self, at: &WindowAt, (x, y): (i32, i32)) -> Option<Found> {
        let a11y = self.a11y.borrow().clone()?;
        if at.popup {
            let selected: Vec<_> = self.selected.borrow().iter().cloned().collect();
            if let Ok(Some(found)) = a11y.selected_at(at.pid, &selected, x, y).await {
                return Some(found);
            }
        }
        a11y.element_at(at.pid?, at, x, y).await.ok().flatten()
    }

    fn redacted(
        &self,
        app: &str,
        found: &Found,
    ) -> (snag_core::Element, Option<snag_core::LabelText>) {
        let redactor = self.context.redactor();
        if crate::names::tells_apart(&found.name) {
            return redactor.element(app, &found.role, &found.name);
        }
        let place = crate::names::by_place(&redact::app_name(app), &found.role, &found.place);
        let (element, _) = redactor.element(app, &found.role, "");
        (
            snag_core::Element {
                id: redactor.label_hash(&place).to_string(),
                ..element
            },
            None,
        )
    }
}
