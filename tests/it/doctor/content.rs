//! The database: version, settings, schema, pages and keys.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::time::Duration;

use nats_userman::doctor::{Depth, Level};
use rusqlite::Connection;

use super::Patient;
use crate::support::{Program, program, temp_dir};

const RESTORE: &str = "stop the service, then restore the last backup: docs/backup-restore.md";
const ADD: &str = "action=ADD&siteid=1&memberid=71&username=bob&password=secret";

fn sql(patient: &Patient, sql: &str) {
    Connection::open(patient.database()).unwrap().execute_batch(sql).unwrap();
}

#[test]
fn a_database_that_is_not_there_yet_or_is_older_is_told() {
    let patient = Patient::in_dir(temp_dir());
    patient.expect(
        "database",
        Level::Warning,
        &format!("there is no database at {} yet", patient.database().display()),
        "start the service, which creates it; if there was one, check --data-dir and --database",
    );
    let patient = Patient::new();
    sql(&patient, "PRAGMA user_version = 4");
    let finding = patient.finding("database");
    let beginning = "the next start upgrades the database from version 4 to 8, with a copy of ";
    assert!(finding.level == Level::Note && finding.found.starts_with(beginning), "{finding:?}");
    let remedy = "make a backup, then restart the service: docs/upgrade.md";
    assert_eq!(finding.remedy.as_deref(), Some(remedy));
    assert!(patient.findings("schema").is_empty());
    patient.expect_ok("pages", "no page of the database is damaged");
    sql(&patient, "PRAGMA user_version = 9");
    patient.expect(
        "database",
        Level::Serious,
        &format!(
            "cannot use the database {}: it has version 9, and this release supports versions up \
             to 8; install the newer release again",
            patient.database().display()
        ),
        "do what the finding says",
    );
}

/// A start would make an empty one, and NATS would fill it.
#[test]
fn a_database_that_is_lost_is_serious_and_every_command_says_how_to_get_it_back() {
    let patient = Patient::after(&[ADD]);
    let (data, database) = (patient.data(), patient.database());
    for left in ["userman.db", "userman.db-wal", "userman.db-shm"] {
        let _ = fs::remove_file(data.join(left));
    }
    let lost = || {
        patient.expect(
            "database",
            Level::Serious,
            &format!(
                "there is no database at {}, and the service has run here",
                database.display()
            ),
            "stop the service and restore the last backup (docs/backup-restore.md): a start makes \
             an empty database; or check --data-dir and --database",
        );
    };
    lost();
    let said = format!(
        "there is no database at {}, and the service has run here: restore the last backup before \
         you start the service, which would make an empty database; or correct --data-dir or \
         --database\n",
        database.display()
    );
    let run = |args: &[&str]| {
        let ran = program().args(args).arg("--data-dir").arg(&data).output().unwrap();
        [ran.stdout, ran.stderr].map(|out| String::from_utf8(out).unwrap())
    };
    for args in [&["member", "list"][..], &["backup", "/nowhere"], &["journal"]] {
        assert_eq!(run(args)[1], format!("nats-userman: {said}"), "{args:?}");
    }
    let [out, err] = run(&["check-config"]);
    assert!(out.contains(&format!("\n{said}otherwise, configuration OK\n")), "{out}{err}");
    // Either of the two shows that the service ran.
    fs::rename(data.join("served.json"), data.join("elsewhere")).unwrap();
    lost();
    fs::rename(data.join("elsewhere"), data.join("served.json")).unwrap();
    fs::remove_file(data.join("seal.key")).unwrap();
    lost();
    let mut program = Program::serve(&data, &[]);
    assert!(program.terminate().success());
    let warned = format!(
        " WARN  there was no database at {}, and the service has run here: an empty database was \
         created; if it was lost, stop the service and restore the backup",
        database.display()
    );
    assert!(program.stderr().contains(&warned), "{}", program.stderr());
}

