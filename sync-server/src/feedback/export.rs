//! `GET /v1/feedback/export`: all items of a filter as a file, streamed.
//!
//! **Invariants:** no piece of a CSV file's cell begins so that a spreadsheet takes it for a
//! formula, whatever it splits the file at; the rows are never together in memory; the export is in the audit log
//! before its first byte leaves; and no file that broke off looks whole.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use http::{HeaderMap, HeaderValue, Uri, header};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::json;
use snag_warehouse::{ByteStream, Query};
use tokio::sync::mpsc;
use tokio::time::Instant;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::filter::{self, Filter};
use crate::auth::{Analyst, Credentials, Role};
use crate::openapi::Binary;
use crate::{ApiError, AppState, audit, params};

/// Exports at once. Each holds one of the engine's threads and connections for streams, of
/// which there are twice as many.
const EXPORTS_MAX: usize = 8;
/// Exports of one organisation at once, so that its slow readers hold up no other.
const EXPORTS_OF_ORG_MAX: usize = 2;
/// How long a reader may keep its export waiting before that ends.
const PIECE_MAX: Duration = Duration::from_secs(60);
/// Bytes a second by which a reader earns new patience: less than any line that a file of
/// this kind is fetched over, and enough that nobody holds an export for days. The engine's
/// own patience for a block of rows, a minute, comes to about as much.
const PACE_BYTES_S: u64 = 64 << 10;
/// Bytes that are passed on at once.
const SLICE_BYTES: usize = 256 << 10;
/// Pieces of that size between the engine and the reader.
const PIECES: usize = 8;

/// A file's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Format {
    /// As RFC 4180 has it, with a line of names, in UTF-8. In a cell of text, an apostrophe
    /// stands in front of each piece that a spreadsheet would take for a formula: one that
    /// begins with `=`, `+`, `-`, `@` or their wide forms, behind spaces and quotation
    /// marks, at the cell's beginning or behind a comma, semicolon, tab, bar or line's end.
    Csv,
    /// One JSON object a line.
    Jsonl,
    /// Apache Parquet.
    Parquet,
}

impl Format {
    fn read(value: &str) -> Result<Self, ApiError> {
        match value {
            "csv" => Ok(Self::Csv),
            "jsonl" => Ok(Self::Jsonl),
            "parquet" => Ok(Self::Parquet),
            _ => Err(ApiError::invalid_parameter(
                "format",
                "It takes one of: csv, jsonl, parquet.",
            )),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
            Self::Parquet => "parquet",
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Jsonl => "application/x-ndjson",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }

    /// The engine's name of it.
    fn of_engine(self) -> &'static str {
        match self {
            Self::Csv => "CSVWithNames",
            Self::Jsonl => "JSONEachRow",
            Self::Parquet => "Parquet",
        }
    }
}

/// A text cell of which no spreadsheet takes any piece for a formula.
///
/// Programs split a file at other characters than commas, by the country that the computer
/// is set to, and don't see a cell's quotation marks then. So a piece is what follows the
/// cell's beginning, a comma, semicolon, tab, bar or line's end. One that begins with `=`,
/// `+`, `-`, `@` (also their wide and small forms), behind any spaces, controls and
/// quotation marks, gets an apostrophe in front, and so does a cell that begins with a tab
/// or a line's end. To have the text as it was said, one apostrophe is taken from each.
fn defused(text: &str) -> String {
    const FORMULA: &str = concat!(
        r"'(^|[,;|\\t-\\r\\x1c-\\x1e\\x{85}\\x{2028}\\x{2029}])",
        r#"([\\p{Zs}\\p{Cf}\\p{Co}\\x00-\\x08\\x0e-\\x1b\\x1f\\x7f-\\x{84}\\x{86}-\\x{9f}"\'`"#,
        r"\\x{2018}-\\x{201f}]*",
        r"[=+\\-@\\x{2212}\\x{fe62}\\x{fe63}\\x{fe66}\\x{fe6b}\\x{ff0b}\\x{ff0d}\\x{ff1d}\\x{ff20}])'",
    );
    const BEGINNING: &str = r"'^([\\t-\\r])'";
    format!(
        r"replaceRegexpOne(replaceRegexpAll({text}, {FORMULA}, '\\1\'\\2'), {BEGINNING}, '\'\\1')"
    )
}

