//! Sends a batch, and keeps what the server decided about it.

use snag_spool::{Refusal, Spool, SpoolError, StoredRecord};
use snag_wire::BatchAnswer;
use snag_wire::limits::SEQ_MAX;

use super::Worker;
use crate::desktop::view::SentBatch;
use crate::sync::batch;
use crate::sync::client::CallError;
use crate::sync::plan::{Sent, Split};
use crate::sync::trouble::Trouble;

impl Worker {
    pub(super) async fn send(&mut self, max_records: usize) {
        let records = match self.on_spool(move |spool| spool.peek(max_records)).await {
            Ok(records) => records,
            Err(error) => return self.spool_failed(&error).await,
        };
        let (body, seqs) = match self.encode(records) {
            Ok(Some(encoded)) => encoded,
            Ok(None) => {
                self.plan.sent(self.now_ms(), Sent::Nothing);
                return;
            }
            Err(error) => {
                self.failed(Trouble::Storage, format!("a batch can't be made: {error}"));
                self.plan
                    .sent(self.now_ms(), Sent::Retry { after_ms: None });
                return;
            }
        };
        let last = seqs[seqs.len() - 1];
        let body_bytes = body.gzip.len() as u64;
        let reply = self
            .options
            .client
            .batch(body.gzip)
            .await
            .and_then(|answer| match check(&answer, &seqs) {
                Ok(()) => Ok(answer),
                Err(why) => Err(CallError::Retry {
                    after_ms: None,
                    trouble: Trouble::Strange,
                    why: format!("the server's answer does not add up: {why}"),
                }),
            });
        let (sent, settled) = self.outcome(reply, &seqs, body_bytes);
        let settled = match (self.plan.sent(self.now_ms(), sent), settled) {
            (Split::GiveUp, _) => {
                self.failed(
                    Trouble::Refused,
                    "the server found a single record too large".into(),
                );
                let message = "the server found the record too large";
                Some(Settled::all_refused(&[last], "too_large", message))
            }
            (Split::Smaller, settled) => settled,
        };
        let result = self
            .on_spool(move |spool| match settled {
                Some(settled) => settled.keep(spool, last),
                None => spool.release(),
            })
            .await;
        if let Err(error) = result {
            // The records stay and are sent again; the server knows them by `seq`.
            self.spool_failed(&error).await;
        }
    }

    /// What an answer means for the plan, and for the records where the server has decided.
    fn outcome(
        &self,
        reply: Result<BatchAnswer, CallError>,
        seqs: &[u64],
        body_bytes: u64,
    ) -> (Sent, Option<Settled>) {
        match reply {
            Ok(answer) => {
                // Before the status says so: whoever follows that looks then.
                if let Some(on_sent) = &self.options.on_sent {
                    on_sent(SentBatch {
                        at: (self.options.clock)(),
                        records: seqs.len() as u64,
                        bytes: body_bytes,
                        refused: answer.rejected,
                    });
                }
                self.succeeded(answer.accepted + answer.duplicates);
                let policy_version = answer.policy_version;
                let settled = Settled::answered(answer);
                (Sent::Stored { policy_version }, Some(settled))
            }
            Err(CallError::Retry {
                after_ms,
                trouble,
                why,
            }) => {
                self.failed(trouble, why);
                (Sent::Retry { after_ms }, None)
            }
            Err(CallError::TooLarge { .. }) => {
                let records = seqs.len();
                (Sent::TooLarge { records }, None)
            }
            Err(CallError::Refused {
                status,
                code,
                message,
            }) => {
                let records = seqs.len();
                self.failed(
                    Trouble::Refused,
                    format!("the server refused {records} records ({status} {code}): {message}"),
                );
                let settled = Settled::all_refused(seqs, &code, &message);
                (Sent::Refused, Some(settled))
            }
        }
    }

