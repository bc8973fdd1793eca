//! Reads slices from ClickHouse: whole hours from rollups, parts of an hour from raw rows.

use std::collections::BTreeMap;
use std::ops::Range;

use snag_warehouse::{ErrorKind, Query, Warehouse, WarehouseError};
use snag_wire::IncidentKind;

use super::period::{HOUR_MS, SliceKey};
use super::rowbinary::Rows;
use super::slice::{Dictionary, Facet, IncidentCell, Scores, ScreenCell, SessionCell, Slice};

/// Days read by one statement: a bound on what an answer holds in memory.
const DAYS_AT_ONCE: i64 = 31;

/// Spans of hours of raw rows read by one statement.
const SPANS_AT_ONCE: usize = 16;

/// A record lies at most a day after it was received (`AHEAD_MS_MAX`), so partitions
/// received earlier than a day before an hour hold nothing of it.
const AHEAD_S: i64 = snag_wire::limits::AHEAD_MS_MAX / 1_000;

/// Rows of a time are in partitions received from here on, in seconds since 1970.
pub(super) fn received_since_s(ms: i64) -> i64 {
    (ms / 1_000 - AHEAD_S).max(0)
}

/// `bucket` is the slice's day or hour, `offset` the part of it; see [`SliceKey`].
const SESSIONS: &str = "\
SELECT toUInt32(toDate(hour)) AS bucket, toUInt32(toHour(hour) * {by_hour:UInt32}) AS offset, \
  version, segment, sum(friction_weight_ms), sum(friction_weighted_micro), groupArrayArray(who) \
FROM sessions_by_hour \
WHERE org = {org:String} AND product = {product:String} \
  AND hour >= toDateTime({from_s:UInt32}, 'UTC') AND hour < toDateTime({to_s:UInt32}, 'UTC') \
GROUP BY bucket, offset, version, segment";

const SESSIONS_RAW: &str = "\
SELECT toUInt32(intDiv(ms, 3600000)) AS bucket, toUInt32(ms % 3600000) AS offset, \
  version, segment, greatest(active_ms, 1), \
  toUInt64(round(frustration * 1000000)) * greatest(active_ms, 1), \
  [tuple(device, session, toUInt32(round(frustration * 1000000)), \
    ifNull(toUInt32(round(efficiency * 1000000)), 4294967295))] \
FROM (SELECT *, toUnixTimestamp64Milli(started_at) AS ms FROM sessions \
  WHERE org = {org:String} AND product = {product:String} \
    AND received_at >= toDateTime({received_s:UInt32}, 'UTC') \
    AND ({started_at IN HOURS}))";

const SCREENS: &str = "\
SELECT toUInt32(toDate(hour)) AS bucket, toUInt32(toHour(hour) * {by_hour:UInt32}) AS offset, \
  version, segment, app, screen, sum(sessions), sum(dwell_ms), sum(rage_clicks), \
  sum(dead_clicks), sum(exits), sum(time_lost_ms), sum(frustration_micro), \
  sum(friction_weight_ms), sum(friction_weighted_micro), sum(efficiency_micro), \
  sum(efficiency_sessions), groupArrayArray(who) \
FROM screens_by_hour \
WHERE org = {org:String} AND product = {product:String} \
  AND hour >= toDateTime({from_s:UInt32}, 'UTC') AND hour < toDateTime({to_s:UInt32}, 'UTC') \
GROUP BY bucket, offset, version, segment, app, screen";

const SCREENS_RAW: &str = "\
SELECT toUInt32(intDiv(ms, 3600000)) AS bucket, toUInt32(ms % 3600000) AS offset, \
  version, segment, app, screen, toUInt64(1), dwell_ms, rage_clicks, dead_clicks, \
  toUInt64(exited), time_lost_ms, toUInt64(round(session_frustration * 1000000)), \
  greatest(dwell_ms, 1), \
  toUInt64(round(session_frustration * 1000000)) * greatest(dwell_ms, 1), \
  toUInt64(round(ifNull(session_efficiency, 0) * 1000000)), \
  toUInt64(isNotNull(session_efficiency)), \
  [tuple(device, session, toUInt32(round(session_frustration * 1000000)), \
    ifNull(toUInt32(round(session_efficiency * 1000000)), 4294967295))] \
FROM (SELECT *, toUnixTimestamp64Milli(at) AS ms FROM screens \
  WHERE org = {org:String} AND product = {product:String} \
    AND received_at >= toDateTime({received_s:UInt32}, 'UTC') \
    AND ({at IN HOURS}))";

