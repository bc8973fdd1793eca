//! `GET /v1/stream`: server-sent events.
//!
//! Each listener has a task that reads the hub and writes to a short queue; one that reads
//! slowly fills it, falls behind the hub, and is told from the log what it missed: its memory
//! is bounded whatever it does. An event's id says what the listener has been told (see
//! [`super::seen`]), so that it can go on from it on any server.

use std::collections::{HashSet, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event as Sent, Sse};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Uri, header};
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use uuid::Uuid;

use super::log;
use super::seen::Seen;
use super::{Kind, Signal, Told};
use crate::auth::{Credentials, Role, Viewer};
use crate::{ApiError, AppState, params};

/// Events that wait for a slow listener's connection.
const QUEUE: usize = 64;
/// How often something is sent so that proxies and clients know the stream is alive.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How often it is asked whether the listener may still listen, where nothing happens; before each event it is, too.
const ASKED_AGAIN: Duration = Duration::from_secs(3);
/// Listeners at once.
const LISTENERS_MAX: i64 = 1_000;
/// Keys in memory of what a listener has been told.
const TOLD_MAX: usize = 20_000;

/// What happens, as it happens: `text/event-stream`.
///
/// The stream begins with `ready`. Then come `feedback:submitted`, `feedback:changed` and
/// `incidents:detected` with JSON as data. `feedback:changed` names items by `id` or `ids`;
/// where it says `reload` instead, load what you show anew. Send the last `id` as `Last-Event-ID` (browsers do
/// it by themselves) to go on where you were, on any server, within a day; where that isn't
/// possible a `reset` says so: load what you show anew. A program without that header can
/// send the parameter `last_event_id`.
#[utoipa::path(get, path = "/v1/stream", tag = "live", security(("viewer" = [])),
    params(
        ("kinds" = Option<String>, Query, description = "Only these, separated by commas: feedback:submitted, feedback:changed, incidents:detected"),
        ("last_event_id" = Option<String>, Query, description = "As the header Last-Event-ID"),
        ("Last-Event-ID" = Option<String>, Header, description = "The last id that was received"),
    ),
    responses((status = 200, description = "Events", content_type = "text/event-stream", body = String), (status = 400), (status = 401), (status = 403)))]
pub async fn get(
    State(state): State<Arc<AppState>>,
    Viewer(actor): Viewer,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let mut given = params::read(&uri, &["kinds", "last_event_id"])?;
    let kinds = match given.remove("kinds") {
        None => Kind::ALL.to_vec(),
        Some(text) => {
            let kinds: Option<Vec<Kind>> = text.split(',').map(Kind::of).collect();
            kinds.ok_or_else(|| {
                let words: Vec<&str> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
                let detail = format!("It takes some of: {}.", words.join(","));
                ApiError::invalid_parameter("kinds", detail)
            })?
        }
    };
    // One that isn't even text is an id that isn't known, as any other such: whoever sends it
    // was told something, and has to hear that it can't go on from there.
    let header = headers
        .get("last-event-id")
        .map(|id| String::from_utf8_lossy(id.as_bytes()).into_owned());
    let last = header.or(given.remove("last_event_id"));
    if state.draining.load(Ordering::Relaxed) {
        return Err(ApiError::unavailable(
            "The server is stopping. Listen again.",
            2,
        ));
    }
    let listening = Listening::begin(&state)?;
    let (queue, events) = mpsc::channel(QUEUE);
    let listener = Listener {
        org: actor.org.id,
        kinds,
        seen: Seen::from(0),
        told: VecDeque::new(),
        keys: HashSet::new(),
        queue,
        state: Arc::clone(&state),
        credentials: Credentials::of(&headers, &actor, Role::Viewer),
        _listening: listening,
    };
    tokio::spawn(listener.run(last.filter(|id| !id.is_empty())));
    let headers = [
        (header::CACHE_CONTROL, "no-store"),
        // Or nginx would keep events until its buffer is full.
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, Sse::new(ReceiverStream::new(events))).into_response())
}

/// A listener that is counted.
struct Listening(Arc<AppState>);

impl Listening {
    fn begin(state: &Arc<AppState>) -> Result<Self, ApiError> {
        let before = state.metrics.live_listeners.inc();
        let listening = Self(Arc::clone(state));
        if before >= LISTENERS_MAX {
            return Err(ApiError::unavailable(
                "Too many listen already. Try again later.",
                30,
            ));
        }
        Ok(listening)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.metrics.live_listeners.dec();
    }
}

