//! Keys that a program holds for itself, wherever the focus is: as any program with a shortcut does.

use anyhow::Result;
use x11rb::errors::ReplyError;
use x11rb::protocol::ErrorKind;
use x11rb::protocol::xproto::{ConnectionExt as _, GrabMode, ModMask};

use crate::desktop::{Desktop, Hand};

/// Another program; it lets go of its keys when it goes.
pub struct Holder(Hand);

impl Holder {
    /// A program on this desktop that holds nothing yet.
    #[must_use]
    pub fn on(desktop: &Desktop) -> Self {
        Self(desktop.hand())
    }

    /// Holds a letter with Control and Alt; false where another program does.
    ///
    /// # Errors
    /// When the X server is gone.
    pub fn hold(&self, letter: char) -> Result<bool> {
        let held = self
            .0
            .connection
            .grab_key(
                false,
                self.0.root,
                ModMask::CONTROL | ModMask::M1,
                self.0.code(u32::from(letter)),
                GrabMode::ASYNC,
                GrabMode::ASYNC,
            )?
            .check();
        match held {
            Ok(()) => Ok(true),
            Err(ReplyError::X11Error(error)) if error.error_kind == ErrorKind::Access => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Lets go of it again.
    ///
    /// # Errors
    /// When the X server is gone.
    pub fn let_go(&self, letter: char) -> Result<()> {
        let key = self.0.code(u32::from(letter));
        self.0
            .connection
            .ungrab_key(key, self.0.root, ModMask::CONTROL | ModMask::M1)?
            .check()?;
        Ok(())
    }

    /// Whether no program holds it.
    ///
    /// # Errors
    /// When the X server is gone.
    pub fn is_free(&self, letter: char) -> Result<bool> {
        let free = self.hold(letter)?;
        if free {
            self.let_go(letter)?;
        }
        Ok(free)
    }
}
