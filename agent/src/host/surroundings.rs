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
    /// Whether a notification wouldn't be seen: they are held back, or nothing here shows them.
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
        // A bus that doesn't answer in time leaves it unknown, which counts against asking.
        // Each has its own time, which begins with the question.
        tokio::time::timeout(DEADLINE, linux::held_back())
            .await
            .unwrap_or(true)
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

    const DAEMON: &str = "org.freedesktop.Notifications";
    const PATH: &str = "/org/freedesktop/Notifications";

    /// What the notification daemon says: dunst's `paused`, the `Inhibited` of KDE and others. Where there is none, a
    /// question would be seen by nobody, and still be the one of this hour.
    pub(super) async fn held_back() -> bool {
        asked_daemon().await.unwrap_or(true)
    }

    async fn asked_daemon() -> zbus::Result<bool> {
        let bus = zbus::Connection::session().await?;
        let daemon = zbus::Proxy::new(&bus, DAEMON, PATH, DAEMON).await?;
        let _: Vec<String> = daemon.call("GetCapabilities", &()).await?;
        for (interface, property) in [("org.dunstproject.cmd0", "paused"), (DAEMON, "Inhibited")] {
            let about = zbus::Proxy::new(&bus, DAEMON, PATH, interface).await?;
            // Most daemons have one of them at most.
            if let Ok(true) = about.get_property::<bool>(property).await {
                return Ok(true);
            }
        }
        Ok(false)
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
