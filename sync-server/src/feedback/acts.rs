//! What the desk does with items: one by one and many at once.

use std::collections::HashSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::{HeaderMap, header};
use serde::{Deserialize, Deserializer, Serialize};
use snag_wire::Code;
use utoipa::ToSchema;
use uuid::Uuid;

use super::filter::ASSIGNEE_CHARS_MAX;
use super::item_id::ItemId;
use super::store::{self, Act, Change, Outcome, Status, TAGS_MAX};
use super::{item, thread, validate};
use crate::asked::Asked;
use crate::auth::{Actor, Analyst};
use crate::{ApiError, AppState};

/// Items that one request may change.
const BULK_MAX: usize = 1_000;

/// The id of an address. What is none can't exist.
pub(super) fn item_id(text: &str) -> Result<Uuid, ApiError> {
    text.parse().map_err(|_| no_such_item())
}

pub(super) fn no_such_item() -> ApiError {
    ApiError::new(Code::NotFound, "There is no such item.")
}

/// What to change of an item. What is left out stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangeRequest {
    /// Where it stands.
    #[serde(default, deserialize_with = "present")]
    status: Option<Status>,
    /// Whether somebody has read it.
    #[serde(default, deserialize_with = "present")]
    read: Option<bool>,
    /// Whether it is put away.
    #[serde(default, deserialize_with = "present")]
    archived: Option<bool>,
    /// Who looks after it: 1 to 128 characters; null for nobody.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 128)]
    assignee: Option<Option<String>>,
    /// All of its tags: at most 50, each of 1 to 40 characters and without a space at its
    /// ends.
    #[serde(default, deserialize_with = "present")]
    #[schema(max_items = 50)]
    tags: Option<Vec<String>>,
    /// Tags it gets. With those that it has they are at most 50.
    #[serde(default)]
    #[schema(max_items = 50)]
    add_tags: Vec<String>,
    /// Tags it loses.
    #[serde(default)]
    #[schema(max_items = 50)]
    remove_tags: Vec<String>,
}

/// A field that is there: null is then a value like others, not an absent field.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

impl ChangeRequest {
    fn checked(self) -> Result<Change, ApiError> {
        let wrong = |field: &str, detail: &str| {
            Err(ApiError::invalid_body(detail.to_owned()).with_field(field))
        };
        if let Some(Some(assignee)) = &self.assignee {
            let chars = assignee.chars().count();
            if assignee.trim().is_empty()
                || chars > ASSIGNEE_CHARS_MAX
                || assignee.chars().any(char::is_control)
            {
                return wrong(
                    "assignee",
                    "It takes 1 to 128 characters without control characters, or null for nobody.",
                );
            }
            if assignee == "none" {
                return wrong("assignee", "`none` stands for nobody: send null.");
            }
        }
        let lists = [
            ("tags", self.tags.as_deref().unwrap_or_default()),
            ("add_tags", &self.add_tags),
            ("remove_tags", &self.remove_tags),
        ];
        for (field, tags) in lists {
            if tags.len() > TAGS_MAX {
                return wrong(field, "It takes at most 50 tags.");
            }
            // What was stored with a space at its end can still be taken away.
            let bare = |tag| match field {
                "remove_tags" => str::trim(tag),
                _ => tag,
            };
            if let Some(fault) = tags.iter().find_map(|tag| validate::tag_fault(bare(tag))) {
                return wrong(field, fault);
            }
        }
        let mut seen = HashSet::new();
        let tags = self.tags.map(|tags| {
            tags.into_iter()
                .filter(|tag| seen.insert(tag.clone()))
                .collect()
        });
        let change = Change {
            status: self.status,
            read: self.read,
            archived: self.archived,
            assignee: self.assignee,
            tags,
            add_tags: self.add_tags,
            remove_tags: self.remove_tags,
            screenshot: None,
            merged_into: None,
        };
        Ok(change)
    }
}

