//! A receiver on MariaDB is killed again and again; see [`crate::engines::crash`].

use tempfile::TempDir;

use crate::engines::crash::{CRASHES, kill_again_and_again, number};
use crate::support::{EngineKind, TestDatabase};

#[test]
fn what_was_acknowledged_survives_every_kill_of_a_receiver_on_mariadb() {
    let Some(database) = TestDatabase::new(EngineKind::MariaDb) else { return };
    let (dir, flags) = (TempDir::new().unwrap(), database.flags());
    let flags = flags.each_ref().map(String::as_str);
    let crashes = number("CRASHES").unwrap_or(CRASHES) / 2;
    kill_again_and_again(&dir.path().join("data"), &database.location(), &flags, crashes);
}
