DROP TABLE IF EXISTS live_events;
