//! The window with the focus, by x-win, on a thread of its own: a look-up that hangs is left behind with its thread.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

/// x-win needs little: sockets and a few strings.
const STACK_BYTES: usize = 256 * 1024;
/// Look-ups left hanging, each with its thread, before no more are tried.
const MAX_HANGING: usize = 3;

/// What x-win told of the window with the focus.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) id: u32,
    pub(crate) pid: u32,
    pub(crate) app: String,
    pub(crate) title: String,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Silence {
    /// x-win gave an error: no window has the focus, or it names no process.
    Error,
    /// No answer by the deadline.
    Late,
    /// Too many look-ups hang already.
    Stuck,
}

type Question = tokio::sync::oneshot::Sender<Result<Told, Silence>>;

/// The thread that asks x-win.
#[derive(Default)]
pub(crate) struct WindowAsker {
    questions: Option<SyncSender<Question>>,
    hanging: usize,
}

impl WindowAsker {
    /// Puts a question; the answer comes through the receiver.
    pub(crate) fn ask(&mut self) -> Option<tokio::sync::oneshot::Receiver<Result<Told, Silence>>> {
        let (answer, receiver) = tokio::sync::oneshot::channel();
        let mut answer = answer;
        for _ in 0..2 {
            let questions = match &self.questions {
                Some(questions) => questions,
                None if self.hanging > MAX_HANGING => return None,
                None => self.questions.insert(spawn()?),
            };
            match questions.try_send(answer) {
                Ok(()) => return Some(receiver),
                Err(
                    std::sync::mpsc::TrySendError::Full(back)
                    | std::sync::mpsc::TrySendError::Disconnected(back),
                ) => {
                    answer = back;
                    self.abandon();
                }
            }
        }
        None
    }

    /// Leaves the thread behind, as it did not answer in time. It ends when its look-up does.
    pub(crate) fn abandon(&mut self) {
        self.questions = None;
        self.hanging += 1;
    }

    /// An answer came: looking up works.
    pub(crate) fn answered(&mut self) {
        self.hanging = 0;
    }

    /// Asks and waits: for platforms whose capture has a thread of its own for this.
    #[cfg_attr(target_os = "linux", allow(dead_code))]
    pub(crate) fn ask_blocking(&mut self, deadline: Duration) -> Result<Told, Silence> {
        let Some(mut receiver) = self.ask() else {
            return Err(Silence::Stuck);
        };
        let until = std::time::Instant::now() + deadline;
        loop {
            match receiver.try_recv() {
                Ok(answer) => {
                    self.answered();
                    return answer;
                }
                Err(tokio::sync::oneshot::error::TryRecvError::Closed) => {
                    return Err(Silence::Error);
                }
                Err(tokio::sync::oneshot::error::TryRecvError::Empty) => {
                    if std::time::Instant::now() >= until {
                        self.abandon();
                        return Err(Silence::Late);
                    }
                    std::thread::sleep(Duration::from_millis(2));
                }
            }
        }
    }
}

fn spawn() -> Option<SyncSender<Question>> {
    let (sender, receiver): (_, Receiver<Question>) = sync_channel(8);
    std::thread::Builder::new()
        .name("snag-window".into())
        .stack_size(STACK_BYTES)
        .spawn(move || {
            while let Ok(question) = receiver.recv() {
                if !question.is_closed() {
                    let _ = question.send(look_up());
                }
            }
        })
        .ok()?;
    Some(sender)
}

fn look_up() -> Result<Told, Silence> {
    let window = x_win::get_active_window().map_err(|_| Silence::Error)?;
    if window.id == 0 {
        return Err(Silence::Error);
    }
    let app = if window.info.name.trim().is_empty() {
        window.info.exec_name
    } else {
        window.info.name
    };
    Ok(Told {
        id: window.id,
        pid: window.info.process_id,
        app,
        title: window.title,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_hangs_is_left_behind_a_few_times_only() {
        let mut asker = WindowAsker::default();
        for _ in 0..=MAX_HANGING {
            asker.abandon();
        }
        assert!(asker.ask().is_none());
        asker.answered();
        assert!(asker.ask().is_some());
    }
}
