//! What a copy does not touch, and rows that cannot be copied.

use crate::engines::migration::refused::{why, write};
use crate::engines::migration::{sqlite_in, used};
use crate::support::temp_dir;

#[test]
fn a_row_that_cannot_be_read_is_named() {
    let (source, dir) = (used(), temp_dir());
    let to = sqlite_in(&dir, "copy");
    for (sql, place) in [
        (
            "UPDATE member_auth SET session_sha256 = x'00' WHERE memberid = 72",
            "member_auth with siteid 1 and memberid 72",
        ),
        (
            "UPDATE member_auth SET session_sha256 = NULL WHERE memberid = 72;
             UPDATE journal SET fields = '~7&x' WHERE id = 4",
            "journal record 4",
        ),
    ] {
        write(&source.location, sql);
        let said = why(&source.location, &to);
        let row = "the database holds a row that cannot be read";
        let begins = format!("cannot read the source (--from): {row}: {place}: ");
        assert!(said.starts_with(&begins), "{said}");
    }
}

#[test]
fn a_database_of_an_earlier_release_is_upgraded_by_its_service_first() {
    let dir = temp_dir();
    let (from, to) = (sqlite_in(&dir, "old"), sqlite_in(&dir, "new"));
    let old = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/releases/0.2.0/data/userman.db");
    std::fs::copy(old, from.file().unwrap()).unwrap();
    assert_eq!(
        why(&from, &to),
        format!(
            "the database {from} is of an earlier release: start the service on it once, stop it, \
             and run this again"
        )
    );
    assert!(!to.file().unwrap().exists());
}
