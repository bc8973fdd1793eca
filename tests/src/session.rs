//! What a desktop's session offers to programs over its bus: a place for icons, and notifications.
//!
//! Both are of our own, so that a test can read what is shown and click it without looking at pixels.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use zbus::blocking::Connection;
use zbus::blocking::fdo::DBusProxy;
use zbus::message::Header;
use zbus::names::OwnedUniqueName;
use zbus::zvariant::{OwnedValue, Structure, Value};

use crate::desktop::{Desktop, wait_for, wait_until};

/// A notification as it was asked for.
#[derive(Debug, Clone)]
pub struct Notification {
    /// Its number.
    pub id: u32,
    /// Its first line.
    pub title: String,
    /// The rest.
    pub body: String,
    /// Ids and texts of its buttons, in turn.
    pub actions: Vec<String>,
    /// The connection of who shows it.
    sender: OwnedUniqueName,
}

/// An entry of the icon's menu.
#[derive(Debug, Clone)]
pub struct Entry {
    id: i32,
    /// What it says.
    pub label: String,
    /// Whether it can be clicked.
    pub enabled: bool,
}

#[derive(Default)]
struct Seen {
    /// The icons: the bus name of the program, and the path of the object.
    items: Vec<(String, String)>,
    /// When the last icon came.
    item_at: Option<Instant>,
    notifications: Vec<Notification>,
    /// Registrations of icons that get lost from now on.
    lost: usize,
}

/// The session's services, for as long as this lives.
pub struct Session {
    connection: Connection,
    seen: Arc<Mutex<Seen>>,
}

/// An item of a menu as it is on the bus: its number, its properties, its children.
type Item = (i32, HashMap<String, OwnedValue>, Vec<OwnedValue>);

struct Watcher(Arc<Mutex<Seen>>);

#[zbus::interface(name = "org.kde.StatusNotifierWatcher")]
impl Watcher {
    async fn register_status_notifier_item(
        &mut self,
        service: &str,
        #[zbus(header)] header: Header<'_>,
    ) {
        let sender = header.sender().map(ToString::to_string).unwrap_or_default();
        let item = if service.starts_with('/') {
            (sender, service.to_owned())
        } else {
            (service.to_owned(), "/StatusNotifierItem".to_owned())
        };
        let mut seen = lock(&self.0);
        if seen.lost > 0 {
            seen.lost -= 1;
            return;
        }
        seen.items.push(item);
        seen.item_at = Some(Instant::now());
    }

    async fn register_status_notifier_host(&mut self, _service: &str) {}

    #[zbus(property)]
    async fn registered_status_notifier_items(&self) -> Vec<String> {
        lock(&self.0)
            .items
            .iter()
            .map(|(name, path)| format!("{name}{path}"))
            .collect()
    }

    #[zbus(property)]
    async fn is_status_notifier_host_registered(&self) -> bool {
        true
    }

    #[zbus(property)]
    async fn protocol_version(&self) -> i32 {
        0
    }
}

struct Notifications(Arc<Mutex<Seen>>);

#[zbus::interface(name = "org.freedesktop.Notifications")]
impl Notifications {
    async fn get_capabilities(&self) -> Vec<String> {
        vec!["actions".to_owned(), "body".to_owned()]
    }

    async fn get_server_information(&self) -> (String, String, String, String) {
        let text = |text: &str| text.to_owned();
        (text("test"), text("snag"), text("1"), text("1.2"))
    }

    #[expect(clippy::too_many_arguments, reason = "as the specification has it")]
    async fn notify(
        &mut self,
        _app: &str,
        _replaces: u32,
        _icon: &str,
        title: String,
        body: String,
        actions: Vec<String>,
        _hints: HashMap<String, OwnedValue>,
        _timeout: i32,
        #[zbus(header)] header: Header<'_>,
    ) -> zbus::fdo::Result<u32> {
        let sender = header.sender().ok_or(zbus::Error::MissingField)?;
        let mut seen = lock(&self.0);
        let id = u32::try_from(seen.notifications.len()).unwrap_or_default() + 1;
        seen.notifications.push(Notification {
            id,
            title,
            body,
            actions,
            sender: sender.to_owned().into(),
        });
        Ok(id)
    }

