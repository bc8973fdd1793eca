//! The feedback form: opens with a picture taken before the window shows, keeps the draft, sends it.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};
use snag_wire::{FeedbackSubmission, LabelHash, Target, TrailStep};
use uuid::Uuid;

use super::Host;
use super::events::HostEvent;
use super::knows::unknown;
use crate::commands::VERSION;
use crate::desktop::feedback::form::{Circumstances, DraftFiles, Form, Held};
use crate::desktop::feedback::store::{Store, Unsent};
use crate::desktop::feedback::submission::{self, Outgoing, Sender};
use crate::desktop::view::{
    Conversation, Draft, FeedbackForm, FeedbackPreview, Occasion, PictureSource, PictureView,
    Sentence,
};
use crate::desktop::words::{Language, Words};
use crate::screenshot::{self, Encoded, Shot};

/// What opens the form.
#[derive(Debug, Clone, Default)]
pub struct Opening {
    /// What was found, where it wasn't the person's own idea.
    pub occasion: Option<Occasion>,
    /// The program it is about; the one that has the focus where not given.
    pub app: Option<String>,
    /// The screen's name, as a program gave it.
    pub screen: Option<String>,
    /// An address, as a program gave it.
    pub url: Option<String>,
    /// What is filled in as the person's words.
    pub description: Option<String>,
    /// What the program adds.
    pub app_state: Option<Map<String, Value>>,
    /// The steps that led to what was found.
    pub found: Option<FoundSteps>,
}

impl Opening {
    /// Whether it is the person's own idea, about nothing in particular yet.
    fn is_plain(&self) -> bool {
        let Self {
            occasion,
            app,
            screen,
            url,
            description,
            app_state,
            found,
        } = self;
        let said = [app, screen, url, description]
            .into_iter()
            .any(Option::is_some);
        !said && occasion.is_none() && app_state.is_none() && found.is_none()
    }
}

/// The steps that led to something that was found, in words and in memory only.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundSteps {
    /// When (milliseconds since 1970): what they count back from.
    pub(super) at_ms: i64,
    /// Oldest first.
    pub(super) steps: Vec<TrailStep>,
    /// Which of them is what was found: attached before the person says so, as they said yes to telling of it.
    pub(super) finding: usize,
}

impl FoundSteps {
    /// All of them, and those that are attached, as of a form that opens at that moment.
    fn offered(mut self, opened_at: Timestamp) -> (Vec<TrailStep>, Vec<TrailStep>) {
        let since_ms = u64::try_from(opened_at.as_millisecond() - self.at_ms).unwrap_or_default();
        for step in &mut self.steps {
            step.before_ms += since_ms;
        }
        let attached = self.steps.get(self.finding).cloned();
        (self.steps, attached.into_iter().collect())
    }
}

impl Host {
    /// Opens the form: takes the picture, so this comes **before** any window of ours shows. A draft that was left
    /// with something in it is opened instead of a new one, where the person comes by themselves: what a program or a
    /// question opens is about that, and the draft stays for the next time. Where the form is open already it stays as
    /// it is, unless the person put nothing into it yet: then it takes over what it is about now.
    pub async fn feedback_open(&self, opening: Opening) -> FeedbackForm {
        if let Some(form) = self.shared.form.lock().as_mut() {
            if form.is_untouched() {
                take_over(form, opening);
            }
            return self.shown(form);
        }
        if opening.is_plain()
            && let Some(mut left) = self.shared.drafts.load()
        {
            if !self.pictures_allowed() {
                // It is gone since the start, unless the folder couldn't be written to then.
                left.take_out_picture();
            }
            let shown = self.shown(&left);
            *self.shared.form.lock() = Some(left);
            return shown;
        }
        self.open_new(opening).await
    }

    /// Leaves the draft that is open for later and opens a new one, with a picture of now. The caller hides its window
    /// before and shows it after.
    pub async fn feedback_anew(&self) -> FeedbackForm {
        self.feedback_close();
        self.open_new(Opening::default()).await
    }

    async fn open_new(&self, opening: Opening) -> FeedbackForm {
        let opened_at = submission::moment(Timestamp::now());
        let shot = if self.pictures_allowed() {
            let own = self.shared.options.own_processes.clone();
            tokio::task::spawn_blocking(move || screenshot::take(None, &own))
                .await
                .ok()
                .and_then(|taken| {
                    taken
                        .inspect_err(|error| tracing::warn!(%error, "no picture could be taken"))
                        .ok()
                })
        } else {
            None
        };
        let form = self.new_form(opening, opened_at, shot);
        let mut open = self.shared.form.lock();
        // Two openings at once make one form.
        self.shown(open.get_or_insert(form))
    }