/// The columns, each an expression and a name. CSV has no polarity: a negative number
/// begins like a formula, and `sentiment` says the same in a word.
fn columns(format: Format) -> String {
    let text = |name: &str| {
        let text = format!("toString(row.{name})");
        if format == Format::Csv {
            format!("{} AS {name}", defused(&text))
        } else {
            format!("{text} AS {name}")
        }
    };
    let optional = |name: &str| format!("nullIf(toString(row.{name}), '') AS {name}");
    let plain = |name: &str| format!("row.{name} AS {name}");
    let mut all = vec![
        "toString(row.id) AS id".to_owned(),
        plain("at"),
        plain("received_at"),
        text("product"),
        text("category"),
        text("description"),
        optional("language"),
        "nullIf(row.rating, 0) AS rating".to_owned(),
        optional("sentiment"),
    ];
    if format != Format::Csv {
        all.push(
            "if(row.sentiment = '', NULL, row.polarity_micro / 1000000) AS polarity".to_owned(),
        );
    }
    all.push(if format == Format::Csv {
        let joined = "arrayStringConcat(row.tags, '; ')";
        format!("{} AS tags", defused(joined))
    } else {
        "arrayMap(tag -> toString(tag), row.tags) AS tags".to_owned()
    });
    for name in [
        "app",
        "screen",
        "url",
        "os",
        "screen_resolution",
        "viewport_size",
        "agent_version",
        "status",
    ] {
        all.push(text(name));
    }
    all.extend([
        "toBool(row.read) AS read".to_owned(),
        "toBool(row.archived) AS archived".to_owned(),
        text("assignee"),
        plain("notes"),
        plain("replies"),
        "if(row.merged_into = toUUID('00000000-0000-0000-0000-000000000000'), NULL, \
         toString(row.merged_into)) AS merged_into"
            .to_owned(),
        "toBool(notEmpty(row.screenshot)) AS has_screenshot".to_owned(),
        plain("changed_at"),
    ]);
    all.join(", ")
}

fn query(format: Format, org: &str, filter: &Filter) -> Query {
    let sql = format!(
        "SELECT {} FROM (SELECT * FROM feedback FINAL WHERE {} AND {} ORDER BY newest, id) AS row",
        columns(format),
        filter.fixed(),
        filter.triage()
    );
    filter
        .bind(Query::read(sql))
        .param("org", org)
        .format(format.of_engine())
        // The table's order is the file's: rows go through as they are read.
        .setting("optimize_read_in_order", 1)
        .setting("max_threads", 1)
        .setting("max_block_size", 4_096)
        .setting("date_time_output_format", "iso")
        .setting("format_csv_null_representation", "")
        .setting("output_format_csv_crlf_end_of_line", 1)
        .setting("output_format_json_quote_64bit_integers", 0)
        .setting("output_format_parquet_row_group_size", 10_000)
        .setting("output_format_parquet_parallel_encoding", 0)
        .setting("output_format_parquet_compression_method", "snappy")
}

/// The file's format.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read by the document alone")]
pub(crate) struct Asked {
    /// The file's format.
    #[param(inline)]
    format: Format,
}

/// All items of a filter as a file, the newest first. In CSV, an apostrophe stands in front
/// of what a spreadsheet would take for a formula: text that begins with `=`, `+`, `-`, `@`
/// or their wide forms, at a cell's beginning or behind a comma, semicolon, tab, bar or
/// line's end in it. JSON lines and Parquet have the text as it was said.
#[utoipa::path(get, path = "/v1/feedback/export", tag = "feedback",
    params(Asked, filter::Filters),
    responses(
        (status = 200, description = "The file", content(
            (String = "text/csv"), (String = "application/x-ndjson"),
            (inline(Binary) = "application/vnd.apache.parquet"))),
        (status = 400), (status = 401), (status = 403)),
    security(("analyst" = [])))]
