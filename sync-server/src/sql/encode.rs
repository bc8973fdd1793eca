//! Compression of answers, as they stream.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};

use super::native::{BLOCK_BYTES, write_block};

/// What an answer's `Content-Encoding` can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Zstandard.
    Zstd,
    /// LZ4 frames.
    Lz4,
    /// gzip.
    Gzip,
    /// zlib.
    Deflate,
}

impl Encoding {
    /// The best of those that `accept` allows, in ClickHouse's order; what only
    /// ClickHouse has (`br`, `snappy`, `xz`, `bz2`) is passed over.
    pub(super) fn choose(accept: &str) -> Option<Self> {
        let allows = |wanted: &str| {
            accept.split(',').any(|item| {
                let (name, parameters) = item.split_once(';').unwrap_or((item, ""));
                let refused = parameters
                    .trim()
                    .strip_prefix("q=")
                    .and_then(|q| q.trim().parse::<f32>().ok())
                    == Some(0.0);
                name.trim().eq_ignore_ascii_case(wanted) && !refused
            })
        };
        [Self::Zstd, Self::Lz4, Self::Gzip, Self::Deflate]
            .into_iter()
            .find(|e| allows(e.name()))
    }

    /// The name in the header.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Lz4 => "lz4",
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
        }
    }
}

enum Outer {
    Plain(Vec<u8>),
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
    Lz4(Box<lz4_flex::frame::FrameEncoder<Vec<u8>>>),
    Gzip(GzEncoder<Vec<u8>>),
    Deflate(ZlibEncoder<Vec<u8>>),
}

/// Compresses a stream: ClickHouse's blocks inside, an HTTP encoding around
/// them, each where wanted.
pub(super) struct Encoder {
    /// What waits to become a block.
    pending: Option<Vec<u8>>,
    outer: Outer,
}

impl Encoder {
    /// `blocks` for `compress=1`; `level` as `http_zlib_compression_level`.
    pub(super) fn new(blocks: bool, encoding: Option<Encoding>, level: u32) -> io::Result<Self> {
        let out = Vec::new();
        let outer = match encoding {
            None => Outer::Plain(out),
            Some(Encoding::Zstd) => Outer::Zstd(zstd::stream::write::Encoder::new(
                out,
                level.clamp(1, 19) as i32,
            )?),
            Some(Encoding::Lz4) => Outer::Lz4(Box::new(lz4_flex::frame::FrameEncoder::new(out))),
            Some(Encoding::Gzip) => {
                Outer::Gzip(GzEncoder::new(out, Compression::new(level.min(9))))
            }
            Some(Encoding::Deflate) => {
                Outer::Deflate(ZlibEncoder::new(out, Compression::new(level.min(9))))
            }
        };
        Ok(Self {
            pending: blocks.then(Vec::new),
            outer,
        })
    }

    /// Takes `data` and returns what is ready to be sent, often nothing.
    pub(super) fn push(&mut self, data: &Bytes) -> io::Result<Bytes> {
        if let (Outer::Plain(_), None) = (&self.outer, &self.pending) {
            return Ok(data.clone());
        }
        let Some(pending) = &mut self.pending else {
            self.write(data)?;
            return Ok(self.take());
        };
        pending.extend_from_slice(data);
        if pending.len() >= BLOCK_BYTES {
            let pending = std::mem::take(pending);
            let whole = pending.len() / BLOCK_BYTES * BLOCK_BYTES;
            for block in pending[..whole].chunks(BLOCK_BYTES) {
                self.write_block(block)?;
            }
            self.pending = Some(pending[whole..].to_vec());
        }
        Ok(self.take())
    }

    /// Everything pushed so far becomes readable for the receiver.
    pub(super) fn flush(&mut self) -> io::Result<Bytes> {
        if let Some(pending) = self.pending.as_mut().map(std::mem::take)
            && !pending.is_empty()
        {
            self.write_block(&pending)?;
        }
        match &mut self.outer {
            Outer::Plain(_) => {}
            Outer::Zstd(w) => w.flush()?,
            Outer::Lz4(w) => w.flush()?,
            Outer::Gzip(w) => w.flush()?,
            Outer::Deflate(w) => w.flush()?,
        }
        Ok(self.take())
    }