/// The version that a change is made for, where the client says one.
fn expected(headers: &HeaderMap) -> Result<Option<u64>, ApiError> {
    let Some(value) = headers.get(header::IF_MATCH) else {
        return Ok(None);
    };
    let version = value
        .to_str()
        .ok()
        .map(|text| text.trim().trim_matches('"'))
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|text| text.parse().ok());
    version.map(Some).ok_or_else(|| {
        let detail = "It takes the item's version in quotes: the ETag of its last answer.";
        ApiError::invalid_parameter("If-Match", detail)
    })
}

/// Does an act on one item, and answers what it is then.
pub(super) async fn act_on_one(
    state: &Arc<AppState>,
    act: Act,
    actor: &Actor,
) -> Result<(HeaderMap, Json<item::Whole>), ApiError> {
    let Some(id) = act.ids.first().copied() else {
        return Err(no_such_item());
    };
    let mut outcomes = store::submit(state, actor.org.id, &actor.org.key, act).await?;
    match outcomes.pop() {
        Some((_, Outcome::Changed(_) | Outcome::Unchanged(_))) => {
            item::whole(state, &actor.org.key, id).await
        }
        Some((_, Outcome::Conflict(now))) => Err(ApiError::new(
            Code::Conflict,
            format!(
                "The item was changed meanwhile; its version is {}. Read it again.",
                now.version
            ),
        )),
        Some((_, Outcome::Refused(why))) => Err(ApiError::new(
            Code::Conflict,
            format!("It can't be done: {why}."),
        )),
        Some((_, Outcome::NotFound)) | None => Err(no_such_item()),
    }
}

/// Changes an item: status, read, archived, assignee, tags. With `If-Match`, only where
/// the item has that version.
#[utoipa::path(patch, path = "/v1/feedback/{id}", tag = "feedback",
    params(("id" = Uuid, Path, description = "The item"),
        ("If-Match" = Option<String>, Header, description = "The item's version in quotes",
            pattern = "^\"[0-9]{1,19}\"$")),
    request_body = ChangeRequest,
    responses((status = 200, body = item::Whole), (status = 400), (status = 401), (status = 403),
        (status = 404), (status = 409), (status = 413)),
    security(("analyst" = [])))]
pub(crate) async fn patch(
    State(state): State<Arc<AppState>>,
    Analyst(actor): Analyst,
    ItemId(id): ItemId,
    headers: HeaderMap,
    Asked(request): Asked<ChangeRequest>,
) -> Result<(HeaderMap, Json<item::Whole>), ApiError> {
    let act = Act {
        actor: Some(actor.clone()),
        action: "feedback.update",
        ids: vec![id],
        change: request.checked()?,
        post: None,
        expected: expected(&headers)?,
    };
    act_on_one(&state, act, &actor).await
}

/// An act on many items. At least one of `change`, `note`, `reply`, `merge_into` and
/// `unmerge`; one of the last four at most.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BulkRequest {
    /// The items: 1 to 1,000, each counts once.
    #[schema(min_items = 1, max_items = 1000)]
    ids: Vec<Uuid>,
    /// What to change of each.
    #[serde(default)]
    change: Option<ChangeRequest>,
    /// A note for the thread of each.
    #[serde(default)]
    note: Option<String>,
    /// A reply to the person behind each.
    #[serde(default)]
    reply: Option<String>,
    /// The item that each becomes a duplicate of.
    #[serde(default)]
    merge_into: Option<Uuid>,
    /// Whether to undo the merge of each.
    #[serde(default)]
    unmerge: bool,
}

/// What became of each item.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BulkAnswer {
    /// How many were changed.
    changed: usize,
    /// In the order of the request.
    results: Vec<BulkResult>,
}

/// What became of one item.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BulkResult {
    /// The item.
    id: Uuid,
    /// What became of it.
    outcome: BulkOutcome,
    /// Its version now; null where there is no such item.
    version: Option<u64>,
    /// Why it was refused.
    reason: Option<String>,
}

