//! Capture on Linux under X11: one thread that follows the focus, looks up elements and listens for answers.
//!
//! The thread runs futures (a current-thread runtime), so that a program that does not answer holds up nobody. Its
//! questions to the X server are plain round trips: a server that hangs shows no windows to click in.

mod a11y;
mod area;
mod watch;
mod x;
mod xlib;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::os::fd::AsFd;
use std::rc::Rc;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use snag_core::redact;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;
use tokio::task::{LocalSet, spawn_local};
use x11rb::protocol::Event;
use x11rb::protocol::xproto::{AtomEnum, Window};

use crate::CaptureError;
use crate::desktop::{Command, Context};
use crate::health::{Source, SourceState};
use crate::queue::{Focused, Reply, Under, What};
use crate::window::{Told, WindowAsker};
use a11y::{A11y, Found, Happened};
use watch::{Clicked, LOOKS, Noise, Verdict, Watch};
pub(crate) use x::recording_probe;
use x::{Damage, WindowAt, X};
pub(crate) use xlib::survive_the_x_server;

/// Futures are on the heap; the deepest stacks are those of D-Bus connecting.
const STACK_BYTES: usize = 512 * 1024;
/// How long the start waits for the accessibility bus before it goes on without.
const A11Y_GRACE: Duration = Duration::from_millis(2_500);
/// How long connecting to the accessibility bus may take.
const A11Y_CONNECT: Duration = Duration::from_secs(10);
const A11Y_RETRY_FIRST: Duration = Duration::from_secs(2);
const A11Y_RETRY_MAX: Duration = Duration::from_secs(60);
/// Look-ups of elements under way at once; further presses go without.
const LOOKUPS_MAX: usize = 64;
/// How often the focus is asked for where no window manager tells of it.
const FOCUS_POLL: Duration = Duration::from_millis(500);
const FOREVER: Duration = Duration::from_secs(3_600);
/// How often redrawn areas are sampled for noise, while somebody uses the window.
const SAMPLE: Duration = Duration::from_secs(1);
/// After this long without press, key or wheel, what happens goes on by itself (ms).
const QUIET_MS: u64 = 1_500;
/// After this long without them, sampling stops (ms).
const ASLEEP_MS: u64 = 30_000;

/// Checks that there is a display, starts the thread, and returns where the pointer is and whether answers of programs
/// can be seen.
///
/// # Errors
/// No display, or one that cannot be used.
pub(crate) fn start(
    context: Context,
    commands: mpsc::Receiver<Command>,
) -> Result<Started, CaptureError> {
    let wayland = std::env::var_os("WAYLAND_DISPLAY").is_some_and(|value| !value.is_empty())
        || std::env::var("XDG_SESSION_TYPE").is_ok_and(|kind| kind == "wayland");
    if std::env::var_os("DISPLAY").is_none_or(|value| value.is_empty()) {
        return Err(CaptureError::NoDisplay { wayland });
    }
    let connect = || X::connect().map_err(|error| CaptureError::Display(error.to_string()));
    let (events, asked) = (connect()?, connect()?);
    let (x, y) = asked
        .pointer()
        .map_err(|error| CaptureError::Display(error.to_string()))?;
    if wayland {
        context.board.set(
            Source::Input,
            SourceState::Limited,
            "This is a Wayland session: only what happens in programs that run through XWayland can be seen. \
             An X11 session shows everything.",
        );
    } else {
        context.board.set(
            Source::Input,
            SourceState::Working,
            "Seen through the X server.",
        );
    }
    let (ready, is_ready) = sync_channel(1);
    std::thread::Builder::new()
        .name("snag-desktop".into())
        .stack_size(STACK_BYTES)
        .spawn(move || {
            let Ok(runtime) = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
            else {
                return;
            };
            let local = LocalSet::new();
            local.block_on(&runtime, async move {
                let shell = Rc::new(Shell::new(context, events, asked));
                shell.run(commands, ready).await;
            });
        })
        .map_err(CaptureError::Thread)?;
    let reactions = is_ready.recv_timeout(A11Y_GRACE * 2).unwrap_or(false);
    Ok(Started { x, y, reactions })
}

/// What is known when the thread runs.
pub(crate) struct Started {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) reactions: bool,
}

/// The window with the focus.
#[derive(Default, Clone)]
struct Current {
    window: Option<Window>,
    app: String,
    /// The title, normalised.
    screen: String,
    private: bool,
    own: bool,
}

