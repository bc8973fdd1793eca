//! Threads that are in no hurry to wake up.
//!
//! sled keeps seven threads for its writes, for as long as the process lives, and each looks once a second whether
//! there is something to write. They needn't: whoever has something wakes them. A thread of Linux may say how much
//! later than asked a wait of its may end, and the threads that it starts inherit that; so sled starts its threads
//! from one that says "a minute". Only waits that nobody ends are longer by it. Other systems have nothing like it, and
//! a system that doesn't let us leaves it as it was.

use std::io;

/// How much later than asked a wait may end (ns).
#[cfg(target_os = "linux")]
const LATER_NS: u64 = 60_000_000_000;

/// Calls `call` on a thread that is in no hurry, and with it whatever threads it starts.
///
/// # Errors
/// No thread can be started.
pub(crate) fn on_sleepy_thread<T: Send>(call: impl FnOnce() -> T + Send) -> io::Result<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("snag-spool-open".into())
            .spawn_scoped(scope, || {
                take_time();
                call()
            })?;
        match thread.join() {
            Ok(result) => Ok(result),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

#[cfg(target_os = "linux")]
fn take_time() {
    // `/proc/self` is the process, whose first thread this isn't.
    let Ok(task) = std::fs::read_link("/proc/thread-self") else {
        return;
    };
    if let Some(thread) = task.file_name() {
        let file = std::path::Path::new("/proc")
            .join(thread)
            .join("timerslack_ns");
        if let Err(error) = std::fs::write(file, LATER_NS.to_string()) {
            tracing::debug!(%error, "the spool's threads wake up more often than they need to");
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn take_time() {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn later_ns() -> u64 {
        let task = std::fs::read_link("/proc/thread-self").unwrap();
        let file = std::path::Path::new("/proc").join(task.file_name().unwrap());
        let text = std::fs::read_to_string(file.join("timerslack_ns")).unwrap();
        text.trim().parse().unwrap()
    }

    #[test]
    fn threads_that_it_starts_take_their_time_and_the_caller_does_not() {
        let before = later_ns();
        let started = || std::thread::spawn(later_ns).join().unwrap();
        assert_eq!(on_sleepy_thread(started).unwrap(), LATER_NS);
        assert_eq!(later_ns(), before);
    }
}
