//! What the host's thread, its tasks and its callers share.
//!
//! **Invariant:** [`Shared::gate`] is the one place that decides whether this desktop is captured, and it says yes
//! only where every reason against it was looked at.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use jiff::{Timestamp, Zoned};
use parking_lot::Mutex;
use snag_capture::{CaptureHandle, Health};
use snag_core::{Policy, Redactor};
use snag_spool::Spool;
use snag_wire::{AppRules, PolicyAnswer};
use tokio::sync::{Notify, broadcast, mpsc, watch};
use uuid::Uuid;

use super::HostOptions;
use super::ask::{Found, Questions};
use super::device::Device;
use super::events::HostEvent;
use super::form::Opening;
use super::live::Told;
use super::post::Posting;
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
    /// How sending it goes.
    pub(super) posting: watch::Sender<Posting>,
    /// What was said in this run, as long as the person wasn't told what became of it.
    pub(super) untold: Mutex<Vec<Uuid>>,
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

    /// Records that wait to be sent, those that can't be stored among them.
    pub(super) fn waiting_records(&self) -> u64 {
        let stored = self.spool().map_or(0, |spool| spool.waiting().records());
        stored + self.unstored_records()
    }

    /// All that waits to be sent, as every place counts it.
    pub(super) fn waiting(&self) -> u64 {
        self.waiting_records() + self.feedback.counts().waiting
    }

    /// Records that can't be stored, and wait in memory. What only waits for a moment to be stored with others is counted
    /// where it is listed, once it is stored.
    pub(super) fn unstored_records(&self) -> u64 {
        let facts = self.capture.lock();
        facts.store_problem.as_ref().map_or(0, |_| facts.pending)
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

    /// What may be looked at from now on, and what was seen of the rest is forgotten.
    pub(super) fn looks_by(&self, policy: &Policy, handle: Option<&CaptureHandle>) {
        let redactor = Arc::new(Redactor::new(policy));
        if let Some(handle) = handle {
            handle.set_redactor(Arc::clone(&redactor));
        }
        // After it: nothing of the rest is seen any more.
        self.labels.retain(|app| redactor.allows(app));
    }

    /// Looks at everything and tells those who follow, where it changed.
    pub(super) fn publish(&self) {
        renew(&self.overview, || self.look());
        // The organisation, which names who locked a value, comes with the enrolment.
        renew(&self.settings_told, || self.settings());
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
        let said = self.feedback.counts();
        let waiting_records = self.waiting_records();
        let troubles = self.troubles(sync.as_ref(), waiting_records + said.waiting);
        let problems = self.problems(sync.as_ref(), &troubles, said.refused);
        let server_problem = troubles.server.map(|(_, problem)| problem);
        // The list begins with what needs somebody.
        let needs = problems.first().filter(|first| first.needs_somebody());
        let away = server_problem.as_ref().filter(|_| said.unread == 0);
        let concern = needs.or(away).cloned();
        let icon = match &capture {
            CaptureState::Paused { .. } => Icon::Paused,
            CaptureState::Capturing if said.unread > 0 => Icon::Attention,
            CaptureState::Capturing if needs.is_some() => Icon::Attention,
            CaptureState::Capturing if server_problem.is_some() => Icon::Offline,
            CaptureState::Capturing => Icon::Capturing,
            _ => Icon::Attention,
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
            waiting_records,
            waiting_feedback: said.waiting,
            sent_feedback: said.sent,
            refused_feedback: said.refused,
            last_sent_at: self.sent.last_at().max(said.last_sent_at),
            server_problem,
            concern,
            unread_replies: said.unread,
            problems,
            version: VERSION.to_owned(),
        }
    }

    /// What keeps things from leaving; `waiting` of them are kept here.
    pub(super) fn troubles(&self, sync: Option<&SyncStatus>, waiting: u64) -> Troubles {
        let said =
            |(trouble, why): (Trouble, &str)| (trouble, server_problem(trouble, why, waiting));
        let of_records = sync.and_then(|sync| {
            let why = sync.last_error.as_deref().unwrap_or_default();
            Some(said((sync.last_trouble?, why)))
        });
        let (of_feedback, of_pictures) = {
            let posting = self.posting.borrow();
            let kept = |kept: &Option<(Trouble, String)>| {
                let kept = kept.as_ref();
                kept.map(|(trouble, why)| said((*trouble, why)))
            };
            (kept(&posting.words), kept(&posting.pictures))
        };
        let (here, of_records) = match of_records {
            Some((trouble, problem)) if trouble.is_here() => (Some(problem), None),
            of_records => (None, of_records),
        };
        // The server has a measure for feedback alone; it takes everything else meanwhile.
        let (measured, of_feedback) = match of_feedback {
            Some((Trouble::TooMany, problem)) => (Some(problem), None),
            of_feedback => (None, of_feedback),
        };
        // Pictures alone say nothing of the rest, unless it is the way there that is cut off.
        let (of_pictures, pictures) = match of_pictures {
            Some((trouble, _)) if !trouble.is_of_the_way() => {
                (None, Some(Sentence::plain("problem.pictures_wait")))
            }
            of_pictures => (of_pictures, None),
        };
        Troubles {
            here,
            server: of_records.or(of_feedback).or(of_pictures),
            measured: measured.or(pictures),
        }
    }

    fn problems(
        &self,
        sync: Option<&SyncStatus>,
        troubles: &Troubles,
        refused_feedback: u64,
    ) -> Vec<Sentence> {
        let mut problems: Vec<Sentence> = Vec::new();
        let storing = self.capture.lock().store_problem.clone();
        let server = troubles.server.as_ref().map(|(_, problem)| problem.clone());
        let found = [
            self.spool().err(),
            storing,
            troubles.here.clone(),
            server,
            troubles.measured.clone(),
        ];
        for problem in found.into_iter().flatten() {
            // A full disk keeps records from being stored and from being sent; it is said once.
            if problems.iter().all(|known| known.key != problem.key) {
                problems.push(problem);
            }
        }
        let refused_records = sync.map_or(0, |sync| sync.dead_letters);
        for (key, count) in [
            ("problem.records_refused", refused_records),
            ("problem.feedback_refused", refused_feedback),
        ] {
            if count > 0 {
                problems.push(Sentence::new(key, [("count", count.to_string())]));
            }
        }
        problems.sort_by_key(|problem| !problem.needs_somebody());
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

/// What keeps things from leaving.
pub(super) struct Troubles {
    /// Something on this computer keeps records.
    here: Option<Sentence>,
    /// Something keeps the server from taking anything.
    pub(super) server: Option<(Trouble, Sentence)>,
    /// The server takes no more feedback for a while, or no pictures.
    measured: Option<Sentence>,
}

impl Troubles {
    /// What keeps feedback here. That the server takes nothing at all comes before its measure, which may be older.
    pub(super) fn of_feedback(self) -> Option<Sentence> {
        let server = self.server.map(|(_, problem)| problem);
        server.or(self.measured)
    }

    /// The first of them.
    pub(super) fn first(self) -> Option<Sentence> {
        let server = self.server.map(|(_, problem)| problem);
        server.or(self.here).or(self.measured)
    }
}

/// Tells those who follow, where there is something new. It is looked for under the lock of what was told, so that what
/// two threads find in the same moment is told in that order.
fn renew<T: PartialEq>(told: &watch::Sender<T>, look: impl FnOnce() -> T) {
    told.send_if_modified(|before| {
        let now = look();
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

/// What keeps the server from taking anything, as a sentence; `waiting` of all that is to be sent is kept here.
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
        Trouble::Strange => Sentence::plain("problem.strange"),
        Trouble::Unreachable | Trouble::Unknown => Sentence::plain("problem.offline"),
    }
}
