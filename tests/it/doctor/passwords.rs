//! Passwords that wait to be hashed, and credentials that do not match the settings.

use nats_userman::doctor::Level;
use rusqlite::Connection;

use super::Patient;
use crate::support::{App, eventually};

const ADD: &str = "action=ADD&siteid=1&memberid=71&username=bob&password=secret";

/// An app in this process, which hashes nothing.
fn waiting() -> (App, Patient) {
    let app = App::start();
    app.post(ADD);
    app.post("action=ADD&siteid=1&memberid=72&username=ann&password=secret");
    let mut patient = Patient::in_dir(crate::support::temp_dir());
    let data = app.config.data_dir.path().to_str().unwrap().to_owned();
    // If a flag is repeated, the last one counts.
    patient.flags = vec!["--database".into(), format!("sqlite:{data}/userman.db")];
    patient.now = app.now();
    (app, patient)
}

#[test]
fn a_backlog_is_normal_at_first_and_then_has_to_become_smaller() {
    let (app, mut patient) = waiting();
    patient.expect_ok("backlog", "2 passwords wait to be hashed, the oldest for 0 seconds");
    let restart = "look for errors of `hardening` in the log, and for a busy processor; restart \
        the service if it has neither";
    patient.now += 600;
    patient.expect(
        "backlog",
        Level::Warning,
        "2 passwords wait to be hashed, the oldest for 10 minutes, and there were not fewer 0 \
         seconds later",
        restart,
    );
    patient.now += 3 * 86_400;
    patient.expect(
        "backlog",
        Level::Serious,
        "2 passwords wait to be hashed, the oldest for 3 days, and there were not fewer 0 seconds \
         later",
        restart,
    );
    app.harden();
    patient.expect_ok("backlog", "no password waits to be hashed");
    drop(app);
}

#[test]
fn a_backlog_of_a_stopped_service_waits_for_the_next_start() {
    let app = App::start();
    app.post(ADD);
    let mut patient = Patient::in_dir(app.stop());
    patient.now = crate::support::NOON + 7_200;
    // A process that another test has just forked may hold a copy of the lock for a moment.
    eventually("the lock is free", || patient.finding("running").level == Level::Warning);
    patient.expect(
        "backlog",
        Level::Note,
        "1 password waits to be hashed, the oldest for 2 hours",
        "start the service, which hashes them; members can log in meanwhile",
    );
}

/// A stopped service with the hashed passwords of two members.
fn hashed() -> Patient {
    let app = App::start();
    app.post(ADD);
    app.post("action=ADD&siteid=1&memberid=72&username=ann&password=secret");
    app.harden();
    Patient::in_dir(app.stop())
}

#[test]
fn hashes_of_another_kind_are_counted() {
    let patient = hashed();
    patient.expect_ok("hash_kind", "no hash of another kind than argon2id");
    let patient = patient.with(&["--password-hash", "bcrypt"]);
    let finding = patient.finding("hash_kind");
    assert_eq!(finding.level, Level::Warning);
    assert!(finding.found.starts_with("members without a bcrypt hash: 2 of 2; "), "{finding:?}");
}

#[test]
fn a_row_without_a_credential_and_a_cryptpass_that_should_be_gone_are_counted() {
    let patient = hashed();
    patient.expect_ok("credentials", "every member has a credential");
    patient.expect_ok("cryptpass", "the column cryptpass is as --keep-cryptpass says");
    Connection::open(patient.database())
        .unwrap()
        .execute_batch(
            "PRAGMA ignore_check_constraints = ON;
             UPDATE member_auth SET password = NULL WHERE memberid = 71;
             UPDATE member_auth SET cryptpass = 'abJnggxhB/yWI'",
        )
        .unwrap();
    patient.expect(
        "credentials",
        Level::Serious,
        "rows of members without any credential: 1",
        "another program wrote them: send these members again from NATS, or remove the rows",
    );
    patient.expect(
        "cryptpass",
        Level::Note,
        "rows that still have a cryptpass, although --keep-cryptpass is off: 2",
        "each is removed when NATS next sends the password; it is a weak hash",
    );
    let patient = patient.with(&["--keep-cryptpass"]);
    patient.expect_ok("cryptpass", "the column cryptpass is as --keep-cryptpass says");
    // The test has made this row invalid, so it removes the row.
    Connection::open(patient.database())
        .unwrap()
        .execute("DELETE FROM member_auth WHERE memberid = 71", [])
        .unwrap();
}
