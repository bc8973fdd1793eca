//! Figures of a period, folded from its slices.
//!
//! **Invariant:** every figure that leaves this module says how many people stand
//! behind it and whether it is [`hidden`](Stand::hidden). One that is must not be
//! shown, and neither may what it is made of.
//!
//! A figure is hidden where fewer than k people, but not none, stand behind it; and
//! where a filter cuts so few off that the filtered figure, taken from the unfiltered
//! one, would tell theirs (the complement). The latter is looked at for each filter
//! and each combination of filters, wherever the figures of both sides add up to the
//! whole: sessions and their scores by version and segment, incidents also by app and
//! screen. What is not covered: taking one period's figures from those of a slightly
//! longer one.

use std::ops::Range;
use std::sync::Arc;

use super::slice::{Dictionary, Facet, IncidentCell, NO_EFFICIENCY, ScreenCell, Slice, Who};

/// Slices and the part of each that counts.
pub(super) type Part = (Arc<Slice>, Range<u32>);

/// Filters a cell can fail, as bits.
const APP: u8 = 1;
const SCREEN: u8 = 2;
const VERSION: u8 = 4;
const SEGMENT: u8 = 8;
const MASKS: usize = 16;

/// What was asked for, in the dictionary's numbers.
pub(super) struct Selection {
    /// For each screen, the filters it fails; none where neither app nor screen is asked for.
    screens: Option<Vec<u8>>,
    /// The inner `None` is a word that never came up: nothing matches it.
    version: Option<Option<u32>>,
    segment: Option<Option<u32>>,
}

impl Selection {
    /// `app` and `screen` say whether a screen passes; `None` where all do.
    pub(super) fn new(
        dictionary: &Dictionary,
        app: Option<&str>,
        screen: Option<&dyn Fn(&str) -> bool>,
        version: Option<&str>,
        segment: Option<&str>,
    ) -> Self {
        let screens = (app.is_some() || screen.is_some()).then(|| {
            let failed = dictionary.screens().iter().map(|name| {
                let other_app = app.is_some_and(|app| *name.app != *app);
                let other_screen = screen.is_some_and(|passes| !passes(&name.hash));
                u8::from(other_app) * APP + u8::from(other_screen) * SCREEN
            });
            failed.collect()
        });
        Self {
            screens,
            version: version.map(|word| dictionary.known_word(word)),
            segment: segment.map(|word| dictionary.known_word(word)),
        }
    }

    fn by_screen(&self) -> bool {
        self.screens.is_some()
    }

    fn failed_by_facet(&self, facet: &Facet) -> u8 {
        let fails =
            |asked: Option<Option<u32>>, word: u32| asked.is_some_and(|asked| asked != Some(word));
        u8::from(fails(self.version, facet.version)) * VERSION
            + u8::from(fails(self.segment, facet.segment)) * SEGMENT
    }

    fn failed_by_screen(&self, screen: u32) -> u8 {
        self.screens
            .as_ref()
            .map_or(0, |screens| screens[screen as usize])
    }
}

/// How many people stand behind a figure, and whether it may be shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Stand {
    pub(super) people: u64,
    pub(super) hidden: bool,
}

/// Sessions and their scores.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct SessionFigures {
    pub(super) stand: Stand,
    pub(super) sessions: u64,
    pub(super) friction_index: Option<f64>,
    pub(super) efficiency: Option<f64>,
    pub(super) frustration_quantiles: Option<[f64; 3]>,
    pub(super) efficiency_quantiles: Option<[f64; 3]>,
}

/// Incidents of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct IncidentFigures {
    pub(super) stand: Stand,
    pub(super) incidents: u64,
}

/// Incidents that may be listed one by one, and those that may not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) shown: u64,
    pub(super) hidden: u64,
}

/// One screen's sums.
#[derive(Debug, Clone, Default)]
pub(super) struct ScreenFigures {
    pub(super) screen: u32,
    pub(super) stand: Stand,
    pub(super) sessions: u64,
    pub(super) dwell_ms: u64,
    pub(super) rage_clicks: u64,
    pub(super) dead_clicks: u64,
    pub(super) exits: u64,
    pub(super) time_lost_ms: u64,
    pub(super) frustration_micro: u64,
    efficiency_micro: u64,
    efficiency_sessions: u64,
}

impl ScreenFigures {
    /// A sum as a mean over the screen's sessions.
    #[expect(clippy::cast_precision_loss, reason = "sums stay below 2^53")]
    pub(super) fn per_session(&self, sum: u64) -> f64 {
        if self.sessions == 0 {
            return 0.0;
        }
        sum as f64 / self.sessions as f64
    }

