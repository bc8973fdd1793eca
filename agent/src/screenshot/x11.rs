//! Pictures under X11.
//!
//! A screen is read from the root window, so that menus and dialogs are on it. A window is read from the pixmap that a
//! compositor keeps of it, where one does; else from the window itself, and what covers it is missing there.

use snag_wire::Size;
use x11rb::connection::Connection;
use x11rb::protocol::composite::ConnectionExt as _;
use x11rb::protocol::randr::ConnectionExt as _;
use x11rb::protocol::xproto::{
    AtomEnum, ConnectionExt as _, Drawable, ImageFormat, ImageOrder, MapState, Window,
};
use x11rb::rust_connection::RustConnection;

use super::{Picture, PictureSource, ScreenshotError, Shot};
use snag_capture::OwnProcesses;

/// Windows that are offered at most.
const WINDOWS_MAX: usize = 40;

struct X<'a> {
    own: &'a OwnProcesses,
    connection: RustConnection,
    root: Window,
    size: Size,
    depth: u8,
}

/// A monitor and where it is on the root window.
struct Monitor {
    name: String,
    x: i16,
    y: i16,
    size: Size,
}

fn display(error: impl std::fmt::Display) -> ScreenshotError {
    ScreenshotError::Display(error.to_string())
}

impl<'a> X<'a> {
    fn connect(own: &'a OwnProcesses) -> Result<Self, ScreenshotError> {
        if std::env::var_os("DISPLAY").is_none_or(|value| value.is_empty()) {
            return Err(ScreenshotError::NoDisplay);
        }
        let (connection, number) = x11rb::connect(None).map_err(display)?;
        let screen = &connection.setup().roots[number];
        Ok(Self {
            own,
            root: screen.root,
            size: Size {
                width: screen.width_in_pixels.into(),
                height: screen.height_in_pixels.into(),
            },
            depth: screen.root_depth,
            connection,
        })
    }

    /// The monitors; the whole root window where the server tells of none.
    fn monitors(&self) -> Vec<Monitor> {
        let told = self
            .connection
            .randr_get_monitors(self.root, true)
            .ok()
            .and_then(|cookie| cookie.reply().ok())
            .map(|reply| reply.monitors)
            .unwrap_or_default();
        let mut monitors: Vec<Monitor> = told
            .into_iter()
            .filter(|monitor| monitor.width > 0 && monitor.height > 0)
            .map(|monitor| Monitor {
                name: self.atom_name(monitor.name).unwrap_or_default(),
                x: monitor.x,
                y: monitor.y,
                size: Size {
                    width: monitor.width.into(),
                    height: monitor.height.into(),
                },
            })
            .collect();
        if monitors.is_empty() {
            monitors.push(Monitor {
                name: String::new(),
                x: 0,
                y: 0,
                size: self.root_size(),
            });
        }
        monitors
    }

    /// The root window's size now: the one of the connection's start may be old.
    fn root_size(&self) -> Size {
        self.connection
            .get_geometry(self.root)
            .ok()
            .and_then(|cookie| cookie.reply().ok())
            .map_or(self.size, |geometry| Size {
                width: geometry.width.into(),
                height: geometry.height.into(),
            })
    }

    fn atom_name(&self, atom: u32) -> Option<String> {
        let name = self.connection.get_atom_name(atom).ok()?.reply().ok()?.name;
        String::from_utf8(name).ok()
    }

    fn property(&self, window: Window, name: &str, kind: AtomEnum) -> Option<Vec<u32>> {
        let atom = self
            .connection
            .intern_atom(true, name.as_bytes())
            .ok()?
            .reply()
            .ok()?
            .atom;
        let reply = self
            .connection
            .get_property(false, window, atom, kind, 0, 4_096)
            .ok()?
            .reply()
            .ok()?;
        Some(reply.value32()?.collect())
    }

    /// Windows of other programs, the topmost first, with their program's name and size.
    fn windows(&self) -> Vec<(Window, String, Size)> {
        let list = self
            .property(self.root, "_NET_CLIENT_LIST_STACKING", AtomEnum::WINDOW)
            .or_else(|| self.property(self.root, "_NET_CLIENT_LIST", AtomEnum::WINDOW))
            .unwrap_or_default();
        list.into_iter()
            .rev()
            .filter(|window| !self.is_own(*window))
            .filter_map(|window| {
                let attributes = self
                    .connection
                    .get_window_attributes(window)
                    .ok()?
                    .reply()
                    .ok()?;
                if attributes.map_state != MapState::VIEWABLE {
                    return None;
                }
                let geometry = self.connection.get_geometry(window).ok()?.reply().ok()?;
                let size = Size {
                    width: geometry.width.into(),
                    height: geometry.height.into(),
                };
                Some((window, self.program(window), size))
            })
            .take(WINDOWS_MAX)
            .collect()
    }

