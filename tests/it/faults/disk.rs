//! The disk is full, fails at any step, or is read-only.

use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

use super::{
    NOTHING_CHANGED, OUTCOME_UNKNOWN, PASSWORD, add, added, assert_log_is_clean,
    assert_unavailable, errors, health, is_healthy, members, members_after_a_crash,
};
use crate::shim::{EACCES, EIO, ENOSPC, EROFS, KILLED, Shim};
use crate::support::{Mounted, Program, eventually, program as program_of_tests, rows, stride};

/// How often the writer checks what expires.
const WRITER_TICK: Duration = Duration::from_millis(500);

/// An empty data directory, by its canonical path, which the shim needs.
fn data_dir() -> (TempDir, std::path::PathBuf) {
    let dir = TempDir::new().unwrap();
    let data = dir.path().canonicalize().unwrap().join("data");
    (dir, data)
}

/// Each call that reaches the disk fails once, at any step of a commit. The answer says what a
/// restart finds, and the same postback is done when it is sent again.
#[test]
fn a_fault_at_any_step_of_a_commit_is_answered_with_what_a_restart_would_find() {
    let Some(shim) = Shim::new() else { return };
    let (_dir, data) = data_dir();
    let mut program = Program::run(shim.program(&data, false), &data, &[]).unwrap();
    let steps = |call, errno, count| (0..count).map(move |step| (call, errno, step));
    let mut answers = [0; 3];
    let all =
        steps("write", ENOSPC, 14).chain(steps("write", EIO, 14)).chain(steps("sync", EIO, 3));
    for (member, (call, errno, step)) in (1..).zip(all) {
        let what = format!("member {member}: {call} {step} fails with {errno}");
        shim.fail_once(call, errno, step);
        let response = program.post(&add(member)).unwrap();
        shim.heal(call);
        let found = members_after_a_crash(&data).contains(&member);
        let again = match (response.status, response.body.as_str()) {
            (200, body) => {
                assert_eq!((body, found), (added(member).as_str(), true), "{what}");
                answers[0] += 1;
                "so already"
            }
            (_, NOTHING_CHANGED) => {
                assert!(!found, "{what}: it says that nothing was changed");
                assert_unavailable(&response, NOTHING_CHANGED);
                answers[1] += 1;
                " added to "
            }
            _ => {
                assert_unavailable(&response, OUTCOME_UNKNOWN);
                answers[2] += 1;
                ""
            }
        };
        eventually("the same postback is done", || {
            let reply = program.post(&add(member)).unwrap();
            assert!(
                reply.status == 503 || reply.body.starts_with("OK|") && reply.body.contains(again),
                "{what}: {reply:?}"
            );
            reply.status == 200
        });
        assert_eq!(members(&data.join("userman.db")), (1..=member).collect::<Vec<_>>(), "{what}");
    }
    assert!(answers.iter().all(|&count| count > 0), "some answer never came: {answers:?}");
    assert!(program.terminate().success());
    assert_log_is_clean(&program);
}

