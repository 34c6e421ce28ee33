//! The copy that an upgrade keeps, and the return to the old release with it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::kept::releases;
use super::{kept, table};
use crate::support::{Mounted, Program, program, rows, temp_dir};

pub fn look(path: &Path) -> Connection {
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
}

pub fn version(conn: &Connection) -> String {
    rows(conn, "PRAGMA user_version").remove(0)
}

fn objects(conn: &Connection) -> Vec<String> {
    rows(conn, "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY 1, 2")
}

pub fn copies(data: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(data)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = entries.filter(|name| name.starts_with("userman.db.")).collect();
    names.sort();
    names
}

fn upgraded(data: &Path, flags: &[&str]) -> String {
    let mut service = Program::serve(data, flags);
    assert!(service.terminate().success());
    service.stderr()
}

#[test]
fn the_way_back_is_a_copy_of_the_old_database_with_every_row_as_it_was() {
    for release in releases() {
        let (before, after) = (kept(&release), kept(&release));
        let old = Connection::open(before.database()).unwrap();
        let log = upgraded(&after.data(), &[]);
        let new = look(&after.database());
        if version(&old) == version(&new) {
            continue;
        }
        let copy: PathBuf = after.data().join(format!("userman.db.v{}", version(&old)));
        let begun =
            format!("upgrading the database from version {} to {}", version(&old), version(&new));
        assert!(log.contains(&begun) && log.contains(copy.to_str().unwrap()), "{release}: {log}");
        let members = "SELECT (SELECT count(*) FROM member_auth)
             + (SELECT count(*) FROM former_member), (SELECT count(*) FROM journal)";
        let counts = rows(&old, members).remove(0);
        let (members, records) = counts.split_once('|').unwrap();
        let done = format!(
            "upgraded the database from version {} to {}: {members} members and {records} journal \
             records, in ",
            version(&old),
            version(&new)
        );
        assert!(log.contains(&done), "{release}: {done}: {log}");
        assert_eq!(
            std::fs::metadata(&copy).unwrap().permissions().mode() & 0o7777,
            0o640,
            "{release}"
        );
        let kept = look(&copy);
        assert_eq!(rows(&kept, "PRAGMA integrity_check"), ["ok"], "{release}");
        assert_eq!((version(&kept), objects(&kept)), (version(&old), objects(&old)), "{release}");
        for name in rows(&old, "SELECT name FROM sqlite_schema WHERE type = 'table'") {
            let columns = rows(&old, &format!("SELECT name FROM pragma_table_info('{name}')"));
            assert!(
                table(&old, &name, &columns) == table(&kept, &name, &columns),
                "{release}: {name} differs in the copy"
            );
        }
        let again = upgraded(&after.data(), &[]);
        assert!(!again.contains("upgrad"), "{release}: {again}");
    }
}

#[test]
fn a_copy_that_is_there_is_never_overwritten_and_an_equal_one_is_taken() {
    let (first, second) = (kept("0.1.0"), kept("0.1.0"));
    upgraded(&first.data(), &[]);
    // As after a crash between copy and upgrade: the old database, and a copy of it.
    std::fs::copy(first.data().join("userman.db.v2"), second.data().join("userman.db.v2")).unwrap();
    upgraded(&second.data(), &[]);
    assert_eq!(copies(&second.data()), ["userman.db.v2"]);
    // Other content under the name of the copy, and an unfinished copy from a crash.
    let third = kept("0.1.0");
    std::fs::write(third.data().join("userman.db.v2"), "somebody's").unwrap();
    std::fs::write(third.data().join("userman.db.v2.tmp"), "half").unwrap();
    std::fs::write(third.data().join("userman.db.v2.tmp-journal"), "half").unwrap();
    let log = upgraded(&third.data(), &[]);
    assert!(log.contains("userman.db.v2.1"), "{log}");
    assert_eq!(copies(&third.data()), ["userman.db.v2", "userman.db.v2.1"]);
    assert_eq!(std::fs::read(third.data().join("userman.db.v2")).unwrap(), b"somebody's");
    assert_eq!(version(&look(&third.data().join("userman.db.v2.1"))), "2");
}

#[test]
fn without_a_copy_nothing_is_upgraded_unless_it_is_asked_for() {
    let left = kept("0.1.0");
    // A directory under that name makes the copy fail, as a full disk would.
    let in_the_way = left.data().join("userman.db.v2.tmp");
    std::fs::create_dir(&in_the_way).unwrap();
    let refused = program()
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(left.data())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    let expected = format!(
        "nats-userman: cannot use the database {}: it has version 2, and no copy of it can be kept \
         in {} before the upgrade; nothing was changed: remove the cause, or upgrade without a \
         copy by --no-upgrade-copy: Is a directory (os error 21)\n",
        left.database().display(),
        left.data().display()
    );
    assert!(said.ends_with(&expected), "{said}");
    assert_eq!(version(&look(&left.database())), "2");
    let log = upgraded(&left.data(), &["--no-upgrade-copy"]);
    assert!(log.contains("upgrading the database from version 2 to 8, without a copy"), "{log}");
    assert_eq!(copies(&left.data()), ["userman.db.v2.tmp"]);
    assert_eq!(version(&look(&left.database())), "8");
}

/// Both figures in the message are in MiB. Free space is rounded down, needed space is rounded up.
fn mib(bytes: u64) -> u64 {
    bytes.div_ceil(1024 * 1024)
}

