-- What CSPP Plus adds to a lock. Both are part of the file's row, so that a commit of a lock stays one statement.

-- The name that others may be shown of whoever holds the WOPI lock.
ALTER TABLE files ADD COLUMN lock_visible_as TEXT;

-- The coauth locks: a JSON array of objects with the members id, type, metadata, expires_at, since, by, user_name. A file
-- has no such locks beside a WOPI lock.
ALTER TABLE files ADD COLUMN coauth_locks TEXT;
