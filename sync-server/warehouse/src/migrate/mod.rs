//! The tables' history: what has been applied, and how to go on from there.
//!
//! ClickHouse has no transactions over DDL, so a process that dies in the middle leaves
//! a part of a migration. What was done is therefore recorded statement by statement in
//! `schema_migrations`, and going on repeats at most the one statement that may or may
//! not have been done. **Invariant:** every statement of a migration can be repeated
//! (`IF NOT EXISTS`, `IF EXISTS`, `CREATE OR REPLACE`); a test runs each twice.
//!
//! Files are checksummed. A file that differs from what was applied, an applied version
//! that this program does not know, and a gap in the versions are refused, since any of
//! them means that the tables are not those this program was written for.

mod split;

use sha2::{Digest as _, Sha256};

pub use split::statements;

use crate::{ErrorKind, Query, Warehouse, WarehouseError};

/// A step in the tables' history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migration<'a> {
    /// Its number; they count up from 1.
    pub version: u32,
    /// What it does, in a word.
    pub name: &'a str,
    /// The SQL that does it.
    pub up: &'a str,
    /// The SQL that undoes it.
    pub down: &'a str,
}

/// The migrations of this program, from `migrations/`.
pub const MIGRATIONS: &[Migration<'static>] = include!(concat!(env!("OUT_DIR"), "/migrations.rs"));

impl Migration<'_> {
    /// SHA-256 over both texts, in hexadecimal.
    #[must_use]
    pub fn checksum(&self) -> String {
        let mut sum = Sha256::new();
        sum.update(self.up);
        sum.update([0]);
        sum.update(self.down);
        hex::encode(sum.finalize())
    }

    /// `0001_records`.
    #[must_use]
    pub fn label(&self) -> String {
        format!("{:04}_{}", self.version, self.name)
    }
}

/// How far a migration got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Not applied.
    Pending,
    /// Applied in part: so many of its statements are done. `up` goes on from there.
    Applying(u32),
    /// Applied.
    Applied,
    /// Undone in part: so many of its statements are done. `up` and `down` finish it first.
    Reverting(u32),
}

/// A migration and how far it got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Its number.
    pub version: u32,
    /// Its name.
    pub name: String,
    /// How far it got.
    pub state: State,
    /// What is wrong with it, if anything; `up` and `down` refuse then.
    pub fault: Option<String>,
}

const TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_migrations
(
    version UInt32,
    name String,
    checksum String,
    state Enum8('applying' = 1, 'applied' = 2, 'reverting' = 3, 'reverted' = 4),
    statements UInt32,
    changed_at DateTime64(3, 'UTC'),
    revision UInt64
)
ENGINE = ReplacingMergeTree(revision)
ORDER BY version";

impl Warehouse {
    /// How far each migration got, those that only the tables know included.
    ///
    /// # Errors
    /// When the warehouse can't be asked.
    pub async fn migrate_status(&self) -> Result<Vec<Status>, WarehouseError> {
        status(self, MIGRATIONS).await
    }

    /// Applies what is pending, and returns its labels. Sets how durable inserts are, too.
    ///
    /// # Errors
    /// `Schema` when the tables' history is not this program's; as ClickHouse says otherwise.
    pub async fn migrate_up(&self) -> Result<Vec<String>, WarehouseError> {
        self.create_database().await?;
        let applied = up(self, MIGRATIONS).await?;
        self.set_durability().await?;
        Ok(applied)
    }

    /// Undoes the last `steps` migrations, and returns their labels. What their tables held is gone.
    ///
    /// # Errors
    /// `Schema` when the tables' history is not this program's; as ClickHouse says otherwise.
    pub async fn migrate_down(&self, steps: usize) -> Result<Vec<String>, WarehouseError> {
        down(self, MIGRATIONS, steps).await
    }

    /// Creates the database where it is missing, as a remote server's can be.
    async fn create_database(&self) -> Result<(), WarehouseError> {
        const UNKNOWN_DATABASE: u32 = 81;
        // Asked first: a user may use a database without being allowed to create one.
        match self.execute("SELECT 1").await {
            Err(error) if error.code == Some(UNKNOWN_DATABASE) => {
                let create = format!(
                    "CREATE DATABASE IF NOT EXISTS {}",
                    crate::query::identifier(self.database())
                );
                self.execute(Query::new(create).database("default")).await
            }
            asked => asked,
        }
    }

