//! Pictures on their way into a folder: written and on the disk under a name that isn't an
//! object's, while it is still being found out whether they are pictures.
//!
//! **Invariants:**
//! - What is staged is no object: it is listed by nobody and named by no row.
//! - It becomes one by [`StagedFile::publish`] alone, whole and durable; whatever else
//!   becomes of it, it goes. What a crash leaves behind goes at a later start
//!   ([`Folder::open`]).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use uuid::Uuid;

/// Where in the folder of objects they are staged; no organisation has this name.
const STAGED: &str = ".staged";
/// No upload takes this long: what is older was left behind by a crash. Another server may
/// use the same folder, so what is younger stays.
const LEFT_BEHIND: Duration = Duration::from_secs(3_600);

/// A folder of objects, as far as staging asks.
#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
    fsync: bool,
}

impl Folder {
    /// Makes room for what is staged in `root`, and removes what crashes left there. With
    /// `fsync`, what is published is on the disk.
    ///
    /// # Errors
    /// The file system's.
    pub(super) fn open(root: &Path, fsync: bool) -> io::Result<Self> {
        let staged = root.join(STAGED);
        fs::create_dir_all(&staged)?;
        let now = SystemTime::now();
        for entry in fs::read_dir(&staged)? {
            let entry = entry?;
            let looked = entry.metadata().and_then(|found| found.modified());
            let removed = looked.and_then(|modified| {
                let age = now.duration_since(modified).unwrap_or_default();
                if age > LEFT_BEHIND {
                    fs::remove_file(entry.path())?;
                }
                Ok(())
            });
            match removed {
                // Another server that uses the folder was done with it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                removed => removed?,
            }
        }
        Ok(Self {
            root: root.to_owned(),
            fsync,
        })
    }

    /// Writes bytes beside the objects; they are on the disk when this returns.
    ///
    /// # Errors
    /// The file system's.
    pub(super) async fn stage(self: &Arc<Self>, bytes: Bytes) -> io::Result<StagedFile> {
        let folder = Arc::clone(self);
        on_the_disk(move || {
            let path = folder
                .root
                .join(STAGED)
                .join(Uuid::now_v7().simple().to_string());
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .open(&path)?;
            // From here on it goes when this returns early.
            let staged = StagedFile {
                path: Some(path),
                folder,
            };
            file.write_all(&bytes)?;
            if staged.folder.fsync {
                file.sync_all()?;
            }
            Ok(staged)
        })
        .await
    }

    /// Makes the folder of an object and those above it, as far as they are missing.
    fn make(&self, folder: &Path) -> io::Result<()> {
        if folder.is_dir() {
            return Ok(());
        }
        if let Some(above) = folder
            .parent()
            .filter(|above| above.starts_with(&self.root))
        {
            self.make(above)?;
            match fs::create_dir(folder) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => self.sync(above)?,
            }
        }
        Ok(())
    }

    /// Waits until the names in a folder are on the disk.
    fn sync(&self, folder: &Path) -> io::Result<()> {
        // Elsewhere, folders can't be opened for it; their file systems do it by themselves.
        if self.fsync && cfg!(unix) {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }
}

/// Bytes that lie beside the objects. They go with this unless they are published.
#[derive(Debug)]
pub(super) struct StagedFile {
    /// `None` once they are an object.
    path: Option<PathBuf>,
    folder: Arc<Folder>,
}

impl StagedFile {
    /// Makes them the object of this name, in place of an older one; it is durable when
    /// this returns.
    ///
    /// # Errors
    /// The file system's.
    pub(super) async fn publish(mut self, name: &object_store::path::Path) -> io::Result<()> {
        let mut object = self.folder.root.clone();
        object.extend(name.parts().map(|part| part.as_ref().to_owned()));
        on_the_disk(move || {
            let (Some(path), Some(home)) = (self.path.as_deref(), object.parent()) else {
                return Ok(());
            };
            self.folder.make(home)?;
            fs::rename(path, &object)?;
            self.path = None;
            self.folder.sync(home)
        })
        .await
    }
}

impl Drop for StagedFile {
    fn drop(&mut self) {
        if let Some(path) = self.path.take()
            && let Err(error) = fs::remove_file(&path)
        {
            tracing::warn!(%error, "a staged picture stays until a later start");
        }
    }
}

/// Waits for the disk away from the threads that answer.
async fn on_the_disk<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await?
}

#[cfg(test)]
mod tests {
    use object_store::path::Path as Name;

    use super::*;

    fn files(folder: &Path) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                found.extend(files(&path));
            } else {
                found.push(path);
            }
        }
        found
    }

    #[tokio::test]
    async fn what_is_published_is_whole_and_what_isn_t_goes() {
        let root = tempfile::tempdir().unwrap();
        let folder = Arc::new(Folder::open(root.path(), true).unwrap());
        let name = Name::from("one/ab/abcd");
        for bytes in [&b"first"[..], b"second"] {
            let staged = folder.stage(Bytes::from_static(bytes)).await.unwrap();
            assert_eq!(fs::read(staged.path.as_ref().unwrap()).unwrap(), bytes);
            staged.publish(&name).await.unwrap();
            let object = root.path().join("one/ab/abcd");
            assert_eq!(fs::read(&object).unwrap(), bytes);
            assert_eq!(files(root.path()), [object]);
        }
        drop(folder.stage(Bytes::from_static(b"third")).await.unwrap());
        assert_eq!(files(root.path()).len(), 1);
        // One that can't be published goes, too.
        fs::write(root.path().join("two"), b"a file where a folder would be").unwrap();
        let staged = folder.stage(Bytes::from_static(b"fourth")).await.unwrap();
        staged
            .publish(&Name::from("two/ab/abcd"))
            .await
            .unwrap_err();
        assert!(files(&root.path().join(STAGED)).is_empty());
    }

    #[test]
    fn what_a_crash_left_goes_once_it_is_old() {
        let root = tempfile::tempdir().unwrap();
        Folder::open(root.path(), true).unwrap();
        let (old, young) = (root.path().join(".staged/a"), root.path().join(".staged/b"));
        for path in [&old, &young] {
            fs::write(path, b"half a pict").unwrap();
        }
        let an_age_ago = SystemTime::now() - LEFT_BEHIND * 2;
        let file = OpenOptions::new().write(true).open(&old).unwrap();
        file.set_modified(an_age_ago).unwrap();
        Folder::open(root.path(), true).unwrap();
        assert!(!old.exists() && young.exists());
    }
}