/// Not grouped: cells of one kind and screen add up when they are folded.
const INCIDENTS: &str = "\
SELECT toUInt32(toDate(hour)) AS bucket, toUInt32(toHour(hour) * {by_hour:UInt32}) AS offset, \
  version, segment, kind, app, screen, incidents, people \
FROM incidents_by_hour \
WHERE org = {org:String} AND product = {product:String} \
  AND hour >= toDateTime({from_s:UInt32}, 'UTC') AND hour < toDateTime({to_s:UInt32}, 'UTC')";

const INCIDENTS_RAW: &str = "\
SELECT toUInt32(intDiv(ms, 3600000)) AS bucket, toUInt32(ms % 3600000) AS offset, \
  version, segment, toString(kind), app, screen, toUInt64(1), [device] \
FROM (SELECT *, toUnixTimestamp64Milli(at) AS ms FROM incidents \
  WHERE org = {org:String} AND product = {product:String} \
    AND received_at >= toDateTime({received_s:UInt32}, 'UTC') \
    AND ({at IN HOURS}))";

/// Bytes of the three answers, and which slices they fill.
pub(super) struct Loaded {
    keys: Vec<SliceKey>,
    sessions: bytes::Bytes,
    screens: bytes::Bytes,
    incidents: bytes::Bytes,
}

/// Reads `keys`, in as few statements as days that follow one another allow.
pub(super) async fn load(
    warehouse: &Warehouse,
    org: &str,
    product: &str,
    keys: &[SliceKey],
) -> Result<Vec<Loaded>, WarehouseError> {
    let mut loaded = Vec::new();
    for run in runs(keys) {
        let (queries, keys) = queries(org, product, run);
        let [sessions, screens, incidents] = queries;
        // Readers on their own threads answer them side by side.
        let (sessions, screens, incidents) = futures_util::future::try_join3(
            warehouse.select(sessions),
            warehouse.select(screens),
            warehouse.select(incidents),
        )
        .await?;
        loaded.push(Loaded {
            keys,
            sessions,
            screens,
            incidents,
        });
    }
    Ok(loaded)
}

/// Keys that one statement can read.
fn runs(keys: &[SliceKey]) -> Vec<Vec<SliceKey>> {
    let mut sorted = keys.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let mut runs: Vec<Vec<SliceKey>> = Vec::new();
    for key in sorted {
        let joins = |run: &Vec<SliceKey>| match (run[0], run[run.len() - 1], key) {
            (SliceKey::Day(first), SliceKey::Day(last), SliceKey::Day(day))
            | (SliceKey::Hours(first), SliceKey::Hours(last), SliceKey::Hours(day)) => {
                day == last + 1 && day - first < DAYS_AT_ONCE
            }
            (SliceKey::Exact(_), SliceKey::Exact(last), SliceKey::Exact(hour)) => {
                hour == last + 1 || spans(run).len() < SPANS_AT_ONCE
            }
            _ => false,
        };
        match runs.last_mut() {
            Some(run) if joins(run) => run.push(key),
            _ => runs.push(vec![key]),
        }
    }
    runs
}

/// Hours that follow one another, joined; keys of other kinds have none.
fn spans(sorted: &[SliceKey]) -> Vec<Range<i64>> {
    let mut spans: Vec<Range<i64>> = Vec::new();
    for key in sorted {
        let SliceKey::Exact(hour) = *key else {
            continue;
        };
        match spans.last_mut() {
            Some(span) if span.end == hour => span.end += 1,
            _ => spans.push(hour..hour + 1),
        }
    }
    spans
}

