-- From version 1 to 2: the members area. schema.sql explains the tables and columns.

ALTER TABLE member_auth ADD COLUMN login_version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE former_member ADD COLUMN login_version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE journal ADD COLUMN logins_ended INTEGER CHECK (logins_ended = 1);
ALTER TABLE health ADD COLUMN room BLOB;

CREATE TABLE logout (
    id                BLOB PRIMARY KEY,
    until             INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX logout_until ON logout (until);

CREATE TABLE block (
    kind              TEXT NOT NULL CHECK (kind IN ('pair', 'network', 'name')),
    network           TEXT NOT NULL,
    username          TEXT NOT NULL,
    since             INTEGER NOT NULL,
    until             INTEGER NOT NULL,
    PRIMARY KEY (kind, network, username)
) STRICT, WITHOUT ROWID;

CREATE TABLE seal_key (
    one               INTEGER PRIMARY KEY CHECK (one = 1),
    id                BLOB NOT NULL
) STRICT;
