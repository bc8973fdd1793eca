//! What programs say through the SDK.

use std::sync::Arc;

use jiff::{Timestamp, Zoned};
use serde_json::{Map, Value};
use snag_core::{Input, InputKind};

use super::Host;
use super::live::Told;
use super::shared::Gate;
use crate::desktop::view::{Occasion, Sentence};

impl Host {
    /// A program said something. Whether it is noticed: not while nothing may be captured.
    pub(crate) fn say(&self, kind: InputKind) -> bool {
        let t = u64::try_from(Timestamp::now().as_millisecond()).unwrap_or_default();
        self.is_open() && self.shared.tell_live(Told::Input(Input { t, kind }))
    }

    /// A program noted a step, for a person to attach to feedback. It stays in memory until then.
    pub(crate) fn note(&self, name: String) -> bool {
        if !self.is_open() {
            return false;
        }
        let mut trail = self.shared.trail.lock();
        let app: Arc<str> = trail
            .place()
            .map_or_else(|| "".into(), |(app, _)| app.into());
        trail.said(Timestamp::now().as_millisecond(), app, name);
        true
    }

    /// A program said how it is, for feedback about it. It stays in memory until a person sends it.
    pub(crate) fn set_app_state(&self, state: Map<String, Value>) -> bool {
        // Taking it back is never too late.
        if !state.is_empty() && !self.is_open() {
            return false;
        }
        let app = self.shared.trail.lock().place().map(|(app, _)| app);
        *self.shared.app_state.lock() =
            (!state.is_empty()).then(|| (app.unwrap_or_default(), state));
        true
    }

    /// The first line of a form that a program opened.
    pub(crate) fn program_asks(app: &str) -> Occasion {
        Occasion {
            incident: None,
            sentence: Sentence::new(
                "occasion.program",
                [
                    ("app", app.to_owned()),
                    ("time", Timestamp::now().to_string()),
                ],
            ),
        }
    }

    fn is_open(&self) -> bool {
        self.shared.gate(&Zoned::now()) == Gate::Open
    }
}
