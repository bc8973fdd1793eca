//! What the server counts. Every name is here and nowhere else.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::{ApiError, AppState};

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Outcome {
    /// Stored.
    #[expect(non_camel_case_types, reason = "the label's value")]
    accepted,
    /// Stored before.
    #[expect(non_camel_case_types, reason = "the label's value")]
    duplicate,
    /// Refused.
    #[expect(non_camel_case_types, reason = "the label's value")]
    rejected,
}

/// What became of a record, and why.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RecordLabels {
    /// What became of it.
    pub outcome: Outcome,
    /// The code it was refused with; empty otherwise.
    pub reason: &'static str,
}

/// How a batch was answered.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct StatusLabels {
    /// The HTTP status.
    pub status: u16,
}

/// Why the warehouse failed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct WarehouseLabels {
    /// `retry`, `rejected`, `unavailable` or `schema`.
    pub kind: &'static str,
}

/// Why devices dropped records.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct DropLabels {
    /// The device's word for it.
    pub reason: String,
}

/// A table of records.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct TableLabels {
    /// Its name.
    pub table: &'static str,
}

/// A rollup that `verify` looks after.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RollupLabels {
    /// Its name.
    pub rollup: String,
}

/// What was refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RefusalLabels {
    /// `screenshot`, `feedback` or `records`.
    pub what: &'static str,
}

