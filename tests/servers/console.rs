//! The console of receivers that share a database.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use nats_userman::operator::Role;

use tempfile::TempDir;

use crate::engines::console::tail::{Tail, add};
use crate::support::{App, Console, EngineKind, OPS, Request, send_raw, temp_dir};

/// A directory with the keys of this receiver.
pub fn with_keys_of(app: &App) -> TempDir {
    let dir = temp_dir();
    let data = dir.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::set_permissions(&data, Permissions::from_mode(0o700)).unwrap();
    for key in ["seal.key", "cookie.key"] {
        fs::copy(app.dir.path().join("data").join(key), data.join(key)).unwrap();
    }
    dir
}

#[test]
fn two_receivers_of_one_database_share_operators_and_their_sessions() {
    let Some(app) = App::start_on_engine(EngineKind::MariaDb, &OPS) else { return };
    let other = app.another(with_keys_of(&app), &OPS);
    let anna = app.console("anna", Role::Admin);
    let there = |console: &Console| {
        send_raw(other.ops.unwrap(), Request::get("/").cookie(&console.cookie)).unwrap().status
    };
    assert_eq!(there(&anna), 200);
    assert_eq!(anna.post("/logout", "").status, 303);
    assert_eq!(there(&anna), 303, "the logout counts at both");
    assert_eq!(there(&app.log_in_operator("anna")), 200);
}

/// With several receivers, a number is taken before the commit: a record can come after one with a
/// higher number.
#[test]
fn a_record_that_is_committed_after_one_with_a_higher_number_is_sent_once() {
    let Some(app) = App::start_on_engine(EngineKind::MariaDb, &OPS) else { return };
    let anna = app.console("anna", Role::Support);
    add(&app, 71, "first");
    let mut tail = Tail::open(&app, &anna, "", None);
    let commit = |id: u32, member: u32| {
        let insert = format!(
            "INSERT INTO journal (id, at, source, siteid, memberid, fields, reply, batch) \
             VALUES ({id}, 1781524800, 'nats', 1, {member}, '', 'OK|was so already', 0) \
             RETURNING id"
        );
        assert_eq!(app.rows(&insert), [id.to_string()]);
    };
    commit(1_002, 2);
    assert_eq!(tail.until("id:"), "id: 1002");
    assert_eq!(tail.record()["id"], 1_002);
    commit(1_001, 1);
    assert_eq!(tail.until("id:"), "id: 1002", "a browser that comes again gets no record twice");
    assert_eq!(tail.record()["id"], 1_001);
    commit(1_003, 3);
    assert_eq!(tail.record()["id"], 1_003, "and none of them again");
}
