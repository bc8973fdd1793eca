//! Pictures as strangers send them: recognised, bounded and decoded wholly.
//!
//! First the container is walked, which costs nothing: what kind it is, how many pixels
//! it claims, whether it ends where the bytes end. Only then is it decoded.
//!
//! **Invariant:** no memory beyond the bytes themselves is taken before the picture's
//! size is known and allowed, and what is accepted is one still picture and nothing else:
//! no frames, nothing behind its end, no other file in it.

mod chunks;
mod foreign;
mod frame;
mod huffman;
mod inflate;
mod jpeg;
mod png;
mod scans;
mod thumbnail;
mod units;
mod vp8l;
mod webp;

use snag_wire::{Code, limits};

pub use self::thumbnail::thumbnail;
use crate::ApiError;

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
    /// It holds a file of another kind.
    #[error("The picture holds another file. Save it anew as a plain PNG, without metadata.")]
    Foreign,
    /// A part of it that pictures don't have.
    #[error("The picture has a part that says nothing about pixels. Save it anew as a plain PNG.")]
    Private,
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
        png::look(bytes)?
    } else if bytes.starts_with(b"\xff\xd8\xff") {
        jpeg::look(bytes)?
    } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        webp::look(bytes)?
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
/// [`Fault::Damaged`] where its pixels can't be had, [`Fault::Foreign`] where another file
/// is found in it.
pub fn decode(bytes: &[u8], picture: &Picture) -> Result<(), Fault> {
    foreign::scan_picture(bytes)?;
    match picture.kind {
        Kind::Png => png::decode(bytes),
        Kind::Jpeg => jpeg::decode(bytes),
        Kind::Webp => webp::decode(bytes, picture),
    }
}

/// Memory for decoding, where the number of pixels is allowed.
fn decode_bytes(width: u32, height: u32, bytes_per_pixel: u64) -> Result<u64, Fault> {
    let pixels = u64::from(width) * u64::from(height);
    if pixels > limits::SCREENSHOT_PIXELS_MAX {
        return Err(Fault::TooManyPixels);
    }
    Ok(pixels * bytes_per_pixel)
}

#[cfg(test)]
mod tests;
