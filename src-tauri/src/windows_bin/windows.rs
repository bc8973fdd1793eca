//! The windows: made on demand, and destroyed when they are closed.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use gtk::glib::Propagation;
use gtk::prelude::{GtkWindowExt as _, WidgetExtManual as _};
use snag_agent::desktop::view::Theme;
use snag_desktop::app::is_driven;
use snag_desktop::window::Window;
use tauri::{
    AppHandle, Emitter, LogicalSize, Manager, WebviewUrl, WebviewWindow, WebviewWindowBuilder,
    WindowEvent, Wry,
};
use webkit2gtk::{WebView, WebViewExt as _};

use crate::link::Link;
use crate::sizes::{Extent, Sizes, TextScale};

/// Longest time that a window takes to keep what was put into it, before it is closed for it.
const LEAVING: Duration = Duration::from_secs(3);

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
    let scale = TextScale::of_the_screen();
    let room = app.primary_monitor()?.map(|monitor| {
        let size: LogicalSize<f64> = monitor.size().to_logical(monitor.scale_factor());
        (size.width, size.height)
    });
    let Extent { usual, least } = app.state::<Sizes>().of(window, scale, room);
    let built = page(app, window.label())
        .title(title)
        .on_document_title_changed(|window, title| {
            // The page has none before its words are there; the frame has.
            if !title.is_empty()
                && let Err(error) = window.set_title(&title)
            {
                tracing::warn!(%error, "a window keeps its title");
            }
        })
        .inner_size(usual.0, usual.1)
        .min_inner_size(least.0, least.1)
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
                let size: LogicalSize<f64> = size.to_logical(open.scale_factor().unwrap_or(1.0));
                sizes.note(window, scale, (size.width, size.height));
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
