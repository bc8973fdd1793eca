-- The four rollups of feedback become one table with one view: each table that an insert
-- fills costs a part, and each view a query. What they counted is kept: rows of days whose
-- submissions retention took can't be counted again.
--
-- A submission is counted once in each `dimension`: by day, by hour, by target, and once
-- for each of its tags as it was submitted (what the desk adds is the desk's). What a
-- dimension doesn't tell apart is empty. A day has the hour of its midnight, UTC, and
-- quarter 0; rows of tags count submissions and nothing else.

DROP VIEW IF EXISTS feedback_by_day_view;
DROP VIEW IF EXISTS feedback_by_hour_view;
DROP VIEW IF EXISTS feedback_by_target_view;
DROP VIEW IF EXISTS feedback_by_tag_view;

-- In one statement, which takes the table's place as a whole: one that was broken off can
-- be repeated and counts nothing twice.
CREATE OR REPLACE TABLE feedback_rollup
(
    org LowCardinality(String),
    dimension Enum8('day' = 1, 'hour' = 2, 'target' = 3, 'tag' = 4),
    product LowCardinality(String),
    hour DateTime('UTC'),
    quarter UInt8,
    tag LowCardinality(String),
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
ORDER BY (org, dimension, product, hour, quarter, tag, app, screen, category, version, segment)
AS
SELECT
    org, 'day' AS dimension, product, toDateTime(day, 'UTC') AS hour, toUInt8(0) AS quarter,
    '' AS tag, app, '' AS screen, category, version, segment,
    submissions, rated, rating_sum, rating_1, rating_2, rating_3, rating_4, rating_5,
    positive, neutral, negative, polarity_micro, devices
FROM feedback_by_day
UNION ALL
SELECT
    org, 'hour' AS dimension, product, hour, quarter,
    '' AS tag, app, '' AS screen, category, version, segment,
    submissions, rated, rating_sum, rating_1, rating_2, rating_3, rating_4, rating_5,
    positive, neutral, negative, polarity_micro, devices
FROM feedback_by_hour
UNION ALL
SELECT
    org, 'target' AS dimension, product, hour, quarter,
    '' AS tag, app, screen, category, version, segment,
    submissions, rated, rating_sum, rating_1, rating_2, rating_3, rating_4, rating_5,
    positive, neutral, negative, polarity_micro, devices
FROM feedback_by_target
UNION ALL
SELECT
    org, 'tag' AS dimension, product, hour, quarter,
    tag, app, screen, category, version, segment,
    submissions, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, []
FROM feedback_by_tag;

-- One row for each submission and dimension: merges add them up, and a group of
-- submissions is small.
CREATE MATERIALIZED VIEW IF NOT EXISTS feedback_rollup_view TO feedback_rollup AS
WITH
    counted.1 = 'tag' AS is_tag,
    if(is_tag, 0, submissions.rating) AS stars,
    if(is_tag, '', submissions.sentiment) AS mood
SELECT
    org,
    counted.1 AS dimension,
    product,
    if(dimension = 'day', toStartOfDay(at), toStartOfHour(at)) AS hour,
    if(dimension = 'day', 0, toUInt8(intDiv(toMinute(at), 15))) AS quarter,
    counted.2 AS tag,
    app,
    counted.3 AS screen,
    category, version, segment,
    toUInt64(1) AS submissions,
    toUInt64(stars > 0) AS rated,
    toUInt64(stars) AS rating_sum,
    toUInt64(stars = 1) AS rating_1,
    toUInt64(stars = 2) AS rating_2,
    toUInt64(stars = 3) AS rating_3,
    toUInt64(stars = 4) AS rating_4,
    toUInt64(stars = 5) AS rating_5,
    toUInt64(mood = 'positive') AS positive,
    toUInt64(mood = 'neutral') AS neutral,
    toUInt64(mood = 'negative') AS negative,
    if(is_tag, 0, toInt64(submissions.polarity_micro)) AS polarity_micro,
    if(is_tag, [], [device]) AS devices
FROM submissions
ARRAY JOIN arrayConcat(
    [('day', '', ''), ('hour', '', ''), ('target', '', toString(submissions.screen))],
    arrayMap(given -> ('tag', toString(given), toString(submissions.screen)), submissions.tags)
) AS counted;

DROP TABLE IF EXISTS feedback_by_day;
DROP TABLE IF EXISTS feedback_by_hour;
DROP TABLE IF EXISTS feedback_by_target;
DROP TABLE IF EXISTS feedback_by_tag;