    /// Makes the record tables wait for the disk, or not, as the options want it. Rollups
    /// never wait: they can be rebuilt from the records.
    async fn set_durability(&self) -> Result<(), WarehouseError> {
        let Some(fsync) = self.fsync() else {
            return Ok(());
        };
        let wanted = format!("fsync_after_insert = {}", u8::from(fsync));
        let tables = self
            .select(
                Query::read(
                    "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree' \
                     AND engine NOT LIKE '%Aggregating%' AND name NOT LIKE '.%' \
                     AND position(create_table_query, {wanted:String}) = 0 ORDER BY name",
                )
                .param("wanted", &wanted)
                .format("TabSeparatedRaw"),
            )
            .await?;
        for table in String::from_utf8_lossy(&tables).lines() {
            self.execute(format!(
                "ALTER TABLE {} MODIFY SETTING {wanted}, fsync_part_directory = {}",
                crate::query::identifier(table),
                u8::from(fsync)
            ))
            .await?;
        }
        Ok(())
    }
}

/// How far each of `migrations` got.
///
/// # Errors
/// When the warehouse can't be asked.
pub async fn status(
    warehouse: &Warehouse,
    migrations: &[Migration<'_>],
) -> Result<Vec<Status>, WarehouseError> {
    let rows = match rows(warehouse).await {
        // Nothing was ever applied here.
        Err(error) if error.kind == ErrorKind::Schema => Vec::new(),
        rows => rows?,
    };
    Ok(compare(migrations, &rows))
}

/// Applies those of `migrations` that are pending.
///
/// # Errors
/// `Schema` when the history is another; as ClickHouse says otherwise.
pub async fn up(
    warehouse: &Warehouse,
    migrations: &[Migration<'_>],
) -> Result<Vec<String>, WarehouseError> {
    let history = checked(warehouse, migrations).await?;
    let mut applied = Vec::new();
    for (migration, state) in migrations.iter().zip(history) {
        let from = match state {
            State::Applied => continue,
            State::Pending => 0,
            State::Applying(done) => done,
            State::Reverting(done) => {
                run(warehouse, migration, Way::Down, done).await?;
                0
            }
        };
        run(warehouse, migration, Way::Up, from).await?;
        applied.push(migration.label());
    }
    Ok(applied)
}

/// Undoes the last `steps` of `migrations` that are applied.
///
/// # Errors
/// `Schema` when the history is another; as ClickHouse says otherwise.
pub async fn down(
    warehouse: &Warehouse,
    migrations: &[Migration<'_>],
    steps: usize,
) -> Result<Vec<String>, WarehouseError> {
    let history = checked(warehouse, migrations).await?;
    let mut reverted = Vec::new();
    for (migration, state) in migrations.iter().zip(history).rev() {
        if reverted.len() == steps {
            break;
        }
        let from = match state {
            State::Pending => continue,
            State::Applied | State::Applying(_) => 0,
            State::Reverting(done) => done,
        };
        run(warehouse, migration, Way::Down, from).await?;
        reverted.push(migration.label());
    }
    Ok(reverted)
}

#[derive(Clone, Copy)]
enum Way {
    Up,
    Down,
}

async fn run(
    warehouse: &Warehouse,
    migration: &Migration<'_>,
    way: Way,
    from: u32,
) -> Result<(), WarehouseError> {
    let (text, doing, done) = match way {
        Way::Up => (migration.up, "applying", "applied"),
        Way::Down => (migration.down, "reverting", "reverted"),
    };
    if from == 0 {
        record(warehouse, migration, doing, 0).await?;
    }
    let mut finished = 0;
    for statement in statements(text) {
        if finished >= from {
            warehouse
                .execute(statement)
                .await
                .map_err(|error| WarehouseError {
                    message: format!(
                        "{} ({doing}, statement {}): {}",
                        migration.label(),
                        finished + 1,
                        error.message
                    ),
                    ..error
                })?;
            record(warehouse, migration, doing, finished + 1).await?;
        }
        finished += 1;
    }
    record(warehouse, migration, done, finished).await?;
    tracing::info!(migration = migration.label(), state = done, "migration");
    Ok(())
}

async fn record(
    warehouse: &Warehouse,
    migration: &Migration<'_>,
    state: &str,
    statements: u32,
) -> Result<(), WarehouseError> {
    warehouse
        .execute(
            Query::new(
                "INSERT INTO schema_migrations \
                 (version, name, checksum, state, statements, changed_at, revision) \
                 SELECT {version:UInt32}, {name:String}, {checksum:String}, {state:String}, {statements:UInt32}, \
                 now64(3, 'UTC'), (SELECT max(revision) + 1 FROM schema_migrations)",
            )
            .param("version", migration.version)
            .param("name", migration.name)
            .param("checksum", migration.checksum())
            .param("state", state)
            .param("statements", statements),
        )
        .await
}

struct Row {
    version: u32,
    name: String,
    checksum: String,
    state: State,
}

async fn rows(warehouse: &Warehouse) -> Result<Vec<Row>, WarehouseError> {
    let text = warehouse
        .select(
            Query::read(
                "SELECT version, name, checksum, state, statements FROM schema_migrations FINAL \
                 WHERE state != 'reverted' ORDER BY version",
            )
            .format("TabSeparated"),
        )
        .await?;
    String::from_utf8_lossy(&text)
        .lines()
        .map(|line| {
            let mut fields = line.split('\t');
            let mut field = || fields.next().unwrap_or_default();
            let (version, name, checksum) =
                (field().parse().ok(), field().to_owned(), field().to_owned());
            let (state, done) = (field(), field());
            let done = done.parse().ok();
            let state = match state {
                "applying" => done.map(State::Applying),
                "applied" => Some(State::Applied),
                "reverting" => done.map(State::Reverting),
                _ => None,
            };
            version
                .zip(state)
                .map(|(version, state)| Row {
                    version,
                    name,
                    checksum,
                    state,
                })
                .ok_or_else(|| {
                    WarehouseError::new(
                        ErrorKind::Schema,
                        "schema_migrations holds what it can't hold",
                    )
                })
        })
        .collect()
}

/// The state of each of `migrations`, or why the history is not theirs.
async fn checked(
    warehouse: &Warehouse,
    migrations: &[Migration<'_>],
) -> Result<Vec<State>, WarehouseError> {
    for (index, migration) in (1..).zip(migrations) {
        if migration.version != index {
            return Err(WarehouseError::new(
                ErrorKind::Schema,
                format!("migrations/ has a gap before {}", migration.label()),
            ));
        }
    }
    warehouse.execute(TABLE).await?;
    let all = compare(migrations, &rows(warehouse).await?);
    let faults: Vec<_> = all
        .iter()
        .filter_map(|status| status.fault.as_deref())
        .collect();
    if faults.is_empty() {
        return Ok(all.into_iter().map(|status| status.state).collect());
    }
    Err(WarehouseError::new(ErrorKind::Schema, faults.join("; ")))
}

fn compare(migrations: &[Migration<'_>], rows: &[Row]) -> Vec<Status> {
    let last = rows.iter().map(|row| row.version).max().unwrap_or_default();
    let known = migrations.iter().map(|migration| {
        let row = rows.iter().find(|row| row.version == migration.version);
        let fault = match row {
            Some(row) if row.name != migration.name || row.checksum != migration.checksum() => {
                Some(format!(
                    "{} is applied, and its file has been changed since: put the file back, \
                 and write what is to change as a new migration",
                    migration.label()
                ))
            }
            None if migration.version < last => Some(format!(
                "{} is not applied, and {last:04} is: the tables have a gap in their history",
                migration.label()
            )),
            _ => None,
        };
        Status {
            version: migration.version,
            name: migration.name.to_owned(),
            state: row.map_or(State::Pending, |row| row.state),
            fault,
        }
    });
    let unknown = rows
        .iter()
        .filter(|row| !migrations.iter().any(|migration| migration.version == row.version))
        .map(|row| Status {
            version: row.version,
            name: row.name.clone(),
            state: row.state,
            fault: Some(format!(
                "{:04}_{} is applied, and this program does not know it: it is older than the tables",
                row.version, row.name
            )),
        });
    known.chain(unknown).collect()
}
