//! WebP: chunks in a RIFF file, the pixels in one of them.

use std::io::Cursor;

use image::ImageDecoder as _;
use image::codecs::webp::WebPDecoder;

use super::foreign::{scan, scan_text};
use super::{Fault, Kind, Picture, decode_bytes, vp8l};

fn le24(bytes: &[u8], at: usize) -> Option<u32> {
    let [a, b, c] = *bytes.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes([a, b, c, 0]))
}

/// What a WebP is, by its chunks.
pub(super) fn look(bytes: &[u8]) -> Result<Picture, Fault> {
    let le32 = |at: usize| -> Option<usize> {
        let number = u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?);
        usize::try_from(number).ok()
    };
    let end = 8 + le32(4).ok_or(Fault::Damaged)?;
    if end > bytes.len() {
        return Err(Fault::Damaged);
    }
    if end < bytes.len() {
        return Err(Fault::Trailing);
    }
    let mut at = 12;
    let mut seen: Vec<[u8; 4]> = Vec::new();
    let mut canvas = None;
    let mut frame = None;
    while at < end {
        let name = *bytes
            .get(at..)
            .and_then(<[u8]>::first_chunk)
            .ok_or(Fault::Damaged)?;
        let length = le32(at + 4).ok_or(Fault::Damaged)?;
        let data = bytes.get(at + 8..at + 8 + length).ok_or(Fault::Damaged)?;
        if seen.contains(&name) {
            return Err(Fault::Damaged);
        }
        match &name {
            b"VP8X" if at == 12 && length == 10 => {
                let width = le24(data, 4).ok_or(Fault::Damaged)? + 1;
                let height = le24(data, 7).ok_or(Fault::Damaged)? + 1;
                decode_bytes(width, height, 1)?;
                canvas = Some((width, height));
                if data[0] & 2 != 0 {
                    return Err(Fault::Animated);
                }
            }
            b"ANIM" | b"ANMF" => return Err(Fault::Animated),
            b"VP8 " | b"VP8L" if frame.is_none() => frame = Some(picture(&name, data)?),
            b"ALPH" if canvas.is_some() && frame.is_none() => {}
            b"VP8X" | b"VP8 " | b"VP8L" | b"ALPH" => return Err(Fault::Damaged),
            b"EXIF" => {
                let exif = data.strip_prefix(b"Exif\0\0").unwrap_or(data);
                if !exif.starts_with(b"II*\0") && !exif.starts_with(b"MM\0*") {
                    return Err(Fault::Foreign);
                }
                scan(exif)?;
            }
            b"XMP " => scan_text(data)?,
            b"ICCP" | b"C2PA" => scan(data)?,
            // The format lets readers skip these, and other files lie there best.
            _ => return Err(Fault::Private),
        }
        // A chunk of odd length is followed by a zero.
        if length % 2 == 1 && bytes.get(at + 8 + length) != Some(&0) {
            return Err(Fault::Damaged);
        }
        seen.push(name);
        at += 8 + length + length % 2;
    }
    let picture = frame.ok_or(Fault::Damaged)?;
    if canvas.is_some_and(|canvas| canvas != (picture.width, picture.height)) {
        return Err(Fault::Damaged);
    }
    Ok(picture)
}

/// The picture of a chunk of pixels.
fn picture(name: &[u8; 4], data: &[u8]) -> Result<Picture, Fault> {
    let (width, height) = if name == b"VP8L" {
        let packed = data.get(1..5).and_then(|bits| bits.first_chunk());
        let packed = u32::from_le_bytes(*packed.ok_or(Fault::Damaged)?);
        ((packed & 0x3fff) + 1, (packed >> 14 & 0x3fff) + 1)
    } else {
        let side = |at: usize| {
            let side = data.get(at..).and_then(<[u8]>::first_chunk::<2>);
            side.map(|side| u32::from(u16::from_le_bytes(*side) & 0x3fff))
        };
        side(6).zip(side(8)).ok_or(Fault::Damaged)?
    };
    Ok(Picture {
        kind: Kind::Webp,
        width,
        height,
        decode_bytes: decode_bytes(width, height, 8)?,
    })
}

/// Reads all of a WebP. Pixels are made only where they can't be told to be whole without.
pub(super) fn decode(bytes: &[u8], picture: &Picture) -> Result<(), Fault> {
    if lossless(bytes).is_some_and(|data| vp8l::is_whole(data, picture.width, picture.height)) {
        return Ok(());
    }
    let pixels = decode_pixels(bytes, picture)?;
    // What a decoder doesn't read, it doesn't miss: so that nothing lies behind the pixels,
    // the same ones must not be had without their last bytes. Codes with loss end some
    // bytes after what they say, the more of them the less it is.
    for (name, tail_bytes) in [(b"VP8 ", 64), (b"VP8L", 2), (b"ALPH", 2)] {
        if let Some(cut) = without_tail(bytes, name, tail_bytes)
            && decode_pixels(&cut, picture) == Ok(pixels)
        {
            return Err(Fault::Trailing);
        }
    }
    Ok(())
}

/// The file without the last bytes of a chunk; `None` where it has none of that name.
fn without_tail(bytes: &[u8], name: &[u8; 4], tail_bytes: usize) -> Option<Vec<u8>> {
    let mut at = 12;
    loop {
        let length = u32::from_le_bytes(*bytes.get(at + 4..)?.first_chunk()?) as usize;
        let next = at + 8 + length + length % 2;
        if bytes.get(at..at + 4)? == name {
            let kept = length.saturating_sub(tail_bytes);
            let mut cut = bytes[..at + 4].to_vec();
            cut.extend(u32::try_from(kept).ok()?.to_le_bytes());
            cut.extend(&bytes[at + 8..at + 8 + kept]);
            cut.resize(cut.len() + kept % 2, 0);
            cut.extend(bytes.get(next..)?);
            let size = u32::try_from(cut.len() - 8).ok()?;
            cut[4..8].copy_from_slice(&size.to_le_bytes());
            return Some(cut);
        }
        at = next;
    }
}

/// The pixels of a file that has nothing else.
pub(super) fn lossless(bytes: &[u8]) -> Option<&[u8]> {
    let chunk = bytes.get(12..)?.strip_prefix(b"VP8L")?;
    let length = u32::from_le_bytes(*chunk.first_chunk()?);
    chunk.get(4..)?.get(..usize::try_from(length).ok()?)
}

/// Makes the pixels of a WebP; tells their checksum.
pub(super) fn decode_pixels(bytes: &[u8], picture: &Picture) -> Result<u32, Fault> {
    let decoder = WebPDecoder::new(Cursor::new(bytes));
    let decoder = decoder.map_err(|_| Fault::Damaged)?;
    if decoder.dimensions() != (picture.width, picture.height) {
        return Err(Fault::Damaged);
    }
    let size = usize::try_from(decoder.total_bytes()).map_err(|_| Fault::TooManyPixels)?;
    let mut pixels = vec![0; size];
    decoder
        .read_image(&mut pixels)
        .map_err(|_| Fault::Damaged)?;
    let mut crc = flate2::Crc::new();
    crc.update(&pixels);
    Ok(crc.sum())
}
