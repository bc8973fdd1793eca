//! The seam itself: one type in front of both transports.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::RecordBatch;
use bytes::Bytes;
use futures_util::Stream;

use crate::embedded::{Embedded, EmbeddedOptions};
use crate::remote::{Remote, RemoteOptions};
use crate::{Query, WarehouseError};

/// Bytes in the order they come.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes, WarehouseError>> + Send>>;

/// Rows and bytes: of what a statement or a streamed insert added, views included, or of
/// what a query read or returned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rows; 0 where the transport does not tell.
    pub rows: u64,
    /// Bytes of them before compression; 0 where the transport does not tell.
    pub bytes: u64,
}

/// What a streamed query has read and returned so far; 0 where the transport does not tell.
#[derive(Debug, Default)]
pub struct ReadCounts {
    read_rows: AtomicU64,
    read_bytes: AtomicU64,
    result_rows: AtomicU64,
    result_bytes: AtomicU64,
}

impl ReadCounts {
    pub(crate) fn add(&self, read_rows: u64, read_bytes: u64, result_rows: u64, result_bytes: u64) {
        self.read_rows.fetch_add(read_rows, Ordering::Relaxed);
        self.read_bytes.fetch_add(read_bytes, Ordering::Relaxed);
        self.result_rows.fetch_add(result_rows, Ordering::Relaxed);
        self.result_bytes.fetch_add(result_bytes, Ordering::Relaxed);
    }

    /// What was read from tables.
    #[must_use]
    pub fn read(&self) -> Counts {
        Counts {
            rows: self.read_rows.load(Ordering::Relaxed),
            bytes: self.read_bytes.load(Ordering::Relaxed),
        }
    }

    /// What was returned, its bytes as they are in memory.
    #[must_use]
    pub fn result(&self) -> Counts {
        Counts {
            rows: self.result_rows.load(Ordering::Relaxed),
            bytes: self.result_bytes.load(Ordering::Relaxed),
        }
    }
}

/// ClickHouse, wherever it runs. Clones share one.
#[derive(Clone)]
pub struct Warehouse {
    transport: Arc<Transport>,
    generation: Arc<AtomicU64>,
}

/// Raises the generation when a write is over, however it ended: a failed insert may
/// have left rows, too.
struct Written<'a>(&'a AtomicU64);

impl Drop for Written<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Release);
    }
}

enum Transport {
    Embedded(Embedded),
    Remote(Remote),
}

impl Warehouse {
    /// ClickHouse in this process. Blocks while the library is loaded and the engine
    /// starts: half a second, more with much data.
    ///
    /// # Errors
    /// `Unavailable` when the library is missing (it says where it was looked for) or the
    /// data folder can't be used, by another process included.
    pub fn embedded(options: EmbeddedOptions) -> Result<Self, WarehouseError> {
        Ok(Self {
            transport: Arc::new(Transport::Embedded(Embedded::open(options)?)),
            generation: Arc::default(),
        })
    }

    /// ClickHouse over HTTP. Connects with the first request.
    ///
    /// # Errors
    /// `Unavailable` when the address is none, or nothing is there to check certificates with.
    pub fn remote(options: RemoteOptions) -> Result<Self, WarehouseError> {
        Ok(Self {
            transport: Arc::new(Transport::Remote(Remote::open(options)?)),
            generation: Arc::default(),
        })
    }

    /// The database that unqualified names mean.
    #[must_use]
    pub fn database(&self) -> &str {
        match &*self.transport {
            Transport::Embedded(embedded) => embedded.database(),
            Transport::Remote(remote) => remote.database(),
        }
    }

    /// Rises after each write through this process, so that whoever keeps what it read
    /// knows that it may have changed: what was written before a look at this number is
    /// in what is read after it. Writes of other processes don't raise it.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Whether inserts wait for the disk, where that is this program's to say.
    pub(crate) fn fsync(&self) -> Option<bool> {
        match &*self.transport {
            Transport::Embedded(embedded) => Some(embedded.fsync()),
            Transport::Remote(_) => None,
        }
    }

