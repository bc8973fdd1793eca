//! Starting with the computer, in one way: an entry of the session's autostart, as freedesktop.org describes it
//! (Desktop Application Autostart Specification and Desktop Entry Specification).

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use snag_agent::desktop::view::{Sentence, Settings};
use snag_agent::host::Host;

use crate::app::{App, Start};
use crate::words::sentence;

/// What an entry's name begins with.
const ENTRY: &str = "Snag";

/// Makes it as the setting says.
///
/// # Errors
/// When the entry can't be written or removed.
pub fn set(app: &App, wanted: bool) -> Result<(), Sentence> {
    let made = path(&app.start).and_then(|path| {
        if wanted {
            write(&path, &entry_of(&app.start))
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
/// trial, which leaves the session as it is until the person says otherwise; and an entry that is there stays as the
/// session's own settings left it, which may have switched it off, unless IT says that it starts.
pub fn follow_setting(app: &Arc<App>, host: &Host) {
    if !follows(&app.start, host) {
        return;
    }
    let setting = host.settings().autostart;
    let wanted = setting.value;
    let is_locked = setting.locked_by.is_some();
    let is_there = || {
        path(&app.start).is_ok_and(|path| match is_locked {
            true => starts(&path, &entry_of(&app.start)),
            false => path.exists(),
        })
    };
    if !(wanted && is_there())
        && let Err(sentence) = set(app, wanted)
    {
        tracing::warn!(
            key = sentence.key,
            "starting with the computer couldn't be changed"
        );
    }
    // What the windows show is what is so.
    app.windows
        .emit("settings", &shown(&app.start, host.settings(), host));
}

/// Whether the setting is followed by itself.
fn follows(start: &Start, host: &Host) -> bool {
    use snag_agent::desktop::view::CaptureState::{NotAcknowledged, NotEnrolled};
    start.named_folder.is_none()
        && !matches!(host.overview().capture, NotAcknowledged | NotEnrolled)
}

/// The settings as they are shown: whether this Snag starts with the computer is what the session will do, not what is
/// wished for. Before the first page was read, the wish is all there is.
#[must_use]
pub fn shown(start: &Start, mut settings: Settings, host: &Host) -> Settings {
    if start.named_folder.is_some() || follows(start, host) {
        settings.autostart.value = path(start).is_ok_and(|path| starts(&path, &entry_of(start)));
    }
    settings
}

/// Whether the session starts by the entry at this path what `entry` would start.
fn starts(path: &Path, entry: &str) -> bool {
    let command = |text: &str| {
        let line = text.lines().find(|line| line.starts_with("Exec="));
        line.map(str::to_owned)
    };
    let Ok(found) = std::fs::read_to_string(path) else {
        return false;
    };
    // How sessions' own settings switch an entry off.
    let is_off = found.lines().any(|line| {
        let line = line.replace(' ', "").to_ascii_lowercase();
        line == "hidden=true" || line == "x-gnome-autostart-enabled=false"
    });
    !is_off && command(&found) == command(entry)
}

/// Where the entry of this Snag is. One with a folder of its own has an entry of its own, and leaves the other alone.
fn path(start: &Start) -> io::Result<PathBuf> {
    Ok(folder()?.join(name(start.named_folder.as_deref())))
}

fn name(named_folder: Option<&Path>) -> String {
    match named_folder {
        None => format!("{ENTRY}.desktop"),
        Some(named) => {
            let named = named.to_string_lossy();
            let plain = |sign: char| if sign.is_alphanumeric() { sign } else { '-' };
            // The end tells folders apart, and a file's name has a bound.
            let signs: Vec<char> = named.chars().map(plain).collect();
            let end: String = signs[signs.len().saturating_sub(60)..].iter().collect();
            format!("{ENTRY}{end}.desktop")
        }
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

fn entry_of(start: &Start) -> String {
    entry(&start.program, start.named_folder.as_deref())
}

/// The session starts the app hidden: a window that nobody asked for is in the way.
fn entry(program: &Path, named_folder: Option<&Path>) -> String {
    let mut command = format!("{} --hidden", quoted(program));
    if let Some(folder) = named_folder {
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
fn write(path: &Path, content: &str) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
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
            write(&path, content).expect("written");
            assert_eq!(std::fs::read_to_string(&path).expect("text"), content);
        }
        assert_eq!(std::fs::read_dir(&inner).expect("a folder").count(), 1);
    }

    fn of(named: Option<&str>) -> String {
        entry(Path::new("/opt/snag/snag-desktop"), named.map(Path::new))
    }

    #[test]
    fn only_the_entry_of_this_snag_that_is_on_starts_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("Snag.desktop");
        let ours = of(None);
        assert!(!starts(&path, &ours), "there is none");
        write(&path, &ours).expect("written");
        assert!(starts(&path, &ours));
        let trial = of(Some("/tmp/a trial"));
        assert!(!starts(&path, &trial), "it starts another Snag");
        for off in ["Hidden=true", "X-GNOME-Autostart-enabled = False"] {
            write(&path, &format!("{ours}{off}\n")).expect("written");
            assert!(!starts(&path, &ours), "{off}");
        }
        write(&path, &format!("{ours}Hidden=false\n")).expect("written");
        assert!(starts(&path, &ours));
    }

    #[test]
    fn a_folder_of_its_own_has_an_entry_of_its_own() {
        assert_eq!(name(None), "Snag.desktop");
        assert_eq!(
            name(Some(Path::new("/tmp/a trial"))),
            "Snag-tmp-a-trial.desktop"
        );
        let long = "/ü".repeat(300);
        assert!(name(Some(Path::new(&long))).len() < 200);
    }
}
