//! Pixels as files: WebP without loss, which screens compress well with, and JPEG for what doesn't fit.

use image::codecs::jpeg::JpegEncoder;
use image::codecs::webp::WebPEncoder;
use image::{ExtendedColorType, ImageEncoder};
use snag_wire::Size;
use snag_wire::limits::SCREENSHOT_BYTES_MAX;

use super::{Picture, ScreenshotError};

/// Qualities of JPEG that are tried one after the other.
const QUALITIES: [u8; 3] = [88, 70, 45];

/// The last of them, where a server takes only so much; below it nobody reads a screen any more.
const LAST_QUALITY: u8 = 25;

/// Longest side of what JPEG can say.
const JPEG_SIDE_MAX: u32 = 65_535;

/// Longest side of what WebP can say.
const WEBP_SIDE_MAX: u32 = 16_383;

/// A picture as a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The file's bytes.
    pub bytes: Vec<u8>,
    /// `image/webp` or `image/jpeg`.
    pub mime: &'static str,
}

impl Picture {
    /// The picture as a file that the server takes: without loss where that fits.
    ///
    /// # Errors
    /// Nothing makes it small enough.
    pub fn encode(&self) -> Result<Encoded, ScreenshotError> {
        if let Some(encoded) = self.webp()? {
            return Ok(encoded);
        }
        self.jpeg(&QUALITIES, SCREENSHOT_BYTES_MAX)
    }

    /// The picture as a file of at most so many bytes: with loss, and of the same size in pixels, which marks hang on.
    ///
    /// # Errors
    /// Nothing makes it small enough.
    pub fn encode_within(&self, bytes_max: usize) -> Result<Encoded, ScreenshotError> {
        let [best, better, good] = QUALITIES;
        self.jpeg(&[best, better, good, LAST_QUALITY], bytes_max)
    }

    /// The best of these qualities that fits.
    fn jpeg(&self, qualities: &[u8], bytes_max: usize) -> Result<Encoded, ScreenshotError> {
        if self.size.width.max(self.size.height) > JPEG_SIDE_MAX {
            return Err(ScreenshotError::TooLarge);
        }
        for quality in qualities {
            let mut bytes = Vec::new();
            self.write(JpegEncoder::new_with_quality(&mut bytes, *quality))?;
            if bytes.len() <= bytes_max {
                return Ok(Encoded {
                    bytes,
                    mime: "image/jpeg",
                });
            }
        }
        Err(ScreenshotError::TooLarge)
    }

    fn write(&self, encoder: impl ImageEncoder) -> Result<(), ScreenshotError> {
        let Size { width, height } = self.size;
        encoder
            .write_image(&self.rgb, width, height, ExtendedColorType::Rgb8)
            .map_err(wrong)
    }

    fn webp(&self) -> Result<Option<Encoded>, ScreenshotError> {
        if self.size.width.max(self.size.height) > WEBP_SIDE_MAX {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        self.write(WebPEncoder::new_lossless(&mut bytes))?;
        Ok((bytes.len() <= SCREENSHOT_BYTES_MAX).then_some(Encoded {
            bytes,
            mime: "image/webp",
        }))
    }

    /// The pixels of a file that [`encode`](Self::encode) made.
    ///
    /// # Errors
    /// It is none.
    pub fn decode(bytes: &[u8]) -> Result<Self, ScreenshotError> {
        let decoded = image::load_from_memory(bytes).map_err(wrong)?.into_rgb8();
        let size = Size {
            width: decoded.width(),
            height: decoded.height(),
        };
        Self::new(size, decoded.into_raw())
            .ok_or_else(|| ScreenshotError::Encoding("it is empty".to_owned()))
    }
}

fn wrong(error: image::ImageError) -> ScreenshotError {
    ScreenshotError::Encoding(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(size: Size) -> Picture {
        let mut seed = 1_u32;
        let pixels = (0..size.width * size.height * 3)
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                seed.to_be_bytes()[0]
            })
            .collect();
        Picture::new(size, pixels).unwrap()
    }

    #[test]
    fn what_does_not_compress_becomes_a_jpeg_that_fits() {
        let size = Size {
            width: 2_600,
            height: 2_000,
        };
        let encoded = noise(size).encode().unwrap();
        assert_eq!(encoded.mime, "image/jpeg");
        assert!(encoded.bytes.len() <= SCREENSHOT_BYTES_MAX);
        assert_eq!(Picture::decode(&encoded.bytes).unwrap().size(), size);
    }

    #[test]
    fn what_a_server_finds_too_large_is_made_smaller_until_it_cannot_be() {
        let size = Size {
            width: 640,
            height: 480,
        };
        let mut bytes = noise(size).encode().unwrap().bytes;
        let mut times = 0;
        while let Ok(smaller) = Picture::decode(&bytes)
            .unwrap()
            .encode_within(bytes.len() / 2)
        {
            assert!(smaller.bytes.len() <= bytes.len() / 2 && smaller.mime == "image/jpeg");
            assert_eq!(Picture::decode(&smaller.bytes).unwrap().size(), size);
            bytes = smaller.bytes;
            times += 1;
        }
        assert!((1..10).contains(&times), "{times}");
    }

    #[test]
    fn sides_that_webp_cannot_say() {
        let size = Size {
            width: 20_000,
            height: 2,
        };
        let encoded = Picture::new(size, vec![9; 120_000])
            .unwrap()
            .encode()
            .unwrap();
        assert_eq!(encoded.mime, "image/jpeg");
    }

    #[test]
    fn garbage_is_no_picture() {
        assert!(Picture::decode(b"RIFF....WEBP").is_err());
        assert!(Picture::decode(&[]).is_err());
    }
}
