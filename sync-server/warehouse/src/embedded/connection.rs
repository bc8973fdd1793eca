//! Safe handles over one connection of the engine.
//!
//! **Invariants.** A connection is used by one thread at a time (it is `Send`, not
//! `Sync`). A streamed query or insert borrows its connection mutably, so that no other
//! statement can run meanwhile. Every handle is destroyed exactly once.

use std::ffi::{CStr, CString, c_char};
use std::ptr::NonNull;
use std::sync::Arc;

use bytes::Bytes;

use super::ffi::{RawAnalysis, RawConnection, RawResult, Symbols};
use crate::{Counts, ErrorKind, ReadCounts, WarehouseError};

/// Parameters of a statement: names and values in escaped text.
pub(super) type Params = [(String, String)];

/// A session of the engine.
pub(super) struct Connection {
    symbols: Arc<Symbols>,
    handle: NonNull<RawConnection>,
}

// SAFETY: the engine ties a connection to no thread; it only wants one call at a time,
// which `&mut self` on every method gives.
unsafe impl Send for Connection {}

impl Connection {
    /// Connects with command-line arguments: `--path=…` for the first, settings for each.
    pub(super) fn open(
        symbols: &Arc<Symbols>,
        arguments: &[String],
    ) -> Result<Self, WarehouseError> {
        let strings: Vec<CString> = std::iter::once("clickhouse")
            .chain(arguments.iter().map(String::as_str))
            .map(|text| {
                CString::new(text).map_err(|_| {
                    WarehouseError::new(ErrorKind::Rejected, "a setting holds a zero byte")
                })
            })
            .collect::<Result<_, _>>()?;
        let pointers: Vec<*const c_char> = strings.iter().map(|s| s.as_ptr()).collect();
        let count = i32::try_from(pointers.len())
            .map_err(|_| WarehouseError::new(ErrorKind::Rejected, "too many settings"))?;
        // SAFETY: `pointers` holds `count` strings that live through the call, which copies them.
        let handle = unsafe { (symbols.chdb_connect)(count, pointers.as_ptr()) };
        NonNull::new(handle)
            .map(|handle| Self {
                symbols: Arc::clone(symbols),
                handle,
            })
            .ok_or_else(|| {
                WarehouseError::new(
                    ErrorKind::Unavailable,
                    "the embedded ClickHouse refused a connection (its path can't be used, or a setting is unknown)",
                )
            })
    }

    fn raw(&self) -> RawConnection {
        // SAFETY: the engine's connection pointer stays valid until it is closed, in `drop`.
        unsafe { *self.handle.as_ptr() }
    }

    /// Runs a statement and returns all of its output.
    pub(super) fn query(
        &mut self,
        sql: &str,
        format: &str,
        params: &Params,
    ) -> Result<Bytes, WarehouseError> {
        self.run(sql, format, params)?.into_bytes()
    }

    /// Runs a statement, returns its whole output and counts what it read.
    pub(super) fn query_counted(
        &mut self,
        sql: &str,
        format: &str,
        params: &Params,
        counts: &ReadCounts,
    ) -> Result<Bytes, WarehouseError> {
        let answer = self.run(sql, format, params)?;
        answer.count(counts);
        answer.into_bytes()
    }

    /// Runs a statement for what it does, and tells what it wrote.
    pub(super) fn execute(&mut self, sql: &str, params: &Params) -> Result<Counts, WarehouseError> {
        let answer = self.run(sql, "Null", params)?;
        answer.check()?;
        Ok(answer.written())
    }

    fn run(&mut self, sql: &str, format: &str, params: &Params) -> Result<Answer, WarehouseError> {
        let params = RawParams::new(params);
        // SAFETY: every pointer goes with its length and lives through the call.
        let raw = unsafe {
            (self.symbols.chdb_query_with_params_n)(
                self.raw(),
                sql.as_ptr().cast(),
                sql.len(),
                format.as_ptr().cast(),
                format.len(),
                params.names.as_ptr(),
                params.name_lengths.as_ptr(),
                params.values.as_ptr(),
                params.value_lengths.as_ptr(),
                params.names.len(),
            )
        };
        Answer::new(&self.symbols, raw)
    }

    /// Whether running a statement would leave nothing changed, as the engine's own parser
    /// sees it. What does not parse counts as reading: running it says what is wrong.
    pub(super) fn only_reads(&mut self, sql: &str) -> bool {
        const READ_ONLY: u32 = 0;
        const UNKNOWN: u32 = 4;
        let mut analysis = RawAnalysis {
            struct_size: size_of::<RawAnalysis>() as u32,
            ..RawAnalysis::default()
        };
        // SAFETY: the text goes with its length, no database is named, and the struct has the
        // size that it says.
        let state = unsafe {
            (self.symbols.chdb_classify_query_n)(
                self.raw(),
                sql.as_ptr().cast(),
                sql.len(),
                std::ptr::null(),
                0,
                &raw mut analysis,
            )
        };
        state == 0
            && (analysis.query_class == READ_ONLY
                || (analysis.query_class == UNKNOWN && analysis.statement_count == 0))
    }

