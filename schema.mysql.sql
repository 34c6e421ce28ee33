-- The tables of nats-userman in MariaDB or MySQL, version 4. This file is the newest schema as a
-- whole. The steps that upgrade older tables are in src/store/mysql/schema.rs. schema.sql explains
-- each column; this file explains what differs.
--
-- Times are unix seconds, UTC. Every table has a primary key, which Galera needs. No table depends
-- on a collation but for the columns `username`, which a direct reader compares, and `email`.

CREATE TABLE IF NOT EXISTS member_auth (
    siteid            BIGINT NOT NULL,
    memberid          BIGINT NOT NULL,
    -- For TMM's query by a direct reader. NULL if the name has other than ASCII characters, because
    -- no collation compares those as this program does.
    username          VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_nopad_ci,
    username_sent     VARCHAR(255) NOT NULL,
    -- The folded name in UTF-8. A member who does not hold the folded form has a zero byte and the
    -- name in ASCII lower case here. No name has a zero byte.
    username_key      VARBINARY(1024) NOT NULL,
    password          VARCHAR(255),
    cryptpass         VARCHAR(255),
    -- The collation finds it without case, and also some that differ: the program compares again.
    email             VARCHAR(255) COLLATE utf8mb4_general_ci,
    trial             TINYINT NOT NULL CHECK (trial IN (0, 1)),
    biller            VARCHAR(255),
    session_sha256    BINARY(32),
    joined            BIGINT,
    expires           BIGINT,
    expire_at         BIGINT,
    sealed            VARBINARY(2048),
    cryptpass_wrapped VARCHAR(512),
    -- `before` of schema.sql, a hash or wrapped cryptpass here, a seal there.
    before_form       VARCHAR(512),
    before_sealed     VARBINARY(2048),
    login_version     BIGINT NOT NULL DEFAULT 1,
    stamp             BIGINT,
    PRIMARY KEY (siteid, memberid),
    UNIQUE KEY member_auth_username (username, siteid),
    UNIQUE KEY member_auth_username_key (username_key, siteid),
    KEY member_auth_expire_at (expire_at),
    KEY member_auth_email (email),
    CHECK ((password IS NOT NULL) + (sealed IS NOT NULL) + (cryptpass_wrapped IS NOT NULL) = 1)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin ROW_FORMAT = DYNAMIC;

CREATE TABLE IF NOT EXISTS former_member (
    siteid            BIGINT NOT NULL,
    memberid          BIGINT NOT NULL,
    username_sent     VARCHAR(255) NOT NULL,
    -- The folded name in UTF-8.
    username_key      VARBINARY(1024) NOT NULL,
    password          VARCHAR(255),
    cryptpass         VARCHAR(255),
    email             VARCHAR(255) COLLATE utf8mb4_general_ci,
    trial             TINYINT NOT NULL CHECK (trial IN (0, 1)),
    biller            VARCHAR(255),
    session_sha256    BINARY(32),
    joined            BIGINT,
    expires           BIGINT,
    sealed            VARBINARY(2048),
    cryptpass_wrapped VARCHAR(512),
    before_form       VARCHAR(512),
    before_sealed     VARBINARY(2048),
    reason            VARCHAR(8) NOT NULL CHECK (reason IN ('deleted', 'expired')),
    ended_at          BIGINT NOT NULL,
    login_version     BIGINT NOT NULL DEFAULT 1,
    stamp             BIGINT,
    PRIMARY KEY (siteid, memberid),
    KEY former_member_username_key (username_key),
    KEY former_member_email (email),
    CHECK ((password IS NOT NULL) + (sealed IS NOT NULL) + (cryptpass_wrapped IS NOT NULL) = 1)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin ROW_FORMAT = DYNAMIC;

CREATE TABLE IF NOT EXISTS journal (
    -- Rises with the order of effect of the records of one member, and from the record that gives a
    -- name up to the one that takes it. It is not the order of the commits of several receivers: a
    -- refusal of a name may have a higher number than the record that gives the name up.
    id                BIGINT NOT NULL AUTO_INCREMENT,
    at                BIGINT NOT NULL,
    source            VARCHAR(8) NOT NULL CHECK (source IN ('nats', 'operator', 'replay')),
    address           VARCHAR(64),
    action            VARCHAR(16),
    siteid            BIGINT,
    memberid          BIGINT,
    username          VARCHAR(255),
    fields            MEDIUMTEXT NOT NULL,
    reply             TEXT NOT NULL,
    expire_at         BIGINT,
    password          VARCHAR(255),
    cryptpass         VARCHAR(255),
    session_sha256    BINARY(32),
    sealed            VARBINARY(2048),
    cryptpass_wrapped VARCHAR(512),
    logins_ended      TINYINT CHECK (logins_ended = 1),
    moved_until       BIGINT,
    stale             TINYINT,
    operator          VARCHAR(64),
    -- Counts the records of one member. Two receivers that decide about one member at once write
    -- the same number, and one of them has to decide again.
    seq               BIGINT,
    -- The transaction, by a random number. A receiver that lost the connection during a COMMIT
    -- looks here whether it happened.
    batch             BIGINT NOT NULL,
    -- 1 while `sealed` is not NULL: the hashing backlog.
    waiting           TINYINT,
    PRIMARY KEY (id),
    UNIQUE KEY journal_member (siteid, memberid, seq),
    KEY journal_waiting (waiting, id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin ROW_FORMAT = DYNAMIC;

CREATE TABLE IF NOT EXISTS journal_shape (
    id                BIGINT NOT NULL,
    names             TEXT NOT NULL,
    -- SHA-256 of the names, because an index cannot hold all of them.
    names_sha256      BINARY(32) NOT NULL,
    PRIMARY KEY (id),
    UNIQUE KEY journal_shape_names (names_sha256)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS logout (
    id                BINARY(16) NOT NULL,
    until             BIGINT NOT NULL,
    siteid            BIGINT NOT NULL,
    memberid          BIGINT NOT NULL,
    issued            BIGINT NOT NULL,
    PRIMARY KEY (id),
    KEY logout_member (siteid, memberid, issued),
    KEY logout_issued (issued)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS logout_before (
    siteid            BIGINT NOT NULL,
    memberid          BIGINT NOT NULL,
    issued            BIGINT NOT NULL,
    login_version     BIGINT NOT NULL,
    PRIMARY KEY (siteid, memberid),
    KEY logout_before_issued (issued)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS block (
    kind              VARCHAR(8) NOT NULL CHECK (kind IN ('pair', 'network', 'name')),
    network           VARCHAR(64) NOT NULL,
    username          VARBINARY(1024) NOT NULL,
    since             BIGINT NOT NULL,
    until             BIGINT NOT NULL,
    PRIMARY KEY (kind, network, username)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS known_network (
    member            BINARY(16) NOT NULL,
    network           BINARY(16) NOT NULL,
    day               BIGINT NOT NULL,
    PRIMARY KEY (member, network),
    KEY known_network_day (day)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS login_seen (
    siteid            BIGINT NOT NULL,
    memberid          BIGINT NOT NULL,
    id                BINARY(16) NOT NULL,
    at                BIGINT NOT NULL,
    PRIMARY KEY (siteid, memberid, id),
    KEY login_seen_at (at)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS login (
    id                BIGINT NOT NULL AUTO_INCREMENT,
    at                BIGINT NOT NULL,
    event             VARCHAR(8) NOT NULL CHECK
        (event IN ('login', 'unknown', 'wrong', 'trial', 'blocked', 'shared', 'logout')),
    way               VARCHAR(8) NOT NULL CHECK (way IN ('page', 'basic')),
    siteid            BIGINT NOT NULL,
    memberid          BIGINT,
    name              VARCHAR(255),
    network           VARCHAR(64) NOT NULL,
    PRIMARY KEY (id),
    KEY login_member (siteid, memberid, id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS sharing_network (
    siteid            BIGINT NOT NULL,
    memberid          BIGINT NOT NULL,
    network           VARCHAR(64) NOT NULL,
    first_at          BIGINT NOT NULL,
    last_at           BIGINT NOT NULL,
    country           CHAR(2),
    PRIMARY KEY (siteid, memberid, network),
    KEY sharing_network_last_at (last_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS sharing_block (
    siteid            BIGINT NOT NULL,
    memberid          BIGINT NOT NULL,
    since             BIGINT NOT NULL,
    until             BIGINT NOT NULL,
    why               VARCHAR(16) NOT NULL CHECK (why IN ('networks', 'at_once', 'countries')),
    PRIMARY KEY (siteid, memberid),
    KEY sharing_block_until (until)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS operator (
    name              VARCHAR(64) NOT NULL,
    role              VARCHAR(8) NOT NULL CHECK (role IN ('support', 'admin')),
    password_hash     VARCHAR(255) NOT NULL,
    created_at        BIGINT NOT NULL,
    changed_at        BIGINT NOT NULL,
    PRIMARY KEY (name)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS operator_session (
    token_sha256      BINARY(32) NOT NULL,
    name              VARCHAR(64) NOT NULL,
    password_sha256   BINARY(32) NOT NULL,
    began_at          BIGINT NOT NULL,
    ends_at           BIGINT NOT NULL,
    PRIMARY KEY (token_sha256),
    KEY operator_session_name (name, began_at),
    KEY operator_session_ends_at (ends_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS login_epoch (
    one               TINYINT NOT NULL CHECK (one = 1),
    id                BINARY(16) NOT NULL,
    PRIMARY KEY (one)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS seal_key (
    one               TINYINT NOT NULL CHECK (one = 1),
    id                BINARY(16) NOT NULL,
    PRIMARY KEY (one)
) ENGINE = InnoDB;

-- The key that signs login cookies. All receivers have the same one.
CREATE TABLE IF NOT EXISTS cookie_key (
    one               TINYINT NOT NULL CHECK (one = 1),
    id                BINARY(16) NOT NULL,
    PRIMARY KEY (one)
) ENGINE = InnoDB;

-- Settings that the receivers have to agree on, as the one that started last has them.
CREATE TABLE IF NOT EXISTS receiver_setting (
    name              VARCHAR(64) NOT NULL,
    value             VARCHAR(255) NOT NULL,
    PRIMARY KEY (name)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Which receiver does the work that one receiver does for all: expiry, hashing, pruning.
CREATE TABLE IF NOT EXISTS lease (
    name              VARCHAR(16) NOT NULL,
    holder            BINARY(16) NOT NULL,  -- random, of one process
    until             BIGINT NOT NULL,      -- by the clock of the server
    renewals          BIGINT NOT NULL,
    PRIMARY KEY (name)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
INSERT IGNORE INTO lease VALUES ('background', '', 0, 0);

CREATE TABLE IF NOT EXISTS folding (
    one               TINYINT NOT NULL CHECK (one = 1),
    version           BIGINT NOT NULL,
    PRIMARY KEY (one)
) ENGINE = InnoDB;

-- A row here: `migrate-store` has not copied everything yet, and no receiver may use the tables.
CREATE TABLE IF NOT EXISTS migration (
    one               TINYINT NOT NULL CHECK (one = 1),
    began             BIGINT NOT NULL,  -- by the clock of the server
    batch             BIGINT,           -- the last one that was copied
    PRIMARY KEY (one)
) ENGINE = InnoDB;

-- GET /health writes here. Each receiver has a slot, so that they do not conflict.
CREATE TABLE IF NOT EXISTS health (
    slot              TINYINT UNSIGNED NOT NULL,
    probed_at         BIGINT NOT NULL,
    PRIMARY KEY (slot)
) ENGINE = InnoDB;

-- Written last: without a row here, the creation of the tables was interrupted.
CREATE TABLE IF NOT EXISTS schema_version (
    one               TINYINT NOT NULL CHECK (one = 1),
    version           BIGINT NOT NULL,
    PRIMARY KEY (one)
) ENGINE = InnoDB;
