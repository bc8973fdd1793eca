//! What this desktop offers: a display, a place for icons, notifications.

/// Why no window can be shown here, in a sentence. Asked before anything graphical starts, which would panic.
///
/// # Errors
/// The sentence.
#[cfg(all(unix, not(target_os = "macos")))]
pub fn display() -> Result<(), String> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    if let (Some(socket), Some(folder)) = (set("WAYLAND_DISPLAY"), set("XDG_RUNTIME_DIR")) {
        let path = std::path::Path::new(&folder).join(socket);
        if std::os::unix::net::UnixStream::connect(path).is_ok() {
            return Ok(());
        }
    }
    let Some(named) = set("DISPLAY") else {
        return Err(
            "There is no display here (DISPLAY isn't set), so Snag can't show its icon or its windows. \
             Nothing was started; what is kept is safe. Start Snag from a desktop."
                .to_owned(),
        );
    };
    x11rb::connect(None).map(drop).map_err(|error| {
        format!(
            "The display {} can't be reached ({error}), so Snag can't show its icon or its windows. \
             Nothing was started; what is kept is safe. Start Snag from a desktop.",
            named.to_string_lossy()
        )
    })
}

/// Elsewhere there is always one.
///
/// # Errors
/// Never.
#[cfg(not(all(unix, not(target_os = "macos"))))]
pub fn display() -> Result<(), String> {
    Ok(())
}

/// Whether something here shows icons of programs. May take as long as the session bus does.
#[cfg(all(unix, not(target_os = "macos")))]
#[must_use]
pub fn has_tray() -> bool {
    watcher_of_icons().unwrap_or(false) || tray_of_x11().unwrap_or(false)
}

/// Elsewhere it is part of the system.
#[cfg(not(all(unix, not(target_os = "macos"))))]
#[must_use]
pub fn has_tray() -> bool {
    true
}

#[cfg(all(unix, not(target_os = "macos")))]
fn watcher_of_icons() -> zbus::Result<bool> {
    let bus = zbus::blocking::Connection::session()?;
    let answer = bus.call_method(
        Some("org.freedesktop.DBus"),
        "/org/freedesktop/DBus",
        Some("org.freedesktop.DBus"),
        "NameHasOwner",
        &"org.kde.StatusNotifierWatcher",
    )?;
    answer.body().deserialize()
}

#[cfg(all(unix, not(target_os = "macos")))]
fn tray_of_x11() -> Option<bool> {
    use x11rb::protocol::xproto::ConnectionExt as _;
    let (connection, screen) = x11rb::connect(None).ok()?;
    let name = format!("_NET_SYSTEM_TRAY_S{screen}");
    let atom = connection
        .intern_atom(false, name.as_bytes())
        .ok()?
        .reply()
        .ok()?
        .atom;
    let owner = connection.get_selection_owner(atom).ok()?.reply().ok()?;
    Some(owner.owner != x11rb::NONE)
}

/// Whether something here shows notifications.
#[cfg(all(unix, not(target_os = "macos")))]
#[must_use]
pub fn has_notifications() -> bool {
    notify_rust::get_server_information().is_ok()
}

/// Elsewhere it is part of the system.
#[cfg(not(all(unix, not(target_os = "macos"))))]
#[must_use]
pub fn has_notifications() -> bool {
    true
}
