//! What every route shares.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::Mutex;
use snag_warehouse::{Warehouse, WarehouseError};
use uuid::Uuid;

use crate::auth::TokenCache;
use crate::feedback::commit::Submissions;
use crate::feedback::screenshots::Screenshots;
use crate::ingest::commit::{self, CommitQueue};
use crate::labels::Labels;
use crate::metrics::{Metrics, WarehouseLabels};
use crate::objects::Objects;
use crate::orgs::OrgCache;

/// The wall clock, passed in so that tests can set it.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What the operator may set; each default has its reason.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Longest that a block waits for the devices of the block before, which have just
    /// been answered, to send again.
    pub group_wait: Duration,
    /// Rows in one block.
    pub group_rows: usize,
    /// Rows that may wait for the committer before batches are answered with 503.
    pub queue_rows: usize,
    /// How long a batch's body may take to arrive.
    pub body_timeout: Duration,
    /// How old the knowledge of which labels are shared may be.
    pub label_refresh: Duration,
    /// Where screenshots are.
    pub objects: Objects,
    /// Whether `X-Forwarded-For` is believed: only behind a proxy that writes it.
    pub trust_proxy: bool,
    /// How many hashes the policy asks for at once.
    pub wanted_labels_max: usize,
    /// Below which free space what is refused.
    pub disk_floors: crate::disk::Floors,
    /// Whether browsers reach the server by TLS, here or at a proxy: cookies are `Secure`.
    pub secure_cookies: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            // A tenth of what an insert takes: the way of an answer and of the next batch.
            group_wait: Duration::from_millis(20),
            group_rows: 100_000,
            // Half a million rows are some 100 MB and less than a second of inserts.
            queue_rows: 500_000,
            body_timeout: Duration::from_secs(20),
            label_refresh: Duration::from_secs(1),
            objects: Objects::in_memory(),
            trust_proxy: false,
            wanted_labels_max: 1_000,
            disk_floors: crate::disk::Floors::default(),
            secure_cookies: false,
        }
    }
}

/// What every route shares.
pub struct AppState {
    /// ClickHouse.
    pub warehouse: Warehouse,
    /// Tokens.
    pub tokens: TokenCache,
    /// Accounts: sessions, lock-out, the hashing of passwords.
    pub accounts: crate::accounts::Accounts,
    /// Organisations.
    pub orgs: OrgCache,
    /// Labels: which are shared, which texts are known.
    pub labels: Labels,
    /// What insights are answered from.
    pub insights: crate::insights::Store,
    /// What the disk still takes.
    pub disk: Arc<crate::disk::Guard>,
    /// Where acts of the desk wait for their turn.
    pub desk: crate::feedback::store::Desk,
    /// What happens, told to whoever listens.
    pub live: Arc<crate::live::Hub>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Where validated batches wait for their block.
    pub commits: CommitQueue,
    /// Where checked submissions wait to be stored.
    pub submissions: Submissions,
    /// Where screenshots are.
    pub objects: Objects,
    /// What requests for screenshots share.
    pub screenshots: Screenshots,
    /// What the operator set.
    pub settings: Settings,
    /// Read-locked for each write to a table that rollups are made of, and locked whole
    /// while a rollup is rebuilt, so that a rebuild sees no insert half done.
    pub write_gate: Arc<tokio::sync::RwLock<()>>,
    /// What is being deleted: nothing more of it is stored.
    pub gone: Arc<crate::forget::Gone>,
    /// Held while something is deleted: one deletion at a time.
    pub forgetting: tokio::sync::Mutex<()>,
    /// Whether the server is about to end: no longer ready, still answering.
    pub draining: AtomicBool,
    /// What devices said they dropped, by device and reason.
    pub drops: Mutex<HashMap<Uuid, HashMap<String, u64>>>,
    clock: Clock,
}

impl AppState {
    /// State over a warehouse whose migrations are applied. Starts the committer, so
    /// it has to be called inside a tokio runtime.
    #[must_use]
    pub fn new(warehouse: Warehouse, settings: Settings, clock: Clock) -> Arc<Self> {
        let metrics = Arc::new(Metrics::default());
        let write_gate = Arc::new(tokio::sync::RwLock::new(()));
        let live = crate::live::Hub::start(warehouse.clone(), Arc::clone(&metrics));
        let commits = commit::start(
            warehouse.clone(),
            &settings,
            Arc::clone(&metrics),
            Arc::clone(&write_gate),
        );
        let disk = Arc::new(crate::disk::Guard::new(
            settings.disk_floors,
            Arc::clone(&metrics),
        ));
        let submissions = crate::feedback::commit::start(
            warehouse.clone(),
            Arc::clone(&metrics),
            Arc::clone(&write_gate),
            Arc::clone(&commits.dirty),
        );
        Arc::new(Self {
            warehouse,
            disk,
            tokens: TokenCache::default(),
            accounts: crate::accounts::Accounts::default(),
            orgs: OrgCache::default(),
            labels: Labels::default(),
            insights: crate::insights::Store::default(),
            desk: crate::feedback::store::Desk::default(),
            live,
            metrics,
            commits,
            submissions,
            objects: settings.objects.clone(),
            screenshots: Screenshots::default(),
            settings,
            write_gate,
            gone: Arc::default(),
            forgetting: tokio::sync::Mutex::default(),
            draining: AtomicBool::new(false),
            drops: Mutex::default(),
            clock,
        })
    }

    /// The system's wall clock.
    #[must_use]
    pub fn system_clock() -> Clock {
        Arc::new(Timestamp::now)
    }

    /// The wall clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }
}

/// Counts a failure of the warehouse.
pub fn count_error(metrics: &Metrics, error: &WarehouseError) {
    let kind = error.kind.as_str();
    metrics
        .warehouse_errors
        .get_or_create(&WarehouseLabels { kind })
        .inc();
}
