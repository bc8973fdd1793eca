//! JPEG: segments, and between them scans of entropy-coded data without checksums.

use zune_core::bytestream::ZCursor;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use super::{Fault, Kind, Picture, decode_bytes, huffman, scan};

/// Scans of a JPEG; a progressive one has some ten. Each costs a pass over all pixels.
const SCANS_MAX: usize = 100;

/// What a JPEG is, by its segments.
pub(super) fn look(bytes: &[u8]) -> Result<Picture, Fault> {
    let mut at = 2;
    let mut picture = None;
    let mut scans = 0;
    loop {
        let (marker, data, next) = segment(bytes, at).ok_or(Fault::Damaged)?;
        at = next;
        match marker {
            0xd9 => {
                let picture = picture.ok_or(Fault::Damaged)?;
                return match (scans, at == bytes.len()) {
                    (0, _) => Err(Fault::Damaged),
                    (_, true) => Ok(picture),
                    (_, false) => Err(Fault::Trailing),
                };
            }
            0xc0..=0xc2 => {
                if picture.is_some() || data.len() < 6 {
                    return Err(Fault::Damaged);
                }
                let height = u32::from(u16::from_be_bytes([data[1], data[2]]));
                let width = u32::from(u16::from_be_bytes([data[3], data[4]]));
                // The coefficients of a progressive picture are kept until its last scan.
                let bytes_per_pixel = if marker == 0xc2 { 14 } else { 6 };
                picture = Some(Picture {
                    kind: Kind::Jpeg,
                    width,
                    height,
                    decode_bytes: decode_bytes(width, height, bytes_per_pixel)?,
                });
            }
            0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf | 0xdc => {
                return Err(Fault::Unsupported);
            }
            0xe0..=0xef | 0xfe => scan(data)?,
            0xda => {
                scans += 1;
                if scans > SCANS_MAX {
                    return Err(Fault::Unsupported);
                }
                at = entropy_end(bytes, at).ok_or(Fault::Damaged)?;
            }
            _ => {}
        }
    }
}

/// The segment at `at`: its marker, what it holds, and where the next begins, or the
/// entropy-coded data. `None` where there is none.
pub(super) fn segment(bytes: &[u8], mut at: usize) -> Option<(u8, &[u8], usize)> {
    if bytes.get(at) != Some(&0xff) {
        return None;
    }
    // Any number of fill bytes may stand before a marker.
    while bytes.get(at) == Some(&0xff) {
        at += 1;
    }
    let marker = *bytes.get(at)?;
    at += 1;
    match marker {
        0x00 | 0x01 | 0xd0..=0xd8 => None,
        0xd9 => Some((marker, &[], at)),
        _ => {
            let length = usize::from(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?));
            Some((marker, bytes.get(at + 2..at + length)?, at + length))
        }
    }
}

/// Where the entropy-coded data from `at` on ends: at the next marker that isn't a restart.
fn entropy_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += bytes.get(at..)?.iter().position(|byte| *byte == 0xff)?;
        match bytes.get(at + 1)? {
            0x00 | 0xd0..=0xd7 => at += 2,
            0xff => at += 1,
            _ => return Some(at),
        }
    }
}

/// Reads all of a JPEG. Pixels are made only of one whose form is rare.
pub(super) fn decode(bytes: &[u8]) -> Result<(), Fault> {
    match huffman::walk(bytes) {
        // What it doesn't need, whoever makes pixels later does.
        Some(whole) => whole.and(headers(bytes).map(drop)),
        None => decode_pixels(bytes),
    }
}

fn headers(bytes: &[u8]) -> Result<JpegDecoder<ZCursor<&[u8]>>, Fault> {
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX))
        .jpeg_set_max_scans(SCANS_MAX);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(|_| Fault::Damaged)?;
    Ok(decoder)
}

/// Makes the pixels of a JPEG.
pub(super) fn decode_pixels(bytes: &[u8]) -> Result<(), Fault> {
    headers(bytes)?
        .decode()
        .map(drop)
        .map_err(|_| Fault::Damaged)
}
