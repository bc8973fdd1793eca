//! Figures from the rollups, and from the raw rows where a period begins or ends inside a
//! quarter of an hour.

use jiff::Zoned;
use serde::Deserialize;
use snag_warehouse::{Query, WarehouseError};

use super::calendar::Interval;
use super::params::Asked;
use crate::orgs::Org;
use crate::{AppState, db};

const QUARTER_MS: i64 = 900_000;
const DAY_MS: i64 = 86_400_000;

/// What a period's submissions add up to.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Figures {
    pub(super) submissions: u64,
    /// Distinct devices.
    pub(super) devices: u64,
    pub(super) rated: u64,
    pub(super) rating_sum: u64,
    pub(super) rating_1: u64,
    pub(super) rating_2: u64,
    pub(super) rating_3: u64,
    pub(super) rating_4: u64,
    pub(super) rating_5: u64,
    pub(super) positive: u64,
    pub(super) neutral: u64,
    pub(super) negative: u64,
    pub(super) polarity_micro: i64,
    pub(super) bug: u64,
    pub(super) idea: u64,
    pub(super) question: u64,
    pub(super) praise: u64,
    pub(super) other: u64,
}

/// The figures that every dimension but that of tags has, summed.
const SUMS: &str = "sum(s.submissions) AS submissions, uniqExactArray(s.devices) AS devices, \
    sum(s.rated) AS rated, sum(s.rating_sum) AS rating_sum, sum(s.rating_1) AS rating_1, \
    sum(s.rating_2) AS rating_2, sum(s.rating_3) AS rating_3, sum(s.rating_4) AS rating_4, \
    sum(s.rating_5) AS rating_5, sum(s.positive) AS positive, sum(s.neutral) AS neutral, \
    sum(s.negative) AS negative, sum(s.polarity_micro) AS polarity_micro, \
    sumIf(s.submissions, s.category = 'bug') AS bug, sumIf(s.submissions, s.category = 'idea') AS idea, \
    sumIf(s.submissions, s.category = 'question') AS question, \
    sumIf(s.submissions, s.category = 'praise') AS praise, \
    sumIf(s.submissions, s.category = 'other') AS other";

/// The same, before they are summed.
const COLUMNS: &str = "category, submissions, devices, rated, rating_sum, rating_1, rating_2, \
    rating_3, rating_4, rating_5, positive, neutral, negative, polarity_micro";

/// One submission in the form of a rollup's row.
const RAW_COLUMNS: &str = "category, toUInt64(1) AS submissions, [device] AS devices, \
    toUInt64(rating > 0) AS rated, toUInt64(rating) AS rating_sum, \
    toUInt64(rating = 1) AS rating_1, toUInt64(rating = 2) AS rating_2, \
    toUInt64(rating = 3) AS rating_3, toUInt64(rating = 4) AS rating_4, \
    toUInt64(rating = 5) AS rating_5, toUInt64(sentiment = 'positive') AS positive, \
    toUInt64(sentiment = 'neutral') AS neutral, toUInt64(sentiment = 'negative') AS negative, \
    toInt64(polarity_micro) AS polarity_micro";

