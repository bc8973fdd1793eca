//! The spool against a plain model of it in memory, over arbitrary series of calls.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{event, incident, label, screen, session, with_seq};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use snag_spool::{NewRecord, Refusal, Spool, SpoolOptions};
use snag_wire::Record;

#[derive(Debug, Clone)]
enum Call {
    /// Stores records, each by its kind, with or without a state.
    Append(Vec<u8>, bool),
    /// Looks at so many and settles this share of them (in 255ths), refusing every so many.
    Send(usize, u8, usize),
    Labels(Vec<u8>),
    RaiseFloor(u64),
    CountDrops(u64),
    Value(u8),
    Reopen,
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let call = prop_oneof![
        6 => (prop::collection::vec(0..10_u8, 0..300), any::<bool>())
            .prop_map(|(kinds, state)| Call::Append(kinds, state)),
        4 => (1..400_usize, any::<u8>(), 1..50_usize)
            .prop_map(|(max, share, refuse)| Call::Send(max, share, refuse)),
        1 => prop::collection::vec(any::<u8>(), 0..6).prop_map(Call::Labels),
        1 => (0..2_000_u64).prop_map(Call::RaiseFloor),
        1 => (1..9_u64).prop_map(Call::CountDrops),
        1 => any::<u8>().prop_map(Call::Value),
        2 => Just(Call::Reopen),
    ];
    prop::collection::vec(call, 1..40)
}

const DEAD_LETTERS_MAX: usize = 20;

#[derive(Default)]
struct Model {
    next_seq: u64,
    clock: i64,
    waiting: BTreeMap<u64, NewRecord>,
    dead: BTreeMap<u64, NewRecord>,
    drops: BTreeMap<String, u64>,
    labels: BTreeSet<u8>,
    state: Option<Vec<u8>>,
    value: Option<u8>,
}

impl Model {
    fn record(&mut self, kind: u8) -> NewRecord {
        // Times go back now and then, as wall clocks do.
        self.clock += if kind == 9 { -5_000 } else { 130 };
        match kind {
            7 => session(self.clock),
            8 => screen(self.clock),
            6 => incident(self.clock),
            _ => event(self.clock),
        }
    }

    /// Of any size, some in several pieces.
    fn some_state(&self) -> Vec<u8> {
        let clock = self.clock.unsigned_abs();
        vec![clock as u8; usize::try_from(clock * 7 % 40_000).unwrap()]
    }

    fn append(&mut self, records: Vec<NewRecord>) {
        for record in records {
            self.waiting.insert(self.next_seq, record);
            self.next_seq += 1;
        }
    }

    fn oldest(&self, events: bool) -> Option<u64> {
        let of_class = |record: &NewRecord| matches!(record.record, Record::Event(_)) == events;
        self.waiting
            .iter()
            .find(|(_, record)| of_class(record))
            .map(|(seq, _)| *seq)
    }

    /// How many records a chunk takes is the spool's own affair: what it says it
    /// dropped for the quota is taken from where it should have come.
    fn follow_quota(&mut self, spool: &Spool) {
        for drop in spool.drops() {
            let events = match drop.reason.as_str() {
                "quota" => true,
                "quota_kept" => false,
                _ => continue,
            };
            let before = self.drops.insert(drop.reason, drop.count).unwrap_or(0);
            for _ in before..drop.count {
                let seq = self.oldest(events).expect("dropped what was not there");
                assert!(
                    events || self.oldest(true).is_none(),
                    "others were dropped while there were events"
                );
                self.waiting.remove(&seq);
            }
        }
    }

    fn compare(&self, spool: &Spool) {
        let stored = spool.peek(usize::MAX).unwrap();
        spool.release().unwrap();
        let seqs: Vec<u64> = stored.iter().map(|record| record.seq).collect();
        assert_eq!(seqs, self.waiting.keys().copied().collect::<Vec<_>>());
        for (stored, new) in stored.iter().zip(self.waiting.values()) {
            assert_eq!(stored.at_ms, new.at_ms);
            assert_eq!(stored.place, new.place);
            assert_eq!(stored.path, new.path);
            assert_eq!(stored.record, with_seq(&new.record, stored.seq));
        }
        let letters = spool.dead_letters(0, usize::MAX).unwrap();
        let dead: Vec<u64> = letters.iter().map(|letter| letter.record.seq).collect();
        assert_eq!(dead, self.dead.keys().copied().collect::<Vec<_>>());
        let drops: BTreeMap<String, u64> = spool
            .drops()
            .into_iter()
            .map(|drop| (drop.reason, drop.count))
            .collect();
        assert_eq!(drops, self.drops);
        let waiting = spool.waiting();
        assert_eq!(waiting.records(), self.waiting.len() as u64);
        assert_eq!(waiting.dead_letters, self.dead.len() as u64);
        assert_eq!(waiting.next_seq, self.next_seq);
        let first = self.waiting.keys().next().copied();
        assert_eq!(spool.oldest().unwrap().map(|(seq, _)| seq), first);
        assert_eq!(spool.load_state().unwrap(), self.state);
        assert_eq!(
            spool.value("v").unwrap(),
            self.value.map(|value| vec![value])
        );
    }
}

