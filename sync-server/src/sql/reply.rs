//! Answers: compressed as they stream, and what becomes of an exception in the middle.
//!
//! ClickHouse ends a broken answer with a block that carries the exception, between two
//! marks with a random tag that a header announced, and then breaks the connection, so
//! that no client takes the answer for whole.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderValue, Response, header};
use rand::Rng as _;
use snag_warehouse::ByteStream;
use tokio::io::{AsyncSeekExt as _, AsyncWriteExt as _};

use super::encode::{Encoder, Encoding};
use super::exception::Exception;

/// The most that is compressed without letting other requests of the thread go on.
const SLICE_BYTES: usize = 128 << 10;
/// What of a message the block in the middle of an answer carries; ClickHouse has 16 KiB
/// for the whole block.
const MESSAGE_BYTES_MAX: usize = 16_000;
/// An answer that waits for its end is held in memory up to this size, then in a file.
const HELD_BYTES_MAX: usize = 4 << 20;
/// For the client to read the exception before it sees the connection break: some take no
/// notice of what they have not read by then.
const BREAK_AFTER: Duration = Duration::from_secs(1);

/// How a request wants its answer.
#[derive(Debug, Clone)]
pub(super) struct Output {
    /// `Content-Encoding`.
    pub encoding: Option<Encoding>,
    /// ClickHouse's own blocks (`compress=1`).
    pub blocks: bool,
    /// The level of compression.
    pub level: u32,
    /// The tag around an exception in the middle.
    pub tag: String,
    /// The engine's version, for exceptions.
    pub version: String,
}

impl Output {
    /// Sixteen lower-case letters.
    pub(super) fn new_tag() -> String {
        let mut rng = rand::rng();
        (0..16)
            .map(|_| char::from(rng.random_range(b'a'..=b'z')))
            .collect()
    }

    fn encoder(&self) -> io::Result<Encoder> {
        Encoder::new(self.blocks, self.encoding, self.level)
    }

    /// An answer with `body`, compressed as wanted.
    pub(super) fn stream(self, data: ByteStream) -> io::Result<Response<Body>> {
        let encoding = self.encoding;
        let body = Body::from_stream(body(data, self.encoder()?, self));
        let mut response = Response::new(body);
        set_encoding(&mut response, encoding);
        Ok(response)
    }

    /// The answer of a request that failed before anything was sent, in the encoding that
    /// its client expects.
    pub(super) fn exception(&self, exception: &Exception) -> Response<Body> {
        let mut response = exception.response(&self.version);
        let text = Bytes::from(exception.text(&self.version) + "\n");
        let encoded = self.encoder().and_then(|mut encoder| {
            let mut out = encoder.push(&text)?.to_vec();
            out.extend(encoder.finish()?);
            Ok(out)
        });
        // Text as it is can be read by all but those who asked for blocks.
        if let Ok(encoded) = encoded {
            *response.body_mut() = Body::from(encoded);
            set_encoding(&mut response, self.encoding);
        }
        response
    }

    fn tagged(&self, exception: &Exception) -> Bytes {
        let mut message = exception.text(&self.version);
        let mut end = message.len().min(MESSAGE_BYTES_MAX);
        while !message.is_char_boundary(end) {
            end -= 1;
        }
        message.truncate(end);
        message.push('\n');
        let (tag, length) = (&self.tag, message.len());
        format!("\r\n__exception__\r\n{tag}\r\n{message}{length} {tag}\r\n__exception__\r\n").into()
    }
}

fn set_encoding(response: &mut Response<Body>, encoding: Option<Encoding>) {
    if let Some(encoding) = encoding {
        response.headers_mut().insert(
            header::CONTENT_ENCODING,
            HeaderValue::from_static(encoding.name()),
        );
    }
}

enum Phase {
    Data(ByteStream),
    /// Data is out, the exception is not.
    Exception(Bytes),
    Break,
    End,
}

struct Streaming {
    phase: Phase,
    slices: VecDeque<Bytes>,
    encoder: Option<Encoder>,
    output: Output,
}

fn body(
    data: ByteStream,
    encoder: Encoder,
    output: Output,
) -> impl futures_util::Stream<Item = io::Result<Bytes>> {
    let state = Streaming {
        phase: Phase::Data(data),
        slices: VecDeque::new(),
        encoder: Some(encoder),
        output,
    };
    stream::unfold(state, |mut state| async move {
        match state.next().await {
            Ok(Some(bytes)) => Some((Ok(bytes), state)),
            Ok(None) => None,
            Err(error) => {
                state.phase = Phase::End;
                Some((Err(error), state))
            }
        }
    })
}

