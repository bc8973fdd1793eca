//! A server that takes what people say, and does what it is told to.

#![allow(unreachable_pub, reason = "a test's module")]

#[path = "../common/policy.rs"]
mod policies;

use std::collections::VecDeque;
use std::io::Read;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use parking_lot::Mutex;
use serde_json::json;
use snag_wire::{
    AppRules, BatchAnswer, Code, EventBatch, FeedbackAnswer, FeedbackSubmission, PolicyAnswer,
    Problem, Replies, Reply, ScreenshotAnswer,
};
use uuid::Uuid;

pub const TOKEN: &str = "device-token";

/// Stands for a 429 that asks to be left alone for an hour.
pub const MEASURE: u16 = 1429;

/// The status of an answer that isn't the server's own.
pub const PROXY: u16 = 403;

#[derive(Default, Clone)]
pub struct Seen {
    pub words: Vec<Vec<u8>>,
    pub pictures: Vec<(Uuid, Vec<u8>)>,
    pub forgotten: bool,
    /// Numbers of the records that were taken.
    pub records: Vec<u64>,
    /// Requests of any kind.
    pub requests: usize,
}

pub struct Shared {
    pub statuses: Mutex<VecDeque<u16>>,
    /// What every picture is answered with, as `everything` has it.
    pub pictures: Mutex<Option<(u16, bool)>>,
    pub policy: Mutex<PolicyAnswer>,
    pub replies: Mutex<Vec<Reply>>,
    pub seen: Mutex<Seen>,
    /// Whether it knows no token any more.
    pub knows_nobody: AtomicBool,
    /// What everything is answered with, in whose words: its own, or those of something on the way.
    pub everything: Mutex<Option<(u16, bool)>>,
}

impl Shared {
    /// What the next submissions are answered with.
    pub fn say(&self, statuses: impl IntoIterator<Item = u16>) {
        self.statuses.lock().extend(statuses);
    }
}

pub struct Server {
    pub shared: Arc<Shared>,
    address: SocketAddr,
    is_tls: bool,
    handle: axum_server::Handle<SocketAddr>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.handle.shutdown();
    }
}

pub fn policy() -> PolicyAnswer {
    PolicyAnswer {
        apps: AppRules::Deny(vec!["bank".into()]),
        ..policies::ordinary()
    }
}

impl Server {
    pub async fn start() -> Self {
        Self::with(None).await
    }

    pub async fn with(tls: Option<axum_server::tls_rustls::RustlsConfig>) -> Self {
        let shared = Arc::new(Shared {
            statuses: Mutex::default(),
            pictures: Mutex::default(),
            policy: Mutex::new(policy()),
            replies: Mutex::default(),
            seen: Mutex::default(),
            knows_nobody: AtomicBool::new(false),
            everything: Mutex::default(),
        });
        let router = Router::new()
            .route(
                "/v1/policy",
                get(|State(shared): State<Arc<Shared>>| async move {
                    Json(shared.policy.lock().clone())
                }),
            )
            .route("/v1/events/batch", post(batch))
            .route("/v1/feedback", post(words))
            .route("/v1/feedback/{id}/screenshot", put(picture))
            .route("/v1/feedback/replies", get(replies))
            .route(
                "/v1/audit/mine",
                get(|| async {
                    Json(json!({"items": [{
                        "id": Uuid::from_u128(3), "at": "2026-11-20T12:00:00Z", "actor": "user:ada",
                        "role": "analyst", "action": "feedback.open", "feedback": Uuid::from_u128(4)
                    }], "next_cursor": null}))
                }),
            )
            .route(
                "/v1/device/data",
                delete(|State(shared): State<Arc<Shared>>| async move {
                    shared.seen.lock().forgotten = true;
                    Json(json!({}))
                }),
            )
            .layer(middleware::from_fn_with_state(Arc::clone(&shared), door))
            .with_state(Arc::clone(&shared));
        let handle = axum_server::Handle::new();
        let listening = handle.clone();
        let any = "127.0.0.1:0".parse().unwrap();
        let service = router.into_make_service();
        let is_tls = tls.is_some();
        match tls {
            Some(tls) => tokio::spawn(
                axum_server::bind_rustls(any, tls)
                    .handle(listening)
                    .serve(service),
            ),
            None => tokio::spawn(axum_server::bind(any).handle(listening).serve(service)),
        };
        let address = handle.listening().await.expect("the server listens");
        Self {
            shared,
            address,
            is_tls,
            handle,
        }
    }

