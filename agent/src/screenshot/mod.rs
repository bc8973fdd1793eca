//! Pictures of screens and windows, and what is done to their pixels before they leave.
//!
//! **Invariants:** a [`Picture`] is in memory only; whatever is written or sent is made by [`Picture::finished`],
//! which paints what is hidden into the pixels first. An area that makes no sense hides everything rather than
//! nothing.

mod encode;
#[cfg(target_os = "linux")]
mod x11;

use snag_capture::OwnProcesses;
use snag_wire::Size;
use snag_wire::limits::SCREENSHOT_PIXELS_MAX;

use crate::desktop::view::{Area, PictureSource, Sentence};
pub use encode::Encoded;

/// Bytes of a pixel: red, green, blue.
const PIXEL_BYTES: usize = 3;

/// What hidden pixels become: opaque, and the same whatever was there.
const HIDDEN: [u8; PIXEL_BYTES] = [0x1c, 0x1c, 0x1c];

/// A picture's pixels.
#[derive(Clone)]
pub struct Picture {
    size: Size,
    /// Row by row, [`PIXEL_BYTES`] each.
    rgb: Vec<u8>,
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Picture")
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

/// A picture that was taken, and what it is of.
#[derive(Debug)]
pub struct Shot {
    /// The pixels.
    pub picture: Picture,
    /// What it shows.
    pub source: PictureSource,
    /// The screen's size.
    pub screen: Option<Size>,
    /// The size of the window that has the focus.
    pub window: Option<Size>,
}

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum ScreenshotError {
    /// There is nothing to take a picture of.
    #[error("there is no display")]
    NoDisplay,
    /// The screen or window is not there any more.
    #[error("the screen or window is gone")]
    Gone,
    /// The display doesn't give its pixels.
    #[error("the display gives no picture: {0}")]
    Display(String),
    /// No encoding makes it small enough.
    #[error("the picture is too large to be sent")]
    TooLarge,
    /// It can't be encoded or decoded.
    #[error("the picture can't be encoded: {0}")]
    Encoding(String),
}

impl From<&ScreenshotError> for Sentence {
    fn from(error: &ScreenshotError) -> Self {
        match error {
            ScreenshotError::NoDisplay => Self::plain("problem.no_display"),
            ScreenshotError::Gone => Self::plain("problem.picture_gone"),
            ScreenshotError::TooLarge => Self::plain("problem.picture_too_large"),
            other => Self::new("problem.picture_failed", [("reason", other.to_string())]),
        }
    }
}

/// What can be pictured: screens first, then windows that aren't ours, the topmost first. Blocks for some milliseconds.
///
/// # Errors
/// No display, or one that doesn't answer.
pub fn sources(own: &OwnProcesses) -> Result<Vec<PictureSource>, ScreenshotError> {
    platform::sources(own)
}

/// Takes a picture of a source that isn't ours, or of the screen that holds the window with the focus. Blocks for some ten
/// milliseconds.
///
/// # Errors
/// No display, or the source is gone.
pub fn take(source: Option<&str>, own: &OwnProcesses) -> Result<Shot, ScreenshotError> {
    platform::take(source, own)
}

#[cfg(target_os = "linux")]
use x11 as platform;

#[cfg(not(target_os = "linux"))]
mod platform {
    use super::{OwnProcesses, PictureSource, ScreenshotError, Shot};

    pub(super) fn sources(_: &OwnProcesses) -> Result<Vec<PictureSource>, ScreenshotError> {
        Err(ScreenshotError::NoDisplay)
    }

    pub(super) fn take(_: Option<&str>, _: &OwnProcesses) -> Result<Shot, ScreenshotError> {
        Err(ScreenshotError::NoDisplay)
    }
}

impl Picture {
    /// A picture of pixels row by row, each red, green, blue. One that is larger than the server takes is halved
    /// until it isn't, so that marks are drawn on what is sent. None where the pixels are not as many as the size says.
    #[must_use]
    pub fn new(size: Size, rgb: Vec<u8>) -> Option<Self> {
        let pixels = u64::from(size.width) * u64::from(size.height);
        if pixels == 0 || rgb.len() as u64 != pixels * PIXEL_BYTES as u64 {
            return None;
        }
        let mut picture = Self { size, rgb };
        while picture.pixels() > SCREENSHOT_PIXELS_MAX {
            picture = picture.halved();
        }
        Some(picture)
    }

