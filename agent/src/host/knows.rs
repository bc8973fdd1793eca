//! What Snag knows: the day, what waits, what was sent and refused, who looked; and how to be rid of it.

use std::collections::BTreeSet;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde::Serialize;
use snag_spool::{DeadLetter, Removed, Spool, StoredRecord};
use snag_wire::Record;

use super::Host;
use super::device::sender;
use super::shared::server_problem;
use crate::desktop::journal::{self, Teller};
use crate::desktop::view::{
    Conversation, Day, Deleted, LookView, RecordPage, RecordView, SentBatch, Sentence, Settings,
};
use crate::sync::batch::{self, Sender};
use crate::sync::{CallError, Client};

/// Records on a page.
const PAGE: usize = 200;

/// Why records were dropped that a person deleted, as the server is told.
const DELETED: &str = "deleted_by_person";

impl Host {
    /// A day as Snag knows it, `2026-11-20`; today where none is given.
    ///
    /// # Errors
    /// It is no day, or the spool can't be read.
    pub fn knows_day(&self, date: Option<&str>) -> Result<Day, Sentence> {
        let spool = self.shared.spool()?;
        let zone = TimeZone::system();
        let unknown = || Sentence::plain("problem.day_unknown");
        let date: Date = match date {
            Some(date) => date.parse().map_err(|_| unknown())?,
            None => Zoned::now().date(),
        };
        let (from_ms, to_ms) = journal::bounds(date, &zone).ok_or_else(unknown)?;
        let records = spool.journal(from_ms, to_ms)?;
        let days = journal::days(&spool.journal_times()?, &zone);
        let labels = &self.shared.labels;
        let teller = Teller {
            zone,
            text: &|hash| labels.text(hash),
            until_ms: self.known_until_ms(&records),
        };
        journal::day(date, &days, &records, &teller).ok_or_else(unknown)
    }

    /// Now, while this desktop is captured; else when it was seen last.
    fn known_until_ms(&self, records: &[StoredRecord]) -> i64 {
        match self.shared.health().filter(|health| !health.paused) {
            Some(_) => Timestamp::now().as_millisecond(),
            None => records.iter().map(|record| record.at_ms).max().unwrap_or(0),
        }
    }

    /// Records that wait, from after a number on; with the first page the exact next body. All of it is of one moment.
    ///
    /// # Errors
    /// The spool can't be read.
    pub fn knows_waiting(&self, after: Option<u64>) -> Result<RecordPage, Sentence> {
        let spool = self.shared.spool()?;
        let in_batch = match after {
            None => self
                .shared
                .policy()
                .map_or(1, |policy| policy.sync.batch_records.max(1) as usize),
            Some(_) => 0,
        };
        let most = in_batch.max(PAGE + 1);
        let (mut records, waiting) = spool.list_counted(after.unwrap_or(0), most)?;
        let unstored = self.shared.unstored_records();
        let body = self.next_body(&spool, records.iter().take(in_batch).cloned().collect())?;
        let next = (records.len() > PAGE).then(|| records[PAGE - 1].seq);
        records.truncate(PAGE);
        // Whoever follows the figures is told those that are listed.
        self.shared.publish();
        Ok(RecordPage {
            items: self.views(records),
            next,
            total: waiting.records(),
            unstored,
            body,
        })
    }

    /// The body of the request that these records leave with; only the time of sending is that of this moment. Empty
    /// where there are none, or nobody to send them.
    fn next_body(&self, spool: &Spool, records: Vec<StoredRecord>) -> Result<String, Sentence> {
        let Some(sender) = self.batch_sender().filter(|_| !records.is_empty()) else {
            return Ok(String::new());
        };
        let batch = batch::build(&sender, records, spool.drops(), Timestamp::now());
        serde_json::to_string_pretty(&batch).map_err(|error| unknown(&error))
    }

    fn batch_sender(&self) -> Option<Sender> {
        let device = self.shared.device.lock();
        device.as_ref().map(|device| sender(&device.identity))
    }

