//! docs/litestream.md: Litestream beside the service, with a directory as the target.

use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::faults::{add, added, members};
use crate::support::ran::{open, run_on};
use crate::support::{Program, eventually, real_program, rows, temp_dir};

#[test]
fn litestream_replicates_beside_the_service_and_its_copy_can_be_restored() {
    let Some(litestream) = real_program("litestream") else { return };
    let dir = temp_dir();
    let home = dir.path().canonicalize().unwrap();
    let data = home.join("data");
    let add_to = |service: &Program, member| {
        assert_eq!(service.post(&add(member)).unwrap().body, added(member));
    };
    let mut service = Program::serve(&data, &[]);
    add_to(&service, 1);
    assert!(service.terminate().success());
    let mut service = Program::serve(&data, &[]);
    let target = format!("file://{}/replica", home.display());
    let mut replication = Command::new(&litestream)
        .arg("replicate")
        .arg(data.join("userman.db"))
        .arg(&target)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    eventually("it replicates", || home.join("replica").exists());
    (2..=60).for_each(|member| add_to(&service, member));
    // Litestream sends what is left before it ends.
    kill_process(Pid::from_child(&replication), Signal::TERM).unwrap();
    assert!(replication.wait().unwrap().success());
    add_to(&service, 61);
    assert!(service.terminate().success());

    let copied = home.join("restored");
    std::fs::create_dir(&copied).unwrap();
    let copy = copied.join("userman.db");
    let mut command = Command::new(&litestream);
    command.arg("restore").arg("-o").arg(&copy).arg(&target);
    let restored = command.output().unwrap();
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    assert_eq!(rows(&open(&copied), "PRAGMA integrity_check"), ["ok"]);
    assert_eq!(members(&copy), (1..=60).collect::<Vec<_>>());

    let printed = run_on(&data, &["restore", copy.to_str().unwrap()]).printed();
    assert!(printed.contains("lost: 1 journal record "), "{printed}");
    let mut service = Program::serve(&data, &[]);
    add_to(&service, 62);
    assert!(service.terminate().success());
    assert_eq!(members(&data.join("userman.db")).len(), 61);
}
