//! Events of what changed in a program, and how little of them is read.

use atspi::zbus::Message;

use super::Object;

/// The kinds of events that may be answers of a program, as AT-SPI registers them: events for the registry, then the
/// signal that they come as. Changes of text are left out on purpose: their signals carry the text itself. A redraw
/// outside the clicked element tells of them.
pub(super) const EVENTS: [(&str, &str, &str); 6] = [
    (
        "object:state-changed",
        "org.a11y.atspi.Event.Object",
        "StateChanged",
    ),
    (
        "object:children-changed",
        "org.a11y.atspi.Event.Object",
        "ChildrenChanged",
    ),
    (
        "object:property-change",
        "org.a11y.atspi.Event.Object",
        "PropertyChange",
    ),
    (
        "object:selection-changed",
        "org.a11y.atspi.Event.Object",
        "SelectionChanged",
    ),
    (
        "object:visible-data-changed",
        "org.a11y.atspi.Event.Object",
        "VisibleDataChanged",
    ),
    (
        "document:load-complete",
        "org.a11y.atspi.Event.Document",
        "LoadComplete",
    ),
];

/// What an event says, as far as it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Happened {
    pub(crate) object: Object,
    /// The signal, such as `StateChanged`.
    pub(crate) signal: String,
    /// Its kind, such as `focused`.
    pub(crate) kind: String,
    /// Its first number: 1 where a state was gained.
    pub(crate) detail: i32,
}

/// Reads of an event what may be read; none where the message is no event.
pub(crate) fn happened(message: &Message) -> Option<Happened> {
    let header = message.header();
    let interface = header.interface()?;
    if !interface.starts_with("org.a11y.atspi.Event.") {
        return None;
    }
    let (kind, detail) = kind_and_detail(message)?;
    Some(Happened {
        object: Object {
            bus: header.sender()?.to_string(),
            path: header.path()?.to_string(),
        },
        signal: header.member()?.to_string(),
        kind,
        detail,
    })
}

/// The first two fields of an event's body, read by hand: its further fields may carry texts, which are nobody's
/// business here. D-Bus: a string is its length, its bytes and a zero; a number is aligned to four bytes.
fn kind_and_detail(message: &Message) -> Option<(String, i32)> {
    let body = message.body();
    let data = body.data();
    let bytes: &[u8] = data.bytes();
    let little = message.primary_header().endian_sig() == atspi::zbus::message::EndianSig::Little;
    let number = |at: usize| -> Option<u32> {
        let four: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
        Some(if little {
            u32::from_le_bytes(four)
        } else {
            u32::from_be_bytes(four)
        })
    };
    let length = usize::try_from(number(0)?)
        .ok()
        .filter(|length| *length <= 64)?;
    let kind = std::str::from_utf8(bytes.get(4..4 + length)?)
        .ok()?
        .to_owned();
    let at = (4 + length + 1).next_multiple_of(4);
    Some((kind, i32::from_ne_bytes(number(at)?.to_ne_bytes())))
}