    fn new_form(&self, opening: Opening, opened_at: Timestamp, shot: Option<Shot>) -> Form {
        let shared = &self.shared;
        let (place, session, steps) = {
            let trail = shared.trail.lock();
            let words = Words::of(Language::of_setting(shared.language()));
            (
                trail.place(),
                trail.session(),
                trail.steps(opened_at.as_millisecond(), &shared.labels, &words),
            )
        };
        let (focused, hash) = place.unwrap_or((String::new(), LabelHash([0; 8])));
        let about_focused = opening.app.as_ref().is_none_or(|app| *app == focused);
        let screen = match opening.screen {
            Some(screen) => screen,
            None if about_focused && hash != LabelHash([0; 8]) => hash.to_string(),
            None => String::new(),
        };
        let app = opening.app.unwrap_or(focused);
        // What one program said of itself is no part of feedback about another.
        let own_state = || {
            let state = shared.app_state.lock();
            state
                .as_ref()
                .filter(|(of, _)| *of == app)
                .map(|(_, state)| state.clone())
        };
        let around = Circumstances {
            opened_at,
            app_state: opening.app_state.or_else(own_state),
            target: Target {
                app: app.clone(),
                screen,
                url: opening.url.unwrap_or_default(),
            },
            session,
            occasion: opening.occasion,
            steps,
            screen: shot.as_ref().and_then(|shot| shot.screen),
            window: shot.as_ref().and_then(|shot| shot.window),
        };
        let mut form = Form::new(around, shot.map(held));
        if let Some(found) = opening.found {
            let (steps, attached) = found.offered(opened_at);
            form.offer(steps, attached);
        }
        form.fill_in(opening.description.unwrap_or_default());
        form
    }

    fn shown(&self, form: &Form) -> FeedbackForm {
        FeedbackForm {
            draft: form.draft.clone(),
            picture: form.held.as_ref().map(picture_view),
            app: form.around.target.app.clone(),
            occasion: form.around.occasion.clone(),
            steps: form.around.steps.clone(),
            picture_refused: self.picture_refused(form.picture_removed),
            left_at: form.left_at,
        }
    }

    /// The form as it is open.
    ///
    /// # Errors
    /// None is open.
    pub fn feedback_form(&self) -> Result<FeedbackForm, Sentence> {
        let form = self.shared.form.lock();
        let form = form
            .as_ref()
            .ok_or_else(|| Sentence::plain("problem.no_draft"))?;
        Ok(self.shown(form))
    }

    /// What can be pictured.
    ///
    /// # Errors
    /// Pictures aren't allowed, or there is no display.
    pub async fn feedback_sources(&self) -> Result<Vec<PictureSource>, Sentence> {
        self.may_picture()?;
        let own = self.shared.options.own_processes.clone();
        tokio::task::spawn_blocking(move || screenshot::sources(&own))
            .await
            .map_err(|_| Sentence::plain("problem.picture_gone"))?
            .map_err(|error| Sentence::from(&error))
    }

    /// Takes another picture. The caller hides its window before and shows it after.
    ///
    /// # Errors
    /// None is open, pictures aren't allowed, or the source is gone: then the picture is the one it was.
    pub async fn feedback_retake(&self, source: &str) -> Result<PictureView, Sentence> {
        self.may_picture()?;
        let source = source.to_owned();
        let own = self.shared.options.own_processes.clone();
        let shot = tokio::task::spawn_blocking(move || screenshot::take(Some(&source), &own))
            .await
            .map_err(|_| Sentence::plain("problem.picture_gone"))?
            .map_err(|error| Sentence::from(&error))?;
        let mut form = self.shared.form.lock();
        let form = form
            .as_mut()
            .ok_or_else(|| Sentence::plain("problem.no_draft"))?;
        let held = held(shot);
        let view = picture_view(&held);
        form.held = Some(held);
        // What was hidden or drawn was so on another picture.
        form.draft.hidden.clear();
        form.draft.marks.clear();
        form.draft.crop = None;
        form.draft.with_picture = true;
        Ok(view)
    }

    fn may_picture(&self) -> Result<(), Sentence> {
        self.picture_refused(false).map_or(Ok(()), Err)
    }

    /// Why there may be no picture, where IT says so; `removed` where there was one.
    fn picture_refused(&self, removed: bool) -> Option<Sentence> {
        let organisation = self.shared.organisation();
        let settings = self.shared.settings.lock();
        if settings.pictures_allowed() {
            return None;
        }
        let key = if removed {
            "problem.picture_removed"
        } else {
            "problem.pictures_not_allowed"
        };
        let by = settings.manager(&organisation);
        Some(Sentence::new(key, [("organisation", by)]))
    }

