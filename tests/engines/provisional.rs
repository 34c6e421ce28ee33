//! Provisional members, beyond what `tests/golden/provisional.txt` tells: replays of their journal.

use nats_userman::password::Vault;

use crate::ENGINES;
use crate::engines::property::replays::{dump, replay};
use crate::support::{App, NOON, temp_dir};

pub const FIRST: i64 = 1 << 62;

#[test]
fn a_replay_gives_the_rows_of_members_who_were_provisional_column_for_column() {
    for engine in ENGINES {
        let Some(app) = App::start_on_engine(engine, &["--stale-guard"]) else { continue };
        let import = |place: i64, name: &str| {
            app.post_as_operator(&format!(
                "action=MANUALADD&siteid=1&memberid={}&username={name}&password=secret{place}",
                FIRST + place
            ));
        };
        (0..4).for_each(|place| import(place, &format!("hashed{place}")));
        app.harden();
        // This credential would be compared with the next one, if the row did not move.
        app.post_as_operator(&format!(
            "action=MANUALADD&siteid=1&memberid={}&username=sealed4&password=earlier",
            FIRST + 4
        ));
        (4..8).for_each(|place| import(place, &format!("sealed{place}")));
        let post = |body: &str| {
            let reply = app.post(body);
            assert!(reply.starts_with("OK|"), "{body}: {reply}");
        };
        for (first, kind) in [(0, "hashed"), (4, "sealed")] {
            let [a, b, c, d] = [first, first + 1, first + 2, first + 3];
            post(&format!("action=DELETE&siteid=1&memberid=7{a}&username={kind}{a}"));
            post(&format!(
                "action=CHANGE&siteid=1&memberid=7{b}&username={kind}{b}&new_trial=1&stamp=200"
            ));
            post(&format!(
                "action=ADD&siteid=1&memberid=7{c}&username={kind}{c}&password=other&stamp=300"
            ));
            post(&format!("action=ACTIVATE&siteid=1&memberid=7{d}&username={kind}{d}"));
            post(&format!("action=DELETE&siteid=1&memberid=7{b}&stamp=100"));
        }
        let compare = |when: &str| {
            let vault = Vault::load(&app.config.data_dir.seal_key()).unwrap();
            let dir = temp_dir();
            let again =
                replay(dir.path(), "again", &app.config.location, &vault, false, NOON).unwrap();
            assert_eq!(dump(&again.location), dump(&app.config.location), "{engine:?}, {when}");
        };
        compare("sealed");
        app.harden();
        compare("hashed");
        for (member, password) in [(71, "secret1"), (72, "other"), (73, "secret3"), (75, "secret5")]
        {
            assert!(app.opens(1, member, password), "{engine:?}: {member}");
        }
        post("action=ACTIVATE&siteid=1&memberid=74&username=sealed4");
        assert!(app.opens(1, 74, "secret4"), "the credential of a former member opens");
        assert!(!app.opens(1, 72, "secret2"), "{engine:?}");
        compare("back");
    }
}
