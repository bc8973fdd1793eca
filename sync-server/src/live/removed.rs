//! Items that went without an act of the desk, or stand for themselves because of it.
//!
//! Retention's are told by their ids. A person's are not: whoever heard which items went
//! together would know that they were one person's. Listeners are told to load what they show
//! anew instead, and so they are where there are too many.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{Event, Hub, Kind};

/// Ids of one event.
const IDS_MAX: usize = 200;
/// Ids that are told; where more went, loading anew costs less.
const TOLD_MAX: usize = 1_000;

impl Hub {
    /// Tells of items that are deleted.
    pub(crate) fn deleted(&self, org: Uuid, ids: impl IntoIterator<Item = Uuid>) {
        let told = |ids: &[Uuid]| json!({ "ids": ids, "deleted": true });
        self.in_parts(org, ids, told);
    }

    /// Tells of items that aren't duplicates any more, since what they repeated is deleted.
    pub(crate) fn unmerged(&self, org: Uuid, ids: impl IntoIterator<Item = Uuid>) {
        let told = |ids: &[Uuid]| json!({ "ids": ids, "action": "feedback.unmerge", "by": null });
        self.in_parts(org, ids, told);
    }

    /// Makes listeners load what they show anew.
    pub(crate) fn reload(&self, org: Uuid) {
        self.changed(org, json!({ "reload": true }));
    }

    fn in_parts(
        &self,
        org: Uuid,
        ids: impl IntoIterator<Item = Uuid>,
        told: impl Fn(&[Uuid]) -> Value,
    ) {
        let ids: Vec<Uuid> = ids.into_iter().take(TOLD_MAX + 1).collect();
        if ids.len() > TOLD_MAX {
            return self.reload(org);
        }
        for part in ids.chunks(IDS_MAX) {
            self.changed(org, told(part));
        }
    }

    fn changed(&self, org: Uuid, data: Value) {
        self.publish(Event {
            org,
            kind: Kind::FeedbackChanged,
            data,
        });
    }
}
