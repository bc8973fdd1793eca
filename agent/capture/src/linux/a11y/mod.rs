//! Elements by AT-SPI: what lies under a point, and events of what changed.
//!
//! Invariants: a password field is asked for nothing but its role; names are read only where `roles` allows it, and no
//! text content ever; of an event only its kind and its first number are read, never the data that came with it. A
//! program that does not answer holds up nobody: each question is a future under its asker's deadline.

mod ask;
mod event;

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use atspi::connection::AccessibilityConnection;
use atspi::zbus::Connection;
use atspi::zbus::zvariant::OwnedObjectPath;
use atspi::{Role, State};

use super::area::Area;
use super::x::WindowAt;
use crate::roles;
use event::EVENTS;
pub(crate) use event::{Happened, happened};

const ACCESSIBLE: &str = "org.a11y.atspi.Accessible";
const COMPONENT: &str = "org.a11y.atspi.Component";
const REGISTRY: &str = "org.a11y.atspi.Registry";
const ROOT: &str = "/org/a11y/atspi/accessible/root";
const NULL: &str = "/org/a11y/atspi/null";
/// AT-SPI's coordinates relative to the screen.
const SCREEN: u32 = 0;
/// How deep an element may lie below its window.
const MAX_DEPTH: usize = 48;
/// How many children are looked at where a container does not find its own (the tabs of GTK 3).
const MAX_CHILDREN: usize = 64;
/// How far above a decoration the thing that it decorates may be.
const MAX_CLIMB: usize = 4;
/// Further away than any screen (px).
const UNPLACED: i32 = 1 << 24;
/// How far the area that a program tells for a popup may be from its window's (px, the sum over four edges).
const POPUP_OFF: i64 = 64;
/// A process that had no accessible program is not asked for again for this long.
const UNKNOWN_FOR: Duration = Duration::from_secs(5);

/// One accessible object: the program's name on the bus and the object's path in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Object {
    pub(crate) bus: String,
    pub(crate) path: String,
}

impl Object {
    fn new((bus, path): (String, OwnedObjectPath)) -> Option<Self> {
        let path = path.as_str();
        (path != NULL && !bus.is_empty()).then(|| Self {
            bus,
            path: path.to_owned(),
        })
    }
}

/// The element under a point.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) object: Object,
    pub(crate) role: String,
    /// Its name; empty where it has none or it may not be read.
    pub(crate) name: String,
    /// Where it lies in its program: the index of each of its ancestors and itself, outermost first. Filled where the
    /// name is empty.
    pub(crate) place: Vec<i32>,
    /// On the screen; none where the program does not say.
    pub(crate) area: Option<Area>,
}

pub(crate) struct A11y {
    connection: Connection,
    /// Programs by process.
    programs: RefCell<HashMap<u32, Object>>,
    /// Bus names whose process is known, and processes without a program.
    known: RefCell<HashMap<String, u32>>,
    unknown: RefCell<HashMap<u32, Instant>>,
}

type Failure = atspi::zbus::Error;

impl A11y {
    /// Connects to the accessibility bus and asks for events.
    pub(crate) async fn connect() -> Result<Self, String> {
        let accessibility = AccessibilityConnection::new()
            .await
            .map_err(|error| error.to_string())?;
        let this = Self {
            connection: accessibility.connection().clone(),
            programs: RefCell::default(),
            known: RefCell::default(),
            unknown: RefCell::default(),
        };
        this.register().await.map_err(|error| error.to_string())?;
        Ok(this)
    }