    fn is_own(&self, window: Window) -> bool {
        self.property(window, "_NET_WM_PID", AtomEnum::CARDINAL)
            .is_some_and(|pid| pid.first().is_some_and(|pid| self.own.contains(*pid)))
    }

    /// The program's name as it gives it; never the title.
    fn program(&self, window: Window) -> String {
        let class = self
            .connection
            .get_property(false, window, AtomEnum::WM_CLASS, AtomEnum::STRING, 0, 256)
            .ok()
            .and_then(|cookie| cookie.reply().ok())
            .map(|reply| reply.value)
            .unwrap_or_default();
        class
            .split(|byte| *byte == 0)
            .rfind(|part| !part.is_empty())
            .map(|name| String::from_utf8_lossy(name).chars().take(64).collect())
            .unwrap_or_default()
    }

    fn active(&self) -> Option<Window> {
        self.property(self.root, "_NET_ACTIVE_WINDOW", AtomEnum::WINDOW)?
            .first()
            .copied()
            .filter(|window| *window != 0)
    }

    /// The middle of a window on the root window.
    fn middle(&self, window: Window) -> Option<(i32, i32, Size)> {
        let geometry = self.connection.get_geometry(window).ok()?.reply().ok()?;
        let place = self
            .connection
            .translate_coordinates(window, self.root, 0, 0)
            .ok()?
            .reply()
            .ok()?;
        Some((
            i32::from(place.dst_x) + i32::from(geometry.width) / 2,
            i32::from(place.dst_y) + i32::from(geometry.height) / 2,
            Size {
                width: geometry.width.into(),
                height: geometry.height.into(),
            },
        ))
    }

    fn pointer(&self) -> Option<(i32, i32)> {
        let pointer = self
            .connection
            .query_pointer(self.root)
            .ok()?
            .reply()
            .ok()?;
        Some((pointer.root_x.into(), pointer.root_y.into()))
    }

    /// Pixels of a drawable.
    fn read(
        &self,
        drawable: Drawable,
        x: i16,
        y: i16,
        size: Size,
    ) -> Result<Picture, ScreenshotError> {
        let side = |length: u32| u16::try_from(length).map_err(display);
        let reply = self
            .connection
            .get_image(
                ImageFormat::Z_PIXMAP,
                drawable,
                x,
                y,
                side(size.width)?,
                side(size.height)?,
                u32::MAX,
            )
            .map_err(display)?
            .reply()
            .map_err(|_| ScreenshotError::Gone)?;
        let setup = self.connection.setup();
        let format = setup
            .pixmap_formats
            .iter()
            .find(|format| format.depth == reply.depth);
        let (Some(32), 24 | 32) = (format.map(|format| format.bits_per_pixel), reply.depth) else {
            return Err(ScreenshotError::Display(format!(
                "its colours have {} bits, and only 24 are known",
                reply.depth
            )));
        };
        let least_first = setup.image_byte_order == ImageOrder::LSB_FIRST;
        let mut rgb = Vec::with_capacity(reply.data.len() / 4 * 3);
        for pixel in reply.data.chunks_exact(4) {
            let [a, b, c, d] = [pixel[0], pixel[1], pixel[2], pixel[3]];
            rgb.extend_from_slice(&if least_first { [c, b, a] } else { [b, c, d] });
        }
        Picture::new(size, rgb).ok_or(ScreenshotError::Gone)
    }

    fn screen(&self, monitor: &Monitor) -> Result<Picture, ScreenshotError> {
        // A monitor that was unplugged a moment ago may reach beyond the root window.
        let root = self.root_size();
        let left = u32::try_from(monitor.x).unwrap_or(0);
        let top = u32::try_from(monitor.y).unwrap_or(0);
        let size = Size {
            width: monitor.size.width.min(root.width.saturating_sub(left)),
            height: monitor.size.height.min(root.height.saturating_sub(top)),
        };
        if size.width == 0 || size.height == 0 {
            return Err(ScreenshotError::Gone);
        }
        self.read(self.root, monitor.x, monitor.y, size)
    }

    fn window(&self, window: Window) -> Result<Picture, ScreenshotError> {
        let geometry = self
            .connection
            .get_geometry(window)
            .map_err(display)?
            .reply()
            .map_err(|_| ScreenshotError::Gone)?;
        let size = Size {
            width: geometry.width.into(),
            height: geometry.height.into(),
        };
        if let Some(picture) = self.composed(window, size) {
            return Ok(picture);
        }
        // Without a compositor: what is on the screen, cut to the screen.
        let place = self
            .connection
            .translate_coordinates(window, self.root, 0, 0)
            .map_err(display)?
            .reply()
            .map_err(|_| ScreenshotError::Gone)?;
        let root = self.root_size();
        let span = |at: i16, length: u32, most: u32| {
            let from = i64::from(at).max(0);
            let to = (i64::from(at) + i64::from(length)).min(i64::from(most));
            let length = u32::try_from(to - from).unwrap_or(0);
            (i16::try_from(from - i64::from(at)).unwrap_or(0), length)
        };
        let (x, width) = span(place.dst_x, size.width, root.width);
        let (y, height) = span(place.dst_y, size.height, root.height);
        if width == 0 || height == 0 {
            return Err(ScreenshotError::Gone);
        }
        self.read(window, x, y, Size { width, height })
    }

