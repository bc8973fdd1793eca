-- Records as devices send them. One table a type, the same identity in each:
-- (org, product, device, seq). The server drops what a table holds already;
-- ReplacingMergeTree is the backstop for two servers racing.
--
-- Partitions follow received_at, so that one insert touches one partition and is
-- atomic; retention drops by it, too. `at` is corrected by clock_offset_ms, and
-- at - clock_offset_ms is what the device's own wall clock said.
--
-- Codecs, in bytes an event on events of real recordings (3.5 in all): what rises by one
-- (seq) wants DoubleDelta (0.01; Delta 0.39), times between events want Delta (1.78;
-- DoubleDelta 2.51), small numbers want T64.

CREATE TABLE IF NOT EXISTS events
(
    org LowCardinality(String),
    product LowCardinality(String),
    device UUID CODEC(ZSTD(1)),
    seq UInt64 CODEC(DoubleDelta, ZSTD(1)),
    at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    clock_offset_ms Int64 CODEC(Delta, ZSTD(1)),
    received_at DateTime('UTC') CODEC(Delta, ZSTD(1)),
    session UInt32 CODEC(Delta, ZSTD(1)),
    kind Enum8('click' = 1, 'drag' = 2, 'scroll' = 3, 'move' = 4, 'key' = 5, 'focus' = 6, 'task' = 7, 'error' = 8),
    detail LowCardinality(String),
    role LowCardinality(String),
    label LowCardinality(String),
    app LowCardinality(String),
    screen LowCardinality(String),
    count UInt32 CODEC(T64, ZSTD(1)),
    duration_ms UInt32 CODEC(T64, ZSTD(1)),
    version LowCardinality(String),
    segment LowCardinality(String)
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(received_at)
ORDER BY (org, product, device, seq);

CREATE TABLE IF NOT EXISTS sessions
(
    org LowCardinality(String),
    product LowCardinality(String),
    device UUID CODEC(ZSTD(1)),
    seq UInt64 CODEC(DoubleDelta, ZSTD(1)),
    started_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    ended_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    clock_offset_ms Int64 CODEC(Delta, ZSTD(1)),
    received_at DateTime('UTC') CODEC(Delta, ZSTD(1)),
    session UInt32,
    duration_ms UInt64,
    active_ms UInt64,
    clicks UInt64,
    keys UInt64,
    scrolls UInt64,
    screens UInt64,
    visits UInt64,
    context_switches UInt64,
    tasks_started UInt64,
    tasks_completed UInt64,
    rage_clicks UInt64,
    dead_clicks UInt64,
    backtracks UInt64,
    abandoned_tasks UInt64,
    error_loops UInt64,
    undo_storms UInt64,
    errors UInt64,
    frustration Float64,
    frustration_terms Array(Float64),
    efficiency Nullable(Float64),
    efficiency_terms Array(Float64),
    score_version UInt32,
    path_apps Array(LowCardinality(String)),
    path_screens Array(LowCardinality(String)),
    version LowCardinality(String),
    segment LowCardinality(String)
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(received_at)
ORDER BY (org, product, device, seq);

CREATE TABLE IF NOT EXISTS screens
(
    org LowCardinality(String),
    product LowCardinality(String),
    device UUID CODEC(ZSTD(1)),
    seq UInt64 CODEC(DoubleDelta, ZSTD(1)),
    at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    clock_offset_ms Int64 CODEC(Delta, ZSTD(1)),
    received_at DateTime('UTC') CODEC(Delta, ZSTD(1)),
    session UInt32,
    app LowCardinality(String),
    screen LowCardinality(String),
    visits UInt64,
    dwell_ms UInt64,
    clicks UInt64,
    keys UInt64,
    rage_clicks UInt64,
    dead_clicks UInt64,
    backtracks UInt64,
    errors UInt64,
    exited UInt8,
    time_lost_ms UInt64,
    session_frustration Float64,
    session_efficiency Nullable(Float64),
    version LowCardinality(String),
    segment LowCardinality(String)
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(received_at)
ORDER BY (org, product, device, seq);

CREATE TABLE IF NOT EXISTS incidents
(
    org LowCardinality(String),
    product LowCardinality(String),
    device UUID CODEC(ZSTD(1)),
    seq UInt64 CODEC(DoubleDelta, ZSTD(1)),
    at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    clock_offset_ms Int64 CODEC(Delta, ZSTD(1)),
    received_at DateTime('UTC') CODEC(Delta, ZSTD(1)),
    session UInt32,
    kind Enum8('rage_click' = 1, 'dead_click' = 2, 'backtrack' = 3, 'abandoned_task' = 4, 'error_loop' = 5, 'undo_storm' = 6),
    detector_version UInt32,
    app LowCardinality(String),
    screen LowCardinality(String),
    role LowCardinality(String),
    label LowCardinality(String),
    count UInt64,
    duration_ms UInt64,
    version LowCardinality(String),
    segment LowCardinality(String)
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(received_at)
ORDER BY (org, product, device, seq);

CREATE TABLE IF NOT EXISTS labels
(
    org LowCardinality(String),
    product LowCardinality(String),
    device UUID CODEC(ZSTD(1)),
    seq UInt64 CODEC(DoubleDelta, ZSTD(1)),
    at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    received_at DateTime('UTC') CODEC(Delta, ZSTD(1)),
    hash String,
    kind LowCardinality(String),
    app LowCardinality(String),
    text String
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(received_at)
ORDER BY (org, product, device, seq);
