-- What several nodes need: bytes that nobody may point to any more, and what nodes tell one another.

CREATE TABLE condemned (
    content_id   BLOB   NOT NULL PRIMARY KEY,
    condemned_at BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX condemned_by_time ON condemned (condemned_at);

-- One that ran out stays for a while, so that no revision of its name is used twice.
CREATE TABLE memos (
    name     TEXT   NOT NULL PRIMARY KEY,
    value    BLOB   NOT NULL,
    revision BIGINT NOT NULL,
    until    BIGINT NOT NULL
);
CREATE INDEX memos_by_time ON memos (until);

-- Refused WOPI requests.
CREATE TABLE refusals (
    id             INTEGER NOT NULL PRIMARY KEY,
    refused_at     BIGINT  NOT NULL,
    node           TEXT    NOT NULL,
    status         BIGINT  NOT NULL,
    operation      TEXT    NOT NULL,
    because        TEXT    NOT NULL,
    url            TEXT    NOT NULL,
    correlation_id TEXT    NOT NULL,
    request_id     TEXT    NOT NULL
);