    /// Its size in pixels.
    #[must_use]
    pub fn size(&self) -> Size {
        self.size
    }

    /// Its pixels, row by row, red, green, blue.
    #[must_use]
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }

    fn pixels(&self) -> u64 {
        u64::from(self.size.width) * u64::from(self.size.height)
    }

    fn halved(&self) -> Self {
        let size = Size {
            width: (self.size.width / 2).max(1),
            height: (self.size.height / 2).max(1),
        };
        let mut rgb = Vec::with_capacity(size.width as usize * size.height as usize * PIXEL_BYTES);
        for y in 0..size.height as usize {
            for x in 0..size.width as usize {
                let at = (y * 2 * self.size.width as usize + x * 2) * PIXEL_BYTES;
                rgb.extend_from_slice(&self.rgb[at..at + PIXEL_BYTES]);
            }
        }
        Self { size, rgb }
    }

    /// The pixels as they may be stored or sent: what is hidden is painted over, then the rest is cut to `crop`.
    #[must_use]
    pub fn finished(&self, hidden: &[Area], crop: Option<Area>) -> Self {
        let mut picture = self.clone();
        for area in hidden {
            // What can't be told where it is may be anywhere.
            let span = Span::of(*area, self.size, true).unwrap_or(Span::all(self.size));
            picture.paint(span);
        }
        match crop.and_then(|area| Span::of(area, self.size, false)) {
            Some(span) if !span.is_empty() => picture.cut(span),
            _ => picture,
        }
    }

    /// Where a crop begins and how large it is, in whole pixels; all of the picture where it makes no sense.
    #[must_use]
    pub fn crop_span(&self, crop: Option<Area>) -> (u32, u32, Size) {
        let span = crop
            .and_then(|area| Span::of(area, self.size, false))
            .filter(|span| !span.is_empty())
            .unwrap_or(Span::all(self.size));
        let size = Size {
            width: span.right - span.left,
            height: span.bottom - span.top,
        };
        (span.left, span.top, size)
    }

    fn paint(&mut self, span: Span) {
        let width = self.size.width as usize;
        for y in span.top as usize..span.bottom as usize {
            let row = &mut self.rgb[(y * width + span.left as usize) * PIXEL_BYTES
                ..(y * width + span.right as usize) * PIXEL_BYTES];
            for pixel in row.chunks_exact_mut(PIXEL_BYTES) {
                pixel.copy_from_slice(&HIDDEN);
            }
        }
    }

    fn cut(&self, span: Span) -> Self {
        let width = self.size.width as usize;
        let mut rgb = Vec::new();
        for y in span.top as usize..span.bottom as usize {
            rgb.extend_from_slice(
                &self.rgb[(y * width + span.left as usize) * PIXEL_BYTES
                    ..(y * width + span.right as usize) * PIXEL_BYTES],
            );
        }
        Self {
            size: Size {
                width: span.right - span.left,
                height: span.bottom - span.top,
            },
            rgb,
        }
    }
}

/// Whole pixels of a picture: from the first to before the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    left: u32,
    top: u32,
    right: u32,
    bottom: u32,
}

impl Span {
    fn all(size: Size) -> Self {
        Self {
            left: 0,
            top: 0,
            right: size.width,
            bottom: size.height,
        }
    }

    /// An area in whole pixels inside a picture: every pixel that it touches (`outward`), or only those that it
    /// covers by half. None where it is no area.
    fn of(area: Area, size: Size, outward: bool) -> Option<Self> {
        let finite = [area.x, area.y, area.width, area.height]
            .iter()
            .all(|value| value.is_finite());
        if !finite {
            return None;
        }
        // An area that was drawn from its lower right corner is one, too.
        let (x0, x1) = ordered(area.x, area.x + area.width);
        let (y0, y1) = ordered(area.y, area.y + area.height);
        let first = |value: f64| {
            if outward {
                value.floor()
            } else {
                value.round()
            }
        };
        let last = |value: f64| if outward { value.ceil() } else { value.round() };
        Some(Self {
            left: pixel(first(x0), size.width),
            top: pixel(first(y0), size.height),
            right: pixel(last(x1), size.width),
            bottom: pixel(last(y1), size.height),
        })
    }