type Sending = Result<Sent, Infallible>;

struct Listener {
    org: Uuid,
    kinds: Vec<Kind>,
    seen: Seen,
    /// The keys of what this connection was told, oldest first.
    told: VecDeque<Uuid>,
    keys: HashSet<Uuid>,
    queue: mpsc::Sender<Sending>,
    state: Arc<AppState>,
    credentials: Credentials,
    _listening: Listening,
}

/// The connection is gone, or whoever listens may no longer.
struct Gone;

impl Listener {
    async fn run(mut self, last: Option<String>) {
        let mut ended = self.state.live.ended();
        tokio::select! {
            _ = ended.wait_for(|ended| *ended) => {}
            _ = self.listen(last) => {}
        }
    }

    async fn listen(&mut self, last: Option<String>) -> Result<(), Gone> {
        let (mut signals, now) = self.state.live.signals();
        self.seen = Seen::from(now);
        if let Some(last) = last {
            match Seen::read(&last) {
                Some(seen) if seen.watermark() > now + 60_000_000 => {
                    self.reset("unknown_id").await?
                }
                Some(seen) if seen.watermark() + log::KEPT_US < now => {
                    self.reset("too_old").await?
                }
                Some(seen) => {
                    self.seen = seen;
                    self.catch_up().await?;
                }
                None => self.reset("unknown_id").await?,
            }
        }
        self.send("ready", &json!({})).await?;
        let mut heartbeat = tokio::time::interval(HEARTBEAT);
        heartbeat.tick().await;
        let mut asked_again = tokio::time::interval(ASKED_AGAIN);
        asked_again.tick().await;
        loop {
            tokio::select! {
                signal = signals.recv() => match signal {
                    Ok(Signal::Told(told)) => self.tell(&told).await?,
                    Ok(Signal::Missed) | Err(RecvError::Lagged(_)) => self.catch_up().await?,
                    Err(RecvError::Closed) => return Ok(()),
                },
                _ = asked_again.tick() => self.still_listens().await?,
                _ = heartbeat.tick() => {
                    let beat = Sent::default().comment("");
                    self.queue.send(Ok(beat)).await.map_err(|_| Gone)?;
                }
            }
        }
    }

    /// Ends where the session or token holds no more.
    async fn still_listens(&self) -> Result<(), Gone> {
        let holds = self.credentials.hold(&self.state).await;
        if holds { Ok(()) } else { Err(Gone) }
    }

    async fn tell(&mut self, told: &Arc<Told>) -> Result<(), Gone> {
        if told.org != self.org || !self.keys.insert(told.key) {
            return Ok(());
        }
        if self.told.len() >= TOLD_MAX
            && let Some(oldest) = self.told.pop_front()
        {
            self.keys.remove(&oldest);
        }
        self.told.push_back(told.key);
        if self.seen.contains(told.key) {
            return Ok(());
        }
        self.seen.add(told.stamp, told.key);
        if self.kinds.contains(&told.kind) {
            self.still_listens().await?;
            self.send(told.kind.as_str(), &told.data).await?;
        }
        Ok(())
    }

    /// Tells what was missed, from the log.
    async fn catch_up(&mut self) -> Result<(), Gone> {
        loop {
            match log::missed(&self.state, self.org, &self.seen).await {
                Ok(Some(missed)) => {
                    for told in &missed {
                        self.tell(told).await?;
                    }
                    return Ok(());
                }
                Ok(None) => return self.reset("too_much").await,
                Err(error) => {
                    tracing::warn!(%error, "can't read what a listener missed");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    if self.queue.is_closed() {
                        return Err(Gone);
                    }
                }
            }
        }
    }

    /// Says that the listener can't be told what it missed.
    async fn reset(&mut self, reason: &str) -> Result<(), Gone> {
        let (_, now) = self.state.live.signals();
        self.seen = Seen::from(now);
        self.send("reset", &json!({"reason": reason})).await
    }

    async fn send(&mut self, event: &str, data: &serde_json::Value) -> Result<(), Gone> {
        let sent = Sent::default()
            .event(event)
            .id(self.seen.id())
            .data(data.to_string());
        self.queue.send(Ok(sent)).await.map_err(|_| Gone)
    }
}

/// The OpenAPI part of this route.
#[derive(utoipa::OpenApi)]
#[openapi(paths(get))]
pub struct Routes;
