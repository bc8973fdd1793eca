//! Notifications: quiet, few, and never the only way to learn something.
//!
//! Each waits for its click on a thread of its own, which ends with the notification. Where nothing shows them
//! the overview and the conversations say the same.

use std::sync::Arc;
use std::time::Duration;

use snag_agent::desktop::view::{Occasion, Sentence};
use snag_agent::host::{FoundSteps, Host, HostEvent, Opening};
use tokio::sync::broadcast::error::RecvError;

use crate::app::{self, App};
use crate::feedback;
use crate::window::Window;
use crate::words::Words;

/// What is shown.
#[derive(Default)]
struct Notice {
    title: String,
    body: String,
    /// Id and text of each button.
    buttons: Vec<(&'static str, String)>,
}

/// Longest time that the end of a start that failed waits for its notification.
const SHOWING_DEADLINE: Duration = Duration::from_secs(10);

/// A click on the notification itself.
const DEFAULT: &str = "default";

/// Tells the person what the host has to say, for as long as it runs.
pub fn follow(app: &Arc<App>, host: &Host) {
    let app = Arc::clone(app);
    let host = host.clone();
    let mut events = host.events();
    app.runtime.clone().spawn(async move {
        loop {
            match events.recv().await {
                Ok(event) => tell(&app, &host, event),
                Err(RecvError::Lagged(missed)) => {
                    tracing::warn!(missed, "events came faster than they could be told");
                }
                Err(RecvError::Closed) => return,
            }
        }
    });
}

fn tell(app: &Arc<App>, host: &Host, event: HostEvent) {
    let words = app.words();
    let organisation = host.overview().organisation;
    match event {
        HostEvent::Ask {
            occasion,
            app: name,
            found,
        } => ask(app, host, occasion, name, found),
        HostEvent::OpenFeedback => feedback::open(app, host.take_opening()),
        HostEvent::FeedbackKept { why } => show(
            app,
            Notice {
                title: words.say("notify.kept_title", &[]),
                body: match why.key.as_str() {
                    "problem.offline" => words.say("notify.kept_body", &[]),
                    "problem.not_enrolled" => words.say("notify.kept_not_enrolled", &[]),
                    _ => words.sentence(&why),
                },
                buttons: Vec::new(),
            },
            |app, _| app::open(app, Window::Conversations),
        ),
        HostEvent::FeedbackSent {
            picture_refused, ..
        } => show(
            app,
            Notice {
                title: words.say("notify.sent_title", &[]),
                body: if picture_refused {
                    words.say("notify.sent_without_picture", &[])
                } else {
                    words.say("notify.sent_body", &[("organisation", &organisation)])
                },
                buttons: Vec::new(),
            },
            |app, _| app::open(app, Window::Conversations),
        ),
        HostEvent::FeedbackRefused { .. } => show(
            app,
            Notice {
                title: words.say("notify.refused_title", &[]),
                body: words.say("notify.refused_body", &[]),
                buttons: vec![(DEFAULT, words.say("notify.open", &[]))],
            },
            |app, _| app::open(app, Window::Conversations),
        ),
        HostEvent::ReplyArrived { author, .. } => show(
            app,
            Notice {
                title: words.say("notify.reply_title", &[("author", &author)]),
                // Not the text: a notification may be read by whoever stands behind the person.
                body: String::new(),
                buttons: vec![(DEFAULT, words.say("notify.open", &[]))],
            },
            |app, _| app::open(app, Window::Conversations),
        ),
        HostEvent::PolicyWidened { .. } => reads_first(app, host, true),
    }
}

/// Asks once, and takes no for an answer.
fn ask(app: &Arc<App>, host: &Host, occasion: Occasion, name: String, found: FoundSteps) {
    let words = app.words();
    let host = host.clone();
    let named: [(&str, &str); 1] = [("app", &name)];
    let notice = Notice {
        title: words.say("prompt.title", &named),
        body: question(&words, &occasion.sentence),
        buttons: vec![
            ("tell", words.say("prompt.tell", &[])),
            ("not-now", words.say("prompt.not_now", &[])),
            ("never", words.say("prompt.never", &named)),
        ],
    };
    show(app, notice, move |app, button| match button {
        "tell" | DEFAULT => {
            let opening = Opening {
                occasion: Some(occasion),
                app: Some(name),
                found: Some(found),
                ..Opening::default()
            };
            feedback::open(app, opening);
        }
        "never" => {
            if let Err(sentence) = host.never_ask_about(&name) {
                problem(app, &sentence);
            }
        }
        _ => {}
    });
}

/// What the question says: the first line that the form will have, as a question.
fn question(words: &Words, line: &Sentence) -> String {
    let kind = line.key.strip_prefix("occasion.").unwrap_or_default();
    let asked = Sentence {
        key: format!("prompt.{kind}"),
        values: line.values.clone(),
    };
    if words.has(&asked.key) {
        words.sentence(&asked)
    } else {
        words.say("prompt.other", &[])
    }
}

/// The first page waits to be read, and nobody is looking for a window: the session started the app, or the
/// organisation's rules became `wider` than what was read.
pub fn reads_first(app: &Arc<App>, host: &Host, wider: bool) {
    let words = app.words();
    let organisation = host.overview().organisation;
    let (title, body) = if wider {
        let named: [(&str, &str); 1] = [("organisation", &organisation)];
        (
            "notify.widened_title",
            words.say("notify.widened_body", &named),
        )
    } else {
        let body = words.say("notify.first_run_body", &[]);
        ("notify.first_run_title", body)
    };
    let notice = Notice {
        title: words.say(title, &[]),
        body,
        buttons: vec![(DEFAULT, words.say("notify.open", &[]))],
    };
    show(app, notice, |app, _| app::open(app, Window::FirstRun));
}

/// There is no place for the icon.
pub fn no_tray(app: &Arc<App>) {
    let words = app.words();
    let notice = Notice {
        title: words.say("notify.no_tray_title", &[]),
        body: words.say("notify.no_tray_body", &[]),
        buttons: vec![(DEFAULT, words.say("notify.open", &[]))],
    };
    show(app, notice, |app, _| app::open(app, Window::Knows));
}

/// What was asked for outside of a window didn't work.
pub fn problem(app: &Arc<App>, sentence: &Sentence) {
    let words = app.words();
    let notice = Notice {
        title: words.say("app.name", &[]),
        body: words.sentence(sentence),
        buttons: Vec::new(),
    };
    show(app, notice, |_, _| {});
}

/// The app ends before there is anything that could be clicked. Said where it was started, and where the session
/// started it, as a notification: nobody sees the other.
pub fn cannot_start(sentence: &str) {
    eprintln!("{sentence}");
    let mut notification = notify_rust::Notification::new();
    notification
        .appname("Snag")
        .summary("Snag")
        .body(&escaped(sentence));
    let (shown, is_shown) = std::sync::mpsc::channel();
    // On a thread, since what shows notifications may not answer.
    std::thread::spawn(move || shown.send(notification.show().map(drop)));
    match is_shown.recv_timeout(SHOWING_DEADLINE) {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "nothing here shows notifications"),
        Err(_) => tracing::debug!("what shows notifications doesn't answer"),
    }
}

