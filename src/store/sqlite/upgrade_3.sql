-- From version 2 to 3: folded names, an index of the journal by member, and the mark that ties the
-- WAL file to the database file. schema.sql explains the tables and columns.

ALTER TABLE member_auth ADD COLUMN username_folded TEXT;
CREATE UNIQUE INDEX member_auth_username_folded ON member_auth (username_folded, siteid)
    WHERE username_folded IS NOT NULL;

CREATE INDEX member_auth_unfolded ON member_auth (siteid, username) WHERE username_folded IS NULL;

CREATE INDEX journal_member ON journal (siteid, memberid);
DROP INDEX journal_sealed_member;

CREATE TABLE folding (
    one               INTEGER PRIMARY KEY CHECK (one = 1),
    version           INTEGER NOT NULL
) STRICT;

CREATE TABLE wal_mark (
    one               INTEGER PRIMARY KEY CHECK (one = 1),
    tag               BLOB NOT NULL,
    id                BLOB NOT NULL,
    previous          BLOB NOT NULL,
    cookie            BLOB NOT NULL
) STRICT;
INSERT INTO wal_mark
    VALUES (1, x'ffc0e17b9ad34f10b6fe8c01f7a5c2ee', randomblob(16), zeroblob(16), zeroblob(4));
