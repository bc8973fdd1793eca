//! The shortcut for feedback.

use parking_lot::Mutex;
use snag_agent::desktop::view::Sentence;
use snag_agent::host::Opening;
use tauri::{AppHandle, Manager};
use tauri_plugin_global_shortcut::{GlobalShortcutExt, Shortcut, ShortcutState};

use crate::app::App;
use crate::feedback;
use crate::words::sentence;

/// The shortcut that is held, if any.
#[derive(Default)]
pub struct Held(Mutex<Option<Shortcut>>);

/// Holds `keys` instead of what was held; nothing where they are empty.
///
/// # Errors
/// They aren't keys, or another program holds them: then everything is as it was.
pub fn apply(app: &AppHandle, keys: &str) -> Result<(), Sentence> {
    let said = |key: &str| sentence(key, [("shortcut", keys.to_owned())]);
    let wanted: Option<Shortcut> = match keys.trim() {
        "" => None,
        keys => Some(keys.parse().map_err(|_| said("problem.shortcut_invalid"))?),
    };
    if wanted.is_some_and(|wanted| wanted.mods.is_empty()) {
        // A letter by itself would be taken from every program.
        return Err(said("problem.shortcut_invalid"));
    }
    let state = app.state::<App>();
    let mut held = state.shortcut.0.lock();
    if *held == wanted {
        return Ok(());
    }
    let shortcuts = app.global_shortcut();
    if let Some(wanted) = wanted {
        shortcuts
            .on_shortcut(wanted, |app, _, event| {
                if event.state == ShortcutState::Pressed {
                    feedback::open(app, Opening::default());
                }
            })
            .map_err(|error| {
                tracing::warn!(%error, "the shortcut can't be held");
                said("problem.shortcut_taken")
            })?;
    }
    if let Some(before) = held.take()
        && let Err(error) = shortcuts.unregister(before)
    {
        tracing::warn!(%error, "the former shortcut is still held");
    }
    *held = wanted;
    Ok(())
}

/// At the start a shortcut that is taken is no reason to stop.
pub fn apply_at_start(app: &AppHandle, keys: &str) {
    if let Err(sentence) = apply(app, keys) {
        tracing::warn!(key = sentence.key, "there is no shortcut for feedback");
    }
}