#[test]
fn a_disk_that_fills_up_in_the_middle_of_a_batch_loses_nothing_and_work_goes_on_when_there_is_room()
{
    let Some(shim) = Shim::new() else { return };
    let (_dir, data) = data_dir();
    let mut program = Program::run(shim.program(&data, false), &data, &[]).unwrap();
    let address = program.address;
    // The first postback is in its sync while the others wait for one batch. The third write of
    // that batch fails, and every later one.
    shim.hold_syncs();
    let replies: Vec<_> = std::thread::scope(|scope| {
        let posts: Vec<_> = (1..=20)
            .map(|member| {
                let post = scope.spawn(move || {
                    crate::support::post_to(address, crate::support::TOKEN, add(member).as_bytes())
                });
                eventually("a sync waits", || shim.is_holding());
                post
            })
            .collect();
        shim.fail("write", ENOSPC, 2);
        shim.heal("hold");
        posts.into_iter().map(|post| post.join().unwrap().unwrap()).collect()
    });
    assert_eq!(replies[0].body, added(1));
    replies[1..].iter().for_each(|reply| assert_unavailable(reply, NOTHING_CHANGED));
    refuse_adds(&program);
    assert_eq!(health(address), (503, "unavailable".into()));
    // CHECK does not write.
    assert_eq!(
        program.post("action=CHECK&siteid=1&username=name-1").unwrap().body,
        "OK|username \"name-1\" is taken on site 1"
    );
    assert_eq!(members_after_a_crash(&data), [1]);

    shim.heal("write");
    eventually("there is room", || program.post(&add(2)).unwrap().body == added(2));
    eventually("/health is ok", || is_healthy(address));
    assert_eq!(members(&data.join("userman.db")), [1, 2]);
    let log = program.stderr();
    let full = " ERROR the disk is full: database or disk is full: Error code 13: database or \
        disk is full (SQLite code 13); free space in its file system: the service then continues \
        by itself";
    assert_eq!(errors(&log).len(), 1, "{log}");
    assert!(errors(&log)[0].ends_with(full), "{log}");
    assert_eq!(log.matches("INFO  the database is writable again after ").count(), 1, "{log}");
    assert!(program.terminate().success());
    assert_log_is_clean(&program);
}

/// Sends many ADDs, which must be refused, for several of the writer's intervals. In each interval
/// it looks for expired members and probes.
fn refuse_adds(program: &Program) {
    let until = Instant::now() + 3 * WRITER_TICK;
    let mut member = 10_000;
    eventually("the intervals have passed", || {
        member += 1;
        assert_unavailable(&program.post(&add(member)).unwrap(), NOTHING_CHANGED);
        assert_eq!(health(program.address), (503, "unavailable".into()));
        Instant::now() >= until
    });
}

/// On a real file system that is full.
#[test]
fn on_a_file_system_that_is_full_every_postback_is_refused_until_there_is_room() {
    let dir = TempDir::new().unwrap();
    let Some(mounted) = Mounted::tmpfs(dir.path(), "3m") else { return };
    let data = mounted.0.join("data");
    let mut program = Program::serve(&data, &[]);
    let ballast = mounted.0.join("ballast");
    std::fs::write(&ballast, vec![1; 1_500_000]).unwrap();
    let mut acknowledged = Vec::new();
    let refused = (1..5000).find(|&member| {
        let response = program.post(&add(member)).unwrap();
        if response.status == 200 {
            acknowledged.push(member);
        } else {
            assert_unavailable(&response, NOTHING_CHANGED);
        }
        response.status != 200
    });
    let refused = refused.expect("it was never full");
    // Uses up the remaining space, which would suffice for a probe.
    let rest = std::iter::repeat_n(vec![1; 512], 10_000).collect::<Vec<_>>().concat();
    assert!(std::fs::write(mounted.0.join("rest"), rest).is_err());
    assert_eq!(health(program.address), (503, "unavailable".into()));
    refuse_adds(&program);
    let log = program.stderr();
    assert!(errors(&log).len() == 1 && !log.contains("can be written again"), "{log}");
    std::fs::remove_file(&ballast).unwrap();
    eventually("there is room", || program.post(&add(refused)).unwrap().body == added(refused));
    eventually("/health is ok", || is_healthy(program.address));
    acknowledged.push(refused);
    program.kill();
    assert_log_is_clean(&program);
    assert_eq!(members(&data.join("userman.db")), acknowledged);
}