fn queries(org: &str, product: &str, run: Vec<SliceKey>) -> ([Query; 3], Vec<SliceKey>) {
    let queries = match run[0] {
        SliceKey::Exact(first) => {
            [
                (SESSIONS_RAW, "started_at"),
                (SCREENS_RAW, "at"),
                (INCIDENTS_RAW, "at"),
            ]
            .map(|(sql, at)| {
                // Ranges of the column itself: ClickHouse can leave out parts by them, and
                // reads other columns only where one holds.
                let spans = spans(&run);
                let ranges: Vec<String> = (0..spans.len())
                    .map(|n| {
                        format!(
                            "({at} >= toDateTime({{from{n}:UInt32}}, 'UTC') \
                                 AND {at} < toDateTime({{to{n}:UInt32}}, 'UTC'))"
                        )
                    })
                    .collect();
                let sql = sql.replace(&format!("{{{at} IN HOURS}}"), &ranges.join(" OR "));
                let mut query =
                    Query::read(sql).param("received_s", received_since_s(first * HOUR_MS));
                for (n, hours) in spans.iter().enumerate() {
                    query = query
                        .param(format!("from{n}"), hours.start * 3_600)
                        .param(format!("to{n}"), hours.end * 3_600);
                }
                query
            })
        }
        SliceKey::Day(first) | SliceKey::Hours(first) => {
            let by_hour = u8::from(matches!(run[0], SliceKey::Hours(_)));
            let last = run[run.len() - 1].day();
            [SESSIONS, SCREENS, INCIDENTS].map(|sql| {
                Query::read(sql)
                    .param("from_s", first * 86_400)
                    .param("to_s", (last + 1) * 86_400)
                    .param("by_hour", by_hour)
            })
        }
    };
    let queries = queries.map(|query| {
        query
            .param("org", org)
            .param("product", product)
            .format("RowBinary")
    });
    (queries, run)
}

/// Turns answers into slices; every key has one, empty where nothing happened.
pub(super) fn read(
    loaded: &[Loaded],
    dictionary: &mut Dictionary,
) -> Result<Vec<(SliceKey, Slice)>, WarehouseError> {
    let mut done = Vec::new();
    for answer in loaded {
        let mut slices: BTreeMap<i64, (SliceKey, Slice)> = answer
            .keys
            .iter()
            .map(|key| {
                let bucket = match key {
                    SliceKey::Day(n) | SliceKey::Hours(n) | SliceKey::Exact(n) => *n,
                };
                (bucket, (*key, Slice::default()))
            })
            .collect();
        let mut rows = Rows::new(&answer.sessions);
        while !rows.is_empty() {
            let slice = slice(&mut slices, &mut rows)?;
            let facet = facet(&mut rows, dictionary)?;
            let cell = SessionCell {
                facet,
                friction_weight_ms: rows.u64()?,
                friction_weighted_micro: rows.u64()?,
                who: who(&mut rows, dictionary, slice)?,
            };
            slice.sessions.push(cell);
        }
        let mut rows = Rows::new(&answer.screens);
        while !rows.is_empty() {
            let slice = slice(&mut slices, &mut rows)?;
            let facet = facet(&mut rows, dictionary)?;
            let screen = dictionary.screen(rows.text()?, rows.text()?);
            let sessions = count(rows.u64()?)?;
            let dwell_ms = rows.u64()?;
            let rage_clicks = count(rows.u64()?)?;
            let dead_clicks = count(rows.u64()?)?;
            let exits = count(rows.u64()?)?;
            let cell = ScreenCell {
                facet,
                screen,
                sessions,
                rage_clicks,
                dead_clicks,
                exits,
                dwell_ms,
                time_lost_ms: rows.u64()?,
                frustration_micro: rows.u64()?,
                friction_weight_ms: rows.u64()?,
                friction_weighted_micro: rows.u64()?,
                efficiency_micro: rows.u64()?,
                efficiency_sessions: count(rows.u64()?)?,
                who: who(&mut rows, dictionary, slice)?,
            };
            slice.screens.push(cell);
        }
        let mut rows = Rows::new(&answer.incidents);
        while !rows.is_empty() {
            let slice = slice(&mut slices, &mut rows)?;
            let facet = facet(&mut rows, dictionary)?;
            let kind = kind(rows.text()?)?;
            let screen = dictionary.screen(rows.text()?, rows.text()?);
            let incidents = count(rows.u64()?)?;
            let start = position(&slice.people)?;
            for _ in 0..rows.length()? {
                slice.people.push(dictionary.device(rows.uuid()?));
            }
            let people = start..position(&slice.people)?;
            slice.incidents.push(IncidentCell {
                facet,
                kind,
                screen,
                incidents,
                people,
            });
        }
        done.extend(slices.into_values().map(|(key, mut slice)| {
            slice.shrink();
            (key, slice)
        }));
    }
    Ok(done)
}