    /// Starts a query whose output is fetched chunk by chunk.
    pub(super) fn stream(
        &mut self,
        sql: &str,
        format: &str,
        params: &Params,
    ) -> Result<Stream<'_>, WarehouseError> {
        let params = RawParams::new(params);
        // SAFETY: every pointer goes with its length and lives through the call.
        let raw = unsafe {
            (self.symbols.chdb_stream_query_with_params_n)(
                self.raw(),
                sql.as_ptr().cast(),
                sql.len(),
                format.as_ptr().cast(),
                format.len(),
                params.names.as_ptr(),
                params.name_lengths.as_ptr(),
                params.values.as_ptr(),
                params.value_lengths.as_ptr(),
                params.names.len(),
            )
        };
        let answer = Answer::new(&self.symbols, raw)?;
        answer.check()?;
        Ok(Stream {
            answer,
            connection: self,
            ended: false,
        })
    }

    /// Starts an insert whose data is appended chunk by chunk. `statement` has no format
    /// and no data.
    pub(super) fn insert(
        &mut self,
        statement: &str,
        format: &str,
        params: &Params,
    ) -> Result<Insert<'_>, WarehouseError> {
        let params = RawParams::new(params);
        // SAFETY: every pointer goes with its length and lives through the call.
        let raw = unsafe {
            (self.symbols.chdb_stream_insert_with_params_n)(
                self.raw(),
                statement.as_ptr().cast(),
                statement.len(),
                format.as_ptr().cast(),
                format.len(),
                params.names.as_ptr(),
                params.name_lengths.as_ptr(),
                params.values.as_ptr(),
                params.value_lengths.as_ptr(),
                params.names.len(),
            )
        };
        let insert = Insert {
            handle: NonNull::new(raw).ok_or_else(no_answer)?,
            connection: self,
        };
        match insert.error() {
            Some(error) => Err(error),
            None => Ok(insert),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // SAFETY: the handle came from `chdb_connect` and nothing that borrows it is left.
        // The engine frees the connection and leaks the pointer to it, eight bytes.
        unsafe { (self.symbols.chdb_close_conn)(self.handle.as_ptr()) };
    }
}

/// A query being streamed. Dropping it cancels it.
pub(super) struct Stream<'a> {
    answer: Answer,
    connection: &'a mut Connection,
    ended: bool,
}

impl Stream<'_> {
    /// The next chunk, or `None` at the end; `counts` grows by what it took to compute it.
    /// Blocks while the engine computes.
    pub(super) fn next(&mut self, counts: &ReadCounts) -> Option<Result<Bytes, WarehouseError>> {
        if self.ended {
            return None;
        }
        // SAFETY: both handles are live and this thread alone uses the connection.
        let raw = unsafe {
            (self.connection.symbols.chdb_stream_fetch_result)(
                self.connection.raw(),
                self.answer.handle.as_ptr(),
            )
        };
        let chunk = Answer::new(&self.connection.symbols, raw).and_then(|answer| {
            answer.count(counts);
            answer.into_bytes()
        });
        match chunk {
            Ok(bytes) if bytes.is_empty() => {
                self.ended = true;
                None
            }
            Ok(bytes) => Some(Ok(bytes)),
            Err(error) => {
                self.ended = true;
                Some(Err(error))
            }
        }
    }
}

impl Drop for Stream<'_> {
    fn drop(&mut self) {
        if !self.ended {
            // SAFETY: both handles are live; the result itself is freed by `Answer`.
            unsafe {
                (self.connection.symbols.chdb_stream_cancel_query)(
                    self.connection.raw(),
                    self.answer.handle.as_ptr(),
                );
            }
        }
    }
}

/// An insert being streamed. Dropping it without [`Insert::finish`] cancels it.
pub(super) struct Insert<'a> {
    handle: NonNull<std::ffi::c_void>,
    connection: &'a mut Connection,
}

impl Insert<'_> {
    /// Adds data. Blocks while the engine is behind.
    pub(super) fn append(&mut self, data: &[u8]) -> Result<(), WarehouseError> {
        // SAFETY: the handle is live; the data is copied by the call.
        let state = unsafe {
            (self.connection.symbols.chdb_stream_append)(
                self.handle.as_ptr(),
                data.as_ptr().cast(),
                data.len(),
            )
        };
        if state == 0 {
            return Ok(());
        }
        Err(self.error().unwrap_or_else(|| {
            WarehouseError::new(ErrorKind::Unavailable, "the insert stream ended early")
        }))
    }

    /// Ends the data and waits until the rows are in.
    pub(super) fn finish(self) -> Result<Counts, WarehouseError> {
        // SAFETY: the handle is live; `drop` destroys it, as the interface wants after `done`, too.
        let raw = unsafe { (self.connection.symbols.chdb_stream_done)(self.handle.as_ptr()) };
        let answer = Answer::new(&self.connection.symbols, raw)?;
        answer.check()?;
        Ok(answer.written())
    }

    fn error(&self) -> Option<WarehouseError> {
        // SAFETY: the handle is live and the text is valid until the stream changes.
        unsafe {
            message((self.connection.symbols.chdb_stream_insert_error)(
                self.handle.as_ptr(),
            ))
        }
    }
}

