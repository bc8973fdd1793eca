//! The texts of labels that were seen since the agent started, and which may go.
//!
//! **Invariant:** a text is in memory only, until the server's policy wants its hash
//! (at least k people share it) or a rule of the organisation makes it readable at
//! once. Only then it becomes a record of the spool, once.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use snag_spool::{NewRecord, Place};
use snag_wire::limits::LABEL_CHARS_MAX;
use snag_wire::{LabelHash, LabelKind, LabelRecord, LabelRule, PolicyAnswer, Record};
use tokio::sync::Notify;

/// How many texts are remembered. A day has some hundreds of screens and elements;
/// at 8,000 texts of 60 characters it is about a megabyte.
pub const KNOWN_MAX: usize = 8_000;

/// A label and its normalised text.
#[derive(Clone, PartialEq, Eq)]
pub struct KnownLabel {
    /// The keyed hash that records carry.
    pub hash: LabelHash,
    /// What it names.
    pub kind: LabelKind,
    /// The program it was seen in.
    pub app: Arc<str>,
    /// The normalised text.
    pub text: String,
    /// Whether a rule makes it readable whoever shares it.
    pub at_once: bool,
}

impl fmt::Debug for KnownLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KnownLabel")
            .field("hash", &self.hash)
            .field("kind", &self.kind)
            .field("at_once", &self.at_once)
            .finish_non_exhaustive()
    }
}

impl KnownLabel {
    /// The record that says it.
    #[must_use]
    pub fn into_record(self, at_ms: i64) -> NewRecord {
        NewRecord {
            at_ms,
            place: Place::default(),
            path: Vec::new(),
            record: Record::Label(LabelRecord {
                seq: 0,
                hash: self.hash,
                kind: self.kind,
                app: self.app.to_string(),
                text: self.text,
                t_ms: 0,
            }),
        }
    }
}

/// The texts. Shared by whoever sees labels and the thread that sends.
#[derive(Default)]
pub struct LabelStore {
    state: Mutex<State>,
    /// Some became pending.
    arrived: Notify,
}

#[derive(Default)]
struct State {
    known: HashMap<LabelHash, KnownLabel>,
    order: VecDeque<LabelHash>,
    wanted: HashSet<LabelHash>,
    pending: HashMap<LabelHash, KnownLabel>,
    /// Became records, as far as this run knows; the spool knows for good.
    done: HashSet<LabelHash>,
    rules: Option<(String, Vec<LabelRule>)>,
}

impl LabelStore {
    /// Nothing is known yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A label was seen. Cheap when it is known already.
    pub fn note(&self, label: KnownLabel) {
        if label.text.chars().count() > LABEL_CHARS_MAX {
            return;
        }
        let state = &mut *self.state.lock();
        let wanted = label.at_once || state.wanted.contains(&label.hash);
        if wanted && !state.done.contains(&label.hash) {
            state.pending.insert(label.hash, label.clone());
            self.arrived.notify_one();
        }
        if state.known.insert(label.hash, label.clone()).is_none() {
            state.order.push_back(label.hash);
            if state.order.len() > KNOWN_MAX
                && let Some(oldest) = state.order.pop_front()
            {
                state.known.remove(&oldest);
            }
        }
    }

    /// A policy holds from now on: what it wants and is known here becomes pending.
    ///
    /// With another key or other rules, texts that were classified by the old ones
    /// are forgotten: none of them may leave by a rule that no longer holds.
    pub fn apply(&self, policy: &PolicyAnswer) {
        let state = &mut *self.state.lock();
        let rules = (policy.label_key.clone(), policy.label_rules.clone());
        if state.rules.as_ref().is_some_and(|old| *old != rules) {
            state.known.clear();
            state.order.clear();
            state.pending.clear();
            state.done.clear();
        }
        state.rules = Some(rules);
        state.wanted = policy.wanted_labels.iter().copied().collect();
        for hash in &policy.wanted_labels {
            if let Some(label) = state.known.get(hash)
                && !state.done.contains(hash)
            {
                state.pending.insert(*hash, label.clone());
                self.arrived.notify_one();
            }
        }
    }

    /// Forgets what was seen in programs that may not be looked at any more: none of it becomes a record from here on.
    pub fn retain(&self, is_allowed: impl Fn(&str) -> bool) {
        let state = &mut *self.state.lock();
        state.known.retain(|_, label| is_allowed(&label.app));
        state.order.retain(|hash| state.known.contains_key(hash));
        state.pending.retain(|_, label| is_allowed(&label.app));
    }

    /// The labels to be stored for sending, in the order of their hashes. They count
    /// as done; [`put_back`](Self::put_back) what could not be stored.
    #[must_use]
    pub fn take_pending(&self) -> Vec<KnownLabel> {
        let state = &mut *self.state.lock();
        let mut pending: Vec<_> = state.pending.drain().map(|(_, label)| label).collect();
        pending.sort_unstable_by_key(|label| label.hash);
        if state.done.len() > 4 * KNOWN_MAX {
            state.done.clear();
        }
        state.done.extend(pending.iter().map(|label| label.hash));
        pending
    }