    /// Adds rows to a table as one block: all of them are in, and in what its views feed,
    /// when this returns; none is in the table when it fails. Columns are matched by name.
    ///
    /// # Errors
    /// `Schema` where table and rows disagree, `Retry` under load; an error after the
    /// connection broke leaves it open whether the rows are in.
    pub async fn insert(&self, table: &str, rows: RecordBatch) -> Result<(), WarehouseError> {
        let _written = Written(&self.generation);
        match &*self.transport {
            Transport::Embedded(embedded) => embedded.insert(table, rows).await,
            Transport::Remote(remote) => remote.insert(table, rows).await,
        }
    }

    /// Runs a query and returns its whole output in the query's format.
    ///
    /// Dropping the future kills the query.
    ///
    /// # Errors
    /// As ClickHouse says; a query with `readonly` that would write is `Rejected` (code 164).
    pub async fn select(&self, query: Query) -> Result<Bytes, WarehouseError> {
        match &*self.transport {
            Transport::Embedded(embedded) => embedded.select(query).await,
            Transport::Remote(remote) => remote.select(query).await,
        }
    }

    /// Runs a query and returns its output as it comes. The query waits while nobody takes
    /// it, and is cancelled when the stream is dropped.
    ///
    /// # Errors
    /// What fails before the first bytes fails here, what fails later is the stream's last item.
    pub async fn select_stream(&self, query: Query) -> Result<ByteStream, WarehouseError> {
        self.select_stream_counted(query, Arc::default()).await
    }

    /// As [`Warehouse::select_stream`], and counts what is read as it goes.
    ///
    /// # Errors
    /// The same.
    pub async fn select_stream_counted(
        &self,
        query: Query,
        counts: Arc<ReadCounts>,
    ) -> Result<ByteStream, WarehouseError> {
        match &*self.transport {
            Transport::Embedded(embedded) => embedded.select_stream(query, counts).await,
            Transport::Remote(remote) => remote.select_stream(query).await,
        }
    }

    /// Runs a statement that answers nothing: DDL, `INSERT … SELECT`, `ALTER`, `OPTIMIZE`.
    ///
    /// # Errors
    /// As ClickHouse says.
    pub async fn execute(&self, query: impl Into<Query>) -> Result<(), WarehouseError> {
        self.execute_counted(query).await.map(drop)
    }

    /// As [`Warehouse::execute`], and tells what an `INSERT … SELECT` added.
    ///
    /// # Errors
    /// As ClickHouse says.
    pub async fn execute_counted(&self, query: impl Into<Query>) -> Result<Counts, WarehouseError> {
        let query = query.into();
        let _written = Written(&self.generation);
        match &*self.transport {
            Transport::Embedded(embedded) => embedded.execute(query).await,
            Transport::Remote(remote) => {
                remote.execute(query).await?;
                Ok(Counts::default())
            }
        }
    }

    /// Runs an `INSERT INTO t [(columns)] [FORMAT x]` whose data comes as a stream, in the
    /// query's format or the one the text names. Large data is written in several blocks:
    /// a failure in the middle can leave the first ones.
    ///
    /// # Errors
    /// As ClickHouse says, or the stream's own error.
    pub async fn insert_stream(
        &self,
        statement: Query,
        data: ByteStream,
    ) -> Result<Counts, WarehouseError> {
        let _written = Written(&self.generation);
        match &*self.transport {
            Transport::Embedded(embedded) => embedded.insert_stream(statement, data).await,
            Transport::Remote(remote) => {
                remote.insert_stream(statement, data).await?;
                Ok(Counts::default())
            }
        }
    }

    /// Waits for running work and lets go of the data folder, if this is the last clone.
    pub async fn close(self) {
        let Some(transport) = Arc::into_inner(self.transport) else {
            return;
        };
        match transport {
            Transport::Embedded(embedded) => {
                // Joining threads and shutting the engine down block.
                drop(tokio::task::spawn_blocking(move || embedded.close()).await);
            }
            Transport::Remote(_) => {}
        }
    }
}
