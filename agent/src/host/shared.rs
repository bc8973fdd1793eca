//! What the host's thread, its tasks and its callers share.
//!
//! **Invariant:** [`Shared::gate`] is the one place that decides whether this desktop is captured, and it says yes
//! only where every reason against it was looked at.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use jiff::{Timestamp, Zoned};
use parking_lot::Mutex;
use snag_capture::{CaptureHandle, Health};
use snag_spool::Spool;
use snag_wire::{AppRules, PolicyAnswer};
use tokio::sync::{Notify, broadcast, mpsc, watch};

use super::HostOptions;
use super::ask::{Found, Questions};
use super::device::Device;
use super::events::HostEvent;
use super::form::Opening;
use super::live::Told;
use super::sent::SentLog;
use super::trail::Trail;
use crate::commands::VERSION;
use crate::config::Paths;
use crate::desktop::data;
use crate::desktop::feedback::form::{DraftFiles, Form};
use crate::desktop::feedback::store::Store;
use crate::desktop::language;
use crate::desktop::pause::{Pause, rule_change, rule_end};
use crate::desktop::scope::{Acknowledged, Scope};
use crate::desktop::settings::SettingsStore;
use crate::desktop::view::{CaptureState, Icon, Overview, PolicyApps, Sentence, Settings};
use crate::sdk::Sdk;
use crate::sync::{LabelStore, SyncStatus, Trouble};

/// Days that a server keeps what is sent, where the organisation set nothing else.
pub(super) const KEPT_DAYS: u32 = 90;

/// Whether this desktop is captured now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Gate {
    /// It is.
    Open,
    /// It is not, and what was begun stays open.
    Paused {
        /// When it goes on by itself.
        until: Option<Timestamp>,
    },
    /// It is not.
    Closed(CaptureState),
}

/// What a policy has that wasn't acknowledged.
pub(super) struct Widened {
    version: u64,
    language: &'static str,
    sentences: Arc<[Sentence]>,
}

/// What capture said last.
#[derive(Default)]
pub(super) struct CaptureFacts {
    /// While it runs.
    pub(super) handle: Option<CaptureHandle>,
    /// Why it doesn't.
    pub(super) problem: Option<Sentence>,
    /// Why the policy can't be followed.
    pub(super) policy_problem: Option<Sentence>,
    /// Why records can't be stored.
    pub(super) store_problem: Option<Sentence>,
    /// Records that wait for the spool.
    pub(super) pending: u64,
}

pub(super) struct Shared {
    /// To the thread that reads capture.
    pub(super) told: std::sync::mpsc::Sender<Told>,
    pub(super) paths: Paths,
    pub(super) options: HostOptions,
    pub(super) runtime: tokio::runtime::Handle,
    /// The spool, or why there is none.
    pub(super) spool: Mutex<Result<Arc<Spool>, Sentence>>,
    pub(super) labels: Arc<LabelStore>,
    pub(super) sent: Arc<SentLog>,
    pub(super) settings: Mutex<SettingsStore>,
    /// Rises when the settings change what is looked at.
    pub(super) settings_version: AtomicU64,
    pub(super) pause: Mutex<Pause>,
    /// When the person paused last, in milliseconds since 1970. Written under the lock of `pause`.
    pub(super) paused_at_ms: AtomicU64,
    pub(super) acknowledged: Mutex<Option<Acknowledged>>,
    /// What a policy's version widened, as it was found last, in a language: the gate asks often.
    pub(super) widened: Mutex<Option<Widened>>,
    pub(super) device: Mutex<Option<Device>>,
    /// Why an identity that is there can't be used.
    pub(super) identity_problem: Mutex<Option<Sentence>>,
    pub(super) capture: Mutex<CaptureFacts>,
    pub(super) trail: Mutex<Trail>,
    /// What was said, and what was answered.
    pub(super) feedback: Store,
    /// Wakes the task that sends it.
    pub(super) post: Notify,
    pub(super) drafts: DraftFiles,
    /// The form, while it is open.
    pub(super) form: Mutex<Option<Form>>,
    /// What was asked, and when.
    pub(super) questions: Mutex<Questions>,
    /// Where incidents go that could be asked about.
    pub(super) found: mpsc::UnboundedSender<Found>,
    /// What the form is to open with.
    pub(super) opening: Mutex<Option<Opening>>,
    /// What a program said of its own state, through the SDK.
    /// The program that had the focus then comes first.
    pub(super) app_state: Mutex<Option<(String, serde_json::Map<String, serde_json::Value>)>>,
    /// What sends what was said, and what asks.
    pub(super) tasks: Mutex<Vec<tokio::task::JoinHandle<()>>>,
    /// The local SDK, while it runs.
    pub(super) sdk: Mutex<Option<Sdk>>,
    /// When a key was hit last, in milliseconds since 1970.
    pub(super) last_key_ms: AtomicU64,
    pub(super) overview: watch::Sender<Overview>,
    /// The settings as they were told last.
    pub(super) settings_told: watch::Sender<Settings>,
    pub(super) events: broadcast::Sender<HostEvent>,
    pub(super) stopping: AtomicBool,
}

