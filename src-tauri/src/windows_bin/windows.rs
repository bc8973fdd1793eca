//! The windows: made on demand, of the size that they had last, and destroyed when they are closed.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gtk::glib::Propagation;
use gtk::prelude::{GtkWindowExt as _, WidgetExtManual as _};
use parking_lot::Mutex;
use snag_agent::desktop::view::Theme;
use snag_desktop::app::is_driven;
use snag_desktop::window::Window;
use tauri::{
    AppHandle, Emitter, LogicalSize, Manager, WebviewUrl, WebviewWindow, WebviewWindowBuilder,
    WindowEvent, Wry,
};
use webkit2gtk::{WebView, WebViewExt as _};

use crate::link::Link;

/// Longest time that a window takes to keep what was put into it, before it is closed for it.
const LEAVING: Duration = Duration::from_secs(1);

/// A window's size before the person chose one, and the least that it can be used at; in logical pixels.
fn usual_and_least(window: Window) -> [(u32, u32); 2] {
    match window {
        Window::Feedback => [(760, 560), (640, 480)],
        Window::FirstRun => [(900, 680), (560, 480)],
        Window::Knows => [(920, 640), (560, 420)],
        Window::Settings => [(640, 680), (480, 420)],
        Window::Conversations => [(720, 560), (480, 400)],
        Window::About => [(420, 380), (360, 320)],
    }
}

/// The sizes that the person gave the windows.
pub(crate) struct Sizes {
    path: PathBuf,
    sizes: Mutex<BTreeMap<Window, (u32, u32)>>,
}

impl Sizes {
    /// Reads what was remembered. A file that can't be read is forgotten: it is only about looks.
    #[must_use]
    pub(crate) fn load(path: PathBuf) -> Self {
        let sizes = std::fs::read(&path)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        Self {
            path,
            sizes: Mutex::new(sizes),
        }
    }

    /// The folder that the file lies in.
    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }

    fn of(&self, window: Window) -> (u32, u32) {
        let [usual, (least_width, least_height)] = usual_and_least(window);
        let (width, height) = self.sizes.lock().get(&window).copied().unwrap_or(usual);
        (
            width.clamp(least_width, 8_192),
            height.clamp(least_height, 8_192),
        )
    }

    fn note(&self, window: Window, size: (u32, u32)) {
        self.sizes.lock().insert(window, size);
    }

    fn store(&self) {
        let stored = serde_json::to_vec(&*self.sizes.lock())
            .map_err(std::io::Error::other)
            .and_then(|bytes| write_private(&self.path, &bytes));
        if let Err(error) = stored {
            tracing::warn!(%error, "the sizes of the windows can't be remembered");
        }
    }
}

/// Whole or not at all, and for its owner only.
fn write_private(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(content)?;
    file.persist(path)?;
    Ok(())
}

/// What the toolkit calls a look; none is the system's.
#[must_use]
pub(crate) fn look(theme: Theme) -> Option<tauri::Theme> {
    match theme {
        Theme::System => None,
        Theme::Light => Some(tauri::Theme::Light),
        Theme::Dark => Some(tauri::Theme::Dark),
    }
}

/// The page that nobody sees, and that no capability names: it may ask for nothing.
const SPARE: &str = "spare";

thread_local! {
    /// The pages that there are by their labels, on the thread that draws. One web process draws them all.
    static PAGES: RefCell<BTreeMap<String, WebView>> = const { RefCell::new(BTreeMap::new()) };
}

/// Keeps a page that nobody sees. Starting a web process takes longer than all else of an opening, and windows that
/// come now need none.
///
/// # Errors
/// When the loop has ended.
pub(crate) fn keep(app: &AppHandle) -> tauri::Result<()> {
    let handle = app.clone();
    app.run_on_main_thread(move || {
        if let Err(error) = make_spare(&handle) {
            tracing::warn!(%error, "no page can be kept ready");
        }
    })
}

fn make_spare(app: &AppHandle) -> tauri::Result<()> {
    if app.get_webview_window(SPARE).is_some() {
        return Ok(());
    }
    let spare = page(app, SPARE).focused(false).visible(false);
    note(app, &spare.build()?)
}

/// Opens a window: shows it, or only makes it. One that is there is shown.
///
/// # Errors
/// When the loop has ended.
pub(crate) fn open(
    app: &AppHandle,
    window: Window,
    title: String,
    theme: Theme,
    shown: bool,
) -> tauri::Result<()> {
    let handle = app.clone();
    app.run_on_main_thread(move || {
        let open = handle.get_webview_window(window.label());
        let done = match open {
            Some(open) if shown => show(&open),
            Some(_) => Ok(()),
            None => make(&handle, window, &title, theme, shown),
        };
        if let Err(error) = done {
            tracing::error!(%error, window = window.label(), "the window can't be shown");
            handle.state::<Arc<Link>>().closed(window);
        }
    })
}

fn show(open: &WebviewWindow) -> tauri::Result<()> {
    open.unminimize()?;
    open.show()?;
    open.set_focus()
}

