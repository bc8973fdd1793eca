//! The desk's rows of `feedback`: whole rows, of which the highest version counts.
//!
//! **Invariants:** changes of this process are done one group after the other, so that
//! two acts at once lose nothing; a person's act is in the audit log before it is done;
//! and what is answered is durable. Of two servers that change the same item within the
//! same moment, the later row counts as a whole.

mod change;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::{Value, json};
use snag_warehouse::{Query, WarehouseError};
use tokio::sync::{Mutex as Gate, OwnedMutexGuard, oneshot};
use uuid::Uuid;

pub use self::change::{Change, Current, Status, TAGS_MAX};
use self::change::{changed_by, difference};
use super::export::Exports;
use super::thread;
use crate::auth::Actor;
use crate::{ApiError, AppState, audit, db, live};

/// Items that one group changes at most: their ids travel as parameters, which have to
/// fit into an address where ClickHouse is remote.
const GROUP_ITEMS_MAX: usize = 1_000;
/// Items that one insert changes at most, for the same reason.
const INSERT_ITEMS_MAX: usize = 200;

/// What became of one item.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// It was changed: what it is now.
    Changed(Current),
    /// It was like that already.
    Unchanged(Current),
    /// There is no such item in the organisation.
    NotFound,
    /// It has another version than the one that the change was made for.
    Conflict(Current),
    /// It can't be merged so, or would have too many tags; why.
    Refused(&'static str),
}

/// An act on items.
#[derive(Debug, Clone)]
pub struct Act {
    /// Who acts; `None` for the server itself, whose acts aren't logged.
    pub actor: Option<Actor>,
    /// `feedback.verb`.
    pub action: &'static str,
    /// The items; each once.
    pub ids: Vec<Uuid>,
    /// What to change.
    pub change: Change,
    /// What to add to the thread of each.
    pub post: Option<thread::Post>,
    /// Only where the item has this version.
    pub expected: Option<u64>,
}

struct Pending {
    org: Uuid,
    org_key: String,
    act: Act,
    answer: oneshot::Sender<Result<Vec<(Uuid, Outcome)>, ApiError>>,
}

/// Where acts wait for their turn.
#[derive(Default)]
pub struct Desk {
    pending: Mutex<Vec<Pending>>,
    gate: Arc<Gate<i64>>,
    /// The exports that run.
    pub(super) exports: Arc<Exports>,
}

impl Desk {
    /// Keeps every change of `feedback` by this process waiting while it is held: for
    /// whoever removes items, so that no change brings a removed row back.
    pub async fn exclusive(&self) -> OwnedMutexGuard<i64> {
        Arc::clone(&self.gate).lock_owned().await
    }
}

/// Changes items without a person's act (a screenshot arrived). `org` is the
/// organisation.
///
/// # Errors
/// The warehouse's, as 503 or 500; nothing may have changed then.
pub async fn update(
    state: &Arc<AppState>,
    org: &crate::orgs::Org,
    ids: Vec<Uuid>,
    change: Change,
) -> Result<Vec<(Uuid, Outcome)>, ApiError> {
    let act = Act {
        actor: None,
        action: "feedback.update",
        ids,
        change,
        post: None,
        expected: None,
    };
    submit(state, org.id, &org.key, act).await
}

/// Does an act. It is done even if the one who asked has gone.
///
/// # Errors
/// The warehouse's, as 503 or 500; nothing may have changed then.
pub async fn submit(
    state: &Arc<AppState>,
    org: Uuid,
    org_key: &str,
    act: Act,
) -> Result<Vec<(Uuid, Outcome)>, ApiError> {
    let (answer, answered) = oneshot::channel();
    state.desk.pending.lock().push(Pending {
        org,
        org_key: org_key.to_owned(),
        act,
        answer,
    });
    let state = Arc::clone(state);
    // Whoever gets the gate does everything that waits; the others find nothing left.
    tokio::spawn(async move {
        let mut last_ms = Arc::clone(&state.desk.gate).lock_owned().await;
        let mut waiting = std::mem::take(&mut *state.desk.pending.lock());
        while !waiting.is_empty() {
            let (group, rest) = next_group(waiting);
            waiting = rest;
            run(&state, group, &mut last_ms).await;
        }
    });
    let gone = || ApiError::unavailable("The change was not done. Try again.", 1);
    answered.await.map_err(|_| gone())?
}