fn run(calls: Vec<Call>, quota_bytes: u64) {
    let dir = tempfile::tempdir().unwrap();
    let open = || {
        let options = SpoolOptions {
            quota_bytes,
            dead_letters_max: DEAD_LETTERS_MAX as u64,
            ..SpoolOptions::default()
        };
        let (spool, report) = Spool::open(dir.path(), options).unwrap();
        assert!(report.is_clean(), "{report:?}");
        spool
    };
    let mut spool = open();
    let mut model = Model {
        next_seq: 1,
        ..Model::default()
    };
    for call in calls {
        match call {
            Call::Append(kinds, with_state) => {
                let records: Vec<_> = kinds.iter().map(|kind| model.record(*kind)).collect();
                let state = with_state.then(|| model.some_state());
                let range = spool.append(&records, state.as_deref()).unwrap();
                assert_eq!(range, model.next_seq..model.next_seq + records.len() as u64);
                model.append(records);
                model.state = state.or(model.state);
                model.follow_quota(&spool);
            }
            Call::Send(max, share, refuse) => {
                let batch = spool.peek(max).unwrap();
                let expected: Vec<u64> = model.waiting.keys().copied().take(max).collect();
                let seqs: Vec<u64> = batch.iter().map(|record| record.seq).collect();
                assert_eq!(seqs, expected);
                let settled = &seqs[..seqs.len() * usize::from(share) / 255];
                let Some(through) = settled.last() else {
                    spool.release().unwrap();
                    continue;
                };
                let refusals: Vec<Refusal> = settled
                    .iter()
                    .step_by(refuse)
                    .map(|seq| Refusal {
                        seq: *seq,
                        code: "no".into(),
                        message: "never".into(),
                    })
                    .collect();
                spool.settle(*through, &refusals).unwrap();
                *model.drops.entry("rejected".into()).or_default() += refusals.len() as u64;
                for seq in settled {
                    let record = model.waiting.remove(seq).unwrap();
                    if refusals.iter().any(|refusal| refusal.seq == *seq) {
                        model.dead.insert(*seq, record);
                    }
                }
                while model.dead.len() > DEAD_LETTERS_MAX {
                    model.dead.pop_first();
                }
            }
            Call::Labels(hashes) => {
                let records: Vec<_> = hashes
                    .iter()
                    .map(|hash| label(model.clock, *hash))
                    .collect();
                let mut fresh = Vec::new();
                for (hash, record) in hashes.iter().zip(&records) {
                    if model.labels.insert(*hash) {
                        fresh.push(record.clone());
                    }
                }
                let stored = spool.append_labels(&records).unwrap();
                assert_eq!(stored, fresh.len() as u64);
                model.append(fresh);
                model.follow_quota(&spool);
            }
            Call::RaiseFloor(floor) => {
                spool.raise_floor(floor).unwrap();
                model.next_seq = model.next_seq.max(floor);
            }
            Call::CountDrops(count) => {
                spool.count_drops("queue_full", count).unwrap();
                *model.drops.entry("queue_full".into()).or_default() += count;
            }
            Call::Value(value) => {
                spool.set_value("v", Some(&[value])).unwrap();
                model.value = Some(value);
            }
            Call::Reopen => {
                drop(spool);
                spool = open();
            }
        }
        model.compare(&spool);
    }
    drop(spool);
    model.compare(&open());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, rng_seed: RngSeed::Fixed(5), ..ProptestConfig::default() })]

    #[test]
    fn the_spool_does_what_the_model_does(calls in calls()) {
        run(calls, 64 << 20);
    }

    #[test]
    fn and_so_it_does_with_a_quota(calls in calls(), quota_bytes in 500..20_000_u64) {
        run(calls, quota_bytes);
    }
}
