-- Rollups, filled by materialized views and compared with the raw rows by
-- `snag-server verify`. Each is partitioned by day or month: a partition is repaired by
-- REPLACE PARTITION, which is atomic. Every aggregate is independent of the
-- order of merges (sums, sets, uniq, quantilesBFloat16), so that a recount is equal
-- to the last digit or wrong. A set is an Array that says who stands behind a row; its
-- order means nothing: compare it sorted (arraySort).
--
-- What insights ask is by hour, not by day, because an analyst's day begins at
-- midnight where the analyst lives. The sets are what keeps "how many people" and
-- "how many sessions" exact under every filter; no set leaves the server.

CREATE TABLE IF NOT EXISTS events_by_hour
(
    org LowCardinality(String),
    product LowCardinality(String),
    version LowCardinality(String),
    segment LowCardinality(String),
    hour DateTime('UTC'),
    app LowCardinality(String),
    screen LowCardinality(String),
    kind LowCardinality(String),
    records SimpleAggregateFunction(sum, UInt64),
    count SimpleAggregateFunction(sum, UInt64),
    people AggregateFunction(uniq, UUID)
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMMDD(hour)
ORDER BY (org, product, hour, app, screen, kind, version, segment);

CREATE MATERIALIZED VIEW IF NOT EXISTS events_by_hour_view TO events_by_hour AS
SELECT
    org, product, version, segment,
    toStartOfHour(toDateTime(at, 'UTC')) AS hour,
    app, screen, toString(kind) AS kind,
    count() AS records,
    sum(toUInt64(events.count)) AS count,
    uniqState(device) AS people
FROM events
GROUP BY org, product, version, segment, hour, app, screen, kind;

CREATE TABLE IF NOT EXISTS incidents_by_hour
(
    org LowCardinality(String),
    product LowCardinality(String),
    version LowCardinality(String),
    segment LowCardinality(String),
    hour DateTime('UTC'),
    kind LowCardinality(String),
    app LowCardinality(String),
    screen LowCardinality(String),
    incidents SimpleAggregateFunction(sum, UInt64),
    time_lost_ms SimpleAggregateFunction(sum, UInt64),
    people SimpleAggregateFunction(groupUniqArrayArray, Array(UUID))
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(hour)
ORDER BY (org, product, hour, kind, app, screen, version, segment);

CREATE MATERIALIZED VIEW IF NOT EXISTS incidents_by_hour_view TO incidents_by_hour AS
SELECT
    org, product, version, segment,
    toStartOfHour(toDateTime(at, 'UTC')) AS hour,
    toString(incidents.kind) AS kind, app, screen,
    count() AS incidents,
    sum(incidents.duration_ms) AS time_lost_ms,
    groupUniqArray(device) AS people
FROM incidents
GROUP BY org, product, version, segment, hour, kind, app, screen;

-- The last of `who` are the session's two scores in millionths; 4294967295 stands for
-- an efficiency that the session doesn't have.
CREATE TABLE IF NOT EXISTS sessions_by_hour
(
    org LowCardinality(String),
    product LowCardinality(String),
    version LowCardinality(String),
    segment LowCardinality(String),
    hour DateTime('UTC'),
    sessions SimpleAggregateFunction(sum, UInt64),
    friction_weight_ms SimpleAggregateFunction(sum, UInt64),
    friction_weighted_micro SimpleAggregateFunction(sum, UInt64),
    efficiency_micro SimpleAggregateFunction(sum, UInt64),
    efficiency_sessions SimpleAggregateFunction(sum, UInt64),
    who SimpleAggregateFunction(groupUniqArrayArray, Array(Tuple(device UUID, session UInt32, frustration_micro UInt32, efficiency_micro UInt32)))
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(hour)
ORDER BY (org, product, hour, version, segment);

-- Scores are summed in millionths: sums of whole numbers are the same in every
-- order, sums of floating-point numbers are not.
CREATE MATERIALIZED VIEW IF NOT EXISTS sessions_by_hour_view TO sessions_by_hour AS
SELECT
    org, product, version, segment,
    toStartOfHour(toDateTime(started_at, 'UTC')) AS hour,
    count() AS sessions,
    sum(greatest(sessions.active_ms, 1)) AS friction_weight_ms,
    sum(toUInt64(round(sessions.frustration * 1000000)) * greatest(sessions.active_ms, 1)) AS friction_weighted_micro,
    sum(toUInt64(round(ifNull(sessions.efficiency, 0) * 1000000))) AS efficiency_micro,
    countIf(isNotNull(sessions.efficiency)) AS efficiency_sessions,
    groupUniqArray(tuple(
        device, session,
        toUInt32(round(sessions.frustration * 1000000)),
        ifNull(toUInt32(round(sessions.efficiency * 1000000)), 4294967295)
    )) AS who
FROM sessions
GROUP BY org, product, version, segment, hour;

CREATE TABLE IF NOT EXISTS sessions_by_day
(
    org LowCardinality(String),
    product LowCardinality(String),
    version LowCardinality(String),
    segment LowCardinality(String),
    day Date,
    sessions SimpleAggregateFunction(sum, UInt64),
    people AggregateFunction(uniq, UUID),
    duration_ms SimpleAggregateFunction(sum, UInt64),
    active_ms SimpleAggregateFunction(sum, UInt64),
    clicks SimpleAggregateFunction(sum, UInt64),
    tasks_started SimpleAggregateFunction(sum, UInt64),
    tasks_completed SimpleAggregateFunction(sum, UInt64),
    frustration AggregateFunction(quantilesBFloat16(0.5, 0.9, 0.99), Float64),
    frustration_micro SimpleAggregateFunction(sum, UInt64),
    friction_weight_ms SimpleAggregateFunction(sum, UInt64),
    friction_weighted_micro SimpleAggregateFunction(sum, UInt64),
    efficiency AggregateFunction(quantilesBFloat16(0.5, 0.9, 0.99), Nullable(Float64)),
    efficiency_micro SimpleAggregateFunction(sum, UInt64),
    efficiency_sessions SimpleAggregateFunction(sum, UInt64)
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(day)
ORDER BY (org, product, day, version, segment);

CREATE MATERIALIZED VIEW IF NOT EXISTS sessions_by_day_view TO sessions_by_day AS
SELECT
    org, product, version, segment,
    toDate(started_at, 'UTC') AS day,
    count() AS sessions,
    uniqState(device) AS people,
    sum(sessions.duration_ms) AS duration_ms,
    sum(sessions.active_ms) AS active_ms,
    sum(sessions.clicks) AS clicks,
    sum(sessions.tasks_started) AS tasks_started,
    sum(sessions.tasks_completed) AS tasks_completed,
    quantilesBFloat16State(0.5, 0.9, 0.99)(sessions.frustration) AS frustration,
    sum(toUInt64(round(sessions.frustration * 1000000))) AS frustration_micro,
    sum(greatest(sessions.active_ms, 1)) AS friction_weight_ms,
    sum(toUInt64(round(sessions.frustration * 1000000)) * greatest(sessions.active_ms, 1)) AS friction_weighted_micro,
    quantilesBFloat16State(0.5, 0.9, 0.99)(sessions.efficiency) AS efficiency,
    sum(toUInt64(round(ifNull(sessions.efficiency, 0) * 1000000))) AS efficiency_micro,
    countIf(isNotNull(sessions.efficiency)) AS efficiency_sessions
FROM sessions
GROUP BY org, product, version, segment, day;

CREATE TABLE IF NOT EXISTS screens_by_hour
(
    org LowCardinality(String),
    product LowCardinality(String),
    version LowCardinality(String),
    segment LowCardinality(String),
    hour DateTime('UTC'),
    app LowCardinality(String),
    screen LowCardinality(String),
    sessions SimpleAggregateFunction(sum, UInt64),
    visits SimpleAggregateFunction(sum, UInt64),
    dwell_ms SimpleAggregateFunction(sum, UInt64),
    clicks SimpleAggregateFunction(sum, UInt64),
    keys SimpleAggregateFunction(sum, UInt64),
    rage_clicks SimpleAggregateFunction(sum, UInt64),
    dead_clicks SimpleAggregateFunction(sum, UInt64),
    backtracks SimpleAggregateFunction(sum, UInt64),
    errors SimpleAggregateFunction(sum, UInt64),
    exits SimpleAggregateFunction(sum, UInt64),
    time_lost_ms SimpleAggregateFunction(sum, UInt64),
    frustration_micro SimpleAggregateFunction(sum, UInt64),
    friction_weight_ms SimpleAggregateFunction(sum, UInt64),
    friction_weighted_micro SimpleAggregateFunction(sum, UInt64),
    efficiency_micro SimpleAggregateFunction(sum, UInt64),
    efficiency_sessions SimpleAggregateFunction(sum, UInt64),
    who SimpleAggregateFunction(groupUniqArrayArray, Array(Tuple(device UUID, session UInt32, frustration_micro UInt32, efficiency_micro UInt32)))
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(hour)
ORDER BY (org, product, hour, app, screen, version, segment);

CREATE MATERIALIZED VIEW IF NOT EXISTS screens_by_hour_view TO screens_by_hour AS
SELECT
    org, product, version, segment,
    toStartOfHour(toDateTime(at, 'UTC')) AS hour,
    app, screen,
    count() AS sessions,
    sum(screens.visits) AS visits,
    sum(screens.dwell_ms) AS dwell_ms,
    sum(screens.clicks) AS clicks,
    sum(screens.keys) AS keys,
    sum(screens.rage_clicks) AS rage_clicks,
    sum(screens.dead_clicks) AS dead_clicks,
    sum(screens.backtracks) AS backtracks,
    sum(screens.errors) AS errors,
    sum(toUInt64(screens.exited)) AS exits,
    sum(screens.time_lost_ms) AS time_lost_ms,
    sum(toUInt64(round(session_frustration * 1000000))) AS frustration_micro,
    sum(greatest(screens.dwell_ms, 1)) AS friction_weight_ms,
    sum(toUInt64(round(session_frustration * 1000000)) * greatest(screens.dwell_ms, 1)) AS friction_weighted_micro,
    sum(toUInt64(round(ifNull(session_efficiency, 0) * 1000000))) AS efficiency_micro,
    countIf(isNotNull(session_efficiency)) AS efficiency_sessions,
    groupUniqArray(tuple(
        device, session,
        toUInt32(round(session_frustration * 1000000)),
        ifNull(toUInt32(round(session_efficiency * 1000000)), 4294967295)
    )) AS who
FROM screens
GROUP BY org, product, version, segment, hour, app, screen;

CREATE TABLE IF NOT EXISTS flows_by_hour
(
    org LowCardinality(String),
    product LowCardinality(String),
    version LowCardinality(String),
    segment LowCardinality(String),
    hour DateTime('UTC'),
    path_apps Array(LowCardinality(String)),
    path_screens Array(LowCardinality(String)),
    sessions SimpleAggregateFunction(sum, UInt64),
    duration_ms SimpleAggregateFunction(sum, UInt64),
    tasks_started SimpleAggregateFunction(sum, UInt64),
    tasks_completed SimpleAggregateFunction(sum, UInt64),
    frustration_micro SimpleAggregateFunction(sum, UInt64),
    people SimpleAggregateFunction(groupUniqArrayArray, Array(UUID))
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(hour)
ORDER BY (org, product, hour, path_apps, path_screens, version, segment);

CREATE MATERIALIZED VIEW IF NOT EXISTS flows_by_hour_view TO flows_by_hour AS
SELECT
    org, product, version, segment,
    toStartOfHour(toDateTime(started_at, 'UTC')) AS hour,
    path_apps, path_screens,
    count() AS sessions,
    sum(sessions.duration_ms) AS duration_ms,
    sum(sessions.tasks_started) AS tasks_started,
    sum(sessions.tasks_completed) AS tasks_completed,
    sum(toUInt64(round(sessions.frustration * 1000000))) AS frustration_micro,
    groupUniqArray(device) AS people
FROM sessions
WHERE notEmpty(path_screens)
GROUP BY org, product, version, segment, hour, path_apps, path_screens;

CREATE TABLE IF NOT EXISTS devices_by_day
(
    org LowCardinality(String),
    product LowCardinality(String),
    day Date,
    device UUID,
    records SimpleAggregateFunction(sum, UInt64),
    count SimpleAggregateFunction(sum, UInt64),
    sessions AggregateFunction(uniq, UInt32),
    first_at SimpleAggregateFunction(min, DateTime64(3, 'UTC')),
    last_at SimpleAggregateFunction(max, DateTime64(3, 'UTC'))
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(day)
ORDER BY (org, product, day, device);

CREATE MATERIALIZED VIEW IF NOT EXISTS devices_by_day_view TO devices_by_day AS
SELECT
    org, product,
    toDate(at, 'UTC') AS day,
    device,
    count() AS records,
    sum(toUInt64(events.count)) AS count,
    uniqState(session) AS sessions,
    min(at) AS first_at,
    max(at) AS last_at
FROM events
GROUP BY org, product, day, device;

-- How many people share a label: what decides whether its text may be asked for.
CREATE TABLE IF NOT EXISTS labels_seen
(
    org LowCardinality(String),
    hash LowCardinality(String),
    day Date,
    people AggregateFunction(uniq, UUID)
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(day)
ORDER BY (org, hash, day);

CREATE MATERIALIZED VIEW IF NOT EXISTS labels_seen_view TO labels_seen AS
SELECT
    org,
    arrayJoin(arrayFilter(h -> notEmpty(h), [toString(screen), toString(label)])) AS hash,
    toDate(at, 'UTC') AS day,
    uniqState(device) AS people
FROM events
GROUP BY org, hash, day;
