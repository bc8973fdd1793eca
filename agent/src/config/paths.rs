//! Where the agent keeps things.

use std::io;
use std::path::{Path, PathBuf};

/// The agent's folder and the files in it. Everything is readable by its owner only.
#[derive(Debug, Clone)]
pub struct Paths {
    root: PathBuf,
}

impl Paths {
    /// Uses `root`, which is made when it is missing.
    ///
    /// # Errors
    /// When the folder can't be made or its permissions can't be set.
    pub fn at(root: impl Into<PathBuf>) -> io::Result<Self> {
        let root = root.into();
        std::fs::create_dir_all(&root)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // A folder that is right already is left alone: on a file system that can't be
            // written to, the app still has to say so.
            if std::fs::metadata(&root)?.permissions().mode() & 0o777 != 0o700 {
                std::fs::set_permissions(&root, std::fs::Permissions::from_mode(0o700))?;
            }
        }
        Ok(Self { root })
    }

    /// The folder that the platform keeps a program's data in: `$XDG_DATA_HOME/snag`
    /// or `~/.local/share/snag`, `%LOCALAPPDATA%\Snag`, `~/Library/Application Support/Snag`.
    /// None where the environment doesn't say who the person is.
    #[must_use]
    pub fn default_root() -> Option<PathBuf> {
        let from = |name: &str| {
            std::env::var_os(name)
                .filter(|v| !v.is_empty())
                .map(PathBuf::from)
        };
        if cfg!(windows) {
            return Some(from("LOCALAPPDATA")?.join("Snag"));
        }
        if cfg!(target_os = "macos") {
            return Some(from("HOME")?.join("Library/Application Support/Snag"));
        }
        match from("XDG_DATA_HOME").filter(|path| path.is_absolute()) {
            Some(data) => Some(data.join("snag")),
            None => Some(from("HOME")?.join(".local/share/snag")),
        }
    }

    /// The folder itself, which the spool shares.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Device id, token and server.
    #[must_use]
    pub fn identity(&self) -> PathBuf {
        self.root.join("identity.json")
    }

    /// What the person set.
    #[must_use]
    pub fn settings(&self) -> PathBuf {
        self.root.join("settings.json")
    }

    /// Whether and until when the person paused.
    #[must_use]
    pub fn pause(&self) -> PathBuf {
        self.root.join("pause.json")
    }

    /// What the person read before anything was captured.
    #[must_use]
    pub fn acknowledged(&self) -> PathBuf {
        self.root.join("acknowledged.json")
    }

    /// What was sent lately.
    #[must_use]
    pub fn sent(&self) -> PathBuf {
        self.root.join("sent.json")
    }

    /// When the person was asked, and for which programs never again.
    #[must_use]
    pub fn prompts(&self) -> PathBuf {
        self.root.join("prompts.json")
    }

    /// Drafts, submissions and conversations.
    #[must_use]
    pub fn feedback(&self) -> PathBuf {
        self.root.join("feedback")
    }

    /// Port and token of the local SDK.
    #[must_use]
    pub fn sdk(&self) -> PathBuf {
        self.root.join("sdk.json")
    }

    /// What the running agent says of itself.
    #[must_use]
    pub fn status(&self) -> PathBuf {
        self.root.join("status.json")
    }
}

/// Writes a file so that a reader sees the old or the new content, whole, also after a
/// power cut, and nobody but the owner can read it.
///
/// # Errors
/// When the folder can't be written to.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    replace(path, content, std::fs::File::sync_all)?;
    // Without the folder, the rename itself may not survive a power cut. Not every
    // file system lets a folder be synchronised, and none loses the old content by it.
    #[cfg(unix)]
    if let Some(folder) = path.parent() {
        let _ = std::fs::File::open(folder).and_then(|folder| folder.sync_all());
    }
    Ok(())
}

/// The same for what is of no use after a power cut: it doesn't keep the disk awake.
///
/// # Errors
/// When the folder can't be written to.
pub(crate) fn replace_private(path: &Path, content: &[u8]) -> io::Result<()> {
    replace(path, content, |_| Ok(()))
}

fn replace(
    path: &Path,
    content: &[u8],
    synchronise: impl FnOnce(&std::fs::File) -> io::Result<()>,
) -> io::Result<()> {
    use std::io::Write;

    let temporary = path.with_extension("tmp");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let written = options.open(&temporary).and_then(|mut file| {
        file.write_all(content)?;
        synchronise(&file)
    });
    if let Err(error) = written.and_then(|()| std::fs::rename(&temporary, path)) {
        // Half a file of somebody's words is neither of use nor to be left about.
        let _ = std::fs::remove_file(&temporary);
        return Err(error);
    }
    Ok(())
}

/// Makes a folder that only its owner can look into.
///
/// # Errors
/// When it can't be made.
pub(crate) fn create_private_dir(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn only_the_owner_reads() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::at(folder.path().join("snag")).unwrap();
        write_private(&paths.identity(), b"{}").unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(paths.root()), 0o700);
        assert_eq!(mode(&paths.identity()), 0o600);
        assert!(!paths.identity().with_extension("tmp").exists());
    }
}
