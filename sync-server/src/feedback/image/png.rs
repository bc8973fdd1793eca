//! PNG: chunks with checksums, the pixels in rows.
//!
//! Rows are inflated and counted, and no pixel is made of them: a filter says of any bytes
//! what pixels they are, so nothing but a row's filter and its length can be wrong.
//!
//! **Invariant:** the deflated stream is all that the `IDAT` chunks hold, and exactly the
//! rows of the picture are all that it holds.

use std::io::Cursor;

use png::{DecodeOptions, Info};
use snag_wire::limits;

use super::chunks::{Metadata, chunk};
use super::inflate::inflate;
use super::{Fault, Kind, Picture, decode_bytes};

/// The colour type of pixels that are numbers of colours.
const INDEXED: u8 = 3;
/// The highest number of a row's filter.
const FILTER_MAX: u8 = 4;
/// The passes of an interlaced picture: the first column and row, the steps between them.
const PASSES: [[u32; 4]; 7] = [
    [0, 0, 8, 8],
    [4, 0, 8, 8],
    [0, 4, 4, 8],
    [2, 0, 4, 4],
    [0, 2, 2, 4],
    [1, 0, 2, 2],
    [0, 1, 1, 2],
];

/// What a PNG is, by its chunks.
pub(super) fn look(bytes: &[u8]) -> Result<Picture, Fault> {
    let mut at = 8;
    let mut picture = None;
    let mut before = *b"    ";
    let mut needs_palette = false;
    let mut seen_palette = false;
    let mut seen_pixels = false;
    loop {
        let chunk = chunk(bytes, at).ok_or(Fault::Damaged)?;
        match (&chunk.name, picture) {
            (b"IHDR", None) if chunk.data.len() == 13 => {
                let side = |at: usize| chunk.data[at..].first_chunk().copied();
                let (width, height) = (side(0).unwrap_or([0; 4]), side(4).unwrap_or([0; 4]));
                let (width, height) = (u32::from_be_bytes(width), u32::from_be_bytes(height));
                // A thumbnail takes 8 bytes a pixel where a channel has 16 bits.
                let bytes_per_pixel = if chunk.data[8] == 16 { 8 } else { 4 };
                needs_palette = chunk.data[9] == INDEXED;
                let decode_bytes = decode_bytes(width, height, bytes_per_pixel)?;
                picture = Some(Picture {
                    kind: Kind::Png,
                    width,
                    height,
                    decode_bytes,
                });
            }
            (_, None) | (b"IHDR", Some(_)) => return Err(Fault::Damaged),
            (b"IEND", Some(picture)) => {
                chunk.known()?;
                return match chunk.next == bytes.len() {
                    true if seen_pixels => Ok(picture),
                    true => Err(Fault::Damaged),
                    false => Err(Fault::Trailing),
                };
            }
            (b"acTL" | b"fcTL" | b"fdAT", _) => return Err(Fault::Animated),
            (b"IDAT", _) => {
                // Decoders read the first chunks that stand together, and no others.
                if seen_pixels && before != *b"IDAT" || needs_palette && !seen_palette {
                    return Err(Fault::Damaged);
                }
                seen_pixels = true;
            }
            (b"PLTE", _) if seen_pixels || seen_palette || !is_palette(chunk.data) => {
                return Err(Fault::Damaged);
            }
            (name, _) => {
                seen_palette |= *name == *b"PLTE";
                chunk.known()?;
            }
        }
        before = chunk.name;
        at = chunk.next;
    }
}

/// Whether these are colours, of which a picture has 256 at most.
fn is_palette(data: &[u8]) -> bool {
    (1..=256).contains(&(data.len() / 3)) && data.len().is_multiple_of(3)
}

/// Reads all of a PNG that [`look`] allowed: its metadata, then its rows. No more is
/// inflated than they take.
pub(super) fn decode(bytes: &[u8]) -> Result<(), Fault> {
    let parts = parts(bytes)?;
    let mut options = DecodeOptions::default();
    options.set_ignore_text_chunk(true);
    options.set_ignore_iccp_chunk(true);
    let mut decoder = png::Decoder::new_with_options(Cursor::new(bytes), options);
    // For the rows that are begun with, of which this library makes no pixels.
    decoder.set_limits(png::Limits {
        bytes: limits::SCREENSHOT_PIXELS_MAX as usize * 8,
    });
    // What the header says, and what stands before the pixels.
    let reader = decoder.read_info().map_err(|_| Fault::Damaged)?;
    let mut rows = Rows::new(reader.info());
    inflate(&parts, |bytes| rows.take(bytes)).ok_or(Fault::Damaged)?;
    match rows.are_over() {
        true => Ok(()),
        false => Err(Fault::Damaged),
    }
}

/// What the `IDAT` chunks hold; each chunk is compared with its checksum, and what holds
/// no pixels is looked at.
fn parts(bytes: &[u8]) -> Result<Vec<&[u8]>, Fault> {
    let mut metadata = Metadata::new();
    let mut parts = Vec::new();
    let mut at = 8;
    while at < bytes.len() {
        let chunk = chunk(bytes, at).ok_or(Fault::Damaged)?;
        if !chunk.is_whole() {
            return Err(Fault::Damaged);
        }
        match &chunk.name {
            b"IDAT" => parts.push(chunk.data),
            _ => metadata.look(&chunk)?,
        }
        at = chunk.next;
    }
    Ok(parts)
}

/// The rows that are still to come.
struct Rows {
    /// Bytes of the row that was begun.
    row_left: usize,
    /// The passes that aren't over, the last one first: bytes in a row with its filter, and
    /// rows.
    passes: Vec<(usize, u32)>,
}

impl Rows {
    fn new(info: &Info<'_>) -> Self {
        let whole = [[0, 0, 1, 1]];
        let passes: &[[u32; 4]] = if info.interlaced { &PASSES } else { &whole };
        let count = |side: u32, first, step| side.saturating_sub(first).div_ceil(step);
        let passes = passes.iter().rev().map(|[x, y, right, down]| {
            let columns = count(info.width, *x, *right);
            // A pass without columns has no rows either.
            let rows = if columns == 0 {
                0
            } else {
                count(info.height, *y, *down)
            };
            (info.raw_row_length_from_width(columns), rows)
        });
        Self {
            row_left: 0,
            passes: passes.filter(|(_, rows)| *rows > 0).collect(),
        }
    }

    /// Takes the next bytes; `None` where they are too many, or no row's.
    fn take(&mut self, mut bytes: &[u8]) -> Option<()> {
        loop {
            let of_row = bytes.len().min(self.row_left);
            self.row_left -= of_row;
            bytes = &bytes[of_row..];
            let Some(filter) = bytes.first() else {
                return Some(());
            };
            let (row_bytes, rows) = self.passes.last_mut()?;
            if *filter > FILTER_MAX {
                return None;
            }
            self.row_left = *row_bytes;
            *rows -= 1;
            if *rows == 0 {
                self.passes.pop();
            }
        }
    }

    fn are_over(&self) -> bool {
        self.row_left == 0 && self.passes.is_empty()
    }
}
