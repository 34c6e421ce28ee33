-- The database of nats-userman, version 5. An upgrade from an older version is a step in src/store/sqlite/upgrade.rs; this file is always
-- the newest form whole. Times are unix seconds, UTC. STRICT: a wrong type is a bug and must fail, not be stored.

-- Exactly the members who may log in now, as in NATS's own member_auth. WITHOUT ROWID: the row lies in its primary key, so that
-- a look-up is one descent and an index entry ends in the memberid that a look-up by name wants.
CREATE TABLE member_auth (
    siteid            INTEGER NOT NULL,          -- usernames and memberids are unique within a site only
    memberid          INTEGER NOT NULL,          -- NATS's identity of the member; a username is a label
    username          TEXT NOT NULL COLLATE NOCASE, -- as sent; NOCASE is for TMM's query by a direct reader
    username_folded   TEXT,                      -- the form in which names are compared; NULL where an older row has that form
    password          TEXT,                      -- argon2id (PHC) or bcrypt ($2y$) of the password; NULL until the seal is hashed
    cryptpass         TEXT,                      -- only with --keep-cryptpass, for an Apache that reads it; never older than the password
    email             TEXT,                      -- for the operator; the program itself does not use it
    trial             INTEGER NOT NULL CHECK (trial IN (0, 1)), -- a members area may keep trial members out of parts
    biller            TEXT,                      -- biller, or else memberidx (BILLER:subscription)
    session_sha256    BLOB,                      -- NATS's session authorises calls in the member's name: only its SHA-256 is kept
    joined            INTEGER,                   -- as sent; 0 for none
    expires           INTEGER,                   -- as sent: NATS's bookkeeping, it locks nobody out
    expire_at         INTEGER,                   -- noted by EXPIRE with a date ahead: from then on the member counts as not there
    sealed            BLOB,                      -- the password or cryptpass under the seal key, until it is hashed or wrapped
    cryptpass_wrapped TEXT,                      -- the crypt(3) setting and argon2id of the cryptpass that came alone
    before            ANY,                       -- while sealed: the form before (hash, wrapped or seal); an equal password keeps its hash
    login_version     INTEGER NOT NULL DEFAULT 1, -- in every login cookie: raised, it ends the logins of before
    PRIMARY KEY (siteid, memberid),
    -- one of the three forms opens the door, always
    CHECK ((password IS NOT NULL) + (sealed IS NOT NULL) + (cryptpass_wrapped IS NOT NULL) = 1)
) STRICT, WITHOUT ROWID;

-- Two members of one site never share a name. In this order it also serves Apache's query without siteid.
CREATE UNIQUE INDEX member_auth_username ON member_auth (username, siteid);
CREATE UNIQUE INDEX member_auth_username_folded ON member_auth (username_folded, siteid) WHERE username_folded IS NOT NULL;
-- Those who do not have the folded form of their name: few, mostly none. They are found by the exact name.
CREATE INDEX member_auth_unfolded ON member_auth (siteid, username) WHERE username_folded IS NULL;

-- Few members have a noted expiry; the writer asks every second whether one is due.
CREATE INDEX member_auth_expire_at ON member_auth (expire_at) WHERE expire_at IS NOT NULL;

-- Those who were members and are not: ACTIVATE without a password brings the old one back. Names here are free.
CREATE TABLE former_member (
    siteid            INTEGER NOT NULL,
    memberid          INTEGER NOT NULL,
    username          TEXT NOT NULL COLLATE NOCASE,
    password          TEXT,
    cryptpass         TEXT,
    email             TEXT,
    trial             INTEGER NOT NULL CHECK (trial IN (0, 1)),
    biller            TEXT,
    session_sha256    BLOB,
    joined            INTEGER,
    expires           INTEGER,
    sealed            BLOB,
    cryptpass_wrapped TEXT,
    before            ANY,
    reason            TEXT NOT NULL CHECK (reason IN ('deleted', 'expired')),
    ended_at          INTEGER NOT NULL,          -- the DELETE's arrival, or the instant of the expiry (not the moment of the move)
    login_version     INTEGER NOT NULL DEFAULT 1, -- raised when the member left: a login of before is none after the way back
    PRIMARY KEY (siteid, memberid),
    CHECK ((password IS NOT NULL) + (sealed IS NOT NULL) + (cryptpass_wrapped IS NOT NULL) = 1)
) STRICT, WITHOUT ROWID;

-- Whose name a failed login had is asked of these as well; what nobody was ever called may be a password.
CREATE INDEX former_member_username ON former_member (username);

-- What NATS said and what was done, in the order of effect.
CREATE TABLE journal (
    id                INTEGER PRIMARY KEY,       -- the order of effect; pruning leaves the newest record, so that no id comes twice
    at                INTEGER NOT NULL,          -- when it took effect
    source            TEXT NOT NULL CHECK (source IN ('nats', 'operator', 'replay')), -- who said it
    address           TEXT,                      -- the caller's address, behind proxies that are listed; NULL for commands
    action            TEXT,                      -- NULL where it was none of the eight
    siteid            INTEGER,                   -- these three as far as they were readable
    memberid          INTEGER,
    username          TEXT,
    fields            TEXT NOT NULL,             -- with a shape the values, else names and values: see journal_shape
    reply             TEXT NOT NULL,             -- the line that went back
    expire_at         INTEGER,                   -- the instant of an EXPIRE, computed with the settings of that day
    password          TEXT,                      -- what this postback put into the row, so that a replay gives the same row:
    cryptpass         TEXT,
    session_sha256    BLOB,
    sealed            BLOB,
    cryptpass_wrapped TEXT,
    logins_ended      INTEGER CHECK (logins_ended = 1), -- 1 where this postback raised login_version, NULL where not
    moved_until       INTEGER,                   -- while a jump of the clock was confirmed: who expired by then was moved; NULL: by `at`
    shape             INTEGER                    -- which row of journal_shape has the names of the fields; NULL: `fields` has them
) STRICT;

