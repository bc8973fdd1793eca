//! What capture sees, what it does not, and why: in types for programs, in plain words for people.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard};

use serde::Serialize;

/// How one source of capture is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceState {
    /// Being connected.
    Starting,
    /// Sees what it should.
    Working,
    /// Sees a part; the reason says which.
    Limited,
    /// Sees nothing; the reason says why.
    Off,
}

/// One source of capture: its state and, unless it works, the reason in plain words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SourceHealth {
    /// How it is doing.
    pub state: SourceState,
    /// Why it is not working, or what it uses while it does. A sentence for a person; never a title or a name of theirs.
    pub reason: String,
}

/// How many of each kind were handed on since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Pointer moves.
    pub moves: u64,
    /// Button presses.
    pub presses: u64,
    /// Button releases.
    pub releases: u64,
    /// Wheel steps.
    pub wheel: u64,
    /// Keys hit.
    pub keys: u64,
    /// Changes of window or screen.
    pub focus: u64,
    /// Answers of the interface seen.
    pub reactions: u64,
}

/// What was not handed on since the start, by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Losses {
    /// Moves merged into later ones, as too many inputs waited.
    pub moves_merged: u64,
    /// Inputs given up, as far too many waited.
    pub overload: u64,
    /// Inputs left out because they went to windows of our own.
    pub own_windows: u64,
}

/// How the look-ups went since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Lookups {
    /// Presses whose element is known.
    pub element_found: u64,
    /// Presses where the program told of no element.
    pub element_unknown: u64,
    /// Presses whose answer did not come by the deadline.
    pub element_late: u64,
    /// Windows whose app and title are known.
    pub window_found: u64,
    /// Windows that were read in the second way, as the first (x-win) gave an error or was late.
    pub window_fallback: u64,
    /// Focus changes whose window stayed unknown.
    pub window_unknown: u64,
}

/// The state of capture as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Health {
    /// Buttons, keys, wheel, pointer.
    pub input: SourceHealth,
    /// App and title of the window with the focus.
    pub window: SourceHealth,
    /// Role and label of what is clicked.
    pub element: SourceHealth,
    /// Answers of the interface.
    pub reactions: SourceHealth,
    /// Capture is paused.
    pub paused: bool,
    /// Unix ms of the latest input of a person (not of a focus change or reaction).
    pub last_input_unix_ms: Option<u64>,
    /// Why there are no inputs, where there are none: always a sentence while `last_input_unix_ms` is none, capture is
    /// paused or input is off.
    pub silent: Option<String>,
    /// Handed on.
    pub counts: Counts,
    /// Not handed on.
    pub losses: Losses,
    /// Look-ups.
    pub lookups: Lookups,
}

impl Health {
    /// Sentences for a person: one for each source, then why it is silent, if it is.
    pub fn plain_words(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (name, source) in [
            ("Mouse and keyboard", &self.input),
            ("Windows", &self.window),
            ("Buttons and fields", &self.element),
            ("Answers of programs", &self.reactions),
        ] {
            let state = match source.state {
                SourceState::Starting => "starting",
                SourceState::Working => "captured",
                SourceState::Limited => "captured in part",
                SourceState::Off => "not captured",
            };
            lines.push(
                format!("{name}: {state}. {}", source.reason)
                    .trim_end()
                    .to_owned(),
            );
        }
        if self.losses.overload > 0 {
            lines.push(format!(
                "{} inputs were lost because the computer was too busy.",
                self.losses.overload
            ));
        }
        if let Some(silent) = &self.silent {
            lines.push(silent.clone());
        }
        lines
    }
}

/// The sources of capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Input,
    Window,
    Element,
    Reactions,
}

/// Where the threads write how they are doing. `Health` is read from it.
pub(crate) struct Board {
    sources: Mutex<[SourceHealth; 4]>,
    pub(crate) moves: AtomicU64,
    pub(crate) presses: AtomicU64,
    pub(crate) releases: AtomicU64,
    pub(crate) wheel: AtomicU64,
    pub(crate) keys: AtomicU64,
    pub(crate) focus: AtomicU64,
    pub(crate) reactions: AtomicU64,
    pub(crate) own_windows: AtomicU64,
    pub(crate) element_found: AtomicU64,
    pub(crate) element_unknown: AtomicU64,
    pub(crate) element_late: AtomicU64,
    pub(crate) window_found: AtomicU64,
    pub(crate) window_fallback: AtomicU64,
    pub(crate) window_unknown: AtomicU64,
    pub(crate) last_input: AtomicU64,
}

