//! What goes on around the person: whether something fills the screen, whether notifications are held back.

#[cfg(target_os = "linux")]
use std::time::Duration;

/// Longest time that a question to the desktop may take. Nobody waits for it, and on a busy computer each answer takes its
/// time: one that is given up counts against asking.
#[cfg(target_os = "linux")]
const DEADLINE: Duration = Duration::from_secs(5);

/// What a desktop says of itself.
pub(super) trait Desktop: Send + Sync {
    /// Whether a window that can be seen fills a screen, with the focus or without; none where that can't be told.
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

/// A window that is shown on the current desktop, in pixels of the whole screen.
#[cfg(any(target_os = "linux", test))]
#[derive(Debug, Clone, Copy)]
struct Frame {
    left: i64,
    top: i64,
    width: i64,
    height: i64,
    is_full: bool,
    is_active: bool,
}

#[cfg(any(target_os = "linux", test))]
impl Frame {
    /// How much of this one is under the other, in pixels.
    fn covered_by(&self, other: &Self) -> i64 {
        let overlap = |at: i64, length: i64, other_at: i64, other_length: i64| {
            ((at + length).min(other_at + other_length) - at.max(other_at)).max(0)
        };
        overlap(self.left, self.width, other.left, other.width)
            * overlap(self.top, self.height, other.top, other.height)
    }
}

/// Whether one of these windows, the lowest first, fills a screen and is seen: it has the focus, or no window above it
/// covers half of it. What somebody left for another window is not what they present.
#[cfg(any(target_os = "linux", test))]
fn seen_full_screen(windows: &[Frame]) -> bool {
    windows.iter().enumerate().any(|(at, window)| {
        let half = window.width * window.height / 2;
        let above = &windows[at + 1..];
        window.is_full
            && (window.is_active || above.iter().all(|one| window.covered_by(one) <= half))
    })
}

#[cfg(target_os = "linux")]
mod linux {
    use x11rb::connection::Connection as _;
    use x11rb::protocol::xproto::{Atom, AtomEnum, ConnectionExt as _, Window};
    use x11rb::rust_connection::RustConnection;

    use super::{Frame, seen_full_screen};

    /// Most windows that are asked about: the upper ones, which are those that can be seen.
    const WINDOWS_MAX: usize = 64;

    /// `_NET_WM_DESKTOP` of a window that is on each of them.
    const ALL_DESKTOPS: u32 = u32::MAX;

    /// The window manager's word (EWMH). Whoever presents on one monitor may type on another, so that all windows
    /// count that can be seen. Each question goes out for all of them at once.
    pub(super) fn full_screen() -> Option<bool> {
        let (connection, number) = x11rb::connect(None).ok()?;
        let root = connection.setup().roots[number].root;
        let desktop = Ewmh::of(&connection)?;
        let one =
            |name, kind| property(&connection, root, name, kind).map(|list| list.first().copied());
        let active = one(desktop.active, AtomEnum::WINDOW)?.filter(|window| *window != 0);
        let current = one(desktop.current, AtomEnum::CARDINAL)?;
        // Nothing has the focus, or no window manager tells: then nothing fills the screen by its word.
        let mut windows = property(&connection, root, desktop.stacking, AtomEnum::WINDOW)?;
        windows.drain(..windows.len().saturating_sub(WINDOWS_MAX));
        if let Some(active) = active.filter(|active| !windows.contains(active)) {
            windows.push(active);
        }
        let asked: Vec<_> = windows
            .iter()
            .map(|window| desktop.ask(&connection, root, *window))
            .collect::<Option<_>>()?;
        let frames: Vec<Frame> = asked
            .into_iter()
            .zip(&windows)
            // A window that is gone by now is not seen.
            .filter_map(|(asked, window)| {
                let mut frame = asked(&desktop, current)?;
                frame.is_active = active == Some(*window);
                Some(frame)
            })
            .collect();
        Some(seen_full_screen(&frames))
    }

    struct Ewmh {
        active: Atom,
        current: Atom,
        stacking: Atom,
        of_window: Atom,
        state: Atom,
        full: Atom,
        hidden: Atom,
    }

