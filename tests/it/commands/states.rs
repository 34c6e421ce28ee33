//! The database is checked in one place: every command reports the same problem in the same words.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::foreign::files;
use super::run_on;
use crate::support::{App, Program, rows, stride, temp_dir};

/// What `member list` prints if there are no members.
const NOBODY: &str = "siteid\tmemberid\tusername\ttrial\texpire_at\n";
const CAPTURE: &str = "action=CHECK&siteid=1&username=bob\n";

/// All commands that need a database, except `check-config`.
const COMMANDS: [&[&str]; 10] = [
    &["serve", "--listen", "127.0.0.1:0"],
    &["replay", "CAPTURE"],
    &["replay", "--dry-run", "CAPTURE"],
    &["journal"],
    &["member", "list"],
    &["member", "show", "1", "71"],
    &["member", "remove", "1", "71"],
    &["member", "restore", "1", "71"],
    &["block", "list"],
    &["block", "lift", "--all"],
];

/// A data directory that a service has used and left with all data in the database file. The file
/// has several pages.
fn used() -> (tempfile::TempDir, PathBuf) {
    let dir = temp_dir();
    let data = dir.path().join("data");
    fs::write(dir.path().join("capture"), CAPTURE).unwrap();
    let mut program = Program::serve(&data, &[]);
    program.post("action=ADD&siteid=1&memberid=71&username=bob&password=secret").unwrap();
    assert!(program.terminate().success());
    whole(&data);
    (dir, data)
}

/// Copies the WAL into the database, and removes the WAL and its index.
fn whole(data: &Path) {
    let conn = Connection::open(data.join("userman.db")).unwrap();
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
    assert!(rows(&conn, "PRAGMA wal_checkpoint(TRUNCATE)")[0].starts_with("0|"));
    drop(conn);
    lose_log(data);
}

fn lose_log(data: &Path) {
    for name in ["userman.db-wal", "userman.db-shm"] {
        let _ = fs::remove_file(data.join(name));
    }
}

fn put(data: &Path, bytes: &[u8]) {
    fs::write(data.join("userman.db"), bytes).unwrap();
    fs::set_permissions(data.join("userman.db"), Permissions::from_mode(0o640)).unwrap();
}

/// The content of a database file before its first checkpoint: one page, which says that there is a
/// WAL.
fn only_a_page() -> Vec<u8> {
    let dir = temp_dir();
    let path = dir.path().join("a.db");
    let conn = Connection::open(&path).unwrap();
    assert_eq!(rows(&conn, "PRAGMA journal_mode = WAL"), ["wal"]);
    drop(conn);
    let bytes = fs::read(path).unwrap();
    assert_eq!(bytes.len(), 4096);
    bytes
}

