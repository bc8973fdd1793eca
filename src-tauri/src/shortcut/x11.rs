//! Holding keys on an X11 display: they come here and to no other program.
//!
//! The crate that is usual for this looks for presses every 50 ms, all day; this waits for them. It also follows a
//! change of the keyboard's layout, which moves the keys.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;
use x11rb::connection::Connection as _;
use x11rb::errors::{ConnectError, ConnectionError, ReplyError};
use x11rb::protocol::xproto::{
    AtomEnum, ConnectionExt as _, GrabMode, GrabStatus, KeyPressEvent, Keycode, ModMask, Window,
};
use x11rb::protocol::{ErrorKind, Event};
use x11rb::rust_connection::RustConnection;

use super::keys::{self, Keys};

/// Caps Lock and Num Lock: they are part of what the display compares, and none of the person's concern.
const LOCKS: [ModMask; 2] = [ModMask::LOCK, ModMask::M2];

/// Why keys can't be held.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    /// There is no such display, or it can't do this.
    #[error("the display can't be asked: {0}")]
    Connect(#[from] ConnectError),
    /// The display is gone.
    #[error("the display is gone: {0}")]
    Gone(#[from] ConnectionError),
    /// The display refused.
    #[error("the display refused: {0}")]
    Display(#[from] ReplyError),
    /// Another program has them.
    #[error("another program holds these keys")]
    Taken,
    /// The keyboard has none with this sign.
    #[error("the keyboard has no such key")]
    NoSuchKey,
    /// Another program takes all keys just now.
    #[error("another program has the keyboard")]
    Busy,
    /// The system gives no thread.
    #[error("the system gives no thread: {0}")]
    Thread(std::io::Error),
}

/// The keys that are held on a display.
pub(super) struct Holder {
    display: Arc<Display>,
}

struct Display {
    connection: RustConnection,
    root: Window,
    held: Mutex<Option<Held>>,
    /// Who wants to know what is pressed next, in place of whoever holds it.
    listening: Mutex<Option<oneshot::Sender<Option<String>>>>,
}

/// Escape, on each layout.
const ESCAPE: u32 = 0xff1b;
/// Tab, which leads on.
const TAB: u32 = 0xff09;

#[derive(Clone, Copy)]
struct Held {
    keys: Keys,
    keycode: Keycode,
}

impl Holder {
    /// Connects; `pressed` is called on a thread of its own, once for each time that the keys are pressed.
    ///
    /// # Errors
    /// There is no display, or no thread.
    pub(super) fn connect(pressed: impl Fn() + Send + 'static) -> Result<Self, Refused> {
        let (connection, screen) = RustConnection::connect(None)?;
        let root = connection.setup().roots[screen].root;
        let display = Arc::new(Display {
            connection,
            root,
            held: Mutex::default(),
            listening: Mutex::default(),
        });
        let listening = Arc::clone(&display);
        std::thread::Builder::new()
            .name("shortcut".to_owned())
            .spawn(move || {
                let Err(error) = listening.follow(&pressed);
                tracing::warn!(%error, "the shortcut isn't listened for any more");
            })
            .map_err(Refused::Thread)?;
        Ok(Self { display })
    }

    /// Holds these keys instead of what was held; nothing for none.
    ///
    /// # Errors
    /// Everything is as it was then.
    pub(super) fn hold(&self, wanted: Option<Keys>) -> Result<(), Refused> {
        let mut held = self.display.held.lock();
        if held.map(|held| held.keys) == wanted {
            return Ok(());
        }
        let next = wanted.map(|keys| self.display.grab(keys)).transpose()?;
        if let Some(before) = std::mem::replace(&mut *held, next) {
            self.display.release(before);
        }
        Ok(())
    }
}

impl Holder {
    /// Tells what is pressed next, also where another program holds these keys: as a shortcut is written, empty where it
    /// is none, nothing for Esc. Until then, or [`Holder::quiet`], no other program gets a key.
    ///
    /// # Errors
    /// The keyboard can't be had.
    pub(super) fn listen(&self) -> Result<oneshot::Receiver<Option<String>>, Refused> {
        let display = &self.display;
        let (heard, hears) = oneshot::channel();
        let mut listening = display.listening.lock();
        let asked = display.connection.grab_keyboard(
            false,
            display.root,
            x11rb::CURRENT_TIME,
            GrabMode::ASYNC,
            GrabMode::ASYNC,
        )?;
        if asked.reply()?.status != GrabStatus::SUCCESS {
            return Err(Refused::Busy);
        }
        *listening = Some(heard);
        Ok(hears)
    }

    /// The window that the person is in, where the window manager tells.
    pub(super) fn active(&self) -> Option<Window> {
        let display = &self.display;
        let name = b"_NET_ACTIVE_WINDOW";
        let atom = display.connection.intern_atom(false, name).ok()?;
        let atom = atom.reply().ok()?.atom;
        let kind = AtomEnum::WINDOW;
        let asked = display
            .connection
            .get_property(false, display.root, atom, kind, 0, 1);
        asked.ok()?.reply().ok()?.value32()?.next()
    }

    /// Gives the keys back.
    pub(super) fn quiet(&self) {
        let listening = self.display.listening.lock().take();
        if listening.is_some() {
            self.display.give_back();
        }
    }
}

impl Display {
    /// Every program gets its keys again.
    fn give_back(&self) {
        let asked = self.connection.ungrab_keyboard(x11rb::CURRENT_TIME);
        if let Err(error) = asked.and_then(|_| self.connection.flush()) {
            tracing::warn!(%error, "the keyboard can't be given back");
        }
    }

    /// Tells who listens, if anybody does.
    fn was_heard(&self, press: &KeyPressEvent) -> bool {
        let mut listening = self.listening.lock();
        if listening.is_none() {
            return false;
        }
        let signs = self.signs(press.detail).unwrap_or_default();
        let leaves = [ESCAPE, TAB].iter().any(|key| signs.contains(key));
        let heard = if leaves {
            Some(None)
        } else {
            keys::written(ModMask::from(u16::from(press.state)), &signs).map(Some)
        };
        // A modifier is only the beginning.
        if let (Some(heard), Some(listener)) = (heard.clone(), heard.and_then(|_| listening.take()))
        {
            self.give_back();
            // Who doesn't wait any more took what was pressed in another way.
            drop(listener.send(heard));
        }
        true
    }

    /// What a key has on it.
    fn signs(&self, keycode: Keycode) -> Result<Vec<u32>, Refused> {
        let asked = self.connection.get_keyboard_mapping(keycode, 1)?;
        Ok(asked.reply()?.keysyms)
    }

    fn grab(&self, keys: Keys) -> Result<Held, Refused> {
        let keycode = self.keycode(keys.keysym)?.ok_or(Refused::NoSuchKey)?;
        let held = Held { keys, keycode };
        // All at once, then all the answers: one way to the display and back.
        let asked = with_locks(keys.modifiers).map(|modifiers| {
            let (pointer, keyboard) = (GrabMode::ASYNC, GrabMode::ASYNC);
            self.connection
                .grab_key(false, self.root, modifiers, keycode, pointer, keyboard)
        });
        for answer in asked.map(|asked| {
            asked
                .map_err(Refused::from)
                .and_then(|asked| Ok(asked.check()?))
        }) {
            if let Err(error) = answer {
                self.release(held);
                return Err(match error {
                    Refused::Display(ReplyError::X11Error(why))
                        if why.error_kind == ErrorKind::Access =>
                    {
                        Refused::Taken
                    }
                    other => other,
                });
            }
        }
        Ok(held)
    }

    fn release(&self, held: Held) {
        for modifiers in with_locks(held.keys.modifiers) {
            let asked = self
                .connection
                .ungrab_key(held.keycode, self.root, modifiers);
            if let Err(error) = asked.map(x11rb::cookie::VoidCookie::ignore_error) {
                tracing::warn!(%error, "the former shortcut is still held");
            }
        }
        if let Err(error) = self.connection.flush() {
            tracing::warn!(%error, "the former shortcut is still held");
        }
    }

    /// The key that has a sign on it, on its lowest level where there are several.
    fn keycode(&self, keysym: u32) -> Result<Option<Keycode>, Refused> {
        let setup = self.connection.setup();
        let (first, last) = (setup.min_keycode, setup.max_keycode);
        let asked = self
            .connection
            .get_keyboard_mapping(first, last - first + 1)?;
        let mapping = asked.reply()?;
        let per_key = usize::from(mapping.keysyms_per_keycode).max(1);
        let level = |signs: &[u32]| signs.iter().position(|sign| *sign == keysym);
        Ok((first..=last)
            .zip(mapping.keysyms.chunks(per_key))
            .filter_map(|(keycode, signs)| level(signs).map(|level| (level, keycode)))
            .min()
            .map(|(_, keycode)| keycode))
    }

    /// Waits for presses until the display is gone.
    fn follow(&self, pressed: &impl Fn()) -> Result<std::convert::Infallible, ConnectionError> {
        let compared = ModMask::SHIFT | ModMask::CONTROL | ModMask::M1 | ModMask::M4;
        let mut released_at_ms = None;
        loop {
            match self.connection.wait_for_event()? {
                Event::KeyPress(press) if self.was_heard(&press) => {}
                Event::KeyPress(press) => {
                    let held = *self.held.lock();
                    let is_ours = held.is_some_and(|held| {
                        held.keycode == press.detail
                            && u16::from(held.keys.modifiers)
                                == u16::from(press.state) & u16::from(compared)
                    });
                    // A key that is kept down comes as releases and presses of the same moment.
                    if is_ours && released_at_ms != Some(press.time) {
                        pressed();
                    }
                }
                Event::KeyRelease(release) => released_at_ms = Some(release.time),
                Event::MappingNotify(_) => self.follow_layout(),
                _ => {}
            }
        }
    }

    /// The layout changed: the sign may be on another key.
    fn follow_layout(&self) {
        let mut held = self.held.lock();
        let Some(before) = *held else { return };
        match self.keycode(before.keys.keysym) {
            Ok(Some(keycode)) if keycode == before.keycode => {}
            Ok(None) => tracing::warn!("the keyboard's new layout hasn't the shortcut's key"),
            Ok(Some(_)) => match self.grab(before.keys) {
                Ok(now) => {
                    self.release(before);
                    *held = Some(now);
                }
                Err(error) => {
                    tracing::warn!(%error, "the shortcut doesn't follow the keyboard's layout")
                }
            },
            Err(error) => tracing::warn!(%error, "the keyboard's new layout isn't known"),
        }
    }
}

/// The same keys with each lock on and off.
fn with_locks(modifiers: ModMask) -> [ModMask; 4] {
    let [caps, num] = LOCKS;
    [
        modifiers,
        modifiers | caps,
        modifiers | num,
        modifiers | caps | num,
    ]
}
