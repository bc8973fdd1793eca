//! ClickHouse's own compressed blocks, as `compress=1` and `decompress=1` have
//! them: a CityHash128 (of version 1.0.2) of what follows, a byte for the method,
//! both sizes, the bytes.
//!
//! Invariant: no block is decompressed whose checksum is wrong, and none makes
//! more be allocated than [`BLOCK_BYTES_MAX`].

use std::io::{self, Read};

use cityhash_rs::cityhash_102_128;

use super::exception::{Exception, code};

const CHECKSUM: usize = 16;
/// Method, compressed size with this header, size of the data.
const HEADER: usize = 9;
const NONE: u8 = 0x02;
const LZ4: u8 = 0x82;
const ZSTD: u8 = 0x90;

/// The largest block taken; ClickHouse writes 1 MiB, its clients no more.
pub(super) const BLOCK_BYTES_MAX: usize = 128 << 20;
/// The size of the blocks written here.
pub(super) const BLOCK_BYTES: usize = 1 << 20;

/// Appends `data` as one block in LZ4.
pub(super) fn write_block(data: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(
        start + CHECKSUM + HEADER + lz4_flex::block::get_maximum_output_size(data.len()),
        0,
    );
    let body = start + CHECKSUM + HEADER;
    // The room is the maximum there can be, so that this can't fail.
    let written = lz4_flex::block::compress_into(data, &mut out[body..]).unwrap_or(0);
    out.truncate(body + written);
    let header = &mut out[start + CHECKSUM..];
    header[0] = LZ4;
    header[1..5].copy_from_slice(&((HEADER + written) as u32).to_le_bytes());
    header[5..9].copy_from_slice(&(data.len() as u32).to_le_bytes());
    let sum = checksum(&out[start + CHECKSUM..]);
    out[start..start + CHECKSUM].copy_from_slice(&sum);
}

/// The high half of the hash stands first, each half with its low byte first.
fn checksum(bytes: &[u8]) -> [u8; CHECKSUM] {
    let hash = cityhash_102_128(bytes);
    let mut sum = [0; CHECKSUM];
    sum[..8].copy_from_slice(&((hash >> 64) as u64).to_le_bytes());
    sum[8..].copy_from_slice(&(hash as u64).to_le_bytes());
    sum
}

/// Reads the data out of a stream of blocks.
pub(super) struct BlockReader<R> {
    inner: R,
    block: Vec<u8>,
    at: usize,
}

impl<R: Read> BlockReader<R> {
    /// A reader of the blocks in `inner`.
    pub(super) fn new(inner: R) -> Self {
        Self {
            inner,
            block: Vec::new(),
            at: 0,
        }
    }

    /// Reads the next block; `false` at a clean end.
    fn next_block(&mut self) -> io::Result<bool> {
        let mut head = [0; CHECKSUM + HEADER];
        let mut filled = 0;
        while filled < head.len() {
            match self.inner.read(&mut head[filled..]) {
                Ok(0) if filled == 0 => return Ok(false),
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => filled += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        let size = |at: usize| {
            u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]) as usize
        };
        let (method, packed, unpacked) = (head[CHECKSUM], size(CHECKSUM + 1), size(CHECKSUM + 5));
        if !(HEADER..=BLOCK_BYTES_MAX).contains(&packed) || unpacked > BLOCK_BYTES_MAX {
            return Err(broken(
                code::TOO_LARGE_SIZE_COMPRESSED,
                "A compressed block is too large, or the data is not in ClickHouse's compression",
            ));
        }
        let mut bytes = head[CHECKSUM..].to_vec();
        // Grows with what really comes, not with what the header promises.
        let read = (&mut self.inner)
            .take((packed - HEADER) as u64)
            .read_to_end(&mut bytes)?;
        if read < packed - HEADER {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if checksum(&bytes) != head[..CHECKSUM] {
            return Err(broken(
                code::CHECKSUM_DOESNT_MATCH,
                "Checksum doesn't match: corrupted data",
            ));
        }
        let body = &bytes[HEADER..];
        let wrong = || broken(code::CANNOT_DECOMPRESS, "Cannot decompress a block");
        self.block = match method {
            NONE => body.to_vec(),
            LZ4 => lz4_flex::block::decompress(body, unpacked).map_err(|_| wrong())?,
            ZSTD => zstd::bulk::decompress(body, unpacked).map_err(|_| wrong())?,
            _ => {
                let message = format!(
                    "Unknown compression method {method:#04x} of a block; LZ4, ZSTD and NONE are known"
                );
                return Err(broken(code::UNKNOWN_COMPRESSION_METHOD, &message));
            }
        };
        if self.block.len() != unpacked {
            return Err(wrong());
        }
        self.at = 0;
        Ok(true)
    }
}

impl<R: Read> Read for BlockReader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.at == self.block.len() {
            if !self.next_block()? {
                return Ok(0);
            }
        }
        let n = out.len().min(self.block.len() - self.at);
        out[..n].copy_from_slice(&self.block[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}

/// An [`io::Error`] that carries an [`Exception`] through a chain of readers.
pub(super) fn broken(code: u32, message: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        Carried(Exception::new(code, message)),
    )
}

/// An [`Exception`] inside an [`io::Error`].
#[derive(Debug)]
pub(super) struct Carried(pub Exception);

impl std::fmt::Display for Carried {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exception {}", self.0.code)
    }
}

