//! `--keep`: which files are removed after a backup, and which never are.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::time::{Duration, SystemTime};

use rustix::fs::{major, minor};

use super::{Home, names};

/// In the order of their age. Release 0.5.0 named the second one like that.
const OLD: [&str; 3] =
    ["userman-20200101T000000Z.db", "userman-20200101T000000Z-2.db", "userman-20200102T000000Z.db"];

fn with_old_ones() -> Home {
    let home = Home::with_members(1..=1);
    for name in OLD {
        fs::write(home.backups().join(name), "old").unwrap();
        fs::write(home.backups().join(name.replace(".db", ".keys")), "old").unwrap();
    }
    home
}

#[test]
fn the_oldest_backups_go_with_their_keys_when_a_new_one_is_there() {
    let home = with_old_ones();
    let printed = home.back_up(&["--keep", "2"]).printed();
    assert!(printed.contains("removed 2 older backups\n"), "{printed}");
    let left = names(&home.backups());
    assert_eq!(left.len(), 3, "{left:?}");
    assert_eq!(left[..2], ["userman-20200102T000000Z.db", "userman-20200102T000000Z.keys"]);
}

#[test]
fn without_keep_and_with_room_for_all_nothing_goes() {
    let home = with_old_ones();
    home.backed_up(&[]);
    home.backed_up(&["--keep", "5"]);
    assert_eq!(names(&home.backups()).len(), 8);
}

/// With `discard`, the deletion of a large file would delay postbacks.
#[test]
fn a_large_old_backup_is_only_put_aside_where_the_disk_is_mounted_with_discard() {
    let home = Home::with_members(1..=1);
    let old = home.backups().join(OLD[0]);
    File::create(&old).unwrap().set_len(20 << 20).unwrap();
    let device = old.metadata().unwrap().dev();
    let printed = home.back_up(&["--keep", "1"]).printed();
    assert!(printed.contains("removed 1 older backup\n"), "{printed}");
    let aside: Vec<_> =
        names(&home.backups()).into_iter().filter(|name| name.ends_with("old")).collect();
    let expected = if has_discard(device) { vec![format!("{}.old", OLD[0])] } else { vec![] };
    assert_eq!(aside, expected);
    assert!(!old.exists());
}

#[test]
fn what_was_put_aside_goes_with_a_backup_an_hour_later() {
    let home = Home::with_members(1..=1);
    let aside = home.backups().join(format!("{}.old", OLD[0]));
    let other = home.backups().join("userman.db.old");
    for file in [&aside, &other] {
        fs::write(file, "old").unwrap();
    }
    home.backed_up(&[]);
    assert!(aside.exists(), "a program may still read it");
    let hour_ago = SystemTime::now() - Duration::from_secs(3_600);
    for file in [&aside, &other] {
        File::options().write(true).open(file).unwrap().set_modified(hour_ago).unwrap();
    }
    home.backed_up(&[]);
    assert!(!aside.exists());
    assert_eq!(fs::read_to_string(other).unwrap(), "old");
    assert_eq!(names(&home.backups()).len(), 3);
}

/// Whether the list of mounts says so (proc_pid_mountinfo(5)).
fn has_discard(device: u64) -> bool {
    let device = format!(" {}:{} ", major(device), minor(device));
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let line = mounts.lines().find(|line| line.contains(&device));
    line.is_some_and(|line| line.rsplit([' ', ',']).any(|word| word == "discard"))
}

/// A person, a script and `--keep` take the same one for the oldest.
#[test]
fn backups_of_one_second_go_in_the_order_of_their_names() {
    let home = Home::with_members(1..=1);
    let mut made = Vec::new();
    // The last one may fall into the next second.
    while made.len() < 4 {
        let file = home.backed_up(&[]);
        made.push(file.file_name().unwrap().to_str().unwrap().to_owned());
    }
    assert!(made.is_sorted(), "{made:?}");
    let last = home.backed_up(&["--keep", "2"]);
    let last = last.file_name().unwrap().to_str().unwrap();
    assert_eq!(names(&home.backups()), [&made[3], last]);
}

#[test]
fn nothing_of_another_name_and_no_link_is_ever_removed() {
    let home = Home::with_members(1..=1);
    let dir = home.backups();
    let others = [
        "userman.db",
        "userman-20200101T000000Z.db.v4",
        "userman-20200101T000000Z.db.gz",
        "Userman-20200101T000000Z.db",
        "userman-20200101T000000Z-02.db",
        "userman-20201301T000000Z.db",
        "mine.db.new",
    ];
    for name in others {
        fs::write(dir.join(name), "theirs").unwrap();
    }
    fs::create_dir(dir.join("userman-20200103T000000Z.db")).unwrap();
    symlink(home.database(), dir.join("userman-20200104T000000Z.db")).unwrap();
    home.backed_up(&["--keep", "1"]);
    let left = names(&dir);
    assert_eq!(left.len(), others.len() + 3, "{left:?}");
    others
        .iter()
        .for_each(|name| assert_eq!(fs::read_to_string(dir.join(name)).unwrap(), "theirs"));
    assert!(home.database().exists());
}

/// The clock was wrong when this backup was made, or it is wrong now: then this one is good.
#[test]
fn a_backup_with_a_date_in_the_future_is_neither_counted_nor_removed() {
    let later = "userman-99990101T000000Z.db";
    for (keep, older) in [("1", &[][..]), ("2", &OLD[2..])] {
        let home = with_old_ones();
        fs::write(home.backups().join(later), "later").unwrap();
        let file = home.backed_up(&["--keep", keep]);
        let new = file.file_name().unwrap().to_str().unwrap();
        let mut left = names(&home.backups());
        left.retain(|name| name.ends_with(".db"));
        assert_eq!(left, [older, &[new, later]].concat(), "{keep}");
    }
}

#[test]
fn a_backup_that_fails_removes_none() {
    let home = with_old_ones();
    let before = names(&home.backups());
    fs::write(home.data().join("seal.key"), "no key").unwrap();
    let ran = home.back_up(&["--keep", "1", "--with-keys"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!(names(&home.backups()), before);
}

#[test]
fn a_number_that_keeps_nothing_is_refused() {
    let home = Home::with_members(1..=1);
    for keep in ["0", "-1", "ten", ""] {
        let ran = home.back_up(&[&format!("--keep={keep}")]);
        assert_eq!(ran.code, Some(2), "{keep}: {ran:?}");
    }
    assert_eq!(names(&home.backups()).len(), 0);
}