impl Shared {
    /// The policy in force, if the device is enrolled.
    pub(super) fn policy(&self) -> Option<Arc<PolicyAnswer>> {
        self.device
            .lock()
            .as_ref()
            .map(|device| Arc::clone(&device.policy))
    }

    /// The organisation's name, or nothing.
    pub(super) fn organisation(&self) -> String {
        self.policy()
            .map(|policy| policy.organisation.name.clone())
            .unwrap_or_default()
    }

    /// The language that the person chose or that the system has: `en` or `de`.
    pub(super) fn language(&self) -> &'static str {
        let chosen = self.settings.lock().settings("").language.value;
        language::of_setting(&chosen)
    }

    /// The spool, or the sentence that says why there is none.
    pub(super) fn spool(&self) -> Result<Arc<Spool>, Sentence> {
        self.spool.lock().clone()
    }

    /// Records that wait to be sent, as far as they are stored.
    pub(super) fn waiting_records(&self) -> u64 {
        self.spool().map_or(0, |spool| spool.waiting().records())
    }

    /// Why there is no device: what keeps its identity from being read comes before that there is none.
    pub(super) fn no_device(&self) -> Sentence {
        if let Err(reason) = self.spool() {
            return reason;
        }
        let problem = self.identity_problem.lock().clone();
        problem.unwrap_or_else(|| Sentence::plain("problem.not_enrolled"))
    }

    /// What could be collected under a policy.
    pub(super) fn scope(&self, policy: &PolicyAnswer) -> Scope {
        let names = data::declared("en")
            .map(|declared| declared.data)
            .unwrap_or_default();
        let kept_days = policy.retention.map_or(KEPT_DAYS, |kept| {
            kept.events_days
                .max(kept.feedback_days)
                .max(kept.screenshots_days)
        });
        Scope::of(policy, names.into_iter().map(|datum| datum.name), kept_days)
    }

    /// What the policy has that wasn't acknowledged; none where nothing ever was.
    pub(super) fn widened(&self, policy: &PolicyAnswer) -> Option<Arc<[Sentence]>> {
        let acknowledged = self.acknowledged.lock();
        let acknowledged = acknowledged.as_ref()?;
        let mut known = self.widened.lock();
        let language = self.language();
        if let Some(known) = &*known
            && (known.version, known.language) == (policy.version, language)
        {
            return Some(Arc::clone(&known.sentences));
        }
        let mut widened = self.scope(policy).wider_than(&acknowledged.scope);
        name_data(&mut widened, language);
        let sentences: Arc<[Sentence]> = widened.into();
        *known = Some(Widened {
            version: policy.version,
            language,
            sentences: Arc::clone(&sentences),
        });
        Some(sentences)
    }

    /// Whether this desktop is captured at `now`.
    pub(super) fn gate(&self, now: &Zoned) -> Gate {
        let unavailable = |reason: Sentence| Gate::Closed(CaptureState::Unavailable { reason });
        if let Err(reason) = self.spool() {
            return unavailable(reason);
        }
        if let Some(reason) = self.identity_problem.lock().clone() {
            return unavailable(reason);
        }
        let Some(policy) = self.policy() else {
            return Gate::Closed(CaptureState::NotEnrolled);
        };
        let rules = {
            let settings = self.settings.lock();
            if settings.damaged() {
                return unavailable(Sentence::plain("problem.settings_damaged"));
            }
            settings.settings("").pause_rules.value
        };
        if self.options.asks && self.widened(&policy).is_none_or(|wider| !wider.is_empty()) {
            return Gate::Closed(CaptureState::NotAcknowledged);
        }
        if let Some(reason) = self.capture.lock().policy_problem.clone() {
            return unavailable(reason);
        }
        let pause = *self.pause.lock();
        let by_person = pause.holds(now.timestamp());
        let by_rule = rule_end(&rules, now);
        if !by_person && by_rule.is_none() {
            return Gate::Open;
        }
        let until = match pause {
            Pause::UntilResumed => None,
            Pause::Until { at } if by_person => Some(by_rule.map_or(at, |end| end.max(at))),
            _ => by_rule,
        };
        Gate::Paused { until }
    }

    /// When the gate opens or closes by itself next, as far as that is known.
    pub(super) fn gate_changes_at(&self, now: &Zoned) -> Option<Timestamp> {
        let rules = self.settings.lock().settings("").pause_rules.value;
        let pause_ends = match *self.pause.lock() {
            Pause::Until { at } if at > now.timestamp() => Some(at),
            _ => None,
        };
        pause_ends.into_iter().chain(rule_change(&rules, now)).min()
    }

    /// Tells the thread that reads capture, which may sleep. Whether it runs.
    pub(super) fn tell_live(&self, told: Told) -> bool {
        let sent = self.told.send(told).is_ok();
        // It waits for capture where that runs, else for what it is told.
        if let Some(handle) = &self.capture.lock().handle {
            handle.wake();
        }
        sent
    }

    /// How sending is going, where the device is enrolled.
    pub(super) fn sync_status(&self) -> Option<SyncStatus> {
        self.device
            .lock()
            .as_ref()
            .map(|device| device.sync.status())
    }

    /// What capture says of itself, while it runs.
    pub(super) fn health(&self) -> Option<Health> {
        self.capture
            .lock()
            .handle
            .as_ref()
            .map(CaptureHandle::health)
    }

    /// Looks at everything and tells those who follow, where it changed.
    pub(super) fn publish(&self) {
        renew(&self.overview, self.look());
        // The organisation, which names who locked a value, comes with the enrolment.
        renew(&self.settings_told, self.settings());
    }

    /// The settings as they hold.
    pub(super) fn settings(&self) -> Settings {
        let organisation = self.organisation();
        let policy_apps = self.policy().map(|policy| {
            let (only_named_apps, apps) = match &policy.apps {
                AppRules::Allow(apps) => (true, apps),
                AppRules::Deny(apps) => (false, apps),
            };
            PolicyApps {
                organisation: organisation.clone(),
                only_named_apps,
                apps: apps.clone(),
            }
        });
        Settings {
            policy_apps,
            ..self.settings.lock().settings(&organisation)
        }
    }

    /// Everything at a glance.
    pub(super) fn look(&self) -> Overview {
        let capture = match self.gate(&Zoned::now()) {
            Gate::Closed(state) => state,
            Gate::Paused { until } => CaptureState::Paused { until },
            Gate::Open => match self.capture.lock().problem.clone() {
                Some(reason) => CaptureState::Unavailable { reason },
                None => CaptureState::Capturing,
            },
        };
        let policy = self.policy();
        let sync = self.sync_status();
        let problems = self.problems(sync.as_ref());
        let offline = sync
            .as_ref()
            .and_then(|sync| sync.last_trouble)
            .is_some_and(|trouble| !trouble.is_here());
        let said = self.feedback.counts();
        let icon = match &capture {
            CaptureState::Paused { .. } => Icon::Paused,
            CaptureState::Capturing if said.unread > 0 => Icon::Attention,
            CaptureState::Capturing if problems.iter().any(needs_person) => Icon::Attention,
            CaptureState::Capturing if offline => Icon::Offline,
            CaptureState::Capturing => Icon::Capturing,
            _ => Icon::Attention,
        };
        // What waits for a moment to be stored with others is counted where it is listed, once it is stored.
        let unstored = {
            let facts = self.capture.lock();
            facts.store_problem.as_ref().map_or(0, |_| facts.pending)
        };
        Overview {
            icon,
            capture,
            organisation: policy
                .as_ref()
                .map(|policy| policy.organisation.name.clone())
                .unwrap_or_default(),
            contact: policy
                .as_ref()
                .map(|policy| policy.organisation.contact.clone())
                .unwrap_or_default(),
            waiting_records: self.waiting_records() + unstored,
            waiting_feedback: said.waiting,
            sent_feedback: said.sent,
            refused_feedback: said.refused,
            last_sent_at: self.sent.last_at().max(said.last_sent_at),
            offline,
            unread_replies: said.unread,
            problems,
            version: VERSION.to_owned(),
        }
    }

    fn problems(&self, sync: Option<&SyncStatus>) -> Vec<Sentence> {
        let mut problems = Vec::new();
        if let Err(reason) = self.spool() {
            problems.push(reason);
        }
        problems.extend(self.capture.lock().store_problem.clone());
        if let Some(trouble) = sync.and_then(|sync| sync.last_trouble) {
            let waiting = self.waiting_records();
            let why = sync.and_then(|sync| sync.last_error.as_deref());
            let problem = server_problem(trouble, why.unwrap_or_default(), waiting);
            // A full disk keeps records from being stored and from being sent; it is said once.
            if problems.iter().all(|known| known.key != problem.key) {
                problems.push(problem);
            }
        }
        if let Some(refused) = sync
            .map(|sync| sync.dead_letters)
            .filter(|count| *count > 0)
        {
            problems.push(Sentence::new(
                "problem.records_refused",
                [("count", refused.to_string())],
            ));
        }
        let refused = self.feedback.counts().refused;
        if refused > 0 {
            problems.push(Sentence::new(
                "problem.feedback_refused",
                [("count", refused.to_string())],
            ));
        }
        problems
    }

    /// Tells those who listen; nobody may.
    pub(super) fn tell(&self, event: HostEvent) {
        let _ = self.events.send(event);
    }

    /// Whether the process is about to end.
    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }
}

