//! ClickHouse in this process, over libchdb.

mod connection;
mod engine;
mod ffi;
mod library;
mod output;
mod pool;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_ipc::writer::StreamWriter;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use self::connection::Stream;
use self::engine::Engine;
use self::output::{Joiner, Layout};
use self::pool::{Guard, Pool, Session, SessionKey, Watch};
use crate::query::{identifier, split_format};
use crate::{ByteStream, Counts, ErrorKind, Query, ReadCounts, WarehouseError};

/// How to run ClickHouse in this process.
#[derive(Debug, Clone)]
pub struct EmbeddedOptions {
    /// The library's file; looked for in the usual places when not given.
    pub library: Option<PathBuf>,
    /// The data folder, created where missing. One process at a time.
    pub path: PathBuf,
    /// The database, created where missing; unqualified names mean its tables.
    pub database: String,
    /// Threads that answer selects, at least one.
    pub readers: usize,
    /// Wait for the disk with every insert, so that power loss takes nothing that was
    /// acknowledged. A killed process loses nothing either way.
    pub fsync: bool,
}

impl EmbeddedOptions {
    /// The defaults over a data folder: database `snag`, two readers, durable against
    /// power loss.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            library: None,
            path: path.into(),
            database: "snag".to_owned(),
            readers: 2,
            fsync: true,
        }
    }
}

/// Threads that insert blocks: one for each table that a block of records may fill.
const INSERTERS: usize = 4;
/// Threads that run statements. Two, so that a long rebuild does not hold up a short one.
const EXECUTORS: usize = 2;
/// Streams open at once; each has a thread and a connection while it lasts.
const STREAMS: usize = 16;
/// Chunks of a stream that wait for their taker; more would only use memory.
const STREAM_CHUNKS: usize = 4;
/// A stream whose other end neither takes nor gives anything for so long is given up.
const STREAM_IDLE: Duration = Duration::from_secs(60);

/// An insert is one block, whatever its size: one part, in or not in as a whole.
pub(crate) const INSERT_SETTINGS: [(&str, &str); 10] = [
    ("async_insert", "0"),
    ("max_insert_block_size", "16777216"),
    ("max_insert_block_size_bytes", "0"),
    ("min_insert_block_size_rows", "0"),
    ("min_insert_block_size_bytes", "0"),
    ("max_partitions_per_insert_block", "0"),
    ("input_format_arrow_allow_missing_columns", "1"),
    // Rows of a block are told apart before they come here, and what a view groups is apart
    // or few rows: merging a block with itself would cost a third of the insert.
    ("optimize_on_insert", "0"),
    // Views of a table fill their rollups side by side: one after the other, a block of a
    // single row waited for each.
    ("parallel_view_processing", "1"),
    // A part of a few rows is read whole sooner than its index; merging makes the indexes.
    ("materialize_skip_indexes_on_insert", "0"),
];

/// The embedded transport.
pub(crate) struct Embedded {
    database: String,
    fsync: bool,
    inserters: Pool,
    executors: Pool,
    readers: Pool,
    streams: Arc<Semaphore>,
    // Last, so that every connection of the pools is closed before the engine.
    engine: Arc<Engine>,
}

impl Embedded {
    pub(crate) fn open(options: EmbeddedOptions) -> Result<Self, WarehouseError> {
        let engine = Arc::new(Engine::open(options.library, &options.path)?);
        engine.connect()?.query(
            &format!(
                "CREATE DATABASE IF NOT EXISTS {}",
                identifier(&options.database)
            ),
            "Null",
            &[],
        )?;
        let pool = |name, threads| Pool::start(name, threads, &engine, &options.database);
        Ok(Self {
            inserters: pool("snag-insert", INSERTERS)?,
            executors: pool("snag-execute", EXECUTORS)?,
            readers: pool("snag-read", options.readers.max(1))?,
            streams: Arc::new(Semaphore::new(STREAMS)),
            database: options.database,
            fsync: options.fsync,
            engine,
        })
    }

    pub(crate) fn database(&self) -> &str {
        &self.database
    }

    pub(crate) fn fsync(&self) -> bool {
        self.fsync
    }

    pub(crate) async fn insert(
        &self,
        table: &str,
        rows: RecordBatch,
    ) -> Result<(), WarehouseError> {
        let statement = insert_statement(table, &rows);
        let key = SessionKey::new(&Query::new(""), &INSERT_SETTINGS);
        self.inserters
            .run(key, move |session| {
                let data = arrow_stream(&rows)?;
                let mut insert = session
                    .connection()
                    .insert(&statement, "ArrowStream", &[])?;
                insert.append(&data)?;
                insert.finish().map(drop)
            })
            .await
    }

    pub(crate) async fn select(&self, query: Query) -> Result<Bytes, WarehouseError> {
        let key = SessionKey::new(&query, &[]);
        self.readers
            .run(key, move |session| run(session, &query))
            .await
    }

