//! PNG: chunks with checksums, the pixels in rows.

use std::io::Cursor;

use png::DecodeOptions;
use snag_wire::limits;

use super::{Fault, Kind, Picture, decode_bytes, scan};

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// What a PNG is, by its chunks.
pub(super) fn look(bytes: &[u8]) -> Result<Picture, Fault> {
    let mut at = 8;
    let mut picture = None;
    loop {
        let length = be32(bytes, at).ok_or(Fault::Damaged)? as usize;
        let name = bytes.get(at + 4..at + 8).ok_or(Fault::Damaged)?;
        let data = bytes.get(at + 8..at + 8 + length).ok_or(Fault::Damaged)?;
        let next = at + 12 + length;
        if next > bytes.len() {
            return Err(Fault::Damaged);
        }
        match (name, picture) {
            (b"IHDR", None) if length == 13 => {
                let (width, height) = (be32(data, 0), be32(data, 4));
                let (width, height) = (width.unwrap_or(0), height.unwrap_or(0));
                // A thumbnail takes 8 bytes a pixel where a channel has 16 bits.
                let deep = data.get(8) == Some(&16);
                let decode_bytes = decode_bytes(width, height, if deep { 8 } else { 4 })?;
                picture = Some(Picture {
                    kind: Kind::Png,
                    width,
                    height,
                    decode_bytes,
                });
            }
            (_, None) | (b"IHDR", Some(_)) => return Err(Fault::Damaged),
            (b"IEND", Some(picture)) => {
                return if next == bytes.len() {
                    Ok(picture)
                } else {
                    Err(Fault::Trailing)
                };
            }
            (b"acTL" | b"fcTL" | b"fdAT", _) => return Err(Fault::Animated),
            (b"IDAT" | b"PLTE", _) => {}
            _ => scan(data)?,
        }
        at = next;
    }
}

/// Decodes all of a PNG, row by row.
pub(super) fn decode(bytes: &[u8]) -> Result<(), Fault> {
    let mut options = DecodeOptions::default();
    options.set_ignore_adler32(false);
    options.set_ignore_text_chunk(true);
    options.set_ignore_iccp_chunk(true);
    let mut decoder = png::Decoder::new_with_options(Cursor::new(bytes), options);
    // Row by row, so that only a row is in memory; a row of 50 megapixels is the most.
    decoder.set_limits(png::Limits {
        bytes: limits::SCREENSHOT_PIXELS_MAX as usize * 8,
    });
    let mut reader = decoder.read_info().map_err(|_| Fault::Damaged)?;
    let mut row = vec![
        0;
        reader
            .output_line_size(reader.info().width)
            .ok_or(Fault::TooManyPixels)?
    ];
    while reader
        .read_row(&mut row)
        .map_err(|_| Fault::Damaged)?
        .is_some()
    {}
    reader.finish().map_err(|_| Fault::Damaged)
}
