//! The connection to MariaDB is lost at a COMMIT. The receiver finds out whether it took place
//! before it answers, and says so where it cannot find out.

use std::time::Duration;

use mysql::prelude::Queryable as _;
use nats_userman::store::open_reader;
use tempfile::TempDir;

use crate::engines::migration::{everything, used};
use crate::support::ran::run;
use crate::support::{MariaDatabase, Program, eventually, temp_dir};
use proxy::{Cut, Proxy};

#[allow(dead_code, reason = "shared with the tests of a cluster")]
#[path = "../cluster/proxy.rs"]
mod proxy;

/// A receiver that reaches its database through a proxy.
struct Scene {
    database: MariaDatabase,
    proxy: Proxy,
    program: Program,
    _dir: TempDir,
}

/// A proxy to the server of this database, and the setting by which it is used.
fn proxied(database: &MariaDatabase) -> (Proxy, String) {
    let setting = database.setting_with_password();
    let (before, port) = setting.rsplit_once(':').unwrap();
    let (port, name) = port.split_once('/').unwrap();
    let proxy = Proxy::start(port.parse().unwrap());
    let setting = format!("{before}:{}/{name}", proxy.port);
    (proxy, setting)
}

impl Scene {
    fn new() -> Option<Self> {
        let database = MariaDatabase::new()?;
        let (proxy, setting) = proxied(&database);
        let dir = temp_dir();
        let program = Program::serve(dir.path(), &["--database", &setting]);
        Some(Self { database, proxy, program, _dir: dir })
    }

    fn add(&self, member: usize) -> (u16, String) {
        let name = format!("name{member}");
        let body = format!("action=ADD&siteid=1&memberid={member}&username={name}&password=secret");
        let response = self.program.post(&body).unwrap();
        (response.status, response.body)
    }

    /// How often the journal has a postback about this member, and whether there is the member.
    fn found(&self, member: usize) -> (i64, i64) {
        let count = |table: &str| {
            let query = format!("SELECT COUNT(*) FROM {table} WHERE memberid = {member}");
            self.database.connect().query_first(query).unwrap().unwrap()
        };
        (count("journal"), count("member_auth"))
    }
}

fn added(member: usize) -> (u16, String) {
    (200, format!("OK|member {member} \"name{member}\" added to site 1"))
}

#[test]
fn a_commit_whose_answer_is_lost_is_looked_up_and_applied_once() {
    let Some(scene) = Scene::new() else { return };
    let late = |milliseconds| Cut::Late(Duration::from_millis(milliseconds));
    let cuts = [Cut::Before, Cut::After, late(0), late(2), late(20), late(300)];
    for (round, cut) in cuts.into_iter().cycle().take(5 * cuts.len()).enumerate() {
        let (member, late_before) = (71 + round, scene.proxy.late());
        scene.proxy.cut_next(cut);
        assert_eq!(scene.add(member), added(member), "{cut:?}");
        assert!(scene.proxy.is_done(), "{cut:?}");
        if let Cut::Late(_) = cut {
            eventually("the late COMMIT has come", || scene.proxy.late() > late_before);
        }
        assert_eq!(scene.found(member), (1, 1), "{cut:?}");
    }
}

#[test]
fn a_refusal_without_a_member_whose_commit_has_no_answer_is_looked_up_and_recorded_once() {
    let Some(scene) = Scene::new() else { return };
    let refusals = || -> Vec<String> {
        let query = "SELECT reply FROM journal WHERE memberid IS NULL";
        scene.database.connect().query(query).unwrap()
    };
    for (round, cut) in [Cut::Before, Cut::After, Cut::Late(Duration::ZERO)].into_iter().enumerate()
    {
        let late_before = scene.proxy.late();
        scene.proxy.cut_next(cut);
        let body = format!("action=DELETE&siteid=1&memberid=x{round}");
        let response = scene.program.post(&body).unwrap();
        let expected = format!(
            "ERROR|memberid: expected a number from 1 to 4611686018427387903, found \"x{round}\""
        );
        assert_eq!(response.body, expected, "{cut:?}");
        assert!(scene.proxy.is_done(), "{cut:?}");
        if let Cut::Late(_) = cut {
            eventually("the late COMMIT has come", || scene.proxy.late() > late_before);
        }
        let found = refusals();
        assert_eq!((found.len(), found.last()), (round + 1, Some(&response.body)), "{cut:?}");
    }
}

#[test]
fn a_sender_is_told_that_the_outcome_is_unknown_while_nobody_can_look_it_up() {
    let Some(scene) = Scene::new() else { return };
    assert_eq!(scene.add(71), added(71));
    let proxy = scene.proxy.clone();
    // The server is out of reach from the COMMIT on.
    proxy.cut_next(Cut::After);
    proxy.close(true);
    let unknown = "ERROR|temporarily unavailable, outcome unknown, send it again";
    assert_eq!(scene.add(72), (503, unknown.to_owned()));
    assert_eq!(scene.found(72), (1, 1), "it took place");
    proxy.close(false);
    eventually("the sender's second attempt is answered", || {
        let (status, body) = scene.add(72);
        status == 200 && body.starts_with("OK|member 72 ")
    });
    assert_eq!(scene.found(72), (2, 1), "both postbacks, one member");
}

#[test]
fn a_copy_of_the_journal_whose_commit_has_no_answer_is_looked_up_and_made_once() {
    for cut in [Cut::Before, Cut::After, Cut::Late(Duration::ZERO)] {
        let Some(database) = MariaDatabase::new() else { return };
        let (proxy, to) = proxied(&database);
        let (source, dir) = (used(), temp_dir());
        let (from, data) = (source.location.setting(), dir.path().join("data"));
        proxy.cut_next(cut);
        let data = ["--data-dir", data.to_str().unwrap()];
        let ran = run(&[&["migrate-store", "--from", &from, "--to", &to], &data[..]].concat());
        assert!(proxy.is_done(), "{cut:?}");
        assert!(ran.out.contains("  journal               14 rows"), "{cut:?}: {ran:?}");
        let [one, other] = [&source.location, &database.location()].map(|it| open_reader(it));
        assert_eq!(everything(&*one.unwrap()), everything(&*other.unwrap()), "{cut:?}");
    }
}
