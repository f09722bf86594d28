-- What exists, where it is, who holds it. The same tables and columns as in SQLite after its step 0006; what differs, and
-- why, stands beside it.
--
-- Times are milliseconds since 1970 unless the column says otherwise. Numbers that are unsigned in the records are
-- stored with the same 64 bits, truth as 0 or 1. Editors are a JSON array of strings. All text is compared byte for byte,
-- whatever the database's own order is.
--
-- Where a row must not be left without another, one statement writes both, or a key refers to it; the latter costs a look
-- for every row and is there only where two statements could meet.

CREATE TABLE meta (
    name  TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);

-- Written by checks that want to know whether anything can be.
INSERT INTO meta (name, value) VALUES ('checks', 0);

CREATE TABLE containers (
    id           TEXT COLLATE "C" NOT NULL,
    parent_id    TEXT COLLATE "C",
    name         TEXT COLLATE "C" NOT NULL,
    revision     BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    seen_inode   BIGINT,
    seen_born_ns BIGINT,
    CONSTRAINT containers_once PRIMARY KEY (id)
);
-- Names are taken in `names`. No unique index here, so that a rename does not keep others from making something inside.
CREATE INDEX containers_by_name ON containers (parent_id, name);
CREATE UNIQUE INDEX containers_root ON containers ((1)) WHERE parent_id IS NULL;
CREATE INDEX containers_by_inode ON containers (seen_inode) WHERE seen_inode IS NOT NULL;

-- One name in a container belongs to one file or one container. Deleted files and the root have no row here. It is a
-- table of its own, so that a commit that takes no name (a lock, a save) does not touch it.
CREATE TABLE names (
    container_id TEXT COLLATE "C" NOT NULL,
    name         TEXT COLLATE "C" NOT NULL,
    kind         TEXT COLLATE "C" NOT NULL, -- file, container
    id           TEXT COLLATE "C" NOT NULL,
    sort_key     TEXT COLLATE "C" NOT NULL, -- what listings are ordered by
    extension    TEXT COLLATE "C" NOT NULL, -- in lower case
    folded       TEXT COLLATE "C" NOT NULL, -- what a search compares, so that it need not send every name
    CONSTRAINT names_once PRIMARY KEY (container_id, name),
    -- A container goes only when nothing is in it, also if something is made there at the same moment.
    CONSTRAINT names_in_container FOREIGN KEY (container_id) REFERENCES containers (id)
);
CREATE INDEX names_listed ON names (container_id, kind, sort_key, name);

CREATE TABLE files (
    id                  TEXT COLLATE "C" NOT NULL,
    container_id        TEXT COLLATE "C" NOT NULL,
    name                TEXT COLLATE "C" NOT NULL,
    revision            BIGINT NOT NULL,
    owner_id            TEXT COLLATE "C" NOT NULL,
    created_at          BIGINT NOT NULL,
    version             BIGINT NOT NULL,
    content_id          BYTEA  NOT NULL,
    content_size        BIGINT NOT NULL,
    content_sha256      BYTEA,
    modified_at_100ns   BIGINT NOT NULL,
    saved_by            TEXT COLLATE "C",
    editors             TEXT COLLATE "C" NOT NULL,
    autosave            BIGINT NOT NULL,
    lock_id             TEXT COLLATE "C",
    lock_expires_at     BIGINT,
    lock_since          BIGINT,
    lock_by             TEXT COLLATE "C",
    lock_client         TEXT COLLATE "C",
    lock_visible_as     TEXT COLLATE "C",
    coauth_locks        TEXT COLLATE "C",
    seen_inode          BIGINT,
    seen_born_ns        BIGINT,
    seen_size           BIGINT,
    seen_modified_ns    BIGINT,
    pending             TEXT COLLATE "C", -- publish, rename, move, bin
    pending_name        TEXT COLLATE "C",
    pending_content_id  BYTEA,
    pending_inode       BIGINT,
    pending_born_ns     BIGINT,
    pending_size        BIGINT,
    pending_modified_ns BIGINT,
    deleted_at          BIGINT,
    -- What a person said of the current version. It goes into `versions` with it.
    label               TEXT COLLATE "C",
    keep                BIGINT NOT NULL,
    -- Stamps of the latest commits, latest first, eight bytes each: whoever lost the connection before the answer sees by
    -- them whether the commit was done.
    stamps              BYTEA  NOT NULL,
    CONSTRAINT files_once PRIMARY KEY (id)
) WITH (fillfactor = 75); -- room for the next row beside the last one: a lock then touches no index
CREATE INDEX files_by_inode ON files (seen_inode) WHERE seen_inode IS NOT NULL;
CREATE INDEX files_by_content ON files (content_id);
CREATE INDEX files_by_pending_content ON files (pending_content_id) WHERE pending_content_id IS NOT NULL;
CREATE INDEX files_deleted ON files (deleted_at) WHERE deleted_at IS NOT NULL;
CREATE INDEX files_pending ON files (id) WHERE pending IS NOT NULL;
CREATE INDEX files_deleted_in ON files (container_id) WHERE deleted_at IS NOT NULL;