    async fn close_notification(&mut self, _id: u32) {}
}

fn lock(seen: &Mutex<Seen>) -> std::sync::MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The interface of an icon.
const ITEM: &str = "org.kde.StatusNotifierItem";

const NOTIFICATIONS: &str = "/org/freedesktop/Notifications";

/// How long a click is waited for before the next.
const BETWEEN_CLICKS: Duration = Duration::from_millis(200);

impl Session {
    /// Offers both on the desktop's bus.
    ///
    /// # Errors
    /// When the bus doesn't take them.
    pub fn start(desktop: &Desktop) -> Result<Self> {
        let this = Self::with_icons(desktop)?;
        let notifications = Notifications(Arc::clone(&this.seen));
        this.connection
            .object_server()
            .at(NOTIFICATIONS, notifications)?;
        this.connection
            .request_name("org.freedesktop.Notifications")?;
        Ok(this)
    }

    /// Offers a place for icons alone: another program shows notifications, or none does.
    ///
    /// # Errors
    /// When the bus doesn't take it.
    pub fn with_icons(desktop: &Desktop) -> Result<Self> {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let connection = zbus::blocking::connection::Builder::address(desktop.bus_address())?
            .serve_at("/StatusNotifierWatcher", Watcher(Arc::clone(&seen)))?
            .name("org.kde.StatusNotifierWatcher")?
            .build()?;
        Ok(Self { connection, seen })
    }

    /// Loses the next icon that is told, as a busy session may.
    pub fn lose_an_icon(&self) {
        lock(&self.seen).lost += 1;
    }

    /// How many icons were told so far, and didn't get lost.
    #[must_use]
    pub fn icons(&self) -> usize {
        lock(&self.seen).items.len()
    }

    /// When the last icon came, if that was after this moment.
    #[must_use]
    pub fn icon_since(&self, moment: Instant) -> Option<Instant> {
        lock(&self.seen).item_at.filter(|at| *at > moment)
    }

    /// The notifications so far.
    #[must_use]
    pub fn notifications(&self) -> Vec<Notification> {
        lock(&self.seen).notifications.clone()
    }

    /// Waits for a notification.
    #[must_use]
    pub fn notification(&self, what: &str, is: impl Fn(&Notification) -> bool) -> Notification {
        wait_for(what, || self.notifications().into_iter().find(&is))
    }

    /// Clicks a button of a notification.
    ///
    /// # Errors
    /// When the bus is gone.
    pub fn answer(&self, notification: &Notification, action: &str) -> Result<()> {
        let bus = DBusProxy::new(&self.connection)?;
        // Who shows a notification begins to listen after it is shown, hears one click, and leaves the bus then.
        wait_until("who shows the notification hears the click", || {
            let clicked = self.connection.emit_signal(
                None::<&str>,
                NOTIFICATIONS,
                "org.freedesktop.Notifications",
                "ActionInvoked",
                &(notification.id, action),
            );
            std::thread::sleep(BETWEEN_CLICKS);
            let is_there = bus.name_has_owner(notification.sender.inner().clone().into());
            clicked.is_ok() && is_there.is_ok_and(|is_there| !is_there)
        });
        Ok(())
    }

    /// Waits until the icon's menu has an entry that says this.
    pub fn menu_says(&self, label: &str) {
        wait_until(label, || {
            self.menu()
                .is_ok_and(|menu| menu.iter().any(|entry| entry.label == label))
        });
    }

