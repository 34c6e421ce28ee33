//! A receiver on SQLite is killed again and again; see [`crate::engines::crash`].

use nats_userman::store::Location;
use tempfile::TempDir;

use crate::engines::crash::{CRASHES, kill_again_and_again, number};

#[test]
fn what_was_acknowledged_survives_every_kill_and_what_was_not_is_there_whole_or_not_at_all() {
    let dir = TempDir::new().unwrap();
    let data = dir.path().join("data");
    let location = Location::sqlite(data.join("userman.db"));
    kill_again_and_again(&data, &location, &[], number("CRASHES").unwrap_or(CRASHES));
}