/// The acts from the first on that can be done together: of one organisation, no item
/// twice, and a merge alone, because whether it may be depends on the merges before it.
fn next_group(waiting: Vec<Pending>) -> (Vec<Pending>, Vec<Pending>) {
    let (mut group, mut rest): (Vec<Pending>, Vec<Pending>) = (Vec::new(), Vec::new());
    let mut taken: HashSet<Uuid> = HashSet::new();
    let mut closed = false;
    for pending in waiting {
        let merge = pending.act.change.merged_into.is_some();
        let fits = !closed
            && group
                .first()
                .is_none_or(|first| first.org == pending.org && !merge)
            && pending.act.ids.iter().all(|id| !taken.contains(id))
            && (group.is_empty() || taken.len() + pending.act.ids.len() <= GROUP_ITEMS_MAX);
        if fits {
            closed = merge;
            taken.extend(&pending.act.ids);
            group.push(pending);
        } else {
            // What comes later may be about the same items: they keep their order.
            taken.extend(&pending.act.ids);
            rest.push(pending);
        }
    }
    (group, rest)
}

async fn run(state: &AppState, group: Vec<Pending>, last_ms: &mut i64) {
    match commit(state, &group, last_ms).await {
        Ok(outcomes) => {
            for (pending, outcomes) in group.into_iter().zip(outcomes) {
                publish(state, &pending, &outcomes);
                drop(pending.answer.send(Ok(outcomes)));
            }
        }
        Err(error) => {
            let error = ApiError::from(error);
            for pending in group {
                drop(pending.answer.send(Err(error.clone())));
            }
        }
    }
}

fn publish(state: &AppState, pending: &Pending, outcomes: &[(Uuid, Outcome)]) {
    let changed: Vec<Uuid> = outcomes
        .iter()
        .filter(|(_, outcome)| matches!(outcome, Outcome::Changed(_)))
        .map(|(id, _)| *id)
        .collect();
    if changed.is_empty() {
        return;
    }
    state.live.publish(live::Event {
        org: pending.org,
        kind: live::Kind::FeedbackChanged,
        data: json!({
            "ids": changed,
            "action": pending.act.action,
            "by": pending.act.actor.as_ref().map(|actor| actor.name.as_str()),
        }),
    });
}

