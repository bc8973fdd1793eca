//! What a PNG holds beside its pixels.
//!
//! **Invariant:** only chunks of [`TAKEN`] are taken, each with its checksum, no longer than
//! it may be, and of what is deflated in them the last byte is the chunk's.

use super::Fault;
use super::foreign::{scan, scan_text};
use super::inflate::inflate;

/// Bytes that the deflated metadata of one picture may have in all. Profiles have some
/// kilobytes, and what editors write about their work some hundred.
const INFLATED_BYTES_MAX: usize = 32 << 20;
/// Bytes of a keyword.
const KEYWORD_BYTES_MAX: usize = 79;

/// Chunks beside the pixels that are taken, and the bytes that they have at most.
///
/// Others are refused, though the format lets readers skip them: what nothing shows is the
/// place where another file lies best, and no list of signatures knows every file. So
/// these are the chunks of the standard and of its registered extensions, and what widely
/// used programs write into every picture: macOS `iDOT`, ImageMagick `vpAg`, `caNv` and
/// `orNT`, and `caBX`, which says where a picture comes from (C2PA).
const TAKEN: [(&[u8; 4], usize); 33] = [
    (b"PLTE", 768),
    (b"tRNS", 256),
    (b"bKGD", 6),
    (b"cHRM", 32),
    (b"gAMA", 4),
    (b"sRGB", 1),
    (b"sBIT", 4),
    (b"pHYs", 9),
    (b"sCAL", 256),
    (b"tIME", 7),
    (b"hIST", 512),
    (b"cICP", 4),
    (b"mDCV", 24),
    (b"mDCv", 24),
    (b"cLLI", 8),
    (b"cLLi", 8),
    (b"oFFs", 9),
    (b"sTER", 1),
    (b"gIFg", 4),
    (b"gIFx", 1 << 10),
    (b"vpAg", 9),
    (b"caNv", 16),
    (b"orNT", 1),
    (b"iDOT", 256),
    (b"iCCP", usize::MAX),
    (b"tEXt", usize::MAX),
    (b"zTXt", usize::MAX),
    (b"iTXt", usize::MAX),
    (b"eXIf", usize::MAX),
    (b"sPLT", usize::MAX),
    (b"pCAL", 1 << 10),
    (b"caBX", usize::MAX),
    (b"IEND", 0),
];

/// A chunk.
pub(super) struct Chunk<'a> {
    pub(super) name: [u8; 4],
    pub(super) data: &'a [u8],
    crc: u32,
    /// Where the next one begins.
    pub(super) next: usize,
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The chunk at `at`; `None` where there is none.
pub(super) fn chunk(bytes: &[u8], at: usize) -> Option<Chunk<'_>> {
    let length = be32(bytes, at)? as usize;
    Some(Chunk {
        name: *bytes.get(at + 4..)?.first_chunk()?,
        data: bytes.get(at + 8..at + 8 + length)?,
        crc: be32(bytes, at + 8 + length)?,
        next: at + 12 + length,
    })
}

impl<'a> Chunk<'a> {
    /// Whether a chunk that holds no pixels is one of those that are taken.
    pub(super) fn known(&self) -> Result<(), Fault> {
        let taken = TAKEN.iter().find(|(name, _)| **name == self.name);
        let (_, bytes_max) = taken.ok_or(Fault::Private)?;
        if self.data.len() > *bytes_max {
            return Err(Fault::Damaged);
        }
        Ok(())
    }

    /// Whether the checksum is that of the chunk.
    pub(super) fn is_whole(&self) -> bool {
        let mut crc = flate2::Crc::new();
        crc.update(&self.name);
        crc.update(self.data);
        crc.sum() == self.crc
    }

    /// The data up to a zero that ends a text of at most so many bytes, and what follows.
    fn text(data: &'a [u8], bytes_max: usize) -> Result<(&'a [u8], &'a [u8]), Fault> {
        let end = data.iter().position(|byte| *byte == 0);
        let end = end.filter(|end| *end <= bytes_max).ok_or(Fault::Damaged)?;
        Ok((&data[..end], &data[end + 1..]))
    }
}

/// What is looked at in metadata.
pub(super) struct Metadata {
    inflated_bytes: usize,
}

impl Metadata {
    pub(super) fn new() -> Self {
        Self { inflated_bytes: 0 }
    }

    /// Looks into a chunk that holds no pixels.
    pub(super) fn look(&mut self, chunk: &Chunk<'_>) -> Result<(), Fault> {
        let keyword = || {
            let (keyword, rest) = Chunk::text(chunk.data, KEYWORD_BYTES_MAX)?;
            scan_text(keyword)?;
            Ok::<_, Fault>(rest)
        };
        match &chunk.name {
            b"tEXt" => scan_text(keyword()?),
            b"zTXt" | b"iCCP" => match keyword()?.split_first() {
                Some((0, deflated)) => self.deflated(deflated),
                _ => Err(Fault::Damaged),
            },
            b"iTXt" => {
                let rest = keyword()?;
                let (kind, rest) = rest.split_first_chunk::<2>().ok_or(Fault::Damaged)?;
                let (language, rest) = Chunk::text(rest, usize::MAX)?;
                let (translated, text) = Chunk::text(rest, usize::MAX)?;
                scan_text(language)?;
                scan_text(translated)?;
                match kind {
                    [0, _] => scan_text(text),
                    [1, 0] => self.deflated(text),
                    _ => Err(Fault::Damaged),
                }
            }
            b"eXIf" => {
                // Some programs keep the mark that a JPEG has in front.
                let exif = chunk.data;
                let exif = exif.strip_prefix(b"Exif\0\0").unwrap_or(exif);
                if !exif.starts_with(b"II*\0") && !exif.starts_with(b"MM\0*") {
                    return Err(Fault::Foreign);
                }
                scan(exif)
            }
            b"sPLT" => {
                let rest = keyword()?;
                let entry = match rest.first() {
                    Some(8) => 6,
                    Some(16) => 10,
                    _ => return Err(Fault::Damaged),
                };
                if (rest.len() - 1) % entry != 0 {
                    return Err(Fault::Damaged);
                }
                scan(rest)
            }
            _ => scan(chunk.data),
        }
    }

    /// Reads a deflated stream, behind which nothing may lie.
    fn deflated(&mut self, stream: &[u8]) -> Result<(), Fault> {
        scan(stream)?;
        let count = |bytes: &[u8]| {
            self.inflated_bytes += bytes.len();
            (self.inflated_bytes <= INFLATED_BYTES_MAX).then_some(())
        };
        inflate(&[stream], count).ok_or(Fault::Damaged)
    }
}
