//! `GET /v1/feedback/export`: all items of a filter as a file, streamed.
//!
//! **Invariants:** no piece of a CSV file's cell begins so that a spreadsheet takes it for a
//! formula, whatever it splits the file at; the rows are never together in memory; and the export is in the audit log
//! before its first byte leaves.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{HeaderValue, Uri, header};
use serde::{Deserialize, Serialize};
use serde_json::json;
use snag_warehouse::{ByteStream, Query};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use utoipa::{IntoParams, ToSchema};

use super::filter::{self, Filter};
use crate::auth::Analyst;
use crate::{ApiError, AppState, audit, params};

/// How long a reader may take for a piece before its export ends: each one holds one of
/// the engine's readers.
const PIECE_MAX: Duration = Duration::from_secs(60);
/// Pieces between the engine and the reader.
const PIECES: usize = 4;

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
            (Vec<u8> = "application/vnd.apache.parquet"))),
        (status = 400), (status = 401), (status = 403)),
    security(("analyst" = [])))]
pub(crate) async fn get(
    State(state): State<Arc<AppState>>,
    Analyst(actor): Analyst,
    uri: Uri,
) -> Result<Response, ApiError> {
    let allowed: Vec<&str> = [&["format"], filter::PARAMETERS].concat();
    let given = params::pairs(&uri, &allowed, filter::REPEATED)?;
    let format = given.iter().find(|(name, _)| name == "format");
    let format = Format::read(format.map_or("", |(_, value)| value))?;
    let filter = Filter::read(&given)?;
    let exports = Arc::clone(&state.desk.exports);
    let permit = exports.try_acquire_owned().map_err(|_| {
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
    let mut response =
        Body::from_stream(ReceiverStream::new(pass_on(data, permit))).into_response();
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

/// Passes pieces on to a reader, and gives up on one that takes nothing: the query ends
/// with the stream. A failure ends the answer without its proper end, so that the reader
/// doesn't take half a file for the whole.
fn pass_on(
    mut data: ByteStream,
    permit: OwnedSemaphorePermit,
) -> mpsc::Receiver<Result<Bytes, std::io::Error>> {
    let (to_reader, reader) = mpsc::channel(PIECES);
    tokio::spawn(async move {
        let _permit = permit;
        while let Some(piece) = data.next().await {
            let failed = piece.is_err();
            let piece = piece.map_err(|error| {
                tracing::error!(cause = %error, "an export broke off");
                std::io::Error::other("the export broke off")
            });
            let sent = tokio::time::timeout(PIECE_MAX, to_reader.send(piece)).await;
            if failed || !matches!(sent, Ok(Ok(()))) {
                if sent.is_err() {
                    let late = std::io::Error::other("the reader took nothing");
                    drop(to_reader.try_send(Err(late)));
                }
                break;
            }
        }
    });
    reader
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
}
