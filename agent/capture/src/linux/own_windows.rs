//! Whether a window under the pointer is one of ours: its menus, its frame and its title bar among it.
//!
//! The window manager puts a frame around a window, which belongs to no program; what is done to the frame is done to
//! the window in it.

use std::time::{Duration, Instant};

use x11rb::protocol::xproto::Window;

use super::Shell;

/// So long the same outermost window is taken to be of the same process. The pointer stays in one window for many
/// moves, each of which would ask anew.
const SAME_FOR: Duration = Duration::from_millis(500);

/// The outermost window that was asked about last, and whose it is.
#[derive(Clone, Copy)]
pub(super) struct Owner {
    at: Instant,
    outermost: Window,
    pid: Option<u32>,
}

impl Shell {
    /// Whether the window at a point of the screen is ours; none where there is no window, or nobody's.
    pub(super) fn is_own_at(&self, (x, y): (i32, i32)) -> Option<bool> {
        let x = i16::try_from(x).ok()?;
        let y = i16::try_from(y).ok()?;
        let outermost = self.asked.outermost_at(x, y).ok()??;
        let known = self
            .owner
            .get()
            .filter(|owner| owner.outermost == outermost && owner.at.elapsed() < SAME_FOR);
        let owner = match known {
            Some(owner) => owner,
            None => {
                let owner = Owner {
                    at: Instant::now(),
                    outermost,
                    pid: self.asked.owner(outermost).ok()?,
                };
                self.owner.set(Some(owner));
                owner
            }
        };
        owner.pid.map(|pid| self.context.own.contains(pid))
    }
}
