//! Rollups compared with a recount of the raw rows, and rebuilt where they differ.
//!
//! A materialized view sees each inserted block once. When the process dies between
//! the table and a view, or two servers race and store a record twice, the view's
//! rollup is wrong while the raw rows (read with FINAL) are right. So the raw rows
//! decide: the view's own SELECT, over FINAL, has to give what the rollup has.
//!
//! **Invariant:** a rebuild replaces a partition at once (`REPLACE PARTITION`): a
//! reader sees the old or the new, and what wasn't rebuilt is as it was.
//!
//! Days whose raw rows retention took (`kept_from`, by organisation) have nothing to be
//! compared with: their rollups are neither looked at nor changed.
//!
//! Rollups are found, not listed: a view named `x_view` fills `x`, whose columns'
//! types say how they merge. The time columns are `hour` or `day` of the rollup, and
//! `started_at` or `at` of the source.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use jiff::{Timestamp, civil::Date};
use serde::Deserialize;
use snag_warehouse::{ErrorKind, Query, Warehouse, WarehouseError};
use uuid::Uuid;

use crate::db;

/// Raw rows recounted in one query, so that its memory is bounded.
const ROWS_PER_QUERY: u64 = 4_000_000;

/// Days in one query: nothing is inserted while they are rebuilt.
const DAYS_PER_QUERY: usize = 31;

/// How often a rebuild is tried where other servers go on inserting.
const TRIES: usize = 3;

/// Which days to look at.
#[derive(Debug, Clone)]
pub enum Window {
    /// Every day there is.
    All,
    /// Days from this moment on (by the records' own time).
    Since(Timestamp),
    /// Days that rows received in the last so many seconds (before the newest) lie on.
    RecentlyReceived(u64),
    /// These days.
    Days(BTreeSet<Date>),
}

/// An hour or day of a rollup that differs from the recount.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// The rollup.
    pub rollup: String,
    /// The hour or day, as ClickHouse writes it.
    pub bucket: String,
    /// Rows of the rollup (by key) that differ there.
    pub keys: u64,
}

/// What a look at the rollups found.
#[derive(Debug, Default)]
pub struct Report {
    /// Rollups looked at.
    pub rollups: Vec<String>,
    /// Days looked at, over all rollups.
    pub days: usize,
    /// What differs, or differed before it was rebuilt.
    pub differences: Vec<Difference>,
    /// Partitions rebuilt, by rollup.
    pub repaired: Vec<(String, String)>,
    /// What still differs after the rebuild.
    pub remaining: Vec<Difference>,
}

/// Compares rollups with a recount; with `gate`, rebuilds what differs while nothing
/// else is inserted by this process.
///
/// # Errors
/// The warehouse's, or `Schema` where a view isn't of the form that this module knows.
pub async fn verify(
    warehouse: &Warehouse,
    window: &Window,
    repair: Option<&Arc<tokio::sync::RwLock<()>>>,
) -> Result<Report, WarehouseError> {
    let mut report = Report::default();
    let floors = Floors::read(warehouse).await?;
    for rollup in Rollup::all(warehouse, &floors).await? {
        report.rollups.push(rollup.name.clone());
        for days in rollup.days(warehouse, window).await? {
            report.days += days.len();
            let first = rollup.compare(warehouse, &days).await?;
            if first.is_empty() {
                continue;
            }
            // An insert may have come between the two sides of the comparison.
            let suspects = days_of(&first)?;
            let Some(gate) = repair else {
                report
                    .differences
                    .extend(rollup.compare(warehouse, &suspects).await?);
                continue;
            };
            let _nothing_is_inserted = gate.write().await;
            let mut wrong = rollup.compare(warehouse, &suspects).await?;
            report.differences.extend(wrong.iter().cloned());
            for _ in 0..TRIES {
                if wrong.is_empty() {
                    break;
                }
                let partitions = rollup.rebuild(warehouse, &days_of(&wrong)?).await?;
                report
                    .repaired
                    .extend(partitions.into_iter().map(|p| (rollup.name.clone(), p)));
                wrong = rollup.compare(warehouse, &suspects).await?;
            }
            report.remaining.extend(wrong);
        }
    }
    Ok(report)
}

