//! The open form, and the drafts on disk.
//!
//! A draft is written with each save, so that a crash loses nothing that was typed, into files of its own: what is
//! begun beside it takes nothing from it. Its picture is written with the areas that are hidden at that moment already
//! painted over; where an earlier draft had less hidden, the earlier file is overwritten before it is replaced. The
//! original is in memory, and only while the form is open, and so are the names in what is merely offered: the steps
//! that the person didn't attach, and what a question was about.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use snag_wire::{Size, Target, TrailStep};
use uuid::Uuid;

use crate::config::{create_private_dir, write_private};
use crate::desktop::view::{Area, Draft, Occasion, PictureSource};
use crate::screenshot::Picture;

/// What is known around a draft.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Circumstances {
    /// When the form opened: what the steps count back from.
    pub opened_at: Timestamp,
    /// What it is about.
    pub target: Target,
    /// The device's session.
    pub session: Option<u32>,
    /// What opened the form.
    pub occasion: Option<Occasion>,
    /// The steps that are offered.
    pub steps: Vec<TrailStep>,
    /// What the program added.
    pub app_state: Option<Map<String, Value>>,
    /// The screen's size.
    pub screen: Option<Size>,
    /// The window's size.
    pub window: Option<Size>,
}

/// A picture in the form.
#[derive(Debug, Clone)]
pub struct Held {
    /// Names it: another picture has another id.
    pub id: String,
    /// What it shows.
    pub source: PictureSource,
    /// Its pixels, without what the person hid.
    pub picture: Arc<Picture>,
}

/// The open form.
#[derive(Debug, Clone)]
pub struct Form {
    /// What the person wrote.
    pub draft: Draft,
    /// What is known around it.
    pub around: Circumstances,
    /// The picture.
    pub held: Option<Held>,
    /// Whether a picture was taken out, because the organisation takes none any more.
    pub picture_removed: bool,
    /// When it was begun, where it was left and is opened again.
    pub left_at: Option<Timestamp>,
    /// The words that a program filled in.
    filled_in: String,
    /// The steps that were attached before the person did anything.
    steps_filled_in: Vec<TrailStep>,
    /// The picture and the hidden areas that are on disk.
    stored: Option<(String, Vec<Area>)>,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    draft: Draft,
    around: Circumstances,
    #[serde(default)]
    filled_in: String,
    #[serde(default)]
    steps_filled_in: Vec<TrailStep>,
    #[serde(default)]
    picture_removed: bool,
    picture: Option<KeptPicture>,
}

#[derive(Serialize, Deserialize)]
struct KeptPicture {
    source: PictureSource,
    /// In the picture's pixels on disk already.
    hidden: Vec<Area>,
}

impl Form {
    /// A form with nothing in it yet.
    #[must_use]
    pub fn new(around: Circumstances, held: Option<Held>) -> Self {
        Self {
            draft: Draft {
                id: Uuid::now_v7(),
                category: None,
                description: String::new(),
                rating: None,
                tags: Vec::new(),
                steps: Vec::new(),
                with_picture: held.is_some(),
                crop: None,
                hidden: Vec::new(),
                marks: Vec::new(),
            },
            around,
            held,
            picture_removed: false,
            left_at: None,
            filled_in: String::new(),
            steps_filled_in: Vec::new(),
            stored: None,
        }
    }

    /// Puts a program's words into it.
    pub fn fill_in(&mut self, words: String) {
        self.filled_in.clone_from(&words);
        self.draft.description = words;
    }

    /// Offers other steps, of which some are attached already.
    pub fn offer(&mut self, steps: Vec<TrailStep>, attached: Vec<TrailStep>) {
        self.around.steps = steps;
        self.draft.steps.clone_from(&attached);
        self.steps_filled_in = attached;
    }

    /// Takes the picture out, with what was drawn on it: the organisation takes none any more.
    pub fn take_out_picture(&mut self) {
        self.picture_removed |= self.held.is_some();
        self.held = None;
        without_picture(&mut self.draft);
    }

    /// Whether the person put nothing into it: a program's words, as it filled them in, are none of theirs.
    #[must_use]
    pub fn is_untouched(&self) -> bool {
        let draft = &self.draft;
        let words = draft.description.trim();
        draft.category.is_none()
            && (words.is_empty() || words == self.filled_in.trim())
            && draft.rating.is_none()
            && draft.tags.is_empty()
            && draft.steps == self.steps_filled_in
            && draft.marks.is_empty()
            && draft.hidden.is_empty()
    }
}

