//! SIGTERM: accepted requests are answered, and later ones are not started.

use rusqlite::Connection;
use rustix::process::{Pid, Signal, kill_process};

use super::{NOTHING_CHANGED, add, added, assert_log_is_clean, members};
use crate::shim::Shim;
use crate::support::{Caller, Program, eventually, rows, temp_dir};

#[test]
fn a_stop_answers_what_is_under_way_and_refuses_what_comes_later() {
    let Some(shim) = Shim::new() else { return };
    let dir = temp_dir();
    let data = dir.path().canonicalize().unwrap().join("data");
    let mut program = Program::run(shim.program(&data, false), &data, &[]).unwrap();
    let address = program.address;
    let mut kept = Caller::connect(address).unwrap();
    assert_eq!(kept.post(&add(1)).unwrap().body, added(1));
    // Otherwise the commit of this hash could be taken for the one that the test waits for.
    eventually("the password is hashed", || {
        let conn = Connection::open(data.join("userman.db")).unwrap();
        rows(&conn, "SELECT count(*) FROM journal WHERE sealed IS NOT NULL") == ["0"]
    });

    shim.hold_syncs();
    let under_way = std::thread::spawn(move || Caller::connect(address).unwrap().post(&add(2)));
    eventually("its commit waits for the disk", || shim.is_holding());
    kill_process(Pid::from_child(&program.child), Signal::TERM).unwrap();
    eventually("the program has heard", || program.stderr().contains("SIGTERM: stopping"));
    // On an existing connection and on a new one: refused with the promised line, or not accepted
    // at all.
    let refused = |caller: std::io::Result<Caller>, member| {
        if let Ok(response) = caller.and_then(|mut caller| caller.post(&add(member))) {
            assert_eq!((response.status, response.body.as_str()), (503, NOTHING_CHANGED));
        }
    };
    refused(Ok(kept), 3);
    let late = std::thread::spawn(move || {
        Caller::connect(address).and_then(|mut caller| caller.post(&add(4)))
    });
    shim.heal("hold");
    assert_eq!(under_way.join().unwrap().unwrap().body, added(2));
    assert!(program.child.wait().unwrap().success());
    if let Ok(response) = late.join().unwrap() {
        assert_eq!((response.status, response.body.as_str()), (503, NOTHING_CHANGED));
    }
    assert_log_is_clean(&program);
    assert_eq!(members(&data.join("userman.db")), [1, 2]);
}
