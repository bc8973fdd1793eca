//! `GET /v1/policy`: what an organisation decided for its devices.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use sha2::{Digest, Sha256};
use snag_wire::{Organisation, PolicyAnswer, Retention};
use uuid::Uuid;

use crate::auth::DeviceAuth;
use crate::labels::Wanted;
use crate::orgs::Org;
use crate::{ApiError, AppState};

/// The policy's version: rises when the organisation changes it and when a label
/// becomes shared or known. Both parts only grow, and both come from ClickHouse, so
/// that servers behind one balancer say the same.
#[must_use]
pub fn version(org: &Org, wanted: &Wanted) -> u64 {
    (org.policy_version << 32) | wanted.revision.min(u64::from(u32::MAX))
}

/// The policy of `org` for `device`.
///
/// # Errors
/// The warehouse's.
pub async fn answer(state: &AppState, org: &Org, device: Uuid) -> Result<PolicyAnswer, ApiError> {
    let wanted = state.labels.wanted(state, org).await?;
    let next_seq = state.commits.next_seq(&org.key, device).await?;
    Ok(PolicyAnswer {
        version: version(org, &wanted),
        organisation: Organisation {
            id: org.id,
            name: org.name.clone(),
            contact: org.contact.clone(),
        },
        k: org.k,
        label_key: hex::encode(org.label_key),
        apps: org.policy.apps.clone(),
        label_rules: org.policy.label_rules.clone(),
        wanted_labels: wanted.hashes.clone(),
        thresholds: org.policy.thresholds.clone(),
        sync: org.policy.sync.clone(),
        retention: Some(Retention {
            events_days: org.policy.retention.events_days,
            feedback_days: org.policy.retention.feedback_days,
            screenshots_days: org.policy.retention.screenshots_days,
        }),
        next_seq,
    })
}

/// The policy in force for the device. `ETag` and `If-None-Match` work as usual.
///
/// # Errors
/// 401, 403, 503.
#[utoipa::path(
    get,
    path = "/v1/policy",
    tag = "devices",
    responses(
        (status = 200, body = PolicyAnswer),
        (status = 304, description = "Nothing changed since the ETag in If-None-Match"),
        (status = 401),
        (status = 403),
    ),
    security(("device" = []))
)]
pub async fn get(
    State(state): State<Arc<AppState>>,
    auth: DeviceAuth,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let policy = answer(&state, &auth.org, auth.device).await?;
    let etag = etag(&policy)?;
    let known = headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|known| {
            let known = known.trim();
            known == "*" || known.strip_prefix("W/").unwrap_or(known) == etag
        });
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Json(policy).into_response()
    };
    let value = HeaderValue::from_str(&etag).map_err(|error| ApiError::internal(&error))?;
    response.headers_mut().insert(header::ETAG, value);
    let private = HeaderValue::from_static("private, no-cache");
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, private);
    Ok(response)
}

/// A hash over all but `next_seq`, which rises with every batch and which a device
/// reads from the batch's answer: it alone is no reason to send the policy again.
fn etag(policy: &PolicyAnswer) -> Result<String, ApiError> {
    let mut steady = policy.clone();
    steady.next_seq = 0;
    let bytes = serde_json::to_vec(&steady).map_err(|error| ApiError::internal(&error))?;
    let digest = Sha256::digest(&bytes);
    Ok(format!("\"{}\"", hex::encode(&digest[..12])))
}
