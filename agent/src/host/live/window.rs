//! Which inputs happened while this desktop was captured.
//!
//! What capture hands on is some milliseconds old: inputs come in batches, and a press waits for what was pressed. As
//! the gate closes, what happened before is still on its way.

use std::sync::atomic::Ordering;

use jiff::Zoned;

use super::Live;

/// Why an input was left out that came in the moment of a pause, as `snag-agent status` says it.
pub(super) const PAUSED: &str = "paused";

/// Until when inputs count, and how many came later.
#[derive(Debug, Default)]
pub(super) struct Window {
    /// When the gate was seen open last, and is known to close by itself.
    open: Option<Seen>,
    /// Inputs from this moment on don't count, by capture's clock.
    until_ms: u64,
    /// Inputs that came later, since the start.
    left_out: u64,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    at_ms: u64,
    closes_ms: Option<u64>,
}

impl Window {
    /// The gate is open at `now_ms`, and closes by itself at `closes_ms`, if nothing else happens.
    fn is_open(&mut self, now_ms: u64, closes_ms: Option<u64>) {
        self.open = Some(Seen {
            at_ms: now_ms,
            closes_ms,
        });
        self.until_ms = u64::MAX;
    }

    /// The gate isn't open at `now_ms`. The person paused last at `paused_ms`, which may be long ago. Capture's clock is
    /// ahead of the computer's by `ahead_ms`.
    fn is_closed(&mut self, now_ms: u64, paused_ms: u64, ahead_ms: i64) {
        if let Some(Seen { at_ms, closes_ms }) = self.open.take() {
            let by_person = Some(paused_ms).filter(|paused_ms| *paused_ms >= at_ms);
            let closed_ms = [by_person, closes_ms]
                .into_iter()
                .flatten()
                .fold(now_ms, u64::min);
            self.until_ms = closed_ms.saturating_add_signed(ahead_ms);
        }
    }

    /// Whether something that happened then counts. What doesn't is counted.
    pub(super) fn takes(&mut self, t_ms: u64) -> bool {
        let takes = t_ms < self.until_ms;
        self.left_out += u64::from(!takes);
        takes
    }

    /// Until when inputs count, by capture's clock.
    pub(super) fn until_ms(&self) -> u64 {
        self.until_ms
    }

    /// Inputs that were read and didn't count, since the start.
    pub(super) fn left_out(&self) -> u64 {
        self.left_out
    }
}

impl Live {
    /// Takes over whether the gate is open; `now` was before it was asked.
    pub(super) fn follow_window(&mut self, open: bool, now: &Zoned) {
        let ms = |at: jiff::Timestamp| u64::try_from(at.as_millisecond()).unwrap_or_default();
        let now_ms = ms(now.timestamp());
        if open {
            let closes_ms = self.shared.gate_changes_at(now).map(ms);
            self.window.is_open(now_ms, closes_ms);
        } else {
            let paused_ms = self.shared.paused_at_ms.load(Ordering::Relaxed);
            let ahead_ms = self.shared.capture.lock().handle.as_ref().map(|handle| {
                let ahead = i128::from(handle.now()) - i128::from(now_ms);
                i64::try_from(ahead).unwrap_or_default()
            });
            self.window
                .is_closed(now_ms, paused_ms, ahead_ms.unwrap_or_default());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_before_the_gate_closed_counts_and_nothing_else() {
        let mut window = Window::default();
        assert!(!window.takes(5), "it was never open");
        window.is_open(100, None);
        assert!(window.takes(120));
        // The person paused at 150; that is seen at 170.
        window.is_closed(170, 150, 0);
        assert!(window.takes(149) && !window.takes(150));
        window.is_closed(300, 150, 0);
        assert!(window.takes(149) && !window.takes(200));
        // The pause of then is over. A rule closes the gate at 500, which is seen at 520.
        window.is_open(400, Some(500));
        window.is_closed(520, 150, 0);
        assert!(window.takes(499) && !window.takes(500));
        // Something else closes it, which was not known before.
        window.is_open(600, None);
        window.is_closed(700, 150, -20);
        assert!(
            window.takes(679) && !window.takes(680),
            "capture's own clock"
        );
        assert_eq!(window.left_out(), 5);
    }
}