    /// The entries of the icon's menu, those of its sub-menus included.
    ///
    /// # Errors
    /// When the app shows no icon.
    pub fn menu(&self) -> Result<Vec<Entry>> {
        let (name, path) = self.menu_place()?;
        let none: Vec<&str> = Vec::new();
        let answer = self.connection.call_method(
            Some(name.as_str()),
            path.as_str(),
            Some("com.canonical.dbusmenu"),
            "GetLayout",
            &(0_i32, -1_i32, none),
        )?;
        let body = answer.body();
        let (_, root): (u32, Item) = body.deserialize()?;
        let mut entries = Vec::new();
        let mut waiting: Vec<OwnedValue> = root.2;
        while let Some(next) = waiting.pop() {
            let item: Structure<'_> = next.try_into()?;
            let (id, fields, children): Item = item.try_into()?;
            let text = |value: &OwnedValue| match &**value {
                Value::Str(text) => Some(text.to_string()),
                _ => None,
            };
            entries.push(Entry {
                id,
                label: fields.get("label").and_then(text).unwrap_or_default(),
                enabled: !matches!(
                    fields.get("enabled").map(|v| &**v),
                    Some(Value::Bool(false))
                ),
            });
            waiting.extend(children);
        }
        Ok(entries)
    }

    /// Clicks an entry of the icon's menu.
    ///
    /// # Errors
    /// When there is none that says this.
    pub fn choose(&self, label: &str) -> Result<()> {
        let entry = wait_for(label, || {
            self.menu()
                .ok()?
                .into_iter()
                .find(|entry| entry.label == label && entry.enabled)
        });
        let (name, path) = self.menu_place()?;
        self.connection.call_method(
            Some(name.as_str()),
            path.as_str(),
            Some("com.canonical.dbusmenu"),
            "Event",
            &(entry.id, "clicked", Value::from(0_i32), 0_u32),
        )?;
        Ok(())
    }

    /// The file that the icon shows just now.
    ///
    /// # Errors
    /// When the app shows no icon.
    pub fn icon(&self) -> Result<PathBuf> {
        self.icon_says("IconName").map(PathBuf::from)
    }

    /// A text that the icon says of itself: `Title`, `Status`, `IconAccessibleDesc`.
    ///
    /// # Errors
    /// When the app shows no icon.
    pub fn icon_says(&self, property: &str) -> Result<String> {
        let (_, value) = self.of_icon(property)?;
        match &*value {
            Value::Str(text) => Ok(text.to_string()),
            other => anyhow::bail!("{property} of the icon is {other:?}"),
        }
    }

    /// Clicks the icon itself; whether it does something by itself. Where it doesn't, panels open its menu.
    ///
    /// # Errors
    /// When the app shows no icon.
    pub fn click_icon(&self) -> Result<bool> {
        let (service, path) = self.last_icon();
        let answer = self.connection.call_method(
            Some(service.as_str()),
            path.as_str(),
            Some(ITEM),
            "Activate",
            &(20_i32, 20_i32),
        );
        match answer {
            Ok(_) => Ok(true),
            Err(zbus::Error::MethodError(name, ..))
                if name == "org.freedesktop.DBus.Error.UnknownMethod" =>
            {
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Where the last icon's menu is.
    fn menu_place(&self) -> Result<(String, String)> {
        let (service, value) = self.of_icon("Menu")?;
        match &*value {
            Value::ObjectPath(path) => Ok((service, path.to_string())),
            other => anyhow::bail!("the icon's menu is at {other:?}"),
        }
    }

    fn last_icon(&self) -> (String, String) {
        wait_for("the icon", || lock(&self.seen).items.last().cloned())
    }

    /// The service of the last icon, and what the icon says of itself.
    fn of_icon(&self, property: &str) -> Result<(String, OwnedValue)> {
        let (service, path) = self.last_icon();
        let answer = self.connection.call_method(
            Some(service.as_str()),
            path.as_str(),
            Some("org.freedesktop.DBus.Properties"),
            "Get",
            &(ITEM, property),
        )?;
        Ok((service, answer.body().deserialize()?))
    }
}