    /// The pixmap that a compositor keeps; whole even where the window is covered.
    fn composed(&self, window: Window, size: Size) -> Option<Picture> {
        self.connection
            .composite_query_version(0, 4)
            .ok()?
            .reply()
            .ok()?;
        let pixmap = self.connection.generate_id().ok()?;
        self.connection
            .composite_name_window_pixmap(window, pixmap)
            .ok()?
            .check()
            .ok()?;
        let picture = self.read(pixmap, 0, 0, size).ok();
        let _ = self.connection.free_pixmap(pixmap);
        picture
    }
}

pub(super) fn sources(own: &OwnProcesses) -> Result<Vec<PictureSource>, ScreenshotError> {
    let x = X::connect(own)?;
    let mut sources: Vec<PictureSource> = x
        .monitors()
        .into_iter()
        .enumerate()
        .map(|(number, monitor)| screen_source(number, &monitor))
        .collect();
    sources.extend(
        x.windows()
            .into_iter()
            .map(|(window, name, size)| PictureSource {
                id: format!("window:{window:#x}"),
                name,
                is_screen: false,
                size,
            }),
    );
    Ok(sources)
}

/// A monitor's id has its name, because numbers move up when one is unplugged: a picture of another screen than the one
/// that was chosen could show what nobody meant to send.
fn screen_source(number: usize, monitor: &Monitor) -> PictureSource {
    PictureSource {
        id: match monitor.name.as_str() {
            "" => format!("screen:{number}"),
            name => format!("screen:{number}:{name}"),
        },
        name: monitor.name.clone(),
        is_screen: true,
        size: monitor.size,
    }
}

/// The monitor that an id (without its kind) names, and its number now.
fn chosen<'a>(monitors: &'a [Monitor], id: &str) -> Option<(usize, &'a Monitor)> {
    if let Some((_, name)) = id.split_once(':') {
        return monitors
            .iter()
            .enumerate()
            .find(|(_, monitor)| monitor.name == name);
    }
    let number: usize = id.parse().ok()?;
    monitors.get(number).map(|monitor| (number, monitor))
}

pub(super) fn take(source: Option<&str>, own: &OwnProcesses) -> Result<Shot, ScreenshotError> {
    let x = X::connect(own)?;
    if x.depth < 24 {
        return Err(ScreenshotError::Display(format!(
            "its colours have {} bits, and only 24 are known",
            x.depth
        )));
    }
    let monitors = x.monitors();
    let active = x.active().and_then(|window| x.middle(window));
    let window_size = active.map(|(_, _, size)| size);
    let at = active
        .map(|(left, top, _)| (left, top))
        .or_else(|| x.pointer());
    let holds = |monitor: &Monitor| {
        at.is_some_and(|(left, top)| {
            let inside = |at: i32, from: i16, length: u32| {
                let from = i64::from(from);
                (from..from + i64::from(length)).contains(&i64::from(at))
            };
            inside(left, monitor.x, monitor.size.width)
                && inside(top, monitor.y, monitor.size.height)
        })
    };
    let here = monitors.iter().position(holds).unwrap_or(0);
    let screen = monitors.get(here).map(|monitor| monitor.size);
    let (picture, mut source) = match source.map(|id| id.split_once(':').unwrap_or((id, ""))) {
        None => (
            x.screen(&monitors[here])?,
            screen_source(here, &monitors[here]),
        ),
        Some(("screen", number)) => {
            let (number, monitor) = chosen(&monitors, number).ok_or(ScreenshotError::Gone)?;
            (x.screen(monitor)?, screen_source(number, monitor))
        }
        Some(("window", id)) => {
            let window = id
                .strip_prefix("0x")
                .and_then(|digits| u32::from_str_radix(digits, 16).ok())
                .ok_or(ScreenshotError::Gone)?;
            let (_, name, size) = x
                .windows()
                .into_iter()
                .find(|(listed, _, _)| *listed == window)
                .ok_or(ScreenshotError::Gone)?;
            let source = PictureSource {
                id: format!("window:{window:#x}"),
                name,
                is_screen: false,
                size,
            };
            (x.window(window)?, source)
        }
        Some(_) => return Err(ScreenshotError::Gone),
    };
    source.size = picture.size();
    Ok(Shot {
        picture,
        source,
        screen,
        window: window_size,
    })
}
