//! A proxy that misbehaves: it drops answers, delays, cuts connections and sends
//! requests twice. One request a connection, so that each gets its own fault.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How often each fault happens, in percent of requests; the rest passes untouched.
#[derive(Debug, Clone, Copy)]
pub struct Faults {
    /// The server gets the request; its answer is thrown away.
    pub drop_answer: u32,
    /// The request is cut half-way, and never reaches the server whole.
    pub cut_request: u32,
    /// The answer is cut half-way.
    pub cut_answer: u32,
    /// The request is sent twice, one after the other; the second answer is passed on.
    pub repeat: u32,
    /// The request is sent twice at the same moment; either answer is passed on.
    pub race: u32,
    /// Held back for up to 300 ms.
    pub delay: u32,
}

/// What the proxy did, to show that the faults did happen.
#[derive(Debug, Default)]
pub struct Counts {
    /// Requests that passed untouched.
    pub passed: AtomicU64,
    /// Requests that met a fault.
    pub faults: AtomicU64,
}

/// A running proxy; it ends with its runtime.
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    /// What it did.
    pub counts: Arc<Counts>,
    /// The requests it was given, as they came.
    pub requests: Arc<Mutex<Vec<Vec<u8>>>>,
}

/// Everything passes untouched.
pub const NO_FAULTS: Faults = Faults {
    drop_answer: 0,
    cut_request: 0,
    cut_answer: 0,
    repeat: 0,
    race: 0,
    delay: 0,
};

/// Starts a proxy in front of `upstream`. Faults follow from `seed` and the order of connections.
///
/// # Errors
/// When no port of the loopback can be bound.
pub async fn start(upstream: SocketAddr, faults: Faults, seed: u64) -> std::io::Result<Proxy> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let counts = Arc::new(Counts::default());
    let requests = Arc::new(Mutex::new(Vec::new()));
    let (shared, kept) = (Arc::clone(&counts), Arc::clone(&requests));
    tokio::spawn(async move {
        let mut connection = 0_u64;
        while let Ok((client, _)) = listener.accept().await {
            connection += 1;
            let rng = StdRng::seed_from_u64(seed ^ connection.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let (counts, requests) = (Arc::clone(&shared), Arc::clone(&kept));
            tokio::spawn(async move {
                // A connection that ends badly is what the proxy is for.
                let _ = serve(client, upstream, faults, rng, &counts, &requests).await;
            });
        }
    });
    Ok(Proxy {
        address,
        counts,
        requests,
    })
}

async fn serve(
    mut client: TcpStream,
    upstream: SocketAddr,
    faults: Faults,
    mut rng: StdRng,
    counts: &Counts,
    requests: &Mutex<Vec<Vec<u8>>>,
) -> std::io::Result<()> {
    let request = read_message(&mut client).await?;
    requests
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(request.clone());
    let mut dice = rng.random_range(0..100_u32);
    let mut falls = |share: u32| {
        let hit = dice < share;
        dice = if hit { u32::MAX } else { dice - share };
        hit
    };
    let fault = if falls(faults.drop_answer) {
        ask(upstream, &request).await?;
        None
    } else if falls(faults.cut_request) {
        let mut server = TcpStream::connect(upstream).await?;
        server.write_all(&request[..request.len() / 2]).await?;
        None
    } else if falls(faults.cut_answer) {
        let answer = ask(upstream, &request).await?;
        Some(answer[..answer.len() / 2].to_vec())
    } else if falls(faults.repeat) {
        ask(upstream, &request).await?;
        Some(ask(upstream, &request).await?)
    } else if falls(faults.race) {
        let (one, other) = tokio::join!(ask(upstream, &request), ask(upstream, &request));
        Some(one.or(other)?)
    } else if falls(faults.delay) {
        tokio::time::sleep(Duration::from_millis(rng.random_range(0..300))).await;
        Some(ask(upstream, &request).await?)
    } else {
        counts.passed.fetch_add(1, Ordering::Relaxed);
        let answer = ask(upstream, &request).await?;
        client.write_all(&answer).await?;
        return client.shutdown().await;
    };
    counts.faults.fetch_add(1, Ordering::Relaxed);
    if let Some(answer) = fault {
        client.write_all(&answer).await?;
        client.shutdown().await?;
    }
    Ok(())
}

/// Sends a request on a connection of its own and reads the answer.
async fn ask(upstream: SocketAddr, request: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut server = TcpStream::connect(upstream).await?;
    server.write_all(request).await?;
    read_message(&mut server).await
}

/// Reads one HTTP/1.1 message with a Content-Length (or no body). The connection is
/// told to close in both directions, so that keep-alive can't mix requests up.
async fn read_message(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(8 << 10);
    let mut chunk = [0; 16 << 10];
    let (head, length) = loop {
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let header = |name: &str| {
                head.lines()
                    .filter_map(|line| line.split_once(':'))
                    .find(|(key, _)| key.eq_ignore_ascii_case(name))
                    .map(|(_, value)| value.trim().to_owned())
            };
            let length = header("content-length")
                .and_then(|v| v.parse().ok())
                .unwrap_or(0_usize);
            break (end + 4, length);
        }
        let read = stream.read(&mut chunk).await?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        bytes.extend_from_slice(&chunk[..read]);
    };
    while bytes.len() < head + length {
        let read = stream.read(&mut chunk).await?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        bytes.extend_from_slice(&chunk[..read]);
    }
    let mut message = bytes[..head - 2].to_vec();
    message.extend_from_slice(b"connection: close\r\n\r\n");
    message.extend_from_slice(&bytes[head..head + length]);
    Ok(message)
}
