//! `snag-agent export`: everything that is kept on this device, as JSON lines.

use std::io::{BufWriter, Write};

use anyhow::Result;
use jiff::Timestamp;
use serde_json::json;
use snag_spool::StoredRecord;

use super::open_spool;
use crate::config::Paths;

/// Prints the records that wait and those that the server refused, as they would leave.
///
/// # Errors
/// When the agent is running, or its records can't be read.
pub fn run(paths: &Paths) -> Result<()> {
    let spool = open_spool(paths)?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    let waiting = usize::try_from(spool.waiting().records()).unwrap_or(usize::MAX);
    for record in spool.peek(waiting)? {
        writeln!(out, "{}", json!({"waiting": shown(&record)?}))?;
    }
    spool.release()?;
    let mut after = 0;
    loop {
        let letters = spool.dead_letters(after, 1_000)?;
        let Some(last) = letters.last() else { break };
        after = last.record.seq;
        for letter in &letters {
            let refused = json!({"record": shown(&letter.record)?, "code": letter.code, "message": letter.message});
            writeln!(out, "{}", json!({"refused": refused}))?;
        }
    }
    out.flush()?;
    Ok(())
}

/// A record as it leaves, with its place and time written out instead of by reference.
fn shown(stored: &StoredRecord) -> Result<serde_json::Value> {
    let mut record = serde_json::to_value(&stored.record)?;
    if let Some(fields) = record.as_object_mut() {
        fields.remove("context");
        fields.remove("t_ms");
        fields.insert(
            "at".into(),
            json!(Timestamp::from_millisecond(stored.at_ms)?),
        );
        fields.insert("session".into(), json!(stored.place.session));
        fields.insert("app".into(), json!(stored.place.app));
        fields.insert("screen".into(), json!(stored.place.screen));
        if fields.contains_key("path") {
            let path: Vec<_> = stored
                .path
                .iter()
                .map(|place| json!({"app": place.app, "screen": place.screen}))
                .collect();
            fields.insert("path".into(), json!(path));
        }
    }
    Ok(record)
}
