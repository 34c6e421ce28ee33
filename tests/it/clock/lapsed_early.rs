//! `member restore --lapsed-early`, with the real program and the clock of the machine. It undoes
//! what an earlier release did in a wrong year, or what a permanent jump of the clock did.

use rusqlite::Connection;

use super::{FORMER, MEMBERS};
use crate::commands::{Ran, run_on};
use crate::support::{Program, eventually, rows, temp_dir};

/// A date that stays in the future for as long as this program is tested.
const PAID_UNTIL: i64 = 4_102_444_800;
const HISTORY: &str = "SELECT source, action, reply FROM journal WHERE source = 'operator' AND \
    memberid = 71 ORDER BY id";

struct Scene {
    dir: tempfile::TempDir,
    program: Program,
}

impl Scene {
    /// Bob (71), Ann (72) and Cleo (73) of site 1, and Dora (71) of site 2, paid until 2100. Eve
    /// (74) expired long ago, and Finn (75) was deleted.
    fn new() -> Self {
        let dir = temp_dir();
        let program = Program::serve(dir.path(), &[]);
        let scene = Self { dir, program };
        for (site, member, name) in [
            (1, 71, "bob"),
            (1, 72, "ann"),
            (1, 73, "cleo"),
            (2, 71, "dora"),
            (1, 74, "eve"),
            (1, 75, "finn"),
        ] {
            scene.says(&format!(
                "action=ADD&siteid={site}&memberid={member}&username={name}&password=secret"
            ));
            scene.says(&format!("action=EXPIRE&siteid={site}&memberid={member}&expire=2100-01-01"));
        }
        scene.says("action=EXPIRE&siteid=1&memberid=74&expire=2020-01-01");
        scene.says("action=DELETE&siteid=1&memberid=75");
        scene
    }

    fn says(&self, body: &str) {
        let reply = self.program.post(body).unwrap().body;
        assert!(reply.starts_with("OK|"), "{body}: {reply}");
    }

    fn database(&self) -> Connection {
        Connection::open(self.dir.path().join("userman.db")).unwrap()
    }

    /// Moves all members whose membership has expired, as the writer does in the year 2101.
    fn lapse(&self) {
        let columns = "siteid, memberid, username, password, cryptpass, email, trial, biller, \
            session_sha256, joined, expires, \
                       sealed, cryptpass_wrapped, before";
        self.database()
            .execute_batch(&format!(
                "BEGIN IMMEDIATE;
                 INSERT INTO former_member ({columns}, login_version, reason, ended_at)
                     SELECT {columns}, login_version + 1, 'expired', expire_at FROM member_auth \
                     WHERE expire_at IS NOT NULL;
                 DELETE FROM member_auth WHERE expire_at IS NOT NULL;
                 UPDATE wal_mark SET previous = id, id = randomblob(16);
                 COMMIT"
            ))
            .unwrap();
    }

    fn rows(&self, sql: &str) -> Vec<String> {
        rows(&self.database(), sql)
    }

    fn restore(&self, args: &[&str]) -> Ran {
        run_on(self.dir.path(), &[&["member", "restore", "--lapsed-early"], args].concat())
    }
}

#[test]
fn all_who_lapsed_before_their_time_are_back_with_their_expiry_beside_a_running_service() {
    let scene = Scene::new();
    scene.lapse();
    assert_eq!(scene.rows(MEMBERS), [""; 0]);
    let printed = scene.restore(&[]).printed();
    assert!(
        printed.starts_with(
            "4 members restored who had expired too early, 0 refused; the clock shows 20"
        ),
        "{printed}"
    );
    let until = |member: i64| format!("{member}|{PAID_UNTIL}");
    assert_eq!(scene.rows(MEMBERS), [until(71), until(71), until(72), until(73)]);
    let left = scene.rows(FORMER);
    assert!(
        left.len() == 2 && left[0] == "74|expired|1577836800" && left[1].starts_with("75|deleted|"),
        "{left:?}"
    );
    assert_eq!(
        scene.rows(&format!("{HISTORY} LIMIT 3")),
        [
            "operator|DELETE|OK|member 71 is not a member of site 1 now, nothing to remove",
            "operator|ACTIVATE|OK|member 71 \"bob\" activated on site 1",
            "operator|EXPIRE|OK|member 71 \"bob\" of site 1 will expire at 2100-01-01T00:00:00Z"
        ]
    );
    assert!(scene.restore(&[]).printed().starts_with("0 members restored"), "nobody is left");
}