    fn is_empty(self) -> bool {
        self.left >= self.right || self.top >= self.bottom
    }
}

fn ordered(a: f64, b: f64) -> (f64, f64) {
    if a <= b { (a, b) } else { (b, a) }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the picture before"
)]
fn pixel(value: f64, most: u32) -> u32 {
    value.clamp(0.0, f64::from(most)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(width: u32, height: u32) -> Picture {
        let rgb = (0..width * height)
            .flat_map(|at| {
                let [_, high, mid, low] = at.to_be_bytes();
                [high | 0x80, mid, low]
            })
            .collect();
        Picture::new(Size { width, height }, rgb).unwrap()
    }

    fn area(x: f64, y: f64, width: f64, height: f64) -> Area {
        Area {
            x,
            y,
            width,
            height,
        }
    }

    fn pixel_at(picture: &Picture, x: u32, y: u32) -> [u8; 3] {
        let at = (y * picture.size.width + x) as usize * PIXEL_BYTES;
        picture.rgb[at..at + PIXEL_BYTES].try_into().unwrap()
    }

    #[test]
    fn what_is_hidden_is_gone_from_every_encoding() {
        let original = picture(64, 48);
        let hidden = area(10.4, 5.5, 20.2, 10.0);
        let finished = original.finished(&[hidden], None);
        let decoded = Picture::decode(&finished.encode().unwrap().bytes).unwrap();
        for (x, y) in (0..64).flat_map(|x| (0..48).map(move |y| (x, y))) {
            let inside = (10..31).contains(&x) && (5..16).contains(&y);
            if inside {
                assert_eq!(pixel_at(&decoded, x, y), HIDDEN, "{x} {y}");
            } else {
                assert_eq!(
                    pixel_at(&decoded, x, y),
                    pixel_at(&original, x, y),
                    "{x} {y}"
                );
            }
        }
    }

    #[test]
    fn areas_beyond_the_edge_backwards_and_senseless() {
        let original = picture(20, 20);
        let count = |picture: &Picture| {
            picture
                .rgb
                .chunks_exact(3)
                .filter(|pixel| *pixel == HIDDEN)
                .count()
        };
        let hide = |area| count(&original.finished(&[area], None));
        assert_eq!(hide(area(-5.0, -5.0, 10.0, 10.0)), 25);
        assert_eq!(hide(area(10.0, 10.0, -5.0, -5.0)), 25);
        assert_eq!(hide(area(15.0, 15.0, 1e12, 1e12)), 25);
        assert_eq!(hide(area(5.0, 5.0, 0.0, 0.0)), 0);
        assert_eq!(hide(area(f64::NAN, 5.0, 1.0, 1.0)), 400, "hides everything");
        assert_eq!(hide(area(0.0, 0.0, f64::INFINITY, 1.0)), 400);
    }

    #[test]
    fn a_crop_keeps_what_is_hidden_hidden() {
        let original = picture(40, 30);
        let finished = original.finished(
            &[area(12.0, 10.0, 4.0, 4.0)],
            Some(area(10.0, 8.0, 10.0, 10.0)),
        );
        assert_eq!(
            finished.size(),
            Size {
                width: 10,
                height: 10
            }
        );
        assert_eq!(pixel_at(&finished, 0, 0), pixel_at(&original, 10, 8));
        assert_eq!(pixel_at(&finished, 2, 2), HIDDEN);
        let whole = original.finished(&[], Some(area(5.0, 5.0, 0.0, 3.0)));
        assert_eq!(whole.size(), original.size(), "a crop of nothing is none");
        assert_eq!(
            original
                .crop_span(Some(area(10.0, 8.0, 100.0, 5.0)))
                .2
                .width,
            30
        );
    }

    #[test]
    fn giant_pictures_are_halved_and_wrong_ones_refused() {
        let size = Size {
            width: 10_000,
            height: 6_000,
        };
        let giant = Picture::new(size, vec![7; 180_000_000]).unwrap();
        assert_eq!(
            giant.size(),
            Size {
                width: 5_000,
                height: 3_000
            }
        );
        assert!(
            Picture::new(
                Size {
                    width: 2,
                    height: 2
                },
                vec![0; 11]
            )
            .is_none()
        );
        assert!(
            Picture::new(
                Size {
                    width: 0,
                    height: 2
                },
                Vec::new()
            )
            .is_none()
        );
    }
}