/// A page of this program, to be drawn by the process of the others, and what holds for each.
fn page<'a>(app: &'a AppHandle, label: &str) -> WebviewWindowBuilder<'a, Wry, AppHandle> {
    let address = WebviewUrl::App(format!("desktop.html#/{label}").into());
    let page = WebviewWindowBuilder::new(app, label, address);
    // To a driver, a window whose page's process draws others as well never closes.
    let other = PAGES
        .with_borrow(|pages| pages.values().next().cloned())
        .filter(|_| !is_driven());
    let page = match other {
        Some(other) => page.with_related_view(other),
        None => page,
    };
    page
        // Nothing leads out of it.
        .on_navigation(|url| url.scheme() == "tauri" || url.host_str() == Some("tauri.localhost"))
        .disable_drag_drop_handler()
        // In the agent's folder, which only this person can enter, and not beside other programs' data.
        .data_directory(app.state::<Sizes>().folder().join("web"))
}

/// Notes a page. A window whose page has crashed shows nothing and answers nothing: this process ends instead, and the
/// next wish starts another. What was written is a draft by then.
fn note(app: &AppHandle, window: &WebviewWindow) -> tauri::Result<()> {
    let app = app.clone();
    let label = window.label().to_owned();
    window.with_webview(move |view| {
        let view = view.inner();
        view.connect_web_process_terminated(move |_, why| {
            tracing::error!(?why, "the pages have ended by themselves");
            app.exit(1);
        });
        PAGES.with_borrow_mut(|pages| pages.insert(label, view));
    })
}

fn make(
    app: &AppHandle,
    window: Window,
    title: &str,
    theme: Theme,
    shown: bool,
) -> tauri::Result<()> {
    let sizes = app.state::<Sizes>();
    let (width, height) = sizes.of(window);
    let [_, (least_width, least_height)] = usual_and_least(window);
    let built = page(app, window.label())
        .title(title)
        .inner_size(width.into(), height.into())
        .min_inner_size(least_width.into(), least_height.into())
        .theme(look(theme))
        .center()
        .focused(true)
        .visible(shown)
        .build()?;
    note(app, &built)?;
    // A window manager may hold a new window back behind the one that is used, and it hears no wish for one that it
    // doesn't have yet.
    built.gtk_window()?.connect_map_event(|mapped, _| {
        mapped.present();
        Propagation::Proceed
    });
    let handle = app.clone();
    built.on_window_event(move |event| {
        let sizes = handle.state::<Sizes>();
        match event {
            WindowEvent::Resized(size) => {
                let Some(open) = handle.get_webview_window(window.label()) else {
                    return;
                };
                // A maximised window is the screen's size, not the person's choice.
                if open.is_maximized().unwrap_or(false) || open.is_fullscreen().unwrap_or(false) {
                    return;
                }
                let scale = open.scale_factor().unwrap_or(1.0);
                let size: LogicalSize<u32> = size.to_logical(scale);
                sizes.note(window, (size.width, size.height));
            }
            WindowEvent::CloseRequested { api, .. } if window == Window::Feedback => {
                api.prevent_close();
                leave(&handle, window);
            }
            WindowEvent::Destroyed => {
                PAGES.with_borrow_mut(|pages| pages.remove(window.label()));
                sizes.store();
                handle.state::<Arc<Link>>().closed(window);
            }
            _ => {}
        }
    });
    Ok(())
}

/// Lets a window keep what was put into it in its last moments: it closes itself, or is closed where it doesn't.
fn leave(app: &AppHandle, window: Window) {
    let Some(open) = app.get_webview_window(window.label()) else {
        return;
    };
    if let Err(error) = app.emit_to(window.label(), "leave", ()) {
        tracing::warn!(%error, "the window can't be told that it closes");
    }
    tauri::async_runtime::spawn(async move {
        tokio::time::sleep(LEAVING).await;
        // Mostly it is gone by now, and this is said of a window that isn't there.
        if let Err(error) = open.destroy() {
            tracing::debug!(%error, "the window is gone");
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use snag_desktop::words::{Language, Words};

    #[test]
    fn sizes_are_remembered_within_bounds() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("windows.json");
        let sizes = Sizes::load(path.clone());
        assert_eq!(sizes.of(Window::Knows), (920, 640));
        sizes.note(Window::Knows, (1_200, 10));
        sizes.store();
        let again = Sizes::load(path.clone());
        assert_eq!(again.of(Window::Knows), (1_200, 420));
        assert_eq!(again.of(Window::Feedback), (760, 560));
        std::fs::write(&path, "{").expect("written");
        assert_eq!(Sizes::load(path).of(Window::Knows), (920, 640));
    }

    #[test]
    fn a_window_is_named_as_its_capability_is() {
        for window in [
            Window::Feedback,
            Window::FirstRun,
            Window::Knows,
            Window::Settings,
            Window::Conversations,
            Window::About,
        ] {
            let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("capabilities")
                .join(format!("{}.json", window.label()));
            assert!(path.is_file(), "{}", path.display());
            for language in [Language::English, Language::German] {
                let title = format!("window.{}", window.label());
                assert!(Words::of(language).has(&title), "{title}");
            }
            let name = serde_json::to_value(window).expect("a name");
            assert_eq!(name, window.label());
        }
    }
}