#[test]
fn a_disk_that_is_too_small_for_the_copy_is_found_before_anything_is_written() {
    let (left, mount) = (kept("0.1.0"), temp_dir());
    let Some(mounted) = Mounted::tmpfs(mount.path(), "16m") else { return };
    let data = mounted.0.join("data");
    std::fs::create_dir(&data).unwrap();
    std::fs::set_permissions(&data, std::fs::metadata(left.data()).unwrap().permissions()).unwrap();
    for entry in std::fs::read_dir(left.data()).unwrap().map(Result::unwrap) {
        std::fs::copy(entry.path(), data.join(entry.file_name())).unwrap();
    }
    let database = data.join("userman.db");
    let pages: u64 = {
        let conn = Connection::open(&database).unwrap();
        // As after a stop of that release: all data is in the WAL, and the file has almost none.
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
        conn.execute_batch(
            "PRAGMA wal_autocheckpoint = 0;
             INSERT INTO journal (at, source, fields, reply)
                 VALUES (5, 'nats', hex(zeroblob(1000000)), 'OK|')",
        )
        .unwrap();
        rows(&conn, "PRAGMA page_count")[0].parse().unwrap()
    };
    let in_file = std::fs::metadata(&database).unwrap().len();
    assert!(in_file < 1_000_000);
    // For version 2: the copy, twice the database for what is rewritten, and what is in the WAL
    // alone.
    let needed = mib(pages * 4096 * 4 - in_file);
    let ballast = data.join("ballast");
    std::fs::write(&ballast, vec![1; 8 << 20]).unwrap();
    let space = rustix::fs::statvfs(&data).unwrap();
    let free = space.f_bavail * space.f_frsize;
    let before = std::fs::read(&database).unwrap();

    let mut serve = program();
    serve.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(&data);
    let refused = serve.output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    let expected = format!(
        "nats-userman: cannot use the database {}: it has version 2, and there is no room for the \
         copy of it that is kept before the upgrade: {} MiB are free in {}, and copy and upgrade \
         need {needed} MiB; nothing was changed: free {} MiB there, or upgrade without a copy by \
         --no-upgrade-copy\n",
        database.display(),
        free >> 20,
        data.display(),
        mib(pages * 4096 * 4 - in_file - free)
    );
    assert_eq!((refused.status.code(), said.ends_with(&expected)), (Some(1), true), "{said}");
    assert_eq!(std::fs::read(&database).unwrap(), before);
    assert_eq!(copies(&data), [""; 0]);
    let check = |flags: &[&str]| {
        let output =
            program().args(["check-config", "--data-dir"]).arg(&data).args(flags).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(text).unwrap())
    };
    let size = mib(pages * 4096);
    let plan = format!(
        "the next start upgrades the database from version 2 to 8, with a copy of {size} MiB, in \
         about a second: it needs up to {needed} MiB, and {} MiB are free",
        free >> 20
    );
    let (code, said) = check(&[]);
    assert!(code == Some(1) && said.contains(&format!("nats-userman: {plan}")), "{said}");
    let (code, said) = check(&["--no-upgrade-copy"]);
    let without = "the next start upgrades the database from version 2 to 8, without a copy, in";
    assert!(code == Some(0) && said.contains(without), "{said}");

    std::fs::remove_file(&ballast).unwrap();
    let (code, said) = check(&[]);
    let due = "the next start upgrades the database from version 2 to 8, with a copy of ";
    assert!(code == Some(0) && said.contains(due) && said.ends_with("configuration OK\n"));
    upgraded(&data, &[]);
    assert_eq!(copies(&data), ["userman.db.v2"]);
    assert!(!check(&[]).1.contains("upgrades"));
}

#[test]
fn a_damaged_old_database_is_found_and_left_alone() {
    let left = kept("0.1.0");
    Connection::open(left.database())
        .unwrap()
        .execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")
        .unwrap();
    // The root page of the index of names. Before the upgrade, only a check of the whole file reads
    // it.
    let conn = Connection::open(left.database()).unwrap();
    let page: usize = rows(&conn, "SELECT rootpage FROM sqlite_schema WHERE name = 'logout_until'")
        [0]
    .parse()
    .unwrap();
    let (bytes, file): (usize, _) =
        (rows(&conn, "PRAGMA page_size")[0].parse().unwrap(), left.database());
    drop(conn);
    let mut content = std::fs::read(&file).unwrap();
    content[(page - 1) * bytes..page * bytes].fill(0x5a);
    std::fs::write(&file, &content).unwrap();
    let checked = program().args(["check-config", "--data-dir"]).arg(left.data()).output().unwrap();
    let said = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(
        checked.status.code() == Some(1)
            && said.contains("is damaged; restore a backup: broken places: "),
        "{said}"
    );
    let refused = program()
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(left.data())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(1) && said.contains("is damaged"), "{said}");
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines.len() == 2 && lines[0].contains(" upgrading the database from "), "{said}");
    assert!(lines[1].contains(&format!(" page {page}")) && !said.contains("***"), "{said}");
    assert_eq!(copies(&left.data()), [""; 0]);
    assert_eq!(version(&look(&file)), "2");
}

#[test]
fn a_database_of_version_1_goes_up_in_one_go_and_its_copy_is_of_version_1() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let database = data.join("userman.db");
    let conn = Connection::open(&database).unwrap();
    conn.execute_batch(include_str!("../../schemas/version_1.sql")).unwrap();
    conn.execute_batch(
        "INSERT INTO member_auth (siteid, memberid, username, password, trial) VALUES (1, 71, \
         'Bob', '$2y$04$x', 0);
         PRAGMA application_id = 1314222957; PRAGMA user_version = 1",
    )
    .unwrap();
    drop(conn);
    let log = upgraded(&data, &[]);
    assert!(log.contains("upgrading the database from version 1 to 8; a copy"), "{log}");
    assert_eq!(version(&look(&data.join("userman.db.v1"))), "1");
    assert_eq!(
        rows(&look(&database), "SELECT username, username_folded FROM member_auth"),
        ["Bob|bob"]
    );
}
