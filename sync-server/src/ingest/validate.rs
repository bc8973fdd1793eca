//! Each record accepted or rejected with a code.
//!
//! **Invariant:** what isn't in the contract is not stored. A field that the contract
//! lacks rejects its record, or the whole batch where the batch itself has it: it
//! would widen what is collected.
//!
//! A whole batch is read at once; only where that fails are its records read one by
//! one, so that one bad record costs the others nothing but time.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;
use snag_wire::{DropCount, LabelRecord, RecordError, SessionRecord, limits};

use super::parse::{self, Context, Event, Record};
use super::rows::{self, BatchRows, Events, Label, Place, Row, Shared};
use crate::auth::DeviceAuth;
use crate::orgs::Org;
use crate::{ApiError, AppState, json, labels};

/// Clocks this close are left alone: the way of a batch takes that long.
const CLOCK_TOLERANCE_MS: i64 = 5_000;

/// Why a record was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RejectCode {
    /// It has a field that the contract lacks.
    UnknownField,
    /// It lacks a field.
    MissingField,
    /// It has a field twice.
    DuplicateField,
    /// A field isn't of its type.
    InvalidType,
    /// A word isn't in its list.
    UnknownValue,
    /// A number is beyond its limits.
    OutOfRange,
    /// Its context isn't in the batch.
    UnknownContext,
    /// The name of its program is too long, has a path or a control character.
    BadApp,
    /// Its role isn't a word of lower-case letters.
    BadRole,
    /// A hash isn't 16 lower-case hexadecimal digits.
    BadHash,
    /// Its sequence number isn't above the one before.
    NotAscending,
    /// It lies after the batch was sent.
    Future,
    /// It is older than anything that is kept.
    TooOld,
    /// A label's text is empty, too long or has control characters.
    BadLabel,
    /// A label's text doesn't give its hash.
    LabelHashMismatch,
    /// A label that too few share, or that a rule keeps.
    LabelNotWanted,
}

impl RejectCode {
    /// The word in answers and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownField => "unknown_field",
            Self::MissingField => "missing_field",
            Self::DuplicateField => "duplicate_field",
            Self::InvalidType => "invalid_type",
            Self::UnknownValue => "unknown_value",
            Self::OutOfRange => "out_of_range",
            Self::UnknownContext => "unknown_context",
            Self::BadApp => "bad_app",
            Self::BadRole => "bad_role",
            Self::BadHash => "bad_hash",
            Self::NotAscending => "not_ascending",
            Self::Future => "future",
            Self::TooOld => "too_old",
            Self::BadLabel => "bad_label",
            Self::LabelHashMismatch => "label_hash_mismatch",
            Self::LabelNotWanted => "label_not_wanted",
        }
    }

    fn message(self) -> &'static str {
        match self {
            Self::UnknownField => "The record has a field that the contract lacks.",
            Self::MissingField => "The record lacks a field.",
            Self::DuplicateField => "The record has a field twice.",
            Self::InvalidType => "A field isn't of the type that the contract says.",
            Self::UnknownValue => "A word isn't one of those that the contract lists.",
            Self::OutOfRange => "A number is beyond the contract's limits.",
            Self::UnknownContext => "`context` or `path` names a context that the batch lacks.",
            Self::BadApp => "`app` has at most 64 characters, no path and no control characters.",
            Self::BadRole => "`role` is 1 to 32 of a-z and _.",
            Self::BadHash => "A hash is 16 lower-case hexadecimal digits.",
            Self::NotAscending => "`seq` isn't above that of the record before.",
            Self::Future => "The record lies after the moment the batch was sent.",
            Self::TooOld => "The record is older than anything that is kept.",
            Self::BadLabel => "`text` has 1 to 200 characters, none of them a control character.",
            Self::LabelHashMismatch => "`text` doesn't give `hash`.",
            Self::LabelNotWanted => "The policy doesn't ask for this label.",
        }
    }
}

/// A record that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Its sequence number, where it could be read.
    pub seq: Option<u64>,
    /// Why.
    pub code: RejectCode,
    /// What is wrong beyond the code's own words: names of the contract, nothing else.
    pub field: Option<&'static str>,
}

