//! Submissions that wait, were sent or refused, with their replies.
//!
//! **Invariants:** what was accepted here is on disk, or the caller is told; words leave in the order in which they
//! were made, and pictures in theirs: a picture that the server has no room for keeps nobody's words; the picture goes
//! as soon as the server has it, the words stay as the person's side of the conversation, until the person deletes it.

use std::io;
use std::path::PathBuf;

use jiff::Timestamp;
use parking_lot::Mutex;
use snag_wire::{Category, Reply};
use uuid::Uuid;

use super::files::{Files, Item};
use super::submission::Outgoing;
use crate::desktop::view::{Conversation, Message, Sentence, SubmissionState};
use crate::screenshot::Encoded;

/// Submissions that may wait: with pictures, some hundred megabytes at the very most.
pub const WAITING_MAX: usize = 50;

/// Conversations that are kept; the oldest that are over go.
const CONVERSATIONS_MAX: usize = 200;

/// Replies kept of one conversation.
const MESSAGES_MAX: usize = 200;

/// Words and pictures leave each at their own pace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// What people said.
    Words,
    /// What they said it with; after its words.
    Pictures,
}

/// What to do next for a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Send the words.
    Words {
        /// The submission.
        id: Uuid,
        /// The exact body.
        body: Vec<u8>,
    },
    /// Send the picture.
    Picture {
        /// The submission.
        id: Uuid,
        /// `image/webp` or `image/jpeg`.
        mime: String,
        /// The file.
        path: PathBuf,
    },
}

/// All submissions.
pub struct Store {
    files: Files,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By rising order.
    items: Vec<Item>,
    /// Where the replies were read up to.
    after: String,
    /// What is being sent at this moment.
    on_its_way: Option<Uuid>,
}

/// What is kept of a submission that wasn't sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsent {
    /// The exact body.
    pub body: String,
    /// The picture's file.
    pub picture: Option<PathBuf>,
}

/// As long as it lives its submission is being sent, and can't be deleted.
pub struct OnItsWay<'a>(&'a Store);

impl Drop for OnItsWay<'_> {
    fn drop(&mut self) {
        self.0.state.lock().on_its_way = None;
    }
}

impl Store {
    /// Reads what is there; pictures of no submission are removed.
    #[must_use]
    pub fn load(folder: PathBuf) -> Self {
        let files = Files::in_folder(folder);
        let state = State {
            items: files.load(),
            after: files.replies_after(),
            on_its_way: None,
        };
        Self {
            files,
            state: Mutex::new(state),
        }
    }

    /// Takes a submission: once this returns it survives a crash and is sent when the server can be reached.
    ///
    /// # Errors
    /// It can't be stored, or too many wait: then nothing of it is here.
    pub fn add(&self, outgoing: &Outgoing) -> Result<(), Sentence> {
        let submission = &outgoing.submission;
        let mut state = self.state.lock();
        if state.items.iter().any(|item| item.id == submission.id) {
            return Ok(());
        }
        let waiting = state.items.iter().filter(|item| item.waits()).count();
        if waiting >= WAITING_MAX {
            return Err(Sentence::new(
                "problem.too_many_waiting",
                [("limit", WAITING_MAX.to_string())],
            ));
        }
        let item = Item {
            order: state.items.last().map_or(1, |item| item.order + 1),
            id: submission.id,
            at: submission.created_at,
            category: submission.category,
            description: submission.description.clone(),
            app: submission.target.app.clone(),
            body: String::from_utf8_lossy(&outgoing.body).into_owned(),
            picture: outgoing
                .picture
                .as_ref()
                .map(|picture| picture.mime.to_owned()),
            posted: false,
            state: SubmissionState::Waiting,
            messages: Vec::new(),
            seen: 0,
            picture_removed: false,
            picture_problem: None,
        };
        self.files.add(&item, outgoing.picture.as_ref())?;
        state.items.push(item);
        self.forget_oldest(&mut state);
        Ok(())
    }

    fn forget_oldest(&self, state: &mut State) {
        while state.items.len() > CONVERSATIONS_MAX {
            let Some(at) = state
                .items
                .iter()
                .position(|item| matches!(item.state, SubmissionState::Sent { .. }))
            else {
                return;
            };
            let item = state.items.remove(at);
            self.files.remove(item.id);
        }
    }

    /// What to send next: the oldest that waits there.
    #[must_use]
    pub fn next(&self, lane: Lane) -> Option<Next> {
        let state = self.state.lock();
        let mut waiting = state.items.iter().filter(|item| item.waits());
        match lane {
            Lane::Words => waiting.find(|item| !item.posted).map(|item| Next::Words {
                id: item.id,
                body: item.body.clone().into_bytes(),
            }),
            Lane::Pictures => waiting.find_map(|item| {
                let mime = item.picture.as_ref().filter(|_| item.posted)?;
                Some(Next::Picture {
                    id: item.id,
                    mime: mime.clone(),
                    path: self.files.picture_path(item.id),
                })
            }),
        }
    }

