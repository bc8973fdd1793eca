//! The shortcut for feedback.

mod keys;
mod x11;

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use snag_agent::desktop::view::Sentence;
use snag_agent::host::Opening;

use crate::app::App;
use crate::feedback;
use crate::window::Window;
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
    if wanted.is_none() && app.shortcut.0.lock().is_none() {
        return Ok(());
    }
    with_holder(app, |holder| holder.hold(wanted))
}

fn with_holder<T>(
    app: &Arc<App>,
    act: impl FnOnce(&Holder) -> Result<T, Refused>,
) -> Result<T, Refused> {
    let mut holder = app.shortcut.0.lock();
    let holder = match &mut *holder {
        Some(holder) => holder,
        none => {
            let pressed = Arc::clone(app);
            none.insert(Holder::connect(move || {
                feedback::open(&pressed, Opening::default())
            })?)
        }
    };
    act(holder)
}

/// At the start a shortcut that is taken is no reason to stop.
pub fn apply_at_start(app: &Arc<App>, written: &str) {
    if let Err(sentence) = apply(app, written) {
        tracing::warn!(key = sentence.key, "there is no shortcut for feedback");
    }
}

/// Longest time that all keys come here: somebody who was asked to press some has gone.
const LISTENING: Duration = Duration::from_secs(20);

/// How often it is looked meanwhile whether the person is still in the window that asked.
const LOOK: Duration = Duration::from_millis(200);

/// What the person presses next, as a shortcut is written, also where another program has these keys. Empty for keys
/// that can be none; nothing where they changed their mind, or for too long.
///
/// # Errors
/// This desktop doesn't give programs all keys. A window gets those that nobody holds.
pub async fn press(app: &Arc<App>) -> Result<Option<String>, Sentence> {
    let listen = |holder: &Holder| Ok((holder.active(), holder.listen()?));
    let (window, mut hears) = with_holder(app, listen).map_err(|error| {
        tracing::debug!(%error, "only keys that nobody holds can be pressed");
        sentence("problem.shortcut_unavailable", [])
    })?;
    let begun = Instant::now();
    loop {
        if let Ok(heard) = tokio::time::timeout(LOOK, &mut hears).await {
            return Ok(heard.ok().flatten());
        }
        let is_elsewhere = with_holder(app, |holder| Ok(holder.active())).ok() != Some(window);
        let is_over = is_elsewhere || !app.windows.is_open(Window::Settings);
        if is_over || begun.elapsed() >= LISTENING {
            stop_press(app);
            return Ok(None);
        }
    }
}

/// The person changed their mind, or pressed keys that the window got.
pub fn stop_press(app: &Arc<App>) {
    if let Some(holder) = &*app.shortcut.0.lock() {
        holder.quiet();
    }
}
