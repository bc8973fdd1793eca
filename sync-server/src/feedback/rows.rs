//! New submissions as rows of the three tables that hold them.

use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::{
    ArrayRef, FixedSizeBinaryArray, Int8Array, Int32Array, RecordBatch, StringArray,
    TimestampMillisecondArray, UInt8Array, UInt32Array, UInt64Array,
};
use snag_wire::{FeedbackSubmission, ScreenshotAnswer, Size};
use uuid::Uuid;

use super::search;
use super::validate::Checked;
use crate::orgs::Org;

/// A submission as it is about to be stored.
#[derive(Debug)]
pub struct Item {
    /// Whose.
    pub org: Arc<Org>,
    /// The device that sent it.
    pub device: Uuid,
    /// The part of the organisation that the device belongs to.
    pub segment: String,
    /// When it arrived, by the server's clock, in milliseconds since 1970.
    pub received_ms: i64,
    /// What was submitted.
    pub checked: Checked,
    /// The language of the words, empty where it can't be told.
    pub language: String,
    /// Polarity in millionths and its word, where the language can be judged.
    pub sentiment: Option<(i32, &'static str)>,
}

impl Item {
    /// What was submitted.
    #[must_use]
    pub fn submission(&self) -> &FeedbackSubmission {
        &self.checked.submission
    }

    /// When the person wrote it, in milliseconds since 1970.
    #[must_use]
    pub fn at_ms(&self) -> i64 {
        self.submission().created_at.as_millisecond()
    }

    /// Its place in the order of the table `feedback`.
    #[must_use]
    pub fn newest(&self) -> u64 {
        newest(self.at_ms())
    }

    /// Whether it has anything that is only read when it is opened.
    pub(super) fn has_details(&self) -> bool {
        let said = self.submission();
        !said.friction_trail.is_empty() || said.app_state.is_some() || !said.annotation.is_empty()
    }

    /// The kinds of friction of its trail, in order.
    fn friction_signature(&self) -> String {
        let kinds: Vec<&str> = self
            .submission()
            .friction_trail
            .iter()
            .filter_map(|step| step.incident.map(snag_wire::IncidentKind::as_str))
            .collect();
        kinds.join(",")
    }
}

/// The place of a moment in the order of the table `feedback`: the newest come first.
#[must_use]
pub fn newest(at_ms: i64) -> u64 {
    (i64::MAX - at_ms.max(0)).unsigned_abs()
}

type Items<'a> = [&'a Item];

fn texts<'a>(items: &Items<'a>, text: impl Fn(&'a Item) -> &'a str) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(
        items.iter().map(|item| text(item)),
    ))
}

fn built(items: &Items<'_>, text: impl Fn(&Item) -> String) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(
        items.iter().map(|item| text(item)),
    ))
}

fn moments(items: &Items<'_>, ms: impl Fn(&Item) -> i64) -> ArrayRef {
    let moments: Vec<i64> = items.iter().map(|item| ms(item)).collect();
    Arc::new(TimestampMillisecondArray::from(moments).with_timezone("UTC"))
}

fn bytes<const N: i32>(items: &Items<'_>, of: impl Fn(&Item) -> Vec<u8>) -> ArrayRef {
    let all: Vec<u8> = items.iter().flat_map(|item| of(item)).collect();
    Arc::new(FixedSizeBinaryArray::new(N, all.into(), None))
}

fn bytes_u8(items: &Items<'_>, of: impl Fn(&Item) -> u8) -> ArrayRef {
    Arc::new(UInt8Array::from_iter_values(
        items.iter().map(|item| of(item)),
    ))
}

fn polarity(items: &Items<'_>) -> ArrayRef {
    Arc::new(Int32Array::from_iter_values(
        items
            .iter()
            .map(|item| item.sentiment.map_or(0, |(polarity, _)| polarity)),
    ))
}

fn lists<T: AsRef<str>, L: IntoIterator<Item = T>>(
    items: &Items<'_>,
    of: impl Fn(&Item) -> L,
) -> ArrayRef {
    let mut lists = ListBuilder::new(StringBuilder::new());
    for item in items {
        for text in of(item) {
            lists.values().append_value(text);
        }
        lists.append(true);
    }
    Arc::new(lists.finish())
}

