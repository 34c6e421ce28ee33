//! `import` on every engine.

mod killed;

use std::fs;
use std::path::Path;

use crate::ENGINES;
use crate::support::ran::{run_beside, write};
use crate::support::{Beside, EngineKind, Program, Request, TestDatabase, send_raw, temp_dir};

/// Members with each kind of credential. Every password is `testtest`.
pub const MEMBERS: &str = "siteid,memberid,username,password,cryptpass,email,trial,joined\n\
    1,71,bob,testtest,,b@example.com,0,1496792016\n\
    1,72,\"ann, the 2nd\",,41R19prsa7NLQ,,1,\n\
    2,71,bob,,$2y$04$......................LAtw7/ohmmBAhnXqmkuIz83Rl5Qdjhm,,,\n\
    2,73,sue,,$apr1$abcdefgh$0UjStWmXslmzQv7sQKyIS/,,,\n\
    2,74,eve,,{SHA}Uau5Y2B43vv4iNhFenx2+FyPEUw=,,,\n";

pub const ADDED: &str = "5 added, 0 changed, 0 were so already, 0 refused\n";

/// The first postback of NATS with the name takes the row over; then the file has nothing to say
/// about this member.
#[test]
fn a_file_of_htpasswd_makes_provisional_members_until_nats_names_them() {
    for engine in ENGINES {
        let Some(database) = TestDatabase::new(engine) else { continue };
        let dir = temp_dir();
        let data = data_in(dir.path());
        let flags = database.flags();
        let program = Program::serve(&data, &flags.each_ref().map(String::as_str));
        let hash = "$2y$04$......................LAtw7/ohmmBAhnXqmkuIz83Rl5Qdjhm";
        let file = write(dir.path(), "htpasswd", format!("bob:{hash}\nann:{hash}\n"));
        let import =
            || run_beside(&database, &data, &["import", "--site", "1", &file]).printed().to_owned();
        assert_eq!(import(), "2 added, 0 changed, 0 were so already, 0 refused\n", "{engine:?}");
        assert_eq!(import(), "0 added, 0 changed, 2 were so already, 0 refused\n", "{engine:?}");
        let said = program.post("action=DELETE&siteid=1&memberid=72&username=Ann").unwrap().body;
        let taken = "OK|member 72 \"ann\" removed from site 1; until now the provisional member ";
        assert!(said.starts_with(taken), "{said}");
        let said = program.post("action=CHANGE&siteid=1&memberid=71&username=BOB").unwrap().body;
        assert!(said.contains("; until now the provisional member "), "{said}");
        let beside = Beside::open(&database.location());
        assert_eq!(beside.rows("SELECT memberid FROM member_auth"), ["71"], "{engine:?}");
        assert_eq!(
            import(),
            "0 added, 0 changed, 0 were so already, 1 left out because they are former members, \
             1 left out because a member with a memberid of NATS has the name, 0 refused\n",
            "{engine:?}: who has left does not come back by an old list"
        );
    }
}

pub fn data_in(dir: &Path) -> std::path::PathBuf {
    dir.join("data")
}

#[test]
fn an_import_beside_a_running_service_takes_effect_at_once_on_both_stores() {
    for engine in ENGINES {
        let Some(database) = TestDatabase::new(engine) else { continue };
        let dir = temp_dir();
        let data = data_in(dir.path());
        let flags = database.flags();
        let mut program = Program::serve(&data, &flags.each_ref().map(String::as_str));
        let auth = |name: &str, password: &str| {
            let request = Request::get("/auth?site=1").basic(name, password).from("192.0.2.1");
            send_raw(program.address, request).unwrap().status
        };
        assert_eq!(auth("bob", "testtest"), 401, "{engine:?}");
        let file = write(dir.path(), "members.csv", MEMBERS);
        assert_eq!(run_beside(&database, &data, &["import", &file]).printed(), ADDED);
        assert_eq!(auth("bob", "testtest"), 200, "{engine:?}");
        assert_eq!(auth("ann, the 2nd", "testtest"), 200, "{engine:?}");
        let removed = program.post("action=DELETE&siteid=1&memberid=71").unwrap().body;
        assert_eq!(removed, "OK|member 71 \"bob\" removed from site 1", "{engine:?}");
        assert!(program.terminate().success());
        let beside = Beside::open(&database.location());
        let column = beside.username();
        let names = format!("SELECT memberid, {column} FROM member_auth WHERE siteid = 1");
        assert_eq!(beside.rows(&names), ["72|ann, the 2nd"], "{engine:?}");
    }
}

#[test]
fn ten_thousand_rows_are_imported_in_batches_on_both_stores() {
    let mut text = String::from("memberid\tusername\tpassword\n");
    for id in 1..=10_000 {
        text.push_str(&format!("{id}\tm{id}\tsecret{id}\n"));
    }
    for engine in ENGINES {
        let Some(database) = TestDatabase::new(engine) else { continue };
        let dir = temp_dir();
        let file = write(dir.path(), "members.tsv", &text);
        let args = ["import", &file, "--site", "1", "--expect-count", "10000"];
        let counts =
            |added, same| format!("{added} added, 0 changed, {same} were so already, 0 refused\n");
        let data = data_in(dir.path());
        assert_eq!(run_beside(&database, &data, &args).printed(), counts(10_000, 0));
        assert_eq!(run_beside(&database, &data, &args).printed(), counts(0, 10_000));
        let all = "SELECT count(*), min(memberid), max(memberid) FROM member_auth";
        assert_eq!(Beside::open(&database.location()).rows(all), ["10000|1|10000"], "{engine:?}");
        if engine == EngineKind::Sqlite {
            let wal = database.location().file().unwrap().with_file_name("userman.db-wal");
            assert_eq!(fs::metadata(wal).unwrap().len(), 0, "as after a clean stop");
        }
    }
}
