//! The age of the last backup.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use nats_userman::clock::format_utc;
use nats_userman::doctor::Level;

use super::Patient;

const DAY: i64 = 86_400;

/// Puts a backup with this date into the default directory. Returns its path.
pub fn put(patient: &Patient, at: i64) -> String {
    let dir = patient.data().join("backups");
    fs::create_dir_all(&dir).unwrap();
    fs::set_permissions(&dir, Permissions::from_mode(0o750)).unwrap();
    let stamp = format_utc(at).replace(['-', ':'], "");
    let file = dir.join(format!("userman-{stamp}.db"));
    fs::write(&file, "SQLite format 3\0").unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn without_a_schedule_a_missing_backup_is_a_note_and_an_old_one_a_warning() {
    let patient = Patient::new();
    let dir = patient.data().join("backups");
    patient.expect(
        "backup",
        Level::Note,
        &format!("there is no backup in {}", dir.display()),
        "if nothing else makes backups, set --backup-every: docs/backup-restore.md",
    );
    let file = put(&patient, patient.now - 9 * DAY);
    patient.expect(
        "backup",
        Level::Warning,
        &format!("the last backup, {file}, is 9 days old"),
        "run `nats-userman backup`, and set --backup-every for later ones",
    );
    let file = put(&patient, patient.now - 3 * DAY);
    patient.expect_ok("backup", &format!("the last backup, {file}, is 3 days old"));
}

#[test]
fn a_scheduled_backup_that_did_not_come_is_serious() {
    let patient = Patient::new().with(&["--backup-every", "24h"]);
    let dir = patient.data().join("backups");
    let remedy = "look for the error of the last backup in the log, then run `nats-userman backup`";
    patient.expect(
        "backup",
        Level::Warning,
        &format!("there is no backup in {}, although --backup-every is set", dir.display()),
        remedy,
    );
    let file = put(&patient, patient.now - 3 * DAY);
    patient.expect(
        "backup",
        Level::Serious,
        &format!("the last backup, {file}, is 3 days old: it is overdue"),
        remedy,
    );
    let file = put(&patient, patient.now - DAY);
    patient.expect_ok("backup", &format!("the last backup, {file}, is 24 hours old"));
}

#[test]
fn a_backup_from_the_future_is_a_wrong_clock() {
    let patient = Patient::new();
    let file = put(&patient, patient.now - DAY);
    let later = put(&patient, 1_798_761_600 + 400 * DAY);
    patient.expect(
        "backup_date",
        Level::Warning,
        &format!("{later} is dated 2028-02-05T00:00:00Z, in the future"),
        "check the clock, then make a new backup and move this one elsewhere",
    );
    // It does not replace the real backup in the finding.
    patient.expect_ok("backup", &format!("the last backup, {file}, is 24 hours old"));
    fs::rename(&later, put(&patient, patient.now + DAY)).unwrap();
    assert_eq!(patient.finding("backup_date").level, Level::Warning);
}

#[test]
fn a_file_with_the_name_of_a_backup_must_be_a_database() {
    let patient = Patient::new();
    let file = put(&patient, patient.now - DAY);
    fs::write(&file, "junk").unwrap();
    patient.expect(
        "backup",
        Level::Serious,
        &format!("{file} has the name of a backup and is no database"),
        "move it elsewhere, then run `nats-userman backup`",
    );
}
