//! A restore that is killed, and a service that is started during a restore.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use super::{Home, add, members, names, read};
use crate::commands::run_on;
use crate::shim::{KILLED, Shim};
use crate::support::{TOKEN, eventually, post_to, program, rows, stride, temp_dir};

/// Copies a directory with all its files.
pub(super) fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// The restore is killed at each step in turn. The next start finds the former database or the
/// restored one, complete and with the keys that belong to it.
#[test]
fn a_killed_restore_leaves_the_old_set_or_the_next_start_completes_the_new_one() {
    let Some(shim) = Shim::new() else { return };
    let before = Home::with_members(1..=3);
    let file = before.backed_up(&["--with-keys"]);
    let other = Home::with_members(7..=8);
    let mut found = [0; 2];
    // Every rename is tested. The other calls are many.
    for (call, first, every) in
        [("rename", 0, 1), ("sync", 1, stride(3)), ("open", 0, stride(4)), ("write", 2, stride(14))]
    {
        let mut killed = 0;
        for step in (first % every..).step_by(every) {
            assert!(step < 600, "it is always killed");
            let home = Home { dir: temp_dir() };
            copy(&other.data(), &home.data());
            shim.fail(call, KILLED, step);
            let mut command = shim.program(&home.data(), false);
            let ran = command.arg("restore").arg(&file).arg("--data-dir").arg(home.data());
            let ran = ran.output().unwrap();
            shim.heal(call);
            if ran.status.success() {
                break;
            }
            killed += 1;
            let what = format!("{call} {step}: {:?}", names(&home.data()));
            home.serving(|_| ());
            match home.members() {
                members if members == ["7", "8"] => found[0] += 1,
                members => {
                    assert_eq!(members, ["1", "2", "3"], "{what}");
                    found[1] += 1;
                }
            }
            assert_eq!(rows(&read(&home.database()), "PRAGMA integrity_check"), ["ok"], "{what}");
            let left = names(&home.data());
            let is_draft = |name: &String| name.contains(".new") || name == "restore.json";
            assert!(!left.iter().any(is_draft), "{what}: {left:?}");
        }
        assert!(killed > 3, "{call}: {killed} steps");
    }
    assert!(found[0] > 10 && found[1] > 3, "{found:?}");
}

/// During the renames, which take a moment, no other command may use the database.
#[test]
fn a_restore_that_was_killed_among_its_renames_is_named_by_every_command_and_completed_by_another()
{
    let Some(shim) = Shim::new() else { return };
    let before = Home::with_members(1..=3);
    let file = before.backed_up(&["--with-keys"]);
    let home = Home::with_members(7..=8);
    let is_between = |step| {
        shim.fail("rename", KILLED, step);
        let mut command = shim.program(&home.data(), false);
        command.arg("restore").arg(&file).arg("--data-dir").arg(home.data());
        assert_eq!(command.output().unwrap().status.code(), None, "it was not killed");
        shim.heal("rename");
        home.data().join("restore.json").exists()
    };
    assert!((0..100).any(is_between));
    let said = format!(
        "nats-userman: the restore of the database {} was interrupted: `nats-userman serve` or \
         another `nats-userman restore` completes it\n",
        home.database().display()
    );
    for command in [&["member", "list"][..], &["journal"], &["backup", "/"], &["set-wal-aside"]] {
        run_on(&home.data(), command).ended(1, &said);
    }
    let printed = home.restore(&file, &[]).printed();
    assert!(printed.starts_with("first completed a restore that was interrupted\n"), "{printed}");
    assert_eq!(home.members(), ["1", "2", "3"]);
}

/// The service is started by a socket. It waits, and then answers from the restored database.
#[test]
fn a_service_that_is_started_during_a_restore_waits_for_it() {
    let Some(shim) = Shim::new() else { return };
    let home = Home::with_members(1..=3);
    let file = home.backed_up(&[]);
    home.serving(|service| add(service, 4));
    shim.hold_syncs();
    let mut command = shim.program(&home.data(), false);
    command.arg("restore").arg(&file).arg("--data-dir").arg(home.data());
    let mut restore = command.stdout(Stdio::null()).spawn().unwrap();
    eventually("the restore is in the middle of its work", || shim.is_holding());
    let runs = format!(
        "nats-userman: a restore of the database {} is running: wait until it is done\n",
        home.database().display()
    );
    run_on(&home.data(), &["member", "list"]).ended(1, &runs);
    std::fs::write(home.data().join("postback-token"), format!("{TOKEN}\n")).unwrap();
    run_on(&home.data(), &["token", "add"])
        .ended(1, "nats-userman: a restore is running: wait until it is done\n");

    let mut command: Command = program();
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(home.data());
    command.env("USERMAN_POSTBACK_TOKEN", TOKEN).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut service = command.spawn().unwrap();
    let mut lines = BufReader::new(service.stderr.take().unwrap()).lines().map(Result::unwrap);
    let waits = "a restore is running: the service starts when it is done";
    assert!(lines.any(|line| line.contains(waits)));
    assert!(service.try_wait().unwrap().is_none());
    shim.heal("hold");
    assert!(restore.wait().unwrap().success());
    let listens = lines.find_map(|line| Some(line.split_once("listening on ")?.1.to_owned()));
    let address = listens.expect("it starts").trim_end_matches('"').parse().unwrap();
    let reply = post_to(address, TOKEN, super::body(5).as_bytes()).unwrap();
    assert_eq!(reply.body, super::added(5));
    let pid = rustix::process::Pid::from_child(&service);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(service.wait().unwrap().success());
    assert_eq!(members(&home.database()), ["1", "2", "3", "5"]);
}
