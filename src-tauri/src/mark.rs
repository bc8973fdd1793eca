//! The mark, a thread with a small knot, drawn with one stroke of round ends.
//!
//! The tray's four states differ by shape, so that they can be told apart without their colours. Drawn here
//! rather than kept as pictures: every size is sharp, and the files in `icons/` are compared with this code.

use snag_agent::desktop::view::Icon;

/// Teal that stands out on light and on dark panels.
const THREAD: [u8; 3] = [0x2a, 0xa3, 0x9a];
/// What is at rest.
const RESTING: [u8; 3] = [0x8d, 0x8a, 0x85];
/// What needs the person.
const AMBER: [u8; 3] = [0xe8, 0x9c, 0x2f];

/// Half the width of the thread, as a share of the picture's width: two pixels of sixteen.
const HALF_STROKE: f64 = 0.062;

/// A point; the picture is 1 wide and 1 high.
type Point = (f64, f64);

/// The colours of the pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    /// Colours for the trays of Linux and Windows.
    Coloured,
    /// Black: macOS fills a template in its own colour.
    Template,
}

/// One stroke of a drawing.
struct Stroke {
    points: Vec<Point>,
    half_width: f64,
    colour: [u8; 3],
}

/// Pixels of the mark in a state, RGBA by rows, `size` wide and high.
#[must_use]
pub fn draw(icon: Icon, size: u32, ink: Ink) -> Vec<u8> {
    let strokes = strokes(icon);
    let mut pixels = Vec::with_capacity((size * size * 4) as usize);
    let pixel = 1.0 / f64::from(size);
    for row in 0..size {
        for column in 0..size {
            let at = (
                (f64::from(column) + 0.5) * pixel,
                (f64::from(row) + 0.5) * pixel,
            );
            let mut colour = [0_u8; 3];
            let mut alpha = 0.0_f64;
            for stroke in &strokes {
                // A pixel is covered as far as the stroke's edge has come across it.
                let inside = stroke.half_width - distance(&stroke.points, at);
                let cover = (inside / pixel + 0.5).clamp(0.0, 1.0);
                if cover > 0.0 {
                    colour = stroke.colour;
                }
                alpha = alpha.max(cover);
            }
            if ink == Ink::Template {
                colour = [0; 3];
            }
            pixels.extend(colour);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "0 to 255"
            )]
            pixels.push((alpha * 255.0).round() as u8);
        }
    }
    pixels
}

fn strokes(icon: Icon) -> Vec<Stroke> {
    let stroke = |points: Vec<Point>, colour| Stroke {
        points,
        half_width: HALF_STROKE,
        colour,
    };
    match icon {
        Icon::Capturing => vec![stroke(knot(), THREAD)],
        Icon::Attention => vec![
            stroke(knot(), THREAD),
            Stroke {
                points: vec![(0.82, 0.17)],
                half_width: 0.13,
                colour: AMBER,
            },
        ],
        Icon::Paused => vec![
            stroke(vec![(0.09, 0.5), (0.91, 0.5)], RESTING),
            stroke(vec![(0.37, 0.2), (0.37, 0.8)], RESTING),
            stroke(vec![(0.63, 0.2), (0.63, 0.8)], RESTING),
        ],
        Icon::Offline => vec![
            stroke(vec![(0.09, 0.64), (0.28, 0.62), (0.42, 0.44)], RESTING),
            stroke(vec![(0.58, 0.64), (0.72, 0.46), (0.91, 0.44)], RESTING),
        ],
    }
}

/// A thread that runs from left to right and crosses itself in one loop.
fn knot() -> Vec<Point> {
    (0..=96)
        .map(|step| {
            // A prolate trochoid: where the circle turns faster than it rolls, the thread loops.
            let turn = std::f64::consts::PI * (f64::from(step) / 48.0 - 1.0);
            let x = 0.5 + 0.122 * turn - 0.28 * turn.sin();
            let y = 0.50 - 0.28 * turn.cos();
            (x, y)
        })
        .collect()
}