impl From<Rejected> for RecordError {
    fn from(rejected: Rejected) -> Self {
        let mut message = rejected.code.message().to_owned();
        if let Some(field) = rejected.field {
            message = format!("{message} Field: `{field}`.");
        }
        Self {
            seq: rejected.seq,
            code: rejected.code.as_str().to_owned(),
            message,
        }
    }
}

/// Why, and which field.
type Fault = (RejectCode, Option<&'static str>);

/// A batch whose records are in columns or refused.
#[derive(Debug)]
pub struct Validated {
    /// What may be stored.
    pub rows: BatchRows,
    /// What was refused.
    pub errors: Vec<Rejected>,
    /// What the device dropped.
    pub drops: Vec<DropCount>,
}

impl Validated {
    /// Refuses the labels that may not be stored.
    ///
    /// # Errors
    /// The warehouse's.
    pub async fn admit_labels(&mut self, state: &AppState, org: &Org) -> Result<(), ApiError> {
        let labels = std::mem::take(&mut self.rows.labels);
        for row in labels {
            let label = &row.record;
            if state
                .labels
                .may_store(state, org, &label.app, &label.text, label.hash)
                .await?
            {
                self.rows.labels.push(row);
            } else {
                self.errors.push(Rejected {
                    seq: Some(label.seq),
                    code: RejectCode::LabelNotWanted,
                    field: None,
                });
            }
        }
        Ok(())
    }
}

/// Reads and validates a batch.
///
/// # Errors
/// 400 where the batch itself isn't what the contract says, 403 where it is of another
/// device, 413 where it has too many records.
pub fn batch(
    body: &[u8],
    auth: &DeviceAuth,
    received_at: Timestamp,
) -> Result<Validated, ApiError> {
    if let Ok(batch) = json::from_slice::<parse::Typed<'_>>(body) {
        let mut validator = Validator::new(&batch, auth, received_at)?;
        for record in batch.records {
            validator.take(record);
        }
        return Ok(validator.finish(batch.drops));
    }
    let batch: parse::Raw<'_> = json::from_slice(body).map_err(|error| refuse(&error))?;
    let mut validator = Validator::new(&batch, auth, received_at)?;
    for raw in batch.records {
        match json::from_slice::<Record<'_>>(raw.get().as_bytes()) {
            Ok(record) => validator.take(record),
            Err(error) => {
                let seq = seq_of(raw.get());
                if let Some(seq) = seq {
                    validator.last_seq = validator.last_seq.max(Some(seq));
                }
                validator.errors.push(Rejected {
                    seq,
                    code: code_of(&error),
                    field: None,
                });
            }
        }
    }
    Ok(validator.finish(batch.drops))
}

/// A batch that can't be read, in words that hold nothing of it.
fn refuse(error: &serde_json::Error) -> ApiError {
    let (line, column) = (error.line(), error.column());
    let detail = match code_of(error) {
        _ if !error.is_data() => {
            format!("The body isn't valid JSON at line {line}, column {column}.")
        }
        RejectCode::UnknownField => {
            format!(
                "The batch has a field that the contract lacks, at line {line}, column {column}."
            )
        }
        _ => format!("The batch isn't as the contract says, at line {line}, column {column}."),
    };
    ApiError::invalid_body(detail)
}

/// serde tells its errors apart in words only.
fn code_of(error: &serde_json::Error) -> RejectCode {
    let text = error.to_string();
    let starts = |prefix| text.starts_with(prefix);
    if starts("unknown field") {
        RejectCode::UnknownField
    } else if starts("missing field") {
        RejectCode::MissingField
    } else if starts("duplicate field") {
        RejectCode::DuplicateField
    } else if starts("unknown variant") {
        RejectCode::UnknownValue
    } else if starts("a label hash is") {
        RejectCode::BadHash
    } else if starts("invalid value: integer") || starts("number out of range") {
        RejectCode::OutOfRange
    } else {
        RejectCode::InvalidType
    }
}

fn seq_of(record: &str) -> Option<u64> {
    #[derive(Deserialize)]
    struct Seq {
        seq: u64,
    }
    json::from_slice::<Seq>(record.as_bytes())
        .ok()
        .map(|record| record.seq)
        .filter(|seq| *seq <= limits::SEQ_MAX)
}

