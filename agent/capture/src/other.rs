//! Capture on Windows and macOS: the window with the focus is asked for twice a second. Elements and answers are not
//! seen there yet, and health says so.

use std::time::Duration;

use snag_core::redact;
use tokio::sync::mpsc;

use crate::CaptureError;
use crate::desktop::{Command, Context};
use crate::health::{Source, SourceState};
use crate::queue::{Focused, Under, What};
use crate::window::WindowAsker;

const POLL: Duration = Duration::from_millis(500);
const STEP: Duration = Duration::from_millis(20);

/// What is known when the thread runs.
pub(crate) struct Started {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) reactions: bool,
}

/// Starts the thread.
///
/// # Errors
/// The thread cannot be started.
pub(crate) fn start(
    context: Context,
    mut commands: mpsc::Receiver<Command>,
) -> Result<Started, CaptureError> {
    let board = context.board.clone();
    board.set(
        Source::Input,
        SourceState::Working,
        "Seen through the system's hooks.",
    );
    board.set(
        Source::Window,
        SourceState::Limited,
        "The focus is asked for twice a second.",
    );
    board.set(
        Source::Element,
        SourceState::Off,
        "Not seen on this system. Clicks are captured by place only.",
    );
    board.set(
        Source::Reactions,
        SourceState::Off,
        "Not seen on this system. No click is called dead.",
    );
    std::thread::Builder::new()
        .name("snag-desktop".into())
        .spawn(move || {
            let mut asker = WindowAsker::default();
            let mut last = None;
            let mut own = false;
            let mut since_poll = POLL;
            loop {
                match commands.try_recv() {
                    Ok(Command::Press { reply, .. }) => {
                        let _ = reply.send(Under {
                            own: Some(own),
                            ..Under::default()
                        });
                        continue;
                    }
                    Ok(Command::Pointer { reply, .. }) => {
                        // Only the window with the focus is known here.
                        let _ = reply.send(Some(own));
                        continue;
                    }
                    Ok(Command::Release) => continue,
                    Ok(Command::Resume) => last = None,
                    Ok(Command::Stop) | Err(mpsc::error::TryRecvError::Disconnected) => return,
                    Err(mpsc::error::TryRecvError::Empty) => {}
                }
                if since_poll >= POLL {
                    since_poll = Duration::ZERO;
                    if let Ok(told) = asker.ask_blocking(context.window_deadline)
                        && last.as_ref() != Some(&told)
                    {
                        own = context.own.contains(told.pid);
                        let screen = if !context.redactor().allows(&told.app) {
                            String::new()
                        } else if redact::is_private(&told.app, &told.title) {
                            "Private Browsing".to_owned()
                        } else {
                            redact::normalise(&told.title)
                        };
                        let (answer, reply) = context.queue.question(context.window_deadline);
                        context.queue.push(What::Focus(answer));
                        let window = format!("{:x}", told.id);
                        let _ = reply.send(Some(Focused {
                            own,
                            app: told.app.clone(),
                            window,
                            screen,
                        }));
                        last = Some(told);
                    }
                }
                std::thread::sleep(STEP);
                since_poll += STEP;
            }
        })
        .map_err(CaptureError::Thread)?;
    Ok(Started {
        x: 0.0,
        y: 0.0,
        reactions: false,
    })
}