/// SQLite calls that an input/output error.
#[test]
fn a_full_disk_without_room_for_the_index_of_the_wal_is_called_full() {
    let dir = TempDir::new().unwrap();
    let Some(mounted) = Mounted::tmpfs(dir.path(), "3m") else { return };
    let data = mounted.0.join("data");
    let mut program = Program::serve(&data, &[]);
    assert_eq!(program.post(&add(1)).unwrap().body, added(1));
    program.kill();
    std::fs::remove_file(data.join("userman.db-shm")).unwrap();
    let rest = vec![1; 4_000_000];
    assert!(std::fs::write(mounted.0.join("rest"), rest).is_err());
    let database = data.join("userman.db");
    let full = format!("cannot use the database {}: the disk is full: ", database.display());
    for args in [&["member", "list"][..], &["serve", "--listen", "127.0.0.1:0"], &["check-config"]]
    {
        let mut command = program_of_tests();
        let ran = command.args(args).arg("--data-dir").arg(&data).output().unwrap();
        let said = String::from_utf8(ran.stderr).unwrap();
        assert!(ran.status.code() == Some(1) && said.contains(&full), "{args:?}: {said}");
    }
    let mut command = program_of_tests();
    let ran = command.args(["doctor", "--quick", "--data-dir"]).arg(&data).output().unwrap();
    let said = String::from_utf8(ran.stdout).unwrap();
    let remedy = "\n           -> free some room in its file system\n";
    assert!(said.contains(&full) && said.contains(remedy), "{said}");
    std::fs::remove_file(mounted.0.join("rest")).unwrap();
    let program = Program::serve(&data, &[]);
    assert_eq!(program.post(&add(2)).unwrap().body, added(2));
}

#[test]
fn a_sync_that_fails_leaves_the_outcome_unknown_and_the_writer_opens_the_database_anew() {
    let Some(shim) = Shim::new() else { return };
    let (_dir, data) = data_dir();
    let mut program = Program::run(shim.program(&data, false), &data, &[]).unwrap();
    assert_eq!(program.post(&add(1)).unwrap().body, added(1));
    shim.fail("sync", EIO, 0);
    for _ in 0..3 {
        assert_unavailable(&program.post(&add(2)).unwrap(), OUTCOME_UNKNOWN);
    }
    assert_eq!(health(program.address), (503, "unavailable".into()));
    shim.heal("sync");
    eventually("it is sent again and done", || {
        program.post(&add(2)).unwrap().body.starts_with("OK|member 2 \"name-2\" ")
    });
    eventually("/health is ok", || is_healthy(program.address));
    let log = program.stderr();
    assert_eq!(errors(&log).len(), 1, "{log}");
    assert!(
        errors(&log)[0].contains(" ERROR the outcome of a commit is unknown: disk I/O error: "),
        "{log}"
    );
    assert!(errors(&log)[0].ends_with("(SQLite code 1034)"), "{log}");
    program.kill();
    assert_log_is_clean(&program);
    let program = Program::serve(&data, &[]);
    assert_eq!(members(&data.join("userman.db")), [1, 2]);
    drop(program);
}

#[test]
fn a_file_system_that_becomes_read_only_refuses_postbacks_until_it_is_writable() {
    let Some(shim) = Shim::new() else { return };
    let (_dir, data) = data_dir();
    let mut program = Program::run(shim.program(&data, false), &data, &[]).unwrap();
    assert_eq!(program.post(&add(1)).unwrap().body, added(1));
    shim.fail("open", EROFS, 0);
    shim.fail("write", EROFS, 0);
    for _ in 0..5 {
        let response = program.post(&add(2)).unwrap();
        // The postback whose COMMIT fails gets "outcome unknown". With a read-only connection, the
        // service knows that nothing was changed.
        let body = if response.body == OUTCOME_UNKNOWN { OUTCOME_UNKNOWN } else { NOTHING_CHANGED };
        assert_unavailable(&response, body);
    }
    assert_eq!(health(program.address), (503, "unavailable".into()));
    assert_eq!(
        program.post("action=CHECK&siteid=1&username=name-1").unwrap().body,
        "OK|username \"name-1\" is taken on site 1"
    );
    shim.heal("open");
    shim.heal("write");
    eventually("it is sent again and done", || {
        program.post(&add(2)).unwrap().body.starts_with("OK|member 2 \"name-2\" ")
    });
    eventually("/health is ok", || is_healthy(program.address));
    assert!(program.terminate().success());
    assert_log_is_clean(&program);
    assert_eq!(members(&data.join("userman.db")), [1, 2]);
}