fn batch(columns: Vec<(&'static str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter(columns).expect("all columns have a value for each item")
}

fn size(size: Option<Size>) -> String {
    size.map_or_else(String::new, |Size { width, height }| {
        format!("{width}x{height}")
    })
}

/// Columns that `submissions` and `feedback` share.
fn shared(items: &Items<'_>) -> Vec<(&'static str, ArrayRef)> {
    vec![
        ("org", texts(items, |item| &item.org.key)),
        ("product", texts(items, |item| &item.submission().product)),
        (
            "id",
            bytes::<16>(items, |item| item.submission().id.as_bytes().to_vec()),
        ),
        (
            "device",
            bytes::<16>(items, |item| item.device.as_bytes().to_vec()),
        ),
        ("at", moments(items, Item::at_ms)),
        (
            "category",
            texts(items, |item| item.submission().category.as_str()),
        ),
        (
            "rating",
            bytes_u8(items, |item| item.submission().rating.unwrap_or(0)),
        ),
        (
            "sentiment",
            texts(items, |item| item.sentiment.map_or("", |(_, word)| word)),
        ),
        ("polarity_micro", polarity(items)),
        ("tags", lists(items, |item| item.submission().tags.clone())),
        ("app", texts(items, |item| &item.submission().target.app)),
        (
            "screen",
            texts(items, |item| &item.submission().target.screen),
        ),
        ("segment", texts(items, |item| &item.segment)),
    ]
}

/// Rows of `submissions`.
#[must_use]
pub fn submissions(items: &Items<'_>) -> RecordBatch {
    let mut columns = shared(items);
    let seconds = items
        .iter()
        .map(|item| u32::try_from(item.received_ms / 1_000).unwrap_or(u32::MAX));
    columns.extend([
        (
            "received_at",
            Arc::new(UInt32Array::from_iter_values(seconds)) as ArrayRef,
        ),
        (
            "digest",
            bytes::<32>(items, |item| item.checked.digest.to_vec()),
        ),
        (
            "version",
            texts(items, |item| &item.submission().agent_version),
        ),
    ]);
    batch(columns)
}

/// The row of `screenshots` of an item.
#[must_use]
pub fn screenshot(
    org: &Org,
    feedback: Uuid,
    stored: &ScreenshotAnswer,
    media_type: &str,
    at_ms: i64,
) -> RecordBatch {
    let text = |text: &str| -> ArrayRef { Arc::new(StringArray::from(vec![text])) };
    let number = |number: u32| -> ArrayRef { Arc::new(UInt32Array::from(vec![number])) };
    let large = |number: u64| -> ArrayRef { Arc::new(UInt64Array::from(vec![number])) };
    let feedback = FixedSizeBinaryArray::new(16, feedback.as_bytes().to_vec().into(), None);
    let received = TimestampMillisecondArray::from(vec![at_ms]).with_timezone("UTC");
    batch(vec![
        ("org", text(&org.key)),
        ("feedback", Arc::new(feedback)),
        ("hash", text(&stored.sha256)),
        ("size_bytes", large(stored.size_bytes)),
        ("media_type", text(media_type)),
        ("width", number(stored.width)),
        ("height", number(stored.height)),
        ("received_at", Arc::new(received)),
        ("version", large(at_ms.unsigned_abs())),
    ])
}

/// Rows of `feedback`, as new as they can be.
#[must_use]
pub fn feedback(items: &Items<'_>) -> RecordBatch {
    let numbers_u64 = |of: &dyn Fn(&Item) -> u64| -> ArrayRef {
        Arc::new(UInt64Array::from_iter_values(
            items.iter().map(|item| of(item)),
        ))
    };
    let numbers_u32 = |of: &dyn Fn(&Item) -> u32| -> ArrayRef {
        Arc::new(UInt32Array::from_iter_values(
            items.iter().map(|item| of(item)),
        ))
    };
    let mut columns = shared(items);
    columns.extend([
        ("newest", numbers_u64(&Item::newest)),
        (
            "version",
            numbers_u64(&|item| item.received_ms.unsigned_abs()),
        ),
        ("received_at", moments(items, |item| item.received_ms)),
        (
            "description",
            texts(items, |item| &item.submission().description),
        ),
        (
            "words",
            lists(items, |item| search::words(&item.submission().description)),
        ),
        ("language", texts(items, |item| &item.language)),
        ("url", texts(items, |item| &item.submission().target.url)),
        (
            "session",
            numbers_u32(&|item| item.submission().session.unwrap_or(0)),
        ),
        ("os", texts(items, |item| &item.submission().os)),
        (
            "screen_resolution",
            built(items, |item| size(item.submission().screen_resolution)),
        ),
        (
            "viewport_size",
            built(items, |item| size(item.submission().viewport_size)),
        ),
        (
            "agent_version",
            texts(items, |item| &item.submission().agent_version),
        ),
        ("friction_signature", built(items, Item::friction_signature)),
        ("screenshot", texts(items, |_| "")),
        (
            "status",
            Arc::new(Int8Array::from_iter_values(items.iter().map(|_| 1))) as ArrayRef,
        ),
        ("read", bytes_u8(items, |_| 0)),
        ("archived", bytes_u8(items, |_| 0)),
        ("assignee", texts(items, |_| "")),
        ("notes", numbers_u32(&|_| 0)),
        ("replies", numbers_u32(&|_| 0)),
        ("merged_into", bytes::<16>(items, |_| vec![0; 16])),
        ("changed_at", moments(items, |item| item.received_ms)),
    ]);
    batch(columns)
}

/// Rows of `feedback_details`, of those items that have any; `None` where none has.
#[must_use]
pub fn details(items: &Items<'_>) -> Option<RecordBatch> {
    let items: Vec<&Item> = items
        .iter()
        .copied()
        .filter(|item| item.has_details())
        .collect();
    if items.is_empty() {
        return None;
    }
    let items = items.as_slice();
    fn json(value: &impl serde::Serialize) -> String {
        serde_json::to_string(value).unwrap_or_default()
    }
    Some(batch(vec![
        ("org", texts(items, |item| &item.org.key)),
        (
            "id",
            bytes::<16>(items, |item| item.submission().id.as_bytes().to_vec()),
        ),
        ("at", moments(items, Item::at_ms)),
        (
            "trail",
            built(items, |item| json(&item.submission().friction_trail)),
        ),
        (
            "app_state",
            built(items, |item| json(&item.submission().app_state)),
        ),
        (
            "annotation",
            built(items, |item| json(&item.submission().annotation)),
        ),
    ]))
}