async fn commit(
    state: &AppState,
    group: &[Pending],
    last_ms: &mut i64,
) -> Result<Vec<Vec<(Uuid, Outcome)>>, WarehouseError> {
    let org = group.first().map_or("", |pending| &pending.org_key);
    let ids: Vec<Uuid> = group.iter().flat_map(|p| p.act.ids.clone()).collect();
    let posted: Vec<Uuid> = group
        .iter()
        .filter(|pending| pending.act.post.is_some())
        .flat_map(|pending| pending.act.ids.clone())
        .collect();
    let (current, counts) = tokio::try_join!(
        current(state, org, &ids),
        thread::counts(state, org, &posted)
    )?;
    let refused = refused_merges(state, org, group, &current).await?;
    let now_ms = state.now().as_millisecond().max(*last_ms + 1);
    *last_ms = now_ms;
    let now = Timestamp::from_millisecond(now_ms).unwrap_or_else(|_| state.now());
    let posted_at = posting_moment(state, org, &posted, &current, now).await?;

    let mut outcomes = Vec::with_capacity(group.len());
    let (mut changed, mut posts) = (Vec::new(), Vec::new());
    for pending in group {
        let act = &pending.act;
        let mut acts = Vec::new();
        let mut of_act = Vec::with_capacity(act.ids.len());
        for id in &act.ids {
            let Some(before) = current.get(id) else {
                of_act.push((*id, Outcome::NotFound));
                continue;
            };
            if act
                .expected
                .is_some_and(|version| version != before.version)
            {
                of_act.push((*id, Outcome::Conflict(before.clone())));
                continue;
            }
            if let Some(why) = refused.get(id) {
                of_act.push((*id, Outcome::Refused(why)));
                continue;
            }
            let mut after = changed_by(before, &act.change);
            // One that has more from before may lose some of them.
            if after.tags.len() > TAGS_MAX.max(before.tags.len()) {
                of_act.push((*id, Outcome::Refused("an item has at most 50 tags")));
                continue;
            }
            let mut detail = difference(before, &after);
            if let Some(post) = &act.post {
                let (notes, replies) = counts.get(id).copied().unwrap_or_default();
                let note = post.kind == thread::Kind::Note;
                after.notes = notes + u32::from(note);
                after.replies = replies + u32::from(!note);
                let row = thread::Row::new(post, act.actor.as_ref(), before);
                detail.insert("entry".to_owned(), json!(row.id));
                posts.push(row);
            }
            if after == *before {
                of_act.push((*id, Outcome::Unchanged(after)));
                continue;
            }
            after.version = (before.version + 1).max(u64::try_from(now_ms).unwrap_or_default());
            acts.push((id.to_string(), Value::Object(detail)));
            changed.push(after.clone());
            of_act.push((*id, Outcome::Changed(after)));
        }
        if let Some(actor) = &act.actor {
            let acts: Vec<audit::Act<'_>> = acts
                .iter()
                .map(|(target, detail)| audit::Act {
                    action: act.action,
                    target,
                    detail: detail.clone(),
                })
                .collect();
            audit::log(&state.warehouse, actor, &acts, now).await?;
        }
        outcomes.push(of_act);
    }
    thread::insert(state, org, &posts, posted_at).await?;
    for part in changed.chunks(INSERT_ITEMS_MAX) {
        write(state, org, part, now).await?;
    }
    Ok(outcomes)
}

/// The moment that new entries in the threads of these items get.
///
/// A device asks for the replies after the last that it read, and keeps that place for
/// good. So each entry has to come after all that its device could have read, whichever
/// server wrote those: this one's clock may have been set back since it was restarted, and
/// another server's may be ahead. Giving a device once more what it read a while ago would
/// help as far as that while goes, no matter how wrong the clocks; the table knows better.
/// Not covered: two servers that reply to one device within the same milliseconds, with its
/// question between the two.
async fn posting_moment(
    state: &AppState,
    org: &str,
    posted: &[Uuid],
    current: &HashMap<Uuid, Current>,
    now: Timestamp,
) -> Result<Timestamp, WarehouseError> {
    let items = posted.iter().filter_map(|id| current.get(id));
    let devices: HashSet<Uuid> = items.map(|item| item.device).collect();
    let devices: Vec<Uuid> = devices.into_iter().collect();
    let before_ms = thread::newest_ms(state, org, &devices).await?;
    Ok(Timestamp::from_millisecond(before_ms + 1).map_or(now, |least| least.max(now)))
}

/// The current rows of `ids`, as far as they exist in the organisation.
///
/// # Errors
/// The warehouse's.
pub async fn current(
    state: &AppState,
    org: &str,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, Current>, WarehouseError> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let sql = "SELECT id, newest, version, device, status, read, archived, assignee, tags, \
               screenshot, merged_into, notes, replies FROM feedback \
               WHERE org = {org:String} AND id IN {ids:Array(UUID)} \
               ORDER BY newest, id, version DESC LIMIT 1 BY newest, id";
    let query = Query::read(sql)
        .param("org", org)
        .param_strings("ids", ids.iter().map(Uuid::to_string));
    let rows: Vec<Current> = db::rows(&state.warehouse, query).await?;
    Ok(rows.into_iter().map(|row| (row.id, row)).collect())
}

