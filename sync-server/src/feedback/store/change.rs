//! What of an item can change, and what a change is.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

/// Where an item stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nobody has decided anything.
    New,
    /// Somebody works on it.
    InProgress,
    /// It is done.
    Resolved,
    /// It won't be done.
    Declined,
    /// It isn't feedback.
    Spam,
}

impl Status {
    /// All of them, in the order of this list.
    pub const ALL: [Self; 5] = [
        Self::New,
        Self::InProgress,
        Self::Resolved,
        Self::Declined,
        Self::Spam,
    ];

    /// The word on the wire and in the table.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::InProgress => "in_progress",
            Self::Resolved => "resolved",
            Self::Declined => "declined",
            Self::Spam => "spam",
        }
    }
}

/// Tags that an item may have.
pub const TAGS_MAX: usize = 50;

/// What to change of an item; what is `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// Where it stands.
    pub status: Option<Status>,
    /// Whether somebody has read it.
    pub read: Option<bool>,
    /// Whether it is put away.
    pub archived: Option<bool>,
    /// Who looks after it; `Some(None)` is nobody.
    pub assignee: Option<Option<String>>,
    /// All of its tags.
    pub tags: Option<Vec<String>>,
    /// Tags it gets, after `tags`.
    pub add_tags: Vec<String>,
    /// Tags it loses, after `add_tags`.
    pub remove_tags: Vec<String>,
    /// Its screenshot's SHA-256 in hexadecimal; empty for none.
    pub screenshot: Option<String>,
    /// The item that it is a duplicate of; `Some(None)` undoes that.
    pub merged_into: Option<Option<Uuid>>,
}

/// What an item is now, as far as it can change.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Current {
    /// The item.
    pub id: Uuid,
    /// Its place in the table: 2^63 - 1 less the milliseconds of its time.
    pub newest: u64,
    /// Its version.
    pub version: u64,
    /// Who said it: never shown, only where replies go.
    pub device: Uuid,
    /// Where it stands.
    pub status: Status,
    /// 1 where somebody has read it.
    pub read: u8,
    /// 1 where it is put away.
    pub archived: u8,
    /// Who looks after it; empty for nobody.
    pub assignee: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its screenshot's SHA-256; empty for none.
    pub screenshot: String,
    /// What it is a duplicate of; nil for nothing.
    pub merged_into: Uuid,
    /// Notes in its thread.
    pub notes: u32,
    /// Replies in its thread.
    pub replies: u32,
}

/// An item as a change leaves it.
pub(super) fn changed_by(before: &Current, change: &Change) -> Current {
    let mut after = before.clone();
    if let Some(status) = change.status {
        after.status = status;
    }
    if let Some(read) = change.read {
        after.read = read.into();
    }
    if let Some(archived) = change.archived {
        after.archived = archived.into();
    }
    if let Some(assignee) = &change.assignee {
        after.assignee = assignee.clone().unwrap_or_default();
    }
    if let Some(tags) = &change.tags {
        after.tags.clone_from(tags);
    }
    for tag in &change.add_tags {
        if !after.tags.contains(tag) {
            after.tags.push(tag.clone());
        }
    }
    after.tags.retain(|tag| !change.remove_tags.contains(tag));
    if let Some(screenshot) = &change.screenshot {
        after.screenshot.clone_from(screenshot);
    }
    if let Some(into) = change.merged_into {
        after.merged_into = into.unwrap_or_default();
    }
    after
}

/// What the audit log says of a change. Tags that go may be a person's words: they are
/// counted, not named.
pub(super) fn difference(before: &Current, after: &Current) -> Map<String, Value> {
    let mut detail = Map::new();
    let mut differs = |name: &str, from: Value, to: Value| {
        if from != to {
            detail.insert(name.to_owned(), json!({"from": from, "to": to}));
        }
    };
    differs("status", json!(before.status), json!(after.status));
    differs("read", json!(before.read == 1), json!(after.read == 1));
    differs(
        "archived",
        json!(before.archived == 1),
        json!(after.archived == 1),
    );
    differs("assignee", json!(before.assignee), json!(after.assignee));
    let merged = |id: Uuid| (!id.is_nil()).then_some(id);
    differs(
        "merged_into",
        json!(merged(before.merged_into)),
        json!(merged(after.merged_into)),
    );
    if before.tags != after.tags {
        let added: Vec<&String> = after
            .tags
            .iter()
            .filter(|tag| !before.tags.contains(tag))
            .collect();
        let removed = before
            .tags
            .iter()
            .filter(|tag| !after.tags.contains(tag))
            .count();
        detail.insert(
            "tags".to_owned(),
            json!({"added": added, "removed": removed}),
        );
    }
    detail
}
