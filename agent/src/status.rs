//! What the running agent says of itself: a file that `snag-agent status` reads.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use snag_capture::Health;
use snag_wire::DropCount;

use crate::sync::SyncStatus;

/// How old a status may be before its writer counts as gone, in milliseconds. It is written within seconds of
/// whatever it says, and three times in this while nothing happens. On Linux a writer that ended counts as gone at once.
pub const FRESH_MS: i64 = 60_000;

/// The state of the agent as a whole.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Status {
    /// Whether an agent runs with this folder.
    pub running: bool,
    /// Its process.
    pub pid: Option<u32>,
    /// Its version.
    pub agent_version: String,
    /// When this was written.
    pub written_at: Timestamp,
    /// Whom the device is enrolled with.
    pub organisation: Option<String>,
    /// The server's address.
    pub server: Option<String>,
    /// What is captured, what is not and why; as [`Health`] says it.
    pub capture: serde_json::Value,
    /// The same in plain words.
    pub capture_words: Vec<String>,
    /// When the last input of a person came.
    pub last_input_at: Option<Timestamp>,
    /// Inputs that were not looked at since the start, by reason.
    pub left_out: BTreeMap<String, u64>,
    /// Records that wait to be sent.
    pub waiting_records: u64,
    /// Feedback that waits to be sent.
    #[serde(default)]
    pub waiting_feedback: u64,
    /// What the records take, in bytes.
    pub waiting_bytes: u64,
    /// Records that the server refused, kept to be looked at.
    pub dead_letters: u64,
    /// The sequence number that the next record gets.
    pub next_seq: u64,
    /// Records dropped on this device since it was enrolled, by reason.
    pub drops: Vec<DropCount>,
    /// How sending is going.
    pub sync: SyncStatus,
    /// What keeps the agent from doing its work, in plain words.
    pub problems: Vec<String>,
}

impl Status {
    /// Reads the last status that was written, if there is one.
    #[must_use]
    pub fn read(path: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(path).ok()?).ok()
    }

    /// Takes over what capture says.
    pub fn set_capture(&mut self, health: &Health) {
        self.capture = serde_json::to_value(health).unwrap_or_default();
        self.capture_words = health.plain_words();
        self.last_input_at = health
            .last_input_unix_ms
            .and_then(|ms| Timestamp::from_millisecond(i64::try_from(ms).ok()?).ok());
    }

    /// The whole for a person.
    #[must_use]
    pub fn plain_words(&self, now: Timestamp) -> String {
        let mut lines = Vec::new();
        let enrolled = match (&self.organisation, &self.server) {
            (Some(organisation), Some(server)) => {
                format!("Enrolled with {organisation} ({server}).")
            }
            _ => "Not enrolled: nothing is captured and nothing is sent.".to_owned(),
        };
        lines.push(enrolled);
        lines.push(if self.running {
            format!("Running (process {}).", self.pid.unwrap_or_default())
        } else {
            "Not running, so nothing is captured.".to_owned()
        });
        if self.running {
            lines.extend(self.capture_words.iter().cloned());
            if let Some(at) = self.last_input_at {
                lines.push(format!("The last input came {}.", ago(at, now)));
            }
        }
        for (reason, count) in &self.left_out {
            lines.push(format!(
                "{count} inputs were left out ({}).",
                reason.replace('_', " ")
            ));
        }
        lines.push(match (self.waiting_records, self.waiting_feedback) {
            (0, 0) => "Nothing waits to be sent.".to_owned(),
            (0, said) => format!("{said} of what was said wait to be sent."),
            (records, said) => {
                let size_kb = self.waiting_bytes.div_ceil(1024);
                let records = format!("{records} records wait to be sent ({size_kb} KB)");
                match said {
                    0 => format!("{records}."),
                    _ => format!("{records}, and {said} of what was said."),
                }
            }
        });
        if let Some(at) = self.sync.last_success_at {
            lines.push(format!("The server last answered {}.", ago(at, now)));
        }
        if let Some(error) = &self.sync.last_error {
            lines.push(format!("Sending fails: {error}"));
        }
        if self.dead_letters > 0 {
            lines.push(format!(
                "The server refused {} records; `snag-agent export` shows them and why.",
                self.dead_letters
            ));
        }
        for drop in &self.drops {
            lines.push(format!(
                "{} records were dropped ({}).",
                drop.count,
                drop.reason.replace('_', " ")
            ));
        }
        lines.extend(self.problems.iter().cloned());
        lines.join("\n")
    }
}

fn ago(then: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second().saturating_sub(then.as_second());
    match seconds {
        ..2 => "just now".to_owned(),
        2..120 => format!("{seconds} seconds ago"),
        120..7_200 => format!("{} minutes ago", seconds / 60),
        _ => format!("{} hours ago", seconds / 3_600),
    }
}
