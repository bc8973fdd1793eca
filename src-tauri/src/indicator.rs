//! The icon in the desktop's place for icons, and what it says of itself.
//!
//! On Linux it is a status notifier of libayatana-appindicator: its title and the descriptions of its icon say the state
//! in words, for screen readers and for panels that show them beside the pointer, and its status asks for attention
//! where somebody is needed. That library offers no `ToolTip`; panels take the title where there is none.

use std::path::Path;

use snag_agent::desktop::view::Icon;
use tray_icon::menu::Menu;

use crate::mark::{self, Ink};

/// Pixels of the icon: panels scale it down.
const SIZE: u32 = 64;

/// The place for icons.
#[cfg(all(unix, not(target_os = "macos")))]
const WATCHER: &str = "org.kde.StatusNotifierWatcher";

/// The item, which the library puts there by its id.
#[cfg(all(unix, not(target_os = "macos")))]
const ITEM: &str = "/org/ayatana/NotificationItem/snag";

/// When it is looked whether the item is known: a busy session may take its time to begin.
#[cfg(all(unix, not(target_os = "macos")))]
const REGISTERED_AFTER: [std::time::Duration; 3] = [
    std::time::Duration::from_secs(1),
    std::time::Duration::from_secs(4),
    std::time::Duration::from_secs(15),
];

/// Longest time that the place for icons may take to answer.
#[cfg(all(unix, not(target_os = "macos")))]
const ANSWER_MS: i32 = 2_000;