struct Validator {
    rows: BatchRows,
    errors: Vec<Rejected>,
    last_seq: Option<u64>,
    /// Contexts whose program's name can't be stored.
    bad_apps: Vec<bool>,
    label_key: [u8; 32],
    base_ms: i64,
    earliest_ms: i64,
    latest_ms: i64,
}

impl Validator {
    fn new<R>(
        batch: &parse::Batch<'_, R>,
        auth: &DeviceAuth,
        received_at: Timestamp,
    ) -> Result<Self, ApiError> {
        if batch.device != auth.device {
            return Err(
                ApiError::forbidden("The batch is of another device than the token.")
                    .with_field("device"),
            );
        }
        if batch.records.len() > limits::RECORDS_MAX || batch.contexts.len() > limits::CONTEXTS_MAX
        {
            return Err(ApiError::new(
                snag_wire::Code::TooLarge,
                format!("A batch has at most {} records.", limits::RECORDS_MAX),
            ));
        }
        for (field, name) in [
            ("product", &batch.product),
            ("agent_version", &batch.agent_version),
        ] {
            if name.is_empty()
                || name.chars().count() > limits::NAME_CHARS_MAX
                || name.chars().any(char::is_control)
            {
                return Err(ApiError::invalid_body(format!(
                    "`{field}` has 1 to {} characters, none of them a control character.",
                    limits::NAME_CHARS_MAX
                ))
                .with_field(field));
            }
        }
        check_drops(&batch.drops)?;
        let (sent_ms, received_ms) = (batch.sent_at.as_millisecond(), received_at.as_millisecond());
        let offset = received_ms.saturating_sub(sent_ms);
        let clock_offset_ms = if offset.abs() > CLOCK_TOLERANCE_MS {
            offset
        } else {
            0
        };

        let mut apps: Vec<String> = Vec::new();
        let mut places = Vec::with_capacity(batch.contexts.len());
        let mut bad_apps = Vec::with_capacity(batch.contexts.len());
        for context in &batch.contexts {
            let bad = !is_app(&context.app);
            bad_apps.push(bad);
            places.push(Place {
                session: context.session,
                app: if bad {
                    0
                } else {
                    app_index(&mut apps, context)
                },
                screen: context.screen,
            });
        }
        Ok(Self {
            rows: BatchRows {
                shared: Shared {
                    org: Arc::from(auth.org.key.as_str()),
                    product: batch.product.clone().into_owned(),
                    version: batch.agent_version.clone().into_owned(),
                    segment: auth.segment.clone(),
                    device: auth.device,
                    clock_offset_ms,
                    received_at_s: u32::try_from(received_ms / 1_000).unwrap_or(0),
                },
                apps,
                roles: Vec::new(),
                places,
                events: Events::with_capacity(batch.records.len()),
                sessions: Vec::new(),
                screens: Vec::new(),
                incidents: Vec::new(),
                labels: Vec::new(),
            },
            errors: Vec::new(),
            last_seq: None,
            bad_apps,
            label_key: auth.org.label_key,
            base_ms: batch
                .base_at
                .as_millisecond()
                .saturating_add(clock_offset_ms),
            earliest_ms: sent_ms
                .saturating_add(clock_offset_ms)
                .saturating_sub(limits::AGE_MS_MAX),
            latest_ms: sent_ms
                .saturating_add(clock_offset_ms)
                .saturating_add(limits::AHEAD_MS_MAX),
        })
    }

    fn finish(self, drops: Vec<DropCount>) -> Validated {
        Validated {
            rows: self.rows,
            errors: self.errors,
            drops,
        }
    }

    fn take(&mut self, record: Record<'_>) {
        let seq = record.seq();
        let fault = if seq > limits::SEQ_MAX {
            Err((RejectCode::OutOfRange, Some("seq")))
        } else if self.last_seq.is_some_and(|last| seq <= last) {
            Err((RejectCode::NotAscending, None))
        } else {
            self.last_seq = Some(seq);
            self.store(record)
        };
        if let Err((code, field)) = fault {
            self.errors.push(Rejected {
                seq: Some(seq),
                code,
                field,
            });
        }
    }

