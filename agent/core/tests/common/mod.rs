//! What several tests share.
#![allow(dead_code, unreachable_pub, reason = "each test uses its part")]

pub mod streams;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use snag_core::{Body, Effect, Engine, Input, Policy, Record, SessionRecord};

/// The recordings, none of which is part of this repository. They lie in
/// `shared/recordings` beside a clone, or where `SNAG_RECORDINGS` says.
///
/// # Panics
/// Where they are missing: a test that needs them must not pass without them.
pub fn recordings() -> PathBuf {
    if let Some(folder) = std::env::var_os("SNAG_RECORDINGS") {
        return folder.into();
    }
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .map(|folder| folder.join("shared/recordings"))
        .find(|folder| folder.is_dir())
        .expect("no `shared/recordings` in any folder above this crate; set SNAG_RECORDINGS to where the recordings are")
}

pub const NAMES: [&str; 3] = [
    "remote-desktop-a.jsonl.gz",
    "remote-desktop-b.jsonl.gz",
    "forms-from-workbook.jsonl.gz",
];

pub fn read(name: &str) -> Vec<Input> {
    let path = recordings().join(name);
    let file = std::fs::File::open(&path)
        .unwrap_or_else(|error| panic!("{} can't be read: {error}", path.display()));
    BufReader::new(GzDecoder::new(file))
        .lines()
        .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
        .collect()
}

/// All effects of a whole recording.
pub fn effects(policy: Policy, inputs: &[Input]) -> Vec<Effect> {
    let mut effects = Vec::new();
    let mut engine = Engine::new(policy);
    let mut sink = |effect| effects.push(effect);
    for input in inputs {
        engine.step(input, &mut sink);
    }
    engine.finish(&mut sink);
    effects
}

pub fn records(effects: &[Effect]) -> Vec<&Record> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Record(record) => Some(record),
            _ => None,
        })
        .collect()
}

pub fn sessions(effects: &[Effect]) -> Vec<&SessionRecord> {
    records(effects)
        .into_iter()
        .filter_map(|record| match &record.body {
            Body::Session(session) => Some(&**session),
            _ => None,
        })
        .collect()
}