/// Every metric.
pub struct Metrics {
    registry: Registry,
    /// Batches by HTTP status.
    pub batches: Family<StatusLabels, Counter>,
    /// Records by outcome and reason.
    pub records: Family<RecordLabels, Counter>,
    /// From a batch's arrival to its answer.
    pub ack_seconds: Histogram,
    /// Records that wait for the committer.
    pub queue_records: Gauge,
    /// One insert into one table.
    pub insert_seconds: Family<TableLabels, Histogram>,
    /// Rows inserted.
    pub inserted_rows: Family<TableLabels, Counter>,
    /// Failures of the warehouse.
    pub warehouse_errors: Family<WarehouseLabels, Counter>,
    /// Compressed bytes of batches.
    pub received_bytes: Counter,
    /// Decompressed bytes of batches.
    pub decompressed_bytes: Counter,
    /// Records that devices dropped, as far as they said since this server started.
    pub device_drops: Family<DropLabels, Counter>,
    /// Devices enrolled by this server.
    pub enrolments: Counter,
    /// Partitions of rollups that differed from a recount.
    pub rollup_repairs: Family<RollupLabels, Counter>,
    /// Who listens to live events.
    pub live_listeners: Gauge,
    /// Live events that could not be queued for the log or for Redis.
    pub live_dropped: Counter,
    /// Whether Redis answers; 0 where there is none.
    pub redis_up: Gauge,
    /// Requests in flight.
    pub in_flight: Gauge,
    /// Items of feedback there are.
    pub stored_submissions: Gauge,
    /// Those of the last 24 hours.
    pub submissions_last_day: Gauge,
    /// When the oldest was written, in seconds since 1970; 0 where there is none.
    pub oldest_submission_s: Gauge,
    /// Items that have a screenshot.
    pub stored_screenshots: Gauge,
    /// What pictures take.
    pub screenshot_storage_bytes: Gauge,
    /// A screenshot's size on average.
    pub screenshot_avg_bytes: Gauge,
    /// The largest screenshot's size.
    pub screenshot_max_bytes: Gauge,
    /// Screenshots whose object was missing at the last comparison.
    pub screenshots_missing: Gauge,
    /// Objects that no row named and that were deleted.
    pub orphans_deleted: Counter,
    /// Free bytes of the fullest disk; 0 until it is known.
    pub disk_free_bytes: Gauge,
    /// What a nearly full disk refused.
    pub disk_refusals: Family<RefusalLabels, Counter>,
    /// Screenshots sent, by HTTP status.
    pub screenshots: Family<StatusLabels, Counter>,
    /// Bytes of screenshots stored.
    pub screenshot_bytes: Counter,
    /// Submissions of feedback by HTTP status.
    pub submissions: Family<StatusLabels, Counter>,
    /// From a submission's arrival to its answer.
    pub submission_seconds: Histogram,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("snag");
        let latency = || Histogram::new(exponential_buckets(0.001, 2.0, 15));
        let metrics = Self {
            batches: Family::default(),
            records: Family::default(),
            ack_seconds: latency(),
            queue_records: Gauge::default(),
            insert_seconds: Family::new_with_constructor(|| {
                Histogram::new(exponential_buckets(0.001, 2.0, 15))
            }),
            inserted_rows: Family::default(),
            warehouse_errors: Family::default(),
            received_bytes: Counter::default(),
            decompressed_bytes: Counter::default(),
            device_drops: Family::default(),
            enrolments: Counter::default(),
            rollup_repairs: Family::default(),
            live_listeners: Gauge::default(),
            live_dropped: Counter::default(),
            redis_up: Gauge::default(),
            in_flight: Gauge::default(),
            stored_submissions: Gauge::default(),
            submissions_last_day: Gauge::default(),
            oldest_submission_s: Gauge::default(),
            stored_screenshots: Gauge::default(),
            screenshot_storage_bytes: Gauge::default(),
            screenshot_avg_bytes: Gauge::default(),
            screenshot_max_bytes: Gauge::default(),
            screenshots_missing: Gauge::default(),
            orphans_deleted: Counter::default(),
            disk_free_bytes: Gauge::default(),
            disk_refusals: Family::default(),
            screenshots: Family::default(),
            screenshot_bytes: Counter::default(),
            submissions: Family::default(),
            submission_seconds: latency(),
            registry: Registry::default(),
        };
        let r = &mut registry;
        r.register("batches", "Batches by HTTP status", metrics.batches.clone());
        r.register(
            "records",
            "Records by outcome and, where rejected, reason",
            metrics.records.clone(),
        );
        r.register_with_unit(
            "batch_ack",
            "Time from a batch's arrival to its answer",
            Unit::Seconds,
            metrics.ack_seconds.clone(),
        );
        r.register(
            "queue_records",
            "Records waiting to be committed",
            metrics.queue_records.clone(),
        );
        r.register_with_unit(
            "insert",
            "Time of one insert into one table",
            Unit::Seconds,
            metrics.insert_seconds.clone(),
        );
        r.register(
            "inserted_rows",
            "Rows inserted by table",
            metrics.inserted_rows.clone(),
        );
        r.register(
            "warehouse_errors",
            "Failures of the warehouse by kind",
            metrics.warehouse_errors.clone(),
        );
        r.register_with_unit(
            "received",
            "Compressed bytes of batches",
            Unit::Bytes,
            metrics.received_bytes.clone(),
        );
        r.register_with_unit(
            "decompressed",
            "Decompressed bytes of batches",
            Unit::Bytes,
            metrics.decompressed_bytes.clone(),
        );
        r.register(
            "device_drops",
            "Records that devices said they dropped, by reason",
            metrics.device_drops.clone(),
        );
        r.register("enrolments", "Devices enrolled", metrics.enrolments.clone());
        r.register(
            "rollup_repairs",
            "Partitions of rollups that differed from a recount and were rebuilt",
            metrics.rollup_repairs.clone(),
        );
        r.register(
            "feedback_screenshots",
            "Screenshots sent, by HTTP status",
            metrics.screenshots.clone(),
        );
        r.register_with_unit(
            "feedback_screenshots_stored",
            "Bytes of screenshots stored since the start",
            Unit::Bytes,
            metrics.screenshot_bytes.clone(),
        );
        r.register(
            "feedback_submissions",
            "Submissions of feedback by HTTP status",
            metrics.submissions.clone(),
        );
        r.register_with_unit(
            "feedback_submission",
            "Time from a submission's arrival to its answer",
            Unit::Seconds,
            metrics.submission_seconds.clone(),
        );
        r.register(
            "live_listeners",
            "Listeners to live events",
            metrics.live_listeners.clone(),
        );
        r.register(
            "live_dropped",
            "Live events that could not be queued for the log or for Redis",
            metrics.live_dropped.clone(),
        );
        r.register(
            "redis_up",
            "Whether Redis answers; 0 where there is none",
            metrics.redis_up.clone(),
        );
        r.register(
            "requests_in_flight",
            "Requests being answered",
            metrics.in_flight.clone(),
        );
        r.register(
            "stored_submissions",
            "Items of feedback there are",
            metrics.stored_submissions.clone(),
        );
        r.register(
            "submissions_last_day",
            "Items of feedback that came in the last 24 hours",
            metrics.submissions_last_day.clone(),
        );
        r.register_with_unit(
            "oldest_submission_timestamp",
            "When the oldest item of feedback was written; 0 where there is none",
            Unit::Seconds,
            metrics.oldest_submission_s.clone(),
        );
        r.register(
            "stored_screenshots",
            "Items of feedback that have a screenshot",
            metrics.stored_screenshots.clone(),
        );
        r.register_with_unit(
            "screenshot_storage",
            "What screenshots take, thumbnails left out",
            Unit::Bytes,
            metrics.screenshot_storage_bytes.clone(),
        );
        r.register_with_unit(
            "screenshot_size_avg",
            "The size of a screenshot on average",
            Unit::Bytes,
            metrics.screenshot_avg_bytes.clone(),
        );
        r.register_with_unit(
            "screenshot_size_max",
            "The size of the largest screenshot",
            Unit::Bytes,
            metrics.screenshot_max_bytes.clone(),
        );
        r.register(
            "screenshots_missing",
            "Screenshots that the object store lacked at the last comparison",
            metrics.screenshots_missing.clone(),
        );
        r.register(
            "orphans_deleted",
            "Objects that no row named and that were deleted",
            metrics.orphans_deleted.clone(),
        );
        r.register_with_unit(
            "disk_free",
            "Free space of the fullest disk that the server keeps things on",
            Unit::Bytes,
            metrics.disk_free_bytes.clone(),
        );
        r.register(
            "disk_refusals",
            "Requests refused because the disk is nearly full",
            metrics.disk_refusals.clone(),
        );
        r.register(
            "build",
            "The server's version",
            Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]),
        );
        Self {
            registry,
            ..metrics
        }
    }
}

