//! Whether the program answers a click: by accessibility events and by what it redraws.

use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::task::spawn_local;

use super::a11y::{Happened, Object};
use super::area::Area;
use super::watch::{self, Clicked, LOOKS, Verdict};
use super::x::WindowAt;
use super::{QUIET_MS, Shell};
use crate::queue::What;

/// How often redrawn areas are sampled for noise, while somebody uses the window.
const SAMPLE: Duration = Duration::from_secs(1);
/// Where the pointer was this long before a press may still be fading from its hover.
const BEFORE_THE_PRESS: Duration = Duration::from_millis(1_500);
/// After this long without a press, key or wheel, sampling stops (ms).
const ASLEEP_MS: u64 = 30_000;

impl Shell {
    /// It is known now what was clicked: what waited for it is judged, and redraws are looked at for a while.
    pub(super) fn watch_for_answers(
        self: &Rc<Self>,
        point: (i32, i32),
        clicked: Option<Clicked>,
        at: Option<WindowAt>,
    ) {
        let (number, pending) = {
            let mut watch = self.watch.borrow_mut();
            let Some(watch) = watch.as_mut().filter(|watch| watch.point == point) else {
                // Another click is watched by now.
                return;
            };
            (watch.number, watch.resolve(clicked.clone()))
        };
        let Some(clicked) = clicked else { return };
        for happened in pending {
            self.judge(&clicked, &happened);
        }
        if let (Some(at), Some(area)) = (at, clicked.area) {
            self.note_damage(at);
            spawn_local(self.clone().look_for_redraws(number, area));
        }
    }

    pub(super) fn judge(self: &Rc<Self>, clicked: &Clicked, happened: &Happened) {
        if self
            .noise
            .borrow()
            .is_noise(&happened.object, Instant::now())
        {
            return;
        }
        match watch::judge(clicked, happened) {
            Verdict::Answer => self.answered(),
            Verdict::LostFocus => {
                spawn_local(self.clone().note_lost_focus(happened.object.clone()));
            }
            Verdict::Nothing => {}
        }
    }

    /// The window itself answered, by its title.
    pub(super) fn answered_by_the_window(&self) {
        let known = self
            .watch
            .borrow()
            .as_ref()
            .is_some_and(|watch| watch.clicked.is_some());
        if known {
            self.answered();
        }
    }

    /// Tells of the answer to the click watched, once.
    fn answered(&self) {
        let mut watch = self.watch.borrow_mut();
        if let Some(watch) = watch.as_mut().filter(|watch| watch.open(Instant::now())) {
            watch.answered = true;
            self.context.queue.push(What::Reaction);
        }
    }

    async fn note_lost_focus(self: Rc<Self>, object: Object) {
        let Some(a11y) = self.a11y.borrow().clone() else {
            return;
        };
        let Ok(Ok(Some(area))) =
            tokio::time::timeout(self.context.element_deadline, a11y.area(&object)).await
        else {
            return;
        };
        if let Some(watch) = self.watch.borrow_mut().as_mut() {
            watch.redrawn_anyway.push(area);
        }
    }

    fn note_damage(self: &Rc<Self>, at: WindowAt) {
        let mut damage = self.damage.borrow_mut();
        match damage.as_mut() {
            Some((noted, _)) if noted.window == at.window => noted.area = at.area,
            other => {
                if let Some((_, noted)) = other {
                    self.asked.forget(noted);
                }
                self.noise.borrow_mut().forget_areas();
                *damage = self.asked.note_damage(at.window).map(|noted| (at, noted));
            }
        }
        if let Some((_, noted)) = damage.as_ref() {
            // What was redrawn until now was before the answer could be.
            let _ = self.asked.look(noted);
            if !self.sampling.replace(true) {
                spawn_local(self.clone().sample_noise());
            }
        }
    }

    /// The areas redrawn since the last look, relative to their window.
    fn redrawn(&self) -> Option<(WindowAt, Vec<Area>)> {
        let mut damage = self.damage.borrow_mut();
        let (at, noted) = damage.as_ref()?;
        match self.asked.look(noted) {
            Ok(areas) => Some((*at, areas)),
            Err(_) => {
                *damage = None;
                None
            }
        }
    }

    async fn look_for_redraws(self: Rc<Self>, number: u64, clicked: Area) {
        let Some(at) = self.watch.borrow().as_ref().map(|watch| watch.at) else {
            return;
        };
        for after in LOOKS {
            tokio::time::sleep_until((at + after).into()).await;
            let anyway = {
                let watch = self.watch.borrow();
                let Some(watch) = watch.as_ref().filter(|watch| watch.number == number) else {
                    return;
                };
                if !watch.open(Instant::now()) {
                    return;
                }
                watch.redrawn_anyway.clone()
            };
            let Some((window, redrawn)) = self.redrawn() else {
                return;
            };
            let (left, top) = (window.area.x, window.area.y);
            let anyway: Vec<_> = anyway.iter().map(|area| area.moved(-left, -top)).collect();
            let trail: Vec<_> = self
                .context
                .trail
                .points(at.checked_sub(BEFORE_THE_PRESS).unwrap_or(at))
                .iter()
                .map(|(x, y)| (x - left, y - top))
                .collect();
            let answers = watch::redraw_answers(
                &redrawn,
                clicked.moved(-left, -top),
                &anyway,
                &trail,
                &self.noise.borrow(),
                window.area.moved(-left, -top),
                Instant::now(),
            );
            if answers {
                self.answered();
                return;
            }
        }
    }

    /// Learns what is redrawn in the window while nobody does anything. Ends when nobody has for long.
    async fn sample_noise(self: Rc<Self>) {
        // Redraws since the last look belong to a click unless that look was in a quiet time, too.
        let mut was_quiet = false;
        loop {
            tokio::time::sleep(SAMPLE).await;
            let quiet_ms = self.context.quiet_ms();
            if quiet_ms > ASLEEP_MS {
                self.sampling.set(false);
                return;
            }
            let watching = self
                .watch
                .borrow()
                .as_ref()
                .is_some_and(|watch| watch.open(Instant::now()));
            let quiet = quiet_ms > QUIET_MS && !watching;
            if quiet
                && let Some((_, areas)) = self.redrawn()
                && was_quiet
            {
                self.noise.borrow_mut().seen(&areas, Instant::now());
            }
            was_quiet = quiet;
        }
    }
}