/// What becomes of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BulkOutcome {
    /// It was changed.
    Changed,
    /// It was like that already.
    Unchanged,
    /// There is no such item.
    NotFound,
    /// It can't be merged so, or would have too many tags.
    Refused,
}

/// Acts on up to 1,000 items at once, and says what became of each. Where every item is
/// refused, the answer is 409 with the first one's reason.
#[utoipa::path(post, path = "/v1/feedback/bulk", tag = "feedback", request_body = BulkRequest,
    responses((status = 200, body = BulkAnswer), (status = 400), (status = 401), (status = 403),
        (status = 409), (status = 413)),
    security(("analyst" = [])))]
pub(crate) async fn bulk(
    State(state): State<Arc<AppState>>,
    Analyst(actor): Analyst,
    Asked(request): Asked<BulkRequest>,
) -> Result<Json<BulkAnswer>, ApiError> {
    let mut seen = HashSet::new();
    let mut ids = request.ids;
    ids.retain(|id| seen.insert(*id));
    if ids.is_empty() || ids.len() > BULK_MAX {
        let detail = format!("It takes 1 to {BULK_MAX} ids.");
        return Err(ApiError::invalid_body(detail).with_field("ids"));
    }
    let further = [
        request.note.is_some(),
        request.reply.is_some(),
        request.merge_into.is_some(),
        request.unmerge,
    ];
    let further = further.into_iter().filter(|given| *given).count();
    if further > 1 || (further == 0 && request.change.is_none()) {
        return Err(ApiError::invalid_body(
            "It takes `change`, or one of `note`, `reply`, `merge_into` and `unmerge`, or both.",
        ));
    }
    let mut change = request.change.unwrap_or_default().checked()?;
    let mut action = "feedback.update";
    let mut post = None;
    let entry = |kind, text: &str, field: &str| {
        let text = thread::checked_text(text).map_err(|error| error.with_field(field))?;
        let id = None;
        Ok::<_, ApiError>(Some(thread::Post { id, kind, text }))
    };
    if let Some(text) = &request.note {
        (action, post) = ("feedback.note", entry(thread::Kind::Note, text, "note")?);
    } else if let Some(text) = &request.reply {
        (action, post) = ("feedback.reply", entry(thread::Kind::Reply, text, "reply")?);
    } else if let Some(into) = request.merge_into {
        (action, change.merged_into) = ("feedback.merge", Some(Some(into)));
    } else if request.unmerge {
        (action, change.merged_into) = ("feedback.unmerge", Some(None));
    }
    let org = Arc::clone(&actor.org);
    let act = Act {
        actor: Some(actor),
        action,
        ids,
        change,
        post,
        expected: None,
    };
    let outcomes = store::submit(&state, org.id, &org.key, act).await?;
    let mut refused = outcomes.iter().map(|(_, outcome)| match outcome {
        Outcome::Refused(why) => Some(*why),
        _ => None,
    });
    if let Some(Some(why)) = refused.next()
        && refused.all(|why| why.is_some())
    {
        let detail = format!("No item was changed: {why}.");
        return Err(ApiError::new(Code::Conflict, detail));
    }
    let results: Vec<BulkResult> = outcomes
        .into_iter()
        .map(|(id, outcome)| {
            let (outcome, version, reason) = match outcome {
                Outcome::Changed(now) => (BulkOutcome::Changed, Some(now.version), None),
                Outcome::Unchanged(now) | Outcome::Conflict(now) => {
                    (BulkOutcome::Unchanged, Some(now.version), None)
                }
                Outcome::NotFound => (BulkOutcome::NotFound, None, None),
                Outcome::Refused(why) => (BulkOutcome::Refused, None, Some(why.to_owned())),
            };
            BulkResult {
                id,
                outcome,
                version,
                reason,
            }
        })
        .collect();
    let changed = results
        .iter()
        .filter(|result| result.outcome == BulkOutcome::Changed)
        .count();
    Ok(Json(BulkAnswer { changed, results }))
}
