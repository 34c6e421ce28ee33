//! Members on a server.

use nats_userman::action::Change;
use nats_userman::member::Member;
use nats_userman::store::{View, Wanted};

use crate::engines::conformance::{member, on_engine};
use crate::support::{Beside, EngineKind, NOON};

/// Two paths lead to former_member: with the postback that finds the member lapsed, and by itself.
#[test]
fn a_former_member_has_the_folded_name_on_a_server_whichever_way_they_left() {
    on_engine(EngineKind::MariaDb, |database| {
        let lapsed = |id, username| Member {
            expire_at: Some(NOON),
            holds_folded: false,
            ..member(1, id, username)
        };
        let (by_itself, loaded) = (lapsed(71, "\u{dc}BER"), lapsed(72, "\u{c4}RGER"));
        database.save(vec![Change::Insert(by_itself), Change::Insert(loaded.clone())]);
        database.commit(|engine| {
            let mut wanted = Wanted::default();
            wanted.keys.insert(loaded.key);
            engine.load(&wanted, &mut View::default(), (NOON + 1).into())?;
            assert_eq!(engine.expire_due(NOON + 1, 10)?, 1, "the other one");
            Ok(())
        });
        let names = "SELECT memberid, CONVERT(username_key USING utf8mb4) FROM former_member
             ORDER BY memberid";
        let names = Beside::open(&database.location).rows(names);
        assert_eq!(names, ["71|\u{fc}ber", "72|\u{e4}rger"]);
    });
}
