-- The database of nats-userman, version 8. This file is the newest schema as a whole. The steps
-- that upgrade an older database are in src/store/sqlite/upgrade.rs.
--
-- Times are unix seconds, UTC. Tables are STRICT: a value of the wrong type is a bug, and has to
-- fail instead of being stored.

-- The members who may log in now, and nobody else, as in NATS's own member_auth. WITHOUT ROWID: the
-- row is stored in its primary key, so that a look-up is one descent. An index entry then ends in
-- the memberid, which a look-up by name needs.
CREATE TABLE member_auth (
    -- Usernames and memberids are unique within a site only.
    siteid            INTEGER NOT NULL,
    -- NATS's identity of the member. A username is only a label. From 4611686018427387904 on it is
    -- provisional: an import had no memberid, and the first postback with the name brings one.
    memberid          INTEGER NOT NULL,
    -- As sent. NOCASE is for TMM's query by a direct reader.
    username          TEXT NOT NULL COLLATE NOCASE,
    -- The form in which names are compared. NULL if an older row of the site has the same form.
    username_folded   TEXT,
    -- argon2id (PHC) or bcrypt ($2y$) of the password. NULL until the seal is hashed.
    password          TEXT,
    -- Only with --keep-cryptpass, for an Apache that reads it. Never older than the password.
    cryptpass         TEXT,
    -- Members can be found by it. Upper and lower case of ASCII letters count as the same.
    email             TEXT,
    -- A members area may keep trial members out of some parts.
    trial             INTEGER NOT NULL CHECK (trial IN (0, 1)),
    -- biller, or else memberidx (BILLER:subscription).
    biller            TEXT,
    -- NATS's session authorises calls in the member's name, so only its SHA-256 is kept.
    session_sha256    BLOB,
    joined            INTEGER,  -- as sent; 0 for none
    expires           INTEGER,  -- as sent: NATS's bookkeeping, which ends no membership
    -- Set by EXPIRE with a future date. From then on the member counts as not there.
    expire_at         INTEGER,
    -- The password or cryptpass under the seal key, until it is hashed or wrapped.
    sealed            BLOB,
    -- The crypt(3) setting and the argon2id hash of a cryptpass that came alone.
    cryptpass_wrapped TEXT,
    -- While sealed: the form before (hash, wrapped or seal). An equal password keeps its hash.
    before            ANY,
    -- Part of every login cookie. Raising it ends all earlier logins.
    login_version     INTEGER NOT NULL DEFAULT 1,
    -- `stamp` of the last change that brought one: when NATS wrote the record.
    stamp             INTEGER,
    PRIMARY KEY (siteid, memberid),
    -- Exactly one of the three forms of a credential is there.
    CHECK ((password IS NOT NULL) + (sealed IS NOT NULL) + (cryptpass_wrapped IS NOT NULL) = 1)
) STRICT, WITHOUT ROWID;

-- Two members of one site never share a name. In this column order the index also serves Apache's
-- query without siteid.
CREATE UNIQUE INDEX member_auth_username ON member_auth (username, siteid);
CREATE UNIQUE INDEX member_auth_username_folded ON member_auth (username_folded, siteid)
    WHERE username_folded IS NOT NULL;
-- The members without a folded name, mostly none. They are found by their exact name.
CREATE INDEX member_auth_unfolded ON member_auth (siteid, username) WHERE username_folded IS NULL;

-- Few members have an expiry. The writer asks every second whether one is due.
CREATE INDEX member_auth_expire_at ON member_auth (expire_at) WHERE expire_at IS NOT NULL;

-- Those who were members and are not any more. An ACTIVATE without a password restores the old one.
-- The names in this table are free.
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
    -- When the DELETE arrived, or the instant of the expiry (not the moment of the move).
    ended_at          INTEGER NOT NULL,
    -- Raised when the member left: an earlier login is not valid after the member comes back.
    login_version     INTEGER NOT NULL DEFAULT 1,
    stamp             INTEGER,
    -- Of provisional members only: a postback finds them by it.
    username_folded   TEXT,
    PRIMARY KEY (siteid, memberid),
    CHECK ((password IS NOT NULL) + (sealed IS NOT NULL) + (cryptpass_wrapped IS NOT NULL) = 1)
) STRICT, WITHOUT ROWID;