/// Tells those who follow, where there is something new.
fn renew<T: PartialEq>(told: &watch::Sender<T>, now: T) {
    told.send_if_modified(|before| {
        let changed = *before != now;
        if changed {
            *before = now;
        }
        changed
    });
}

/// Says what a datum is instead of its name.
fn name_data(sentences: &mut [Sentence], language: &str) {
    let Ok(declared) = data::declared(language) else {
        return;
    };
    for sentence in sentences {
        if let Some(name) = sentence.values.get_mut("what")
            && let Some(datum) = declared.data.iter().find(|datum| datum.name == *name)
        {
            name.clone_from(&datum.what);
        }
    }
}

/// Whether a problem stays until somebody does something about it. A server that can't be reached comes back by
/// itself, and refused records are for whoever wants to look.
fn needs_person(problem: &Sentence) -> bool {
    !matches!(
        problem.key.as_str(),
        "problem.offline"
            | "problem.server_down"
            | "problem.too_many"
            | "problem.server_full"
            | "problem.server_internal"
            | "problem.records_refused"
            | "problem.server_refused"
            | "problem.feedback_refused"
    )
}

/// What keeps the server from taking anything, as a sentence; `waiting` records are kept here.
pub(super) fn server_problem(trouble: Trouble, why: &str, waiting: u64) -> Sentence {
    let reason = || [("reason", why.to_owned())];
    match trouble {
        Trouble::Unauthorized => {
            Sentence::new("problem.unauthorized", [("count", waiting.to_string())])
        }
        Trouble::Certificate => Sentence::new("problem.certificate", reason()),
        Trouble::Refused => Sentence::new("problem.server_refused", reason()),
        Trouble::Busy => Sentence::plain("problem.server_down"),
        Trouble::TooMany => Sentence::plain("problem.too_many"),
        Trouble::ServerFull => Sentence::plain("problem.server_full"),
        Trouble::Fault => Sentence::plain("problem.server_internal"),
        Trouble::DiskFull => Sentence::plain("problem.disk_full"),
        Trouble::ReadOnly => Sentence::plain("problem.read_only"),
        Trouble::Storage => Sentence::new("problem.storage", reason()),
        Trouble::Unreachable | Trouble::Strange | Trouble::Unknown => {
            Sentence::plain("problem.offline")
        }
    }
}
