//! `serve --backup-every`: backups at an interval.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Home, names};
use crate::support::{App, NOON, Program, Request, eventually, temp_dir};

const DAY: i64 = 86_400;
const FIRST: &str = "userman-20260615T120000Z.db";
const AT_ONE: &str = "userman-20260615T130000Z.db";
const NEXT_YEAR: &str = "userman-20270615T120000Z.db";
const SECOND: &str = "userman-20260616T120000Z.db";

fn age(app: &App) -> Option<String> {
    let health = app.send(Request::get("/health"));
    assert_eq!((health.status, health.body.as_str()), (200, "ok"));
    health.header("x-backup-age").map(ToOwned::to_owned)
}

fn wait_for(app: &App, dir: &Path, files: &[&str]) {
    eventually("the backup is there", || dir.exists() && names(dir) == files);
    eventually("its age is known", || age(app).as_deref() == Some("0"));
}

#[test]
fn the_first_backup_is_made_at_once_and_the_next_a_day_later() {
    let app = App::start_with(&["--backup-every", "24h"]);
    let dir = app.config.data_dir.path().join("backups");
    wait_for(&app, &dir, &[FIRST]);
    app.set_unix(NOON + DAY - 1);
    assert_eq!(age(&app).as_deref(), Some("86399"));
    assert_eq!(names(&dir), [FIRST]);
    app.set_unix(NOON + DAY);
    wait_for(&app, &dir, &[FIRST, SECOND]);
}

#[test]
fn without_the_setting_no_backup_is_made_and_health_says_nothing_of_it() {
    let app = App::start();
    assert_eq!(age(&app), None);
    assert!(!app.config.data_dir.path().join("backups").exists());
}

#[test]
fn a_restart_does_not_begin_the_day_anew() {
    let dir = temp_dir();
    let backups = dir.path().join("data/backups");
    let flags = ["--backup-every", "1d"];
    let app = App::start_in(dir, &flags);
    wait_for(&app, &backups, &[FIRST]);
    let app = App::start_at(app.stop(), &flags, NOON + DAY - 10);
    // The app reads the directory and finds that no backup is due.
    eventually("its age is known", || age(&app).as_deref() == Some("86390"));
    assert_eq!(names(&backups), [FIRST]);
    app.set_unix(NOON + DAY);
    wait_for(&app, &backups, &[FIRST, SECOND]);
}

#[test]
fn a_backup_by_hand_counts_and_one_with_a_date_in_the_future_does_not() {
    let dir = temp_dir();
    let backups = dir.path().join("data/backups");
    fs::create_dir_all(&backups).unwrap();
    let by_hand = "userman-20260615T110000Z.db";
    let wrong = "userman-20990101T000000Z.db";
    for name in [by_hand, wrong] {
        fs::write(backups.join(name), "a backup").unwrap();
    }
    let app = App::start_in(dir, &["--backup-every", "24h"]);
    eventually("its age is known", || age(&app).as_deref() == Some("3600"));
    assert_eq!(names(&backups), [by_hand, wrong]);
    app.set_unix(NOON + DAY - 3600);
    wait_for(&app, &backups, &[by_hand, "userman-20260616T110000Z.db", wrong]);
}

#[test]
fn the_oldest_go_beyond_the_number_that_is_kept_and_keys_come_with_the_setting() {
    let app =
        App::start_with(&["--backup-every", "1h", "--backup-keep", "2", "--backup-with-keys"]);
    let dir = app.config.data_dir.path().join("backups");
    for hour in 0..4 {
        app.set_unix(NOON + hour * 3600);
        let newest = format!("userman-20260615T{}0000Z.db", 12 + hour);
        eventually("it is made", || dir.join(&newest).exists());
        eventually("its age is known", || age(&app).as_deref() == Some("0"));
    }
    let stems = ["userman-20260615T140000Z", "userman-20260615T150000Z"];
    let expected: Vec<String> =
        stems.iter().flat_map(|stem| [format!("{stem}.db"), format!("{stem}.keys")]).collect();
    assert_eq!(names(&dir), expected);
}

/// An app that keeps two backups, made at noon and an hour later. Its clock jumped a year ahead
/// then, so that a third one was made.
fn with_a_backup_of_next_year() -> (App, PathBuf) {
    let app = App::start_with(&["--backup-every", "1h", "--backup-keep", "2"]);
    let dir = app.config.data_dir.path().join("backups");
    wait_for(&app, &dir, &[FIRST]);
    app.set_unix(NOON + 3600);
    wait_for(&app, &dir, &[FIRST, AT_ONE]);
    app.jump_to(NOON + 365 * DAY);
    wait_for(&app, &dir, &[FIRST, AT_ONE, NEXT_YEAR]);
    (app, dir)
}

/// Regression: the backup of a clock that had just jumped ahead drove out the oldest one, and took
/// the place of another one until its date.
#[test]
fn a_clock_that_jumps_ahead_for_a_moment_costs_no_backup() {
    let (app, dir) = with_a_backup_of_next_year();
    app.jump_to(NOON + 3600);
    app.set_unix(NOON + 2 * 3600);
    wait_for(&app, &dir, &[AT_ONE, "userman-20260615T140000Z.db", NEXT_YEAR]);
}

#[test]
fn older_backups_go_when_a_jump_of_the_clock_is_confirmed() {
    let (app, dir) = with_a_backup_of_next_year();
    app.set_unix(NOON + 365 * DAY + 601);
    eventually("the oldest is removed", || names(&dir) == [AT_ONE, NEXT_YEAR]);
}

/// The disk for backups is not mounted yet.
#[test]
fn a_backup_that_fails_is_tried_again_and_the_service_goes_on() {
    let dir = temp_dir();
    let elsewhere = temp_dir();
    let missing = elsewhere.path().join("disk");
    let app =
        App::start_in(dir, &["--backup-every", "24h", "--backup-dir", missing.to_str().unwrap()]);
    assert_eq!(age(&app).as_deref(), Some("none"));
    app.post("action=ADD&siteid=1&memberid=1&username=a&cryptpass=41R19prsa7NLQ");
    assert!(!missing.exists(), "a directory of the settings is never created");
    app.set_unix(NOON + 3600);
    fs::create_dir(&missing).unwrap();
    // The next attempt comes within an hour of the last one. Nobody knows when that was.
    let mut hours = 1;
    eventually("the backup is there", || {
        hours += 1;
        app.set_unix(NOON + hours * 3600);
        !names(&missing).is_empty()
    });
    eventually("its age is known", || age(&app).is_some_and(|age| age != "none"));
}

#[test]
fn the_log_has_the_cause_of_a_failure_once_and_the_backups_that_were_made() {
    let home = Home::with_members(1..=1);
    let missing = home.path().join("none");
    let flags = ["--backup-every", "24h", "--backup-dir", missing.to_str().unwrap()];
    let mut service = Program::serve(&home.data(), &flags);
    let said = format!(
        "no backup was made, the next try is in 1 minute: there is no directory {}: create it, \
         or mount the disk that has it",
        missing.display()
    );
    eventually("it is logged", || service.stderr().contains(&said));
    assert!(service.terminate().success());
    assert_eq!(service.stderr().matches("no backup was made").count(), 1);

    let flags = ["--backup-every", "24h"];
    let mut service = Program::serve(&home.data(), &flags);
    eventually("it is logged", || service.stderr().contains("backup: copying the database to"));
    eventually("it is made", || service.stderr().contains(": 1 member, 0 former members, 1"));
    assert!(service.terminate().success());
    assert_eq!(super::mode(&home.data().join("backups")), 0o750);
}
