use std::sync::Arc;

use super::*;
use crate::statistics::{SiteSilence, Sizes};

const NOON: i64 = 1_781_524_800;
const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;

fn limits() -> Limits {
    Limits {
        error_percent: 20,
        silence_postbacks: 12,
        backlog: 1_000,
        backup_age: None,
        disk_mib: 1_024,
        differences: 1,
    }
}

fn facts(snapshot: Snapshot) -> Facts {
    Facts {
        now: NOON,
        snapshot: Arc::new(snapshot),
        backups: None,
        can_write: Some(true),
        receiving: 30 * DAY,
        is_comparing: true,
        differences: None,
    }
}

fn found(facts: &Facts, limits: &Limits, raised: &[Cause]) -> Vec<String> {
    let found = find(facts, limits, |cause| raised.contains(&cause));
    found.into_iter().map(|found| format!("{}: {}", found.cause, found.message)).collect()
}

/// No rule.
fn off() -> Limits {
    Limits {
        error_percent: 0,
        silence_postbacks: 0,
        backlog: 0,
        backup_age: Some(0),
        disk_mib: 0,
        differences: 0,
    }
}

#[test]
fn a_share_of_errors_above_the_limit_is_found_and_single_ones_are_not() {
    for (postbacks, errors, is_found) in [
        (0, 0, false),
        (4, 4, false),
        (5, 5, true),
        (25, 5, false),
        (24, 5, true),
        (1_000, 9, false),
    ] {
        let recent = Recent { postbacks, errors };
        let facts = facts(Snapshot { recent, ..Snapshot::default() });
        assert_eq!(found(&facts, &limits(), &[]).len() == 1, is_found, "{recent:?}");
        assert_eq!(found(&facts, &off(), &[]), [""; 0]);
    }
    let recent = Recent { postbacks: 24, errors: 6 };
    assert_eq!(
        found(&facts(Snapshot { recent, ..Snapshot::default() }), &limits(), &[]),
        ["errors: 6 of 24 postbacks of the last hour were answered with ERROR: 25 %, more than \
          20 % (--alarm-error-percent); `nats-userman journal --reply ERROR` lists them"]
    );
}

#[test]
fn a_site_is_silent_against_its_habit_where_each_week_but_the_weakest_had_enough_postbacks() {
    let silent = |lasts: i64, weeks: &[f64], raised: &[Cause]| {
        let silence = SiteSilence { site: 5, since: NOON - lasts, weeks: weeks.to_vec() };
        let snapshot = Snapshot { silences: vec![silence], ..Snapshot::default() };
        assert_eq!(found(&facts(snapshot.clone()), &off(), raised), [""; 0]);
        !found(&facts(snapshot), &limits(), raised).is_empty()
    };
    for (lasts, weeks, is_found, why) in [
        (2 * HOUR, &[31.0, 28.4, 40.0, 25.0][..], true, "all weeks had more"),
        (2 * HOUR, &[31.0, 0.0, 40.0, 25.0], true, "something was broken in one week"),
        (2 * HOUR, &[31.0, 0.0, 40.0, 3.0], false, "two weeks were quiet"),
        (2 * HOUR, &[31.0, 28.0], true, "two weeks are enough"),
        (2 * HOUR, &[31.0, 11.0], false, "of two weeks both count"),
        (2 * HOUR, &[310.0], false, "one week is no habit"),
        (2 * HOUR, &[], false, "nothing is known"),
        (14 * 60, &[310.0, 280.0, 400.0], false, "it is too short"),
        (15 * 60, &[310.0, 280.0, 400.0], true, "of a busy site a quarter of an hour is enough"),
        (14 * DAY + 1, &[310.0, 280.0, 400.0], false, "it is a habit now"),
    ] {
        assert_eq!(silent(lasts, weeks, &[]), is_found, "{why}");
    }
    let raised = [Cause::Silence(5)];
    assert!(silent(8 * DAY, &[0.0, 0.0, 40.0, 25.0], &raised), "it stays until a postback comes");
    assert!(!silent(60, &[31.0, 28.0], &raised), "a postback came");
    assert!(!silent(15 * DAY, &[], &raised), "it is a habit now");
}