impl Board {
    pub(crate) fn new() -> Self {
        let starting = || SourceHealth {
            state: SourceState::Starting,
            reason: String::new(),
        };
        Self {
            sources: Mutex::new([starting(), starting(), starting(), starting()]),
            moves: AtomicU64::new(0),
            presses: AtomicU64::new(0),
            releases: AtomicU64::new(0),
            wheel: AtomicU64::new(0),
            keys: AtomicU64::new(0),
            focus: AtomicU64::new(0),
            reactions: AtomicU64::new(0),
            own_windows: AtomicU64::new(0),
            element_found: AtomicU64::new(0),
            element_unknown: AtomicU64::new(0),
            element_late: AtomicU64::new(0),
            window_found: AtomicU64::new(0),
            window_fallback: AtomicU64::new(0),
            window_unknown: AtomicU64::new(0),
            last_input: AtomicU64::new(0),
        }
    }

    pub(crate) fn set(&self, source: Source, state: SourceState, reason: impl Into<String>) {
        let reason = reason.into();
        let mut sources = self.lock();
        let current = &mut sources[source as usize];
        if current.state != state {
            tracing::info!(source = ?source, state = ?state, reason = %reason, "capture source changed");
        }
        *current = SourceHealth { state, reason };
    }

    pub(crate) fn state(&self, source: Source) -> SourceState {
        self.lock()[source as usize].state
    }

    pub(crate) fn health(&self, paused: bool, moves_merged: u64, overload: u64) -> Health {
        let [input, window, element, reactions] = self.lock().clone();
        let last_input_unix_ms = Some(self.last_input.load(Relaxed)).filter(|t| *t > 0);
        let silent = if paused {
            Some("Nothing is captured: capture is paused.".to_owned())
        } else if input.state == SourceState::Off {
            Some(format!("Nothing is captured: {}", input.reason))
        } else if last_input_unix_ms.is_none() {
            Some(match input.state {
                SourceState::Limited => {
                    format!("No input has arrived yet. {}", input.reason)
                }
                SourceState::Starting => "No input has arrived yet: capture is starting.".to_owned(),
                _ => "No input has arrived yet: nobody has used mouse or keyboard since capture started.".to_owned(),
            })
        } else {
            None
        };
        Health {
            input,
            window,
            element,
            reactions,
            paused,
            last_input_unix_ms,
            silent,
            counts: Counts {
                moves: self.moves.load(Relaxed),
                presses: self.presses.load(Relaxed),
                releases: self.releases.load(Relaxed),
                wheel: self.wheel.load(Relaxed),
                keys: self.keys.load(Relaxed),
                focus: self.focus.load(Relaxed),
                reactions: self.reactions.load(Relaxed),
            },
            losses: Losses {
                moves_merged,
                overload,
                own_windows: self.own_windows.load(Relaxed),
            },
            lookups: Lookups {
                element_found: self.element_found.load(Relaxed),
                element_unknown: self.element_unknown.load(Relaxed),
                element_late: self.element_late.load(Relaxed),
                window_found: self.window_found.load(Relaxed),
                window_fallback: self.window_fallback.load(Relaxed),
                window_unknown: self.window_unknown.load(Relaxed),
            },
        }
    }

    fn lock(&self) -> MutexGuard<'_, [SourceHealth; 4]> {
        self.sources
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silent_never_stands_without_a_reason() {
        let board = Board::new();
        for state in [
            SourceState::Starting,
            SourceState::Working,
            SourceState::Limited,
            SourceState::Off,
        ] {
            board.set(Source::Input, state, "because of a test");
            for paused in [false, true] {
                let health = board.health(paused, 0, 0);
                assert!(
                    health
                        .silent
                        .as_ref()
                        .is_some_and(|silent| silent.len() > 20),
                    "{state:?}"
                );
                assert!(health.plain_words().len() >= 5);
            }
        }
        board.last_input.store(5, Relaxed);
        board.set(Source::Input, SourceState::Working, "");
        assert_eq!(board.health(false, 0, 0).silent, None);
        assert!(board.health(true, 0, 0).silent.is_some());
    }
}
