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

-- Which WAL file belongs to this database file: see src/store/wal_mark.rs.
CREATE TABLE wal_mark (
    one               INTEGER PRIMARY KEY CHECK (one = 1),
    mark              BLOB NOT NULL
) STRICT;