    async fn register(&self) -> Result<(), Failure> {
        for (event, interface, member) in EVENTS {
            let rule = format!("type='signal',interface='{interface}',member='{member}'");
            self.connection
                .call_method(
                    Some("org.freedesktop.DBus"),
                    "/org/freedesktop/DBus",
                    Some("org.freedesktop.DBus"),
                    "AddMatch",
                    &rule,
                )
                .await?;
            self.connection
                .call_method(
                    Some(REGISTRY),
                    "/org/a11y/atspi/registry",
                    Some(REGISTRY),
                    "RegisterEvent",
                    &event,
                )
                .await?;
        }
        Ok(())
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The element under a point of the screen, in the program that the window there belongs to.
    pub(crate) async fn element_at(
        &self,
        pid: u32,
        window: &WindowAt,
        x: i32,
        y: i32,
    ) -> Result<Option<Found>, Failure> {
        let Some(program) = self.program(pid).await? else {
            return Ok(None);
        };
        let found = self.descend_from_window(&program, window, x, y).await;
        if found.is_err() {
            // The program may have gone and another have its process id by now.
            self.programs.borrow_mut().remove(&pid);
        }
        let Some(object) = found? else {
            return Ok(None);
        };
        self.describe(object).await.map(Some)
    }

    /// The one of some elements that lies under a point: for menus, whose entries are selected as the pointer enters.
    pub(crate) async fn selected_at(
        &self,
        pid: Option<u32>,
        selected: &[Object],
        x: i32,
        y: i32,
    ) -> Result<Option<Found>, Failure> {
        let program = match pid {
            Some(pid) => self.program(pid).await?,
            None => None,
        };
        for object in selected {
            if program
                .as_ref()
                .is_some_and(|program| program.bus != object.bus)
            {
                continue;
            }
            // One that is gone by now is an error of its own.
            let Ok(area) = self.area(object).await else {
                continue;
            };
            let there = match area {
                Some(area) => area.contains(x, y),
                // The menu is closing already: its entries have no place any more.
                None => self.role(object).await? == "menu_item",
            };
            if there {
                return self.describe(object.clone()).await.map(Some);
            }
        }
        Ok(None)
    }

    /// The area of an element on the screen.
    pub(crate) async fn area(&self, object: &Object) -> Result<Option<Area>, Failure> {
        let (x, y, width, height): (i32, i32, i32, i32) =
            self.call(object, COMPONENT, "GetExtents", &SCREEN).await?;
        // GTK 3 says -1 or the least number for what has no place.
        let placed =
            width > 0 && height > 0 && (x, y) != (-1, -1) && x > -UNPLACED && y > -UNPLACED;
        Ok(placed.then_some(Area {
            x,
            y,
            width,
            height,
        }))
    }

    pub(crate) async fn role(&self, object: &Object) -> Result<String, Failure> {
        let role: u32 = self.call(object, ACCESSIBLE, "GetRole", &()).await?;
        Ok(Role::try_from(role).map_or_else(
            |_| "unknown".to_owned(),
            |role| roles::role_name(role.name()),
        ))
    }

    /// What is known of an element: the one that a click on it is meant for.
    pub(crate) async fn describe(&self, object: Object) -> Result<Found, Failure> {
        let mut object = object;
        let mut role = self.role(&object).await?;
        if roles::is_decoration(&role) {
            let mut above = object.clone();
            for _ in 0..MAX_CLIMB {
                let Some(parent) = self.parent(&above).await? else {
                    break;
                };
                let parent_role = self.role(&parent).await?;
                if roles::is_made_to_answer(&parent_role) {
                    (object, role) = (parent, parent_role);
                    break;
                }
                if !roles::is_decoration(&parent_role) {
                    break;
                }
                above = parent;
            }
        }
        let area = self.area(&object).await.unwrap_or(None);
        let name = if roles::may_read_name(&role) {
            self.name(&object).await?
        } else {
            String::new()
        };
        let place = if name.trim().is_empty() {
            self.place(&object).await?
        } else {
            Vec::new()
        };
        Ok(Found {
            object,
            role,
            name,
            place,
            area,
        })
    }

    /// The program of a process.
    pub(crate) async fn program(&self, pid: u32) -> Result<Option<Object>, Failure> {
        if let Some(program) = self.programs.borrow().get(&pid) {
            return Ok(Some(program.clone()));
        }
        if self
            .unknown
            .borrow()
            .get(&pid)
            .is_some_and(|since| since.elapsed() < UNKNOWN_FOR)
        {
            return Ok(None);
        }
        let root = Object {
            bus: REGISTRY.into(),
            path: ROOT.into(),
        };
        let children: Vec<(String, OwnedObjectPath)> =
            self.call(&root, ACCESSIBLE, "GetChildren", &()).await?;
        let programs: Vec<Object> = children.into_iter().filter_map(Object::new).collect();
        self.known
            .borrow_mut()
            .retain(|bus, _| programs.iter().any(|program| program.bus == *bus));
        for program in programs {
            let known = self.known.borrow().get(&program.bus).copied();
            let process = match known {
                Some(process) => process,
                None => match self.process(&program.bus).await {
                    Ok(process) => process,
                    Err(_) => continue,
                },
            };
            self.known.borrow_mut().insert(program.bus.clone(), process);
            self.programs.borrow_mut().insert(process, program);
        }
        let found = self.programs.borrow().get(&pid).cloned();
        let mut unknown = self.unknown.borrow_mut();
        unknown.retain(|_, since| since.elapsed() < UNKNOWN_FOR);
        if found.is_none() {
            unknown.insert(pid, Instant::now());
        }
        Ok(found)
    }

    async fn process(&self, bus: &str) -> Result<u32, Failure> {
        let reply = self
            .connection
            .call_method(
                Some("org.freedesktop.DBus"),
                "/org/freedesktop/DBus",
                Some("org.freedesktop.DBus"),
                "GetConnectionUnixProcessID",
                &bus,
            )
            .await?;
        reply.body().deserialize()
    }

    async fn descend_from_window(
        &self,
        program: &Object,
        window: &WindowAt,
        x: i32,
        y: i32,
    ) -> Result<Option<Object>, Failure> {
        let mut best: Option<(i64, Object)> = None;
        for frame in self.children(program).await? {
            let Some(area) = self.area(&frame).await? else {
                continue;
            };
            if !area.contains(x, y) || !self.states(&frame).await?.contains(State::Showing) {
                continue;
            }
            // Windows of one program may overlap: the one that is where the X window is.
            let distance = area.distance(&window.area);
            if window.popup && distance > POPUP_OFF {
                continue;
            }
            if best.as_ref().is_none_or(|(least, _)| distance < *least) {
                best = Some((distance, frame));
            }
        }
        let Some((_, frame)) = best else {
            return Ok(None);
        };
        let mut current = frame;
        for _ in 0..MAX_DEPTH {
            let next: (String, OwnedObjectPath) = self
                .call(&current, COMPONENT, "GetAccessibleAtPoint", &(x, y, SCREEN))
                .await?;
            match Object::new(next).filter(|next| *next != current) {
                Some(next) => current = next,
                None => break,
            }
        }
        Ok(Some(current))
    }
}
