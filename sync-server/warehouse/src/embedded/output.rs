//! How a streamed answer is put together.
//!
//! The library writes each block of a streamed query as a whole answer of its own. For
//! formats that are nothing but rows the blocks, one behind the other, are the answer. Where
//! names stand in front of the rows they come with every block and are left out of all but
//! the first. Documents (JSON, Parquet, Arrow, Pretty, …) can't be put together from blocks:
//! those queries run as a whole.

use bytes::Bytes;

use crate::Query;
use crate::query::split_format;

/// What blocks of a format are to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// Rows alone, each of a byte at least: a block without bytes would look like the end.
    Rows,
    /// So many lines of names and types in front of the rows.
    Lines(usize),
    /// The same as comma-separated values, where a quoted name may span lines.
    QuotedLines(usize),
    /// `RowBinary`: a number, so many names, and types where `true`.
    Binary(bool),
    /// A document: it has to be written as a whole.
    Document,
}

/// What changes a format so that it is not put together as its name says, wherever it
/// stands: totals and extremes follow the rows, the others change the rows or the header.
const EXCEPTIONS: [&str; 5] = [
    "totals",
    "extremes",
    "json_array_of_rows",
    "encode_types_in_binary_format",
    "output_format_schema",
];

impl Layout {
    /// The layout of a query's answer.
    pub(super) fn of(query: &Query) -> Self {
        // A format in the text wins.
        let format = split_format(&query.sql).1.or(query.format.as_deref());
        let layout = format.map_or(Self::Rows, Self::of_format);
        let text = query.sql.to_ascii_lowercase();
        let is_changed = EXCEPTIONS.iter().any(|word| {
            text.contains(word) || query.settings.iter().any(|(name, _)| name.contains(word))
        });
        // Only a SELECT can be streamed; the answers of others (SHOW, EXISTS, …) are short.
        let selects = matches!(first_word(&text), "select" | "with" | "from");
        if is_changed || !selects {
            Self::Document
        } else {
            layout
        }
    }

    fn of_format(name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        let stem = name.strip_suffix("withnamesandtypes");
        let (stem, lines) = match stem {
            Some(stem) => (stem, 2),
            None => match name.strip_suffix("withnames") {
                Some(stem) => (stem, 1),
                None => (name.as_str(), 0),
            },
        };
        match (stem, lines) {
            ("tabseparated" | "tsv" | "jsoncompacteachrow" | "jsoncompactstringseachrow", 1..) => {
                Self::Lines(lines)
            }
            ("csv", 1..) => Self::QuotedLines(lines),
            ("rowbinary", 1..) => Self::Binary(lines == 2),
            (
                "tabseparated"
                | "tsv"
                | "tabseparatedraw"
                | "tsvraw"
                | "raw"
                | "csv"
                | "tskv"
                | "jsoneachrow"
                | "jsonl"
                | "jsonlines"
                | "ndjson"
                | "jsonstringseachrow"
                | "jsoncompacteachrow"
                | "jsoncompactstringseachrow"
                | "rowbinary"
                | "native"
                | "msgpack"
                | "bsoneachrow"
                | "protobuf",
                0,
            ) => Self::Rows,
            _ => Self::Document,
        }
    }

    /// The length of what stands in front of the rows, in a block.
    fn header_bytes(self, block: &[u8]) -> Option<usize> {
        match self {
            Self::Rows | Self::Document => Some(0),
            Self::Lines(lines) => end_of_lines(block, lines, false),
            Self::QuotedLines(lines) => end_of_lines(block, lines, true),
            Self::Binary(types) => {
                let (count, mut at) = varint(block, 0)?;
                for _ in 0..count.checked_mul(if types { 2 } else { 1 })? {
                    let (bytes, start) = varint(block, at)?;
                    at = start.checked_add(usize::try_from(bytes).ok()?)?;
                }
                (at <= block.len()).then_some(at)
            }
        }
    }
}

/// Leaves the header out of every block but the first.
pub(super) struct Joiner {
    layout: Layout,
    header: Option<Bytes>,
}

impl Joiner {
    pub(super) fn new(layout: Layout) -> Self {
        Self {
            layout,
            header: None,
        }
    }

    /// What of `block` goes into the answer; can be nothing.
    pub(super) fn join(&mut self, block: Bytes) -> Bytes {
        match &self.header {
            None => {
                let bytes = self.layout.header_bytes(&block).unwrap_or(0);
                self.header = Some(block.slice(..bytes));
                block
            }
            Some(header) if block.starts_with(header) => block.slice(header.len()..),
            Some(_) => block,
        }
    }
}