/// Where rows come from: a rollup for the whole units in the middle, raw rows for the
/// rest.
struct Source {
    sql: String,
    params: Vec<(&'static str, i64)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    /// Ratings, sentiment, usage.
    Figures,
    /// The same with `app` and `screen`.
    Targets,
    /// Tags and how often they were given.
    Tags,
}

impl Source {
    /// A table expression with `period` (its beginning in milliseconds) and the columns
    /// of `what`; the filters' and `org`'s parameters are still to be bound.
    fn new(asked: &Asked, what: What) -> Self {
        let (dimension, unit) = dimension(asked, what);
        // Periods that don't begin on a whole unit can't be told apart in the rollup.
        let whole = asked
            .beginnings
            .iter()
            .skip(1)
            .all(|at| at.timestamp().as_millisecond() % unit == 0);
        let (from, to) = (asked.from_ms, asked.to_ms);
        let (mut first, mut last) = (from.div_ceil_euclid(unit) * unit, to / unit * unit);
        if !whole || first >= last {
            (first, last) = (from, from);
        }
        let (columns, raw_columns) = match what {
            What::Figures => (COLUMNS.to_owned(), RAW_COLUMNS.to_owned()),
            What::Targets => (
                format!("app, screen, {COLUMNS}"),
                format!("app, screen, {RAW_COLUMNS}"),
            ),
            What::Tags => (
                "tag, submissions".to_owned(),
                "arrayJoin(tags) AS tag, toUInt64(1) AS submissions".to_owned(),
            ),
        };
        let mut filters = String::new();
        for (column, _) in &asked.filters {
            filters.push_str(&format!(" AND {column} = {{{column}:String}}"));
        }
        let mut parts = Vec::new();
        let mut params = Vec::new();
        if first < last {
            // A day has the hour of its midnight, and quarter 0.
            parts.push(format!(
                "SELECT (toInt64(toUnixTimestamp(hour)) + quarter * 900) * 1000 AS moment, {columns} \
                 FROM feedback_rollup WHERE org = {{org:String}} AND dimension = '{dimension}' \
                 AND hour >= toDateTime(intDiv({{first:Int64}}, 3600000) * 3600, 'UTC') \
                 AND hour < toDateTime(intDiv({{last:Int64}} + 3599999, 3600000) * 3600, 'UTC') \
                 AND moment >= {{first:Int64}} AND moment < {{last:Int64}}{filters}"
            ));
            params.extend([("first", first), ("last", last)]);
        }
        if from < first || last < to {
            // A row is received at most a day before its own time, by the limit on clocks.
            parts.push(format!(
                "SELECT toInt64(toUnixTimestamp64Milli(at)) AS moment, {raw_columns} \
                 FROM submissions FINAL WHERE org = {{org:String}} \
                 AND received_at >= toDateTime(greatest(intDiv({{from:Int64}}, 1000) - 172800, 0), 'UTC') \
                 AND toUnixTimestamp64Milli(at) >= {{from:Int64}} \
                 AND toUnixTimestamp64Milli(at) < {{to:Int64}} \
                 AND (toUnixTimestamp64Milli(at) < {{raw_until:Int64}} \
                 OR toUnixTimestamp64Milli(at) >= {{raw_from:Int64}}){filters}"
            ));
            params.extend([
                ("from", from),
                ("to", to),
                ("raw_until", first),
                ("raw_from", last),
            ]);
        }
        Self {
            sql: format!(
                "(SELECT roundDown(moment, {{beginnings:Array(Int64)}}) AS period, * FROM ({})) AS s",
                parts.join(" UNION ALL ")
            ),
            params,
        }
    }

