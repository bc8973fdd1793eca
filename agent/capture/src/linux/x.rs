//! What the X server knows: which window has the focus, its title, what lies under a point, what was redrawn.

use std::error::Error;

use x11rb::connection::{Connection, RequestConnection};
use x11rb::protocol::Event;
use x11rb::protocol::damage::{self, ConnectionExt as _};
use x11rb::protocol::record::ConnectionExt as _;
use x11rb::protocol::res::ConnectionExt as _;
use x11rb::protocol::xfixes::{self, ConnectionExt as _};
use x11rb::protocol::xproto::{
    Atom, AtomEnum, ChangeWindowAttributesAux, ConnectionExt as _, EventMask, Window,
};
use x11rb::rust_connection::RustConnection;

use super::area::Area;

x11rb::atom_manager! {
    /// The atoms that we ask for.
    pub(crate) Atoms: AtomsCookie {
        _NET_ACTIVE_WINDOW,
        _NET_WM_NAME,
        _NET_WM_PID,
        _NET_SUPPORTING_WM_CHECK,
        UTF8_STRING,
        WM_STATE,
    }
}

pub(crate) type XError = Box<dyn Error + Send + Sync>;

/// The longest title read (in units of 4 bytes, as X counts).
const TITLE_LENGTH: u32 = 256;
/// How deep windows may nest between the root and a program's own window.
const MAX_DEPTH: usize = 8;
/// How deep a window may lie in its frame.
const FRAME_DEPTH: usize = 4;
/// Windows of a frame that are looked at on one level: borders, buttons, the window itself.
const FRAME_WINDOWS_MAX: usize = 64;

pub(crate) struct X {
    pub(crate) connection: RustConnection,
    pub(crate) root: Window,
    pub(crate) atoms: Atoms,
    damage: bool,
}

/// The program's window under a point.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WindowAt {
    pub(crate) window: Window,
    pub(crate) pid: Option<u32>,
    /// The window manager has nothing to do with it: a menu, a list that dropped down.
    pub(crate) popup: bool,
    /// On the screen.
    pub(crate) area: Area,
}

impl X {
    pub(crate) fn connect() -> Result<Self, XError> {
        let (connection, screen) = x11rb::connect(None)?;
        let root = connection.setup().roots[screen].root;
        let atoms = Atoms::new(&connection)?.reply()?;
        let damage = connection
            .extension_information(damage::X11_EXTENSION_NAME)?
            .is_some()
            && connection
                .extension_information(xfixes::X11_EXTENSION_NAME)?
                .is_some()
            && connection.damage_query_version(1, 1)?.reply().is_ok()
            && connection.xfixes_query_version(5, 0)?.reply().is_ok();
        Ok(Self {
            connection,
            root,
            atoms,
            damage,
        })
    }

    /// Asks to be told of a window's property changes; a window that is gone already is no error.
    pub(crate) fn watch(&self, window: Window) -> Result<(), XError> {
        let aux = ChangeWindowAttributesAux::new().event_mask(EventMask::PROPERTY_CHANGE);
        ignore_gone(
            self.connection
                .change_window_attributes(window, &aux)?
                .check(),
        )
    }

    /// Stops being told of a window's property changes.
    pub(crate) fn unwatch(&self, window: Window) -> Result<(), XError> {
        let aux = ChangeWindowAttributesAux::new().event_mask(EventMask::NO_EVENT);
        ignore_gone(
            self.connection
                .change_window_attributes(window, &aux)?
                .check(),
        )
    }

    /// Whether a window manager says which window is active.
    pub(crate) fn has_window_manager(&self) -> Result<bool, XError> {
        Ok(self
            .number(self.root, self.atoms._NET_SUPPORTING_WM_CHECK)?
            .is_some())
    }

    /// The active window as the window manager says it; without one, the top-level window with the keyboard focus.
    pub(crate) fn active_window(&self) -> Result<Option<Window>, XError> {
        if let Some(window) = self.number(self.root, self.atoms._NET_ACTIVE_WINDOW)? {
            return Ok(Some(window).filter(|window| *window != x11rb::NONE));
        }
        let focus = self.connection.get_input_focus()?.reply()?.focus;
        // 0 and 1 are None and PointerRoot.
        if focus <= 1 || focus == self.root {
            return Ok(None);
        }
        let mut window = focus;
        for _ in 0..MAX_DEPTH {
            let Ok(tree) = self.connection.query_tree(window)?.reply() else {
                return Ok(None);
            };
            if tree.parent == self.root || tree.parent == x11rb::NONE {
                break;
            }
            window = tree.parent;
        }
        Ok(Some(window))
    }