impl Drop for Insert<'_> {
    fn drop(&mut self) {
        // SAFETY: the handle is live. Cancelling a finished stream does nothing, destroying
        // is wanted on every path and happens here alone.
        unsafe {
            (self.connection.symbols.chdb_stream_cancel_insert)(self.handle.as_ptr());
            (self.connection.symbols.chdb_destroy_insert_stream)(self.handle.as_ptr());
        }
    }
}

/// A `chdb_result *`.
struct Answer {
    symbols: Arc<Symbols>,
    handle: NonNull<std::ffi::c_void>,
}

// SAFETY: a result is a buffer of its own, tied to no thread, and is only read.
unsafe impl Send for Answer {}
// SAFETY: as above; every function called on it through a shared reference only reads.
unsafe impl Sync for Answer {}

impl Answer {
    fn new(symbols: &Arc<Symbols>, raw: RawResult) -> Result<Self, WarehouseError> {
        Ok(Self {
            symbols: Arc::clone(symbols),
            handle: NonNull::new(raw).ok_or_else(no_answer)?,
        })
    }

    fn check(&self) -> Result<(), WarehouseError> {
        // SAFETY: the handle is live and the text is valid as long as it is.
        match unsafe { message((self.symbols.chdb_result_error)(self.handle.as_ptr())) } {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    fn count(&self, counts: &ReadCounts) {
        let (symbols, handle) = (&self.symbols, self.handle.as_ptr());
        // SAFETY: the handle is live.
        let [read_rows, read_bytes, result_rows, result_bytes] = unsafe {
            [
                (symbols.chdb_result_storage_rows_read)(handle),
                (symbols.chdb_result_storage_bytes_read)(handle),
                (symbols.chdb_result_rows_read)(handle),
                (symbols.chdb_result_bytes_read)(handle),
            ]
        };
        counts.add(read_rows, read_bytes, result_rows, result_bytes);
    }

    fn written(&self) -> Counts {
        // SAFETY: the handle is live.
        let (rows, bytes) = unsafe {
            (
                (self.symbols.chdb_result_rows_written)(self.handle.as_ptr()),
                (self.symbols.chdb_result_bytes_written)(self.handle.as_ptr()),
            )
        };
        Counts { rows, bytes }
    }

    /// The output, without a copy: the bytes own the result.
    fn into_bytes(self) -> Result<Bytes, WarehouseError> {
        self.check()?;
        Ok(Bytes::from_owner(self))
    }
}

impl AsRef<[u8]> for Answer {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: the handle is live.
        let (buffer, length) = unsafe {
            (
                (self.symbols.chdb_result_buffer)(self.handle.as_ptr()),
                (self.symbols.chdb_result_length)(self.handle.as_ptr()),
            )
        };
        if buffer.is_null() || length == 0 {
            return &[];
        }
        // SAFETY: the buffer holds `length` bytes that neither change nor move until the result
        // is destroyed, which the borrow outlasts.
        unsafe { std::slice::from_raw_parts(buffer, length) }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        // SAFETY: the handle is live and destroyed here alone.
        unsafe { (self.symbols.chdb_destroy_query_result)(self.handle.as_ptr()) };
    }
}

/// Parallel arrays of pointers and lengths into the caller's strings.
struct RawParams {
    names: Vec<*const c_char>,
    name_lengths: Vec<usize>,
    values: Vec<*const c_char>,
    value_lengths: Vec<usize>,
}

impl RawParams {
    fn new(params: &Params) -> Self {
        Self {
            names: params
                .iter()
                .map(|(name, _)| name.as_ptr().cast())
                .collect(),
            name_lengths: params.iter().map(|(name, _)| name.len()).collect(),
            values: params
                .iter()
                .map(|(_, value)| value.as_ptr().cast())
                .collect(),
            value_lengths: params.iter().map(|(_, value)| value.len()).collect(),
        }
    }
}

/// # Safety
/// `text` is null or a zero-terminated string.
unsafe fn message(text: *const c_char) -> Option<WarehouseError> {
    if text.is_null() {
        return None;
    }
    // SAFETY: as the caller promises.
    let text = unsafe { CStr::from_ptr(text) };
    Some(WarehouseError::from_clickhouse(text.to_string_lossy()))
}

fn no_answer() -> WarehouseError {
    WarehouseError::new(
        ErrorKind::Unavailable,
        "the embedded ClickHouse gave no answer",
    )
}
