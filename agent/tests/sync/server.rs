//! A server that keeps the contract, except where it is told not to.

#![allow(unreachable_pub, reason = "a test's module")]

#[path = "../common/policy.rs"]
mod policies;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::Read;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, Version};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use flate2::read::GzDecoder;
use parking_lot::Mutex;
use snag_wire::{
    BatchAnswer, Code, EnrollAnswer, EventBatch, LabelHash, PolicyAnswer, Problem, Record,
    RecordError, SyncRules,
};
use uuid::Uuid;

pub const TOKEN: &str = "device-token";

/// What to do with one batch instead of the right thing.
#[derive(Clone, Debug)]
pub enum Fault {
    /// None at all, between others.
    Nothing,
    /// Takes the batch, then cuts the answer off.
    LoseAnswer,
    /// Answers this status with this `Retry-After`, and takes nothing.
    Status(u16, Option<String>),
    /// Takes the batch and answers this with 200.
    Garbage(&'static str),
    /// Takes the batch and answers counts that are not its own.
    WrongCounts,
    /// Takes the batch and answers after this long.
    Slow(Duration),
    /// Refuses the record with this number, by name.
    Reject(u64),
    /// 413 while there are more records than this.
    Larger(usize),
}

#[derive(Default)]
pub struct Seen {
    /// Every record that was taken, by `seq`, with the time it says.
    pub records: BTreeMap<u64, (i64, Record)>,
    /// When each request with a batch came and how many records it had.
    pub requests: Vec<(Instant, usize)>,
    pub batches: Vec<EventBatch>,
    pub versions: BTreeSet<String>,
    pub policies: Vec<Option<String>>,
    pub out_of_order: u64,
    pub highest: u64,
}

pub struct Shared {
    pub faults: Mutex<VecDeque<Fault>>,
    /// Applies to every batch, after `faults`.
    pub always: Mutex<Option<Fault>>,
    pub policy: Mutex<PolicyAnswer>,
    pub seen: Mutex<Seen>,
}

pub struct Server {
    pub shared: Arc<Shared>,
    pub address: SocketAddr,
    handle: axum_server::Handle<SocketAddr>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.handle.shutdown();
    }
}

pub fn policy(version: u64, wanted: Vec<LabelHash>) -> PolicyAnswer {
    PolicyAnswer {
        version,
        wanted_labels: wanted,
        sync: SyncRules {
            batch_age_ms: 200,
            batch_records: 50,
            policy_interval_ms: 900_000,
        },
        ..policies::ordinary()
    }
}