-- A failed login looks its name up here too. A name that nobody ever had may be a password.
CREATE INDEX former_member_username ON former_member (username);
CREATE INDEX former_member_provisional ON former_member (username_folded, siteid)
    WHERE username_folded IS NOT NULL;

-- What NATS said and what was done, in the order of effect.
CREATE TABLE journal (
    -- The order of effect. Pruning leaves the newest record, so that no id is used twice.
    id                INTEGER PRIMARY KEY,
    at                INTEGER NOT NULL,  -- when it took effect
    -- Who sent it.
    source            TEXT NOT NULL CHECK (source IN ('nats', 'operator', 'replay')),
    -- The caller's address, behind listed proxies. NULL for commands.
    address           TEXT,
    -- NULL if it was none of the eight actions.
    action            TEXT,
    -- These three as far as they were readable.
    siteid            INTEGER,
    memberid          INTEGER,
    username          TEXT,
    -- The fields without their names: see journal_shape. journal_text has their whole text.
    fields            TEXT NOT NULL,
    reply             TEXT NOT NULL,
    -- The instant of an EXPIRE, computed with the settings of that day.
    expire_at         INTEGER,
    -- What this postback put into the row, so that a replay gives the same row.
    password          TEXT,
    cryptpass         TEXT,
    session_sha256    BLOB,
    sealed            BLOB,
    cryptpass_wrapped TEXT,
    -- 1 if this postback raised login_version, otherwise NULL.
    logins_ended      INTEGER CHECK (logins_ended = 1),
    -- While a jump of the clock was being confirmed: members whose time ended by then were moved.
    -- NULL: by `at`.
    moved_until       INTEGER,
    -- 1 if --stale-guard found that the postback was older than the last change, otherwise NULL.
    stale             INTEGER,
    -- Who made the change in the console. NULL for NATS and for commands.
    operator          TEXT
) STRICT;

-- The hashing backlog, newest first. Partial, so that it has the sealed records only and stays
-- small.
CREATE INDEX journal_sealed ON journal (id) WHERE sealed IS NOT NULL;

-- The records of one member: for the history of a member, and because a seal or hash that is
-- replaced in the row is replaced in its records too.
CREATE INDEX journal_member ON journal (siteid, memberid);

-- The lists of field names that records have. The fields of a record are urlencoded again in the
-- order received, with secrets, name, address and ip as ***. They are stored without their names,
-- because most records have the same names. An example: `siteid=1&password=***&email=&trial=0` is
-- stored as `~3&=&~&&0`, if the names `siteid=&password=&email=&trial=` have the number 3. The
-- values follow: `=` stands for the column of the record, and `~` for ***. Fields that do not begin
-- with `~` are the whole text. The number of lists is limited, and none is removed.
CREATE TABLE journal_shape (
    id                INTEGER PRIMARY KEY,
    -- In their order, as in `action=&password=&***`.
    names             TEXT NOT NULL UNIQUE
) STRICT;

