//! ClickHouse's HTTP interface over the warehouse, so that ordinary clients work:
//! the official crates and packages, `curl`, and whatever else speaks it.
//!
//! # What is the same as ClickHouse's own
//! The query in URL or body, `param_*`, settings, formats, `database`, compression both
//! ways, streamed answers, exceptions with code and status before and in the middle of an
//! answer, `GET` that only reads, `/ping` and `/replicas_status`, sessions that keep
//! settings and the database.
//!
//! # What is not
//! Sessions keep no temporary tables and no transactions, external tables in a form are
//! not taken, `role` and `quota_key` have no meaning, inserts are never asynchronous, and
//! there are no progress headers: each is refused in words, or without consequence.
//!
//! # Who may do what
//! A [`Gate`] decides for each request. [`SingleUser`] gives all that the engine can do to
//! one user, its files and network included, so that it belongs on a loopback port of its
//! own and never beside the API.

mod access;
mod decode;
mod encode;
mod exception;
mod form;
mod format;
mod handler;
mod head;
mod lex;
mod native;
mod params;
mod reply;
mod session;
mod statement;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use axum::serve::ListenerExt as _;
use http::{HeaderValue, Response, header};
use snag_warehouse::{Query, Warehouse};
use tokio::net::TcpListener;
use tokio::sync::OnceCell;

pub use self::access::{Access, Credentials, Gate, Scope, SingleUser, Verdict};
use self::session::Sessions;

/// The front: a warehouse, who may use it, and what it calls itself.
#[derive(Clone)]
pub struct SqlFront {
    inner: Arc<Inner>,
}

struct Inner {
    warehouse: Warehouse,
    gate: Arc<dyn Gate>,
    display_name: HeaderValue,
    sessions: Sessions,
    facts: OnceCell<Facts>,
}

/// What the engine says of itself, asked once.
#[derive(Clone)]
struct Facts {
    version: String,
    timezone: HeaderValue,
}

impl SqlFront {
    /// A front over `warehouse` for those whom `gate` admits.
    pub fn new(warehouse: Warehouse, gate: impl Gate) -> Self {
        Self {
            inner: Arc::new(Inner {
                warehouse,
                gate: Arc::new(gate),
                display_name: HeaderValue::from_static("snag"),
                sessions: Sessions::default(),
                facts: OnceCell::new(),
            }),
        }
    }

    /// Version and time zone; unknown ones are not kept, so that they are asked for again.
    async fn facts(&self) -> Facts {
        let ask = || async {
            let query = Query::read("SELECT version(), timezone()");
            let answer = self.inner.warehouse.select(query).await.map_err(drop)?;
            Facts::parse(&answer).ok_or(())
        };
        match self.inner.facts.get_or_try_init(ask).await {
            Ok(facts) => facts.clone(),
            Err(()) => Facts {
                version: snag_warehouse::ENGINE_VERSION.to_owned(),
                timezone: HeaderValue::from_static("UTC"),
            },
        }
    }
}

impl Facts {
    fn parse(answer: &[u8]) -> Option<Self> {
        let (version, timezone) = std::str::from_utf8(answer)
            .ok()?
            .trim_end()
            .split_once('\t')?;
        Some(Self {
            version: version.to_owned(),
            timezone: timezone.parse().ok()?,
        })
    }
}

/// The routes of the front: `/`, `/ping`, `/replicas_status`.
pub fn router(front: SqlFront) -> Router {
    Router::new()
        .route("/ping", get(ok))
        .route("/replicas_status", get(ok))
        .fallback(handler::handle)
        .with_state(front)
}

async fn ok(State(front): State<SqlFront>) -> Response<axum::body::Body> {
    let mut response = Response::new(axum::body::Body::from("Ok.\n"));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=UTF-8"),
    );
    headers.insert(
        "x-clickhouse-server-display-name",
        front.inner.display_name.clone(),
    );
    response
}

/// How long queries may go on when the front is to stop.
const STOP_AFTER: Duration = Duration::from_secs(20);

/// Serves the front on a listener of its own until `stop` is ready; what has begun by then
/// may finish within twenty seconds.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    front: SqlFront,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    // Answers are often small, and must not wait for more to be sent with them.
    let listener = listener.tap_io(|io| drop(io.set_nodelay(true)));
    let (stopping, stopped) = tokio::sync::oneshot::channel();
    let stop = async move {
        stop.await;
        let _ = stopping.send(());
    };
    let too_long = async move {
        if stopped.await.is_err() {
            return std::future::pending().await;
        }
        tokio::time::sleep(STOP_AFTER).await;
    };
    let serving = axum::serve(listener, router(front)).with_graceful_shutdown(stop);
    tokio::select! {
        outcome = serving => outcome,
        () = too_long => Ok(()),
    }
}
