//! Keyed hashes: HMAC-SHA-256 under the organisation's key, cut to 64 bits.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::LabelHash;

/// Domains of identities. A label is hashed as it is; an identity begins with a byte that
/// no UTF-8 text holds, so that no text gives another domain's hash.
pub(super) const APP: u8 = 0xf8;
pub(super) const SCREEN: u8 = 0xf9;
pub(super) const ELEMENT: u8 = 0xfa;
pub(super) const NAME: u8 = 0xfb;

/// The key, made ready once.
#[derive(Clone)]
pub(super) struct Keyed(Hmac<Sha256>);

impl Keyed {
    pub(super) fn new(key: &[u8; 32]) -> Self {
        Self(Hmac::new_from_slice(key).expect("HMAC takes a key of any length"))
    }

    pub(super) fn label(&self, text: &str) -> LabelHash {
        let mut mac = self.0.clone();
        mac.update(text.as_bytes());
        LabelHash(first_8(mac))
    }

    /// Tells exact texts apart. Zero is left to what has no name.
    pub(super) fn identity(&self, domain: u8, parts: &[&str]) -> u64 {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(&[domain]);
            mac.update(part.as_bytes());
        }
        u64::from_be_bytes(first_8(mac)).max(1)
    }
}

fn first_8(mac: Hmac<Sha256>) -> [u8; 8] {
    let bytes = mac.finalize().into_bytes();
    let mut first = [0; 8];
    first.copy_from_slice(&bytes[..8]);
    first
}
