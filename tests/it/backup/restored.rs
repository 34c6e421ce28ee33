//! `restore`: what it puts in place, what it keeps, what it reports as lost, and what it refuses.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rusqlite::Connection;

use super::{Home, add, delete, members, mode, names, timeless};
use crate::commands::run_on;
use crate::support::{Program, rows, temp_dir};

/// Members 1 to 3, then a backup; after it member 4 joins and member 2 leaves.
fn with_news() -> (Home, std::path::PathBuf) {
    let home = Home::with_members(1..=3);
    let file = home.backed_up(&[]);
    home.serving(|service| {
        add(service, 4);
        delete(service, 2);
    });
    (home, file)
}

fn aside(home: &Home) -> std::path::PathBuf {
    let names = names(&home.data());
    let name =
        names.iter().find(|name| name.starts_with("userman.db.before-") && name.ends_with('Z'));
    home.data().join(name.unwrap_or_else(|| panic!("{names:?}")))
}

#[test]
fn a_restore_sets_the_former_database_aside_and_says_what_was_lost() {
    let (home, file) = with_news();
    let printed = home.restore(&file, &[]).printed();
    assert_eq!(home.members(), ["1", "2", "3"]);
    let former = aside(&home);
    assert_eq!(members(&former), ["1", "3", "4"]);
    let lines: Vec<String> = timeless(&printed, &home).lines().map(str::to_owned).collect();
    let since = lines[3].rsplit(' ').next().unwrap();
    assert_eq!(
        lines,
        [
            "restored HOME/backups/userman-TIME.db: 3 members, 0 former members, 3 journal \
             records, the newest 3 of TIME",
            "set aside: HOME/data/userman.db.before-TIME",
            "lost: 2 journal records from TIME to TIME",
            &format!(
                "  list them: nats-userman --database \
                 sqlite:HOME/data/userman.db.before-TIME journal --since {since}"
            ),
            "  1 member of the former database is missing (site and memberid): 1 4",
            "  1 who had left is a member again (site and memberid): 1 2",
            "all logins by cookie were ended: members log in once more",
            "there is no HOME/data/postback-token: the start makes a new token, and NATS needs \
             the new URL",
            "now start the service, and restart an Apache that reads the database",
        ]
    );
    assert_eq!((mode(&home.database()), mode(&former)), (0o640, 0o640));
    // The command that the restore printed.
    let database = format!("sqlite:{}", former.display());
    let journal = run_on(&home.data(), &["--database", &database, "journal", "--since", since]);
    let journal = journal.printed();
    assert!(journal.contains("OK|member 4 \"name-4\" added"), "{journal}");
    // The database works like any other.
    home.serving(|service| add(service, 5));
    assert_eq!(home.members(), ["1", "2", "3", "5"]);
}

#[test]
fn a_restore_can_be_undone_by_restoring_what_was_set_aside() {
    let (home, file) = with_news();
    home.restore(&file, &[]).printed();
    let former = aside(&home);
    let apart = home.path().join("former.db");
    fs::rename(&former, &apart).unwrap();
    for suffix in ["-wal", "-shm"] {
        let with = |path: &Path| format!("{}{suffix}", path.display());
        fs::rename(with(&former), with(&apart)).unwrap();
    }
    fs::remove_file(&file).unwrap();
    home.restore(&apart, &[]).printed();
    assert_eq!(home.members(), ["1", "3", "4"]);
}

/// The newest postbacks are only in the WAL, so the WAL must be moved with its database.
#[test]
fn after_a_crash_the_former_database_keeps_its_wal_and_the_restored_one_starts_without() {
    let home = Home::with_members(1..=3);
    let file = home.backed_up(&[]);
    let mut service = Program::serve(&home.data(), &[]);
    add(&service, 4);
    service.kill();
    let printed = home.restore(&file, &[]).printed();
    assert!(printed.contains("lost: 1 journal record "), "{printed}");
    assert_eq!(members(&aside(&home)), ["1", "2", "3", "4"]);
    home.serving(|_| ());
    assert_eq!(home.members(), ["1", "2", "3"]);
}

