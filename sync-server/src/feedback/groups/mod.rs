//! Duplicates: items that may be the same are proposed as a group, with a score and the
//! reason. Merging them is a person's act.
//!
//! ```text
//! GET /v1/feedback/groups → params (strict) → load (the newest open items of the period)
//!   → cluster (by screen: words, friction; by program: friction) → JSON
//! ```
//!
//! **Invariants:** nothing is changed here. A request looks at a bounded number of items
//! and says so where there are more. No reason holds a word that one person alone wrote.

mod cluster;
mod load;
mod words;

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::get;
use axum::{Json, Router};
use http::Uri;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use snag_wire::Code;
use snag_wire::limits::{LABEL_CHARS_MAX, NAME_CHARS_MAX};
use utoipa::{IntoParams, OpenApi, ToSchema};
use uuid::Uuid;

use self::cluster::{Group, Item, Reason};
use crate::auth::Viewer;
use crate::{ApiError, AppState, params};

const DAY_MS: i64 = 86_400_000;
const DEFAULT_DAYS: i64 = 30;
const SPAN_DAYS_MAX: i64 = 400;
const DEFAULT_LIMIT: usize = 20;
const LIMIT_MAX: usize = 100;
/// Members whose ids a group names, the newest first.
const NAMED_MAX: usize = 100;

/// The routes of groups.
pub(super) fn router() -> Router<Arc<AppState>> {
    Router::new()
        .route("/v1/feedback/groups", get(groups))
        .route("/v1/feedback/{id}/similar", get(similar))
}

/// The routes' part of the OpenAPI document.
#[derive(OpenApi)]
#[openapi(paths(groups, similar))]
pub(crate) struct Routes;

/// Why items are put together.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SameBecause {
    /// `text`: they say the same about the same screen. `friction`: they come after the
    /// same friction on the same screen. `friction_of_app`: they come after the same
    /// friction, of two kinds or more, on several screens of one program.
    rule: &'static str,
    /// Of `text`: words (their stems) that most of them have and at least two people
    /// wrote.
    shared_words: Vec<String>,
    /// Of the other two: the kinds of friction, in order.
    friction: Vec<String>,
}

impl From<&Reason> for SameBecause {
    fn from(reason: &Reason) -> Self {
        match reason {
            Reason::Text(words) => Self {
                rule: "text",
                shared_words: words.clone(),
                friction: Vec::new(),
            },
            Reason::Friction(signature) => Self::friction("friction", signature),
            Reason::FrictionOfApp(signature) => Self::friction("friction_of_app", signature),
        }
    }
}

impl SameBecause {
    fn friction(rule: &'static str, signature: &str) -> Self {
        Self {
            rule,
            shared_words: Vec::new(),
            friction: signature.split(',').map(str::to_owned).collect(),
        }
    }
}

/// Items that may be the same.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProposedGroup {
    /// The same as long as the oldest item and the rule are.
    id: String,
    /// How alike they are, 0 to 1.
    score: f64,
    /// Why they are put together.
    reason: SameBecause,
    /// The program that they are about.
    app: String,
    /// The screen that they are about; null where they are about several.
    screen: Option<String>,
    /// How many they are.
    size: usize,
    /// When the oldest was written.
    first_at: Timestamp,
    /// When the newest was written.
    last_at: Timestamp,
    /// The oldest: what the others could be merged into.
    into: Uuid,
    /// The newest of them, at most 100.
    items: Vec<Uuid>,
}

/// Proposed groups.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProposedGroups {
    /// The groups.
    items: Vec<ProposedGroup>,
    /// Ask with this for the next; null where these are the last.
    next_cursor: Option<String>,
    /// Items that were compared: the newest of the period that are neither merged nor
    /// archived nor spam.
    compared: usize,
    /// Whether there are more in the period than are compared at once: a shorter period
    /// or a screen reaches them.
    more: bool,
}

/// An item that is like another.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SimilarItem {
    /// The item.
    id: Uuid,
    /// How alike they are, 0 to 1.
    score: f64,
    /// Why it is proposed.
    reason: SameBecause,
    /// When it was written.
    at: Timestamp,
}

/// Items that are like another.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SimilarItems {
    /// The items, the most alike first.
    items: Vec<SimilarItem>,
    /// Items of the same screen that were compared, the newest.
    compared: usize,
}