impl Streaming {
    /// The next bytes, which are never empty.
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            let Some(encoder) = &mut self.encoder else {
                return Ok(None);
            };
            if let Some(slice) = self.slices.pop_front() {
                let out = encoder.push(&slice)?;
                if !out.is_empty() {
                    return Ok(Some(out));
                }
                tokio::task::yield_now().await;
                continue;
            }
            match &mut self.phase {
                Phase::Data(data) => match data.next().await {
                    Some(Ok(chunk)) => self.slices = slices(chunk),
                    Some(Err(error)) => {
                        let exception = Exception::from(error);
                        tracing::warn!(
                            code = exception.code,
                            "a query failed in the middle of its answer"
                        );
                        self.phase = Phase::Exception(self.output.tagged(&exception));
                        // Apart from the exception, which clients look for as a chunk of its own.
                        let out = encoder.flush()?;
                        if !out.is_empty() {
                            return Ok(Some(out));
                        }
                    }
                    None => {
                        self.phase = Phase::End;
                        let out = self
                            .encoder
                            .take()
                            .map(Encoder::finish)
                            .transpose()?
                            .unwrap_or_default();
                        return Ok((!out.is_empty()).then_some(out));
                    }
                },
                Phase::Exception(text) => {
                    let mut out = encoder.push(text)?.to_vec();
                    out.extend(encoder.flush()?);
                    self.phase = Phase::Break;
                    return Ok(Some(out.into()));
                }
                Phase::Break => {
                    tokio::time::sleep(BREAK_AFTER).await;
                    return Err(io::Error::other("the answer broke off"));
                }
                Phase::End => return Ok(None),
            }
        }
    }
}

fn slices(chunk: Bytes) -> VecDeque<Bytes> {
    (0..chunk.len())
        .step_by(SLICE_BYTES)
        .map(|at| chunk.slice(at..chunk.len().min(at + SLICE_BYTES)))
        .collect()
}

/// Waits for the whole of an answer (`wait_end_of_query=1`), so that an exception comes
/// before anything is sent. What is too large for memory goes to a nameless file.
pub(super) async fn wait_for_end(mut data: ByteStream) -> Result<ByteStream, Exception> {
    let mut held = Vec::new();
    let mut held_bytes = 0;
    loop {
        match data.next().await {
            Some(chunk) => {
                let chunk = chunk.map_err(Exception::from)?;
                held_bytes += chunk.len();
                held.push(chunk);
                if held_bytes > HELD_BYTES_MAX {
                    break;
                }
            }
            None => return Ok(Box::pin(stream::iter(held.into_iter().map(Ok)))),
        }
    }
    let no_file = |_| {
        Exception::new(
            super::exception::code::CANNOT_OPEN_FILE,
            "There is no file to hold the answer in",
        )
    };
    let mut file = tokio::fs::File::from_std(tempfile::tempfile().map_err(no_file)?);
    for chunk in held {
        file.write_all(&chunk).await.map_err(no_file)?;
    }
    while let Some(chunk) = data.next().await {
        file.write_all(&chunk.map_err(Exception::from)?)
            .await
            .map_err(no_file)?;
    }
    file.flush().await.map_err(no_file)?;
    file.rewind().await.map_err(no_file)?;
    let chunks = tokio_util::io::ReaderStream::with_capacity(file, SLICE_BYTES);
    Ok(Box::pin(
        chunks.map(move |chunk| chunk.map_err(|e| no_file(e).into())),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use snag_warehouse::WarehouseError;

    fn output() -> Output {
        Output {
            encoding: None,
            blocks: false,
            level: 3,
            tag: Output::new_tag(),
            version: "1.2".into(),
        }
    }

    #[tokio::test]
    async fn an_exception_in_the_middle_is_tagged_and_breaks_the_answer() {
        let error = WarehouseError::from_clickhouse("Code: 395. DB::Exception: boom. (X)");
        let data = stream::iter([Ok(Bytes::from_static(b"1\n")), Err(error)]);
        let output = output();
        let tag = output.tag.clone();
        let chunks: Vec<_> = body(Box::pin(data), output.encoder().unwrap(), output)
            .collect()
            .await;
        assert_eq!(chunks.len(), 3);
        assert_eq!(chunks[0].as_ref().unwrap(), "1\n");
        let message = "Code: 395. DB::Exception: boom. (X) (version 1.2)\n";
        let expected = format!(
            "\r\n__exception__\r\n{tag}\r\n{message}{} {tag}\r\n__exception__\r\n",
            message.len()
        );
        assert_eq!(chunks[1].as_ref().unwrap(), &expected);
        assert!(chunks[2].is_err());
        assert!(tag.len() == 16 && tag.bytes().all(|b| b.is_ascii_lowercase()));
    }

    #[test]
    fn long_messages_are_cut_at_a_character() {
        let exception = Exception::new(395, "ä".repeat(20_000));
        let text = output().tagged(&exception);
        assert!(text.len() < 16 << 10 && std::str::from_utf8(&text).is_ok());
    }

    #[tokio::test]
    async fn answers_that_wait_for_their_end_are_whole_whatever_their_size() {
        for chunks in [1usize, 200] {
            let chunk = Bytes::from(vec![9u8; 100_000]);
            let data = stream::iter(vec![Ok(chunk.clone()); chunks]);
            let held = wait_for_end(Box::pin(data)).await.unwrap();
            let bytes: usize = held
                .map(|c| c.unwrap().len())
                .fold(0, |a, b| async move { a + b })
                .await;
            assert_eq!(bytes, chunks * chunk.len());
        }
        let error = WarehouseError::from_clickhouse("Code: 395. DB::Exception: boom. (X)");
        let data = stream::iter([Ok(Bytes::from_static(b"1\n")), Err(error)]);
        assert_eq!(wait_for_end(Box::pin(data)).await.err().unwrap().code, 395);
    }
}
