//! What the host tells whoever shows it to the person.

use snag_wire::Category;
use uuid::Uuid;

use super::form::FoundSteps;
use crate::desktop::view::{Occasion, Sentence};

/// Something happened that a person may want to know at once.
#[derive(Debug, Clone, PartialEq)]
pub enum HostEvent {
    /// This is a moment to ask, once, in a quiet notification.
    Ask {
        /// What the form would open with.
        occasion: Occasion,
        /// The program's name, for "Never for …".
        app: String,
        /// The steps that led to it.
        found: FoundSteps,
    },
    /// A program asks for the form through the SDK.
    OpenFeedback,
    /// What the person said is kept here until it can be sent. Told once of each thing that is said.
    FeedbackKept {
        /// Why it waits.
        why: Sentence,
    },
    /// What the person said has arrived.
    FeedbackSent {
        /// The submission.
        id: Uuid,
        /// What kind of thing was said.
        category: Category,
        /// Whether the server didn't take its picture.
        picture_refused: bool,
    },
    /// The server refused what the person said; it is kept.
    FeedbackRefused {
        /// The submission.
        id: Uuid,
        /// Why, in the server's words.
        reason: String,
    },
    /// The desk replied.
    ReplyArrived {
        /// The submission.
        id: Uuid,
        /// Who wrote it.
        author: String,
    },
    /// The policy reaches further than what was acknowledged: nothing is captured until it was read.
    PolicyWidened {
        /// What is more.
        widened: Vec<Sentence>,
    },
}