/// What groups take.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read by the document alone")]
pub(crate) struct GroupsParams {
    /// The first moment that counts: RFC 3339 or a date in UTC. 30 days before `to` unless
    /// given.
    from: Option<String>,
    /// The first moment that doesn't count any more. A day from now unless given.
    to: Option<String>,
    /// Only this product.
    #[param(min_length = 1, max_length = 64)]
    product: Option<String>,
    /// Only this program.
    #[param(min_length = 1, max_length = 64)]
    app: Option<String>,
    /// Only this screen: as it was submitted.
    #[param(min_length = 1, max_length = 200)]
    screen: Option<String>,
    /// `size` (the largest first) unless given, or `recent` (the newest first).
    #[param(inline)]
    sort: Option<GroupSort>,
    /// Groups wanted at most; 20 unless given.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before, with all other parameters as they were.
    #[param(pattern = "^[0-9]{1,20}-[0-9]{1,20}-[0-9a-f]{32}$")]
    cursor: Option<String>,
}

/// What groups are sorted by.
#[derive(Deserialize, ToSchema, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum GroupSort {
    /// The largest first.
    Size,
    /// The newest first.
    Recent,
}

/// What is asked, checked.
pub(super) struct Asked {
    from_ms: i64,
    to_ms: i64,
    filters: Vec<(&'static str, String)>,
}

/// Items that may be the same, as groups.
///
/// Items are put together that say the same about the same screen, whatever the wording
/// and the typing errors, or that come after the same friction there; with a lower score
/// also those that come after the same run of several kinds of friction on several screens
/// of one program, which may be in a group of their screen, too. Nothing is changed:
/// merging is `POST /v1/feedback/{id}/merge`.
#[utoipa::path(
    get,
    path = "/v1/feedback/groups",
    tag = "feedback",
    params(GroupsParams),
    responses(
        (status = 200, body = ProposedGroups),
        (status = 400),
        (status = 401),
        (status = 403),
    ),
    security(("viewer" = []))
)]
pub(crate) async fn groups(
    State(state): State<Arc<AppState>>,
    Viewer(actor): Viewer,
    uri: Uri,
) -> Result<Json<ProposedGroups>, ApiError> {
    let names = [
        "from", "to", "product", "app", "screen", "sort", "limit", "cursor",
    ];
    let given = params::read(&uri, &names)?;
    let to_ms = params::moment_ms(&given, "to")?;
    let to_ms = to_ms.unwrap_or(state.now().as_millisecond() + DAY_MS);
    let from_ms = params::moment_ms(&given, "from")?;
    let from_ms = from_ms.unwrap_or((to_ms - DEFAULT_DAYS * DAY_MS).max(0));
    if from_ms >= to_ms || to_ms - from_ms > SPAN_DAYS_MAX * DAY_MS {
        let detail = format!(
            "It has to lie before `to` (a day from now where not given), at most {SPAN_DAYS_MAX} days."
        );
        return Err(ApiError::invalid_parameter("from", detail));
    }
    let mut filters = Vec::new();
    for (name, chars_max) in [
        ("product", NAME_CHARS_MAX),
        ("app", NAME_CHARS_MAX),
        ("screen", LABEL_CHARS_MAX),
    ] {
        if let Some(value) = params::text(&given, name, chars_max)? {
            filters.push((name, value));
        }
    }
    let sorts = [("size", GroupSort::Size), ("recent", GroupSort::Recent)];
    let sort = params::word(&given, "sort", &sorts)?.unwrap_or(GroupSort::Size);
    let limit = params::count(&given, "limit", LIMIT_MAX)?.unwrap_or(DEFAULT_LIMIT);
    let cursor = given.get("cursor").map(|text| cursor(text)).transpose()?;
    let asked = Asked {
        from_ms,
        to_ms,
        filters,
    };
    let (items, more) = load::open(&state, &actor.org, &asked).await?;
    let found = tokio::task::spawn_blocking(move || {
        let found = cluster::groups(&items);
        let mut found: Vec<(Rank, Group)> = found
            .into_iter()
            .map(|group| (Rank::new(&items, &group, sort), group))
            .collect();
        found.sort_by(|a, b| b.0.cmp(&a.0));
        (items, found)
    });
    let (items, mut found) = found.await.map_err(|error| ApiError::internal(&error))?;
    if let Some(cursor) = cursor {
        found.retain(|(rank, _)| *rank < cursor);
    }
    let next_cursor = (found.len() > limit).then(|| found[limit - 1].0.to_string());
    found.truncate(limit);
    Ok(Json(ProposedGroups {
        items: found
            .iter()
            .map(|(rank, group)| proposed(&items, rank, group))
            .collect(),
        next_cursor,
        compared: items.len(),
        more,
    }))
}

/// A group's place among the others: the highest comes first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    first: u64,
    second: u64,
    id: String,
}

