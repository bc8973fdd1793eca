//! A device that is enrolled with a server that nobody runs: everything waits.

#![allow(unreachable_pub, reason = "a test's module")]

use std::collections::BTreeMap;

use snag_agent::config::Identity;
use snag_wire::{AppRules, Organisation, PolicyAnswer, SyncRules};
use uuid::Uuid;

/// Whom it is enrolled with.
pub fn identity() -> Identity {
    Identity {
        server: "http://127.0.0.1:9".into(),
        ca: None,
        product: "default".into(),
        device: Uuid::from_u128(5),
        device_token: "token".into(),
        policy: PolicyAnswer {
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
        },
    }
}
