//! One SQL, two transports: ClickHouse in this process, or ClickHouse over HTTP.
//!
//! [`Warehouse`] is the only way the server reaches its data. It inserts a block of
//! rows, runs a statement, or selects bytes in any of ClickHouse's formats; every
//! failure is one [`WarehouseError`] with one of four [`ErrorKind`]s, whichever
//! transport it came through. Tables, rollups and queries are written once, as SQL
//! (`migrations/` at the root of the repository, applied by [`Warehouse::migrate_up`]).
//!
//! # Rows as Arrow
//!
//! [`Warehouse::insert`] takes an Arrow record batch and sends it as an `ArrowStream`,
//! which both transports take. Columns are matched by name; a column that the batch
//! lacks gets its default. The fastest Arrow type for each column type in use here is:
//!
//! | ClickHouse | Arrow | note |
//! |---|---|---|
//! | `UUID` | `FixedSizeBinary(16)` | the 16 bytes as written; `Utf8` text is parsed and costs more |
//! | `LowCardinality(String)` | `Dictionary(Int32, Utf8)` | written once per distinct value; `Utf8` works too |
//! | `Enum8` | `Int8` | the number; `Utf8` works and is checked by name |
//! | `DateTime64(3, 'UTC')` | `Timestamp(Millisecond, "UTC")` | |
//! | `DateTime('UTC')` | `UInt32` | seconds since 1970 |
//! | `Nullable(T)` | the type of `T`, nullable | |
//! | `Array(T)` | `List` of the type of `T` | |
//! | integers, floats, `String` | the same | `String` from `Utf8` |

#[cfg(feature = "conformance")]
pub mod conformance;
mod embedded;
mod error;
mod fields;
pub mod migrate;
mod query;
mod remote;
mod warehouse;

pub use embedded::EmbeddedOptions;
pub use error::{ErrorKind, WarehouseError};
pub use query::Query;
pub use remote::RemoteOptions;
pub use warehouse::{ByteStream, Counts, ReadCounts, Warehouse};

/// The version of the embedded engine that this crate is written for.
pub const ENGINE_VERSION: &str = "26.7.3";
