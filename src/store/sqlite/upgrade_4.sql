-- From version 3 to 4: what the members area remembers over a restart, and jumps of the clock.
-- schema.sql explains the tables and columns.

CREATE TABLE known_network (
    member            BLOB NOT NULL,
    network           BLOB NOT NULL,
    day               INTEGER NOT NULL,
    PRIMARY KEY (member, network)
) STRICT, WITHOUT ROWID;

CREATE INDEX known_network_day ON known_network (day);

CREATE INDEX former_member_username ON former_member (username);

CREATE TABLE login_seen (
    siteid            INTEGER NOT NULL,
    memberid          INTEGER NOT NULL,
    id                BLOB NOT NULL,
    at                INTEGER NOT NULL,
    PRIMARY KEY (siteid, memberid, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX login_seen_at ON login_seen (at);

CREATE TABLE login_epoch (
    one               INTEGER PRIMARY KEY CHECK (one = 1),
    id                BLOB NOT NULL
) STRICT;

ALTER TABLE logout ADD COLUMN siteid INTEGER;
ALTER TABLE logout ADD COLUMN memberid INTEGER;
ALTER TABLE logout ADD COLUMN issued INTEGER;
CREATE INDEX logout_member ON logout (siteid, memberid, issued) WHERE siteid IS NOT NULL;
CREATE INDEX logout_issued ON logout (issued) WHERE siteid IS NOT NULL;
DROP INDEX logout_until;
CREATE INDEX logout_until ON logout (until) WHERE siteid IS NULL;

CREATE TABLE logout_before (
    siteid            INTEGER NOT NULL,
    memberid          INTEGER NOT NULL,
    issued            INTEGER NOT NULL,
    login_version     INTEGER NOT NULL,
    PRIMARY KEY (siteid, memberid)
) STRICT, WITHOUT ROWID;
CREATE INDEX logout_before_issued ON logout_before (issued);

ALTER TABLE journal ADD COLUMN moved_until INTEGER;