    pub(crate) fn title(&self, window: Window) -> Result<String, XError> {
        match self.text(window, self.atoms._NET_WM_NAME, self.atoms.UTF8_STRING)? {
            Some(title) => Ok(title),
            None => Ok(self
                .text(window, AtomEnum::WM_NAME.into(), AtomEnum::ANY.into())?
                .unwrap_or_default()),
        }
    }

    /// The class of a window, which names its program.
    pub(crate) fn class(&self, window: Window) -> Result<String, XError> {
        let both = self
            .text(window, AtomEnum::WM_CLASS.into(), AtomEnum::STRING.into())?
            .unwrap_or_default();
        Ok(both
            .split('\0')
            .rfind(|part| !part.is_empty())
            .unwrap_or_default()
            .to_owned())
    }

    pub(crate) fn pid(&self, window: Window) -> Result<Option<u32>, XError> {
        self.number(window, self.atoms._NET_WM_PID)
    }

    /// Where the pointer is.
    pub(crate) fn pointer(&self) -> Result<(f64, f64), XError> {
        let reply = self.connection.query_pointer(self.root)?.reply()?;
        Ok((f64::from(reply.root_x), f64::from(reply.root_y)))
    }

    /// The program's window under a point of the screen: the outermost one there that a window manager manages or that
    /// names its process.
    pub(crate) fn window_at(&self, x: i16, y: i16) -> Result<Option<WindowAt>, XError> {
        let mut current = self.root;
        for _ in 0..MAX_DEPTH {
            let child = self
                .connection
                .translate_coordinates(self.root, current, x, y)?
                .reply()?
                .child;
            if child == x11rb::NONE {
                return Ok(None);
            }
            current = child;
            let pid = self.pid(current)?;
            let managed = self.number(current, self.atoms.WM_STATE)?.is_some();
            if managed || pid.is_some() {
                let size = self.connection.get_geometry(current)?.reply()?;
                let origin = self
                    .connection
                    .translate_coordinates(current, self.root, 0, 0)?
                    .reply()?;
                let area = Area {
                    x: i32::from(origin.dst_x),
                    y: i32::from(origin.dst_y),
                    width: i32::from(size.width),
                    height: i32::from(size.height),
                };
                let attributes = self.connection.get_window_attributes(current)?.reply()?;
                return Ok(Some(WindowAt {
                    popup: attributes.override_redirect,
                    window: current,
                    pid,
                    area,
                }));
            }
        }
        Ok(None)
    }

    /// The outermost window at a point of the screen: a window manager's frame, a menu, a window without a frame.
    pub(crate) fn outermost_at(&self, x: i16, y: i16) -> Result<Option<Window>, XError> {
        let child = self
            .connection
            .translate_coordinates(self.root, self.root, x, y)?
            .reply()?
            .child;
        Ok(Some(child).filter(|child| *child != x11rb::NONE))
    }

    /// The process of the window in a frame, or of the frame itself where nothing in it is a program's.
    pub(crate) fn owner(&self, outermost: Window) -> Result<Option<u32>, XError> {
        let mut level = vec![outermost];
        for _ in 0..FRAME_DEPTH {
            let mut below = Vec::new();
            for window in level {
                if self.number(window, self.atoms.WM_STATE)?.is_some() {
                    return self.pid(window);
                }
                // One that is gone by now has nothing in it.
                if let Ok(tree) = self.connection.query_tree(window)?.reply() {
                    below.extend(tree.children);
                }
            }
            below.truncate(FRAME_WINDOWS_MAX);
            level = below;
        }
        self.pid(outermost)
    }

    /// Begins to note what is redrawn in a window; none where the server cannot.
    pub(crate) fn note_damage(&self, window: Window) -> Option<Damage> {
        if !self.damage {
            return None;
        }
        let damage = self.connection.generate_id().ok()?;
        let region = self.connection.generate_id().ok()?;
        self.connection
            .damage_create(damage, window, damage::ReportLevel::NON_EMPTY)
            .ok()?
            .check()
            .ok()?;
        self.connection
            .xfixes_create_region(region, &[])
            .ok()?
            .check()
            .ok()?;
        Some(Damage { damage, region })
    }

