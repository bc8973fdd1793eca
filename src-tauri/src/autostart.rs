//! Starting with the computer, in one way: an entry of the session's autostart, as freedesktop.org describes it
//! (Desktop Application Autostart Specification and Desktop Entry Specification).

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use snag_agent::desktop::view::Sentence;
use snag_agent::host::Host;

use crate::app::{App, Start};
use crate::words::sentence;

/// The entry's name.
const ENTRY: &str = "Snag.desktop";

/// Makes it as the setting says.
///
/// # Errors
/// When the entry can't be written or removed.
pub fn set(app: &App, wanted: bool) -> Result<(), Sentence> {
    let made = folder().and_then(|folder| {
        let path = folder.join(ENTRY);
        if wanted {
            write(&folder, &path, &entry(&app.start))
        } else {
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            }
        }
    });
    made.map_err(|error| sentence("problem.autostart_failed", [("reason", error.to_string())]))
}

/// At the start: the setting is what holds, once the person has read the first page. A folder of its own is a
/// trial, which leaves the session as it is; and an entry that is there stays as the session's own settings left it,
/// which may have switched it off.
pub fn follow_setting(app: &Arc<App>, host: &Host) {
    use snag_agent::desktop::view::CaptureState::{NotAcknowledged, NotEnrolled};
    if app.start.named_folder.is_some()
        || matches!(host.overview().capture, NotAcknowledged | NotEnrolled)
    {
        return;
    }
    let wanted = host.settings().autostart.value;
    if wanted && folder().is_ok_and(|folder| folder.join(ENTRY).exists()) {
        return;
    }
    if let Err(sentence) = set(app, wanted) {
        tracing::warn!(
            key = sentence.key,
            "starting with the computer couldn't be changed"
        );
    }
}

fn folder() -> io::Result<PathBuf> {
    let set = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let configuration = set("XDG_CONFIG_HOME").or_else(|| Some(set("HOME")?.join(".config")));
    configuration
        .map(|configuration| configuration.join("autostart"))
        .ok_or_else(|| io::Error::other("this environment has no home folder"))
}

/// The session starts the app hidden: a window that nobody asked for is in the way.
fn entry(start: &Start) -> String {
    let mut command = format!("{} --hidden", quoted(&start.program));
    if let Some(folder) = &start.named_folder {
        command.push_str(" --data-dir ");
        command.push_str(&quoted(folder));
    }
    format!(
        "[Desktop Entry]\nType=Application\nVersion=1.0\nName=Snag\nExec={command}\nTerminal=false\nStartupNotify=false\n"
    )
}

/// One argument of `Exec`: in quotes, the signs that a shell would read with a backslash, and all that once more as a
/// string of the file, in which a backslash is two.
fn quoted(path: &Path) -> String {
    let mut argument = String::from("\"");
    for sign in path.to_string_lossy().chars() {
        match sign {
            '"' | '`' | '$' => argument.extend(['\\', '\\', sign]),
            '\\' => argument.push_str("\\\\\\\\"),
            '%' => argument.push_str("%%"),
            other => argument.push(other),
        }
    }
    argument.push('"');
    argument
}

/// Whole or not at all.
fn write(folder: &Path, path: &Path, content: &str) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(content.as_bytes())?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_folder_is_one_argument() {
        assert_eq!(quoted(Path::new("/opt/snag")), r#""/opt/snag""#);
        assert_eq!(quoted(Path::new("/a b/100%")), r#""/a b/100%%""#);
        assert_eq!(quoted(Path::new(r#"/$x"`\"#)), r#""/\\$x\\"\\`\\\\""#);
    }

    #[test]
    fn an_entry_is_written_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let (inner, path) = (
            folder.path().join("autostart"),
            folder.path().join("autostart/x"),
        );
        for content in ["a longer one", "two"] {
            write(&inner, &path, content).expect("written");
            assert_eq!(std::fs::read_to_string(&path).expect("text"), content);
        }
        assert_eq!(std::fs::read_dir(&inner).expect("a folder").count(), 1);
    }
}
