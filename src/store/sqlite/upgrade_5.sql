-- From version 4 to 5: the names of a record's fields are stored once.
-- schema.sql explains the tables and columns. `journal` gets no new column: SQLite would check all
-- rows of a STRICT table for that, which takes a minute for five million records.

CREATE TABLE journal_shape (
    id                INTEGER PRIMARY KEY,
    names             TEXT NOT NULL UNIQUE
) STRICT;

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
        logins_ended, moved_until
    FROM journal;

CREATE TABLE journal_conversion (
    one               INTEGER PRIMARY KEY CHECK (one = 1),
    first_id          INTEGER NOT NULL,
    next_id           INTEGER NOT NULL,
    last_id           INTEGER NOT NULL
) STRICT;
INSERT INTO journal_conversion
    SELECT 1, (SELECT min(id) FROM journal), (SELECT min(id) FROM journal),
        (SELECT max(id) FROM journal)
    WHERE EXISTS (SELECT 1 FROM journal);
