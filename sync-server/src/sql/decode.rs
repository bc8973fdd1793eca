//! Decompression of request bodies, as they stream.
//!
//! Invariant: a body that breaks off, is corrupt, or whose sender went away ends
//! in an error, never in a clean end, so that an insert of half the data is not
//! taken for a whole one.

use std::io::{self, Read};
use std::time::Duration;

use axum::body::Body;
use bytes::{Buf, Bytes};
use futures_util::StreamExt;
use snag_warehouse::{ByteStream, WarehouseError};
use tokio::sync::{mpsc, oneshot};

use super::exception::{Exception, code};
use super::native::{BlockReader, Carried};

/// What a request's `Content-Encoding` can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Gzip,
    Deflate,
    Zstd,
    Lz4,
}

impl Coding {
    /// Reads the header's value.
    pub(super) fn of_header(value: &str) -> Result<Option<Self>, Exception> {
        match value.trim().to_ascii_lowercase().as_str() {
            "" | "identity" | "none" => Ok(None),
            "gzip" | "gz" | "x-gzip" => Ok(Some(Self::Gzip)),
            "deflate" => Ok(Some(Self::Deflate)),
            "zstd" | "zst" => Ok(Some(Self::Zstd)),
            "lz4" => Ok(Some(Self::Lz4)),
            other => Err(Exception::new(
                code::NOT_IMPLEMENTED,
                format!(
                    "Unknown compression method '{other}'. Only 'none', 'gzip', 'deflate', 'zstd' and 'lz4' are supported"
                ),
            )),
        }
    }
}

/// Chunks on their way between the request and the thread that decompresses.
const CHUNKS_IN_FLIGHT: usize = 4;
/// The size of decompressed chunks.
const CHUNK_BYTES: usize = 256 << 10;
/// 128 MiB, ClickHouse's own bound for the window of a zstd stream.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// What is left of a body may be read for this long, and this much of it, when an answer
/// comes early: most clients read it only when they have sent everything.
const DRAIN_TIME: Duration = Duration::from_secs(10);
const DRAIN_BYTES_MAX: usize = 1 << 30;

/// A request's body.
pub(super) struct Intake {
    /// Its bytes, decompressed.
    pub stream: ByteStream,
    /// Ready when all of it has come, be it wanted or not.
    pub drained: Drained,
}

/// Tells that a body has been read to its end, or for long enough.
pub(super) struct Drained(oneshot::Receiver<()>);

impl Drained {
    /// Waits for the end. The stream must have been dropped, or be read by another.
    pub(super) async fn wait(self) {
        drop(tokio::time::timeout(DRAIN_TIME, self.0).await);
    }
}

/// Begins to read a request's body.
pub(super) fn intake(body: Body, coding: Option<Coding>, blocks: bool) -> Intake {
    let mut raw = body.into_data_stream();
    let (to_reader, from_request) = mpsc::channel(CHUNKS_IN_FLIGHT);
    let (ended, end) = oneshot::channel();
    tokio::spawn(async move {
        let mut unwanted_bytes = 0;
        while let Some(chunk) = raw.next().await {
            let failed = chunk.is_err();
            let bytes = chunk.as_ref().map_or(0, Bytes::len);
            let chunk = chunk.map_err(|_| broken_off());
            if to_reader.is_closed() || to_reader.send(chunk).await.is_err() {
                unwanted_bytes += bytes;
                if ended.is_closed() || unwanted_bytes > DRAIN_BYTES_MAX {
                    return;
                }
            }
            if failed {
                return;
            }
        }
        // Whichever way this ends, dropping `ended` tells.
    });
    let stream = if coding.is_none() && !blocks {
        let chunks = tokio_stream::wrappers::ReceiverStream::new(from_request);
        Box::pin(chunks.map(|chunk| chunk.map_err(WarehouseError::from))) as ByteStream
    } else {
        decompressed(from_request, coding, blocks)
    };
    Intake {
        stream,
        drained: Drained(end),
    }
}

