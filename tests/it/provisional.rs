//! Provisional members, beyond what `tests/golden/provisional.txt` tells: replays of their journal.

use nats_userman::password::Vault;

use crate::engines::provisional::FIRST;
use crate::property::replays::{dump, replay};
use crate::support::{App, NOON, temp_dir};

/// NATS never sends such a memberid. The operator may.
#[test]
fn a_postback_with_a_provisional_memberid_is_refused_by_a_replay_too() {
    let app = App::start();
    let refused =
        format!("ERROR|memberid: expected a number from 1 to {}, found \"{FIRST}\"", FIRST - 1);
    for action in ["DELETE", "ADD&username=bob&password=secret", "EXPIRE&expire=2020-01-01"] {
        let body = format!("siteid=1&memberid={FIRST}&action={action}");
        assert_eq!(app.post(&body), refused);
    }
    app.post_as_operator(&format!("action=DELETE&siteid=1&memberid={FIRST}"));
    let vault = Vault::load(&app.config.data_dir.seal_key()).unwrap();
    let dir = temp_dir();
    let again = replay(dir.path(), "again", &app.config.location, &vault, false, NOON).unwrap();
    assert_eq!(dump(&again.location), dump(&app.config.location));
}
