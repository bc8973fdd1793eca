//! What the agent says of itself to `snag-agent status`.

use std::sync::Arc;

use jiff::Timestamp;

use super::Live;
use super::window::PAUSED;
use crate::commands::{VERSION, warn_of};
use crate::config::replace_private;
use crate::host::words;
use crate::pipeline::Pipeline;
use crate::status::Status;

impl Live {
    /// Writes the file that `snag-agent status` reads.
    pub(super) fn tell(&self) {
        let Ok(spool) = self.shared.spool() else {
            return;
        };
        for report in spool.take_reports() {
            warn_of(&report);
        }
        let waiting = spool.waiting();
        let (identity, policy) = {
            let device = self.shared.device.lock();
            let device = device.as_ref();
            (
                device.map(|device| Arc::clone(&device.identity)),
                device.map(|device| Arc::clone(&device.policy)),
            )
        };
        let overview = self.shared.look();
        let in_a_pause = Some(self.window.left_out()).filter(|count| *count > 0);
        let in_a_pause = in_a_pause.map(|count| (PAUSED.to_owned(), count));
        let mut status = Status {
            running: true,
            pid: Some(std::process::id()),
            agent_version: VERSION.to_owned(),
            written_at: Timestamp::now(),
            organisation: policy.map(|policy| policy.organisation.name.clone()),
            server: identity.map(|identity| identity.server.clone()),
            capture: serde_json::Value::Null,
            capture_words: Vec::new(),
            last_input_at: None,
            left_out: self
                .pipeline
                .iter()
                .flat_map(Pipeline::left_out)
                .map(|(reason, count)| (reason.as_str().to_owned(), *count))
                .chain(in_a_pause)
                .collect(),
            waiting_records: overview.waiting_records,
            waiting_feedback: overview.waiting_feedback,
            waiting_bytes: waiting.size_bytes,
            dead_letters: waiting.dead_letters,
            next_seq: waiting.next_seq,
            drops: spool.drops(),
            sync: self.shared.sync_status().unwrap_or_default(),
            problems: words::problems(&overview),
        };
        match self.shared.health() {
            Some(health) => status.set_capture(&health),
            None => status.capture_words = words::silent(&overview),
        }
        let written = serde_json::to_vec(&status)
            .map_err(std::io::Error::other)
            .and_then(|bytes| replace_private(&self.shared.paths.status(), &bytes));
        if let Err(error) = written {
            tracing::warn!(error = %error, "the status can't be written");
        }
    }
}
