//! `rage_click/1`: a run of left clicks on one target, each at most 1,000 ms after the one
//! before, that holds N clicks within 1,000 ms, first to last.
//!
//! Times are those of the presses. N and the target are those of the run's first click,
//! with which every click of the run is compared. A run with a click that is known to be
//! on a role where fast clicks are ordinary is no rage run, wherever that click stands.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{Incident, Signals};
use crate::clicks::Press;
use crate::redact::{Manner, Place};
use crate::{IncidentKind, Thresholds, clicks::Click};

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct RageClick {
    run: Option<Run>,
    /// The number of the latest run.
    id: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Run {
    first: Press,
    place: Place,
    last: u64,
    count: u64,
    /// The latest N − 1 times: enough to tell whether the next click makes N in the window.
    recent: VecDeque<u64>,
    /// Whether a click was on a role where fast clicks are ordinary.
    excused: bool,
    fired: bool,
}

/// What a click did to the runs.
pub(crate) struct Joined {
    /// The run that the click belongs to.
    pub(crate) run: u64,
    /// Whether that run is a rage run, with this click at the latest.
    pub(crate) rage: bool,
    /// The run that it ended.
    pub(crate) ended: Option<u64>,
}

impl RageClick {
    /// A left click, completed at `now`.
    pub(crate) fn click(
        &mut self,
        click: &Click,
        now: u64,
        thresholds: &Thresholds,
        signals: &mut Signals,
    ) -> Joined {
        let t = click.press.t;
        let mut ended = None;
        let goes_on = self.run.as_ref().is_some_and(|run| {
            t.saturating_sub(run.last) <= thresholds.rage_click_gap_ms
                && same_target(run, click, thresholds)
        });
        if !goes_on {
            ended = self.end(signals);
            self.id += 1;
            self.run = Some(Run {
                first: click.press.clone(),
                place: click.place.clone(),
                last: t,
                count: 0,
                recent: VecDeque::new(),
                excused: false,
                fired: false,
            });
        }
        let mut rage = false;
        if let Some(run) = &mut self.run {
            run.add(&click.press, now, thresholds, signals);
            rage = run.fired;
        }
        Joined {
            run: self.id,
            rage,
            ended,
        }
    }

    /// Ends the open run: its number.
    pub(crate) fn end(&mut self, signals: &mut Signals) -> Option<u64> {
        let run = self.run.take()?;
        if run.fired {
            let target = run.first.target.as_ref();
            signals.ended(Incident {
                kind: IncidentKind::RageClick,
                start: run.first.t,
                end: run.last,
                count: run.count,
                screen: run.place.screen,
                role: target.map(|target| target.role.clone()),
                label: target.map(|target| target.label),
            });
        }
        Some(self.id)
    }

    /// Time passed: ends the run where no click can join it any more. A left button that
    /// went down in time can, however late it is let go.
    pub(crate) fn expire(
        &mut self,
        t: u64,
        left_since: Option<u64>,
        thresholds: &Thresholds,
        signals: &mut Signals,
    ) -> Option<u64> {
        if t > self.wake(left_since, thresholds) {
            return self.end(signals);
        }
        None
    }

    pub(crate) fn wake(&self, left_since: Option<u64>, thresholds: &Thresholds) -> u64 {
        let Some(run) = &self.run else {
            return u64::MAX;
        };
        let until = run.last.saturating_add(thresholds.rage_click_gap_ms);
        match left_since {
            Some(since) if since <= until => u64::MAX,
            _ => until,
        }
    }
}

impl Run {
    fn add(&mut self, press: &Press, now: u64, thresholds: &Thresholds, signals: &mut Signals) {
        self.last = press.t;
        self.count = self.count.saturating_add(1);
        self.excused |= press
            .target
            .as_ref()
            .is_some_and(|target| target.manner == Manner::FastClicks);
        if self.fired {
            return;
        }
        let n = if self.first.target.is_some() {
            thresholds.rage_click_known
        } else {
            thresholds.rage_click_unknown
        };
        let before = usize::try_from(n.saturating_sub(1)).unwrap_or(usize::MAX);
        let full = self.recent.len() >= before;
        let in_window = self
            .recent
            .front()
            .is_none_or(|first| press.t.saturating_sub(*first) <= thresholds.rage_click_window_ms);
        if full && in_window && !self.excused {
            self.fired = true;
            self.recent = VecDeque::new();
            signals.crossed(IncidentKind::RageClick, now, &self.place.screen);
            return;
        }
        self.recent.push_back(press.t);
        if self.recent.len() > before {
            self.recent.pop_front();
        }
    }
}

/// The same screen and, where both clicks know their element, the same role and id; where
/// one does not, close to each other.
fn same_target(run: &Run, click: &Click, thresholds: &Thresholds) -> bool {
    if run.place.screen.identity != click.place.screen.identity {
        return false;
    }
    match (&run.first.target, &click.press.target) {
        (Some(first), Some(this)) => first.identity == this.identity,
        _ => run
            .first
            .point
            .within(click.press.point, thresholds.target_radius_px),
    }
}
