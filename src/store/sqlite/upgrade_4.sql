-- From version 3 to 4: what the members area remembers over a restart, and jumps of the clock. What is new in schema.sql, in the same words.

-- From which networks members have logged in, as hashes under a key that comes from cookie.key: without
-- that file they tell neither members nor addresses. A block of the name does not keep these out.
CREATE TABLE known_network (
    member            BLOB NOT NULL,             -- a keyed hash of siteid and memberid
    network           BLOB NOT NULL,             -- a keyed hash of these and the network
    day               INTEGER NOT NULL,          -- of the last login from there, in days since 1970
    PRIMARY KEY (member, network)
) STRICT, WITHOUT ROWID;
-- Where there are too many, the longest unused ones go.
CREATE INDEX known_network_day ON known_network (day);

-- Whose name a failed login had is asked of these as well; what nobody was ever called may be a password.
CREATE INDEX former_member_username ON former_member (username);

-- When a login was last used, where an inactivity timeout is set.
CREATE TABLE login_seen (
    siteid            INTEGER NOT NULL,
    memberid          INTEGER NOT NULL,
    id                BLOB NOT NULL,             -- the id of the login in its cookie; at most 64 of a member
    at                INTEGER NOT NULL,
    PRIMARY KEY (siteid, memberid, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX login_seen_at ON login_seen (at);

-- Random, and new when all logins are ended: a cookie is good under one epoch alone. No row: they were never ended.
CREATE TABLE login_epoch (
    one               INTEGER PRIMARY KEY CHECK (one = 1),
    id                BLOB NOT NULL
) STRICT;

-- Whose login a logout has ended, so that a member's older ones can become one row.
ALTER TABLE logout ADD COLUMN siteid INTEGER;
ALTER TABLE logout ADD COLUMN memberid INTEGER;
ALTER TABLE logout ADD COLUMN issued INTEGER;
CREATE INDEX logout_member ON logout (siteid, memberid, issued) WHERE siteid IS NOT NULL;
CREATE INDEX logout_issued ON logout (issued) WHERE siteid IS NOT NULL;
DROP INDEX logout_until;
CREATE INDEX logout_until ON logout (until) WHERE siteid IS NULL;

-- Of a member all logins that were issued in this second or before are over, if they are of this login_version or an older one: a
-- clock that was ahead for long may have left a second that is still to come, and then `member logout` ends its effect.
CREATE TABLE logout_before (
    siteid            INTEGER NOT NULL,
    memberid          INTEGER NOT NULL,
    issued            INTEGER NOT NULL,
    login_version     INTEGER NOT NULL,
    PRIMARY KEY (siteid, memberid)
) STRICT, WITHOUT ROWID;
CREATE INDEX logout_before_issued ON logout_before (issued);

-- Until when members were moved, where a jump of the clock was being confirmed.
ALTER TABLE journal ADD COLUMN moved_until INTEGER;