    impl Ewmh {
        fn of(connection: &RustConnection) -> Option<Self> {
            let asked = [
                "_NET_ACTIVE_WINDOW",
                "_NET_CURRENT_DESKTOP",
                "_NET_CLIENT_LIST_STACKING",
                "_NET_WM_DESKTOP",
                "_NET_WM_STATE",
                "_NET_WM_STATE_FULLSCREEN",
                "_NET_WM_STATE_HIDDEN",
            ]
            .map(|name| connection.intern_atom(false, name.as_bytes()).ok());
            let mut atoms = asked
                .into_iter()
                .map(|asked| Some(asked?.reply().ok()?.atom));
            let mut next = || atoms.next().flatten();
            Some(Self {
                active: next()?,
                current: next()?,
                stacking: next()?,
                of_window: next()?,
                state: next()?,
                full: next()?,
                hidden: next()?,
            })
        }

        /// Asks about a window; what comes back reads the answers.
        fn ask<'c>(
            &self,
            connection: &'c RustConnection,
            root: Window,
            window: Window,
        ) -> Option<impl FnOnce(&Self, Option<u32>) -> Option<Frame> + use<'c>> {
            let ask = |name, kind: AtomEnum| {
                connection
                    .get_property(false, window, name, kind, 0, 64)
                    .ok()
            };
            let state = ask(self.state, AtomEnum::ATOM)?;
            let on = ask(self.of_window, AtomEnum::CARDINAL)?;
            let size = connection.get_geometry(window).ok()?;
            let place = connection.translate_coordinates(window, root, 0, 0).ok()?;
            Some(move |names: &Self, current: Option<u32>| {
                let state = state.reply().ok()?;
                let state: Vec<Atom> = state.value32().into_iter().flatten().collect();
                let on = on.reply().ok()?.value32().and_then(|mut on| on.next());
                let (size, place) = (size.reply().ok()?, place.reply().ok()?);
                let elsewhere = match (on, current) {
                    (Some(on), Some(current)) => on != current && on != ALL_DESKTOPS,
                    _ => false,
                };
                (!elsewhere && !state.contains(&names.hidden)).then(|| Frame {
                    left: place.dst_x.into(),
                    top: place.dst_y.into(),
                    width: size.width.into(),
                    height: size.height.into(),
                    is_full: state.contains(&names.full),
                    is_active: false,
                })
            })
        }
    }

    fn property(
        connection: &RustConnection,
        window: Window,
        name: Atom,
        kind: AtomEnum,
    ) -> Option<Vec<u32>> {
        let asked = connection.get_property(false, window, name, kind, 0, 4_096);
        let reply = asked.ok()?.reply().ok()?;
        Some(reply.value32().into_iter().flatten().collect())
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

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: Frame = Frame {
        left: 0,
        top: 0,
        width: 1_920,
        height: 1_080,
        is_full: true,
        is_active: false,
    };
    const NOTES: Frame = Frame {
        left: 200,
        top: 200,
        width: 800,
        height: 600,
        is_full: false,
        is_active: true,
    };

    #[test]
    fn a_presentation_counts_on_another_monitor_and_behind_a_small_window() {
        let elsewhere = Frame {
            left: 1_920,
            ..NOTES
        };
        assert!(seen_full_screen(&[FULL, elsewhere]));
        assert!(seen_full_screen(&[FULL, NOTES]));
        assert!(seen_full_screen(&[NOTES, FULL]));
    }

    #[test]
    fn what_was_left_for_another_window_does_not() {
        let maximised = Frame {
            top: 30,
            height: 1_050,
            is_full: false,
            is_active: true,
            ..FULL
        };
        assert!(!seen_full_screen(&[FULL, maximised]));
        assert!(!seen_full_screen(&[NOTES, maximised]));
        assert!(!seen_full_screen(&[]));
        // By the window manager's word this one has the focus, whatever is above it.
        let focused = Frame {
            is_active: true,
            ..FULL
        };
        assert!(seen_full_screen(&[focused, maximised]));
    }
}
