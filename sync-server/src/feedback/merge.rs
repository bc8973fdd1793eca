//! Duplicates: items that a person merged into another.
//!
//! What is stored is what the person said: this item is a duplicate of that one. The
//! one that is a duplicate of none stands for the group; undoing one merge leaves the
//! others as they were. A merge that would close a circle is refused.

use std::collections::HashSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use snag_warehouse::{Query, WarehouseError};
use utoipa::ToSchema;
use uuid::Uuid;

use super::acts::act_on_one;
use super::item::Whole;
use super::item_id::ItemId;
use super::store::{self, Act, Change};
use crate::asked::Asked;
use crate::auth::Analyst;
use crate::{ApiError, AppState, db};

/// Items of a group that are listed.
const MEMBERS_MAX: usize = 1_000;

/// The items that say the same.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct Group {
    /// The item that stands for the others; this one, where it was merged into none.
    root: Uuid,
    /// The others: everything that was merged into the root, or into what was; at most
    /// 1,000. This item is not among them.
    members: Vec<Member>,
}

/// An item of a group.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Member {
    /// The item.
    id: Uuid,
    /// What it was merged into; null for the root.
    merged_into: Option<Uuid>,
}

/// The group of an item that is merged into `above`, if into anything.
pub(super) async fn group(
    state: &AppState,
    org: &str,
    id: Uuid,
    above: Option<Uuid>,
) -> Result<Group, WarehouseError> {
    #[derive(Deserialize)]
    struct Below {
        id: Uuid,
        merged_into: Uuid,
    }
    // Up to the root. What it was merged into may have been deleted since.
    let (mut root, mut next) = (id, above);
    let mut seen = HashSet::from([id]);
    while let Some(up) = next {
        let found = store::current(state, org, &[up]).await?;
        let Some(row) = found.get(&up).filter(|_| seen.insert(up)) else {
            break;
        };
        root = up;
        next = Some(row.merged_into).filter(|id| !id.is_nil());
    }
    // And down again, one level at a time.
    let mut members = Vec::new();
    if root != id {
        members.push(Member {
            id: root,
            merged_into: None,
        });
    }
    let mut reached = HashSet::from([root]);
    let mut level = vec![root];
    while !level.is_empty() && members.len() < MEMBERS_MAX {
        let sql = "SELECT id, merged_into FROM (SELECT newest, id, merged_into FROM feedback \
                   WHERE org = {org:String} AND (newest, id) IN (SELECT newest, id FROM feedback \
                   WHERE org = {org:String} AND merged_into IN {level:Array(UUID)}) \
                   ORDER BY newest, id, version DESC LIMIT 1 BY newest, id) \
                   WHERE merged_into IN {level:Array(UUID)} ORDER BY newest, id LIMIT {rows:UInt64}";
        let query = Query::read(sql)
            .param("org", org)
            .param_strings("level", level.iter().map(Uuid::to_string))
            .param("rows", MEMBERS_MAX - members.len());
        let rows: Vec<Below> = db::rows(&state.warehouse, query).await?;
        level.clear();
        for row in rows {
            if !reached.insert(row.id) {
                continue;
            }
            level.push(row.id);
            if row.id != id {
                members.push(Member {
                    id: row.id,
                    merged_into: Some(row.merged_into),
                });
            }
        }
    }
    Ok(Group { root, members })
}

/// What to merge an item into.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MergeRequest {
    /// The item that it is a duplicate of.
    into: Uuid,
}

/// Merges an item into another, of which it is a duplicate. 404 where either doesn't
/// exist; 409 where the other is this one, or is merged into it.
#[utoipa::path(post, path = "/v1/feedback/{id}/merge", tag = "feedback",
    params(("id" = Uuid, Path, description = "The duplicate")), request_body = MergeRequest,
    responses((status = 200, body = Whole), (status = 400), (status = 401), (status = 403),
        (status = 404), (status = 409), (status = 413)),
    security(("analyst" = [])))]
pub(crate) async fn post(
    State(state): State<Arc<AppState>>,
    Analyst(actor): Analyst,
    ItemId(id): ItemId,
    Asked(request): Asked<MergeRequest>,
) -> Result<(HeaderMap, Json<Whole>), ApiError> {
    if !store::current(&state, &actor.org.key, &[request.into])
        .await?
        .contains_key(&request.into)
    {
        let detail = "There is no such item to merge into.";
        return Err(ApiError::new(snag_wire::Code::NotFound, detail).with_field("into"));
    }
    let act = merging("feedback.merge", id, Some(request.into), actor.clone());
    act_on_one(&state, act, &actor).await
}

/// Undoes the merge of an item.
#[utoipa::path(delete, path = "/v1/feedback/{id}/merge", tag = "feedback",
    params(("id" = Uuid, Path, description = "The duplicate")),
    responses((status = 200, body = Whole), (status = 401), (status = 403), (status = 404)),
    security(("analyst" = [])))]
pub(crate) async fn delete(
    State(state): State<Arc<AppState>>,
    Analyst(actor): Analyst,
    ItemId(id): ItemId,
) -> Result<(HeaderMap, Json<Whole>), ApiError> {
    let act = merging("feedback.unmerge", id, None, actor.clone());
    act_on_one(&state, act, &actor).await
}

fn merging(action: &'static str, id: Uuid, into: Option<Uuid>, actor: crate::auth::Actor) -> Act {
    Act {
        actor: Some(actor),
        action,
        ids: vec![id],
        change: Change {
            merged_into: Some(into),
            ..Change::default()
        },
        post: None,
        expected: None,
    }
}