    pub(super) fn avg_frustration(&self) -> f64 {
        self.per_session(self.frustration_micro) / 1e6
    }

    #[expect(clippy::cast_precision_loss, reason = "sums stay below 2^53")]
    pub(super) fn avg_efficiency(&self) -> Option<f64> {
        (self.efficiency_sessions > 0)
            .then(|| self.efficiency_micro as f64 / self.efficiency_sessions as f64 / 1e6)
    }

    fn add(&mut self, cell: &ScreenCell) {
        self.sessions += cell.sessions;
        self.dwell_ms += cell.dwell_ms;
        self.rage_clicks += cell.rage_clicks;
        self.dead_clicks += cell.dead_clicks;
        self.exits += cell.exits;
        self.time_lost_ms += cell.time_lost_ms;
        self.frustration_micro += cell.frustration_micro;
        self.efficiency_micro += cell.efficiency_micro;
        self.efficiency_sessions += cell.efficiency_sessions;
    }
}

/// Counts different devices without hashing: a device was seen in this round where
/// its mark is the round's.
struct Distinct {
    marks: Vec<u32>,
    round: u32,
}

impl Distinct {
    fn new(devices: usize) -> Self {
        Self {
            marks: vec![0; devices],
            round: 0,
        }
    }

    fn count(&mut self, devices: impl Iterator<Item = u32>) -> u64 {
        self.round += 1;
        let mut count = 0;
        for device in devices {
            let mark = &mut self.marks[device as usize];
            count += u64::from(*mark != self.round);
            *mark = self.round;
        }
        count
    }

    /// `behind(mask)` are the devices of the cells that fail exactly the filters of
    /// `mask`; `failed` has a bit for each filter that some cell fails.
    fn stand<I: Iterator<Item = u32>>(
        &mut self,
        k: u64,
        failed: u8,
        behind: impl Fn(u8) -> I,
    ) -> Stand {
        let few = |people: u64| people > 0 && people < k;
        let people = self.count(behind(0));
        let mut hidden = few(people);
        // Where nothing is left or nothing is cut off there is no difference to take.
        if k > 1 && people > 0 && !hidden {
            for filters in (1..=failed).filter(|filters| filters & !failed == 0) {
                let others = (1..=filters).filter(|mask| mask & !filters == 0);
                if few(self.count(others.flat_map(&behind))) {
                    hidden = true;
                    break;
                }
            }
        }
        Stand { people, hidden }
    }
}

/// Folds slices of one cube.
pub(super) struct Fold<'a> {
    selection: &'a Selection,
    screens: usize,
    devices: usize,
    k: u64,
}

impl<'a> Fold<'a> {
    pub(super) fn new(dictionary: &Dictionary, selection: &'a Selection, k: u32) -> Self {
        Self {
            selection,
            screens: dictionary.screens().len(),
            devices: dictionary.device_count(),
            k: k.into(),
        }
    }

    /// Sessions that began in the period, or that touched the screens asked for.
    pub(super) fn sessions(&self, parts: &[Part]) -> SessionFigures {
        let mut lists: [Vec<&[Who]>; MASKS] = Default::default();
        let mut failed = 0;
        let (mut weight_ms, mut weighted_micro) = (0u128, 0u128);
        let mut take = |mask: u8, who, cell_weight_ms: u64, cell_weighted_micro: u64| {
            failed |= mask;
            lists[usize::from(mask)].push(who);
            if mask == 0 {
                weight_ms += u128::from(cell_weight_ms);
                weighted_micro += u128::from(cell_weighted_micro);
            }
        };
        for (slice, offsets) in parts {
            if self.selection.by_screen() {
                for cell in &slice.screens {
                    if offsets.contains(&cell.facet.offset)
                        && self.selection.failed_by_screen(cell.screen) == 0
                    {
                        let mask = self.selection.failed_by_facet(&cell.facet);
                        let who = slice.who(&cell.who);
                        take(
                            mask,
                            who,
                            cell.friction_weight_ms,
                            cell.friction_weighted_micro,
                        );
                    }
                }
            } else {
                for cell in &slice.sessions {
                    if offsets.contains(&cell.facet.offset) {
                        let mask = self.selection.failed_by_facet(&cell.facet);
                        let who = slice.who(&cell.who);
                        take(
                            mask,
                            who,
                            cell.friction_weight_ms,
                            cell.friction_weighted_micro,
                        );
                    }
                }
            }
        }
        let stand = Distinct::new(self.devices).stand(self.k, failed, |mask| {
            lists[usize::from(mask)]
                .iter()
                .flat_map(|who| who.iter().map(|who| who.device))
        });
        let mut sessions: Vec<Who> = lists[0]
            .iter()
            .flat_map(|who| who.iter().copied())
            .collect();
        if self.selection.by_screen() {
            sessions = self.distinct_sessions(&sessions);
        }
        let mut frustration: Vec<u32> = sessions.iter().map(|w| w.frustration_micro).collect();
        let mut efficiency: Vec<u32> = sessions
            .iter()
            .map(|who| who.efficiency_micro)
            .filter(|micro| *micro != NO_EFFICIENCY)
            .collect();
        SessionFigures {
            stand,
            sessions: sessions.len() as u64,
            friction_index: ratio(weighted_micro, weight_ms).map(|micro| micro / 1e4),
            efficiency: ratio(
                efficiency.iter().map(|micro| u128::from(*micro)).sum(),
                efficiency.len() as u128,
            )
            .map(|micro| micro / 1e6),
            frustration_quantiles: quantiles(&mut frustration),
            efficiency_quantiles: quantiles(&mut efficiency),
        }
    }