    pub(crate) async fn execute(&self, query: Query) -> Result<Counts, WarehouseError> {
        let key = SessionKey::new(&query, &[]);
        self.executors
            .run(key, move |session| {
                check_readonly(session, &query)?;
                session.connection().execute(&query.sql, &query.params)
            })
            .await
    }

    pub(crate) async fn select_stream(
        &self,
        query: Query,
        counts: Arc<ReadCounts>,
    ) -> Result<ByteStream, WarehouseError> {
        let permit = self.stream_permit().await?;
        let session = self.stream_session(&SessionKey::new(&query, &[]));
        let (started, start) = oneshot::channel();
        let (chunks, taker) = mpsc::channel(STREAM_CHUNKS);
        let runtime = tokio::runtime::Handle::current();
        let watch = Arc::new(Watch::default());
        // A query that computes for long between two chunks would not notice otherwise that
        // nobody waits for it.
        let mut guard = Guard::new(Arc::clone(&watch), Arc::clone(&self.engine));
        spawn("snag-stream", move || {
            let _permit = permit;
            let opened = session().and_then(|mut session| {
                check_readonly(&mut session, &query)?;
                Ok(session)
            });
            let mut session = match opened {
                Ok(session) => session,
                Err(error) => return drop(started.send(Err(error))),
            };
            if !watch.begin(&session) {
                return;
            }
            let _ended = Ended(watch);
            let format = query.format.as_deref().unwrap_or(DEFAULT_FORMAT);
            let layout = Layout::of(&query);
            let connection = session.connection();
            let source = match layout {
                Layout::Document => connection
                    .query_counted(&query.sql, format, &query.params, &counts)
                    .map(Source::whole),
                _ => connection
                    .stream(&query.sql, format, &query.params)
                    .map(|blocks| Source::Blocks(blocks, Joiner::new(layout))),
            };
            let mut running = match source {
                Ok(source) => source,
                Err(error) => return drop(started.send(Err(error))),
            };
            // The first chunk comes before the answer, so that an error that it meets is the
            // answer's and not a broken stream's.
            let mut chunk = running.next(&counts);
            if let Some(Err(error)) = chunk {
                return drop(started.send(Err(error)));
            }
            if started.send(Ok(())).is_err() {
                return;
            }
            // `None` says that the end is the query's own.
            loop {
                let end = chunk.is_none();
                let sent = runtime.block_on(async {
                    tokio::time::timeout(STREAM_IDLE, chunks.send(chunk)).await
                });
                if end || !matches!(sent, Ok(Ok(()))) {
                    return;
                }
                chunk = running.next(&counts);
            }
        })?;
        let outcome = start.await.map_err(|_| WarehouseError::closed())?;
        if outcome.is_err() {
            guard.answered();
        }
        outcome?;
        Ok(Box::pin(stream::unfold(
            Some((taker, guard)),
            |held| async {
                let (mut taker, mut guard) = held?;
                match taker.recv().await {
                    Some(Some(item)) => Some((item, Some((taker, guard)))),
                    Some(None) => {
                        guard.answered();
                        None
                    }
                    // The thread gave up: what came is not all, and must not look like it.
                    None => {
                        let given_up =
                            "the stream was given up: nothing was taken from it for too long";
                        Some((Err(WarehouseError::new(ErrorKind::Retry, given_up)), None))
                    }
                }
            },
        )))
    }

    pub(crate) async fn insert_stream(
        &self,
        query: Query,
        mut data: ByteStream,
    ) -> Result<Counts, WarehouseError> {
        enum Part {
            Data(Bytes),
            End,
        }
        let permit = self.stream_permit().await?;
        let session = self.stream_session(&SessionKey::new(&query, &[("async_insert", "0")]));
        let (reply, answer) = oneshot::channel();
        let (parts, mut taker) = mpsc::channel(STREAM_CHUNKS);
        spawn("snag-stream", move || {
            let _permit = permit;
            let outcome = (|| {
                let mut session = session()?;
                let (statement, format) = match query.format.as_deref() {
                    Some(format) => (query.sql.as_str(), format),
                    None => {
                        let (statement, format) = split_format(&query.sql);
                        (statement, format.unwrap_or("Values"))
                    }
                };
                let mut insert = session
                    .connection()
                    .insert(statement, format, &query.params)?;
                loop {
                    match taker.blocking_recv() {
                        Some(Part::Data(bytes)) => insert.append(&bytes)?,
                        Some(Part::End) => return insert.finish(),
                        // The giver is gone without an end: what it gave is not to be kept.
                        None => {
                            return Err(WarehouseError::new(
                                ErrorKind::Rejected,
                                "the data of an insert ended early",
                            ));
                        }
                    }
                }
            })();
            drop(reply.send(outcome));
        })?;
        let mut failure = None;
        loop {
            let part = match tokio::time::timeout(STREAM_IDLE, data.next()).await {
                Ok(Some(Ok(bytes))) if bytes.is_empty() => continue,
                Ok(Some(Ok(bytes))) => Part::Data(bytes),
                Ok(None) => Part::End,
                Ok(Some(Err(error))) => {
                    failure = Some(error);
                    break;
                }
                Err(_) => {
                    failure = Some(WarehouseError::new(
                        ErrorKind::Rejected,
                        "the data of an insert stopped coming",
                    ));
                    break;
                }
            };
            let end = matches!(part, Part::End);
            // A taker that is gone has said why in its answer.
            if parts.send(part).await.is_err() || end {
                break;
            }
        }
        drop(parts);
        let outcome = answer.await.map_err(|_| WarehouseError::closed())?;
        failure.map_or(outcome, Err)
    }

