//! Recordings: inputs as JSON lines, plain or gzipped.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use snag_core::Input;

/// Longest line of a recording, in bytes. Inputs are some hundred bytes; a longer
/// line is another kind of file.
const LINE_BYTES_MAX: u64 = 64 << 10;

/// Why a recording can't be read. Says where, never what the line holds: a file that
/// isn't a recording may hold anything.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The file can't be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line isn't an input.
    #[error("{}:{line}: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
}

/// The inputs of a recording, in order.
pub struct Recording {
    path: PathBuf,
    reader: Box<dyn BufRead>,
    line: usize,
    text: Vec<u8>,
    last_t: u64,
    failed: bool,
}

impl Recording {
    /// Opens a recording; whether it is gzipped is seen from its first bytes.
    ///
    /// # Errors
    /// When the file can't be read.
    pub fn open(path: &Path) -> Result<Self, RecordingError> {
        let read = |source| RecordingError::Read {
            path: path.to_owned(),
            source,
        };
        let mut file = BufReader::new(File::open(path).map_err(read)?);
        let gzipped = file.fill_buf().map_err(read)?.starts_with(&[0x1f, 0x8b]);
        let reader: Box<dyn BufRead> = if gzipped {
            Box::new(BufReader::new(MultiGzDecoder::new(file)))
        } else {
            Box::new(file)
        };
        Ok(Self {
            path: path.to_owned(),
            reader,
            line: 0,
            text: Vec::new(),
            last_t: 0,
            failed: false,
        })
    }

    /// Reads the whole recording once, to know that it is well-formed and how long it is.
    ///
    /// # Errors
    /// The first malformed line.
    pub fn check(path: &Path) -> Result<RecordingFacts, RecordingError> {
        let mut facts = RecordingFacts::default();
        for input in Self::open(path)? {
            facts.inputs += 1;
            facts.last_t_ms = input?.t;
        }
        Ok(facts)
    }

    fn malformed(&self, reason: impl Into<String>) -> RecordingError {
        RecordingError::Malformed {
            path: self.path.clone(),
            line: self.line,
            reason: reason.into(),
        }
    }

    fn read_line(&mut self) -> Result<bool, RecordingError> {
        self.text.clear();
        let read = self
            .reader
            .by_ref()
            .take(LINE_BYTES_MAX)
            .read_until(b'\n', &mut self.text)
            .map_err(|source| RecordingError::Malformed {
                path: self.path.clone(),
                line: self.line + 1,
                reason: source.to_string(),
            })?;
        if read == 0 {
            return Ok(false);
        }
        self.line += 1;
        if read as u64 == LINE_BYTES_MAX && self.text.last() != Some(&b'\n') {
            return Err(self.malformed(format!("longer than {LINE_BYTES_MAX} bytes")));
        }
        Ok(true)
    }

    fn parse(&mut self) -> Result<Input, RecordingError> {
        let input: Input =
            serde_json::from_slice(&self.text).map_err(|e| self.malformed(explain(&e)))?;
        if input.t < self.last_t {
            return Err(self.malformed(format!(
                "`t` falls from {} to {}; it must never fall",
                self.last_t, input.t
            )));
        }
        self.last_t = input.t;
        Ok(input)
    }
}

/// serde's message quotes strings of the input; only what it expected is passed on.
fn explain(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let message = message.split(" at line ").next().unwrap_or_default();
    let kind = match error.classify() {
        serde_json::error::Category::Data => "isn't an input",
        _ => "isn't JSON",
    };
    match message.split_once(", expected ") {
        Some((_, expected)) => format!("{kind}: expected {expected}"),
        None if message.starts_with("missing field") => format!("{kind}: {message}"),
        None => kind.to_owned(),
    }
}

impl Iterator for Recording {
    type Item = Result<Input, RecordingError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.failed {
            let result = match self.read_line() {
                Ok(false) => return None,
                Ok(true) if self.text.iter().all(u8::is_ascii_whitespace) => continue,
                Ok(true) => self.parse(),
                Err(error) => Err(error),
            };
            self.failed = result.is_err();
            return Some(result);
        }
        None
    }
}

/// What [`Recording::check`] learns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RecordingFacts {
    /// Inputs in it.
    pub inputs: u64,
    /// The `t` of the last one, in milliseconds.
    pub last_t_ms: u64,
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn file(content: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content).unwrap();
        file
    }

    #[test]
    fn gzip_is_seen_from_the_content() {
        let plain = b"{\"t\":0,\"in\":\"reaction\"}\n\n{\"t\":5,\"in\":\"reaction\"}";
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(plain).unwrap();
        for content in [plain.to_vec(), encoder.finish().unwrap()] {
            let facts = Recording::check(file(&content).path()).unwrap();
            assert_eq!(
                facts,
                RecordingFacts {
                    inputs: 2,
                    last_t_ms: 5
                }
            );
        }
    }

    #[test]
    fn a_malformed_line_is_named_and_not_quoted() {
        for (content, line) in [
            (
                "{\"t\":0,\"in\":\"reaction\"}\n{\"t\":1,\"in\":\"secret-word\"}\n",
                2,
            ),
            ("secret-word\n", 1),
            ("{\"t\":0,\"in\":\"key\",\"class\":\"secret-word\"}\n", 1),
            (
                "{\"t\":9,\"in\":\"reaction\"}\n\n{\"t\":8,\"in\":\"reaction\"}\n",
                3,
            ),
            ("{\"t\":0,\"in\":\"reaction\"}\n{\"t\":1,\"in\":\"rea", 2),
            ("{\"t\":-1,\"in\":\"reaction\"}\n", 1),
        ] {
            let file = file(content.as_bytes());
            let message = Recording::check(file.path()).unwrap_err().to_string();
            let place = format!("{}:{line}: ", file.path().display());
            assert!(message.starts_with(&place), "{message}");
            assert!(!message.contains("secret-word"), "{message}");
        }
    }

    #[test]
    fn a_cut_gzip_file_is_malformed() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        for t in 0..1000 {
            writeln!(encoder, "{{\"t\":{t},\"in\":\"reaction\"}}").unwrap();
        }
        let content = encoder.finish().unwrap();
        let file = file(&content[..content.len() / 2]);
        assert!(matches!(
            Recording::check(file.path()),
            Err(RecordingError::Malformed { .. })
        ));
    }
}