-- The journal with the whole text of its fields, each value behind its name, for queries by hand.
CREATE VIEW journal_text AS
    SELECT id, at, source, address, action, siteid, memberid, username,
        CASE WHEN fields NOT LIKE '~%' THEN fields ELSE (
            WITH RECURSIVE part (text, names, vals) AS (
                SELECT '', journal_shape.names || '&',
                    substr(journal.fields, instr(journal.fields, '&') + 1) || '&'
                FROM journal_shape
                WHERE journal_shape.id = CAST(substr(journal.fields, 2) AS INTEGER)
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
        reply, expire_at, password, cryptpass, session_sha256, sealed, cryptpass_wrapped,
        logins_ended, moved_until, stale, operator
    FROM journal;

-- How far the conversion of older records is, which have names and values in one text. No row:
-- there is nothing left to convert.
CREATE TABLE journal_conversion (
    one               INTEGER PRIMARY KEY CHECK (one = 1),
    first_id          INTEGER NOT NULL,  -- the first record that there was
    next_id           INTEGER NOT NULL,  -- the next record to convert
    last_id           INTEGER NOT NULL   -- the last record to convert
) STRICT;

-- Logins that ended by a logout: the ids from their cookies, until the cookies end by themselves.
-- At most 64 rows for each member. Beyond that, the older half becomes one row of logout_before,
-- and so does each row that is older than the lifetime of a login.
CREATE TABLE logout (
    id                BLOB PRIMARY KEY,  -- 16 random bytes, made at the login
    until             INTEGER NOT NULL,  -- when the row may be deleted
    -- The member whose login it was. NULL in rows from before version 4.
    siteid            INTEGER,
    memberid          INTEGER,
    issued            INTEGER            -- when they logged in
) STRICT, WITHOUT ROWID;
CREATE INDEX logout_member ON logout (siteid, memberid, issued) WHERE siteid IS NOT NULL;
CREATE INDEX logout_issued ON logout (issued) WHERE siteid IS NOT NULL;
CREATE INDEX logout_until ON logout (until) WHERE siteid IS NULL;

-- All logins of the member that were issued at or before this second have ended, if they have this
-- login_version or an older one. A clock that was ahead for long may have left a second in the
-- future. `member logout` then ends its effect, because it raises the login_version.
CREATE TABLE logout_before (
    siteid            INTEGER NOT NULL,
    memberid          INTEGER NOT NULL,
    issued            INTEGER NOT NULL,
    login_version     INTEGER NOT NULL,
    PRIMARY KEY (siteid, memberid)
) STRICT, WITHOUT ROWID;
CREATE INDEX logout_before_issued ON logout_before (issued);

-- The current blocks for password guessing, for `nats-userman block` and for the next start.
CREATE TABLE block (
    -- pair: one name from one network. network: all names from it. name: one name from everywhere.
    kind              TEXT NOT NULL CHECK (kind IN ('pair', 'network', 'name')),
    -- As in 203.0.113.9 or 2001:db8::/64. Empty if the kind is name.
    network           TEXT NOT NULL,
    -- Folded. Empty if the kind is network.
    username          TEXT NOT NULL,
    since             INTEGER NOT NULL,
    until             INTEGER NOT NULL,
    PRIMARY KEY (kind, network, username)
) STRICT, WITHOUT ROWID;

-- The networks from which members have logged in, as hashes under a key derived from cookie.key.
-- Without that file they reveal neither members nor addresses. A block of a name does not apply to
-- the member's known networks.
CREATE TABLE known_network (
    member            BLOB NOT NULL,     -- a keyed hash of siteid and memberid
    network           BLOB NOT NULL,     -- a keyed hash of these and the network
    day               INTEGER NOT NULL,  -- of the last login from there, in days since 1970
    PRIMARY KEY (member, network)
) STRICT, WITHOUT ROWID;
-- Beyond the limit, the longest unused ones are evicted.
CREATE INDEX known_network_day ON known_network (day);

-- When a login was last used, if an inactivity timeout is set.
CREATE TABLE login_seen (
    siteid            INTEGER NOT NULL,
    memberid          INTEGER NOT NULL,
    -- The id of the login from its cookie. At most 64 for each member.
    id                BLOB NOT NULL,
    at                INTEGER NOT NULL,
    PRIMARY KEY (siteid, memberid, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX login_seen_at ON login_seen (at);

-- Logins, failed logins and logouts, for the operator. Visitors cause them, so that their number is
-- limited: see src/login/history.rs. --login-days prunes them.
CREATE TABLE login (
    id                INTEGER PRIMARY KEY,  -- rises with time
    at                INTEGER NOT NULL,
    -- login: it succeeded. unknown: no member of the sites has the name. wrong: the password was
    -- wrong. trial: a member on trial, where only full members are admitted. blocked: there were
    -- too many wrong passwords. shared: the member is kept out because of sharing.
    event             TEXT NOT NULL CHECK
        (event IN ('login', 'unknown', 'wrong', 'trial', 'blocked', 'shared', 'logout')),
    -- page: the login page. basic: the browser's own prompt.
    way               TEXT NOT NULL CHECK (way IN ('page', 'basic')),
    siteid            INTEGER NOT NULL,
    memberid          INTEGER,              -- NULL: no member is meant, or it is not known who
    -- As it was typed, if a member or a former member has it. Otherwise `?` and a keyed hash,
    -- because it may be a password. NULL for a logout.
    name              TEXT,
    network           TEXT NOT NULL         -- as in 203.0.113.9 or 2001:db8::/64
) STRICT;
CREATE INDEX login_member ON login (siteid, memberid) WHERE memberid IS NOT NULL;

-- The networks from which each member has used the members area lately, if sharing protection is
-- on. At most 64 for each member.
CREATE TABLE sharing_network (
    siteid            INTEGER NOT NULL,
    memberid          INTEGER NOT NULL,
    network           TEXT NOT NULL,        -- as in 203.0.113.0/24 or 2001:db8::/48
    first_at          INTEGER NOT NULL,
    -- Of a network in constant use, this is written a few times in the period that is counted.
    last_at           INTEGER NOT NULL,
    country           TEXT,                 -- two letters, if there is a file of countries
    PRIMARY KEY (siteid, memberid, network)
) STRICT, WITHOUT ROWID;
CREATE INDEX sharing_network_last_at ON sharing_network (last_at);

-- The members who used too many networks, the latest time for each. They are blocked until then.
-- With the action `log` nobody is blocked, and `until` is `since`.
CREATE TABLE sharing_block (
    siteid            INTEGER NOT NULL,
    memberid          INTEGER NOT NULL,
    since             INTEGER NOT NULL,
    until             INTEGER NOT NULL,
    -- Too many networks in the period, too many at once, or too many countries.
    why               TEXT NOT NULL CHECK (why IN ('networks', 'at_once', 'countries')),
    PRIMARY KEY (siteid, memberid)
) STRICT, WITHOUT ROWID;
CREATE INDEX sharing_block_until ON sharing_block (until);

-- Those who may log in to the console. They are no members.
CREATE TABLE operator (
    name              TEXT PRIMARY KEY,
    -- support: searches, reads and changes members. admin: everything.
    role              TEXT NOT NULL CHECK (role IN ('support', 'admin')),
    password_hash     TEXT NOT NULL,     -- argon2id (PHC)
    created_at        INTEGER NOT NULL,
    changed_at        INTEGER NOT NULL   -- when the password was set
) STRICT, WITHOUT ROWID;

-- The logins of operators, at most 32 for each of them.
CREATE TABLE operator_session (
    -- Of the random token in the cookie.
    token_sha256      BLOB PRIMARY KEY,
    name              TEXT NOT NULL,
    -- Of the password hash at the login: a new password ends the session.
    password_sha256   BLOB NOT NULL,
    began_at          INTEGER NOT NULL,
    ends_at           INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX operator_session_name ON operator_session (name, began_at);
CREATE INDEX operator_session_ends_at ON operator_session (ends_at);

-- Random, and replaced when all logins are ended: a cookie is valid under one epoch only. No row:
-- all logins were never ended.
CREATE TABLE login_epoch (
    one               INTEGER PRIMARY KEY CHECK (one = 1),
    id                BLOB NOT NULL
) STRICT;

-- The key of the seals, which distinguishes a wrong key from a damaged seal.
CREATE TABLE seal_key (
    one               INTEGER PRIMARY KEY CHECK (one = 1),
    id                BLOB NOT NULL  -- a hash of the key, which does not reveal it
) STRICT;

-- The version of the folding rules that username_folded was computed with. If the program has
-- another version, it folds all names again.
CREATE TABLE folding (
    one               INTEGER PRIMARY KEY CHECK (one = 1),
    version           INTEGER NOT NULL
) STRICT;

-- Identifies the WAL file that belongs to this database file: see src/store/sqlite/wal_mark.rs. The
-- columns have a fixed size, so that an update happens in place.
CREATE TABLE wal_mark (
    one               INTEGER PRIMARY KEY CHECK (one = 1),
    tag               BLOB NOT NULL,  -- a constant, by which the row is found in the pages of a WAL
    id                BLOB NOT NULL,  -- 16 random bytes, new in every transaction
    previous          BLOB NOT NULL,  -- the id of the transaction before
    cookie            BLOB NOT NULL   -- PRAGMA schema_version at that transaction, 4 bytes
) STRICT;
INSERT INTO wal_mark
    VALUES (1, x'ffc0e17b9ad34f10b6fe8c01f7a5c2ee', randomblob(16), zeroblob(16), zeroblob(4));

-- GET /health writes here, because only a commit proves that a commit works.
CREATE TABLE health (
    one               INTEGER PRIMARY KEY CHECK (one = 1),
    probed_at         INTEGER NOT NULL,
    -- As many pages as a postback needs: a full disk may have room for one page and not for a
    -- postback.
    room              BLOB
) STRICT;
INSERT INTO health (one, probed_at) VALUES (1, 0);
