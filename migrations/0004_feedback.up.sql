-- What people said. `submissions` is the raw fact, stored once a submission and never
-- changed: the rollups of feedback are made of it, and a retry is known by it (its key is
-- the id alone). `feedback` is the desk's view of the same item: whole rows, of which the
-- one with the highest version counts. Deleting an item removes its rows from all tables.
--
-- `device` is there so that a reply finds its way and a person can be forgotten; no route
-- of the desk ever shows it.

CREATE TABLE IF NOT EXISTS submissions
(
    org LowCardinality(String),
    product LowCardinality(String),
    id UUID,
    device UUID,
    -- When the person wrote it, by the device's clock.
    at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    received_at DateTime('UTC') CODEC(Delta, ZSTD(1)),
    -- SHA-256 of what was submitted: the same id with another digest is a conflict.
    digest FixedString(32),
    category LowCardinality(String),
    -- 1 to 5; 0 where none was given.
    rating UInt8,
    -- `positive`, `neutral`, `negative`; empty where the language can't be judged.
    sentiment LowCardinality(String),
    -- Polarity in millionths, -1000000 to 1000000; 0 where there is no sentiment.
    polarity_micro Int32,
    tags Array(LowCardinality(String)),
    app LowCardinality(String),
    screen LowCardinality(String),
    version LowCardinality(String),
    segment LowCardinality(String)
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(received_at)
ORDER BY (org, id);

-- The newest come first in the table's order, because that is how a desk is read.
CREATE TABLE IF NOT EXISTS feedback
(
    org LowCardinality(String),
    -- 2^63 - 1 less the milliseconds of `at`.
    newest UInt64 CODEC(Delta, ZSTD(1)),
    id UUID,
    -- Milliseconds since 1970, but always above the version replaced.
    version UInt64 CODEC(Delta, ZSTD(1)),
    product LowCardinality(String),
    device UUID,
    at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    received_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    category LowCardinality(String),
    description String CODEC(ZSTD(3)),
    language LowCardinality(String),
    rating UInt8,
    polarity_micro Int32,
    sentiment LowCardinality(String),
    tags Array(LowCardinality(String)),
    app LowCardinality(String),
    screen LowCardinality(String),
    url String CODEC(ZSTD(3)),
    session UInt32,
    os LowCardinality(String),
    screen_resolution LowCardinality(String),
    viewport_size LowCardinality(String),
    agent_version LowCardinality(String),
    segment LowCardinality(String),
    -- The kinds of friction in its trail, in order: what a group of duplicates shares.
    friction_signature String CODEC(ZSTD(3)),
    -- The screenshot: its SHA-256 in hexadecimal, empty where there is none.
    screenshot String CODEC(ZSTD(1)),
    -- What the desk did.
    status Enum8('new' = 1, 'in_progress' = 2, 'resolved' = 3, 'declined' = 4, 'spam' = 5),
    read UInt8,
    archived UInt8,
    assignee LowCardinality(String),
    notes UInt32,
    replies UInt32,
    -- The item that this one is a duplicate of; zero where it is none.
    merged_into UUID,
    changed_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    -- The words of the description, as a search compares them: without case, without
    -- punctuation; signs that stand for words (Han, kana, emoji) one by one.
    words Array(String) MATERIALIZED extractAll(lowerUTF8(normalizeUTF8NFKC(description)), '[\\p{Han}\\p{Hiragana}\\p{Katakana}\\p{So}]|[^\\p{P}\\p{S}\\p{Z}\\p{C}\\p{Han}\\p{Hiragana}\\p{Katakana}]+') CODEC(ZSTD(1)),
    -- The row as a list shows it, its key and the description apart, as a JSON array: a page
    -- reads one column at fifty places of the table where it would read two dozen. Numbers of
    -- 64 bits are texts, because how JSON writes them is a setting.
    card String MATERIALIZED toJSONString(tuple(
        toString(toUnixTimestamp64Milli(received_at)), product, category, language, rating, polarity_micro,
        sentiment, tags, app, screen, url, os, agent_version, screenshot, status, read, archived, assignee,
        notes, replies, merged_into, toString(toUnixTimestamp64Milli(changed_at)))) CODEC(ZSTD(1)),
    INDEX by_words words TYPE text(tokenizer = 'array'),
    -- An item is also asked for by its id alone, and rare values are found by these.
    INDEX by_id id TYPE bloom_filter(0.001) GRANULARITY 8,
    INDEX by_merged merged_into TYPE bloom_filter(0.001) GRANULARITY 8,
    INDEX by_app app TYPE bloom_filter(0.01) GRANULARITY 8,
    INDEX by_screen screen TYPE bloom_filter(0.01) GRANULARITY 8,
    INDEX by_tag tags TYPE bloom_filter(0.01) GRANULARITY 8
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(at)
ORDER BY (org, newest, id)
-- A page reads some 50 rows that may lie far apart: small granules and blocks keep that
-- cheap. Months in which nothing is written any more become one part each.
SETTINGS index_granularity = 256, min_compress_block_size = 16384, max_compress_block_size = 65536,
    min_age_to_force_merge_seconds = 600, min_age_to_force_merge_on_partition_only = 1;

-- What is only read when one item is opened; JSON as it was validated.
CREATE TABLE IF NOT EXISTS feedback_details
(
    org LowCardinality(String),
    id UUID,
    at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    trail String CODEC(ZSTD(3)),
    app_state String CODEC(ZSTD(3)),
    annotation String CODEC(ZSTD(3))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (org, id);

-- Notes of the desk and replies to the person, in one thread.
CREATE TABLE IF NOT EXISTS feedback_thread
(
    org LowCardinality(String),
    feedback UUID,
    id UUID,
    at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    -- `note`, seen by the desk alone; `reply`, sent to the person; `answer`, the person's.
    kind Enum8('note' = 1, 'reply' = 2, 'answer' = 3),
    -- Who wrote it; empty for the person, whom the desk doesn't know.
    author String,
    text String CODEC(ZSTD(3)),
    -- The item's device: where a reply goes.
    device UUID,
    version UInt64,
    -- A device asks for its replies by its identity alone.
    INDEX by_device device TYPE bloom_filter(0.001) GRANULARITY 4
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (org, feedback, id)
SETTINGS index_granularity = 1024;

CREATE TABLE IF NOT EXISTS screenshots
(
    org LowCardinality(String),
    feedback UUID,
    -- SHA-256 of the bytes, in hexadecimal: the object's name. Empty once removed.
    hash String,
    size_bytes UInt64,
    media_type LowCardinality(String),
    width UInt32,
    height UInt32,
    received_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    version UInt64,
    -- Whether the object store lacked it as the two were last compared.
    missing UInt8 DEFAULT 0
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (org, feedback);

-- Who did what: never changed, never shown without the actor's name.
CREATE TABLE IF NOT EXISTS audit
(
    org LowCardinality(String),
    at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    id UUID,
    -- `user:` and an account's name, `token:` and the token's name, or `system`.
    actor String,
    role LowCardinality(String),
    -- What was done, `object.verb`: feedback.read, user.create …
    action LowCardinality(String),
    -- What it was done to: an id.
    target String,
    -- JSON: what changed, never a person's words.
    detail String CODEC(ZSTD(3))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (org, at, id);

-- What was deleted: ids without content. A row is written before anything goes and
-- finished when all of it went, so that a deletion killed half way is taken up again;
-- then it stays until a late retry would be refused for its age.
CREATE TABLE IF NOT EXISTS forgotten
(
    org LowCardinality(String),
    kind Enum8('feedback' = 1, 'device' = 2),
    id UUID,
    at DateTime64(3, 'UTC'),
    until DateTime('UTC'),
    stage Enum8('begun' = 1, 'planned' = 2, 'deleted' = 3, 'swept' = 4),
    -- JSON: what is to go, while it goes; empty afterwards.
    plan String CODEC(ZSTD(3)),
    -- JSON: what went; empty where retention took it.
    receipt String CODEC(ZSTD(3)),
    version UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (org, kind, id)
TTL until;

-- The first day that still has its raw rows. Rollups of the days before stay as they
-- are: nothing is left to compare them with.
CREATE TABLE IF NOT EXISTS kept_from
(
    org LowCardinality(String),
    what Enum8('records' = 1, 'feedback' = 2),
    day Date
)
ENGINE = ReplacingMergeTree(day)
ORDER BY (org, what);
