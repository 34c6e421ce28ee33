-- From version 1 to 2: the members area. What is new in schema.sql, in the same words where the order of columns allows it.
ALTER TABLE member_auth ADD COLUMN login_version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE former_member ADD COLUMN login_version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE journal ADD COLUMN logins_ended INTEGER CHECK (logins_ended = 1);
ALTER TABLE health ADD COLUMN room BLOB;

-- Login cookies that were given back before their time: their ids, until no clock takes the cookie any more.
CREATE TABLE logout (
    id                BLOB PRIMARY KEY,          -- 16 random bytes, made at the login
    until             INTEGER NOT NULL           -- when the row may go
) STRICT, WITHOUT ROWID;
CREATE INDEX logout_until ON logout (until);

-- Who may not try passwords now, for `nats-userman block` and for the next start.
CREATE TABLE block (
    kind              TEXT NOT NULL CHECK (kind IN ('pair', 'network', 'name')), -- one name from one network, a network, or a name from everywhere
    network           TEXT NOT NULL,             -- as in 203.0.113.9 or 2001:db8::/64; empty where the kind is a name
    username          TEXT NOT NULL,             -- folded; empty where the kind is a network
    since             INTEGER NOT NULL,
    until             INTEGER NOT NULL,
    PRIMARY KEY (kind, network, username)
) STRICT, WITHOUT ROWID;

-- Which key the seals are under, so that a wrong key is told from a damaged seal.
CREATE TABLE seal_key (
    one               INTEGER PRIMARY KEY CHECK (one = 1),
    id                BLOB NOT NULL              -- a hash of the key, which does not tell it
) STRICT;