/// Regression: of the same empty database, `serve` said that it was empty, `check-config` that all
/// was well, and `member list` that it had version 0.
#[test]
fn every_command_says_the_same_of_a_database_that_cannot_be_used() {
    let (dir, data) = used();
    let database = data.join("userman.db");
    let good = fs::read(&database).unwrap();
    let at = database.display();
    let alter = |sql: &str| {
        put(&data, &good);
        Connection::open(&database).unwrap().execute_batch(sql).unwrap();
        whole(&data);
    };
    let damaged = format!(
        "the database {at} is damaged or no SQLite database; nothing was changed, restore a \
         backup: the database cannot be used: "
    );
    let malformed = "Error code 11: database disk image is malformed";
    let no_database = "file is not a database: Error code 26: file is not a database";
    let empty =
        format!("the database {at} is empty: restore a backup, or remove the file to begin anew");
    let lost_log = format!(
        "the database {at} is empty: what it held was in {at}-wal, which is gone; put that file \
         back, or restore a backup"
    );
    type Case<'a> = (&'a str, Box<dyn Fn() + 'a>, String);
    let cases: [Case<'_>; 9] = [
        ("log and index were deleted", Box::new(|| put(&data, &only_a_page())), lost_log),
        ("no byte", Box::new(|| put(&data, b"")), empty),
        (
            "no byte, and a log",
            Box::new(|| {
                put(&data, b"");
                fs::write(data.join("userman.db-wal"), vec![1; 8192]).unwrap();
                fs::set_permissions(data.join("userman.db-wal"), Permissions::from_mode(0o640))
                    .unwrap();
            }),
            format!("{damaged}the file is empty and its log is not: {malformed}"),
        ),
        (
            "the end is lost",
            Box::new(|| put(&data, &good[..8192])),
            format!("{damaged}the file is shorter than its header says: {malformed}"),
        ),
        (
            "no whole header",
            Box::new(|| put(&data, &good[..50])),
            format!("{damaged}the file ends within its header: {malformed}"),
        ),
        (
            "a broken header",
            Box::new(|| put(&data, &[&[0xaa; 100][..], &good[100..]].concat())),
            format!("{damaged}{no_database}"),
        ),
        (
            "a text",
            Box::new(|| put(&data, &b"not a database\n".repeat(1000))),
            format!("{damaged}{no_database}"),
        ),
        (
            "another program's",
            Box::new(|| alter("PRAGMA application_id = 7")),
            format!("cannot use the database {at}: it is a database of another program"),
        ),
        (
            "a newer release's",
            Box::new(|| alter("PRAGMA user_version = 99")),
            format!(
                "cannot use the database {at}: it has version 99, and this release supports \
                 versions up to 8; install the newer release again"
            ),
        ),
    ];
    // Each case with other commands, and with each command that no other one is like.
    let every = stride(3);
    for (turn, (what, make, said)) in cases.into_iter().enumerate() {
        lose_log(&data);
        make();
        let before = files(&data);
        let line = format!("nats-userman: {said}\n");
        let others = COMMANDS[1..].iter().skip(turn % every).step_by(every);
        for args in [COMMANDS[0], &["check-config"]].iter().chain(others) {
            let capture = dir.path().join("capture");
            let args: Vec<_> = args
                .iter()
                .map(|arg| if *arg == "CAPTURE" { capture.to_str().unwrap() } else { arg })
                .collect();
            let ran = run_on(&data, &args);
            let is_setting = args[0] == "serve" && what == "another program's";
            let code = if is_setting { 2 } else { 1 };
            assert_eq!((ran.code, ran.err), (Some(code), line.clone()), "{what}: {args:?}");
            assert!(files(&data) == before, "{what}: {args:?}: a file was changed or made");
        }
    }
}

#[test]
fn a_first_start_that_was_cut_short_is_no_loss_and_serve_is_what_goes_on() {
    for bytes in [Vec::new(), only_a_page()] {
        let (dir, data) = used();
        fs::remove_file(data.join("seal.key")).unwrap();
        put(&data, &bytes);
        let said = format!(
            "nats-userman: the database {} is empty, as a first start leaves it that was cut \
             short: `nats-userman serve` creates it\n",
            data.join("userman.db").display()
        );
        for args in &COMMANDS[3..] {
            run_on(&data, args).ended(1, &said);
        }
        let capture = dir.path().join("capture");
        let capture = capture.to_str().unwrap();
        let dry = run_on(&data, &["replay", "--dry-run", capture]).printed();
        assert!(dry.ends_with("0 OK, 1 NOTOK, 0 ERROR; nothing was changed\n"), "{dry}");
        assert!(run_on(&data, &["check-config"]).printed().ends_with("configuration OK\n"));
        assert_eq!(fs::read(data.join("userman.db")).unwrap(), bytes);
        run_on(&data, &["replay", capture]).printed();
        assert_eq!(run_on(&data, &["member", "list"]).printed(), NOBODY);
    }
}

/// Only `serve` and `replay` upgrade a database. An operator who removes a member does not expect
/// an upgrade.
#[test]
fn a_database_of_an_earlier_release_is_left_to_serve() {
    let (_dir, data) = used();
    fs::remove_file(data.join("userman.db")).unwrap();
    let conn = Connection::open(data.join("userman.db")).unwrap();
    conn.execute_batch(include_str!("../../schemas/version_1.sql")).unwrap();
    conn.execute_batch(
        "PRAGMA application_id = 1314222957; PRAGMA user_version = 1; PRAGMA journal_mode = WAL",
    )
    .unwrap();
    drop(conn);
    lose_log(&data);
    fs::set_permissions(data.join("userman.db"), Permissions::from_mode(0o640)).unwrap();
    let before = files(&data);
    let said = format!(
        "nats-userman: cannot use the database {}: it has version 1, older than this release's 8; \
         `nats-userman serve` upgrades it\n",
        data.join("userman.db").display()
    );
    for args in &COMMANDS[3..] {
        run_on(&data, args).ended(1, &said);
        assert!(files(&data) == before, "{args:?}: a file was changed or made");
    }
    run_on(&data, &["check-config"]).printed();
    assert!(files(&data) == before, "check-config: a file was changed or made");
    assert!(Program::serve(&data, &[]).terminate().success());
    assert_eq!(run_on(&data, &["member", "list"]).printed(), NOBODY);
}