    /// Each session once, however many screens it touched: put together by device
    /// (which are numbers without gaps), then told apart by session.
    fn distinct_sessions(&self, all: &[Who]) -> Vec<Who> {
        let mut ends = vec![0u32; self.devices + 1];
        for who in all {
            ends[who.device as usize + 1] += 1;
        }
        for device in 0..self.devices {
            ends[device + 1] += ends[device];
        }
        let mut sorted = all.to_vec();
        let mut places = ends.clone();
        for who in all {
            let place = &mut places[who.device as usize];
            sorted[*place as usize] = *who;
            *place += 1;
        }
        let mut distinct = Vec::with_capacity(all.len());
        for device in 0..self.devices {
            let own = &mut sorted[ends[device] as usize..ends[device + 1] as usize];
            own.sort_unstable_by_key(|who| who.session);
            distinct.extend(
                own.chunk_by(|a, b| a.session == b.session)
                    .map(|same| same[0]),
            );
        }
        distinct
    }

    /// Incidents by kind, in the order of `IncidentKind::ALL`.
    pub(super) fn incidents(&self, parts: &[Part]) -> [IncidentFigures; 6] {
        let mut lists: [[Vec<&[u32]>; MASKS]; 6] = Default::default();
        let mut failed = [0; 6];
        let mut figures = [IncidentFigures::default(); 6];
        for (slice, offsets) in parts {
            for cell in &slice.incidents {
                if !offsets.contains(&cell.facet.offset) {
                    continue;
                }
                let mask = self.selection.failed_by_facet(&cell.facet)
                    | self.selection.failed_by_screen(cell.screen);
                let kind = usize::from(cell.kind);
                failed[kind] |= mask;
                lists[kind][usize::from(mask)].push(slice.people(&cell.people));
                if mask == 0 {
                    figures[kind].incidents += cell.incidents;
                }
            }
        }
        let mut distinct = Distinct::new(self.devices);
        for ((figures, lists), failed) in figures.iter_mut().zip(&lists).zip(failed) {
            figures.stand = distinct.stand(self.k, failed, |mask| {
                lists[usize::from(mask)]
                    .iter()
                    .flat_map(|people| people.iter().copied())
            });
        }
        figures
    }

    /// How many incidents may be listed one by one, and how many may not: those of
    /// kinds and screens at which too few people had one.
    pub(super) fn listed(&self, parts: &[Part], kind: Option<u8>) -> Listed {
        let mut cells = Vec::new();
        for (slice, offsets) in parts {
            for cell in &slice.incidents {
                if offsets.contains(&cell.facet.offset)
                    && kind.is_none_or(|kind| cell.kind == kind)
                    && self.selection.failed_by_screen(cell.screen) == 0
                {
                    cells.push((slice.as_ref(), cell));
                }
            }
        }
        cells.sort_unstable_by_key(|(_, cell)| (cell.screen, cell.kind));
        let mut distinct = Distinct::new(self.devices);
        let mut listed = Listed::default();
        for same in cells.chunk_by(|(_, a), (_, b)| (a.screen, a.kind) == (b.screen, b.kind)) {
            let mask = |cell: &IncidentCell| self.selection.failed_by_facet(&cell.facet);
            let passing = same.iter().filter(|(_, cell)| mask(cell) == 0);
            let incidents: u64 = passing.map(|(_, cell)| cell.incidents).sum();
            let failed = same.iter().fold(0, |all, (_, cell)| all | mask(cell));
            let stand = distinct.stand(self.k, failed, |wanted| {
                same.iter()
                    .filter(move |(_, cell)| mask(cell) == wanted)
                    .flat_map(|(slice, cell)| slice.people(&cell.people).iter().copied())
            });
            if stand.hidden {
                listed.hidden += incidents;
            } else {
                listed.shown += incidents;
            }
        }
        listed
    }

