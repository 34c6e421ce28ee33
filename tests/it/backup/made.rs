//! What `backup` creates and prints.

use std::fs;

use super::{Home, add, members, mode, names, read, timeless};
use crate::commands::{run, run_on};
use crate::support::{Program, rows};

const DELETE_MODE: [u8; 2] = [1, 1];

#[test]
fn a_backup_is_one_dated_file_with_all_rows_and_says_what_it_holds() {
    let home = Home::with_members(1..=3);
    let printed = home.back_up(&[]).printed();
    let said = timeless(&printed, &home);
    // How many passwords are hashed by then depends on the machine: see the module `seals`.
    let lines: Vec<&str> = said.lines().filter(|line| !line.contains("seal.key")).collect();
    assert_eq!(
        lines,
        [
            "HOME/backups/userman-TIME.db (1 MiB, 0 s): 3 members, 0 former members, 3 journal \
             records, the newest 3 of TIME",
            "it is on the disk of the database: copy it to another machine as well",
        ]
    );
    let names = names(&home.backups());
    assert_eq!(names.len(), 1, "{names:?}");
    let file = home.backups().join(&names[0]);
    assert_eq!(mode(&file), 0o640);
    assert_eq!(members(&file), ["1", "2", "3"]);
    assert_eq!(rows(&read(&file), "PRAGMA integrity_check"), ["ok"]);
    // In this journal mode the file can be read where no other file can be created beside it.
    assert_eq!(fs::read(&file).unwrap()[18..20], DELETE_MODE);
}

#[test]
fn a_backup_beside_the_service_has_what_is_only_in_the_wal() {
    let home = Home::with_members(1..=1);
    let service = Program::serve(&home.data(), &[]);
    add(&service, 2);
    let file = home.backed_up(&[]);
    assert_eq!(members(&file), ["1", "2"]);
    add(&service, 3);
    assert_eq!(members(&file), ["1", "2"]);
}

#[test]
fn a_backup_after_a_crash_has_what_was_acknowledged() {
    let home = Home::with_members(1..=1);
    let mut service = Program::serve(&home.data(), &[]);
    add(&service, 2);
    service.kill();
    let file = home.backed_up(&[]);
    assert_eq!(members(&file), ["1", "2"]);
}

#[test]
fn two_backups_of_one_second_have_two_names() {
    let home = Home::with_members(1..=1);
    let mut files: Vec<_> = (0..4).map(|_| home.backed_up(&[])).collect();
    files.dedup();
    assert_eq!(files.len(), 4);
    assert_eq!(names(&home.backups()).len(), 4);
}

#[test]
fn the_result_as_json_has_the_counts() {
    let home = Home::with_members(1..=2);
    let printed = home.back_up(&["--json", "--with-keys"]).printed();
    let json: serde_json::Value = serde_json::from_str(&printed).unwrap();
    for (name, value) in [
        ("members", 2),
        ("former_members", 0),
        ("journal_records", 2),
        ("newest_record", 2),
        ("schema_version", 8),
    ] {
        assert_eq!(json[name], value, "{name}: {json}");
    }
    let text = |name: &str| json[name].as_str().unwrap().to_owned();
    assert_eq!(members(text("file").as_ref()), ["1", "2"]);
    assert_eq!(fs::metadata(text("file")).unwrap().len(), json["bytes"].as_u64().unwrap());
    assert_eq!(text("keys"), text("file").replace(".db", ".keys"));
    assert_eq!(json["removed"], serde_json::json!([]));
}

#[test]
fn without_a_directory_the_one_of_the_settings_takes_it() {
    let home = Home::with_members(1..=1);
    let dir = home.backups();
    let flags = ["backup", "--backup-dir", dir.to_str().unwrap()];
    run_on(&home.data(), &flags).printed();
    assert_eq!(names(&dir).len(), 1);
}

#[test]
fn keys_are_saved_only_on_demand_and_for_their_owner_alone() {
    let home = Home::with_members(1..=1);
    // The token of the tests is in a variable; this one is in the file.
    run_on(&home.data(), &["token", "add"]);
    let file = home.backed_up(&[]);
    let keys = file.with_extension("keys");
    assert!(!keys.exists());
    let file = home.backed_up(&["--with-keys"]);
    let keys = file.with_extension("keys");
    assert_eq!(mode(&keys), 0o600);
    let here = |name: &str| fs::read_to_string(home.data().join(name)).unwrap();
    let mut expected = format!(
        "nats-userman keys\nseal.key {}cookie.key {}",
        here("seal.key"),
        here("cookie.key")
    );
    let tokens = fs::read_to_string(home.data().join("postback-token")).unwrap_or_default();
    tokens.lines().for_each(|token| expected += &format!("postback-token {token}\n"));
    assert_eq!(fs::read_to_string(keys).unwrap(), expected);
}

/// The message is as clear in a pipe as on a terminal.
#[test]
fn there_is_nothing_to_back_up_before_the_first_start() {
    let dir = crate::support::temp_dir();
    let at = dir.path().to_str().unwrap();
    let data = dir.path().join("data");
    run(&["backup", at, "--data-dir", data.to_str().unwrap()]).ended(
        1,
        &format!(
            "nats-userman: there is no database at {}/userman.db: `nats-userman serve` creates \
             it\n",
            data.display()
        ),
    );
    assert!(!data.exists());
}

/// A backup is usually made before an upgrade.
#[test]
fn a_database_of_an_earlier_release_is_backed_up_as_it_is() {
    let home = Home { dir: crate::support::temp_dir() };
    fs::create_dir(home.backups()).unwrap();
    fs::create_dir(home.data()).unwrap();
    let release = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/releases/0.2.0/data");
    for entry in fs::read_dir(release).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), home.data().join(entry.file_name())).unwrap();
    }
    let before = rows(&read(&home.database()), "SELECT * FROM member_auth");
    let file = home.backed_up(&[]);
    let version = rows(&read(&file), "PRAGMA user_version");
    assert_eq!(version, rows(&read(&home.database()), "PRAGMA user_version"));
    assert_ne!(version, ["5"]);
    assert_eq!(rows(&read(&file), "SELECT * FROM member_auth"), before);
}