    fn store(&mut self, record: Record<'_>) -> Result<(), Fault> {
        match record {
            Record::Event(event) => self.event(event),
            Record::Session(record) => {
                let at = self.moment(record.t_ms)?;
                self.place(record.context)?;
                self.session(&record)?;
                self.rows.sessions.push(Row { at, record });
                Ok(())
            }
            Record::Screen(record) => {
                let at = self.moment(record.t_ms)?;
                self.place(record.context)?;
                durations(&[
                    ("dwell_ms", record.dwell_ms),
                    ("time_lost_ms", record.time_lost_ms),
                ])?;
                counts(&[
                    ("visits", record.visits),
                    ("clicks", record.clicks),
                    ("keys", record.keys),
                    ("rage_clicks", record.rage_clicks),
                    ("dead_clicks", record.dead_clicks),
                    ("backtracks", record.backtracks),
                    ("errors", record.errors),
                ])?;
                score("session_frustration", record.session_frustration)?;
                if let Some(efficiency) = record.session_efficiency {
                    score("session_efficiency", efficiency)?;
                }
                self.rows.screens.push(Row { at, record });
                Ok(())
            }
            Record::Incident(record) => {
                let at = self.moment(record.t_ms)?;
                self.place(record.context)?;
                durations(&[("duration_ms", record.duration_ms)])?;
                counts(&[("count", record.count), ("version", record.version.into())])?;
                if record.count == 0 || record.version == 0 {
                    return Err((RejectCode::OutOfRange, Some("count")));
                }
                if record.role.as_deref().is_some_and(|role| !is_role(role)) {
                    return Err((RejectCode::BadRole, None));
                }
                self.rows.incidents.push(Row { at, record });
                Ok(())
            }
            Record::Label(record) => self.label(*record),
        }
    }

    fn event(&mut self, event: Event<'_>) -> Result<(), Fault> {
        let at = self.moment(event.t_ms)?;
        self.place(event.context)?;
        let duration_ms = match u32::try_from(event.duration_ms) {
            Ok(ms) if u64::from(ms) <= limits::DURATION_MS_MAX => ms,
            _ => return Err((RejectCode::OutOfRange, Some("duration_ms"))),
        };
        if event.count == 0 || u64::from(event.count) > limits::COUNT_MAX {
            return Err((RejectCode::OutOfRange, Some("count")));
        }
        let role = match event.role {
            None => 0,
            Some(role) => self.role(role)?,
        };
        let events = &mut self.rows.events;
        events.seq.push(event.seq);
        events.at.push(at);
        events.kind.push(rows::kind_number(event.kind));
        events
            .detail
            .push(event.detail.map_or(0, rows::detail_number));
        events.role.push(role);
        events.label.push(event.label);
        events.place.push(event.context);
        events.count.push(event.count);
        events.duration_ms.push(duration_ms);
        Ok(())
    }

    fn role(&mut self, role: Cow<'_, str>) -> Result<u16, Fault> {
        // A batch has a handful of roles: looking through them is faster than hashing.
        let known = self.rows.roles.iter().position(|known| *known == role);
        let index = match known {
            Some(index) => index,
            None if !is_role(&role) => return Err((RejectCode::BadRole, None)),
            // More roles than any toolkit has: somebody hides text in them.
            None if self.rows.roles.len() >= 256 => return Err((RejectCode::BadRole, None)),
            None => {
                self.rows.roles.push(role.into_owned());
                self.rows.roles.len() - 1
            }
        };
        Ok(u16::try_from(index + 1).unwrap_or(0))
    }

    fn session(&self, record: &SessionRecord) -> Result<(), Fault> {
        durations(&[
            ("duration_ms", record.duration_ms),
            ("active_ms", record.active_ms),
        ])?;
        counts(&[
            ("clicks", record.clicks),
            ("keys", record.keys),
            ("scrolls", record.scrolls),
            ("screens", record.screens),
            ("visits", record.visits),
            ("context_switches", record.context_switches),
            ("tasks_started", record.tasks_started),
            ("tasks_completed", record.tasks_completed),
            ("rage_clicks", record.rage_clicks),
            ("dead_clicks", record.dead_clicks),
            ("backtracks", record.backtracks),
            ("abandoned_tasks", record.abandoned_tasks),
            ("error_loops", record.error_loops),
            ("undo_storms", record.undo_storms),
            ("errors", record.errors),
            ("score_version", record.score_version.into()),
        ])?;
        score("frustration", record.frustration)?;
        if let Some(efficiency) = record.efficiency {
            score("efficiency", efficiency)?;
        }
        terms("frustration_terms", &record.frustration_terms)?;
        if let Some(values) = &record.efficiency_terms {
            terms("efficiency_terms", values)?;
        }
        if record.path.len() > limits::PATH_SCREENS_MAX {
            return Err((RejectCode::OutOfRange, Some("path")));
        }
        for context in &record.path {
            self.place(*context)?;
        }
        Ok(())
    }