impl Server {
    pub async fn start(faults: impl IntoIterator<Item = Fault>) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), None, faults).await
    }

    pub async fn start_at(
        address: SocketAddr,
        tls: Option<axum_server::tls_rustls::RustlsConfig>,
        faults: impl IntoIterator<Item = Fault>,
    ) -> Self {
        let shared = Arc::new(Shared {
            faults: Mutex::new(faults.into_iter().collect()),
            always: Mutex::new(None),
            policy: Mutex::new(policy(1, Vec::new())),
            seen: Mutex::new(Seen::default()),
        });
        let router = Router::new()
            .route("/v1/events/batch", post(batch))
            .route("/v1/policy", get(get_policy))
            .route("/v1/enroll", post(enroll))
            .with_state(Arc::clone(&shared));
        let handle = axum_server::Handle::new();
        let listening = handle.clone();
        let service = router.into_make_service();
        match tls {
            Some(tls) => tokio::spawn(
                axum_server::bind_rustls(address, tls)
                    .handle(listening)
                    .serve(service),
            ),
            None => tokio::spawn(axum_server::bind(address).handle(listening).serve(service)),
        };
        let address = handle.listening().await.expect("the server listens");
        Self {
            shared,
            address,
            handle,
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn seqs(&self) -> Vec<u64> {
        self.shared.seen.lock().records.keys().copied().collect()
    }

    pub fn requests(&self) -> Vec<usize> {
        let seen = self.shared.seen.lock();
        seen.requests.iter().map(|(_, records)| *records).collect()
    }
}

fn problem(status: u16) -> Response {
    let body = Problem {
        r#type: "about:blank".into(),
        title: "No".into(),
        status,
        code: Code::InvalidBody,
        detail: "the test says so".into(),
        field: None,
    };
    let mut response = (StatusCode::from_u16(status).unwrap(), axum::Json(body)).into_response();
    response
        .headers_mut()
        .insert("content-type", "application/problem+json".parse().unwrap());
    response
}

async fn batch(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let version = request.version();
    let headers = request.headers().clone();
    if headers.get("authorization").unwrap() != &format!("Bearer {TOKEN}") {
        return problem(403);
    }
    assert_eq!(headers["content-encoding"], "gzip");
    assert_eq!(headers["content-type"], "application/json");
    let Ok(body) = axum::body::to_bytes(request.into_body(), 1 << 20).await else {
        return problem(413);
    };
    let mut json = Vec::new();
    GzDecoder::new(&body[..]).read_to_end(&mut json).unwrap();
    let batch: EventBatch = serde_json::from_slice(&json).unwrap();
    shared
        .seen
        .lock()
        .requests
        .push((Instant::now(), batch.records.len()));
    shared.seen.lock().versions.insert(name(version));
    let fault = match shared.faults.lock().pop_front() {
        None => shared.always.lock().clone(),
        fault => fault,
    };
    match fault {
        None | Some(Fault::Nothing) => axum::Json(take(&shared, batch, None)).into_response(),
        Some(Fault::Status(status, retry_after)) => {
            let mut response = problem(status);
            if let Some(value) = retry_after {
                response
                    .headers_mut()
                    .insert("retry-after", value.parse().unwrap());
            }
            response
        }
        Some(Fault::LoseAnswer) => {
            take(&shared, batch, None);
            let cut = futures_util::stream::iter([
                Ok(Bytes::from_static(b"{\"accepted\":")),
                Err(std::io::Error::other("cut")),
            ]);
            Body::from_stream(cut).into_response()
        }
        Some(Fault::Garbage(text)) => {
            take(&shared, batch, None);
            text.into_response()
        }
        Some(Fault::WrongCounts) => {
            let mut answer = take(&shared, batch, None);
            answer.accepted += 1;
            axum::Json(answer).into_response()
        }
        Some(Fault::Slow(delay)) => {
            let answer = take(&shared, batch, None);
            tokio::time::sleep(delay).await;
            axum::Json(answer).into_response()
        }
        Some(Fault::Reject(seq)) => axum::Json(take(&shared, batch, Some(seq))).into_response(),
        Some(Fault::Larger(max)) if batch.records.len() > max => problem(413),
        Some(Fault::Larger(_)) => axum::Json(take(&shared, batch, None)).into_response(),
    }
}

fn name(version: Version) -> String {
    format!("{version:?}")
}

/// What a right server does: it keeps what is above the highest number it has.
fn take(shared: &Shared, batch: EventBatch, reject: Option<u64>) -> BatchAnswer {
    let mut seen = shared.seen.lock();
    let mut answer = BatchAnswer {
        accepted: 0,
        duplicates: 0,
        rejected: 0,
        errors: Vec::new(),
        next_seq: 0,
        policy_version: shared.policy.lock().version,
    };
    let base_ms = batch.base_at.as_millisecond();
    let highest = seen.highest;
    for record in &batch.records {
        let seq = record.seq();
        if reject == Some(seq) {
            answer.rejected += 1;
            answer.errors.push(RecordError {
                seq: Some(seq),
                code: "out_of_range".into(),
                message: "the test says so".into(),
            });
        } else if seq <= highest {
            answer.duplicates += 1;
            if !seen.records.contains_key(&seq) {
                seen.out_of_order += 1;
            }
        } else {
            answer.accepted += 1;
            let t_ms = match record {
                Record::Event(r) => r.t_ms,
                Record::Session(r) => r.t_ms,
                Record::Screen(r) => r.t_ms,
                Record::Incident(r) => r.t_ms,
                Record::Label(r) => r.t_ms,
            };
            seen.records.insert(seq, (base_ms + t_ms, record.clone()));
        }
        seen.highest = seen.highest.max(seq);
    }
    answer.next_seq = seen.highest + 1;
    seen.batches.push(batch);
    answer
}

async fn get_policy(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    let asked = headers
        .get("if-none-match")
        .map(|value| value.to_str().unwrap().to_owned());
    shared.seen.lock().policies.push(asked.clone());
    let policy = shared.policy.lock().clone();
    let etag = format!("\"{}\"", policy.version);
    if asked.as_ref() == Some(&etag) {
        return StatusCode::NOT_MODIFIED.into_response();
    }
    ([("etag", etag)], axum::Json(policy)).into_response()
}

async fn enroll(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let request: snag_wire::EnrollRequest = serde_json::from_slice(&body).unwrap();
    if request.token != "right" {
        return problem(401);
    }
    axum::Json(EnrollAnswer {
        device: Uuid::from_u128(1),
        device_token: TOKEN.into(),
        policy: shared.policy.lock().clone(),
    })
    .into_response()
}
