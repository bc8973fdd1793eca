//! A span of time, and how it is put together from what is cached.
//!
//! **Invariant:** the pieces of a period follow one another without gap or overlap,
//! so that figures of a period count each record once, to the millisecond.

use std::ops::Range;

use jiff::Timestamp;

pub(super) const HOUR_MS: i64 = 3_600_000;
pub(super) const DAY_MS: i64 = 24 * HOUR_MS;

/// From `from_ms` on, until before `to_ms`; milliseconds since 1970, both after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Period {
    pub(super) from_ms: i64,
    pub(super) to_ms: i64,
}

/// What is loaded and cached as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum SliceKey {
    /// A day of UTC (days since 1970), summed over its hours.
    Day(i64),
    /// A day of UTC, hour by hour: for periods that begin or end inside a day.
    Hours(i64),
    /// An hour of UTC (hours since 1970) from the raw rows: for periods that begin
    /// or end inside an hour.
    Exact(i64),
}

impl SliceKey {
    /// The day of UTC it lies in.
    pub(super) fn day(self) -> i64 {
        match self {
            Self::Day(day) | Self::Hours(day) => day,
            Self::Exact(hour) => hour / 24,
        }
    }

    /// The slice of its kind that lies so many steps after it, where one is worth reading
    /// along with it, and the hours that it spans.
    pub(super) fn neighbour(self, steps: i64) -> Option<(Self, i64)> {
        match self {
            // Days are asked for in runs as it is.
            Self::Day(_) => None,
            Self::Hours(day) => (day + steps >= 0).then_some((Self::Hours(day + steps), 24)),
            Self::Exact(hour) => (hour + steps >= 0).then_some((Self::Exact(hour + steps), 1)),
        }
    }
}

/// A slice and the part of it that is asked for: everything of a day; hours of the
/// day; milliseconds of the hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) key: SliceKey,
    pub(super) offsets: Range<u32>,
}

impl Period {
    /// The period of equal length that ends where this one begins.
    pub(super) fn previous(self) -> Self {
        Self {
            from_ms: self.from_ms - (self.to_ms - self.from_ms),
            to_ms: self.from_ms,
        }
    }

    pub(super) fn from(self) -> Timestamp {
        timestamp(self.from_ms)
    }

    pub(super) fn to(self) -> Timestamp {
        timestamp(self.to_ms)
    }

    /// What it is put together from, in order of time.
    pub(super) fn pieces(self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        // Nothing was recorded before 1970; a previous period may begin there.
        let mut at = self.from_ms.max(0);
        let to = self.to_ms;
        while at < to {
            let (day, hour) = (at / DAY_MS, at / HOUR_MS);
            let whole_hours_end = (to - to % HOUR_MS).min((day + 1) * DAY_MS);
            let (key, offsets, end) = if at % DAY_MS == 0 && whole_hours_end == at + DAY_MS {
                (SliceKey::Day(day), 0..1, whole_hours_end)
            } else if at % HOUR_MS == 0 && at < whole_hours_end {
                let hours = (at % DAY_MS) / HOUR_MS..(whole_hours_end - day * DAY_MS) / HOUR_MS;
                (SliceKey::Hours(day), narrow(hours), whole_hours_end)
            } else {
                let end = to.min((hour + 1) * HOUR_MS);
                let inside = at - hour * HOUR_MS..end - hour * HOUR_MS;
                (SliceKey::Exact(hour), narrow(inside), end)
            };
            pieces.push(Piece { key, offsets });
            at = end;
        }
        pieces
    }
}

/// Offsets inside a day or an hour fit 32 bits.
fn narrow(range: Range<i64>) -> Range<u32> {
    let fit = |x: i64| u32::try_from(x).unwrap_or(u32::MAX);
    fit(range.start)..fit(range.end)
}

pub(super) fn timestamp(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(from_ms: i64, to_ms: i64) -> Vec<(SliceKey, Range<u32>)> {
        Period { from_ms, to_ms }
            .pieces()
            .into_iter()
            .map(|piece| (piece.key, piece.offsets))
            .collect()
    }

    #[test]
    fn whole_days_are_days_and_edges_are_as_fine_as_they_must_be() {
        use SliceKey::{Day, Exact, Hours};
        assert_eq!(pieces(DAY_MS, 3 * DAY_MS), [(Day(1), 0..1), (Day(2), 0..1)]);
        assert_eq!(
            pieces(DAY_MS - HOUR_MS, 2 * DAY_MS + 2 * HOUR_MS),
            [(Hours(0), 23..24), (Day(1), 0..1), (Hours(2), 0..2)]
        );
        assert_eq!(
            pieces(10 * HOUR_MS + 5, 12 * HOUR_MS + 7),
            [
                (Exact(10), 5..3_600_000),
                (Hours(0), 11..12),
                (Exact(12), 0..7)
            ]
        );
        assert_eq!(pieces(5, 7), [(Exact(0), 5..7)]);
    }

    #[test]
    fn pieces_cover_the_period_without_gap_or_overlap() {
        let mut seed = 7u64;
        let mut random = |below: i64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            i64::try_from(seed >> 33).unwrap() % below
        };
        for _ in 0..2_000 {
            let grain = [1, 1_000, HOUR_MS, DAY_MS][usize::try_from(random(4)).unwrap()];
            let from = random(10 * DAY_MS / grain) * grain;
            let to = from + (1 + random(5 * DAY_MS / grain)) * grain;
            let mut at = from;
            for (key, offsets) in pieces(from, to) {
                let (base, unit) = match key {
                    SliceKey::Day(day) => (day * DAY_MS, DAY_MS),
                    SliceKey::Hours(day) => (day * DAY_MS, HOUR_MS),
                    SliceKey::Exact(hour) => (hour * HOUR_MS, 1),
                };
                assert_eq!(base + i64::from(offsets.start) * unit, at);
                at = base + i64::from(offsets.end) * unit;
                assert!(base + i64::from(offsets.end) * unit <= (key.day() + 1) * DAY_MS);
            }
            assert_eq!(at, to);
        }
    }
}