    /// The form's picture for our own window, nothing hidden. Blocks for some ten milliseconds.
    ///
    /// # Errors
    /// There is none of this id.
    pub fn feedback_picture(&self, id: &str) -> Result<Encoded, Sentence> {
        let picture = {
            let form = self.shared.form.lock();
            form.as_ref()
                .and_then(|form| form.held.as_ref())
                .filter(|held| held.id == id)
                .map(|held| Arc::clone(&held.picture))
                .ok_or_else(|| Sentence::plain("problem.picture_gone"))?
        };
        picture.encode().map_err(|error| Sentence::from(&error))
    }

    /// Keeps what the person wrote, so that a crash loses nothing of it.
    ///
    /// # Errors
    /// It is another form's draft, or can't be written.
    pub fn feedback_save_draft(&self, draft: Draft) -> Result<(), Sentence> {
        let mut form = self.shared.form.lock();
        let form = its_form(form.as_mut(), &draft)?;
        form.draft = draft;
        Ok(self.shared.drafts.save(form)?)
    }

    /// Exactly what will be sent.
    ///
    /// # Errors
    /// It is another form's draft, or its picture can't be made small enough.
    pub fn feedback_preview(&self, draft: &Draft) -> Result<FeedbackPreview, Sentence> {
        let outgoing = self.outgoing(draft)?;
        let json =
            serde_json::to_string_pretty(&outgoing.submission).map_err(|error| unknown(&error))?;
        Ok(FeedbackPreview {
            json,
            picture_bytes: outgoing
                .picture
                .map_or(0, |picture| picture.bytes.len() as u64),
            server: self.server(),
        })
    }

    /// The picture exactly as it will leave.
    ///
    /// # Errors
    /// There is none, or it can't be made small enough.
    pub fn feedback_preview_picture(&self, draft: &Draft) -> Result<Encoded, Sentence> {
        self.outgoing(draft)?
            .picture
            .ok_or_else(|| Sentence::plain("problem.picture_gone"))
    }

    /// Sends it, or keeps it until the server can be reached. Once this returns it can't be lost, and the draft
    /// is gone.
    ///
    /// # Errors
    /// Something is missing, or it can't be stored: then the draft is what it was.
    pub fn feedback_send(&self, draft: &Draft) -> Result<Uuid, Sentence> {
        submission::check(draft)?;
        let outgoing = self.outgoing(draft)?;
        self.shared.feedback.add(&outgoing)?;
        self.shared.untold.lock().push(draft.id);
        *self.shared.form.lock() = None;
        if let Err(error) = self.shared.drafts.discard(draft.id) {
            tracing::warn!(%error, "the draft of what was sent can't be removed");
        }
        self.shared.post.notify_one();
        self.shared.publish();
        Ok(draft.id)
    }

    /// Throws the open draft away, with its picture.
    ///
    /// # Errors
    /// A file of it can't be removed.
    pub fn feedback_discard(&self) -> Result<(), Sentence> {
        match self.shared.form.lock().take() {
            Some(form) => Ok(self.shared.drafts.discard(form.draft.id)?),
            None => Ok(()),
        }
    }

    /// Throws away the drafts that were left; what the person is writing stays.
    pub(super) fn delete_drafts(&self) -> Result<(), Sentence> {
        let open = self.shared.form.lock().as_ref().map(|form| form.draft.id);
        Ok(self.shared.drafts.discard_others(open)?)
    }

    /// The window closed: the picture leaves the memory, and a draft with nothing in it the disk.
    pub fn feedback_close(&self) {
        let form = self.shared.form.lock().take();
        if let Some(form) = form.filter(Form::is_untouched)
            && let Err(error) = self.shared.drafts.discard(form.draft.id)
        {
            tracing::warn!(%error, "an empty draft can't be removed");
        }
    }

    /// What the person said, and what was answered.
    #[must_use]
    pub fn conversations(&self) -> Vec<Conversation> {
        self.shared.feedback.conversations()
    }

    /// The person read a conversation.
    ///
    /// # Errors
    /// There is none of this id, or that can't be kept.
    pub fn conversation_read(&self, id: Uuid) -> Result<(), Sentence> {
        self.shared.feedback.read(id)?;
        self.shared.publish();
        Ok(())
    }

    /// Exactly what is kept of a submission that waits or was refused.
    ///
    /// # Errors
    /// There is none of this id any more.
    pub fn feedback_kept(&self, id: Uuid) -> Result<FeedbackPreview, Sentence> {
        let Unsent { body, picture } = self.kept(id)?;
        let body: FeedbackSubmission =
            serde_json::from_str(&body).map_err(|error| unknown(&error))?;
        let json = serde_json::to_string_pretty(&body).map_err(|error| unknown(&error))?;
        let size = |path| std::fs::metadata(path).map_or(0, |file| file.len());
        Ok(FeedbackPreview {
            json,
            picture_bytes: picture.map_or(0, size),
            server: self.server(),
        })
    }

