-- What exists, where it is, who holds it.
--
-- Times are milliseconds since 1970 unless the column says otherwise. Numbers that are unsigned in the records are
-- stored with the same 64 bits. Editors are a JSON array of strings.

CREATE TABLE meta (
    name  TEXT   NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);

-- Counts transactions of processes other than the server, so that its cache knows when to forget.
INSERT INTO meta (name, value) VALUES ('outside_epoch', 0);

CREATE TABLE containers (
    id           TEXT   NOT NULL PRIMARY KEY,
    parent_id    TEXT   REFERENCES containers (id),
    name         TEXT   NOT NULL,
    revision     BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    seen_inode   BIGINT,
    seen_born_ns BIGINT
);
CREATE UNIQUE INDEX containers_by_name ON containers (parent_id, name);
CREATE UNIQUE INDEX containers_root ON containers ((1)) WHERE parent_id IS NULL;
CREATE INDEX containers_by_inode ON containers (seen_inode) WHERE seen_inode IS NOT NULL;

-- One name in a container belongs to one file or one container. Deleted files and the root have no row here. It is a
-- table of its own, so that a commit that takes no name (a lock, a save) does not touch it.
CREATE TABLE names (
    container_id TEXT NOT NULL,
    name         TEXT NOT NULL,
    kind         TEXT NOT NULL, -- file, container
    id           TEXT NOT NULL,
    PRIMARY KEY (container_id, name)
) WITHOUT ROWID;

CREATE TABLE files (
    id                  TEXT   NOT NULL PRIMARY KEY,
    container_id        TEXT   NOT NULL,
    name                TEXT   NOT NULL,
    revision            BIGINT NOT NULL,
    owner_id            TEXT   NOT NULL,
    created_at          BIGINT NOT NULL,
    version             BIGINT NOT NULL,
    content_id          BLOB   NOT NULL,
    content_size        BIGINT NOT NULL,
    content_sha256      BLOB,
    modified_at_100ns   BIGINT NOT NULL,
    saved_by            TEXT,
    editors             TEXT   NOT NULL,
    autosave            BIGINT NOT NULL,
    lock_id             TEXT,
    lock_expires_at     BIGINT,
    lock_since          BIGINT,
    lock_by             TEXT,
    lock_client         TEXT,
    seen_inode          BIGINT,
    seen_born_ns        BIGINT,
    seen_size           BIGINT,
    seen_modified_ns    BIGINT,
    pending             TEXT, -- publish, rename, bin
    pending_name        TEXT,
    pending_content_id  BLOB,
    pending_inode       BIGINT,
    pending_born_ns     BIGINT,
    pending_size        BIGINT,
    pending_modified_ns BIGINT,
    deleted_at          BIGINT
);
CREATE INDEX files_by_inode ON files (seen_inode) WHERE seen_inode IS NOT NULL;
CREATE INDEX files_by_content ON files (content_id);
CREATE INDEX files_by_pending_content ON files (pending_content_id) WHERE pending_content_id IS NOT NULL;
CREATE INDEX files_deleted ON files (deleted_at) WHERE deleted_at IS NOT NULL;
CREATE INDEX files_pending ON files (pending) WHERE pending IS NOT NULL;

CREATE TABLE versions (
    file_id           TEXT   NOT NULL REFERENCES files (id),
    version           BIGINT NOT NULL,
    content_id        BLOB   NOT NULL,
    content_size      BIGINT NOT NULL,
    content_sha256    BLOB,
    modified_at_100ns BIGINT NOT NULL,
    saved_by          TEXT,
    editors           TEXT   NOT NULL,
    autosave          BIGINT NOT NULL,
    label             TEXT,
    keep              BIGINT NOT NULL,
    PRIMARY KEY (file_id, version)
) WITHOUT ROWID;
CREATE INDEX versions_by_content ON versions (content_id);

CREATE TABLE rescued (
    content_id BLOB   NOT NULL PRIMARY KEY,
    file_id    TEXT   NOT NULL,
    file_name  TEXT   NOT NULL,
    user_id    TEXT   NOT NULL,
    client     TEXT,
    size       BIGINT NOT NULL,
    sha256     BLOB   NOT NULL,
    reason     TEXT   NOT NULL,
    rescued_at BIGINT NOT NULL
);
CREATE INDEX rescued_by_user ON rescued (user_id, rescued_at);

-- What clients report about documents (AddActivities), as JSON.
CREATE TABLE activities (
    id          INTEGER PRIMARY KEY, -- PostgreSQL: BIGINT GENERATED ALWAYS AS IDENTITY
    file_id     TEXT   NOT NULL,
    user_id     TEXT   NOT NULL,
    reported_at BIGINT NOT NULL,
    activity    TEXT   NOT NULL
);
CREATE INDEX activities_by_file ON activities (file_id, reported_at);

CREATE TABLE users (
    id           TEXT   NOT NULL PRIMARY KEY,
    name         TEXT   NOT NULL,
    name_key     TEXT   NOT NULL UNIQUE, -- the name in ASCII lower case
    display_name TEXT   NOT NULL,
    role         TEXT   NOT NULL,
    password     TEXT,
    disabled     BIGINT NOT NULL,
    user_info    TEXT,
    revision     BIGINT NOT NULL,
    created_at   BIGINT NOT NULL
);

CREATE TABLE sessions (
    id         TEXT   NOT NULL PRIMARY KEY,
    user_id    TEXT   NOT NULL,
    label      TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT
);
CREATE INDEX sessions_by_user ON sessions (user_id, created_at);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TABLE discovery (
    client     TEXT   NOT NULL PRIMARY KEY,
    url        TEXT   NOT NULL,
    xml        TEXT   NOT NULL,
    fetched_at BIGINT NOT NULL
);