    fn views(&self, records: Vec<StoredRecord>) -> Vec<RecordView> {
        let facts: Vec<_> = records
            .iter()
            .map(|record| (record.seq, record.at_ms, app(record)))
            .collect();
        let sender = self.batch_sender().unwrap_or_else(nobody);
        let batch = batch::build(&sender, records, Vec::new(), Timestamp::now());
        facts
            .into_iter()
            .zip(&batch.records)
            .map(|((seq, at_ms, app), record)| RecordView {
                seq,
                at: Timestamp::from_millisecond(at_ms).unwrap_or_default(),
                kind: kind(record).to_owned(),
                app,
                json: serde_json::to_string_pretty(record).unwrap_or_default(),
                reason: String::new(),
            })
            .collect()
    }

    /// What was sent lately, the newest first.
    #[must_use]
    pub fn knows_sent(&self) -> Vec<SentBatch> {
        self.shared.sent.list()
    }

    /// Records that the server refused, with its reasons, from after a number on.
    ///
    /// # Errors
    /// The spool can't be read.
    pub fn knows_refused(&self, after: Option<u64>) -> Result<RecordPage, Sentence> {
        let spool = self.shared.spool()?;
        let mut letters = spool.dead_letters(after.unwrap_or(0), PAGE + 1)?;
        let next = (letters.len() > PAGE).then(|| letters[PAGE - 1].record.seq);
        letters.truncate(PAGE);
        let (records, reasons): (Vec<_>, Vec<_>) = letters
            .into_iter()
            .map(
                |DeadLetter {
                     record,
                     code,
                     message,
                 }| (record, format!("{message} ({code})")),
            )
            .unzip();
        let mut items = self.views(records);
        for (item, reason) in items.iter_mut().zip(reasons) {
            item.reason = reason;
        }
        Ok(RecordPage {
            items,
            next,
            total: spool.waiting().dead_letters,
            unstored: 0,
            body: String::new(),
        })
    }

    /// Who looked at this person's pictures or changed, answered or deleted what they said, as
    /// the server's audit has it, the newest first.
    ///
    /// # Errors
    /// Not enrolled, or the server doesn't answer.
    pub async fn knows_looked(&self) -> Result<Vec<LookView>, Sentence> {
        let looks = self
            .client()?
            .looks()
            .await
            .map_err(|error| self.call_problem(&error))?;
        Ok(looks.items)
    }

    fn client(&self) -> Result<Client, Sentence> {
        let device = self.shared.device.lock();
        device
            .as_ref()
            .map(|device| device.client.clone())
            .ok_or_else(|| self.shared.no_device())
    }

    fn call_problem(&self, error: &CallError) -> Sentence {
        server_problem(error.trouble(), &error.to_string(), self.shared.waiting())
    }

    /// Deletes records that wait: those named, or all. What is on its way at this moment is deleted as soon as it is
    /// known that it didn't arrive.
    ///
    /// # Errors
    /// Nothing was deleted.
    pub fn delete_waiting(&self, seqs: Option<&[u64]>) -> Result<Deleted, Sentence> {
        let spool = self.shared.spool()?;
        let seqs: Option<BTreeSet<u64>> = seqs.map(|seqs| seqs.iter().copied().collect());
        let Removed { removed, leaving } = spool.remove(seqs.as_ref(), DELETED)?;
        tracing::info!(removed, leaving, "the person deleted records that waited");
        self.shared.publish();
        Ok(Deleted {
            deleted: removed,
            leaving,
        })
    }

    /// Deletes what the server refused and is kept here. How much it was stays counted.
    ///
    /// # Errors
    /// Nothing was deleted.
    pub fn delete_refused(&self) -> Result<(), Sentence> {
        let deleted = self.shared.spool()?.forget_dead_letters()?;
        tracing::info!(deleted, "the person deleted what was refused");
        self.shared.publish();
        Ok(())
    }

    /// Deletes what this computer remembers of a day. Records that wait are not touched.
    ///
    /// # Errors
    /// It is no day, or nothing was deleted.
    pub fn delete_day(&self, date: &str) -> Result<(), Sentence> {
        let unknown = || Sentence::plain("problem.day_unknown");
        let date: Date = date.parse().map_err(|_| unknown())?;
        let (from_ms, to_ms) = journal::bounds(date, &TimeZone::system()).ok_or_else(unknown)?;
        self.shared.spool()?.forget_journal(from_ms, to_ms)?;
        Ok(())
    }