/// A restore would lose the changes after the backup.
#[test]
fn a_restore_is_the_remedy_only_against_damage() {
    type Change = fn(&Patient);
    let states: [(&str, Change, &str, &str); 4] = [
        (
            "an interrupted restore",
            |patient| fs::write(patient.data().join("restore.json"), "{}").unwrap(),
            "was interrupted",
            "do what the finding says",
        ),
        (
            "another program's",
            |patient| {
                fs::remove_file(patient.database()).unwrap();
                sql(patient, "CREATE TABLE orders (id)");
            },
            "it is a database of another program",
            "check --data-dir and --database",
        ),
        (
            "a directory",
            |patient| {
                fs::remove_file(patient.database()).unwrap();
                fs::create_dir(patient.database()).unwrap();
            },
            "cannot use the database",
            "correct owner or mode as the finding says, or the file system: the database need \
             not be damaged",
        ),
        (
            "an empty file",
            |patient| fs::write(patient.database(), "").unwrap(),
            "is empty",
            RESTORE,
        ),
    ];
    for (name, change, found, remedy) in states {
        let patient = Patient::after(&[ADD]);
        change(&patient);
        let finding = patient.finding("database");
        assert!(finding.found.contains(found), "{name}: {finding:?}");
        assert_eq!(finding.remedy.as_deref(), Some(remedy), "{name}: {finding:?}");
    }
}

#[test]
fn a_foreign_setting_of_the_file_is_found_and_the_remedy_mends_it() {
    let patient = Patient::new();
    let good = "journal_mode wal, synchronous full, secure_delete on, auto_vacuum none";
    patient.expect_ok("database_settings", good);
    sql(&patient, "PRAGMA journal_mode = DELETE");
    patient.expect(
        "database_settings",
        Level::Warning,
        "journal_mode: expected wal, found delete",
        "restart the service, which sets it",
    );
    assert!(Program::serve(&patient.data(), &[]).terminate().success());
    patient.expect_ok("database_settings", good);
    sql(&patient, "PRAGMA journal_mode = DELETE; PRAGMA auto_vacuum = FULL; VACUUM");
    assert!(Program::serve(&patient.data(), &[]).terminate().success());
    patient.expect(
        "database_settings",
        Level::Warning,
        "auto_vacuum: expected none, found full",
        "stop the service, run `sqlite3 userman.db 'PRAGMA auto_vacuum = NONE; VACUUM'` as its \
         user in the data directory, and start the service",
    );
    sql(&patient, "PRAGMA auto_vacuum = NONE; VACUUM");
    assert!(Program::serve(&patient.data(), &[]).terminate().success());
    patient.expect_ok("database_settings", good);
}

#[test]
fn each_difference_of_the_schema_is_named() {
    let patient = Patient::new();
    patient.expect_ok("schema", "all tables, indexes and views exist, and no others");
    sql(
        &patient,
        "DROP INDEX journal_member;
         ALTER TABLE member_auth ADD COLUMN note TEXT;
         CREATE TABLE report (a, b);
         CREATE TRIGGER refuse BEFORE INSERT ON member_auth BEGIN SELECT RAISE(FAIL, 'no'); END;",
    );
    let mut found = patient.findings("schema");
    let mut next = |level, text: &str, remedy: &str| {
        let finding = found.remove(0);
        super::assert_is(&finding, level, text, remedy);
    };
    next(Level::Serious, "index journal_member is missing", RESTORE);
    let apart = "keep such things in a database of their own: an upgrade does not change them";
    next(Level::Note, "column member_auth.note is not of this program", apart);
    next(Level::Note, "table report is not of this program", apart);
    next(
        Level::Warning,
        "trigger refuse is not of this program: it can change or refuse what is written",
        "find out who made it; the statement DROP TRIGGER removes it",
    );
    assert!(found.is_empty(), "{found:#?}");
}

/// Each command says so before it reads anything.
#[test]
fn a_database_without_a_table_or_column_is_not_whole() {
    for (change, part) in [
        ("DROP TABLE journal", "table journal"),
        ("DROP VIEW journal_text; DROP TABLE member_auth", "table member_auth"),
        ("ALTER TABLE health DROP COLUMN probed_at", "column health.probed_at"),
        ("DROP TABLE journal; PRAGMA user_version = 7", "table journal"),
    ] {
        let patient = Patient::after(&[ADD]);
        sql(&patient, change);
        let said = format!(
            "the database {} is not whole; restore a backup: {part} is missing",
            patient.database().display()
        );
        patient.expect("database", Level::Serious, &said, RESTORE);
        for name in ["keys", "readable", "schema", "backlog"] {
            assert!(patient.findings(name).is_empty(), "{change}: {name}");
        }
        for args in [&["member", "list"][..], &["check-config"], &["serve"]] {
            let data = patient.data();
            let mut command = program();
            command.args(args).args(["--listen", "127.0.0.1:0", "--data-dir"]);
            let ran = command.arg(&data).output().unwrap();
            let err = String::from_utf8(ran.stderr).unwrap();
            assert_eq!(err, format!("nats-userman: {said}\n"), "{change}: {args:?}");
        }
    }
}

