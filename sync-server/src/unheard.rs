//! Answers to requests whose head the HTTP library refuses: too long, or no HTTP.
//!
//! It answers those itself over HTTP/1, with a status and without a word, before any route hears of them, and closes
//! while more may be arriving. So the connection is watched for such an answer: it gets a problem as its body, and some of
//! what still arrives is thrown away, so that the client comes to read it.
//!
//! **Invariant:** every other byte passes as it is. No route answers without a body and a type, so that nothing of theirs
//! is taken for the library's.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum_server::accept::Accept;
use snag_wire::{Code, Problem};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// The library's answers are shorter.
const HEAD_BYTES_MAX: usize = 256;
/// What is thrown away behind an answer at most, and how long that may take.
const REST_BYTES_MAX: usize = 1 << 20;
const REST_WAIT: Duration = Duration::from_secs(1);

/// Accepts connections that say why a head is refused.
#[derive(Debug, Clone)]
pub(crate) struct Worded<A>(pub(crate) A);

impl<A, I, S> Accept<I, S> for Worded<A>
where
    A: Accept<I, S>,
    A::Future: Send + 'static,
{
    type Stream = Stream<A::Stream>;
    type Service = A::Service;
    type Future = Pin<Box<dyn Future<Output = io::Result<(Self::Stream, Self::Service)>> + Send>>;

    fn accept(&self, stream: I, service: S) -> Self::Future {
        let accepted = self.0.accept(stream, service);
        Box::pin(async move {
            let (io, service) = accepted.await?;
            let answer = None;
            Ok((Stream { io, answer }, service))
        })
    }
}

/// A connection.
pub(crate) struct Stream<I> {
    io: I,
    /// The answer to a head that was refused.
    answer: Option<Answer>,
}

/// What is said instead of the library's answer.
struct Answer {
    bytes: Vec<u8>,
    sent_bytes: usize,
    /// How long the library's own was.
    replaced_bytes: usize,
    /// What is still thrown away, and until when.
    rest_bytes: usize,
    wait: Option<Pin<Box<Sleep>>>,
}

/// What to say instead of bytes that are to be sent, where they are the library's answer to a head.
fn worded(bytes: &[u8]) -> Option<Answer> {
    if bytes.len() > HEAD_BYTES_MAX || !bytes.starts_with(b"HTTP/1.1 4") {
        return None;
    }
    let head = std::str::from_utf8(bytes).ok()?.strip_suffix("\r\n\r\n")?;
    let lower = head.to_ascii_lowercase();
    let is_empty = lower.contains("\r\ncontent-length: 0");
    if !is_empty || lower.contains("\r\ncontent-type:") || lower.contains("\r\n\r\n") {
        return None;
    }
    let (first, fields) = head.split_once("\r\n")?;
    let (status, title) = first.strip_prefix("HTTP/1.1 ")?.split_once(' ')?;
    let status: u16 = status.parse().ok()?;
    let (code, detail) = match status {
        431 => (
            Code::TooLarge,
            "The request's headers are longer than 64 KB together. Send fewer or shorter ones.",
        ),
        414 => (
            Code::TooLarge,
            "The request's address is too long. Ask with fewer or shorter parameters.",
        ),
        _ => (
            Code::InvalidParameter,
            "What was sent isn't a request that HTTP knows: see its method, its address and its headers.",
        ),
    };
    let problem = Problem {
        r#type: "about:blank".to_owned(),
        title: title.to_owned(),
        status,
        code,
        detail: detail.to_owned(),
        field: None,
    };
    let body = serde_json::to_string(&problem).ok()?;
    let mut answer = format!("{first}\r\n");
    for field in fields.split("\r\n") {
        let name = field.split(':').next().unwrap_or_default();
        if !["content-length", "connection"].contains(&name.to_ascii_lowercase().as_str()) {
            answer.push_str(field);
            answer.push_str("\r\n");
        }
    }
    answer.push_str(&format!(
        "content-type: application/problem+json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    ));
    Some(Answer {
        bytes: answer.into_bytes(),
        sent_bytes: 0,
        replaced_bytes: bytes.len(),
        rest_bytes: REST_BYTES_MAX,
        wait: None,
    })
}

impl<I: AsyncRead + AsyncWrite + Unpin> Stream<I> {
    /// Sends what is to be said instead.
    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let Some(answer) = &mut self.answer else {
            return Poll::Ready(Ok(0));
        };
        while answer.sent_bytes < answer.bytes.len() {
            let rest = &answer.bytes[answer.sent_bytes..];
            let sent = ready!(Pin::new(&mut self.io).poll_write(cx, rest))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            answer.sent_bytes += sent;
        }
        Poll::Ready(Ok(answer.replaced_bytes))
    }

    /// Throws some of what still arrives away.
    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(answer) = &mut self.answer else {
            return Poll::Ready(());
        };
        let wait = answer
            .wait
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(REST_WAIT)));
        let mut bytes = [0; 4 << 10];
        while answer.rest_bytes > 0 && wait.as_mut().poll(cx).is_pending() {
            let mut read = ReadBuf::new(&mut bytes);
            match ready!(Pin::new(&mut self.io).poll_read(cx, &mut read)) {
                Ok(()) if !read.filled().is_empty() => {
                    answer.rest_bytes = answer.rest_bytes.saturating_sub(read.filled().len());
                }
                _ => break,
            }
        }
        Poll::Ready(())
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Stream<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, into)
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.answer.is_none() {
            self.answer = worded(bytes);
        }
        if self.answer.is_some() {
            return self.poll_answer(cx);
        }
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // The library's answer is one part.
        let mut filled = parts.iter().filter(|part| !part.is_empty());
        if let (Some(part), None) = (filled.next(), filled.next()) {
            return self.poll_write(cx, part);
        }
        Pin::new(&mut self.io).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Closing while bytes arrive would destroy the answer on its way.
        if self
            .answer
            .as_ref()
            .is_none_or(|answer| answer.wait.is_none())
        {
            ready!(Pin::new(&mut self.io).poll_shutdown(cx))?;
        }
        ready!(self.poll_rest(cx));
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_librarys_answers_get_words_and_no_others() {
        let empty = "HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\
                     date: Sat, 21 Nov 2026 10:00:00 GMT\r\n\r\n";
        let answer = worded(empty.as_bytes()).expect("words");
        assert_eq!(answer.replaced_bytes, empty.len());
        let text = String::from_utf8(answer.bytes).expect("text");
        let (head, body) = text.split_once("\r\n\r\n").expect("a body");
        assert!(head.starts_with("HTTP/1.1 431 Request Header Fields Too Large\r\ndate: "));
        assert!(head.contains(&format!("\r\ncontent-length: {}\r\n", body.len())));
        let problem: Problem = serde_json::from_str(body).expect("a problem");
        assert_eq!((problem.status, problem.code), (431, Code::TooLarge));
        for other in [
            "HTTP/1.1 404 Not Found\r\ncontent-type: application/problem+json\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 404 Not Found\r\ncontent-length: 12\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n",
            "event: x\r\n\r\n",
        ] {
            assert!(worded(other.as_bytes()).is_none(), "{other}");
        }
    }
}
