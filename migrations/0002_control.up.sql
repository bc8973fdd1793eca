-- The small mutable state: the row with the highest version counts (read with FINAL).

CREATE TABLE IF NOT EXISTS organisations
(
    id UUID,
    name String,
    contact String,
    k UInt32,
    label_key String,
    policy String,
    policy_version UInt64,
    version UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY id;

-- Tokens of all scopes; only the SHA-256 of a token is kept.
CREATE TABLE IF NOT EXISTS tokens
(
    token_hash String,
    org UUID,
    scope Enum8('enroll' = 1, 'device' = 2, 'analyst' = 3, 'admin' = 4),
    name String,
    device Nullable(UUID),
    segment String,
    created_at DateTime64(3, 'UTC'),
    expires_at Nullable(DateTime64(3, 'UTC')),
    revoked UInt8,
    version UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY token_hash;

CREATE TABLE IF NOT EXISTS devices
(
    org UUID,
    device UUID,
    os LowCardinality(String),
    agent_version LowCardinality(String),
    segment LowCardinality(String),
    enrolled_at DateTime64(3, 'UTC'),
    version UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (org, device);

-- What devices dropped, by reason: totals since enrolment, so that the highest counts.
CREATE TABLE IF NOT EXISTS device_drops
(
    org UUID,
    device UUID,
    reason LowCardinality(String),
    count UInt64,
    received_at DateTime('UTC')
)
ENGINE = ReplacingMergeTree(count)
ORDER BY (org, device, reason);