    /// Asks the server to delete everything of this device. Its token ends with it, so that this computer is not
    /// enrolled any more, and what waits here is deleted, too.
    ///
    /// # Errors
    /// The server didn't do it: then everything is what it was. Or it did, and something here can't be removed.
    pub async fn request_deletion(&self) -> Result<(), Sentence> {
        self.client()?
            .forget()
            .await
            .map_err(|error| self.call_problem(&error))?;
        tracing::info!("the server forgot this device, as its person asked");
        match std::fs::remove_file(self.shared.paths.identity()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let device = self.shared.device.lock().take();
        if let Some(device) = device
            && let Ok(sync) = Arc::try_unwrap(device.sync)
        {
            sync.stop(super::STOP_DEADLINE).await;
        }
        self.shared.feedback.delete_waiting()?;
        self.delete_drafts()?;
        let spool = self.shared.spool()?;
        spool.release()?;
        spool.remove(None, DELETED)?;
        spool.set_value("policy", None)?;
        self.decline()
    }

    /// Writes all that is kept here into a file of the person's: the days, what waits, was refused and sent, what
    /// was said, the settings.
    ///
    /// # Errors
    /// Something can't be read, or the file can't be written.
    pub fn export_json(&self, path: &Path) -> Result<(), Sentence> {
        let spool = self.shared.spool()?;
        let mut days = Vec::new();
        for date in journal::days(&spool.journal_times()?, &TimeZone::system()) {
            days.push(self.knows_day(Some(&date.to_string()))?);
        }
        let sender = self.batch_sender().unwrap_or_else(nobody);
        let batch = |records| batch::build(&sender, records, spool.drops(), Timestamp::now());
        let refused = spool.dead_letters(0, usize::MAX)?;
        let export = Export {
            exported_at: Timestamp::now(),
            days,
            waiting: batch(spool.list(0, usize::MAX)?),
            refused_reasons: refused
                .iter()
                .map(|letter| {
                    format!(
                        "{}: {} ({})",
                        letter.record.seq, letter.message, letter.code
                    )
                })
                .collect(),
            refused: batch(refused.into_iter().map(|letter| letter.record).collect()),
            sent: self.knows_sent(),
            said: self.conversations(),
            settings: self.settings(),
        };
        let bytes = serde_json::to_vec_pretty(&export).map_err(|error| unknown(&error))?;
        write_beside(path, &bytes).map_err(|error| {
            Sentence::new("problem.export_failed", [("reason", error.to_string())])
        })
    }
}

/// All that is kept here.
#[derive(Serialize)]
struct Export {
    exported_at: Timestamp,
    days: Vec<Day>,
    waiting: snag_wire::EventBatch,
    refused: snag_wire::EventBatch,
    refused_reasons: Vec<String>,
    sent: Vec<SentBatch>,
    said: Vec<Conversation>,
    settings: Settings,
}

/// Writes a file in a folder of the person's, whole or not at all and for them alone: the name that it has meanwhile is
/// none of theirs.
fn write_beside(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let mut file = tempfile::Builder::new()
        .prefix(".snag-export-")
        .tempfile_in(folder)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

pub(super) fn unknown(error: &serde_json::Error) -> Sentence {
    Sentence::new("problem.unknown", [("reason", error.to_string())])
}

/// Who sends where nobody does: what is shown without an enrolment.
fn nobody() -> Sender {
    Sender {
        device: uuid::Uuid::nil(),
        product: String::new(),
        agent_version: crate::commands::VERSION.to_owned(),
    }
}

fn app(record: &StoredRecord) -> String {
    match &record.record {
        Record::Label(label) => label.app.clone(),
        _ => record.place.app.to_string(),
    }
}

fn kind(record: &Record) -> &'static str {
    match record {
        Record::Event(_) => "event",
        Record::Session(_) => "session",
        Record::Screen(_) => "screen",
        Record::Incident(_) => "incident",
        Record::Label(_) => "label",
    }
}

#[cfg(test)]
mod tests;
