//! Rollup rows of one slice of time, in memory: what every figure is folded from.
//!
//! A cell is a rollup's row with its names replaced by numbers of the cube's
//! [`Dictionary`]. Who stands behind it is a range of one flat list, so that counting
//! people is a walk over memory and not over a hash table.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

/// An efficiency that a session doesn't have.
pub(super) const NO_EFFICIENCY: u32 = u32::MAX;

/// A session that stands behind a cell, with its scores in millionths. Its device is at
/// the same place of [`Slice::devices`], apart, because counting people needs that alone.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scores {
    pub(super) session: u32,
    pub(super) frustration_micro: u32,
    /// [`NO_EFFICIENCY`] where no task was completed.
    pub(super) efficiency_micro: u32,
}

/// What a cell is told apart by, but for its kind and screen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facet {
    /// Which part of the slice: see [`super::period::Piece::offsets`].
    pub(super) offset: u32,
    pub(super) version: u32,
    pub(super) segment: u32,
}

/// Sessions that began.
#[derive(Debug)]
pub(super) struct SessionCell {
    pub(super) facet: Facet,
    pub(super) friction_weight_ms: u64,
    pub(super) friction_weighted_micro: u64,
    pub(super) who: Range<u32>,
}

/// Sessions that touched a screen, at their first visit of it.
#[derive(Debug)]
pub(super) struct ScreenCell {
    pub(super) facet: Facet,
    pub(super) screen: u32,
    pub(super) sessions: u32,
    pub(super) rage_clicks: u32,
    pub(super) dead_clicks: u32,
    pub(super) exits: u32,
    pub(super) efficiency_sessions: u32,
    pub(super) dwell_ms: u64,
    pub(super) time_lost_ms: u64,
    pub(super) frustration_micro: u64,
    pub(super) friction_weight_ms: u64,
    pub(super) friction_weighted_micro: u64,
    pub(super) efficiency_micro: u64,
    pub(super) who: Range<u32>,
}

/// Incidents of a kind on a screen.
#[derive(Debug)]
pub(super) struct IncidentCell {
    pub(super) facet: Facet,
    pub(super) kind: u8,
    pub(super) screen: u32,
    pub(super) incidents: u32,
    pub(super) people: Range<u32>,
}

/// Everything insights know of a slice of time of one product.
#[derive(Debug, Default)]
pub(super) struct Slice {
    pub(super) sessions: Vec<SessionCell>,
    pub(super) screens: Vec<ScreenCell>,
    pub(super) incidents: Vec<IncidentCell>,
    /// Devices behind sessions and screens, and their sessions.
    pub(super) devices: Vec<u32>,
    pub(super) scores: Vec<Scores>,
    /// Devices behind incidents.
    pub(super) people: Vec<u32>,
}

impl Slice {
    pub(super) fn devices(&self, range: &Range<u32>) -> &[u32] {
        &self.devices[range.start as usize..range.end as usize]
    }

    pub(super) fn scores(&self, range: &Range<u32>) -> &[Scores] {
        &self.scores[range.start as usize..range.end as usize]
    }

    pub(super) fn people(&self, range: &Range<u32>) -> &[u32] {
        &self.people[range.start as usize..range.end as usize]
    }

    /// Sessions, sessions on screens and incidents, of one part of it or of all.
    pub(super) fn totals(&self, offset: Option<u32>) -> [u64; 3] {
        let counts = |facet: &Facet| offset.is_none_or(|offset| facet.offset == offset);
        let sessions = self.sessions.iter().filter(|cell| counts(&cell.facet));
        let screens = self.screens.iter().filter(|cell| counts(&cell.facet));
        let incidents = self.incidents.iter().filter(|cell| counts(&cell.facet));
        [
            sessions.map(|cell| cell.who.len() as u64).sum(),
            screens.map(|cell| u64::from(cell.sessions)).sum(),
            incidents.map(|cell| u64::from(cell.incidents)).sum(),
        ]
    }

    /// Memory it holds, its entry in the cache included.
    pub(super) fn size_bytes(&self) -> usize {
        512 + self.sessions.capacity() * size_of::<SessionCell>()
            + self.screens.capacity() * size_of::<ScreenCell>()
            + self.incidents.capacity() * size_of::<IncidentCell>()
            + self.devices.capacity() * size_of::<u32>()
            + self.scores.capacity() * size_of::<Scores>()
            + self.people.capacity() * size_of::<u32>()
    }

    pub(super) fn shrink(&mut self) {
        self.sessions.shrink_to_fit();
        self.screens.shrink_to_fit();
        self.incidents.shrink_to_fit();
        self.devices.shrink_to_fit();
        self.scores.shrink_to_fit();
        self.people.shrink_to_fit();
    }
}

/// A screen of a program.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct ScreenName {
    pub(super) app: Arc<str>,
    /// The label's hash as ClickHouse has it.
    pub(super) hash: Arc<str>,
}

/// Names and devices by number, for all slices of a cube. It only grows.
#[derive(Debug, Default)]
pub(super) struct Dictionary {
    devices: HashMap<u128, u32>,
    words: HashMap<Arc<str>, u32>,
    screen_numbers: HashMap<ScreenName, u32>,
    screens: Vec<ScreenName>,
}

impl Dictionary {
    pub(super) fn device(&mut self, uuid: u128) -> u32 {
        let next = number(self.devices.len());
        *self.devices.entry(uuid).or_insert(next)
    }

    pub(super) fn word(&mut self, word: &str) -> u32 {
        if let Some(known) = self.words.get(word) {
            return *known;
        }
        let next = number(self.words.len());
        self.words.insert(word.into(), next);
        next
    }

    /// The number of a word that has come up.
    pub(super) fn known_word(&self, word: &str) -> Option<u32> {
        self.words.get(word).copied()
    }

    pub(super) fn screen(&mut self, app: &str, hash: &str) -> u32 {
        let name = ScreenName {
            app: app.into(),
            hash: hash.into(),
        };
        if let Some(known) = self.screen_numbers.get(&name) {
            return *known;
        }
        let next = number(self.screens.len());
        self.screens.push(name.clone());
        self.screen_numbers.insert(name, next);
        next
    }

    pub(super) fn screens(&self) -> &[ScreenName] {
        &self.screens
    }

    pub(super) fn device_count(&self) -> usize {
        self.devices.len()
    }

    /// Memory it holds, roughly: names are some 40 bytes, and hash tables are half empty.
    pub(super) fn size_bytes(&self) -> usize {
        self.devices.len() * 64 + self.words.len() * 96 + self.screens.len() * 256
    }
}

/// Four thousand million names don't fit the memory anyway.
fn number(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX - 1)
}
