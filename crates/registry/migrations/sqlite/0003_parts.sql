-- What a file has beside its bytes (incremental file transfer). A signature is 24 bytes for each chunk: its id, then its
-- length as a big-endian number.

CREATE TABLE parts (
    file_id        TEXT   NOT NULL PRIMARY KEY REFERENCES files (id),
    version        BIGINT NOT NULL, -- the version of the file that streams and properties belong to
    main_scheme    TEXT,            -- FullFile, Zip
    main_signature BLOB
);

CREATE TABLE streams (
    file_id    TEXT   NOT NULL REFERENCES files (id),
    stream_id  TEXT   NOT NULL,
    content_id BLOB   NOT NULL,
    scheme     TEXT   NOT NULL,
    signature  BLOB   NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (file_id, stream_id)
);
CREATE INDEX streams_by_content ON streams (content_id);
CREATE INDEX streams_by_age ON streams (updated_at);

CREATE TABLE properties (
    file_id    TEXT   NOT NULL REFERENCES files (id),
    name       TEXT   NOT NULL,
    value      TEXT   NOT NULL,
    retention  TEXT   NOT NULL, -- keep, delete
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (file_id, name)
) WITHOUT ROWID;
CREATE INDEX properties_by_age ON properties (updated_at);

-- Chunks that come in several requests and are not part of a file yet. They are forgotten half an hour after the last
-- one, so nothing needs to go with the file.
CREATE TABLE uploads (
    id         TEXT   NOT NULL PRIMARY KEY,
    file_id    TEXT   NOT NULL,
    user_id    TEXT   NOT NULL,
    received   BIGINT NOT NULL, -- bytes of all pieces
    updated_at BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX uploads_by_user ON uploads (user_id, updated_at);
CREATE INDEX uploads_by_age ON uploads (updated_at);

CREATE TABLE upload_pieces (
    upload_id  TEXT   NOT NULL REFERENCES uploads (id),
    start      BIGINT NOT NULL, -- bytes of the pieces before it
    size       BIGINT NOT NULL,
    content_id BLOB   NOT NULL,
    PRIMARY KEY (upload_id, start)
) WITHOUT ROWID;
CREATE INDEX upload_pieces_by_content ON upload_pieces (content_id);