fn without_picture(draft: &mut Draft) {
    draft.with_picture = false;
    draft.crop = None;
    draft.hidden.clear();
    draft.marks.clear();
}

/// What is known around a draft, as it is kept: of what is only offered, and of what was found, no names.
fn kept_around(form: &Form) -> Circumstances {
    let attached = |step: &&TrailStep| form.draft.steps.contains(step);
    let around = &form.around;
    Circumstances {
        steps: around.steps.iter().filter(attached).cloned().collect(),
        occasion: around.occasion.clone().map(Occasion::without_name),
        ..around.clone()
    }
}

/// Where the drafts are.
#[derive(Debug, Clone)]
pub struct DraftFiles {
    folder: PathBuf,
}

/// What the names of their files begin with.
const PREFIX: &str = "draft-";

impl DraftFiles {
    /// In this folder, which is made when a draft is saved.
    #[must_use]
    pub fn in_folder(folder: PathBuf) -> Self {
        Self { folder }
    }

    fn text(&self, id: Uuid) -> PathBuf {
        self.folder.join(format!("{PREFIX}{id}.json"))
    }

    fn picture(&self, id: Uuid) -> PathBuf {
        self.folder.join(format!("{PREFIX}{id}.picture"))
    }

    /// The drafts of which there is a file, the one that was begun last first.
    fn ids(&self) -> Vec<Uuid> {
        let names = std::fs::read_dir(&self.folder).into_iter().flatten();
        let mut ids: Vec<Uuid> = names
            .flatten()
            .filter_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                let (id, _) = name.strip_prefix(PREFIX)?.split_once('.')?;
                id.parse().ok()
            })
            .collect();
        // An id begins with its time.
        ids.sort_unstable_by(|a, b| b.cmp(a));
        ids.dedup();
        ids
    }

    /// Writes what the form holds.
    ///
    /// # Errors
    /// The file system's; what was there before is there still.
    pub fn save(&self, form: &mut Form) -> io::Result<()> {
        create_private_dir(&self.folder)?;
        let id = form.draft.id;
        match form.held.as_ref().filter(|_| form.draft.with_picture) {
            Some(held) => {
                let wanted = (held.id.clone(), form.draft.hidden.clone());
                if form.stored.as_ref() != Some(&wanted) {
                    let encoded = held
                        .picture
                        .finished(&form.draft.hidden, None)
                        .encode()
                        .map_err(|error| io::Error::other(error.to_string()))?;
                    scrub(&self.picture(id))?;
                    write_private(&self.picture(id), &encoded.bytes)?;
                    form.stored = Some(wanted);
                }
            }
            None => {
                remove(&self.picture(id))?;
                form.stored = None;
            }
        }
        let kept = Kept {
            draft: form.draft.clone(),
            around: kept_around(form),
            filled_in: form.filled_in.clone(),
            steps_filled_in: form.steps_filled_in.clone(),
            picture_removed: form.picture_removed,
            picture: form
                .held
                .as_ref()
                .filter(|_| form.stored.is_some())
                .map(|held| KeptPicture {
                    source: held.source.clone(),
                    hidden: form.draft.hidden.clone(),
                }),
        };
        write_private(
            &self.text(id),
            &serde_json::to_vec(&kept).map_err(io::Error::other)?,
        )
    }

    /// The draft that was begun last of those that were left with something in them and can be read.
    #[must_use]
    pub fn load(&self) -> Option<Form> {
        let mut left = self.ids().into_iter().filter_map(|id| self.load_one(id));
        left.find(|form| !form.is_untouched())
    }

    fn load_one(&self, id: Uuid) -> Option<Form> {
        let kept: Kept = serde_json::from_slice(&std::fs::read(self.text(id)).ok()?).ok()?;
        let picture = kept.picture.and_then(|kept| {
            let picture = Picture::decode(&std::fs::read(self.picture(id)).ok()?).ok()?;
            Some((kept, picture))
        });
        let id = Uuid::new_v4().to_string();
        let stored = picture
            .as_ref()
            .map(|(kept, _)| (id.clone(), kept.hidden.clone()));
        let held = picture.map(|(kept, picture)| Held {
            id,
            source: kept.source,
            picture: Arc::new(picture),
        });
        let mut draft = kept.draft;
        draft.with_picture &= held.is_some();
        Some(Form {
            draft,
            left_at: Some(kept.around.opened_at),
            around: kept.around,
            held,
            picture_removed: kept.picture_removed,
            filled_in: kept.filled_in,
            steps_filled_in: kept.steps_filled_in,
            stored,
        })
    }

    /// Deletes the pictures of the drafts that were left; the words stay. Tells how many there were.
    ///
    /// # Errors
    /// The file system's; the others are deleted nevertheless.
    pub fn delete_pictures(&self) -> io::Result<u64> {
        let mut deleted = 0;
        let mut failed = None;
        for id in self.ids() {
            match self.delete_picture(id) {
                Ok(was_there) => deleted += u64::from(was_there),
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(deleted), Err)
    }

    fn delete_picture(&self, id: Uuid) -> io::Result<bool> {
        if !self.picture(id).try_exists()? {
            return Ok(false);
        }
        // First: whatever else fails, it is gone.
        remove(&self.picture(id))?;
        let kept = std::fs::read(self.text(id)).ok();
        let kept = kept.and_then(|bytes| serde_json::from_slice::<Kept>(&bytes).ok());
        if let Some(mut kept) = kept {
            kept.picture = None;
            kept.picture_removed = true;
            without_picture(&mut kept.draft);
            write_private(
                &self.text(id),
                &serde_json::to_vec(&kept).map_err(io::Error::other)?,
            )?;
        }
        Ok(true)
    }

    /// Removes pictures whose words were never written, which a crash leaves.
    ///
    /// # Errors
    /// The file system's.
    pub fn sweep(&self) -> io::Result<()> {
        for id in self.ids() {
            if !self.text(id).try_exists()? {
                self.discard(id)?;
            }
        }
        Ok(())
    }

    /// Removes a draft and its picture.
    ///
    /// # Errors
    /// The file system's.
    pub fn discard(&self, id: Uuid) -> io::Result<()> {
        remove(&self.picture(id))?;
        remove(&self.text(id))?;
        // What a crash left of one that was being written.
        remove(&self.text(id).with_extension("tmp"))
    }

    /// Removes all drafts but this one.
    ///
    /// # Errors
    /// The file system's.
    pub fn discard_others(&self, than: Option<Uuid>) -> io::Result<()> {
        let others = self.ids().into_iter().filter(|id| Some(*id) != than);
        others.into_iter().try_for_each(|id| self.discard(id))
    }
}

