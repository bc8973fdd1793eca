//! How large the windows are: as the person left them, for the text that the desktop wants.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use gtk::gdk::Screen;
use parking_lot::Mutex;
use snag_desktop::window::Window;

/// Longest side that is remembered.
const SIDE_MAX: u32 = 8_192;

/// So much of the screen a window takes at most by itself: the rest is for its frame and the desktop's bars.
const OF_THE_SCREEN: f64 = 0.9;

/// Dots an inch of text of the usual size.
const USUAL_DPI: f64 = 96.0;

/// How much larger than usual the desktop has all text, beside the scale of the screen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct TextScale(f64);

impl TextScale {
    /// As the desktop has it (`Xft.dpi`). To be asked on the thread that draws.
    pub(crate) fn of_the_screen() -> Self {
        let dpi = Screen::default().map_or(USUAL_DPI, |screen| screen.resolution());
        Self::of_dpi(dpi)
    }

    /// What the toolkit doesn't know is below zero.
    fn of_dpi(dpi: f64) -> Self {
        if dpi > 0.0 {
            Self((dpi / USUAL_DPI).clamp(0.5, 4.0))
        } else {
            Self(1.0)
        }
    }
}

/// What a window is opened at, in logical pixels: width and height.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Extent {
    /// Its size.
    pub(crate) usual: (f64, f64),
    /// The least that the person can make of it.
    pub(crate) least: (f64, f64),
}

/// A window's size before the person chose one, and the least that it can be used at; in logical pixels, for text of
/// the usual size.
fn usual_and_least(window: Window) -> [(u32, u32); 2] {
    match window {
        Window::Feedback => [(760, 560), (640, 480)],
        Window::FirstRun => [(900, 680), (560, 480)],
        Window::Knows => [(920, 640), (560, 420)],
        Window::Settings => [(640, 680), (480, 420)],
        Window::Conversations => [(720, 560), (480, 400)],
        Window::About => [(420, 420), (360, 320)],
    }
}

/// The sizes that the person gave the windows.
pub(crate) struct Sizes {
    path: PathBuf,
    sizes: Mutex<BTreeMap<Window, (u32, u32)>>,
}

impl Sizes {
    /// Reads what was remembered. A file that can't be read is forgotten: it is only about looks.
    #[must_use]
    pub(crate) fn load(path: PathBuf) -> Self {
        let sizes = std::fs::read(&path)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        Self {
            path,
            sizes: Mutex::new(sizes),
        }
    }

    /// The folder that the file lies in.
    pub(crate) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }

    /// What a window is opened at: as large as it was, its text having grown or shrunk meanwhile, and no larger than
    /// the screen leaves room for, in logical pixels.
    pub(crate) fn of(&self, window: Window, scale: TextScale, room: Option<(f64, f64)>) -> Extent {
        let [usual, least] = usual_and_least(window);
        let kept = self.sizes.lock().get(&window).copied().unwrap_or(usual);
        let kept = (
            kept.0.clamp(least.0, SIDE_MAX),
            kept.1.clamp(least.1, SIDE_MAX),
        );
        let fitted = |(width, height): (u32, u32)| {
            let wanted = (f64::from(width) * scale.0, f64::from(height) * scale.0);
            room.map_or(wanted, |room| {
                (
                    wanted.0.min(room.0 * OF_THE_SCREEN),
                    wanted.1.min(room.1 * OF_THE_SCREEN),
                )
            })
        };
        Extent {
            usual: fitted(kept),
            least: fitted(least),
        }
    }

    /// The person made a window this large, in logical pixels.
    pub(crate) fn note(&self, window: Window, scale: TextScale, size: (f64, f64)) {
        let whole = |side: f64| (side / scale.0).round() as u32;
        self.sizes
            .lock()
            .insert(window, (whole(size.0), whole(size.1)));
    }

    pub(crate) fn store(&self) {
        let stored = serde_json::to_vec(&*self.sizes.lock())
            .map_err(std::io::Error::other)
            .and_then(|bytes| write_private(&self.path, &bytes));
        if let Err(error) = stored {
            tracing::warn!(%error, "the sizes of the windows can't be remembered");
        }
    }
}

/// Whole or not at all, and for its owner only.
fn write_private(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(content)?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_remembered_within_bounds() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("windows.json");
        let usual = TextScale(1.0);
        let of = |sizes: &Sizes, window| sizes.of(window, usual, None).usual;
        let sizes = Sizes::load(path.clone());
        assert_eq!(of(&sizes, Window::Knows), (920.0, 640.0));
        sizes.note(Window::Knows, usual, (1_200.0, 10.0));
        sizes.store();
        let again = Sizes::load(path.clone());
        assert_eq!(of(&again, Window::Knows), (1_200.0, 420.0));
        assert_eq!(of(&again, Window::Feedback), (760.0, 560.0));
        std::fs::write(&path, "{").expect("written");
        assert_eq!(of(&Sizes::load(path), Window::Knows), (920.0, 640.0));
    }

    #[test]
    fn a_window_grows_with_its_text_and_stays_on_the_screen() {
        let folder = tempfile::tempdir().expect("a folder");
        let sizes = Sizes::load(folder.path().join("windows.json"));
        let (usual, large) = (TextScale::of_dpi(96.0), TextScale::of_dpi(144.0));
        let room = Some((1_920.0, 1_080.0));
        let form = sizes.of(Window::Feedback, large, room);
        assert_eq!(form.usual, (1_140.0, 840.0));
        assert_eq!(form.least, (960.0, 720.0));
        let small = sizes.of(Window::Feedback, large, Some((1_000.0, 700.0)));
        assert_eq!(small.usual, (900.0, 630.0));
        assert_eq!(small.least, (900.0, 630.0));
        // What the person made of it holds for text of any size.
        sizes.note(Window::Feedback, large, (1_200.0, 900.0));
        let form = sizes.of(Window::Feedback, usual, room);
        assert_eq!(form.usual, (800.0, 600.0));
        assert_eq!(TextScale::of_dpi(-1.0), usual, "the toolkit doesn't know");
    }
}
