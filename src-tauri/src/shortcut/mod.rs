//! The shortcut for feedback.

mod keys;
mod x11;

use std::sync::Arc;

use parking_lot::Mutex;
use snag_agent::desktop::view::Sentence;
use snag_agent::host::Opening;

use crate::app::App;
use crate::feedback;
use crate::words::sentence;
use keys::Keys;
use x11::{Holder, Refused};

/// What holds the shortcut on this desktop, from the first one on.
#[derive(Default)]
pub struct Shortcut(Mutex<Option<Holder>>);

/// Holds `written` instead of what was held; nothing where it is empty.
///
/// # Errors
/// They aren't keys, or another program holds them: then everything is as it was.
pub fn apply(app: &Arc<App>, written: &str) -> Result<(), Sentence> {
    let said = |key: &str| sentence(key, [("shortcut", written.to_owned())]);
    let wanted = match written.trim() {
        "" => None,
        written => Some(Keys::parse(written).ok_or_else(|| said("problem.shortcut_invalid"))?),
    };
    hold(app, wanted).map_err(|error| {
        tracing::warn!(%error, "the shortcut can't be held");
        said(match error {
            Refused::NoSuchKey => "problem.shortcut_invalid",
            Refused::Taken => "problem.shortcut_taken",
            _ => "problem.shortcut_unavailable",
        })
    })
}

fn hold(app: &Arc<App>, wanted: Option<Keys>) -> Result<(), Refused> {
    let mut holder = app.shortcut.0.lock();
    let holder = match &mut *holder {
        Some(holder) => holder,
        None if wanted.is_none() => return Ok(()),
        none => {
            let pressed = Arc::clone(app);
            none.insert(Holder::connect(move || {
                feedback::open(&pressed, Opening::default())
            })?)
        }
    };
    holder.hold(wanted)
}

/// At the start a shortcut that is taken is no reason to stop.
pub fn apply_at_start(app: &Arc<App>, written: &str) {
    if let Err(sentence) = apply(app, written) {
        tracing::warn!(key = sentence.key, "there is no shortcut for feedback");
    }
}
