-- What was told to listeners, kept for a day so that a listener who comes back, here or on
-- another server, is told what it missed. No person's words are in it.
CREATE TABLE IF NOT EXISTS live_events
(
    org UUID,
    -- Microseconds since 1970, rising within a server.
    stamp UInt64 CODEC(Delta, ZSTD(1)),
    key UUID,
    kind LowCardinality(String),
    data String CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toDate(toDateTime(intDiv(stamp, 1000000), 'UTC'))
ORDER BY (org, stamp, key)
TTL toDateTime(intDiv(stamp, 1000000), 'UTC') + INTERVAL 25 HOUR
SETTINGS ttl_only_drop_parts = 1;