/// Takes some submissions out of the rollups of days that can't be rebuilt, because retention took the rows of others there
/// (these came later, with an old date). Sums alone: from a set of devices none can be taken that others may have put there.
/// To be called once, before the rows themselves go.
///
/// # Errors
/// The warehouse's.
pub(crate) async fn uncount(
    warehouse: &Warehouse,
    org: &str,
    submissions: &BTreeSet<Uuid>,
) -> Result<(), WarehouseError> {
    let floors = Floors::read(warehouse).await?;
    for rollup in Rollup::all(warehouse, &floors).await? {
        let has_floor = rollup.floors[0].iter().any(|floor| floor == org);
        if rollup.source == "submissions" && has_floor {
            let insert = rollup.query(Query::new(rollup.negated()));
            let insert = insert
                .param("org", org)
                .param_strings("ids", submissions.iter().map(Uuid::to_string));
            warehouse.execute(insert).await?;
        }
    }
    Ok(())
}

fn days_of(differences: &[Difference]) -> Result<BTreeSet<Date>, WarehouseError> {
    differences
        .iter()
        .map(|difference| parse_day(difference.bucket.get(..10).unwrap_or_default()))
        .collect()
}

fn parse_day(text: &str) -> Result<Date, WarehouseError> {
    text.parse()
        .map_err(|_| broken(&format!("{text:?} is not a day")))
}

fn broken(what: &str) -> WarehouseError {
    WarehouseError::new(ErrorKind::Schema, format!("verify: {what}"))
}

/// The first day of each organisation that still has its raw rows, where it isn't the
/// first of all.
struct Floors(Vec<Floor>);

#[derive(Deserialize)]
struct Floor {
    org: String,
    what: String,
    day: String,
}

impl Floors {
    async fn read(warehouse: &Warehouse) -> Result<Self, WarehouseError> {
        let sql = "SELECT org, toString(what) AS what, toString(max(day)) AS day FROM kept_from \
                   GROUP BY org, what ORDER BY org";
        Ok(Self(db::rows(warehouse, Query::read(sql)).await?))
    }

    /// Those that hold for a source, as two lists: organisations and days.
    fn of(&self, source: &str) -> [Vec<String>; 2] {
        let what = match source {
            "submissions" | "feedback" => "feedback",
            _ => "records",
        };
        let floors = self.0.iter().filter(|floor| floor.what == what);
        let (orgs, days) = floors
            .map(|floor| (floor.org.clone(), floor.day.clone()))
            .unzip();
        [orgs, days]
    }
}

/// A rollup, its view and its source.
struct Rollup {
    /// See [`Floors::of`].
    floors: [Vec<String>; 2],
    name: String,
    source: String,
    /// The source's time.
    moment: &'static str,
    /// The rollup's time: `hour` or `day`.
    bucket: &'static str,
    /// Whether a partition is a day; a month otherwise.
    by_day: bool,
    /// The view's SELECT with a mark where the source stands.
    select: [String; 2],
    columns: Vec<Column>,
}

struct Column {
    name: String,
    merge: Merge,
}

enum Merge {
    /// Part of the sorting key.
    Key,
    /// Merged by a function of plain values.
    Simple { function: String, set: bool },
    /// Merged by a function of states, with its parameters in brackets.
    State {
        function: String,
        parameters: String,
    },
}

impl Rollup {
    async fn all(warehouse: &Warehouse, floors: &Floors) -> Result<Vec<Self>, WarehouseError> {
        #[derive(Deserialize)]
        struct View {
            name: String,
            as_select: String,
        }
        let sql = "SELECT name, as_select FROM system.tables \
                   WHERE database = {database:String} AND engine = 'MaterializedView' ORDER BY name";
        let query = Query::read(sql).param("database", warehouse.database());
        let views: Vec<View> = db::rows(warehouse, query).await?;
        let mut rollups = Vec::with_capacity(views.len());
        for view in views {
            rollups.push(Self::of_view(warehouse, &view.name, &view.as_select, floors).await?);
        }
        Ok(rollups)
    }

