//! Sends what people said, in order, and reads what was answered.
//!
//! **Invariants:** a submission is given up only by an answer of the server that no later try can change; the words
//! go before the picture, and each may be sent again without harm; words and pictures wait each for themselves, so that
//! a picture that isn't taken keeps nobody's words; whoever said something is told once that it waits, where it does,
//! and once what became of it.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::sync::watch;
use tokio::time::Instant;
use uuid::Uuid;

use super::device::Device;
use super::events::HostEvent;
use super::shared::Shared;
use crate::desktop::feedback::store::{Lane, Next};
use crate::screenshot::{Encoded, Picture};
use crate::sync::backoff::Backoff;
use crate::sync::{CallError, Client, SyncStatus, Trouble};

/// How long a server that couldn't tell what was answered is left alone at least.
const REPLIES_AGAIN: Duration = Duration::from_secs(2);

/// What kept the last try from the server, and in its words.
type Kept = Option<(Trouble, String)>;

/// How sending goes.
#[derive(Debug, Clone, Default)]
pub(super) struct Posting {
    /// Tries so far.
    pub(super) tries: u64,
    /// What keeps words; none once some got through or none wait.
    pub(super) words: Kept,
    /// What keeps pictures whose words have arrived.
    pub(super) pictures: Kept,
    /// Whether the server named the time of the next one.
    pub(super) asked_to_wait: bool,
}

impl Posting {
    fn kept(&mut self, lane: Lane) -> &mut Kept {
        match lane {
            Lane::Words => &mut self.words,
            Lane::Pictures => &mut self.pictures,
        }
    }
}

/// What is to be tried again.
#[derive(Debug, Default)]
struct Later {
    /// After as long as the server asked for.
    after_ms: Option<u64>,
    /// What keeps it from the server; none where something on this computer does.
    trouble: Kept,
}

/// When a lane may be tried.
struct Turn {
    lane: Lane,
    backoff: Backoff,
    at: Instant,
    /// Whether the server itself named the time.
    asked_to_wait: bool,
}

impl Turn {
    fn of(lane: Lane) -> Self {
        Self {
            lane,
            backoff: Backoff::default(),
            at: Instant::now(),
            asked_to_wait: false,
        }
    }

    /// Whether it waits for a time that we chose ourselves.
    fn is_own_wait(&self) -> bool {
        self.backoff.failures() > 0 && !self.asked_to_wait
    }

    /// As soon as may be.
    fn now(&mut self) {
        if !self.asked_to_wait {
            self.at = Instant::now();
        }
    }

    /// Sends one thing, where it is time and something waits.
    async fn take(&mut self, shared: &Shared, client: &Client, rng: &mut StdRng) -> bool {
        let Some(next) = shared.feedback.next(self.lane) else {
            // Where the person deleted what waited, nothing is wrong any more.
            let cleared = shared
                .posting
                .send_if_modified(|posting| posting.kept(self.lane).take().is_some());
            if cleared {
                shared.publish();
            }
            return false;
        };
        if Instant::now() < self.at {
            return false;
        }
        let tried = send(shared, client, next).await;
        let later = tried.as_ref().err();
        self.asked_to_wait = later.is_some_and(|later| later.after_ms.is_some());
        shared.posting.send_modify(|posting| {
            posting.tries += 1;
            *posting.kept(self.lane) = later.and_then(|later| later.trouble.clone());
            posting.asked_to_wait = self.asked_to_wait;
        });
        shared.publish();
        match tried {
            Ok(()) => self.backoff.succeeded(),
            Err(later) => {
                let wait_ms = self.backoff.failed(later.after_ms, rng);
                self.at = Instant::now() + Duration::from_millis(wait_ms + 1);
            }
        }
        true
    }
}

