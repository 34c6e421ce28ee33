-- From version 3 to 4: what the members area remembers over a restart. What is new in schema.sql, in the same words.

-- From which networks which names were opened, as keyed hashes: a guesser elsewhere does not lock these out.
CREATE TABLE known_network (
    id                BLOB PRIMARY KEY,          -- a keyed hash of name and network
    day               INTEGER NOT NULL           -- when it last opened: days since 1970
) STRICT, WITHOUT ROWID;

-- When a login was last used, where an inactivity timeout is set.
CREATE TABLE login_seen (
    id                BLOB PRIMARY KEY,          -- the id of the login in its cookie
    at                INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Random, and new when all logins are ended: a cookie is good under one epoch alone. No row: they were never ended.
CREATE TABLE login_epoch (
    one               INTEGER PRIMARY KEY CHECK (one = 1),
    id                BLOB NOT NULL
) STRICT;