    async fn of_view(
        warehouse: &Warehouse,
        view: &str,
        as_select: &str,
        floors: &Floors,
    ) -> Result<Self, WarehouseError> {
        #[derive(Deserialize)]
        struct Row {
            name: String,
            r#type: String,
            is_in_sorting_key: u8,
        }
        #[derive(Deserialize)]
        struct Partition {
            partition_key: String,
        }
        let name = view
            .strip_suffix("_view")
            .ok_or_else(|| broken(&format!("view {view} isn't named after its rollup")))?;
        let (select, source) = split_source(as_select, warehouse.database())
            .ok_or_else(|| broken(&format!("view {view} doesn't read one table")))?;
        let sql = "SELECT name, type, is_in_sorting_key FROM system.columns \
                   WHERE database = {database:String} AND table = {table:String} ORDER BY position";
        let query = Query::read(sql)
            .param("database", warehouse.database())
            .param("table", name);
        let rows: Vec<Row> = db::rows(warehouse, query).await?;
        let bucket = ["hour", "day"]
            .into_iter()
            .find(|bucket| rows.iter().any(|row| row.name == *bucket))
            .ok_or_else(|| broken(&format!("{name} has neither hour nor day")))?;
        let sql = "SELECT partition_key FROM system.tables \
                   WHERE database = {database:String} AND name = {table:String}";
        let query = Query::read(sql)
            .param("database", warehouse.database())
            .param("table", name);
        let partition: Vec<Partition> = db::rows(warehouse, query).await?;
        let key = partition
            .first()
            .map_or("", |row| row.partition_key.as_str());
        let by_day = match key.split('(').next() {
            Some("toYYYYMMDD") => true,
            Some("toYYYYMM") => false,
            _ => return Err(broken(&format!("{name} is partitioned by {key}"))),
        };
        let columns = rows
            .into_iter()
            .map(|row| {
                let merge = if row.is_in_sorting_key != 0 {
                    Merge::Key
                } else {
                    parse_merge(&row.r#type).ok_or_else(|| {
                        broken(&format!("{name}.{} is a {}", row.name, row.r#type))
                    })?
                };
                Ok(Column {
                    name: row.name,
                    merge,
                })
            })
            .collect::<Result<_, WarehouseError>>()?;
        Ok(Self {
            floors: floors.of(&source),
            name: name.to_owned(),
            moment: if source == "sessions" {
                "started_at"
            } else {
                "at"
            },
            source,
            bucket,
            by_day,
            select,
            columns,
        })
    }

    /// Whether the raw rows of a row's day are still there, as SQL; see [`Self::query`].
    fn kept(&self, day: &str) -> String {
        if self.floors[0].is_empty() {
            return "1".to_owned();
        }
        format!(
            "{day} >= transform(toString(org), {{floor_orgs:Array(String)}}, \
             {{floor_days:Array(Date)}}, toDate(0))"
        )
    }

    /// A statement with the parameters that [`Self::kept`] names.
    fn query(&self, query: Query) -> Query {
        if self.floors[0].is_empty() {
            return query;
        }
        query
            .param_strings("floor_orgs", &self.floors[0])
            .param_strings("floor_days", &self.floors[1])
    }

    /// The days of a window, in groups that one query can recount.
    async fn days(
        &self,
        warehouse: &Warehouse,
        window: &Window,
    ) -> Result<Vec<BTreeSet<Date>>, WarehouseError> {
        #[derive(Deserialize)]
        struct Row {
            day: String,
            records: u64,
        }
        if matches!(window, Window::Days(days) if days.is_empty()) {
            return Ok(Vec::new());
        }
        let day = format!("toDate({}, 'UTC')", self.moment);
        let raw = match window {
            Window::Days(days) => format!(
                "SELECT {day} AS day, count() AS records FROM {} WHERE {day} IN ({}) AND {}{} GROUP BY day",
                self.source,
                list(days),
                self.kept(&day),
                received_from(days)
            ),
            Window::All => {
                format!(
                    "SELECT {day} AS day, count() AS records FROM {} WHERE {} GROUP BY day",
                    self.source,
                    self.kept(&day)
                )
            }
            Window::Since(since) => format!(
                "SELECT {day} AS day, count() AS records FROM {} WHERE {} >= \
                 toStartOfDay(fromUnixTimestamp64Milli(toInt64({}), 'UTC')) AND {} GROUP BY day",
                self.source,
                self.moment,
                since.as_millisecond(),
                self.kept(&day)
            ),
            // How many rows such a day has in all isn't known: take them one by one.
            Window::RecentlyReceived(seconds) => format!(
                "SELECT {day} AS day, toUInt64({ROWS_PER_QUERY}) AS records FROM {source} WHERE received_at >= \
                 (SELECT max(received_at) FROM {source}) - {seconds} AND {kept} GROUP BY day",
                source = self.source,
                kept = self.kept(&day)
            ),
        };
        // Days that only the rollup has are wrong, too.
        let stored = match window {
            Window::RecentlyReceived(_) => String::new(),
            Window::Days(days) => format!(
                " UNION ALL SELECT arrayJoin([{}]) AS day, toUInt64(0) AS records",
                list(days)
            ),
            Window::All | Window::Since(_) => {
                let since = match window {
                    Window::Since(since) => format!(
                        " AND toDate({}, 'UTC') >= toDate(fromUnixTimestamp64Milli(toInt64({}), 'UTC'))",
                        self.bucket,
                        since.as_millisecond()
                    ),
                    _ => String::new(),
                };
                format!(
                    " UNION ALL SELECT DISTINCT {} AS day, toUInt64(0) AS records FROM {} WHERE {}{}",
                    self.bucket_day(),
                    self.name,
                    self.kept(&self.bucket_day()),
                    since.replace("toDate(day, 'UTC')", "day")
                )
            }
        };
        let sql = format!(
            "SELECT toString(day) AS day, sum(records) AS records FROM ({raw}{stored}) GROUP BY day ORDER BY day"
        );
        let rows: Vec<Row> = db::rows(warehouse, self.query(Query::read(sql))).await?;
        let mut groups: Vec<BTreeSet<Date>> = Vec::new();
        let mut room = 0;
        for row in rows {
            let day = parse_day(&row.day)?;
            match groups.last_mut() {
                Some(group) if row.records <= room && group.len() < DAYS_PER_QUERY => {
                    group.insert(day);
                    room -= row.records;
                }
                _ => {
                    groups.push(BTreeSet::from([day]));
                    room = ROWS_PER_QUERY.saturating_sub(row.records);
                }
            }
        }
        Ok(groups)
    }

    fn bucket_day(&self) -> String {
        match self.bucket {
            "hour" => "toDate(hour, 'UTC')".to_owned(),
            bucket => bucket.to_owned(),
        }
    }

    /// The recount of some days: the view's SELECT over the raw rows, each once.
    fn recount(&self, days: &BTreeSet<Date>) -> String {
        let received = received_from(days);
        format!(
            "{}(SELECT * FROM {} FINAL WHERE toDate({}, 'UTC') IN ({}) AND {}{received}) AS {}{}",
            self.select[0],
            self.source,
            self.moment,
            list(days),
            self.kept(&format!("toDate({}, 'UTC')", self.moment)),
            self.source,
            self.select[1]
        )
    }

    /// What takes submissions out of the days below the floor. A sum of numbers without a sign wraps around, and so
    /// comes out right.
    fn negated(&self) -> String {
        let (mut names, mut values) = (Vec::new(), Vec::new());
        for Column { name, merge } in &self.columns {
            match merge {
                Merge::Key => values.push(name.clone()),
                Merge::Simple { function, .. } if function == "sum" => {
                    values.push(format!("-toInt64({name})"));
                }
                Merge::Simple { .. } | Merge::State { .. } => continue,
            }
            names.push(name.as_str());
        }
        format!(
            "INSERT INTO {} ({}) SELECT {} FROM ({}(SELECT * FROM {source} FINAL WHERE org = {{org:String}} \
             AND id IN {{ids:Array(UUID)}} AND NOT {}) AS {source}{})",
            self.name,
            names.join(", "),
            values.join(", "),
            self.select[0],
            self.kept(&format!("toDate({}, 'UTC')", self.moment)),
            self.select[1],
            source = self.source,
        )
    }

    fn column_names(&self) -> String {
        let names: Vec<&str> = self.columns.iter().map(|c| c.name.as_str()).collect();
        names.join(", ")
    }

    async fn compare(
        &self,
        warehouse: &Warehouse,
        days: &BTreeSet<Date>,
    ) -> Result<Vec<Difference>, WarehouseError> {
        #[derive(Deserialize)]
        struct Row {
            bucket: String,
            keys: u64,
        }
        let names = self.column_names();
        let mut keys = Vec::new();
        let mut equal = vec![
            "countIf(side = 0) > 0".to_owned(),
            "countIf(side = 1) > 0".to_owned(),
        ];
        for column in &self.columns {
            let name = &column.name;
            match &column.merge {
                Merge::Key => keys.push(name.as_str()),
                Merge::Simple { function, set } => {
                    let side = |side| {
                        let merged = format!("{function}If({name}, side = {side})");
                        if *set {
                            format!("arraySort({merged})")
                        } else {
                            merged
                        }
                    };
                    equal.push(format!("{} = {}", side(0), side(1)));
                }
                Merge::State {
                    function,
                    parameters,
                } => {
                    // As text, because a quantile of nothing is NaN, which equals nothing.
                    let side = |side| {
                        format!(
                            "toString(tuple({function}MergeIf{parameters}({name}, side = {side})))"
                        )
                    };
                    equal.push(format!("{} = {}", side(0), side(1)));
                    if function == "uniq" {
                        // Two sets of one size are one set where their union has it, too.
                        equal.push(format!("{} = toString(tuple(uniqMerge({name})))", side(0)));
                    }
                }
            }
        }
        let sql = format!(
            "SELECT toString({bucket}) AS bucket, count() AS keys FROM (\
               SELECT {keys} FROM (\
                 SELECT 0 AS side, {names} FROM {rollup} WHERE {day} IN ({days}) AND {kept} \
                 UNION ALL \
                 SELECT 1 AS side, {names} FROM ({recount})\
               ) GROUP BY {keys} HAVING NOT ({equal})\
             ) GROUP BY bucket ORDER BY bucket",
            bucket = self.bucket,
            keys = keys.join(", "),
            rollup = self.name,
            day = self.bucket_day(),
            kept = self.kept(&self.bucket_day()),
            days = list(days),
            recount = self.recount(days),
            equal = equal.join(" AND "),
        );
        let rows: Vec<Row> = db::rows(warehouse, self.query(Query::read(sql))).await?;
        Ok(rows
            .into_iter()
            .map(|row| Difference {
                rollup: self.name.clone(),
                bucket: row.bucket,
                keys: row.keys,
            })
            .collect())
    }

    /// Rebuilds the partitions of some days: these days from the raw rows, the others,
    /// and what retention left without raw rows, as they are.
    async fn rebuild(
        &self,
        warehouse: &Warehouse,
        days: &BTreeSet<Date>,
    ) -> Result<Vec<String>, WarehouseError> {
        let mut partitions: BTreeMap<String, BTreeSet<Date>> = BTreeMap::new();
        for day in days {
            let mut id = format!("{:04}{:02}", day.year(), day.month());
            if self.by_day {
                let _ = write!(id, "{:02}", day.day());
            }
            partitions.entry(id).or_default().insert(*day);
        }
        let (rollup, names) = (&self.name, self.column_names());
        let scratch = format!("{rollup}_rebuild");
        for (partition, days) in &partitions {
            let execute = |sql: String| warehouse.execute(self.query(Query::new(sql)));
            execute(format!("DROP TABLE IF EXISTS {scratch} SYNC")).await?;
            execute(format!("CREATE TABLE {scratch} AS {rollup}")).await?;
            execute(format!(
                "INSERT INTO {scratch} ({names}) SELECT {names} FROM {rollup} \
                 WHERE {unit}({bucket}) = {partition} AND NOT ({day} IN ({days}) AND {kept})",
                unit = if self.by_day {
                    "toYYYYMMDD"
                } else {
                    "toYYYYMM"
                },
                bucket = self.bucket,
                day = self.bucket_day(),
                kept = self.kept(&self.bucket_day()),
                days = list(days),
            ))
            .await?;
            execute(format!(
                "INSERT INTO {scratch} ({names}) SELECT {names} FROM ({})",
                self.recount(days)
            ))
            .await?;
            // ClickHouse refuses to replace a partition by nothing.
            let count = format!("SELECT count() FROM {scratch}");
            let empty = warehouse.select(Query::read(count)).await?.as_ref() == b"0\n";
            execute(if empty {
                format!("ALTER TABLE {rollup} DROP PARTITION ID '{partition}'")
            } else {
                format!("ALTER TABLE {rollup} REPLACE PARTITION ID '{partition}' FROM {scratch}")
            })
            .await?;
            execute(format!("DROP TABLE {scratch} SYNC")).await?;
            tracing::warn!(%rollup, %partition, days = days.len(), "rebuilt a partition from the raw rows");
        }
        Ok(partitions.into_keys().collect())
    }
}

/// No record lies more than a day after it was received; the rest is slack.
fn received_from(days: &BTreeSet<Date>) -> String {
    days.first().map_or(String::new(), |first| {
        format!(" AND received_at >= toDateTime('{first} 00:00:00', 'UTC') - 172800")
    })
}

fn list(days: &BTreeSet<Date>) -> String {
    let days: Vec<String> = days.iter().map(|day| format!("toDate('{day}')")).collect();
    days.join(", ")
}

/// A view's SELECT, cut where its source's name stands, and that name.
fn split_source(select: &str, database: &str) -> Option<([String; 2], String)> {
    let from = select.find(" FROM ").or_else(|| select.find("\nFROM "))? + " FROM ".len();
    let rest = &select[from..];
    let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
    let plain = rest[..end].replace('`', "");
    let source = plain
        .strip_prefix(database)
        .and_then(|rest| rest.strip_prefix('.'))
        .unwrap_or(&plain)
        .to_owned();
    let is_name = !source.is_empty()
        && source
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_');
    // An array's elements are the row's own; any other table isn't.
    let others = rest[end..].replace('\n', " ").replace(" ARRAY JOIN ", " ");
    let alone = !others.contains(" FROM ") && !others.contains(" JOIN ");
    (is_name && alone).then(|| ([select[..from].to_owned(), rest[end..].to_owned()], source))
}

/// How a column's type says that it merges.
fn parse_merge(r#type: &str) -> Option<Merge> {
    if let Some(inner) = r#type.strip_prefix("SimpleAggregateFunction(") {
        let (function, of) = inner.strip_suffix(')')?.split_once(", ")?;
        return Some(Merge::Simple {
            function: function.to_owned(),
            set: of.starts_with("Array("),
        });
    }
    let inner = r#type
        .strip_prefix("AggregateFunction(")?
        .strip_suffix(')')?;
    let name_ends = inner.find(|c: char| !c.is_ascii_alphanumeric())?;
    let (function, rest) = inner.split_at(name_ends);
    let parameters = match rest.strip_prefix('(') {
        Some(list) => format!("({})", &list[..list.find(')')?]),
        None => String::new(),
    };
    Some(Merge::State {
        function: function.to_owned(),
        parameters,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_say_how_columns_merge() {
        let text = |r#type| match parse_merge(r#type) {
            Some(Merge::Simple { function, set }) => format!("{function} {set}"),
            Some(Merge::State {
                function,
                parameters,
            }) => format!("{function}{parameters}"),
            Some(Merge::Key) | None => "none".to_owned(),
        };
        assert_eq!(text("SimpleAggregateFunction(sum, UInt64)"), "sum false");
        assert_eq!(
            text(
                "SimpleAggregateFunction(groupUniqArrayArray, Array(Tuple(device UUID, session UInt32)))"
            ),
            "groupUniqArrayArray true"
        );
        assert_eq!(text("AggregateFunction(uniq, UUID)"), "uniq");
        assert_eq!(
            text("AggregateFunction(quantilesBFloat16(0.5, 0.9), Nullable(Float64))"),
            "quantilesBFloat16(0.5, 0.9)"
        );
        assert_eq!(text("UInt64"), "none");
    }

    #[test]
    fn the_source_is_cut_out_of_a_view() {
        let (select, source) =
            split_source("SELECT a, count() AS n FROM snag.events GROUP BY a", "snag").unwrap();
        assert_eq!(select, ["SELECT a, count() AS n FROM ", " GROUP BY a"]);
        assert_eq!(source, "events");
        assert!(split_source("SELECT a FROM (SELECT 1 FROM t)", "snag").is_none());
        assert!(split_source("SELECT a FROM t JOIN u USING a", "snag").is_none());
        assert!(split_source("SELECT a FROM t ARRAY JOIN b JOIN u USING a", "snag").is_none());
        let (select, source) = split_source("SELECT b FROM t ARRAY JOIN a AS b", "snag").unwrap();
        assert_eq!(select, ["SELECT b FROM ", " ARRAY JOIN a AS b"]);
        assert_eq!(source, "t");
    }
}
