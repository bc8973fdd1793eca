//! The icon and its menu.

use std::path::Path;

use parking_lot::Mutex;
use snag_agent::desktop::view::{Icon, PauseFor};
use tauri::image::Image;
use tauri::menu::{Menu, MenuItem, PredefinedMenuItem, Submenu};
use tauri::tray::{TrayIcon, TrayIconBuilder};
use tauri::{AppHandle, Wry};

use crate::mark::{self, Ink};
use crate::tray_words::TrayWords;
use crate::words::Words;

/// Pixels of the icon: panels scale it down.
const ICON_SIZE: u32 = 64;

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
    Open(crate::windows::Window),
    /// End the app.
    Quit,
}

impl Choice {
    /// What the entry with this id asks for.
    #[must_use]
    pub fn of(id: &str) -> Option<Self> {
        use crate::windows::Window;
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

/// The icon, and what it says just now.
pub struct Tray {
    icon: TrayIcon,
    shown: Mutex<Shown>,
}

struct Shown {
    words: TrayWords,
    state: MenuItem<Wry>,
    sync: MenuItem<Wry>,
}

impl Tray {
    /// Shows the icon.
    ///
    /// # Errors
    /// When the system gives no menu or no icon.
    pub fn show(
        app: &AppHandle,
        words: &Words,
        now: TrayWords,
        icons: &Path,
    ) -> tauri::Result<Self> {
        let (menu, state, sync) = menu(app, words, &now)?;
        let icon = TrayIconBuilder::with_id("snag")
            .icon(image(now.icon))
            .icon_as_template(cfg!(target_os = "macos"))
            // Panels are handed a path: one that lives as long as this process, in a folder of its own.
            .temp_dir_path(icons)
            .tooltip(&now.state)
            .menu(&menu)
            .show_menu_on_left_click(true)
            .build(app)?;
        Ok(Self {
            icon,
            shown: Mutex::new(Shown {
                words: now,
                state,
                sync,
            }),
        })
    }

    /// Says something else, touching only what changed: a menu that is rebuilt while it is open closes.
    ///
    /// # Errors
    /// When the system doesn't take it.
    pub fn say(
        &self,
        app: &AppHandle,
        words: &Words,
        now: TrayWords,
        language_changed: bool,
    ) -> tauri::Result<()> {
        let mut shown = self.shown.lock();
        if shown.words == now && !language_changed {
            return Ok(());
        }
        if shown.words.icon != now.icon {
            self.icon.set_icon(Some(image(now.icon)))?;
        }
        if shown.words.state != now.state {
            self.icon.set_tooltip(Some(&now.state))?;
        }
        let lines = TrayWords {
            icon: now.icon,
            state: now.state.clone(),
            sync: now.sync.clone(),
            ..shown.words.clone()
        };
        if lines == now && !language_changed {
            if shown.words.state != now.state {
                shown.state.set_text(&now.state)?;
            }
            if shown.words.sync != now.sync {
                shown.sync.set_text(&now.sync)?;
            }
        } else {
            let (menu, state, sync) = menu(app, words, &now)?;
            self.icon.set_menu(Some(menu))?;
            (shown.state, shown.sync) = (state, sync);
        }
        shown.words = now;
        Ok(())
    }
}

fn image(icon: Icon) -> Image<'static> {
    let ink = if cfg!(target_os = "macos") {
        Ink::Template
    } else {
        Ink::Coloured
    };
    Image::new_owned(mark::draw(icon, ICON_SIZE, ink), ICON_SIZE, ICON_SIZE)
}

/// The menu, and its two lines that change often.
fn menu(
    app: &AppHandle,
    words: &Words,
    now: &TrayWords,
) -> tauri::Result<(Menu<Wry>, MenuItem<Wry>, MenuItem<Wry>)> {
    let entry = |id: &str, text: &str| MenuItem::with_id(app, id, text, true, None::<&str>);
    let worded = |id: &str, key: &str| entry(id, &words.say(key, &[]));
    let line = |id: &str, text: &str| MenuItem::with_id(app, id, text, false, None::<&str>);
    let rule = || PredefinedMenuItem::separator(app);

    let menu = Menu::new(app)?;
    let state = line("state", &now.state)?;
    let sync = line("sync", &now.sync)?;
    menu.append(&worded("feedback", "tray.feedback")?)?;
    if now.reads_first {
        menu.append(&worded("first-run", "tray.first_run")?)?;
    }
    if now.paused {
        menu.append(&worded("resume", "tray.resume")?)?;
    }
    let pause = Submenu::with_id(app, "pause", words.say("tray.pause", &[]), now.can_pause)?;
    for (id, key) in [
        ("pause-quarter-hour", "tray.pause_quarter_hour"),
        ("pause-hour", "tray.pause_hour"),
        ("pause-until-tomorrow", "tray.pause_until_tomorrow"),
        ("pause-until-resumed", "tray.pause_until_resumed"),
    ] {
        pause.append(&worded(id, key)?)?;
    }
    menu.append(&pause)?;
    menu.append(&rule()?)?;
    menu.append(&worded("knows", "tray.knows")?)?;
    menu.append(&entry("conversations", &now.conversations)?)?;
    menu.append(&worded("settings", "tray.settings")?)?;
    menu.append(&rule()?)?;
    menu.append(&state)?;
    menu.append(&sync)?;
    menu.append(&rule()?)?;
    menu.append(&worded("about", "tray.about")?)?;
    menu.append(&worded("quit", "tray.quit")?)?;
    Ok((menu, state, sync))
}
