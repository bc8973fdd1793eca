//! Names the commands, so that each window is allowed its own and no other.

use std::path::Path;

/// Every command of the app; `capabilities/` says which window may call which.
const COMMANDS: &[&str] = &[
    "overview",
    "pause",
    "resume",
    "sync_now",
    "first_run",
    "acknowledge",
    "decline",
    "feedback_form",
    "feedback_anew",
    "feedback_sources",
    "feedback_retake",
    "feedback_picture",
    "feedback_save_draft",
    "feedback_preview",
    "feedback_preview_picture",
    "feedback_send",
    "feedback_discard",
    "feedback_kept",
    "feedback_kept_picture",
    "conversations",
    "conversation_read",
    "conversation_delete",
    "knows_day",
    "knows_waiting",
    "knows_sent",
    "knows_refused",
    "knows_looked",
    "delete_waiting",
    "delete_refused",
    "delete_day",
    "request_deletion",
    "export_json",
    "settings",
    "change_settings",
    "shortcut_press",
    "shortcut_press_end",
    "health",
    "open_window",
    "close_window",
];

fn main() {
    let windows = Path::new("../ui/dist/desktop.html");
    println!("cargo:rerun-if-changed={}", windows.display());
    assert!(
        windows.is_file(),
        "The windows aren't built: ui/dist/desktop.html is missing. `make ui` builds them (npm ci and npm run build in ui/)."
    );
    let manifest = tauri_build::AppManifest::new().commands(COMMANDS);
    if let Err(error) =
        tauri_build::try_build(tauri_build::Attributes::new().app_manifest(manifest))
    {
        panic!("tauri's build step failed: {error:#}");
    }
}
