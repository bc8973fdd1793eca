//! What is clicked: the window under the pointer, by the X server, and the element in it, by AT-SPI.

use std::rc::Rc;
use std::time::Instant;

use snag_core::redact;
use tokio::task::spawn_local;

use super::Shell;
use super::a11y::Found;
use super::watch::{Clicked, Watch};
use super::x::WindowAt;
use crate::queue::{Reply, Under};

/// Look-ups of elements under way at once; further presses go without.
const LOOKUPS_MAX: usize = 64;

/// What a look-up found, in a form that each press which asked gets a copy of.
#[derive(Clone, Default)]
struct Answered {
    own: bool,
    element: Option<snag_core::Element>,
    label: Option<snag_core::LabelText>,
}

impl Shell {
    pub(super) fn pressed(self: &Rc<Self>, x: f64, y: f64, reply: Reply<Under>) {
        #[expect(clippy::cast_possible_truncation, reason = "pixels of a screen")]
        let point = (x.round() as i32, y.round() as i32);
        self.number.set(self.number.get() + 1);
        *self.watch.borrow_mut() = Some(Watch::new(self.number.get(), Instant::now(), point));
        let mut waiting = self.waiting.borrow_mut();
        if let Some(asked) = waiting.get_mut(&point) {
            // The same point a moment ago: its answer is this one's.
            asked.push(reply);
            return;
        }
        if waiting.len() >= LOOKUPS_MAX {
            reply.send(Under::default());
            return;
        }
        waiting.insert(point, vec![reply]);
        drop(waiting);
        spawn_local(self.clone().look_up(point));
    }

    async fn look_up(self: Rc<Self>, point: (i32, i32)) {
        let at = self.window_at(point);
        let mut result = Answered::default();
        let mut clicked = None;
        if let Some((at, app)) = &at {
            result.own = at.pid.is_some_and(|pid| self.context.own.contains(&pid));
            if !result.own && self.may_look_at(app) {
                let found = tokio::time::timeout(
                    self.context.element_deadline,
                    self.find_element(at, point),
                )
                .await;
                if let Ok(Some(found)) = found {
                    let (element, label) = self.redacted(app, &found);
                    result.element = Some(element);
                    result.label = label;
                    clicked = Some(Clicked {
                        object: found.object,
                        role: found.role,
                        area: found.area,
                    });
                }
            }
        }
        for reply in self.waiting.borrow_mut().remove(&point).unwrap_or_default() {
            let Answered {
                own,
                element,
                label,
            } = result.clone();
            reply.send(Under {
                own,
                element,
                label,
            });
        }
        self.watch_for_answers(point, clicked, at.map(|(at, _)| at));
    }

    fn window_at(&self, (x, y): (i32, i32)) -> Option<(WindowAt, String)> {
        let x = i16::try_from(x).ok()?;
        let y = i16::try_from(y).ok()?;
        let at = self.asked.window_at(x, y).ok()??;
        let app = self.asked.class(at.window).ok()?;
        Some((at, app))
    }

    fn may_look_at(&self, app: &str) -> bool {
        let current = self.current.borrow();
        self.context.redactor().allows(app) && !(current.private && current.app == app)
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
