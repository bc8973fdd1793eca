//! Pictures as strangers send them: recognised, bounded and decoded wholly.
//!
//! First the container is walked, which costs nothing: what kind it is, how many pixels
//! it claims, whether it ends where the bytes end. Only then is it decoded.
//!
//! **Invariant:** no memory beyond the bytes themselves is taken before the picture's
//! size is known and allowed, and what is accepted is one still picture and nothing else:
//! no frames, nothing behind its end, no other file in its metadata.
//!
//! Not seen: a JPEG whose pixels were cut out before its end marker. The format has no
//! checksum, and decoders fill what is missing with grey.

use std::io::Cursor;

use image::{ImageFormat, ImageReader};
use png::DecodeOptions;
use snag_wire::{Code, limits};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use crate::ApiError;

/// Longest side of a thumbnail, in pixels.
pub const THUMBNAIL_PIXELS: u32 = 480;

/// Scans of a JPEG; a progressive one has some ten. Each costs a pass over all pixels.
const SCANS_MAX: usize = 100;

/// Memory that decoding for a thumbnail may take: 50 megapixels of four bytes, twice.
const DECODE_BYTES_MAX: u64 = 420 << 20;

/// How other files begin or end that could be hidden in a picture's metadata. Programs
/// that open them look for these beyond the file's first bytes.
const FOREIGN: [&[u8]; 8] = [
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"%PDF-",
    b"<?php",
    b"<script",
    b"<html",
    b"<!doctype",
    b"\x7fELF",
];

/// The kinds of picture that are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// PNG.
    Png,
    /// JPEG, baseline or progressive.
    Jpeg,
    /// WebP, with or without loss.
    Webp,
}

impl Kind {
    /// The media type.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Webp => "image/webp",
        }
    }

    fn format(self) -> ImageFormat {
        match self {
            Self::Png => ImageFormat::Png,
            Self::Jpeg => ImageFormat::Jpeg,
            Self::Webp => ImageFormat::WebP,
        }
    }
}

/// What a picture is, told by its container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Picture {
    /// Its kind.
    pub kind: Kind,
    /// Pixels from left to right.
    pub width: u32,
    /// Pixels from top to bottom.
    pub height: u32,
    /// Memory that decoding it takes, in bytes.
    pub decode_bytes: u64,
    /// A sequential JPEG of three components of one size. (Where they have sizes of their
    /// own, the decoder counts rows another way when it leaves the colours out.)
    even: bool,
}

/// Why bytes aren't taken as a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// None of the three kinds.
    #[error("The bytes are no PNG, JPEG or WebP picture.")]
    Unknown,
    /// The container breaks off or contradicts itself.
    #[error("The picture is damaged or cut off. Send all of its bytes.")]
    Damaged,
    /// Bytes follow the picture's end.
    #[error("Something follows the picture's end. Send the picture alone.")]
    Trailing,
    /// It has frames.
    #[error("The picture is animated. Send a still one.")]
    Animated,
    /// Its metadata holds a file of another kind.
    #[error("The picture's metadata holds another file. Send the picture without metadata.")]
    Foreign,
    /// Too many pixels.
    #[error("The picture has more than 50 megapixels. Send it smaller.")]
    TooManyPixels,
    /// A form that is rare and not taken.
    #[error("The picture is of a form that isn't taken. Save it anew as a plain PNG.")]
    Unsupported,
}

impl From<Fault> for ApiError {
    fn from(fault: Fault) -> Self {
        let code = match fault {
            Fault::Unknown => Code::UnsupportedMediaType,
            Fault::TooManyPixels => Code::TooLarge,
            _ => Code::InvalidBody,
        };
        Self::new(code, fault.to_string())
    }
}

/// What a picture is, without decoding it.
///
/// # Errors
/// Any [`Fault`].
pub fn look(bytes: &[u8]) -> Result<Picture, Fault> {
    let picture = if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        look_png(bytes)?
    } else if bytes.starts_with(b"\xff\xd8\xff") {
        look_jpeg(bytes)?
    } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        look_webp(bytes)?
    } else {
        return Err(Fault::Unknown);
    };
    if picture.width == 0 || picture.height == 0 {
        return Err(Fault::Damaged);
    }
    Ok(picture)
}