/// The first restore has ended all logins. The record of that is in no backup.
#[test]
fn a_second_restore_of_the_same_backup_loses_nothing() {
    let (home, file) = with_news();
    home.restore(&file, &[]).printed();
    let printed = home.restore(&file, &[]).printed();
    let said = "nothing was lost: the former database has no newer record\n";
    assert!(printed.contains(said), "{printed}");
}

/// A token in the backup may have been retired since.
#[test]
fn the_tokens_of_the_url_stay_and_those_of_the_backup_are_named() {
    let home = Home::with_members(1..=1);
    let token = home.data().join("postback-token");
    let put = |text: &str| {
        fs::write(&token, text).unwrap();
        fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
    };
    let (old, new) = (format!("{}\n", "a".repeat(43)), format!("{}\n", "b".repeat(43)));
    put(&old);
    let file = home.backed_up(&["--with-keys"]);
    let keys = file.with_extension("keys");
    let same = format!("\nkeys and tokens: from {}\n", keys.display());
    let printed = home.restore(&file, &[]).printed();
    assert!(printed.contains(&same), "{printed}");
    put(&new);
    let printed = home.restore(&file, &[]).printed();
    let said = format!(
        "\nkeys: from {keys}\nthe tokens of the URL stay as they are; those of the backup are in \
         {keys}\n",
        keys = keys.display()
    );
    assert!(printed.contains(&said), "{printed}");
    assert_eq!(fs::read_to_string(&token).unwrap(), new);
    // Without a token file, NATS still uses the token of the backup.
    fs::remove_file(&token).unwrap();
    home.restore(&file, &[]).printed();
    assert_eq!(fs::read_to_string(&token).unwrap(), old);
}

#[test]
fn all_logins_by_cookie_end_with_a_restore() {
    let (home, file) = with_news();
    let epochs = |database: &Path| rows(&super::read(database), "SELECT count(*) FROM login_epoch");
    assert_eq!(epochs(&home.database()), ["0"]);
    home.restore(&file, &[]).printed();
    assert_eq!(epochs(&home.database()), ["1"]);
}

#[test]
fn a_restore_beside_the_service_is_refused_and_says_what_to_stop() {
    let (home, file) = with_news();
    home.serving(|_| {
        home.restore(&file, &[]).ended(
            1,
            &format!(
                "nats-userman: the data directory {} is in use by a running nats-userman: stop it \
                 first, with `systemctl stop nats-userman.socket nats-userman.service` where \
                 systemd runs it\n",
                home.data().display()
            ),
        );
    });
    assert_eq!(home.members(), ["1", "3", "4"]);
}

