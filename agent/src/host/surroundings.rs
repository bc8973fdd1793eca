//! What goes on around the person: whether something fills the screen, whether notifications are held back.

#[cfg(target_os = "linux")]
use std::time::Duration;

/// Longest time that a question to the desktop may take.
#[cfg(target_os = "linux")]
const DEADLINE: Duration = Duration::from_millis(800);

/// What a desktop says of itself.
pub(super) trait Desktop: Send + Sync {
    /// Whether the window with the focus fills the screen; none where that can't be told.
    fn full_screen(&self) -> impl Future<Output = Option<bool>> + Send;
    /// Whether notifications are held back.
    fn do_not_disturb(&self) -> impl Future<Output = bool> + Send;
}

/// The desktop of this session.
pub(super) struct Session;

#[cfg(target_os = "linux")]
impl Desktop for Session {
    async fn full_screen(&self) -> Option<bool> {
        let asked = tokio::task::spawn_blocking(linux::full_screen);
        tokio::time::timeout(DEADLINE, asked).await.ok()?.ok()?
    }

    async fn do_not_disturb(&self) -> bool {
        // No D-Bus means no notifications, and nothing to hold back.
        // A bus that doesn't answer in time leaves it unknown, which counts against asking.
        let Ok(held_back) = tokio::time::timeout(DEADLINE, linux::held_back()).await else {
            return true;
        };
        held_back.unwrap_or(false)
            || tokio::time::timeout(DEADLINE, linux::gnome_banners_off())
                .await
                .unwrap_or(true)
    }
}

#[cfg(not(target_os = "linux"))]
impl Desktop for Session {
    async fn full_screen(&self) -> Option<bool> {
        None
    }

    async fn do_not_disturb(&self) -> bool {
        // Nobody was asked, which counts against asking.
        true
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use x11rb::connection::Connection;
    use x11rb::protocol::xproto::{AtomEnum, ConnectionExt as _};

    /// The window manager's word (EWMH).
    pub(super) fn full_screen() -> Option<bool> {
        let (connection, number) = x11rb::connect(None).ok()?;
        let root = connection.setup().roots[number].root;
        let atom = |name: &[u8]| Some(connection.intern_atom(false, name).ok()?.reply().ok()?.atom);
        let property = |window, name: &[u8], kind: AtomEnum| {
            let reply = connection
                .get_property(false, window, atom(name)?, kind, 0, 64)
                .ok()?
                .reply()
                .ok()?;
            Some(reply.value32().into_iter().flatten().collect::<Vec<u32>>())
        };
        let active = property(root, b"_NET_ACTIVE_WINDOW", AtomEnum::WINDOW)?;
        let Some(&window) = active.first().filter(|window| **window != 0) else {
            // Nothing has the focus, or no window manager tells: then nothing fills the screen by its word.
            return Some(false);
        };
        let full = atom(b"_NET_WM_STATE_FULLSCREEN")?;
        Some(property(window, b"_NET_WM_STATE", AtomEnum::ATOM)?.contains(&full))
    }

    /// What the notification daemon says: dunst's `paused`, the `Inhibited` of KDE and others.
    pub(super) async fn held_back() -> Option<bool> {
        let bus = zbus::Connection::session().await.ok()?;
        let mut any = None;
        for (interface, property) in [
            ("org.dunstproject.cmd0", "paused"),
            ("org.freedesktop.Notifications", "Inhibited"),
        ] {
            let proxy = zbus::Proxy::new(
                &bus,
                "org.freedesktop.Notifications",
                "/org/freedesktop/Notifications",
                interface,
            )
            .await
            .ok()?;
            if let Ok(held) = proxy.get_property::<bool>(property).await {
                any = Some(any.unwrap_or(false) | held);
            }
        }
        any
    }

    /// GNOME keeps it among its settings, which no interface on the bus tells.
    pub(super) async fn gnome_banners_off() -> bool {
        let gnome = std::env::var("XDG_CURRENT_DESKTOP")
            .is_ok_and(|desktop| desktop.split(':').any(|name| name == "GNOME"));
        if !gnome {
            return false;
        }
        let asked = tokio::process::Command::new("gsettings")
            .args(["get", "org.gnome.desktop.notifications", "show-banners"])
            .kill_on_drop(true)
            .output()
            .await;
        asked.is_ok_and(|output| output.stdout.starts_with(b"false"))
    }
}