    /// Ends the stream.
    pub(super) fn finish(mut self) -> io::Result<Bytes> {
        let mut out = self.flush()?.to_vec();
        out.extend(match self.outer {
            Outer::Plain(rest) => rest,
            Outer::Zstd(w) => w.finish()?,
            Outer::Lz4(w) => w.finish().map_err(io::Error::other)?,
            Outer::Gzip(w) => w.finish()?,
            Outer::Deflate(w) => w.finish()?,
        });
        Ok(out.into())
    }

    fn write_block(&mut self, data: &[u8]) -> io::Result<()> {
        let mut block = Vec::new();
        write_block(data, &mut block);
        self.write(&block)
    }

    fn write(&mut self, data: &[u8]) -> io::Result<()> {
        match &mut self.outer {
            Outer::Plain(out) => {
                out.extend_from_slice(data);
                Ok(())
            }
            Outer::Zstd(w) => w.write_all(data),
            Outer::Lz4(w) => w.write_all(data),
            Outer::Gzip(w) => w.write_all(data),
            Outer::Deflate(w) => w.write_all(data),
        }
    }

    fn take(&mut self) -> Bytes {
        let out = match &mut self.outer {
            Outer::Plain(out) => out,
            Outer::Zstd(w) => w.get_mut(),
            Outer::Lz4(w) => w.get_mut(),
            Outer::Gzip(w) => w.get_mut(),
            Outer::Deflate(w) => w.get_mut(),
        };
        std::mem::take(out).into()
    }
}

#[cfg(test)]
mod tests {
    use super::super::native::BlockReader;
    use super::*;
    use std::io::Read;

    #[test]
    fn the_best_encoding_is_chosen() {
        for (accept, expected) in [
            ("gzip, deflate, br, zstd", Some(Encoding::Zstd)),
            ("lz4", Some(Encoding::Lz4)),
            ("GZIP;q=0.5", Some(Encoding::Gzip)),
            ("zstd;q=0, gzip", Some(Encoding::Gzip)),
            ("deflate", Some(Encoding::Deflate)),
            ("br", None),
            ("identity", None),
            ("", None),
        ] {
            assert_eq!(Encoding::choose(accept), expected, "{accept}");
        }
    }

    fn decoded(blocks: bool, encoding: Option<Encoding>, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let outer: Box<dyn Read + '_> = match encoding {
            None => Box::new(bytes),
            Some(Encoding::Zstd) => Box::new(zstd::stream::read::Decoder::new(bytes)?),
            Some(Encoding::Lz4) => Box::new(lz4_flex::frame::FrameDecoder::new(bytes)),
            Some(Encoding::Gzip) => Box::new(flate2::read::GzDecoder::new(bytes)),
            Some(Encoding::Deflate) => Box::new(flate2::read::ZlibDecoder::new(bytes)),
        };
        let mut out = Vec::new();
        if blocks {
            BlockReader::new(outer).read_to_end(&mut out)?;
        } else {
            let mut outer = outer;
            outer.read_to_end(&mut out)?;
        }
        Ok(out)
    }

    #[test]
    fn every_combination_comes_back() {
        let data: Bytes = (0..3_000_000u32)
            .flat_map(|i| (i / 7).to_le_bytes())
            .collect::<Vec<u8>>()
            .into();
        let encodings = [
            None,
            Some(Encoding::Zstd),
            Some(Encoding::Lz4),
            Some(Encoding::Gzip),
            Some(Encoding::Deflate),
        ];
        for (blocks, encoding) in encodings.iter().flat_map(|e| [(false, *e), (true, *e)]) {
            for data in [data.clone(), Bytes::new()] {
                let mut encoder = Encoder::new(blocks, encoding, 3).unwrap();
                let mut out = Vec::new();
                for chunk in data.chunks(100_001) {
                    out.extend(encoder.push(&Bytes::copy_from_slice(chunk)).unwrap());
                }
                out.extend(encoder.flush().unwrap());
                out.extend(encoder.finish().unwrap());
                assert_eq!(
                    decoded(blocks, encoding, &out).unwrap(),
                    data,
                    "{blocks} {encoding:?}"
                );
            }
        }
    }
}