#[test]
fn what_was_not_sent_while_this_service_could_take_nothing_is_no_silence() {
    let silence = SiteSilence { site: 5, since: NOON - 4 * HOUR, weeks: vec![40.0, 48.0] };
    let snapshot = Snapshot { silences: vec![silence], ..Snapshot::default() };
    let silent = |receiving: i64, raised: &[Cause]| {
        let facts = Facts { receiving, ..facts(snapshot.clone()) };
        !found(&facts, &limits(), raised).is_empty()
    };
    for (receiving, is_found, why) in [
        (0, false, "it has just started"),
        (HOUR, false, "10 and 12 postbacks came in an hour"),
        (HOUR + 720, true, "12 and more should have come since the start"),
        (4 * HOUR, true, "all of them could have come"),
        (30 * DAY, true, "the start was long ago"),
    ] {
        assert_eq!(silent(receiving, &[]), is_found, "{why}");
    }
    assert!(silent(0, &[Cause::Silence(5)]), "a restart ends no alarm");

    let busy = SiteSilence { site: 5, since: NOON - HOUR, weeks: vec![4_000.0, 4_800.0] };
    let snapshot = Snapshot { silences: vec![busy], ..Snapshot::default() };
    for (receiving, is_found) in [(15 * 60 - 1, false), (15 * 60, true)] {
        let facts = Facts { receiving, ..facts(snapshot.clone()) };
        assert_eq!(found(&facts, &limits(), &[]).len() == 1, is_found, "{receiving}");
    }
}

#[test]
fn a_silence_is_explained_with_its_figures() {
    let silence =
        SiteSilence { site: 5, since: NOON - 12_000, weeks: vec![31.2, 28.0, 40.0, 24.6] };
    let snapshot = Snapshot { silences: vec![silence], ..Snapshot::default() };
    assert_eq!(
        found(&facts(snapshot), &limits(), &[]),
        ["silence of site 5: site 5 has sent nothing for 3 hours 20 minutes; at the same times \
          of the week, in the last 4 weeks, there were about 31, 28, 40 and 25 postbacks; check \
          that NATS still calls the postback URL of this site"]
    );
}

#[test]
fn a_backlog_is_found_where_it_is_large_and_grows() {
    for (backlog, before, is_found) in [
        (1_001, Some(1_001), true),
        (1_000, Some(10), false),
        (5_000, Some(6_000), false),
        (5_000, None, false),
        (5_000, Some(100), true),
    ] {
        let snapshot = Snapshot { backlog, backlog_before: before, ..Snapshot::default() };
        let found = found(&facts(snapshot), &limits(), &[]);
        assert_eq!(found.len() == 1, is_found, "{backlog} after {before:?}: {found:?}");
    }
}

#[test]
fn a_backup_is_too_old_after_twice_the_time_between_two_or_after_the_limit() {
    let (every, long) = (DAY, 10 * DAY);
    for (age, running, limit, is_found) in [
        (Some(2 * DAY), long, None, false),
        (Some(2 * DAY + 1), long, None, true),
        (None, 2 * DAY, None, false),
        (None, 2 * DAY + 1, None, true),
        (Some(7_201), long, Some(7_200), true),
        (Some(3 * DAY), long, Some(4 * DAY), false),
    ] {
        let backups = Some(Backups { every, age, running });
        let facts = Facts { backups, ..facts(Snapshot::default()) };
        let found = found(&facts, &Limits { backup_age: limit, ..limits() }, &[]);
        assert_eq!(found.len() == 1, is_found, "{backups:?} {limit:?}: {found:?}");
    }
    let backups = Some(Backups { every, age: Some(5 * DAY + HOUR), running: long });
    assert_eq!(
        found(&Facts { backups, ..facts(Snapshot::default()) }, &limits(), &[]),
        ["backup: the newest backup is 5 days 1 hour old, and one is made every 1 day \
          (--backup-every); the log says why the last ones failed"]
    );
}

#[test]
fn the_disk_the_database_and_the_differences_have_their_limits() {
    let free = |bytes| Sizes { free: bytes, ..Sizes::default() };
    for (free_bytes, is_found) in [(None, false), (Some(1 << 30), false), (Some(1_023 << 20), true)]
    {
        let facts = facts(Snapshot { sizes: free(free_bytes), ..Snapshot::default() });
        assert_eq!(found(&facts, &limits(), &[]).len() == 1, is_found, "{free_bytes:?}");
    }
    for (can_write, is_found) in [(None, false), (Some(true), false), (Some(false), true)] {
        let facts = Facts { can_write, ..facts(Snapshot::default()) };
        assert_eq!(found(&facts, &limits(), &[]).len() == 1, is_found, "{can_write:?}");
    }
    for (count, sentence) in [
        (
            1,
            "differences: 1 member differs from NATS's list (--reconcile-every); `nats-userman \
             reconcile --from-nats` lists them",
        ),
        (
            7,
            "differences: 7 members differ from NATS's list (--reconcile-every); `nats-userman \
             reconcile --from-nats` lists them",
        ),
    ] {
        let differences = Some(Differences { count, at: NOON });
        let facts = Facts { differences, ..facts(Snapshot::default()) };
        assert_eq!(found(&facts, &limits(), &[]), [sentence]);
    }
    let none = Some(Differences { count: 0, at: NOON });
    let facts = Facts { differences: none, ..facts(Snapshot::default()) };
    assert_eq!(found(&facts, &limits(), &[]), [""; 0]);
}