fn slice<'s>(
    slices: &'s mut BTreeMap<i64, (SliceKey, Slice)>,
    rows: &mut Rows<'_>,
) -> Result<&'s mut Slice, WarehouseError> {
    let bucket = i64::from(rows.u32()?);
    slices
        .get_mut(&bucket)
        .map(|(_, slice)| slice)
        .ok_or_else(|| unexpected("a row of another time"))
}

fn facet(rows: &mut Rows<'_>, dictionary: &mut Dictionary) -> Result<Facet, WarehouseError> {
    Ok(Facet {
        offset: rows.u32()?,
        version: dictionary.word(rows.text()?),
        segment: dictionary.word(rows.text()?),
    })
}

fn who(
    rows: &mut Rows<'_>,
    dictionary: &mut Dictionary,
    slice: &mut Slice,
) -> Result<Range<u32>, WarehouseError> {
    let start = position(&slice.devices)?;
    for _ in 0..rows.length()? {
        slice.devices.push(dictionary.device(rows.uuid()?));
        slice.scores.push(Scores {
            session: rows.u32()?,
            frustration_micro: rows.u32()?,
            efficiency_micro: rows.u32()?,
        });
    }
    Ok(start..position(&slice.devices)?)
}

fn count(number: u64) -> Result<u32, WarehouseError> {
    u32::try_from(number).map_err(|_| unexpected("more in one row than can be"))
}

fn position<T>(list: &[T]) -> Result<u32, WarehouseError> {
    u32::try_from(list.len()).map_err(|_| unexpected("more rows than a slice can hold"))
}

/// The place of a kind in [`IncidentKind::ALL`].
pub(super) fn kind(word: &str) -> Result<u8, WarehouseError> {
    IncidentKind::ALL
        .iter()
        .position(|kind| kind.as_str() == word)
        .and_then(|place| u8::try_from(place).ok())
        .ok_or_else(|| unexpected("an unknown kind of incident"))
}

fn unexpected(what: &str) -> WarehouseError {
    WarehouseError::new(ErrorKind::Schema, format!("insights read {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_that_follow_one_another_are_read_at_once() {
        let mut keys: Vec<SliceKey> = (10..50).map(SliceKey::Day).collect();
        keys.extend([SliceKey::Exact(7), SliceKey::Hours(9), SliceKey::Exact(900)]);
        keys.push(SliceKey::Day(60));
        let runs = runs(&keys);
        let lens: Vec<usize> = runs.iter().map(Vec::len).collect();
        assert_eq!(lens, [31, 9, 1, 1, 2]);
        // Hours that follow one another are one span, however many.
        let hours: Vec<SliceKey> = (5..300).map(SliceKey::Exact).collect();
        let apart: Vec<SliceKey> = (0..40).map(|n| SliceKey::Exact(400 + 2 * n)).collect();
        let runs = super::runs(&[hours, apart].concat());
        let spans: Vec<usize> = runs.iter().map(|run| spans(run).len()).collect();
        assert_eq!(runs.len(), 3);
        assert!(spans.iter().all(|spans| *spans <= SPANS_AT_ONCE));
        assert_eq!(spans.iter().sum::<usize>(), 41);
    }
}
