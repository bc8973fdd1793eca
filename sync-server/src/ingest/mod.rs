//! `POST /v1/events/batch`: from bytes to rows that ClickHouse has.
//!
//! [`body`](crate::body) reads and unpacks within limits, [`parse`] reads JSON, [`validate`]
//! accepts or rejects each record, [`commit`] gathers what arrives together into
//! blocks ([`block`]), drops what is stored already ([`marks`]) and answers.

pub mod block;
pub mod commit;
pub mod drops;
pub mod marks;
pub mod parse;
pub mod rows;
pub mod validate;

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use snag_wire::{BatchAnswer, EventBatch};

use crate::auth::DeviceAuth;
use crate::metrics::{Outcome, RecordLabels, StatusLabels};
use crate::{ApiError, AppState, body, live, policy};

/// Stores a batch of records of one device. Answered once ClickHouse has them; may
/// be sent again at any time.
///
/// # Errors
/// 400, 401, 403, 408, 413, 415, 503.
#[utoipa::path(
    post,
    path = "/v1/events/batch",
    tag = "devices",
    request_body(content = EventBatch, description = "gzip or identity"),
    responses(
        (status = 200, body = BatchAnswer),
        (status = 400),
        (status = 401),
        (status = 403),
        (status = 408),
        (status = 413),
        (status = 415),
        (status = 507),
    ),
    security(("device" = []))
)]
pub async fn post(
    State(state): State<Arc<AppState>>,
    auth: Result<DeviceAuth, ApiError>,
    request: Request,
) -> Response {
    let started = Instant::now();
    let answer = match auth {
        Ok(auth) => store(&state, &auth, request).await,
        Err(error) => Err(error),
    };
    let response = match answer {
        Ok(answer) => Json(answer).into_response(),
        Err(error) => error.into_response(),
    };
    let status = response.status().as_u16();
    state
        .metrics
        .batches
        .get_or_create(&StatusLabels { status })
        .inc();
    state
        .metrics
        .ack_seconds
        .observe(started.elapsed().as_secs_f64());
    response
}

async fn store(
    state: &Arc<AppState>,
    auth: &DeviceAuth,
    request: Request,
) -> Result<BatchAnswer, ApiError> {
    let packed = body::read(request, state.settings.body_timeout, body::Takes::GZIP).await?;
    state
        .metrics
        .received_bytes
        .inc_by(packed.bytes.len() as u64);
    let received_at = state.now();
    let mut batch = if packed.bytes.len() > body::LARGE_BYTES {
        // Long enough to hold up others on this thread.
        let auth = auth.clone();
        let metrics = Arc::clone(&state.metrics);
        tokio::task::spawn_blocking(move || read_batch(&packed, &auth, received_at, &metrics))
            .await
            .map_err(|error| ApiError::internal(&error))??
    } else {
        read_batch(&packed, auth, received_at, &state.metrics)?
    };
    batch.admit_labels(state, &auth.org).await?;
    drops::note(state, auth, &batch.drops).await?;

    let rejected = batch.errors.len() as u64;
    let found = found(&batch.rows);
    // What is stored is told, also where the client has hung up meanwhile: a batch that comes again tells nothing new.
    let telling = tokio::spawn({
        let (state, org, rows) = (Arc::clone(state), Arc::clone(&auth.org), batch.rows);
        async move {
            let committed = state.commits.submit(rows).await?;
            if committed.duplicates == 0 {
                live::incidents::note(&state, &org, found);
            }
            Ok::<_, ApiError>(committed)
        }
    });
    let told = telling.await.map_err(|error| ApiError::internal(&error))?;
    let committed = told?;
    let wanted = state.labels.wanted_lately(state, &auth.org).await?;

    let count = |outcome, reason, number| {
        state
            .metrics
            .records
            .get_or_create(&RecordLabels { outcome, reason })
            .inc_by(number);
    };
    count(Outcome::accepted, "", committed.accepted);
    count(Outcome::duplicate, "", committed.duplicates);
    for error in &batch.errors {
        count(Outcome::rejected, error.code.as_str(), 1);
    }
    Ok(BatchAnswer {
        accepted: committed.accepted,
        duplicates: committed.duplicates,
        rejected,
        errors: batch.errors.into_iter().map(Into::into).collect(),
        next_seq: committed.next_seq,
        policy_version: policy::version(&auth.org, &wanted),
    })
}

fn found(rows: &rows::BatchRows) -> Vec<live::incidents::Found> {
    let found = |row: &rows::Row<Box<snag_wire::IncidentRecord>>| {
        let place = rows.places.get(row.record.context as usize)?;
        Some(live::incidents::Found {
            kind: row.record.kind.as_str(),
            app: rows.apps.get(place.app as usize)?.clone(),
            screen: place.screen.to_string(),
        })
    };
    rows.incidents.iter().filter_map(found).collect()
}

fn read_batch(
    packed: &body::Packed,
    auth: &DeviceAuth,
    received_at: jiff::Timestamp,
    metrics: &crate::metrics::Metrics,
) -> Result<validate::Validated, ApiError> {
    body::with_unpacked(packed, |json| {
        metrics.decompressed_bytes.inc_by(json.len() as u64);
        validate::batch(json, auth, received_at)
    })
}
