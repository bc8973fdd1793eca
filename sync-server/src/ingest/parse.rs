//! JSON to records, borrowing what can be borrowed.
//!
//! Events are nearly all of what arrives, so they have a twin of
//! [`snag_wire::EventRecord`] that allocates nothing; a test holds the two together.
//! Everything else is read into the contract's own types.

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use snag_wire::{
    Detail, DropCount, EventKind, IncidentRecord, LabelHash, LabelRecord, ScreenRecord,
    SessionRecord,
};
use uuid::Uuid;

use crate::json::Strict;

/// A batch whose records are `R`: [`Record`] on the fast path, raw text on the slow.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "R: Deserialize<'de>"))]
pub struct Batch<'a, R> {
    /// See [`snag_wire::EventBatch`].
    pub device: Uuid,
    /// The product.
    #[serde(borrow)]
    pub product: Cow<'a, str>,
    /// The agent's version.
    #[serde(borrow)]
    pub agent_version: Cow<'a, str>,
    /// The device's clock as the batch was sent.
    pub sent_at: Timestamp,
    /// What `t_ms` counts from.
    pub base_at: Timestamp,
    /// What records refer to.
    #[serde(borrow)]
    pub contexts: Vec<Context<'a>>,
    /// The records.
    pub records: Vec<R>,
    /// What the device dropped.
    #[serde(default)]
    pub drops: Vec<DropCount>,
}

/// A batch whose records have been read.
pub type Typed<'a> = Batch<'a, Record<'a>>;
/// A batch whose records have not been read.
pub type Raw<'a> = Batch<'a, &'a RawValue>;

/// See [`snag_wire::Context`].
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Context<'a> {
    /// The session's number.
    pub session: u32,
    /// The program.
    #[serde(borrow)]
    pub app: Cow<'a, str>,
    /// The screen.
    pub screen: LabelHash,
}

/// See [`snag_wire::Record`].
#[derive(Debug)]
pub enum Record<'a> {
    /// An event.
    Event(Event<'a>),
    /// A session.
    Session(Box<SessionRecord>),
    /// A screen.
    Screen(Box<ScreenRecord>),
    /// An incident.
    Incident(Box<IncidentRecord>),
    /// A label's text.
    Label(Box<LabelRecord>),
}

/// See [`snag_wire::EventRecord`].
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event<'a> {
    /// The sequence number.
    pub seq: u64,
    /// What it was.
    pub kind: EventKind,
    /// More closely.
    #[serde(default)]
    pub detail: Option<Detail>,
    /// The element's role.
    #[serde(default, borrow, deserialize_with = "borrowed")]
    pub role: Option<Cow<'a, str>>,
    /// The element's name, hashed.
    #[serde(default)]
    pub label: Option<LabelHash>,
    /// Where.
    pub context: u32,
    /// When.
    pub t_ms: i64,
    /// How many.
    #[serde(default = "one")]
    pub count: u32,
    /// How long.
    #[serde(default)]
    pub duration_ms: u64,
}

fn one() -> u32 {
    1
}

/// Text that is borrowed unless it has escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// serde borrows a `Cow` only where it is the field itself, not inside an `Option`.
fn borrowed<'de: 'a, 'a, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Cow<'a, str>>, D::Error> {
    Ok(Option::<Text<'a>>::deserialize(deserializer)?.map(|text| text.0))
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Type {
    Event,
    Session,
    Screen,
    Incident,
    Label,
}

impl Type {
    fn read<'de, D: Deserializer<'de>>(self, from: D) -> Result<Record<'de>, D::Error> {
        Ok(match self {
            Self::Event => Record::Event(Event::deserialize(from)?),
            Self::Session => Record::Session(Box::deserialize(from)?),
            Self::Screen => Record::Screen(Box::deserialize(from)?),
            Self::Incident => Record::Incident(Box::deserialize(from)?),
            Self::Label => Record::Label(Box::deserialize(from)?),
        })
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Record<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Record<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a record with a type")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Record<'de>, A::Error> {
                let mut buffered = serde_json::Map::new();
                while let Some(Text(key)) = map.next_key::<Text<'de>>()? {
                    if key != "type" {
                        buffered.insert(key.into_owned(), map.next_value()?);
                        continue;
                    }
                    let r#type = map.next_value::<Type>()?;
                    if buffered.is_empty() {
                        return r#type.read(MapAccessDeserializer::new(map));
                    }
                    while let Some((key, value)) = map.next_entry::<String, serde_json::Value>()? {
                        buffered.insert(key, value);
                    }
                    // The fields came in another order than the agent's.
                    let buffered = Strict(serde_json::Value::Object(buffered));
                    return r#type.read(buffered).map_err(de::Error::custom);
                }
                Err(de::Error::missing_field("type"))
            }
        }

        deserializer.deserialize_map(Visitor)
    }
}

impl Record<'_> {
    /// The sequence number.
    #[must_use]
    pub fn seq(&self) -> u64 {
        match self {
            Self::Event(r) => r.seq,
            Self::Session(r) => r.seq,
            Self::Screen(r) => r.seq,
            Self::Incident(r) => r.seq,
            Self::Label(r) => r.seq,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_twin_reads_what_the_contract_reads() {
        let wire: Vec<snag_wire::Record> = serde_json::from_str(
            r#"[{"type":"event","seq":1,"kind":"click","detail":"left","role":"push_button","label":"00017f80ffabcdef","context":3,"t_ms":-5,"count":2,"duration_ms":9},
                {"type":"event","seq":2,"kind":"focus","context":0,"t_ms":5}]"#,
        )
        .unwrap();
        for record in wire {
            let json = serde_json::to_string(&record).unwrap();
            let Record::Event(twin) = serde_json::from_str(&json).unwrap() else {
                panic!("{json} isn't an event");
            };
            let snag_wire::Record::Event(contract) = record else {
                panic!("{json} isn't an event");
            };
            assert!(twin.role.is_none() || matches!(twin.role, Some(Cow::Borrowed(_))));
            let back = snag_wire::EventRecord {
                seq: twin.seq,
                kind: twin.kind,
                detail: twin.detail,
                role: twin.role.map(Cow::into_owned),
                label: twin.label,
                context: twin.context,
                t_ms: twin.t_ms,
                count: twin.count,
                duration_ms: twin.duration_ms,
            };
            assert_eq!(back, contract);
        }
    }

    #[test]
    fn type_may_stand_anywhere_and_unknown_fields_nowhere() {
        let last =
            r#"{"seq":7,"kind":"click","detail":"left","context":0,"t_ms":12,"type":"event"}"#;
        assert_eq!(serde_json::from_str::<Record<'_>>(last).unwrap().seq(), 7);
        for wrong in [
            r#"{"type":"event","seq":7,"kind":"key","context":0,"t_ms":12,"key":"a"}"#,
            r#"{"key":"a","seq":7,"kind":"key","context":0,"t_ms":12,"type":"event"}"#,
            r#"{"seq":7,"kind":"key","context":0,"t_ms":12}"#,
            r#"{"type":"event","type":"event","seq":7,"kind":"key","context":0,"t_ms":12}"#,
        ] {
            assert!(
                serde_json::from_str::<Record<'_>>(wrong).is_err(),
                "{wrong}"
            );
        }
    }
}
