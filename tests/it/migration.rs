//! `migrate-store` from a file to a file.

mod command;
mod refused;

use crate::engines::migration::{copy, dump, sqlite_in, used};
use crate::support::{check_database, temp_dir};

#[test]
fn a_copy_of_a_file_has_every_column_of_every_row() {
    let (used, dir) = (used(), temp_dir());
    let before = dump(&used.location);
    let to = sqlite_in(&dir, "copy");
    let migrated = copy(&used.location, &to).unwrap();
    assert_eq!(migrated.found, 0);
    let mut left: Vec<_> = std::fs::read_dir(dir.path().join("copy"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, ["userman.db", "userman.lock"]);
    assert_eq!(dump(&to), before);
    assert_eq!(dump(&used.location), before, "the source is not changed");
    check_database(&to);
    let rows: Vec<u64> = migrated.tables.iter().map(|table| table.rows).collect();
    assert_eq!(rows, [6, 1, 14, 2, 1, 1, 1, 1, 1, 1, 1, 1]);
}