CREATE TABLE versions (
    file_id           TEXT COLLATE "C" NOT NULL,
    version           BIGINT NOT NULL,
    content_id        BYTEA  NOT NULL,
    content_size      BIGINT NOT NULL,
    content_sha256    BYTEA,
    modified_at_100ns BIGINT NOT NULL,
    saved_by          TEXT COLLATE "C",
    editors           TEXT COLLATE "C" NOT NULL,
    autosave          BIGINT NOT NULL,
    label             TEXT COLLATE "C",
    keep              BIGINT NOT NULL,
    CONSTRAINT versions_once PRIMARY KEY (file_id, version)
);
CREATE INDEX versions_by_content ON versions (content_id);

CREATE TABLE rescued (
    content_id BYTEA  NOT NULL PRIMARY KEY,
    file_id    TEXT COLLATE "C" NOT NULL,
    file_name  TEXT COLLATE "C" NOT NULL,
    user_id    TEXT COLLATE "C" NOT NULL,
    client     TEXT COLLATE "C",
    size       BIGINT NOT NULL,
    sha256     BYTEA  NOT NULL,
    reason     TEXT COLLATE "C" NOT NULL,
    rescued_at BIGINT NOT NULL
);
CREATE INDEX rescued_by_user ON rescued (user_id, rescued_at, content_id);
CREATE INDEX rescued_by_time ON rescued (rescued_at, content_id);

-- What clients report about documents (AddActivities), as JSON.
CREATE TABLE activities (
    id          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    file_id     TEXT COLLATE "C" NOT NULL,
    user_id     TEXT COLLATE "C" NOT NULL,
    reported_at BIGINT NOT NULL,
    activity    TEXT COLLATE "C" NOT NULL
);
CREATE INDEX activities_by_file ON activities (file_id, reported_at, id);

CREATE TABLE users (
    id           TEXT COLLATE "C" NOT NULL,
    name         TEXT COLLATE "C" NOT NULL,
    name_key     TEXT COLLATE "C" NOT NULL, -- the name in ASCII lower case
    display_name TEXT COLLATE "C" NOT NULL,
    role         TEXT COLLATE "C" NOT NULL,
    password     TEXT COLLATE "C",
    disabled     BIGINT NOT NULL,
    user_info    TEXT COLLATE "C",
    revision     BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    CONSTRAINT users_once PRIMARY KEY (id),
    CONSTRAINT users_named UNIQUE (name_key)
);

