//! A server that takes what people say, and does what it is told to.

#![allow(unreachable_pub, reason = "a test's module")]

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use parking_lot::Mutex;
use serde_json::json;
use snag_wire::{
    AppRules, Code, FeedbackAnswer, FeedbackSubmission, Organisation, PolicyAnswer, Problem,
    Replies, Reply, ScreenshotAnswer, SyncRules,
};
use uuid::Uuid;

pub const TOKEN: &str = "device-token";

/// The status of an answer that isn't the server's own.
pub const PROXY: u16 = 403;

#[derive(Default, Clone)]
pub struct Seen {
    pub words: Vec<Vec<u8>>,
    pub pictures: Vec<(Uuid, Vec<u8>)>,
    pub forgotten: bool,
}

pub struct Shared {
    pub statuses: Mutex<VecDeque<u16>>,
    pub policy: Mutex<PolicyAnswer>,
    pub replies: Mutex<Vec<Reply>>,
    pub seen: Mutex<Seen>,
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
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub fn policy() -> PolicyAnswer {
    PolicyAnswer {
        version: 1,
        organisation: Organisation {
            id: Uuid::from_u128(7),
            name: "Example".into(),
            contact: "it@example.com".into(),
        },
        k: 5,
        label_key: "ab".repeat(32),
        apps: AppRules::Deny(vec!["bank".into()]),
        label_rules: Vec::new(),
        wanted_labels: Vec::new(),
        thresholds: BTreeMap::new(),
        sync: SyncRules::default(),
        retention: None,
        next_seq: 1,
    }
}

impl Server {
    pub async fn start() -> Self {
        let shared = Arc::new(Shared {
            statuses: Mutex::default(),
            policy: Mutex::new(policy()),
            replies: Mutex::default(),
            seen: Mutex::default(),
        });
        let router = Router::new()
            .route(
                "/v1/policy",
                get(|State(shared): State<Arc<Shared>>| async move {
                    Json(shared.policy.lock().clone())
                }),
            )
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
            .with_state(Arc::clone(&shared));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            shared,
            address,
            task,
        }
    }

    pub fn address(&self) -> String {
        format!("http://{}", self.address)
    }
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
        Some(status) => {
            let problem = Problem {
                r#type: "about:blank".into(),
                title: String::new(),
                status,
                code: Code::Conflict,
                detail: "what the server says".into(),
                field: None,
            };
            (
                StatusCode::from_u16(status).unwrap(),
                [("retry-after", "0")],
                Json(problem),
            )
                .into_response()
        }
    }
}

async fn picture(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
    body: Bytes,
) -> impl IntoResponse {
    assert!(is_device(&headers) && headers["content-type"] == "image/webp");
    let size_bytes = body.len() as u64;
    shared.seen.lock().pictures.push((id, body.to_vec()));
    let answer = ScreenshotAnswer {
        sha256: String::new(),
        size_bytes,
        width: 1,
        height: 1,
    };
    (StatusCode::CREATED, Json(answer))
}

async fn replies(State(shared): State<Arc<Shared>>) -> Json<Replies> {
    let items = shared.replies.lock().clone();
    let next_after = format!("after-{}", items.len());
    Json(Replies { items, next_after })
}