    pub fn address(&self) -> String {
        if self.is_tls {
            return format!("https://localhost:{}", self.address.port());
        }
        format!("http://{}", self.address)
    }
}

/// Counts who comes in, and keeps everybody out where nobody is known.
async fn door(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    shared.seen.lock().requests += 1;
    if shared.knows_nobody.load(Ordering::SeqCst) {
        return problem(401, Code::Unauthorized);
    }
    let everything = *shared.everything.lock();
    match everything {
        Some(told) => instead(told),
        None => next.run(request).await,
    }
}

/// What is answered instead, by the server or by something on the way.
fn instead((status, its_own): (u16, bool)) -> Response {
    if its_own {
        return problem(status, Code::Internal);
    }
    let status = StatusCode::from_u16(status).unwrap();
    (status, "<html>Sign in</html>").into_response()
}

fn problem(status: u16, code: Code) -> Response {
    let (status, wait) = match status {
        MEASURE => (429, "3600"),
        status => (status, "0"),
    };
    let problem = Problem {
        r#type: "about:blank".into(),
        title: String::new(),
        status,
        code,
        detail: "what the server says".into(),
        field: None,
    };
    (
        StatusCode::from_u16(status).unwrap(),
        [("retry-after", wait)],
        Json(problem),
    )
        .into_response()
}

async fn batch(State(shared): State<Arc<Shared>>, body: Bytes) -> Json<BatchAnswer> {
    let mut json = Vec::new();
    flate2::read::GzDecoder::new(&body[..])
        .read_to_end(&mut json)
        .unwrap();
    let batch: EventBatch = serde_json::from_slice(&json).unwrap();
    let seqs = batch.records.iter().map(snag_wire::Record::seq);
    let mut seen = shared.seen.lock();
    seen.records.extend(seqs);
    Json(BatchAnswer {
        accepted: batch.records.len() as u64,
        duplicates: 0,
        rejected: 0,
        errors: Vec::new(),
        next_seq: seen.records.iter().max().map_or(1, |last| last + 1),
        policy_version: shared.policy.lock().version,
    })
}

fn is_device(headers: &HeaderMap) -> bool {
    headers
        .get("authorization")
        .is_some_and(|value| value == &format!("Bearer {TOKEN}"))
}

async fn words(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    assert!(is_device(&headers));
    shared.seen.lock().words.push(body.to_vec());
    let status = shared.statuses.lock().pop_front();
    match status {
        None => {
            let submission: FeedbackSubmission = serde_json::from_slice(&body).unwrap();
            let answer = FeedbackAnswer {
                id: submission.id,
                duplicate: false,
            };
            (StatusCode::CREATED, Json(answer)).into_response()
        }
        // What a proxy says, which isn't the server.
        Some(PROXY) => (StatusCode::FORBIDDEN, "<html>Sign in</html>").into_response(),
        Some(status) => problem(status, Code::Conflict),
    }
}

async fn picture(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    assert!(is_device(&headers));
    let is_webp = body.get(8..12) == Some(b"WEBP".as_slice());
    let mime = if is_webp { "image/webp" } else { "image/jpeg" };
    assert_eq!(headers["content-type"], mime);
    let size_bytes = body.len() as u64;
    shared.seen.lock().pictures.push((id, body.to_vec()));
    let told = *shared.pictures.lock();
    if let Some(told) = told {
        return instead(told);
    }
    let answer = ScreenshotAnswer {
        sha256: String::new(),
        size_bytes,
        width: 1,
        height: 1,
    };
    (StatusCode::CREATED, Json(answer)).into_response()
}

async fn replies(State(shared): State<Arc<Shared>>) -> Json<Replies> {
    let items = shared.replies.lock().clone();
    let next_after = format!("after-{}", items.len());
    Json(Replies { items, next_after })
}
