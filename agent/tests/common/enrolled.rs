//! A device that is enrolled with a server that nobody runs: everything waits.

#![allow(unreachable_pub, reason = "a test's module")]

#[path = "policy.rs"]
mod policies;

use snag_agent::config::Identity;
use uuid::Uuid;

/// Whom it is enrolled with.
pub fn identity() -> Identity {
    Identity {
        server: "http://127.0.0.1:9".into(),
        ca: None,
        product: "default".into(),
        device: Uuid::from_u128(5),
        device_token: "token".into(),
        policy: policies::ordinary(),
    }
}
