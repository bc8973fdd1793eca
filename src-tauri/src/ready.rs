//! Whether a page of the form is kept ready.
//!
//! Opening a window takes half a second, nearly all of it to start a web process; with a page kept ready it is there
//! at once. That page costs memory all day, so that it is kept, unless the person or IT says otherwise, only while the
//! computer has plenty of it, and given up before anybody else would have to do without.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use snag_agent::desktop::view::{CaptureState, FormReady};
use snag_agent::host::Host;

use crate::app::{self, App};

/// How long the app and the session have to themselves as they start.
const AFTER_START: Duration = Duration::from_secs(5);

/// How often the computer's memory is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// So much is available where a page is made ready: in bytes, and of all there is.
const PLENTY: (u64, f64) = (3 << 30, 0.25);

/// Where less is available, it is given up.
const SCARCE: (u64, f64) = (2 << 30, 0.15);

/// The computer's memory, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Memory {
    total: u64,
    /// What programs could still take without anything being swapped.
    available: u64,
}

impl Memory {
    fn has(self, (bytes, share): (u64, f64)) -> bool {
        self.available >= bytes && self.available as f64 >= share * self.total as f64
    }
}

/// Follows the settings and the memory for as long as the app runs.
pub async fn follow(app: Arc<App>, host: Host) {
    tokio::time::sleep(AFTER_START).await;
    let mut every = tokio::time::interval(LOOK_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        look(&app, &host);
    }
}

/// Looks at once: a setting changed.
pub fn look(app: &Arc<App>, host: &Host) {
    // A driver counts the windows, and the process lasts as long as its session.
    if app.is_ending.load(Ordering::Acquire) || app::is_driven() {
        return;
    }
    let setting = host.settings().form_ready.value;
    let is_acknowledged = !matches!(
        host.overview().capture,
        CaptureState::NotAcknowledged | CaptureState::NotEnrolled
    );
    let is_kept = app.windows.keeps();
    let wanted = is_acknowledged && is_wanted(setting, is_kept, memory());
    if wanted != is_kept {
        tracing::info!(wanted, ?setting, "a page of the form is kept ready");
    }
    app.windows.keep(app, wanted);
}

fn is_wanted(setting: FormReady, is_kept: bool, memory: Option<Memory>) -> bool {
    match setting {
        FormReady::Always => true,
        FormReady::Never => false,
        // Some way lies between the two, or it would come and go.
        FormReady::Automatic => {
            memory.is_some_and(|memory| memory.has(if is_kept { SCARCE } else { PLENTY }))
        }
    }
}

/// What the system says; none where it doesn't.
fn memory() -> Option<Memory> {
    if cfg!(target_os = "linux") {
        parse(&std::fs::read_to_string("/proc/meminfo").ok()?)
    } else {
        None
    }
}

/// Reads what proc(5) describes under `/proc/meminfo`.
fn parse(meminfo: &str) -> Option<Memory> {
    let bytes = |name: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name))?;
        let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
        kib.checked_mul(1_024)
    };
    Some(Memory {
        total: bytes("MemTotal:")?,
        available: bytes("MemAvailable:")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    fn of(total: u64, available: u64) -> Option<Memory> {
        Some(Memory { total, available })
    }

    #[test]
    fn a_page_is_kept_while_there_is_plenty_and_until_it_is_scarce() {
        let kept = |is_kept, memory| is_wanted(FormReady::Automatic, is_kept, memory);
        assert!(kept(false, of(16 * GIB, 6 * GIB)));
        assert!(
            !kept(false, of(8 * GIB, 5 * GIB / 2)),
            "too little to begin"
        );
        assert!(kept(true, of(8 * GIB, 5 * GIB / 2)), "and enough to go on");
        assert!(!kept(true, of(8 * GIB, GIB)));
        assert!(!kept(false, of(64 * GIB, 9 * GIB)), "others want it");
        assert!(!kept(true, of(64 * GIB, 9 * GIB)));
        assert!(!kept(true, None), "nobody knows");
        assert!(is_wanted(FormReady::Always, false, of(2 * GIB, 0)));
        assert!(!is_wanted(FormReady::Never, true, of(64 * GIB, 60 * GIB)));
    }

    #[test]
    fn the_system_says_what_it_has() {
        let shown = "MemTotal:       24684172 kB\nMemFree:         9602620 kB\nMemAvailable:   22623928 kB\n";
        assert_eq!(parse(shown), of(24_684_172 << 10, 22_623_928 << 10));
        assert_eq!(parse("MemTotal: 1 kB\n"), None, "a system before 3.14");
        assert_eq!(parse("MemTotal: x kB\nMemAvailable: 1 kB\n"), None);
        assert!(!cfg!(target_os = "linux") || memory().is_some());
    }
}