    /// It is being sent from now on; none where it was deleted meanwhile.
    #[must_use]
    pub fn on_its_way(&self, id: Uuid) -> Option<OnItsWay<'_>> {
        let mut state = self.state.lock();
        let waits = state.items.iter().any(|item| item.id == id && item.waits());
        state.on_its_way = waits.then_some(id);
        waits.then_some(OnItsWay(self))
    }

    /// The server has the words. True where nothing is left to send.
    ///
    /// # Errors
    /// It can't be kept: the words are sent again, which the server knows.
    pub fn words_sent(&self, id: Uuid, at: Timestamp) -> io::Result<bool> {
        self.change(id, |item| {
            item.posted = true;
            if item.picture.is_none() {
                item.body.clear();
                item.state = SubmissionState::Sent { at };
            }
        })
        .map(|item| item.is_some_and(|item| !item.waits()))
    }

    /// The server has the picture, too.
    ///
    /// # Errors
    /// It can't be kept: the picture is sent again, which the server knows.
    pub fn picture_sent(&self, id: Uuid, at: Timestamp) -> io::Result<()> {
        self.change(id, |item| {
            item.picture = None;
            item.body.clear();
            item.state = SubmissionState::Sent { at };
        })?;
        self.files.remove_picture(id)
    }

    /// Deletes the pictures that wait: the organisation takes none any more. The words go without them. Tells how many
    /// there were.
    ///
    /// # Errors
    /// The first that can't be deleted, or whose submission can't be kept without it.
    pub fn delete_pictures(&self, at: Timestamp) -> io::Result<u64> {
        let with_picture: Vec<Uuid> = {
            let state = self.state.lock();
            let with_picture = state.items.iter().filter(|item| item.picture.is_some());
            with_picture.map(|item| item.id).collect()
        };
        for id in &with_picture {
            // The picture first: without it nothing is left that could be sent.
            self.files.remove_picture(*id)?;
            self.change(*id, |item| {
                item.picture = None;
                item.picture_removed = true;
                if item.posted && item.waits() {
                    item.body.clear();
                    item.state = SubmissionState::Sent { at };
                }
            })?;
        }
        Ok(with_picture.len() as u64)
    }

    /// A smaller picture in place of the one that is too large for the server, of this type.
    ///
    /// # Errors
    /// It can't be kept: the larger one is still there.
    pub fn set_picture(&self, id: Uuid, picture: &Encoded) -> io::Result<()> {
        // Between the two the type is wrong, which the server tells from the bytes; then it is made anew.
        self.files.write_picture(id, picture)?;
        self.change(id, |item| item.picture = Some(picture.mime.to_owned()))
            .map(drop)
    }

    /// The server has the words and will never take the picture; the reason is kept.
    ///
    /// # Errors
    /// It can't be kept: the picture is tried again.
    pub fn picture_refused(&self, id: Uuid, reason: &str, at: Timestamp) -> io::Result<()> {
        self.change(id, |item| {
            item.picture = None;
            item.picture_problem = Some(reason.to_owned());
            item.body.clear();
            item.state = SubmissionState::Sent { at };
        })?;
        self.files.remove_picture(id)
    }

    /// The server will never take it; it is kept with the reason.
    ///
    /// # Errors
    /// It can't be kept: it is tried again.
    pub fn refused(&self, id: Uuid, reason: &str) -> io::Result<()> {
        self.change(id, |item| {
            item.state = SubmissionState::Refused {
                reason: reason.to_owned(),
            };
        })
        .map(drop)
    }

    /// Deletes a submission here, with its picture and its answers.
    ///
    /// # Errors
    /// It is being sent at this moment, or can't be deleted.
    pub fn delete(&self, id: Uuid) -> Result<(), Sentence> {
        let mut state = self.state.lock();
        if state.on_its_way == Some(id) {
            return Err(Sentence::plain("problem.leaving_now"));
        }
        Ok(self.remove(&mut state, id)?)
    }

    /// Deletes all that waits, what is being sent at this moment among it.
    ///
    /// # Errors
    /// The first that can't be deleted.
    pub fn delete_waiting(&self) -> io::Result<()> {
        let mut state = self.state.lock();
        let waiting = state.items.iter().filter(|item| item.waits());
        let waiting: Vec<Uuid> = waiting.map(|item| item.id).collect();
        waiting
            .into_iter()
            .try_for_each(|id| self.remove(&mut state, id))
    }

    fn remove(&self, state: &mut State, id: Uuid) -> io::Result<()> {
        self.files.delete(id)?;
        state.items.retain(|item| item.id != id);
        Ok(())
    }

    /// What is kept of a submission that waits or was refused.
    #[must_use]
    pub fn kept(&self, id: Uuid) -> Option<Unsent> {
        let state = self.state.lock();
        let unsent = |item: &&Item| !matches!(item.state, SubmissionState::Sent { .. });
        let item = state
            .items
            .iter()
            .filter(unsent)
            .find(|item| item.id == id)?;
        let picture = item.picture.as_ref().map(|_| self.files.picture_path(id));
        Some(Unsent {
            body: item.body.clone(),
            picture,
        })
    }

    fn change(&self, id: Uuid, change: impl FnOnce(&mut Item)) -> io::Result<Option<Item>> {
        let mut state = self.state.lock();
        let Some(item) = state.items.iter_mut().find(|item| item.id == id) else {
            return Ok(None);
        };
        let mut changed = item.clone();
        change(&mut changed);
        self.files.write(&changed)?;
        *item = changed.clone();
        Ok(Some(changed))
    }

    /// Where to go on reading replies.
    #[must_use]
    pub fn replies_after(&self) -> String {
        self.state.lock().after.clone()
    }

    /// Replies came. Tells those that are new: the submission and who wrote.
    ///
    /// # Errors
    /// They can't be kept, and come again.
    pub fn replies(
        &self,
        replies: Vec<Reply>,
        next_after: &str,
    ) -> io::Result<Vec<(Uuid, String)>> {
        let mut new = Vec::new();
        for reply in replies {
            let known = {
                let state = self.state.lock();
                state
                    .items
                    .iter()
                    .find(|item| item.id == reply.feedback)
                    .is_none_or(|item| item.messages.iter().any(|message| message.id == reply.id))
            };
            if known {
                continue;
            }
            let (feedback, author) = (reply.feedback, reply.author.clone());
            self.change(feedback, |item| {
                item.messages.push(Message {
                    id: reply.id,
                    at: reply.at,
                    author: reply.author,
                    text: reply.text,
                });
                if item.messages.len() > MESSAGES_MAX {
                    item.messages.remove(0);
                    item.seen = item.seen.saturating_sub(1);
                }
            })?;
            new.push((feedback, author));
        }
        let mut state = self.state.lock();
        if state.after != next_after {
            self.files.set_replies_after(next_after)?;
            next_after.clone_into(&mut state.after);
        }
        Ok(new)
    }

    /// The person read a conversation.
    ///
    /// # Errors
    /// There is none of this id, or that can't be kept.
    pub fn read(&self, id: Uuid) -> Result<(), Sentence> {
        self.change(id, |item| item.seen = item.messages.len())?
            .map(drop)
            .ok_or_else(|| Sentence::new("problem.unknown", [("reason", id.to_string())]))
    }

    /// All conversations, the newest first.
    #[must_use]
    pub fn conversations(&self) -> Vec<Conversation> {
        let state = self.state.lock();
        state
            .items
            .iter()
            .rev()
            .map(|item| Conversation {
                id: item.id,
                at: item.at,
                category: item.category,
                description: item.description.clone(),
                app: item.app.clone(),
                state: item.state.clone(),
                messages: item.messages.clone(),
                unread: item.messages.len().saturating_sub(item.seen) as u64,
                picture_removed: item.picture_removed,
                picture_problem: item.picture_problem.clone(),
            })
            .collect()
    }

    /// What kind of thing a submission says.
    #[must_use]
    pub fn category(&self, id: Uuid) -> Option<Category> {
        let state = self.state.lock();
        state
            .items
            .iter()
            .find(|item| item.id == id)
            .map(|item| item.category)
    }

    /// Whether a submission waits to be sent.
    #[must_use]
    pub fn waits(&self, id: Uuid) -> bool {
        let state = self.state.lock();
        state.items.iter().any(|item| item.id == id && item.waits())
    }

    /// How many wait, how many replies weren't read, how many were refused, and when the last one was sent.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let state = self.state.lock();
        let mut counts = Counts::default();
        for item in &state.items {
            counts.posted += u64::from(item.posted);
            match item.state {
                SubmissionState::Waiting => counts.waiting += 1,
                SubmissionState::Refused { .. } => counts.refused += 1,
                SubmissionState::Sent { at } => {
                    counts.sent += 1;
                    counts.last_sent_at = counts.last_sent_at.max(Some(at));
                }
            }
            counts.unread += item.messages.len().saturating_sub(item.seen) as u64;
        }
        counts
    }
}

/// How many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Wait to be sent.
    pub waiting: u64,
    /// The server has them, with their pictures.
    pub sent: u64,
    /// The server has their words.
    pub posted: u64,
    /// When it took the last of them.
    pub last_sent_at: Option<Timestamp>,
    /// The server refused them.
    pub refused: u64,
    /// Replies that weren't read.
    pub unread: u64,
}

#[cfg(test)]
mod tests;
