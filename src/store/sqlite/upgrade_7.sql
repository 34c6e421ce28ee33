-- From version 6 to 7: the stamps of records, and provisional members. schema.sql explains the
-- columns.

ALTER TABLE member_auth ADD COLUMN stamp INTEGER;
ALTER TABLE former_member ADD COLUMN stamp INTEGER;
ALTER TABLE former_member ADD COLUMN username_folded TEXT;
ALTER TABLE journal ADD COLUMN stale INTEGER;

CREATE INDEX former_member_provisional ON former_member (username_folded, siteid)
    WHERE username_folded IS NOT NULL;

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
        logins_ended, moved_until, stale
    FROM journal;
