//! Redis, where there is one: events go out on a channel a kind, other servers' come in.
//!
//! What goes out waits in a queue with a bound; whatever Redis does, no submission waits for
//! it. What can't be queued or sent is counted and dropped: it is in ClickHouse, and after
//! each connection listeners look there for what they missed.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use redis::AsyncConnectionConfig;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::{Hub, Kind, Told};
use crate::metrics::Metrics;

/// Events that may wait for Redis.
const QUEUE: usize = 4_096;
/// How long Redis may take to answer before it counts as gone.
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// How often the listening side asks whether Redis is still there.
const PING_EVERY: Duration = Duration::from_secs(5);
/// Between two tries to connect: at first, and at most.
const FIRST_REST: Duration = Duration::from_millis(200);
const LONGEST_REST: Duration = Duration::from_secs(10);

/// What travels: the event, and the server that it happened on.
#[derive(Serialize, Deserialize)]
struct Message {
    server: Uuid,
    #[serde(flatten)]
    told: Told,
}

/// Connects a hub to a Redis; returns at once.
///
/// # Errors
/// The address isn't one (`redis://` or `rediss://`).
pub fn connect(hub: &Arc<Hub>, metrics: &Arc<Metrics>, url: &str) -> redis::RedisResult<()> {
    let client = redis::Client::open(url)?;
    let server = Uuid::now_v7();
    let (queue, events) = mpsc::channel(QUEUE);
    hub.connect(queue);
    tokio::spawn(send(client.clone(), server, events, Arc::clone(metrics)));
    tokio::spawn(hear(client, server, Arc::clone(hub), Arc::clone(metrics)));
    Ok(())
}

fn config() -> AsyncConnectionConfig {
    AsyncConnectionConfig::new()
        .set_connection_timeout(Some(ANSWER_MAX))
        .set_response_timeout(Some(ANSWER_MAX))
}

/// Rests before the next try, longer each time, and not all servers at once.
async fn rest(pause: &mut Duration) {
    let jitter = rand::Rng::random_range(&mut rand::rng(), 0.5..1.0);
    tokio::time::sleep(pause.mul_f64(jitter)).await;
    *pause = (*pause * 2).min(LONGEST_REST);
}

async fn send(
    client: redis::Client,
    server: Uuid,
    mut events: mpsc::Receiver<Arc<Told>>,
    metrics: Arc<Metrics>,
) {
    let mut connection = None;
    let mut pause = FIRST_REST;
    let mut batch = Vec::new();
    while events.recv_many(&mut batch, 256).await > 0 {
        while !batch.is_empty() {
            if connection.is_none() {
                match client
                    .get_multiplexed_async_connection_with_config(&config())
                    .await
                {
                    Ok(connected) => connection = Some(connected),
                    Err(error) => {
                        metrics.redis_up.set(0);
                        tracing::warn!(%error, "Redis doesn't answer");
                        rest(&mut pause).await;
                        continue;
                    }
                }
            }
            let mut pipe = redis::pipe();
            for told in &batch {
                let message = Message {
                    server,
                    told: Told::clone(told),
                };
                if let Ok(text) = serde_json::to_string(&message) {
                    pipe.publish(told.kind.as_str(), text).ignore();
                }
            }
            let Some(connected) = &mut connection else {
                continue;
            };
            match pipe.query_async::<()>(connected).await {
                Ok(()) => {
                    metrics.redis_up.set(1);
                    pause = FIRST_REST;
                    batch.clear();
                }
                Err(error) => {
                    // It may have been sent all the same: keys keep it from being told twice.
                    metrics.redis_up.set(0);
                    tracing::warn!(%error, "events were not sent to Redis");
                    connection = None;
                    rest(&mut pause).await;
                }
            }
        }
    }
}

async fn hear(client: redis::Client, server: Uuid, hub: Arc<Hub>, metrics: Arc<Metrics>) {
    let mut ended = hub.ended();
    let mut pause = FIRST_REST;
    loop {
        let heard = listen(&client, server, &hub, &metrics, &mut pause);
        tokio::select! {
            _ = ended.wait_for(|ended| *ended) => return,
            result = heard => if let Err(error) = result {
                metrics.redis_up.set(0);
                tracing::warn!(%error, "can't hear other servers through Redis");
            }
        }
        tokio::select! {
            _ = ended.wait_for(|ended| *ended) => return,
            () = rest(&mut pause) => {}
        }
    }
}

async fn listen(
    client: &redis::Client,
    server: Uuid,
    hub: &Hub,
    metrics: &Metrics,
    pause: &mut Duration,
) -> redis::RedisResult<()> {
    let gone = || redis::RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut));
    let connecting = async {
        let mut connection = client.get_async_pubsub().await?;
        for kind in Kind::ALL {
            connection.subscribe(kind.as_str()).await?;
        }
        Ok::<_, redis::RedisError>(connection)
    };
    let connection = tokio::time::timeout(ANSWER_MAX, connecting)
        .await
        .map_err(|_| gone())??;
    metrics.redis_up.set(1);
    *pause = FIRST_REST;
    tracing::info!("hearing other servers through Redis");
    // What they told before is in the log.
    hub.missed();
    let (mut sink, mut messages) = connection.split();
    let mut ping = tokio::time::interval(PING_EVERY);
    loop {
        tokio::select! {
            message = messages.next() => {
                let Some(message) = message else {
                    return Err(gone());
                };
                match serde_json::from_slice::<Message>(message.get_payload_bytes()) {
                    Ok(message) if message.server != server => hub.relay(message.told),
                    Ok(_) => {}
                    Err(error) => tracing::debug!(%error, "a message of Redis is not ours"),
                }
            }
            _ = ping.tick() => {
                tokio::time::timeout(ANSWER_MAX, sink.ping::<redis::Value>())
                    .await
                    .map_err(|_| gone())??;
            }
        }
    }
}
