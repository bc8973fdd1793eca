-- Rollups of feedback, made of `submissions` as those of 0003 are made of the records and
-- compared with them by `snag-server verify`. Devices are kept as sets, so that "how many
-- people" stays exact under every filter and over every period; no set leaves the server.
--
-- An analyst's day begins at midnight where the analyst lives, and there are zones a half
-- or a quarter of an hour off: so an hour is kept in its four quarters. All zones have had
-- offsets of whole quarters since 1972.

CREATE TABLE IF NOT EXISTS feedback_by_day
(
    org LowCardinality(String),
    product LowCardinality(String),
    day Date,
    app LowCardinality(String),
    category LowCardinality(String),
    version LowCardinality(String),
    segment LowCardinality(String),
    submissions SimpleAggregateFunction(sum, UInt64),
    rated SimpleAggregateFunction(sum, UInt64),
    rating_sum SimpleAggregateFunction(sum, UInt64),
    rating_1 SimpleAggregateFunction(sum, UInt64),
    rating_2 SimpleAggregateFunction(sum, UInt64),
    rating_3 SimpleAggregateFunction(sum, UInt64),
    rating_4 SimpleAggregateFunction(sum, UInt64),
    rating_5 SimpleAggregateFunction(sum, UInt64),
    positive SimpleAggregateFunction(sum, UInt64),
    neutral SimpleAggregateFunction(sum, UInt64),
    negative SimpleAggregateFunction(sum, UInt64),
    polarity_micro SimpleAggregateFunction(sum, Int64),
    devices SimpleAggregateFunction(groupUniqArrayArray, Array(UUID))
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(day)
ORDER BY (org, product, day, app, category, version, segment);

CREATE MATERIALIZED VIEW IF NOT EXISTS feedback_by_day_view TO feedback_by_day AS
SELECT
    org, product,
    toDate(at, 'UTC') AS day,
    app, category, version, segment,
    count() AS submissions,
    countIf(rating > 0) AS rated,
    sum(toUInt64(rating)) AS rating_sum,
    countIf(rating = 1) AS rating_1,
    countIf(rating = 2) AS rating_2,
    countIf(rating = 3) AS rating_3,
    countIf(rating = 4) AS rating_4,
    countIf(rating = 5) AS rating_5,
    countIf(sentiment = 'positive') AS positive,
    countIf(sentiment = 'neutral') AS neutral,
    countIf(sentiment = 'negative') AS negative,
    sum(toInt64(submissions.polarity_micro)) AS polarity_micro,
    groupUniqArray(device) AS devices
FROM submissions
GROUP BY org, product, day, app, category, version, segment;

CREATE TABLE IF NOT EXISTS feedback_by_hour
(
    org LowCardinality(String),
    product LowCardinality(String),
    hour DateTime('UTC'),
    quarter UInt8,
    app LowCardinality(String),
    category LowCardinality(String),
    version LowCardinality(String),
    segment LowCardinality(String),
    submissions SimpleAggregateFunction(sum, UInt64),
    rated SimpleAggregateFunction(sum, UInt64),
    rating_sum SimpleAggregateFunction(sum, UInt64),
    rating_1 SimpleAggregateFunction(sum, UInt64),
    rating_2 SimpleAggregateFunction(sum, UInt64),
    rating_3 SimpleAggregateFunction(sum, UInt64),
    rating_4 SimpleAggregateFunction(sum, UInt64),
    rating_5 SimpleAggregateFunction(sum, UInt64),
    positive SimpleAggregateFunction(sum, UInt64),
    neutral SimpleAggregateFunction(sum, UInt64),
    negative SimpleAggregateFunction(sum, UInt64),
    polarity_micro SimpleAggregateFunction(sum, Int64),
    devices SimpleAggregateFunction(groupUniqArrayArray, Array(UUID))
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(hour)
ORDER BY (org, product, hour, quarter, app, category, version, segment);

CREATE MATERIALIZED VIEW IF NOT EXISTS feedback_by_hour_view TO feedback_by_hour AS
SELECT
    org, product,
    toStartOfHour(toDateTime(at, 'UTC')) AS hour,
    toUInt8(intDiv(toMinute(at), 15)) AS quarter,
    app, category, version, segment,
    count() AS submissions,
    countIf(rating > 0) AS rated,
    sum(toUInt64(rating)) AS rating_sum,
    countIf(rating = 1) AS rating_1,
    countIf(rating = 2) AS rating_2,
    countIf(rating = 3) AS rating_3,
    countIf(rating = 4) AS rating_4,
    countIf(rating = 5) AS rating_5,
    countIf(sentiment = 'positive') AS positive,
    countIf(sentiment = 'neutral') AS neutral,
    countIf(sentiment = 'negative') AS negative,
    sum(toInt64(submissions.polarity_micro)) AS polarity_micro,
    groupUniqArray(device) AS devices
FROM submissions
GROUP BY org, product, hour, quarter, app, category, version, segment;

-- What feedback is about.
CREATE TABLE IF NOT EXISTS feedback_by_target
(
    org LowCardinality(String),
    product LowCardinality(String),
    hour DateTime('UTC'),
    quarter UInt8,
    app LowCardinality(String),
    screen LowCardinality(String),
    category LowCardinality(String),
    version LowCardinality(String),
    segment LowCardinality(String),
    submissions SimpleAggregateFunction(sum, UInt64),
    rated SimpleAggregateFunction(sum, UInt64),
    rating_sum SimpleAggregateFunction(sum, UInt64),
    rating_1 SimpleAggregateFunction(sum, UInt64),
    rating_2 SimpleAggregateFunction(sum, UInt64),
    rating_3 SimpleAggregateFunction(sum, UInt64),
    rating_4 SimpleAggregateFunction(sum, UInt64),
    rating_5 SimpleAggregateFunction(sum, UInt64),
    positive SimpleAggregateFunction(sum, UInt64),
    neutral SimpleAggregateFunction(sum, UInt64),
    negative SimpleAggregateFunction(sum, UInt64),
    polarity_micro SimpleAggregateFunction(sum, Int64),
    devices SimpleAggregateFunction(groupUniqArrayArray, Array(UUID))
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(hour)
ORDER BY (org, product, hour, quarter, app, screen, category, version, segment);

CREATE MATERIALIZED VIEW IF NOT EXISTS feedback_by_target_view TO feedback_by_target AS
SELECT
    org, product,
    toStartOfHour(toDateTime(at, 'UTC')) AS hour,
    toUInt8(intDiv(toMinute(at), 15)) AS quarter,
    app, screen, category, version, segment,
    count() AS submissions,
    countIf(rating > 0) AS rated,
    sum(toUInt64(rating)) AS rating_sum,
    countIf(rating = 1) AS rating_1,
    countIf(rating = 2) AS rating_2,
    countIf(rating = 3) AS rating_3,
    countIf(rating = 4) AS rating_4,
    countIf(rating = 5) AS rating_5,
    countIf(sentiment = 'positive') AS positive,
    countIf(sentiment = 'neutral') AS neutral,
    countIf(sentiment = 'negative') AS negative,
    sum(toInt64(submissions.polarity_micro)) AS polarity_micro,
    groupUniqArray(device) AS devices
FROM submissions
GROUP BY org, product, hour, quarter, app, screen, category, version, segment;

-- The tags as they were submitted; what the desk adds is the desk's.
CREATE TABLE IF NOT EXISTS feedback_by_tag
(
    org LowCardinality(String),
    product LowCardinality(String),
    hour DateTime('UTC'),
    quarter UInt8,
    tag LowCardinality(String),
    app LowCardinality(String),
    screen LowCardinality(String),
    category LowCardinality(String),
    version LowCardinality(String),
    segment LowCardinality(String),
    submissions SimpleAggregateFunction(sum, UInt64)
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(hour)
ORDER BY (org, product, hour, quarter, tag, app, screen, category, version, segment);

CREATE MATERIALIZED VIEW IF NOT EXISTS feedback_by_tag_view TO feedback_by_tag AS
SELECT
    org, product,
    toStartOfHour(toDateTime(at, 'UTC')) AS hour,
    toUInt8(intDiv(toMinute(at), 15)) AS quarter,
    arrayJoin(tags) AS tag, app, screen, category, version, segment,
    count() AS submissions
FROM submissions
GROUP BY org, product, hour, quarter, tag, app, screen, category, version, segment;
