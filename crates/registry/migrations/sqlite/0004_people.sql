-- A place for people: listings, groups, shares, links with guests, and the bin.

-- What a name is ordered by in listings, and the extension in lower case. The program makes both of the name, and fills
-- them in after this step for the names that are there.
ALTER TABLE names ADD COLUMN sort_key TEXT NOT NULL DEFAULT '';
ALTER TABLE names ADD COLUMN extension TEXT NOT NULL DEFAULT '';
CREATE INDEX names_listed ON names (container_id, kind, sort_key, name);

-- By which link a guest came in this session, and the name they gave. Guests have no row among the users.
ALTER TABLE sessions ADD COLUMN guest_link TEXT;
ALTER TABLE sessions ADD COLUMN guest_name TEXT;

CREATE TABLE user_groups (
    id         TEXT   NOT NULL PRIMARY KEY,
    name       TEXT   NOT NULL,
    name_key   TEXT   NOT NULL UNIQUE, -- the name in ASCII lower case
    revision   BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE members (
    group_id TEXT NOT NULL,
    user_id  TEXT NOT NULL,
    PRIMARY KEY (group_id, user_id)
) WITHOUT ROWID;
CREATE INDEX members_by_user ON members (user_id, group_id);

-- What is shared with whom. Of one thing with one principal there is one row.
CREATE TABLE grants (
    item_kind      TEXT   NOT NULL, -- file, container
    item_id        TEXT   NOT NULL,
    principal_kind TEXT   NOT NULL, -- user, group
    principal_id   TEXT   NOT NULL,
    access         TEXT   NOT NULL, -- view, comment, edit, own
    granted_by     TEXT   NOT NULL,
    granted_at     BIGINT NOT NULL,
    PRIMARY KEY (item_kind, item_id, principal_kind, principal_id)
) WITHOUT ROWID;
CREATE INDEX grants_by_principal ON grants (principal_kind, principal_id, granted_at);

CREATE TABLE links (
    id         TEXT   NOT NULL PRIMARY KEY,
    item_kind  TEXT   NOT NULL,
    item_id    TEXT   NOT NULL,
    access     TEXT   NOT NULL, -- view, edit
    secret     BLOB   NOT NULL UNIQUE, -- SHA-256
    password   TEXT,
    label      TEXT   NOT NULL,
    made_by    TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT
);
CREATE INDEX links_by_item ON links (item_kind, item_id, created_at);

-- What people deleted and may have back. Files go on being rows of `files` with a time of deletion.
CREATE TABLE bin (
    id           TEXT   NOT NULL PRIMARY KEY,
    item_kind    TEXT   NOT NULL, -- file, container
    item_id      TEXT   NOT NULL,
    name         TEXT   NOT NULL,
    container_id TEXT   NOT NULL,
    deleted_by   TEXT   NOT NULL,
    deleted_at   BIGINT NOT NULL
);
CREATE INDEX bin_by_time ON bin (deleted_at, id);

-- The containers that went with a deletion, numbered so that each comes after the one it was in.
CREATE TABLE bin_containers (
    bin_id       TEXT   NOT NULL,
    number       BIGINT NOT NULL,
    container_id TEXT   NOT NULL,
    parent_id    TEXT,
    name         TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    PRIMARY KEY (bin_id, number)
) WITHOUT ROWID;
CREATE INDEX bin_containers_by_id ON bin_containers (container_id);
CREATE INDEX files_deleted_in ON files (container_id) WHERE deleted_at IS NOT NULL;