/// Leaf pages in the middle of a table or an index.
fn leaves(database: &Path, name: &str) -> Vec<usize> {
    let conn = Connection::open(database).unwrap();
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
    let sql = format!(
        "SELECT pageno FROM dbstat WHERE name = '{name}' AND pagetype = 'leaf' ORDER BY path"
    );
    let pages: Vec<usize> = rows(&conn, &sql).iter().map(|page| page.parse().unwrap()).collect();
    assert!(pages.len() > 5, "{name}: {pages:?}");
    pages[2..5].to_vec()
}

#[test]
fn check_config_finds_broken_pages_wherever_they_are_and_serve_does_not_look_for_them() {
    let app = App::start();
    for id in 1..=600 {
        app.post(&format!(
            "action=ADD&siteid=1&memberid={id}&username=member-of-a-long-name-{id}&password=secret"
        ));
    }
    let data = app.config.data_dir.path().to_owned();
    let dir = app.stop();
    whole(&data);
    fs::write(data.join("postback-token"), format!("{}\n", crate::support::TOKEN)).unwrap();
    fs::set_permissions(data.join("postback-token"), Permissions::from_mode(0o600)).unwrap();
    let database = data.join("userman.db");
    let index = {
        let conn = Connection::open(&database).unwrap();
        let sql = "SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name = \
            'member_auth' AND sql IS NOT NULL LIMIT 1";
        rows(&conn, sql)[0].clone()
    };
    let broken =
        [leaves(&database, "member_auth"), leaves(&database, &index), leaves(&database, "journal")];
    whole(&data);
    let good = fs::read(&database).unwrap();
    assert!(run_on(&data, &["check-config"]).printed().ends_with("configuration OK\n"));
    for pages in broken {
        let mut bytes = good.clone();
        for page in &pages {
            bytes[(page - 1) * 4096..page * 4096].fill(0xaa);
        }
        lose_log(&data);
        put(&data, &bytes);
        let before = files(&data);
        let ran = run_on(&data, &["check-config"]);
        let said = format!(
            "nats-userman: the database {} is damaged; restore a backup: broken places: ",
            database.display()
        );
        let count = ran
            .err
            .strip_prefix(&said)
            .unwrap_or_else(|| panic!("{ran:?}"))
            .split(',')
            .next()
            .unwrap();
        assert!(count.parse::<usize>().unwrap() >= 3, "{ran:?}");
        assert!(ran.err.contains(", the first: Tree ") && ran.err.contains(" page "), "{ran:?}");
        assert_eq!((ran.code, ran.err.lines().count()), (Some(1), 1), "{ran:?}");
        assert!(!ran.out.contains("nothing is wrong"), "{ran:?}");
        assert!(files(&data) == before, "a file was changed or made");
        assert!(Program::serve(&data, &[]).terminate().success());
    }
    drop(dir);
}

#[test]
fn check_config_reads_a_database_that_is_being_served_and_changes_nothing() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    let program = Program::serve(&data, &[]);
    program.post("action=ADD&siteid=1&memberid=71&username=bob&password=secret").unwrap();
    let mut check = crate::support::program();
    check
        .args(["check-config", "--data-dir"])
        .arg(&data)
        .env("USERMAN_POSTBACK_TOKEN", crate::support::TOKEN);
    assert!(super::end(check).printed().ends_with("configuration OK\n"));
    assert_eq!(
        program.post("action=CHECK&siteid=1&username=bob").unwrap().body,
        "OK|username \"bob\" is taken on site 1"
    );
    assert_eq!(
        rows(
            &Connection::open(data.join("userman.db")).unwrap(),
            "SELECT memberid FROM member_auth"
        ),
        ["71"]
    );
}