/// Which merges of the group may not be: into nothing, or in a circle.
async fn refused_merges(
    state: &AppState,
    org: &str,
    group: &[Pending],
    current_rows: &HashMap<Uuid, Current>,
) -> Result<HashMap<Uuid, &'static str>, WarehouseError> {
    let mut refused = HashMap::new();
    for act in group.iter().map(|pending| &pending.act) {
        let Some(Some(into)) = act.change.merged_into else {
            continue;
        };
        // Everything that `into` is itself merged into, up to the item that isn't.
        let mut above = vec![into];
        let mut exists = true;
        while let Some(last) = above.last().copied() {
            let found = current(state, org, &[last]).await?;
            let Some(row) = found.get(&last) else {
                exists = above.len() > 1;
                break;
            };
            if row.merged_into.is_nil() || above.contains(&row.merged_into) {
                break;
            }
            above.push(row.merged_into);
        }
        for id in act.ids.iter().filter(|id| current_rows.contains_key(id)) {
            if !exists {
                refused.insert(*id, "the item to merge into does not exist");
            } else if *id == into {
                refused.insert(*id, "an item can't be merged into itself");
            } else if above.contains(id) {
                refused.insert(*id, "the other item is merged into this one already");
            }
        }
    }
    Ok(refused)
}

/// What an insert takes from the row before, and what from the change.
const CHANGE: &str = "INSERT INTO feedback (org, newest, id, version, product, device, at, \
    received_at, category, description, language, rating, polarity_micro, sentiment, tags, app, \
    screen, url, session, os, screen_resolution, viewport_size, agent_version, segment, \
    friction_signature, screenshot, status, read, archived, assignee, notes, replies, \
    merged_into, changed_at, words) \
    SELECT org, newest, id, new.version, product, device, at, received_at, category, \
    description, language, rating, polarity_micro, sentiment, new.tags, app, screen, url, \
    session, os, screen_resolution, viewport_size, agent_version, segment, friction_signature, \
    new.screenshot, new.status, new.read, new.archived, new.assignee, new.notes, new.replies, \
    new.merged_into, fromUnixTimestamp64Milli({now:Int64}, 'UTC'), words \
    FROM (SELECT * FROM feedback WHERE org = {org:String} AND newest IN {newest:Array(UInt64)} \
    AND id IN {ids:Array(UUID)} ORDER BY newest, id, version DESC LIMIT 1 BY newest, id) AS old \
    INNER JOIN (SELECT * FROM format(JSONEachRow, 'id UUID, version UInt64, tags Array(String), \
    screenshot String, status String, read UInt8, archived UInt8, assignee String, \
    notes UInt32, replies UInt32, merged_into UUID', {changes:String})) AS new ON old.id = new.id";

async fn write(
    state: &AppState,
    org: &str,
    changed: &[Current],
    now: Timestamp,
) -> Result<(), WarehouseError> {
    let mut changes = String::new();
    for row in changed {
        let line = json!({
            "id": row.id, "version": row.version, "tags": row.tags,
            "screenshot": row.screenshot, "status": row.status, "read": row.read,
            "archived": row.archived, "assignee": row.assignee, "notes": row.notes,
            "replies": row.replies, "merged_into": row.merged_into,
        });
        changes.push_str(&line.to_string());
        changes.push('\n');
    }
    let places: Vec<String> = changed.iter().map(|row| row.newest.to_string()).collect();
    let insert = Query::new(CHANGE)
        .param("org", org)
        .param("now", now.as_millisecond())
        .param("newest", format!("[{}]", places.join(",")))
        .param_strings("ids", changed.iter().map(|row| row.id.to_string()))
        .param("changes", changes);
    state.warehouse.execute(insert).await
}