/// Decompression is work for a thread of its own.
fn decompressed(
    from_request: mpsc::Receiver<Result<Bytes, Exception>>,
    coding: Option<Coding>,
    blocks: bool,
) -> ByteStream {
    let (to_taker, decompressed) = mpsc::channel(CHUNKS_IN_FLIGHT);
    tokio::task::spawn_blocking(move || {
        let source = Channel {
            from_request,
            chunk: Bytes::new(),
        };
        let mut reader = match readers(source, coding, blocks) {
            Ok(reader) => reader,
            Err(error) => return drop(to_taker.blocking_send(Err(exception(&error).into()))),
        };
        loop {
            let mut chunk = Vec::with_capacity(CHUNK_BYTES);
            match (&mut reader)
                .take(CHUNK_BYTES as u64)
                .read_to_end(&mut chunk)
            {
                Ok(0) => return,
                Ok(_) => {
                    if to_taker.blocking_send(Ok(chunk.into())).is_err() {
                        return;
                    }
                }
                Err(error) => return drop(to_taker.blocking_send(Err(exception(&error).into()))),
            }
        }
    });
    Box::pin(tokio_stream::wrappers::ReceiverStream::new(decompressed))
}

fn readers(source: Channel, coding: Option<Coding>, blocks: bool) -> io::Result<Box<dyn Read>> {
    let outer: Box<dyn Read> = match coding {
        None => Box::new(source),
        Some(Coding::Gzip) => Box::new(flate2::read::MultiGzDecoder::new(source)),
        Some(Coding::Deflate) => Box::new(flate2::read::ZlibDecoder::new(source)),
        Some(Coding::Zstd) => {
            let mut decoder = zstd::stream::read::Decoder::new(source)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
            Box::new(decoder)
        }
        Some(Coding::Lz4) => Box::new(Lz4Frames {
            decoder: lz4_flex::frame::FrameDecoder::new(source),
        }),
    };
    Ok(if blocks {
        Box::new(BlockReader::new(outer))
    } else {
        outer
    })
}

/// LZ4 frames one behind the other.
struct Lz4Frames {
    decoder: lz4_flex::frame::FrameDecoder<Channel>,
}

impl Read for Lz4Frames {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            let n = self.decoder.read(out)?;
            // A frame's end reads as an end of file; so does the real one.
            if n > 0 || out.is_empty() || !self.decoder.get_mut().has_more()? {
                return Ok(n);
            }
        }
    }
}

/// A [`Read`] over the chunks of a request.
struct Channel {
    from_request: mpsc::Receiver<Result<Bytes, Exception>>,
    chunk: Bytes,
}

impl Channel {
    fn has_more(&mut self) -> io::Result<bool> {
        while self.chunk.is_empty() {
            match self.from_request.blocking_recv() {
                Some(Ok(chunk)) => self.chunk = chunk,
                Some(Err(exception)) => return Err(io::Error::other(Carried(exception))),
                None => return Ok(false),
            }
        }
        Ok(true)
    }
}

impl Read for Channel {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() || !self.has_more()? {
            return Ok(0);
        }
        let n = out.len().min(self.chunk.len());
        self.chunk.copy_to_slice(&mut out[..n]);
        Ok(n)
    }
}

/// The sender of a body went away.
fn broken_off() -> Exception {
    Exception::new(code::NETWORK_ERROR, "The request's body broke off")
}

/// The exception that an error of a reader stands for.
fn exception(error: &io::Error) -> Exception {
    if let Some(Carried(exception)) = error.get_ref().and_then(|e| e.downcast_ref()) {
        return exception.clone();
    }
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return Exception::new(
            code::UNEXPECTED_END_OF_FILE,
            "The compressed data ends early",
        );
    }
    // Errors of the LZ4 reader carry ours, or an early end, inside.
    let mut cause = std::error::Error::source(error).or(error.get_ref().map(|e| e as _));
    while let Some(inner) = cause {
        if let Some(inner) = inner.downcast_ref::<io::Error>() {
            return exception(inner);
        }
        cause = inner.source();
    }
    Exception::new(
        code::CANNOT_DECOMPRESS,
        "Cannot decompress the request's body",
    )
}

#[cfg(test)]
mod tests {
    use super::super::native::write_block;
    use super::*;
    use std::io::Write;

    async fn decode(
        bytes: Vec<u8>,
        step: usize,
        coding: Option<Coding>,
        blocks: bool,
    ) -> Result<Vec<u8>, WarehouseError> {
        let chunks: Vec<_> = bytes
            .chunks(step)
            .map(|c| Ok::<_, io::Error>(Bytes::copy_from_slice(c)))
            .collect();
        let mut stream = intake(
            Body::from_stream(futures_util::stream::iter(chunks)),
            coding,
            blocks,
        )
        .stream;
        let mut out = Vec::new();
        while let Some(chunk) = stream.next().await {
            out.extend(chunk?);
        }
        Ok(out)
    }

