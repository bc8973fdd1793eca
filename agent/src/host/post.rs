//! Sends what people said, in order, and reads what was answered.
//!
//! **Invariants:** a submission is given up only by an answer of the server that no later try can change; the words
//! go before the picture, and each may be sent again without harm; whoever said something is told once that it waits,
//! where it does, and once what became of it.

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
use crate::desktop::feedback::store::Next;
use crate::sync::backoff::Backoff;
use crate::sync::{CallError, Client, SyncStatus, Trouble};

/// How long a server that couldn't tell what was answered is left alone at least.
const REPLIES_AGAIN: Duration = Duration::from_secs(2);

/// How sending goes.
#[derive(Debug, Clone, Default)]
pub(super) struct Posting {
    /// Tries so far.
    pub(super) tries: u64,
    /// What kept the last one from the server, and in its words; none once one got through or nothing waits.
    pub(super) trouble: Option<(Trouble, String)>,
    /// Whether the server named the time of the next one.
    pub(super) asked_to_wait: bool,
}

/// What is to be tried again.
#[derive(Debug, Default)]
struct Later {
    /// After as long as the server asked for.
    after_ms: Option<u64>,
    /// What keeps it from the server; none where something on this computer does.
    trouble: Option<(Trouble, String)>,
}

/// Runs until the host stops.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut rng = StdRng::from_rng(&mut rand::rng());
    let mut backoff = Backoff::default();
    let mut replies_backoff = Backoff::default();
    let mut send_at = Instant::now();
    // Whether the server itself named the time.
    let mut asked_to_wait = false;
    let mut replies_at = Instant::now();
    while !shared.is_stopping() {
        let (client, status) = {
            let device = shared.device.lock();
            let both = |device: &Device| (device.client.clone(), device.sync.watch());
            device.as_ref().map(both).unzip()
        };
        let since = last_success(status.as_ref());
        let now = Instant::now();
        // Without a device or anything to do there is nothing to wake up for but being told.
        let mut until = None;
        if let Some(client) = client {
            if now >= send_at
                && let Some(next) = shared.feedback.next()
            {
                let tried = send(&shared, &client, next).await;
                let later = tried.as_ref().err();
                asked_to_wait = later.is_some_and(|later| later.after_ms.is_some());
                shared.posting.send_modify(|posting| {
                    posting.tries += 1;
                    posting.trouble = later.and_then(|later| later.trouble.clone());
                    posting.asked_to_wait = asked_to_wait;
                });
                shared.publish();
                match tried {
                    Ok(()) => {
                        backoff.succeeded();
                        continue;
                    }
                    Err(later) => {
                        let wait_ms = backoff.failed(later.after_ms, &mut rng);
                        send_at = Instant::now() + Duration::from_millis(wait_ms + 1);
                    }
                }
            }
            tell_kept(&shared);
            let wants_replies = shared.feedback.counts().sent > 0;
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
            let waits = shared.feedback.counts().waiting > 0;
            let sending = waits.then_some(send_at);
            let asking = wants_replies.then_some(replies_at);
            until = sending.into_iter().chain(asking).min();
        } else {
            tell_kept(&shared);
        }
        tokio::select! {
            () = sleep_until(until) => {}
            // Somebody waits for it.
            () = shared.post.notified() => {
                replies_at = Instant::now();
                if !asked_to_wait {
                    send_at = replies_at;
                }
            }
            // The server is back: what people said needn't wait for its own next try.
            () = got_through(status, since), if backoff.failures() > 0 && !asked_to_wait => {
                send_at = Instant::now();
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
    let why = if shared.posting.borrow().trouble.is_some() {
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
    let (id, answer) = match next {
        Next::Words { id, body } => (id, client.feedback(body).await.map(|_| None)),
        Next::Picture { .. } if !shared.settings.lock().pictures_allowed() => {
            // It couldn't be deleted at the start. As long as that is so it stays.
            let deleted = shared.feedback.delete_pictures(Timestamp::now());
            return deleted.map(drop).map_err(|error| {
                tracing::error!(%error, "a picture that may not leave can't be deleted");
                Later::default()
            });
        }
        Next::Picture { id, mime, path } => {
            let answer = match tokio::fs::read(&path).await {
                Ok(bytes) => client.screenshot(id, &mime, bytes).await.map(Some),
                Err(error) => {
                    tracing::error!(%error, "a picture that waits can't be read");
                    Err(CallError::Refused {
                        status: 0,
                        code: "picture_lost".to_owned(),
                        message: "the picture can't be read on this computer any more".to_owned(),
                    })
                }
            };
            (id, answer)
        }
    };
    let now = Timestamp::now();
    let kept = match answer {
        Ok(None) => shared.feedback.words_sent(id, now).map(|done| {
            if done {
                arrived(shared, id);
            }
        }),
        Ok(Some(_)) => shared
            .feedback
            .picture_sent(id, now)
            .map(|()| arrived(shared, id)),
        Err(CallError::Retry {
            after_ms,
            trouble,
            why,
        }) => {
            tracing::debug!(why, "feedback can't be sent yet");
            return Err(Later {
                after_ms,
                trouble: Some((trouble, why)),
            });
        }
        Err(error @ (CallError::Refused { .. } | CallError::TooLarge)) => {
            tracing::warn!(%error, "feedback was refused");
            let reason = match error {
                CallError::Refused { message, .. } => message,
                other => other.to_string(),
            };
            shared.feedback.refused(id, &reason).map(|()| {
                shared.tell(HostEvent::FeedbackRefused { id, reason });
            })
        }
    };
    kept.map_err(|error| {
        // The server knows it by its id, so that sending it again does no harm.
        tracing::error!(%error, "what became of feedback can't be stored");
        Later::default()
    })
}

fn arrived(shared: &Shared, id: Uuid) {
    if let Some(category) = shared.feedback.category(id) {
        shared.tell(HostEvent::FeedbackSent { id, category });
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