#[test]
fn what_is_no_backup_of_this_program_is_refused_and_nothing_changes() {
    let (home, file) = with_news();
    let at = home.path();
    let good = fs::read(&file).unwrap();
    let put = |name: &str, bytes: &[u8]| {
        let path = at.join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let altered = |name: &str, sql: &str| {
        let path = put(name, &good);
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        path
    };
    let mut broken = good.clone();
    // A name that is in the table but not in its index any more.
    let at_name = broken.windows(6).position(|bytes| bytes == b"name-3").unwrap();
    broken[at_name + 5] = b'9';
    let cases = [
        (at.join("none.db"), "there is no file HOME/none.db"),
        (home.database(), "HOME/data/userman.db is the database itself: name a backup"),
        (at.join("data"), "cannot restore HOME/data: cannot use the database HOME/data: is a"),
        (
            put("text.db", &b"no database\n".repeat(1000)),
            "cannot restore HOME/text.db: this backup is damaged: use another one: ",
        ),
        (
            put("empty.db", b""),
            "cannot restore HOME/empty.db: this backup is damaged: use another one: it is empty",
        ),
        (
            put("short.db", &good[..8192]),
            "cannot restore HOME/short.db: this backup is damaged: use another one: ",
        ),
        (
            altered("other.db", "PRAGMA application_id = 7"),
            "cannot restore HOME/other.db: cannot use the database HOME/other.db: it is a database \
             of another program",
        ),
        (
            altered("newer.db", "PRAGMA user_version = 99"),
            "cannot restore HOME/newer.db: cannot use the database HOME/newer.db: it has version \
             99",
        ),
        (
            altered("odd.db", "DROP TABLE journal"),
            "cannot restore HOME/odd.db: this backup is damaged: use another one: table journal \
             is missing\n",
        ),
        (
            altered("old.db", "DROP TABLE journal; PRAGMA user_version = 5"),
            "cannot restore HOME/old.db: this backup is damaged: use another one: table journal \
             is missing\n",
        ),
        (
            put("broken.db", &broken),
            "cannot restore HOME/broken.db: this backup is damaged: use another one: ",
        ),
    ];
    let before = names(&home.data());
    for (path, said) in cases {
        let ran = home.restore(&path, &[]);
        let err = ran.err.replace(at.to_str().unwrap(), "HOME");
        let is_said = err.starts_with(&format!("nats-userman: {said}"));
        assert!(ran.code == Some(1) && is_said && err.lines().count() == 1, "{said}: {ran:?}");
        assert_eq!(names(&home.data()), before, "{said}");
        assert_eq!(home.members(), ["1", "3", "4"], "{said}");
    }
}

/// The last name in the directory is not the newest backup then.
#[test]
fn a_backup_with_a_date_in_the_future_is_restored_with_a_warning() {
    let home = Home::with_members(1..=1);
    let file = home.backed_up(&[]);
    let said = "the date in its name is in the future: ";
    let ahead = file.with_file_name("userman-20990101T000000Z.db");
    fs::copy(&file, &ahead).unwrap();
    assert!(home.restore(&ahead, &[]).printed().contains(said));
    assert!(!home.restore(&file, &[]).printed().contains(said));
}

#[test]
fn a_restore_of_a_file_that_is_not_there_makes_no_directory() {
    let dir = temp_dir();
    let (file, data) = (dir.path().join("none.db"), dir.path().join("data"));
    let said = format!("nats-userman: there is no file {}\n", file.display());
    run_on(&data, &["restore", file.to_str().unwrap()]).ended(1, &said);
    assert!(!data.exists());
}

/// The data directory of a release, copied into `dir`.
fn of_release(release: &str, dir: &Path) -> std::path::PathBuf {
    let of = format!("{}/tests/releases/{release}/data", env!("CARGO_MANIFEST_DIR"));
    let data = dir.join("data");
    fs::create_dir_all(&data).unwrap();
    for entry in fs::read_dir(of).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), data.join(entry.file_name())).unwrap();
    }
    data
}

/// Regression: nothing was said about the records of the newer release.
#[test]
fn a_backup_of_before_an_upgrade_says_how_many_records_came_since() {
    for release in ["0.3.0", "0.8.0"] {
        let home = Home::with_members(1..=1);
        fs::remove_dir_all(home.data()).unwrap();
        of_release(release, &home.path());
        let file = home.backed_up(&[]);
        home.serving(|service| add(service, 7_777));
        let printed = timeless(&home.restore(&file, &[]).printed(), &home);
        assert!(
            printed.contains(
                "lost: 1 journal record from TIME to TIME\n  list them: nats-userman --database \
                 sqlite:HOME/data/userman.db.before-TIME journal --since "
            ) && printed.contains(
                "\n  members are not compared, because the backup is of an earlier release\n"
            ),
            "{release}: {printed}"
        );
    }
}

/// Regression: the member who joined after a restore by mistake was lost without a word.
#[test]
fn a_backup_that_is_newer_than_an_earlier_restore_says_what_came_since_that_restore() {
    let home = Home::with_members(1..=3);
    let older = home.backed_up(&[]);
    home.serving(|service| add(service, 4));
    let newer = home.backed_up(&[]);
    home.restore(&older, &[]).printed();
    home.serving(|service| add(service, 9));
    let printed = timeless(&home.restore(&newer, &[]).printed(), &home);
    let lost = "the former database was no later state of the backup: each has records that the \
                other does not have\nlost: 1 journal record from TIME to TIME\n";
    assert!(printed.contains(lost), "{printed}");
    let members = "  1 member of the former database is missing (site and memberid): 1 9\n  1 \
                   member of the backup was none in the former database (site and memberid): 1 4\n";
    assert!(printed.contains(members), "{printed}");
}