pub(crate) async fn get(
    State(state): State<Arc<AppState>>,
    Analyst(actor): Analyst,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let allowed: Vec<&str> = [&["format"], filter::PARAMETERS].concat();
    let given = params::pairs(&uri, &allowed, filter::REPEATED)?;
    let format = given.iter().find(|(name, _)| name == "format");
    let format = Format::read(format.map_or("", |(_, value)| value))?;
    let filter = Filter::read(&given)?;
    let running = state.desk.exports.begin(actor.org.id).ok_or_else(|| {
        ApiError::unavailable(
            "As many exports as may run at once do. Try again later.",
            10,
        )
    })?;
    let filters: Vec<&str> = given
        .iter()
        .map(|(name, _)| name.as_str())
        .filter(|name| *name != "format")
        .collect();
    let act = audit::Act {
        action: "feedback.export",
        target: "feedback",
        detail: json!({"format": format.name(), "filters": filters}),
    };
    audit::log(&state.warehouse, &actor, &[act], state.now()).await?;
    let query = query(format, &actor.org.key, &filter);
    let data = state.warehouse.select_stream(query).await?;
    tracing::info!(org = %actor.org.id, format = format.name(), "feedback exported");
    let credentials = Arc::new(Credentials::of(&headers, &actor, Role::Analyst));
    let pieces = pass_on(data, running, Patience(PIECE_MAX), move || {
        let (state, credentials) = (Arc::clone(&state), Arc::clone(&credentials));
        async move { credentials.hold(&state).await }
    });
    let mut response = Body::from_stream(to_its_end(pieces)).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(format.media_type()),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let disposition = format!("attachment; filename=\"feedback.{}\"", format.name());
    if let Ok(disposition) = HeaderValue::try_from(disposition) {
        headers.insert(header::CONTENT_DISPOSITION, disposition);
    }
    Ok(response)
}

/// The exports that run, by organisation.
#[derive(Debug, Default)]
pub(super) struct Exports {
    running: Mutex<HashMap<Uuid, usize>>,
}

impl Exports {
    /// One more of an organisation, unless as many run as may.
    fn begin(self: &Arc<Self>, org: Uuid) -> Option<Running> {
        let mut running = self.running.lock();
        let all: usize = running.values().sum();
        let own = running.get(&org).copied().unwrap_or_default();
        if all >= EXPORTS_MAX || own >= EXPORTS_OF_ORG_MAX {
            return None;
        }
        running.insert(org, own + 1);
        Some(Running {
            exports: Arc::clone(self),
            org,
        })
    }
}

/// An export that is counted.
struct Running {
    exports: Arc<Exports>,
    org: Uuid,
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut running = self.exports.running.lock();
        if let Some(own) = running.get_mut(&self.org) {
            *own -= 1;
            if *own == 0 {
                running.remove(&self.org);
            }
        }
    }
}

/// How much longer a reader may keep its export waiting.
struct Patience(Duration);

impl Patience {
    /// After a piece of so many bytes was waited for so long. What was read fast earns no
    /// right to stop for longer than a reader may at the beginning.
    fn after(&self, waited: Duration, bytes: usize) -> Self {
        let earned = Duration::from_millis(1_000 * bytes as u64 / PACE_BYTES_S);
        Self((self.0.saturating_sub(waited) + earned).min(PIECE_MAX))
    }
}

/// Passes pieces on to a reader while whoever asked may have them, and gives up on one
/// that takes them too slowly: the query ends with the stream. The last piece is `None`;
/// where it is missing, [`to_its_end`] says so.
fn pass_on<F: Future<Output = bool> + Send>(
    mut data: ByteStream,
    running: Running,
    mut patience: Patience,
    may_have: impl Fn() -> F + Send + 'static,
) -> mpsc::Receiver<Option<Bytes>> {
    let (to_reader, reader) = mpsc::channel(PIECES);
    tokio::spawn(async move {
        // The whole of it: a field alone would leave it behind, to end here and now.
        let running = running;
        let org = running.org;
        while let Some(piece) = data.next().await {
            let mut piece = match piece {
                Ok(piece) => piece,
                Err(error) => {
                    tracing::error!(%org, cause = %error, "an export broke off");
                    return;
                }
            };
            while !piece.is_empty() {
                if !may_have().await {
                    tracing::info!(%org, "an export was ended: its token or session holds no more");
                    return;
                }
                let slice = piece.split_to(piece.len().min(SLICE_BYTES));
                let (bytes, began) = (slice.len(), Instant::now());
                match tokio::time::timeout(patience.0, to_reader.send(Some(slice))).await {
                    Ok(Ok(())) => patience = patience.after(began.elapsed(), bytes),
                    // The reader has gone.
                    Ok(Err(_)) => return,
                    Err(_) => {
                        tracing::info!(%org, "an export was ended: it was read too slowly");
                        return;
                    }
                }
            }
        }
        drop(tokio::time::timeout(patience.0, to_reader.send(None)).await);
    });
    reader
}

