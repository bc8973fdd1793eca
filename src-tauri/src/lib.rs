//! The desktop app: the agent in this process, a tray icon, and the windows that it opens.

pub mod mark;

use snag_agent::desktop::view::Icon;
use tauri::image::Image;
use tauri::tray::TrayIconBuilder;

/// Runs the app until it is quit.
///
/// # Errors
/// When the system gives it no event loop or no tray.
pub fn run() -> tauri::Result<()> {
    let pixels = mark::draw(Icon::Capturing, 32, mark::Ink::Coloured);
    tauri::Builder::default()
        .setup(|app| {
            TrayIconBuilder::new()
                .icon(Image::new_owned(pixels, 32, 32))
                .build(app)?;
            Ok(())
        })
        .run(tauri::generate_context!())
}
