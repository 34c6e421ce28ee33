-- From version 5 to 6: logins are recorded, sharing can be detected. schema.sql explains the tables
-- and columns.

CREATE TABLE login (
    id                INTEGER PRIMARY KEY,
    at                INTEGER NOT NULL,
    event             TEXT NOT NULL CHECK
        (event IN ('login', 'unknown', 'wrong', 'trial', 'blocked', 'shared', 'logout')),
    way               TEXT NOT NULL CHECK (way IN ('page', 'basic')),
    siteid            INTEGER NOT NULL,
    memberid          INTEGER,
    name              TEXT,
    network           TEXT NOT NULL
) STRICT;
CREATE INDEX login_member ON login (siteid, memberid) WHERE memberid IS NOT NULL;

CREATE TABLE sharing_network (
    siteid            INTEGER NOT NULL,
    memberid          INTEGER NOT NULL,
    network           TEXT NOT NULL,
    first_at          INTEGER NOT NULL,
    last_at           INTEGER NOT NULL,
    country           TEXT,
    PRIMARY KEY (siteid, memberid, network)
) STRICT, WITHOUT ROWID;
CREATE INDEX sharing_network_last_at ON sharing_network (last_at);

CREATE TABLE sharing_block (
    siteid            INTEGER NOT NULL,
    memberid          INTEGER NOT NULL,
    since             INTEGER NOT NULL,
    until             INTEGER NOT NULL,
    why               TEXT NOT NULL CHECK (why IN ('networks', 'at_once', 'countries')),
    PRIMARY KEY (siteid, memberid)
) STRICT, WITHOUT ROWID;
CREATE INDEX sharing_block_until ON sharing_block (until);