-- The hashing backlog, newest first. Partial: it holds what is sealed and nothing else, so that it stays small.
CREATE INDEX journal_sealed ON journal (id) WHERE sealed IS NOT NULL;

-- The records of one member: where a seal or a hash is replaced in the row, it is replaced in the records that put it there.
CREATE INDEX journal_member ON journal (siteid, memberid);

-- The lists of field names that journal records have. The fields of a record are urlencoded again in the order received, with
-- secrets, name, address and ip as ***. They are stored without their names, because these are the same in most records, as in the
-- values `=&~&&0` of the names `siteid=&password=&email=&trial=`: `~` stands for ***, and `=` for the column of this record.
-- A bounded number of lists: none is removed.
CREATE TABLE journal_shape (
    id                INTEGER PRIMARY KEY,
    names             TEXT NOT NULL UNIQUE       -- in their order, as in `action=&password=&***`
) STRICT;

-- The journal with the whole text of its fields, for queries by hand: each value behind its name again.
CREATE VIEW journal_text AS
    SELECT id, at, source, address, action, siteid, memberid, username,
        CASE WHEN shape IS NULL THEN fields ELSE (
            WITH RECURSIVE part (text, names, vals) AS (
                SELECT '', journal_shape.names || '&', journal.fields || '&'
                FROM journal_shape WHERE journal_shape.id = journal.shape
                UNION ALL
                SELECT text || '&' || substr(names, 1, instr(names, '&') - 1)
                    || CASE WHEN substr(names, instr(names, '&') - 1, 1) <> '=' THEN ''
                       ELSE CASE substr(vals, 1, instr(vals, '&') - 1)
                           WHEN '~' THEN '***'
                           WHEN '=' THEN CASE substr(names, 1, instr(names, '=') - 1)
                               WHEN 'action' THEN journal.action
                               WHEN 'siteid' THEN journal.siteid
                               WHEN 'memberid' THEN journal.memberid
                               ELSE journal.username
                           END
                           ELSE substr(vals, 1, instr(vals, '&') - 1)
                       END END,
                    substr(names, instr(names, '&') + 1),
                    CASE WHEN substr(names, instr(names, '&') - 1, 1) = '='
                        THEN substr(vals, instr(vals, '&') + 1) ELSE vals END
                FROM part WHERE names <> ''
            )
            SELECT substr(text, 2) FROM part WHERE names = ''
        ) END AS fields,
        reply, expire_at, password, cryptpass, session_sha256, sealed, cryptpass_wrapped, logins_ended, moved_until
    FROM journal;

-- Which records still have their names beside the values. No row: all that can be are converted.
CREATE TABLE journal_conversion (
    one               INTEGER PRIMARY KEY CHECK (one = 1),
    first_id          INTEGER NOT NULL,          -- the first record that there was
    next_id           INTEGER NOT NULL,          -- the next record to convert
    last_id           INTEGER NOT NULL           -- the last record to convert
) STRICT;

-- Login cookies that were given back before their time: their ids, until no clock takes the cookie any more. At most 64 of a member:
-- then the older half becomes one row of logout_before, and so does each one that is older than a login lasts.
CREATE TABLE logout (
    id                BLOB PRIMARY KEY,          -- 16 random bytes, made at the login
    until             INTEGER NOT NULL,          -- when the row may go
    siteid            INTEGER,                   -- whose login it was; NULL in rows of before version 4
    memberid          INTEGER,
    issued            INTEGER                    -- when they logged in
) STRICT, WITHOUT ROWID;
CREATE INDEX logout_member ON logout (siteid, memberid, issued) WHERE siteid IS NOT NULL;
CREATE INDEX logout_issued ON logout (issued) WHERE siteid IS NOT NULL;
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

-- Who may not try passwords now, for `nats-userman block` and for the next start.
CREATE TABLE block (
    kind              TEXT NOT NULL CHECK (kind IN ('pair', 'network', 'name')), -- one name from one network, a network, or a name from everywhere
    network           TEXT NOT NULL,             -- as in 203.0.113.9 or 2001:db8::/64; empty where the kind is a name
    username          TEXT NOT NULL,             -- folded; empty where the kind is a network
    since             INTEGER NOT NULL,
    until             INTEGER NOT NULL,
    PRIMARY KEY (kind, network, username)
) STRICT, WITHOUT ROWID;

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

-- Which key the seals are under, so that a wrong key is told from a damaged seal.
CREATE TABLE seal_key (
    one               INTEGER PRIMARY KEY CHECK (one = 1),
    id                BLOB NOT NULL              -- a hash of the key, which does not tell it
) STRICT;

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

-- GET /health writes here, because only a commit shows that a commit works.
CREATE TABLE health (
    one               INTEGER PRIMARY KEY CHECK (one = 1),
    probed_at         INTEGER NOT NULL,
    room              BLOB                       -- as many pages as a postback takes: a disk may have room for one and not for it
) STRICT;
INSERT INTO health (one, probed_at) VALUES (1, 0);