/// Why there is no icon, or it can't be changed.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// The drawings can't be put where panels read them.
    #[cfg(all(unix, not(target_os = "macos")))]
    #[error("the drawings: {0}")]
    Files(#[from] std::io::Error),
    /// The drawings are none.
    #[cfg(all(unix, not(target_os = "macos")))]
    #[error("the drawings: {0}")]
    Drawing(#[from] png::EncodingError),
    /// The system gives no icon.
    #[cfg(not(all(unix, not(target_os = "macos"))))]
    #[error("the icon: {0}")]
    Icon(#[from] tray_icon::Error),
    /// The drawing is no icon.
    #[cfg(not(all(unix, not(target_os = "macos"))))]
    #[error("the drawing: {0}")]
    Drawing(#[from] tray_icon::BadIcon),
}

/// The icon. It lives on the thread of the toolkit.
#[cfg(all(unix, not(target_os = "macos")))]
pub struct Indicator {
    item: libappindicator::AppIndicator,
    folder: std::path::PathBuf,
    /// The item shows it.
    _menu: Menu,
}

#[cfg(all(unix, not(target_os = "macos")))]
impl Indicator {
    /// Shows the icon with its menu. Its drawings are put into `folder`: panels are handed a path.
    ///
    /// # Errors
    /// When the folder can't be written to.
    pub fn show(folder: &Path, menu: Menu, icon: Icon, words: &str) -> Result<Self, Failed> {
        use libappindicator::AppIndicator;
        use tray_icon::menu::ContextMenu as _;
        std::fs::create_dir_all(folder)?;
        for icon in [
            Icon::Capturing,
            Icon::Paused,
            Icon::Offline,
            Icon::Attention,
        ] {
            let drawn = mark::png(icon, SIZE, Ink::Coloured)?;
            std::fs::write(folder.join(file(icon)), drawn)?;
        }
        let mut item = AppIndicator::new("snag", "");
        item.set_icon_theme_path(&folder.to_string_lossy());
        item.set_menu(&mut menu.gtk_context_menu());
        let mut shown = Self {
            item,
            folder: folder.to_owned(),
            _menu: menu,
        };
        shown.say(icon, words)?;
        gtk::glib::MainContext::default().spawn_local(registered());
        Ok(shown)
    }

    /// Shows another state, and says it.
    ///
    /// # Errors
    /// Never.
    pub fn say(&mut self, icon: Icon, words: &str) -> Result<(), Failed> {
        use libappindicator::AppIndicatorStatus;
        let drawing = self.folder.join(file(icon));
        let drawing = drawing.to_string_lossy();
        self.item.set_title(words);
        self.item.set_icon_full(&drawing, words);
        self.item.set_attention_icon_full(&drawing, words);
        self.item.set_status(match icon {
            Icon::Attention => AppIndicatorStatus::Attention,
            Icon::Capturing | Icon::Paused | Icon::Offline => AppIndicatorStatus::Active,
        });
        Ok(())
    }

    /// Shows another menu.
    pub fn set_menu(&mut self, menu: Menu) {
        use tray_icon::menu::ContextMenu as _;
        self.item.set_menu(&mut menu.gtk_context_menu());
        self._menu = menu;
    }
}

/// Sees that the place for icons knows of the item. The library tells it as soon as it finds such a place; where it finds
/// one before it has its own connection to the bus, which happens on a busy computer, it never does.
#[cfg(all(unix, not(target_os = "macos")))]
async fn registered() {
    use gtk::glib::timeout_future;
    for wait in REGISTERED_AFTER {
        timeout_future(wait).await;
        match register().await {
            // That may get lost, too.
            Ok(true) => tracing::info!("the icon was told to its place once more"),
            Ok(false) => {}
            // There is none, or no bus.
            Err(error) => tracing::debug!(%error, "no place for icons answers"),
        }
    }
}

/// Tells the place for icons of the item, where it doesn't know it. Whether it was told.
#[cfg(all(unix, not(target_os = "macos")))]
async fn register() -> Result<bool, gtk::glib::Error> {
    use gtk::gio::{BusType, DBusCallFlags, bus_get_future};
    use gtk::glib::{ToVariant as _, Variant};
    // The one that the library uses, too: the item is an object on it.
    let bus = bus_get_future(BusType::Session).await?;
    let call = |interface: &'static str, method: &'static str, arguments: Variant| {
        bus.call_future(
            Some(WATCHER),
            "/StatusNotifierWatcher",
            interface,
            method,
            Some(&arguments),
            None,
            DBusCallFlags::NO_AUTO_START,
            ANSWER_MS,
        )
    };
    let arguments = (WATCHER, "RegisteredStatusNotifierItems").to_variant();
    let answer = call("org.freedesktop.DBus.Properties", "Get", arguments).await?;
    let items = answer
        .try_child_value(0)
        .and_then(|value| value.as_variant());
    let items: Vec<String> = items.and_then(|items| items.get()).unwrap_or_default();
    let own = bus.unique_name().unwrap_or_default();
    if items.iter().any(|item| item.starts_with(own.as_str())) {
        return Ok(false);
    }
    call(WATCHER, "RegisterStatusNotifierItem", (ITEM,).to_variant()).await?;
    Ok(true)
}

#[cfg(all(unix, not(target_os = "macos")))]
impl Drop for Indicator {
    fn drop(&mut self) {
        self.item
            .set_status(libappindicator::AppIndicatorStatus::Passive);
    }
}

/// The drawing of a state: a name of its own, since panels keep what a path once showed.
#[cfg(all(unix, not(target_os = "macos")))]
fn file(icon: Icon) -> &'static str {
    match icon {
        Icon::Capturing => "snag-capturing.png",
        Icon::Paused => "snag-paused.png",
        Icon::Offline => "snag-offline.png",
        Icon::Attention => "snag-attention.png",
    }
}

/// The icon. It lives on the thread of the toolkit.
#[cfg(not(all(unix, not(target_os = "macos"))))]
pub struct Indicator(tray_icon::TrayIcon);

#[cfg(not(all(unix, not(target_os = "macos"))))]
impl Indicator {
    /// Shows the icon with its menu.
    ///
    /// # Errors
    /// When the system gives none.
    pub fn show(_: &Path, menu: Menu, icon: Icon, words: &str) -> Result<Self, Failed> {
        let shown = tray_icon::TrayIconBuilder::new()
            .with_id("snag")
            .with_icon(drawing(icon)?)
            .with_icon_as_template(cfg!(target_os = "macos"))
            .with_tooltip(words)
            .with_menu(Box::new(menu))
            .build()?;
        Ok(Self(shown))
    }

    /// Shows another state, and says it.
    ///
    /// # Errors
    /// When the system doesn't take it.
    pub fn say(&mut self, icon: Icon, words: &str) -> Result<(), Failed> {
        self.0.set_icon(Some(drawing(icon)?))?;
        self.0.set_tooltip(Some(words))?;
        Ok(())
    }

    /// Shows another menu.
    pub fn set_menu(&mut self, menu: Menu) {
        self.0.set_menu(Some(Box::new(menu)));
    }
}

#[cfg(not(all(unix, not(target_os = "macos"))))]
fn drawing(icon: Icon) -> Result<tray_icon::Icon, tray_icon::BadIcon> {
    let ink = if cfg!(target_os = "macos") {
        Ink::Template
    } else {
        Ink::Coloured
    };
    tray_icon::Icon::from_rgba(mark::draw(icon, SIZE, ink), SIZE, SIZE)
}