#[test]
fn a_backup_of_an_earlier_release_is_restored_and_upgraded_by_the_start() {
    let home = Home::with_members(1..=1);
    let there = temp_dir();
    let data = of_release("0.3.0", there.path());
    let dir = home.backups();
    let flags = ["backup", dir.to_str().unwrap(), "--with-keys"];
    let printed = run_on(&data, &flags).printed();
    let file = Path::new(printed.split_once(" (").unwrap().0).to_owned();
    let expected = members(&file);
    let printed = home.restore(&file, &[]).printed();
    let printed = timeless(&printed, &home);
    assert!(
        printed.contains(
            "not compared with the former database: it and the backup have no record in common\n  \
             list them: nats-userman --database sqlite:HOME/data/userman.db.before-TIME journal\n\
             it is of an earlier release: the start upgrades it; then run `nats-userman member \
             logout --all`, which ends logins that were ended since the backup\n"
        ),
        "{printed}"
    );
    home.serving(|_| ());
    assert_eq!(home.members(), expected);
    assert!(names(&home.data()).iter().any(|name| name.starts_with("seal.key.before-")));
}

#[test]
fn keys_that_the_backup_brings_replace_others_which_are_set_aside() {
    let home = Home::with_members(1..=2);
    let file = home.backed_up(&["--with-keys"]);
    let other = Home::with_members(7..=8);
    let theirs = fs::read(other.data().join("cookie.key")).unwrap();
    let printed = other.restore(&file, &[]).printed();
    assert!(
        printed.contains("not compared with the former database: it and the backup have no record"),
        "{printed}"
    );
    let key = |home: &Home| fs::read(home.data().join("cookie.key")).unwrap();
    assert_eq!(key(&other), key(&home));
    let names = names(&other.data());
    let kept = names.iter().find(|name| name.starts_with("cookie.key.before-")).unwrap();
    assert_eq!(fs::read(other.data().join(kept)).unwrap(), theirs);
    assert_eq!(mode(&other.data().join("cookie.key")), 0o600);
    other.serving(|_| ());
    assert_eq!(other.members(), ["1", "2"]);
}

#[test]
fn keys_that_are_there_already_stay() {
    let home = Home::with_members(1..=2);
    let file = home.backed_up(&["--with-keys"]);
    home.restore(&file, &[]).printed();
    let names = names(&home.data());
    assert!(!names.iter().any(|name| name.contains(".key.")), "{names:?}");
}

#[test]
fn a_lost_disk_is_restored_from_the_backup_with_its_keys_alone() {
    let home = Home::with_members(1..=2);
    let file = home.backed_up(&["--with-keys"]);
    fs::remove_dir_all(home.data()).unwrap();
    let printed = home.restore(&file, &[]).printed();
    assert!(!printed.contains("set aside") && !printed.contains("compared"), "{printed}");
    assert_eq!(mode(&home.data()), 0o750);
    home.serving(|_| ());
    assert_eq!(home.members(), ["1", "2"]);
}

#[test]
fn a_damaged_database_is_replaced_and_its_loss_is_unknown() {
    let (home, file) = with_news();
    fs::write(home.database(), "ruined").unwrap();
    let printed = home.restore(&file, &[]).printed();
    assert!(
        printed.contains("not compared with the former database: it cannot be read: the database"),
        "{printed}"
    );
    assert_eq!(fs::read_to_string(aside(&home)).unwrap(), "ruined");
    assert_eq!(home.members(), ["1", "2", "3"]);
}

/// The postbacks since the backup are in the journal that was set aside. A replay of that whole
/// journal gives a database with all of them.
#[test]
fn the_journal_that_was_set_aside_gives_back_what_was_lost() {
    let (home, file) = with_news();
    home.restore(&file, &[]).printed();
    let database = format!("sqlite:{}", aside(&home).display());
    let journal = run_on(&home.data(), &["--database", &database, "journal", "--json"]).printed();
    let there = temp_dir();
    let data = there.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::copy(home.data().join("seal.key"), data.join("seal.key")).unwrap();
    let lines = there.path().join("journal.jsonl");
    fs::write(&lines, journal).unwrap();
    run_on(&data, &["replay", "--journal", lines.to_str().unwrap()]).printed();
    assert_eq!(members(&data.join("userman.db")), ["1", "3", "4"]);
}
