//! One validated batch, in columns where it is large.
//!
//! Validation runs for many requests at once, the committer for all of them in one
//! task: whatever can be done per request is done here, so that the committer only
//! copies columns and looks words up once per batch.

use std::sync::Arc;

use snag_wire::{
    Detail, EventKind, IncidentRecord, LabelHash, LabelKind, ScreenRecord, SessionRecord,
};
use uuid::Uuid;

/// Which table a record goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Table {
    /// `events`
    Events,
    /// `sessions`
    Sessions,
    /// `screens`
    Screens,
    /// `incidents`
    Incidents,
    /// `labels`
    Labels,
}

impl Table {
    /// Every table, in the order in which a block is written.
    pub const ALL: [Self; 5] = [
        Self::Events,
        Self::Sessions,
        Self::Screens,
        Self::Incidents,
        Self::Labels,
    ];

    /// Its name in ClickHouse.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Sessions => "sessions",
            Self::Screens => "screens",
            Self::Incidents => "incidents",
            Self::Labels => "labels",
        }
    }
}

/// What all records of a batch share.
#[derive(Debug)]
pub struct Shared {
    /// The organisation, as the record tables have it.
    pub org: Arc<str>,
    /// The product.
    pub product: String,
    /// The agent's version.
    pub version: String,
    /// The part of the organisation.
    pub segment: String,
    /// The device.
    pub device: Uuid,
    /// Added to the device's wall clock.
    pub clock_offset_ms: i64,
    /// When the batch came, in seconds since 1970.
    pub received_at_s: u32,
}

/// Where a record happened.
#[derive(Debug, Clone)]
pub struct Place {
    /// The session's number.
    pub session: u32,
    /// An index into [`BatchRows::apps`].
    pub app: u32,
    /// The screen.
    pub screen: LabelHash,
}

/// Events, a column a field; all of one length, by rising `seq`.
#[derive(Debug, Default)]
pub struct Events {
    /// Sequence numbers.
    pub seq: Vec<u64>,
    /// Corrected, in milliseconds since 1970.
    pub at: Vec<i64>,
    /// The number of ClickHouse's Enum8.
    pub kind: Vec<i8>,
    /// 0 where there is none, otherwise 1 + the index into [`Detail::ALL`].
    pub detail: Vec<u8>,
    /// 0 where there is none, otherwise 1 + the index into [`BatchRows::roles`].
    pub role: Vec<u16>,
    /// The element's name, hashed.
    pub label: Vec<Option<LabelHash>>,
    /// An index into [`BatchRows::places`].
    pub place: Vec<u32>,
    /// How many.
    pub count: Vec<u32>,
    /// How long.
    pub duration_ms: Vec<u32>,
}

impl Events {
    /// Room for so many.
    #[must_use]
    pub fn with_capacity(rows: usize) -> Self {
        Self {
            seq: Vec::with_capacity(rows),
            at: Vec::with_capacity(rows),
            kind: Vec::with_capacity(rows),
            detail: Vec::with_capacity(rows),
            role: Vec::with_capacity(rows),
            label: Vec::with_capacity(rows),
            place: Vec::with_capacity(rows),
            count: Vec::with_capacity(rows),
            duration_ms: Vec::with_capacity(rows),
        }
    }
}

/// The number of a kind in ClickHouse's Enum8.
#[must_use]
pub fn kind_number(kind: EventKind) -> i8 {
    match kind {
        EventKind::Click => 1,
        EventKind::Drag => 2,
        EventKind::Scroll => 3,
        EventKind::Move => 4,
        EventKind::Key => 5,
        EventKind::Focus => 6,
        EventKind::Task => 7,
        EventKind::Error => 8,
    }
}

/// 1 + the index of a detail in [`Detail::ALL`].
#[must_use]
pub fn detail_number(detail: Detail) -> u8 {
    // The variants are declared in the order of `ALL`; a test checks it.
    detail as u8 + 1
}

/// A record of which a batch has few.
#[derive(Debug)]
pub struct Row<T> {
    /// Its moment, corrected, in milliseconds since 1970.
    pub at: i64,
    /// The record.
    pub record: T,
}

/// A label that may be stored.
#[derive(Debug)]
pub struct Label {
    /// Its sequence number.
    pub seq: u64,
    /// Its hash.
    pub hash: LabelHash,
    /// What it names.
    pub kind: LabelKind,
    /// The program.
    pub app: String,
    /// The text.
    pub text: String,
}

/// One validated batch. Each list is ordered by `seq`.
#[derive(Debug)]
pub struct BatchRows {
    /// What all share.
    pub shared: Shared,
    /// Programs that places refer to.
    pub apps: Vec<String>,
    /// Roles that events refer to.
    pub roles: Vec<String>,
    /// What records refer to.
    pub places: Vec<Place>,
    /// Events.
    pub events: Events,
    /// Sessions; the paths are indices into `places`.
    pub sessions: Vec<Row<Box<SessionRecord>>>,
    /// Screens.
    pub screens: Vec<Row<Box<ScreenRecord>>>,
    /// Incidents.
    pub incidents: Vec<Row<Box<IncidentRecord>>>,
    /// Labels.
    pub labels: Vec<Row<Label>>,
}

impl BatchRows {
    /// A batch without records.
    #[must_use]
    pub fn empty(device: Uuid) -> Self {
        Self {
            shared: Shared {
                org: Arc::from(""),
                product: String::new(),
                version: String::new(),
                segment: String::new(),
                device,
                clock_offset_ms: 0,
                received_at_s: 0,
            },
            apps: Vec::new(),
            roles: Vec::new(),
            places: Vec::new(),
            events: Events::default(),
            sessions: Vec::new(),
            screens: Vec::new(),
            incidents: Vec::new(),
            labels: Vec::new(),
        }
    }

    /// Records of all types.
    #[must_use]
    pub fn len(&self) -> usize {
        self.events.seq.len()
            + self.sessions.len()
            + self.screens.len()
            + self.incidents.len()
            + self.labels.len()
    }

    /// Whether there is nothing to store.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The days (since 1970, UTC) that the records lie on, each at least once.
    #[must_use]
    pub fn days(&self) -> Vec<i64> {
        let mut days: Vec<i64> = self
            .events
            .at
            .iter()
            .copied()
            .chain(self.sessions.iter().map(|row| row.at))
            .chain(self.screens.iter().map(|row| row.at))
            .chain(self.incidents.iter().map(|row| row.at))
            .map(|at| at.div_euclid(86_400_000))
            .collect();
        days.dedup();
        days
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_details_number_is_its_place_in_the_list() {
        for (index, detail) in Detail::ALL.iter().enumerate() {
            assert_eq!(usize::from(detail_number(*detail)), index + 1);
        }
    }
}
