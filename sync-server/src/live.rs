//! What happens, told to whoever listens.

use serde::Serialize;
use serde_json::Value;
use tokio::sync::broadcast;
use uuid::Uuid;

/// Events that a slow listener may be behind before it misses some.
const BACKLOG: usize = 4_096;

/// What kind of thing happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Kind {
    /// A person said something.
    #[serde(rename = "feedback:submitted")]
    FeedbackSubmitted,
    /// The desk changed an item.
    #[serde(rename = "feedback:changed")]
    FeedbackChanged,
    /// A device found friction.
    #[serde(rename = "incidents:detected")]
    IncidentDetected,
}

/// Something that happened in an organisation.
#[derive(Debug, Clone, Serialize)]
pub struct Event {
    /// Whose.
    #[serde(skip)]
    pub org: Uuid,
    /// What kind.
    pub kind: Kind,
    /// What there is to know; never a device, never a person's words.
    pub data: Value,
}

/// Tells listeners of this process.
pub struct Hub {
    events: broadcast::Sender<Event>,
}

impl Default for Hub {
    fn default() -> Self {
        Self {
            events: broadcast::Sender::new(BACKLOG),
        }
    }
}

impl Hub {
    /// Tells everyone who listens now; never waits.
    pub fn publish(&self, event: Event) {
        // No listener is not an error.
        drop(self.events.send(event));
    }

    /// What happens from now on.
    #[must_use]
    pub fn listen(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }
}