/// The first word of a statement, behind comments and opening brackets.
fn first_word(sql: &str) -> &str {
    let mut rest = sql;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '(');
        let behind = if rest.starts_with("--") || rest.starts_with("//") || rest.starts_with('#') {
            rest.split_once('\n')
        } else if rest.starts_with("/*") {
            rest.split_once("*/")
        } else {
            None
        };
        match behind {
            Some((_, behind)) => rest = behind,
            None => break,
        }
    }
    let word = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    &rest[..word.unwrap_or(rest.len())]
}

fn end_of_lines(block: &[u8], lines: usize, quoted: bool) -> Option<usize> {
    let (mut left, mut in_quotes) = (lines, false);
    for (at, byte) in block.iter().enumerate() {
        match byte {
            b'"' if quoted => in_quotes = !in_quotes,
            b'\n' if !in_quotes => {
                left -= 1;
                if left == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

/// A number in base 128 and where it ends.
fn varint(bytes: &[u8], mut at: usize) -> Option<(u64, usize)> {
    let (mut number, mut shift) = (0u64, 0);
    loop {
        let byte = *bytes.get(at)?;
        at += 1;
        number |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some((number, at));
        }
        shift += 7;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_are_told_by_name_and_text() {
        for (sql, format, layout) in [
            ("SELECT 1", None, Layout::Rows),
            ("SELECT 1", Some("JSON"), Layout::Document),
            ("SELECT 1 FORMAT TSV", Some("JSON"), Layout::Rows),
            ("SELECT 1 FORMAT csvWithNames", None, Layout::QuotedLines(1)),
            (
                "SELECT 1",
                Some("RowBinaryWithNamesAndTypes"),
                Layout::Binary(true),
            ),
            (
                "SELECT 1",
                Some("TabSeparatedWithNamesAndTypes"),
                Layout::Lines(2),
            ),
            ("SELECT 1", Some("SomethingNew"), Layout::Document),
            ("EXISTS TABLE t", None, Layout::Document),
            ("SHOW TABLES FORMAT TSV", None, Layout::Document),
            (" -- x\n/* y */ ((SELECT 1))", None, Layout::Rows),
            ("", None, Layout::Document),
            (
                "SELECT 1 GROUP BY 1 WITH TOTALS",
                Some("TSV"),
                Layout::Document,
            ),
        ] {
            let query = Query {
                format: format.map(str::to_owned),
                ..Query::read(sql)
            };
            assert_eq!(Layout::of(&query), layout, "{sql} {format:?}");
        }
        let query = Query::read("SELECT 1")
            .format("JSONEachRow")
            .setting("output_format_json_array_of_rows", 1);
        assert_eq!(Layout::of(&query), Layout::Document);
    }

    #[test]
    fn headers_come_once() {
        for (layout, blocks, whole) in [
            (Layout::Rows, &["1\n", "2\n"][..], "1\n2\n"),
            (
                Layout::Lines(2),
                &["a\nb\n1\n", "a\nb\n2\n"],
                "a\nb\n1\n2\n",
            ),
            (
                Layout::QuotedLines(1),
                &["\"a\n\"\"b\"\n1\n", "\"a\n\"\"b\"\n2\n"],
                "\"a\n\"\"b\"\n1\n2\n",
            ),
            (
                Layout::Binary(true),
                &["\u{1}\u{1}a\u{2}U8x", "\u{1}\u{1}a\u{2}U8y"],
                "\u{1}\u{1}a\u{2}U8xy",
            ),
            (
                Layout::Binary(false),
                &["\u{1}\u{1}ax", "\u{1}\u{1}ay"],
                "\u{1}\u{1}axy",
            ),
            // A header that is not whole is none.
            (Layout::Lines(2), &["a\n", "a\n"], "a\na\n"),
            (Layout::Binary(true), &["\u{7f}\u{1}", "x"], "\u{7f}\u{1}x"),
        ] {
            let mut joiner = Joiner::new(layout);
            let joined: Vec<u8> = blocks
                .iter()
                .flat_map(|b| joiner.join(Bytes::from_static(b.as_bytes())))
                .collect();
            assert_eq!(joined, whole.as_bytes(), "{layout:?}");
        }
        assert_eq!(varint(&[0xff; 20], 0), None);
    }
}
