DROP TABLE labels;
DROP TABLE incidents;
DROP TABLE screens;
DROP TABLE sessions;
DROP TABLE events;
