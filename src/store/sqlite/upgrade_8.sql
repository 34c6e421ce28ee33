-- From version 7 to 8: operators of the console, and who made a change there. schema.sql explains
-- the columns.

ALTER TABLE journal ADD COLUMN operator TEXT;

DROP VIEW journal_text;

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

CREATE TABLE operator (
    name              TEXT PRIMARY KEY,
    role              TEXT NOT NULL CHECK (role IN ('support', 'admin')),
    password_hash     TEXT NOT NULL,
    created_at        INTEGER NOT NULL,
    changed_at        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE operator_session (
    token_sha256      BLOB PRIMARY KEY,
    name              TEXT NOT NULL,
    password_sha256   BLOB NOT NULL,
    began_at          INTEGER NOT NULL,
    ends_at           INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX operator_session_name ON operator_session (name, began_at);
CREATE INDEX operator_session_ends_at ON operator_session (ends_at);