/// Regression: its transactions followed each other without a pause, so it held the lock whenever a
/// postback needed it.
#[test]
fn postbacks_are_taken_while_thousands_come_back() {
    let scene = Scene::new();
    scene.lapse();
    let columns = "siteid, login_version, reason, ended_at, password, sealed, cryptpass_wrapped";
    let many = format!(
        "WITH RECURSIVE n (i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
         INSERT INTO former_member (memberid, username, trial, {columns})
             SELECT i, 'many' || i, 0, {columns} FROM n, (SELECT {columns} FROM former_member \
             WHERE siteid = 2)"
    );
    scene.database().execute_batch(&many).unwrap();
    std::thread::scope(|scope| {
        let restoring = scope.spawn(|| scene.restore(&[]).printed());
        eventually("they are back", || {
            scene.says("action=ADD&siteid=1&memberid=90&username=gus&password=secret");
            restoring.is_finished()
        });
        assert!(restoring.join().unwrap().starts_with("2005 members restored"));
    });
}

#[test]
fn whose_name_is_taken_meanwhile_is_told_and_the_others_are_back() {
    let scene = Scene::new();
    scene.lapse();
    scene.says("action=ADD&siteid=1&memberid=80&username=BOB&password=other");
    let ran = scene.restore(&["1"]);
    ran.ended(1, "nats-userman: 1 member could not be restored: see above\n");
    let told = "member 71 of site 1 is not restored: member 80 has the username \"bob\" now; \
        `nats-userman member restore 1 71 --username NAME` gives another one; then send the \
        expiry at 2100-01-01T00:00:00Z again\n\
                2 members restored who had expired too early, 1 refused; the clock shows 20";
    assert!(ran.out.starts_with(told), "{}", ran.out);
    assert_eq!(
        scene.rows("SELECT siteid, memberid FROM member_auth ORDER BY siteid, memberid"),
        ["1|72", "1|73", "1|80"]
    );
    assert_eq!(scene.rows(HISTORY), [""; 0], "nothing was said of bob");
}

/// The journal has no record of the move. Its replay still gives equal rows.
#[test]
fn a_replay_of_the_journal_gives_the_same_rows() {
    let scene = Scene::new();
    scene.lapse();
    scene.restore(&[]).printed();
    let other = temp_dir();
    let journal = scene.dir.path().join("journal.jsonl");
    std::fs::write(&journal, run_on(scene.dir.path(), &["journal", "--json"]).printed()).unwrap();
    std::fs::copy(scene.dir.path().join("seal.key"), other.path().join("seal.key")).unwrap();
    let replayed = run_on(other.path(), &["replay", "--journal", journal.to_str().unwrap()]);
    assert_eq!(replayed.code, Some(0), "{replayed:?}");
    let again = Connection::open(other.path().join("userman.db")).unwrap();
    for sql in [
        "SELECT siteid, memberid, username, login_version, expire_at FROM member_auth ORDER BY \
         siteid, memberid",
        "SELECT siteid, memberid, username, login_version, reason, ended_at FROM former_member \
         ORDER BY siteid, memberid",
    ] {
        assert_eq!(rows(&again, sql), scene.rows(sql));
    }
}

#[test]
fn it_is_told_apart_from_the_restoring_of_one_member() {
    let dir = temp_dir();
    for (args, why) in [
        (&["member", "restore"][..], "whom?"),
        (&["member", "restore", "1"], "which one?"),
        (&["member", "restore", "--lapsed-early", "1", "71"], "one, or all of a site"),
        (&["member", "restore", "--lapsed-early", "--username", "x"], "one name for all"),
        (&["member", "restore", "--lapsed-early", "x"], "no site"),
    ] {
        assert_eq!(run_on(dir.path(), args).code, Some(2), "{why}");
    }
}
