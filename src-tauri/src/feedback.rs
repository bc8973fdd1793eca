//! A picture first, then the form: what the person saw, not our window over it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use snag_agent::desktop::view::{PictureView, Sentence};
use snag_agent::host::Opening;
use tauri::{AppHandle, Manager};

use crate::app::{self, App, unknown};
use crate::notices;
use crate::windows::Window;

/// A window that was hidden is off the screen after this long, with a compositor's animation.
const HIDING: Duration = Duration::from_millis(250);

/// Whether the form is being opened: a second press of the shortcut must not picture the first one's window.
#[derive(Default)]
pub struct Form(AtomicBool);

/// Opens the form, filled in as `opening` says. A form that is open already is shown as it is, with what the person
/// wrote.
pub fn open(app: &AppHandle, opening: Opening) {
    let state = app.state::<App>();
    if state.form.0.swap(true, Ordering::AcqRel) {
        return;
    }
    let asked = Instant::now();
    let app = app.clone();
    tauri::async_runtime::spawn(async move {
        let state = app.state::<App>();
        match state.host().await {
            Ok(host) => {
                host.feedback_open(opening).await;
                app::show(&app, Window::Feedback);
                tracing::debug!(
                    elapsed_ms = asked.elapsed().as_millis(),
                    "the form was opened"
                );
            }
            Err(sentence) => notices::problem(&app, &sentence),
        }
        state.form.0.store(false, Ordering::Release);
    });
}

/// The window is gone: the picture leaves the memory, too.
pub fn closed(app: &AppHandle) {
    if let Some(host) = app.state::<App>().host_now() {
        tauri::async_runtime::spawn_blocking(move || host.feedback_close());
    }
}

/// Takes another picture, of what is behind the form.
///
/// # Errors
/// The source is gone, or pictures aren't allowed: the form shows the picture that it had.
pub async fn retake(app: &AppHandle, source: &str) -> Result<PictureView, Sentence> {
    let host = app.state::<App>().host().await?;
    let window = app.get_webview_window(Window::Feedback.label());
    if let Some(window) = &window {
        window.hide().map_err(unknown)?;
        tokio::time::sleep(HIDING).await;
    }
    let taken = host.feedback_retake(source).await;
    if let Some(window) = &window {
        window
            .show()
            .and_then(|()| window.set_focus())
            .map_err(unknown)?;
    }
    taken
}
