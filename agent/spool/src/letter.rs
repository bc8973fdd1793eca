//! Dead letters: records that the server refused, with its reason.

use crate::codec::{self, Item, Malformed, Reader, Writer};
use crate::record::{DeadLetter, Refusal, StoredRecord};

/// Characters kept of a server's message with a dead letter.
const MESSAGE_CHARS_MAX: usize = 300;

/// The bytes of a dead letter.
pub(crate) fn encode(record: &StoredRecord, reason: &Refusal) -> Vec<u8> {
    let mut out = Writer::default();
    out.text(&reason.code);
    let message: String = reason.message.chars().take(MESSAGE_CHARS_MAX).collect();
    out.text(&message);
    out.0.extend(codec::encode(&[Item::stored(record)]));
    out.0
}

/// What [`encode`] wrote.
pub(crate) fn parse(value: &[u8]) -> Result<DeadLetter, Malformed> {
    let mut input = Reader(value);
    let code = input.text()?.to_owned();
    let message = input.text()?.to_owned();
    let record = codec::decode(input.0)?.pop().ok_or(Malformed)?;
    Ok(DeadLetter {
        record,
        code,
        message,
    })
}