/// Runs until the host stops.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut rng = StdRng::from_rng(&mut rand::rng());
    let mut turns = [Turn::of(Lane::Words), Turn::of(Lane::Pictures)];
    let mut replies_backoff = Backoff::default();
    let mut replies_at = Instant::now();
    while !shared.is_stopping() {
        let (client, status) = {
            let device = shared.device.lock();
            let both = |device: &Device| (device.client.clone(), device.sync.watch());
            device.as_ref().map(both).unzip()
        };
        let since = last_success(status.as_ref());
        // Without a device or anything to do there is nothing to wake up for but being told.
        let mut until = None;
        if let Some(client) = client {
            let [words, pictures] = &mut turns;
            if words.take(&shared, &client, &mut rng).await {
                tell_kept(&shared);
                continue;
            }
            if pictures.take(&shared, &client, &mut rng).await {
                tell_kept(&shared);
                continue;
            }
            tell_kept(&shared);
            let now = Instant::now();
            let wants_replies = shared.feedback.counts().posted > 0;
            if wants_replies && now >= replies_at {
                let pause = match replies(&shared, &client).await {
                    Ok(()) => {
                        replies_backoff.succeeded();
                        shared.options.replies_every
                    }
                    Err(after_ms) => {
                        Duration::from_millis(replies_backoff.failed(after_ms, &mut rng) + 1)
                            .max(shared.options.replies_every.min(REPLIES_AGAIN))
                    }
                };
                replies_at = Instant::now() + pause;
            }
            let sending = turns
                .iter()
                .filter(|turn| shared.feedback.next(turn.lane).is_some())
                .map(|turn| turn.at);
            let asking = wants_replies.then_some(replies_at);
            until = sending.chain(asking).min();
        } else {
            tell_kept(&shared);
        }
        let own_wait = turns.iter().any(Turn::is_own_wait);
        tokio::select! {
            () = sleep_until(until) => {}
            // Somebody waits for it.
            () = shared.post.notified() => {
                replies_at = Instant::now();
                turns.iter_mut().for_each(Turn::now);
            }
            // The server is back: what people said needn't wait for its own next try.
            () = got_through(status, since), if own_wait => {
                turns.iter_mut().for_each(Turn::now);
            }
        }
    }
}