const ALL: [Cause; 7] = [
    Cause::ReadOnly,
    Cause::Errors,
    Cause::Silence(5),
    Cause::Backlog,
    Cause::Backup,
    Cause::Disk,
    Cause::Differences,
];

fn known(facts: &Facts, limits: &Limits) -> Vec<Cause> {
    ALL.into_iter().filter(|cause| is_known(*cause, facts, limits)).collect()
}

#[test]
fn at_the_start_nothing_is_known_but_that_a_rule_is_off() {
    let backups = Some(Backups { every: DAY, age: None, running: 0 });
    let start = Facts { backups, can_write: None, ..facts(Snapshot::default()) };
    assert_eq!(known(&start, &limits()), []);
    // Errors and silences come from the journal, which is soon read.
    let off_ones = [Cause::Backlog, Cause::Backup, Cause::Disk, Cause::Differences];
    assert_eq!(known(&start, &off()), off_ones);
    let without = Facts { backups: None, is_comparing: false, ..start };
    assert_eq!(known(&without, &limits()), [Cause::Backup, Cause::Differences]);
}

#[test]
fn each_cause_is_judged_when_its_own_facts_are_known() {
    let is_known = |cause: Cause, facts: Facts| is_known(cause, &facts, &limits());
    let read = || Snapshot { complete_since: Some(NOON - DAY), ..Snapshot::default() };
    for cause in [Cause::Errors, Cause::Silence(5)] {
        assert!(is_known(cause, facts(read())));
    }
    let is_read_only = Facts { can_write: Some(false), ..facts(read()) };
    assert!(!is_known(Cause::Silence(5), is_read_only), "a postback could not be taken");
    assert!(!is_known(Cause::Backlog, facts(Snapshot { backlog: 5_000, ..read() })));
    assert!(is_known(Cause::Backlog, facts(Snapshot { backlog_before: Some(0), ..read() })));
    for (age, running, expected) in
        [(None, 2 * DAY, false), (None, 2 * DAY + 1, true), (Some(0), 0, true)]
    {
        let backups = Some(Backups { every: DAY, age, running });
        let facts = Facts { backups, ..facts(read()) };
        assert_eq!(is_known(Cause::Backup, facts), expected, "{age:?} {running}");
    }
    let sizes =
        |database, free| Snapshot { sizes: Sizes { database, free, ..Sizes::default() }, ..read() };
    assert!(!is_known(Cause::Disk, facts(sizes(Some(1), None))), "its room cannot be read");
    assert!(is_known(Cause::Disk, facts(sizes(Some(1), Some(1)))));
    assert!(is_known(Cause::Disk, facts(sizes(None, None))), "the database is on a server");
    let differences = Some(Differences { count: 0, at: NOON });
    assert!(!is_known(Cause::Differences, facts(read())));
    assert!(is_known(Cause::Differences, Facts { differences, ..facts(read()) }));
}

#[test]
fn what_a_message_of_the_disk_and_the_database_asks_for() {
    let sizes = Sizes { free: Some(9 << 20), ..Sizes::default() };
    let facts = facts(Snapshot { sizes, ..Snapshot::default() });
    let facts = Facts { can_write: Some(false), ..facts };
    assert_eq!(
        found(&facts, &limits(), &[]),
        [
            "read_only: the database cannot be written: postbacks are answered 503, and NATS must \
             send them again; the log says why (journalctl -p err)",
            "disk: the disk of the database has 9 MiB left, less than 1024 MiB \
             (--alarm-disk-mib); when it is full, postbacks are answered 503: free room, or move \
             the data directory",
        ]
    );
}

#[test]
fn a_time_is_told_in_its_two_largest_units() {
    for (seconds, text) in [
        (0, "0 minutes"),
        (59, "0 minutes"),
        (60, "1 minute"),
        (3_600, "1 hour"),
        (12_000, "3 hours 20 minutes"),
        (86_400, "1 day"),
        (2 * 86_400 + 3_600 + 60, "2 days 1 hour"),
    ] {
        assert_eq!(lasting(seconds), text);
    }
}
