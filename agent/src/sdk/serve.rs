//! Takes connections: a bounded number at once, and none that says nothing for long.
//!
//! Any program of this computer can connect, whoever runs it, before it is known whether it has the token. What it
//! holds open must not cost the rest of Snag its files.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Connections at once: more than the programs of one desktop, and a small part of the files a process may open.
const CONNECTIONS_MAX: usize = 64;

/// Longest time that a request's head may take to arrive, and that a connection may wait for its next one.
const HEAD_DEADLINE: Duration = Duration::from_secs(10);

/// How long it waits where no connection can be taken, for want of files for instance.
const ACCEPT_AGAIN: Duration = Duration::from_millis(200);

/// Runs until it is dropped, and its connections with it.
pub(super) async fn run(listener: TcpListener, router: Router) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::debug!(%error, "a program can't be connected to");
                tokio::time::sleep(ACCEPT_AGAIN).await;
                continue;
            }
        };
        let router = router.clone();
        connections.spawn(async move {
            answer(stream, router).await;
            drop(place);
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn answer(stream: TcpStream, router: Router) {
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_DEADLINE);
    let service = TowerToHyperService::new(router);
    let served = builder.serve_connection(TokioIo::new(stream), service);
    if let Err(error) = served.await {
        // The program went away, or took too long: its own matter.
        tracing::debug!(error, "a program's connection ended");
    }
}
