//! Counting people, grouping by small numbers and quantiles: walks over memory, without
//! hashing or sorting what is large.

use std::ops::Range;

/// How many people stand behind a figure, and whether it may be shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Stand {
    pub(super) people: u64,
    pub(super) hidden: bool,
}

/// Who stands behind a figure: for each device, which sets of filters its cells fail,
/// as bits. Devices are numbers without gaps, so that nothing is hashed or sorted.
pub(super) struct Crowd {
    seen: Vec<u16>,
    touched: Vec<u32>,
}

impl Crowd {
    pub(super) fn new(devices: usize) -> Self {
        Self {
            seen: vec![0; devices],
            touched: Vec::new(),
        }
    }

    /// Devices of a cell that fails the filters of `mask`.
    pub(super) fn add(&mut self, mask: u8, devices: &[u32]) {
        for device in devices {
            let seen = &mut self.seen[*device as usize];
            if *seen == 0 {
                self.touched.push(*device);
            }
            *seen |= 1 << mask;
        }
    }

    /// How many of them have a cell of one of `masks`.
    pub(super) fn count(&self, masks: u16) -> u64 {
        let touched = self.touched.iter();
        touched
            .filter(|device| self.seen[**device as usize] & masks != 0)
            .count() as u64
    }

    /// What they amount to; the crowd is empty after. `failed` has a bit for each
    /// filter that some cell fails.
    pub(super) fn stand(&mut self, k: u64, failed: u8) -> Stand {
        let few = |people: u64| people > 0 && people < k;
        let people = self.count(1);
        let mut hidden = few(people);
        // Where nothing is left or nothing is cut off there is no difference to take.
        if k > 1 && people > 0 && !hidden {
            hidden = (1..=failed)
                .filter(|filters| filters & !failed == 0)
                .any(|filters| {
                    let cut_off = (1..=filters).filter(|mask| mask & !filters == 0);
                    few(self.count(cut_off.fold(0, |masks, mask| masks | 1 << mask)))
                });
        }
        for device in self.touched.drain(..) {
            self.seen[device as usize] = 0;
        }
        Stand { people, hidden }
    }
}

/// Items put together by a small number that each has.
pub(super) struct ByNumber<T> {
    /// Where the items of each number begin; the last is where all end.
    starts: Vec<u32>,
    pub(super) items: Vec<T>,
}

impl<T> ByNumber<T> {
    fn range(&self, number: usize) -> Range<usize> {
        self.starts[number] as usize..self.starts[number + 1] as usize
    }

    pub(super) fn of(&self, number: usize) -> &[T] {
        &self.items[self.range(number)]
    }

    pub(super) fn of_mut(&mut self, number: usize) -> &mut [T] {
        let range = self.range(number);
        &mut self.items[range]
    }
}

/// Counts, then places: two walks over memory.
pub(super) fn by_number<T: Copy>(
    numbers: usize,
    items: impl Iterator<Item = (u32, T)> + Clone,
) -> ByNumber<T> {
    let mut starts = vec![0u32; numbers + 1];
    let mut first = None;
    let mut all = 0;
    for (number, item) in items.clone() {
        starts[number as usize + 1] += 1;
        first.get_or_insert(item);
        all += 1;
    }
    for number in 0..numbers {
        starts[number + 1] += starts[number];
    }
    let mut places = starts.clone();
    let mut placed = first.map_or(Vec::new(), |first| vec![first; all]);
    for (number, item) in items {
        let place = &mut places[number as usize];
        placed[*place as usize] = item;
        *place += 1;
    }
    ByNumber {
        starts,
        items: placed,
    }
}

/// How coarsely scores are counted before the values of one class are looked at.
const CLASS_BITS: u32 = 8;

/// p50, p90 and p99 by nearest rank: the lowest value that so many are at or below.
/// Values are millionths, at most some millions.
pub(super) fn quantiles(micros: &[u32]) -> Option<[f64; 3]> {
    let highest = micros.iter().max()?;
    let mut classes = vec![0usize; (highest >> CLASS_BITS) as usize + 1];
    for micro in micros {
        classes[(micro >> CLASS_BITS) as usize] += 1;
    }
    Some([50, 90, 99].map(|percent| {
        let rank = (micros.len() * percent).div_ceil(100).max(1);
        let mut below = 0;
        let class = classes.iter().position(|count| {
            below += count;
            below >= rank
        });
        let class = class.unwrap_or(classes.len() - 1);
        let inside = micros
            .iter()
            .filter(|micro| (**micro >> CLASS_BITS) as usize == class);
        let mut inside: Vec<u32> = inside.copied().collect();
        let before = below - classes[class];
        let (_, value, _) = inside.select_nth_unstable(rank - before - 1);
        f64::from(*value) / 1e6
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERSION: u8 = 4;
    const SEGMENT: u8 = 8;

    #[test]
    fn quantiles_are_by_nearest_rank() {
        assert_eq!(quantiles(&[]), None);
        assert_eq!(quantiles(&[700_000]), Some([0.7; 3]));
        let hundred: Vec<u32> = (1..=100).rev().map(|x| x * 10_000).collect();
        assert_eq!(quantiles(&hundred), Some([0.5, 0.9, 0.99]));
        assert_eq!(quantiles(&[4, 1, 3, 2]), Some([2e-6, 4e-6, 4e-6]));
        let mut seed = 3u64;
        let mut sorted: Vec<u32> = (0..777)
            .map(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (seed >> 40) as u32 % 1_000_001
            })
            .collect();
        let answered = quantiles(&sorted);
        sorted.sort_unstable();
        let ranks = [389, 700, 770].map(|rank| f64::from(sorted[rank - 1]) / 1e6);
        assert_eq!(answered, Some(ranks));
    }

    #[test]
    fn a_figure_is_hidden_by_few_people_and_by_few_others() {
        // Devices 0..6 pass, 6..9 fail the version, 9..20 the segment.
        let stand = |k, versions: Range<u32>| {
            let mut crowd = Crowd::new(20);
            let failed = (VERSION * u8::from(!versions.is_empty())) | SEGMENT;
            for (mask, devices) in [(0, 0..6), (VERSION, versions), (SEGMENT, 9..20)] {
                crowd.add(mask, &devices.collect::<Vec<u32>>());
            }
            let stand = crowd.stand(k, failed);
            assert_eq!(
                crowd.stand(k, failed),
                Stand::default(),
                "it is empty after"
            );
            stand
        };
        assert_eq!(stand(3, 6..9).people, 6);
        assert!(!stand(3, 6..9).hidden);
        assert!(stand(4, 6..9).hidden, "three others fail the version");
        assert!(stand(7, 6..9).hidden, "six people");
        assert!(!stand(4, 6..6).hidden, "none fails the version");
    }

    #[test]
    fn items_are_put_together_by_number() {
        let items = [(2, 'a'), (0, 'b'), (2, 'c')];
        let mut sorted = by_number(4, items.iter().copied());
        assert_eq!(sorted.of(0), ['b']);
        assert_eq!(sorted.of(2), ['a', 'c']);
        assert!(sorted.of(1).is_empty() && sorted.of_mut(3).is_empty());
        assert!(by_number::<u8>(0, [].into_iter()).items.is_empty());
    }
}
