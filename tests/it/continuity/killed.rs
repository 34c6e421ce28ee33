//! An upgrade is killed at any moment. The database is the old one or the new one.

use std::path::Path;

use super::upgrade::{copies, look, version};
use super::{Kept, journal, kept, table, tables};
use crate::shim::{KILLED, Shim};
use crate::support::{Program, rows};

/// The next call at which the upgrade is killed: first every call, later in growing steps.
/// `UPGRADE_KILLS=all cargo test killed` tests every call.
fn next(step: usize) -> usize {
    let each = std::env::var("UPGRADE_KILLS").as_deref() == Ok("all");
    if each { step + 1 } else { step + 1 + step / 2 }
}

/// The content of the columns that the old release had.
fn content(old: &Kept, database: &Path) -> Vec<(String, Vec<String>)> {
    let (of_old, conn) = (look(&old.database()), look(database));
    let is_old = version(&of_old) == version(&conn);
    let mut found: Vec<_> = tables(&of_old)
        .into_iter()
        .map(|(name, columns)| {
            let shown = if name == "journal" { journal(&conn) } else { &name };
            let rows = table(&conn, shown, &columns);
            (name, rows)
        })
        .collect();
    // The upgrade folds the names of blocks again.
    found.retain(|(name, _)| is_old || name != "block");
    found
}

#[test]
fn an_upgrade_that_is_killed_at_any_moment_leaves_the_old_or_the_new_database() {
    let Some(shim) = Shim::new() else { return };
    for release in ["0.1.0", "0.3.0"] {
        let old = kept(release);
        let before = content(&old, &old.database());
        let was = version(&look(&old.database()));
        let mut seen = [0, 0];
        for call in ["open", "write", "sync"] {
            let mut left = kept(release);
            let mut step = 0;
            loop {
                let data = left.data().canonicalize().unwrap();
                shim.fail_once(call, KILLED, step);
                let started = Program::run(shim.program(&data, false), &data, &[]);
                shim.heal(call);
                // The upgrade makes fewer such calls.
                if started.is_ok() {
                    break;
                }
                let what = format!("{release}: killed at {call} {step}");
                let conn = look(&left.database());
                let is_new = version(&conn) != was;
                assert!(!is_new || version(&conn) == "8", "{what}: version {}", version(&conn));
                seen[usize::from(is_new)] += 1;
                assert_eq!(rows(&conn, "PRAGMA integrity_check"), ["ok"], "{what}");
                let mut expected = before.clone();
                expected.retain(|(name, _)| !is_new || name != "block");
                assert!(content(&old, &left.database()) == expected, "{what}: other content");
                let copy = format!("userman.db.v{was}");
                for name in copies(&data).iter().filter(|name| **name == copy) {
                    let copy = look(&data.join(name));
                    assert_eq!(version(&copy), was, "{what}");
                    assert_eq!(rows(&copy, "PRAGMA integrity_check"), ["ok"], "{what}");
                }
                if is_new {
                    left = kept(release);
                }
                step = next(step);
            }
        }
        assert!(seen.iter().all(|&count| count > 3), "{release}: old and new {seen:?}");
    }
}
