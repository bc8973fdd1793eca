//! Records of the spool become a batch, and a batch becomes a body.

use std::collections::HashMap;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use snag_spool::{Place, StoredRecord};
use snag_wire::limits::{
    APP_CHARS_MAX, BODY_BYTES_MAX, DECOMPRESSED_BYTES_MAX, DECOMPRESSION_RATIO_MAX,
    PATH_SCREENS_MAX, RATIO_FREE_BYTES,
};
use snag_wire::{Context, DropCount, EventBatch, Record};
use uuid::Uuid;

/// What every batch of a device says.
#[derive(Debug, Clone)]
pub struct Sender {
    /// The device, as enrolled.
    pub device: Uuid,
    /// The set of programs it looks at.
    pub product: String,
    /// The agent's version.
    pub agent_version: String,
}

/// Makes a batch of records, which are in order of `seq`.
#[must_use]
pub fn build(
    sender: &Sender,
    records: Vec<StoredRecord>,
    drops: Vec<DropCount>,
    sent_at: Timestamp,
) -> EventBatch {
    let base_ms = records.first().map_or(0, |record| record.at_ms);
    let base_at = Timestamp::from_millisecond(base_ms).unwrap_or(sent_at);
    let base_ms = base_at.as_millisecond();
    let mut contexts = Contexts::default();
    let records = records
        .into_iter()
        .map(|stored| {
            let StoredRecord {
                seq: _,
                at_ms,
                place,
                path,
                mut record,
            } = stored;
            let t_ms = at_ms.saturating_sub(base_ms);
            match &mut record {
                Record::Event(r) => (r.context, r.t_ms) = (contexts.index(place), t_ms),
                Record::Screen(r) => (r.context, r.t_ms) = (contexts.index(place), t_ms),
                Record::Incident(r) => (r.context, r.t_ms) = (contexts.index(place), t_ms),
                Record::Label(r) => r.t_ms = t_ms,
                Record::Session(r) => {
                    (r.context, r.t_ms) = (contexts.index(place), t_ms);
                    r.path = path
                        .into_iter()
                        .take(PATH_SCREENS_MAX)
                        .map(|place| contexts.index(place))
                        .collect();
                }
            }
            record
        })
        .collect();
    EventBatch {
        device: sender.device,
        product: sender.product.clone(),
        agent_version: sender.agent_version.clone(),
        sent_at,
        base_at,
        contexts: contexts.list,
        records,
        drops,
    }
}

#[derive(Default)]
struct Contexts {
    list: Vec<Context>,
    index: HashMap<Place, u32>,
}

impl Contexts {
    fn index(&mut self, place: Place) -> u32 {
        let next = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        *self.index.entry(place).or_insert_with_key(|place| {
            self.list.push(Context {
                session: place.session,
                app: place.app.chars().take(APP_CHARS_MAX).collect(),
                screen: place.screen,
            });
            next
        })
    }
}

/// The body of a request.
#[derive(Debug, Clone)]
pub struct Body {
    /// Gzip of JSON.
    pub gzip: Vec<u8>,
    /// The JSON's size.
    pub json_bytes: usize,
}

impl Body {
    /// Whether the server's limits allow it. They are far above what the agent
    /// sends, unless a policy asks for giant batches.
    #[must_use]
    pub fn fits(&self) -> bool {
        self.gzip.len() <= BODY_BYTES_MAX / 2
            && self.json_bytes <= DECOMPRESSED_BYTES_MAX / 2
            && (self.json_bytes <= RATIO_FREE_BYTES
                || self.json_bytes / self.gzip.len().max(1) < DECOMPRESSION_RATIO_MAX / 2)
    }
}

/// The best there is: on the recordings' events 5 % smaller than level 6
/// (`cargo run --example wire_size`), for some milliseconds more once a minute.
pub const LEVEL: u32 = 9;

/// Compresses a batch.
///
/// # Errors
/// Only if the batch can't be written as JSON, which the types don't allow for.
pub fn encode(batch: &EventBatch) -> std::io::Result<Body> {
    let json = serde_json::to_vec(batch)?;
    let mut gzip = GzEncoder::new(Vec::with_capacity(json.len() / 8), Compression::new(LEVEL));
    gzip.write_all(&json)?;
    Ok(Body {
        gzip: gzip.finish()?,
        json_bytes: json.len(),
    })
}
