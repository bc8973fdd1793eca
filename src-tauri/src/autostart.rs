//! Starting with the computer, in one way: an entry of the session's autostart, made by the plugin.

use snag_agent::desktop::view::Sentence;
use snag_agent::host::Host;
use tauri::plugin::TauriPlugin;
use tauri::{AppHandle, Manager, Wry};
use tauri_plugin_autostart::ManagerExt;

use crate::app::{App, Start};
use crate::words::sentence;

/// The plugin. The session starts the app hidden: a window that nobody asked for is in the way.
pub fn plugin(start: &Start) -> TauriPlugin<Wry> {
    let mut plugin = tauri_plugin_autostart::Builder::new().arg("--hidden");
    if let Some(folder) = &start.named_folder {
        plugin = plugin.args(["--data-dir", &folder.to_string_lossy()]);
    }
    plugin.build()
}

/// Makes it as the setting says.
///
/// # Errors
/// When the entry can't be written or removed.
pub fn set(app: &AppHandle, wanted: bool) -> Result<(), Sentence> {
    let manager = app.autolaunch();
    let failed = |error: tauri_plugin_autostart::Error| {
        sentence("problem.autostart_failed", [("reason", error.to_string())])
    };
    if manager.is_enabled().map_err(failed)? == wanted {
        return Ok(());
    }
    if wanted {
        manager.enable().map_err(failed)
    } else {
        manager.disable().map_err(failed)
    }
}

/// At the start: the setting is what holds, once the person has read the first page. A folder of its own is a
/// trial, which leaves the session as it is.
pub fn follow_setting(app: &AppHandle, host: &Host) {
    use snag_agent::desktop::view::CaptureState::{NotAcknowledged, NotEnrolled};
    if app.state::<App>().start.named_folder.is_some()
        || matches!(host.overview().capture, NotAcknowledged | NotEnrolled)
    {
        return;
    }
    if let Err(sentence) = set(app, host.settings().autostart.value) {
        tracing::warn!(
            key = sentence.key,
            "starting with the computer couldn't be changed"
        );
    }
}
