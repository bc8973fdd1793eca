//! Incidents as they are found, told without telling whose.
//!
//! What devices find is gathered for [`EVERY`] and told by kind, program and screen. An
//! event says that something happened now, and whoever sits next to a colleague could tell
//! whose it was: so an incident is told only where at least k people had one of the same
//! kind at the same place within a day. The others are in the insights, once k people stand
//! behind them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::json;
use snag_warehouse::{Query, WarehouseError};
use uuid::Uuid;

use super::{Event, Kind};
use crate::orgs::Org;
use crate::{AppState, db};

/// How long incidents gather.
const EVERY: Duration = Duration::from_millis(500);
/// Places that gather; what is found elsewhere meanwhile isn't told.
const PLACES_MAX: usize = 10_000;

/// Where what kind of incident happened.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Found {
    /// The kind.
    pub kind: &'static str,
    /// The program.
    pub app: String,
    /// The screen's hash.
    pub screen: String,
}

type OfOrg = (Arc<Org>, HashMap<Found, u64>);

/// Incidents that gather for the next event, by organisation.
#[derive(Default)]
pub struct Gathering(Mutex<HashMap<Uuid, OfOrg>>);

/// Notes incidents that are stored.
pub fn note(state: &Arc<AppState>, org: &Arc<Org>, found: Vec<Found>) {
    if found.is_empty() {
        return;
    }
    let first = {
        let mut gathering = state.live.gathering.0.lock();
        let first = gathering.is_empty();
        let (_, places) = gathering
            .entry(org.id)
            .or_insert_with(|| (Arc::clone(org), HashMap::new()));
        for place in found {
            if places.len() < PLACES_MAX || places.contains_key(&place) {
                *places.entry(place).or_default() += 1;
            }
        }
        first
    };
    if first {
        let state = Arc::clone(state);
        tokio::spawn(async move {
            tokio::time::sleep(EVERY).await;
            let gathered = std::mem::take(&mut *state.live.gathering.0.lock());
            for (org, places) in gathered.into_values() {
                if let Err(error) = tell(&state, &org, places).await {
                    tracing::warn!(%error, "incidents were not told");
                }
            }
        });
    }
}

async fn tell(
    state: &AppState,
    org: &Org,
    places: HashMap<Found, u64>,
) -> Result<(), WarehouseError> {
    #[derive(Deserialize)]
    struct Shared {
        kind: String,
        app: String,
        screen: String,
    }
    let sql = "SELECT kind, app, screen FROM incidents_by_hour \
               WHERE org = {org:String} AND hour >= toDateTime({since:Int64}, 'UTC') \
               GROUP BY kind, app, screen \
               HAVING length(groupUniqArrayArray(people)) >= {k:UInt32}";
    let query = Query::read(sql)
        .param("org", &org.key)
        .param("since", state.now().as_second() - 86_400)
        .param("k", org.k);
    let shared: Vec<Shared> = db::rows(&state.warehouse, query).await?;
    let texts = state.labels.texts(state, org).await?;
    for (place, incidents) in places {
        let told = shared.iter().any(|shared| {
            (shared.kind.as_str(), &shared.app, &shared.screen)
                == (place.kind, &place.app, &place.screen)
        });
        if told {
            let label = texts.get_hex(&place.screen);
            state.live.publish(Event {
                org: org.id,
                kind: Kind::IncidentDetected,
                data: json!({
                    "incident": place.kind,
                    "app": place.app,
                    "screen": place.screen,
                    "screen_label": label,
                    "incidents": incidents,
                }),
            });
        }
    }
    Ok(())
}