/// The service runs without some of them, and more slowly.
#[test]
fn a_missing_index_is_one_finding_of_the_schema() {
    let patient = Patient::after(&[ADD]);
    sql(&patient, "DROP INDEX journal_sealed");
    patient.expect("schema", Level::Serious, "index journal_sealed is missing", RESTORE);
    assert!(patient.findings("readable").is_empty());
}

#[test]
fn a_damaged_page_is_found_unless_nobody_looks() {
    let mut patient = Patient::after(&[ADD]);
    let root: u64 = Connection::open(patient.database())
        .unwrap()
        .query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'login_seen'", [], |row| {
            row.get::<_, i64>(0)
        })
        .unwrap()
        .unsigned_abs();
    let file = OpenOptions::new().write(true).open(patient.database()).unwrap();
    file.write_all_at(&[0xff; 4096], (root - 1) * 4096).unwrap();
    patient.expect(
        "pages",
        Level::Serious,
        &format!(
            "the database {} is damaged; restore a backup: broken places: 1, the first: Tree \
             {root} page {root}: btreeInitPage() returns error code 11",
            patient.database().display()
        ),
        RESTORE,
    );
    patient.depth = Depth::Quick;
    patient.expect_ok("pages", "not checked: --quick");
}

#[test]
fn a_large_database_is_read_for_a_limited_time() {
    let mut patient = Patient::after(&[ADD]);
    let records = "WITH RECURSIVE n (id) AS (SELECT 10 UNION ALL SELECT id + 1 FROM n LIMIT 5000)
         INSERT INTO journal (id, at, source, fields, reply) SELECT id, 1, 'nats', '', '' FROM n";
    sql(&patient, records);
    patient.depth = Depth::Within(Duration::ZERO);
    let finding = patient.finding("pages");
    assert_eq!(finding.level, Level::Note, "{finding:?}");
    assert!(
        finding.found.starts_with("not checked to the end, because the database is large ("),
        "{finding:?}"
    );
    patient.depth = Depth::Within(Duration::from_secs(600));
    patient.expect_ok("pages", "no page of the database is damaged");
}

#[test]
fn a_key_that_is_missing_or_unreadable_is_found() {
    let patient = Patient::after(&[ADD]);
    // The first start may have hashed the password meanwhile.
    sql(
        &patient,
        "UPDATE journal SET password = NULL, sealed = randomblob(104);
         UPDATE member_auth SET password = NULL, sealed = randomblob(104)",
    );
    let key = patient.data().join("seal.key");
    fs::rename(&key, patient.data().join("elsewhere")).unwrap();
    patient.expect(
        "keys",
        Level::Serious,
        &format!(
            "the database has 1 password sealed under a key that is missing: put {} back from \
             the backup",
            key.display()
        ),
        "put the right file back from the backup",
    );
    fs::write(&key, "x").unwrap();
    let finding = patient.finding("keys");
    assert_eq!(finding.level, Level::Serious);
    assert!(finding.found.starts_with(&format!("key file {}: ", key.display())), "{finding:?}");
}

#[test]
fn a_database_that_is_no_database_is_found_and_nothing_else_is_read() {
    let patient = Patient::new();
    fs::write(patient.database(), "x".repeat(8_192)).unwrap();
    let finding = patient.finding("database");
    assert_eq!(finding.level, Level::Serious);
    assert!(
        finding.found.starts_with(&format!(
            "the database {} is damaged or no SQLite database; nothing was changed, restore a \
             backup",
            patient.database().display()
        )),
        "{finding:?}"
    );
    for name in ["schema", "pages", "backlog", "credentials"] {
        assert!(patient.findings(name).is_empty(), "{name}");
    }
}