/// What was passed on, as a body. Where that broke off, so does the answer, without its
/// proper end: or the reader would take half a file for the whole.
fn to_its_end(
    pieces: mpsc::Receiver<Option<Bytes>>,
) -> impl Stream<Item = Result<Bytes, std::io::Error>> {
    stream::unfold(Some(pieces), |pieces| async {
        let mut pieces = pieces?;
        match pieces.recv().await {
            Some(Some(piece)) => Some((Ok(piece), Some(pieces))),
            Some(None) => None,
            None => Some((Err(std::io::Error::other("the export broke off")), None)),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_csv_is_defused() {
        assert!(columns(Format::Csv).contains("replaceRegexp"));
        assert!(!columns(Format::Csv).contains("polarity"));
        assert!(!columns(Format::Jsonl).contains("replaceRegexp"));
        assert!(columns(Format::Parquet).contains("polarity"));
        for format in [Format::Csv, Format::Jsonl, Format::Parquet] {
            let columns = columns(format);
            for never in ["device", "session", "segment"] {
                assert!(!columns.contains(never), "{never}");
            }
        }
    }

    #[test]
    fn an_organisation_holds_up_no_other() {
        let exports = Arc::new(Exports::default());
        let org = Uuid::from_u128;
        let mut running: Vec<Running> = (0..2).filter_map(|_| exports.begin(org(1))).collect();
        assert_eq!(running.len(), EXPORTS_OF_ORG_MAX);
        assert!(exports.begin(org(1)).is_none());
        running.extend((2..8).filter_map(|n| exports.begin(org(n))));
        assert_eq!(running.len(), EXPORTS_MAX);
        assert!(exports.begin(org(9)).is_none());
        running.remove(0);
        running.extend(exports.begin(org(9)));
        assert_eq!(running.len(), EXPORTS_MAX);
        running.clear();
        assert!(exports.running.lock().is_empty());
    }

    #[test]
    fn patience_is_earned_by_reading() {
        let second = Duration::from_secs(1);
        let pace = usize::try_from(PACE_BYTES_S).unwrap();
        // Who keeps the pace is never given up, however long it takes.
        let mut patience = Patience(PIECE_MAX);
        for _ in 0..10_000 {
            patience = patience.after(30 * second, 30 * pace);
        }
        assert_eq!(patience.0, PIECE_MAX);
        // Who reads at half of it is, after twice what a reader may stand still; and what was
        // read fast before is no credit.
        patience = patience.after(second, 100_000 * pace);
        let mut waited_s = 0;
        while patience.0 >= 2 * second {
            patience = patience.after(2 * second, pace);
            waited_s += 2;
        }
        assert_eq!(waited_s, 120 - 2);
    }

    #[tokio::test]
    async fn a_file_that_broke_off_does_not_end_as_a_whole_one_does() {
        let pieces = |number: usize| -> ByteStream {
            let piece = || Ok(Bytes::from_static(b"said\n"));
            Box::pin(stream::iter((0..number).map(move |_| piece())))
        };
        let exports = Arc::new(Exports::default());
        let begin = || exports.begin(Uuid::nil()).expect("room");
        let taken = async |reader: mpsc::Receiver<Option<Bytes>>| {
            let all: Vec<_> = to_its_end(reader).collect().await;
            (
                all.iter().filter(|piece| piece.is_ok()).count(),
                all.last().is_some_and(Result::is_ok),
            )
        };
        let always = || async { true };
        let reader = pass_on(pieces(20), begin(), Patience(PIECE_MAX), always);
        assert_eq!(taken(reader).await, (20, true));
        // Nobody reads until it was given up: what is read then is not the whole.
        let patience = Patience(Duration::from_millis(10));
        let reader = pass_on(pieces(20), begin(), patience, always);
        while !exports.running.lock().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(taken(reader).await, (PIECES, false));
        // Whoever asked may no longer have it.
        let reader = pass_on(pieces(20), begin(), Patience(PIECE_MAX), || async { false });
        assert_eq!(taken(reader).await, (0, false));
    }
}
