-- The wider list of scopes stays: it harms nothing, and a viewer's token would be unreadable.
ALTER TABLE audit DROP COLUMN IF EXISTS device;
DROP TABLE IF EXISTS token_uses;
DROP TABLE IF EXISTS login_failures;
DROP TABLE IF EXISTS user_sessions;
DROP TABLE IF EXISTS users;
