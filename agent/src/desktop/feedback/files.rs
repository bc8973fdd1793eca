//! The files of submissions: one of JSON each, and the picture beside it while it waits.
//!
//! **Invariants:** a file is written whole or not at all, and readable by its owner only; a picture that no submission
//! waits with is removed at the next start at the latest, and said in the log where that fails.

use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use snag_wire::Category;
use uuid::Uuid;

use crate::config::{create_private_dir, write_private};
use crate::desktop::view::{Message, SubmissionState};
use crate::screenshot::Encoded;

/// Where the replies were read up to.
const REPLIES: &str = "replies.json";

/// A submission and what became of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Item {
    /// Rises with each submission.
    pub(super) order: u64,
    pub(super) id: Uuid,
    pub(super) at: Timestamp,
    pub(super) category: Category,
    pub(super) description: String,
    pub(super) app: String,
    /// The exact body; empty once the server has it.
    pub(super) body: String,
    /// The picture's type while it waits; its bytes are in a file beside.
    pub(super) picture: Option<String>,
    /// The server has the words.
    pub(super) posted: bool,
    pub(super) state: SubmissionState,
    pub(super) messages: Vec<Message>,
    /// Replies that were seen.
    pub(super) seen: usize,
    /// Its picture was deleted before it left.
    #[serde(default)]
    pub(super) picture_removed: bool,
    /// Why the server didn't take its picture.
    #[serde(default)]
    pub(super) picture_problem: Option<String>,
}

impl Item {
    pub(super) fn waits(&self) -> bool {
        self.state == SubmissionState::Waiting
    }
}

/// What is left where a file can't be removed. Its name goes to the log, its path and its content don't.
#[derive(Debug, Clone, Copy)]
enum Leftover {
    Picture,
    Conversation,
    HalfWritten,
}

impl Leftover {
    fn as_str(self) -> &'static str {
        match self {
            Self::Picture => "picture",
            Self::Conversation => "conversation",
            Self::HalfWritten => "half_written",
        }
    }
}

/// The folder that they are in.
pub(super) struct Files {
    folder: PathBuf,
}

impl Files {
    /// In this folder, which is made when something is written.
    pub(super) fn in_folder(folder: PathBuf) -> Self {
        Self { folder }
    }

    fn item_path(&self, id: Uuid) -> PathBuf {
        self.folder.join(format!("{id}.json"))
    }

    /// Where the picture of a submission is.
    pub(super) fn picture_path(&self, id: Uuid) -> PathBuf {
        self.folder.join(format!("{id}.picture"))
    }

    /// All submissions by rising order. What nobody waits for is removed.
    pub(super) fn load(&self) -> Vec<Item> {
        let mut items: Vec<Item> = Vec::new();
        let mut pictures = Vec::new();
        for path in std::fs::read_dir(&self.folder)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
        {
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("json") if path.file_name().is_some_and(|name| name != REPLIES) => {
                    match read(&path) {
                        Ok(item) => items.push(item),
                        Err(error) => {
                            let file = path.file_name().map(|name| name.to_string_lossy());
                            tracing::error!(?file, error, "a submission can't be read");
                        }
                    }
                }
                Some("picture") => pictures.push(path),
                Some("tmp") => remove_or_say(&path, Leftover::HalfWritten),
                _ => {}
            }
        }
        items.sort_by_key(|item| item.order);
        for path in pictures {
            let wanted = items.iter().any(|item| {
                item.picture.is_some()
                    && path
                        .file_stem()
                        .is_some_and(|stem| stem == item.id.to_string().as_str())
            });
            if !wanted {
                remove_or_say(&path, Leftover::Picture);
            }
        }
        items
    }

    /// Keeps a new submission, with its picture: all of it or nothing.
    pub(super) fn add(&self, item: &Item, picture: Option<&Encoded>) -> io::Result<()> {
        create_private_dir(&self.folder)?;
        let stored = match picture {
            Some(picture) => write_private(&self.picture_path(item.id), &picture.bytes),
            None => Ok(()),
        }
        .and_then(|()| self.write(item));
        if stored.is_err() {
            remove_or_say(&self.picture_path(item.id), Leftover::Picture);
            self.remove(item.id);
        }
        stored
    }

    /// Keeps what became of one.
    pub(super) fn write(&self, item: &Item) -> io::Result<()> {
        let bytes = serde_json::to_vec(item).map_err(io::Error::other)?;
        write_private(&self.item_path(item.id), &bytes)
    }

    /// Forgets a conversation.
    pub(super) fn remove(&self, id: Uuid) {
        remove_or_say(&self.item_path(id), Leftover::Conversation);
    }

    /// Deletes a submission and its picture. The picture first: words without it say at least that they wait.
    pub(super) fn delete(&self, id: Uuid) -> io::Result<()> {
        self.remove_picture(id)?;
        remove(&self.item_path(id))
    }

    /// Another picture in place of the one that is there.
    pub(super) fn write_picture(&self, id: Uuid, picture: &Encoded) -> io::Result<()> {
        write_private(&self.picture_path(id), &picture.bytes)
    }

    /// Removes the picture of a submission that the server has.
    pub(super) fn remove_picture(&self, id: Uuid) -> io::Result<()> {
        remove(&self.picture_path(id))
    }

    /// Where the replies were read up to; from their beginning where that isn't known.
    pub(super) fn replies_after(&self) -> String {
        std::fs::read(self.folder.join(REPLIES))
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default()
    }

    /// Keeps that.
    pub(super) fn set_replies_after(&self, after: &str) -> io::Result<()> {
        create_private_dir(&self.folder)?;
        let bytes = serde_json::to_vec(after).map_err(io::Error::other)?;
        write_private(&self.folder.join(REPLIES), &bytes)
    }
}

fn read(path: &Path) -> Result<Item, String> {
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    // The parser's own words could quote the person's.
    serde_json::from_slice(&bytes)
        .map_err(|error| format!("{:?} at byte {}", error.classify(), error.column()))
}

/// Removes a file that may be gone already.
fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Removes a file that is of no use any more. Nothing else hangs on it, but somebody's words or picture would lie
/// about: where it can't be removed, that is said.
fn remove_or_say(path: &Path, what: Leftover) {
    // A file system that can't be written to refuses also to remove what isn't there.
    if let Err(error) = remove(path)
        && path.symlink_metadata().is_ok()
    {
        tracing::warn!(what = what.as_str(), %error, "a file that isn't needed any more can't be removed");
    }
}