    /// The screens asked for, in no order; of those, only `only` where it is given.
    pub(super) fn screens(&self, parts: &[Part], only: Option<&[u32]>) -> Vec<ScreenFigures> {
        let mut wanted = vec![only.is_none(); self.screens];
        for screen in only.unwrap_or_default() {
            wanted[*screen as usize] = true;
        }
        // Cells are put together by screen, so that people are counted a screen at a
        // time with one set of marks, however many screens there are.
        let mut ends = vec![0u32; self.screens + 1];
        let mut cells = Vec::new();
        for (slice, offsets) in parts {
            for cell in &slice.screens {
                if wanted[cell.screen as usize]
                    && offsets.contains(&cell.facet.offset)
                    && self.selection.failed_by_screen(cell.screen) == 0
                {
                    ends[cell.screen as usize + 1] += 1;
                    cells.push((slice.as_ref(), cell));
                }
            }
        }
        for screen in 0..self.screens {
            ends[screen + 1] += ends[screen];
        }
        let mut order = vec![0u32; cells.len()];
        let mut places = ends.clone();
        for (index, (_, cell)) in (0u32..).zip(&cells) {
            let place = &mut places[cell.screen as usize];
            order[*place as usize] = index;
            *place += 1;
        }
        let mut distinct = Distinct::new(self.devices);
        let mut all = Vec::new();
        for screen in 0..self.screens {
            let own = &order[ends[screen] as usize..ends[screen + 1] as usize];
            let mut failed = 0;
            let mut figures = ScreenFigures::default();
            for index in own {
                let (_, cell) = cells[*index as usize];
                let mask = self.selection.failed_by_facet(&cell.facet);
                failed |= mask;
                if mask == 0 {
                    figures.screen = cell.screen;
                    figures.add(cell);
                }
            }
            if figures.sessions == 0 {
                continue;
            }
            figures.stand = distinct.stand(self.k, failed, |mask| {
                own.iter()
                    .map(|index| cells[*index as usize])
                    .filter(move |(_, cell)| self.selection.failed_by_facet(&cell.facet) == mask)
                    .flat_map(|(slice, cell)| slice.who(&cell.who).iter().map(|who| who.device))
            });
            all.push(figures);
        }
        all
    }
}

#[expect(clippy::cast_precision_loss, reason = "sixteen digits are enough")]
fn ratio(sum: u128, count: u128) -> Option<f64> {
    (count > 0).then(|| sum as f64 / count as f64)
}

/// p50, p90 and p99 by nearest rank: the lowest value that so many are at or below.
fn quantiles(micros: &mut [u32]) -> Option<[f64; 3]> {
    if micros.is_empty() {
        return None;
    }
    Some([50, 90, 99].map(|percent| {
        let rank = (micros.len() * percent).div_ceil(100).max(1);
        let (_, value, _) = micros.select_nth_unstable(rank - 1);
        f64::from(*value) / 1e6
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_by_nearest_rank() {
        assert_eq!(quantiles(&mut []), None);
        assert_eq!(quantiles(&mut [7_000_000]), Some([7.0; 3]));
        let mut hundred: Vec<u32> = (1..=100).rev().map(|x| x * 1_000_000).collect();
        assert_eq!(quantiles(&mut hundred), Some([50.0, 90.0, 99.0]));
        let mut four = [4_000_000, 1_000_000, 3_000_000, 2_000_000];
        assert_eq!(quantiles(&mut four), Some([2.0, 4.0, 4.0]));
    }

    #[test]
    fn a_figure_is_hidden_by_few_people_and_by_few_others() {
        // Devices 0..6 pass, 6..9 fail the version, 9..20 the segment.
        let behind = |mask: u8| match mask {
            0 => 0..6,
            VERSION => 6..9,
            SEGMENT => 9..20,
            _ => 0..0,
        };
        let failed = VERSION | SEGMENT;
        let stand = |k| Distinct::new(20).stand(k, failed, behind);
        assert_eq!(
            stand(3),
            Stand {
                people: 6,
                hidden: false
            }
        );
        assert!(stand(4).hidden, "three others fail the version");
        assert!(stand(7).hidden, "six people");
        assert!(
            !Distinct::new(20)
                .stand(4, SEGMENT, |mask| if mask == VERSION {
                    0..0
                } else {
                    behind(mask)
                })
                .hidden
        );
    }
}