    fn encoded(data: &[u8], coding: Option<Coding>, blocks: bool) -> Vec<u8> {
        let mut inner = Vec::new();
        if blocks {
            data.chunks(70_000).for_each(|c| write_block(c, &mut inner));
        } else {
            inner = data.to_vec();
        }
        match coding {
            None => inner,
            Some(Coding::Gzip) => {
                let mut w = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                w.write_all(&inner).unwrap();
                w.finish().unwrap()
            }
            Some(Coding::Deflate) => {
                let mut w =
                    flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
                w.write_all(&inner).unwrap();
                w.finish().unwrap()
            }
            Some(Coding::Zstd) => zstd::encode_all(&inner[..], 1).unwrap(),
            Some(Coding::Lz4) => {
                let mut w = lz4_flex::frame::FrameEncoder::new(Vec::new());
                w.write_all(&inner).unwrap();
                w.finish().unwrap()
            }
        }
    }

    const CODINGS: [Option<Coding>; 5] = [
        None,
        Some(Coding::Gzip),
        Some(Coding::Deflate),
        Some(Coding::Zstd),
        Some(Coding::Lz4),
    ];

    #[tokio::test]
    async fn every_combination_comes_back() {
        let data: Vec<u8> = (0..200_000u32)
            .flat_map(|i| (i / 3).to_le_bytes())
            .collect();
        for coding in CODINGS {
            for (blocks, step) in [(false, 1000), (true, 777)] {
                let bytes = encoded(&data, coding, blocks);
                assert!(
                    decode(bytes, step, coding, blocks).await.unwrap() == data,
                    "{coding:?} {blocks}"
                );
            }
        }
    }

    #[tokio::test]
    async fn frames_follow_each_other() {
        for coding in [Some(Coding::Gzip), Some(Coding::Zstd), Some(Coding::Lz4)] {
            let twice = [
                encoded(b"one ", coding, false),
                encoded(b"two", coding, false),
            ]
            .concat();
            assert_eq!(
                decode(twice, 3, coding, false).await.unwrap(),
                b"one two",
                "{coding:?}"
            );
        }
    }

    #[tokio::test]
    async fn what_is_cut_or_corrupt_is_an_error() {
        let data: Vec<u8> = (0..50_000u32)
            .flat_map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes())
            .collect();
        for coding in CODINGS {
            for blocks in [false, true] {
                if coding.is_none() && !blocks {
                    continue;
                }
                let bytes = encoded(&data, coding, blocks);
                let cut = decode(bytes[..bytes.len() / 2].to_vec(), 1000, coding, blocks).await;
                assert!(cut.is_err(), "cut {coding:?} {blocks}");
                let garbage = decode(
                    b"this is no compressed data at all".to_vec(),
                    1000,
                    coding,
                    blocks,
                )
                .await;
                assert!(garbage.is_err(), "garbage {coding:?} {blocks}");
            }
        }
    }

    #[tokio::test]
    async fn a_sender_that_goes_away_is_an_error() {
        for coding in CODINGS {
            let bytes = encoded(&[7; 100_000], coding, false);
            let half = Bytes::copy_from_slice(&bytes[..bytes.len() / 2]);
            let chunks = [Ok(half), Err(io::Error::other("gone"))];
            let mut stream = intake(
                Body::from_stream(futures_util::stream::iter(chunks)),
                coding,
                false,
            )
            .stream;
            let mut last = None;
            while let Some(chunk) = stream.next().await {
                last = Some(chunk.map_err(|e| e.code));
            }
            assert_eq!(last, Some(Err(Some(code::NETWORK_ERROR))), "{coding:?}");
        }
    }

    #[test]
    fn names_are_read() {
        assert_eq!(Coding::of_header(" GZIP ").unwrap(), Some(Coding::Gzip));
        assert_eq!(Coding::of_header("identity").unwrap(), None);
        assert_eq!(
            Coding::of_header("br").unwrap_err().code,
            code::NOT_IMPLEMENTED
        );
    }
}