/// Shows it, and does what the click says. Nothing is done when it is closed without one.
#[cfg(all(unix, not(target_os = "macos")))]
fn show(app: &Arc<App>, notice: Notice, clicked: impl FnOnce(&Arc<App>, &str) + Send + 'static) {
    let app = Arc::clone(app);
    let waiting = move || {
        let mut shown = notify_rust::Notification::new();
        shown
            .appname("Snag")
            .summary(&notice.title)
            .body(&escaped(&notice.body))
            .hint(notify_rust::Hint::DesktopEntry("snag-desktop".to_owned()));
        let has_default = notice.buttons.iter().any(|(id, _)| *id == DEFAULT);
        if !has_default && !notice.buttons.is_empty() {
            shown.action(DEFAULT, &notice.buttons[0].1);
        }
        for (id, text) in &notice.buttons {
            shown.action(id, text);
        }
        match shown.show() {
            Ok(handle) => handle.wait_for_action(|button| {
                if button != "__closed" {
                    clicked(&app, button);
                }
            }),
            Err(error) => tracing::info!(%error, "nothing here shows notifications"),
        }
    };
    if let Err(error) = std::thread::Builder::new()
        .name("notice".to_owned())
        .spawn(waiting)
    {
        tracing::warn!(%error, "a notification can't be shown");
    }
}

/// Bodies may hold markup: what a program is called must not become any.
#[cfg(all(unix, not(target_os = "macos")))]
fn escaped(body: &str) -> String {
    body.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// Elsewhere without buttons.
#[cfg(not(all(unix, not(target_os = "macos"))))]
fn show(_: &Arc<App>, notice: Notice, _: impl FnOnce(&Arc<App>, &str) + Send + 'static) {
    let shown = notify_rust::Notification::new()
        .appname("Snag")
        .summary(&notice.title)
        .body(&notice.body)
        .show();
    if let Err(error) = shown {
        tracing::info!(%error, "nothing here shows notifications");
    }
}

#[cfg(all(test, unix, not(target_os = "macos")))]
mod tests {
    #[test]
    fn a_name_is_no_markup() {
        assert_eq!(super::escaped("<b>R&D</b>"), "&lt;b&gt;R&amp;D&lt;/b&gt;");
    }
}