/// Sleeps until then, or for ever.
async fn sleep_until(until: Option<Instant>) {
    match until {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

fn last_success(status: Option<&watch::Receiver<SyncStatus>>) -> Option<Timestamp> {
    status?.borrow().last_success_at
}

/// Returns once the server has taken records or told the policy since then.
async fn got_through(status: Option<watch::Receiver<SyncStatus>>, since: Option<Timestamp>) {
    if let Some(mut status) = status
        && status
            .wait_for(|now| now.last_success_at > since)
            .await
            .is_ok()
    {
        return;
    }
    std::future::pending().await
}

/// Tells the person, once, that what they said waits, and why.
fn tell_kept(shared: &Shared) {
    let mut untold = shared.untold.lock();
    untold.retain(|id| shared.feedback.waits(*id));
    if untold.is_empty() {
        return;
    }
    let failed = {
        let posting = shared.posting.borrow();
        posting.words.is_some() || posting.pictures.is_some()
    };
    let why = if failed {
        let sync = shared.sync_status();
        shared
            .troubles(sync.as_ref(), shared.waiting())
            .of_feedback()
    } else if shared.device.lock().is_none() {
        Some(shared.no_device())
    } else {
        None
    };
    let Some(why) = why else {
        // It isn't known yet.
        return;
    };
    untold.clear();
    shared.tell(HostEvent::FeedbackKept { why });
}

/// Sends one thing. An error is to be tried again.
async fn send(shared: &Shared, client: &Client, next: Next) -> Result<(), Later> {
    let (Next::Words { id, .. } | Next::Picture { id, .. }) = &next;
    let id = *id;
    let Some(_on_its_way) = shared.feedback.on_its_way(id) else {
        // The person deleted it meanwhile.
        return Ok(());
    };
    let kept = match next {
        Next::Words { body, .. } => send_words(shared, client, id, body).await?,
        Next::Picture { mime, path, .. } => send_picture(shared, client, id, &mime, &path).await?,
    };
    kept.map_err(|error| {
        // The server knows it by its id, so that sending it again does no harm.
        tracing::error!(%error, "what became of feedback can't be stored");
        Later::default()
    })
}

async fn send_words(
    shared: &Shared,
    client: &Client,
    id: Uuid,
    body: Vec<u8>,
) -> Result<io::Result<()>, Later> {
    let answer = client.feedback(body).await.map(drop);
    Ok(match answer {
        Ok(()) => shared
            .feedback
            .words_sent(id, Timestamp::now())
            .map(|done| {
                if done {
                    arrived(shared, id, false);
                }
            }),
        Err(error) => {
            let reason = refusal(error)?;
            shared.feedback.refused(id, &reason).map(|()| {
                shared.tell(HostEvent::FeedbackRefused { id, reason });
            })
        }
    })
}

async fn send_picture(
    shared: &Shared,
    client: &Client,
    id: Uuid,
    mime: &str,
    path: &Path,
) -> Result<io::Result<()>, Later> {
    let store = &shared.feedback;
    if !shared.settings.lock().pictures_allowed() {
        // It couldn't be deleted at the start. As long as that is so it stays.
        return Ok(store.delete_pictures(Timestamp::now()).map(drop));
    }
    let bytes = match tokio::fs::read(path).await {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            tracing::error!("a picture that waits is gone");
            let reason = "It isn't on this computer any more.";
            return Ok(without_picture(shared, id, reason));
        }
        Err(error) => return Ok(Err(error)),
    };
    let answer = client.screenshot(id, mime, bytes).await.map(drop);
    Ok(match answer {
        Ok(()) => store
            .picture_sent(id, Timestamp::now())
            .map(|()| arrived(shared, id, false)),
        Err(CallError::TooLarge { .. }) => match smaller(path).await {
            Some(picture) => {
                tracing::info!("a picture that is too large for the server is made smaller");
                store.set_picture(id, &picture)
            }
            None => {
                let reason = "It is too large for the server.";
                without_picture(shared, id, reason)
            }
        },
        Err(error) => without_picture(shared, id, &refusal(error)?),
    })
}

/// The words stand without the picture.
fn without_picture(shared: &Shared, id: Uuid, reason: &str) -> io::Result<()> {
    shared
        .feedback
        .picture_refused(id, reason, Timestamp::now())
        .map(|()| arrived(shared, id, true))
}

/// The same picture in at most half as many bytes; none where there is no such.
async fn smaller(path: &Path) -> Option<Encoded> {
    let bytes = tokio::fs::read(path).await.ok()?;
    let shrunk = tokio::task::spawn_blocking(move || {
        Picture::decode(&bytes).and_then(|picture| picture.encode_within(bytes.len() / 2))
    });
    shrunk.await.ok().and_then(Result::ok)
}

/// Why the server will never take it, in its words; an error where a later try may be taken.
fn refusal(error: CallError) -> Result<String, Later> {
    let reason = match error {
        CallError::Retry {
            after_ms,
            trouble,
            why,
        } => {
            tracing::debug!(why, "feedback can't be sent yet");
            return Err(Later {
                after_ms,
                trouble: Some((trouble, why)),
            });
        }
        // A proxy has a limit of its own, which is nothing that the server said.
        CallError::TooLarge { by_server: false } => {
            return Err(Later {
                after_ms: None,
                trouble: Some((Trouble::Strange, error.to_string())),
            });
        }
        CallError::Refused { message, .. } => message,
        CallError::TooLarge { by_server: true } => error.to_string(),
    };
    tracing::warn!(reason, "feedback was refused");
    Ok(reason)
}

fn arrived(shared: &Shared, id: Uuid, picture_refused: bool) {
    if let Some(category) = shared.feedback.category(id) {
        shared.tell(HostEvent::FeedbackSent {
            id,
            category,
            picture_refused,
        });
    }
}

/// Reads the replies, as many pages as there are.
async fn replies(shared: &Shared, client: &Client) -> Result<(), Option<u64>> {
    /// More pages than a device has replies; a server that goes round in circles ends here.
    const PAGES_MAX: usize = 50;
    for _ in 0..PAGES_MAX {
        let after = shared.feedback.replies_after();
        let page = client.replies(&after).await.map_err(|error| match error {
            CallError::Retry { after_ms, .. } => after_ms,
            _ => None,
        })?;
        let came = page.items.len();
        let new = shared
            .feedback
            .replies(page.items, &page.next_after)
            .map_err(|error| {
                tracing::error!(%error, "replies can't be stored");
                None
            })?;
        for (id, author) in new {
            shared.tell(HostEvent::ReplyArrived { id, author });
        }
        shared.publish();
        if came == 0 || page.next_after == after {
            break;
        }
    }
    Ok(())
}