/// The distance of a point from a line through `points`.
fn distance(points: &[Point], at: Point) -> f64 {
    let to_point = |p: &Point| (p.0 - at.0).hypot(p.1 - at.1);
    let to_segment = |pair: &[Point]| {
        let (a, b) = (pair[0], pair[1]);
        let (dx, dy) = (b.0 - a.0, b.1 - a.1);
        let length_squared = dx * dx + dy * dy;
        let share = if length_squared == 0.0 {
            0.0
        } else {
            (((at.0 - a.0) * dx + (at.1 - a.1) * dy) / length_squared).clamp(0.0, 1.0)
        };
        to_point(&(a.0 + share * dx, a.1 + share * dy))
    };
    points
        .windows(2)
        .map(to_segment)
        .chain(points.iter().map(to_point))
        .fold(f64::INFINITY, f64::min)
}

/// The same as a PNG.
///
/// # Errors
/// When it can't be encoded.
pub fn png(icon: Icon, size: u32, ink: Ink) -> Result<Vec<u8>, png::EncodingError> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, size, size);
    encoder.set_color(png::ColorType::Rgba);
    encoder
        .write_header()
        .and_then(|mut writer| writer.write_image_data(&draw(icon, size, ink)))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const STATES: [(Icon, &str); 4] = [
        (Icon::Capturing, "capturing"),
        (Icon::Paused, "paused"),
        (Icon::Offline, "offline"),
        (Icon::Attention, "attention"),
    ];

    fn png(icon: Icon, size: u32, ink: Ink) -> Vec<u8> {
        super::png(icon, size, ink).expect("memory takes it")
    }

    /// A Windows icon may hold a PNG: a header of 22 bytes, then the picture.
    fn ico(size: u8) -> Vec<u8> {
        let picture = png(Icon::Capturing, u32::from(size), Ink::Coloured);
        let length = u32::try_from(picture.len()).expect("small").to_le_bytes();
        let mut bytes = vec![0, 0, 1, 0, 1, 0, size, size, 0, 0, 1, 0, 32, 0];
        bytes.extend(length);
        bytes.extend(22_u32.to_le_bytes());
        bytes.extend(picture);
        bytes
    }

    /// `SNAG_UPDATE=1` writes the files.
    #[test]
    fn the_files_are_what_is_drawn() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("icons");
        let mut files = vec![
            (
                "32x32.png".to_owned(),
                png(Icon::Capturing, 32, Ink::Coloured),
            ),
            (
                "128x128.png".to_owned(),
                png(Icon::Capturing, 128, Ink::Coloured),
            ),
            (
                "icon.png".to_owned(),
                png(Icon::Capturing, 512, Ink::Coloured),
            ),
            ("icon.ico".to_owned(), ico(64)),
        ];
        for (icon, name) in STATES {
            files.push((format!("tray-{name}.png"), png(icon, 32, Ink::Coloured)));
        }
        for (name, bytes) in files {
            let path = folder.join(name);
            if std::env::var_os("SNAG_UPDATE").is_some() {
                std::fs::write(&path, &bytes).expect("the file is written");
            }
            let found = std::fs::read(&path).expect("run with SNAG_UPDATE=1");
            assert!(found == bytes, "{} isn't what is drawn", path.display());
        }
    }

    /// In one colour and at 16 pixels, a good part of the pixels differs between any two states.
    #[test]
    fn states_differ_by_shape() {
        let shapes = STATES.map(|(icon, name)| (name, draw(icon, 16, Ink::Template)));
        for (i, (one, a)) in shapes.iter().enumerate() {
            for (other, b) in &shapes[i + 1..] {
                let differing = a
                    .chunks(4)
                    .zip(b.chunks(4))
                    .filter(|(a, b)| a[3].abs_diff(b[3]) > 128)
                    .count();
                assert!(differing >= 12, "{one} and {other}: {differing} pixels");
            }
        }
    }

    #[test]
    fn nothing_is_cut_off() {
        for (icon, name) in STATES {
            let size = 32_usize;
            let pixels = draw(icon, 32, Ink::Coloured);
            for i in 0..size {
                for (x, y) in [(i, 0), (i, size - 1), (0, i), (size - 1, i)] {
                    assert!(pixels[(y * size + x) * 4 + 3] < 200, "{name} at {x},{y}");
                }
            }
        }
    }
}
