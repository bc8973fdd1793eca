DROP VIEW IF EXISTS feedback_by_tag_view;
DROP TABLE IF EXISTS feedback_by_tag;
DROP VIEW IF EXISTS feedback_by_target_view;
DROP TABLE IF EXISTS feedback_by_target;
DROP VIEW IF EXISTS feedback_by_hour_view;
DROP TABLE IF EXISTS feedback_by_hour;
DROP VIEW IF EXISTS feedback_by_day_view;
DROP TABLE IF EXISTS feedback_by_day;
