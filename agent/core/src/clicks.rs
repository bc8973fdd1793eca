//! Presses and releases become clicks and drags.

use serde::{Deserialize, Serialize};

use crate::redact::{Place, Target};
use crate::{Button, Thresholds};

/// A point on the screen, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Point {
    x: f64,
    y: f64,
}

impl Point {
    /// Coordinates that are no number lie far away from everything real.
    pub(crate) fn new(x: f64, y: f64) -> Self {
        const FAR: f64 = 1e9;
        let tame = |v: f64| if v.is_nan() { FAR } else { v.clamp(-FAR, FAR) };
        Self {
            x: tame(x),
            y: tame(y),
        }
    }

    /// Whether two points are at most so many pixels apart.
    pub(crate) fn within(self, other: Self, radius_px: u64) -> bool {
        #[expect(
            clippy::cast_precision_loss,
            reason = "the policy keeps radii below 1,000"
        )]
        let radius = radius_px as f64;
        let (dx, dy) = (self.x - other.x, self.y - other.y);
        dx * dx + dy * dy <= radius * radius
    }
}

/// A button that is down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Press {
    pub(crate) t: u64,
    pub(crate) point: Point,
    pub(crate) target: Option<Target>,
    /// Whether the interface answered since, in time for the click not to be dead.
    pub(crate) answered: bool,
}

/// A press and its release. Time, place and element are the press's; the screen is the
/// one that had the focus at the release.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Click {
    pub(crate) press: Press,
    pub(crate) place: Place,
}

/// The buttons that are down.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Presses([Option<Press>; 4]);

impl Presses {
    /// A button goes down. A second press without a release replaces the first.
    pub(crate) fn press(&mut self, button: Button, press: Press) {
        self.0[button as usize] = Some(press);
    }

    /// A button goes up: the press, and whether the two are a click.
    pub(crate) fn release(
        &mut self,
        button: Button,
        point: Point,
        thresholds: &Thresholds,
    ) -> Option<(Press, bool)> {
        let press = self.0[button as usize].take()?;
        let click = press.point.within(point, thresholds.click_radius_px);
        Some((press, click))
    }

    /// When the left button went down, where it is down.
    pub(crate) fn left_since(&self) -> Option<u64> {
        self.0[Button::Left as usize].as_ref().map(|press| press.t)
    }

    /// The interface answered at this time.
    pub(crate) fn answer(&mut self, t: u64, dead_click_ms: u64) {
        if let Some(press) = &mut self.0[Button::Left as usize]
            && t.saturating_sub(press.t) <= dead_click_ms
        {
            press.answered = true;
        }
    }

    /// Nothing is down any more, as far as is known.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}