/// What a look-up found, in a form that each press which asked gets a copy of.
#[derive(Clone, Default)]
struct Answered {
    own: bool,
    element: Option<snag_core::Element>,
    label: Option<snag_core::LabelText>,
}

/// Presses by the point whose look-up they wait for.
type Waiting = HashMap<(i32, i32), Vec<Reply<Under>>>;

struct Shell {
    context: Context,
    events: X,
    asked: X,
    asker: RefCell<WindowAsker>,
    a11y: RefCell<Option<Rc<A11y>>>,
    current: RefCell<Current>,
    watch: RefCell<Option<Watch>>,
    noise: RefCell<Noise>,
    damage: RefCell<Option<(WindowAt, Damage)>>,
    /// Presses that wait for the look-up at a point.
    waiting: RefCell<Waiting>,
    number: Cell<u64>,
    /// What was last said about answers being seen.
    reactions: Cell<bool>,
    sampling: Cell<bool>,
    /// The focus is to be looked at anew.
    look_again: tokio::sync::Notify,
}

impl Shell {
    fn new(context: Context, events: X, asked: X) -> Self {
        Self {
            context,
            events,
            asked,
            asker: RefCell::default(),
            a11y: RefCell::default(),
            current: RefCell::default(),
            watch: RefCell::default(),
            noise: RefCell::default(),
            damage: RefCell::default(),
            waiting: RefCell::default(),
            number: Cell::new(0),
            reactions: Cell::new(false),
            sampling: Cell::new(false),
            look_again: tokio::sync::Notify::new(),
        }
    }

    async fn run(
        self: Rc<Self>,
        mut commands: mpsc::Receiver<Command>,
        ready: std::sync::mpsc::SyncSender<bool>,
    ) {
        let connected = Rc::new(tokio::sync::Notify::new());
        let accessibility = spawn_local(self.clone().follow_accessibility(connected.clone()));
        let _ = tokio::time::timeout(A11Y_GRACE, connected.notified()).await;
        let reactions = self.a11y.borrow().is_some();
        self.reactions.set(reactions);
        let _ = ready.send(reactions);
        drop(ready);
        let focus = spawn_local(self.clone().follow_focus());
        while let Some(command) = commands.recv().await {
            match command {
                Command::Press { x, y, reply } => self.pressed(x, y, reply),
                Command::Release => {
                    if let Some(watch) = self.watch.borrow_mut().as_mut() {
                        // What answers the release is told as well as what answered the press.
                        watch.answered = false;
                    }
                }
                Command::Resume => {
                    *self.current.borrow_mut() = Current::default();
                    self.look_again.notify_one();
                }
                Command::Stop => break,
            }
        }
        accessibility.abort();
        focus.abort();
    }

    // ---- the window with the focus ----

    async fn follow_focus(self: Rc<Self>) {
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
                self.look_at_title(event.window)
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
        self.current.borrow_mut().window = active;
        let Some(window) = active else { return Ok(()) };
        self.events.watch(window)?;
        let (answer, reply) = self
            .context
            .queue
            .question(self.context.window_deadline * 2);
        self.context.queue.push(What::Focus(answer));
        spawn_local(self.clone().find_window(window, reply));
        Ok(())
    }