    /// Makes a body of as many of the records as fit, and tells their numbers.
    fn encode(
        &self,
        mut records: Vec<StoredRecord>,
    ) -> std::io::Result<Option<(batch::Body, Vec<u64>)>> {
        if records.is_empty() {
            return Ok(None);
        }
        loop {
            let seqs: Vec<u64> = records.iter().map(|record| record.seq).collect();
            let batch = batch::build(
                &self.options.sender,
                records.clone(),
                self.options.spool.drops(),
                (self.options.clock)(),
            );
            let body = batch::encode(&batch)?;
            if body.fits() || records.len() == 1 {
                return Ok(Some((body, seqs)));
            }
            records.truncate(records.len() / 2);
        }
    }
}

/// What the server decided about a batch.
struct Settled {
    refused: Vec<Refusal>,
    /// Records that it refused and could not name.
    unnamed: u64,
    /// The number that it expects next, where it said one.
    next_seq: Option<u64>,
}

impl Settled {
    fn answered(answer: BatchAnswer) -> Self {
        let unnamed = answer.errors.iter().filter(|error| error.seq.is_none());
        Self {
            unnamed: unnamed.count() as u64,
            next_seq: Some(answer.next_seq),
            refused: answer
                .errors
                .into_iter()
                .filter_map(|error| {
                    Some(Refusal {
                        seq: error.seq?,
                        code: error.code,
                        message: error.message,
                    })
                })
                .collect(),
        }
    }

    fn all_refused(seqs: &[u64], code: &str, message: &str) -> Self {
        let refused = seqs.iter().map(|&seq| Refusal {
            seq,
            code: code.to_owned(),
            message: message.to_owned(),
        });
        Self {
            refused: refused.collect(),
            unnamed: 0,
            next_seq: None,
        }
    }

    /// The records up to `last` leave the spool.
    fn keep(self, spool: &Spool, last: u64) -> Result<(), SpoolError> {
        spool.settle(last, &self.refused)?;
        if self.unnamed > 0 {
            spool.count_drops("rejected", self.unnamed)?;
        }
        match self.next_seq {
            Some(next_seq) => spool.raise_floor(next_seq),
            None => Ok(()),
        }
    }
}

/// Whether an answer can be about the records that were sent.
fn check(answer: &BatchAnswer, seqs: &[u64]) -> Result<(), &'static str> {
    let total = answer
        .accepted
        .checked_add(answer.duplicates)
        .and_then(|sum| sum.checked_add(answer.rejected));
    if total != Some(seqs.len() as u64) {
        return Err("its counts are not those of the batch");
    }
    if answer.errors.len() as u64 != answer.rejected {
        return Err("it does not name what it rejected");
    }
    let mut named: Vec<u64> = answer.errors.iter().filter_map(|error| error.seq).collect();
    named.sort_unstable();
    if named.windows(2).any(|pair| pair[0] == pair[1])
        || named.iter().any(|seq| seqs.binary_search(seq).is_err())
    {
        return Err("it names records that were not in the batch");
    }
    if answer.next_seq > SEQ_MAX {
        return Err("its next sequence number is out of range");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use snag_wire::RecordError;

    use super::*;

    #[test]
    fn answers_must_add_up() {
        let error = |seq| RecordError {
            seq,
            code: "x".into(),
            message: "y".into(),
        };
        let answer = |accepted, duplicates, errors: Vec<RecordError>| BatchAnswer {
            accepted,
            duplicates,
            rejected: errors.len() as u64,
            errors,
            next_seq: 10,
            policy_version: 1,
        };
        let seqs = [4, 5, 9];
        for good in [
            answer(3, 0, vec![]),
            answer(1, 2, vec![]),
            answer(1, 0, vec![error(Some(5)), error(None)]),
        ] {
            assert_eq!(check(&good, &seqs), Ok(()));
        }
        let mut unnamed = answer(2, 0, vec![]);
        unnamed.rejected = 1;
        let mut far = answer(3, 0, vec![]);
        far.next_seq = u64::MAX;
        for bad in [
            answer(2, 0, vec![]),
            answer(4, 0, vec![]),
            answer(u64::MAX, 4, vec![]),
            answer(2, 0, vec![error(Some(6))]),
            answer(1, 0, vec![error(Some(5)), error(Some(5))]),
            unnamed,
            far,
        ] {
            assert!(check(&bad, &seqs).is_err(), "{bad:?}");
        }
    }
}
