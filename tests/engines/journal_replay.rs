//! `replay --journal` into a new database, on every engine.

use std::fs;

use super::import::{ADDED, MEMBERS, data_in};
use crate::ENGINES;
use crate::support::ran::{run_beside, write};
use crate::support::{Beside, TestDatabase, temp_dir};

/// Regression: a server without tables was refused, because the keys are those of a database that
/// was in use; and the journal was refused without the keys.
#[test]
fn a_journal_is_replayed_into_a_new_database_with_the_keys_of_the_other_one() {
    for engine in ENGINES {
        let (Some(from), Some(to)) = (TestDatabase::new(engine), TestDatabase::new(engine)) else {
            continue;
        };
        let dir = temp_dir();
        let (data, new) = (data_in(dir.path()), dir.path().join("new"));
        let file = write(dir.path(), "members.csv", MEMBERS);
        assert_eq!(run_beside(&from, &data, &["import", &file]).printed(), ADDED);
        let journal = run_beside(&from, &data, &["journal", "--json"]).printed();
        let journal = write(dir.path(), "journal.jsonl", journal);
        fs::create_dir(&new).unwrap();
        let replay = ["replay", "--journal", &journal];
        let without = run_beside(&to, &new, &replay);
        assert!(without.err.contains("copy the seal.key of that database into"), "{without:?}");
        fs::remove_dir_all(&new).unwrap();
        fs::create_dir(&new).unwrap();
        fs::copy(data.join("seal.key"), new.join("seal.key")).unwrap();
        let Some(to) = TestDatabase::new(engine) else { continue };
        let replayed = run_beside(&to, &new, &replay).printed();
        assert!(replayed.starts_with("5 "), "{engine:?}: {replayed}");
        let dump = |database: &TestDatabase| {
            Beside::open(&database.location()).dump("member_auth", "siteid, memberid", &[])
        };
        assert_eq!(dump(&from), dump(&to), "{engine:?}");
    }
}