    /// The areas redrawn since the last look, relative to the window.
    pub(crate) fn look(&self, noted: &Damage) -> Result<Vec<Area>, XError> {
        // This connection is only asked: what it is told on the way is not needed.
        while self.connection.poll_for_event()?.is_some() {}
        self.connection
            .damage_subtract(noted.damage, x11rb::NONE, noted.region)?;
        let reply = self.connection.xfixes_fetch_region(noted.region)?.reply()?;
        Ok(reply
            .rectangles
            .iter()
            .map(|area| Area {
                x: i32::from(area.x),
                y: i32::from(area.y),
                width: i32::from(area.width),
                height: i32::from(area.height),
            })
            .collect())
    }

    /// Stops noting. A window that is gone took its notes along; the error that this then causes is an event nobody
    /// reads.
    pub(crate) fn forget(&self, noted: &Damage) {
        let _ = self.connection.damage_destroy(noted.damage);
        let _ = self.connection.xfixes_destroy_region(noted.region);
        let _ = self.connection.flush();
    }

    pub(crate) fn next_event(&self) -> Result<Option<Event>, XError> {
        Ok(self.connection.poll_for_event()?)
    }

    fn number(&self, window: Window, property: Atom) -> Result<Option<u32>, XError> {
        match self
            .connection
            .get_property(false, window, property, AtomEnum::ANY, 0, 1)?
            .reply()
        {
            Ok(reply) => Ok(reply.value32().and_then(|mut values| values.next())),
            Err(error) => ignore_gone(Err(error)).map(|()| None),
        }
    }

    fn text(&self, window: Window, property: Atom, kind: Atom) -> Result<Option<String>, XError> {
        match self
            .connection
            .get_property(false, window, property, kind, 0, TITLE_LENGTH)?
            .reply()
        {
            Ok(reply) if reply.value.is_empty() => Ok(None),
            Ok(reply) => Ok(Some(String::from_utf8_lossy(&reply.value).into_owned())),
            Err(error) => ignore_gone(Err(error)).map(|()| None),
        }
    }
}

/// Notes of what is redrawn in one window.
pub(crate) struct Damage {
    damage: u32,
    region: u32,
}

/// A window that is gone is ordinary; a server that is gone is an error.
fn ignore_gone(result: Result<(), x11rb::errors::ReplyError>) -> Result<(), XError> {
    match result {
        Ok(()) | Err(x11rb::errors::ReplyError::X11Error(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Tells whether somebody new records the input of this server, which is how rdev listens. Looks who does now, and
/// compares.
pub(crate) fn recording_probe() -> Option<Box<dyn FnMut() -> bool>> {
    let x = X::connect().ok()?;
    x.connection.res_query_version(1, 2).ok()?.reply().ok()?;
    x.connection
        .record_query_version(1, 13)
        .ok()?
        .reply()
        .ok()?;
    let before = recorders(&x)?;
    Some(Box::new(move || {
        recorders(&x).is_some_and(|now| now.iter().any(|client| !before.contains(client)))
    }))
}

/// Resource ids that a client's first requests can have taken.
const FIRST_IDS: u32 = 32;

/// The clients (by their first resource id) that have an enabled RECORD context.
fn recorders(x: &X) -> Option<Vec<u32>> {
    let clients = x.connection.res_query_clients().ok()?.reply().ok()?.clients;
    let mut recorders = Vec::new();
    for client in clients {
        let base = client.resource_base;
        let cookie = x.connection.res_query_client_resources(base).ok()?;
        let Ok(reply) = cookie.reply() else { continue };
        let mut records = false;
        for kind in reply.types {
            let cookie = x.connection.get_atom_name(kind.resource_type).ok()?;
            let name = cookie.reply().ok()?.name.to_ascii_lowercase();
            records |= name.windows(6).any(|part| part == b"record");
        }
        let enabled = |id| {
            let cookie = x.connection.record_get_context(id).ok()?;
            Some(cookie.reply().ok()?.enabled)
        };
        if records && (base..base + FIRST_IDS).any(|id| enabled(id).unwrap_or(false)) {
            recorders.push(base);
        }
    }
    Some(recorders)
}