impl Metrics {
    /// Everything in Prometheus' text format.
    ///
    /// # Errors
    /// Only where memory for text can't be had.
    pub fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut open_metrics = String::new();
        text::encode_registry(&mut open_metrics, &self.registry)?;
        Ok(to_prometheus(&open_metrics))
    }
}

/// The crate writes OpenMetrics, where a counter's family is named without the
/// `_total` that its sample has. Prometheus' own format, which every scraper takes,
/// names it with it, and knows no `UNIT`, `info` or `EOF`.
fn to_prometheus(open_metrics: &str) -> String {
    let mut counters = std::collections::HashMap::new();
    for line in open_metrics.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ")
            && let Some((name, kind)) = rest.split_once(' ')
        {
            match kind {
                "counter" => counters.insert(name, "_total"),
                "info" => counters.insert(name, "_info"),
                _ => None,
            };
        }
    }
    let mut out = String::with_capacity(open_metrics.len());
    for line in open_metrics.lines() {
        let meta = line
            .strip_prefix("# HELP ")
            .map(|rest| ("HELP", rest))
            .or_else(|| line.strip_prefix("# TYPE ").map(|rest| ("TYPE", rest)));
        if let Some((what, rest)) = meta
            && let Some((name, text)) = rest.split_once(' ')
        {
            let suffix = counters.get(name).copied().unwrap_or_default();
            let text = if what == "TYPE" && text == "info" {
                "gauge"
            } else {
                text
            };
            out.push_str(&format!("# {what} {name}{suffix} {text}\n"));
        } else if !line.starts_with("# ") {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

/// What the server counted and measured, as Prometheus reads it.
///
/// # Errors
/// Only where memory for text can't be had.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "operation",
    responses((
        status = 200,
        description = "Metrics in the text exposition format",
        content_type = "text/plain",
        body = String,
    ))
)]
pub async fn get(State(state): State<Arc<AppState>>) -> Result<Response, ApiError> {
    crate::figures::refresh(&state).await;
    let body = state
        .metrics
        .encode()
        .map_err(|error| ApiError::internal(&error))?;
    let content_type = (
        header::CONTENT_TYPE,
        "text/plain; version=0.0.4; charset=utf-8",
    );
    Ok(([content_type], body).into_response())
}