CREATE TABLE sessions (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    user_id    TEXT COLLATE "C" NOT NULL,
    label      TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT,
    -- By which link a guest came in this session, and the name they gave. Guests have no row among the users.
    guest_link TEXT COLLATE "C",
    guest_name TEXT COLLATE "C"
);
CREATE INDEX sessions_by_user ON sessions (user_id, created_at, id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TABLE discovery (
    client     TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    url        TEXT COLLATE "C" NOT NULL,
    xml        TEXT COLLATE "C" NOT NULL,
    fetched_at BIGINT NOT NULL
);

-- What a file has beside its bytes (incremental file transfer). A signature is 24 bytes for each chunk: its id, then its
-- length as a big-endian number.

CREATE TABLE parts (
    file_id        TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    version        BIGINT NOT NULL, -- the version of the file that streams and properties belong to
    main_scheme    TEXT COLLATE "C", -- FullFile, Zip
    main_signature BYTEA
);

CREATE TABLE streams (
    file_id    TEXT COLLATE "C" NOT NULL,
    stream_id  TEXT COLLATE "C" NOT NULL,
    content_id BYTEA  NOT NULL,
    scheme     TEXT COLLATE "C" NOT NULL,
    signature  BYTEA  NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (file_id, stream_id)
);
CREATE INDEX streams_by_content ON streams (content_id);
CREATE INDEX streams_by_age ON streams (updated_at);

CREATE TABLE properties (
    file_id    TEXT COLLATE "C" NOT NULL,
    name       TEXT COLLATE "C" NOT NULL,
    value      TEXT COLLATE "C" NOT NULL,
    retention  TEXT COLLATE "C" NOT NULL, -- keep, delete
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (file_id, name)
);
CREATE INDEX properties_by_age ON properties (updated_at);

-- Chunks that come in several requests and are not part of a file yet. They are forgotten half an hour after the last
-- one, so nothing needs to go with the file.
CREATE TABLE uploads (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    file_id    TEXT COLLATE "C" NOT NULL,
    user_id    TEXT COLLATE "C" NOT NULL,
    received   BIGINT NOT NULL, -- bytes of all pieces
    updated_at BIGINT NOT NULL
);
CREATE INDEX uploads_by_user ON uploads (user_id, updated_at);
CREATE INDEX uploads_by_age ON uploads (updated_at);

CREATE TABLE upload_pieces (
    upload_id  TEXT COLLATE "C" NOT NULL,
    start      BIGINT NOT NULL, -- bytes of the pieces before it
    size       BIGINT NOT NULL,
    content_id BYTEA  NOT NULL,
    PRIMARY KEY (upload_id, start)
);
CREATE INDEX upload_pieces_by_content ON upload_pieces (content_id);

-- Contents that are made of pieces of others, where contents need not be files of their own.
CREATE TABLE composed (
    content_id   BYTEA  NOT NULL,
    start        BIGINT NOT NULL, -- bytes of the pieces before it
    size         BIGINT NOT NULL,
    piece_id     BYTEA  NOT NULL, -- the content whose bytes they are
    piece_offset BIGINT NOT NULL,
    PRIMARY KEY (content_id, start)
);
CREATE INDEX composed_by_piece ON composed (piece_id);

-- A place for people: groups, shares, links with guests, and the bin.

CREATE TABLE user_groups (
    id         TEXT COLLATE "C" NOT NULL,
    name       TEXT COLLATE "C" NOT NULL,
    name_key   TEXT COLLATE "C" NOT NULL, -- the name in ASCII lower case
    revision   BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    CONSTRAINT groups_once PRIMARY KEY (id),
    CONSTRAINT groups_named UNIQUE (name_key)
);

CREATE TABLE members (
    -- Nobody is put into a group that goes at the same moment.
    group_id TEXT COLLATE "C" NOT NULL REFERENCES user_groups (id) ON DELETE CASCADE,
    user_id  TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (group_id, user_id)
);
CREATE INDEX members_by_user ON members (user_id, group_id);

-- What is shared with whom. Of one thing with one principal there is one row.
CREATE TABLE grants (
    item_kind      TEXT COLLATE "C" NOT NULL, -- file, container
    item_id        TEXT COLLATE "C" NOT NULL,
    principal_kind TEXT COLLATE "C" NOT NULL, -- user, group
    principal_id   TEXT COLLATE "C" NOT NULL,
    access         TEXT COLLATE "C" NOT NULL, -- view, comment, edit, own
    granted_by     TEXT COLLATE "C" NOT NULL,
    granted_at     BIGINT NOT NULL,
    PRIMARY KEY (item_kind, item_id, principal_kind, principal_id)
);
CREATE INDEX grants_by_principal ON grants (principal_kind, principal_id, granted_at);

CREATE TABLE links (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    item_kind  TEXT COLLATE "C" NOT NULL,
    item_id    TEXT COLLATE "C" NOT NULL,
    access     TEXT COLLATE "C" NOT NULL, -- view, edit
    secret     BYTEA  NOT NULL UNIQUE, -- SHA-256
    password   TEXT COLLATE "C",
    label      TEXT COLLATE "C" NOT NULL,
    made_by    TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT
);
CREATE INDEX links_by_item ON links (item_kind, item_id, created_at, id);

-- What people deleted and may have back. Files go on being rows of `files` with a time of deletion.
CREATE TABLE bin (
    id           TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    item_kind    TEXT COLLATE "C" NOT NULL, -- file, container
    item_id      TEXT COLLATE "C" NOT NULL,
    name         TEXT COLLATE "C" NOT NULL,
    container_id TEXT COLLATE "C" NOT NULL,
    deleted_by   TEXT COLLATE "C" NOT NULL,
    deleted_at   BIGINT NOT NULL
);
CREATE INDEX bin_by_time ON bin (deleted_at, id);

-- The containers that went with a deletion, numbered so that each comes after the one it was in.
CREATE TABLE bin_containers (
    bin_id       TEXT COLLATE "C" NOT NULL,
    number       BIGINT NOT NULL,
    container_id TEXT COLLATE "C" NOT NULL,
    parent_id    TEXT COLLATE "C",
    name         TEXT COLLATE "C" NOT NULL,
    created_at   BIGINT NOT NULL,
    PRIMARY KEY (bin_id, number)
);
CREATE INDEX bin_containers_by_id ON bin_containers (container_id);

-- What several nodes need: what they tell one another, and bytes that nobody may point to any more.

-- One that ran out stays for a while, so that no revision of its name is used twice.
CREATE TABLE memos (
    name     TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    value    BYTEA  NOT NULL,
    revision BIGINT NOT NULL,
    until    BIGINT NOT NULL
);
CREATE INDEX memos_by_time ON memos (until);

-- Refused WOPI requests.
CREATE TABLE refusals (
    id             BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    refused_at     BIGINT NOT NULL,
    node           TEXT COLLATE "C" NOT NULL,
    status         BIGINT NOT NULL,
    operation      TEXT COLLATE "C" NOT NULL,
    because        TEXT COLLATE "C" NOT NULL,
    url            TEXT COLLATE "C" NOT NULL,
    correlation_id TEXT COLLATE "C" NOT NULL,
    request_id     TEXT COLLATE "C" NOT NULL
);

CREATE TABLE condemned (
    content_id   BYTEA  NOT NULL PRIMARY KEY,
    condemned_at BIGINT NOT NULL
);
CREATE INDEX condemned_by_time ON condemned (condemned_at);

-- A save that begins to point to a content and a sweep that condemns it may meet, and neither sees what the other has not
-- committed. So one waits for the other: whoever points to something new holds this lock together with all others who do,
-- whoever condemns holds it alone, both to the end of their transaction. Only then they look, and what they look at is of
-- that moment: in a function like these each statement sees what was committed before it began. It is one lock for all
-- contents, because there is room for a bounded number of locks, and condemning takes milliseconds.

CREATE FUNCTION refuse_condemned(content BYTEA) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(1279478863);
    IF EXISTS (SELECT 1 FROM condemned c WHERE c.content_id = content) THEN
        RAISE EXCEPTION 'the content was condemned' USING ERRCODE = 'LC001';
    END IF;
END $$;

CREATE FUNCTION refuse_condemned_content() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM refuse_condemned(NEW.content_id);
    RETURN NEW;
END $$;

CREATE FUNCTION refuse_condemned_piece() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM refuse_condemned(NEW.piece_id);
    RETURN NEW;
END $$;

CREATE TRIGGER refuse_condemned BEFORE INSERT ON files
    FOR EACH ROW EXECUTE FUNCTION refuse_condemned_content();
-- A lock leaves the content alone, and is not looked at. What is replaced was pointed to until now.
CREATE TRIGGER refuse_condemned_save BEFORE UPDATE ON files
    FOR EACH ROW WHEN (NEW.content_id <> OLD.content_id) EXECUTE FUNCTION refuse_condemned_content();
CREATE TRIGGER refuse_condemned BEFORE INSERT OR UPDATE ON streams
    FOR EACH ROW EXECUTE FUNCTION refuse_condemned_content();
CREATE TRIGGER refuse_condemned BEFORE INSERT ON upload_pieces
    FOR EACH ROW EXECUTE FUNCTION refuse_condemned_content();
CREATE TRIGGER refuse_condemned BEFORE INSERT ON rescued
    FOR EACH ROW EXECUTE FUNCTION refuse_condemned_content();
CREATE TRIGGER refuse_condemned BEFORE INSERT ON composed
    FOR EACH ROW EXECUTE FUNCTION refuse_condemned_piece();

-- Condemns those of these contents that nothing points to, and gives them. Saves wait behind it, so it does not wait long
-- itself.
CREATE FUNCTION condemn(contents BYTEA[], at BIGINT) RETURNS SETOF BYTEA LANGUAGE plpgsql VOLATILE
    SET lock_timeout = '2s' AS $$
DECLARE
    unreferenced BYTEA[];
BEGIN
    PERFORM pg_advisory_xact_lock(1279478863);
    unreferenced := ARRAY(
        SELECT c.id FROM unnest(contents) WITH ORDINALITY c (id, place)
        WHERE NOT EXISTS (SELECT 1 FROM files f WHERE f.content_id = c.id)
        AND NOT EXISTS (SELECT 1 FROM files f WHERE f.pending_content_id = c.id)
        AND NOT EXISTS (SELECT 1 FROM versions v WHERE v.content_id = c.id)
        AND NOT EXISTS (SELECT 1 FROM streams s WHERE s.content_id = c.id)
        AND NOT EXISTS (SELECT 1 FROM upload_pieces p WHERE p.content_id = c.id)
        AND NOT EXISTS (SELECT 1 FROM composed p WHERE p.piece_id = c.id)
        AND NOT EXISTS (SELECT 1 FROM rescued r WHERE r.content_id = c.id)
        ORDER BY c.place
    );
    INSERT INTO condemned (content_id, condemned_at)
        SELECT DISTINCT u.id, at FROM unnest(unreferenced) u (id) ON CONFLICT DO NOTHING;
    RETURN QUERY SELECT u.id FROM unnest(unreferenced) WITH ORDINALITY u (id, place) ORDER BY u.place;
END $$;
