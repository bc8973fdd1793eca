//! The connection to the accessibility bus, for as long as there is one.

use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;

use super::a11y::{self, A11y, Happened};
use super::{QUIET_MS, Shell};
use crate::health::{Source, SourceState};
use crate::queue::What;

/// How long connecting to the accessibility bus may take.
const A11Y_CONNECT: Duration = Duration::from_secs(10);
const A11Y_RETRY_FIRST: Duration = Duration::from_secs(2);
const A11Y_RETRY_MAX: Duration = Duration::from_secs(60);
/// Selected things remembered.
const SELECTED_MAX: usize = 8;

impl Shell {
    pub(super) async fn follow_accessibility(self: Rc<Self>, connected: Rc<tokio::sync::Notify>) {
        let mut retry = A11Y_RETRY_FIRST;
        loop {
            let error = match tokio::time::timeout(A11Y_CONNECT, A11y::connect()).await {
                Ok(Ok(a11y)) => {
                    retry = A11Y_RETRY_FIRST;
                    let a11y = Rc::new(a11y);
                    *self.a11y.borrow_mut() = Some(a11y.clone());
                    self.say_accessibility(None);
                    connected.notify_one();
                    self.clone().hear(a11y).await;
                    *self.a11y.borrow_mut() = None;
                    "The accessibility bus has gone away.".to_owned()
                }
                Ok(Err(error)) => why_no_accessibility(&error),
                Err(_) => "The accessibility bus does not answer.".to_owned(),
            };
            self.say_accessibility(Some(&error));
            connected.notify_one();
            tokio::time::sleep(retry).await;
            retry = (retry * 2).min(A11Y_RETRY_MAX);
        }
    }

    fn say_accessibility(&self, error: Option<&str>) {
        let board = &self.context.board;
        match error {
            None => {
                board.set(
                    Source::Element,
                    SourceState::Working,
                    "Programs tell by the accessibility bus (AT-SPI).",
                );
                board.set(
                    Source::Reactions,
                    SourceState::Working,
                    "Seen by accessibility events and redraws.",
                );
            }
            Some(error) => {
                board.set(
                    Source::Element,
                    SourceState::Off,
                    format!("{error} Clicks are captured by place only."),
                );
                board.set(
                    Source::Reactions,
                    SourceState::Off,
                    format!("{error} No click is called dead."),
                );
            }
        }
        let reactions = error.is_none();
        // Before the start is over, the start itself tells.
        if self.reactions.replace(reactions) != reactions && self.start_is_over() {
            self.context.queue.push(What::Reactions(reactions));
        }
    }

    fn start_is_over(&self) -> bool {
        self.context
            .started
            .load(std::sync::atomic::Ordering::Relaxed)
    }

    async fn hear(self: Rc<Self>, a11y: Rc<A11y>) {
        let mut messages = atspi::zbus::MessageStream::from(a11y.connection());
        while let Some(message) = messages.next().await {
            let Ok(message) = message else { continue };
            if message.message_type() != atspi::zbus::message::Type::Signal {
                continue;
            }
            let watching = self
                .watch
                .borrow()
                .as_ref()
                .is_some_and(|watch| watch.open(Instant::now()));
            let quiet = self.context.quiet_ms() > QUIET_MS;
            let Some(happened) = a11y::happened(&message) else {
                continue;
            };
            self.remember_selected(&happened);
            if quiet {
                self.noise
                    .borrow_mut()
                    .heard(&happened.object, Instant::now());
            }
            if !watching {
                continue;
            }
            let clicked = self
                .watch
                .borrow()
                .as_ref()
                .and_then(|watch| watch.clicked.clone());
            match clicked {
                Some(clicked) => self.judge(&clicked, &happened),
                None => {
                    if let Some(watch) = self.watch.borrow_mut().as_mut() {
                        watch.wait(happened);
                    }
                }
            }
        }
    }
}

impl Shell {
    fn remember_selected(&self, happened: &Happened) {
        if happened.signal != "StateChanged"
            || happened.detail != 1
            || !matches!(happened.kind.as_str(), "selected" | "focused")
        {
            return;
        }
        let mut selected = self.selected.borrow_mut();
        selected.retain(|object| *object != happened.object);
        selected.truncate(SELECTED_MAX - 1);
        selected.push_front(happened.object.clone());
    }
}

/// Why there is no accessibility bus, for a person.
fn why_no_accessibility(error: &str) -> String {
    if std::env::var_os("DBUS_SESSION_BUS_ADDRESS").is_none() {
        return "There is no session bus (DBUS_SESSION_BUS_ADDRESS is not set), so no accessibility bus.".to_owned();
    }
    if error.contains("ServiceUnknown")
        || error.contains("NameHasNoOwner")
        || error.contains("not provided")
    {
        return "There is no accessibility bus: at-spi2-core is not installed or not running."
            .to_owned();
    }
    // The error names addresses and interfaces of the bus, nothing of the person's.
    format!("The accessibility bus cannot be reached ({error}).")
}