    /// Waits for running work and closes every connection.
    pub(crate) fn close(self) {
        drop(self);
    }

    async fn stream_permit(&self) -> Result<OwnedSemaphorePermit, WarehouseError> {
        Arc::clone(&self.streams)
            .acquire_owned()
            .await
            .map_err(|_| WarehouseError::closed())
    }

    fn stream_session(
        &self,
        key: &SessionKey,
    ) -> impl FnOnce() -> Result<Session, WarehouseError> + Send + 'static {
        let (engine, key, database) =
            (Arc::clone(&self.engine), key.clone(), self.database.clone());
        move || Session::open(&engine, &key, &database)
    }
}

/// What ClickHouse's HTTP interface answers in when nothing is said.
const DEFAULT_FORMAT: &str = "TabSeparated";

/// Refuses a statement that is to read only and would do more. `readonly = 1` on the
/// connection refuses nearly all of them; some (`SYSTEM STOP MERGES`) it passes over
/// without a word, and what a future version lets through is not known.
fn check_readonly(session: &mut Session, query: &Query) -> Result<(), WarehouseError> {
    const READONLY: u32 = 164;
    if !query.readonly || session.connection().only_reads(&query.sql) {
        return Ok(());
    }
    Err(WarehouseError {
        kind: ErrorKind::Rejected,
        code: Some(READONLY),
        message: "Code: 164. DB::Exception: Cannot execute query in readonly mode. (READONLY)"
            .to_owned(),
    })
}

fn run(session: &mut Session, query: &Query) -> Result<Bytes, WarehouseError> {
    check_readonly(session, query)?;
    session.connection().query(
        &query.sql,
        query.format.as_deref().unwrap_or(DEFAULT_FORMAT),
        &query.params,
    )
}

/// Where the bytes of a streamed answer come from.
enum Source<'a> {
    /// A document that is there already.
    Whole(Option<Bytes>),
    /// Blocks as the engine computes them.
    Blocks(Stream<'a>, Joiner),
}

impl Source<'_> {
    fn whole(bytes: Bytes) -> Self {
        Self::Whole((!bytes.is_empty()).then_some(bytes))
    }

    /// The next bytes, which are never none. Blocks while the engine computes.
    fn next(&mut self, counts: &ReadCounts) -> Option<Result<Bytes, WarehouseError>> {
        match self {
            Self::Whole(bytes) => bytes.take().map(Ok),
            Self::Blocks(blocks, joiner) => loop {
                match blocks.next(counts)?.map(|block| joiner.join(block)) {
                    Ok(bytes) if bytes.is_empty() => {}
                    item => return Some(item),
                }
            },
        }
    }
}

/// Says so when a stream's thread is through with its query, however it ends.
struct Ended(Arc<Watch>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.end();
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), WarehouseError> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map(drop)
        .map_err(|error| {
            WarehouseError::new(ErrorKind::Retry, format!("no thread for a stream: {error}"))
        })
}

/// `INSERT INTO t (columns of the batch)`.
pub(crate) fn insert_statement(table: &str, rows: &RecordBatch) -> String {
    let schema = rows.schema();
    let columns: Vec<_> = schema
        .fields()
        .iter()
        .map(|field| identifier(field.name()))
        .collect();
    format!("INSERT INTO {} ({})", identifier(table), columns.join(", "))
}

/// The batch as an Arrow IPC stream.
pub(crate) fn arrow_stream(rows: &RecordBatch) -> Result<Vec<u8>, WarehouseError> {
    let wrong = |error| {
        WarehouseError::new(
            ErrorKind::Rejected,
            format!("rows can't be written as Arrow: {error}"),
        )
    };
    let mut data = Vec::with_capacity(rows.get_array_memory_size() + 4096);
    let mut writer = StreamWriter::try_new(&mut data, &rows.schema()).map_err(wrong)?;
    writer.write(rows).map_err(wrong)?;
    writer.finish().map_err(wrong)?;
    drop(writer);
    Ok(data)
}
