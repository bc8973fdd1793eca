//! The icon and its menu.

use std::path::Path;

use snag_agent::desktop::view::PauseFor;
use tray_icon::menu::{Menu, MenuItem, PredefinedMenuItem, Submenu};

use crate::indicator::{self, Indicator};
use crate::tray_words::TrayWords;
use crate::window::Window;
use crate::words::Words;

/// What a click on an entry of the menu asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// Open the form.
    Feedback,
    /// Capture nothing for a while.
    Pause(PauseFor),
    /// Go on.
    Resume,
    /// Open a window.
    Open(Window),
    /// End the app.
    Quit,
}

impl Choice {
    /// What the entry with this id asks for.
    #[must_use]
    pub fn of(id: &str) -> Option<Self> {
        Some(match id {
            "feedback" => Self::Feedback,
            "pause-quarter-hour" => Self::Pause(PauseFor::QuarterHour),
            "pause-hour" => Self::Pause(PauseFor::Hour),
            "pause-until-tomorrow" => Self::Pause(PauseFor::UntilTomorrow),
            "pause-until-resumed" => Self::Pause(PauseFor::UntilResumed),
            "resume" => Self::Resume,
            "first-run" => Self::Open(Window::FirstRun),
            "knows" => Self::Open(Window::Knows),
            "conversations" => Self::Open(Window::Conversations),
            "settings" => Self::Open(Window::Settings),
            "about" => Self::Open(Window::About),
            "quit" => Self::Quit,
            _ => return None,
        })
    }
}

/// Why there is no icon, or it can't say something.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// There is no icon.
    #[error(transparent)]
    Icon(#[from] indicator::Failed),
    /// The system gives no menu.
    #[error("the menu: {0}")]
    Menu(#[from] tray_icon::menu::Error),
}

/// The icon, and what it says just now. It lives on the thread of the toolkit.
pub struct Tray {
    icon: Indicator,
    words: TrayWords,
    state: MenuItem,
    sync: MenuItem,
}

impl Tray {
    /// Shows the icon; `chosen` is called with what the person clicks in its menu.
    ///
    /// # Errors
    /// When the system gives no menu or no icon.
    pub fn show(
        words: &Words,
        now: TrayWords,
        icons: &Path,
        chosen: impl Fn(Choice) + Send + Sync + 'static,
    ) -> Result<Self, Failed> {
        let (menu, state, sync) = menu(words, &now)?;
        let icon = Indicator::show(icons, menu, now.icon, &now.summary)?;
        tray_icon::menu::MenuEvent::set_event_handler(Some(
            move |event: tray_icon::menu::MenuEvent| {
                if let Some(choice) = Choice::of(event.id.as_ref()) {
                    chosen(choice);
                }
            },
        ));
        Ok(Self {
            icon,
            words: now,
            state,
            sync,
        })
    }

    /// Says something else, touching only what changed: a menu that is rebuilt while it is open closes.
    ///
    /// # Errors
    /// When the system doesn't take it.
    pub fn say(
        &mut self,
        words: &Words,
        now: TrayWords,
        language_changed: bool,
    ) -> Result<(), Failed> {
        let shown = &self.words;
        if *shown == now && !language_changed {
            return Ok(());
        }
        if (shown.icon, &shown.summary) != (now.icon, &now.summary) {
            self.icon.say(now.icon, &now.summary)?;
        }
        let lines = TrayWords {
            icon: now.icon,
            summary: now.summary.clone(),
            state: now.state.clone(),
            sync: now.sync.clone(),
            ..shown.clone()
        };
        if lines == now && !language_changed {
            if shown.state != now.state {
                self.state.set_text(&now.state);
            }
            if shown.sync != now.sync {
                self.sync.set_text(&now.sync);
            }
        } else {
            let (menu, state, sync) = menu(words, &now)?;
            self.icon.set_menu(menu);
            (self.state, self.sync) = (state, sync);
        }
        self.words = now;
        Ok(())
    }
}

/// The menu, and its two lines that change often.
fn menu(
    words: &Words,
    now: &TrayWords,
) -> Result<(Menu, MenuItem, MenuItem), tray_icon::menu::Error> {
    let entry = |id: &str, text: &str| MenuItem::with_id(id, text, true, None);
    let worded = |id: &str, key: &str| entry(id, &words.say(key, &[]));
    let line = |id: &str, text: &str| MenuItem::with_id(id, text, false, None);
    let rule = PredefinedMenuItem::separator;

    let menu = Menu::new();
    let state = line("state", &now.state);
    let sync = line("sync", &now.sync);
    menu.append(&worded("feedback", "tray.feedback"))?;
    if now.reads_first {
        menu.append(&worded("first-run", "tray.first_run"))?;
    }
    if now.paused {
        menu.append(&worded("resume", "tray.resume"))?;
    }
    let pause = Submenu::with_id("pause", words.say("tray.pause", &[]), now.can_pause);
    for (id, key) in [
        ("pause-quarter-hour", "tray.pause_quarter_hour"),
        ("pause-hour", "tray.pause_hour"),
        ("pause-until-tomorrow", "tray.pause_until_tomorrow"),
        ("pause-until-resumed", "tray.pause_until_resumed"),
    ] {
        pause.append(&worded(id, key))?;
    }
    menu.append(&pause)?;
    menu.append(&rule())?;
    menu.append(&worded("knows", "tray.knows"))?;
    menu.append(&entry("conversations", &now.conversations))?;
    menu.append(&worded("settings", "tray.settings"))?;
    menu.append(&rule())?;
    menu.append(&state)?;
    menu.append(&sync)?;
    menu.append(&rule())?;
    menu.append(&worded("about", "tray.about"))?;
    menu.append(&worded("quit", "tray.quit"))?;
    Ok((menu, state, sync))
}
