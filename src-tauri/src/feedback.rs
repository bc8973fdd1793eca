//! A picture first, then the form: what the person saw, not our window over it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use snag_agent::host::Opening;
use tokio::sync::watch;

use crate::app::{self, App};
use crate::channel::ToWindows;
use crate::notices;
use crate::window::Window;

/// Longest time that the form waits for its picture. A second is much for one, where the computer is neither slow nor its
/// screen large; then something is wrong with the display.
const OPENING_DEADLINE: Duration = Duration::from_secs(10);

/// Whether the form is being opened: a second press of the shortcut must not picture the first one's window.
pub struct Form(watch::Sender<bool>);

impl Default for Form {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

/// Opens the form, filled in as `opening` says. A form that is open already is shown as it is, with what the person
/// wrote.
pub fn open(app: &Arc<App>, opening: Opening) {
    if app.form.0.send_replace(true) {
        return;
    }
    let asked = Instant::now();
    let runtime = app.runtime.clone();
    let app = Arc::clone(app);
    runtime.spawn(async move {
        let windows = &app.windows;
        let was_open = windows.is_open(Window::Feedback);
        // Made while the picture is taken and shown after it, so that it is not on it.
        app::prepare(&app, Window::Feedback);
        let opened = match app.host().await {
            Ok(host) => {
                host.feedback_open(opening).await;
                Ok(())
            }
            Err(sentence) => Err(sentence),
        };
        app.form.0.send_replace(false);
        match opened {
            Ok(()) => {
                if was_open {
                    windows.emit("feedback-form", &());
                }
                app::show(&app, Window::Feedback);
                tracing::debug!(
                    elapsed_ms = asked.elapsed().as_millis(),
                    "the form was opened"
                );
            }
            Err(sentence) => {
                if !was_open {
                    let window = Window::Feedback;
                    windows.tell(&ToWindows::Close { window }, &[]);
                }
                notices::problem(&app, &sentence);
            }
        }
    });
}

/// Returns when no form is being opened.
pub async fn opened(app: &Arc<App>) {
    let mut opening = app.form.0.subscribe();
    let opened = opening.wait_for(|opening| !opening);
    if tokio::time::timeout(OPENING_DEADLINE, opened)
        .await
        .is_err()
    {
        tracing::warn!("the form's picture takes long");
    }
}

/// The window is gone: the picture leaves the memory, too.
pub fn closed(app: &Arc<App>) {
    if let Some(host) = app.host_now() {
        app.runtime.spawn_blocking(move || host.feedback_close());
    }
}
