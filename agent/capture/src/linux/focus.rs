//! Follows the window with the focus and its title.

use std::os::fd::AsFd as _;
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use snag_core::redact;
use tokio::io::unix::AsyncFd;
use tokio::task::spawn_local;
use x11rb::protocol::Event;
use x11rb::protocol::xproto::{AtomEnum, Window};

use super::{Current, Shell, x};
use crate::answer::Reply;
use crate::health::{Source, SourceState};
use crate::queue::{Focused, What};
use crate::window::Told;

/// How often the focus is asked for where no window manager tells of it. Not more seldom while nobody is there: the
/// first keys into a program that is left out must not be counted for the one before.
const FOCUS_POLL: Duration = Duration::from_millis(500);
const FOREVER: Duration = Duration::from_secs(3_600);

/// How long getting to know a program may take. It holds up nobody.
const GET_TO_KNOW: Duration = Duration::from_secs(5);

impl Current {
    fn told(&self, window: Window) -> Focused {
        Focused {
            own: self.own,
            app: self.app.clone(),
            window: format!("{window:x}"),
            screen: self.screen.clone(),
        }
    }
}

impl Shell {
    pub(super) async fn follow_focus(self: Rc<Self>) {
        let reason = match self.follow_focus_until_it_fails().await {
            Ok(()) => return,
            Err(error) => error,
        };
        tracing::warn!(error = %reason, "the X server no longer answers");
        let words = "The X server has gone away.";
        for source in [Source::Window, Source::Element, Source::Reactions] {
            self.context.board.set(source, SourceState::Off, words);
        }
        crate::listener::gone(
            "the X server has gone away; capture needs a new start in the new session",
        );
    }

    async fn follow_focus_until_it_fails(self: &Rc<Self>) -> Result<(), x::XError> {
        self.events.watch(self.events.root)?;
        let managed = self.events.has_window_manager()?;
        self.say_how_windows_are_seen(managed);
        self.look_at_focus()?;
        let socket = self
            .events
            .connection
            .stream()
            .as_fd()
            .try_clone_to_owned()?;
        // SAFETY: the descriptor is our own copy; the `AsyncFd` owns it and nobody closes or replaces it.
        let socket =
            unsafe { AsyncFd::register_with_interest(socket, tokio::io::Interest::READABLE) }?;
        loop {
            while let Some(event) = self.events.next_event()? {
                self.property_changed(&event)?;
            }
            // Where nobody tells of changes, they are asked for; where somebody does, there is no need to wake up.
            let polls = self.context.board.state(Source::Window) == SourceState::Limited;
            let poll = if polls { FOCUS_POLL } else { FOREVER };
            tokio::select! {
                guard = socket.readable() => {
                    let mut guard = guard?;
                    match self.events.next_event()? {
                        None => guard.clear_ready(),
                        Some(event) => self.property_changed(&event)?,
                    }
                }
                () = self.look_again.notified() => self.look_at_focus()?,
                () = tokio::time::sleep(poll) => self.look_at_focus()?,
            }
        }
    }

    fn property_changed(self: &Rc<Self>, event: &Event) -> Result<(), x::XError> {
        let Event::PropertyNotify(event) = event else {
            return Ok(());
        };
        let atoms = &self.events.atoms;
        if event.window != self.events.root {
            let title =
                event.atom == atoms._NET_WM_NAME || event.atom == u32::from(AtomEnum::WM_NAME);
            return if title {
                self.look_at_title(event.window, true)
            } else {
                Ok(())
            };
        }
        if event.atom == atoms._NET_ACTIVE_WINDOW {
            self.look_at_focus()?;
        } else if event.atom == atoms._NET_SUPPORTING_WM_CHECK {
            self.say_how_windows_are_seen(self.events.has_window_manager()?);
        }
        Ok(())
    }

    fn say_how_windows_are_seen(&self, managed: bool) {
        if managed {
            self.context.board.set(
                Source::Window,
                SourceState::Working,
                "The window manager tells of each change.",
            );
        } else {
            self.context.board.set(
                Source::Window,
                SourceState::Limited,
                "No window manager tells which window is active: the focus is asked for twice a second.",
            );
        }
    }

    /// Sees which window has the focus, and tells if it is another.
    fn look_at_focus(self: &Rc<Self>) -> Result<(), x::XError> {
        let active = self.events.active_window()?;
        let before = self.current.borrow().window;
        if active == before {
            return Ok(());
        }
        if let Some(before) = before {
            self.events.unwatch(before)?;
        }
        *self.current.borrow_mut() = Current {
            window: active,
            ..Current::default()
        };
        let Some(window) = active else { return Ok(()) };
        self.events.watch(window)?;
        self.find_and_tell(window);
        Ok(())
    }