    /// The text behind a hash, where this run has seen it.
    #[must_use]
    pub fn text(&self, hash: LabelHash) -> Option<String> {
        let state = self.state.lock();
        state.known.get(&hash).map(|label| label.text.clone())
    }

    /// Whether some are to be stored.
    #[must_use]
    pub fn has_pending(&self) -> bool {
        !self.state.lock().pending.is_empty()
    }

    /// These could not be stored; they are pending again.
    pub fn put_back(&self, labels: Vec<KnownLabel>) {
        let state = &mut *self.state.lock();
        for label in labels {
            state.done.remove(&label.hash);
            state.pending.insert(label.hash, label);
            self.arrived.notify_one();
        }
    }

    /// Returns once labels became pending, at once where they did since the last call. One waits at a time.
    pub async fn arrived(&self) {
        self.arrived.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use snag_wire::{AppRules, LabelAction, Organisation, SyncRules};
    use uuid::Uuid;

    use super::*;

    fn hash(number: u16) -> LabelHash {
        let [a, b] = number.to_be_bytes();
        LabelHash([0, 0, 0, 0, 0, 0, a, b])
    }

    fn label(number: u16, at_once: bool) -> KnownLabel {
        KnownLabel {
            hash: hash(number),
            kind: LabelKind::Screen,
            app: "mail".into(),
            text: format!("text {number}"),
            at_once,
        }
    }

    fn policy(wanted: &[u16], rules: Vec<LabelRule>) -> PolicyAnswer {
        PolicyAnswer {
            version: 1,
            organisation: Organisation {
                id: Uuid::nil(),
                name: String::new(),
                contact: String::new(),
            },
            k: 5,
            label_key: "00".repeat(32),
            apps: AppRules::Deny(Vec::new()),
            label_rules: rules,
            wanted_labels: wanted.iter().map(|&number| hash(number)).collect(),
            thresholds: BTreeMap::new(),
            sync: SyncRules::default(),
            retention: None,
            next_seq: 1,
        }
    }

    fn taken(store: &LabelStore) -> Vec<LabelHash> {
        store
            .take_pending()
            .iter()
            .map(|label| label.hash)
            .collect()
    }

    #[test]
    fn only_wanted_and_readable_labels_become_pending_and_once() {
        let store = LabelStore::new();
        for number in 0..10 {
            store.note(label(number, number == 3));
        }
        assert_eq!(taken(&store), [hash(3)]);
        store.apply(&policy(&[3, 5, 77], Vec::new()));
        assert_eq!(taken(&store), [hash(5)]);
        store.note(label(77, false));
        store.note(label(5, false));
        store.note(label(78, false));
        assert_eq!(taken(&store), [hash(77)]);
        store.apply(&policy(&[3, 5, 77], Vec::new()));
        assert!(!store.has_pending());
    }

    #[test]
    fn what_could_not_be_stored_comes_again() {
        let store = LabelStore::new();
        store.note(label(1, true));
        let pending = store.take_pending();
        store.put_back(pending.clone());
        assert_eq!(store.take_pending(), pending);
    }

    #[test]
    fn other_rules_forget_what_the_old_ones_allowed() {
        let store = LabelStore::new();
        store.apply(&policy(&[], Vec::new()));
        store.note(label(1, true));
        store.note(label(2, false));
        let never = LabelRule {
            app: "mail".into(),
            label: ".*".into(),
            action: LabelAction::Never,
        };
        store.apply(&policy(&[1, 2], vec![never]));
        assert!(!store.has_pending());
    }

    #[test]
    fn what_was_seen_where_nothing_may_be_looked_at_any_more_is_forgotten() {
        let store = LabelStore::new();
        store.apply(&policy(&[], Vec::new()));
        let of = |app: &str, number, at_once| KnownLabel {
            app: app.into(),
            ..label(number, at_once)
        };
        store.note(of("bank", 1, false));
        store.note(of("bank", 2, true));
        store.note(of("mail", 3, false));
        store.retain(|app| app != "bank");
        assert!(!store.has_pending());
        store.apply(&policy(&[1, 2, 3], Vec::new()));
        assert_eq!(taken(&store), [hash(3)]);
        assert_eq!(store.text(hash(1)), None);
    }

    #[test]
    fn memory_is_bounded_and_debug_keeps_the_text_to_itself() {
        let store = LabelStore::new();
        for number in 0..20_000 {
            store.note(label(number, false));
        }
        assert_eq!(store.state.lock().known.len(), KNOWN_MAX);
        assert_eq!(store.state.lock().order.len(), KNOWN_MAX);
        store.apply(&policy(&[1, 19_999], Vec::new()));
        assert_eq!(taken(&store), [hash(19_999)]);
        assert!(!format!("{:?}", label(7, true)).contains("text"));
        let mut long = label(1, true);
        long.text = "x".repeat(201);
        store.note(long);
        assert!(!store.has_pending());
    }
}
