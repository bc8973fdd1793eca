//! What becomes of what is open as time passes.

use super::Engine;
use crate::detect::Signals;
use crate::detect::abandoned_task::AbandonedTask;
use crate::runs::{Keys, Movement};
use crate::{Effect, Thresholds};

impl Engine {
    /// Time passed without an input: settles what waits for time alone (dead clicks,
    /// ended runs, a session whose gap is over). Figures don't depend on it.
    pub fn advance(&mut self, t: u64, sink: &mut impl FnMut(Effect)) {
        let t = t.max(self.state.latest);
        self.state.latest = t;
        if self.session_is_over(t) {
            self.end_session(sink);
            return;
        }
        if self
            .state
            .movement
            .as_ref()
            .is_some_and(|open| t > open.until())
        {
            let over = self.state.movement.take();
            self.tell_run(over.map(Movement::ended), sink);
        }
        if self
            .state
            .keys
            .as_ref()
            .is_some_and(|open| t > open.until())
        {
            let over = self.state.keys.take();
            self.tell_run(over.map(Keys::ended), sink);
        }
        if t > self.wake {
            let last = self
                .state
                .session
                .as_ref()
                .map_or(0, |session| session.last);
            self.expire(t, sink, |tasks, thresholds, signals| {
                if t > last {
                    tasks.last(last, thresholds, signals);
                }
            });
        }
    }

    /// When [`Engine::advance`] has something to settle next, if nothing happens until then; none while nothing waits
    /// for time. After an `advance` it is later than that: whoever tells the time sleeps until then.
    #[must_use]
    pub fn due(&self) -> Option<u64> {
        let (state, thresholds) = (&self.state, &self.thresholds);
        let session = state.session.as_ref()?;
        let session_end = session.last.saturating_add(thresholds.session_gap_ms);
        let movement_end = state.movement.as_ref().map_or(u64::MAX, Movement::until);
        let keys_end = state.keys.as_ref().map_or(u64::MAX, Keys::until);
        // Time alone abandons a task only where the last input came at the very moment or after it.
        let task = state.abandoned_task.wake(thresholds);
        let task_end = if task <= session.last {
            session.last
        } else {
            u64::MAX
        };
        let until = session_end
            .min(movement_end)
            .min(keys_end)
            .min(task_end)
            .min(self.wake_by_time());
        (until < u64::MAX).then(|| until + 1)
    }

    pub(super) fn session_is_over(&self, t: u64) -> bool {
        self.state
            .session
            .as_ref()
            .is_some_and(|session| t.saturating_sub(session.last) > self.thresholds.session_gap_ms)
    }

    /// Settles what is over at `t`. `tasks` settles tasks, which depends on whether there
    /// is an input at `t`.
    pub(super) fn expire(
        &mut self,
        t: u64,
        sink: &mut impl FnMut(Effect),
        tasks: impl FnOnce(&mut AbandonedTask, &Thresholds, &mut Signals),
    ) {
        let (state, thresholds, signals) = (&mut self.state, &self.thresholds, &mut self.signals);
        let left_since = state.presses.left_since();
        if let Some(run) = state.rage_click.expire(t, left_since, thresholds, signals) {
            state.dead_click.run_ended(run, thresholds, signals);
        }
        state.dead_click.expire(t, thresholds, signals);
        tasks(&mut state.abandoned_task, thresholds, signals);
        state.error_loop.expire(t, thresholds, signals);
        state.undo_storm.expire(t, thresholds, signals);
        self.drain(sink);
        self.set_wake();
    }

    pub(super) fn set_wake(&mut self) {
        let tasks = self.state.abandoned_task.wake(&self.thresholds);
        self.wake = self.wake_by_time().min(tasks);
    }

    /// Up to when nothing changes by time alone, tasks apart: their verdict falls with an input.
    fn wake_by_time(&self) -> u64 {
        let (state, thresholds) = (&self.state, &self.thresholds);
        state
            .rage_click
            .wake(state.presses.left_since(), thresholds)
            .min(state.dead_click.wake(thresholds))
            .min(state.error_loop.wake(thresholds))
            .min(state.undo_storm.wake(thresholds))
    }

    /// Ends the open session: every run ends with it.
    pub(super) fn end_session(&mut self, sink: &mut impl FnMut(Effect)) {
        self.flush_runs(sink);
        let (state, thresholds, signals) = (&mut self.state, &self.thresholds, &mut self.signals);
        let Some(last) = state.session.as_ref().map(|session| session.last) else {
            return;
        };
        if let Some(run) = state.rage_click.end(signals) {
            state.dead_click.run_ended(run, thresholds, signals);
        }
        state.dead_click.expire(u64::MAX, thresholds, signals);
        state.abandoned_task.last(last, thresholds, signals);
        state.error_loop.end(thresholds, signals);
        state.undo_storm.end(thresholds, signals);
        self.drain(sink);
        let state = &mut self.state;
        state.presses.clear();
        state.dead_click.clear();
        state.abandoned_task.clear();
        state.backtrack.clear();
        if let Some(session) = state.session.take() {
            session.end(|record| sink(Effect::Record(record)));
        }
        self.set_wake();
    }
}