#[test]
fn a_data_directory_that_cannot_be_written_ends_the_start_with_one_line_and_exit_code_2() {
    let Some(shim) = Shim::new() else { return };
    let (_dir, data) = data_dir();
    drop(Program::serve(&data, &[]));
    let before = std::fs::read(data.join("userman.db")).unwrap();
    let lock = format!("{}/userman.lock", data.display());
    let read_only =
        format!("Read-only file system (os error 30): mount the file system of {lock} read-write");
    for (errno, cause) in [
        // All directories but its own are read-only for a service under the unit.
        (EROFS, read_only.as_str()),
        (EACCES, "Permission denied (os error 13)"),
    ] {
        shim.fail("open", errno, 0);
        let output = super::damage::start(shim.program(&data, false), &data);
        shim.heal("open");
        let line = format!("nats-userman: cannot use the lock file {lock}: {cause}\n");
        assert_eq!(output, (2, line));
    }
    assert_eq!(std::fs::read(data.join("userman.db")).unwrap(), before);
    // The unit mounts all directories but those of the service read-only.
    shim.fail("open", EROFS, 0);
    let in_unit = |own: &std::path::Path| {
        let mut command = shim.program(&data, false);
        command.env("INVOCATION_ID", "0123456789abcdef0123456789abcdef");
        command.env("STATE_DIRECTORY", own);
        super::damage::start(command, &data).1
    };
    let said = in_unit(std::path::Path::new("/var/lib/nats-userman"));
    let expected = format!(
        "nats-userman: cannot use the lock file {lock}: Read-only file system (os error 30): the \
         unit lets the service write in its own directories only; run \
         `systemctl edit nats-userman`, write the lines `[Service]` and `ReadWritePaths={at}`, \
         and restart the service\n",
        at = data.display()
    );
    assert_eq!(said, expected);
    // Its own directory is writable, so that the disk is not.
    assert!(in_unit(&data).contains(&read_only));
    shim.heal("open");
}

/// The creation of the data directory fails, or the program is killed, at every step in turn. The
/// failure is reported in one line, and the files that are left do not keep a later start from
/// working.
#[test]
fn a_first_start_that_fails_or_dies_at_any_step_is_made_good_by_the_next() {
    let Some(shim) = Shim::new() else { return };
    let steps = |call, errno, count| (0..count).map(move |step| (call, errno, step));
    let mut failed = 0;
    let faults =
        steps("open", EACCES, 5).chain(steps("write", ENOSPC, 20)).chain(steps("sync", EIO, 8));
    let deaths =
        steps("open", KILLED, 5).chain(steps("write", KILLED, 20)).chain(steps("sync", KILLED, 8));
    // Faults at the first, third, fifth step, and deaths at those between.
    let every = stride(2);
    for (call, errno, step) in faults.step_by(every).chain(deaths.skip(every - 1).step_by(every)) {
        let (_dir, data) = data_dir();
        shim.fail_once(call, errno, step);
        let first = Program::run(shim.program(&data, false), &data, &[]);
        shim.heal(call);
        if let Err(said) = &first {
            let one_line = said.starts_with("nats-userman: ") && said.lines().count() == 1;
            assert!(
                if errno == KILLED { said.is_empty() } else { one_line },
                "{call} {step}: {said}"
            );
            failed += 1;
        }
        drop(first);
        let program = Program::run(shim.program(&data, false), &data, &[])
            .unwrap_or_else(|said| panic!("{call} {step}: {said}"));
        assert_eq!(program.post(&add(1)).unwrap().body, added(1), "{call} {step}");
    }
    assert!(failed > 10, "only {failed} starts failed: these are not the steps of a first start");
}

/// Checks the assumption of these tests: the password was sent, and the journal shows it as `***`.
#[test]
fn the_password_of_these_tests_reaches_the_database_sealed() {
    let (_dir, data) = data_dir();
    let program = Program::serve(&data, &[]);
    assert_eq!(program.post(&add(1)).unwrap().body, added(1));
    let conn =
        Connection::open_with_flags(data.join("userman.db"), OpenFlags::SQLITE_OPEN_READ_ONLY)
            .unwrap();
    let fields = rows(&conn, "SELECT fields FROM journal_text");
    assert_eq!(fields, ["action=ADD&siteid=1&memberid=1&username=name-1&password=***"]);
    assert!(add(1).contains(PASSWORD));
}
