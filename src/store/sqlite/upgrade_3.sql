-- From version 2 to 3: folded names, an index of the journal by member, and the mark that ties the WAL file to the database file.
-- What is new in schema.sql, in the same words where the order of columns allows it.
ALTER TABLE member_auth ADD COLUMN username_folded TEXT;
CREATE UNIQUE INDEX member_auth_username_folded ON member_auth (username_folded, siteid) WHERE username_folded IS NOT NULL;
-- Those who do not have the folded form of their name: few, mostly none. They are found by the exact name.
CREATE INDEX member_auth_unfolded ON member_auth (siteid, username) WHERE username_folded IS NULL;

-- The records of one member: where a seal or a hash is replaced in the row, it is replaced in the records that put it there.
CREATE INDEX journal_member ON journal (siteid, memberid);
DROP INDEX journal_sealed_member;

-- By which version of the folding rules username_folded was computed: another version folds all names anew.
CREATE TABLE folding (
    one               INTEGER PRIMARY KEY CHECK (one = 1),
    version           INTEGER NOT NULL
) STRICT;

-- Which WAL file belongs to this database file: see src/store/sqlite/wal_mark.rs. The columns have a fixed size, so that an update is made in
-- place.
CREATE TABLE wal_mark (
    one               INTEGER PRIMARY KEY CHECK (one = 1),
    tag               BLOB NOT NULL,             -- always the same: finds the row in the pages of a WAL
    id                BLOB NOT NULL,             -- 16 random bytes, new in every transaction
    previous          BLOB NOT NULL,             -- the id before
    cookie            BLOB NOT NULL              -- PRAGMA schema_version at that transaction, 4 bytes
) STRICT;
INSERT INTO wal_mark VALUES (1, x'ffc0e17b9ad34f10b6fe8c01f7a5c2ee', randomblob(16), zeroblob(16), zeroblob(4));