    fn find_and_tell(self: &Rc<Self>, window: Window) {
        self.current.borrow_mut().looking = true;
        let (answer, reply) = self
            .context
            .queue
            .question(self.context.window_deadline * 2);
        self.context.queue.push(What::Focus(answer));
        spawn_local(self.clone().find_window(window, reply));
    }

    async fn find_window(self: Rc<Self>, window: Window, reply: Reply<Option<Focused>>) {
        let board = &self.context.board;
        let told = match self.ask_window().await {
            Some(told) if told.id == window => {
                board.window_found.fetch_add(1, Relaxed);
                Some(told)
            }
            // x-win knows no window without a process, and by now another may have the focus.
            _ => match self.read_window(window) {
                Some(told) => {
                    board.window_fallback.fetch_add(1, Relaxed);
                    Some(told)
                }
                None => {
                    board.window_unknown.fetch_add(1, Relaxed);
                    None
                }
            },
        };
        let still = self.current.borrow().window == Some(window);
        let Some(told) = told else {
            let _ = reply.send(None);
            if still {
                self.current.borrow_mut().looking = false;
            }
            return;
        };
        let focused = Current {
            window: Some(window),
            known: true,
            looking: false,
            own: self.context.own.contains(told.pid),
            private: redact::is_private(&told.app, &told.title),
            screen: self.screen(&told.app, &told.title),
            app: told.app,
        };
        if still {
            *self.current.borrow_mut() = focused.clone();
        }
        if let Err(late) = reply.send(Some(focused.told(window)))
            && still
        {
            // Nobody waited any more, but it is the window that has the focus: a screen must not stay unknown.
            self.tell(late);
        }
        if still {
            // The title may have changed since it was read.
            let _ = self.look_at_title(window, false);
            self.get_to_know(told.pid).await;
        }
    }

    fn tell(&self, focused: Option<Focused>) {
        let (answer, reply) = self.context.queue.question(self.context.window_deadline);
        let _ = reply.send(focused);
        self.context.queue.push(What::Focus(answer));
    }

    /// Finds a process's program on the accessibility bus before it is first clicked, as that takes longest.
    async fn get_to_know(&self, pid: u32) {
        let known = self.a11y.borrow().clone();
        if let Some(a11y) = known
            && !self.context.own.contains(pid)
        {
            let _ = tokio::time::timeout(GET_TO_KNOW, a11y.program(pid)).await;
        }
    }

    async fn ask_window(&self) -> Option<Told> {
        let receiver = self.asker.borrow_mut().ask()?;
        match tokio::time::timeout(self.context.window_deadline, receiver).await {
            Ok(Ok(answer)) => {
                self.asker.borrow_mut().answered();
                answer.ok()
            }
            Ok(Err(_)) => None,
            Err(_) => {
                self.asker.borrow_mut().abandon();
                None
            }
        }
    }

    fn read_window(&self, window: Window) -> Option<Told> {
        let app = self.asked.class(window).ok()?;
        let title = self.asked.title(window).ok()?;
        let pid = self.asked.pid(window).ok()?.unwrap_or(0);
        // Without a class it is no program's: the window manager's own, for when nothing has the focus.
        (!app.is_empty()).then_some(Told {
            id: window,
            pid,
            app,
            title,
        })
    }

    /// The screen that a title names: normalised, and nothing of it where the program is not to be looked at.
    fn screen(&self, app: &str, title: &str) -> String {
        if !self.context.redactor().allows(app) {
            String::new()
        } else if redact::is_private(app, title) {
            // A title that the core knows as private, without the page's own.
            "Private Browsing".to_owned()
        } else {
            redact::normalise(title)
        }
    }

    /// Sees what the title of the window with the focus is, and tells if it names another screen. A title that changed
    /// without doing so is still an answer of the window.
    fn look_at_title(self: &Rc<Self>, window: Window, changed: bool) -> Result<(), x::XError> {
        let current = self.current.borrow().clone();
        // While the window itself is being looked up, the look-up brings the title.
        if current.window != Some(window) || current.looking {
            return Ok(());
        }
        if !current.known {
            // It was not known yet who it is; now it says something.
            self.find_and_tell(window);
            return Ok(());
        }
        let title = self.asked.title(window)?;
        let screen = self.screen(&current.app, &title);
        let private = redact::is_private(&current.app, &title);
        if screen == current.screen && private == current.private {
            if changed {
                self.answered_by_the_window();
            }
            return Ok(());
        }
        let focused = Current {
            screen,
            private,
            ..current
        };
        *self.current.borrow_mut() = focused.clone();
        self.tell(Some(focused.told(window)));
        Ok(())
    }
}