/// Decodes all of a picture that [`look`] allowed.
///
/// # Errors
/// [`Fault::Damaged`] where its pixels can't be had.
pub fn decode(bytes: &[u8], picture: &Picture) -> Result<(), Fault> {
    match picture.kind {
        Kind::Png => decode_png(bytes),
        Kind::Jpeg => decode_jpeg(bytes, picture.even),
        Kind::Webp => {
            let decoder = image::codecs::webp::WebPDecoder::new(Cursor::new(bytes));
            let decoder = decoder.map_err(|_| Fault::Damaged)?;
            use image::ImageDecoder as _;
            if decoder.dimensions() != (picture.width, picture.height) {
                return Err(Fault::Damaged);
            }
            let size = usize::try_from(decoder.total_bytes()).map_err(|_| Fault::TooManyPixels)?;
            let mut pixels = vec![0; size];
            decoder.read_image(&mut pixels).map_err(|_| Fault::Damaged)
        }
    }
}

/// A picture of at most [`THUMBNAIL_PIXELS`] a side, as WebP.
///
/// # Errors
/// [`Fault::Damaged`] where its pixels can't be had.
pub fn thumbnail(bytes: &[u8]) -> Result<Vec<u8>, Fault> {
    let picture = look(bytes)?;
    let mut reader = ImageReader::with_format(Cursor::new(bytes), picture.kind.format());
    let mut limits = image::Limits::default();
    limits.max_alloc = Some(DECODE_BYTES_MAX);
    reader.limits(limits);
    let whole = reader.decode().map_err(|_| Fault::Damaged)?;
    let small = if picture.width.max(picture.height) > THUMBNAIL_PIXELS {
        whole.thumbnail(THUMBNAIL_PIXELS, THUMBNAIL_PIXELS)
    } else {
        whole
    };
    let small = if small.color().has_alpha() {
        image::DynamicImage::from(small.into_rgba8())
    } else {
        image::DynamicImage::from(small.into_rgb8())
    };
    let mut webp = Cursor::new(Vec::new());
    small
        .write_to(&mut webp, ImageFormat::WebP)
        .map_err(|_| Fault::Damaged)?;
    Ok(webp.into_inner())
}

/// Memory for decoding, where the number of pixels is allowed.
fn decode_bytes(width: u32, height: u32, bytes_per_pixel: u64) -> Result<u64, Fault> {
    let pixels = u64::from(width) * u64::from(height);
    if pixels > limits::SCREENSHOT_PIXELS_MAX {
        return Err(Fault::TooManyPixels);
    }
    Ok(pixels * bytes_per_pixel)
}