    fn bind(&self, query: Query, asked: &Asked, org: &Org) -> Query {
        let beginnings: Vec<String> = asked
            .beginnings
            .iter()
            .map(|at| at.timestamp().as_millisecond().to_string())
            .collect();
        let mut query = query
            .param("org", &org.key)
            .param("beginnings", format!("[{}]", beginnings.join(",")));
        for (name, value) in &self.params {
            query = query.param(*name, value);
        }
        for (column, value) in &asked.filters {
            query = query.param(*column, value);
        }
        query
    }
}

/// The dimension of the rollup that answers, and the unit of time that it has, in
/// milliseconds.
fn dimension(asked: &Asked, what: What) -> (&'static str, i64) {
    let days = |at: &Zoned| at.timestamp().as_millisecond() % DAY_MS == 0;
    match what {
        What::Tags => ("tag", QUARTER_MS),
        What::Targets => ("target", QUARTER_MS),
        What::Figures if asked.has_filter("screen") => ("target", QUARTER_MS),
        What::Figures
            if asked.interval != Interval::Hour
                && asked.beginnings.iter().skip(1).all(days)
                && asked.from_ms % DAY_MS == 0
                && asked.to_ms % DAY_MS == 0 =>
        {
            ("day", DAY_MS)
        }
        What::Figures => ("hour", QUARTER_MS),
    }
}

trait DivCeil {
    fn div_ceil_euclid(self, unit: i64) -> i64;
}

impl DivCeil for i64 {
    fn div_ceil_euclid(self, unit: i64) -> i64 {
        (self + unit - 1).div_euclid(unit)
    }
}

/// The figures of each period that has any (by its beginning in milliseconds), and of all
/// together.
pub(super) async fn figures(
    state: &AppState,
    org: &Org,
    asked: &Asked,
) -> Result<(Vec<(i64, Figures)>, Figures), WarehouseError> {
    #[derive(Deserialize)]
    struct Row {
        whole: u8,
        period: i64,
        #[serde(flatten)]
        figures: Figures,
    }
    let source = Source::new(asked, What::Figures);
    let sql = format!(
        "SELECT toUInt8(grouping(period)) AS whole, period, {SUMS} FROM {} \
         GROUP BY GROUPING SETS ((period), ())",
        source.sql
    );
    let query = source.bind(Query::read(sql), asked, org);
    let rows: Vec<Row> = db::rows(&state.warehouse, query).await?;
    let mut all = Figures::default();
    let mut periods = Vec::with_capacity(rows.len());
    for row in rows {
        if row.whole == 1 {
            all = row.figures;
        } else {
            periods.push((row.period, row.figures));
        }
    }
    Ok((periods, all))
}

/// How often each of the most frequent tags was given, in all and by period.
#[derive(Debug, Default)]
pub(super) struct Series<K> {
    /// The most frequent, with their figures.
    pub(super) top: Vec<(K, Figures)>,
    /// By period's beginning: which of the top (None: another), and how often.
    pub(super) by_period: Vec<(i64, Option<usize>, u64)>,
    /// How many there are in all, the top among them.
    pub(super) distinct: u64,
}

/// Tags.
pub(super) async fn tags(
    state: &AppState,
    org: &Org,
    asked: &Asked,
) -> Result<Series<String>, WarehouseError> {
    #[derive(Deserialize)]
    struct Top {
        tag: String,
        submissions: u64,
        distinct: u64,
    }
    #[derive(Deserialize)]
    struct Row {
        period: i64,
        place: usize,
        submissions: u64,
    }
    let source = Source::new(asked, What::Tags);
    let sql = format!(
        "SELECT toString(s.tag) AS tag, sum(s.submissions) AS submissions, \
         count() OVER () AS distinct FROM {} GROUP BY s.tag \
         HAVING submissions > 0 ORDER BY submissions DESC, tag LIMIT {{limit:UInt32}}",
        source.sql
    );
    let query = source.bind(Query::read(sql), asked, org);
    let query = query.param("limit", asked.limit);
    let top: Vec<Top> = db::rows(&state.warehouse, query).await?;
    let distinct = top.first().map_or(0, |row| row.distinct);
    let names: Vec<&str> = top.iter().map(|row| row.tag.as_str()).collect();
    let sql = format!(
        "SELECT period, indexOf({{names:Array(String)}}, toString(s.tag)) AS place, \
         sum(s.submissions) AS submissions FROM {} GROUP BY period, place",
        source.sql
    );
    let query = source.bind(Query::read(sql), asked, org);
    let query = query.param_strings("names", &names);
    let rows: Vec<Row> = db::rows(&state.warehouse, query).await?;
    Ok(Series {
        by_period: rows
            .into_iter()
            .map(|row| (row.period, row.place.checked_sub(1), row.submissions))
            .collect(),
        top: top
            .into_iter()
            .map(|row| {
                let figures = Figures {
                    submissions: row.submissions,
                    ..Figures::default()
                };
                (row.tag, figures)
            })
            .collect(),
        distinct,
    })
}

/// What feedback is about: `(app, screen)`.
pub(super) async fn targets(
    state: &AppState,
    org: &Org,
    asked: &Asked,
) -> Result<Series<(String, String)>, WarehouseError> {
    #[derive(Deserialize)]
    struct Top {
        app: String,
        screen: String,
        distinct: u64,
        #[serde(flatten)]
        figures: Figures,
    }
    #[derive(Deserialize)]
    struct Row {
        period: i64,
        place: usize,
        submissions: u64,
    }
    let source = Source::new(asked, What::Targets);
    let sql = format!(
        "SELECT toString(s.app) AS app, toString(s.screen) AS screen, {SUMS}, \
         count() OVER () AS distinct FROM {} GROUP BY s.app, s.screen \
         HAVING submissions > 0 ORDER BY submissions DESC, app, screen LIMIT {{limit:UInt32}}",
        source.sql
    );
    let query = source.bind(Query::read(sql), asked, org);
    let query = query.param("limit", asked.limit);
    let top: Vec<Top> = db::rows(&state.warehouse, query).await?;
    let distinct = top.first().map_or(0, |row| row.distinct);
    let sql = format!(
        "SELECT period, indexOf(arrayZip({{apps:Array(String)}}, {{screens:Array(String)}}), \
         tuple(toString(s.app), toString(s.screen))) AS place, sum(s.submissions) AS submissions \
         FROM {} GROUP BY period, place",
        source.sql
    );
    let query = source.bind(Query::read(sql), asked, org);
    let query = query
        .param_strings("apps", top.iter().map(|row| &row.app))
        .param_strings("screens", top.iter().map(|row| &row.screen));
    let rows: Vec<Row> = if top.is_empty() {
        Vec::new()
    } else {
        db::rows(&state.warehouse, query).await?
    };
    Ok(Series {
        by_period: rows
            .into_iter()
            .map(|row| (row.period, row.place.checked_sub(1), row.submissions))
            .collect(),
        top: top
            .into_iter()
            .map(|row| ((row.app, row.screen), row.figures))
            .collect(),
        distinct,
    })
}
