//! Labels: which hashes are shared, which texts are known.
//!
//! **Invariant:** a text is stored only where at least k people share its hash, or a
//! rule of the organisation makes it readable; and it is the text that gives the hash.
//! What is known here may lag behind ClickHouse, but sharing only grows, so that a
//! stale answer refuses a text and never lets one in.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use parking_lot::Mutex;
use serde::Deserialize;
use sha2::Sha256;
use snag_warehouse::{Query, Warehouse, WarehouseError};
use snag_wire::{LabelAction, LabelHash};
use tokio::time::Instant;
use uuid::Uuid;

use crate::orgs::Org;
use crate::{AppState, db};

/// How soon a refused label may make the server look again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Rests between two looks are at least so many times as long as a look took: counting
/// the people behind every label of a large organisation must not keep a core busy.
const REST_FACTOR: u32 = 20;

/// What devices are asked for.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Hashes that at least k people share and whose text is unknown, most shared first.
    pub hashes: Vec<LabelHash>,
    /// Rises with every hash that becomes shared or known.
    pub revision: u64,
}

/// What is known of one organisation's labels.
struct Known {
    shared: HashSet<LabelHash>,
    texts: HashMap<LabelHash, Arc<str>>,
    wanted: Arc<Wanted>,
    read_at: Instant,
    /// How long reading it took.
    took: Duration,
}

impl Known {
    /// How old it may be before it is read anew.
    fn age_max(&self, refresh: Duration) -> Duration {
        match refresh {
            // Tests look each time.
            Duration::ZERO => refresh,
            refresh => refresh.max(self.took * REST_FACTOR),
        }
    }
}

/// Labels by organisation.
#[derive(Default)]
pub struct Labels {
    orgs: Mutex<HashMap<Uuid, Arc<Known>>>,
    /// One reader at a time: the others wait for what it reads.
    reading: tokio::sync::Mutex<()>,
}

/// The hash of a normalised label under an organisation's key: the first 8 bytes of
/// HMAC-SHA-256 over the text alone, as the agent's core makes it.
#[must_use]
pub fn hash(key: &[u8; 32], text: &str) -> LabelHash {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        unreachable!("HMAC takes a key of any length");
    };
    mac.update(text.as_bytes());
    let digest = mac.finalize().into_bytes();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    LabelHash(first)
}

impl Labels {
    /// What devices of `org` are asked for.
    ///
    /// # Errors
    /// The warehouse's.
    pub async fn wanted(&self, state: &AppState, org: &Org) -> Result<Arc<Wanted>, WarehouseError> {
        let known = self.known(state, org, None).await?;
        Ok(Arc::clone(&known.wanted))
    }

    /// What devices of `org` are asked for, as far as it is known: an answer to a batch
    /// doesn't wait for it to be read anew, that happens behind it.
    ///
    /// # Errors
    /// The warehouse's, where nothing is known yet.
    pub async fn wanted_lately(
        &self,
        state: &Arc<AppState>,
        org: &Arc<Org>,
    ) -> Result<Arc<Wanted>, WarehouseError> {
        let Some(known) = self.lately(org.id) else {
            return self.wanted(state, org).await;
        };
        if known.read_at.elapsed() >= known.age_max(state.settings.label_refresh)
            && self.reading.try_lock().is_ok()
        {
            let (state, org) = (Arc::clone(state), Arc::clone(org));
            tokio::spawn(async move {
                if let Err(error) = state.labels.wanted(&state, &org).await {
                    tracing::warn!(code = ?error.code, %error, "can't read which labels are shared");
                }
            });
        }
        Ok(Arc::clone(&known.wanted))
    }

    /// The text of a label, where it is known.
    ///
    /// # Errors
    /// The warehouse's.
    pub async fn text(
        &self,
        state: &AppState,
        org: &Org,
        hash: LabelHash,
    ) -> Result<Option<Arc<str>>, WarehouseError> {
        let known = self.known(state, org, None).await?;
        Ok(known.texts.get(&hash).cloned())
    }

    /// The texts of all known labels of `org`, by hash.
    ///
    /// # Errors
    /// The warehouse's.
    pub async fn texts(&self, state: &AppState, org: &Org) -> Result<Texts, WarehouseError> {
        let known = self.known(state, org, None).await?;
        Ok(Texts(known))
    }

