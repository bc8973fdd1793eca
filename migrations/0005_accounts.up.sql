-- People who read feedback and insights, and their sessions.

-- The row with the highest version counts. A session holds for one generation of its
-- account: whatever ends all sessions (a password, a role, disabling) raises it in the same
-- row, so that the change and the revocation are one.
CREATE TABLE IF NOT EXISTS users
(
    org UUID,
    -- Lower case, unique on the server.
    login String,
    id UUID,
    name String,
    role Enum8('viewer' = 1, 'analyst' = 2, 'admin' = 3, 'owner' = 4),
    -- Argon2id in PHC's text form.
    password_hash String,
    disabled UInt8,
    generation UInt32,
    created_at DateTime64(3, 'UTC'),
    version UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (org, login);

-- Only the SHA-256 of a session's secret is kept. Every column merges by its maximum, so
-- that a note of use that crosses a log-out can't undo it.
CREATE TABLE IF NOT EXISTS user_sessions
(
    session_hash String,
    org SimpleAggregateFunction(max, UUID),
    user SimpleAggregateFunction(max, UUID),
    generation SimpleAggregateFunction(max, UInt32),
    created_at SimpleAggregateFunction(max, DateTime64(3, 'UTC')),
    used_at SimpleAggregateFunction(max, DateTime64(3, 'UTC')),
    ends_at SimpleAggregateFunction(max, DateTime64(3, 'UTC')),
    revoked SimpleAggregateFunction(max, UInt8)
)
ENGINE = AggregatingMergeTree
ORDER BY session_hash
TTL toDateTime(ends_at) + INTERVAL 1 DAY;

-- Failed logins in a row, by account and by address. Both are hashed: nobody who reads the
-- table learns who tried, nor which names people mistype their passwords into.
CREATE TABLE IF NOT EXISTS login_failures
(
    subject String,
    failures UInt32,
    locked_until DateTime64(3, 'UTC'),
    failed_at DateTime64(3, 'UTC'),
    version UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY subject
TTL toDateTime(failed_at) + INTERVAL 2 DAY;

-- When a program last used its token, to the minute.
CREATE TABLE IF NOT EXISTS token_uses
(
    token_hash String,
    used_at SimpleAggregateFunction(max, DateTime('UTC'))
)
ENGINE = AggregatingMergeTree
ORDER BY token_hash;

-- A program that only reads needs no more.
ALTER TABLE tokens MODIFY COLUMN scope
    Enum8('enroll' = 1, 'device' = 2, 'analyst' = 3, 'admin' = 4, 'viewer' = 5);

-- Whose data was touched, so that a person's own desktop can show it, also after the item
-- is deleted. No route of the desk or of administration shows it.
ALTER TABLE audit ADD COLUMN IF NOT EXISTS device UUID;
