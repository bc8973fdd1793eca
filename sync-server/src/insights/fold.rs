//! Figures of a period, folded from its slices.
//!
//! **Invariant:** every figure that leaves this module says how many people stand
//! behind it and whether it is hidden ([`Stand`]). One that is must not be
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

use super::count::{Crowd, Stand, by_number, quantiles};
use super::slice::{Dictionary, Facet, NO_EFFICIENCY, Scores, ScreenCell, Slice};

/// Slices and the part of each that counts.
pub(super) type Part = (Arc<Slice>, Range<u32>);

/// Filters a cell can fail, as bits.
const APP: u8 = 1;
const SCREEN: u8 = 2;
const VERSION: u8 = 4;
const SEGMENT: u8 = 8;

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
        self.sessions += u64::from(cell.sessions);
        self.dwell_ms += cell.dwell_ms;
        self.rage_clicks += u64::from(cell.rage_clicks);
        self.dead_clicks += u64::from(cell.dead_clicks);
        self.exits += u64::from(cell.exits);
        self.time_lost_ms += cell.time_lost_ms;
        self.frustration_micro += cell.frustration_micro;
        self.efficiency_micro += cell.efficiency_micro;
        self.efficiency_sessions += u64::from(cell.efficiency_sessions);
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
        let mut crowd = Crowd::new(self.devices);
        let mut failed = 0;
        let (mut weight_ms, mut weighted_micro) = (0u128, 0u128);
        let mut passing: Vec<(&[u32], &[Scores])> = Vec::new();
        for (slice, offsets) in parts {
            let mut take = |facet: &Facet, who: &Range<u32>, cell_weight_ms, cell_weighted| {
                let mask = self.selection.failed_by_facet(facet);
                failed |= mask;
                crowd.add(mask, slice.devices(who));
                if mask == 0 {
                    weight_ms += u128::from(cell_weight_ms);
                    weighted_micro += u128::from(cell_weighted);
                    passing.push((slice.devices(who), slice.scores(who)));
                }
            };
            if self.selection.by_screen() {
                let cells = slice.screens.iter();
                for cell in cells.filter(|cell| {
                    offsets.contains(&cell.facet.offset)
                        && self.selection.failed_by_screen(cell.screen) == 0
                }) {
                    let (weight, weighted) =
                        (cell.friction_weight_ms, cell.friction_weighted_micro);
                    take(&cell.facet, &cell.who, weight, weighted);
                }
            } else {
                let cells = slice.sessions.iter();
                for cell in cells.filter(|cell| offsets.contains(&cell.facet.offset)) {
                    let (weight, weighted) =
                        (cell.friction_weight_ms, cell.friction_weighted_micro);
                    take(&cell.facet, &cell.who, weight, weighted);
                }
            }
        }
        let sessions: Vec<Scores> = if self.selection.by_screen() {
            self.distinct_sessions(&passing)
        } else {
            let scores = passing.iter().flat_map(|(_, scores)| scores.iter());
            scores.copied().collect()
        };
        let frustration: Vec<u32> = sessions.iter().map(|s| s.frustration_micro).collect();
        let efficiency: Vec<u32> = sessions
            .iter()
            .map(|scores| scores.efficiency_micro)
            .filter(|micro| *micro != NO_EFFICIENCY)
            .collect();
        SessionFigures {
            stand: crowd.stand(self.k, failed),
            sessions: sessions.len() as u64,
            friction_index: ratio(weighted_micro, weight_ms).map(|micro| micro / 1e4),
            efficiency: ratio(
                efficiency.iter().map(|micro| u128::from(*micro)).sum(),
                efficiency.len() as u128,
            )
            .map(|micro| micro / 1e6),
            frustration_quantiles: quantiles(&frustration),
            efficiency_quantiles: quantiles(&efficiency),
        }
    }

    /// Each session once, however many screens it touched: put together by device, then
    /// told apart by session.
    fn distinct_sessions(&self, all: &[(&[u32], &[Scores])]) -> Vec<Scores> {
        let pairs = || {
            all.iter()
                .flat_map(|(devices, scores)| devices.iter().zip(scores.iter()))
        };
        let mut sorted = by_number(
            self.devices,
            pairs().map(|(device, scores)| (*device, *scores)),
        );
        let mut distinct = Vec::with_capacity(sorted.items.len());
        for device in 0..self.devices {
            let own = sorted.of_mut(device);
            own.sort_unstable_by_key(|scores| scores.session);
            distinct.extend(
                own.chunk_by(|a, b| a.session == b.session)
                    .map(|same| same[0]),
            );
        }
        distinct
    }

    /// Incidents by kind, in the order of `IncidentKind::ALL`.
    pub(super) fn incidents(&self, parts: &[Part]) -> [IncidentFigures; 6] {
        let mut crowds = [(); 6].map(|()| Crowd::new(self.devices));
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
                crowds[kind].add(mask, slice.people(&cell.people));
                if mask == 0 {
                    figures[kind].incidents += u64::from(cell.incidents);
                }
            }
        }
        for ((figures, crowd), failed) in figures.iter_mut().zip(&mut crowds).zip(failed) {
            figures.stand = crowd.stand(self.k, failed);
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
        let mut crowd = Crowd::new(self.devices);
        let mut listed = Listed::default();
        for same in cells.chunk_by(|(_, a), (_, b)| (a.screen, a.kind) == (b.screen, b.kind)) {
            let (mut incidents, mut failed) = (0, 0);
            for (slice, cell) in same {
                let mask = self.selection.failed_by_facet(&cell.facet);
                failed |= mask;
                crowd.add(mask, slice.people(&cell.people));
                if mask == 0 {
                    incidents += u64::from(cell.incidents);
                }
            }
            if crowd.stand(self.k, failed).hidden {
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
        let mut sums = vec![ScreenFigures::default(); self.screens];
        let mut crowds = Vec::new();
        for (slice, offsets) in parts {
            for cell in &slice.screens {
                if wanted[cell.screen as usize]
                    && offsets.contains(&cell.facet.offset)
                    && self.selection.failed_by_screen(cell.screen) == 0
                {
                    let mask = self.selection.failed_by_facet(&cell.facet);
                    if mask == 0 {
                        sums[cell.screen as usize].add(cell);
                    }
                    crowds.push((cell.screen, (mask, slice.devices(&cell.who))));
                }
            }
        }
        // Who stands behind them is put together by screen, so that people are counted
        // a screen at a time with one crowd, however many screens there are.
        let crowds = by_number(self.screens, crowds.iter().copied());
        let mut crowd = Crowd::new(self.devices);
        let mut all = Vec::new();
        for (screen, mut figures) in (0u32..).zip(sums) {
            if figures.sessions == 0 {
                continue;
            }
            let mut failed = 0;
            for (mask, devices) in crowds.of(screen as usize) {
                failed |= mask;
                crowd.add(*mask, devices);
            }
            figures.screen = screen;
            figures.stand = crowd.stand(self.k, failed);
            all.push(figures);
        }
        all
    }
}

#[expect(clippy::cast_precision_loss, reason = "sixteen digits are enough")]
fn ratio(sum: u128, count: u128) -> Option<f64> {
    (count > 0).then(|| sum as f64 / count as f64)
}