    /// Whether the text of this label may be stored. The caller has checked that it
    /// gives the hash.
    ///
    /// # Errors
    /// The warehouse's.
    pub async fn may_store(
        &self,
        state: &AppState,
        org: &Org,
        app: &str,
        text: &str,
        hash: LabelHash,
    ) -> Result<bool, WarehouseError> {
        match org.label_action(app, text) {
            Some(LabelAction::Readable) => return Ok(true),
            Some(LabelAction::Never) => return Ok(false),
            None => {}
        }
        let known = self.known(state, org, None).await?;
        if known.shared.contains(&hash) {
            return Ok(true);
        }
        // Another server may have seen it become shared and have asked for it.
        let known = self.known(state, org, Some(LOOK_AGAIN)).await?;
        Ok(known.shared.contains(&hash))
    }

    /// What is known, at most so old; as old as [`Known::age_max`] allows by default.
    async fn known(
        &self,
        state: &AppState,
        org: &Org,
        age_max: Option<Duration>,
    ) -> Result<Arc<Known>, WarehouseError> {
        let fresh = || {
            self.lately(org.id).filter(|known| {
                let age_max = age_max.unwrap_or(known.age_max(state.settings.label_refresh));
                known.read_at.elapsed() < age_max
            })
        };
        if let Some(known) = fresh() {
            return Ok(known);
        }
        let _reading = self.reading.lock().await;
        if let Some(known) = fresh() {
            return Ok(known);
        }
        let known = read(&state.warehouse, org, state.settings.wanted_labels_max).await?;
        let known = Arc::new(known);
        self.orgs.lock().insert(org.id, Arc::clone(&known));
        Ok(known)
    }

    /// Forgets what is known of an organisation: after a person was forgotten, fewer may
    /// share a label than before.
    pub fn forget(&self, org: Uuid) {
        self.orgs.lock().remove(&org);
    }

    fn lately(&self, org: Uuid) -> Option<Arc<Known>> {
        self.orgs.lock().get(&org).map(Arc::clone)
    }
}

/// A snapshot of the known texts of one organisation.
pub struct Texts(Arc<Known>);

impl Texts {
    /// The text behind a hash, where it is known.
    #[must_use]
    pub fn get(&self, hash: LabelHash) -> Option<&str> {
        self.0.texts.get(&hash).map(AsRef::as_ref)
    }

    /// The text behind a hash as ClickHouse has it (16 hexadecimal digits).
    #[must_use]
    pub fn get_hex(&self, hash: &str) -> Option<&str> {
        self.get(hash.parse().ok()?)
    }

    /// Every known label.
    pub fn iter(&self) -> impl Iterator<Item = (LabelHash, &str)> {
        self.0
            .texts
            .iter()
            .map(|(hash, text)| (*hash, text.as_ref()))
    }
}

async fn read(
    warehouse: &Warehouse,
    org: &Org,
    wanted_max: usize,
) -> Result<Known, WarehouseError> {
    #[derive(Deserialize)]
    struct Shared {
        hash: String,
    }
    #[derive(Deserialize)]
    struct Text {
        hash: String,
        text: String,
    }
    let read_at = Instant::now();
    let sql = "SELECT hash FROM labels_seen WHERE org = {org:String} GROUP BY hash \
               HAVING uniqMerge(people) >= {k:UInt32} ORDER BY uniqMerge(people) DESC, hash";
    let query = Query::read(sql).param("org", &org.key).param("k", org.k);
    let shared: Vec<Shared> = db::rows(warehouse, query).await?;
    let sql = "SELECT hash, argMax(text, received_at) AS text FROM labels \
               WHERE org = {org:String} GROUP BY hash";
    let texts: Vec<Text> = db::rows(warehouse, Query::read(sql).param("org", &org.key)).await?;
    let texts: HashMap<LabelHash, Arc<str>> = texts
        .into_iter()
        .filter_map(|row| Some((row.hash.parse().ok()?, row.text.into())))
        .collect();
    let ordered: Vec<LabelHash> = shared
        .iter()
        .filter_map(|row| row.hash.parse().ok())
        .collect();
    // Nobody has a text for a screen without a title.
    let untitled = hash(&org.label_key, "");
    let hashes = ordered
        .iter()
        .filter(|hash| !texts.contains_key(hash) && **hash != untitled)
        .take(wanted_max)
        .copied()
        .collect();
    let revision = (ordered.len() + texts.len()) as u64;
    Ok(Known {
        shared: ordered.into_iter().collect(),
        wanted: Arc::new(Wanted { hashes, revision }),
        texts,
        read_at,
        took: read_at.elapsed(),
    })
}