/// Overwrites a file's bytes and removes it. What a disk keeps of it elsewhere is beyond a program.
fn remove(path: &Path) -> io::Result<()> {
    scrub(path)?;
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn scrub(path: &Path) -> io::Result<()> {
    let mut file = match std::fs::OpenOptions::new().write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let mut left = file.metadata()?.len();
    let zeros = [0_u8; 64 << 10];
    while left > 0 {
        let part = usize::try_from(left).map_or(zeros.len(), |left| left.min(zeros.len()));
        file.write_all(&zeros[..part])?;
        left -= part as u64;
    }
    file.sync_data()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desktop::view::Sentence;

    fn around() -> Circumstances {
        Circumstances {
            opened_at: Timestamp::UNIX_EPOCH,
            target: Target {
                app: "excel".into(),
                ..Target::default()
            },
            session: Some(3),
            occasion: None,
            steps: Vec::new(),
            app_state: None,
            screen: None,
            window: None,
        }
    }

    fn held() -> Held {
        let size = Size {
            width: 40,
            height: 30,
        };
        Held {
            id: "one".into(),
            source: PictureSource {
                id: "screen:0".into(),
                name: "DP-1".into(),
                is_screen: true,
                size,
            },
            picture: Arc::new(Picture::new(size, vec![0xee; 3_600]).unwrap()),
        }
    }

    fn hidden() -> Area {
        Area {
            x: 10.0,
            y: 10.0,
            width: 5.0,
            height: 5.0,
        }
    }

    #[test]
    fn a_draft_survives_with_what_was_hidden_gone() {
        let folder = tempfile::tempdir().unwrap();
        let files = DraftFiles::in_folder(folder.path().join("feedback"));
        assert!(files.load().is_none());
        let mut form = Form::new(around(), Some(held()));
        form.draft.description = "The list is empty".into();
        files.save(&mut form).unwrap();
        form.draft.hidden.push(hidden());
        files.save(&mut form).unwrap();
        let again = files.load().unwrap();
        assert_eq!(again.draft, form.draft);
        assert_eq!(again.around, form.around);
        let stored = again.held.unwrap();
        let at = (12 * 40 + 12) * 3;
        assert_eq!(&stored.picture.rgb()[at..at + 3], [0x1c; 3]);
        assert_eq!(&stored.picture.rgb()[..3], [0xee; 3]);
        let original = form.held.as_ref().unwrap();
        assert_eq!(
            &original.picture.rgb()[at..at + 3],
            [0xee; 3],
            "undo is possible"
        );
        files.discard(form.draft.id).unwrap();
        assert_eq!(
            std::fs::read_dir(folder.path().join("feedback"))
                .unwrap()
                .count(),
            0
        );
        assert!(files.load().is_none());
    }

    #[test]
    fn without_the_picture_it_is_not_on_disk() {
        let folder = tempfile::tempdir().unwrap();
        let files = DraftFiles::in_folder(folder.path().to_owned());
        let mut form = Form::new(around(), Some(held()));
        form.draft.description = "words".into();
        files.save(&mut form).unwrap();
        assert!(files.picture(form.draft.id).exists());
        form.draft.with_picture = false;
        files.save(&mut form).unwrap();
        assert!(!files.picture(form.draft.id).exists());
        assert!(files.load().unwrap().held.is_none());
    }

    #[test]
    fn garbage_is_no_draft() {
        let folder = tempfile::tempdir().unwrap();
        let files = DraftFiles::in_folder(folder.path().to_owned());
        let mut form = Form::new(around(), Some(held()));
        form.draft.description = "words".into();
        files.save(&mut form).unwrap();
        std::fs::write(files.picture(form.draft.id), b"no picture").unwrap();
        let again = files.load().unwrap();
        assert!(
            again.held.is_none() && !again.draft.with_picture,
            "the words are there"
        );
        std::fs::write(files.text(form.draft.id), b"{").unwrap();
        assert!(files.load().is_none());
        files.discard(form.draft.id).unwrap();
    }

    #[test]
    fn what_is_only_offered_is_on_no_disk() {
        let folder = tempfile::tempdir().unwrap();
        let files = DraftFiles::in_folder(folder.path().to_owned());
        let step = |text: &str| TrailStep {
            before_ms: 5,
            text: text.into(),
            incident: None,
            app: "excel".into(),
            screen: String::new(),
        };
        let mut around = around();
        around.occasion = Some(Occasion {
            incident: None,
            sentence: Sentence::new(
                "occasion.rage_click",
                [("element", "Planted".to_owned()), ("count", "4".to_owned())],
            ),
        });
        let mut form = Form::new(around, None);
        form.offer(vec![step("Planted"), step("Taken")], vec![step("Taken")]);
        assert!(
            form.is_untouched(),
            "what was filled in is not the person's"
        );
        form.draft.description = "a".into();
        files.save(&mut form).unwrap();
        let text = std::fs::read_to_string(files.text(form.draft.id)).unwrap();
        assert!(
            !text.contains("Planted") && text.contains("Taken"),
            "{text}"
        );
        let again = files.load().unwrap();
        assert_eq!(again.draft.steps, [step("Taken")]);
        assert_eq!(again.left_at, Some(Timestamp::UNIX_EPOCH));
        let occasion = again.around.occasion.unwrap().sentence;
        assert_eq!(occasion.key, "occasion.rage_click_unnamed");
    }

    #[test]
    fn drafts_beside_each_other_take_nothing_from_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let files = DraftFiles::in_folder(folder.path().to_owned());
        let draft = |words: &str| {
            let mut form = Form::new(around(), Some(held()));
            form.draft.description = words.into();
            files.save(&mut form).unwrap();
            form
        };
        let (first, second) = (draft("first"), draft("second"));
        let words = || files.load().map(|form| form.draft.description);
        assert_eq!(words().as_deref(), Some("second"));
        files.discard(second.draft.id).unwrap();
        assert_eq!(words().as_deref(), Some("first"));
        assert!(files.load().unwrap().held.is_some());
        let third = draft("third");
        files.discard_others(Some(first.draft.id)).unwrap();
        assert_eq!(words().as_deref(), Some("first"));
        // A picture whose words were never written.
        std::fs::write(files.picture(third.draft.id), b"x").unwrap();
        files.sweep().unwrap();
        assert!(!files.picture(third.draft.id).exists());
        assert_eq!(files.delete_pictures().unwrap(), 1);
        assert!(files.load().unwrap().held.is_none());
    }
}
