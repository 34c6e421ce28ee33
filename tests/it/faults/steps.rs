//! The program is killed, or the disk fails, at each step of a commit and of a checkpoint, which is
//! rare.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use tempfile::TempDir;

use super::{add, added, assert_log_is_clean, errors, members};
use crate::shim::{EIO, ENOSPC, KILLED, Shim};
use crate::support::{Caller, Program, check_invariants, eventually};

#[test]
fn a_program_that_dies_at_any_step_of_a_commit_leaves_the_member_whole_or_not_at_all() {
    let Some(shim) = Shim::new() else { return };
    let dir = TempDir::new().unwrap();
    let data = dir.path().canonicalize().unwrap().join("data");
    let database = data.join("userman.db");
    let (mut there, mut not_there) = (0, 0);
    let steps = (0..14).map(|step| ("write", step)).chain([("sync", 0)]);
    for (member, (call, step)) in (1..).zip(steps) {
        let mut program = Program::run(shim.program(&data, false), &data, &[]).unwrap();
        shim.fail_once(call, KILLED, step);
        let answered = program.post(&add(member)).is_ok();
        // If it was not killed in this commit, it is killed now.
        program.kill();
        shim.heal(call);
        let program = Program::run(shim.program(&data, false), &data, &[]).unwrap();
        let found = members(&database).contains(&member);
        assert!(found || !answered, "{call} {step}: acknowledged and not there");
        *(if found { &mut there } else { &mut not_there }) += 1;
        assert!(program.post(&add(member)).unwrap().body.starts_with("OK|"), "{call} {step}");
        drop(program);
        check_invariants(&database);
    }
    assert!(
        there > 0 && not_there > 0,
        "{there} were there, {not_there} were not: these are not the steps of a commit"
    );
}

/// A WAL of this size is due for a checkpoint: more than 24,000 pages of 4 KiB.
const DUE_MIB: usize = 98;
/// A WAL of this size gets its checkpoint as soon as no postback waits: more than 3,000 pages.
const EARLY_MIB: usize = 14;

/// A data directory with a WAL of this size.
fn data_before_a_checkpoint(mib: usize) -> (TempDir, PathBuf) {
    let dir = TempDir::new().unwrap();
    let data = dir.path().canonicalize().unwrap().join("data");
    drop(Program::serve(&data, &[]));
    let conn = Connection::open(data.join("userman.db")).unwrap();
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
    conn.execute_batch(&format!(
        "PRAGMA wal_autocheckpoint = 0; PRAGMA synchronous = OFF;
         CREATE TABLE ballast (a); INSERT INTO ballast VALUES (zeroblob({mib} * 1048576))"
    ))
    .unwrap();
    drop(conn);
    assert!(fs::metadata(data.join("userman.db-wal")).unwrap().len() > bytes(mib));
    (dir, data)
}

fn bytes(mib: usize) -> u64 {
    mib as u64 * 1_048_576
}

fn copy(from: &Path) -> (TempDir, PathBuf) {
    let dir = TempDir::new().unwrap();
    let data = dir.path().canonicalize().unwrap();
    for file in fs::read_dir(from).unwrap().map(Result::unwrap) {
        fs::copy(file.path(), data.join(file.file_name())).unwrap();
    }
    (dir, data)
}

#[test]
fn a_checkpoint_that_is_cut_short_loses_nothing() {
    let Some(shim) = Shim::new() else { return };
    let (_dir, due) = data_before_a_checkpoint(DUE_MIB);
    let (_dir, early) = data_before_a_checkpoint(EARLY_MIB);
    let (due, early) = ((DUE_MIB, due.as_path()), (EARLY_MIB, early.as_path()));
    // The commit itself has about ten writes and one sync.
    for ((mib, before), call, errno, step) in [
        (due, "write", KILLED, 5000),
        (early, "sync", KILLED, 2),
        (early, "write", ENOSPC, 2000),
        (early, "write", EIO, 2000),
        (early, "sync", EIO, 2),
    ] {
        let what = format!("{call} {step}: {errno}");
        let (_dir, data) = copy(before);
        let database = data.join("userman.db");
        let mut program = Program::run(shim.program(&data, false), &data, &[]).unwrap();
        shim.fail(call, errno, step);
        let mut caller = Caller::connect(program.address).unwrap();
        match caller.post(&add(1)) {
            Ok(reply) => assert_eq!(
                reply.body,
                added(1),
                "{what}: the reply does not wait for the checkpoint"
            ),
            // The program was killed before it replied. The journal is checked below.
            Err(_) => assert_eq!(errno, KILLED, "{what}: no reply"),
        }
        if errno == KILLED {
            eventually("it dies in the checkpoint", || program.child.try_wait().unwrap().is_some());
        } else {
            eventually("the fault is logged", || !errors(&program.stderr()).is_empty());
        }
        shim.heal(call);
        if errno != KILLED {
            eventually("work goes on", || caller.post(&add(2)).unwrap().body == added(2));
            eventually("the checkpoint is made up for", || {
                fs::metadata(&database).unwrap().len() > bytes(mib)
            });
            assert!(program.terminate().success());
            assert_log_is_clean(&program);
        }
        let program = Program::run(shim.program(&data, false), &data, &[])
            .unwrap_or_else(|said| panic!("{what}: {said}"));
        // The start may repeat the checkpoint first, which takes long on a busy disk.
        eventually("work goes on", || program.post(&add(4)).unwrap().body == added(4));
        drop(program);
        let found = members(&database);
        assert!(
            found.contains(&1) && found.contains(&4) && (errno == KILLED || found.contains(&2)),
            "{what}: {found:?}"
        );
        check_invariants(&database);
    }
}
