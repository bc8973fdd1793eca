//! What the libraries beneath read from the environment, once, as they are loaded.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// What GTK may draw with, and what the app says to that.
const GRAPHICS: (&str, &str) = ("GDK_GL", "disable");

/// Each name and what it is set to, unless it is set already.
const WANTED: [(&str, &str); 3] = [
    // Or GTK loads the drivers of the graphics card (43 MB where Mesa draws in software) in the app, which has no window.
    GRAPHICS,
    // Or glibc keeps what each thread frees, pictures of many megabytes among it, for that thread.
    ("MALLOC_ARENA_MAX", "2"),
    // Given to the system rather than kept, in bytes. It also keeps glibc from raising the size that is mapped by itself.
    ("MALLOC_TRIM_THRESHOLD_", "1048576"),
];

/// Starts this program again, in the same process, where something is missing: a program can't change what was read
/// before it began. Returns where nothing is, or it can't be done; the app only costs more memory then.
pub fn set_up() {
    let missing = missing(|name| std::env::var_os(name).is_some());
    if missing.is_empty() {
        return;
    }
    let Ok(program) = std::env::current_exe() else {
        return;
    };
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_else(|| program.clone().into());
    // Only returns when it fails.
    let error = Command::new(program)
        .arg0(name)
        .args(arguments)
        .envs(
            missing
                .iter()
                .map(|(name, value)| (OsStr::new(name), value)),
        )
        .exec();
    eprintln!("Snag goes on, and may need more memory than it should ({error}).");
}

/// Lets a process draw with all there is: web views have to.
pub fn with_graphics(command: &mut Command) {
    let (name, value) = GRAPHICS;
    if std::env::var_os(name).is_some_and(|set| set == value) {
        command.env_remove(name);
    }
}

fn missing(is_set: impl Fn(&str) -> bool) -> Vec<(&'static str, &'static str)> {
    WANTED
        .into_iter()
        .filter(|(name, _)| !is_set(name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_set_stays() {
        assert_eq!(missing(|_| false), WANTED);
        assert!(missing(|_| true).is_empty());
        assert_eq!(missing(|name| name == "GDK_GL"), WANTED[1..]);
    }
}
