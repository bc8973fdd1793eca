//! What becomes of a request's body that nobody read to its end.
//!
//! Many answers are known before the body was read: no token, nothing at this address, no
//! room. Over HTTP/1 the rest of the body then lies between this request and the next, and
//! a server that closes the connection without a word fails the client's next request.
//! Closing while bytes still arrive can even destroy the answer on its way.
//!
//! So a short rest, which is mostly here already, is read away, and the connection lives.
//! Otherwise the answer says `Connection: close` and goes out, while some of the rest is
//! read and thrown away behind it, so that the client comes to read the answer. HTTP/2 ends
//! one request without the others; but there, too, clients in use (curl 7) miss an answer
//! that is followed by the stream's reset, and so the same is thrown away.
//!
//! **Invariant:** no more is read away than the limits below, and nothing of it is kept.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::{Extensions, HeaderValue, Version, header};
use http_body_util::BodyExt as _;
use parking_lot::Mutex;
use snag_wire::limits;

/// A rest that is read away before the answer, and how long the answer waits for it: what
/// costs less than a new connection.
const SHORT_BYTES: u64 = 64 << 10;
const SHORT_WAIT: Duration = Duration::from_millis(100);

/// What is read away behind an answer that closes: little for whoever comes, and what the
/// largest body of any route is, with something over, for whoever is known.
const STRANGER_BYTES: u64 = 1 << 20;
const KNOWN_BYTES: u64 = limits::SCREENSHOT_BYTES_MAX as u64 + (2 << 20);
/// How long that may take.
const CLOSE_WAIT: Duration = Duration::from_secs(5);

/// Whether it is known who sent a request.
#[derive(Clone, Default)]
struct Known(Arc<AtomicBool>);

/// Takes note that it is known who sent the request of these extensions.
pub(crate) fn note_known(extensions: &Extensions) {
    if let Some(known) = extensions.get::<Known>() {
        known.0.store(true, Ordering::Relaxed);
    }
}

/// A body of which somebody keeps what is left when it is dropped.
struct Kept {
    rest: Rest,
    left: Arc<Mutex<Option<Rest>>>,
}

/// What is left of a body.
#[derive(Default)]
struct Rest {
    body: Body,
    /// Whether somebody began to read it.
    begun: bool,
}

impl Drop for Kept {
    fn drop(&mut self) {
        if !self.rest.body.is_end_stream() {
            *self.left.lock() = Some(std::mem::take(&mut self.rest));
        }
    }
}

impl HttpBody for Kept {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, axum::Error>>> {
        self.rest.begun = true;
        Pin::new(&mut self.rest.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.rest.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.rest.body.size_hint()
    }
}

/// Answers a request, and sees to what is left of its body.
pub(crate) async fn settle(mut request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let one_by_one = request.version() <= Version::HTTP_11;
    let waits = request.headers().contains_key(header::EXPECT);
    let known = Known::default();
    request.extensions_mut().insert(known.clone());
    let left = Arc::default();
    let request = request.map(|body| {
        Body::new(Kept {
            rest: Rest { body, begun: false },
            left: Arc::clone(&left),
        })
    });
    let mut response = next.run(request).await;
    let Some(Rest { mut body, begun }) = left.lock().take() else {
        return response;
    };
    // Who waits to be asked for the body, and wasn't, reads the answer and sends none.
    if begun || !waits {
        let declared = body.size_hint().upper();
        if declared.is_none_or(|bytes| bytes <= SHORT_BYTES) {
            let read = tokio::time::timeout(SHORT_WAIT, read_away(&mut body, SHORT_BYTES));
            if read.await == Ok(true) {
                return response;
            }
        }
        let most = match known.0.load(Ordering::Relaxed) {
            true => KNOWN_BYTES,
            false => STRANGER_BYTES,
        };
        // As long as somebody has the body, the connection isn't closed, nor the stream reset.
        tokio::spawn(
            async move { tokio::time::timeout(CLOSE_WAIT, read_away(&mut body, most)).await },
        );
    }
    if one_by_one {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    response
}

/// Reads a body until it ends, breaks, or there was more than `most`; tells whether it is
/// at its end.
async fn read_away(body: &mut Body, most: u64) -> bool {
    let mut bytes = 0;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return false };
        bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
        if bytes > most {
            return false;
        }
    }
    true
}
