//! The commands with a database on a server that is not there.

use super::run_on;
use crate::support::temp_dir;

#[test]
fn a_server_that_does_not_answer_is_one_line() {
    let dir = temp_dir();
    let args = ["member", "list", "--database", "mysql://userman@127.0.0.1:1/nats"];
    let ran = run_on(&dir.path().join("data"), &args);
    let line = "nats-userman: cannot use the database mysql://userman@127.0.0.1:1/nats: ";
    assert!(ran.code == Some(1) && ran.err.starts_with(line), "{ran:?}");
    assert_eq!(ran.err.lines().count(), 1, "{ran:?}");
}
