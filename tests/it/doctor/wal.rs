//! The WAL: its size, and the process that keeps it from being restarted.

use std::fs::OpenOptions;
use std::process::Command;

use nats_userman::doctor::Level;
use rusqlite::{Connection, OpenFlags};

use super::Patient;
use crate::support::{Program, program, temp_dir};

const ADD: &str = "action=ADD&siteid=1&memberid=71&username=bob&password=secret";

#[test]
fn a_forgotten_read_transaction_is_named_with_its_process() {
    let dir = temp_dir();
    let data = dir.path().join("data");
    let service = Program::serve(&data, &[]);
    service.post(ADD).unwrap();
    let lines = || {
        let mut command: Command = program();
        command.args(["doctor", "--quick", "--listen", &service.address.to_string(), "--data-dir"]);
        let output = command.arg(&data).output().unwrap();
        let out = String::from_utf8(output.stdout).unwrap();
        let lines = out.lines().skip_while(|line| !line.contains(" wal_reader: ")).take(2);
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(
        lines()[0],
        "  ok       wal_reader: no read transaction keeps the WAL from being reset"
    );
    // This process is neither the service nor the doctor.
    let reader =
        Connection::open_with_flags(data.join("userman.db"), OpenFlags::SQLITE_OPEN_READ_ONLY)
            .unwrap();
    reader.execute_batch("BEGIN; SELECT * FROM member_auth").unwrap();
    service.post("action=DELETE&siteid=1&memberid=71&username=bob").unwrap();
    let (process, found) = (std::process::id(), lines());
    let name = std::fs::read_to_string("/proc/self/comm").unwrap();
    let beginning = format!(
        "  warning  wal_reader: process {process} ({}) has a read transaction open, since ",
        name.trim()
    );
    assert!(found[0].starts_with(&beginning), "{found:#?}");
    assert!(found[0].ends_with(" KiB of the WAL ago"), "{found:#?}");
    assert_eq!(found[1], format!("           -> end it if it is forgotten: `kill {process}`"));
    reader.execute_batch("COMMIT").unwrap();
    assert_eq!(
        lines()[0],
        "  ok       wal_reader: no read transaction keeps the WAL from being reset"
    );
}

#[test]
fn a_wal_that_has_grown_is_a_warning() {
    let patient = Patient::after(&[ADD]);
    patient.expect_ok("wal", "the WAL has 0 bytes");
    let wal = OpenOptions::new().write(true).open(patient.data().join("userman.db-wal")).unwrap();
    // The file has a hole, and takes no space.
    wal.set_len(300 << 20).unwrap();
    patient.expect(
        "wal",
        Level::Warning,
        "the WAL has 300.0 MiB, more than 188.5 MiB: a read transaction kept it from being reset",
        "end the program that holds the read transaction; restart the service if none is named",
    );
}
