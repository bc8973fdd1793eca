//! JPEG: segments, and between them scans of entropy-coded data without checksums.

use zune_core::bytestream::ZCursor;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use super::foreign::{scan, scan_text};
use super::frame::Form;
use super::scans::walk;
use super::{Fault, Kind, Picture, decode_bytes};

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
                let [bits, .., components] = *data.first_chunk::<6>().ok_or(Fault::Damaged)?;
                if picture.is_some() || data.len() != 6 + 3 * usize::from(components) {
                    return Err(Fault::Damaged);
                }
                if bits != 8 || !matches!(components, 1 | 3 | 4) {
                    return Err(Fault::Unsupported);
                }
                let height = u32::from(u16::from_be_bytes([data[1], data[2]]));
                let width = u32::from(u16::from_be_bytes([data[3], data[4]]));
                // The coefficients of a progressive picture are kept until its last scan.
                let kept = if marker == 0xc2 { 8 } else { 0 };
                let bytes_per_pixel = kept + 2 * u64::from(components.max(3));
                picture = Some(Picture {
                    kind: Kind::Jpeg,
                    width,
                    height,
                    decode_bytes: decode_bytes(width, height, bytes_per_pixel)?,
                });
            }
            0xe0 if data.starts_with(b"JFIF\0") => {
                // Of another length, a script that begins with a comment could lie here.
                let small = data.get(12..14).ok_or(Fault::Damaged)?;
                if data.len() != 14 + 3 * usize::from(small[0]) * usize::from(small[1]) {
                    return Err(Fault::Damaged);
                }
                scan(data)?;
            }
            0xe0..=0xef => scan(data)?,
            0xfe => scan_text(data)?,
            0xc4 | 0xdb => {}
            0xdd if data.len() == 2 => {}
            0xdd => return Err(Fault::Damaged),
            0xda => {
                scans += 1;
                if scans > SCANS_MAX {
                    return Err(Fault::Unsupported);
                }
                at = entropy_end(bytes, at).ok_or(Fault::Damaged)?;
            }
            // Other codings, and what no picture has.
            _ => return Err(Fault::Unsupported),
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
    match walk(bytes)? {
        // What reading doesn't need, whoever makes pixels later does.
        Form::Plain => headers(bytes).map(drop),
        Form::Rare => decode_pixels(bytes),
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