    async fn find_window(self: Rc<Self>, window: Window, reply: Reply<Option<Focused>>) {
        use std::sync::atomic::Ordering::Relaxed;
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
        let focused = told.map(|told| {
            let own = self.context.own.contains(&told.pid);
            let private = redact::is_private(&told.app, &told.title);
            let screen = self.screen(&told.app, &told.title);
            let mut current = self.current.borrow_mut();
            if current.window == Some(window) {
                *current = Current {
                    window: Some(window),
                    app: told.app.clone(),
                    screen: screen.clone(),
                    private,
                    own,
                };
            }
            Focused {
                own,
                app: told.app,
                window: format!("{window:x}"),
                screen,
            }
        });
        reply.send(focused);
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
        (!app.is_empty() || !title.is_empty()).then_some(Told {
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

    fn look_at_title(self: &Rc<Self>, window: Window) -> Result<(), x::XError> {
        let current = self.current.borrow().clone();
        // While the window itself is being looked up, the look-up brings the title.
        if current.window != Some(window) || current.app.is_empty() {
            return Ok(());
        }
        let title = self.events.title(window)?;
        let screen = self.screen(&current.app, &title);
        let private = redact::is_private(&current.app, &title);
        if screen == current.screen && private == current.private {
            self.answered_by_the_window();
            return Ok(());
        }
        {
            let mut now = self.current.borrow_mut();
            now.screen.clone_from(&screen);
            now.private = private;
        }
        let (answer, reply) = self.context.queue.question(self.context.window_deadline);
        self.context.queue.push(What::Focus(answer));
        reply.send(Some(Focused {
            own: current.own,
            app: current.app,
            window: format!("{window:x}"),
            screen,
        }));
        Ok(())
    }

    // ---- what is clicked ----

    fn pressed(self: &Rc<Self>, x: f64, y: f64, reply: Reply<Under>) {
        #[expect(clippy::cast_possible_truncation, reason = "pixels of a screen")]
        let point = (x.round() as i32, y.round() as i32);
        self.number.set(self.number.get() + 1);
        *self.watch.borrow_mut() = Some(Watch::new(self.number.get(), Instant::now()));
        self.context.trail.start(point);
        let mut waiting = self.waiting.borrow_mut();
        if let Some(asked) = waiting.get_mut(&point) {
            // The same point a moment ago: its answer is this one's.
            asked.push(reply);
            return;
        }
        if waiting.len() >= LOOKUPS_MAX {
            reply.send(Under::default());
            return;
        }
        waiting.insert(point, vec![reply]);
        drop(waiting);
        spawn_local(self.clone().look_up(point));
    }

    async fn look_up(self: Rc<Self>, point: (i32, i32)) {
        let at = self.window_at(point);
        let mut result = Answered::default();
        let mut clicked = None;
        if let Some((at, app)) = &at {
            result.own = at.pid.is_some_and(|pid| self.context.own.contains(&pid));
            if !result.own && self.may_look_at(app) {
                let found = tokio::time::timeout(
                    self.context.element_deadline,
                    self.find_element(at, point),
                )
                .await;
                if let Ok(Some(found)) = found {
                    let (element, label) = self.redacted(app, &found);
                    result.element = Some(element);
                    result.label = label;
                    clicked = Some(Clicked {
                        object: found.object,
                        role: found.role,
                        area: found.area,
                    });
                }
            }
        }
        for reply in self.waiting.borrow_mut().remove(&point).unwrap_or_default() {
            let Answered {
                own,
                element,
                label,
            } = result.clone();
            reply.send(Under {
                own,
                element,
                label,
            });
        }
        self.watch_for_answers(clicked, at.map(|(at, _)| at));
    }

    fn window_at(&self, (x, y): (i32, i32)) -> Option<(WindowAt, String)> {
        let x = i16::try_from(x).ok()?;
        let y = i16::try_from(y).ok()?;
        let at = self.asked.window_at(x, y).ok()??;
        let app = self.asked.class(at.window).ok()?;
        Some((at, app))
    }

    fn may_look_at(&self, app: &str) -> bool {
        let current = self.current.borrow();
        self.context.redactor().allows(app) && !(current.private && current.app == app)
    }

    async fn find_element(&self, at: &WindowAt, (x, y): (i32, i32)) -> Option<Found> {
        let a11y = self.a11y.borrow().clone()?;
        a11y.element_at(at.pid?, at, x, y).await.ok().flatten()
    }

    fn redacted(
        &self,
        app: &str,
        found: &Found,
    ) -> (snag_core::Element, Option<snag_core::LabelText>) {
        let redactor = self.context.redactor();
        if crate::names::tells_apart(&found.name) {
            return redactor.element(app, &found.role, &found.name);
        }
        let place = crate::names::by_place(&redact::app_name(app), &found.role, &found.place);
        let (element, _) = redactor.element(app, &found.role, "");
        (
            snag_core::Element {
                id: redactor.label_hash(&place).to_string(),
                ..element
            },
            None,
        )
    }

    // ---- answers ----

    /// It is known now what was clicked: what waited for it is judged, and redraws are looked at for a while.
    fn watch_for_answers(self: &Rc<Self>, clicked: Option<Clicked>, at: Option<WindowAt>) {
        let (number, pending) = {
            let mut watch = self.watch.borrow_mut();
            let Some(watch) = watch.as_mut() else { return };
            (watch.number, watch.resolve(clicked.clone()))
        };
        let Some(clicked) = clicked else { return };
        for happened in pending {
            self.judge(&clicked, &happened);
        }
        if let (Some(at), Some(area)) = (at, clicked.area) {
            self.note_damage(at);
            spawn_local(self.clone().look_for_redraws(number, area));
        }
    }

    fn judge(self: &Rc<Self>, clicked: &Clicked, happened: &Happened) {
        if self
            .noise
            .borrow()
            .is_noise(&happened.object, Instant::now())
        {
            return;
        }
        match watch::judge(clicked, happened) {
            Verdict::Answer => self.answered(),
            Verdict::LostFocus => {
                spawn_local(self.clone().note_lost_focus(happened.object.clone()));
            }
            Verdict::Nothing => {}
        }
    }

    /// The window itself answered, by its title.
    fn answered_by_the_window(&self) {
        let known = self
            .watch
            .borrow()
            .as_ref()
            .is_some_and(|watch| watch.clicked.is_some());
        if known {
            self.answered();
        }
    }

    /// Tells of the answer to the click watched, once.
    fn answered(&self) {
        let mut watch = self.watch.borrow_mut();
        if let Some(watch) = watch.as_mut().filter(|watch| watch.open(Instant::now())) {
            watch.answered = true;
            self.context.queue.push(What::Reaction);
        }
    }

    async fn note_lost_focus(self: Rc<Self>, object: a11y::Object) {
        let Some(a11y) = self.a11y.borrow().clone() else {
            return;
        };
        let Ok(Ok(Some(area))) =
            tokio::time::timeout(self.context.element_deadline, a11y.area(&object)).await
        else {
            return;
        };
        if let Some(watch) = self.watch.borrow_mut().as_mut() {
            watch.redrawn_anyway.push(area);
        }
    }

    fn note_damage(self: &Rc<Self>, at: WindowAt) {
        let mut damage = self.damage.borrow_mut();
        match damage.as_mut() {
            Some((noted, _)) if noted.window == at.window => noted.area = at.area,
            other => {
                if let Some((_, noted)) = other {
                    self.asked.forget(noted);
                }
                self.noise.borrow_mut().forget_areas();
                *damage = self.asked.note_damage(at.window).map(|noted| (at, noted));
            }
        }
        if let Some((_, noted)) = damage.as_ref() {
            // What was redrawn until now was before the answer could be.
            let _ = self.asked.look(noted);
            if !self.sampling.replace(true) {
                spawn_local(self.clone().sample_noise());
            }
        }
    }

    /// The areas redrawn since the last look, relative to their window.
    fn redrawn(&self) -> Option<(WindowAt, Vec<area::Area>)> {
        let mut damage = self.damage.borrow_mut();
        let (at, noted) = damage.as_ref()?;
        match self.asked.look(noted) {
            Ok(areas) => Some((*at, areas)),
            Err(_) => {
                *damage = None;
                None
            }
        }
    }

    async fn look_for_redraws(self: Rc<Self>, number: u64, clicked: area::Area) {
        let Some(at) = self.watch.borrow().as_ref().map(|watch| watch.at) else {
            return;
        };
        for after in LOOKS {
            tokio::time::sleep_until((at + after).into()).await;
            let anyway = {
                let watch = self.watch.borrow();
                let Some(watch) = watch.as_ref().filter(|watch| watch.number == number) else {
                    return;
                };
                if !watch.open(Instant::now()) {
                    return;
                }
                watch.redrawn_anyway.clone()
            };
            let Some((window, redrawn)) = self.redrawn() else {
                return;
            };
            let (left, top) = (window.area.x, window.area.y);
            let anyway: Vec<_> = anyway.iter().map(|area| area.moved(-left, -top)).collect();
            let trail: Vec<_> = self
                .context
                .trail
                .points()
                .iter()
                .map(|(x, y)| (x - left, y - top))
                .collect();
            let answers = watch::redraw_answers(
                &redrawn,
                clicked.moved(-left, -top),
                &anyway,
                &trail,
                &self.noise.borrow(),
                window.area.moved(-left, -top),
                Instant::now(),
            );
            if answers {
                self.answered();
                return;
            }
        }
    }

    /// Learns what is redrawn in the window while nobody does anything. Ends when nobody has for long.
    async fn sample_noise(self: Rc<Self>) {
        // Redraws since the last look belong to a click unless that look was in a quiet time, too.
        let mut was_quiet = false;
        loop {
            tokio::time::sleep(SAMPLE).await;
            let quiet_ms = self.context.quiet_ms();
            if quiet_ms > ASLEEP_MS {
                self.sampling.set(false);
                return;
            }
            let watching = self
                .watch
                .borrow()
                .as_ref()
                .is_some_and(|watch| watch.open(Instant::now()));
            let quiet = quiet_ms > QUIET_MS && !watching;
            if quiet
                && let Some((_, areas)) = self.redrawn()
                && was_quiet
            {
                self.noise.borrow_mut().seen(&areas, Instant::now());
            }
            was_quiet = quiet;
        }
    }

    // ---- the accessibility bus ----

    async fn follow_accessibility(self: Rc<Self>, connected: Rc<tokio::sync::Notify>) {
        let mut retry = A11Y_RETRY_FIRST;
        loop {
            let error = match tokio::time::timeout(A11Y_CONNECT, A11y::connect()).await {
                Ok(Ok(a11y)) => {
                    retry = A11Y_RETRY_FIRST;
                    let a11y = Rc::new(a11y);
                    *self.a11y.borrow_mut() = Some(a11y.clone());
                    self.say_accessibility(None);
                    connected.notify_one();
                    self.clone().hear(a11y).await;
                    *self.a11y.borrow_mut() = None;
                    "The accessibility bus has gone away.".to_owned()
                }
                Ok(Err(error)) => why_no_accessibility(&error),
                Err(_) => "The accessibility bus does not answer.".to_owned(),
            };
            self.say_accessibility(Some(&error));
            connected.notify_one();
            tokio::time::sleep(retry).await;
            retry = (retry * 2).min(A11Y_RETRY_MAX);
        }
    }

    fn say_accessibility(&self, error: Option<&str>) {
        let board = &self.context.board;
        match error {
            None => {
                board.set(
                    Source::Element,
                    SourceState::Working,
                    "Programs tell by the accessibility bus (AT-SPI).",
                );
                board.set(
                    Source::Reactions,
                    SourceState::Working,
                    "Seen by accessibility events and redraws.",
                );
            }
            Some(error) => {
                board.set(
                    Source::Element,
                    SourceState::Off,
                    format!("{error} Clicks are captured by place only."),
                );
                board.set(
                    Source::Reactions,
                    SourceState::Off,
                    format!("{error} No click is called dead."),
                );
            }
        }
        let reactions = error.is_none();
        // Before the start is over, the start itself tells.
        if self.reactions.replace(reactions) != reactions && self.start_is_over() {
            self.context.queue.push(What::Reactions(reactions));
        }
    }

    fn start_is_over(&self) -> bool {
        self.context
            .started
            .load(std::sync::atomic::Ordering::Relaxed)
    }

    async fn hear(self: Rc<Self>, a11y: Rc<A11y>) {
        use futures_util::StreamExt as _;
        let mut messages = atspi::zbus::MessageStream::from(a11y.connection());
        while let Some(message) = messages.next().await {
            let Ok(message) = message else { continue };
            if message.message_type() != atspi::zbus::message::Type::Signal {
                continue;
            }
            let watching = self
                .watch
                .borrow()
                .as_ref()
                .is_some_and(|watch| watch.open(Instant::now()));
            let quiet = self.context.quiet_ms() > QUIET_MS;
            if !watching && !quiet {
                continue;
            }
            let Some(happened) = a11y::happened(&message) else {
                continue;
            };
            if quiet {
                self.noise
                    .borrow_mut()
                    .heard(&happened.object, Instant::now());
            }
            if !watching {
                continue;
            }
            let clicked = self
                .watch
                .borrow()
                .as_ref()
                .and_then(|watch| watch.clicked.clone());
            match clicked {
                Some(clicked) => self.judge(&clicked, &happened),
                None => {
                    if let Some(watch) = self.watch.borrow_mut().as_mut() {
                        watch.wait(happened);
                    }
                }
            }
        }
    }
}

/// Why there is no accessibility bus, for a person.
fn why_no_accessibility(error: &str) -> String {
    if std::env::var_os("DBUS_SESSION_BUS_ADDRESS").is_none() {
        return "There is no session bus (DBUS_SESSION_BUS_ADDRESS is not set), so no accessibility bus.".to_owned();
    }
    if error.contains("ServiceUnknown")
        || error.contains("NameHasNoOwner")
        || error.contains("not provided")
    {
        return "There is no accessibility bus: at-spi2-core is not installed or not running."
            .to_owned();
    }
    // The error names addresses and interfaces of the bus, nothing of the person's.
    format!("The accessibility bus cannot be reached ({error}).")
}