impl Rank {
    fn new(items: &[Item], group: &Group, sort: GroupSort) -> Self {
        let newest = group.members.last().map_or(0, |&m| items[m].at_ms);
        let (size, newest) = (group.members.len() as u64, newest.unsigned_abs());
        let (first, second) = match sort {
            GroupSort::Size => (size, newest),
            GroupSort::Recent => (newest, size),
        };
        let oldest = group.members.first().map_or(Uuid::nil(), |&m| items[m].id);
        let mut hash = Sha256::new();
        hash.update(oldest.as_bytes());
        match &group.reason {
            Reason::Text(_) => {}
            Reason::Friction(signature) => hash.update(signature),
            Reason::FrictionOfApp(signature) => hash.update(format!("of app: {signature}")),
        }
        Self {
            first,
            second,
            id: hex::encode(&hash.finalize()[..16]),
        }
    }
}

impl std::fmt::Display for Rank {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}-{}", self.first, self.second, self.id)
    }
}

fn cursor(text: &str) -> Result<Rank, ApiError> {
    let read = || {
        let mut parts = text.split('-');
        let mut number = || {
            let part = parts.next()?;
            part.bytes()
                .all(|b| b.is_ascii_digit())
                .then(|| part.parse().ok())?
        };
        let (first, second) = (number()?, number()?);
        let id = parts.next()?.to_owned();
        let hexadecimal = id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit());
        (hexadecimal && parts.next().is_none()).then_some(Rank { first, second, id })
    };
    read().ok_or_else(|| {
        let detail = "It takes the next_cursor of the page before, with all other parameters as \
                      they were.";
        ApiError::invalid_parameter("cursor", detail)
    })
}

fn stamp(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn rounded(score: f64) -> f64 {
    (score * 1_000.0).round() / 1_000.0
}

fn proposed(items: &[Item], rank: &Rank, group: &Group) -> ProposedGroup {
    let oldest = &items[group.members[0]];
    let newest = group
        .members
        .last()
        .map_or(oldest, |&member| &items[member]);
    ProposedGroup {
        id: rank.id.clone(),
        score: rounded(group.score),
        reason: (&group.reason).into(),
        app: oldest.app.clone(),
        screen: match group.reason {
            Reason::FrictionOfApp(_) => None,
            Reason::Text(_) | Reason::Friction(_) => Some(oldest.screen.clone()),
        },
        size: group.members.len(),
        first_at: stamp(oldest.at_ms),
        last_at: stamp(newest.at_ms),
        into: oldest.id,
        items: group
            .members
            .iter()
            .rev()
            .take(NAMED_MAX)
            .map(|&member| items[member].id)
            .collect(),
    }
}

/// What similar items take.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read by the document alone")]
pub(crate) struct SimilarParams {
    /// Items wanted at most; 20 unless given.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
}

/// Items that may be the same as this one.
#[utoipa::path(
    get,
    path = "/v1/feedback/{id}/similar",
    tag = "feedback",
    params(("id" = Uuid, Path, description = "The item"), SimilarParams),
    responses(
        (status = 200, body = SimilarItems),
        (status = 400),
        (status = 401),
        (status = 403),
        (status = 404),
    ),
    security(("viewer" = []))
)]
pub(crate) async fn similar(
    State(state): State<Arc<AppState>>,
    Viewer(actor): Viewer,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Json<SimilarItems>, ApiError> {
    let given = params::read(&uri, &["limit"])?;
    let limit = params::count(&given, "limit", LIMIT_MAX)?.unwrap_or(DEFAULT_LIMIT);
    let unknown = || ApiError::new(Code::NotFound, "There is no such feedback.");
    let id: Uuid = id.parse().map_err(|_| unknown())?;
    let item = load::one(&state, &actor.org, id)
        .await?
        .ok_or_else(unknown)?;
    let others = load::beside(&state, &actor.org, &item).await?;
    let compared = others.len();
    let mut items: Vec<SimilarItem> = others
        .iter()
        .filter_map(|other| {
            let (alike, _) = words::similarity(&item.words, &other.words);
            let (score, reason) = if alike >= cluster::ALIKE {
                let pair = [item.clone(), other.clone()];
                (alike, cluster::shared(&pair))
            } else if !item.signature.is_empty() && item.signature == other.signature {
                let score = cluster::signature_score(&item.signature);
                (score, Reason::Friction(item.signature.clone()))
            } else {
                return None;
            };
            Some(SimilarItem {
                id: other.id,
                score: rounded(score),
                reason: (&reason).into(),
                at: stamp(other.at_ms),
            })
        })
        .collect();
    items.sort_by(|a, b| {
        let by_score = b.score.total_cmp(&a.score);
        by_score.then(b.at.cmp(&a.at)).then(a.id.cmp(&b.id))
    });
    items.truncate(limit);
    Ok(Json(SimilarItems { items, compared }))
}
