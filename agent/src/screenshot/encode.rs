//! Pixels as files: WebP without loss, which screens compress well with, and JPEG for what doesn't fit.

use image::codecs::jpeg::JpegEncoder;
use image::codecs::webp::WebPEncoder;
use image::{ExtendedColorType, ImageEncoder};
use snag_wire::Size;
use snag_wire::limits::SCREENSHOT_BYTES_MAX;

use super::{Picture, ScreenshotError};

/// Qualities of JPEG that are tried one after the other.
const QUALITIES: [u8; 3] = [88, 70, 45];

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
        if self.size.width.max(self.size.height) > JPEG_SIDE_MAX {
            return Err(ScreenshotError::TooLarge);
        }
        for quality in QUALITIES {
            let mut bytes = Vec::new();
            self.write(JpegEncoder::new_with_quality(&mut bytes, quality))?;
            if bytes.len() <= SCREENSHOT_BYTES_MAX {
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

    #[test]
    fn what_does_not_compress_becomes_a_jpeg_that_fits() {
        let size = Size {
            width: 2_600,
            height: 2_000,
        };
        let mut seed = 1_u32;
        let noise = (0..size.width * size.height * 3)
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                seed.to_be_bytes()[0]
            })
            .collect();
        let encoded = Picture::new(size, noise).unwrap().encode().unwrap();
        assert_eq!(encoded.mime, "image/jpeg");
        assert!(encoded.bytes.len() <= SCREENSHOT_BYTES_MAX);
        assert_eq!(Picture::decode(&encoded.bytes).unwrap().size(), size);
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
