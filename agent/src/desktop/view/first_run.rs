//! The page that is read before anything is captured.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Sentence;

/// How sensitive a datum is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum Sensitivity {
    /// Says nothing about what a person did.
    Technical,
    /// Says what was done, not what it was about.
    Behaviour,
    /// Words that at least k people share, or that the organisation made readable.
    Text,
    /// The person's own words and pictures, sent by the person alone.
    Said,
}

/// A datum of `data.yaml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Datum {
    /// The record that it is part of, then its field: `session.clicks`.
    pub name: String,
    /// What it is, in the person's language.
    pub what: String,
    /// Why it is needed.
    pub purpose: String,
    /// How sensitive it is.
    pub sensitivity: Sensitivity,
    /// Days until the server deletes it.
    pub expires_days: u32,
}

/// The organisation's policy as it applies here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct PolicyView {
    /// Whether only the named programs are looked at (`true`), or all but them.
    pub only_named_apps: bool,
    /// Their names; patterns with `*`.
    pub apps: Vec<String>,
    /// How many people must share a name before it is readable.
    pub k: u32,
    /// Screens whose names are readable at once: program and pattern.
    pub readable: Vec<(String, String)>,
    /// Days that what is sent is kept.
    pub kept_days: u32,
}

/// The page that is read before anything is captured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct FirstRun {
    /// What an acknowledgement is of: it changes when more would be collected.
    pub version: String,
    /// The organisation's name.
    pub organisation: String,
    /// Whom a person can ask.
    pub contact: String,
    /// Where what is sent goes.
    pub server: String,
    /// All that can leave this computer.
    pub data: Vec<Datum>,
    /// What never does, in the person's language.
    pub never: Vec<String>,
    /// The policy as it applies here.
    pub policy: PolicyView,
    /// What is more than was acknowledged before; empty the first time.
    pub widened: Vec<Sentence>,
    /// Whether this was acknowledged.
    pub acknowledged_at: Option<Timestamp>,
    /// A record as it would leave: JSON, for the example on the page.
    pub example: String,
}