    fn label(&mut self, record: LabelRecord) -> Result<(), Fault> {
        let at = self.moment(record.t_ms)?;
        if !is_app(&record.app) {
            return Err((RejectCode::BadApp, None));
        }
        let length = record.text.chars().count();
        if length == 0
            || length > limits::LABEL_CHARS_MAX
            || record.text.chars().any(char::is_control)
        {
            return Err((RejectCode::BadLabel, None));
        }
        if labels::hash(&self.label_key, &record.text) != record.hash {
            return Err((RejectCode::LabelHashMismatch, None));
        }
        self.rows.labels.push(Row {
            at,
            record: Label {
                seq: record.seq,
                hash: record.hash,
                kind: record.kind,
                app: record.app,
                text: record.text,
            },
        });
        Ok(())
    }

    fn moment(&self, t_ms: i64) -> Result<i64, Fault> {
        let at = self
            .base_ms
            .checked_add(t_ms)
            .ok_or((RejectCode::OutOfRange, Some("t_ms")))?;
        if at > self.latest_ms {
            return Err((RejectCode::Future, None));
        }
        if at < self.earliest_ms {
            return Err((RejectCode::TooOld, None));
        }
        Ok(at)
    }

    fn place(&self, context: u32) -> Result<(), Fault> {
        match self.bad_apps.get(context as usize) {
            None => Err((RejectCode::UnknownContext, None)),
            Some(true) => Err((RejectCode::BadApp, None)),
            Some(false) => Ok(()),
        }
    }
}

fn app_index(apps: &mut Vec<String>, context: &Context<'_>) -> u32 {
    let index = apps
        .iter()
        .position(|known| *known == context.app)
        .unwrap_or_else(|| {
            apps.push(context.app.clone().into_owned());
            apps.len() - 1
        });
    u32::try_from(index).unwrap_or(u32::MAX)
}

fn is_app(app: &str) -> bool {
    app.len() <= limits::APP_CHARS_MAX * 4
        && app.chars().count() <= limits::APP_CHARS_MAX
        && !app
            .chars()
            .any(|c| c.is_control() || matches!(c, '/' | '\\'))
}

fn is_role(role: &str) -> bool {
    (1..=32).contains(&role.len()) && role.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
}

fn is_reason(reason: &str) -> bool {
    is_role(reason)
}

fn check_drops(drops: &[DropCount]) -> Result<(), ApiError> {
    let good = drops.len() <= 64
        && drops
            .iter()
            .all(|drop| is_reason(&drop.reason) && drop.count <= limits::SEQ_MAX);
    if good {
        return Ok(());
    }
    let detail = "`drops` has at most 64 reasons, each 1 to 32 of a-z and _.";
    Err(ApiError::invalid_body(detail).with_field("drops"))
}

fn durations(values: &[(&'static str, u64)]) -> Result<(), Fault> {
    at_most(values, limits::DURATION_MS_MAX)
}

fn counts(values: &[(&'static str, u64)]) -> Result<(), Fault> {
    at_most(values, limits::COUNT_MAX)
}

fn at_most(values: &[(&'static str, u64)], most: u64) -> Result<(), Fault> {
    match values.iter().find(|(_, value)| *value > most) {
        Some((field, _)) => Err((RejectCode::OutOfRange, Some(field))),
        None => Ok(()),
    }
}

/// Scores lie from 0 to 1; anything else (infinities included) is a fault.
fn score(field: &'static str, value: f64) -> Result<(), Fault> {
    if (0.0..=1.0).contains(&value) {
        Ok(())
    } else {
        Err((RejectCode::OutOfRange, Some(field)))
    }
}

fn terms(field: &'static str, values: &[f64]) -> Result<(), Fault> {
    if values
        .iter()
        .all(|value| value.is_finite() && value.abs() <= 1e12)
    {
        Ok(())
    } else {
        Err((RejectCode::OutOfRange, Some(field)))
    }
}
