//! Thumbnails: small WebP pictures of large ones.

use std::io::Cursor;

use image::{ImageFormat, ImageReader};

use super::{Fault, Kind, look};

/// Longest side of a thumbnail, in pixels.
const THUMBNAIL_PIXELS: u32 = 480;

/// Memory that decoding for a thumbnail may take: 50 megapixels of four bytes, twice.
const DECODE_BYTES_MAX: u64 = 420 << 20;

fn format(kind: Kind) -> ImageFormat {
    match kind {
        Kind::Png => ImageFormat::Png,
        Kind::Jpeg => ImageFormat::Jpeg,
        Kind::Webp => ImageFormat::WebP,
    }
}

/// A picture of at most 480 pixels a side, as WebP.
///
/// # Errors
/// [`Fault::Damaged`] where its pixels can't be had.
pub fn thumbnail(bytes: &[u8]) -> Result<Vec<u8>, Fault> {
    let picture = look(bytes)?;
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format(picture.kind));
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
