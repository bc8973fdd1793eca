//! The policy of an organisation that set nothing.

#![allow(unreachable_pub, reason = "a test's module")]

use std::collections::BTreeMap;

use snag_wire::{AppRules, Organisation, PolicyAnswer, SyncRules};
use uuid::Uuid;

/// Of version 1; every program is looked at.
pub fn ordinary() -> PolicyAnswer {
    PolicyAnswer {
        version: 1,
        organisation: Organisation {
            id: Uuid::from_u128(7),
            name: "Example".into(),
            contact: "it@example.com".into(),
        },
        k: 5,
        label_key: "ab".repeat(32),
        apps: AppRules::Deny(Vec::new()),
        label_rules: Vec::new(),
        wanted_labels: Vec::new(),
        thresholds: BTreeMap::new(),
        sync: SyncRules::default(),
        retention: None,
        next_seq: 1,
    }
}