fn scan(metadata: &[u8]) -> Result<(), Fault> {
    // One pass over bytes that could begin any of them.
    for (i, byte) in metadata.iter().enumerate() {
        if matches!(byte, b'P' | b'%' | b'<' | 0x7f)
            && FOREIGN.iter().any(|foreign| {
                metadata
                    .get(i..i + foreign.len())
                    .is_some_and(|found| found.eq_ignore_ascii_case(foreign))
            })
        {
            return Err(Fault::Foreign);
        }
    }
    Ok(())
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn look_png(bytes: &[u8]) -> Result<Picture, Fault> {
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
                    even: false,
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

fn decode_png(bytes: &[u8]) -> Result<(), Fault> {
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

fn look_jpeg(bytes: &[u8]) -> Result<Picture, Fault> {
    let mut at = 2;
    let mut picture = None;
    let mut scans = 0;
    loop {
        // Any number of fill bytes may stand before a marker.
        if bytes.get(at) != Some(&0xff) {
            return Err(Fault::Damaged);
        }
        while bytes.get(at) == Some(&0xff) {
            at += 1;
        }
        let marker = *bytes.get(at).ok_or(Fault::Damaged)?;
        at += 1;
        if marker == 0xd9 {
            let picture = picture.ok_or(Fault::Damaged)?;
            return match (scans, at == bytes.len()) {
                (0, _) => Err(Fault::Damaged),
                (_, true) => Ok(picture),
                (_, false) => Err(Fault::Trailing),
            };
        }
        if matches!(marker, 0x00 | 0x01 | 0xd0..=0xd8) {
            return Err(Fault::Damaged);
        }
        let length = bytes.get(at..).and_then(<[u8]>::first_chunk::<2>);
        let length = usize::from(u16::from_be_bytes(*length.ok_or(Fault::Damaged)?));
        let data = bytes.get(at + 2..at + length).ok_or(Fault::Damaged)?;
        at += length;
        match marker {
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
                    even: marker != 0xc2
                        && matches!(data[5..], [3, _, 0x11, _, _, 0x11, _, _, 0x11, _]),
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

/// With `even` (see [`Picture`]), only the brightness is made into pixels. Every bit of the
/// colours is read and checked all the same, and nobody looks at them.
fn decode_jpeg(bytes: &[u8], even: bool) -> Result<(), Fault> {
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX))
        .jpeg_set_max_scans(SCANS_MAX);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(|_| Fault::Damaged)?;
    if even && decoder.input_colorspace() == Some(ColorSpace::YCbCr) {
        decoder.set_options(options.jpeg_set_out_colorspace(ColorSpace::Luma));
    }
    decoder.decode().map(drop).map_err(|_| Fault::Damaged)
}

fn le24(bytes: &[u8], at: usize) -> Option<u32> {
    let [a, b, c] = *bytes.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes([a, b, c, 0]))
}

fn look_webp(bytes: &[u8]) -> Result<Picture, Fault> {
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
    let mut canvas = None;
    let mut frame = None;
    while at < end {
        let name = bytes.get(at..at + 4).ok_or(Fault::Damaged)?;
        let length = le32(at + 4).ok_or(Fault::Damaged)?;
        let data = bytes.get(at + 8..at + 8 + length).ok_or(Fault::Damaged)?;
        match name {
            b"VP8X" if at == 12 => {
                let width = le24(data, 4).ok_or(Fault::Damaged)? + 1;
                let height = le24(data, 7).ok_or(Fault::Damaged)? + 1;
                decode_bytes(width, height, 1)?;
                canvas = Some((width, height));
                if data[0] & 2 != 0 {
                    return Err(Fault::Animated);
                }
            }
            b"ANIM" | b"ANMF" => return Err(Fault::Animated),
            b"VP8 " | b"VP8L" if frame.is_none() => {
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
                frame = Some(Picture {
                    kind: Kind::Webp,
                    width,
                    height,
                    decode_bytes: decode_bytes(width, height, 8)?,
                    even: false,
                });
            }
            b"VP8X" | b"VP8 " | b"VP8L" => return Err(Fault::Damaged),
            b"ALPH" => {}
            _ => scan(data)?,
        }
        // A chunk of odd length is followed by one byte that says nothing.
        at += 8 + length + length % 2;
    }
    let picture = frame.ok_or(Fault::Damaged)?;
    if canvas.is_some_and(|canvas| canvas != (picture.width, picture.height)) {
        return Err(Fault::Damaged);
    }
    Ok(picture)
}

#[cfg(test)]
mod tests {
    use image::{DynamicImage, Rgb, RgbImage, RgbaImage};

    use super::*;

    /// A picture with edges and gradients, so that no codec has it easy.
    fn pixels(width: u32, height: u32) -> DynamicImage {
        DynamicImage::from(RgbImage::from_fn(width, height, |x, y| {
            let noise = (x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(40_503)) >> 9;
            Rgb([x as u8, y as u8, (noise as u8) & 31])
        }))
    }

    fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    fn accept(bytes: &[u8]) -> Result<Picture, Fault> {
        let picture = look(bytes)?;
        decode(bytes, &picture)?;
        Ok(picture)
    }

    fn chunk(name: &[u8; 4], data: &[u8]) -> Vec<u8> {
        let mut crc = flate2::Crc::new();
        crc.update(name);
        crc.update(data);
        let mut chunk = (data.len() as u32).to_be_bytes().to_vec();
        chunk.extend_from_slice(name);
        chunk.extend_from_slice(data);
        chunk.extend_from_slice(&crc.sum().to_be_bytes());
        chunk
    }

    /// Puts a chunk behind IHDR.
    fn with_chunk(png: &[u8], name: &[u8; 4], data: &[u8]) -> Vec<u8> {
        let mut with = png[..33].to_vec();
        with.extend(chunk(name, data));
        with.extend_from_slice(&png[33..]);
        with
    }

    const FORMATS: [(ImageFormat, Kind); 3] = [
        (ImageFormat::Png, Kind::Png),
        (ImageFormat::Jpeg, Kind::Jpeg),
        (ImageFormat::WebP, Kind::Webp),
    ];

    #[test]
    fn whole_pictures_are_taken() {
        for (format, kind) in FORMATS {
            for (width, height) in [(1, 1), (7, 3), (640, 400), (33, 517)] {
                let bytes = encoded(&pixels(width, height), format);
                let picture = accept(&bytes).unwrap();
                let found = (picture.kind, picture.width, picture.height);
                assert_eq!(found, (kind, width, height));
            }
        }
        let gray = DynamicImage::from(pixels(50, 50).into_luma8());
        accept(&encoded(&gray, ImageFormat::Jpeg)).unwrap();
        let deep = DynamicImage::from(pixels(50, 50).into_rgba16());
        accept(&encoded(&deep, ImageFormat::Png)).unwrap();
        let clear = DynamicImage::from(RgbaImage::new(50, 50));
        accept(&encoded(&clear, ImageFormat::WebP)).unwrap();
    }

    #[test]
    fn a_picture_cut_off_anywhere_is_refused() {
        for (format, _) in FORMATS {
            let bytes = encoded(&pixels(64, 48), format);
            for end in 0..bytes.len() {
                assert!(accept(&bytes[..end]).is_err(), "{format:?} cut at {end}");
            }
        }
    }

    #[test]
    fn a_picture_with_a_hole_is_refused() {
        // Ends as it should, but lacks a part of its pixels.
        let png = encoded(&pixels(256, 256), ImageFormat::Png);
        let idat = png.windows(4).position(|name| name == b"IDAT").unwrap();
        let mut holed = png[..idat - 4].to_vec();
        holed.extend(chunk(b"IDAT", &png[idat + 4..idat + 200]));
        holed.extend(chunk(b"IEND", b""));
        assert_eq!(accept(&holed), Err(Fault::Damaged));
        // A bit that was turned over is seen by the checksum.
        let mut turned = png.clone();
        turned[idat + 50] ^= 1;
        assert_eq!(accept(&turned), Err(Fault::Damaged));

        let webp = encoded(&pixels(256, 256), ImageFormat::WebP);
        let mut holed = webp[..(webp.len() / 2) & !1].to_vec();
        let length = holed.len() as u32;
        holed[4..8].copy_from_slice(&(length - 8).to_le_bytes());
        holed[16..20].copy_from_slice(&(length - 20).to_le_bytes());
        assert_eq!(accept(&holed), Err(Fault::Damaged));
    }

    #[test]
    fn nothing_may_follow_or_hide() {
        for (format, _) in FORMATS {
            let bytes = encoded(&pixels(64, 48), format);
            for foreign in [
                &b"\0"[..],
                b"PK\x05\x06\0\0\0\0",
                b"<script>alert(1)</script>",
            ] {
                let polyglot = [&bytes, foreign].concat();
                assert_eq!(accept(&polyglot), Err(Fault::Trailing), "{format:?}");
            }
            let twice = bytes.repeat(2);
            assert_eq!(accept(&twice), Err(Fault::Trailing), "{format:?}");
        }
        let png = encoded(&pixels(64, 48), ImageFormat::Png);
        assert!(accept(&with_chunk(&png, b"tEXt", b"Software\0Snag")).is_ok());
        for hidden in [
            &b"Comment\0<?PHP echo 1;"[..],
            b"a\0%PDF-1.7",
            b"a\0PK\x03\x04",
        ] {
            let found = accept(&with_chunk(&png, b"tEXt", hidden));
            assert_eq!(found, Err(Fault::Foreign));
        }
        let jpeg = encoded(&pixels(64, 48), ImageFormat::Jpeg);
        let with_comment = |comment: &[u8]| {
            let length = (comment.len() as u16 + 2).to_be_bytes();
            [&jpeg[..2], b"\xff\xfe", &length, comment, &jpeg[2..]].concat()
        };
        assert!(accept(&with_comment(b"made by hand")).is_ok());
        assert_eq!(accept(&with_comment(b"<html>")), Err(Fault::Foreign));
        let webp = encoded(&pixels(64, 48), ImageFormat::WebP);
        let with_exif = |exif: &[u8; 6]| {
            let mut with = [&webp[..], b"EXIF\x06\0\0\0", exif].concat();
            let length = with.len() as u32 - 8;
            with[4..8].copy_from_slice(&length.to_le_bytes());
            with
        };
        assert_eq!(accept(&with_exif(b"%PDF-1")), Err(Fault::Foreign));
    }

    #[test]
    fn moving_pictures_are_refused() {
        let png = encoded(&pixels(64, 48), ImageFormat::Png);
        let frames = [0, 0, 0, 200, 0, 0, 0, 0];
        assert_eq!(
            accept(&with_chunk(&png, b"acTL", &frames)),
            Err(Fault::Animated)
        );
        let webp = encoded(&pixels(64, 48), ImageFormat::WebP);
        for chunk in [
            &b"VP8X\x0a\0\0\0\x02\0\0\0\x3f\0\0\x2f\0\0"[..],
            b"ANIM\x06\0\0\0\0\0\0\0\0\0",
        ] {
            let mut moving = [&webp[..12], chunk, &webp[12..]].concat();
            let length = moving.len() as u32 - 8;
            moving[4..8].copy_from_slice(&length.to_le_bytes());
            assert_eq!(accept(&moving), Err(Fault::Animated));
        }
    }

    #[test]
    fn bombs_are_refused_by_their_claims() {
        let header = |width: u32, height: u32| {
            let mut data = [width.to_be_bytes(), height.to_be_bytes()].concat();
            data.extend([8, 6, 0, 0, 0]);
            let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
            png.extend(chunk(b"IHDR", &data));
            png.extend(chunk(b"IDAT", b"\x78\x9c\x03\0\0\0\0\x01"));
            png.extend(chunk(b"IEND", b""));
            png
        };
        assert_eq!(accept(&header(50_000, 50_000)), Err(Fault::TooManyPixels));
        assert_eq!(
            accept(&header(u32::MAX, u32::MAX)),
            Err(Fault::TooManyPixels)
        );
        assert_eq!(accept(&header(5_000, 10_001)), Err(Fault::TooManyPixels));
        assert_eq!(accept(&header(0, 10)), Err(Fault::Damaged));
        assert_eq!(accept(&header(5_000, 10_000)), Err(Fault::Damaged));
        let mut jpeg = encoded(&pixels(64, 48), ImageFormat::Jpeg);
        let frame = jpeg.windows(2).position(|marker| marker == b"\xff\xc0");
        let frame = frame.unwrap();
        jpeg[frame + 5..frame + 9].copy_from_slice(b"\xff\xff\xff\xff");
        assert_eq!(accept(&jpeg), Err(Fault::TooManyPixels));
        let mut webp = encoded(&pixels(64, 48), ImageFormat::WebP);
        webp[21..25].copy_from_slice(&[0xff, 0xff, 0xff, 0x0f]);
        assert_eq!(accept(&webp), Err(Fault::TooManyPixels));
    }

    #[test]
    fn other_files_are_no_pictures() {
        for bytes in [
            &b""[..],
            b"GIF89a\x01\0\x01\0\0\0\0;",
            b"BM\x3a\0\0\0",
            b"II*\0\x08\0\0\0",
            b"%PDF-1.7",
            b"<svg xmlns='http://www.w3.org/2000/svg'/>",
            b"<html></html>",
            b"PK\x03\x04",
            b"\0\0\0\x1cftypavif",
        ] {
            assert_eq!(accept(bytes), Err(Fault::Unknown));
        }
    }

    #[test]
    fn a_jpeg_is_judged_by_its_brightness_as_by_all_of_it() {
        let whole = encoded(&pixels(120, 88), ImageFormat::Jpeg);
        let picture = look(&whole).unwrap();
        assert!(picture.even);
        assert_eq!(decode_jpeg(&whole, true), Ok(()));
        let mut state = 2_463_534_242_u32;
        let mut random = move |below: usize| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as usize % below
        };
        let mut refused = 0;
        for _ in 0..3_000 {
            let mut bytes = whole.clone();
            // Where the pixels are, for the most part.
            let from = if random(4) == 0 { 2 } else { 623 };
            match random(3) {
                0 => drop(bytes.drain(from + random(bytes.len() - from - 60)..bytes.len() - 50)),
                1 => bytes[from..].rotate_left(random(9)),
                _ => {
                    for _ in 0..=random(4) {
                        let at = from + random(bytes.len() - from);
                        bytes[at] = random(256) as u8;
                    }
                }
            }
            let Ok(Picture { even: true, .. }) = look(&bytes) else {
                continue;
            };
            let wholly = decode_jpeg(&bytes, false);
            assert_eq!(decode_jpeg(&bytes, true), wholly);
            refused += usize::from(wholly.is_err());
        }
        assert!(refused > 20, "{refused}");
    }

    #[test]
    fn strangers_bytes_never_panic() {
        let mut state = 88_172_645_463_325_252_u64;
        let mut random = move |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % below as u64) as usize
        };
        for (format, _) in FORMATS {
            let whole = encoded(&pixels(40, 30), format);
            for _ in 0..400 {
                let mut bytes = whole.clone();
                for _ in 0..=random(6) {
                    let at = random(bytes.len());
                    bytes[at] = random(256) as u8;
                }
                if let Ok(picture) = look(&bytes) {
                    // Damaged or not: it is told, not crashed on.
                    let told = decode(&bytes, &picture);
                    assert!(told.is_ok() || told == Err(Fault::Damaged));
                }
            }
        }
    }

    #[test]
    fn thumbnails_keep_the_shape() {
        for (width, height, expected) in [
            (1_920, 1_080, (480, 270)),
            (300, 1_200, (120, 480)),
            (100, 50, (100, 50)),
        ] {
            let bytes = thumbnail(&encoded(&pixels(width, height), ImageFormat::Png)).unwrap();
            let picture = accept(&bytes).unwrap();
            assert_eq!((picture.width, picture.height), expected);
            assert_eq!(picture.kind, Kind::Webp);
        }
    }
}
