-- The four rollups of 0006 again, with what was counted since.

DROP VIEW IF EXISTS feedback_rollup_view;

CREATE OR REPLACE TABLE feedback_by_day
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
ORDER BY (org, product, day, app, category, version, segment)
AS
SELECT
    org, product, toDate(hour, 'UTC') AS day, app, category, version, segment,
    submissions, rated, rating_sum, rating_1, rating_2, rating_3, rating_4, rating_5,
    positive, neutral, negative, polarity_micro, devices
FROM feedback_rollup
WHERE dimension = 'day';

CREATE OR REPLACE TABLE feedback_by_hour
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
ORDER BY (org, product, hour, quarter, app, category, version, segment)
AS
SELECT
    org, product, hour, quarter, app, category, version, segment,
    submissions, rated, rating_sum, rating_1, rating_2, rating_3, rating_4, rating_5,
    positive, neutral, negative, polarity_micro, devices
FROM feedback_rollup
WHERE dimension = 'hour';

CREATE OR REPLACE TABLE feedback_by_target
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
ORDER BY (org, product, hour, quarter, app, screen, category, version, segment)
AS
SELECT
    org, product, hour, quarter, app, screen, category, version, segment,
    submissions, rated, rating_sum, rating_1, rating_2, rating_3, rating_4, rating_5,
    positive, neutral, negative, polarity_micro, devices
FROM feedback_rollup
WHERE dimension = 'target';

CREATE OR REPLACE TABLE feedback_by_tag
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
ORDER BY (org, product, hour, quarter, tag, app, screen, category, version, segment)
AS
SELECT
    org, product, hour, quarter, tag, app, screen, category, version, segment, submissions
FROM feedback_rollup
WHERE dimension = 'tag';

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

CREATE MATERIALIZED VIEW IF NOT EXISTS feedback_by_tag_view TO feedback_by_tag AS
SELECT
    org, product,
    toStartOfHour(toDateTime(at, 'UTC')) AS hour,
    toUInt8(intDiv(toMinute(at), 15)) AS quarter,
    arrayJoin(tags) AS tag, app, screen, category, version, segment,
    count() AS submissions
FROM submissions
GROUP BY org, product, hour, quarter, tag, app, screen, category, version, segment;

DROP TABLE IF EXISTS feedback_rollup;