    /// Its picture.
    ///
    /// # Errors
    /// It has none.
    pub fn feedback_kept_picture(&self, id: Uuid) -> Result<Vec<u8>, Sentence> {
        let gone = || Sentence::plain("problem.picture_gone");
        let path = self.kept(id)?.picture.ok_or_else(gone)?;
        std::fs::read(path).map_err(|_| gone())
    }

    fn kept(&self, id: Uuid) -> Result<Unsent, Sentence> {
        let gone = || Sentence::plain("problem.feedback_gone");
        self.shared.feedback.kept(id).ok_or_else(gone)
    }

    /// Deletes a conversation here, with what of it waits.
    ///
    /// # Errors
    /// It is being sent at this moment, or can't be deleted.
    pub fn conversation_delete(&self, id: Uuid) -> Result<(), Sentence> {
        self.shared.feedback.delete(id)?;
        tracing::info!("the person deleted what they said");
        self.shared.post.notify_one();
        self.shared.publish();
        Ok(())
    }

    fn outgoing(&self, draft: &Draft) -> Result<Outgoing, Sentence> {
        let form = {
            let mut form = self.shared.form.lock();
            its_form(form.as_mut(), draft)?.clone()
        };
        submission::build(&form, draft, &self.sender(), self.pictures_allowed())
            .map_err(|error| Sentence::from(&error))
    }

    fn sender(&self) -> Sender {
        let device = self.shared.device.lock();
        Sender {
            product: device
                .as_ref()
                .map(|device| device.identity.product.clone())
                .unwrap_or_default(),
            agent_version: VERSION.to_owned(),
        }
    }

    fn server(&self) -> String {
        let device = self.shared.device.lock();
        device
            .as_ref()
            .map(|device| device.identity.server.clone())
            .unwrap_or_default()
    }

    /// A program asks for the form, through the SDK.
    pub(crate) fn ask_to_open(&self, opening: Opening) {
        *self.shared.opening.lock() = Some(opening);
        self.shared.tell(HostEvent::OpenFeedback);
    }

    /// What a program, or a question that was answered with yes, asked the form to open with; once.
    #[must_use]
    pub fn take_opening(&self) -> Opening {
        self.shared.opening.lock().take().unwrap_or_default()
    }
}

/// An open form that is empty is about something else now.
fn take_over(form: &mut Form, opening: Opening) {
    if let Some(app) = opening.app {
        let around = &mut form.around;
        if app != around.target.app {
            // What another program said of itself is no part of this.
            around.target.screen.clear();
            around.target.url.clear();
            around.app_state = None;
            form.fill_in(String::new());
        }
        form.around.target.app = app;
    }
    let around = &mut form.around;
    if opening.occasion.is_some() {
        around.occasion = opening.occasion;
    }
    if let Some(found) = opening.found {
        let (steps, attached) = found.offered(around.opened_at);
        form.offer(steps, attached);
    }
    let around = &mut form.around;
    if let Some(screen) = opening.screen {
        around.target.screen = screen;
    }
    if let Some(url) = opening.url {
        around.target.url = url;
    }
    if opening.app_state.is_some() {
        around.app_state = opening.app_state;
    }
    if let Some(description) = opening.description {
        form.fill_in(description);
    }
}

/// Deletes the pictures that an earlier run left: IT says by now that none may leave. What can't be deleted is neither
/// shown nor sent, and tried again at the next start.
pub(super) fn delete_pictures(drafts: &DraftFiles, feedback: &Store) {
    let of_drafts = drafts.delete_pictures();
    let waiting = feedback.delete_pictures(Timestamp::now());
    for (of, deleted) in [("drafts", of_drafts), ("waiting", waiting)] {
        match deleted {
            Ok(0) => {}
            Ok(pictures) => {
                tracing::info!(of, pictures, "pictures were deleted, as none may be sent");
            }
            Err(error) => tracing::error!(of, %error, "pictures can't be deleted"),
        }
    }
}

fn its_form<'a>(form: Option<&'a mut Form>, draft: &Draft) -> Result<&'a mut Form, Sentence> {
    let form = form.ok_or_else(|| Sentence::plain("problem.no_draft"))?;
    if form.draft.id != draft.id {
        return Err(Sentence::plain("problem.no_draft"));
    }
    Ok(form)
}

fn held(shot: Shot) -> Held {
    Held {
        id: Uuid::new_v4().to_string(),
        source: shot.source,
        picture: Arc::new(shot.picture),
    }
}

fn picture_view(held: &Held) -> PictureView {
    PictureView {
        id: held.id.clone(),
        size: held.picture.size(),
        source: held.source.clone(),
    }
}
