DROP TABLE IF EXISTS audit;
DROP TABLE IF EXISTS screenshots;
DROP TABLE IF EXISTS feedback_thread;
DROP TABLE IF EXISTS feedback_details;
DROP TABLE IF EXISTS feedback;
DROP TABLE IF EXISTS submissions;
