-- What a person said of the current version. It goes into `versions` with it.
ALTER TABLE files ADD COLUMN label TEXT;
ALTER TABLE files ADD COLUMN keep BIGINT NOT NULL DEFAULT 0;
