//! From a request's bytes to what is asked: a statement, or an insert and its data.
//!
//! Invariant: of an insert's data nothing is held but the chunk in which the
//! statement ends; of other statements no more than `limit` bytes.

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use snag_warehouse::ByteStream;

use super::exception::{Exception, code};
use super::statement::{Split, split_insert};

/// What a request asks for.
pub(super) enum Ask {
    /// A statement without data.
    Statement(Vec<u8>),
    /// An insert and its data.
    Insert {
        /// `INSERT INTO …`, without format clause and data.
        statement: Vec<u8>,
        /// The data's format.
        format: String,
        /// The data, untouched.
        data: ByteStream,
    },
}

/// Reads the statement: `in_url`, a line break, and as much of `body` as belongs to it.
pub(super) async fn read(
    in_url: &str,
    mut body: ByteStream,
    limit: usize,
) -> Result<Ask, Exception> {
    let mut text = in_url.as_bytes().to_vec();
    if !text.is_empty() {
        text.push(b'\n');
    }
    let mut complete = false;
    let mut next_look = 0;
    loop {
        // Looked at again only when it has doubled, so that small chunks cost no more than large ones.
        if complete || text.len() >= next_look || text.len() > limit {
            match split_insert(&text, complete) {
                Split::Insert {
                    statement,
                    data_start,
                    format,
                } => {
                    let first = Bytes::from(text).slice(data_start..);
                    let data = stream::iter((!first.is_empty()).then_some(Ok(first))).chain(body);
                    return Ok(Ask::Insert {
                        statement,
                        format,
                        data: Box::pin(data),
                    });
                }
                Split::SemicolonBeforeData => {
                    return Err(Exception::new(
                        code::SYNTAX_ERROR,
                        "You have excessive ';' symbol before data for INSERT: there is no ';' just after the \
                         format name, at least one whitespace symbol stands before the data",
                    ));
                }
                Split::ThroughInput => {
                    return Err(Exception::new(
                        code::NOT_IMPLEMENTED,
                        "INSERT SELECT from input() is not supported here; insert the data into a table and select \
                         from that",
                    ));
                }
                Split::Whole if complete => return Ok(Ask::Statement(text)),
                Split::Whole | Split::More => {}
            }
            if text.len() > limit {
                return Err(Exception::new(
                    code::SYNTAX_ERROR,
                    format!(
                        "Syntax error: failed at position {limit}: Max query size exceeded (can be increased with \
                         the `max_query_size` setting)"
                    ),
                ));
            }
            next_look = text.len() * 2;
        }
        match body.next().await {
            Some(chunk) => text.extend_from_slice(&chunk.map_err(Exception::from)?),
            None => complete = true,
        }
    }
}

/// Reads a whole body that may not be larger than `limit`.
pub(super) async fn read_all(mut body: ByteStream, limit: usize) -> Result<Vec<u8>, Exception> {
    let mut all = Vec::new();
    while let Some(chunk) = body.next().await {
        all.extend_from_slice(&chunk.map_err(Exception::from)?);
        if all.len() > limit {
            return Err(Exception::new(
                code::SYNTAX_ERROR,
                format!("The form is larger than {limit} bytes"),
            ));
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(chunks: &[&[u8]]) -> ByteStream {
        let chunks: Vec<_> = chunks
            .iter()
            .map(|c| Ok(Bytes::copy_from_slice(c)))
            .collect();
        Box::pin(stream::iter(chunks))
    }

    async fn asked(in_url: &str, chunks: &[&[u8]]) -> (Vec<u8>, String, Vec<u8>) {
        match read(in_url, body(chunks), 100).await.unwrap() {
            Ask::Statement(text) => (text, String::new(), Vec::new()),
            Ask::Insert {
                statement,
                format,
                data,
            } => (statement, format, read_all(data, 10_000).await.unwrap()),
        }
    }

    #[tokio::test]
    async fn url_and_body_are_one_text() {
        assert_eq!(asked("SELECT", &[b"1"]).await.0, b"SELECT\n1");
        assert_eq!(asked("", &[b"SEL", b"ECT 1"]).await.0, b"SELECT 1");
        let big = [7u8; 5_000];
        for (in_url, chunks) in [
            ("INSERT INTO t FORMAT RowBinary", vec![&big[..]]),
            ("INSERT INTO t", vec![&b"FORMAT Row"[..], b"Binary\n", &big]),
            (
                "",
                vec![
                    &b"INSERT INTO t FORMAT RowBinary\n"[..],
                    &big[..1],
                    &big[1..],
                ],
            ),
        ] {
            let (statement, format, data) = asked(in_url, &chunks).await;
            assert_eq!(
                (&statement[..], format.as_str()),
                (&b"INSERT INTO t"[..], "RowBinary")
            );
            assert_eq!(data, big, "{in_url}");
        }
        let (_, _, data) = asked("", &[b"INSERT INTO t FORMAT CSV"]).await;
        assert!(data.is_empty());
    }

    #[tokio::test]
    async fn long_statements_are_refused() {
        let long = [b' '; 60];
        let error = read("SELECT 1", body(&[&long, &long]), 100)
            .await
            .err()
            .unwrap();
        assert_eq!(error.code, code::SYNTAX_ERROR);
    }
}