impl std::error::Error for Carried {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn blocks(data: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        for chunk in data.chunks(BLOCK_BYTES) {
            write_block(chunk, &mut out);
        }
        out
    }

    fn read(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        BlockReader::new(bytes).read_to_end(&mut out)?;
        Ok(out)
    }

    fn code_of(error: &io::Error) -> Option<u32> {
        error.get_ref()?.downcast_ref::<Carried>().map(|c| c.0.code)
    }

    /// What clickhouse-compressor writes for `abc` (method NONE).
    #[test]
    fn a_block_from_elsewhere_is_read() {
        let mut body = vec![NONE, 12, 0, 0, 0, 3, 0, 0, 0];
        body.extend(b"abc");
        let mut block = checksum(&body).to_vec();
        block.extend(&body);
        assert_eq!(read(&block).unwrap(), b"abc");
        let packed = zstd::bulk::compress(b"hello hello hello", 1).unwrap();
        let mut body = vec![ZSTD];
        body.extend(((packed.len() + HEADER) as u32).to_le_bytes());
        body.extend(17u32.to_le_bytes());
        body.extend(&packed);
        let mut block = checksum(&body).to_vec();
        block.extend(&body);
        assert_eq!(read(&block).unwrap(), b"hello hello hello");
    }

    #[test]
    fn broken_blocks_are_told_apart() {
        let good = blocks(b"some data, some data, some data");
        for at in [0, CHECKSUM, CHECKSUM + HEADER, good.len() - 1] {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert_eq!(
                code_of(&read(&bad).unwrap_err()),
                Some(code::CHECKSUM_DOESNT_MATCH),
                "{at}"
            );
        }
        for len in 1..good.len() {
            assert_eq!(
                read(&good[..len]).unwrap_err().kind(),
                io::ErrorKind::UnexpectedEof,
                "{len}"
            );
        }
        let mut bad = good.clone();
        bad[CHECKSUM + 8] = 0xff;
        assert_eq!(
            code_of(&read(&bad).unwrap_err()),
            Some(code::TOO_LARGE_SIZE_COMPRESSED)
        );
        let mut body = vec![0x77, 9, 0, 0, 0, 0, 0, 0, 0];
        let mut odd = checksum(&body).to_vec();
        odd.append(&mut body);
        assert_eq!(
            code_of(&read(&odd).unwrap_err()),
            Some(code::UNKNOWN_COMPRESSION_METHOD)
        );
        assert_eq!(read(b"").unwrap(), b"");
    }

    proptest! {
        #[test]
        fn data_comes_back(data in proptest::collection::vec(any::<u8>(), 0..5000), repeat in 1usize..600) {
            let data = data.repeat(repeat);
            prop_assert_eq!(read(&blocks(&data)).unwrap(), data);
        }

        #[test]
        fn nothing_makes_it_panic(data in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&data);
        }
    }
}
