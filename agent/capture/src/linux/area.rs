//! Rectangles on the screen, in pixels.

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Area {
    pub(crate) x: i32,
    pub(crate) y: i32,
    pub(crate) width: i32,
    pub(crate) height: i32,
}

impl Area {
    pub(crate) fn contains(&self, x: i32, y: i32) -> bool {
        x >= self.x
            && y >= self.y
            && x < self.x.saturating_add(self.width)
            && y < self.y.saturating_add(self.height)
    }

    pub(crate) fn size(&self) -> i64 {
        i64::from(self.width.max(0)) * i64::from(self.height.max(0))
    }

    pub(crate) fn grown(&self, by: i32) -> Self {
        Self {
            x: self.x.saturating_sub(by),
            y: self.y.saturating_sub(by),
            width: self.width.saturating_add(2 * by),
            height: self.height.saturating_add(2 * by),
        }
    }

    pub(crate) fn moved(&self, x: i32, y: i32) -> Self {
        Self {
            x: self.x.saturating_add(x),
            y: self.y.saturating_add(y),
            ..*self
        }
    }

    /// The box around two areas.
    pub(crate) fn around(&self, other: &Self) -> Self {
        let (x, y) = (self.x.min(other.x), self.y.min(other.y));
        let right = self
            .x
            .saturating_add(self.width)
            .max(other.x.saturating_add(other.width));
        let bottom = self
            .y
            .saturating_add(self.height)
            .max(other.y.saturating_add(other.height));
        Self {
            x,
            y,
            width: right.saturating_sub(x),
            height: bottom.saturating_sub(y),
        }
    }

    /// The size of what two areas have in common (px²).
    pub(crate) fn common(&self, other: &Self) -> i64 {
        let right = |area: &Self| i64::from(area.x) + i64::from(area.width);
        let bottom = |area: &Self| i64::from(area.y) + i64::from(area.height);
        let width = right(self).min(right(other)) - i64::from(self.x.max(other.x));
        let height = bottom(self).min(bottom(other)) - i64::from(self.y.max(other.y));
        width.max(0) * height.max(0)
    }

    /// How far two areas are from being the same (sum of the differences of their edges, px).
    pub(crate) fn distance(&self, other: &Self) -> i64 {
        [
            (self.x, other.x),
            (self.y, other.y),
            (self.width, other.width),
            (self.height, other.height),
        ]
        .iter()
        .map(|(one, two)| (i64::from(*one) - i64::from(*two)).abs())
        .sum()
    }
}
