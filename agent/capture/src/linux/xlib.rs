//! Outliving the X server.
//!
//! Xlib ends the process when its server goes away, and rdev reads through Xlib. What waits to be sent would survive in
//! the spool, but the agent would vanish without a word. So the thread that listens is parked instead, and says why;
//! every other thread (a GTK main loop, say) gets the handler that was there before.

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::sync::OnceLock;

type Handler = unsafe extern "C" fn(*mut c_void) -> c_int;

#[link(name = "X11")]
unsafe extern "C" {
    fn XSetIOErrorHandler(handler: Option<Handler>) -> Option<Handler>;
}

thread_local! {
    static LISTENS: Cell<bool> = const { Cell::new(false) };
}

static BEFORE: OnceLock<Option<Handler>> = OnceLock::new();

/// Called on the listening thread before it opens its display.
pub(crate) fn survive_the_x_server() {
    LISTENS.with(|listens| listens.set(true));
    BEFORE.get_or_init(|| {
        // SAFETY: the handler has the signature that Xlib documents and is never unloaded; Xlib's call itself only
        // swaps a global function pointer, under its own lock.
        unsafe { XSetIOErrorHandler(Some(on_io_error)) }
    });
}

unsafe extern "C" fn on_io_error(display: *mut c_void) -> c_int {
    if !LISTENS.with(Cell::get) {
        if let Some(Some(before)) = BEFORE.get() {
            // SAFETY: Xlib handed us this function as its current handler and `display` is what it passed.
            return unsafe { before(display) };
        }
        // Returning ends the process, as Xlib's own handler does.
        return 0;
    }
    crate::listener::gone(
        "the X server has gone away; capture needs a new start in the new session",
    );
    // Returning would end the process (Xlib calls exit). Nothing is left for this thread to do.
    loop {
        std::thread::park();
    }
}
