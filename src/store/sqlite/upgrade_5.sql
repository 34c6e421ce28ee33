-- From version 4 to 5: the names of a record's fields are stored once. What is new in schema.sql,
-- in the same words.

-- The lists of field names that journal records have. A bounded number of them: none is removed.
CREATE TABLE journal_shape (
    id                INTEGER PRIMARY KEY,
    names             TEXT NOT NULL UNIQUE       -- in their order, as in `action=&password=&***`
) STRICT;

ALTER TABLE journal ADD COLUMN shape INTEGER;

-- Which records still have their names beside the values. No row: all that can be are converted.
CREATE TABLE journal_conversion (
    one               INTEGER PRIMARY KEY CHECK (one = 1),
    first_id          INTEGER NOT NULL,          -- the first record that there was
    next_id           INTEGER NOT NULL,          -- the next record to convert
    last_id           INTEGER NOT NULL           -- the last record to convert
) STRICT;
INSERT INTO journal_conversion
    SELECT 1, (SELECT min(id) FROM journal), (SELECT min(id) FROM journal), (SELECT max(id) FROM journal)
    WHERE EXISTS (SELECT 1 FROM journal);
