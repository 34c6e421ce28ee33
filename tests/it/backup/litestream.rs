//! docs/litestream.md: Litestream beside the service, with a directory as the target.

use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::{Home, add, members, read};
use crate::support::{Program, eventually, real_program, rows};

#[test]
fn litestream_replicates_beside_the_service_and_its_copy_can_be_restored() {
    let Some(litestream) = real_program("litestream") else { return };
    let home = Home::with_members(1..=1);
    let mut service = Program::serve(&home.data(), &[]);
    let target = format!("file://{}/replica", home.path().display());
    let mut replication = Command::new(&litestream)
        .arg("replicate")
        .arg(home.database())
        .arg(&target)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    eventually("it replicates", || home.path().join("replica").exists());
    (2..=60).for_each(|member| add(&service, member));
    // Litestream sends what is left before it ends.
    kill_process(Pid::from_child(&replication), Signal::TERM).unwrap();
    assert!(replication.wait().unwrap().success());
    add(&service, 61);
    assert!(service.terminate().success());

    let copy = home.path().join("restored.db");
    let mut command = Command::new(&litestream);
    command.arg("restore").arg("-o").arg(&copy).arg(&target);
    let restored = command.output().unwrap();
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    assert_eq!(rows(&read(&copy), "PRAGMA integrity_check"), ["ok"]);
    let expected: Vec<String> = (1..=60).map(|member| member.to_string()).collect();
    assert_eq!(members(&copy), expected);

    let printed = home.restore(&copy, &[]).printed();
    assert!(printed.contains("lost: 1 journal record "), "{printed}");
    home.serving(|service| add(service, 62));
    assert_eq!(home.members().len(), 61);
}
